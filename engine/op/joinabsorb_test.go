package op

import (
	"fmt"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/types"
)

// TestSemiJoinsThatTheScanDecidesKeepTheirRows: keys of every class, some NULL, that are dictionaries, constants or plain, with deleted
// rows, one or two joins, below aggregations that take row groups whole and those that do not; and the plan's nodes count as
// many rows.
func TestSemiJoinsThatTheScanDecidesKeepTheirRows(t *testing.T) {
	rng := seeded(t)
	absorbed := 0
	for round := range prove.Rounds(16, 40) {
		src, order := shapedSource(rng, round%2 == 0)
		n := randomFusable(rng, order)
		var joins []*plan.Join
		for range 1 + rng.IntN(2) {
			c := []int{0, 1, 2, 3, 4, 5, 6}[rng.IntN(7)]
			typ := wideTable.Columns[c].Type
			var dims []row
			for range []int{0, 1, 20, 3000}[rng.IntN(4)] {
				dims = append(dims, row{shapedRows(rng, 1)[0][c]})
			}
			if len(dims) > 20 { // some that there are
				for i, r := range shapedRows(rng, len(dims)) {
					dims[i][0] = r[c]
				}
			}
			j := &plan.Join{Kind: plan.Semi, L: n.In, R: valuesOf([]types.Type{typ}, dims), LeftKeys: []expr.Expr{col(c, typ)}, RightKeys: []expr.Expr{col(0, typ)}}
			if rng.IntN(5) == 0 { // not the scan's to decide
				j.Cond = cmpCall("<", col(2, tInt), lit(tInt, int64(60)))
			}
			joins, n.In = append(joins, j), j
		}
		ordered := slices.ContainsFunc(n.Aggs, func(c plan.AggCall) bool { return c.Fn.Name == "array_agg" })
		want, err := runEnv(t, src, n, Env{Workers: 1, NoJoinFilter: true, NoJoinKeys: true, NoFused: true})
		if err != nil {
			t.Fatal(err)
		}
		rows := int64(-1)
		for _, env := range []Env{{Workers: 1, NoJoinFilter: true}, {Workers: 1, NoFused: true}, {Workers: 2, NoJoinKeys: true}, {Workers: 1}, {Workers: 3}, {Workers: 2, BatchRows: 3}} {
			if env.BatchRows > 0 && slices.ContainsFunc(n.Aggs, addsFloats) {
				// Floats are added in words of 64 rows of a batch: all but these have to be the same.
				n = aggOut(&plan.Agg{In: n.In, Keys: n.Keys, Aggs: slices.DeleteFunc(slices.Clone(n.Aggs), addsFloats)})
				if want, err = runEnv(t, src, n, Env{Workers: 1, NoJoinFilter: true, NoJoinKeys: true, NoFused: true}); err != nil {
					t.Fatal(err)
				}
			}
			env.Analyze = &Analysis{}
			got, err := runEnv(t, src, n, env)
			if err != nil {
				t.Fatal(err)
			}
			if what := fmt.Sprintf("round %d, %+v", round, env); ordered {
				wantRows(t, what, got, want)
			} else if g, w := sortedLines(got), sortedLines(want); !slices.Equal(g, w) {
				tellDifference(t, g, w)
				t.Fatal(what)
			}
			out := env.Analyze.Node(joins[len(joins)-1]).Rows()
			if rows < 0 {
				rows = out
			}
			if out != rows {
				t.Fatalf("round %d, %+v: the join counts %d rows, not %d", round, env, out, rows)
			}
			if st := env.Analyze.Node(scanBelow(n.In)); !env.NoJoinFilter && st != nil && st.Scan() != nil && st.Scan().RowsOut == rows && rows > 0 {
				absorbed++
			}
		}
	}
	if absorbed == 0 {
		t.Error("no scan decided a join")
	}
}

// addsFloats tells whether the last bits of an aggregate depend on the order of additions.
func addsFloats(c plan.AggCall) bool {
	return c.T.Phys() == types.PhysFloat64 && c.Fn.Name != "min" && c.Fn.Name != "max"
}

func scanBelow(n plan.Node) *plan.Scan {
	for {
		if s, ok := n.(*plan.Scan); ok {
			return s
		}
		n = n.Inputs()[0]
	}
}
