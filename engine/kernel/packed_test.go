package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPackedCodesCountAndSumAsTwoTablesDo fills the lanes of a row group in blocks, at the ends of what may be packed.
func TestPackedCodesCountAndSumAsTwoTablesDo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var lanes, plain Lanes
	for range 60 {
		groups := []int{1, 2, 200, 256}[rng.IntN(4)]
		least := []int64{0, -7, 1 << 45, -1 << 45, -1 << 31}[rng.IntN(5)]
		top := []uint64{1, 1000, 1 << 32}[rng.IntN(3)]
		counts, sums := make([]int64, groups), make([]int64, groups)
		wantCounts, wantSums := make([]int64, groups), make([]int64, groups)
		for left := PackedRows; left > 0; {
			n := min(left, []int{1, 7, 1024, 4095, 4096}[rng.IntN(5)]+3000*rng.IntN(2))
			left -= n
			codes, xs := make([]uint8, n), make([]int64, n)
			var pos []uint16
			for i := range codes {
				codes[i], xs[i] = uint8(rng.IntN(groups)), least+int64(top-1-rng.Uint64N(2)%top)
				if rng.IntN(3) == 0 {
					pos = append(pos, uint16(i))
				}
			}
			at := pos
			if rng.IntN(2) == 0 {
				PackCodes8(codes, xs, least, &lanes)
				at = nil
				for i := range codes {
					at = append(at, uint16(i))
				}
			} else {
				PackCodesAt8(codes, xs, pos, least, &lanes)
			}
			CountCodesAt8(codes, at, &plain)
			plain.Fold(wantCounts)
			SumCodesAt8(codes, xs, at, &plain)
			plain.Fold(wantSums)
		}
		lanes.UnpackCodes8(least, counts, sums)
		if !slices.Equal(counts, wantCounts) || !slices.Equal(sums, wantSums) {
			t.Fatalf("%d groups from %d: counts %v, want %v; sums %v, want %v", groups, least, counts, wantCounts, sums, wantSums)
		}
	}
	if lanes != (Lanes{}) {
		t.Error("the lanes were not cleared")
	}
}

// BenchmarkCountAndSum compares two tables with one of numbers that hold both.
func BenchmarkCountAndSum(b *testing.B) {
	codes, xs := make([]uint8, 4096), make([]int64, 4096)
	for i := range codes {
		codes[i], xs[i] = uint8(rand.IntN(240)), rand.Int64N(1000)
	}
	var a, c Lanes
	counts, sums := make([]int64, 240), make([]int64, 240)
	run := func(name string, block, end func()) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for range PackedRows / 4096 {
					block()
				}
				end()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/PackedRows, "ns/row")
		})
	}
	run("two", func() { CountCodes8(codes, &a); SumCodes8(codes, xs, &c) }, func() { a.Fold(counts); c.Fold(sums) })
	run("packed", func() { PackCodes8(codes, xs, 0, &a) }, func() { a.UnpackCodes8(0, counts, sums) })
}
