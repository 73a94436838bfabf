package keys

import (
	"math"
	"math/bits"
	"slices"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// rowTable numbers keys by one hash of the whole row, once the dictionaries of columns would be nearly as large as the
// table: a value costs no lookup of its own then, and a batch is looked up in passes whose loops do one thing and call
// nothing, so that many cache misses are under way at a time: hashes, slots (which are compared by 32 bits of the hash),
// then the columns of the rows that found a slot. (Leis, Boncz: the salt of "unchained" tables; DuckDB's grouped
// aggregation does the same.)
type rowTable struct {
	vals   []vec.Vector // by id, flat; NULL is a value like others
	hashes []uint64     // by id, of Hasher
	slots  []uint64     // upper half of the hash, id plus one; 0 is empty. A power of two, at most half full.
	equal  bool         // all hashes are: for tests
}

// rowScratch is what looking a batch up takes.
type rowScratch struct {
	hasher *Hasher
	hashes []uint64
	at     []uint64 // where the search of each row stands
	todo   []uint32 // rows without an id
	check  []uint32 // rows that found a slot
	fresh  []uint32 // rows whose keys are new, by id
	bad    vec.Bitmap
	dict   vec.Vector // entries of a dictionary that are looked up
	codes  []uint32
	ids    []uint32
}

func (s *rowScratch) init(ts []types.Type, n int) {
	if s.hasher == nil {
		s.hasher = NewHasher(ts)
	}
	if cap(s.hashes) < n {
		s.hashes, s.at = make([]uint64, n), make([]uint64, n)
		s.todo, s.check = make([]uint32, n), make([]uint32, n)
	}
}

// rowsFrom is the number of keys below which columns keep dictionaries of their own: they fit the caches then.
const rowsFrom = 4096

// RowsFrom sets the number of keys from which an empty table numbers whole rows, negative: never. The answers stay the same: it
// is for tests.
func (t *Table) RowsFrom(n int) {
	if n < 0 {
		n = math.MaxInt
	}
	t.rowsFrom = n
}

// toRows changes the table's form if that pays. Keys keep their ids.
func (t *Table) toRows() {
	if t.rows != nil || t.Len() < t.rowsFrom || !t.rowsPay() {
		return
	}
	t.makeRows(t.Len())
}

// rowsPay reports whether rows are looked up faster whole: where there are several columns, too many ids for an array, or
// text. Values that are equal though their bytes are not stay in dictionaries.
func (t *Table) rowsPay() bool {
	for _, typ := range t.types {
		if Canonical(typ) {
			return false
		}
	}
	switch len(t.cols) {
	case 0:
		return false
	case 1:
		return t.types[0].Phys() == types.PhysBytes
	}
	for i := range t.pairs {
		if t.pairs[i].hashed {
			return true
		}
	}
	return t.Len() == 0
}

func (t *Table) makeRows(room int) {
	r := &rowTable{vals: make([]vec.Vector, len(t.types)), equal: t.equal}
	n := t.Len()
	if len(t.cols) == 1 {
		r.vals[0] = t.cols[0].vals
	} else {
		out := make([]*vec.Vector, len(t.types))
		for i, typ := range t.types {
			out[i] = &r.vals[i]
			out[i].Reset(typ)
		}
		t.Append(0, n, out)
	}
	r.hashes = make([]uint64, n, max(n, room))
	h := NewHasher(t.types)
	cols := make([]*vec.Vector, len(r.vals))
	for i := range cols {
		cols[i] = &r.vals[i]
	}
	h.Hash(cols, nil, n, r.hashes)
	if r.equal {
		clear(r.hashes)
	}
	r.resize(room)
	for i := range t.cols {
		t.cols[i] = colTable{}
	}
	t.pairs, t.rows = nil, r
}

// Reserve prepares an empty table for about n keys.
func (t *Table) Reserve(n int) {
	switch {
	case t.rows != nil || t.Len() > 0 || n < t.rowsFrom:
	case t.rowsPay():
		t.makeRows(n)
	case len(t.cols) == 1:
		t.cols[0].words.reserve(n)
	}
}

func (r *rowTable) len() int { return len(r.hashes) }

func (r *rowTable) bytes() int64 {
	n := int64(cap(r.hashes))*8 + int64(len(r.slots))*8
	for i := range r.vals {
		n += vecBytes(&r.vals[i])
	}
	return n
}

// resize makes room for n keys.
func (r *rowTable) resize(n int) {
	size := 1 << bits.Len(uint(max(n, 32)*2-1))
	if size <= len(r.slots) {
		return
	}
	if len(r.slots) > 0 && size < 1<<20 {
		size = max(size, 4*len(r.slots))
	}
	r.slots = make([]uint64, size)
	slots, mask := r.slots, uint64(size-1)
	for id, h := range r.hashes {
		p := h & mask
		for slots[p] != 0 {
			p = (p + 1) & mask
		}
		slots[p] = h&^math.MaxUint32 | uint64(id+1)
	}
}

// foldRows is Mapper.fold for a table of rows.
func (m *Mapper) foldRows(cols []*vec.Vector, sel vec.Bitmap, n int, ids []uint32, add bool) (single bool, err error) {
	single = true
	for _, v := range cols {
		single = single && v.Form == vec.Const
	}
	if single {
		sel, n = nil, 1
	}
	if len(cols) == 1 && cols[0].Form == vec.Dict {
		return false, m.dictRows(cols[0], sel, n, ids, add)
	}
	s := &m.rows
	s.init(m.t.types, n)
	s.hasher.Hash(cols, sel, n, s.hashes)
	return single, m.findRows(cols, sel, n, ids, add)
}

// dictRows looks each entry of a dictionary up once.
func (m *Mapper) dictRows(v *vec.Vector, sel vec.Bitmap, n int, ids []uint32, add bool) error {
	s, c := &m.rows, &m.scratch[0]
	c.learn(v.Dict, m.t.types[0])
	remap := c.remap
	const asked = pending - 1
	s.codes = s.codes[:0]
	s.dict.Reset(m.t.types[0])
	nulls := false
	eachSelected(sel, n, func(i int) {
		if v.Valid != nil && v.Null(i) {
			if !nulls {
				nulls = true
				s.codes = append(s.codes, None)
			}
			return
		}
		if code := v.Codes[i]; remap[code] == pending {
			remap[code] = asked
			s.codes = append(s.codes, code)
		}
	})
	null := None
	if len(s.codes) > 0 {
		for _, code := range s.codes {
			if code == None {
				s.dict.AppendNull()
			} else {
				s.dict.AppendFrom(&c.view, int(code))
			}
		}
		k := s.dict.N
		if cap(s.ids) < k {
			s.ids = make([]uint32, k)
		}
		s.init(m.t.types, k)
		one := [1]*vec.Vector{&s.dict}
		s.hasher.Hash(one[:], nil, k, s.hashes)
		if err := m.findRows(one[:], nil, k, s.ids[:k], add); err != nil {
			return err
		}
		for j, code := range s.codes {
			if code == None {
				null = s.ids[j]
			} else {
				remap[code] = s.ids[j]
			}
		}
	}
	if sel == nil && v.Valid == nil {
		for i, code := range v.Codes[:n] {
			ids[i] = remap[code]
		}
		return nil
	}
	eachSelected(sel, n, func(i int) {
		if v.Valid != nil && v.Null(i) {
			ids[i] = null
			return
		}
		ids[i] = remap[v.Codes[i]]
	})
	return nil
}

// findRows looks rows up whose hashes are known. New keys get ids in the order of the rows.
func (m *Mapper) findRows(cols []*vec.Vector, sel vec.Bitmap, n int, ids []uint32, add bool) error {
	r, s := m.t.rows, &m.rows
	if r.equal {
		clear(s.hashes[:n])
	}
	todo := s.todo[:0]
	if sel == nil {
		todo = todo[:n]
		for i := range todo {
			todo[i] = uint32(i)
		}
	} else {
		for w, x := range sel {
			for ; x != 0; x &= x - 1 {
				todo = append(todo, uint32(w<<6+bits.TrailingZeros64(x)))
			}
		}
	}
	if add {
		if err := r.fits(len(todo)); err != nil {
			return err
		}
		r.resize(r.len() + len(todo))
	}
	copy(s.at[:n], s.hashes[:n])
	s.bad = s.bad.Resize(n)
	s.fresh = s.fresh[:0]
	base, rounds := r.len(), 0
	for ; len(todo) > 0; rounds++ {
		before := len(s.fresh)
		r.probe(s, todo, ids, add)
		if before < len(s.fresh) {
			r.append(cols, s.fresh[before:], s.hashes)
		}
		for c, v := range cols {
			compareRows(v, s.check, &r.vals[c], ids, s.bad)
		}
		todo = todo[:0]
		for _, i := range s.check {
			if s.bad.Get(int(i)) {
				s.bad.Clear(int(i))
				s.at[i]++
				todo = append(todo, i)
			}
		}
	}
	if rounds > 1 && !slices.IsSorted(s.fresh) {
		r.renumber(s, base, sel, n, ids)
	}
	return nil
}

// fits reports an error if n more keys cannot be added.
func (r *rowTable) fits(n int) error {
	if uint64(r.len()+n) >= uint64(pending) {
		return errTooMany()
	}
	for i := range r.vals {
		if len(r.vals[i].Data) > math.MaxUint32-1<<30 {
			return errTooLong()
		}
	}
	return nil
}

// probe goes on with the search for the rows in todo: to an empty slot, which a new key gets, or to one with the same salt,
// whose id is written for comparison.
func (r *rowTable) probe(s *rowScratch, todo, ids []uint32, add bool) {
	slots, mask := r.slots, uint64(len(r.slots)-1)
	hashes, at := s.hashes, s.at
	check, found := s.check[:cap(s.check)], 0
	next := uint64(r.len() + 1)
	for _, i := range todo {
		salt, p := hashes[i]&^math.MaxUint32, at[i]
		e := slots[p&mask]
		for e != 0 && e^salt > math.MaxUint32 {
			p++
			e = slots[p&mask]
		}
		at[i] = p
		if e != 0 {
			ids[i] = uint32(e) - 1
			check[found] = i
			found++
			continue
		}
		if !add {
			ids[i] = None
			continue
		}
		slots[p&mask] = salt | next
		ids[i] = uint32(next - 1)
		next++
		s.fresh = append(s.fresh, i)
	}
	s.check = check[:found]
}

// append adds the keys of the rows listed.
func (r *rowTable) append(cols []*vec.Vector, rows []uint32, hashes []uint64) {
	for c := range r.vals {
		roomFor(&r.vals[c], len(rows))
		vec.AppendIndexed(&r.vals[c], cols[c], rows)
	}
	r.hashes = doubled(r.hashes, len(rows))
	for _, i := range rows {
		r.hashes = append(r.hashes, hashes[i])
	}
}

// roomFor keeps a vector that grows by n rows at a time from being copied more often than it doubles.
func roomFor(v *vec.Vector, n int) {
	switch v.Type.Phys() {
	case types.PhysInt64:
		v.I64 = doubled(v.I64, n)
	case types.PhysFloat64:
		v.F64 = doubled(v.F64, n)
	case types.PhysBytes:
		v.Off = doubled(v.Off, n+1)
		if v.N > 0 {
			v.Data = doubled(v.Data, n*(len(v.Data)/v.N+8))
		}
	}
}

func doubled[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return slices.Grow(s, max(n, len(s)))
}

// compareRows sets bad for the rows listed whose value in v is not the one that their id has in o.
func compareRows(v *vec.Vector, rows []uint32, o *vec.Vector, ids []uint32, bad vec.Bitmap) {
	plain := v.Valid == nil && o.Valid == nil && v.Form != vec.Const
	switch {
	case plain && v.Form == vec.Flat && o.Type.Phys() == types.PhysInt64:
		xs, ys := v.I64, o.I64
		for _, i := range rows {
			if xs[i] != ys[ids[i]] {
				bad.Set(int(i))
			}
		}
	case plain && v.Form == vec.Flat && o.Type.Phys() == types.PhysBytes:
		data, off := v.Data, v.Off
		for _, i := range rows {
			k := ids[i]
			if string(data[off[i]:off[i+1]]) != string(o.Data[o.Off[k]:o.Off[k+1]]) {
				bad.Set(int(i))
			}
		}
	case plain && v.Form == vec.Dict && o.Type.Phys() == types.PhysInt64:
		xs, codes, ys := v.Dict.I64, v.Codes, o.I64
		for _, i := range rows {
			if xs[codes[i]] != ys[ids[i]] {
				bad.Set(int(i))
			}
		}
	case plain && v.Form == vec.Dict && o.Type.Phys() == types.PhysBytes:
		data, off, codes := v.Dict.Data, v.Dict.Off, v.Codes
		for _, i := range rows {
			k, j := ids[i], codes[i]
			if string(data[off[j]:off[j+1]]) != string(o.Data[o.Off[k]:o.Off[k+1]]) {
				bad.Set(int(i))
			}
		}
	default:
		for _, i := range rows {
			if !sameValue(v, int(i), o, int(ids[i])) {
				bad.Set(int(i))
			}
		}
	}
}

// sameValue compares row i of v with row k of o, a flat vector of key values. NULL equals NULL.
func sameValue(v *vec.Vector, i int, o *vec.Vector, k int) bool {
	if v.Null(i) || o.Null(k) {
		return v.Null(i) && o.Null(k)
	}
	switch o.Type.Phys() {
	case types.PhysBool:
		return v.Bool(i) == o.Bool(k)
	case types.PhysInt64:
		return v.Int(i) == o.I64[k]
	case types.PhysFloat64:
		return datum.FloatKey(v.Float(i)) == datum.FloatKey(o.F64[k])
	}
	return string(v.Bytes(i)) == string(o.Data[o.Off[k]:o.Off[k+1]])
}

// renumber puts the keys that a batch added, from id base on, into the order of its rows: a row that met another key with its
// salt got its id in a later round. That is rare (one new key in four thousand million), so that all is copied.
func (r *rowTable) renumber(s *rowScratch, base int, sel vec.Bitmap, n int, ids []uint32) {
	order := make([]uint32, len(s.fresh)) // old ids, from base on, in the new order
	for k := range order {
		order[k] = uint32(base + k)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		return int(s.fresh[int(a)-base]) - int(s.fresh[int(b)-base])
	})
	all := make([]uint32, base, base+len(order))
	for id := range all {
		all[id] = uint32(id)
	}
	all = append(all, order...)
	for c := range r.vals {
		var v vec.Vector
		v.Reset(r.vals[c].Type)
		vec.AppendIndexed(&v, &r.vals[c], all)
		r.vals[c] = v
	}
	renamed := make([]uint32, len(order))
	mask := uint64(len(r.slots) - 1)
	for k, old := range order {
		row := s.fresh[int(old)-base]
		renamed[int(old)-base] = uint32(base + k)
		r.hashes[base+k] = s.hashes[row]
		p := s.at[row] & mask
		r.slots[p] = r.slots[p]&^math.MaxUint32 | uint64(base+k+1)
	}
	eachSelected(sel, n, func(i int) {
		if id := ids[i]; id != None && int(id) >= base {
			ids[i] = renamed[int(id)-base]
		}
	})
}

// MergeIDs adds the keys of o, which has the same types, that from lists, and writes their ids here to to. cols is scratch: a
// vector for each column. Several goroutines may do it with one o at a time.
func (m *Mapper) MergeIDs(o *Table, from []uint32, cols []*vec.Vector, to []uint32) error {
	s, n := &m.rows, len(from)
	for i, v := range cols {
		v.Reset(o.types[i])
	}
	s.ids = append(s.ids[:0], from...)
	o.AppendIDs(s.ids, cols)
	m.t.toRows()
	if m.t.rows == nil || o.rows == nil || n == 0 {
		single, err := m.Map(cols, nil, n, to)
		spreadSingle(to, single, n)
		return err
	}
	s.init(m.t.types, n)
	for i, id := range from {
		s.hashes[i] = o.rows.hashes[id]
	}
	return m.findRows(cols, nil, n, to, true)
}

// Hashes returns the hashes of keys [from, to), as Hasher gives them, nil if the table does not know them.
func (t *Table) Hashes(from, to int) []uint64 {
	if t.rows == nil {
		return nil
	}
	return t.rows.hashes[from:to]
}
