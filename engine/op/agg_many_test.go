package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

var tNumeric = types.Of(types.Numeric)

// keyTable is what the tests of large aggregations group.
var keyTable = newTable(
	types.Column{Name: "i", Type: tInt}, types.Column{Name: "s", Type: tText}, types.Column{Name: "f", Type: tFloat},
	types.Column{Name: "n", Type: tNumeric}, types.Column{Name: "b", Type: tBool},
	types.Column{Name: "x", Type: tInt}, types.Column{Name: "y", Type: tFloat})

func keyRows(rng *rand.Rand, n int) []row {
	domain := 1 + rng.IntN(1+rng.IntN(2*n+1))
	numerics := []string{"1.0", "1.00", "1", "2.50", "2.5", "-0", "0.0", "NaN"}
	floats := []float64{math.NaN(), math.Copysign(0, -1), 0, 1.5, math.Inf(1), 1e300}
	run := 1 + rng.IntN(5)
	rows := make([]row, n)
	for k := range rows {
		if k > 0 && rng.IntN(run) > 0 {
			rows[k] = slices.Clone(rows[k-1]) // runs of one key
		} else {
			d := rng.IntN(domain)
			rows[k] = row{int64(d)*7919 - 5000, fmt.Sprintf("%08d-client-%d", d%5000, d), floats[rng.IntN(len(floats))],
				numerics[rng.IntN(len(numerics))], d%2 == 0, nil, nil}
			for c := range 5 {
				if rng.IntN(20) == 0 {
					rows[k][c] = nil
				}
			}
		}
		rows[k][5], rows[k][6] = rng.Int64N(2000)-1000, rng.NormFloat64()*math.Pow(10, float64(rng.IntN(20)-10))
		for c := 5; c < 7; c++ {
			if rng.IntN(10) == 0 {
				rows[k][c] = nil
			}
		}
	}
	return rows
}

func isPositive(e expr.Expr) expr.Expr { return cmpCall(">", e, lit(tInt, int64(0))) }

// aggsOfAllKinds has states of fixed size, sets, lists, ordered ones and filtered ones, over keyTable.
func aggsOfAllKinds(rng *rand.Rand) []plan.AggCall {
	x, y, s := col(5, tInt), col(6, tFloat), col(1, tText)
	distinct := aggCall("count", tInt, x)
	distinct.Distinct = true
	filtered := aggCall("sum", tNumeric, addCall(x, x))
	filtered.Filter = isPositive(x)
	list := aggCall("array_agg", types.ArrayOf(types.Int64), x)
	median := plan.AggCall{Fn: &plan.AggFunc{Name: "percentile_disc", Ret: tInt, OrderedSet: true}, Args: []expr.Expr{lit(tFloat, 0.5)},
		Order: []plan.SortKey{{Expr: x}}, T: tInt}
	longest := aggCall("max", tText, s)
	all := []plan.AggCall{aggCall("sum", tFloat, y), aggCall("stddev", tFloat, y), distinct, filtered, list, median, longest,
		aggCall("count", tInt, y), aggCall("min", tFloat, y), aggCall("approx_count_distinct", tInt, x)}
	calls := []plan.AggCall{countCall(), aggCall("sum", tNumeric, x)}
	for range rng.IntN(4) {
		calls = append(calls, all[rng.IntN(len(all))])
	}
	if rng.IntN(2) == 0 {
		return calls[:2] // nothing that depends on the order of rows
	}
	return calls
}

func runEnv(t testing.TB, src column.Source, n plan.Node, env Env) ([]row, error) {
	t.Helper()
	if env.Ctx == nil {
		env.Ctx = &expr.Ctx{}
	}
	env.Source = func(*types.Table) (column.Source, error) { return src, nil }
	r, err := Run(&env, n)
	if err != nil {
		return nil, err
	}
	defer func() {
		r.Close()
		if s := env.Spill; s != nil && (s.Used() != 0 || s.Files() != 0) {
			t.Errorf("%d bytes in %d files are left", s.Used(), s.Files())
		}
	}()
	var out []row
	for {
		b, err := r.Next()
		if err != nil || b == nil {
			return out, err
		}
		for i := range b.N {
			x := make(row, len(b.Cols))
			for c, v := range b.Cols {
				x[c] = valueAt(v, i)
				if f, ok := x[c].(float64); ok {
					x[c] = fmt.Sprintf("%x", math.Float64bits(f)) // to the last bit
				}
			}
			out = append(out, x)
		}
	}
}

func sortedLines(rows []row) []string {
	out := strings.Split(strings.TrimSuffix(show(rows), "\n"), "\n")
	slices.Sort(out)
	return out
}

func newSpace() *spill.Space { return spill.New(vfs.NewMem(), "/spill", 0) }

// Whatever the number of workers, whether groups are put together by partition, whether rows go to disk, and whether the
// hashes are any good: the groups are the same, to the last bit.
func TestLargeAggregationsAnswerTheSameHoweverTheyRun(t *testing.T) {
	rng := seeded(t)
	for round := range 12 {
		n := 1 + rng.IntN(6000)
		if round < 3 {
			n = rng.IntN(3)
		}
		rows := keyRows(rng, n)
		src := newSource(keyTable, rows, 1+rng.IntN(1+n/2))
		agg := &plan.Agg{In: scanOf(keyTable), Aggs: aggsOfAllKinds(rng)}
		picked := rng.Perm(5)[:1+rng.IntN(2)]
		if len(picked) > 1 && (slices.Contains(picked, 2) || slices.Contains(picked, 3)) {
			// Which of 1.0 and 1.00 stands for both in a key of several columns is open: a table keeps one of each column.
			picked = picked[:1]
		}
		for _, k := range picked {
			agg.Keys = append(agg.Keys, col(k, keyTable.Columns[k].Type))
		}
		aggOut(agg)
		first, err := runEnv(t, src, agg, Env{Workers: 1, ManyGroups: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		checkCounts(t, rows, picked, first)
		want := sortedLines(first)
		for _, e := range []Env{
			{Workers: 4, ManyGroups: 1 << 30},
			{Workers: 4, ManyGroups: 1},
			{Workers: 1, RowKeys: -1},
			{Workers: 4, ManyGroups: 1, RowKeys: 1},
			{Workers: 2, ManyGroups: 1, RowKeys: 100, HashEqual: n < 1000},
			{Workers: 3, ForceSpill: true, Spill: newSpace(), RowKeys: 1},
			{Workers: 3, ManyGroups: 1, HashEqual: n < 2000},
			{Workers: 1, ForceSpill: true, Spill: newSpace()},
			{Workers: 4, ForceSpill: true, Spill: newSpace()},
			{Workers: 4, Memory: 1 << 20, Spill: newSpace(), ManyGroups: 1},
			{Workers: 2, ForceSpill: true, Spill: newSpace(), HashEqual: n < 2000},
		} {
			got, err := runEnv(t, src, agg, e)
			if err != nil && e.Memory > 0 && sqlstate.Code(err) == sqlstate.OutOfMemory {
				continue // states of this many values may need more than that
			}
			if err != nil {
				t.Fatal(err)
			}
			if lines := sortedLines(got); !slices.Equal(lines, want) {
				for i := range min(len(lines), len(want)) {
					if lines[i] != want[i] {
						t.Fatalf("round %d %+v, keys %v: %d groups, want %d; group %d is\n%s\nwant\n%s", round, e, picked, len(lines), len(want), i, lines[i], want[i])
					}
				}
				t.Fatalf("round %d %+v: %d groups, want %d", round, e, len(lines), len(want))
			}
			again, err := runEnv(t, src, agg, e)
			if err == nil && e.Spill == nil && show(again) != show(got) {
				t.Fatalf("round %d %+v: the order of the groups changes from run to run", round, e)
			}
		}
	}
}

// checkCounts compares count(*) and sum(x) with a Go map.
func checkCounts(t *testing.T, rows []row, picked []int, got []row) {
	t.Helper()
	type sums struct {
		n, sum int64
		some   bool
	}
	want := map[string]*sums{}
	key := func(r row, at []int) string {
		k := ""
		for i, c := range at {
			v := &vec.Vector{}
			v.Reset(keyTable.Columns[picked[i]].Type)
			x := r[c]
			if s, ok := x.(string); ok && v.Type.Kind == types.Float64 {
				var b uint64
				fmt.Sscanf(s, "%x", &b)
				x = math.Float64frombits(b)
			}
			if appendValue(v, x); v.Null(0) {
				k += "NULL|"
				continue
			}
			k += string(datum.AppendKey(nil, v, 0)) + "|"
		}
		return k
	}
	for _, r := range rows {
		k := key(r, picked)
		if want[k] == nil {
			want[k] = &sums{}
		}
		want[k].n++
		if x, ok := r[5].(int64); ok {
			want[k].sum += x
			want[k].some = true
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d groups, want %d", len(got), len(want))
	}
	at := []int{0, 1}[:len(picked)]
	for _, r := range got {
		w := want[key(r, at)]
		if w == nil {
			t.Fatalf("group %v is not in the rows", r)
		}
		sum := any(nil)
		if w.some {
			sum = fmt.Sprint(w.sum)
		}
		if r[len(picked)] != w.n || r[len(picked)+1] != sum {
			t.Fatalf("group %v, want count %d and sum %v", r, w.n, sum)
		}
	}
}

// An aggregation that does not fit goes on with the disk's help, also where its states are sets without bound, and says
// what is missing where there is none.
func TestAggregationsBeyondTheirMemoryGoToDisk(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	rows := make([]row, 300_000)
	for i := range rows {
		rows[i] = row{rng.Int64N(200_000), fmt.Sprint("client-", rng.IntN(200_000)), nil, nil, nil, rng.Int64N(1 << 40), nil}
	}
	src := newSource(keyTable, rows, 20_000)
	distinct := aggCall("count", tInt, col(5, tInt))
	distinct.Distinct = true
	agg := aggOut(&plan.Agg{In: scanOf(keyTable), Keys: []expr.Expr{col(1, tText)},
		Aggs: []plan.AggCall{countCall(), aggCall("sum", tNumeric, col(5, tInt)), distinct}})
	want, err := runEnv(t, src, agg, Env{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	const memory = 24 << 20
	if _, err := runEnv(t, src, agg, Env{Workers: 2, Memory: memory}); sqlstate.Code(err) != sqlstate.OutOfMemory {
		t.Fatalf("without a disk: %v", err)
	}
	space := newSpace()
	got, err := runEnv(t, src, agg, Env{Workers: 2, Memory: memory, Spill: space})
	if err != nil {
		t.Fatal(err)
	}
	if space.Written() == 0 {
		t.Fatal("nothing was spilled")
	}
	if !slices.Equal(sortedLines(got), sortedLines(want)) {
		t.Fatalf("%d groups differ from %d in memory", len(got), len(want))
	}
	full := spill.New(vfs.NewMem(), "/spill", 1<<20)
	if _, err := runEnv(t, src, agg, Env{Workers: 2, Memory: memory, Spill: full}); sqlstate.Code(err) != sqlstate.DiskFull {
		t.Fatalf("on a full disk: %v", err)
	}
	in := vfs.NewInjector(vfs.Rule{Ops: vfs.Ops(vfs.OpWrite), Nth: 20, Sticky: true, Err: vfs.ErrNoSpace})
	broken := spill.New(vfs.Fault(vfs.NewMem(), in), "/spill", 0)
	if _, err := runEnv(t, src, agg, Env{Workers: 2, Memory: memory, Spill: broken}); sqlstate.Code(err) != sqlstate.DiskFull {
		t.Fatalf("on a disk that fills up: %v", err)
	}
}

// largeSource has rows of (client int, client text, x) with so many clients.
func largeSource(clients int, sorted bool) *benchSource {
	rng := rand.New(rand.NewPCG(5, 6))
	s := &benchSource{}
	for m := range 64 {
		g := &benchGroup{rows: 65536, cols: map[types.Path]*benchColumn{}}
		c, x := &benchColumn{leaf: types.LeafInt}, &benchColumn{leaf: types.LeafInt}
		for k := range g.rows {
			id := rng.IntN(clients)
			if sorted {
				id = (m*g.rows + k) * clients / (64 * g.rows)
			}
			c.ints = append(c.ints, int64(id)*7919<<12)
			x.ints = append(x.ints, rng.Int64N(1000))
		}
		g.cols["client"], g.cols["x"] = c, x
		s.morsels = append(s.morsels, g)
	}
	return s
}

// BenchmarkManyGroups is count and sum by an integer key, 4 Mi rows: the table of domain/engine.md 1.3.
func BenchmarkManyGroups(b *testing.B) {
	for _, clients := range []int{1000, 30_000, 500_000, 4_000_000} {
		src := largeSource(clients, false)
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("groups=%d/workers=%d", clients, workers), func(b *testing.B) {
				n := aggOut(&plan.Agg{In: &plan.Scan{Table: benchTable, Out: 2, Read: []plan.ScanCol{{Column: "client", Type: tInt}, {Column: "x", Type: tInt}}},
					Keys: []expr.Expr{col(0, tInt)}, Aggs: []plan.AggCall{countCall(), aggCall("sum", tNumeric, col(1, tInt))}})
				rows, began := 0, cpuTime(b)
				for b.Loop() {
					benchSrc = src
					drainOn(b, workers, n, true)
					rows += 64 * 65536
				}
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
				b.ReportMetric(float64((cpuTime(b)-began).Nanoseconds())/float64(rows), "cpu-ns/row")
			})
		}
	}
}

func tellDifference(t *testing.T, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%d groups, want %d; group %d is\n%s\nwant\n%s", len(got), len(want), i, got[i], want[i])
			return
		}
	}
	t.Errorf("%d groups, want %d", len(got), len(want))
}

// Grouping sets, and DISTINCT aggregates run as groups of groups, answer as one aggregation for each set and as sets of
// values do.
func TestGroupingSetsAndDistinctAnswerAsPlainAggregations(t *testing.T) {
	rng := seeded(t)
	for round := range 8 {
		n := rng.IntN(3000)
		rows := keyRows(rng, n)
		src := newSource(keyTable, rows, 1+rng.IntN(1+n))
		distinct, sum := aggCall("count", tInt, col(5, tInt)), aggCall("sum", tNumeric, col(5, tInt))
		distinct.Distinct, sum.Distinct = true, true
		keys := []expr.Expr{col(4, tBool), col(0, tInt)}
		sets := [][][]int{{{0, 1}, {0}, {}}, {{}, {}}, {{1}}, {{1, 0}, {1}, {0}, {}}}[rng.IntN(4)]
		// No sum of floats: where the whole key is constant a batch is summed at once, on its way from the disk row by row.
		calls := []plan.AggCall{distinct, countCall(), aggCall("sum", tNumeric, col(5, tInt)), aggCall("max", tFloat, col(6, tFloat))}
		var want []row
		for i, set := range sets {
			one := &plan.Agg{In: scanOf(keyTable), Aggs: calls}
			for _, k := range set {
				one.Keys = append(one.Keys, keys[k])
			}
			got, err := runEnv(t, src, aggOut(one), Env{Workers: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range got {
				x := row{nil, nil}
				for at, k := range set {
					x[k] = r[at]
				}
				want = append(want, append(append(x, r[len(set):]...), int64(i)))
			}
		}
		all := aggOut(&plan.Agg{In: scanOf(keyTable), Keys: keys, Aggs: calls, Sets: sets})
		all.Out = append(all.Out, plan.Col{Name: "set", Type: types.Of(types.Int32)})
		only := aggOut(&plan.Agg{In: scanOf(keyTable), Keys: keys[:rng.IntN(3)], Aggs: []plan.AggCall{distinct, sum}})
		plain := aggOut(&plan.Agg{In: scanOf(keyTable), Keys: only.Keys, Aggs: []plan.AggCall{distinct, sum, countCall()}})
		wantOnly, err := runEnv(t, src, plain, Env{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i := range wantOnly {
			wantOnly[i] = wantOnly[i][:len(wantOnly[i])-1]
		}
		if twoLevels(only) == nil || twoLevels(plain) != nil {
			t.Fatal("the wrong aggregation is run in two levels")
		}
		for _, e := range []Env{{Workers: 1}, {Workers: 3, ManyGroups: 1}, {Workers: 3, ForceSpill: true, Spill: newSpace()}} {
			got, err := runEnv(t, src, all, e)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(sortedLines(got), sortedLines(want)) {
				tellDifference(t, sortedLines(got), sortedLines(want))
				t.Fatalf("round %d %+v sets %v", round, e, sets)
			}
			if got, err = runEnv(t, src, only, e); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(sortedLines(got), sortedLines(wantOnly)) {
				tellDifference(t, sortedLines(got), sortedLines(wantOnly))
				t.Fatalf("round %d %+v", round, e)
			}
		}
	}
}
