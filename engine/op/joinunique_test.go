package op

import (
	"fmt"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// TestJoinsWithUniqueKeysFindTheSameRows: with keys of integers and texts, some NULL, over few and many gathered rows of every
// physical class, in every kind of join, with other columns behind the join, in small and large batches.
func TestJoinsWithUniqueKeysFindTheSameRows(t *testing.T) {
	rng := seeded(t)
	ts := []types.Type{tInt, tText, tBool, tFloat}
	table := newTable(types.Column{Name: "k", Type: tInt}, types.Column{Name: "s", Type: tText}, types.Column{Name: "b", Type: tBool}, types.Column{Name: "f", Type: tFloat})
	for round := range 16 {
		nulls := func(x any) any {
			if rng.IntN(10) == 0 {
				return nil
			}
			return x
		}
		spread := []int64{1, 3, 40, 6000}[round%4]
		make4 := func(k int64) row {
			return row{nulls(k), nulls(fmt.Sprint("text-", k)), nulls(k%3 == 0), nulls(float64(k) / 4)}
		}
		rows := make([]row, 1000+rng.IntN(3000))
		for i := range rows {
			rows[i] = make4(rng.Int64N(2 * spread))
		}
		src := newSource(table, rows, 1024)
		dims := make([]row, 0, spread)
		for k := range spread {
			if rng.IntN(5) > 0 || spread == 1 {
				dims = append(dims, make4(k))
			}
		}
		s := scanOf(table, cmpCall("<", col(0, tInt), lit(tInt, 3*spread/2+1)))
		kind := []plan.JoinKind{plan.Inner, plan.Left, plan.Right}[round%3]
		j := &plan.Join{Kind: kind, L: s, R: valuesOf(ts, dims)}
		if kind == plan.Right {
			j.L, j.R = j.R, j.L
		}
		key := rng.IntN(2)
		j.LeftKeys, j.RightKeys = []expr.Expr{col(key, ts[key])}, []expr.Expr{col(key, ts[key])}
		if round%5 == 4 { // whose keys are two columns, one of them not unique
			j.LeftKeys, j.RightKeys = append(j.LeftKeys, col(2, tBool)), append(j.RightKeys, col(2, tBool))
		}
		var keys []plan.SortKey
		for i, c := range j.Cols() {
			keys = append(keys, plan.SortKey{Expr: col(i, c.Type)})
		}
		sorted := &plan.Sort{In: &plan.Filter{In: j, Cond: &expr.IsNull{Arg: col(1, tText), Negate: true}}, Keys: keys}
		grouped := &plan.Sort{In: &plan.Agg{In: j, Keys: []expr.Expr{col(5, tText), col(6, tBool)}, Aggs: []plan.AggCall{aggCall("count", tInt), aggCall("sum", types.Of(types.Numeric), col(4, tInt))},
			Out: []plan.Col{{Name: "s", Type: tText}, {Name: "b", Type: tBool}, {Name: "n", Type: tInt}, {Name: "sum", Type: types.Of(types.Numeric)}}},
			Keys: []plan.SortKey{{Expr: col(0, tText)}, {Expr: col(1, tBool)}}}
		for _, n := range []*plan.Sort{sorted, grouped} {
			want := ""
			for _, off := range []bool{true, false} {
				for _, batch := range []int{0, 1, 3} {
					if batch == 1 && len(rows) > 3000 {
						continue
					}
					env := &Env{Ctx: &expr.Ctx{}, Workers: 1 + batch, NoJoinUnique: off, BatchRows: batch, Source: func(*types.Table) (column.Source, error) { return src, nil }}
					got := shown(t, env, n)
					if want == "" {
						want = got
					}
					if got != want {
						t.Fatalf("round %d, join %v on column %d with %d rows, in place %v, batches of %d: got\n%.2000s\nwant\n%.2000s", round, kind, key, len(dims), !off, batch, got, want)
					}
				}
			}
		}
	}
}
