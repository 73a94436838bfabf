package storage

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Dead rows leave the disk when their segment is merged. One of which many rows are dead is written again alone, without
// waiting for others.

// rewriteShare is the part of a segment's rows, one in so many, that must be dead for it to be written again alone.
const rewriteShare = 5

// toRewrite tells whether a file with so many dead rows is to be written again alone.
func toRewrite(f *file, dead int64) bool { return dead > 0 && dead*rewriteShare >= f.Meta.Rows }

// pickRewrite chooses the segment with the largest share of dead rows, if that is large enough.
func (s *Store) pickRewrite(v *version) (*types.Table, []*file) {
	var table *types.Table
	var worst *file
	var share float64
	for _, id := range sortedIDs(v.tables) {
		t, ok := s.catalog.byIDLive(id)
		if !ok || v.dead[id] == nil {
			continue
		}
		for _, f := range v.tables[id] {
			if f.damaged.Load() {
				continue
			}
			if n := v.deadOf(f).count(); toRewrite(f, n) && float64(n)/float64(f.Meta.Rows) > share {
				table, worst, share = t, f, float64(n)/float64(f.Meta.Rows)
			}
		}
	}
	if worst == nil {
		return nil, nil
	}
	return table, []*file{worst}
}

// deadGroups is the dead rows of a segment as a merge leaves them out.
func deadGroups(t *tombstone) func(group int) vec.Bitmap {
	if t == nil {
		return nil
	}
	return t.group
}

// carry returns the tombstones of a merge's outputs: rows that died while it ran, those of inputs that are gone among them.
// before is the version it read, now the current one. Outputs of which every row died are in none.
func carry(before, now *version, old, out []*file, places compact.RowMap) (dead []fileDead, none []*file, err error) {
	rows := roaring.New()
	has := make(map[*file]bool, len(old))
	for _, f := range now.tables[old[0].Table] {
		has[f] = true
	}
	for i, f := range old {
		newly := roaring.New()
		switch died := now.deadOf(f); {
		case !has[f]:
			newly.AddRange(0, uint64(f.Meta.Rows))
		case died == nil || died == before.deadOf(f):
			continue
		default:
			newly = died.rows
		}
		if had := before.deadOf(f); had != nil {
			newly = roaring.AndNot(newly, had.rows)
		}
		it := newly.Iterator()
		for it.HasNext() {
			p := places[i][it.Next()]
			if p == compact.NoRow {
				return nil, nil, fmt.Errorf("internal error: a live row of segment %d was left out of a merge", f.ID)
			}
			rows.Add(p)
		}
	}
	for i, part := range byFile(out, rows) {
		switch {
		case part == nil:
		case int64(part.GetCardinality()) == out[i].Meta.Rows:
			none = append(none, out[i])
		default:
			part.RunOptimize()
			dead = append(dead, fileDead{out[i], newTombstone(out[i], part)})
		}
	}
	return dead, none, nil
}
