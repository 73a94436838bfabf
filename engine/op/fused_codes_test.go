package op

import (
	"fmt"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Codes of rows that did not pass are looked up with those of the rows beside them: they may not be what an earlier row group,
// with more codes, left in the worker's memory.
func TestCodesOfAnEarlierRowGroupAreForgottenWhereNoRowPasses(t *testing.T) {
	table := newTable(types.Column{Name: "k", Type: tInt}, types.Column{Name: "in", Type: tInt}, types.Column{Name: "s", Type: tText})
	const group = 2 * vec.BatchRows
	rows := make([]row, 2*group)
	for i := range rows {
		rows[i] = row{int64(i % 200), int64(1), fmt.Sprint("text ", i*7%1009)}
		if second := i - group; second >= 0 {
			rows[i][0] = int64(i % 100)
			if second%(5*vec.BlockRows) >= 10 {
				rows[i][1] = int64(0)
			}
		}
	}
	src := newSource(table, rows, group)
	n := aggOut(&plan.Agg{In: scanOf(table, cmpCall("=", col(1, tInt), lit(tInt, int64(1)))), Keys: []expr.Expr{col(0, tInt)},
		Aggs: []plan.AggCall{countCall(), aggCall("min", tText, col(2, tText))}})
	var a Analysis
	got := runFused(t, src, 1, false, &a, n)
	wantRows(t, "two row groups", got, runFused(t, src, 1, true, nil, n))
	if f := a.Node(n).Fused(); f == nil || f.Dense.Load() != 2 {
		t.Errorf("the row groups were not taken by code: %+v", f)
	}
}
