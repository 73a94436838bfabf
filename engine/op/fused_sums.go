package op

import (
	"math"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// rowSet is rows of a block: all of them (sel nil), or those at pos.
type rowSet struct {
	sel vec.Bitmap
	pos []uint16
	n   int
}

// tally is one int64 for each code.
type tally struct {
	lanes *kernel.Lanes // for codes of one byte, and clear between row groups; nil: not needed so far
	t     []int64
}

// four returns the lanes.
func (y *tally) four() *kernel.Lanes {
	if y.lanes == nil {
		y.lanes = &kernel.Lanes{}
	}
	return y.lanes
}

func (y *tally) reset(n int) {
	y.t = sized(y.t, n)
	clear(y.t)
}

func (y *tally) fill(n int, x int64) {
	y.t = sized(y.t, n)
	for i := range y.t {
		y.t[i] = x
	}
}

func (y *tally) count(at *codeIndex, from, to int, rows *rowSet) {
	switch {
	case at.n == 1:
		y.t[0] += int64(rows.n)
	case at.c8 != nil && rows.sel == nil:
		kernel.CountCodes8(at.c8[from:to], y.four())
	case at.c8 != nil:
		kernel.CountCodesAt8(at.c8[from:to], rows.pos, y.four())
	case rows.sel == nil:
		kernel.CountCodes16(at.c16[from:to], y.t)
	default:
		kernel.CountCodesAt16(at.c16[from:to], rows.pos, y.t)
	}
}

func (y *tally) sum(at *codeIndex, from, to int, rows *rowSet, xs []int64) {
	switch {
	case at.n == 1 && rows.sel == nil:
		hi, lo := simd.SumI64(xs)
		y.t[0] += hi<<32 + int64(lo)
	case at.n == 1 && rows.n*5 >= to-from:
		hi, lo := simd.SumI64Bits(xs, rows.sel)
		y.t[0] += hi<<32 + int64(lo)
	case at.n == 1:
		hi, lo := kernel.SumIntSel(xs, rows.pos)
		y.t[0] += hi<<32 + int64(lo)
	case at.c8 != nil && rows.sel == nil:
		kernel.SumCodes8(at.c8[from:to], xs, y.four())
	case at.c8 != nil:
		kernel.SumCodesAt8(at.c8[from:to], xs, rows.pos, y.four())
	case rows.sel == nil:
		kernel.SumCodes16(at.c16[from:to], xs, y.t)
	default:
		kernel.SumCodesAt16(at.c16[from:to], xs, rows.pos, y.t)
	}
}

func (y *tally) squares(at *codeIndex, from, to int, rows *rowSet, xs []int64) {
	switch {
	case at.n == 1 && rows.sel == nil:
		y.t[0] += kernel.Squares(xs)
	case at.n == 1:
		y.t[0] += kernel.SquaresAt(xs, rows.pos)
	case at.c8 != nil && rows.sel == nil:
		kernel.SquareCodes(at.c8[from:to], xs, y.t)
	case at.c8 != nil:
		kernel.SquareCodesAt(at.c8[from:to], xs, rows.pos, y.t)
	case rows.sel == nil:
		kernel.SquareCodes(at.c16[from:to], xs, y.t)
	default:
		kernel.SquareCodesAt(at.c16[from:to], xs, rows.pos, y.t)
	}
}

func (y *tally) least(at *codeIndex, from, to int, rows *rowSet, xs []int64) {
	switch {
	case at.n == 1 && rows.sel == nil:
		x, _ := kernel.Range(xs, nil)
		y.t[0] = min(y.t[0], x)
	case at.n == 1:
		x, _ := kernel.RangeAt(xs, rows.pos)
		y.t[0] = min(y.t[0], x)
	case at.c8 != nil && rows.sel == nil:
		kernel.MinCodes(at.c8[from:to], xs, y.t)
	case at.c8 != nil:
		kernel.MinCodesAt(at.c8[from:to], xs, rows.pos, y.t)
	case rows.sel == nil:
		kernel.MinCodes(at.c16[from:to], xs, y.t)
	default:
		kernel.MinCodesAt(at.c16[from:to], xs, rows.pos, y.t)
	}
}

func (y *tally) most(at *codeIndex, from, to int, rows *rowSet, xs []int64) {
	switch {
	case at.n == 1 && rows.sel == nil:
		_, x := kernel.Range(xs, nil)
		y.t[0] = max(y.t[0], x)
	case at.n == 1:
		_, x := kernel.RangeAt(xs, rows.pos)
		y.t[0] = max(y.t[0], x)
	case at.c8 != nil && rows.sel == nil:
		kernel.MaxCodes(at.c8[from:to], xs, y.t)
	case at.c8 != nil:
		kernel.MaxCodesAt(at.c8[from:to], xs, rows.pos, y.t)
	case rows.sel == nil:
		kernel.MaxCodes(at.c16[from:to], xs, y.t)
	default:
		kernel.MaxCodesAt(at.c16[from:to], xs, rows.pos, y.t)
	}
}

// fold adds up the lanes.
func (y *tally) fold(at *codeIndex) []int64 {
	if at.c8 != nil && y.lanes != nil {
		y.lanes.Fold(y.t)
	}
	return y.t
}

// measureState is a measure in the current row group.
type measureState struct {
	*measure
	ev                      *expr.Evaluator
	skip                    bool          // nothing is read: the rows are those of the code, or there are no values
	counts                  bool          // the sums' lanes count the rows too: see packed
	least                   int64         // then: what the values are distances from
	told                    bool          // nothing is read: what the rows come to is known
	exact                   kernel.IntSum // the sum, if it is
	own                     bool          // not every row of a code has a value: they are counted
	safe                    bool          // no sum can overflow
	derived                 bool          // the sum is made of others': see linear
	idle                    bool          // nothing is made of it
	gapped                  bool          // the rows without a value are in missing, and sums include their zeros
	missing                 tally
	gaps                    vec.Bitmap
	rows                    bool            // the calls get the rows: there is nothing to accumulate
	decimals                column.Decimals // the column's, if it is of floats; their integers are what is summed
	div                     float64
	minI, maxI              int64 // bounds of the values that are summed, if bounded
	bounded                 bool
	whole                   vec.Vector
	n, sums, lo, hi, square tally
	later                   []int // blocks in which a sum might overflow: their rows go to the states
	set                     rowSet
	valid                   vec.Bitmap
	pos                     []uint16
	vals                    []int64
	part                    agg.Partial
}

// Values so small cannot overflow a sum over a row group, nor can the squares of such.
const (
	safeValue  = 1 << 46
	safeSquare = 1 << 23
)

// safeDecimal bounds decimals of which a row group's sum, as a float, is that sum.
const safeDecimal = 1 << 37

func (m *measureState) limit() int64 {
	if m.needs&agg.NeedSquares != 0 {
		return safeSquare
	}
	return safeValue
}

// begin decides, from the statistics of the row group's column, what has to be read.
func (m *measureState) begin(x *fusedWorker) {
	m.own, m.skip, m.counts, m.told, m.safe, m.later = m.filter >= 0, false, false, false, m.needs&(agg.NeedSum|agg.NeedSquares) == 0, m.later[:0]
	m.rows, m.decimals, m.bounded, m.gapped = false, nil, false, false
	if m.idle || m.derived {
		m.skip, m.told, m.own = true, true, false
		return
	}
	n := x.index.n
	switch {
	case m.e == nil:
		m.skip = m.filter < 0
	case m.col >= 0:
		m.look(x)
	default:
		m.own = true
	}
	if m.told || m.rows {
		return
	}
	m.own = m.own || !m.safe // rows of the blocks left for later do not count here
	if m.own {
		m.n.reset(n)
	}
	if m.needs&agg.NeedSum != 0 {
		m.sums.reset(n)
	}
	if m.needs&agg.NeedSquares != 0 {
		m.square.reset(n)
	}
	if m.needs&agg.NeedMin != 0 {
		m.lo.fill(n, math.MaxInt64)
	}
	if m.needs&agg.NeedMax != 0 {
		m.hi.fill(n, math.MinInt64)
	}
	m.skip = m.skip || m.countKept(x)
}

func (m *measureState) look(x *fusedWorker) {
	col, absent := x.scan.Column(m.col)
	if col == nil {
		m.own, m.skip = true, absent
		m.rows = !absent && m.needs&agg.NeedDecimals != 0
		m.skip = m.skip || m.rows
		return
	}
	s := col.Stats()
	if m.needs&agg.NeedDecimals != 0 && !m.asDecimals(col, &s) {
		m.rows, m.skip = true, true
		return
	}
	m.minI, m.maxI, m.bounded = s.MinI, s.MaxI, s.Bounded && (col.Leaf() == types.LeafInt || m.decimals != nil)
	if m.known(x, col, &s) {
		m.own, m.skip, m.told = true, true, true
		return
	}
	if m.bounded {
		limit := m.limit()
		m.safe = m.safe || m.minI > -limit && m.maxI < limit
	}
	if s.Present < s.Rows {
		if m.gapped = m.needs&^(agg.NeedSum|agg.NeedDecimals) == 0 && m.countMissing(x, col, &s); m.gapped {
			m.minI, m.maxI = min(m.minI, 0), max(m.maxI, 0)
		}
		m.own = m.own || !m.gapped
	}
	m.skip = !m.own && m.needs&^agg.NeedDecimals == 0
}

// asDecimals finds the integers that are summed for a column of floats, and makes s's bounds theirs; false if there are
// none. Sums of integers beyond 2^53 are not all floats: of such the rows are added.
func (m *measureState) asDecimals(col column.Column, s *column.Stats) bool {
	d, ok := col.(column.Decimals)
	if !ok {
		return false
	}
	of, ok := d.Decimals()
	if !ok || of.Least <= -safeDecimal || of.Most >= safeDecimal {
		return false
	}
	m.decimals, m.div = d, of.Div
	s.MinI, s.MaxI, s.Bounded = of.Least, of.Most, true
	return true
}

// add accumulates a block's rows.
func (m *measureState) add(x *fusedWorker, from, to int, rows *rowSet) error {
	if m.skip {
		return nil
	}
	if m.filter >= 0 {
		var err error
		if rows, err = x.filtered(m.filter, from, to, rows); err != nil || rows.n == 0 {
			return err
		}
	}
	if m.e == nil {
		m.n.count(&x.index, from, to, rows)
		return nil
	}
	v, err := m.values(x, rows)
	if err != nil {
		return err
	}
	if m.gapped {
		m.accumulate(x, from, to, rows, m.ints(v, to-from))
		return nil
	}
	if rows = m.present(v, to-from, rows); rows.n == 0 {
		return nil
	}
	if m.needs == 0 {
		m.n.count(&x.index, from, to, rows)
		return nil
	}
	xs := m.ints(v, to-from)
	if !m.safe && !m.small(xs, rows) {
		m.later = append(m.later, from)
		return nil
	}
	m.accumulate(x, from, to, rows, xs)
	return nil
}

func (m *measureState) accumulate(x *fusedWorker, from, to int, rows *rowSet, xs []int64) {
	at, lanes := &x.index, &x.lanes
	if m.own {
		m.n.count(at, from, to, rows)
	}
	switch {
	case m.counts && at.c8 == nil && rows.sel == nil:
		kernel.PackCodes16(at.c16[from:to], xs, m.least, lanes)
	case m.counts && at.c8 == nil:
		kernel.PackCodesAt16(at.c16[from:to], xs, rows.pos, m.least, lanes)
	case m.counts && rows.sel == nil:
		kernel.PackCodes8(at.c8[from:to], xs, m.least, m.sums.four())
	case m.counts:
		kernel.PackCodesAt8(at.c8[from:to], xs, rows.pos, m.least, m.sums.four())
	case m.needs&agg.NeedSum != 0:
		m.sums.sum(at, from, to, rows, xs)
	}
	if m.needs&agg.NeedSquares != 0 {
		m.square.squares(at, from, to, rows, xs)
	}
	if m.needs&agg.NeedMin != 0 {
		m.lo.least(at, from, to, rows, xs)
	}
	if m.needs&agg.NeedMax != 0 {
		m.hi.most(at, from, to, rows, xs)
	}
}

func (m *measureState) values(x *fusedWorker, rows *rowSet) (*vec.Vector, error) {
	if m.decimals != nil {
		return &m.whole, x.scan.LoadDecimals(m.decimals, &m.whole)
	}
	for _, c := range m.cols {
		if _, err := x.scan.Load(c); err != nil {
			return nil, err
		}
	}
	if m.ev == nil {
		return x.scan.Batch().Cols[m.col], nil
	}
	return m.ev.Eval(x.w.ctx, x.scan.Batch(), rows.sel)
}

// present returns the rows with a value.
func (m *measureState) present(v *vec.Vector, n int, rows *rowSet) *rowSet {
	if v.Valid == nil {
		return rows
	}
	if v.Form == vec.Const {
		if v.Null(0) {
			m.set = rowSet{}
			return &m.set
		}
		return rows
	}
	m.valid = append(m.valid[:0], v.Valid[:vec.Words(n)]...)
	if rows.sel != nil {
		m.valid.And(rows.sel)
	}
	m.set.from(m.valid, n, &m.pos)
	return &m.set
}

// from makes s the rows of sel; pos is memory for their positions.
func (s *rowSet) from(sel vec.Bitmap, n int, pos *[]uint16) {
	s.sel, s.pos, s.n = nil, nil, sel.Count()
	if s.n < n {
		s.sel, s.pos = sel, positions(sel, pos)
	}
}

// positions returns the set bits of sel, in buf's memory.
func positions(sel vec.Bitmap, buf *[]uint16) []uint16 {
	*buf = sized(*buf, 64*len(sel))
	return (*buf)[:simd.SelectU16(sel, *buf)]
}

// ints returns v's values as a slice with one entry per row.
func (m *measureState) ints(v *vec.Vector, n int) []int64 {
	if v.Form == vec.Flat {
		return v.I64[:n]
	}
	m.vals = sized(m.vals, n)
	if v.Form == vec.Const {
		x := int64(0)
		if !v.Null(0) {
			x = v.Int(0)
		}
		for i := range m.vals {
			m.vals[i] = x
		}
		return m.vals
	}
	dict := v.Dict.I64
	for i, c := range v.Codes[:n] {
		m.vals[i] = dict[c]
	}
	clearGaps(v, m.vals)
	return m.vals
}

// small reports whether no sum over a row group of such values overflows.
func (m *measureState) small(xs []int64, rows *rowSet) bool {
	least, most := kernel.Range(xs, rows.sel)
	return least > -m.limit() && most < m.limit()
}

// settle makes the partials of what was accumulated.
func (m *measureState) settle(x *fusedWorker) {
	if m.rows || m.idle {
		return
	}
	d, at := &x.named, &x.index
	if m.derived {
		m.combine(x)
		return
	}
	n := x.counts
	if m.own {
		n = m.n.fold(at)
	}
	p := &m.part
	p.N = pick(p.N, n, d.occ)
	if m.gapped {
		for i, k := range pick(nil, m.missing.fold(at), d.occ) {
			p.N[i] -= k
		}
	}
	p.Div = m.div
	switch p.Exact = p.Exact[:0]; {
	case m.needs&agg.NeedSum == 0:
	case m.told:
		p.Exact = append(p.Exact, m.exact)
	default:
		p.Sum = pick(p.Sum, m.sums.fold(at), d.occ)
	}
	if m.needs&agg.NeedSquares != 0 {
		p.Squares = pick(p.Squares, m.square.t, d.occ)
	}
	if m.needs&agg.NeedMin != 0 {
		p.Min = pick(p.Min, m.lo.t, d.occ)
	}
	if m.needs&agg.NeedMax != 0 {
		p.Max = pick(p.Max, m.hi.t, d.occ)
	}
}

// give adds the partial to the states of the calls.
func (m *measureState) give(x *fusedWorker) {
	m.part.Groups = append(m.part.Groups[:0], x.named.ids...)
	for _, i := range m.calls {
		x.table.states[i].(agg.Summed).AddPartial(&m.part)
	}
}

func pick(dst, src []int64, at []uint32) []int64 {
	dst = dst[:0]
	for _, c := range at {
		dst = append(dst, src[c])
	}
	return dst
}
