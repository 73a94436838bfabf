package op

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var (
	tUUID = types.Of(types.UUID)
	tDate = types.Of(types.Date)
)

// visitTable has keys of few words, and is in the order of some of them.
var visitTable = newTable(
	types.Column{Name: "id", Type: tUUID}, types.Column{Name: "day", Type: tDate}, types.Column{Name: "n", Type: tInt},
	types.Column{Name: "b", Type: tBool}, types.Column{Name: "x", Type: tInt}, types.Column{Name: "s", Type: tText})

func visitRows(rng *rand.Rand, n, clients int) []row {
	run, nulls, spread := 1+rng.IntN(8), []int{0, 0, 20}[rng.IntN(3)], []int64{50, 1 << 50, math.MaxInt64}[rng.IntN(3)]
	rows := make([]row, n)
	c, day := rng.IntN(clients), int64(20000)
	for i := range rows {
		if rng.IntN(run) == 0 {
			c, day = rng.IntN(clients), 20000
		} else if rng.IntN(2) == 0 {
			day++
		}
		id := fmt.Sprintf("%08d-a-client", c)[:16]
		rows[i] = row{id, day, int64(c%300) << 40, c%3 == 0, rng.Int64N(spread) - spread/3, textOf(c)}
		for k := range 6 {
			if nulls > 0 && rng.IntN(100) < nulls {
				rows[i][k] = nil
			}
		}
		if rng.IntN(500) == 0 && nulls > 0 {
			rows[i][1] = int64(math.MaxInt64) // infinity
		}
	}
	return rows
}

// textOf returns a text for a client: one that many have, short ones, and long ones of which some are very long.
func textOf(c int) string {
	switch {
	case c%5 == 0:
		return ""
	case c%5 == 1:
		return fmt.Sprint("c", c%1000)
	case c == 1207:
		return strings.Repeat("long", textChunk)
	}
	return fmt.Sprintf("the text of client %d", c/2)
}

func visitSource(rng *rand.Rand) (src *memSource, rows int) {
	src = &memSource{t: visitTable}
	clients := 1 + rng.IntN(3000)
	for range 1 + rng.IntN(5) {
		n := []int{1, 300, 1100, 4000, 5000}[rng.IntN(5)]
		rows += n
		part := visitRows(rng, n, clients)
		g := &shapedGroup{Mem: newSource(visitTable, part, n).morsels[0].(memMorsel).g, shapes: map[types.Path]*shapedColumn{}}
		for c, col := range visitTable.Columns {
			g.shapes[types.Path(col.Name)] = shape(rng, part, c, col.Type)
		}
		if rng.IntN(3) == 0 {
			g.dead = vec.MakeBitmap(n)
			for i := range n {
				g.dead.SetTo(i, rng.IntN(4) == 0)
			}
		}
		src.morsels = append(src.morsels, g)
	}
	return src, rows
}

func visitAgg(rng *rand.Rand) *plan.Agg {
	x, numeric := col(4, tInt), types.Of(types.Numeric)
	keys := []expr.Expr{col(0, tUUID), col(1, tDate), col(2, tInt), col(3, tBool), addCall(col(2, tInt), lit(tInt, int64(1))), col(5, tText), col(5, tText)}
	calls := []plan.AggCall{countCall(), aggCall("count", tInt, x), aggCall("sum", numeric, x), aggCall("avg", numeric, x), aggCall("min", tInt, x),
		aggCall("max", tInt, x), aggCall("min", tDate, col(1, tDate)), aggCall("count", tInt, col(5, tText)), aggCall("sum", numeric, addCall(col(2, tInt), x))}
	n := &plan.Agg{}
	for _, i := range rng.Perm(len(keys))[:1+rng.IntN(3)] {
		n.Keys = append(n.Keys, keys[i])
	}
	for range rng.IntN(5) {
		c := calls[rng.IntN(len(calls))]
		if c.Fn.Name == "sum" && rng.IntN(3) == 0 {
			c.Filter = isPositive(col(2, tInt))
		}
		n.Aggs = append(n.Aggs, c)
	}
	s := scanOf(visitTable)
	if rng.IntN(3) == 0 {
		s.Filter = []expr.Expr{col(3, tBool)}
	}
	n.In = s
	return aggOut(n)
}

// TestScatteredGroupsAreTheGroupsOfATable compares aggregations that scatter their groups, and what runs above them, with those
// that keep them in tables, and sees that the order of the groups is the same however they came to the partitions.
func TestScatteredGroupsAreTheGroupsOfATable(t *testing.T) {
	rng := seeded(t)
	var runs, scattered int64
	for round := range prove.Rounds(20, 60) {
		src, rows := visitSource(rng)
		n := visitAgg(rng)
		plain := Env{Workers: 1, NoFused: true, NoScatter: true, ManyGroups: 1 << 30}
		answer := func(e Env, n plan.Node) []row {
			got, err := runEnv(t, src, n, e)
			if err != nil {
				t.Fatalf("round %d, %d rows: %v", round, rows, err)
			}
			return got
		}
		wanted := map[plan.Node][]string{}
		check := func(e Env, n plan.Node) []row {
			if wanted[n] == nil {
				wanted[n] = sortedLines(answer(plain, n))
			}
			got := answer(e, n)
			if lines, want := sortedLines(got), wanted[n]; !slices.Equal(lines, want) {
				t.Logf("round %d, %+v, %s", round, e, describe(src, visited(n)))
				tellDifference(t, lines, want)
			}
			return got
		}
		order := show(check(Env{Workers: 1, ManyGroups: 1}, n))
		for _, e := range []Env{{Workers: 2, ManyGroups: 1}, {Workers: 4, ManyGroups: 1}, {Workers: 3, ManyGroups: 1, NoRuns: true},
			{Workers: 2, ManyGroups: 1, NoFused: true}, {Workers: 3, ManyGroups: 1, BatchRows: 64},
			{Workers: 2, ManyGroups: 1, NoFused: true, BatchRows: 64}, {Workers: 3, ManyGroups: 1, NoFused: true, BatchRows: 64, NoScatterRows: true}} {
			if got := show(check(e, n)); got != order {
				t.Fatalf("round %d, %+v, %s: the order of the groups is another one", round, e, describe(src, n))
			}
		}
		if groups := strings.Count(order, "\n"); groups > 1 { // groups of few rows come to the same order from any number on that is below theirs
			soon := 1 + rng.IntN(groups-1)
			for _, e := range []Env{{Workers: 1, SoonGroups: soon}, {Workers: 3, SoonGroups: soon}, {Workers: 2, SoonGroups: soon, NoFused: true},
				{Workers: 1, SoonGroups: soon, NoFused: true, BatchRows: 64}, {Workers: 3, SoonGroups: soon, BatchRows: 64, NoScatterRows: true},
				{Workers: 2, SoonGroups: soon, ManyGroups: soon + 1}} {
				if got := show(answer(e, n)); got != order {
					t.Fatalf("round %d, %+v, %d groups, %s: the order of the groups is another one", round, e, groups, describe(src, n))
				}
			}
		}
		for _, e := range []Env{{Workers: 2, ManyGroups: 200}, {Workers: 2, NoScatter: true, ManyGroups: 100}, {Workers: 1},
			{Workers: 2, ManyGroups: 1, NoScatterTexts: true}, {Workers: 2, ManyGroups: 100, NoFused: true, BatchRows: 64, ForceSpill: true, Spill: newSpace()},
			{Workers: 3, ManyGroups: 1, ForceSpill: true, Spill: newSpace()}, {Workers: 2, ManyGroups: 300, ForceSpill: true, Spill: newSpace()},
			{Workers: 2, ManyGroups: 1, HashEqual: rows < 2500}} {
			check(e, n)
		}
		for _, above := range aboveGroups(rng, n) {
			check(Env{Workers: 3, ManyGroups: 1}, above)
			check(Env{Workers: 1, ManyGroups: 1}, above)
			check(Env{Workers: 2, ManyGroups: 1, NoScatterRows: true}, above)
			check(Env{Workers: 2, ManyGroups: 1, ForceSpill: true, Spill: newSpace()}, above)
		}
		first := &plan.Sort{In: n, Limit: 10, Keys: []plan.SortKey{{Expr: col(len(n.Out)-1, n.Out[len(n.Out)-1].Type), Desc: rng.IntN(2) == 0}}}
		ties := show(answer(Env{Workers: 1, ManyGroups: 1, NoTopPush: true}, first))
		for workers := range 3 {
			if got := show(answer(Env{Workers: workers + 1, ManyGroups: 1}, first)); got != ties {
				t.Fatalf("round %d, %d workers, %s: of equal groups others come first\n%s\nwant\n%s", round, workers+1, describe(src, n), got, ties)
			}
		}
		var a Analysis
		answer(Env{Workers: 1, ManyGroups: 1, Analyze: &a}, n)
		if f := a.Node(n).Fused(); f != nil {
			runs += f.Runs.Load()
			scattered += f.Scattered.Load()
		}
	}
	if runs == 0 || scattered == 0 {
		t.Errorf("%d row groups by runs, %d scattered", runs, scattered)
	}
}

// visited returns the lowest aggregation.
func visited(n plan.Node) *plan.Agg {
	for {
		if a, ok := n.(*plan.Agg); ok {
			if _, ok := a.In.(*plan.Scan); ok {
				return a
			}
		}
		n = n.Inputs()[0]
	}
}

// aboveGroups are plans over groups: grouped again, with and without a projection between, sorted, and streamed.
func aboveGroups(rng *rand.Rand, n *plan.Agg) []plan.Node {
	last := len(n.Out) - 1
	t := n.Out[last].Type
	again := aggOut(&plan.Agg{In: n, Keys: []expr.Expr{col(last, t)}, Aggs: []plan.AggCall{countCall(), aggCall("count", tInt, col(0, n.Out[0].Type))}})
	p := &plan.Project{In: n, Exprs: []expr.Expr{col(last, t)}, Out: []plan.Col{{Name: "k", Type: t}}}
	all := aggOut(&plan.Agg{In: p, Aggs: []plan.AggCall{countCall(), aggCall("count", tInt, col(0, t))}})
	sort := &plan.Sort{In: n, Limit: int64(rng.IntN(2) * 10)}
	from, desc := rng.IntN(len(n.Out)), rng.IntN(2) == 0
	for k := range n.Out {
		i := (from + k) % len(n.Out)
		sort.Keys = append(sort.Keys, plan.SortKey{Expr: col(i, n.Out[i].Type), Desc: desc, NullsFirst: rng.IntN(2) == 0})
	}
	return []plan.Node{again, p, all, sort, ofKeys(n)}
}

// ofKeys groups groups by all their keys but the last, of which it asks for what there is.
func ofKeys(n *plan.Agg) plan.Node {
	last := len(n.Keys) - 1
	t := n.Out[last].Type
	a := &plan.Agg{In: n, Aggs: []plan.AggCall{aggCall("count", tInt, col(last, t)), countCall()}}
	if t == tInt {
		numeric := types.Of(types.Numeric)
		a.Aggs = append(a.Aggs, aggCall("sum", numeric, col(last, t)), aggCall("min", tInt, col(last, t)), aggCall("max", tInt, col(last, t)))
	}
	for i := range last {
		a.Keys = append(a.Keys, col(i, n.Out[i].Type))
	}
	return aggOut(a)
}

// The upper of two levels goes to disk while the texts of its keys lie in the arenas of the lower one, which did not.
func TestAnUpperLevelOnDiskKeepsTheTextsOfTheLowerOne(t *testing.T) {
	rng := seeded(t)
	rows := make([]row, 30_000)
	for i := range rows {
		rows[i] = row{nil, fmt.Sprint("a client whose name is long ", rng.IntN(90_000)), nil, nil, nil, rng.Int64N(1000), nil}
		if rng.IntN(20) == 0 {
			rows[i][1] = "short"
		}
	}
	src := newSource(keyTable, rows, 5000)
	call := aggCall("count", tInt, col(5, tInt))
	call.Distinct = true
	n := aggOut(&plan.Agg{In: scanOf(keyTable), Keys: []expr.Expr{col(1, tText)}, Aggs: []plan.AggCall{call}})
	want, err := runEnv(t, src, n, Env{Workers: 1, NoScatter: true})
	if err != nil {
		t.Fatal(err)
	}
	space := newSpace()
	env := Env{Workers: 2, ManyGroups: 1, Spill: space, Source: func(*types.Table) (column.Source, error) { return src, nil }}
	x := &exec{env: &env, mem: &memory{}, workers: 2, once: &sync.Map{}, spill: space}
	b := newBuilder(x, &expr.Ctx{Context: context.Background()}, nil)
	upper := twoLevels(n)
	lower := &aggRows{b: b, n: upper.In.(*plan.Agg)}
	if err := lower.prepare(); err != nil || lower.some == nil || len(lower.some.texts) == 0 {
		t.Fatalf("the lower level has no texts in memory: %v", err)
	}
	if space.Written() > 0 {
		t.Fatal("the lower level is on disk")
	}
	env.ForceSpill = true
	r := &aggRows{b: b, n: upper, done: true}
	if err := r.over(&pipeline{b: b, rows: lower, source: lower}); err != nil {
		t.Fatal(err)
	}
	var got []row
	for {
		out, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if out == nil {
			break
		}
		for i := range out.N {
			got = append(got, row{valueAt(out.Cols[0], i), valueAt(out.Cols[1], i)})
		}
	}
	runs := 0 // on disk, or in the block of a file that is not full
	for _, e := range r.m.ends {
		if e.part != nil {
			runs += len(e.part.runs)
		}
	}
	if r.some == nil || runs == 0 || r.some.l.below == nil {
		t.Fatalf("the upper level was spilled in %d runs, scattered: %v", runs, r.some != nil)
	}
	r.Close()
	if g, w := sortedLines(got), sortedLines(want); !slices.Equal(g, w) {
		t.Fatalf("%d groups, want %d", len(g), len(w))
	}
	if space.Used() != 0 || x.mem.used.Load() != 0 {
		t.Fatalf("%d bytes are left on disk, %d in memory", space.Used(), x.mem.used.Load())
	}
}
