package scan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// flatTable has a column for each of the encodings that filters have loops for.
var flatTable = &types.Table{ID: 2, Schema: "public", Name: "flat", Kind: types.TableUser, Columns: []types.Column{
	{Name: "channel", Type: tText}, {Name: "country", Type: tText}, {Name: "city", Type: tText}, {Name: "x", Type: tInt},
	{Name: "at", Type: tInt}, {Name: "some", Type: tInt}, {Name: "wide", Type: tInt}, {Name: "run", Type: tInt}, {Name: "y", Type: tFloat},
	{Name: "ok", Type: tBool}, {Name: "id", Type: tText}, {Name: "url", Type: tText}, {Name: "one", Type: tInt}, {Name: "few", Type: tInt},
	{Name: "os", Type: tText}}}

// flatSource is one table three times: as it lies in memory, in segments, and what it is made of.
type flatSource struct{ morsels []column.Morsel }

func (s *flatSource) Table() *types.Table      { return flatTable }
func (s *flatSource) Morsels() []column.Morsel { return s.morsels }

// flatMorsel has a group, and rows that have been deleted.
type flatMorsel struct {
	morsel
	dead vec.Bitmap
}

func (m *flatMorsel) Deleted() vec.Bitmap { return m.dead }

func flatGroup(rng *rand.Rand, rows, first int) *column.Mem {
	m := column.NewMem(rows)
	add := func(name string, leaf types.Leaf, null int, put func(v *vec.Vector, i int)) {
		v := &vec.Vector{}
		v.Reset(leaf.Type())
		for i := range rows {
			if null > 0 && rng.IntN(null) == 0 {
				v.AppendNull()
			} else {
				put(v, i)
			}
		}
		m.Add(types.MakePath(name), leaf, v)
	}
	add("channel", types.LeafText, 0, func(v *vec.Vector, i int) {
		v.AppendString([]string{"release", "beta", "nightly", "esr", "aurora"}[rng.IntN(5)])
	})
	add("country", types.LeafText, 20, func(v *vec.Vector, i int) { v.AppendString(fmt.Sprintf("C%03d", rng.IntN(240))) })
	add("city", types.LeafText, 0, func(v *vec.Vector, i int) { v.AppendString(fmt.Sprintf("city %d", rng.IntN(800))) })
	add("x", types.LeafInt, 0, func(v *vec.Vector, i int) { v.AppendInt(rng.Int64N(1000)) })
	add("at", types.LeafInt, 0, func(v *vec.Vector, i int) { v.AppendInt(int64(first+i)*1000 + rng.Int64N(900)) })
	add("some", types.LeafInt, 3, func(v *vec.Vector, i int) { v.AppendInt(rng.Int64N(5000)) })
	add("wide", types.LeafInt, 0, func(v *vec.Vector, i int) { v.AppendInt(int64(rng.Uint64())) })
	add("run", types.LeafInt, 0, func(v *vec.Vector, i int) { v.AppendInt(int64((first + i) / 300 * 7919 % 1000003)) })
	add("y", types.LeafFloat, 10, func(v *vec.Vector, i int) { v.AppendFloat(rng.NormFloat64()) })
	add("ok", types.LeafBool, 7, func(v *vec.Vector, i int) { v.AppendBool(rng.IntN(3) == 0) })
	add("id", types.LeafText, 0, func(v *vec.Vector, i int) {
		v.AppendString(fmt.Sprintf("%08x-0000-4000-8000-%012x", rng.Uint32(), rng.Uint32()))
	})
	add("url", types.LeafText, 5, func(v *vec.Vector, i int) {
		v.AppendString(fmt.Sprintf("https://example.org/%d/page?id=%d", rng.IntN(1000), rng.Uint32()))
	})
	add("one", types.LeafInt, 0, func(v *vec.Vector, i int) { v.AppendInt(42) })
	add("few", types.LeafInt, 9, func(v *vec.Vector, i int) { v.AppendInt(rng.Int64N(30) * 987654321) })
	add("os", types.LeafText, 0, func(v *vec.Vector, i int) { v.AppendString(fmt.Sprintf("os %02d", rng.IntN(40))) })
	return m
}

// newFlat returns the source in memory and in a segment. dead deletes 1 row in so many; 0 none.
func newFlat(t testing.TB, rng *rand.Rand, groups, rows, dead int) (mem, seg *flatSource) {
	t.Helper()
	fs := vfs.NewMem()
	w, err := segment.Create(segment.WriterOptions{FS: fs, Path: "s", ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	mem, seg = &flatSource{}, &flatSource{}
	refs := make([]segment.RowRef, rows)
	for i := range refs {
		refs[i].Row = uint16(i)
	}
	for g := range groups {
		m := flatGroup(rng, rows, g*rows)
		if err := w.AddGroup([]column.Group{m}, refs); err != nil {
			t.Fatal(err)
		}
		f := &flatMorsel{morsel: morsel{g: m, opened: new(int)}}
		if dead > 0 {
			f.dead = vec.MakeBitmap(rows)
			for i := range rows {
				f.dead.SetTo(i, rng.IntN(dead) == 0)
			}
		}
		mem.morsels = append(mem.morsels, f)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	cache := segment.NewCache(256 << 20)
	r, err := segment.Open(fs, "s", 1, cache)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); cache.Close() })
	for g := range groups {
		known := map[string]column.Stats{} // what a manifest has
		for _, name := range []string{"at", "y"} {
			c, _ := r.Group(g).Find(types.MakePath(name), types.LeafOf(flatCol(name).Type))
			known[name] = c.Stats()
		}
		seg.morsels = append(seg.morsels, &flatMorsel{morsel{g: r.Group(g), opened: new(int), stats: known}, mem.morsels[g].Deleted()})
	}
	return mem, seg
}

func flatCol(name string) plan.ScanCol {
	return plan.ScanCol{Column: name, Type: flatTable.Columns[flatTable.Col(name)].Type}
}

// flatConjunct is a random condition on column c of Read.
func flatConjunct(rng *rand.Rand, c int, col plan.ScanCol) expr.Expr {
	arg := &expr.Col{Idx: c, T: col.Type, Name: col.Column}
	if rng.IntN(8) == 0 {
		return &expr.IsNull{Arg: arg, Negate: rng.IntN(2) == 0}
	}
	op := []string{"=", "<>", "<", "<=", ">", ">="}[rng.IntN(6)]
	v := &vec.Vector{}
	v.Reset(col.Type)
	switch col.Column {
	case "channel":
		v.AppendString([]string{"release", "beta", "nope"}[rng.IntN(3)])
	case "country":
		v.AppendString(fmt.Sprintf("C%03d", rng.IntN(260)))
	case "os":
		v.AppendString(fmt.Sprintf("os %02d", rng.IntN(45)))
	case "city":
		v.AppendString(fmt.Sprintf("city %d", rng.IntN(900)))
	case "x":
		v.AppendInt(rng.Int64N(1100) - 50)
	case "at":
		v.AppendInt(rng.Int64N(20_000_000))
	case "some":
		v.AppendInt(rng.Int64N(5500))
	case "wide":
		v.AppendInt(int64(rng.Uint64()))
	case "run":
		v.AppendInt(rng.Int64N(1000003))
	case "y":
		v.AppendFloat(rng.NormFloat64())
	case "ok":
		v.AppendBool(rng.IntN(2) == 0)
	case "id":
		v.AppendString(fmt.Sprintf("%08x", rng.Uint32()))
	case "url":
		v.AppendString(fmt.Sprintf("https://example.org/%d", rng.IntN(1000)))
	default:
		v.AppendInt(41 + rng.Int64N(3))
	}
	return compareCall(op, arg, &expr.Const{V: v})
}

// TestSegmentsAnswerAsMemoryDoes: every path of the scan over encoded columns against the plain one, over random filters.
func TestSegmentsAnswerAsMemoryDoes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, dead := range []int{0, 9} {
		mem, seg := newFlat(t, rng, 2, 6000, dead)
		for range 60 {
			n := &plan.Scan{Table: flatTable}
			for range 1 + rng.IntN(3) {
				c := flatTable.Columns[rng.IntN(len(flatTable.Columns))]
				n.Read = append(n.Read, flatCol(c.Name))
			}
			n.Out = rng.IntN(len(n.Read) + 1)
			for range rng.IntN(4) {
				c := rng.IntN(len(n.Read))
				e := flatConjunct(rng, c, n.Read[c])
				if rng.IntN(6) == 0 {
					d := rng.IntN(len(n.Read))
					e = &expr.Logic{Or: true, Args: []expr.Expr{e, flatConjunct(rng, d, n.Read[d])}}
				}
				n.Filter = append(n.Filter, e)
			}
			want, got := mustRead(t, mem, n), mustRead(t, seg, n)
			if !slices.Equal(want, got) {
				t.Fatalf("read %v, filter %v: %d rows from the segment, %d from memory", n.Read, n.Filter, len(got), len(want))
			}
			requireSelect(t, seg, n, len(want))
		}
	}
}

// requireSelect counts what Select passes.
func requireSelect(t *testing.T, src column.Source, n *plan.Scan, want int) {
	t.Helper()
	ctx := &expr.Ctx{}
	s, err := New(ctx, src, n)
	if err != nil {
		t.Fatal(err)
	}
	w := s.NewWorker(ctx)
	defer w.Close()
	total := 0
	for i := range s.Morsels() {
		g, sel, alive, err := w.Select(i)
		if err != nil {
			t.Fatal(err)
		}
		total += alive
		if g != nil && sel != nil && sel.Count() != alive || g != nil && sel == nil && g.Rows() != alive {
			t.Fatalf("%d alive", alive)
		}
	}
	if total != want {
		t.Fatalf("Select passes %d rows, want %d", total, want)
	}
}

// BenchmarkFilter reports the time per row of filters over warm row groups, opening included.
func BenchmarkFilter(b *testing.B) {
	const groups = 4
	_, seg := newFlat(b, rand.New(rand.NewPCG(1, 2)), groups, 65536, 0)
	text := func(s string) *expr.Const {
		v := &vec.Vector{}
		v.Reset(tText)
		v.AppendString(s)
		return &expr.Const{V: v}
	}
	num := func(i int64) *expr.Const {
		v := &vec.Vector{}
		v.Reset(tInt)
		v.AppendInt(i)
		return &expr.Const{V: v}
	}
	col := func(i int, name string) *expr.Col {
		c := flatCol(name)
		return &expr.Col{Idx: i, T: c.Type, Name: name}
	}
	for _, q := range []struct {
		name   string
		read   []string
		out    int
		filter []expr.Expr
	}{
		{"two dictionaries", []string{"channel", "city"}, 0, []expr.Expr{compareCall("=", col(0, "channel"), text("beta")), compareCall("<", col(1, "city"), text("city 5"))}},
		{"dictionary u8", []string{"channel"}, 0, []expr.Expr{compareCall("=", col(0, "channel"), text("beta"))}},
		{"dictionary with NULLs", []string{"country"}, 0, []expr.Expr{compareCall("<", col(0, "country"), text("C100"))}},
		{"10 bits", []string{"x"}, 0, []expr.Expr{compareCall("<", col(0, "x"), num(500))}},
		{"plain", []string{"wide"}, 0, []expr.Expr{compareCall("<", col(0, "wide"), num(500))}},
		{"sorted", []string{"at"}, 0, []expr.Expr{compareCall("<", col(0, "at"), num(100_000_000))}},
		{"half with NULLs", []string{"some"}, 0, []expr.Expr{compareCall("<", col(0, "some"), num(2500))}},
		{"read 10 bits", []string{"x"}, 1, nil},
		{"read dictionary", []string{"channel"}, 1, nil},
		{"read 5", []string{"x", "channel", "city", "some", "at"}, 5, nil},
		{"read 10 bits of 1 in 5", []string{"x", "channel"}, 1, []expr.Expr{compareCall("=", col(1, "channel"), text("beta"))}},
	} {
		n := &plan.Scan{Table: flatTable, Out: q.out, Filter: q.filter}
		for _, c := range q.read {
			n.Read = append(n.Read, flatCol(c))
		}
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				ctx := &expr.Ctx{}
				s, err := New(ctx, seg, n)
				if err != nil {
					b.Fatal(err)
				}
				w := s.NewWorker(ctx)
				for i := range s.Morsels() {
					if q.out == 0 {
						_, _, alive, err := w.Select(i)
						if err != nil {
							b.Fatal(err)
						}
						rows += alive
						continue
					}
					if err := w.Morsel(i, func(batch *vec.Batch, sel vec.Bitmap) error { rows += batch.N; return nil }); err != nil {
						b.Fatal(err)
					}
				}
				w.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(groups*65536), "ns/row")
		})
	}
}

// TestBatchesOfAnySizeHaveTheSameRows: sizes that fall across words of selections, and through documents.
func TestBatchesOfAnySizeHaveTheSameRows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 6))
	_, seg := newFlat(t, rng, 2, 3000, 9)
	for _, filter := range []bool{false, true} {
		n := &plan.Scan{Table: flatTable, Read: []plan.ScanCol{flatCol("country"), flatCol("x"), flatCol("ok"), flatCol("one")}, Out: 4}
		if filter {
			n.Filter = []expr.Expr{compareCall("<", &expr.Col{Idx: 1, T: tInt}, constOf(tInt, int64(300)))}
		}
		want := mustRead(t, seg, n)
		for _, size := range []int{1, 2, 3, 64, 100, 1024, 4096} {
			ctx := &expr.Ctx{}
			s, err := New(ctx, seg, n)
			if err != nil {
				t.Fatal(err)
			}
			s.BatchRows(size)
			s.Measure()
			w := s.NewWorker(ctx)
			var got []string
			for i := range s.Morsels() {
				if err := w.Morsel(i, func(b *vec.Batch, sel vec.Bitmap) error {
					if b.N > size {
						t.Fatalf("%d rows", b.N)
					}
					for r := range b.N {
						if sel == nil || sel.Get(r) {
							got = append(got, fmt.Sprintf("%s | %s | %s | %s", show(b.Cols[0], r), show(b.Cols[1], r), show(b.Cols[2], r), show(b.Cols[3], r)))
						}
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			w.Close()
			if !slices.Equal(got, want) {
				t.Fatalf("batches of %d: %d rows, want %d", size, len(got), len(want))
			}
			d := s.Detail()
			if d.Encodings["for"] == 0 || d.Bytes == 0 || filter && (d.Conjuncts[0].Out != int64(len(want)) || d.Bitmap == 0) {
				t.Fatalf("%+v", d)
			}
		}
	}
}
