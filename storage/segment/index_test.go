package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// indexedSource has a column for each way into the index area: ids that are looked up, few texts, few ints with holes, many
// texts with a dictionary, and ids that are not looked up. Rows from 1,400 on have neither ids nor a city.
func indexedSource() *column.Mem {
	const n = 1500
	m := column.NewMem(n)
	add := func(name string, leaf types.Leaf, value func(i int, v *vec.Vector)) {
		v := &vec.Vector{}
		v.Reset(leaf.Type())
		for i := range n {
			value(i, v)
		}
		m.Add(types.Path(name), leaf, v)
	}
	add("client_id", types.LeafText, func(i int, v *vec.Vector) {
		if i >= 1400 {
			v.AppendNull()
			return
		}
		v.AppendString(fmt.Sprintf("%08x-0000-4000-8000-%012x", i/2*0x9e3779b1&0xffffffff, i/2))
	})
	add("channel", types.LeafText, func(i int, v *vec.Vector) { v.AppendString([]string{"", "beta", "nightly", "release"}[(i*i+i/1400)%4]) })
	add("level", types.LeafInt, func(i int, v *vec.Vector) {
		if i%3 == 0 {
			v.AppendNull()
		} else {
			v.AppendInt([]int64{-5, 1 << 40, 77, 0, -1 << 50}[i*7%5])
		}
	})
	add("city", types.LeafText, func(i int, v *vec.Vector) {
		if i >= 1400 {
			v.AppendNull()
			return
		}
		v.AppendString(fmt.Sprintf("the city of %d", i*37%400))
	})
	add("note", types.LeafText, func(i int, v *vec.Vector) { v.AppendString(fmt.Sprintf("note %d", i)) })
	return m
}

func indexedSegment(t testing.TB, fs vfs.FS) (src []column.Group, rows []RowRef) {
	src, rows = []column.Group{indexedSource()}, allRows(1500)
	write(t, fs, WriterOptions{Path: "/seg", ID: 9, TableID: 2, Lookups: []string{"client_id"}}, adding(src, rows[:1400]), adding(src, rows[1400:]))
	return src, rows
}

func eq(leaf types.Leaf, v *vec.Vector, i int) *column.Pred {
	p := &column.Pred{Op: column.OpEq, Leaf: leaf}
	if leaf == types.LeafInt {
		p.I = v.Int(i)
	} else {
		p.B = v.Bytes(i)
	}
	return p
}

func TestNoRowGroupDeniesAValueItHas(t *testing.T) {
	fs := vfs.NewMem()
	src, _ := indexedSegment(t, fs)
	r := open(t, fs, "/seg", 9, nil)
	m := r.Meta()
	for _, col := range src[0].Under("") {
		var v vec.Vector
		for from := 0; from < 1500; from += 100 { // parts of blocks that are parts of the row groups too
			if err := col.Read(from, from+24, &v); err != nil {
				t.Fatal(err)
			}
			for i := range v.N {
				if v.Null(i) {
					continue
				}
				p := eq(col.Leaf(), &v, i)
				in := &column.Pred{Op: column.OpIn, Leaf: p.Leaf, List: &vec.Vector{}}
				in.List.Reset(p.Leaf.Type())
				in.List.AppendFrom(&v, i)
				for _, p := range []*column.Pred{p, in} {
					if ok, err := r.MayHold(m, from/1400, string(col.Path()), p); !ok || err != nil {
						t.Fatalf("%s, row %d: %v, %v", col.Path(), from+i, ok, err)
					}
				}
			}
		}
	}
}

func TestWhatARowGroupDoesNotHaveIsDenied(t *testing.T) {
	fs := vfs.NewMem()
	indexedSegment(t, fs)
	r := open(t, fs, "/seg", 9, nil)
	m := r.Meta()
	ask := func(group int, name string, p *column.Pred) bool {
		t.Helper()
		ok, err := r.MayHold(m, group, name, p)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	text := func(s string) *column.Pred { return &column.Pred{Op: column.OpEq, Leaf: types.LeafText, B: []byte(s)} }
	number := func(x int64) *column.Pred { return &column.Pred{Op: column.OpEq, Leaf: types.LeafInt, I: x} }
	for _, c := range []struct {
		what  string
		group int
		name  string
		p     *column.Pred
		want  bool
	}{
		{"a channel nobody has", 0, "channel", text("aurora"), false},
		{"the first channel", 0, "channel", text(""), true},
		{"a channel of the other row group", 1, "channel", text(""), false},
		{"a level nobody has", 0, "level", number(76), false},
		{"a level", 0, "level", number(-1 << 50), true},
		{"a client where there are none", 1, "client_id", text("00000000-0000-4000-8000-000000000000"), false},
		{"a client", 0, "client_id", text("00000000-0000-4000-8000-000000000000"), true},
		{"a column that is not indexed", 0, "note", text("no such note"), true},
		{"a column the segment does not have", 0, "geo_country", text("US"), false},
		{"a column that is in no file", 0, types.ColRow, number(5), true},
		{"another kind of value", 0, "channel", number(5), true},
		{"another comparison", 0, "channel", &column.Pred{Op: column.OpGt, Leaf: types.LeafText, B: []byte("zz")}, true},
	} {
		if got := ask(c.group, c.name, c.p); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	maybe := 0
	for i := range 10_000 {
		if ask(0, "client_id", text(fmt.Sprintf("other %d", i))) {
			maybe++
		}
		if ask(0, "city", text(fmt.Sprintf("other %d", i))) {
			maybe++
		}
	}
	if maybe > 300 { // 1.5 %
		t.Errorf("%d of 20,000 unknown values may be there", maybe)
	}
}

func TestColdLookupIsOneReadAndTheNextNone(t *testing.T) {
	inner := vfs.NewMem()
	indexedSegment(t, inner)
	rd := open(t, inner, "/seg", 9, nil)
	stored := rd.Meta().AppendBinary(nil)
	var m Meta
	if err := m.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	in := vfs.NewInjector()
	cache := NewCacheWithIndex(2<<20, 1<<20)
	defer cache.Close()
	r, err := OpenLater(vfs.Fault(inner, in), "/seg", cache)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reads := func() int64 { return in.Calls(vfs.Ops(vfs.OpReadAt)) }
	for range 3 {
		for g := range 2 {
			for name, want := range map[string]int64{"channel": 0, "level": 0, "client_id": 1} {
				before := reads()
				p := &column.Pred{Op: column.OpEq, Leaf: m.Columns[slices.IndexFunc(m.Columns, func(c ColumnMeta) bool { return c.Name == name })].Leaf, B: []byte("x")}
				if _, err := r.MayHold(&m, g, name, p); err != nil {
					t.Fatal(err)
				}
				if n := reads() - before; n > want || name == "client_id" && n != 0 && reads() != 1 {
					t.Errorf("row group %d, %s: %d reads", g, name, n)
				}
			}
		}
	}
	if reads() != 1 {
		t.Errorf("%d reads", reads())
	}
	if err := r.Load(9); err != nil {
		t.Fatal(err)
	}
	requireClean(t, r)
	if cache.IndexStats().Used == 0 || cache.IndexStats().Hits == 0 {
		t.Errorf("the filters are not counted: %+v", cache.IndexStats())
	}
	cache.Drop(true)
	before := reads()
	if ok, err := r.MayHold(&m, 0, "client_id", &column.Pred{Op: column.OpEq, Leaf: types.LeafText, B: []byte("x")}); ok || err != nil || reads() != before+1 {
		t.Errorf("after Drop: %v, %v, %d reads", ok, err, reads()-before)
	}
}

// TestAReaderThatKnowsNoIndexReadsTheFile: the feature is optional. A header without its bit stands for such a reader.
func TestAReaderThatKnowsNoIndexReadsTheFile(t *testing.T) {
	fs := vfs.NewMem()
	src, rows := indexedSegment(t, fs)
	b := readFile(t, fs, "/seg")
	if binary.LittleEndian.Uint32(b[12:]) != optionalIndex {
		t.Fatal("the header does not tell of the index")
	}
	clear(b[12:16])
	binary.LittleEndian.PutUint32(b[headerBytes-4:], checksum(b[:headerBytes-4]))
	writeFile(t, fs, "/old", b)
	rd := open(t, fs, "/old", 9, nil)
	requireGroup(t, newRand(1), rd.Group(0), src, rows[:1400])
	if m := rd.Meta(); m.Column("client_id", types.LeafText).Filters != nil || m.Column("channel", types.LeafText).Set != nil {
		t.Error("a reader without the feature knows the index")
	}
}

func TestDamagedFilterFailsTheLookupAlone(t *testing.T) {
	fs := vfs.NewMem()
	src, rows := indexedSegment(t, fs)
	m := open(t, fs, "/seg", 9, nil).Meta()
	f := m.Column("client_id", types.LeafText).Filters[0]
	b := readFile(t, fs, "/seg")
	b[f.Offset+7] ^= 4
	writeFile(t, fs, "/bad", b)
	rd := open(t, fs, "/bad", 9, nil)
	ok, err := rd.MayHold(m, 0, "client_id", &column.Pred{Op: column.OpEq, Leaf: types.LeafText, B: []byte("x")})
	var corrupt *CorruptError
	if !ok || !errors.As(err, &corrupt) || corrupt.Offset != f.Offset || !errors.Is(err, column.ErrCorrupt) || !strings.Contains(err.Error(), "client_id") {
		t.Errorf("%v, %v", ok, err)
	}
	requireGroup(t, newRand(1), rd.Group(0), src, rows[:1400])
	var found []Problem
	rd.Check(func(p Problem) { found = append(found, p) })
	if len(found) != 1 || found[0].Offset != f.Offset {
		t.Errorf("check: %v", found)
	}
}

func TestEveryFlippedByteOfTheIndexIsFound(t *testing.T) {
	fs := vfs.NewMem()
	indexedSegment(t, fs)
	rd := open(t, fs, "/seg", 9, nil)
	from := int(rd.foot.dirOffset) - int(rd.foot.indexBytes)
	whole := readFile(t, fs, "/seg")
	for at := from; at < len(whole); at++ {
		bad := slices.Clone(whole)
		bad[at] ^= 1 << (at % 8)
		writeFile(t, fs, "/flip", bad)
		found := false
		if r, err := Open(fs, "/flip", 9, nil); err != nil {
			found = true
		} else {
			c := &checker{report: func(Problem) { found = true }, r: r}
			for g := range r.groups { // the index and what it describes; the rest of the file is the other test's
				for _, name := range []types.Path{"client_id", "city"} {
					if col, ok := r.Group(g).Find(name, types.LeafText); ok {
						c.values(&r.groups[g], col, string(name))
					}
				}
			}
			r.Close()
		}
		if err := fs.Remove("/flip"); err != nil {
			t.Fatal(err)
		}
		if !found {
			t.Fatalf("flipped byte %d of %d, the index begins at %d, is not found", at, len(whole), from)
		}
	}
}

// TestCheckFindsAnIndexThatLies: checksums are right, the claims are not.
func TestCheckFindsAnIndexThatLies(t *testing.T) {
	src, rows := []column.Group{indexedSource()}, allRows(1500)
	for what, lie := range map[string]func(w *indexWriter, c *columnIndex){
		"a filter without a value": func(w *indexWriter, c *columnIndex) {
			if c.lookup {
				clear(c.parts[0].filter[:8])
			}
		},
		"a filter of a row group without values": func(w *indexWriter, c *columnIndex) {
			if c.lookup {
				c.parts = append(c.parts, indexPart{group: 1, filter: make(bloom, 32)})
			}
		},
		"no values where there are some": func(w *indexWriter, c *columnIndex) {
			if c.lookup {
				c.parts[0].group = 1
			}
		},
		"a set with a value less": func(w *indexWriter, c *columnIndex) {
			if v := c.parts[0].values; v != nil && c.leaf == types.LeafText {
				v.Data[len(v.Data)-1]++
			}
		},
	} {
		fs := vfs.NewMem()
		w, err := Create(WriterOptions{FS: fs, Path: "/seg", ID: 9, Lookups: []string{"client_id"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.AddGroup(src, rows[:1400]), w.AddGroup(src, rows[1400:])); err != nil {
			t.Fatal(err)
		}
		for _, c := range w.index.cols {
			lie(&w.index, c)
		}
		if _, err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		found := 0
		open(t, fs, "/seg", 9, nil).Check(func(p Problem) { found++ })
		if found == 0 {
			t.Errorf("%s: nothing found", what)
		}
	}
}

func TestSetsAreBounded(t *testing.T) {
	for _, c := range []struct {
		values, length int
		set            bool
	}{{200, 1, true}, {255, 1, true}, {256, 1, true}, {257, 1, false}, {100, 8, true}, {100, 12, false}} {
		w := &indexWriter{}
		v := &vec.Vector{}
		v.Reset(types.Of(types.Text))
		for i := range c.values {
			v.AppendString(fmt.Sprintf("%0*d", max(c.length, 3), i)[:max(c.length, 3)])
		}
		w.add(0, 1, "a", types.LeafText, v, v)
		got := w.cols[1].set(1) != nil
		if c.length == 1 { // 256 texts of 3 bytes are just too long for a set: ints are not
			w = &indexWriter{}
			n := &vec.Vector{}
			n.Reset(types.Of(types.Int64))
			for i := range c.values {
				n.AppendInt(int64(3 * i))
			}
			w.add(0, 1, "a", types.LeafInt, n, n)
			got = w.cols[1].set(1) != nil
		}
		if got != c.set {
			t.Errorf("%d values of %d bytes: %v", c.values, c.length, got)
		}
	}
}

func TestMetaWithAnIndexSurvivesTheManifest(t *testing.T) {
	fs := vfs.NewMem()
	indexedSegment(t, fs)
	m := open(t, fs, "/seg", 9, nil).Meta()
	b := m.AppendBinary(nil)
	var back Meta
	if err := back.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, &back, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	for n := range b {
		if back.UnmarshalBinary(b[:n:n]) == nil {
			t.Fatalf("a summary cut to %d of %d bytes is taken", n, len(b))
		}
	}
}

// FuzzIndexTable: no bytes of a table make the parser or its answers panic.
func FuzzIndexTable(f *testing.F) {
	fs := vfs.NewMem()
	indexedSegment(f, fs)
	r := open(f, fs, "/seg", 9, nil)
	file := readFile(f, fs, "/seg")
	end := int64(r.foot.dirOffset)
	f.Add(file[end-int64(r.foot.indexTable):end], end-int64(r.foot.indexBytes), end-int64(r.foot.indexTable))
	f.Add(appendIndexTable(nil, []indexColumn{{column: 1, kind: indexPages, pages: [][]uint32{{1, 2, 3}, nil}}, {column: 2, kind: indexPages, pages: [][]uint32{nil, {7}}}}), int64(100), int64(100))
	f.Fuzz(func(t *testing.T, b []byte, at, end int64) {
		list, err := parseIndexTable(b, r.dir, at&(1<<40-1), end)
		if err != nil {
			return
		}
		for i := range list {
			e := &list[i]
			leaf := r.dir.leaf(e.column)
			for g := range r.dir.groups {
				if e.kind == indexSet {
					if v := e.set.Values(leaf, g); v != nil && !e.set.mayHold(leaf, g, eq(leaf, v, v.N-1)) {
						t.Fatal("a set denies its value")
					}
				}
			}
		}
	})
}

// FuzzValueSet: a set in the manifest is not verified before it is asked.
func FuzzValueSet(f *testing.F) {
	fs := vfs.NewMem()
	indexedSegment(f, fs)
	m := open(f, fs, "/seg", 9, nil).Meta()
	for _, name := range []string{"channel", "level"} {
		for i := range m.Columns {
			if c := &m.Columns[i]; c.Name == name {
				f.Add([]byte(c.Set), c.Leaf == types.LeafInt, uint8(1))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, isInt bool, g uint8) {
		leaf := types.LeafText
		if isInt {
			leaf = types.LeafInt
		}
		s := ValueSet(b)
		p := &column.Pred{Op: column.OpEq, Leaf: leaf, B: []byte("beta"), I: 77}
		_ = s.mayHold(leaf, int(g), p)
		if v := s.Values(leaf, int(g)); v != nil && s.check(leaf, int(g)+1) == nil && !s.mayHold(leaf, int(g), eq(leaf, v, 0)) {
			t.Fatal("a set denies its value")
		}
	})
}
