package storage

import (
	"slices"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/segment"
)

// A delete names rows as its snapshot saw them: in a generation of the head, or in a segment. Until it is committed, the
// generation may have been sealed and the segment merged, several times. Each such step leaves, on the object it
// replaced, where the rows went. These maps live as long as somebody holds the object: a pinned version, or a
// transaction.

// moved is where the rows of a segment went when a merge replaced it.
type moved struct {
	to     []*file // in the order in which places numbers their rows, from 0 through all of them
	places []uint32
}

// scatter is where the rows of a generation went when it was sealed.
type scatter struct {
	files []*file
	at    []uint16 // by row: which file
	row   []uint32 // and its row there
}

// sealedAt is the scatter of a generation, nil until it is sealed. Views of the generation share it.
type sealedAt struct{ atomic.Pointer[scatter] }

// scatters gathers where a seal writes the rows of several generations.
type scatters []*scatter

func newScatters(groups []rowGroup) scatters {
	out := make(scatters, len(groups))
	for i, g := range groups {
		if g.sealed != nil {
			out[i] = &scatter{at: make([]uint16, len(g.partitions)), row: make([]uint32, len(g.partitions))}
		}
	}
	return out
}

// note tells that refs are the rows of f, in order.
func (s scatters) note(f *file, refs []segment.RowRef) {
	for _, sc := range s {
		if sc != nil {
			sc.files = append(sc.files, f)
		}
	}
	for i, r := range refs {
		if sc := s[r.Group]; sc != nil {
			sc.at[r.Row], sc.row[r.Row] = uint16(len(sc.files)-1), uint32(i)
		}
	}
}

// install shows the maps, when the seal is published.
func (s scatters) install(groups []rowGroup) {
	for i, sc := range s {
		if sc != nil {
			groups[i].sealed.Store(sc)
		}
	}
}

// replaced notes on merged segments where their rows are.
func replaced(old []*file, out []*file, places compact.RowMap) {
	to := slices.Clone(out)
	for i, f := range old {
		if i < len(places) {
			f.moved.Store(&moved{to, places[i]})
		}
	}
}

// byFile cuts rows that are numbered through several files; the bitmap of a file without such a row is nil.
func byFile(files []*file, rows *roaring.Bitmap) []*roaring.Bitmap {
	out := make([]*roaring.Bitmap, len(files))
	it := rows.Iterator()
	first := int64(0)
	for i, f := range files {
		end := first + f.Meta.Rows
		for it.HasNext() && int64(it.PeekNext()) < end {
			if out[i] == nil {
				out[i] = roaring.New()
			}
			out[i].Add(uint32(int64(it.Next()) - first))
		}
		first = end
	}
	return out
}

// rowsIn follows rows of a segment to the segments that a version has, and adds them there. Rows that are in none any
// more are left out. has tells the version's segments.
func rowsIn(f *file, rows *roaring.Bitmap, has map[*file]bool, out map[*file]*roaring.Bitmap) {
	if rows.IsEmpty() {
		return
	}
	if !has[f] {
		m := f.moved.Load()
		if m == nil {
			return
		}
		next := roaring.New()
		it := rows.Iterator()
		for it.HasNext() {
			if p := m.places[it.Next()]; p != compact.NoRow {
				next.Add(p)
			}
		}
		for i, part := range byFile(m.to, next) {
			if part != nil {
				rowsIn(m.to[i], part, has, out)
			}
		}
		return
	}
	if have := out[f]; have != nil {
		have.Or(rows)
		return
	}
	out[f] = rows.Clone()
}

// rowsIn follows rows of a sealed generation.
func (sc *scatter) rowsIn(rows *roaring.Bitmap, has map[*file]bool, out map[*file]*roaring.Bitmap) {
	parts := make([]*roaring.Bitmap, len(sc.files))
	it := rows.Iterator()
	for it.HasNext() {
		r := it.Next()
		at := sc.at[r]
		if parts[at] == nil {
			parts[at] = roaring.New()
		}
		parts[at].Add(sc.row[r])
	}
	for i, p := range parts {
		if p != nil {
			rowsIn(sc.files[i], p, has, out)
		}
	}
}
