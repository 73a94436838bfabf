package storage

import (
	"context"
	"fmt"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// What Check holds deletes to: each tombstone names rows of a segment that is there, and a roll-up is that of the rows that
// are left.

// tombstones checks those on disk against the manifest beside them.
func (c *checker) tombstones(state *meta.State) {
	entries := map[uint64]*meta.Segment{}
	for _, e := range state.Segments {
		entries[e.ID] = e
	}
	for _, t := range state.Tombstones {
		var f *file
		if e := entries[t.Segment]; e != nil && e.Table == t.Table {
			f = &file{Segment: *e}
		}
		if err := fitsFile(t, f); err != nil {
			c.problem(segmentName(t.Segment), "%v", err)
		} else if t.Rows.GetCardinality() == uint64(f.Meta.Rows) {
			c.problem(segmentName(t.Segment), "all of its rows are dead, and it is still there")
		}
	}
}

// rollup recomputes a roll-up from the raw rows and compares: partition by partition where the states to be subtracted can
// be told apart by a date in their key, else as a whole. A partition whose raw rows are gone, or were before newer ones came,
// keeps its states and cannot be compared.
func (c *checker) rollup(r *rollup) {
	source := c.sealedOf(r.Source())
	states := map[int64][]*file{}
	for _, part := range partitionsOf(c.sn.version.tables[r.states.ID]) {
		states[partitionOf(part[0])] = part
	}
	minus := states[minusPartition]
	delete(states, minusPartition)
	if len(minus) > 0 && !c.s.dated(r, source) {
		c.wholeRollup(r, source, states, minus)
		return
	}
	for _, part := range partitionsOf(source) {
		p := partitionOf(part[0])
		if !c.s.comparable(r, p) {
			continue
		}
		c.compare(r, fmt.Sprintf("partition %d", p), part, states[p], minus, &p)
	}
}

// dated reports whether the key of the states holds the date by which the source is partitioned, and all of it is.
func (s *Store) dated(r *rollup, source []*file) bool {
	t, ok := s.catalog.byName(r.Source())
	if !ok || !slices.Contains(r.states.SortKey, t.PartitionBy) {
		return false
	}
	return !slices.ContainsFunc(source, func(f *file) bool { return partitionOf(f) == head.NoPartition })
}

// wholeRollup compares all partitions together, unless some have lost their rows.
func (c *checker) wholeRollup(r *rollup, source []*file, states map[int64][]*file, minus []*file) {
	var all []*file
	for _, p := range sortedKeys(states) {
		if !c.s.comparable(r, p) {
			return
		}
		all = append(all, states[p]...)
	}
	c.compare(r, "it", source, all, minus, nil)
}

// compare holds states against the live rows of segments, and reports the first difference. Of minus only the states of
// the given day count, if there is one.
func (c *checker) compare(r *rollup, what string, rows, states, minus []*file, day *int64) {
	name := r.states.FullName().String()
	want, err := c.s.statesOf(r, c.sn.version, rows)
	if err != nil {
		c.violation(name, Damage{Table: r.states.FullName()}, fmt.Sprintf("%s: %v", what, err))
		return
	}
	limits := compact.LimitsOf(c.s.o.CompactionMemory)
	plus, done, err := c.s.inputsOf(states, limits)
	if err != nil {
		c.violation(name, Damage{Table: r.states.FullName()}, fmt.Sprintf("%s: %v", what, err))
		return
	}
	defer done()
	less, done, err := c.s.inputsOf(minus, limits)
	if err != nil {
		c.violation(name, Damage{Table: r.states.FullName()}, fmt.Sprintf("%s: %v", what, err))
		return
	}
	defer done()
	if day != nil {
		if less, err = c.s.ofDays(r, less, &column.Pred{Op: column.OpEq, Leaf: types.LeafInt, I: *day}); err != nil {
			c.violation(name, Damage{Table: r.states.FullName()}, fmt.Sprintf("%s: %v", what, err))
			return
		}
	}
	diff, err := compareStates(r, want, plus, less)
	if err != nil {
		c.violation(name, Damage{Table: r.states.FullName()}, fmt.Sprintf("%s: %v", what, err))
	} else if diff != "" {
		c.violation(name, Damage{Table: r.states.FullName()}, fmt.Sprintf("%s differs from its rows: %s", what, diff))
	}
}

// ofDays returns the states of some days, by a predicate on the date by which the source is partitioned.
func (s *Store) ofDays(r *rollup, inputs []compact.Input, days *column.Pred) ([]compact.Input, error) {
	t, ok := s.catalog.byName(r.Source())
	if !ok {
		return nil, nil
	}
	out := make([]compact.Input, len(inputs))
	for i, in := range inputs {
		var kept []column.Group
		for g := range in.Groups {
			group, err := in.Open(g)
			if err != nil {
				return nil, err
			}
			part, err := ofDays(group, t.PartitionBy, days)
			if err != nil {
				return nil, err
			}
			if part.Rows() > 0 {
				kept = append(kept, part)
			}
		}
		out[i] = memoryInput(kept)
	}
	return out, nil
}

// ofDays returns the rows of a group whose date is one of some.
func ofDays(g column.Group, date string, days *column.Pred) (column.Group, error) {
	col, ok := g.Find(types.MakePath(date), types.LeafInt)
	if !ok {
		return column.NewMem(0), nil
	}
	var rows []uint16
	for from := 0; from < g.Rows(); from += vec.BlockRows {
		to := min(from+vec.BlockRows, g.Rows())
		sel := vec.MakeBitmap(to - from)
		sel.Fill(to - from)
		if err := col.Filter(from, to, days, sel); err != nil {
			return nil, err
		}
		sel.All(func(i int) { rows = append(rows, uint16(from+i)) })
	}
	some := rowGatherer{paths: []types.Path{""}}
	if err := some.add(g, rows); err != nil {
		return nil, err
	}
	return some.take(), nil
}

// compareStates adds up both sides, less what is to be subtracted from the second, and tells the first difference.
func compareStates(r *rollup, want, plus, minus []compact.Input) (diff string, err error) {
	sides := make([]gathered, 3)
	key := compact.KeyOf(r.states)
	for i, in := range [][]compact.Input{want, plus, minus} {
		if err := compact.MergeStates(context.Background(), &sides[i], in, key, r.Merge); err != nil {
			return "", err
		}
	}
	got := sides[1].groups
	if len(sides[2].groups) > 0 {
		if got, err = r.Subtract(got, sides[2].groups); err != nil {
			return "", err
		}
	}
	return compact.Diff(r.states, slices.Clip(sides[0].groups), slices.Clip(got))
}
