package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// What deleted rows have left in a roll-up is taken away by states to be subtracted: the roll-up's Build of those rows, in
// a segment that the manifest calls minus, published with the tombstones. Such a segment has no partition, so that a
// delete in many writes one file; merges add such segments up among themselves, and readers subtract.

// correct writes the states that the given rows have in the roll-ups over their table, to be subtracted.
func (s *Store) correct(ctx context.Context, w *segmentsWriter, t *tableRemoval) error {
	if t.n == 0 {
		return nil
	}
	for _, r := range s.rollups {
		if r.Source() != t.table.FullName() {
			continue
		}
		inputs, err := s.statesOfRows(ctx, r, t.rows)
		if err == nil {
			err = w.statesSegment(ctx, r, minusPartition, inputs)
		}
		if err != nil {
			return fmt.Errorf("correct roll-up %s: %w", r.states.FullName(), err)
		}
	}
	return nil
}

// Rows that lie far apart are brought together before they are aggregated: many small groups would cost more than their
// rows. Where a group gives many, they are aggregated where they are.
const (
	gatherShare = 16      // of a group's rows: one in so many is far apart
	gatherRows  = 8 << 10 // held in memory at a time
)

// statesOfRows aggregates rows of segments. Only blocks that hold one of them are read.
func (s *Store) statesOfRows(ctx context.Context, r Rollup, rows map[*file]*roaring.Bitmap) ([]compact.Input, error) {
	var inputs []compact.Input
	build := func(g column.Group, rows []uint16) error {
		states, err := r.Build(g, rows)
		if err == nil && len(states) > 0 {
			inputs = append(inputs, memoryInput(states))
		}
		return err
	}
	var apart gatherer
	flush := func() error {
		g, err := apart.take()
		if err != nil || g.Rows() == 0 {
			return err
		}
		return build(g, everyRow(g.Rows()))
	}
	for _, f := range sortedFiles(rows) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rd, err := f.open(s.files, s.cache)
		if err != nil {
			return nil, err
		}
		first := 0
		for i, n := range f.Meta.GroupRows {
			dead := bitmapOf(rows[f], first, n)
			first += n
			if dead == nil {
				continue
			}
			list := dead.Positions(nil)
			if len(list)*gatherShare > n {
				if err := build(rd.Group(i), list); err != nil {
					return nil, err
				}
				continue
			}
			if err := apart.add(rd.Group(i), list); err != nil {
				return nil, err
			}
			if apart.rows >= gatherRows {
				if err := flush(); err != nil {
					return nil, err
				}
			}
		}
	}
	return inputs, flush()
}

func everyRow(n int) []uint16 {
	out := make([]uint16, n)
	for i := range out {
		out[i] = uint16(i)
	}
	return out
}

// gatherer brings rows of several groups together.
type gatherer struct {
	rows  int
	cols  map[leafPath]*vec.Vector
	block vec.Vector
	at    []uint16
}

type leafPath struct {
	path types.Path
	leaf types.Leaf
}

// add copies rows of g, which are ascending.
func (a *gatherer) add(g column.Group, rows []uint16) error {
	if a.cols == nil {
		a.cols = map[leafPath]*vec.Vector{}
	}
	for _, c := range g.Under("") {
		k := leafPath{c.Path(), c.Leaf()}
		v := a.cols[k]
		if err := a.column(c, rows, g.Rows(), &v); err != nil {
			return err
		}
		if v != nil {
			a.cols[k] = v
		}
	}
	a.rows += len(rows)
	return nil
}

// column appends the rows of one column to *out, making it if one of them has a value.
func (a *gatherer) column(c column.Column, rows []uint16, n int, out **vec.Vector) error {
	for i := 0; i < len(rows); {
		b := int(rows[i]) / vec.BatchRows
		from := b * vec.BatchRows
		a.at = a.at[:0]
		j := i
		for ; j < len(rows) && int(rows[j])/vec.BatchRows == b; j++ {
			a.at = append(a.at, rows[j]-uint16(from))
		}
		if err := c.Read(from, min(from+vec.BatchRows, n), &a.block); err != nil {
			return err
		}
		if *out == nil && a.allNull() {
			i = j
			continue
		}
		if *out == nil {
			*out = &vec.Vector{}
			(*out).Reset(c.Leaf().Type())
		}
		pad(*out, a.rows+i)
		vec.AppendIndexed(*out, &a.block, a.at)
		i = j
	}
	return nil
}

// allNull reports whether none of the rows at has a value.
func (a *gatherer) allNull() bool {
	for _, r := range a.at {
		if !a.block.Null(int(r)) {
			return false
		}
	}
	return true
}

// pad appends NULLs until v has n rows.
func pad(v *vec.Vector, n int) {
	if v.N >= n {
		return
	}
	var null vec.Vector
	null.SetConstNull(v.Type, n-v.N)
	v.AppendRange(&null, 0, n-v.N)
}

// take returns what has been gathered and begins anew.
func (a *gatherer) take() (*column.Mem, error) {
	keys := make([]leafPath, 0, len(a.cols))
	for k := range a.cols {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y leafPath) int { return cmp.Or(cmp.Compare(x.path, y.path), cmp.Compare(x.leaf, y.leaf)) })
	g := column.NewMem(a.rows)
	for _, k := range keys {
		pad(a.cols[k], a.rows)
		g.Add(k.path, k.leaf, a.cols[k])
	}
	a.rows, a.cols = 0, nil
	return g, nil
}
