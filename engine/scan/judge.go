package scan

import (
	"bytes"
	"cmp"
	"math"
	"sort"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var nan = math.NaN()

// verdict is what statistics say of a predicate over a set of rows.
type verdict uint8

const (
	some verdict = iota // the values have to be looked at
	none                // no row passes
	all                 // every row passes
)

// judge decides a predicate by the statistics of a column of the group.
func (p *predState) judge(w *Worker, st *column.Stats) verdict {
	switch p.form {
	case isNull:
		return byPresence(st, all, none)
	case notNull:
		return byPresence(st, none, all)
	case match:
		if st.Present == 0 {
			return none
		}
		return p.judgeDict(w, st)
	}
	return judge(&p.push, st)
}

func byPresence(st *column.Stats, empty, full verdict) verdict {
	switch st.Present {
	case 0:
		return empty
	case st.Rows:
		return full
	}
	return some
}

// judgeDict evaluates a match on the column's distinct values, and keeps the answer for its blocks.
func (p *predState) judgeDict(w *Worker, st *column.Stats) verdict {
	if st.Dict == nil || st.Dict.N == 0 {
		return some
	}
	if p.dict != st.Dict {
		p.dict, p.passOK = nil, false
		p.pass = p.pass.Resize(st.Dict.N)
		if p.test(w, st.Dict, p.pass) != nil {
			return some
		}
		p.dict, p.passOK = st.Dict, true
	}
	return counted(p.pass.Count(), st)
}

func counted(passing int, st *column.Stats) verdict {
	switch {
	case passing == 0:
		return none
	case passing == st.Dict.N && st.Present == st.Rows:
		return all
	}
	return some
}

// judge decides a comparison by presence, bounds and distinct values.
func judge(p *column.Pred, st *column.Stats) verdict {
	if st.Present == 0 {
		return none
	}
	v := byBounds(p, st)
	if v == all && st.Present < st.Rows {
		v = some
	}
	if v != some || st.Dict == nil || st.Dict.N == 0 || st.Dict.N > 1<<12 {
		return v
	}
	sel := vec.MakeBitmap(st.Dict.N)
	sel.Fill(st.Dict.N)
	if p.Apply(st.Dict, sel) != nil {
		return some
	}
	return counted(sel.Count(), st)
}

func byBounds(p *column.Pred, st *column.Stats) verdict {
	if !st.Bounded {
		return some
	}
	if p.Op == column.OpIn {
		return inBounds(p, st)
	}
	var lo, hi int // signs of least - constant and greatest - constant
	exact := true
	switch p.Leaf {
	case types.LeafBool, types.LeafInt:
		lo, hi = cmp.Compare(st.MinI, p.I), cmp.Compare(st.MaxI, p.I)
	case types.LeafFloat:
		lo, hi = column.CompareFloat(st.MinF, p.F), column.CompareFloat(st.MaxF, p.F)
		if st.HasNaN {
			hi = column.CompareFloat(nan, p.F)
			exact = false
		}
	case types.LeafText:
		lo, hi = bytes.Compare(st.MinB, p.B), bytes.Compare(st.MaxB, p.B)
		exact = false
	default:
		return some
	}
	return byRange(p.Op, lo, hi, exact)
}

// byRange decides op for values between two bounds whose comparisons with the constant are lo and hi.
func byRange(op column.Op, lo, hi int, exact bool) verdict {
	switch op {
	case column.OpEq:
		switch {
		case lo > 0 || hi < 0:
			return none
		case exact && lo == 0 && hi == 0:
			return all
		}
	case column.OpNe:
		switch {
		case lo > 0 || hi < 0:
			return all
		case exact && lo == 0 && hi == 0:
			return none
		}
	case column.OpLt:
		return within(lo >= 0, hi < 0)
	case column.OpLe:
		return within(lo > 0, hi <= 0)
	case column.OpGt:
		return within(hi <= 0, lo > 0)
	case column.OpGe:
		return within(hi < 0, lo >= 0)
	}
	return some
}

func within(isNone, isAll bool) verdict {
	switch {
	case isNone:
		return none
	case isAll:
		return all
	}
	return some
}

// inBounds is none if no item of the list lies within the bounds.
func inBounds(p *column.Pred, st *column.Stats) verdict {
	l := p.List
	var from int
	switch p.Leaf {
	case types.LeafInt:
		from = sort.Search(l.N, func(k int) bool { return l.I64[k] >= st.MinI })
		if from < l.N && l.I64[from] <= st.MaxI {
			return some
		}
	case types.LeafFloat:
		from = sort.Search(l.N, func(k int) bool { return column.CompareFloat(l.F64[k], st.MinF) >= 0 })
		if st.HasNaN || (from < l.N && column.CompareFloat(l.F64[from], st.MaxF) <= 0) {
			return some
		}
	case types.LeafText:
		from = sort.Search(l.N, func(k int) bool { return bytes.Compare(l.Bytes(k), st.MinB) >= 0 })
		if from < l.N && bytes.Compare(l.Bytes(from), st.MaxB) <= 0 {
			return some
		}
	default:
		return some
	}
	return none
}

// pruned reports whether the manifest alone rules the morsel out.
func (w *Worker) pruned(m column.Morsel) bool {
	for k := range w.preds {
		p := &w.preds[k]
		p.ask = false
		if p.form != compare && p.form != match {
			continue
		}
		c := w.s.node.Read[p.pred.col]
		at := w.s.table.Col(c.Column)
		if len(c.Path) > 0 || at < 0 || w.s.table.Columns[at].Type.Kind == types.JSONB {
			continue
		}
		st, ok := w.manifest(m, c.Column)
		if !ok {
			p.ask = p.equality()
			continue
		}
		if p.form == match {
			if st.Dict != nil && p.judgeDict(w, &st) == none {
				return true
			}
			continue
		}
		if st.Present == 0 {
			st.Present = st.Rows // what a manifest does not count it does not know
		}
		switch judge(&p.p, &st) {
		case none:
			return true
		case some:
			p.ask = p.equality()
		}
	}
	return false
}

// equality reports whether the conjunct asks for certain values.
func (p *predState) equality() bool {
	return p.form == compare && (p.p.Op == column.OpEq || p.p.Op == column.OpIn)
}

// mayHold asks the morsel's filters about the equalities that the manifest has not decided: false if it holds no value
// one of them asks for.
func (w *Worker) mayHold(m column.Morsel) (bool, error) {
	for k := range w.preds {
		p := &w.preds[k]
		if !p.ask {
			continue
		}
		if hold, err := m.MayHold(w.s.node.Read[p.pred.col].Column, &p.p); err != nil || !hold {
			return hold, err
		}
	}
	return true, nil
}

// manifest returns what is known of a top-level column without opening the group.
func (w *Worker) manifest(m column.Morsel, name string) (column.Stats, bool) {
	if name == w.s.table.PartitionBy {
		if day, ok := m.Partition(); ok {
			return column.Stats{Rows: m.Rows(), Present: m.Rows(), Bounded: true, MinI: day, MaxI: day}, true
		}
	}
	st, ok := m.Stats(name)
	st.Rows = max(st.Rows, 1)
	return st, ok
}
