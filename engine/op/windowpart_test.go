package op

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
)

// clusterTable has what partitions and orders may be of.
var clusterTable = newTable(types.Column{Name: "client", Type: tText}, types.Column{Name: "k", Type: tInt}, types.Column{Name: "ts", Type: tInt},
	types.Column{Name: "x", Type: types.Of(types.Int32)}, types.Column{Name: "f", Type: tFloat}, types.Column{Name: "b", Type: tBool}, types.Column{Name: "id", Type: tInt})

// clusterRows makes rows that lie together as telemetry does, more or less: sorted by client and time in some segments, with ties,
// with some rows out of place, or in no order at all.
func clusterRows(rng *rand.Rand, n int) []row {
	clients := 1 + rng.IntN(max(1, n/[]int{1, 3, 10, 100}[rng.IntN(4)]))
	nulls := func(x any) any {
		if rng.IntN(15) == 0 {
			return nil
		}
		return x
	}
	allNull := rng.IntN(3) > 0
	rows := make([]row, n)
	for i := range rows {
		c := rng.IntN(clients)
		r := row{fmt.Sprintf("client-%05d-%d", c*7919%clients, c), int64(c % 40), rng.Int64N(int64(2 + n/clients)), rng.Int64N(1000) - 500, float64(rng.IntN(50)) / 4, rng.IntN(2) == 0, nil}
		if allNull {
			for k := range 6 {
				r[k] = nulls(r[k])
			}
		}
		rows[i] = r
	}
	less := func(a, b row) int {
		for _, k := range []int{0, 2} {
			switch {
			case a[k] == nil && b[k] == nil:
			case a[k] == nil:
				return 1
			case b[k] == nil:
				return -1
			default:
				if x, y := fmt.Sprintf("%012v", a[k]), fmt.Sprintf("%012v", b[k]); x != y {
					if x < y {
						return -1
					}
					return 1
				}
			}
		}
		return 0
	}
	if order := rng.IntN(4); order > 0 {
		segments := 1 + rng.IntN(5)
		for s := range segments {
			slices.SortStableFunc(rows[s*n/segments:(s+1)*n/segments], less)
		}
		for range (order - 1) * n / 50 {
			i, j := rng.IntN(n), rng.IntN(n)
			rows[i], rows[j] = rows[j], rows[i]
		}
	}
	for i := range rows {
		rows[i][6] = int64(i)
	}
	return rows
}

// randomWindow makes a window over the columns of clusterTable.
func randomWindow(rng *rand.Rand, in plan.Node) *plan.Window {
	tShort := types.Of(types.Int32)
	ts := []types.Type{tText, tInt, tInt, tShort, tFloat, tBool, tInt}
	w := &plan.Window{In: in}
	for range 1 + rng.IntN(2) {
		c := []int{0, 0, 0, 1, 4, 5}[rng.IntN(6)]
		w.Partition = append(w.Partition, col(c, ts[c]))
	}
	for range rng.IntN(3) {
		c := []int{2, 2, 2, 3, 0, 4}[rng.IntN(6)]
		w.Order = append(w.Order, plan.SortKey{Expr: col(c, ts[c]), Desc: rng.IntN(4) == 0, NullsFirst: rng.IntN(4) == 0})
	}
	frame := func() plan.Frame {
		f := plan.DefaultFrame()
		f.Mode = []plan.FrameMode{plan.FrameRange, plan.FrameRange, plan.FrameRows, plan.FrameGroups}[rng.IntN(4)]
		if rng.IntN(4) == 0 {
			f.Start.Kind = plan.CurrentRow
			f.End.Kind = plan.UnboundedFollowing
		}
		if f.Mode == plan.FrameRows && rng.IntN(2) == 0 {
			f.Start = plan.Bound{Kind: plan.Preceding, Offset: lit(tInt, int64(2))}
		}
		if len(w.Order) > 0 {
			f.Exclude = []plan.Exclusion{plan.ExcludeNone, plan.ExcludeNone, plan.ExcludeNone, plan.ExcludeCurrent, plan.ExcludeTies}[rng.IntN(5)]
		}
		return f
	}
	fn := func(name string, t types.Type, args ...expr.Expr) plan.WindowCall {
		return plan.WindowCall{Fn: &plan.WindowFunc{Name: name, Ret: t}, Args: args, T: t, Frame: frame()}
	}
	ag := func(name string, t types.Type, args ...expr.Expr) plan.WindowCall {
		c := aggCall(name, t, args...)
		if rng.IntN(4) == 0 {
			c.Filter = col(5, tBool)
		}
		return plan.WindowCall{Agg: &c, T: t, Frame: frame()}
	}
	all := []plan.WindowCall{fn("row_number", tInt), fn("rank", tInt), fn("dense_rank", tInt), fn("cume_dist", tFloat), fn("ntile", tInt, lit(tInt, int64(3))),
		fn("lag", tShort, col(3, tShort)), fn("lag", tText, col(0, tText), lit(tInt, int64(2))), fn("lead", tFloat, col(4, tFloat)), fn("lead", tShort, col(3, tShort), lit(tInt, int64(1)), lit(tShort, int64(-7))),
		fn("first_value", tText, col(0, tText)), fn("last_value", tInt, col(6, tInt)), ag("count", tInt), ag("count", tInt, col(3, tShort)),
		ag("sum", tInt, col(3, tShort)), ag("sum", tInt, col(3, tShort)), ag("sum", types.Of(types.Numeric), col(2, tInt)), ag("min", tShort, col(3, tShort)), ag("max", tText, col(0, tText)), ag("avg", tFloat, col(4, tFloat)), ag("bool_or", tBool, col(5, tBool))}
	for range 1 + rng.IntN(4) {
		c := all[rng.IntN(len(all))]
		w.Calls = append(w.Calls, c)
		w.Out = append(w.Out, plan.Col{Name: "w", Type: c.T})
	}
	return w
}

// TestWindowsOverClustersAreThoseOverSortedRows: rows in every order, with the partitions and orders of random columns, some or all
// columns used above, in batches of any size, by any number of workers, within memory and not.
func TestWindowsOverClustersAreThoseOverSortedRows(t *testing.T) {
	rng := seeded(t)
	for round := range 20 {
		src := newSource(clusterTable, clusterRows(rng, 1+rng.IntN(2500)), 512)
		var in plan.Node = scanOf(clusterTable)
		if rng.IntN(3) == 0 {
			in = scanOf(clusterTable, cmpCall("<", col(3, types.Of(types.Int32)), lit(types.Of(types.Int32), int64(200))))
		}
		w := randomWindow(rng, in)
		var n plan.Node = w
		if rng.IntN(4) == 0 { // a window over a window
			n = randomWindow(rng, w)
		}
		if rng.IntN(2) == 0 {
			if rng.IntN(2) == 0 {
				n = &plan.Filter{In: n, Cond: &expr.IsNull{Arg: col(2, tInt), Negate: true}}
			}
			p := &plan.Project{In: n}
			for i, c := range n.Cols() {
				if rng.IntN(2) == 0 {
					p.Exprs, p.Out = append(p.Exprs, col(i, c.Type)), append(p.Out, c)
				}
			}
			n = p
		}
		want, err := runEnv(t, src, n, Env{Workers: 1, NoClusters: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, env := range []Env{{Workers: 1}, {Workers: 3}, {Workers: 2, BatchRows: 1}, {Workers: 1, BatchRows: 3}, {Workers: 2, Spill: newSpace(), ForceSpill: true},
			{Workers: 2, Spill: newSpace(), Memory: 1 << 20}, {Workers: 2, HashEqual: true}} {
			got, err := runEnv(t, src, n, env)
			if err != nil {
				t.Fatalf("round %d, %+v: %v", round, env, err)
			}
			wantRows(t, fmt.Sprintf("round %d, %d workers, batches of %d, memory %d, spill %v, partition %v, order %v", round, env.Workers, env.BatchRows, env.Memory, env.ForceSpill,
				w.Partition, w.Order), got, want)
		}
	}
}

// TestOnePartitionOfManyPartsWorth: a partition is never cut, and the others come in order behind it.
func TestOnePartitionOfManyPartsWorth(t *testing.T) {
	rng := seeded(t)
	rows := make([]row, 3*partRows)
	for i := range rows {
		c := "one"
		if i%7 == 0 {
			c = fmt.Sprintf("other-%04d", rng.IntN(3000))
		}
		rows[i] = row{c, int64(0), rng.Int64N(100), int64(1), 1.0, true, int64(i)}
	}
	src := newSource(clusterTable, rows, 8192)
	sum := aggCall("count", tInt)
	w := &plan.Window{In: scanOf(clusterTable), Partition: []expr.Expr{col(0, tText)}, Order: []plan.SortKey{{Expr: col(2, tInt)}},
		Calls: []plan.WindowCall{{Agg: &sum, T: tInt, Frame: plan.DefaultFrame()}}, Out: []plan.Col{{Name: "n", Type: tInt}}}
	want, err := runEnv(t, src, w, Env{Workers: 1, NoClusters: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := runEnv(t, src, w, Env{Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, "rows", got, want)
}
