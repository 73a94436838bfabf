package segment

import (
	"errors"
	"fmt"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// idSource has random ids: all rows have one in the first column, most in the second.
func idSource(rows int) *column.Mem {
	r := newRand(11)
	all, most := &vec.Vector{}, &vec.Vector{}
	all.Reset(types.Of(types.Text))
	most.Reset(types.Of(types.Text))
	for i := range rows {
		id := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32()&0xffff, r.Uint32()&0xfff, r.Uint32()&0xfff, r.Uint64()&(1<<48-1))
		all.AppendString(id)
		if i*i%11 < 8 {
			most.AppendString(id)
		} else {
			most.AppendNull()
		}
	}
	m := column.NewMem(rows)
	m.Add("document_id", types.LeafText, all)
	m.Add("group_id", types.LeafText, most)
	return m
}

func idSegment(t testing.TB, fs vfs.FS, rows int) ([]column.Group, []RowRef) {
	src := []column.Group{idSource(rows)}
	write(t, fs, WriterOptions{Path: "/seg", ID: 9, TableID: 2}, adding(src, allRows(rows)))
	return src, allRows(rows)
}

// counting counts the bytes read.
type counting struct {
	vfs.FS
	bytes, reads int64
}

type countingFile struct {
	vfs.File
	c *counting
}

func (c *counting) Open(path string) (vfs.File, error) {
	f, err := c.FS.Open(path)
	return &countingFile{f, c}, err
}

func (f *countingFile) ReadAt(b []byte, at int64) (int, error) {
	f.c.bytes += int64(len(b))
	f.c.reads++
	return f.File.ReadAt(b, at)
}

func TestAFewRowsOfAnIdColumnAreReadByThePage(t *testing.T) {
	const rows = 30_000
	inner := vfs.NewMem()
	src, refs := idSegment(t, inner, rows)
	cache := NewCache(8 << 20)
	defer cache.Close()
	fs := &counting{FS: inner}
	rd := open(t, fs, "/seg", 9, cache)
	requireClean(t, rd)
	for _, name := range []types.Path{"document_id", "group_id"} {
		c, _ := rd.Group(0).Find(name, types.LeafText)
		want, _ := src[0].Find(name, types.LeafText)
		var v, w vec.Vector
		read := func(block int) (bytes, reads int64) {
			bytes, reads = fs.bytes, fs.reads
			from, to := block*vec.BlockRows, min((block+1)*vec.BlockRows, rows)
			if err := errors.Join(c.Read(from, to, &v), want.Read(from, to, &w)); err != nil {
				t.Fatal(err)
			}
			for i := range v.N {
				if !sameValue(&v, i, &w, i) {
					t.Fatalf("%s, row %d differs", name, from+i)
				}
			}
			return fs.bytes - bytes, fs.reads - reads
		}
		// The first page, which says where the others are, and the two that values without a page of their own may be in.
		if bytes, reads := read(7); bytes > 4*chunkPageBytes || reads > 3 {
			t.Errorf("%s: one block took %d bytes in %d reads", name, bytes, reads)
		}
		if bytes, _ := read(7); bytes != 0 {
			t.Errorf("%s: the same block again took %d bytes", name, bytes)
		}
		var sum, count int64
		for b := 0; b*vec.BlockRows < rows; b++ {
			bytes, reads := read(b)
			sum, count = sum+bytes, count+reads
		}
		if sum > rows*chunkPageBytes/vec.BlockRows+2*chunkPageBytes || count > 12 {
			t.Errorf("%s: all blocks one after the other took %d bytes in %d reads", name, sum, count)
		}
	}
	requireGroup(t, newRand(2), rd.Group(0), src, refs)
}

func TestADamagedPageFailsTheRowsInItAlone(t *testing.T) {
	const rows = 10_000
	fs := vfs.NewMem()
	idSegment(t, fs, rows)
	rd := open(t, fs, "/seg", 9, nil)
	col, _ := rd.Group(0).Find("document_id", types.LeafText)
	off, _, _ := col.(*chunkColumn).place()
	at := rd.groups[0].dir.base + int64(off) + 5*chunkPageBytes + 99
	b := readFile(t, fs, "/seg")
	b[at] ^= 1
	writeFile(t, fs, "/bad", b)
	bad := open(t, fs, "/bad", 9, nil)
	failed := 0
	for from := 0; from < rows; from += vec.BlockRows {
		c, _ := bad.Group(0).Find("document_id", types.LeafText)
		var v vec.Vector
		err := c.Read(from, min(from+vec.BlockRows, rows), &v)
		var corrupt *CorruptError
		switch {
		case err == nil:
		case !errors.As(err, &corrupt) || corrupt.Offset > at || corrupt.Offset+chunkPageBytes < at:
			t.Errorf("block at %d: %v", from, err)
		default:
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d blocks cannot be read", failed)
	}
	found := 0
	bad.Check(func(Problem) { found++ })
	if found != 1 {
		t.Errorf("check finds %d problems", found)
	}
}

func TestCheckFindsWrongChecksumsOfPages(t *testing.T) {
	src, rows := []column.Group{idSource(5000)}, allRows(5000)
	for what, lie := range map[string]func(pages [][]uint32){
		"another checksum": func(p [][]uint32) { p[0][3]++ },
		"a page less":      func(p [][]uint32) { p[0] = p[0][1:] },
	} {
		fs := vfs.NewMem()
		w, err := Create(WriterOptions{FS: fs, Path: "/seg", ID: 9})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.AddGroup(src, rows); err != nil {
			t.Fatal(err)
		}
		for _, list := range w.index.pages {
			lie(list)
			break
		}
		if _, err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		found := 0
		open(t, fs, "/seg", 9, nil).Check(func(Problem) { found++ })
		if found == 0 {
			t.Errorf("%s: nothing found", what)
		}
	}
}
