package scan

import (
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// verdict is what statistics say of a predicate over a set of rows.
type verdict = column.Verdict

const (
	some = column.Some
	none = column.None
	all  = column.All
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
	return p.push.Judge(st)
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

// pruned reports whether the manifest alone rules the morsel out; w.outside tells whether its partition did.
func (w *Worker) pruned(m column.Morsel) bool {
	w.outside = false
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
		known := w.manifest
		if p.equality() { // which MayHold decides by the distinct values, without a list of them
			known = w.bounds
		}
		st, ok := known(m, c.Column)
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
		switch p.p.Judge(&st) {
		case none:
			_, parted := m.Partition()
			w.outside = parted && c.Column == w.s.table.PartitionBy
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
	if w.s.without.Pruning {
		return true, nil
	}
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

// bounds is manifest but for the distinct values.
func (w *Worker) bounds(m column.Morsel, name string) (column.Stats, bool) {
	b, ok := m.(column.Bounder)
	if !ok || name == w.s.table.PartitionBy {
		return w.manifest(m, name)
	}
	st, ok := b.Bounds(name)
	st.Rows = max(st.Rows, 1)
	return st, ok
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
