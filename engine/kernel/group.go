package kernel

import (
	"math/bits"

	"github.com/telemdb/telemdb/storage/simd"
)

// CountGroups adds one to counts[g] for every g of groups. Four tables take turns while the groups are few, so that a
// run of equal groups does not wait for its own store.
func CountGroups(groups []uint32, counts []int64) {
	if len(counts) <= 256 && len(groups) >= 256 {
		countFew(groups, counts)
		return
	}
	for _, g := range groups {
		counts[g]++
	}
}

func countFew(groups []uint32, counts []int64) {
	var t [4][256]uint32
	for len(groups) >= 4 {
		t[0][groups[0]&255]++
		t[1][groups[1]&255]++
		t[2][groups[2]&255]++
		t[3][groups[3]&255]++
		groups = groups[4:]
	}
	for _, g := range groups {
		t[0][g&255]++
	}
	for i := range counts {
		counts[i] += int64(t[0][i]) + int64(t[1][i]) + int64(t[2][i]) + int64(t[3][i])
	}
}

// CountGroupsBits is CountGroups for the rows whose bit is set.
func CountGroupsBits(groups []uint32, sel []uint64, counts []int64) {
	for w, m := range sel {
		if m == ^uint64(0) {
			for _, g := range groups[w<<6 : w<<6+64] {
				counts[g]++
			}
			continue
		}
		for base := w << 6; m != 0; m &= m - 1 {
			counts[groups[base+bits.TrailingZeros64(m)]]++
		}
	}
}

// IntSum is the exact sum of N integers, Hi*2^32 + Lo, in the halves of SumInt. What a group needs lies together, so that
// a row of one of very many groups costs one cache miss.
type IntSum = simd.GroupSum

// SumGroups adds xs[i] to group groups[i].
func SumGroups(xs []int64, groups []uint32, sums []IntSum) {
	groups = groups[:len(xs)]
	for i, x := range xs {
		s := &sums[groups[i]]
		s.Hi += x >> 32
		s.Lo += uint64(uint32(x))
		s.N++
	}
}

// SumGroupsBits is SumGroups for the rows whose bit is set.
func SumGroupsBits(xs []int64, groups []uint32, sel []uint64, sums []IntSum) {
	for w, m := range sel {
		for base := w << 6; m != 0; m &= m - 1 {
			i := base + bits.TrailingZeros64(m)
			x := xs[i]
			s := &sums[groups[i]]
			s.Hi += x >> 32
			s.Lo += uint64(uint32(x))
			s.N++
		}
	}
}

// TwoSum adds x to a running sum and keeps what rounding lost in c, so that sum+c is as good as twice the precision.
func TwoSum(sum, c, x float64) (float64, float64) {
	s := sum + x
	b := s - sum
	return s, c + ((sum - (s - b)) + (x - b))
}

// TwoSums is TwoSum for the values whose bit is set (sel nil: all), one after the other.
func TwoSums(sum, c float64, xs []float64, sel []uint64) (float64, float64) {
	if sel == nil {
		for _, x := range xs {
			sum, c = TwoSum(sum, c, x)
		}
		return sum, c
	}
	for w, m := range sel {
		for base := w << 6; m != 0; m &= m - 1 {
			sum, c = TwoSum(sum, c, xs[base+bits.TrailingZeros64(m)])
		}
	}
	return sum, c
}
