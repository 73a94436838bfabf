package op

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// keyedPlans are DISTINCT and every set operation over the same rows.
func keyedPlans(l, r func() plan.Node, out []plan.Col) map[string]plan.Node {
	on := []expr.Expr{col(0, out[0].Type), col(1, out[1].Type)}
	sorted := func(first, second int) plan.Node {
		var ks []plan.SortKey
		for _, i := range []int{first, second, 2} {
			ks = append(ks, plan.SortKey{Expr: col(i, out[i].Type)})
		}
		return &plan.Distinct{In: &plan.Sort{In: l(), Keys: ks}, On: on}
	}
	plans := map[string]plan.Node{
		"distinct":                         &plan.Distinct{In: l()},
		"distinct on sorted":               sorted(0, 1),
		"distinct on sorted the other way": sorted(1, 0),
	}
	for op, name := range map[plan.SetOpKind]string{plan.Union: "union", plan.Intersect: "intersect", plan.Except: "except"} {
		plans[name] = &plan.SetOp{Op: op, L: l(), R: r(), Out: out}
		plans[name+" all"] = &plan.SetOp{Op: op, All: true, L: l(), R: r(), Out: out}
	}
	return plans
}

// DISTINCT and set operations give the same rows when they go to disk, and where hashes are no good.
func TestDistinctAndSetOperationsOnDiskAnswerAsInMemory(t *testing.T) {
	rng := seeded(t)
	ts := []types.Type{tText, tInt, tInt}
	out := []plan.Col{{Name: "a", Type: tText}, {Name: "b", Type: tInt}, {Name: "c", Type: tInt}}
	for range 3 {
		domain := 1 + rng.IntN(40)
		rows := func(n int) []row {
			out := make([]row, n)
			for i := range out {
				out[i] = row{fmt.Sprint("k", rng.IntN(domain)), int64(rng.IntN(domain)), int64(rng.IntN(3))}
				if rng.IntN(8) == 0 {
					out[i][rng.IntN(3)] = nil
				}
			}
			return out
		}
		left, right := rows(1+rng.IntN(6000)), rows(rng.IntN(6000))
		l := func() plan.Node { return valuesOf(ts, left) }
		r := func() plan.Node { return valuesOf(ts, right) }
		for name, n := range keyedPlans(l, r, out) {
			want, err := runEnv(t, nil, n, Env{Workers: 1})
			if err != nil {
				t.Fatal(name, err)
			}
			if err := wantByHand(name, left, right, want); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, e := range []Env{
				{Workers: 1, ForceSpill: true, Spill: newSpace()},
				{Workers: 1, ForceSpill: true, HashEqual: true, Spill: newSpace()},
			} {
				got, err := runEnv(t, nil, n, e)
				if err != nil {
					t.Fatal(name, err)
				}
				if strings.HasPrefix(name, "distinct on") {
					wantRows(t, name, got, want) // it keeps the order
				} else if !slices.Equal(sortedLines(got), sortedLines(want)) {
					t.Errorf("%s: %d rows, want %d (all hashes equal: %v)", name, len(got), len(want), e.HashEqual)
				}
			}
		}
	}
}

// wantByHand checks set operations against counts of equal rows.
func wantByHand(name string, left, right, got []row) error {
	count := func(rows []row) map[string]int {
		m := map[string]int{}
		for _, r := range rows {
			m[show([]row{r})]++
		}
		return m
	}
	l, r, g := count(left), count(right), count(got)
	rule, ok := map[string]func(l, r int) int{
		"distinct":      func(l, _ int) int { return min(l, 1) },
		"union":         func(l, r int) int { return min(l+r, 1) },
		"union all":     func(l, r int) int { return l + r },
		"intersect":     func(l, r int) int { return min(l, r, 1) },
		"intersect all": func(l, r int) int { return min(l, r) },
		"except":        func(l, r int) int { return min(l, max(1-r, 0)) },
		"except all":    func(l, r int) int { return max(l-r, 0) },
	}[name]
	if !ok {
		return nil
	}
	for _, m := range []map[string]int{l, r, g} {
		for k := range m {
			if w := rule(l[k], r[k]); g[k] != w {
				return fmt.Errorf("%q is there %d times, not %d", k, g[k], w)
			}
		}
	}
	return nil
}

// Within a memory that their keys do not fit in, they go on on disk, and fail there with what is wrong with the disk.
func TestDistinctAndSetOperationsGoOnBeyondTheirMemory(t *testing.T) {
	const n, memory = 120_000, 5 << 19
	series := func(from int) func() plan.Node {
		rows := make([]row, n)
		for i := range rows {
			rows[i] = row{fmt.Sprint(from + i/2), int64(i / 2), int64(from)}
		}
		v := valuesOf([]types.Type{tText, tInt, tInt}, rows)
		return func() plan.Node { return v }
	}
	out := []plan.Col{{Name: "a", Type: tText}, {Name: "b", Type: tInt}, {Name: "c", Type: tInt}}
	same := series(1)
	for name, want := range map[string]int{"distinct": n / 2, "union": n / 2, "intersect all": n, "distinct on sorted": n / 2} {
		p := keyedPlans(same, same, out)[name]
		space := newSpace()
		got, err := runEnv(t, nil, p, Env{Workers: 1, Memory: memory, Spill: space})
		if err != nil {
			t.Fatal(name, err)
		}
		if len(got) != want {
			t.Errorf("%s: %d rows, want %d", name, len(got), want)
		}
		if space.Written() == 0 {
			t.Errorf("%s: nothing was spilled", name)
		}
	}
	for _, name := range []string{"distinct", "intersect"} {
		p := keyedPlans(same, same, out)[name]
		if _, err := runEnv(t, nil, p, Env{Workers: 1, Memory: memory}); sqlstate.Code(err) != sqlstate.OutOfMemory {
			t.Errorf("%s without a disk: %v", name, err)
		}
		full := spill.New(vfs.NewMem(), "/spill", 16<<10)
		if _, err := runEnv(t, nil, p, Env{Workers: 1, Memory: memory, Spill: full}); sqlstate.Code(err) != sqlstate.DiskFull {
			t.Errorf("%s on a full disk: %v", name, err)
		}
	}
}
