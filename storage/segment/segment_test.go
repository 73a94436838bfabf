package segment

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSegmentGivesBackTheGatheredRows(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := newRand(seed)
			fs := vfs.NewMem()
			src := randomSources(r)
			lists := [][]RowRef{randomRows(r, src, 1+r.IntN(40)), randomRows(r, src, 1+r.IntN(3000)), randomRows(r, src, 1024)}
			var adds []func(w *Writer) error
			for _, rows := range lists {
				adds = append(adds, adding(src, rows))
			}
			meta := write(t, fs, WriterOptions{Path: "/seg", ID: seed, TableID: 3}, adds...)
			cache := NewCache(1 << 20)
			defer cache.Close()
			rd := open(t, fs, "/seg", seed, cache)
			requireClean(t, rd)
			if diff := cmp.Diff(meta, rd.Meta()); diff != "" {
				t.Errorf("metadata of the file differs from the writer's:\n%s", diff)
			}
			for i, rows := range lists {
				requireGroup(t, r, rd.Group(i), src, rows)
			}
		})
	}
}

func randomSources(r *rand.Rand) []column.Group {
	var src []column.Group
	for range 1 + r.IntN(3) {
		src = append(src, randomGroup(r, 1+r.IntN(2500), 40))
	}
	return src
}

func requireGroup(t *testing.T, r *rand.Rand, g column.Group, src []column.Group, rows []RowRef) {
	t.Helper()
	if g.Rows() != len(rows) {
		t.Fatalf("%d rows, want %d", g.Rows(), len(rows))
	}
	names, want := columnsOf(t, src, rows)
	all := g.Under("")
	if len(all) != len(names) {
		t.Fatalf("%d columns, want %d", len(all), len(names))
	}
	for i, n := range names {
		if all[i].Path() != n.path || all[i].Leaf() != n.leaf {
			t.Fatalf("column %d is %s (%s), want %s (%s)", i, all[i].Path(), all[i].Leaf(), n.path, n.leaf)
		}
		c, ok := g.Find(n.path, n.leaf)
		if !ok {
			t.Fatalf("column %s (%s) not found", n.path, n.leaf)
		}
		requireColumn(t, r, c, want[i])
	}
	requireSubtrees(t, g, names)
}

func requireColumn(t *testing.T, r *rand.Rand, c column.Column, want *vec.Vector) {
	t.Helper()
	whole := column.StatsOf(want, c.Leaf(), 0, want.N)
	if s := c.Stats(); s.Rows != want.N || s.Present != whole.Present || outside(&whole, &s) != "" {
		t.Fatalf("%s: stats %+v, want %+v", c.Path(), s, whole)
	}
	var got vec.Vector
	for from := 0; from < want.N; from += vec.BlockRows {
		to := min(from+vec.BlockRows, want.N)
		if k := r.IntN(3); k > 0 && to-from > 4 { // parts of blocks too
			from, to = from+r.IntN((to-from)/2), to-r.IntN((to-from)/2)
		}
		if err := c.Read(from, to, &got); err != nil {
			t.Fatalf("%s: %v", c.Path(), err)
		}
		for i := range got.N {
			if got.N != to-from || !sameValue(&got, i, want, from+i) {
				t.Fatalf("%s (%s): row %d differs", c.Path(), c.Leaf(), from+i)
			}
		}
		requireFilter(t, r, c, want, from, to)
		from -= from % vec.BlockRows
	}
	for range 3 { // several blocks
		from := r.IntN(want.N) / vec.BlockRows * vec.BlockRows
		to := min(from+1+r.IntN(vec.BatchRows), want.N)
		if err := c.Read(from, to, &got); err != nil {
			t.Fatalf("%s: %v", c.Path(), err)
		}
		for i := range got.N {
			if got.N != to-from || !sameValue(&got, i, want, from+i) {
				t.Fatalf("%s (%s): row %d of [%d, %d) differs", c.Path(), c.Leaf(), from+i, from, to)
			}
		}
		requireFilter(t, r, c, want, from, min(to, want.N))
	}
}

// requireFilter compares with a random constant that occurs.
func requireFilter(t *testing.T, r *rand.Rand, c column.Column, want *vec.Vector, from, to int) {
	t.Helper()
	p := &column.Pred{Op: column.Op(r.IntN(int(column.OpGe) + 1)), Leaf: c.Leaf()}
	switch i := r.IntN(want.N); c.Leaf().Phys() {
	case types.PhysBool:
		p.I = boolInt(want.Bool(i))
	case types.PhysInt64:
		p.I = want.Int(i)
	case types.PhysFloat64:
		p.F = want.Float(i)
	default:
		p.B = want.Bytes(i)
	}
	part := &vec.Vector{}
	part.Reset(want.Type)
	for i := from; i < to; i++ {
		part.AppendFrom(want, i)
	}
	sel := vec.MakeBitmap(to - from)
	sel.Fill(to - from)
	ref := slices.Clone(sel)
	if err := p.Apply(part, ref); err != nil {
		t.Fatal(err)
	}
	filter := c.Filter
	if many, ok := c.(column.RangeFilter); ok && from%vec.BlockRows == 0 {
		filter = many.FilterRange
	} else if (to-1)/vec.BlockRows > from/vec.BlockRows {
		return
	}
	if err := filter(from, to, p, sel); err != nil {
		t.Fatal(err)
	}
	if d, ok := c.(column.Decider); ok {
		if v := d.Decide(p); v == column.None && ref.Count() > 0 || v == column.All && ref.Count() < to-from {
			t.Fatalf("%s (%s): decides %d of op %d", c.Path(), c.Leaf(), v, p.Op)
		}
	}
	if !slices.Equal(sel, ref) {
		t.Fatalf("%s (%s): filter op %d of rows [%d, %d) differs from the values'", c.Path(), c.Leaf(), p.Op, from, to)
	}
}

func requireSubtrees(t *testing.T, g column.Group, names []dirName) {
	t.Helper()
	for _, p := range []types.Path{"payload", types.MakePath("payload", "deep"), types.MakePath("payload", "deep", "k03"), "col01", "nothing", "payloa"} {
		var want []dirName
		for _, n := range names {
			if n.path == p || n.path.Under(p) {
				want = append(want, n)
			}
		}
		var got []dirName
		for _, c := range g.Under(p) {
			got = append(got, dirName{c.Path(), c.Leaf()})
		}
		if !slices.Equal(got, want) {
			t.Errorf("under %q: %v, want %v", p, got, want)
		}
		for leaf := types.LeafBool; leaf <= types.LeafJSON; leaf++ {
			if _, ok := g.Find(p, leaf); ok != slices.Contains(names, dirName{p, leaf}) {
				t.Errorf("find %q (%s): %v", p, leaf, ok)
			}
		}
	}
}

func TestMergedSegmentEqualsItsInputs(t *testing.T) {
	r := newRand(5)
	fs := vfs.NewMem()
	src := randomSources(r)
	rows := randomRows(r, src, 4000)
	write(t, fs, WriterOptions{Path: "/a", ID: 1}, adding(src, rows[:1500]), adding(src, rows[1500:]))
	a := open(t, fs, "/a", 1, nil)
	parts := []column.Group{a.Group(0), a.Group(1)}
	back := make([]RowRef, len(rows))
	for i := range rows {
		back[i] = RowRef{Group: 0, Row: uint16(i)}
		if i >= 1500 {
			back[i] = RowRef{Group: 1, Row: uint16(i - 1500)}
		}
	}
	write(t, fs, WriterOptions{Path: "/b", ID: 2}, adding(parts, back))
	b := open(t, fs, "/b", 2, nil)
	requireClean(t, b)
	requireGroup(t, r, b.Group(0), src, rows)
}

// tinySegment has every leaf kind, a constant, a chunk, and the rest area with more than one page.
func tinySegment(t testing.TB, fs vfs.FS) (src []column.Group, rows []RowRef) {
	r := newRand(77)
	m := column.NewMem(80)
	for leaf := types.LeafBool; leaf <= types.LeafJSON; leaf++ {
		for kind := range 2 {
			v := &vec.Vector{}
			v.Reset(leaf.Type())
			few := &vec.Vector{}
			few.Reset(leaf.Type())
			for i := range 80 {
				appendRandom(v, r, leaf, kind, i)
				if i%30 == 4 {
					appendRandom(few, r, leaf, kind, i)
				} else {
					few.AppendNull()
				}
			}
			m.Add(types.MakePath(fmt.Sprintf("%s%d", leaf, kind)), leaf, v)
			m.Add(types.MakePath("p", fmt.Sprintf("%s%d", leaf, kind)), leaf, few)
		}
	}
	src, rows = []column.Group{m}, allRows(80)
	write(t, fs, WriterOptions{Path: "/seg", ID: 9, TableID: 2, Partition: 19000, HasPartition: true}, adding(src, rows))
	return src, rows
}

func TestEveryFlippedByteIsFoundOrHarmless(t *testing.T) {
	fs := vfs.NewMem()
	src, rows := tinySegment(t, fs)
	names, want := columnsOf(t, src, rows)
	whole := readFile(t, fs, "/seg")
	missed := 0
	for at := range whole {
		bad := slices.Clone(whole)
		bad[at] ^= 1 << (at % 8)
		path := fmt.Sprintf("/flip%d", at)
		writeFile(t, fs, path, bad)
		found := flipped(t, fs, path, names, want)
		if !found {
			missed++
			t.Errorf("flipped byte %d of %d is not found", at, len(whole))
		}
		if missed > 5 {
			break
		}
		if err := fs.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d bytes", len(whole))
}

// flipped reports whether Open or Check sees the damage; values that are read must be the right ones in any case.
func flipped(t *testing.T, fs vfs.FS, path string, names []dirName, want []*vec.Vector) (found bool) {
	rd, err := Open(fs, path, 9, nil)
	if err != nil {
		return true
	}
	defer rd.Close()
	rd.Check(func(Problem) { found = true })
	var v vec.Vector
	for i, n := range names {
		c, ok := rd.Group(0).Find(n.path, n.leaf)
		if !ok {
			t.Fatalf("column %s is gone without an error", n.path)
		}
		if err := c.Read(0, 80, &v); err != nil {
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || corrupt.File != path {
				t.Errorf("error of a damaged file is no CorruptError: %v", err)
			}
			continue
		}
		for k := range v.N {
			if !sameValue(&v, k, want[i], k) {
				t.Fatalf("column %s (%s), row %d: wrong value without an error", n.path, n.leaf, k)
			}
		}
	}
	return found
}

func TestEveryCutFileIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	tinySegment(t, fs)
	whole := readFile(t, fs, "/seg")
	for n := range whole {
		path := fmt.Sprintf("/cut%d", n)
		writeFile(t, fs, path, whole[:n])
		if rd, err := Open(fs, path, 9, nil); err == nil {
			rd.Close()
			t.Fatalf("a file cut to %d of %d bytes opens", n, len(whole))
		}
		if err := fs.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func readFile(t testing.TB, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if err := readFull(f, b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, fs vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMetaSurvivesTheManifest(t *testing.T) {
	r := newRand(3)
	fs := vfs.NewMem()
	src := randomSources(r)
	m := write(t, fs, WriterOptions{Path: "/s", ID: 4, TableID: 8, Partition: -3, HasPartition: true, LevelHint: 2},
		adding(src, randomRows(r, src, 2000)), adding(src, randomRows(r, src, 5)))
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
	if back.UnmarshalBinary(append(b, 0)) == nil {
		t.Error("a summary with a byte left over is taken")
	}
}

// TestSummariesOfEarlierBuildsAreRead: the manifest stored JSON before it had a binary form. The file is never written
// again.
func TestSummariesOfEarlierBuildsAreRead(t *testing.T) {
	text, err := os.ReadFile("testdata/v1.meta.json")
	if err != nil {
		t.Fatal(err)
	}
	var stored Meta
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("testdata/v1.seg")
	if err != nil {
		t.Fatal(err)
	}
	fs := vfs.NewMem()
	writeFile(t, fs, "/v1.seg", file)
	if diff := cmp.Diff(open(t, fs, "/v1.seg", 9, nil).Meta(), &stored, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestMetaTellsWhatTheManifestNeeds(t *testing.T) {
	fs := vfs.NewMem()
	m := sortedSource()
	meta := write(t, fs, WriterOptions{Path: "/s", ID: 4, TableID: 8, SortKey: []string{"channel", "sample_id"}, Partition: 20000, HasPartition: true},
		adding([]column.Group{m}, allRows(2000)[:1200]), adding([]column.Group{m}, allRows(2000)[1200:]))
	if meta.MinLSN != 1 || meta.MaxLSN != 2000 || meta.Rows != 2000 || meta.Partition != 20000 || !meta.HasPartition {
		t.Errorf("got %+v", meta)
	}
	if !slices.Equal(meta.GroupRows, []int{1200, 800}) || meta.Bytes != int64(len(readFile(t, fs, "/s"))) {
		t.Errorf("got %+v", meta)
	}
	c := meta.Column("sample_id", types.LeafInt)
	if c == nil || len(c.Groups) != 2 || c.Groups[1].MinI != 60 || c.Groups[1].MaxI != 99 || c.Stats.MinI != 0 || c.Stats.Present != 2000 {
		t.Errorf("sample_id: %+v", c)
	}
	if meta.Column("payload", types.LeafInt) != nil || meta.Column("_lsn", types.LeafInt).Groups != nil {
		t.Error("metadata of columns that need none")
	}
	requireClean(t, open(t, fs, "/s", 4, nil))
}

// sortedSource has 2,000 rows sorted by channel and sample_id.
func sortedSource() *column.Mem {
	m := column.NewMem(2000)
	var channel, sample, lsn, nested vec.Vector
	channel.Reset(types.Of(types.Text))
	sample.Reset(types.Of(types.Int64))
	lsn.Reset(types.Of(types.Int64))
	nested.Reset(types.Of(types.Int64))
	for i := range 2000 {
		channel.AppendString("release")
		sample.AppendInt(int64(i / 20))
		lsn.AppendInt(int64(2000 - i))
		nested.AppendInt(int64(i * i))
	}
	m.Add("channel", types.LeafText, &channel)
	m.Add("sample_id", types.LeafInt, &sample)
	m.Add(types.ColLSN, types.LeafInt, &lsn)
	m.Add(types.MakePath("payload", "n"), types.LeafInt, &nested)
	return m
}

func TestCheckFindsUnsortedRows(t *testing.T) {
	fs := vfs.NewMem()
	rows := allRows(2000)
	rows[700], rows[1500] = rows[1500], rows[700]
	write(t, fs, WriterOptions{Path: "/s", ID: 4, SortKey: []string{"channel", "sample_id"}}, adding([]column.Group{sortedSource()}, rows))
	var found []string
	open(t, fs, "/s", 4, nil).Check(func(p Problem) { found = append(found, p.String()) })
	if len(found) != 1 || !strings.Contains(found[0], "row 701") {
		t.Errorf("got %q", found)
	}
}

func TestOpenRefusesAnotherSegmentsFile(t *testing.T) {
	fs := vfs.NewMem()
	tinySegment(t, fs)
	_, err := Open(fs, "/seg", 10, nil)
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.Expected != "segment 10" {
		t.Errorf("got %v", err)
	}
	if _, err := Open(fs, "/none", 10, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestNewerVersionIsRefusedByName(t *testing.T) {
	h := header{major: versionMajor + 1, id: 1}
	if _, err := parseHeader("f", h.append(nil)); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("got %v", err)
	}
	h = header{major: versionMajor, required: 1 << 9}
	if _, err := parseHeader("f", h.append(nil)); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("got %v", err)
	}
	h = header{major: versionMajor, minor: 7, optional: 1 << 9}
	if _, err := parseHeader("f", h.append(nil)); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestAbortLeavesNoFile(t *testing.T) {
	fs := vfs.NewMem()
	w, err := Create(WriterOptions{FS: fs, Path: "/s"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddGroup([]column.Group{sortedSource()}, []RowRef{{Group: 1}}); err == nil {
		t.Error("a row of a source that does not exist is taken")
	}
	if _, err := w.Finish(); err == nil {
		t.Error("a failed writer finishes")
	}
	w.Abort()
	if _, err := fs.Stat("/s"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat: %v", err)
	}
}

func TestRareColumnReadsOnlyItsPage(t *testing.T) {
	fs := vfs.NewMem()
	r := newRand(1)
	m := column.NewMem(3000)
	for k := range 400 { // documents of about 1 KiB fill many pages
		v := &vec.Vector{}
		v.Reset(types.Of(types.JSONB))
		for i := range 3000 {
			if i%100 == k%100 {
				v.AppendString(fmt.Sprintf(`["%0512x", %d]`, r.Uint64(), r.Uint64()))
			} else {
				v.AppendNull()
			}
		}
		m.Add(types.MakePath("payload", fmt.Sprintf("k%03d", k)), types.LeafJSON, v)
	}
	write(t, fs, WriterOptions{Path: "/s", ID: 1}, adding([]column.Group{m}, allRows(3000)))
	cache := NewCache(64 << 20)
	defer cache.Close()
	rd := open(t, fs, "/s", 1, cache)
	c, _ := rd.Group(0).Find(types.MakePath("payload", "k200"), types.LeafJSON)
	var v vec.Vector
	for from := 0; from < 3000; from += vec.BlockRows {
		if err := c.Read(from, min(from+vec.BlockRows, 3000), &v); err != nil {
			t.Fatal(err)
		}
	}
	pages := rd.dir.groups[0].pages
	if s := cache.Stats(); pages < 20 || s.Misses > 2 {
		t.Errorf("reading one column of 400 in %d pages missed the cache %d times", pages, s.Misses)
	}
}

func TestColumnObjectsAreSmall(t *testing.T) {
	fs := vfs.NewMem()
	m := column.NewMem(4)
	for k := range 4000 {
		v := &vec.Vector{}
		v.Reset(types.Of(types.Int64))
		for i := range 4 {
			v.AppendInt(int64(i * k))
		}
		m.Add(types.MakePath("payload", "processes", "parent", fmt.Sprintf("scalar.number.%04d", k)), types.LeafInt, v)
	}
	write(t, fs, WriterOptions{Path: "/s", ID: 1}, adding([]column.Group{m}, allRows(4)))
	g := open(t, fs, "/s", 1, nil).Group(0)
	n := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if len(g.Under("payload")) != 4000 {
				b.Fatal("columns are missing")
			}
		}
	})
	if n.AllocsPerOp() > 4 || n.AllocedBytesPerOp() > 300<<10 {
		t.Errorf("listing 4,000 columns takes %d allocations, %d bytes", n.AllocsPerOp(), n.AllocedBytesPerOp())
	}
}
