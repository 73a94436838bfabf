package op

import (
	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/storage/vec"
)

// Rows that come in batches are scattered one by one, each a group of its own, while a table of them would hold hardly fewer
// groups. After directBatches batches a table is tried again.
const directBatches = 256

// rowList is rows of vectors: the first n, or if pos is not nil those that it lists.
type rowList struct {
	n   int
	pos []uint16
}

func (l *rowList) at(k int) int {
	if l.pos == nil {
		return k
	}
	return int(l.pos[k])
}

// scatterRows gives the rows of a batch to the partitions.
func (e *aggEnd) scatterRows(b *vec.Batch, sel vec.Bitmap) error {
	t, r := e.table, e.part
	l := r.l
	r.begin(e.w.morsel)
	n := b.N
	if sel != nil {
		r.pos = sel.Positions(r.pos[:0])
		n = len(r.pos)
	}
	rows := rowList{n: n}
	if sel != nil {
		rows.pos = r.pos
	}
	r.buf = sized(r.buf, n*l.width)
	clear(r.buf)
	for at := 0; at < len(r.buf); at += l.width {
		r.buf[at] = 1
	}
	for i, k := range t.keyExprs {
		v, err := k.Eval(t.w.ctx, b, sel)
		if err != nil {
			return err
		}
		r.packKey(i, v, rows, r.buf)
	}
	for i, slot := range l.calls {
		if slot < 0 {
			continue
		}
		if err := e.packCall(i, b, sel, &rows); err != nil {
			return err
		}
	}
	r.scatter(r.buf)
	return r.reserve()
}

// packCall writes what the rows are for a call.
func (e *aggEnd) packCall(i int, b *vec.Batch, sel vec.Bitmap, rows *rowList) error {
	t, l, buf := e.table, e.part.l, e.part.buf
	c, s, needs := &t.calls[i], &l.slots[l.calls[i]], t.states[i].(agg.Portable).Needs()
	if c.filter != nil {
		t.sel = ownSelection(t.sel, sel, b.N)
		sel = t.sel
		if err := c.filter.Filter(t.w.ctx, b, sel); err != nil {
			return err
		}
	}
	var v *vec.Vector
	if len(c.args) > 0 {
		var err error
		if v, err = c.args[0].Eval(t.w.ctx, b, sel); err != nil {
			return err
		}
	}
	for k := range rows.n {
		row, out := rows.at(k), buf[k*l.width:(k+1)*l.width]
		if c.filter != nil && !sel.Get(row) || v != nil && v.Null(row) {
			continue
		}
		out[s.n] = 1
		if needs != 0 {
			s.putValue(v.Int(row), needs, out)
		}
	}
	return nil
}
