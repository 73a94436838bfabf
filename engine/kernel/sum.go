package kernel

import "math/bits"

// The integer sums are exact: a value is split into a signed high and an unsigned low half of 32 bits, and each half is
// summed in 64 bits. The halves cannot overflow for fewer than 2^31 values. The total is hi*2^32 + lo.

// SumInt sums all of xs.
func SumInt(xs []int64) (hi int64, lo uint64) {
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

// SumIntBits sums the values whose bit is set. It is branch free per row and meant for dense bitmaps.
func SumIntBits(xs []int64, sel []uint64) (hi int64, lo uint64) {
	for w, m := range sel {
		base := w << 6
		switch {
		case m == 0:
		case m == ^uint64(0):
			h, l := SumInt(xs[base : base+64])
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
		least, most = xs[0], xs[0]
		for _, x := range xs[1:] {
			least, most = min(least, x), max(most, x)
		}
		return least, most
	}
	first := true
	for w, m := range sel {
		base := w << 6
		for ; m != 0; m &= m - 1 {
			x := xs[base+bits.TrailingZeros64(m)]
			if first {
				least, most, first = x, x, false
			}
			least, most = min(least, x), max(most, x)
		}
	}
	return least, most
}
