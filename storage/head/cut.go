package head

import (
	"bytes"
	"slices"
	"sort"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// cut is a column as one snapshot sees it.
type cut struct {
	path types.Path
	leaf types.Leaf
	n    int // rows of the group

	rows  []uint16
	i64   []int64
	f64   []float64
	bools []bool
	off   []uint32
	data  []byte
}

func (c *cut) Path() types.Path { return c.path }
func (c *cut) Leaf() types.Leaf { return c.leaf }

// Stats knows counts only: bounds would have to be kept up with every row.
func (c *cut) Stats() column.Stats { return column.Stats{Rows: c.n, Present: len(c.rows)} }

func (c *cut) BlockStats(b int) column.Stats {
	from, to := b*vec.BlockRows, min((b+1)*vec.BlockRows, c.n)
	i, j := c.span(from, to)
	return column.Stats{Rows: to - from, Present: j - i}
}

// span returns the range of values whose rows are in [from, to).
func (c *cut) span(from, to int) (i, j int) {
	if len(c.rows) == c.n { // every row has a value
		return from, to
	}
	i = lowerBound(c.rows, from)
	return i, i + lowerBound(c.rows[i:], to)
}

func lowerBound(rows []uint16, row int) int {
	return sort.Search(len(rows), func(i int) bool { return int(rows[i]) >= row })
}

// Read implements column.Column.
func (c *cut) Read(from, to int, dst *vec.Vector) error {
	i, j := c.span(from, to)
	dst.Reset(c.leaf.Type())
	if i == j {
		dst.SetConstNull(c.leaf.Type(), to-from)
		return nil
	}
	n := to - from
	dense := j-i == n
	dst.N = n
	if !dense {
		dst.Valid = vec.MakeBitmap(n)
		for _, r := range c.rows[i:j] {
			dst.Valid.Set(int(r) - from)
		}
	}
	switch c.leaf.Phys() {
	case types.PhysInt64:
		dst.I64 = spread(dst.I64, c.i64[i:j], c.rows[i:j], from, n)
	case types.PhysFloat64:
		dst.F64 = spread(dst.F64, c.f64[i:j], c.rows[i:j], from, n)
	case types.PhysBool:
		dst.Bits = dst.Bits.Resize(n)
		for k, b := range c.bools[i:j] {
			if b {
				dst.Bits.Set(int(c.rows[i+k]) - from)
			}
		}
	default:
		c.readBytes(i, j, from, n, dst)
	}
	return nil
}

// spread writes the values to their rows, zero elsewhere.
func spread[T int64 | float64](dst, vals []T, rows []uint16, from, n int) []T {
	if len(vals) == n {
		return append(dst[:0], vals...)
	}
	dst = slices.Grow(dst[:0], n)[:n]
	clear(dst)
	for k, r := range rows {
		dst[int(r)-from] = vals[k]
	}
	return dst
}

func (c *cut) readBytes(i, j, from, n int, dst *vec.Vector) {
	base := c.off[i]
	dst.Data = append(dst.Data[:0], c.data[base:c.off[j]]...)
	off := slices.Grow(dst.Off[:0], n+1)
	next := 0
	for k := i; k < j; k++ {
		for ; next <= int(c.rows[k])-from; next++ {
			off = append(off, c.off[k]-base)
		}
	}
	for ; next <= n; next++ {
		off = append(off, c.off[j]-base)
	}
	dst.Off = off
}

// Filter implements column.Column: the values present are compared as they lie, then the survivors' rows are kept.
func (c *cut) Filter(from, to int, p *column.Pred, sel vec.Bitmap) error {
	i, j := c.span(from, to)
	keep := vec.MakeBitmap(to - from)
	if i < j {
		if err := c.keep(i, j, from, p, keep); err != nil {
			return err
		}
	}
	sel.And(keep)
	return nil
}

func (c *cut) keep(i, j, from int, p *column.Pred, keep vec.Bitmap) error {
	rows := c.rows[i:j]
	switch {
	case p.Op == column.OpPresent:
		for _, row := range rows {
			keep.Set(int(row) - from)
		}
		return nil
	case p.Op >= column.OpIn:
	case c.leaf == types.LeafInt:
		keepOrdered(c.i64[i:j], p.I, p.Op, rows, from, keep)
		return nil
	case c.leaf == types.LeafText && p.Op == column.OpEq:
		c.keepEqual(i, j, p.B, from, keep)
		return nil
	}
	v := c.present(i, j)
	pass := vec.MakeBitmap(j - i)
	pass.Fill(j - i)
	if err := p.Apply(v, pass); err != nil {
		return err
	}
	pass.All(func(k int) { keep.Set(int(rows[k]) - from) })
	return nil
}

// present is a vector of values [i, j) that shares their memory.
func (c *cut) present(i, j int) *vec.Vector {
	v := &vec.Vector{Type: c.leaf.Type(), N: j - i}
	switch c.leaf.Phys() {
	case types.PhysInt64:
		v.I64 = c.i64[i:j]
	case types.PhysFloat64:
		v.F64 = c.f64[i:j]
	case types.PhysBool:
		v.Bits = vec.MakeBitmap(j - i)
		for k, b := range c.bools[i:j] {
			v.Bits.SetTo(k, b)
		}
	default:
		v.Off, v.Data = c.off[i:j+1], c.data
	}
	return v
}

func keepOrdered(vals []int64, x int64, op column.Op, rows []uint16, from int, keep vec.Bitmap) {
	lo, hi, not := bounds(x, op)
	for k, v := range vals {
		if (v >= lo && v <= hi) != not {
			keep.Set(int(rows[k]) - from)
		}
	}
}

// bounds writes a comparison with x as a closed range, or as what is outside it. lo > hi holds for nothing.
func bounds(x int64, op column.Op) (lo, hi int64, not bool) {
	const least, most = -1 << 63, 1<<63 - 1
	switch op {
	case column.OpNe:
		return x, x, true
	case column.OpLt:
		return x, most, true
	case column.OpLe:
		return least, x, false
	case column.OpGt:
		return least, x, true
	case column.OpGe:
		return x, most, false
	}
	return x, x, false
}

func (c *cut) keepEqual(i, j int, want []byte, from int, keep vec.Bitmap) {
	for k := i; k < j; k++ {
		if int(c.off[k+1]-c.off[k]) == len(want) && bytes.Equal(c.data[c.off[k]:c.off[k+1]], want) {
			keep.Set(int(c.rows[k]) - from)
		}
	}
}
