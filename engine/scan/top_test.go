package scan

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestTopLeavesOutOnlyWhatLiesBehind: of the rows in order, the first ones are all read, however often the scan is told.
func TestTopLeavesOutOnlyWhatLiesBehind(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	mem, seg := newFlat(t, rng, 3, 9000, 11)
	for _, name := range []string{"x", "at", "some", "y", "channel", "country", "ok", "run", "one"} {
		for mode := range 4 {
			desc, first := mode&1 != 0, mode&2 != 0
			var all []string
			keys := &vec.Vector{}
			keys.Reset(flatCol(name).Type)
			node := &plan.Scan{Table: flatTable, Read: []plan.ScanCol{flatCol(name)}, Out: 1}
			collect(t, mem, node, func(v *vec.Vector, i int) { keys.AppendFrom(v, i) }, false, false)
			const want = 50
			less := func(a, b int) int { return ordered(keys, a, keys, b, desc, first) }
			rows := make([]int, keys.N)
			for i := range rows {
				rows[i] = i
			}
			slices.SortFunc(rows, less)
			for _, i := range rows[:want] {
				all = append(all, show(keys, i))
			}
			best := &vec.Vector{}
			best.Reset(keys.Type)
			read := 0
			for _, src := range []column.Source{mem, seg} {
				best.Reset(keys.Type)
				read = 0
				var top *Top
				top = collect(t, src, node, func(v *vec.Vector, i int) {
					read++
					best.AppendFrom(v, i)
					if best.N > 4*want {
						best = firstOf(best, want, desc, first)
						if top != nil {
							top.Tighten(best, best.N-1)
						}
					}
				}, desc, first, func(x *Top) { top = x })
				best = firstOf(best, want, desc, first)
				var got []string
				for i := range best.N {
					got = append(got, show(best, i))
				}
				if !slices.Equal(got, all) {
					t.Fatalf("%s, desc %v, NULLs first %v: %v, want %v", name, desc, first, got, all)
				}
			}
			if name == "at" && read > keys.N/2 {
				t.Errorf("%d of %d sorted rows were read", read, keys.N)
			}
		}
	}
}

func ordered(a *vec.Vector, i int, b *vec.Vector, k int, desc, first bool) int {
	x, y := a.Null(i), b.Null(k)
	switch {
	case x && y:
		return 0
	case x || y:
		if x == first {
			return -1
		}
		return 1
	}
	c := datum.Compare(a.Type, a, i, b, k)
	if desc {
		return -c
	}
	return c
}

func firstOf(v *vec.Vector, n int, desc, first bool) *vec.Vector {
	rows := make([]int, v.N)
	for i := range rows {
		rows[i] = i
	}
	slices.SortFunc(rows, func(a, b int) int { return ordered(v, a, v, b, desc, first) })
	out := &vec.Vector{}
	out.Reset(v.Type)
	for _, i := range rows[:min(n, len(rows))] {
		out.AppendFrom(v, i)
	}
	return out
}

// collect runs a scan of one column, in the order of its Top if tell takes it.
func collect(t *testing.T, src column.Source, n *plan.Scan, row func(v *vec.Vector, i int), desc, first bool, tell ...func(*Top)) *Top {
	t.Helper()
	ctx := &expr.Ctx{}
	s, err := New(ctx, src, n)
	if err != nil {
		t.Fatal(err)
	}
	var top *Top
	if len(tell) > 0 {
		ok := false
		if top, ok = s.TopBy(0, desc, first); !ok {
			t.Fatal("no order")
		}
		tell[0](top)
	}
	w := s.NewWorker(ctx)
	defer w.Close()
	for i := range s.Morsels() {
		if err := w.Morsel(s.Nth(i), func(b *vec.Batch, sel vec.Bitmap) error {
			for r := range b.N {
				if sel == nil || sel.Get(r) {
					row(b.Cols[0], r)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// TestFetchedRowsAreThoseAskedFor: any rows, in any order, more than once.
func TestFetchedRowsAreThoseAskedFor(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	mem, seg := newFlat(t, rng, 2, 5000, 0)
	cols := []plan.ScanCol{flatCol("country"), flatCol("x"), {Column: types.ColRow, Type: types.Of(types.Int64)}, flatCol("url"), flatCol("ok"), flatCol("y")}
	for _, n := range []int{0, 1, 3, 400} {
		rows := make([]int64, n)
		for i := range rows {
			rows[i] = int64(rng.IntN(2))<<16 | int64(rng.IntN(5000))
		}
		want, err := FetchRows(&expr.Ctx{}, mem, cols, rows)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FetchRows(&expr.Ctx{}, seg, cols, rows)
		if err != nil {
			t.Fatal(err)
		}
		if got.N != n || want.N != n {
			t.Fatalf("%d and %d rows of %d", got.N, want.N, n)
		}
		for i, row := range rows {
			for c := range cols {
				if a, b := show(want.Cols[c], i), show(got.Cols[c], i); a != b {
					t.Fatalf("row %d, column %s: %s, want %s", row, cols[c].Column, b, a)
				}
			}
			if got.Cols[2].Int(i) != row {
				t.Fatalf("row %d instead of %d", got.Cols[2].Int(i), row)
			}
		}
	}
	if _, err := FetchRows(&expr.Ctx{}, seg, cols, []int64{2 << 16}); err == nil {
		t.Error("a row that does not exist was fetched")
	}
}

// TestKnownAnswersAreTheRows: counts, bounds and sums without decoding are those of the values.
func TestKnownAnswersAreTheRows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	mem, seg := newFlat(t, rng, 2, 5000, 0)
	ctx := &expr.Ctx{}
	for _, c := range flatTable.Columns {
		s, err := New(ctx, seg, &plan.Scan{Table: flatTable, Read: []plan.ScanCol{flatCol(c.Name)}, Out: 1})
		if err != nil {
			t.Fatal(err)
		}
		w := s.NewWorker(ctx)
		for i, m := range mem.morsels {
			rows, ok, err := w.Meta(i)
			if err != nil || !ok || rows != m.Rows() {
				t.Fatalf("%d rows, %v, %v", rows, ok, err)
			}
			b, ok := w.Bounds(0)
			if !ok {
				t.Fatalf("nothing known of %s", c.Name)
			}
			requireBounds(t, b, m, c)
		}
		w.Close()
	}
	for _, name := range []string{"x", "at", "some", "wide", "run", "one"} {
		for range 10 {
			n := &plan.Scan{Table: flatTable, Read: []plan.ScanCol{flatCol(name)}, Out: 1}
			arg := &expr.Col{T: tInt, Name: name}
			a, b := rng.Int64N(5000), rng.Int64N(5000)
			if name == "at" || name == "wide" {
				a, b = a<<40>>30, b<<50
			}
			n.Filter = []expr.Expr{compareCall("<=", constOf(tInt, min(a, b)), arg), compareCall("<", arg, constOf(tInt, max(a, b)))}
			s, err := New(ctx, seg, n)
			if err != nil {
				t.Fatal(err)
			}
			lo, hi, ok := s.RangeOf(0)
			if !ok {
				t.Fatal("no range")
			}
			w := s.NewWorker(ctx)
			got, count := new(big.Int), 0
			for i := range s.Morsels() {
				sum, ok, err := w.SumRange(i, 0, lo, hi)
				if err != nil || !ok {
					t.Fatalf("%s: %v, %v", name, ok, err)
				}
				part := new(big.Int).Lsh(big.NewInt(sum.Hi), 32)
				got.Add(got, part.Add(part, new(big.Int).SetUint64(sum.Lo)))
				count += sum.N
			}
			w.Close()
			want, rows := new(big.Int), 0
			collect(t, mem, n, func(v *vec.Vector, i int) { want.Add(want, big.NewInt(v.Int(i))); rows++ }, false, false)
			if got.Cmp(want) != 0 || count != rows {
				t.Fatalf("%s in [%d, %d]: %s of %d, want %s of %d", name, lo, hi, got, count, want, rows)
			}
		}
	}
}

func requireBounds(t *testing.T, b Bounds, m column.Morsel, c types.Column) {
	t.Helper()
	g, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	col, _ := g.Find(types.MakePath(c.Name), types.LeafOf(c.Type))
	var v vec.Vector
	if err := col.Read(0, g.Rows(), &v); err != nil {
		t.Fatal(err)
	}
	v.Type = c.Type
	present, lo, hi := 0, -1, -1
	for i := range v.N {
		if v.Null(i) {
			continue
		}
		present++
		if lo < 0 || datum.Compare(c.Type, &v, i, &v, lo) < 0 {
			lo = i
		}
		if hi < 0 || datum.Compare(c.Type, &v, i, &v, hi) > 0 {
			hi = i
		}
	}
	if b.Present != present {
		t.Fatalf("%s: %d present, want %d", c.Name, b.Present, present)
	}
	if c.Type.Kind != types.Text && b.Min == nil {
		t.Fatalf("%s: no bounds", c.Name)
	}
	if b.Min != nil && (datum.Compare(c.Type, b.Min, 0, &v, lo) != 0 || datum.Compare(c.Type, b.Max, 0, &v, hi) != 0) {
		t.Fatalf("%s: from %s to %s, want %s to %s", c.Name, show(b.Min, 0), show(b.Max, 0), show(&v, lo), show(&v, hi))
	}
}
