package op

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// shapedGroup is a row group whose columns have forms as a segment's have: dictionaries of their own, lent codes,
// constants, plain values, with statistics or without, some rows deleted.
type shapedGroup struct {
	*column.Mem
	shapes map[types.Path]*shapedColumn
	dead   vec.Bitmap
}

func (g *shapedGroup) Find(p types.Path, leaf types.Leaf) (column.Column, bool) {
	c, ok := g.Mem.Find(p, leaf)
	if !ok {
		return nil, false
	}
	s := *g.shapes[p] // several workers ask
	s.Column = c
	if s.lends {
		return lendingColumn{&s}, true
	}
	return &s, true
}
func (g *shapedGroup) Origin() string                             { return "test" }
func (g *shapedGroup) Partition() (int64, bool)                   { return 0, false }
func (g *shapedGroup) Deleted() vec.Bitmap                        { return g.dead }
func (g *shapedGroup) MayHold(string, *column.Pred) (bool, error) { return true, nil }
func (g *shapedGroup) Stats(string) (column.Stats, bool)          { return column.Stats{}, false }
func (g *shapedGroup) Open() (column.Group, error)                { return g, nil }

type shapedColumn struct {
	column.Column
	dict    *vec.Vector // nil: flat
	codes   []uint32
	present vec.Bitmap // nil: all
	bounded bool
	lends   bool
	sums    bool
}

func (c *shapedColumn) Stats() column.Stats {
	s := c.Column.Stats()
	if !c.bounded {
		s = column.Stats{Rows: s.Rows, Present: s.Present}
	}
	s.Dict = c.dict
	return s
}

func (c *shapedColumn) Read(from, to int, dst *vec.Vector) error {
	if c.dict == nil {
		return c.Column.Read(from, to, dst)
	}
	dst.Reset(c.Leaf().Type())
	if c.dict.N == 1 && c.present == nil {
		dst.SetConst(c.dict, 0, to-from)
		return nil
	}
	dst.Form, dst.Dict, dst.N = vec.Dict, c.dict, to-from
	dst.Codes = append(dst.Codes, c.codes[from:to]...)
	if c.present != nil {
		dst.Valid = vec.MakeBitmap(to - from)
		for i := from; i < to; i++ {
			dst.Valid.SetTo(i-from, c.present.Get(i))
		}
	}
	return nil
}

// SumRange implements column.Summer.
func (c *shapedColumn) SumRange(lo, hi int64) (s column.IntSum, ok bool, err error) {
	if !c.sums || c.Leaf() != types.LeafInt {
		return s, false, nil
	}
	var v vec.Vector
	if err := c.Read(0, c.Stats().Rows, &v); err != nil {
		return s, false, err
	}
	for i := range v.N {
		if x := int64(0); !v.Null(i) {
			if x = v.Int(i); x >= lo && x <= hi {
				s.Hi, s.Lo, s.N = s.Hi+x>>32, s.Lo+uint64(uint32(x)), s.N+1
			}
		}
	}
	return s, true, nil
}

// lendingColumn implements column.Coded.
type lendingColumn struct{ *shapedColumn }

func (c lendingColumn) Codes(from, to int) ([]uint8, []uint16, *vec.Vector, func(), bool, error) {
	if c.dict == nil || c.present != nil {
		return nil, nil, nil, nil, false, nil
	}
	if c.dict.N <= 256 {
		out := make([]uint8, to-from)
		for i := range out {
			out[i] = uint8(c.codes[from+i])
		}
		return out, nil, c.dict, func() { clear(out) }, true, nil
	}
	out := make([]uint16, to-from)
	for i := range out {
		out[i] = uint16(c.codes[from+i])
	}
	return nil, out, c.dict, func() { clear(out) }, true, nil
}

// shape encodes a column of rows in some way.
func shape(rng *rand.Rand, rows []row, at int, t types.Type) *shapedColumn {
	c := &shapedColumn{bounded: rng.IntN(4) > 0, lends: rng.IntN(2) == 0, sums: rng.IntN(3) > 0}
	if t.Kind == types.Bool || rng.IntN(3) == 0 {
		return c
	}
	c.dict = &vec.Vector{}
	c.dict.Reset(types.LeafOf(t).Type())
	known := map[any]uint32{}
	for i, r := range rows {
		x := r[at]
		if x == nil {
			if c.present == nil {
				c.present = vec.MakeBitmap(len(rows))
				c.present.Fill(len(rows))
			}
			c.present.Clear(i)
			c.codes = append(c.codes, 0)
			continue
		}
		code, ok := known[x]
		if !ok {
			code = uint32(c.dict.N)
			known[x] = code
			appendValue(c.dict, x)
		}
		c.codes = append(c.codes, code)
	}
	if c.dict.N == 0 {
		c.dict = nil
	}
	return c
}

var wideTable = newTable(
	types.Column{Name: "channel", Type: tText}, types.Column{Name: "country", Type: tText}, types.Column{Name: "sample", Type: tInt},
	types.Column{Name: "day", Type: types.Of(types.Date)}, types.Column{Name: "x", Type: tInt}, types.Column{Name: "y", Type: tFloat},
	types.Column{Name: "b", Type: tBool}, types.Column{Name: "id", Type: tInt})

// shapedRows makes a group's rows: each column with its own share of NULLs, often none, and sometimes one value.
func shapedRows(rng *rand.Rand, n int) []row {
	rows := make([]row, n)
	for i := range rows {
		rows[i] = make(row, len(wideTable.Columns))
	}
	countries := []int{1, 3, 200, 300, 5000}[rng.IntN(5)]
	sources := []int64{1, 20, 3000, math.MaxInt64}[rng.IntN(4)]
	spread := []int64{10, 1000, 1 << 40, math.MaxInt64}[rng.IntN(4)]
	for c := range wideTable.Columns {
		nulls, constant := []int{0, 0, 10, 100}[rng.IntN(4)], rng.IntN(6) == 0
		for i, r := range rows {
			if rng.IntN(100) < nulls {
				continue
			}
			if constant && i > 0 && rows[0][c] != nil {
				r[c] = rows[0][c]
				continue
			}
			switch c {
			case 0:
				r[c] = fmt.Sprint("channel ", min(int(rng.ExpFloat64()), 4))
			case 1:
				r[c] = fmt.Sprint("country ", rng.IntN(countries))
			case 2:
				r[c] = int64(rng.IntN(100)) - 20
			case 3:
				r[c] = int64(20000 + i*7/n)
			case 4:
				r[c] = rng.Int64N(spread) - spread/2
			case 5:
				r[c] = rng.NormFloat64() * 1000
			case 6:
				r[c] = rng.IntN(3) == 0
			default:
				r[c] = rng.Int64N(sources) * (math.MaxInt64 / sources)
			}
		}
	}
	if rng.IntN(2) == 0 {
		sortByColumns(rows, rng.Perm(len(wideTable.Columns))[:1+rng.IntN(3)])
	}
	return rows
}

// sortByColumns makes runs of rows that are equal in some columns.
func sortByColumns(rows []row, by []int) {
	slices.SortStableFunc(rows, func(a, b row) int {
		for _, c := range by {
			if d := compareValues(a[c], b[c]); d != 0 {
				return d
			}
		}
		return 0
	})
}

// compareValues orders values of one type, nil first.
func compareValues(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(boolInt(a != nil), boolInt(b != nil))
	}
	switch x := a.(type) {
	case int64:
		return cmp.Compare(x, b.(int64))
	case float64:
		return cmp.Compare(x, b.(float64))
	case bool:
		return cmp.Compare(boolInt(x), boolInt(b.(bool)))
	}
	return cmp.Compare(a.(string), b.(string))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// shapedSource has row groups of every shape. Sorted ones are so by some columns, as with a sort key, and come with runs.
func shapedSource(rng *rand.Rand, sorted bool) (src *memSource, order []int) {
	src = &memSource{t: wideTable}
	sizes := []int{1, 100, 1024, 3000, 3000, 9000}
	if sorted {
		order = [][]int{{1}, {1, 7}, {7}, {7}, {7, 6}, {7, 0}, {3, 7}, {6, 7}}[rng.IntN(8)]
		sizes = []int{100, 1024, 3000, 9000}
	}
	for range 1 + rng.IntN(6) {
		n := sizes[rng.IntN(len(sizes))]
		rows := shapedRows(rng, n)
		if order != nil {
			sources, nulls := []int64{300, 270 + int64(n)/10}[rng.IntN(2)], rng.IntN(2)
			for _, r := range rows {
				if r[7] = rng.Int64N(sources) * (1 << 40); rng.IntN(50) < nulls {
					r[7] = nil
				}
			}
			sortByColumns(rows, order)
		}
		one := newSource(wideTable, rows, n).morsels[0].(memMorsel)
		g := &shapedGroup{Mem: one.g, shapes: map[types.Path]*shapedColumn{}}
		for c, col := range wideTable.Columns {
			g.shapes[types.Path(col.Name)] = shape(rng, rows, c, col.Type)
		}
		if rng.IntN(3) == 0 {
			g.dead = vec.MakeBitmap(n)
			for i := range n {
				g.dead.SetTo(i, rng.IntN(4) == 0)
			}
		}
		src.morsels = append(src.morsels, g)
	}
	return src, order
}

// randomFusable is an aggregation over the wide table, mostly by the columns of its order if it has one.
func randomFusable(rng *rand.Rand, order []int) *plan.Agg {
	date := types.Of(types.Date)
	keys := []expr.Expr{col(0, tText), col(1, tText), col(2, tInt), col(3, date), col(6, tBool), upperCall(col(0, tText)),
		addCall(col(2, tInt), lit(tInt, int64(1))), col(4, tInt), col(5, tFloat), col(7, tInt), col(7, tInt)}
	numeric := types.Of(types.Numeric)
	x, y := col(4, tInt), col(5, tFloat)
	calls := []plan.AggCall{countCall(), aggCall("count", tInt, x), aggCall("count", tInt, y), aggCall("count", tInt, col(1, tText)),
		aggCall("sum", numeric, x), aggCall("avg", numeric, x), aggCall("sum", numeric, col(2, tInt)), aggCall("min", tInt, x), aggCall("max", tInt, x),
		aggCall("min", date, col(3, date)), aggCall("sum", tFloat, y), aggCall("avg", tFloat, y), aggCall("stddev", numeric, col(2, tInt)),
		aggCall("var_pop", numeric, x), aggCall("stddev", tFloat, y), aggCall("max", tFloat, y), aggCall("min", tText, col(1, tText)),
		aggCall("bool_or", tBool, col(6, tBool)), aggCall("sum", numeric, addCall(col(2, tInt), lit(tInt, int64(7)))),
		aggCall("array_agg", types.ArrayOf(types.Int64), col(2, tInt)),
		{Fn: &plan.AggFunc{Name: "count", Ret: tInt}, Args: []expr.Expr{col(1, tText)}, Distinct: true, T: tInt}}
	n := &plan.Agg{}
	switch {
	case order != nil && rng.IntN(8) > 0:
		for _, c := range order {
			n.Keys = append(n.Keys, col(c, wideTable.Columns[c].Type))
		}
	default:
		for range rng.IntN(4) {
			n.Keys = append(n.Keys, keys[rng.IntN(len(keys))])
		}
	}
	conds := []expr.Expr{cmpCall("<", x, lit(tInt, int64(3))), cmpCall("=", col(0, tText), lit(tText, "channel 1")), col(6, tBool),
		cmpCall(">", col(2, tInt), lit(tInt, int64(70))), cmpCall(">=", y, lit(tFloat, -200.0)), cmpCall("<", col(3, date), lit(date, int64(20003)))}
	for range 1 + rng.IntN(5) {
		c := calls[rng.IntN(len(calls))]
		if rng.IntN(4) == 0 {
			c.Filter = conds[rng.IntN(len(conds))]
		}
		n.Aggs = append(n.Aggs, c)
	}
	s := scanOf(wideTable)
	filters := rng.IntN(3)
	if order != nil && rng.IntN(2) == 0 {
		filters = 0
	}
	for range filters {
		s.Filter = append(s.Filter, conds[rng.IntN(len(conds))])
	}
	n.In = s
	if order != nil {
		return aggOut(n)
	}
	switch rng.IntN(6) {
	case 0: // counts and sums of the column that the filter looks at
		n.Keys, n.Aggs = nil, []plan.AggCall{countCall(), calls[1], calls[4+rng.IntN(2)]}
		s.Filter = []expr.Expr{cmpCall("<", x, lit(tInt, rng.Int64N(20)-4)), cmpCall(">=", x, lit(tInt, -rng.Int64N(1<<40)))}[:1+rng.IntN(2)]
	case 1: // what statistics tell
		n.Keys, n.Aggs, s.Filter = nil, []plan.AggCall{countCall(), calls[1], calls[7], calls[8], calls[9]}, nil
	}
	return aggOut(n)
}

func runFused(t *testing.T, src column.Source, workers int, off bool, a *Analysis, n plan.Node) []row {
	t.Helper()
	out, err := runEnv(t, src, n, Env{Workers: workers, NoFused: off, Analyze: a})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func describe(src *memSource, n *plan.Agg) string {
	s := fmt.Sprintf("%d row groups", len(src.morsels))
	for _, m := range src.morsels {
		s += fmt.Sprintf(", %d rows (%d live)", m.Rows(), column.Live(m))
	}
	s += "; filters"
	for _, f := range n.In.(*plan.Scan).Filter {
		s += fmt.Sprint(" ", columnsRead(f))
	}
	s += "; keys"
	for _, k := range n.Keys {
		s += fmt.Sprint(" ", columnsRead(k))
	}
	s += "; calls"
	for _, c := range n.Aggs {
		s += fmt.Sprint(" ", c.Fn.Name, columnsRead(c.Args...))
		if c.Filter != nil {
			s += fmt.Sprint(" filter ", columnsRead(c.Filter))
		}
	}
	return s
}

// TestFusedAggregationsGiveTheGeneralPathsAnswerToTheLastBit compares them over random tables and aggregations, the order
// of the groups too unless they are scattered, and sees that every way of taking a row group was taken.
func TestFusedAggregationsGiveTheGeneralPathsAnswerToTheLastBit(t *testing.T) {
	rng := seeded(t)
	var sum FusedStats
	add := func(f *FusedStats) {
		if f == nil {
			return
		}
		to, from := sum.ways(), f.ways()
		for i := range to {
			to[i].n.Add(from[i].n.Load())
		}
	}
	for round := 0; round < 80 || round < 500 && len(untaken(&sum)) > 0; round++ {
		src, order := shapedSource(rng, round%5 < 2)
		n := randomFusable(rng, order)
		want := runFused(t, src, 1, true, nil, n)
		for _, workers := range []int{1, 2 + rng.IntN(3)} {
			var a Analysis
			got := runFused(t, src, workers, false, &a, n)
			wantRows(t, fmt.Sprintf("%d workers, %s", workers, describe(src, n)), got, want)
			add(a.Node(n).Fused())
		}
		others := []Env{{Workers: 1, ManyGroups: 1}, {Workers: 3, ManyGroups: 1}, {Workers: 2, NoRuns: true}, {Workers: 2, ManyGroups: 1, NoRuns: true}}
		for _, e := range others[rng.IntN(len(others)):][:1] {
			var a Analysis
			e.Analyze = &a
			got, err := runEnv(t, src, n, e)
			if err != nil {
				t.Fatal(err)
			}
			wantLines(t, fmt.Sprintf("%d workers, many groups from %d, no runs %v, %s", e.Workers, e.ManyGroups, e.NoRuns, describe(src, n)), sortedLines(got), sortedLines(want))
			add(a.Node(n).Fused())
		}
	}
	t.Logf("row groups: %s", &sum)
	if ways := untaken(&sum); len(ways) > 0 {
		t.Errorf("no row group was taken as %s", strings.Join(ways, ", "))
	}
}

// untaken are the ways that no row group was taken, but for steps, which these aggregations have no keys for.
func untaken(s *FusedStats) (names []string) {
	for _, w := range s.ways() {
		if w.n.Load() == 0 && w.name != "steps" {
			names = append(names, w.name)
		}
	}
	return names
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s\ngroup %d of %d is\n%s\nwant\n%s", what, i, len(got), got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s\n%d groups, want %d", what, len(got), len(want))
	}
}
