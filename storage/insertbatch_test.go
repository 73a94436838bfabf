package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// batchTable has a column of each physical class and a key of text, id and number.
func batchTable(name string) *types.Table {
	return &types.Table{Schema: "public", Name: name, PartitionBy: "d", SortKey: []string{"c", "id", "n"}, Columns: []types.Column{
		{Name: "d", Type: types.Of(types.Date)}, {Name: "n", Type: types.Of(types.Int64)}, {Name: "c", Type: types.Of(types.Text)},
		{Name: "id", Type: types.Of(types.Text)}, {Name: "f", Type: types.Of(types.Float64)}, {Name: "b", Type: types.Of(types.Bool)},
		{Name: "s", Type: types.Of(types.Text)}}}
}

// randomBatch makes rows in which texts are few, ids or anything, in one of the forms a batch may have them in.
func randomBatch(rng *rand.Rand, rows int, mode int) *vec.Batch {
	b := &vec.Batch{N: rows}
	col := func(t types.Kind, null int, put func(v *vec.Vector)) *vec.Vector {
		v := &vec.Vector{}
		v.Reset(types.Of(t))
		for range rows {
			if null > 0 && rng.IntN(null) == 0 {
				v.AppendNull()
			} else {
				put(v)
			}
		}
		b.Cols = append(b.Cols, v)
		return v
	}
	spread := int64(1) << (8 * rng.IntN(8))
	col(types.Date, 50, func(v *vec.Vector) { v.AppendInt(day0 + rng.Int64N(4)) })
	col(types.Int64, 5*(mode%2), func(v *vec.Vector) { v.AppendInt(rng.Int64N(spread) - spread/2) })
	channels := 1 + rng.IntN(6)
	if mode == 3 {
		channels = 700
	}
	c := col(types.Text, 9*(mode%2), func(v *vec.Vector) { v.AppendString(fmt.Sprintf("channel %d", rng.IntN(channels))) })
	if mode != 1 && c.Valid == nil {
		asCodes(c)
	}
	col(types.Text, 0, func(v *vec.Vector) {
		if mode == 2 && rng.IntN(300) == 0 {
			v.AppendString("no id")
			return
		}
		v.AppendString(fmt.Sprintf("%08x-0000-4000-8000-%012x", rng.IntN(50), rng.IntN(3)))
	})
	col(types.Float64, 7, func(v *vec.Vector) {
		v.AppendFloat([]float64{0, math.Copysign(0, -1), 1.25, -3e300, math.Inf(1)}[rng.IntN(5)])
	})
	col(types.Bool, 4, func(v *vec.Vector) { v.AppendBool(rng.IntN(2) == 0) })
	col(types.Text, 3, func(v *vec.Vector) { v.AppendString(fmt.Sprint(rng.Int64())) })
	return b
}

// asCodes gives a vector of texts a dictionary.
func asCodes(v *vec.Vector) {
	d := &vec.Vector{}
	d.Reset(v.Type)
	at := map[string]uint32{}
	out := vec.Vector{Type: v.Type, N: v.N, Form: vec.Dict, Dict: d}
	for r := range v.N {
		s := string(v.Bytes(r))
		k, ok := at[s]
		if !ok {
			k = uint32(d.N)
			at[s] = k
			d.AppendString(s)
		}
		out.Codes = append(out.Codes, k)
	}
	*v = out
}

// bufsOf makes the rows of a batch for Insert.Add.
func bufsOf(s *Store, t *types.Table, b *vec.Batch) (out []*column.RowBuf) {
	for r := range b.N {
		row := &column.RowBuf{}
		for i, c := range t.Columns[:len(b.Cols)] {
			v, path := b.Cols[i], s.Paths().Intern(types.MakePath(c.Name))
			switch leaf := types.LeafOf(c.Type); {
			case v.Null(r):
			case leaf == types.LeafInt:
				row.Int(path, v.Int(r))
			case leaf == types.LeafFloat:
				row.Float(path, v.Float(r))
			case leaf == types.LeafBool:
				row.Bool(path, v.Bool(r))
			default:
				row.Bytes(path, leaf, v.Bytes(r))
			}
		}
		out = append(out, row)
	}
	return out
}

func TestBatchesBecomeTheRowsTheyHoldSortedByPartition(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 3))
		o := testOptions(vfs.NewMem(), newTestClock())
		if seed%2 == 1 {
			o.InsertMemory = 300 << 10 // several times over
		}
		s, err := Open("/db", o)
		must(t, err)
		must(t, s.CreateSchema(ctx, "public"))
		a, err := s.CreateTable(ctx, batchTable("a"))
		must(t, err)
		b, err := s.CreateTable(ctx, batchTable("b"))
		must(t, err)
		in, err := s.NewInsert(b)
		must(t, err)
		total := 0
		for range 3 {
			batch := randomBatch(rng, 1+rng.IntN(12000), int(seed%4))
			total += batch.N
			must(t, s.InsertRows(ctx, a, bufsOf(s, a, batch)))
			must(t, in.AddBatch(ctx, batch))
		}
		if in.Rows() != int64(total) {
			t.Fatalf("seed %d: %d rows of %d", seed, in.Rows(), total)
		}
		if got := userRows(t, s, b.FullName()); len(got) != 0 {
			t.Fatalf("seed %d: %d rows are there before Commit", seed, len(got))
		}
		must(t, in.Commit(ctx))
		want := userRows(t, s, a.FullName())
		if got := userRows(t, s, b.FullName()); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: %d different rows, want %d", seed, len(got), len(want))
		}
		checkOrder(t, s, b)
		must(t, checkStore(s))
		must(t, s.Close())
	}
}

// checkOrder compares neighbouring rows of a table's row groups, which are of one partition, in order of the key.
func checkOrder(t *testing.T, s *Store, table *types.Table) {
	t.Helper()
	sn := snapshot(t, s)
	defer sn.Release()
	src, err := sn.Source(table)
	must(t, err)
	for _, m := range src.Morsels() {
		g, err := m.Open()
		must(t, err)
		keys, err := compact.ReadKeys(g, compact.KeyOf(table))
		must(t, err)
		for r := 1; r < keys.Len(); r++ {
			if keys.Compare(r-1, keys, r) > 0 {
				t.Fatalf("%s: row %d is not behind the one before", m.Origin(), r)
			}
		}
	}
}

// TestOnePartitionIsCutByRangesOfTheSortKey: several workers write it, and what they write does not overlap.
func TestOnePartitionIsCutByRangesOfTheSortKey(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 5))
		s := openTest(t, vfs.NewMem())
		s.cutRows = 1000
		must(t, s.CreateSchema(ctx, "public"))
		whole := batchTable("a")
		whole.PartitionBy, whole.SortKey = "", []string{"u", "c", "n"}
		whole.Columns = append(whole.Columns, types.Column{Name: "u", Type: types.Of(types.UUID)})
		a, err := s.CreateTable(ctx, whole)
		must(t, err)
		in, err := s.NewInsert(a)
		must(t, err)
		want := map[string]int{}
		for range 3 {
			batch := randomBatch(rng, 2000+rng.IntN(9000), int(seed%4))
			u := &vec.Vector{}
			u.Reset(types.Of(types.UUID))
			for r := range batch.N {
				if x := rng.IntN(3000); x == 0 && seed%2 == 0 {
					u.AppendNull()
				} else {
					u.AppendBytes(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(x%7)<<61), uint64(x)))
				}
				want[fmt.Sprint(u.Null(r), u.Bytes(r), batch.Cols[1].Null(r), batch.Cols[1].Int(r))]++
			}
			batch.Cols = append(batch.Cols, u)
			must(t, in.AddBatch(ctx, batch))
		}
		must(t, in.Commit(ctx))
		checkOrder(t, s, a)
		sn := snapshot(t, s)
		var last []byte
		files := sn.version.tables[a.ID]
		if n := min(runtime.GOMAXPROCS(0), int(in.Rows())/s.cutRows); len(files) != n {
			t.Errorf("seed %d: %d segments of %d rows, want %d", seed, len(files), in.Rows(), n)
		}
		slices.SortFunc(files, func(a, b *file) int { return bytes.Compare(firstKey(t, s, a), firstKey(t, s, b)) })
		for _, f := range files {
			if first := firstKey(t, s, f); bytes.Compare(first, last) < 0 {
				t.Errorf("seed %d: segments overlap", seed)
			}
			rd, err := f.open(s.files, s.cache)
			must(t, err)
			last, err = compact.LastKey(rd.Group(rd.Groups()-1), compact.KeyOf(a))
			must(t, err)
			for g := range rd.Groups() {
				u, err := wholeColumn(rd.Group(g), "u", types.LeafText)
				must(t, err)
				n, err := wholeColumn(rd.Group(g), "n", types.LeafInt)
				must(t, err)
				for r := range u.N {
					want[fmt.Sprint(u.Null(r), u.Bytes(r), n.Null(r), n.Int(r))]--
				}
			}
		}
		for row, n := range want {
			if n != 0 {
				t.Fatalf("seed %d: row %s is there %d times too few", seed, row, n)
			}
		}
		sn.Release()
		must(t, checkStore(s))
	}
}

func firstKey(t *testing.T, s *Store, f *file) []byte {
	t.Helper()
	rd, err := f.open(s.files, s.cache)
	must(t, err)
	table, _ := s.catalog.byIDLive(f.Table)
	k, err := compact.FirstKey(rd.Group(0), compact.KeyOf(table))
	must(t, err)
	return k
}

func TestBatchesAreForgottenByAbort(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	s.o.InsertMemory = 100 << 10
	must(t, s.CreateSchema(ctx, "public"))
	a, err := s.CreateTable(ctx, batchTable("a"))
	must(t, err)
	in, err := s.NewInsert(a)
	must(t, err)
	must(t, in.AddBatch(ctx, randomBatch(rand.New(rand.NewPCG(1, 1)), 20000, 0)))
	must(t, in.Abort())
	if got := userRows(t, s, a.FullName()); len(got) != 0 {
		t.Fatalf("%d rows", len(got))
	}
	must(t, checkStore(s))
}
