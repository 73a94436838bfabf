package codec

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

// TestPackedPlansAreTheLongOnes holds the plan of one pass against the one that looks at everything.
func TestPackedPlansAreTheLongOnes(t *testing.T) {
	const seed = 20261121
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	shapes := map[string]func(i int) int64{
		"zero":           func(int) int64 { return 0 },
		"one":            func(int) int64 { return 1 },
		"small":          func(int) int64 { return rnd.Int64N(5) },
		"small, rare":    func(int) int64 { return max(0, rnd.Int64N(100)-98) },
		"without zero":   func(int) int64 { return 7 + rnd.Int64N(200) },
		"negative":       func(int) int64 { return rnd.Int64N(9) - 4 },
		"exceptions":     func(i int) int64 { return rnd.Int64N(3) << (i % 40 / 39 * 30) },
		"ascending":      func(i int) int64 { return int64(3 * i) },
		"whole range":    func(int) int64 { return int64(rnd.Uint64()) },
		"largest":        func(i int) int64 { return math.MaxInt64 * int64(i&1) },
		"blocks differ":  func(i int) int64 { return int64(i / blockValues * 1000) },
		"constant tails": func(i int) int64 { return int64(min(1, i/blockValues)) },
	}
	var long, short intsWriter
	for name, of := range shapes {
		for _, n := range []int{1, 2, 17, blockValues - 1, blockValues, blockValues + 1, 5*blockValues + 3} {
			vals := make([]int64, n)
			for i := range vals {
				vals[i] = of(i)
			}
			p, q := long.plan(vals, allowFOR), short.planPacked(vals)
			want, got := long.write(nil, vals, p), short.write(nil, vals, q)
			if !bytes.Equal(got, want) || q.size != p.size {
				t.Errorf("%s, %d values: kind %d of %d bytes, want kind %d of %d", name, n, q.kind, q.size, p.kind, p.size)
			}
		}
	}
}
