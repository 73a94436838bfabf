package segment

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }

// randomGroup makes a source of random columns: all leaf kinds, all densities, nested and top-level paths.
func randomGroup(r *rand.Rand, rows, columns int) *column.Mem {
	m := column.NewMem(rows)
	for i := range columns {
		leaf := types.Leaf(1 + r.IntN(6))
		path := types.MakePath(fmt.Sprintf("col%02d", i))
		switch r.IntN(3) {
		case 0:
			path = types.MakePath("payload", fmt.Sprintf("k%02d", i))
		case 1:
			path = types.MakePath("payload", "deep", fmt.Sprintf("k%02d", i/2), "x")
		}
		if _, ok := m.Find(path, leaf); !ok {
			m.Add(path, leaf, randomVector(r, leaf, rows))
		}
	}
	return m
}

func randomVector(r *rand.Rand, leaf types.Leaf, rows int) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(leaf.Type())
	density := []float64{1, 1, 0.9, 0.3, 0.02, 2 / float64(rows), 0}[r.IntN(7)]
	kind := r.IntN(4)
	for i := range rows {
		if r.Float64() >= density {
			v.AppendNull()
			continue
		}
		appendRandom(v, r, leaf, kind, i)
	}
	return v
}

func appendRandom(v *vec.Vector, r *rand.Rand, leaf types.Leaf, kind, i int) {
	switch leaf {
	case types.LeafBool:
		v.AppendBool(kind == 0 || r.IntN(2) == 0)
	case types.LeafInt:
		v.AppendInt([]int64{7, r.Int64N(100), int64(i / 9), int64(r.Uint64())}[kind])
	case types.LeafFloat:
		v.AppendFloat([]float64{math.Copysign(0, -1), float64(r.IntN(9)), r.NormFloat64(), math.NaN()}[kind])
	case types.LeafHistogram:
		h := sketch.Histogram{Layout: sketch.Layout{Type: sketch.TypeLinear, Buckets: 10, Low: 1, High: 9}, Sum: r.Int64N(1000)}
		for b := range 1 + r.IntN(9) {
			h.Buckets = append(h.Buckets, sketch.Bucket{Bound: int64(b), Count: r.Int64N(40)})
		}
		v.AppendBytes(h.AppendTo(nil))
	case types.LeafJSON:
		v.AppendString(strings.Repeat(fmt.Sprintf(`["%d", {}], `, r.IntN(9)), 1+kind*r.IntN(40)))
	default:
		v.AppendString([]string{"release", fmt.Sprintf("v%d", r.IntN(30)), fmt.Sprintf("%x", r.Uint64()), strings.Repeat("long ", r.IntN(60))}[kind])
	}
}

// randomRows picks n rows of the sources in random order.
func randomRows(r *rand.Rand, src []column.Group, n int) []RowRef {
	rows := make([]RowRef, n)
	for i := range rows {
		g := r.IntN(len(src))
		rows[i] = RowRef{Group: uint32(g), Row: uint16(r.IntN(src[g].Rows()))}
	}
	return rows
}

func write(t testing.TB, fs vfs.FS, o WriterOptions, groups ...func(w *Writer) error) *Meta {
	t.Helper()
	o.FS = fs
	w, err := Create(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if err := g(w); err != nil {
			t.Fatal(err)
		}
	}
	m, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func adding(src []column.Group, rows []RowRef) func(w *Writer) error {
	return func(w *Writer) error { return w.AddGroup(src, rows) }
}

func allRows(n int) []RowRef {
	rows := make([]RowRef, n)
	for i := range rows {
		rows[i].Row = uint16(i)
	}
	return rows
}

func open(t testing.TB, fs vfs.FS, path string, id uint64, cache *Cache) *Reader {
	t.Helper()
	r, err := Open(fs, path, id, cache)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func requireClean(t testing.TB, r *Reader) {
	t.Helper()
	r.Check(func(p Problem) { t.Errorf("check: %v", p) })
}

// expected gathers a column the slow way.
func expected(src []column.Group, rows []RowRef, p types.Path, leaf types.Leaf) (*vec.Vector, error) {
	out := &vec.Vector{}
	out.Reset(leaf.Type())
	whole := make([]*vec.Vector, len(src))
	for i, g := range src {
		c, ok := g.Find(p, leaf)
		if !ok {
			continue
		}
		whole[i] = &vec.Vector{}
		whole[i].Reset(leaf.Type())
		var v vec.Vector
		for from := 0; from < g.Rows(); from += vec.BlockRows {
			if err := c.Read(from, min(from+vec.BlockRows, g.Rows()), &v); err != nil {
				return nil, err
			}
			for k := range v.N {
				whole[i].AppendFrom(&v, k)
			}
		}
	}
	for _, r := range rows {
		if v := whole[r.Group]; v != nil {
			out.AppendFrom(v, int(r.Row))
		} else {
			out.AppendNull()
		}
	}
	return out, nil
}

func sameValue(a *vec.Vector, i int, b *vec.Vector, k int) bool {
	if a.Null(i) || b.Null(k) {
		return a.Null(i) == b.Null(k)
	}
	switch a.Type.Phys() {
	case types.PhysBool:
		return a.Bool(i) == b.Bool(k)
	case types.PhysInt64:
		return a.Int(i) == b.Int(k)
	case types.PhysFloat64:
		return math.Float64bits(a.Float(i)) == math.Float64bits(b.Float(k))
	}
	return bytes.Equal(a.Bytes(i), b.Bytes(k))
}

// columnsOf lists the columns that have a value in the wanted rows, as the sources have them.
func columnsOf(t testing.TB, src []column.Group, rows []RowRef) (names []dirName, want []*vec.Vector) {
	t.Helper()
	seen := map[dirName]bool{}
	for _, g := range src {
		for _, c := range g.Under("") {
			seen[dirName{c.Path(), c.Leaf()}] = true
		}
	}
	for n := range seen {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b dirName) int {
		if c := strings.Compare(string(a.path), string(b.path)); c != 0 {
			return c
		}
		return int(a.leaf) - int(b.leaf)
	})
	kept := names[:0]
	for _, n := range names {
		v, err := expected(src, rows, n.path, n.leaf)
		if err != nil {
			t.Fatal(err)
		}
		present := false
		for i := range v.N {
			present = present || !v.Null(i)
		}
		if present {
			kept, want = append(kept, n), append(want, v)
		}
	}
	return kept, want
}
