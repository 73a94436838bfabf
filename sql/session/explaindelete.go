package session

import (
	"fmt"
	"strings"
	"time"

	"github.com/telemdb/telemdb/engine/op"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/opt/show"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// DeleteCost is what a delete would touch.
type DeleteCost struct {
	Partitions   int       // with rows to delete in segments
	First, Last  time.Time // their dates; zero without any
	Segments     int       // that get a tombstone and are written again later
	Bytes        int64     // of them
	Dropped      int       // segments without a live row left, which are dropped at once
	DroppedBytes int64
	Of           int      // segments of the table
	HeadRows     int64    // rows in memory that are sealed first
	Rollups      []string // that are corrected
}

// DeleteCoster is a Snapshot that can tell what deleting rows would touch. next gives their places, nil at the end.
type DeleteCoster interface {
	DeleteCost(t *types.Table, next func() []int64) (DeleteCost, error)
}

// explainDelete runs the search of a DELETE, with or without ANALYZE: only the rows tell what will be touched. With
// ANALYZE it deletes them, as PostgreSQL does.
func (c *conn) explainDelete(s *statementCtx, x *explained, st *ast.Delete, params []types.Type, args []*vec.Vector) error {
	if x.o.analyze {
		if err := c.needWrite("DELETE"); err != nil {
			return err
		}
		x.analysis = &op.Analysis{}
	}
	began := time.Now()
	t, q, err := c.bindDelete(st, params)
	if err != nil {
		return err
	}
	x.planning = time.Since(began)
	began = time.Now()
	dead, err := c.findRows(s, q.Plan, args, x.analysis)
	if err != nil {
		return err
	}
	x.root = &show.Node{Plan: q.Plan, Kind: "Delete", On: t.FullName().String(), Children: []*show.Node{show.Describe(q.Plan)}}
	if err := c.costOfDelete(x, t, dead); err != nil {
		return err
	}
	if x.o.analyze {
		if _, err := c.bury(t, dead); err != nil {
			return err
		}
	}
	x.running = time.Since(began)
	return nil
}

func (c *conn) costOfDelete(x *explained, t *types.Table, dead deadRows) error {
	matched := fmt.Sprintf("%d matched: the search below was run, nothing was deleted", dead.count())
	if x.o.analyze {
		matched = fmt.Sprintf("%d deleted", dead.count())
	}
	fact := func(name, format string, args ...any) {
		x.root.Facts = append(x.root.Facts, show.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	fact("Rows", "%s", matched)
	x.extra.set("Rows Matched", dead.count())
	coster, ok := c.tx.snap.Snapshot.(DeleteCoster)
	if !ok {
		return nil
	}
	src, err := c.tx.snap.Source(t)
	if err != nil {
		return err
	}
	k, err := coster.DeleteCost(t, dead.places(len(src.Morsels())))
	if err != nil {
		return sqlstate.Wrap(sqlstate.Internal, err)
	}
	add := x.extra.set
	add("Partitions", k.Partitions)
	if k.Partitions > 0 {
		first, last := k.First.Format(time.DateOnly), k.Last.Format(time.DateOnly)
		fact("Partitions", "%d, %s to %s", k.Partitions, first, last)
		add("First Partition", first)
		add("Last Partition", last)
	}
	fact("Segments", "%d of %d, %d bytes to be written again without the rows", k.Segments, k.Of, k.Bytes)
	add("Segments", k.Segments)
	add("Segments of Table", k.Of)
	add("Bytes to Rewrite", k.Bytes)
	if k.Dropped > 0 {
		fact("Segments Dropped Whole", "%d of %d bytes", k.Dropped, k.DroppedBytes)
	}
	add("Segments Dropped Whole", k.Dropped)
	add("Bytes Dropped Whole", k.DroppedBytes)
	if k.HeadRows > 0 {
		fact("Head", "%d rows in memory are sealed first", k.HeadRows)
	}
	add("Head Rows to Seal", k.HeadRows)
	if len(k.Rollups) > 0 {
		fact("Roll-ups Corrected", "%s", strings.Join(k.Rollups, ", "))
	}
	add("Roll-ups Corrected", append([]string{}, k.Rollups...))
	return nil
}
