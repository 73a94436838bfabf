package op

import (
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/vec"
)

// What can be said of a whole row group by bitmaps is not asked row by row: which rows a FILTER keeps is decided on encoded
// columns, as the scan's own filter is, and counted by the bitmaps of few codes; of a column with few NULLs the rows without a
// value are counted and taken off.

// base returns the bits of the rows that passed, in buf's memory.
func (g *rowGroup) base(buf vec.Bitmap) vec.Bitmap {
	if g.sel != nil {
		return append(buf[:0], g.sel[:vec.Words(g.rows)]...)
	}
	buf = buf.Resize(g.rows)
	buf.Fill(g.rows)
	return buf
}

// decide finds the rows that each FILTER keeps, where that needs no decoded column.
func (x *fusedWorker) decide() error {
	for i := range x.filters {
		f := &x.filters[i]
		f.whole = nil
		if f.cond == nil {
			continue
		}
		f.bits = x.group.base(f.bits)
		ok, err := f.cond.Narrow(x.scan, f.bits)
		if err != nil {
			return err
		}
		if ok {
			f.whole = f.bits
		}
	}
	x.masked = false
	return nil
}

// fewCodes is the most codes that have a bitmap each.
const fewCodes = 16

// countBits counts the rows of bits by code, in y; false if the codes are too many for that.
func (x *fusedWorker) countBits(bits vec.Bitmap, y *tally) bool {
	at := &x.index
	switch {
	case at.n == 1:
		y.t[0] += int64(bits.Count())
		return true
	case at.c8 == nil || at.n > fewCodes:
		return false
	}
	if !x.masked {
		x.masked = true
		for c := range at.n {
			x.masks[c] = x.masks[c].Resize(x.group.rows)
			simd.EqU8(at.c8[:x.group.rows], uint8(c), x.masks[c])
		}
	}
	for c := range at.n {
		y.t[c] += int64(simd.CountAnd(x.masks[c], bits))
	}
	return true
}

// countKept counts the rows that the measure's FILTER keeps, if that is all it is about; false if they have to be looked at.
func (m *measureState) countKept(x *fusedWorker) bool {
	if m.e != nil || m.filter < 0 || x.filters[m.filter].whole == nil {
		return false
	}
	return x.countBits(x.filters[m.filter].whole, &m.n)
}

// countMissing counts the rows without a value in col, which has n of them at least among all rows; false if they are too many,
// or have to be told from others anyway, or if there are no codes of rows but of runs. NULL's value in a vector is zero, so that sums may include it.
func (m *measureState) countMissing(x *fusedWorker, col column.Column, s *column.Stats) bool {
	if m.filter >= 0 || !m.safe || s.Present == 0 || 2*(s.Rows-s.Present) > s.Rows || x.index.runs != nil {
		return false
	}
	m.valid = x.group.base(m.valid)
	m.gaps = append(m.gaps[:0], m.valid...)
	if x.scan.Present(col, m.valid) != nil {
		return false // the error comes again where the values are read
	}
	m.gaps.AndNot(m.valid)
	m.missing.reset(x.index.n)
	at := &x.index
	if at.n == 1 {
		m.missing.t[0] = int64(m.gaps.Count())
		return true
	}
	x.runs.number(at, x.group.rows)
	pos := positions(m.gaps, &m.pos)
	if at.c8 != nil {
		kernel.CountCodesAt8(at.c8, pos, m.missing.four())
	} else {
		kernel.CountCodesAt16(at.c16, pos, m.missing.t)
	}
	return true
}

// clearGaps makes the values of rows without one zero, if the vector's form does not.
func clearGaps(v *vec.Vector, vals []int64) {
	if v.Valid == nil || v.Form != vec.Dict {
		return
	}
	for i := range vals {
		if !v.Valid.Get(i) {
			vals[i] = 0
		}
	}
}
