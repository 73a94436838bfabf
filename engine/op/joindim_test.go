package op

import (
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
)

// TestAggregationsOverDimensionsAreThoseOverTheirJoins: one or two dimension tables with keys of every class, unique mostly, NULLs on
// both sides, grouped by columns of the dimensions and of the table, with a projection between or not.
func TestAggregationsOverDimensionsAreThoseOverTheirJoins(t *testing.T) {
	rng := seeded(t)
	whole := 0
	for round := range 25 {
		src, _ := shapedSource(rng, round%2 == 0)
		var in plan.Node = scanOf(wideTable)
		if rng.IntN(3) == 0 {
			in = scanOf(wideTable, cmpCall("<", col(2, tInt), lit(tInt, int64(50))))
		}
		width := len(wideTable.Columns)
		at := []int{width} // where a dimension's first column is
		for range 1 + rng.IntN(2) {
			c := []int{0, 1, 2, 3, 4, 6}[rng.IntN(6)]
			typ := wideTable.Columns[c].Type
			var dims []row
			known := map[any]bool{}
			for _, r := range shapedRows(rng, []int{1, 30, 2000}[rng.IntN(3)]) {
				if !known[r[c]] || rng.IntN(2000) == 0 {
					known[r[c]] = true
					dims = append(dims, row{r[c], r[1], r[2], r[6]})
				}
			}
			in = &plan.Join{Kind: plan.Inner, L: in, R: valuesOf([]types.Type{typ, tText, tInt, tBool}, dims), LeftKeys: []expr.Expr{col(c, typ)}, RightKeys: []expr.Expr{col(0, typ)}}
			at = append(at, len(in.Cols()))
		}
		if rng.IntN(2) == 0 {
			p := &plan.Project{In: in}
			for i, c := range in.Cols() {
				p.Exprs, p.Out = append(p.Exprs, col(i, c.Type)), append(p.Out, c)
			}
			in = p
		}
		n := &plan.Agg{In: in}
		cols := in.Cols()
		for range 1 + rng.IntN(2) {
			k := rng.IntN(len(cols))
			if rng.IntN(3) > 0 {
				k = at[0] + 1 + rng.IntN(3)
			}
			n.Keys = append(n.Keys, col(k, cols[k].Type))
		}
		n.Aggs = []plan.AggCall{countCall(), aggCall("sum", types.Of(types.Numeric), col(4, tInt)), aggCall("max", tFloat, col(5, tFloat))}
		if rng.IntN(6) == 0 { // of the dimension
			n.Aggs = append(n.Aggs, aggCall("min", tText, col(at[0]+1, tText)))
		}
		aggOut(n)
		want, err := runEnv(t, src, n, Env{Workers: 1, NoJoinFilter: true, NoJoinUnique: true, NoFused: true})
		if err != nil {
			t.Fatal(err)
		}
		joined := int64(-1)
		for _, env := range []Env{{Workers: 1, NoJoinUnique: true}, {Workers: 1, NoJoinFilter: true}, {Workers: 1}, {Workers: 3}, {Workers: 2, BatchRows: 3},
			{Workers: 2, Spill: newSpace(), ForceSpill: true}, {Workers: 2, HashEqual: true}} {
			env.Analyze = &Analysis{}
			got, err := runEnv(t, src, n, env)
			if err != nil {
				t.Fatal(err)
			}
			if g, w := sortedLines(got), sortedLines(want); !slices.Equal(g, w) {
				tellDifference(t, g, w)
				t.Fatalf("round %d, keys %v, %+v", round, n.Keys, env)
			}
			out := env.Analyze.Node(in).Rows()
			if joined < 0 {
				joined = out
			}
			if out != joined {
				t.Fatalf("round %d, %+v: %d rows are joined, not %d", round, env, out, joined)
			}
			if f := env.Analyze.Node(n).Fused(); f != nil {
				whole++
			}
		}
	}
	if whole == 0 {
		t.Error("no aggregation took row groups whole")
	}
}
