package segment

import (
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// tracing notes the ranges that are read and those that are asked for ahead.
type tracing struct {
	vfs.FS
	read, ahead [][2]int64 // from, to
}

type tracingFile struct {
	vfs.File
	t *tracing
}

func (t *tracing) Open(path string) (vfs.File, error) {
	f, err := t.FS.Open(path)
	return &tracingFile{f, t}, err
}

func (f *tracingFile) ReadAt(b []byte, at int64) (int, error) {
	f.t.read = append(f.t.read, [2]int64{at, at + int64(len(b))})
	return f.File.ReadAt(b, at)
}

func (f *tracingFile) Prefetch(at, n int64) { f.t.ahead = append(f.t.ahead, [2]int64{at, at + n}) }

func TestPrefetchAsksForWhatIsReadThenAndForNothingElse(t *testing.T) {
	const rows = 30_000
	inner := vfs.NewMem()
	idSegment(t, inner, rows)
	cache := NewCache(8 << 20)
	defer cache.Close()
	fs := &tracing{FS: inner}
	rd := open(t, fs, "/seg", 9, cache)
	column1 := func() column.Column {
		c, _ := rd.Group(0).Find("document_id", types.LeafText)
		return c
	}
	var v vec.Vector
	for _, blocks := range [][]int{{7}, {12, 13}, {20}, {29}, {20}} {
		c := column1()
		fs.read, fs.ahead = nil, nil
		last := blocks[len(blocks)-1]
		c.(column.Prefetcher).Prefetch(blocks[0]*vec.BlockRows, min((last+1)*vec.BlockRows, rows))
		if len(fs.read) != 0 {
			t.Fatalf("blocks %d: asking ahead reads %d", blocks, fs.read)
		}
		for _, b := range blocks {
			if err := c.Read(b*vec.BlockRows, min((b+1)*vec.BlockRows, rows), &v); err != nil {
				t.Fatal(err)
			}
		}
		if joined := join(fs.read); !slices.Equal(joined, fs.ahead) {
			t.Errorf("blocks %d: asked for %d, read %d", blocks, fs.ahead, joined)
		}
	}
	if len(fs.ahead) != 0 {
		t.Errorf("a block that is in the cache was asked for: %d", fs.ahead)
	}
}

// join makes one range of two that meet.
func join(ranges [][2]int64) (out [][2]int64) {
	for _, r := range ranges {
		if n := len(out); n > 0 && out[n-1][1] == r[0] {
			out[n-1][1] = r[1]
		} else {
			out = append(out, r)
		}
	}
	return out
}

func TestPrefetchOfAColumnWithoutPagesAsksForItsChunkOnce(t *testing.T) {
	inner := vfs.NewMem()
	src, refs := []column.Group{idSource(500)}, allRows(500)
	write(t, inner, WriterOptions{Path: "/seg", ID: 9, TableID: 2}, adding(src, refs))
	cache := NewCache(8 << 20)
	defer cache.Close()
	fs := &tracing{FS: inner}
	rd := open(t, fs, "/seg", 9, cache)
	c, _ := rd.Group(0).Find("document_id", types.LeafText)
	fs.read = nil
	for range 3 {
		c.(column.Prefetcher).Prefetch(0, 100)
	}
	var v vec.Vector
	if err := c.Read(100, 200, &v); err != nil {
		t.Fatal(err)
	}
	if len(fs.ahead) != 1 || !slices.Equal(fs.ahead, fs.read) {
		t.Errorf("asked for %d, read %d", fs.ahead, fs.read)
	}
}

func TestFiltersAreAskedForAheadUntilTheyAreInTheCache(t *testing.T) {
	inner := vfs.NewMem()
	src, refs := []column.Group{idSource(5000)}, allRows(5000)
	m := write(t, inner, WriterOptions{Path: "/seg", ID: 9, TableID: 2, Lookups: []string{"document_id"}}, adding(src, refs))
	cache := NewCacheWithIndex(8<<20, 1<<20)
	defer cache.Close()
	fs := &tracing{FS: inner}
	rd, err := OpenLater(fs, "/seg", cache)
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	rd.PrefetchFilter(m, 0, "document_id", types.LeafText)
	rd.PrefetchFilter(m, 0, "nothing", types.LeafText)
	rd.PrefetchFilter(m, 1, "document_id", types.LeafText)
	if _, err := rd.MayHold(m, 0, "document_id", &column.Pred{Op: column.OpEq, Leaf: types.LeafText, B: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if len(fs.ahead) != 1 || !slices.Equal(fs.ahead, fs.read) {
		t.Fatalf("asked for %d, read %d", fs.ahead, fs.read)
	}
	if rd.PrefetchFilter(m, 0, "document_id", types.LeafText); len(fs.ahead) != 1 {
		t.Errorf("filters in the cache are asked for: %d", fs.ahead)
	}
}
