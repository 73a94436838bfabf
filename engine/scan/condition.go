package scan

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
)

// Condition is a condition on rows that is no part of the scan's filter, such as the FILTER of an aggregate, decided as the
// filter's conjuncts are: on encoded columns, for a whole row group.
type Condition struct{ p predState }

// NewCondition prepares a condition on the columns of Read; nil if it can only be decided on decoded columns.
func (w *Worker) NewCondition(e expr.Expr) *Condition {
	p := newPred(w.ctx, w.s, e)
	if p.form == rest {
		return nil
	}
	return &Condition{p: newPredState(w, p)}
}

// Narrow clears the bits of sel, one for each row of the group that Select returned last, whose row does not fulfil the
// condition. ok is false if it has to be decided row by row: then sel is as it was.
func (c *Condition) Narrow(w *Worker, sel vec.Bitmap) (ok bool, err error) {
	p := &c.p
	if p.never {
		clear(sel)
		return true, nil
	}
	switch p.begin(w) {
	case all:
		return true, nil
	case none:
		clear(sel)
		return true, nil
	}
	if p.col == nil {
		return false, nil
	}
	n := w.group.Rows()
	if p.form == match {
		return p.narrowMatch(w, n, sel)
	}
	if err := p.filterRange(w, 0, n, sel); err != nil {
		return false, w.unreadable(err, 0, false)
	}
	return true, nil
}

// narrowMatch asks for every distinct value. If that fails for one, no row may have it.
func (p *predState) narrowMatch(w *Worker, n int, sel vec.Bitmap) (bool, error) {
	w.wide = append(w.wide[:0], sel...)
	failed := false
	p.push.Match = func(vals *vec.Vector, pass vec.Bitmap) error {
		if p.test(w, vals, pass) != nil {
			failed = true
			return errRetry
		}
		return nil
	}
	err := filterRange(p.col, 0, n, &p.push, w.wide)
	switch {
	case failed:
		return false, nil
	case err != nil:
		return false, w.unreadable(err, 0, false)
	}
	copy(sel, w.wide)
	return true, nil
}

// Present clears the bits of sel, as Narrow does, whose row has no value in a column of the group.
func (w *Worker) Present(col column.Column, sel vec.Bitmap) error {
	if err := filterRange(col, 0, w.group.Rows(), column.Present(col.Leaf()), sel); err != nil {
		return w.unreadable(err, 0, false)
	}
	return nil
}
