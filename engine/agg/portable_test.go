package agg

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestAResetStateIsANewOne: whatever it held, and whether it has more groups or fewer then.
func TestAResetStateIsANewOne(t *testing.T) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, c := range []*plan.AggCall{call("count", tInt), call("count", tInt, tInt), call("sum", tNumeric, tInt), call("avg", tNumeric, tInt),
		call("sum", tInt, tInt4), call("min", tInt, tInt), call("max", tInt, tInt)} {
		used, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			fresh, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			n := 1 + rng.IntN(300)
			p := partialOf(rng, n)
			var want, got vec.Vector
			want.Reset(c.T)
			got.Reset(c.T)
			for s, out := range map[State]*vec.Vector{fresh: &want, used: &got} {
				s.Grow(n)
				s.(Portable).AddPartial(p)
				if err := s.Result(0, n, out); err != nil {
					t.Fatal(err)
				}
			}
			if fmt.Sprint(want) != fmt.Sprint(got) {
				t.Fatalf("seed %d, %s of %d groups: a state that was reset has\n%v, not\n%v", seed, c.Fn.Name, n, got, want)
			}
			used.(Portable).Reset()
		}
	}
}

// partialOf returns what some rows of some of n groups come to.
func partialOf(rng *rand.Rand, n int) *Partial {
	p := &Partial{}
	for range rng.IntN(2 * n) {
		k := rng.Int64N(3)
		p.Groups = append(p.Groups, uint32(rng.IntN(n)))
		p.N = append(p.N, k)
		x := k * rng.Int64N(1<<20)
		p.Exact = append(p.Exact, kernel.IntSum{Lo: uint64(x), N: k})
		p.Min, p.Max = append(p.Min, x), append(p.Max, x)
	}
	return p
}
