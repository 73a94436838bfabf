package codec

import (
	"math"

	"github.com/telemdb/telemdb/storage/column"
)

// readFloats decodes values [a, b) of a float chunk that is no dictionary.
func (c *Chunk) readFloats(data []byte, a, b int, dst []float64) error {
	dst = dst[:b-a]
	if c.enc == encPlain {
		loadFloats(dst, data[c.at+8*a:])
		return nil
	}
	sc := getScratch()
	defer sc.put()
	if err := c.ints.read(data, a, b, sc.b[:]); err != nil {
		return err
	}
	if c.enc == encRatio {
		return c.frac.read(data, a, b, sc.b[:b-a], sc.a[:b-a], dst)
	}
	if c.enc == encALP {
		c.alp.read(data, a, b, sc.b[:b-a], dst)
		return nil
	}
	for i, v := range sc.b[:b-a] {
		dst[i] = float64(v)
	}
	return nil
}

// integral stores v as an integer if that gives back the same bits.
func integral(v float64) (int64, bool) {
	if !(v >= -1<<53 && v <= 1<<53) {
		return 0, false
	}
	i := int64(v)
	return i, math.Float64bits(float64(i)) == math.Float64bits(v)
}

// compareFloats sets the bit of each value for which "value op k" holds, in SQL's order of floats: NaN equals itself and
// is above every number. Three loops and a complement give all of it.
func compareFloats(vals []float64, op column.Op, k float64, out bitset) {
	n := len(vals)
	switch {
	case math.IsNaN(k) && op == column.OpLe:
		out.setRange(0, n)
	case math.IsNaN(k) && op == column.OpGt:
	case math.IsNaN(k):
		floatsEqual(vals, vals, out)
		if op == column.OpEq || op == column.OpGe {
			out.invert(n)
		}
	case op == column.OpEq || op == column.OpNe:
		floatsBetween(vals, k, k, out)
	case op == column.OpLt || op == column.OpGe:
		floatsBelow(vals, k, out)
	default:
		floatsBetween(vals, math.Inf(-1), k, out)
	}
	if !math.IsNaN(k) && (op == column.OpNe || op == column.OpGe || op == column.OpGt) {
		out.invert(n)
	}
}

// The loops below shift the outcomes of 64 values in from the top.

// floatsEqual sets the bits where a and b are equal; NaN equals nothing.
func floatsEqual(a, b []float64, out bitset) {
	for i := 0; len(a) > 0; i++ {
		n := min(64, len(a))
		word := uint64(0)
		other := b[:n]
		for k, v := range a[:n] {
			bit := uint64(0)
			if v == other[k] {
				bit = 1
			}
			word = word>>1 | bit<<63
		}
		out[i] = word >> uint(64-n)
		a, b = a[n:], b[n:]
	}
}

func floatsBetween(vals []float64, lo, hi float64, out bitset) {
	for i := 0; len(vals) > 0; i++ {
		n := min(64, len(vals))
		word := uint64(0)
		for _, v := range vals[:n] {
			var above, below uint64
			if v >= lo {
				above = 1
			}
			if v <= hi {
				below = 1
			}
			word = word>>1 | (above&below)<<63
		}
		out[i] = word >> uint(64-n)
		vals = vals[n:]
	}
}

func floatsBelow(vals []float64, hi float64, out bitset) {
	for i := 0; len(vals) > 0; i++ {
		n := min(64, len(vals))
		word := uint64(0)
		for _, v := range vals[:n] {
			bit := uint64(0)
			if v < hi {
				bit = 1
			}
			word = word>>1 | bit<<63
		}
		out[i] = word >> uint(64-n)
		vals = vals[n:]
	}
}
