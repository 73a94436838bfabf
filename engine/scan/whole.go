package scan

import (
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
)

// After Select the rows that passed can be read decoded too, a block at a time: columns that are put together, and what is
// computed from several.

// Found reports whether a lookup has found the rows of morsel i already: then Morsel has less to read than Select.
func (w *Worker) Found(i int) bool { return w.finding(i) != nil }

// RowsOf returns the number of rows of morsel i, deleted ones too.
func (w *Worker) RowsOf(i int) int { return w.s.morsels[i].Rows() }

// Step is the most rows a block of the group may have that Select returned last: whole blocks of a column chunk.
func (w *Worker) Step() int { return w.most }

// Block makes rows [from, to) of the group that Select returned last the block that Load and Batch are about, and returns
// its rows that passed (sel nil: all). from is a multiple of Step, and the range is at most as long. sel is valid until the
// next Select.
func (w *Worker) Block(from, to int) (sel vec.Bitmap, alive int) {
	w.from, w.to = from, to
	w.sel = w.passed[from/64 : (to+63)/64 : (to+63)/64]
	clear(w.fresh)
	w.batch.N, w.out.N = to-from, to-from
	if alive = w.sel.Count(); alive < to-from {
		sel = w.sel
	}
	return sel, alive
}

// Load returns Read[c] of the current block, right for the rows that passed. It is valid until the next Block.
func (w *Worker) Load(c int) (*vec.Vector, error) {
	if err := w.load(c); err != nil {
		return nil, w.unreadable(err, 0, false)
	}
	return &w.vecs[c], nil
}

// LoadDecimals makes dst the current block of a column of the group as integers: see column.Decimals, which is ok for d.
func (w *Worker) LoadDecimals(d column.Decimals, dst *vec.Vector) error {
	if err := d.ReadDecimals(w.from, w.to, dst); err != nil {
		return w.unreadable(err, 0, false)
	}
	w.decodedBytes(dst)
	return nil
}

// Batch returns the current block: of the columns of Read, those that have been loaded are there.
func (w *Worker) Batch() *vec.Batch { return &w.batch }
