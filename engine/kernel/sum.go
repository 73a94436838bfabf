package kernel

import (
	"math/bits"

	"github.com/telemdb/telemdb/storage/simd"
)

// The integer sums are exact: a value is split into a signed high and an unsigned low half of 32 bits, and each half is
// summed in 64 bits. The halves cannot overflow for fewer than 2^31 values. The total is hi*2^32 + lo.

// SumInt sums all of xs.
func SumInt(xs []int64) (hi int64, lo uint64) { return simd.SumI64(xs) }

// SumIntBits sums the values whose bit is set.
func SumIntBits(xs []int64, sel []uint64) (hi int64, lo uint64) { return simd.SumI64Bits(xs, sel) }

// SumIntSel sums the values at the listed positions.
func SumIntSel(xs []int64, pos []uint16) (hi int64, lo uint64) {
	for _, i := range pos {
		x := xs[i]
		hi += x >> 32
		lo += uint64(uint32(x))
	}
	return hi, lo
}

// SumFloat sums pairwise: runs of 16 in four accumulators, the runs' sums in a binary tree. The order of additions
// depends on the length only.
func SumFloat(xs []float64) float64 {
	if len(xs) <= 64 {
		var a, b, c, d float64
		for len(xs) >= 4 {
			a += xs[0]
			b += xs[1]
			c += xs[2]
			d += xs[3]
			xs = xs[4:]
		}
		for _, x := range xs {
			a += x
		}
		return (a + b) + (c + d)
	}
	h := (len(xs)/2 + 63) &^ 63
	return SumFloat(xs[:h]) + SumFloat(xs[h:])
}

// SumFloatBits sums the values whose bit is set, word by word, each word's sum pairwise with the next.
func SumFloatBits(xs []float64, sel []uint64) float64 {
	if len(sel) > 1 {
		h := len(sel) / 2
		return SumFloatBits(xs[:h<<6], sel[:h]) + SumFloatBits(xs[h<<6:], sel[h:])
	}
	if len(sel) == 0 {
		return 0
	}
	m := sel[0]
	if m == ^uint64(0) {
		return SumFloat(xs[:64])
	}
	var s float64
	for ; m != 0; m &= m - 1 {
		s += xs[bits.TrailingZeros64(m)]
	}
	return s
}

// Range returns the least and the greatest of the values whose bit is set; sel may be nil for all. At least one is.
func Range(xs []int64, sel []uint64) (least, most int64) {
	if sel == nil {
		return simd.MinMaxI64(xs)
	}
	least, most, _ = simd.MinMaxI64Bits(xs, sel)
	return least, most
}
