package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// The tests of this file hold the kernels against definitions written row by row, at every level the machine has, over
// random lengths, alignments and tails. What lies around the slices is checked to be untouched.

// levels runs f at each level the machine has.
func levels(t testing.TB, f func(l Level)) {
	t.Helper()
	best := Best()
	before := Active()
	defer Use(before)
	for l := Off; l <= best; l++ {
		Use(l)
		f(l)
	}
}

func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("TELEMDB_SEED"); s != "" {
		fmt.Sscan(s, &seed)
	}
	t.Logf("TELEMDB_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// length returns a length that is short, long, or near a multiple of what a vector holds.
func length(r *rand.Rand) int {
	switch r.IntN(4) {
	case 0:
		return r.IntN(70)
	case 1:
		return max(0, 64*r.IntN(20)+r.IntN(5)-2)
	case 2:
		return 1024
	}
	return r.IntN(3000)
}

// guarded is a slice inside a larger one, at a random offset, with guards around it.
type guarded[T comparable] struct {
	all    []T
	s      []T
	before []T
	at     int
}

func guard[T comparable](r *rand.Rand, n int, next func() T) guarded[T] {
	at := r.IntN(40)
	g := guarded[T]{all: make([]T, at+n+20), at: at}
	for i := range g.all {
		g.all[i] = next()
	}
	g.before = append([]T{}, g.all...)
	g.s = g.all[at : at+n : at+n]
	return g
}

// check fails where something beside the slice has changed.
func (g *guarded[T]) check(t testing.TB, what string) {
	t.Helper()
	for i, v := range g.all {
		if (i < g.at || i >= g.at+len(g.s)) && v != g.before[i] {
			t.Fatalf("%s wrote at %d of a slice of %d", what, i-g.at, len(g.s))
		}
	}
}

func bitmapOf(r *rand.Rand, n int) []uint64 {
	b := make([]uint64, words(n))
	density := []int{0, 1, 10, 50, 90, 100}[r.IntN(6)]
	for i := range n {
		if r.IntN(100) < density {
			b[i>>6] |= 1 << (i & 63)
		}
	}
	return b
}

func isSet(b []uint64, i int) bool { return b[i>>6]>>(i&63)&1 != 0 }

// wantBits fails unless out has exactly the bits for which f holds.
func wantBits(t testing.TB, what string, n int, out []uint64, f func(i int) bool) {
	t.Helper()
	for w := range words(n) {
		var want uint64
		for i := w << 6; i < min(w<<6+64, n); i++ {
			if f(i) {
				want |= 1 << (i & 63)
			}
		}
		if out[w] != want {
			t.Fatalf("%s at %v, %d rows: word %d is %#x, want %#x", what, Active(), n, w, out[w], want)
		}
	}
}

const rounds = 300

// compared runs a compare kernel and its variants over random codes.
func compared[T uint8 | uint16 | uint32 | int64](t *testing.T, next func(r *rand.Rand) T,
	plain, and func(xs []T, lo, hi T, out []uint64), count func(xs []T, lo, hi T) int) {
	r := seeded(t)
	for range rounds {
		n := length(r)
		xs := guard(r, n, func() T { return next(r) })
		lo, hi := next(r), next(r)
		if n > 0 && r.IntN(2) == 0 {
			lo = xs.s[r.IntN(n)]
			hi = lo
		}
		holds := func(i int) bool { return lo <= xs.s[i] && xs.s[i] <= hi }
		sel := bitmapOf(r, n)
		levels(t, func(Level) {
			out := guard(r, words(n), r.Uint64)
			plain(xs.s, lo, hi, out.s)
			wantBits(t, "range", n, out.s, holds)
			out.check(t, "range")
			if and != nil {
				copy(out.s, sel)
				and(xs.s, lo, hi, out.s)
				wantBits(t, "and range", n, out.s, func(i int) bool { return holds(i) && isSet(sel, i) })
				out.check(t, "and range")
			}
			if count != nil {
				want := 0
				for i := range n {
					if holds(i) {
						want++
					}
				}
				if got := count(xs.s, lo, hi); got != want {
					t.Fatalf("count at %v, %d rows: %d, want %d", Active(), n, got, want)
				}
			}
		})
	}
}

func TestRangesOfCodesAgree(t *testing.T) {
	t.Run("u8", func(t *testing.T) {
		compared(t, func(r *rand.Rand) uint8 { return uint8(r.Uint32() >> (r.Uint32() & 7)) }, RangeU8, AndRangeU8, CountRangeU8)
	})
	t.Run("u16", func(t *testing.T) {
		compared(t, func(r *rand.Rand) uint16 { return uint16(r.Uint32()) >> (r.Uint32() & 15) }, RangeU16, AndRangeU16, CountRangeU16)
	})
	t.Run("u32", func(t *testing.T) {
		compared(t, func(r *rand.Rand) uint32 { return r.Uint32() >> (r.Uint32() & 31) }, RangeU32, nil, nil)
	})
	t.Run("i64", func(t *testing.T) { compared(t, anyInt, RangeI64, AndRangeI64, nil) })
}

// anyInt returns small and large numbers, and now and then one of the ends.
func anyInt(r *rand.Rand) int64 {
	switch r.IntN(20) {
	case 0:
		return math.MinInt64
	case 1:
		return math.MaxInt64
	}
	return int64(r.Uint64()) >> (r.Uint32() & 63)
}

func TestEqualityIsARangeOfOne(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r)
		a := guard(r, n, func() uint8 { return uint8(r.IntN(3)) })
		b := guard(r, n, func() uint8 { return uint8(r.IntN(3)) })
		wide := make([]uint16, n)
		wider := make([]uint32, n)
		widest := make([]int64, n)
		for i, x := range a.s {
			wide[i], wider[i], widest[i] = uint16(x)<<8, uint32(x)<<20, int64(x)<<40
		}
		sel := bitmapOf(r, n)
		levels(t, func(Level) {
			out := make([]uint64, words(n))
			is := func(i int) bool { return a.s[i] == 1 }
			EqU8(a.s, 1, out)
			wantBits(t, "EqU8", n, out, is)
			EqU16(wide, 1<<8, out)
			wantBits(t, "EqU16", n, out, is)
			EqU32(wider, 1<<20, out)
			wantBits(t, "EqU32", n, out, is)
			EqI64(widest, 1<<40, out)
			wantBits(t, "EqI64", n, out, is)
			copy(out, sel)
			AndEqU8(a.s, 1, out)
			wantBits(t, "AndEqU8", n, out, func(i int) bool { return is(i) && isSet(sel, i) })
			copy(out, sel)
			AndEqU16(wide, 1<<8, out)
			wantBits(t, "AndEqU16", n, out, func(i int) bool { return is(i) && isSet(sel, i) })
			want, one := 0, 0
			for i, x := range a.s {
				if x == 1 {
					one++
					if b.s[i] >= 1 {
						want++
					}
				}
			}
			if got := CountAndRangeU8(a.s, 1, 1, b.s, 1, 255); got != want {
				t.Fatalf("CountAndRangeU8 at %v, %d rows: %d, want %d", Active(), n, got, want)
			}
			if got := CountAndEqU8(a.s, 1, a.s, 1); got != one || CountEqU8(a.s, 1) != one {
				t.Fatalf("CountAndEqU8 at %v, %d rows: %d, want %d", Active(), n, got, one)
			}
			lo, span := uint8(r.IntN(256)), uint8(r.IntN(256))
			both := BothWithinU8(a.s, 1, 0, b.s, lo, span, out)
			wantBits(t, "BothWithinU8", n, out, func(i int) bool { return is(i) && b.s[i]-lo <= span })
			if both != Popcount(out) || BothWithinU8(a.s, lo, span, a.s, 1, 0, out) != Popcount(out) {
				t.Fatalf("BothWithinU8 at %v, %d rows, counts %d", Active(), n, both)
			}
			if CountAndRangeU8(a.s, 2, 1, b.s, 0, 255) != 0 {
				t.Fatal("an empty range counts")
			}
		})
	}
}

func TestFloatComparesAgree(t *testing.T) {
	r := seeded(t)
	odd := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1.5, math.SmallestNonzeroFloat64}
	next := func() float64 {
		if r.IntN(3) == 0 {
			return odd[r.IntN(len(odd))]
		}
		return r.NormFloat64()
	}
	for range rounds {
		n := length(r)
		xs, c := make([]float64, n), next()
		for i := range xs {
			xs[i] = next()
		}
		levels(t, func(Level) {
			out := guard(r, words(n), r.Uint64)
			EqF64(xs, c, out.s)
			wantBits(t, "EqF64", n, out.s, func(i int) bool { return xs[i] == c })
			LtF64(xs, c, out.s)
			wantBits(t, "LtF64", n, out.s, func(i int) bool { return xs[i] < c })
			LeF64(xs, c, out.s)
			wantBits(t, "LeF64", n, out.s, func(i int) bool { return xs[i] <= c })
			out.check(t, "float compare")
		})
	}
}

func TestLookupsAgree(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r)
		codes := guard(r, n, func() uint8 { return uint8(r.Uint32()) })
		table := [4]uint64{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		holds := func(i int) bool { return isSet(table[:], int(codes.s[i])) }
		sel := bitmapOf(r, n)
		size := []int{1, 2, 8, 16, 17, 100, 1024}[r.IntN(7)]
		big := make([]uint64, size)
		for i := range big {
			big[i] = r.Uint64()
		}
		span := min(64*size+r.IntN(200), 65536)
		c16 := guard(r, n, func() uint16 { return uint16(r.IntN(span)) })
		c32 := guard(r, n, func() uint32 { return uint32(r.IntN(span)) })
		in := func(c int) bool { return c < 64*size && isSet(big, c) }
		levels(t, func(Level) {
			out := guard(r, words(n), r.Uint64)
			LookupU8(codes.s, &table, out.s)
			wantBits(t, "LookupU8", n, out.s, holds)
			copy(out.s, sel)
			AndLookupU8(codes.s, &table, out.s)
			wantBits(t, "AndLookupU8", n, out.s, func(i int) bool { return holds(i) && isSet(sel, i) })
			want := 0
			for i := range n {
				if holds(i) {
					want++
				}
			}
			if got := CountLookupU8(codes.s, &table); got != want {
				t.Fatalf("CountLookupU8 at %v, %d rows: %d, want %d", Active(), n, got, want)
			}
			LookupU16(c16.s, big, out.s)
			wantBits(t, "LookupU16", n, out.s, func(i int) bool { return in(int(c16.s[i])) })
			copy(out.s, sel)
			AndLookupU16(c16.s, big, out.s)
			wantBits(t, "AndLookupU16", n, out.s, func(i int) bool { return in(int(c16.s[i])) && isSet(sel, i) })
			LookupU32(c32.s, big, out.s)
			wantBits(t, "LookupU32", n, out.s, func(i int) bool { return in(int(c32.s[i])) })
			out.check(t, "lookup")
		})
	}
}
