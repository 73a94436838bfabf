package simd

import "math/bits"

// Integer sums are exact: a value is split into a signed high and an unsigned low half of 32 bits, and each half is
// summed in 64 bits, so that neither overflows for fewer than 2^31 values. The total is hi*2^32 + lo.

// SumI64 sums all of xs.
func SumI64(xs []int64) (hi int64, lo uint64) {
	n, hi, lo := sumI64(xs)
	h, l := sumI64Go(xs[n:])
	return hi + h, lo + l
}

func sumI64Go(xs []int64) (hi int64, lo uint64) {
	var h0, h1 int64
	var l0, l1 uint64
	for len(xs) >= 4 {
		a, b, c, d := xs[0], xs[1], xs[2], xs[3]
		h0 += a>>32 + c>>32
		h1 += b>>32 + d>>32
		l0 += uint64(uint32(a)) + uint64(uint32(c))
		l1 += uint64(uint32(b)) + uint64(uint32(d))
		xs = xs[4:]
	}
	for _, x := range xs {
		h0 += x >> 32
		l0 += uint64(uint32(x))
	}
	return h0 + h1, l0 + l1
}

// SumI64Bits sums the values whose bit is set.
func SumI64Bits(xs []int64, sel []uint64) (hi int64, lo uint64) {
	sel = sel[:words(len(xs))]
	n, hi, lo := sumI64Bits(xs, sel)
	h, l := sumI64BitsGo(xs[n:], sel[n>>6:])
	return hi + h, lo + l
}

func sumI64BitsGo(xs []int64, sel []uint64) (hi int64, lo uint64) {
	for w, m := range sel {
		base := w << 6
		switch {
		case m == 0:
		case m == ^uint64(0):
			h, l := sumI64Go(xs[base : base+64])
			hi += h
			lo += l
		case bits.OnesCount64(m) < 13:
			for ; m != 0; m &= m - 1 {
				x := xs[base+bits.TrailingZeros64(m)]
				hi += x >> 32
				lo += uint64(uint32(x))
			}
		default:
			for j, x := range xs[base:min(base+64, len(xs))] {
				x &= -int64(m >> (uint(j) & 63) & 1)
				hi += x >> 32
				lo += uint64(uint32(x))
			}
		}
	}
	return hi, lo
}

// SumRangeI64 sums and counts the values in [from, to]. How the total is split into hi and lo is not defined, but that
// neither has overflowed.
func SumRangeI64(xs []int64, from, to int64) (hi int64, lo uint64, count int) {
	if from > to {
		return 0, 0, 0
	}
	span := uint64(to) - uint64(from)
	n, hi, lo, count := sumRangeI64(xs, from, span)
	for _, x := range xs[n:] {
		_, beyond := bits.Sub64(span, uint64(x)-uint64(from), 0)
		keep := int64(beyond) - 1
		x &= keep
		hi += x >> 32
		lo += uint64(uint32(x))
		count -= int(keep)
	}
	return hi, lo, count
}

// MinMaxI64 returns the least and the greatest of xs, which is not empty.
func MinMaxI64(xs []int64) (least, most int64) {
	least, most = xs[0], xs[0]
	n, least, most := minMaxI64(xs, least, most)
	for _, x := range xs[n:] {
		least, most = min(least, x), max(most, x)
	}
	return least, most
}

// MinMaxI64Bits returns the least and the greatest of the values whose bit is set; ok is false if none is.
func MinMaxI64Bits(xs []int64, sel []uint64) (least, most int64, ok bool) {
	sel = sel[:words(len(xs))]
	for w, m := range sel {
		if m != 0 {
			first := xs[w<<6+bits.TrailingZeros64(m)]
			least, most = minMaxFrom(xs[w<<6:], sel[w:], first)
			return least, most, true
		}
	}
	return 0, 0, false
}

func minMaxFrom(xs []int64, sel []uint64, first int64) (least, most int64) {
	n, least, most := minMaxI64Bits(xs, sel, first, first)
	xs, sel = xs[n:], sel[n>>6:]
	for w, m := range sel {
		for base := w << 6; m != 0; m &= m - 1 {
			x := xs[base+bits.TrailingZeros64(m)]
			least, most = min(least, x), max(most, x)
		}
	}
	return least, most
}
