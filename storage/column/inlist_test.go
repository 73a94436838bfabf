package column

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestAListHasTheSameRowsThroughItsFilter compares flat vectors with looking into the list row by row.
func TestAListHasTheSameRowsThroughItsFilter(t *testing.T) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 0))
	passed := 0
	for round := range 400 {
		leaf := []types.Leaf{types.LeafInt, types.LeafText}[round%2]
		domain := 1 + rng.IntN(300)
		list := listOf(rng, leaf, rng.IntN(2*filteredMost), domain)
		v := &vec.Vector{}
		v.Reset(leaf.Type())
		n := 1 + rng.IntN(300)
		for range n {
			if rng.IntN(10) == 0 {
				v.AppendNull()
			} else {
				appendOf(v, leaf, rng.IntN(domain))
			}
		}
		sel, want := vec.MakeBitmap(n), vec.MakeBitmap(n)
		p := &Pred{Op: OpIn, Leaf: leaf, List: list}
		for i := range n {
			if rng.IntN(4) > 0 {
				sel.Set(i)
				want.SetTo(i, !v.Null(i) && p.holds(v, i))
			}
		}
		if err := p.Apply(v, sel); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(sel, want) {
			t.Fatalf("seed %d, round %d: rows %b, not %b", seed, round, sel, want)
		}
		passed += sel.Count()
	}
	if passed == 0 {
		t.Error("no row ever passed")
	}
}

func appendOf(v *vec.Vector, leaf types.Leaf, x int) {
	if leaf == types.LeafInt {
		v.AppendInt(int64(x-20) * 0x123456789)
		return
	}
	v.AppendString([]string{"", fmt.Sprint(x), fmt.Sprintf("value %08d of many", x)}[x%3])
}

func listOf(rng *rand.Rand, leaf types.Leaf, n, domain int) *vec.Vector {
	all := map[int]bool{}
	for range n {
		all[rng.IntN(domain)] = true
	}
	values := &vec.Vector{}
	values.Reset(leaf.Type())
	for x := range all {
		appendOf(values, leaf, x)
	}
	order := make([]uint32, values.N)
	for i := range order {
		order[i] = uint32(i)
	}
	compare := func(a, b uint32) int {
		if leaf == types.LeafInt {
			return cmp.Compare(values.Int(int(a)), values.Int(int(b)))
		}
		return slices.Compare(values.Bytes(int(a)), values.Bytes(int(b)))
	}
	slices.SortFunc(order, compare)
	order = slices.CompactFunc(order, func(a, b uint32) bool { return compare(a, b) == 0 })
	out := &vec.Vector{}
	out.Reset(leaf.Type())
	vec.AppendIndexed(out, values, order)
	return out
}
