// Package keys numbers the distinct combinations of key columns: what GROUP BY, DISTINCT, hash joins and set operations
// share.
//
// Every key column has a dictionary of its own that gives a value a dense id, in order of first appearance: booleans and
// small integers by array, other fixed-width values by a table of 64-bit words, bytes by a table over an arena. A vector
// that is dictionary encoded already costs one hash per entry that occurs, then an array access per row. Several columns
// are folded pairwise: the ids of two columns make one 64-bit word, which gets a dense id in turn, by array while the
// product of the domains is small. So no key is ever wider than 64 bits where rows are compared, and rows that agree in
// a constant vector are not looked at.
//
// Beyond some thousand keys of several columns, or of text, the dictionaries give way to one table of rows: see rowTable.
//
// NULL equals NULL here. A caller that wants SQL's "NULL matches nothing" leaves such rows out of the selection.
package keys

import (
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// None is the id of a row that Find did not find.
const None = ^uint32(0)

// pending marks a dictionary entry that has not been looked up.
const pending = None - 1

// Table holds the distinct keys seen so far. One goroutine may add keys; while nobody does, any number may Find.
type Table struct {
	types []types.Type
	cols  []colTable
	pairs []pairTable // pairs[k] folds the id of columns 0..k with that of column k+1

	rows     *rowTable // once there are many keys, instead of cols and pairs
	rowsFrom int
	equal    bool
}

// New returns an empty table for keys of the given types. Without types every row has the one empty key.
func New(ts []types.Type) *Table {
	t := &Table{types: ts, cols: make([]colTable, len(ts)), rowsFrom: rowsFrom}
	for i, typ := range ts {
		t.cols[i].init(typ)
	}
	if len(ts) > 1 {
		t.pairs = make([]pairTable, len(ts)-1)
	}
	return t
}

// EqualHashes makes all hashes equal, for tests: everything is still right, only slow. The table is empty.
func (t *Table) EqualHashes() {
	t.equal = true
	for i := range t.cols {
		t.cols[i].words.equal, t.cols[i].byt.equal = true, true
	}
	for i := range t.pairs {
		t.pairs[i].hash.equal = true
	}
}

// Len returns the number of distinct keys.
func (t *Table) Len() int {
	switch {
	case t.rows != nil:
		return t.rows.len()
	case len(t.pairs) > 0:
		return len(t.pairs[len(t.pairs)-1].list)
	case len(t.cols) == 1:
		return t.cols[0].vals.N
	}
	return 1
}

// Bytes returns the memory the table holds.
func (t *Table) Bytes() int64 {
	n := int64(0)
	if t.rows != nil {
		return t.rows.bytes()
	}
	for i := range t.cols {
		n += t.cols[i].bytes()
	}
	for i := range t.pairs {
		n += t.pairs[i].bytes()
	}
	return n
}

// Append appends the keys with ids [from, to) to out, one flat vector per column, each Reset to its type before the
// first call.
func (t *Table) Append(from, to int, out []*vec.Vector) {
	if len(t.cols) == 0 {
		return
	}
	if t.rows != nil || len(t.cols) == 1 {
		for c := range out {
			out[c].AppendRange(t.values(c), from, to)
		}
		return
	}
	ids := make([]uint32, to-from)
	for i := range ids {
		ids[i] = uint32(from + i)
	}
	t.AppendIDs(ids, out)
}

// AppendIDs is Append for any ids; ids is overwritten.
func (t *Table) AppendIDs(ids []uint32, out []*vec.Vector) {
	if len(t.cols) == 0 {
		return
	}
	if t.rows != nil {
		for c := range out {
			vec.AppendIndexed(out[c], &t.rows.vals[c], ids)
		}
		return
	}
	own := make([]uint32, len(ids))
	for c := len(t.cols) - 1; c > 0; c-- {
		list := t.pairs[c-1].list
		for i, id := range ids {
			p := list[id]
			own[i], ids[i] = uint32(p), uint32(p>>32)
		}
		vec.AppendIndexed(out[c], &t.cols[c].vals, own)
	}
	vec.AppendIndexed(out[0], &t.cols[0].vals, ids)
}

// values returns the values of column c by id, where they are held so.
func (t *Table) values(c int) *vec.Vector {
	if t.rows != nil {
		return &t.rows.vals[c]
	}
	return &t.cols[c].vals
}

// Mapper adds keys to a table. It holds scratch memory and what it has learnt of dictionaries.
type Mapper struct {
	t       *Table
	scratch []colScratch
	rows    rowScratch
}

// Finder looks keys up. Each goroutine has its own.
type Finder Mapper

// colScratch is per column: the ids of the current batch, and how a dictionary's codes translate.
type colScratch struct {
	ids   []uint32
	dict  *vec.Vector
	view  vec.Vector // dict under the column's type
	remap []uint32
	canon []byte
	sel   vec.Bitmap
	ints  []int64 // selected values
	found []uint32
}

// NewMapper returns a mapper; there is one at a time.
func (t *Table) NewMapper() *Mapper { return &Mapper{t: t, scratch: make([]colScratch, len(t.cols))} }

// NewFinder returns a finder.
func (t *Table) NewFinder() *Finder { return (*Finder)(t.NewMapper()) }

// Map writes the id of every selected row's key to ids (sel nil: all n rows), adding new keys. If all rows have one and
// the same key because every column is constant, it writes ids[0] only and returns true.
func (m *Mapper) Map(cols []*vec.Vector, sel vec.Bitmap, n int, ids []uint32) (single bool, err error) {
	return m.fold(cols, sel, n, ids, true)
}

// Find is Map without adding: rows of unknown keys get None.
func (f *Finder) Find(cols []*vec.Vector, sel vec.Bitmap, n int, ids []uint32) (single bool) {
	single, _ = (*Mapper)(f).fold(cols, sel, n, ids, false)
	return single
}

func (m *Mapper) fold(cols []*vec.Vector, sel vec.Bitmap, n int, ids []uint32, add bool) (bool, error) {
	if len(m.t.cols) == 0 {
		ids[0] = 0
		return true, nil
	}
	if sel != nil && !anySet(sel) {
		return false, nil // a constant must not become a key without a row
	}
	if add {
		m.t.toRows()
	}
	if m.t.rows != nil {
		return m.foldRows(cols, sel, n, ids, add)
	}
	single, err := m.mapCol(0, cols[0], sel, n, ids, add)
	if err != nil {
		return false, err
	}
	for c := 1; c < len(m.t.cols); c++ {
		s := &m.scratch[c]
		if cap(s.ids) < n {
			s.ids = make([]uint32, n)
		}
		own := s.ids[:n]
		ownSingle, err := m.mapCol(c, cols[c], sel, n, own, add)
		if err != nil {
			return false, err
		}
		p := &m.t.pairs[c-1]
		if single && ownSingle {
			ids[0] = p.id(ids[0], own[0], add)
			continue
		}
		spreadSingle(ids, single, n)
		spreadSingle(own, ownSingle, n)
		if add {
			p.reserve(m.t.idsOf(c-1), m.t.cols[c].vals.N)
		}
		p.mapRows(ids, own, sel, n, add)
		single = false
		if p.full() {
			return false, errTooMany()
		}
	}
	return single, nil
}

func anySet(sel vec.Bitmap) bool {
	for _, w := range sel {
		if w != 0 {
			return true
		}
	}
	return false
}

// idsOf returns the number of ids that columns 0..c have together.
func (t *Table) idsOf(c int) int {
	if c == 0 {
		return t.cols[0].vals.N
	}
	return len(t.pairs[c-1].list)
}

func spreadSingle(ids []uint32, single bool, n int) {
	if !single {
		return
	}
	x := ids[0]
	for i := range ids[:n] {
		ids[i] = x
	}
}

// Merge adds all keys of o, which has the same types, and returns for each id of o its id in t.
func (m *Mapper) Merge(o *Table) ([]uint32, error) {
	to := make([]uint32, o.Len())
	if len(o.cols) == 0 {
		return to, nil
	}
	out := make([]*vec.Vector, len(o.cols))
	for c := range out {
		out[c] = &vec.Vector{}
	}
	ids := make([]uint32, 0, min(o.Len(), vec.BatchRows))
	for from := 0; from < o.Len(); from += vec.BatchRows {
		end := min(from+vec.BatchRows, o.Len())
		ids = ids[:0]
		for id := from; id < end; id++ {
			ids = append(ids, uint32(id))
		}
		if err := m.MergeIDs(o, ids, out, to[from:end]); err != nil {
			return nil, err
		}
	}
	return to, nil
}
