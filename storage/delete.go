package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/storage/types"
)

// deletion is the rows a transaction deletes from one table, as its snapshots saw them.
type deletion struct {
	table *types.Table
	files map[*file]*roaring.Bitmap
	heads map[*sealedAt]*roaring.Bitmap // rows of generations
}

func newDeletion(t *types.Table) *deletion {
	return &deletion{table: t, files: map[*file]*roaring.Bitmap{}, heads: map[*sealedAt]*roaring.Bitmap{}}
}

// add finds the rows that ids name in sn. See Tx.Delete.
func (d *deletion) add(sn *Snapshot, ids []int64) error {
	if !slices.IsSorted(ids) {
		ids = slices.Clone(ids)
		slices.Sort(ids)
	}
	c := idCursor{ids: ids}
	for _, f := range sn.version.tables[d.table.ID] {
		first := 0
		for _, n := range f.Meta.GroupRows {
			if rows := c.next(first, n); len(rows) > 0 {
				bitmapIn(d.files, f).AddMany(rows)
			}
			first += n
		}
	}
	for _, v := range sn.heads[d.table.ID] {
		if rows := c.next(0, v.rows); len(rows) > 0 {
			bitmapIn(d.heads, v.sealed).AddMany(rows)
		}
	}
	if len(c.ids) > 0 {
		return fmt.Errorf("table %s has no row %s = %d in this snapshot", d.table.FullName(), types.ColRow, c.ids[0])
	}
	return nil
}

func bitmapIn[K comparable](m map[K]*roaring.Bitmap, k K) *roaring.Bitmap {
	b := m[k]
	if b == nil {
		b = roaring.New()
		m[k] = b
	}
	return b
}

// idCursor cuts sorted row ids by morsel.
type idCursor struct {
	ids    []int64
	morsel int64
	rows   []uint32
}

// next returns the rows named of the next morsel, which has n, each with first added. An id beyond its morsel's rows
// stays where it is. The slice is valid until the next call.
func (c *idCursor) next(first, n int) []uint32 {
	base := c.morsel << 16
	c.morsel++
	c.rows = c.rows[:0]
	for len(c.ids) > 0 && c.ids[0] >= base && c.ids[0] < base+int64(n) {
		c.rows = append(c.rows, uint32(int64(first)+c.ids[0]-base))
		c.ids = c.ids[1:]
	}
	return c.rows
}

// find returns the rows where a version has them, by segment, without those that are dead in it. Every generation has
// been sealed, or is gone with its table.
func (d *deletion) find(v *version) map[*file]*roaring.Bitmap {
	has := make(map[*file]bool, len(v.tables[d.table.ID]))
	for _, f := range v.tables[d.table.ID] {
		has[f] = true
	}
	out := make(map[*file]*roaring.Bitmap, len(d.files))
	for f, rows := range d.files {
		rowsIn(f, rows, has, out)
	}
	for at, rows := range d.heads {
		if sc := at.Load(); sc != nil {
			sc.rowsIn(rows, has, out)
		}
	}
	for f, rows := range out {
		if dead := v.deadOf(f); dead != nil {
			rows.AndNot(dead.rows)
		}
		if rows.IsEmpty() {
			delete(out, f)
		}
	}
	return out
}

// removal is what a transaction's deletes come to at a version.
type removal struct {
	tables []*tableRemoval
	w      *segmentsWriter // of the roll-ups' corrections
	dead   []fileDead
	drop   []*file
}

// tableRemoval is the rows of one table that were there until now.
type tableRemoval struct {
	table *types.Table
	rows  map[*file]*roaring.Bitmap
	n     int64
}

// rows counts what is removed.
func (r *removal) rows() (n int64) {
	for _, t := range r.tables {
		n += t.n
	}
	return n
}

// named counts the rows that statements have named to be deleted.
func (tx *Tx) named() (n int64) {
	for _, d := range tx.deletes {
		for _, rows := range d.files {
			n += int64(rows.GetCardinality())
		}
		for _, rows := range d.heads {
			n += int64(rows.GetCardinality())
		}
	}
	return n
}

func (r *removal) edit() edit {
	return edit{add: slices.Clone(r.w.files), drop: r.drop, dead: r.dead}
}

// prepare seals the rows that are still in a head, looks for all of them, and computes and writes the corrections of
// roll-ups. Nothing else waits for it, but for a seal's time.
func (tx *Tx) prepare(ctx context.Context) (*removal, error) {
	if err := tx.sealHeads(ctx); err != nil {
		return nil, err
	}
	s := tx.s
	s.mu.Lock() // what a publication shows, it shows under mu
	v := s.manifest.pin()
	s.mu.Unlock()
	defer s.manifest.unpin(v)
	return tx.removalAt(ctx, v)
}

// removalAt finds the rows in a version and writes the corrections. The version is pinned.
func (tx *Tx) removalAt(ctx context.Context, v *version) (*removal, error) {
	r := &removal{w: tx.s.newSegments(tx.s.o.Now())}
	for _, id := range sortedTables(tx.deletes) {
		t, ok := tx.s.catalog.byIDLive(id)
		if !ok {
			continue // dropped: its rows are gone
		}
		tr := &tableRemoval{table: t, rows: tx.deletes[id].find(v)}
		for _, rows := range tr.rows {
			tr.n += int64(rows.GetCardinality())
		}
		r.tables = append(r.tables, tr)
		if err := tx.s.correct(ctx, r.w, tr); err != nil {
			return nil, errors.Join(err, r.w.abandon())
		}
	}
	return r, nil
}

// settle turns a prepared removal into one of the current version. Rows only die: if there are as many as before they are
// the same, wherever a merge may have put them, and the corrections hold. Store.sealMu is held.
func (tx *Tx) settle(ctx context.Context, r *removal) (*removal, error) {
	s := tx.s
	v := s.manifest.pin()
	defer s.manifest.unpin(v)
	same := true
	for _, t := range r.tables {
		n := int64(0)
		if _, ok := s.catalog.byIDLive(t.table.ID); ok {
			t.rows = tx.deletes[t.table.ID].find(v)
			for _, rows := range t.rows {
				n += int64(rows.GetCardinality())
			}
		}
		same = same && n == t.n
	}
	if !same {
		if err := r.w.abandon(); err != nil {
			return nil, err
		}
		var err error
		if r, err = tx.removalAt(ctx, v); err != nil {
			return nil, err
		}
	}
	for _, t := range r.tables {
		r.bury(v, t)
	}
	return r, nil
}

// bury makes the tombstones. A segment without a live row is dropped at once.
func (r *removal) bury(v *version, t *tableRemoval) {
	for _, f := range sortedFiles(t.rows) {
		rows := t.rows[f]
		if old := v.deadOf(f); old != nil {
			rows = roaring.Or(old.rows, rows)
		}
		if int64(rows.GetCardinality()) == f.Meta.Rows {
			r.drop = append(r.drop, f)
			continue
		}
		rows.RunOptimize()
		r.dead = append(r.dead, fileDead{f, newTombstone(f, rows)})
	}
}

func sortedFiles[V any](m map[*file]V) []*file {
	out := make([]*file, 0, len(m))
	for f := range m {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *file) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func sortedTables(m map[uint32]*deletion) []uint32 {
	out := make([]uint32, 0, len(m))
	for id := range m {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// sealHeads seals the lanes that hold rows to delete: a tombstone belongs to a segment.
func (tx *Tx) sealHeads(ctx context.Context) error {
	open := map[*sealedAt]bool{}
	for _, d := range tx.deletes {
		for at := range d.heads {
			if at.Load() == nil {
				open[at] = true
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	s := tx.s
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	for _, l := range s.lanes() {
		if !s.laneHasAny(l, open) {
			continue
		}
		if err := s.sealLocked(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// laneHasAny reports whether one of the generations is in a lane.
func (s *Store) laneHasAny(l *lane, gens map[*sealedAt]bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range []*rowset{l.frozen, l.active} {
		if rs == nil {
			continue
		}
		for _, p := range rs.parts {
			for _, v := range p.gens {
				if gens[v.sealed] {
					return true
				}
			}
		}
	}
	return false
}
