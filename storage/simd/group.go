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

// How groups are summed. A row costs what it reads, changes and writes of the tables, so the sum and the count of a group
// share a number: a value in the upper 48 bits, one row in the lower 16. groupStep rows of values below 2^32 fit it. Values
// that are less than 2^32 apart are added as distances from the least; of others the low halves are, and the high halves
// beside them.
const (
	groupStep  = 1 << 15
	countBits  = 16
	countMask  = 1<<countBits - 1
	tablesFrom = 2048 // rows from which clearing and adding up tables is worth it
)

// SumByU8 adds xs[i] to sums[codes[i]] for each of codes; xs has at least as many values. Every code is an index of sums.
// The totals and N are exact; how a total is split into Hi and Lo is not defined, but that neither has overflowed.
func SumByU8(codes []uint8, xs []int64, sums []GroupSum) {
	xs = xs[:len(codes)]
	for len(codes) >= tablesFrom {
		n := min(groupStep, len(codes))
		sumTables8(codes[:n], xs[:n], sums)
		codes, xs = codes[n:], xs[n:]
	}
	for i, c := range codes {
		sums[c].add(xs[i])
	}
}

func sumTables8(codes []uint8, xs []int64, sums []GroupSum) {
	var low, high [4][256]uint64
	least, most := MinMaxI64(xs)
	narrow := uint64(most)-uint64(least) < 1<<32
	if narrow {
		addTables8(codes, xs, 1-uint64(least)<<countBits, &low)
	} else {
		least = 0
		addHalves8(codes, xs, &low, &high)
	}
	for c := range 256 {
		for t := range 4 {
			if low[t][c] != 0 {
				sums[c].addPacked(low[t][c], int64(high[t][c]), least)
			}
		}
	}
}

// addPacked adds what a table has gathered: low are rows and the sum of distances from least, or of low halves.
func (s *GroupSum) addPacked(low uint64, high, least int64) {
	n := int64(low & countMask)
	s.Hi += high + n*(least>>32)
	s.Lo += low>>countBits + uint64(n)*uint64(uint32(least))
	s.N += n
}

// addTables8 adds x<<countBits + one to the entry of each code; one counts the row and takes least away.
func addTables8(codes []uint8, xs []int64, one uint64, t *[4][256]uint64) {
	t0, t1, t2, t3 := &t[0], &t[1], &t[2], &t[3]
	for len(codes) >= 8 && len(xs) >= 8 {
		c, x := (*[8]uint8)(codes), (*[8]int64)(xs)
		t0[c[0]] += uint64(x[0])<<countBits + one
		t1[c[1]] += uint64(x[1])<<countBits + one
		t2[c[2]] += uint64(x[2])<<countBits + one
		t3[c[3]] += uint64(x[3])<<countBits + one
		t0[c[4]] += uint64(x[4])<<countBits + one
		t1[c[5]] += uint64(x[5])<<countBits + one
		t2[c[6]] += uint64(x[6])<<countBits + one
		t3[c[7]] += uint64(x[7])<<countBits + one
		codes, xs = codes[8:], xs[8:]
	}
	for i, c := range codes {
		t0[c] += uint64(xs[i])<<countBits + one
	}
}

func addHalves8(codes []uint8, xs []int64, low, high *[4][256]uint64) {
	l0, l1, l2, l3 := &low[0], &low[1], &low[2], &low[3]
	h0, h1, h2, h3 := &high[0], &high[1], &high[2], &high[3]
	for len(codes) >= 4 && len(xs) >= 4 {
		c, x := (*[4]uint8)(codes), (*[4]int64)(xs)
		l0[c[0]] += uint64(uint32(x[0]))<<countBits + 1
		h0[c[0]] += uint64(x[0] >> 32)
		l1[c[1]] += uint64(uint32(x[1]))<<countBits + 1
		h1[c[1]] += uint64(x[1] >> 32)
		l2[c[2]] += uint64(uint32(x[2]))<<countBits + 1
		h2[c[2]] += uint64(x[2] >> 32)
		l3[c[3]] += uint64(uint32(x[3]))<<countBits + 1
		h3[c[3]] += uint64(x[3] >> 32)
		codes, xs = codes[4:], xs[4:]
	}
	for i, c := range codes {
		l0[c] += uint64(uint32(xs[i]))<<countBits + 1
		h0[c] += uint64(xs[i] >> 32)
	}
}

// SumByU8Bits is SumByU8 for the rows whose bit is set.
func SumByU8Bits(codes []uint8, xs []int64, sel []uint64, sums []GroupSum) {
	xs = xs[:len(codes)]
	sel = sel[:words(len(codes))]
	for len(codes) >= tablesFrom {
		n := min(groupStep, len(codes))
		sumTables8Bits(codes[:n], xs[:n], sel[:words(n)], sums)
		codes, xs, sel = codes[n:], xs[n:], sel[words(n):]
	}
	for w, m := range sel {
		for base := w << 6; m != 0; m &= m - 1 {
			i := base + bits.TrailingZeros64(m)
			sums[codes[i]].add(xs[i])
		}
	}
}

// selectStep is the number of words whose rows are listed at a time: the list stays in the first-level cache.
const selectStep = 64

// sumTables8Bits lists the rows first: a loop over a list has no end to mispredict for each word.
func sumTables8Bits(codes []uint8, xs []int64, sel []uint64, sums []GroupSum) {
	least, most, ok := MinMaxI64Bits(xs, sel)
	if !ok {
		return
	}
	var low, high [4][256]uint64
	narrow := uint64(most)-uint64(least) < 1<<32
	one := 1 - uint64(least)<<countBits
	var rows [64 * selectStep]uint16
	for w := 0; w < len(sel); w += selectStep {
		list := rows[:SelectU16(sel[w:min(w+selectStep, len(sel))], rows[:])]
		c, x := codes[w<<6:], xs[w<<6:]
		if narrow {
			for i, r := range list {
				low[i&3][c[r]] += uint64(x[r])<<countBits + one
			}
			continue
		}
		for i, r := range list {
			low[i&3][c[r]] += uint64(uint32(x[r]))<<countBits + 1
			high[i&3][c[r]] += uint64(x[r] >> 32)
		}
	}
	if !narrow {
		least = 0
	}
	for c := range 256 {
		for t := range 4 {
			if low[t][c] != 0 {
				sums[c].addPacked(low[t][c], int64(high[t][c]), least)
			}
		}
	}
}

// table16 is the number of groups up to which codes of two bytes are summed in a table of numbers that fits the
// first-level cache.
const table16 = 4096

// SumByU16 is SumByU8 for codes of two bytes.
func SumByU16(codes []uint16, xs []int64, sums []GroupSum) {
	xs = xs[:len(codes)]
	for len(sums) <= table16 && len(codes) >= max(tablesFrom, 4*len(sums)) {
		n := min(groupStep, len(codes))
		least, most := MinMaxI64(xs[:n])
		if uint64(most)-uint64(least) >= 1<<32 {
			break
		}
		var t [table16]uint64
		one := 1 - uint64(least)<<countBits
		for i, c := range codes[:n] {
			t[c] += uint64(xs[i])<<countBits + one
		}
		for c := range sums {
			if t[c] != 0 {
				sums[c].addPacked(t[c], 0, least)
			}
		}
		codes, xs = codes[n:], xs[n:]
	}
	for i, c := range codes {
		sums[c].add(xs[i])
	}
}

// SumByU16Bits is SumByU16 for the rows whose bit is set.
func SumByU16Bits(codes []uint16, xs []int64, sel []uint64, sums []GroupSum) {
	xs = xs[:len(codes)]
	var rows [64 * selectStep]uint16
	sel = sel[:words(len(codes))]
	for w := 0; w < len(sel); w += selectStep {
		list := rows[:SelectU16(sel[w:min(w+selectStep, len(sel))], rows[:])]
		c, x := codes[w<<6:], xs[w<<6:]
		for _, r := range list {
			sums[c[r]].add(x[r])
		}
	}
}
