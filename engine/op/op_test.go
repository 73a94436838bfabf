package op

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// eachShape runs f for sources of many group sizes and for one and several workers.
func eachShape(t *testing.T, rows []row, f func(t *testing.T, src *memSource, workers int)) {
	for _, size := range []int{1, 2, 3, 700, 1024, 1500, 5000} {
		if size < 10 && len(rows) > 300 {
			continue
		}
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("groups of %d, %d workers", size, workers), func(t *testing.T) {
				f(t, newSource(pingTable, rows, size), workers)
			})
		}
	}
}

func TestScanFilterProjectGivesTheRowsInOrder(t *testing.T) {
	rng := seeded(t)
	for _, n := range []int{0, 1, 200, 6000} {
		rows := randomRows(rng, n)
		var want []row
		for _, r := range rows {
			if r[0] == "release" && r[2] != nil && r[2].(int64) > 100 {
				x := row{nil, "RELEASE"}
				if r[1] != nil {
					x[0] = r[1].(int64) + r[2].(int64)
				}
				want = append(want, x)
			}
		}
		eachShape(t, rows, func(t *testing.T, src *memSource, workers int) {
			n := &plan.Project{
				In: &plan.Filter{
					In:   scanOf(pingTable, cmpCall("=", col(0, tText), lit(tText, "release"))),
					Cond: cmpCall(">", col(2, tInt), lit(tInt, int64(100))),
				},
				Out:   []plan.Col{{Name: "s", Type: tInt}, {Name: "u", Type: tText}},
				Exprs: []expr.Expr{addCall(col(1, tInt), col(2, tInt)), upperCall(col(0, tText))},
			}
			wantRows(t, "rows", run(t, src, workers, n), want)
		})
	}
}

func countCall() plan.AggCall {
	return plan.AggCall{Fn: &plan.AggFunc{Name: "count", Ret: tInt}, T: tInt}
}

func aggCall(name string, ret types.Type, args ...expr.Expr) plan.AggCall {
	return plan.AggCall{Fn: &plan.AggFunc{Name: name, Ret: ret}, Args: args, T: ret}
}

func aggOut(n *plan.Agg) *plan.Agg {
	for i, k := range n.Keys {
		n.Out = append(n.Out, plan.Col{Name: fmt.Sprint("k", i), Type: k.Type()})
	}
	for i, a := range n.Aggs {
		n.Out = append(n.Out, plan.Col{Name: fmt.Sprint("a", i), Type: a.T})
	}
	return n
}

func TestGroupByComesInOrderOfFirstAppearance(t *testing.T) {
	rng := seeded(t)
	rows := randomRows(rng, 5000)
	type group struct {
		key       [2]any
		n, nx, sx int64
		sy        float64
		ny        int64
	}
	var groups []*group
	index := map[[2]any]*group{}
	for _, r := range rows {
		k := [2]any{r[0], r[4]}
		g := index[k]
		if g == nil {
			g = &group{key: k}
			index[k] = g
			groups = append(groups, g)
		}
		g.n++
		if r[2] != nil {
			g.nx++
			g.sx += r[2].(int64)
		}
		if r[3] != nil && r[1] != nil && r[1].(int64) < 50 {
			g.sy += r[3].(float64) // eighths: exact in any order
			g.ny++
		}
	}
	var want []row
	for _, g := range groups {
		r := row{g.key[0], g.key[1], g.n, nil, nil}
		if g.nx > 0 {
			r[3] = fmt.Sprint(g.sx)
		}
		if g.ny > 0 {
			r[4] = g.sy
		}
		want = append(want, r)
	}
	eachShape(t, rows, func(t *testing.T, src *memSource, workers int) {
		sum := aggCall("sum", tFloat, col(3, tFloat))
		sum.Filter = cmpCall("<", col(1, tInt), lit(tInt, int64(50)))
		n := aggOut(&plan.Agg{In: scanOf(pingTable), Keys: []expr.Expr{col(0, tText), col(4, tBool)},
			Aggs: []plan.AggCall{countCall(), aggCall("sum", types.Of(types.Numeric), col(2, tInt)), sum}})
		wantRows(t, "groups", run(t, src, workers, n), want)
		// Without the float the workers' tables are merged in any order.
		n = aggOut(&plan.Agg{In: scanOf(pingTable), Keys: n.Keys, Aggs: n.Aggs[:2]})
		short := make([]row, len(want))
		for i := range want {
			short[i] = want[i][:4]
		}
		wantRows(t, "groups without a float", run(t, src, workers, n), short)
	})
}

func TestFloatSumIsTheSameToTheLastBitForAnyNumberOfWorkers(t *testing.T) {
	rng := seeded(t)
	rows := make([]row, 20000)
	for i := range rows {
		rows[i] = row{[]string{"a", "b", "c"}[rng.IntN(3)], int64(0), int64(0), rng.NormFloat64() * 1e10, true}
	}
	src := newSource(pingTable, rows, 1100)
	n := aggOut(&plan.Agg{In: scanOf(pingTable), Keys: []expr.Expr{col(0, tText)},
		Aggs: []plan.AggCall{aggCall("sum", tFloat, col(3, tFloat)), aggCall("stddev", tFloat, col(3, tFloat))}})
	want := run(t, src, 1, n)
	for _, workers := range []int{1, 2, 3, 7} {
		for range 3 {
			wantRows(t, fmt.Sprint(workers, " workers"), run(t, src, workers, n), want)
		}
	}
}

func TestAggregateWithoutKeysGivesOneRowOfNothing(t *testing.T) {
	src := newSource(pingTable, nil, 10)
	n := aggOut(&plan.Agg{In: scanOf(pingTable), Aggs: []plan.AggCall{countCall(), aggCall("max", tInt, col(2, tInt))}})
	for _, workers := range []int{1, 4} {
		wantRows(t, "empty", run(t, src, workers, n), []row{{int64(0), nil}})
	}
	n = aggOut(&plan.Agg{In: scanOf(pingTable), Keys: []expr.Expr{col(0, tText)}, Aggs: []plan.AggCall{countCall()}})
	wantRows(t, "empty groups", run(t, src, 1, n), nil)
}

func TestCountReadsNoColumn(t *testing.T) {
	rows := randomRows(seeded(t), 5000)
	src := newSource(pingTable, rows, 1500)
	scan := &plan.Scan{Table: pingTable}
	n := aggOut(&plan.Agg{In: scan, Aggs: []plan.AggCall{countCall()}})
	for _, m := range src.morsels {
		if g, _ := m.Open(); g == nil {
			t.Fatal("no group")
		}
	}
	src.morsels = append([]column.Morsel(nil), src.morsels...)
	for i := range src.morsels {
		src.morsels[i] = closedMorsel{src.morsels[i]}
	}
	wantRows(t, "count", run(t, src, 2, n), []row{{int64(5000)}})
}

// closedMorsel cannot be opened.
type closedMorsel struct{ column.Morsel }

func (closedMorsel) Open() (column.Group, error) { return nil, errors.New("must not be opened") }

func TestSortIsStableAndTopNIsItsPrefix(t *testing.T) {
	rng := seeded(t)
	rows := randomRows(rng, 12000)
	keys := []plan.SortKey{{Expr: col(0, tText), Desc: true, NullsFirst: true}, {Expr: col(3, tFloat)}, {Expr: col(4, tBool), Desc: true}}
	less := func(a, b any, k plan.SortKey) int {
		switch {
		case a == nil && b == nil:
			return 0
		case a == nil || b == nil:
			if (a == nil) == k.NullsFirst {
				return -1
			}
			return 1
		}
		c := 0
		switch x := a.(type) {
		case string:
			c = slices.Compare([]byte(x), []byte(b.(string)))
		case float64:
			c = column.CompareFloat(x, b.(float64))
		case bool:
			if x != b.(bool) {
				c = -1
				if x {
					c = 1
				}
			}
		}
		if k.Desc {
			return -c
		}
		return c
	}
	want := slices.Clone(rows)
	slices.SortStableFunc(want, func(a, b row) int {
		for i, c := range []int{0, 3, 4} {
			if d := less(a[c], b[c], keys[i]); d != 0 {
				return d
			}
		}
		return 0
	})
	for _, limit := range []int64{0, 1, 7, 1000, 20000} {
		eachShape(t, rows, func(t *testing.T, src *memSource, workers int) {
			w := want
			if limit > 0 {
				w = want[:min(int(limit), len(want))]
			}
			got := run(t, src, workers, &plan.Sort{In: scanOf(pingTable), Keys: keys, Limit: limit})
			wantRows(t, fmt.Sprint("limit ", limit), got, w)
		})
	}
}

func TestLimitAndOffset(t *testing.T) {
	rows := randomRows(seeded(t), 3000)
	src := newSource(pingTable, rows, 700)
	for _, c := range []struct{ count, offset int64 }{{0, 0}, {1, 0}, {10, 1020}, {5000, 2990}, {100, 5000}, {2500, 3}} {
		n := &plan.Limit{In: scanOf(pingTable), Count: lit(tInt, c.count), Offset: lit(tInt, c.offset)}
		lo := min(int(c.offset), len(rows))
		want := rows[lo:min(lo+int(c.count), len(rows))]
		wantRows(t, fmt.Sprint(c), run(t, src, 3, n), want)
	}
	_, err := runErr(src, 1, 0, &plan.Limit{In: scanOf(pingTable), Count: lit(tInt, int64(-1))})
	if sqlstate.Code(err) != "2201W" {
		t.Fatalf("negative limit: %v", err)
	}
	scan := scanOf(pingTable, cmpCall(">", col(2, tInt), lit(tInt, int64(0))))
	scan.Limit = 17
	for _, workers := range []int{1, 2} {
		if got := run(t, src, workers, scan); len(got) != 17 {
			t.Fatalf("scan limit: %d rows", len(got))
		}
	}
}

func TestJoinsAgreeWithNestedLoops(t *testing.T) {
	rng := seeded(t)
	ts := []types.Type{tInt, tText, tInt}
	side := func(n int) []row {
		out := make([]row, n)
		for i := range out {
			out[i] = row{int64(rng.IntN(20)), string(rune('a' + rng.IntN(4))), int64(i)}
			if rng.IntN(8) == 0 {
				out[i][rng.IntN(2)] = nil
			}
		}
		return out
	}
	kinds := map[string]plan.JoinKind{"inner": plan.Inner, "left": plan.Left, "right": plan.Right, "full": plan.Full,
		"semi": plan.Semi, "anti": plan.Anti}
	cond := cmpCall("<", col(2, tInt), col(5, tInt))
	for _, size := range [][2]int{{0, 5}, {5, 0}, {1, 1}, {40, 30}, {300, 70}, {3, 2000}} {
		l, r := side(size[0]), side(size[1])
		for name, kind := range kinds {
			for _, shape := range []string{"keys", "keys and condition", "condition", "two keys"} {
				n := &plan.Join{Kind: kind, L: valuesOf(ts, l), R: valuesOf(ts, r)}
				match := func(a, b row) bool { return true }
				switch shape {
				case "keys":
					n.LeftKeys, n.RightKeys = []expr.Expr{col(0, tInt)}, []expr.Expr{col(0, tInt)}
					match = func(a, b row) bool { return a[0] != nil && a[0] == b[0] }
				case "two keys":
					n.LeftKeys, n.RightKeys = []expr.Expr{col(0, tInt), col(1, tText)}, []expr.Expr{col(0, tInt), col(1, tText)}
					match = func(a, b row) bool { return a[0] != nil && a[0] == b[0] && a[1] != nil && a[1] == b[1] }
				case "keys and condition":
					n.LeftKeys, n.RightKeys, n.Cond = []expr.Expr{col(1, tText)}, []expr.Expr{col(1, tText)}, cond
					match = func(a, b row) bool { return a[1] != nil && a[1] == b[1] && a[2].(int64) < b[2].(int64) }
				case "condition":
					n.Cond = cond
					match = func(a, b row) bool { return a[2].(int64) < b[2].(int64) }
				}
				got, want := run(t, nil, 1, n), nestedLoops(kind, l, r, match)
				sortRowsText(got)
				sortRowsText(want)
				wantRows(t, fmt.Sprint(name, " by ", shape, size), got, want)
			}
		}
	}
}

func nestedLoops(kind plan.JoinKind, l, r []row, match func(a, b row) bool) []row {
	var out []row
	none := row{nil, nil, nil}
	metR := make([]bool, len(r))
	for _, a := range l {
		met := false
		for j, b := range r {
			if match(a, b) {
				met, metR[j] = true, true
				if kind != plan.Semi && kind != plan.Anti {
					out = append(out, append(slices.Clone(a), b...))
				}
			}
		}
		switch {
		case kind == plan.Semi && met, kind == plan.Anti && !met:
			out = append(out, a)
		case !met && (kind == plan.Left || kind == plan.Full):
			out = append(out, append(slices.Clone(a), none...))
		}
	}
	for j, b := range r {
		if !metR[j] && (kind == plan.Right || kind == plan.Full) {
			out = append(out, append(slices.Clone(none), b...))
		}
	}
	return out
}

func sortRowsText(rows []row) {
	slices.SortFunc(rows, func(a, b row) int {
		x, y := fmt.Sprint(a...), fmt.Sprint(b...)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
}

func TestJoinProbesInTheWorkersOfAScan(t *testing.T) {
	rows := randomRows(seeded(t), 4000)
	dim := []row{{"release", int64(1)}, {"beta", int64(2)}, {"beta", int64(3)}}
	var want int64
	for _, r := range rows {
		switch r[0] {
		case "release":
			want++
		case "beta":
			want += 2
		}
	}
	n := aggOut(&plan.Agg{Aggs: []plan.AggCall{countCall()}, In: &plan.Join{Kind: plan.Inner, L: scanOf(pingTable),
		R: valuesOf([]types.Type{tText, tInt}, dim), LeftKeys: []expr.Expr{col(0, tText)}, RightKeys: []expr.Expr{col(0, tText)}}})
	eachShape(t, rows, func(t *testing.T, src *memSource, workers int) {
		wantRows(t, "count", run(t, src, workers, n), []row{{want}})
	})
}

func TestDistinctAndSetOperations(t *testing.T) {
	ts := []types.Type{tInt}
	v := func(xs ...any) plan.Node {
		var rows []row
		for _, x := range xs {
			if x != nil {
				x = int64(x.(int))
			}
			rows = append(rows, row{x})
		}
		return valuesOf(ts, rows)
	}
	l := func() plan.Node { return v(1, 2, 2, nil, 3, nil, 2) }
	r := func() plan.Node { return v(2, 2, nil, 4) }
	out := []plan.Col{{Name: "x", Type: tInt}}
	for _, c := range []struct {
		name string
		n    plan.Node
		want string
	}{
		{"distinct", &plan.Distinct{In: l()}, "1 2 <nil> 3"},
		{"distinct on", &plan.Distinct{In: l(), On: []expr.Expr{cmpCall(">", col(0, tInt), lit(tInt, int64(1)))}}, "1 2 <nil>"},
		{"union all", &plan.SetOp{Op: plan.Union, All: true, L: l(), R: r(), Out: out}, "1 2 2 <nil> 3 <nil> 2 2 2 <nil> 4"},
		{"union", &plan.SetOp{Op: plan.Union, L: l(), R: r(), Out: out}, "1 2 <nil> 3 4"},
		{"intersect", &plan.SetOp{Op: plan.Intersect, L: l(), R: r(), Out: out}, "2 <nil>"},
		{"intersect all", &plan.SetOp{Op: plan.Intersect, All: true, L: l(), R: r(), Out: out}, "2 2 <nil>"},
		{"except", &plan.SetOp{Op: plan.Except, L: l(), R: r(), Out: out}, "1 3"},
		{"except all", &plan.SetOp{Op: plan.Except, All: true, L: l(), R: r(), Out: out}, "1 3 <nil> 2"},
	} {
		var got []any
		for _, r := range run(t, nil, 1, c.n) {
			got = append(got, r[0])
		}
		if s := fmt.Sprintln(got...); s != c.want+"\n" {
			t.Errorf("%s: got %s want %s", c.name, s, c.want)
		}
	}
}

func TestRecursiveWith(t *testing.T) {
	out := []plan.Col{{Name: "n", Type: tInt}}
	step := &plan.Project{Out: out, Exprs: []expr.Expr{addCall(col(0, tInt), lit(tInt, int64(1)))},
		In: &plan.Filter{In: &plan.CTEScan{ID: 7, Name: "n", Out: out, Working: true}, Cond: cmpCall("<", col(0, tInt), lit(tInt, int64(100)))}}
	n := &plan.With{Defs: []plan.CTE{{ID: 7, Name: "n", Plan: valuesOf([]types.Type{tInt}, []row{{int64(1)}}), Step: step, All: true}},
		In: aggOut(&plan.Agg{In: &plan.CTEScan{ID: 7, Name: "n", Out: out},
			Aggs: []plan.AggCall{countCall(), aggCall("sum", types.Of(types.Numeric), col(0, tInt))}})}
	wantRows(t, "1..100", run(t, nil, 1, n), []row{{int64(100), "5050"}})
}

func TestRecursiveWithGoesNoFurtherThanIsRead(t *testing.T) {
	out := []plan.Col{{Name: "n", Type: tInt}}
	step := &plan.Project{Out: out, Exprs: []expr.Expr{addCall(col(0, tInt), lit(tInt, int64(1)))},
		In: &plan.CTEScan{ID: 7, Name: "n", Out: out, Working: true}}
	n := &plan.With{Defs: []plan.CTE{{ID: 7, Name: "n", Plan: valuesOf([]types.Type{tInt}, []row{{int64(1)}}), Step: step, All: true}},
		In: &plan.Limit{In: &plan.CTEScan{ID: 7, Name: "n", Out: out}, Count: lit(tInt, int64(3))}}
	wantRows(t, "1, 2, 3 of all integers", run(t, nil, 2, n), []row{{int64(1)}, {int64(2)}, {int64(3)}})
}

func TestApplyAndCorrelatedSubplansSeeTheOuterRow(t *testing.T) {
	ts := []types.Type{tInt}
	l := []row{{int64(1)}, {int64(5)}, {nil}, {int64(3)}}
	inner := func(depth int) plan.Node {
		return &plan.Filter{In: valuesOf(ts, []row{{int64(2)}, {int64(4)}}),
			Cond: cmpCall(">", col(0, tInt), &expr.Outer{Depth: depth, Idx: 0, T: tInt})}
	}
	apply := &plan.Apply{Kind: plan.Left, L: valuesOf(ts, l), R: inner(1)}
	wantRows(t, "left lateral", run(t, nil, 1, apply),
		[]row{{int64(1), int64(2)}, {int64(1), int64(4)}, {int64(5), nil}, {nil, nil}, {int64(3), int64(4)}})

	count := aggOut(&plan.Agg{In: inner(1), Aggs: []plan.AggCall{countCall()}})
	scalar := &plan.Project{In: valuesOf(ts, l), Out: []plan.Col{{Name: "n", Type: tInt}, {Name: "e", Type: tBool}, {Name: "i", Type: tBool}},
		Exprs: []expr.Expr{
			&expr.Subplan{Kind: expr.SubScalar, Plan: count, Correlated: true, T: tInt},
			&expr.Subplan{Kind: expr.SubExists, Plan: inner(1), Correlated: true, Negate: true, T: tBool},
			&expr.Subplan{Kind: expr.SubIn, Arg: col(0, tInt), Plan: valuesOf(ts, []row{{int64(5)}, {nil}}), T: tBool},
		}}
	wantRows(t, "subplans", run(t, nil, 1, scalar),
		[]row{{int64(2), false, nil}, {int64(0), true, true}, {int64(0), true, nil}, {int64(1), false, nil}})

	many := &plan.Project{In: valuesOf(ts, l), Out: []plan.Col{{Name: "n", Type: tInt}},
		Exprs: []expr.Expr{&expr.Subplan{Kind: expr.SubScalar, Plan: valuesOf(ts, l), T: tInt}}}
	if _, err := runErr(nil, 1, 0, many); sqlstate.Code(err) != sqlstate.CardinalityViolation {
		t.Fatalf("two rows: %v", err)
	}
}

func TestProjectSetRunsSetsInLockstep(t *testing.T) {
	upTo := &plan.TableFunc{Name: "up_to", Ret: []plan.Col{{Name: "g", Type: tInt}},
		Call: func(_ *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
			n := 0
			for x := int64(1); x <= args[0].Int(i); x++ {
				out[0].AppendInt(x)
				n++
			}
			return n, nil
		}}
	set := func(e expr.Expr) plan.SetFunc {
		return plan.SetFunc{Fn: upTo, Args: []expr.Expr{e}, Out: upTo.Ret}
	}
	in := valuesOf([]types.Type{tInt, tInt}, []row{{int64(2), int64(1)}, {int64(0), int64(0)}, {int64(1), int64(2)}})
	n := &plan.ProjectSet{In: in, Sets: []plan.SetFunc{set(col(0, tInt)), set(col(1, tInt))}, Ordinality: true, KeepEmpty: true}
	one, two := int64(1), int64(2)
	wantRows(t, "lockstep", run(t, nil, 1, n), []row{{two, one, one, one, one}, {two, one, two, nil, two},
		{int64(0), int64(0), nil, nil, one}, {one, two, one, one, one}, {one, two, nil, two, two}})

	long := aggOut(&plan.Agg{Aggs: []plan.AggCall{countCall(), aggCall("sum", types.Of(types.Numeric), col(1, tInt))},
		In: &plan.ProjectSet{In: valuesOf([]types.Type{tInt}, []row{{int64(200000)}}), Sets: []plan.SetFunc{set(col(0, tInt))}}})
	wantRows(t, "one long set", run(t, nil, 1, long), []row{{int64(200000), "20000100000"}})
}

func TestMemoryLimitNamesOperatorAndSetting(t *testing.T) {
	rows := make([]row, 50000)
	for i := range rows {
		rows[i] = row{fmt.Sprint("client-", i), int64(i), int64(i), 1.0, true}
	}
	src := newSource(pingTable, rows, 5000)
	for name, n := range map[string]plan.Node{
		"aggregation": aggOut(&plan.Agg{In: scanOf(pingTable), Keys: []expr.Expr{col(0, tText)}, Aggs: []plan.AggCall{countCall()}}),
		"sort":        &plan.Sort{In: scanOf(pingTable), Keys: []plan.SortKey{{Expr: col(0, tText)}}},
		"hash join": &plan.Join{L: valuesOf([]types.Type{tInt}, nil), R: scanOf(pingTable), LeftKeys: []expr.Expr{col(0, tInt)},
			RightKeys: []expr.Expr{col(1, tInt)}},
	} {
		_, err := runErr(src, 2, 1<<18, n)
		var e *sqlstate.Error
		if !errors.As(err, &e) || e.Code != sqlstate.OutOfMemory {
			t.Fatalf("%s: %v", name, err)
		}
		if want := "out of memory: the " + name + " needs more than query_memory allows"; e.Message != want {
			t.Errorf("%s: %q", name, e.Message)
		}
		if _, err := runErr(src, 2, 1<<30, n); err != nil {
			t.Errorf("%s with room: %v", name, err)
		}
	}
}

func TestMemoryOfARunPerRowIsGivenBack(t *testing.T) {
	rows := make([]row, 3000)
	for i := range rows {
		rows[i] = row{"a", int64(i), int64(i), 1.0, true}
	}
	src := newSource(pingTable, rows, 1000)
	below := &plan.Filter{In: scanOf(pingTable), Cond: cmpCall("=", col(1, tInt), &expr.Outer{Depth: 1, Idx: 1, T: tInt})}
	sorted := &plan.Sort{In: below, Keys: []plan.SortKey{{Expr: col(2, tInt)}}}
	one := &plan.Project{In: sorted, Out: []plan.Col{{Name: "x", Type: tInt}}, Exprs: []expr.Expr{col(2, tInt)}}
	scalar := &plan.Project{In: scanOf(pingTable), Out: one.Out, Exprs: []expr.Expr{&expr.Subplan{Plan: one, Correlated: true, T: tInt}}}
	lateral := &plan.Apply{Kind: plan.Inner, L: scanOf(pingTable), R: sorted}
	for name, n := range map[string]plan.Node{"subplan": scalar, "lateral": lateral} {
		got, err := runErr(src, 2, 1<<16, n)
		if err != nil || len(got) != len(rows) {
			t.Errorf("%s: %d rows, %v", name, len(got), err)
		}
	}
}

func TestCancelEndsARunningQuery(t *testing.T) {
	rows := randomRows(seeded(t), 20000)
	src := newSource(pingTable, rows, 100)
	ctx, cancel := context.WithCancel(context.Background())
	env := &Env{Ctx: &expr.Ctx{Context: ctx}, Workers: 3, Source: func(*types.Table) (column.Source, error) { return src, nil }}
	r, err := Run(env, scanOf(pingTable))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	cancel()
	for {
		b, err := r.Next()
		if err != nil {
			if sqlstate.Code(err) != sqlstate.QueryCanceled {
				t.Fatal(err)
			}
			return
		}
		if b == nil {
			t.Fatal("the query ended as if nobody had cancelled it")
		}
	}
}

func TestCloseBeforeTheEndLeavesNoGoroutine(t *testing.T) {
	rows := randomRows(seeded(t), 200000)
	src := newSource(pingTable, rows, 60000)
	env := &Env{Workers: 3, Source: func(*types.Table) (column.Source, error) { return src, nil }}
	r, err := Run(env, scanOf(pingTable))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	r.Close() // goleak in TestMain looks
}

func TestErrorOfTheEarliestRowIsReported(t *testing.T) {
	rows := make([]row, 20000)
	for i := range rows {
		rows[i] = row{"a", int64(i), int64(i), 1.0, true}
	}
	boom := &expr.Func{Name: "boom", Args: []types.Type{tInt}, Ret: tInt, Volatile: expr.Volatile,
		Eval: func(_ *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			out.SetFlat(tInt, n)
			var err error
			sel.All(func(i int) {
				if x := a[0].Int(i); x >= 7000 && err == nil {
					err = sqlstate.New(sqlstate.DivisionByZero, "row %d", x)
				}
			})
			return err
		}}
	n := &plan.Project{In: scanOf(pingTable), Out: []plan.Col{{Name: "x", Type: tInt}},
		Exprs: []expr.Expr{&expr.Call{Fn: boom, Args: []expr.Expr{col(2, tInt)}, T: tInt}}}
	src := newSource(pingTable, rows, 500)
	for range 20 {
		got, err := runErr(src, 3, 0, n)
		if err == nil || err.Error() != "row 7000" {
			t.Fatalf("got %v", err)
		}
		if len(got) != 7000 {
			t.Fatalf("%d rows before the error", len(got))
		}
	}
}

func TestAnalyzeCountsRowsAndPruning(t *testing.T) {
	rows := make([]row, 4000)
	for i := range rows {
		rows[i] = row{"a", int64(i), int64(i), 1.0, true}
	}
	src := newSource(pingTable, rows, 1000)
	scan := scanOf(pingTable, cmpCall("<", col(1, tInt), lit(tInt, int64(1500))))
	n := aggOut(&plan.Agg{In: scan, Keys: []expr.Expr{col(0, tText)}, Aggs: []plan.AggCall{countCall()}})
	a := &Analysis{}
	r, err := Run(&Env{Workers: 2, Analyze: a, Source: func(*types.Table) (column.Source, error) { return src, nil }}, n)
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			break
		}
	}
	r.Close()
	st := a.Node(scan)
	if st.Rows() != 1500 || st.Scan().Morsels != 4 || st.Scan().GroupsPruned != 2 || st.Scan().RowsIn != 4000 {
		t.Errorf("scan: %d rows, %+v", st.Rows(), *st.Scan())
	}
	if a.Node(n).Rows() != 1 {
		t.Errorf("aggregate: %d rows", a.Node(n).Rows())
	}
}
