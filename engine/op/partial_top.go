package op

import (
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// partialTop is the bound of a top-N above scattered groups: of a partition's groups those that lie behind it in the first sort key
// are not given out, and neither their keys nor their other results are made.
type partialTop struct {
	col   int // of the aggregation's rows
	desc  bool
	form  keyForm
	bound *sortBound
}

// tellGroups ties the bound of a top-N to the groups that the pipeline begins with, if its first key is a column of theirs.
func (r *sortRows) tellGroups() {
	groups, ok := r.p.source.(*aggRows)
	if !ok || r.b.x.env.NoTopPush || r.n.Limit <= 0 || r.n.Limit >= 1<<24 || len(r.n.Keys) == 0 {
		return
	}
	k := &r.n.Keys[0]
	if c, ok := k.Expr.(*expr.Col); ok {
		if at, ok := groupColumn(r.n.In, c.Idx); ok {
			groups.top = &partialTop{col: at, desc: k.Desc, form: r.spec.forms[0], bound: &r.bound}
		}
	}
}

// groupColumn returns which column of the aggregation below column i of n is, through filters and plain projections.
func groupColumn(n plan.Node, i int) (int, bool) {
	switch n := n.(type) {
	case *plan.Agg:
		return i, true
	case *plan.Filter:
		return groupColumn(n.In, i)
	case *plan.Project:
		if c, ok := n.Exprs[i].(*expr.Col); ok && !slices.ContainsFunc(n.Exprs, func(e expr.Expr) bool { return !pure(e) }) {
			return groupColumn(n.In, c.Idx)
		}
	}
	return 0, false
}

// contenders lists the groups from [from, to) that the bound does not rule out; all tells that it rules out none.
func (m *partialMaker) contenders(from, to int) (all bool, err error) {
	t := m.top
	if t == nil {
		return true, nil
	}
	bound := t.bound.word.Load()
	if bound == ^uint64(0) {
		return true, nil
	}
	v := &m.key
	if err := m.column(t.col, from, to, v); err != nil || v.Valid != nil {
		return true, err
	}
	m.words = sized(m.words, to-from)
	t.form.words(v, to-from, t.desc, m.words)
	if last, ok := m.end.lastWord(); ok && last <= bound {
		if last == 0 {
			m.first = m.first[:0]
			return false, nil
		}
		bound = last - 1 // of equal groups the earlier count
	}
	m.first = m.first[:0]
	for i, w := range m.words {
		if w <= bound {
			m.first = append(m.first, from+i)
		}
	}
	return len(m.first) == to-from, nil
}

// lastWord returns the word of the last of the first rows that the worker holds, if rows of its morsel with the same one are
// behind that; e may be nil.
func (e *sortEnd) lastWord() (w uint64, ok bool) {
	if e == nil || !e.full || e.boundAt != values || e.r.spec.complex || !e.r.spec.exact || uint32(e.w.morsel) < e.boundItem.morsel {
		return 0, false
	}
	return e.boundItem.word, true
}

// someBatch makes out the groups that are listed in first.
func (m *partialMaker) someBatch() error {
	l := m.g.l
	m.kept = m.kept[:0]
	for _, g := range m.first {
		m.kept = append(m.kept, m.entries[g*l.head:(g+1)*l.head]...)
	}
	n := len(m.first)
	for c, v := range m.out.Cols {
		t := l.typeOf(c)
		switch call := c - len(l.keys); {
		case m.read != nil && !m.read[c]:
			v.SetConstNull(t, n)
		case call < 0:
			v.Reset(t)
			m.unpackKey(c, m.kept, n, v)
		case l.calls[call] < 0:
			v.Reset(t)
			l.unpackRows(m.kept, n, v)
		default:
			v.Reset(t)
			for _, g := range m.first {
				if err := m.states[call].Result(g, g+1, v); err != nil {
					return err
				}
			}
		}
	}
	m.out.N = n
	return nil
}

// column makes v column c of the groups [from, to).
func (m *partialMaker) column(c, from, to int, v *vec.Vector) error {
	l := m.g.l
	v.Reset(l.typeOf(c))
	switch call := c - len(l.keys); {
	case call < 0:
		m.unpackKey(c, m.entries[from*l.head:], to-from, v)
	case l.calls[call] < 0:
		l.unpackRows(m.entries[from*l.head:], to-from, v)
	default:
		return m.states[call].Result(from, to, v)
	}
	return nil
}

// unpackKey appends key i of n entries to out.
func (m *partialMaker) unpackKey(i int, entries []uint64, n int, out *vec.Vector) {
	if m.g.l.keys[i].text > 0 {
		m.unpackTexts(i, entries, n, out)
		return
	}
	m.g.l.unpackKey(i, entries, n, out)
}

// typeOf returns the type of column c of the groups.
func (l *partialLayout) typeOf(c int) types.Type {
	if c < len(l.keys) {
		return l.keys[c].t
	}
	return l.n.Aggs[c-len(l.keys)].T
}

// unpackRows appends the numbers of rows of n entries to out.
func (l *partialLayout) unpackRows(entries []uint64, n int, out *vec.Vector) {
	for i := range n {
		out.I64 = append(out.I64, int64(entries[i*l.head]&headRows))
	}
	out.N += n
}
