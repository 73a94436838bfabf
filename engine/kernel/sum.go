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

// SumFloats adds the values whose bit is set (sel nil: all) to a running sum and what rounding lost of it, as TwoSum does.
// Each 64 values are summed in four accumulators, by place modulo 4, and then added. So the result depends on the values
// and their places alone: not on whether the others of a word are there, nor on where a batch ends, if that is at a
// multiple of 64.
func SumFloats(sum, c float64, xs []float64, sel []uint64) (float64, float64) {
	for w := 0; len(xs) > 0; w++ {
		part := xs[:min(64, len(xs))]
		xs = xs[len(part):]
		if sel == nil || sel[w] == ^uint64(0) {
			sum, c = TwoSum(sum, c, sumWord(part))
		} else if m := sel[w]; m != 0 {
			sum, c = TwoSum(sum, c, sumWordBits(part, m))
		}
	}
	return sum, c
}

func sumWord(xs []float64) float64 {
	var a, b, c, d float64
	for ; len(xs) >= 4; xs = xs[4:] {
		a += xs[0]
		b += xs[1]
		c += xs[2]
		d += xs[3]
	}
	rest := [4]float64{a, b, c, d}
	for i, x := range xs {
		rest[i] += x
	}
	return (rest[0] + rest[1]) + (rest[2] + rest[3])
}

func sumWordBits(xs []float64, m uint64) float64 {
	var s [4]float64
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		s[i&3] += xs[i]
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// Range returns the least and the greatest of the values whose bit is set; sel may be nil for all. At least one is.
func Range(xs []int64, sel []uint64) (least, most int64) {
	if sel == nil {
		return simd.MinMaxI64(xs)
	}
	least, most, _ = simd.MinMaxI64Bits(xs, sel)
	return least, most
}
