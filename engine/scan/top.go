package scan

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Who wants the first N rows in some order soon knows N of them, and then no row will do that is behind the last of these. The
// scan is told that value, again and again while it runs, and leaves out what lies behind: row groups by the manifest, blocks
// by their zone maps, rows by the encoded filter. It begins with the row groups whose bounds promise the first rows.

// Top is the first key of such an order, and how far rows may lie behind. Its methods may be called from several goroutines.
type Top struct {
	col        int
	desc       bool
	nullsFirst bool
	leaf       types.Leaf

	mu   sync.Mutex
	last vec.Vector // one row; none while N is 0
	now  atomic.Pointer[topState]
}

// topState is what rows have to fulfil: values pass pred, or there is none.
type topState struct {
	pred      *column.Pred // nil: no value will do
	keepsNull bool
}

// TopBy makes the scan leave out rows that lie behind what Tighten says, in the order of column col of Read. ok is false where
// the order is none of the stored values. It is called before the first worker, and once.
func (s *Scan) TopBy(col int, desc, nullsFirst bool) (t *Top, ok bool) {
	c := s.node.Read[col]
	if domain(c.Type.Kind) == 0 || c.AsText || c.Outline || s.node.Limit > 0 || s.lookup != nil || c.Column == types.ColRow {
		return nil, false
	}
	t = &Top{col: col, desc: desc, nullsFirst: nullsFirst, leaf: types.LeafOf(c.Type)}
	t.last.Reset(c.Type)
	s.top = t
	s.visit = s.bestFirst(t)
	return t, true
}

// Nth returns which morsel to read as the n-th.
func (s *Scan) Nth(n int) int {
	if s.visit == nil {
		return n
	}
	return s.visit[n]
}

// Tighten says that no row is wanted that lies behind row i of v, which is of the column's type: rows that are equal are. Values
// may come in any order; the best counts.
func (t *Top) Tighten(v *vec.Vector, i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last.N > 0 && !t.before(v, i) {
		return
	}
	t.last.Reset(t.last.Type)
	t.last.AppendFrom(v, i)
	st := &topState{keepsNull: t.nullsFirst}
	switch {
	case t.last.Null(0) && !t.nullsFirst:
		return // NULLs come last, and are still wanted
	case !t.last.Null(0):
		st.pred = &column.Pred{Op: column.OpLe, Leaf: t.leaf}
		if t.desc {
			st.pred.Op = column.OpGe
		}
		setConstant(st.pred, &t.last)
	}
	t.now.Store(st)
}

// before reports whether row i of v lies before the last one.
func (t *Top) before(v *vec.Vector, i int) bool {
	a, b := v.Null(i), t.last.Null(0)
	if a || b {
		return a != b && a == t.nullsFirst
	}
	p := column.Pred{Op: column.OpLt, Leaf: t.leaf}
	if t.desc {
		p.Op = column.OpGt
	}
	setConstant(&p, &t.last)
	var one vec.Vector
	one.Reset(t.last.Type)
	one.AppendFrom(v, i)
	sel := vec.Bitmap{1}
	return p.Apply(&one, sel) == nil && sel[0] != 0
}

// setConstant makes p a comparison with row 0 of v.
func setConstant(p *column.Pred, v *vec.Vector) {
	switch p.Leaf.Phys() {
	case types.PhysBool:
		if v.Bool(0) {
			p.I = 1
		}
	case types.PhysInt64:
		p.I = v.Int(0)
	case types.PhysFloat64:
		p.F = v.Float(0)
	default:
		p.B = slices.Clone(v.Bytes(0))
	}
}

// topState returns what rows have to fulfil now; nil: nothing yet.
func (s *Scan) topState() *topState {
	if s.top == nil {
		return nil
	}
	return s.top.now.Load()
}

// behind reports whether the manifest tells that all rows of a morsel lie behind.
func (w *Worker) behind(m column.Morsel) bool {
	st := w.s.topState()
	if st == nil || st.pred == nil {
		return false
	}
	c := w.s.node.Read[w.s.top.col]
	if len(c.Path) > 0 {
		return false
	}
	known, ok := w.bounds(m, c.Column)
	if !ok || !known.Bounded || st.keepsNull && known.Present < known.Rows {
		return false
	}
	known.Present = known.Rows // what a manifest does not count it does not know
	return st.pred.Judge(&known) == none
}

// filterTop clears the bits of sel for rows of [from, to) that lie behind, as far as the stored column tells.
func (w *Worker) filterTop(st *topState, from, to int, sel vec.Bitmap) error {
	r := &w.cols[w.s.top.col]
	if r.kind == absent {
		if !st.keepsNull {
			clear(sel)
		}
		return nil
	}
	if r.kind != plain || r.others || r.direct.Leaf() != w.s.top.leaf {
		return nil
	}
	var nulls vec.Bitmap
	if st.keepsNull {
		w.wide = append(w.wide[:0], sel...)
		if err := filterRange(r.direct, from, to, column.Present(r.direct.Leaf()), w.wide); err != nil {
			return err
		}
		nulls = append(nulls, sel...)
		nulls.AndNot(w.wide)
	}
	switch {
	case st.pred == nil:
		clear(sel)
	default:
		if err := filterRange(r.direct, from, to, st.pred, sel); err != nil {
			return err
		}
	}
	for i, word := range nulls {
		sel[i] |= word
	}
	return nil
}

// bestFirst orders the morsels by what their best value may be; those of which nothing is known come first, because they may
// have it. nil: there is nothing to tell them apart.
func (s *Scan) bestFirst(t *Top) []int {
	c := s.node.Read[t.col]
	if len(c.Path) > 0 || t.leaf.Phys() == types.PhysBytes || len(s.morsels) < 2 {
		return nil
	}
	w := &Worker{s: s}
	type place struct {
		i     int
		known bool
		best  column.Stats
	}
	places := make([]place, len(s.morsels))
	for i, m := range s.morsels {
		st, ok := w.bounds(m, c.Column)
		places[i] = place{i, ok && st.Bounded && !st.HasNaN && (!t.nullsFirst || st.Present == st.Rows), st}
	}
	slices.SortStableFunc(places, func(a, b place) int {
		switch {
		case !a.known || !b.known:
			return cmp.Compare(boolInt(a.known), boolInt(b.known))
		case t.desc && t.leaf == types.LeafFloat:
			return cmp.Compare(b.best.MaxF, a.best.MaxF)
		case t.desc:
			return cmp.Compare(b.best.MaxI, a.best.MaxI)
		case t.leaf == types.LeafFloat:
			return cmp.Compare(a.best.MinF, b.best.MinF)
		}
		return cmp.Compare(a.best.MinI, b.best.MinI)
	})
	out := make([]int, len(places))
	for k, p := range places {
		out[k] = p.i
	}
	return out
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
