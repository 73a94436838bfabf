package storage

import (
	"fmt"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/vec"
)

// A tombstone is the rows of one segment that are deleted. A segment never changes: a delete publishes a tombstone beside
// it, readers leave the rows out, and a merge writes the segment again without them. Which tombstone a segment has
// belongs to a version of the manifest, so what a snapshot sees stays as it is.

// tombstone is immutable, but for what it remembers of itself. A nil tombstone has no rows.
type tombstone struct {
	rows   *roaring.Bitmap // numbered through the file
	n      int64
	groups []int // rows of the file's row groups
	cache  []atomic.Pointer[vec.Bitmap]
}

func newTombstone(f *file, rows *roaring.Bitmap) *tombstone {
	g := f.Meta.GroupRows
	return &tombstone{rows: rows, n: int64(rows.GetCardinality()), groups: g, cache: make([]atomic.Pointer[vec.Bitmap], len(g))}
}

func (t *tombstone) count() int64 {
	if t == nil {
		return 0
	}
	return t.n
}

// group returns the deleted rows of row group i, nil if there is none. They are looked up once.
func (t *tombstone) group(i int) vec.Bitmap {
	if t == nil {
		return nil
	}
	if b := t.cache[i].Load(); b != nil {
		return *b
	}
	first := 0
	for _, n := range t.groups[:i] {
		first += n
	}
	b := bitmapOf(t.rows, first, t.groups[i])
	t.cache[i].Store(&b)
	return b
}

// bitmapOf returns n bits of rows from first on, nil if none is set.
func bitmapOf(rows *roaring.Bitmap, first, n int) vec.Bitmap {
	var out vec.Bitmap
	it := rows.Iterator()
	it.AdvanceIfNeeded(uint32(first))
	for it.HasNext() {
		r := int(it.Next())
		if r >= first+n {
			break
		}
		if out == nil {
			out = vec.MakeBitmap(n)
		}
		out.Set(r - first)
	}
	return out
}

// liveRows lists the rows of a group of n that are not dead.
func liveRows(n int, dead vec.Bitmap) []uint16 {
	if dead == nil {
		return everyRow(n)
	}
	out := make([]uint16, 0, n)
	for i := range n {
		if !dead.Get(i) {
			out = append(out, uint16(i))
		}
	}
	return out
}

// fileDead is a file's new tombstone.
type fileDead struct {
	file *file
	dead *tombstone
}

// deadOf returns the deleted rows of a file in this version, nil if there are none.
func (v *version) deadOf(f *file) *tombstone { return v.dead[f.Table][f.ID] }

// deadIn counts the deleted rows of files.
func (v *version) deadIn(files []*file) (n int64) {
	for _, f := range files {
		n += v.deadOf(f).count()
	}
	return n
}

// liveRows counts the rows of current files that are not deleted.
func (m *manifest) liveRows(files []*file) (n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range files {
		n += f.Meta.Rows - m.current.deadOf(f).count()
	}
	return n
}

// applyDead returns the tombstones of the version after an edit, by table and segment. What does not change is shared.
func (v *version) applyDead(e edit) map[uint32]map[uint64]*tombstone {
	out := make(map[uint32]map[uint64]*tombstone, len(v.dead))
	for id, m := range v.dead {
		out[id] = m
	}
	own := map[uint32]bool{} // tables whose map is this version's
	change := func(table uint32) map[uint64]*tombstone {
		if !own[table] {
			m := make(map[uint64]*tombstone, len(out[table])+len(e.dead))
			for id, t := range out[table] {
				m[id] = t
			}
			out[table], own[table] = m, true
		}
		return out[table]
	}
	for _, f := range e.drop {
		if out[f.Table][f.ID] != nil {
			delete(change(f.Table), f.ID)
		}
	}
	for _, d := range e.dead {
		change(d.file.Table)[d.file.ID] = d.dead
	}
	for id := range own {
		if len(out[id]) == 0 {
			delete(out, id)
		}
	}
	return out
}

// stageDead puts the change of tombstones into b. m.mu is held.
func (m *manifest) stageDead(b *meta.Batch, e edit) {
	for _, f := range e.drop {
		if m.current.deadOf(f) != nil {
			b.DropTombstone(f.Table, f.ID)
		}
	}
	for _, d := range e.dead {
		b.PutTombstone(meta.Tombstone{Table: d.file.Table, Segment: d.file.ID, Rows: d.dead.rows})
	}
}

// loadedDead holds stored tombstones against the files of the manifest. A tombstone that fits no file is reported, and
// changes nothing.
func loadedDead(files []*file, stored []meta.Tombstone, report func(t meta.Tombstone, err error)) (out []fileDead) {
	type place struct {
		table uint32
		id    uint64
	}
	byID := make(map[place]*file, len(stored))
	for _, f := range files {
		byID[place{f.Table, f.ID}] = f
	}
	for _, t := range stored {
		f := byID[place{t.Table, t.Segment}]
		if err := fitsFile(t, f); err != nil {
			report(t, err)
			continue
		}
		out = append(out, fileDead{f, newTombstone(f, t.Rows)})
	}
	return out
}

// fitsFile checks a tombstone's rows. f is nil if the manifest does not have the segment.
func fitsFile(t meta.Tombstone, f *file) error {
	if f == nil {
		return fmt.Errorf("a tombstone of table %d names segment %d, which the manifest does not have", t.Table, t.Segment)
	}
	if last := int64(t.Rows.Maximum()); last >= f.Meta.Rows {
		return fmt.Errorf("its tombstone names row %d of %d", last, f.Meta.Rows)
	}
	return nil
}
