package segment

import (
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// FuzzDirectory: no bytes of a directory make lookups or reads panic. The data area is zeros, so that chunks with a
// matching checksum, the empty ones, are decoded too.
func FuzzDirectory(f *testing.F) {
	fs := vfs.NewMem()
	tinySegment(f, fs)
	r := open(f, fs, "/seg", 9, nil)
	f.Add(r.dir.b, uint32(r.foot.dirOffset))
	var w dirWriter
	empty, err := w.append(nil, []string{"a"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(empty, uint32(headerBytes))
	f.Fuzz(useDirectory)
}

// TestDamagedDirectoryNeverPanics does the same with a few thousand damaged copies of a real one.
func TestDamagedDirectoryNeverPanics(t *testing.T) {
	fs := vfs.NewMem()
	tinySegment(t, fs)
	r := open(t, fs, "/seg", 9, nil)
	rnd := newRand(6)
	for range 3000 {
		b := slices.Clone(r.dir.b)
		for range 1 + rnd.IntN(3) {
			b[rnd.IntN(len(b))] = byte(rnd.Uint32()) >> rnd.IntN(8)
		}
		useDirectory(t, b, uint32(r.foot.dirOffset))
	}
}

// FuzzMeta: no bytes of a manifest entry make the decoder panic, and what it takes is written back as it was.
func FuzzMeta(f *testing.F) {
	fs := vfs.NewMem()
	tinySegment(f, fs)
	f.Add(open(f, fs, "/seg", 9, nil).Meta().AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Meta
		if m.UnmarshalBinary(b) != nil {
			return
		}
		if err := again.UnmarshalBinary(m.AppendBinary(nil)); err != nil {
			t.Fatal(err)
		}
	})
}

func useDirectory(t *testing.T, b []byte, end uint32) {
	end %= 1 << 16 // a file is at least as long as its footer says
	d, err := parseDirectory(b, int64(end))
	if err != nil {
		return
	}
	r := &Reader{path: "zeros", file: zeros{}, cache: NewCache(0), dir: d}
	r.groups = make([]group, len(d.groups))
	for i := range r.groups {
		g := &r.groups[i]
		g.r, g.index, g.dir = r, i, &d.groups[i]
		useGroup(t, g)
	}
	_ = r.Meta()
}

// zeros is a file of nothing but zeros.
type zeros struct{ vfs.File }

func (zeros) ReadAt(b []byte, _ int64) (int, error) {
	clear(b)
	return len(b), nil
}

func useGroup(t *testing.T, g *group) {
	var v vec.Vector
	for _, c := range g.Under("") {
		if _, ok := g.Find(c.Path(), c.Leaf()); !ok {
			t.Fatalf("column %q (%s) is listed and not found", c.Path(), c.Leaf())
		}
		if s := c.Stats(); s.Present > s.Rows {
			t.Fatalf("%+v", s)
		}
		_ = c.BlockStats(0)
		_ = c.Read(0, min(g.Rows(), vec.BlockRows), &v) // an error is fine, a panic is not
	}
	_ = g.Under(types.MakePath("p"))
}
