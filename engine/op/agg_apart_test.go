package op

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

var apartTable = newTable(
	types.Column{Name: "g", Type: tText}, types.Column{Name: "i", Type: tInt}, types.Column{Name: "f", Type: tFloat},
	types.Column{Name: "s", Type: tText}, types.Column{Name: "on", Type: tBool})

// apartCalls are all ways in which a state grows with the values of its group, and some in which it does not.
func apartCalls() []plan.AggCall {
	set := func(name string, ret types.Type, order plan.SortKey, args ...expr.Expr) plan.AggCall {
		c := aggCall(name, ret, args...)
		f := *c.Fn
		f.OrderedSet = true
		c.Fn, c.Order = &f, []plan.SortKey{order}
		return c
	}
	distinct := func(c plan.AggCall) plan.AggCall { c.Distinct = true; return c }
	where := func(c plan.AggCall) plan.AggCall { c.Filter = col(4, tBool); return c }
	ordered := func(c plan.AggCall, k plan.SortKey) plan.AggCall { c.Order = []plan.SortKey{k}; return c }
	comma, half, most := lit(tText, ","), lit(tFloat, 0.5), lit(tFloat, 0.93)
	up := func(i int, t types.Type) plan.SortKey { return plan.SortKey{Expr: col(i, t)} }
	down := func(i int, t types.Type) plan.SortKey { return plan.SortKey{Expr: col(i, t), Desc: true} }
	return []plan.AggCall{
		countCall(), aggCall("sum", tFloat, col(2, tFloat)), where(aggCall("sum", tNumeric, col(1, tInt))),
		distinct(aggCall("count", tInt, col(3, tText))), where(distinct(aggCall("count", tInt, col(3, tText)))),
		distinct(aggCall("count", tInt, col(2, tFloat))), distinct(aggCall("sum", tNumeric, col(1, tInt))),
		distinct(aggCall("sum", tFloat, col(2, tFloat))), where(distinct(aggCall("avg", tFloat, col(2, tFloat)))),
		distinct(aggCall("string_agg", tText, col(3, tText), comma)), where(distinct(aggCall("count", tInt, addCall(col(1, tInt), lit(tInt, int64(1)))))),
		ordered(aggCall("string_agg", tText, col(3, tText), comma), down(1, tInt)),
		aggCall("string_agg", tText, col(3, tText), comma),
		set("percentile_cont", tFloat, up(2, tFloat), half), set("percentile_cont", tFloat, up(2, tFloat), most),
		where(set("percentile_disc", tText, down(3, tText), most)), set("percentile_disc", tInt, up(1, tInt), half),
		set("mode", tText, up(3, tText)), where(set("mode", tFloat, down(2, tFloat))), aggCall("median", tFloat, col(2, tFloat)),
		ordered(aggCall("any_value", tText, col(3, tText)), down(1, tInt)), aggCall("max", tText, col(3, tText)),
	}
}

func TestAggregatesComputedApartAnswerAsTogether(t *testing.T) {
	rng := seeded(t)
	calls := apartCalls()
	for _, groups := range []int{0, 1, 7, 2500} {
		rows := make([]row, 3000)
		for i := range rows {
			rows[i] = row{fmt.Sprint("g", rng.IntN(max(groups, 1))), rng.Int64N(40), float64(rng.IntN(60)) / 7, fmt.Sprint("s", rng.IntN(300)), rng.IntN(3) > 0}
			for c := range 5 {
				if rng.IntN(15) == 0 {
					rows[i][c] = nil
				}
			}
		}
		if groups == 1 {
			rows = rows[:0]
		}
		src := newSource(apartTable, rows, 900)
		n := &plan.Agg{In: scanOf(apartTable), Aggs: calls}
		if groups > 1 {
			n.Keys = []expr.Expr{col(0, tText)}
		}
		n = aggOut(n)
		wants := map[int][]row{} // by the rows of a batch, which floats are added by
		for _, e := range []Env{{Workers: 2}, {Workers: 1, HashEqual: groups < 10}, {Workers: 2, BatchRows: 3}, {Workers: 2, NoApart: true}} {
			want, ok := wants[e.BatchRows]
			if !ok {
				var err error
				if want, err = runEnv(t, src, n, Env{Workers: 1, BatchRows: e.BatchRows}); err != nil {
					t.Fatal(err)
				}
				wants[e.BatchRows] = want
			}
			e.ForceSpill, e.Spill = true, newSpace()
			got, err := runEnv(t, src, n, e)
			if err != nil {
				t.Fatal(err)
			}
			if g, w := sortedLines(got), sortedLines(want); !slices.Equal(g, w) {
				t.Errorf("%d groups, %d workers, batches of %d rows", groups, e.Workers, e.BatchRows)
				tellDifference(t, g, w)
			}
		}
	}
}

// A few groups whose values do not fit are computed apart; without a disk, or told not to, they fail.
func TestFewGroupsOfManyValuesGoToDisk(t *testing.T) {
	rng := seeded(t)
	rows := make([]row, 100_000)
	for i := range rows {
		rows[i] = row{fmt.Sprint("g", rng.IntN(3)), rng.Int64N(1 << 40), rng.Float64(), fmt.Sprint("a text of some length ", rng.Int64N(1<<40)), true}
	}
	src := newSource(apartTable, rows, 10_000)
	all := apartCalls()
	calls := []plan.AggCall{all[3], all[4], all[6], all[15], all[17]}
	const memory = 6 << 20
	for _, keyed := range []bool{false, true} {
		n := &plan.Agg{In: scanOf(apartTable), Aggs: calls}
		if keyed {
			n.Keys = []expr.Expr{col(0, tText)}
		}
		n = aggOut(n)
		want, err := runEnv(t, src, n, Env{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []Env{{}, {NoApart: true, Spill: newSpace()}} {
			e.Workers, e.Memory = 2, memory
			if _, err := runEnv(t, src, n, e); sqlstate.Code(err) != sqlstate.OutOfMemory {
				t.Fatalf("with keys: %v, apart: %v: %v, want 53200", keyed, !e.NoApart, err)
			}
		}
		space := newSpace()
		got, err := runEnv(t, src, n, Env{Workers: 2, Memory: memory, Spill: space})
		if err != nil {
			t.Fatal(err)
		}
		if g, w := sortedLines(got), sortedLines(want); !slices.Equal(g, w) {
			tellDifference(t, g, w)
			t.Fatalf("with keys: %v: another answer", keyed)
		}
		if space.Written() == 0 {
			t.Fatal("nothing was spilled")
		}
		ctx, cancel := context.WithCancel(context.Background())
		stop := newSpace()
		stop.SetReserve(func() bool { cancel(); return false }) // as soon as something goes to disk
		if _, err := runEnv(t, src, n, Env{Workers: 2, Memory: memory, Spill: stop, Ctx: &expr.Ctx{Context: ctx}}); err == nil {
			t.Fatal("a cancelled aggregation has an answer")
		}
		cancel()
		full := spill.New(vfs.NewMem(), "/spill", 1<<20)
		if _, err := runEnv(t, src, n, Env{Workers: 2, Memory: memory, Spill: full}); sqlstate.Code(err) != sqlstate.DiskFull {
			t.Fatalf("on a full disk: %v", err)
		}
	}
}
