package scan

import (
	"math"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Some questions are answered by what is known of a row group without a look at its rows: how many rows pass where
// statistics decide the filter for all of them, how many have a value, what the least and the greatest are. Others need one
// column's encoded form once.

// Meta opens morsel i and tells whether statistics decide its filter: then rows of it pass, all or none, and Bounds may tell
// more. If ok is false, the morsel is to be read; nothing has been counted.
func (w *Worker) Meta(i int) (rows int, ok bool, err error) {
	m := w.s.morsels[i]
	if m.Deleted() != nil || !w.s.Whole() {
		return 0, false, nil
	}
	before := w.stats
	defer func() {
		if !ok {
			w.stats = before
		}
	}()
	n, read, err := w.enter(i)
	if err != nil {
		return 0, false, w.unreadable(err, n, true)
	}
	if !read {
		return 0, true, nil
	}
	for k := range w.preds {
		if w.preds[k].verdict != all {
			return 0, false, nil
		}
	}
	w.stats.RowsOut += int64(n)
	return n, true, nil
}

// Bounds are what is known of a column in a row group: exactly.
type Bounds struct {
	Present  int         // rows with a value
	Min, Max *vec.Vector // of one row each; nil: not known, or no row has a value
}

// Bounds returns what is known of Read[c] in the group of the last Meta that was ok with rows; ok is false if the values have
// to be put together. It is for numbers, booleans and texts; of other types only Present is known.
func (w *Worker) Bounds(c int) (b Bounds, ok bool) {
	col, missing := w.Column(c)
	if col == nil {
		return b, missing
	}
	st := col.Stats()
	b.Present = st.Present
	typ := w.s.node.Read[c].Type
	if st.Present == 0 {
		return b, true
	}
	if d := st.Dict; d != nil && d.N > 0 && d.Form == vec.Flat { // sorted, and every value is some row's
		b.Min, b.Max = &vec.Vector{}, &vec.Vector{}
		b.Min.Reset(typ)
		b.Max.Reset(typ)
		b.Min.AppendFrom(d, 0)
		b.Max.AppendFrom(d, d.N-1)
		return b, true
	}
	if !st.Bounded {
		return b, true
	}
	one := func(add func(v *vec.Vector)) *vec.Vector {
		v := &vec.Vector{}
		v.Reset(typ)
		add(v)
		return v
	}
	switch col.Leaf() {
	case types.LeafInt:
		b.Min = one(func(v *vec.Vector) { v.AppendInt(st.MinI) })
		b.Max = one(func(v *vec.Vector) { v.AppendInt(st.MaxI) })
	case types.LeafBool:
		b.Min = one(func(v *vec.Vector) { v.AppendBool(st.MinI != 0) })
		b.Max = one(func(v *vec.Vector) { v.AppendBool(st.MaxI != 0) })
	case types.LeafFloat:
		b.Min = one(func(v *vec.Vector) { v.AppendFloat(st.MinF) })
		if st.HasNaN {
			st.MaxF = math.NaN()
		}
		b.Max = one(func(v *vec.Vector) { v.AppendFloat(st.MaxF) })
	}
	return b, true
}

// RangeOf returns the range of column c of Read, of integers, that the filter leaves: rows pass if their value lies in it,
// both ends included, and no others. ok is false if the filter says anything else. Without a filter it is every integer, and
// rows without a value pass too.
func (s *Scan) RangeOf(c int) (lo, hi int64, ok bool) {
	lo, hi = math.MinInt64, math.MaxInt64
	if c >= len(s.node.Read) || s.never || !s.Whole() || s.lookup != nil || !isInteger(s.node.Read[c]) {
		return 0, 0, false
	}
	for _, p := range s.preds {
		if p.form != compare || p.col != c || p.p.Leaf != types.LeafInt {
			return 0, 0, false
		}
		k := p.p.I
		switch p.p.Op {
		case column.OpEq:
			lo, hi = max(lo, k), min(hi, k)
		case column.OpLe:
			hi = min(hi, k)
		case column.OpGe:
			lo = max(lo, k)
		case column.OpLt:
			if k == math.MinInt64 {
				return 0, 0, false
			}
			hi = min(hi, k-1)
		case column.OpGt:
			if k == math.MaxInt64 {
				return 0, 0, false
			}
			lo = max(lo, k+1)
		default:
			return 0, 0, false
		}
	}
	return lo, hi, true
}

// isInteger reports whether a column's values are added up as integers.
func isInteger(c plan.ScanCol) bool {
	switch c.Type.Kind {
	case types.Int16, types.Int32, types.Int64:
		return len(c.Path) == 0
	}
	return false
}

// SumRange adds up and counts the values of Read[c] in morsel i that pass the filter, without decoding them: where RangeOf is
// ok. If ok is false, the morsel is to be read; nothing has been counted.
func (w *Worker) SumRange(i, c int, lo, hi int64) (s column.IntSum, ok bool, err error) {
	if w.s.morsels[i].Deleted() != nil {
		return s, false, nil
	}
	before := w.stats
	defer func() {
		if !ok {
			w.stats = before
		}
	}()
	n, read, err := w.enter(i)
	if err != nil {
		return s, false, w.unreadable(err, n, true)
	}
	if !read {
		return s, true, nil
	}
	col, missing := w.Column(c)
	if missing {
		return s, true, nil
	}
	sum, can := col.(column.Summer)
	if !can {
		return s, false, nil
	}
	if s, ok, err = sum.SumRange(lo, hi); err != nil {
		return s, false, w.unreadable(err, n, true)
	}
	if ok {
		w.stats.Blocks += int64((n + vec.BlockRows - 1) / vec.BlockRows)
		w.stats.RowsOut += int64(s.N)
	}
	return s, ok, nil
}
