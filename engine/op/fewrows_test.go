package op

import (
	"fmt"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// TestAnAggregationTakesNoMoreWorkersThanItHasRowsFor: by the row groups that the manifest leaves; the answer stays.
func TestAnAggregationTakesNoMoreWorkersThanItHasRowsFor(t *testing.T) {
	table := newTable(types.Column{Name: "at", Type: tInt}, types.Column{Name: "who", Type: tText})
	rows := make([]row, 10000)
	for i := range rows {
		rows[i] = row{int64(i), fmt.Sprint("client-", i*7%631)}
	}
	src := newSource(table, rows, 1000)
	for i, m := range src.morsels {
		src.morsels[i] = knownMorsel{memMorsel: m.(memMorsel)}
	}
	for _, c := range []struct {
		below      int64 // rows from the first one
		each, want int   // rows of each worker, and workers
		keys       bool
	}{
		{10000, 0, 4, true}, {10000, 1000, 4, true}, {10000, 4000, 3, true}, {10000, 20000, 1, true},
		{2500, 4000, 1, true}, {2500, 1000, 3, true}, {0, 1000, 1, true}, {2500, 4000, 4, false},
	} {
		n := &plan.Agg{In: scanOf(table, cmpCall("<", col(0, tInt), lit(tInt, c.below))), Aggs: []plan.AggCall{countCall(), aggCall("sum", tNumeric, col(0, tInt))}}
		if c.keys {
			n.Keys = []expr.Expr{col(1, tText)}
		}
		for _, k := range n.Keys {
			n.Out = append(n.Out, plan.Col{Type: k.Type()})
		}
		for _, a := range n.Aggs {
			n.Out = append(n.Out, plan.Col{Type: a.T})
		}
		env := &Env{Ctx: &expr.Ctx{}, Workers: 4, WorkerRows: c.each, Analyze: &Analysis{},
			Source: func(*types.Table) (column.Source, error) { return src, nil }}
		r, err := Run(env, n)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for {
			b, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if b == nil {
				break
			}
			for i := range b.N {
				var x row
				for _, v := range b.Cols {
					x = append(x, valueAt(v, i))
				}
				got[fmt.Sprint(x)] = true
			}
		}
		r.Close()
		want := run(t, src, 1, n)
		if len(got) != len(want) {
			t.Errorf("%+v: %d groups, want %d", c, len(got), len(want))
		}
		for _, x := range want {
			if !got[fmt.Sprint(x)] {
				t.Errorf("%+v: no group %v", c, x)
			}
		}
		if workers := env.Analyze.Node(n.In).Workers(); workers != int64(c.want) {
			t.Errorf("%+v: %d workers", c, workers)
		}
	}
}
