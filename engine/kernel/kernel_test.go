package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func words(n int) int { return (n + 63) / 64 }

// sizes cross the edges of words.
var sizes = []int{0, 1, 2, 63, 64, 65, 127, 128, 1000, 1024}

func randomBits(rng *rand.Rand, n int) []uint64 {
	b := make([]uint64, words(n))
	density := rng.IntN(5)
	for i := range n {
		if rng.IntN(4) < density {
			b[i>>6] |= 1 << (i & 63)
		}
	}
	return b
}

func isSet(b []uint64, i int) bool { return b[i>>6]>>(i&63)&1 == 1 }

func TestComparisonsSetExactlyTheBitsThatHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range sizes {
		xs, codes := make([]int64, n), make([]uint32, n)
		for i := range xs {
			xs[i], codes[i] = int64(rng.IntN(5)), uint32(rng.IntN(5))
		}
		table := []uint64{0b10110}
		for name, f := range map[string]struct {
			run  func(out []uint64)
			want func(i int) bool
		}{
			"eq":     {func(o []uint64) { Eq(xs, 2, o) }, func(i int) bool { return xs[i] == 2 }},
			"lt":     {func(o []uint64) { Lt(xs, 2, o) }, func(i int) bool { return xs[i] < 2 }},
			"gt":     {func(o []uint64) { Gt(xs, 2, o) }, func(i int) bool { return xs[i] > 2 }},
			"codes":  {func(o []uint64) { EqCodes(codes, 2, o) }, func(i int) bool { return codes[i] == 2 }},
			"lookup": {func(o []uint64) { Lookup(codes, table, o) }, func(i int) bool { return table[0]>>codes[i]&1 == 1 }},
		} {
			out := make([]uint64, words(n))
			for i := range out {
				out[i] = rng.Uint64() // old contents must not shine through
			}
			f.run(out)
			count := 0
			for i := range n {
				if isSet(out, i) != f.want(i) {
					t.Fatalf("%s of %d: bit %d", name, n, i)
				}
				if f.want(i) {
					count++
				}
			}
			if Count(out) != count || CountAnd(out, out) != count {
				t.Fatalf("%s of %d: bits above the rows", name, n)
			}
		}
	}
}

func total(hi int64, lo uint64) *big.Int {
	x := new(big.Int).Lsh(big.NewInt(hi), 32)
	return x.Add(x, new(big.Int).SetUint64(lo))
}

func TestIntegerSumsAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, n := range sizes {
		for range 20 {
			xs, groups := make([]int64, n), make([]uint32, n)
			for i := range xs {
				xs[i] = []int64{math.MaxInt64, math.MinInt64, -1, 0, rng.Int64()}[rng.IntN(5)]
				groups[i] = uint32(rng.IntN(3))
			}
			sel := randomBits(rng, n)
			all, some := new(big.Int), new(big.Int)
			byGroup, someByGroup := [3]*big.Int{{}, {}, {}}, [3]*big.Int{{}, {}, {}}
			var pos []uint16
			for i, x := range xs {
				all.Add(all, big.NewInt(x))
				byGroup[groups[i]].Add(byGroup[groups[i]], big.NewInt(x))
				if isSet(sel, i) {
					pos = append(pos, uint16(i))
					some.Add(some, big.NewInt(x))
					someByGroup[groups[i]].Add(someByGroup[groups[i]], big.NewInt(x))
				}
			}
			if got := total(SumInt(xs)); got.Cmp(all) != 0 {
				t.Fatalf("sum of %d: %s want %s", n, got, all)
			}
			if got := total(SumIntBits(xs, sel)); got.Cmp(some) != 0 {
				t.Fatalf("sum of bits of %d: %s want %s", n, got, some)
			}
			if got := total(SumIntSel(xs, pos)); got.Cmp(some) != 0 {
				t.Fatalf("sum of positions of %d: %s want %s", n, got, some)
			}
			var whole, part [3]IntSum
			SumGroups(xs, groups, whole[:])
			SumGroupsBits(xs, groups, sel, part[:])
			rows := int64(0)
			for g := range 3 {
				rows += part[g].N
				if total(whole[g].Hi, whole[g].Lo).Cmp(byGroup[g]) != 0 || total(part[g].Hi, part[g].Lo).Cmp(someByGroup[g]) != 0 {
					t.Fatalf("group %d of %d", g, n)
				}
			}
			if rows != int64(len(pos)) {
				t.Fatalf("%d rows counted, want %d", rows, len(pos))
			}
		}
	}
}

func TestFloatSumsAndRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, n := range sizes {
		xs, is := make([]float64, n), make([]int64, n)
		sel := randomBits(rng, n)
		var all, some float64
		least, most := int64(math.MaxInt64), int64(math.MinInt64)
		for i := range xs {
			xs[i], is[i] = float64(rng.IntN(1000))/4, rng.Int64()-rng.Int64() // quarters add up exactly
			all += xs[i]
			if isSet(sel, i) {
				some += xs[i]
				least, most = min(least, is[i]), max(most, is[i])
			}
		}
		if got, lost := SumFloats(0, 0, xs, nil); got+lost != all {
			t.Fatalf("%d: %v want %v", n, got, all)
		}
		if got, lost := SumFloats(0, 0, xs, sel); got+lost != some {
			t.Fatalf("%d bits: %v want %v", n, got, some)
		}
		if Count(sel) > 0 {
			if a, b := Range(is, sel); a != least || b != most {
				t.Fatalf("%d: range %d..%d want %d..%d", n, a, b, least, most)
			}
		}
	}
}

func TestTwoSumKeepsWhatRoundingLoses(t *testing.T) {
	var s, c float64
	for _, x := range []float64{1e16, 1, 1, 1, -1e16} {
		s, c = TwoSum(s, c, x)
	}
	if s+c != 3 {
		t.Fatal(s, c)
	}
}

func TestGroupCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, n := range append(sizes, 5000) {
		for _, groups := range []int{1, 7, 256, 257, 3000} {
			gs := make([]uint32, n)
			sel := randomBits(rng, n)
			want, some := make([]int64, groups), make([]int64, groups)
			for i := range gs {
				gs[i] = uint32(rng.IntN(groups))
				want[gs[i]]++
				if isSet(sel, i) {
					some[gs[i]]++
				}
			}
			got, gotSome := make([]int64, groups), make([]int64, groups)
			CountGroups(gs, got)
			CountGroupsBits(gs, sel, gotSome)
			for g := range groups {
				if got[g] != want[g] || gotSome[g] != some[g] {
					t.Fatalf("%d rows in %d groups: group %d", n, groups, g)
				}
			}
		}
	}
}

func benchValues(n int) ([]int64, []uint32) {
	rng := rand.New(rand.NewPCG(5, 5))
	xs, gs := make([]int64, n), make([]uint32, n)
	for i := range xs {
		xs[i], gs[i] = rng.Int64N(1000), uint32(rng.IntN(5))
	}
	return xs, gs
}

func BenchmarkKernels(b *testing.B) {
	const n = 1024
	xs, gs := benchValues(n)
	out := make([]uint64, words(n))
	half := make([]uint64, words(n))
	Lt(xs, 500, half)
	few := make([]uint64, words(n))
	Lt(xs, 50, few)
	counts, sums := make([]int64, 5), make([]IntSum, 5)
	for _, k := range []struct {
		name string
		run  func()
	}{
		{"less than to bitmap", func() { Lt(xs, 500, out) }},
		{"code equals to bitmap", func() { EqCodes(gs, 3, out) }},
		{"sum", func() { SumInt(xs) }},
		{"sum of half", func() { SumIntBits(xs, half) }},
		{"sum of 5 percent", func() { SumIntBits(xs, few) }},
		{"count by 5 groups", func() { CountGroups(gs, counts) }},
		{"sum by 5 groups", func() { SumGroups(xs, gs, sums) }},
	} {
		b.Run(k.name, func(b *testing.B) {
			for b.Loop() {
				k.run()
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e9, "Grows/s")
		})
	}
}

func TestSumsOfFloatsDependOnValuesAndPlacesAlone(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	xs, sel := make([]float64, 1000), randomBits(rng, 1000)
	for i := range xs {
		xs[i] = rng.NormFloat64() * math.Exp(rng.NormFloat64()*8)
	}
	whole, lost := SumFloats(0, 0, xs, sel)
	full := make([]uint64, words(1000))
	for i := range 1000 {
		full[i>>6] |= 1 << (i & 63)
	}
	a, b := SumFloats(0, 0, xs, nil)
	if c, d := SumFloats(0, 0, xs, full); c != a || d != b {
		t.Error("a bitmap of all rows gives another sum than none")
	}
	for cut := 64; cut < 1000; cut += 64 {
		s, c := SumFloats(0, 0, xs[:cut], sel[:cut/64])
		if s, c = SumFloats(s, c, xs[cut:], sel[cut/64:]); s != whole || c != lost {
			t.Fatalf("cut at %d: %v %v, want %v %v", cut, s, c, whole, lost)
		}
	}
}
