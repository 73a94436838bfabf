package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// runsOf draws the ends and codes of runs of n values.
func runsOf(r *rand.Rand, n int) (codes, ends []uint32) {
	longest := []int{1, 3, 12, 40, 300}[r.IntN(5)]
	for at := 0; at < n; {
		at = min(n, at+1+r.IntN(longest))
		ends, codes = append(ends, uint32(at)), append(codes, r.Uint32())
	}
	return codes, ends
}

func repeatsAgree[T uint8 | uint16 | uint32](t *testing.T, r *rand.Rand, f func(dst []T, codes, ends []uint32)) {
	for range rounds {
		n := length(r)
		codes, ends := runsOf(r, n)
		levels(t, func(Level) {
			dst := guard(r, n, func() T { return T(r.Uint32()) })
			f(dst.s, codes, ends)
			k := 0
			for i, got := range dst.s {
				for int(ends[k]) <= i {
					k++
				}
				if got != T(codes[k]) {
					t.Fatalf("%T at %v: value %d of %d is %d, want %d", got, Active(), i, n, got, T(codes[k]))
				}
			}
			dst.check(t, fmt.Sprintf("repeat at %v", Active()))
		})
	}
}

func TestRunsAreRepeatedAndNothingBeside(t *testing.T) {
	r := seeded(t)
	repeatsAgree(t, r, RepeatU8)
	repeatsAgree(t, r, RepeatU16)
	repeatsAgree(t, r, RepeatU32)
}

func BenchmarkRepeat(b *testing.B) {
	const n = 1 << 16
	for _, mean := range []int{3, 10, 100, 5000} {
		r := rand.New(rand.NewPCG(1, 2))
		var codes, ends []uint32
		for at := 0; at < n; {
			at = min(n, at+1+r.IntN(2*mean-1))
			ends, codes = append(ends, uint32(at)), append(codes, r.Uint32()&255)
		}
		dst8, dst32 := make([]uint8, n), make([]uint32, n)
		levels(b, func(l Level) {
			b.Run(fmt.Sprintf("U8/%d/%v", mean, l), func(b *testing.B) {
				b.SetBytes(n)
				for b.Loop() {
					RepeatU8(dst8, codes, ends)
				}
			})
			b.Run(fmt.Sprintf("U32/%d/%v", mean, l), func(b *testing.B) {
				b.SetBytes(n)
				for b.Loop() {
					RepeatU32(dst32, codes, ends)
				}
			})
		})
	}
}
