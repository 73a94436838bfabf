package storage

import (
	"fmt"
	"time"

	"github.com/telemdb/telemdb/storage/types"
)

// DeleteCost is what a delete would touch.
type DeleteCost struct {
	Partitions   int       // with rows to delete in segments
	First, Last  time.Time // their dates; zero without any
	Segments     int       // that get a tombstone: a merge writes them again
	Bytes        int64     // of them
	Dropped      int       // segments without a live row left, which are dropped at once
	DroppedBytes int64
	Of           int      // segments of the table
	HeadRows     int64    // rows in memory that are sealed first, those that stay among them
	Rollups      []string // that are corrected
}

// DeleteCost tells what Tx.Delete of rows would touch at this moment. next gives their places (see Tx.Delete), nil at the
// end. Nothing changes.
func (sn *Snapshot) DeleteCost(t *types.Table, next func() []int64) (DeleteCost, error) {
	own, ok := sn.names.byID[t.ID]
	if !ok {
		return DeleteCost{}, fmt.Errorf("table %s %w", t.FullName(), ErrNotFound)
	}
	d := newDeletion(own)
	for rows := next(); len(rows) > 0; rows = next() {
		if err := d.add(sn, rows); err != nil {
			return DeleteCost{}, err
		}
	}
	c := DeleteCost{Of: len(sn.version.tables[own.ID]), HeadRows: sn.s.rowsToSeal(d)}
	days := map[int64]bool{}
	for f, rows := range d.files {
		if day := f.Meta.Partition; f.Meta.HasPartition {
			if at := time.Unix(day*86400, 0).UTC(); len(days) == 0 || at.Before(c.First) {
				c.First = at
			}
			if at := time.Unix(day*86400, 0).UTC(); len(days) == 0 || at.After(c.Last) {
				c.Last = at
			}
			days[day] = true
		}
		gone := int64(rows.GetCardinality())
		if dead := sn.version.deadOf(f); dead != nil {
			gone = int64(rows.OrCardinality(dead.rows))
		}
		if gone == f.Meta.Rows {
			c.Dropped++
			c.DroppedBytes += f.Meta.Bytes
		} else {
			c.Segments++
			c.Bytes += f.Meta.Bytes
		}
	}
	c.Partitions = len(days)
	for _, r := range sn.s.rollups {
		if r.Source() == own.FullName() && len(d.files)+len(d.heads) > 0 {
			c.Rollups = append(c.Rollups, r.states.FullName().String())
		}
	}
	return c, nil
}

// rowsToSeal counts the rows of the heads that hold rows of d.
func (s *Store) rowsToSeal(d *deletion) (n int64) {
	open := map[*sealedAt]bool{}
	for at := range d.heads {
		open[at] = at.Load() == nil
	}
	for _, l := range s.lanes() {
		if len(open) == 0 || !s.laneHasAny(l, open) {
			continue
		}
		s.mu.Lock()
		n += l.frozen.visibleRows() + l.active.visibleRows()
		s.mu.Unlock()
	}
	return n
}
