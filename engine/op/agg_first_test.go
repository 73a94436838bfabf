package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
)

// TestAnyGroupsAreWholeGroups compares a grouping that any groups will do for with the one of all groups.
func TestAnyGroupsAreWholeGroups(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, 0))
	narrowed := 0
	for round := range 60 {
		rows := keyRows(rng, 200+rng.IntN(2000))
		src := newSource(keyTable, rows, 100+rng.IntN(900))
		n := &plan.Agg{In: scanOf(keyTable), Aggs: []plan.AggCall{countCall(), aggCall("sum", tNumeric, col(5, tInt)), aggCall("min", tText, col(1, tText))}}
		if rng.IntN(3) == 0 {
			n.In = scanOf(keyTable, isPositive(col(5, tInt)))
		}
		keys := []expr.Expr{col(0, tInt), col(1, tText), col(2, tFloat), col(3, tNumeric), col(4, tBool), addCall(col(0, tInt), lit(tInt, int64(1))), lit(tInt, int64(3))}
		rng.Shuffle(len(keys), func(i, k int) { keys[i], keys[k] = keys[k], keys[i] })
		n.Keys = keys[:1+rng.IntN(3)]
		for _, k := range n.Keys {
			n.Out = append(n.Out, plan.Col{Type: k.Type()})
		}
		for _, a := range n.Aggs {
			n.Out = append(n.Out, plan.Col{Type: a.T})
		}
		all := map[string]bool{}
		for _, r := range run(t, src, 1, n) {
			all[fmt.Sprint(r)] = true
		}
		some := *n
		some.Limit = int64(1 + rng.IntN(20))
		for _, workers := range []int{1, 3} {
			got := run(t, src, workers, &some)
			if len(got) < min(int(some.Limit), len(all)) {
				t.Fatalf("seed %d, round %d: %d groups, %d wanted of %d", seed, round, len(got), some.Limit, len(all))
			}
			if len(got) < len(all) {
				narrowed++
			}
			for _, r := range got {
				if !all[fmt.Sprint(r)] {
					t.Fatalf("seed %d, round %d: %v is no group", seed, round, r)
				}
			}
		}
	}
	if narrowed < 20 {
		t.Errorf("only %d of 120 read less than all groups", narrowed)
	}
}
