package simd

import (
	"math"
	"testing"
)

func TestQuotientsRoundAsGoDoes(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r)
		most := int64(math.MaxInt64)
		if r.IntN(2) == 0 {
			most = 256
		}
		num, den := guard(r, n, func() int64 { return anyInt(r) >> r.IntN(64) }), guard(r, n, func() int64 { return 1 + anyInt(r)&math.MaxInt64%(most-1) })
		div := []float64{1, 10, 1000, 3, 0, -7e18, 0.1, 1e12, float64(1 + r.Int64N(fastDivisors+9)), float64(1 + r.Int64N(300)), 1<<40 - 1}[r.IntN(11)]
		for i := range num.s { // quotients that are nearly in the middle of two doubles
			if r.IntN(2) == 0 {
				num.s[i] = (1<<53-1-r.Int64N(5))*den.s[i]>>r.IntN(12) + r.Int64N(3)
			}
		}
		levels(t, func(Level) {
			dst := guard(r, n, r.Float64)
			DivideI64(dst.s, num.s, div)
			for i, got := range dst.s {
				if want := float64(num.s[i]) / div; numberBits(got) != numberBits(want) {
					t.Fatalf("%d / %v at %v: %v, want %v", num.s[i], div, Active(), got, want)
				}
			}
			RatioI64(dst.s, num.s, den.s)
			for i, got := range dst.s {
				if want := float64(num.s[i]) / float64(den.s[i]); numberBits(got) != numberBits(want) {
					t.Fatalf("%d / %d at %v: %v, want %v", num.s[i], den.s[i], Active(), got, want)
				}
			}
			dst.check(t, "division")
		})
	}
}

func BenchmarkRatioI64(b *testing.B) {
	const n = 1024
	num, den, dst := make([]int64, n), make([]int64, n), make([]float64, n)
	for i := range num {
		num[i], den[i] = int64(i*i%99991), int64(1+i%31)
	}
	levels(b, func(l Level) {
		b.Run("ratio/"+l.String(), func(b *testing.B) {
			b.SetBytes(8 * n)
			for b.Loop() {
				RatioI64(dst, num, den)
			}
		})
		b.Run("divide/"+l.String(), func(b *testing.B) {
			b.SetBytes(8 * n)
			for b.Loop() {
				DivideI64(dst, num, 100)
			}
		})
	})
}
