package simd

import "math/bits"

// CountU8 adds one to a count of each code. A code has four counts, one per table, whose sum it is: rows take turns, so
// that a run of equal codes does not wait for its own stores. What a row adds to which table is not defined.
func CountU8(codes []uint8, t *[4][256]uint32) {
	for len(codes) >= 8 {
		c := (*[8]uint8)(codes)
		t[0][c[0]]++
		t[1][c[1]]++
		t[2][c[2]]++
		t[3][c[3]]++
		t[0][c[4]]++
		t[1][c[5]]++
		t[2][c[6]]++
		t[3][c[7]]++
		codes = codes[8:]
	}
	for _, c := range codes {
		t[0][c]++
	}
}

// CountU8Bits is CountU8 for the rows whose bit is set.
func CountU8Bits(codes []uint8, sel []uint64, t *[4][256]uint32) {
	for w, m := range sel[:words(len(codes))] {
		if m == ^uint64(0) {
			CountU8(codes[w<<6:w<<6+64], t)
			continue
		}
		for base := w << 6; m != 0; m &= m - 1 {
			i := bits.TrailingZeros64(m)
			t[i&3][codes[base+i]]++
		}
	}
}

// CountU16 adds one to counts[c] for each code c. Every code is an index of counts.
func CountU16(codes []uint16, counts []uint32) {
	for _, c := range codes {
		counts[c]++
	}
}

// CountU16Bits is CountU16 for the rows whose bit is set.
func CountU16Bits(codes []uint16, sel []uint64, counts []uint32) {
	for w, m := range sel[:words(len(codes))] {
		for base := w << 6; m != 0; m &= m - 1 {
			counts[codes[base+bits.TrailingZeros64(m)]]++
		}
	}
}

// GroupSum is the exact sum of N integers, Hi*2^32 + Lo, in the halves of SumI64. What a group needs lies together.
type GroupSum struct {
	Hi int64
	Lo uint64
	N  int64
}

func (s *GroupSum) add(x int64) {
	s.Hi += x >> 32
	s.Lo += uint64(uint32(x))
	s.N++
}

// SumByU8 adds xs[i] to sums[codes[i]] for each of codes; xs has at least as many values. Every code is an index of sums.
// The totals and N are exact; how a total is split into Hi and Lo is not defined.
func SumByU8(codes []uint8, xs []int64, sums []GroupSum) {
	xs = xs[:len(codes)]
	for i, c := range codes {
		sums[c].add(xs[i])
	}
}

// SumByU8Bits is SumByU8 for the rows whose bit is set.
func SumByU8Bits(codes []uint8, xs []int64, sel []uint64, sums []GroupSum) {
	xs = xs[:len(codes)]
	for w, m := range sel[:words(len(codes))] {
		for base := w << 6; m != 0; m &= m - 1 {
			i := base + bits.TrailingZeros64(m)
			sums[codes[i]].add(xs[i])
		}
	}
}

// SumByU16 is SumByU8 for codes of two bytes.
func SumByU16(codes []uint16, xs []int64, sums []GroupSum) {
	xs = xs[:len(codes)]
	for i, c := range codes {
		sums[c].add(xs[i])
	}
}

// SumByU16Bits is SumByU16 for the rows whose bit is set.
func SumByU16Bits(codes []uint16, xs []int64, sel []uint64, sums []GroupSum) {
	xs = xs[:len(codes)]
	for w, m := range sel[:words(len(codes))] {
		for base := w << 6; m != 0; m &= m - 1 {
			i := base + bits.TrailingZeros64(m)
			sums[codes[i]].add(xs[i])
		}
	}
}
