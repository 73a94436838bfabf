// Package kernel holds the leaf loops of the engine: functions over slices and scalars, without receivers, interfaces,
// errors or allocations. Bitmaps are []uint64, least significant bit first, with the bits above the row count zero.
package kernel

import (
	"math"

	"github.com/telemdb/telemdb/storage/simd"
)

// Number is what the compare and sum kernels work on.
type Number interface{ int64 | float64 }

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// Eq sets bit i of out where xs[i] == c and clears it elsewhere; out has a bit for each of xs. Floats compare as the
// machine does: callers rule NaN out first.
func Eq[T Number](xs []T, c T, out []uint64) {
	switch xs := any(xs).(type) {
	case []int64:
		simd.EqI64(xs, int64(c), out)
	case []float64:
		simd.EqF64(xs, float64(c), out)
	}
}

// Lt is Eq for xs[i] < c.
func Lt[T Number](xs []T, c T, out []uint64) {
	switch xs := any(xs).(type) {
	case []int64:
		if c := int64(c); c > math.MinInt64 {
			simd.RangeI64(xs, math.MinInt64, c-1, out)
		} else {
			clear(out)
		}
	case []float64:
		simd.LtF64(xs, float64(c), out)
	}
}

// Gt is Eq for xs[i] > c.
func Gt[T Number](xs []T, c T, out []uint64) {
	switch xs := any(xs).(type) {
	case []int64:
		if c := int64(c); c < math.MaxInt64 {
			simd.RangeI64(xs, c+1, math.MaxInt64, out)
		} else {
			clear(out)
		}
	case []float64:
		gtFloat(xs, float64(c), out)
	}
}

func gtFloat(xs []float64, c float64, out []uint64) {
	for w := range out {
		lo := w << 6
		var m uint64
		for j, x := range xs[lo:min(lo+64, len(xs))] {
			m |= bit(x > c) << (uint(j) & 63)
		}
		out[w] = m
	}
}

// EqCodes is Eq for dictionary codes.
func EqCodes(xs []uint32, c uint32, out []uint64) { simd.EqU32(xs, c, out) }

// Lookup sets bit i of out to bit codes[i] of table. Every code is below the table's size.
func Lookup(codes []uint32, table, out []uint64) { simd.LookupU32(codes, table, out) }

// Count returns the number of set bits.
func Count(b []uint64) int { return simd.Popcount(b) }

// CountAnd returns the number of bits set in both; a and b have the same length.
func CountAnd(a, b []uint64) int { return simd.CountAnd(a, b) }
