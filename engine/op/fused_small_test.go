package op

import (
	"fmt"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// BenchmarkSmallTable compares the two paths where there are few rows: what is paid for each query.
func BenchmarkSmallTable(b *testing.B) {
	rows := make([]row, 100)
	for i := range rows {
		rows[i] = row{fmt.Sprint("channel ", i%5), fmt.Sprint("country ", i%30), int64(i), int64(20000 + i), int64(i), float64(i), i%2 == 0, int64(i)}
	}
	src := newSource(wideTable, rows, 100)
	numeric := types.Of(types.Numeric)
	n := &plan.Agg{In: scanOf(wideTable), Keys: []expr.Expr{col(2, tInt)}, Aggs: []plan.AggCall{countCall()}}
	for range 10 {
		n.Aggs = append(n.Aggs, aggCall("sum", numeric, addCall(col(4, tInt), lit(tInt, int64(len(n.Aggs))))))
	}
	aggOut(n)
	for _, off := range []bool{true, false} {
		b.Run(fmt.Sprintf("fused=%v", !off), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				env := &Env{Ctx: &expr.Ctx{}, Workers: 1, NoFused: off, Source: func(*types.Table) (column.Source, error) { return src, nil }}
				r, err := Run(env, n)
				if err != nil {
					b.Fatal(err)
				}
				for {
					if batch, err := r.Next(); err != nil {
						b.Fatal(err)
					} else if batch == nil {
						break
					}
				}
				r.Close()
			}
		})
	}
}
