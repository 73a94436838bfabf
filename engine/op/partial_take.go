package op

import (
	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Groups of scattered groups, as those of count(DISTINCT x) are, take the words of the groups below as they are: no text is copied
// or hashed again.

// groupTaker tells where the words of an aggregation's rows are in the groups of the one below.
type groupTaker struct {
	words [][2]int // of a row, and of an entry below
	nulls uint64   // of the head: the bits of the keys that are taken
	args  []int    // by call: the key below that it is of; -1: none
}

// newGroupTaker returns nil if rows of l are not made of the keys of the groups below alone.
func newGroupTaker(l, below *partialLayout) *groupTaker {
	t := &groupTaker{}
	keyOf := func(e expr.Expr) int {
		if c, ok := e.(*expr.Col); ok && c.Idx < len(below.keys) && c.T == below.keys[c.Idx].t {
			return c.Idx
		}
		return -1
	}
	for i, e := range l.n.Keys {
		if keyOf(e) != i {
			return nil // the bits of NULLs are by key
		}
		to, from := &l.keys[i], &below.keys[i]
		t.nulls |= 1 << (headNulls + i)
		t.words = append(t.words, [2]int{to.at, from.at})
		if to.text > 0 {
			t.words = append(t.words, [2]int{to.text, from.text})
		}
		if to.t.Kind == types.UUID {
			t.words = append(t.words, [2]int{to.at + 1, from.at + 1})
		}
	}
	for i := range l.n.Aggs {
		call, k := &l.n.Aggs[i], -1
		if len(call.Args) > 0 {
			k = keyOf(call.Args[0])
		}
		if call.Filter != nil || len(call.Args) > 1 || len(call.Args) == 1 && k < 0 {
			return nil
		}
		t.args = append(t.args, k)
	}
	return t
}

// take scatters the groups of partition p, and reports whether it does: while rows are scattered one by one.
func (e *aggEnd) take(p int, c *chain) (bool, error) {
	m, ok := c.maker.(*partialMaker)
	if !ok || e.direct == 0 || e.part == nil || len(c.p.stages) > 0 || m.g.turns != nil || e.w.x.env.NoScatterRows {
		return false, nil
	}
	if !e.looked {
		e.looked = true
		e.taker = newGroupTaker(e.part.l, m.g.l)
	}
	if e.taker == nil {
		return false, nil
	}
	if err := m.make(p); err != nil {
		return true, err
	}
	e.direct = max(0, e.direct-1-m.n/vec.BatchRows)
	r, l, head := e.part, e.part.l, m.g.l.head
	r.begin(e.w.morsel)
	for from := 0; from < m.n; from += touchRows {
		n := min(touchRows, m.n-from)
		r.buf = sized(r.buf, n*l.width)
		clear(r.buf)
		e.taker.pack(e, m.entries[from*head:(from+n)*head], m.g.l, r.buf)
		r.scatter(r.buf)
	}
	return true, r.reserve()
}

// pack makes rows of entries.
func (t *groupTaker) pack(e *aggEnd, entries []uint64, below *partialLayout, rows []uint64) {
	l := e.part.l
	w, head := l.width, below.head
	for at := 0; at < len(rows); at += w {
		rows[at] = 1 | entries[at/w*head]&t.nulls
	}
	for _, k := range t.words {
		for to, from := k[0], k[1]; to < len(rows); to += w {
			rows[to] = entries[from]
			from += head
		}
	}
	for i, k := range t.args {
		if l.calls[i] < 0 {
			continue
		}
		s, needs := &l.slots[l.calls[i]], e.table.states[i].(agg.Portable).Needs()
		null := uint64(1) << (headNulls + max(k, 0))
		for r := range len(rows) / w {
			entry, row := entries[r*head:(r+1)*head], rows[r*w:(r+1)*w]
			if k >= 0 && entry[0]&null != 0 {
				continue
			}
			row[s.n] = 1
			if k >= 0 {
				s.putValue(int64(entry[below.keys[k].at]), needs, row)
			}
		}
	}
}

// putValue writes what one value is.
func (s *partialSlot) putValue(x int64, needs agg.Needs, row []uint64) {
	if needs&agg.NeedSum != 0 {
		row[s.sum], row[s.sum+1] = uint64(x>>32), uint64(uint32(x))
	}
	if needs&agg.NeedMin != 0 {
		row[s.least] = uint64(x)
	}
	if needs&agg.NeedMax != 0 {
		row[s.most] = uint64(x)
	}
}

// onlyNulls tells of which columns of the input, of n, an aggregation only asks whether they are NULL.
func onlyNulls(a *plan.Agg, n int) []bool {
	used, out := make([]bool, n), make([]bool, n)
	for _, k := range a.Keys {
		markCols(k, used)
	}
	for i := range a.Aggs {
		c := &a.Aggs[i]
		if c.Filter != nil {
			markCols(c.Filter, used)
		}
		for _, k := range c.Order {
			markCols(k.Expr, used)
		}
		col := -1
		if len(c.Args) == 1 && c.Fn.Name == "count" && !c.Distinct {
			if x, ok := c.Args[0].(*expr.Col); ok {
				col = x.Idx
				out[col] = true
			}
		}
		for _, e := range c.Args {
			if col < 0 {
				markCols(e, used)
			}
		}
	}
	for i := range out {
		out[i] = out[i] && !used[i]
	}
	return out
}
