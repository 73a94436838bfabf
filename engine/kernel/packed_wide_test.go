package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWideLanesCountAndSumByCode compares with one addition a row.
func TestWideLanesCountAndSumByCode(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	var lanes WideLanes
	for range 100 {
		n, rows := 1+rng.IntN(WideMost), 1+rng.IntN(5000)
		least := rng.Int64N(1<<40) - 1<<39
		codes, xs := make([]uint16, rows), make([]int64, rows)
		counts, sums := make([]int64, n), make([]int64, n)
		wantCounts, wantSums := make([]int64, n), make([]int64, n)
		var pos []uint16
		all := rng.IntN(2) == 0
		for i := range codes {
			codes[i], xs[i] = uint16(rng.IntN(n)), least+rng.Int64N(1<<32)
			if all || rng.IntN(3) == 0 {
				pos = append(pos, uint16(i))
				wantCounts[codes[i]]++
				wantSums[codes[i]] += xs[i]
			}
		}
		lanes.Reset(n)
		if all {
			PackCodes16(codes, xs, least, &lanes)
		} else {
			PackCodesAt16(codes, xs, pos, least, &lanes)
		}
		lanes.Unpack(least, counts, sums)
		if !slices.Equal(counts, wantCounts) || !slices.Equal(sums, wantSums) {
			t.Fatalf("%d rows of %d codes: got %v and %v, want %v and %v", rows, n, counts, sums, wantCounts, wantSums)
		}
	}
}

// TestStepCodesAreTheIntervalsOfValues compares with a search among the cuts.
func TestStepCodesAreTheIntervalsOfValues(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	for range 100 {
		s := Steps{Least: rng.Int64N(2000) - 1000, Shift: uint(rng.IntN(12))}
		parts := 1 + rng.IntN(1024)
		end := s.Least + int64(parts)<<s.Shift
		for range rng.IntN(300) {
			s.Cuts = append(s.Cuts, s.Least+1+rng.Int64N(end-s.Least))
		}
		slices.Sort(s.Cuts)
		s.Cuts = append(slices.Compact(s.Cuts), 1<<62)
		for p := range parts {
			c := 0
			for s.Cuts[c] <= s.Least+int64(p)<<s.Shift {
				c++
			}
			s.First = append(s.First, uint16(c))
		}
		xs, out := make([]int64, 500), make([]uint16, 500)
		for i := range xs {
			xs[i] = s.Least + rng.Int64N(end-s.Least)
		}
		StepCodes(xs, &s, out)
		for i, x := range xs {
			if want := slices.IndexFunc(s.Cuts, func(c int64) bool { return x < c }); int(out[i]) != want {
				t.Fatalf("%d is in step %d, want %d", x, out[i], want)
			}
		}
	}
}
