package storage

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// stored is where the row of a record is.
type stored struct {
	table *types.Table
	group column.Group
	order int // of the group among those found
	row   uint16
	id    int64 // as types.ColRow names it
}

// swap is a record whose row is to be another.
type swap struct {
	rec *replayRecord
	old stored
	to  types.TableName // what the new row belongs to: the decoder's table, or the one of duplicates
	key []byte          // the document that the record holds from now on; nil: none, or as before
	// drop is the document that it held, and holds no longer.
	drop []byte
	row  *column.RowBuf
}

// compare finds the records whose rows differ from what today's decoder makes, and counts.
func (r *replayer) compare(sn *Snapshot, p *ReplayProgress) ([]swap, error) {
	if len(r.part) == 0 {
		return nil, nil
	}
	found, err := r.find(sn)
	if err != nil {
		return nil, err
	}
	var swaps []swap
	candidates := map[uint32][]swap{} // rows that stay in their table, by table
	taken := map[string]uint64{}      // documents that records of this range come to hold; 0: hold no longer
	for i := range r.part {
		rec := &r.part[i]
		old, ok := found[rec.lsn]
		if !ok {
			continue // deleted, or past its time
		}
		p.Records++
		if old.table.FullName() == DuplicatesTable {
			p.Same++
			continue
		}
		sw, err := r.judge(rec, old, taken)
		if err != nil {
			return nil, err
		}
		if sw.to == DuplicatesTable || !r.stays(&sw) {
			swaps = append(swaps, sw)
			continue
		}
		candidates[old.table.ID] = append(candidates[old.table.ID], sw)
	}
	for _, list := range candidates {
		differ, err := r.differing(list)
		if err != nil {
			return nil, err
		}
		p.Same += uint64(len(list) - len(differ))
		swaps = append(swaps, differ...)
	}
	slices.SortFunc(swaps, func(a, b swap) int { return cmp.Compare(a.rec.lsn, b.rec.lsn) })
	for i := range swaps {
		swaps[i].count(p)
	}
	return swaps, nil
}

func (sw *swap) count(p *ReplayProgress) {
	wasError := sw.old.table.FullName() == ErrorsTable
	switch {
	case sw.to == DuplicatesTable:
		p.Duplicates++
	case wasError && sw.to != ErrorsTable:
		p.Repaired++
	case !wasError && sw.to == ErrorsTable:
		p.Refused++
	default:
		p.Changed++
	}
}

// stays tells whether the new row belongs to the table in which the old one is.
func (r *replayer) stays(sw *swap) bool {
	if sw.to == ErrorsTable || sw.old.table.FullName() == ErrorsTable {
		return sw.old.table.FullName() == sw.to
	}
	return r.s.catalog.forPing(sw.to).ID == sw.old.table.ID
}

// judge decides what becomes of a record: a row, an error, or a duplicate because another record holds its document.
func (r *replayer) judge(rec *replayRecord, old stored, taken map[string]uint64) (swap, error) {
	sw := swap{rec: rec, old: old, to: rec.out.Table, row: &rec.out.Row}
	if rec.out.Table == ErrorsTable || len(rec.out.Key) == 0 {
		if old.table.Kind == types.TablePing {
			err := r.lose(&sw)
			if sw.drop != nil {
				taken[string(sw.drop)] = 0
			}
			return sw, err
		}
		return sw, nil
	}
	holder, held := taken[string(rec.out.Key)]
	if held {
		held = holder != 0
	} else {
		var err error
		if holder, held, err = r.s.holder(rec.out.Key); err != nil {
			return sw, err
		}
	}
	switch {
	case held && holder != rec.lsn && old.table.Kind != types.TablePing:
		sw.to, sw.row = DuplicatesTable, &column.RowBuf{}
		r.worker.Duplicate(rec.payload, rec.lsn, holder, sw.row)
	case !held && old.table.Kind != types.TablePing:
		sw.key = rec.out.Key
		taken[string(rec.out.Key)] = rec.lsn
	}
	return sw, nil
}

// lose finds the document that a row held which is an error now. Its repeat, sent later, is to be stored.
func (r *replayer) lose(sw *swap) error {
	keyer, ok := r.s.decoder.(DocumentKeyer)
	if !ok {
		return nil
	}
	c, ok := sw.old.group.Find("document_id", types.LeafText)
	if !ok {
		return nil
	}
	b := int(sw.old.row) / vec.BlockRows * vec.BlockRows
	var v vec.Vector
	if err := c.Read(b, min(b+vec.BlockRows, sw.old.group.Rows()), &v); err != nil {
		return err
	}
	if i := int(sw.old.row) - b; !v.Null(i) {
		key := keyer.DocumentKey(sw.old.table.FullName(), string(v.Bytes(i)))
		holder, held, err := r.s.holder(key)
		if err != nil {
			return err
		}
		if held && holder == sw.rec.lsn {
			sw.drop = key
		}
	}
	return nil
}

// holder looks a document up among the unsealed rows and then among the sealed ones. The caller does not hold applyMu.
func (s *Store) holder(key []byte) (lsn uint64, ok bool, err error) {
	s.applyMu.Lock()
	lsn, ok = s.heads.keys[string(key)]
	s.applyMu.Unlock()
	if ok {
		return lsn, true, nil
	}
	return s.meta.Holder(key)
}

// find looks for the range's rows in the segments of all tables that records make rows of.
func (r *replayer) find(sn *Snapshot) (map[uint64]stored, error) {
	wanted := make(map[uint64]bool, len(r.part))
	for i := range r.part {
		wanted[r.part[i].lsn] = true
	}
	low, high := r.part[0].lsn, r.part[len(r.part)-1].lsn
	out := make(map[uint64]stored, len(wanted))
	order := 0
	for _, t := range sn.Tables() {
		if t.Kind != types.TablePing && t.Kind != types.TableErrors {
			continue
		}
		morsel := int64(0)
		for _, f := range sn.version.tables[t.ID] {
			if f.Meta.MaxLSN < low || f.Meta.MinLSN > high {
				morsel += int64(len(f.Meta.GroupRows))
				continue
			}
			rd, err := f.open(r.s.fs, r.s.cache)
			if err != nil {
				return nil, err
			}
			dead := sn.version.deadOf(f)
			for i := range f.Meta.GroupRows {
				g := rd.Group(i)
				err := rowsOf(g, low, high, dead.group(i), func(lsn uint64, row uint16) {
					if wanted[lsn] {
						out[lsn] = stored{table: t, group: g, order: order, row: row, id: morsel<<16 | int64(row)}
					}
				})
				if err != nil {
					return nil, err
				}
				order++
				morsel++
			}
		}
	}
	return out, nil
}

// rowsOf calls f with the live rows of g whose LSN lies in [low, high].
func rowsOf(g column.Group, low, high uint64, dead vec.Bitmap, f func(lsn uint64, row uint16)) error {
	c, ok := g.Find(types.ColLSN, types.LeafInt)
	if !ok {
		return nil
	}
	var v vec.Vector
	for b, from := 0, 0; from < g.Rows(); b, from = b+1, from+vec.BlockRows {
		if s := c.BlockStats(b); s.Bounded && (uint64(s.MaxI) < low || uint64(s.MinI) > high) {
			continue
		}
		to := min(from+vec.BlockRows, g.Rows())
		if err := c.Read(from, to, &v); err != nil {
			return err
		}
		for i := range to - from {
			if v.Null(i) || dead != nil && dead.Get(from+i) {
				continue
			}
			if lsn := uint64(v.Int(i)); lsn >= low && lsn <= high {
				f(lsn, uint16(from+i))
			}
		}
	}
	return nil
}

// differing returns those of list, all of one table, whose new row is not the stored one, value by value.
func (r *replayer) differing(list []swap) ([]swap, error) {
	slices.SortFunc(list, func(a, b swap) int {
		return cmp.Or(cmp.Compare(a.old.order, b.old.order), cmp.Compare(a.old.row, b.old.row))
	})
	old := rowGatherer{paths: []types.Path{""}} // all columns
	for i := 0; i < len(list); {
		j, rows := i, []uint16(nil)
		for ; j < len(list) && list[j].old.order == list[i].old.order; j++ {
			rows = append(rows, list[j].old.row)
		}
		if err := old.add(list[i].old.group, rows); err != nil {
			return nil, err
		}
		i = j
	}
	was := old.take()
	gen := head.NewGeneration(r.s.paths)
	for i := range list {
		gen.Append(list[i].row, list[i].rec.out.Partition)
	}
	differ := vec.MakeBitmap(len(list))
	if err := diffGroups(was, gen.Cut(len(list)), differ); err != nil {
		return nil, err
	}
	var out []swap
	differ.All(func(i int) { out = append(out, list[i]) })
	return out, nil
}

// diffGroups marks the rows in which two groups of as many rows, at most a batch, differ.
func diffGroups(a, b column.Group, differ vec.Bitmap) error {
	var x, y vec.Vector
	n := a.Rows()
	for _, c := range a.Under("") {
		if err := c.Read(0, n, &x); err != nil {
			return err
		}
		if err := readOrNull(b, c, n, &y); err != nil {
			return err
		}
		diffValues(&x, &y, c.Leaf(), n, differ)
	}
	for _, c := range b.Under("") {
		if _, ok := a.Find(c.Path(), c.Leaf()); ok {
			continue
		}
		if err := c.Read(0, n, &y); err != nil {
			return err
		}
		x.SetConstNull(c.Leaf().Type(), n)
		diffValues(&x, &y, c.Leaf(), n, differ)
	}
	return nil
}

// readOrNull reads the column of g that is called as c is.
func readOrNull(g column.Group, c column.Column, n int, dst *vec.Vector) error {
	if own, ok := g.Find(c.Path(), c.Leaf()); ok {
		return own.Read(0, n, dst)
	}
	dst.SetConstNull(c.Leaf().Type(), n)
	return nil
}

func diffValues(x, y *vec.Vector, leaf types.Leaf, n int, differ vec.Bitmap) {
	for i := range n {
		if x.Null(i) || y.Null(i) {
			if x.Null(i) != y.Null(i) {
				differ.Set(i)
			}
			continue
		}
		same := false
		switch leaf.Phys() {
		case types.PhysInt64:
			same = x.Int(i) == y.Int(i)
		case types.PhysFloat64:
			same = math.Float64bits(x.Float(i)) == math.Float64bits(y.Float(i))
		case types.PhysBool:
			same = x.Bool(i) == y.Bool(i)
		default:
			same = bytes.Equal(x.Bytes(i), y.Bytes(i))
		}
		if !same {
			differ.Set(i)
		}
	}
}
