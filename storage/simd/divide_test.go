package simd

import (
	"testing"
)

func TestQuotientsRoundAsGoDoes(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r)
		num, den := guard(r, n, func() int64 { return anyInt(r) }), guard(r, n, func() int64 { return anyInt(r) })
		div := []float64{1, 10, 1000, 3, 0, -7e18}[r.IntN(6)]
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
