package keys

import (
	"math"
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// colTable is the dictionary of one key column: id -> value in vals, value -> id by one of the tables below.
type colTable struct {
	vals   vec.Vector // flat; NULL is an entry like others
	canon  *vec.Vector
	nullID uint32
	bools  [2]uint32
	words  wordTable
	small  []uint32 // ids of the words base .. base+smallRange
	base   int64
	fresh  []int64 // scratch of mapFar
	byt    byteTable
}

// smallRange is the number of consecutive integers that are looked up by array, centred on the first one seen.
const smallRange = 1 << 14

func (c *colTable) init(t types.Type) {
	c.vals.Reset(t)
	c.nullID = None
	c.bools = [2]uint32{None, None}
	if Canonical(t) {
		c.canon = &vec.Vector{}
		c.canon.Reset(types.Of(types.Bytea))
	}
}

func (c *colTable) bytes() int64 {
	n := vecBytes(&c.vals) + int64(len(c.words.slots))*16 + int64(cap(c.small))*4 + int64(len(c.byt.slots))*16
	if c.canon != nil {
		n += vecBytes(c.canon)
	}
	return n
}

func vecBytes(v *vec.Vector) int64 {
	return int64(cap(v.I64))*8 + int64(cap(v.F64))*8 + int64(cap(v.Off))*4 + int64(cap(v.Data)) + int64(cap(v.Bits))*8
}

func errTooMany() error {
	return sqlstate.New(sqlstate.ProgramLimit, "more distinct keys than one operator can number").
		WithHint("Group by fewer columns or filter the input.")
}

func errTooLong() error {
	return sqlstate.New(sqlstate.ProgramLimit, "the distinct values of one key column exceed 4 GiB").
		WithHint("Group by shorter values or filter the input.")
}

// mapCol writes the id of each selected row's value in column c.
func (m *Mapper) mapCol(c int, v *vec.Vector, sel vec.Bitmap, n int, ids []uint32, add bool) (single bool, err error) {
	t, s := &m.t.cols[c], &m.scratch[c]
	if v.Form == vec.Const {
		ids[0] = t.idAt(v, 0, s, add)
		return true, nil
	}
	if len(t.vals.Data) > math.MaxUint32-1<<30 {
		return false, errTooLong()
	}
	if v.Form == vec.Dict {
		t.mapDict(v, sel, n, ids, s, add)
		return false, nil
	}
	ints := t.vals.Type.Phys() == types.PhysInt64
	if v.Valid != nil && ints && (t.nullID != None || !add) { // else NULL gets its id in its turn
		s.sel = t.mapNulls(v, sel, n, ids, s.sel)
		t.mapInts(v.I64, s.sel, n, ids, s, add)
		return false, nil
	}
	if v.Valid != nil {
		t.mapEach(v, sel, n, ids, s, add)
		return false, nil
	}
	switch t.vals.Type.Phys() {
	case types.PhysInt64:
		t.mapInts(v.I64, sel, n, ids, s, add)
	case types.PhysBytes:
		if t.canon == nil {
			t.mapBytes(v, sel, n, ids, add)
			break
		}
		t.mapEach(v, sel, n, ids, s, add)
	default:
		t.mapEach(v, sel, n, ids, s, add)
	}
	return false, nil
}

// eachSelected calls f for the selected rows below n.
func eachSelected(sel vec.Bitmap, n int, f func(i int)) {
	if sel == nil {
		for i := range n {
			f(i)
		}
		return
	}
	sel.All(f)
}

func (c *colTable) mapEach(v *vec.Vector, sel vec.Bitmap, n int, ids []uint32, s *colScratch, add bool) {
	eachSelected(sel, n, func(i int) { ids[i] = c.idAt(v, i, s, add) })
}

func (c *colTable) mapDict(v *vec.Vector, sel vec.Bitmap, n int, ids []uint32, s *colScratch, add bool) {
	s.learn(v.Dict, c.vals.Type)
	remap, codes := s.remap, v.Codes
	if v.Valid == nil && sel == nil {
		for i, code := range codes[:n] {
			id := remap[code]
			if id == pending {
				id = c.idAt(&s.view, int(code), s, add)
				remap[code] = id
			}
			ids[i] = id
		}
		return
	}
	if v.Valid == nil {
		for w, m := range sel {
			for base := w << 6; m != 0; m &= m - 1 {
				i := base + bits.TrailingZeros64(m)
				id := remap[codes[i]]
				if id == pending {
					id = c.idAt(&s.view, int(codes[i]), s, add)
					remap[codes[i]] = id
				}
				ids[i] = id
			}
		}
		return
	}
	eachSelected(sel, n, func(i int) {
		if v.Null(i) {
			ids[i] = c.null(add)
			return
		}
		code := codes[i]
		id := remap[code]
		if id == pending {
			id = c.idAt(&s.view, int(code), s, add)
			remap[code] = id
		}
		ids[i] = id
	})
}

// learn begins a dictionary, whose codes have no ids yet.
func (s *colScratch) learn(d *vec.Vector, t types.Type) {
	if s.dict == d {
		return
	}
	s.dict, s.view = d, *d
	s.view.Type = t
	if cap(s.remap) < d.N {
		s.remap = make([]uint32, d.N)
	}
	s.remap = s.remap[:d.N]
	for i := range s.remap {
		s.remap[i] = pending
	}
}

// mapNulls writes the id of NULL where v is NULL and returns the other rows of sel, in buf.
func (c *colTable) mapNulls(v *vec.Vector, sel vec.Bitmap, n int, ids []uint32, buf vec.Bitmap) vec.Bitmap {
	buf = append(buf[:0], v.Valid[:vec.Words(n)]...)
	if sel != nil {
		buf.And(sel)
	} else if n&63 != 0 {
		buf[len(buf)-1] &= 1<<(n&63) - 1
	}
	eachSelected(sel, n, func(i int) {
		if !buf.Get(i) {
			ids[i] = c.nullID
		}
	})
	return buf
}

// mapInts writes the ids of the selected values, which it puts together for that.
func (c *colTable) mapInts(xs []int64, sel vec.Bitmap, n int, ids []uint32, s *colScratch, add bool) {
	if sel == nil {
		c.mapAllInts(xs[:n], ids[:n], add)
		return
	}
	s.ints = s.ints[:0]
	for w, m := range sel {
		for base := w << 6; m != 0; m &= m - 1 {
			s.ints = append(s.ints, xs[base+bits.TrailingZeros64(m)])
		}
	}
	if cap(s.found) < len(s.ints) {
		s.found = make([]uint32, n)
	}
	found := s.found[:len(s.ints)]
	c.mapAllInts(s.ints, found, add)
	k := 0
	for w, m := range sel {
		for base := w << 6; m != 0; m &= m - 1 {
			ids[base+bits.TrailingZeros64(m)] = found[k]
			k++
		}
	}
}

// mapAllInts looks the values up in turns: those near the first by array, the others that are known in a loop of their own.
func (c *colTable) mapAllInts(xs []int64, ids []uint32, add bool) {
	small, base := c.small, c.base
	far := 0 // the end of the run of values far from the first that was measured last
	for i := 0; i < len(xs); {
		for i < len(xs) {
			d := uint64(xs[i] - base)
			if d >= uint64(len(small)) || small[d] == None {
				break
			}
			ids[i] = small[d]
			i++
		}
		if i == len(xs) {
			return
		}
		if d := uint64(xs[i] - base); d >= uint64(len(small)) {
			if far <= i { // else a new key has only interrupted the run
				for far = i; far < len(xs) && uint64(xs[far]-base) >= uint64(len(small)); far++ {
				}
			}
			if i += c.mapFar(xs[i:far], ids[i:far], add); i == far {
				continue
			}
		}
		ids[i] = c.word(xs[i], add)
		if len(small) != len(c.small) { // the array was made around this value
			small, base, far = c.small, c.base, 0
		}
		i++
	}
}

// mapBytes is mapEach for texts without NULLs: a value that is the one before is not looked up, as in rows sorted by it.
func (c *colTable) mapBytes(v *vec.Vector, sel vec.Bitmap, n int, ids []uint32, add bool) {
	data, off := v.Data, v.Off
	if sel == nil {
		var last []byte
		id := None
		for i := range n {
			b := data[off[i]:off[i+1]]
			if id == None || string(b) != string(last) {
				id = c.byt.find(b, xxh3.Hash(b), &c.vals, add)
				last = b
			}
			ids[i] = id
		}
		return
	}
	var last []byte
	id := None
	for w, m := range sel {
		for base := w << 6; m != 0; m &= m - 1 {
			i := base + bits.TrailingZeros64(m)
			b := data[off[i]:off[i+1]]
			if id == None || string(b) != string(last) {
				id = c.byt.find(b, xxh3.Hash(b), &c.vals, add)
				last = b
			}
			ids[i] = id
		}
	}
}

// idAt returns the id of row i of v.
func (c *colTable) idAt(v *vec.Vector, i int, s *colScratch, add bool) uint32 {
	if v.Null(i) {
		return c.null(add)
	}
	switch c.vals.Type.Phys() {
	case types.PhysBool:
		return c.boolean(v.Bool(i), add)
	case types.PhysInt64:
		return c.word(v.Int(i), add)
	case types.PhysFloat64:
		return c.float(v.Float(i), add)
	}
	b := v.Bytes(i)
	if c.canon == nil {
		return c.byt.find(b, xxh3.Hash(b), &c.vals, add)
	}
	s.canon = datum.AppendKey(s.canon[:0], v, i)
	before := c.canon.N
	if !add {
		return c.byt.find(s.canon, xxh3.Hash(s.canon), c.canon, false)
	}
	// The two vectors grow together, so NULL needs an entry in canon too: see null.
	id := c.byt.find(s.canon, xxh3.Hash(s.canon), c.canon, true)
	if c.canon.N > before {
		c.vals.AppendBytes(b)
	}
	return id
}

func (c *colTable) null(add bool) uint32 {
	if c.nullID == None && add {
		c.nullID = uint32(c.vals.N)
		c.vals.AppendNull()
		if c.canon != nil {
			c.canon.AppendBytes(nil)
		}
	}
	return c.nullID
}

func (c *colTable) boolean(x bool, add bool) uint32 {
	k := 0
	if x {
		k = 1
	}
	if c.bools[k] == None && add {
		c.bools[k] = uint32(c.vals.N)
		c.vals.AppendBool(x)
	}
	return c.bools[k]
}

func (c *colTable) word(x int64, add bool) uint32 {
	if d := uint64(x - c.base); d < uint64(len(c.small)) {
		id := c.small[d]
		if id == None && add {
			id = uint32(c.vals.N)
			c.vals.AppendInt(x)
			c.small[d] = id
		}
		return id
	}
	if c.small == nil && add {
		c.base = x - smallRange/2
		c.small = make([]uint32, smallRange)
		for i := range c.small {
			c.small[i] = None
		}
		return c.word(x, add)
	}
	id, found := c.words.find(uint64(x), uint32(c.vals.N), add)
	if !found && add {
		c.vals.AppendInt(x)
	}
	return id
}

func (c *colTable) float(x float64, add bool) uint32 {
	id, found := c.words.find(datum.FloatKey(x), uint32(c.vals.N), add)
	if !found && add {
		c.vals.AppendFloat(x)
	}
	return id
}

// wordTable maps 64-bit words to ids: open addressing, linear probing, at most half full.
type wordTable struct {
	slots []wordSlot
	shift uint
	used  int
	equal bool // all hashes are: for tests
}

type wordSlot struct {
	key uint64
	id  uint32 // plus one; 0 is an empty slot
}

func hashWord(x uint64) uint64 {
	x ^= x >> 32
	return x * 0x9E3779B97F4A7C15
}

// home returns the slot at which the search for key begins.
func (t *wordTable) home(key uint64) uint64 {
	if t.equal {
		return 0
	}
	return hashWord(key) >> t.shift
}

// find returns the id of key; if it is new and add is set it gets next, and found is false.
func (t *wordTable) find(key uint64, next uint32, add bool) (id uint32, found bool) {
	if t.slots == nil {
		if !add {
			return None, false
		}
		t.resize(64)
	}
	mask := uint64(len(t.slots) - 1)
	i := t.home(key)
	for ; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.id == 0 {
			break
		}
		if s.key == key {
			return s.id - 1, true
		}
	}
	if !add {
		return None, false
	}
	t.used++
	if t.used*2 > len(t.slots) {
		t.resize(len(t.slots) * 2)
		t.put(key, next+1)
	} else {
		t.slots[i] = wordSlot{key, next + 1}
	}
	return next, false
}

// mapFar maps values that are not near the first, and returns how many of them it mapped.
func (c *colTable) mapFar(xs []int64, ids []uint32, add bool) int {
	t := &c.words
	if !add || t.equal || c.small == nil {
		return t.known(xs, ids)
	}
	for from := 0; from < len(xs); from += farStep {
		end := min(from+farStep, len(xs))
		t.reserve(farStep)
		c.fresh = t.findAll(xs[from:end], ids[from:end], uint32(c.vals.N), c.fresh[:0])
		if len(c.fresh) > 0 {
			roomFor(&c.vals, len(c.fresh))
			c.vals.AppendRange(&vec.Vector{Type: c.vals.Type, N: len(c.fresh), I64: c.fresh}, 0, len(c.fresh))
		}
	}
	return len(xs)
}

// farStep is the number of values for which the table makes room at a time.
const farStep = 256

// reserve makes room for n more keys.
func (t *wordTable) reserve(n int) {
	if size := len(t.slots); (t.used+n)*2 > size {
		if size <= 1<<18 {
			size *= 2 // a small table grows fourfold: it is not worth rehashing often
		}
		t.resize(max(2*size, 1<<bits.Len(uint(2*(t.used+n)-1))))
	}
}

// findAll writes the ids of keys, of which new ones get next and the numbers after it and are appended to fresh. There is
// room for all of them.
func (t *wordTable) findAll(keys []int64, ids []uint32, next uint32, fresh []int64) []int64 {
	slots, shift := t.slots, t.shift
	mask := uint64(len(slots) - 1)
	ids = ids[:len(keys)]
	for k, x := range keys {
		i := hashWord(uint64(x)) >> shift
		s := &slots[i&mask]
		for s.id != 0 && s.key != uint64(x) {
			i++
			s = &slots[i&mask]
		}
		if s.id == 0 {
			next++
			*s = wordSlot{uint64(x), next}
			fresh = append(fresh, x)
		}
		ids[k] = s.id - 1
	}
	t.used += len(fresh)
	return fresh
}

// known writes the ids of keys that are in the table and returns the position of the first key that is not, len(keys) if
// all are. The loop has no call and no branch but for collisions, so that many lookups miss the cache at a time.
func (t *wordTable) known(keys []int64, ids []uint32) int {
	if t.slots == nil || t.equal {
		return 0
	}
	slots, shift := t.slots, t.shift
	mask := uint64(len(slots) - 1)
	ids = ids[:len(keys)]
	for k, x := range keys {
		i := hashWord(uint64(x)) >> shift
		s := &slots[i&mask]
		for s.key != uint64(x) || s.id == 0 {
			if s.id == 0 {
				return k
			}
			i++
			s = &slots[i&mask]
		}
		ids[k] = s.id - 1
	}
	return len(keys)
}

func (t *wordTable) put(key uint64, id uint32) {
	mask := uint64(len(t.slots) - 1)
	i := t.home(key)
	for t.slots[i].id != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = wordSlot{key, id}
}

func (t *wordTable) resize(n int) {
	old := t.slots
	t.slots = make([]wordSlot, n)
	t.shift = uint(64 - bits.TrailingZeros(uint(n)))
	for _, s := range old {
		if s.id != 0 {
			t.put(s.key, s.id)
		}
	}
}

// byteTable maps byte strings, held in a vector, to their index there. The slot has the hash, which is compared before the
// bytes.
type byteTable struct {
	slots []byteSlot
	used  int
	equal bool // all hashes are: for tests
}

type byteSlot struct {
	hash uint64
	id   uint32 // plus one
}

func (t *byteTable) find(b []byte, hash uint64, vals *vec.Vector, add bool) uint32 {
	if t.slots == nil {
		if !add {
			return None
		}
		t.slots = make([]byteSlot, 64)
	}
	if t.equal {
		hash = 0
	}
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for ; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.id == 0 {
			break
		}
		if s.hash == hash {
			if k := s.id - 1; string(vals.Data[vals.Off[k]:vals.Off[k+1]]) == string(b) {
				return k
			}
		}
	}
	if !add {
		return None
	}
	id := uint32(vals.N)
	vals.AppendBytes(b)
	if (t.used+1)*2 > len(t.slots) {
		t.grow()
		mask = uint64(len(t.slots) - 1)
		for i = hash & mask; t.slots[i].id != 0; {
			i = (i + 1) & mask
		}
	}
	t.slots[i] = byteSlot{hash, id + 1}
	t.used++
	return id
}

// grow doubles the table.
func (t *byteTable) grow() {
	old := t.slots
	t.slots = make([]byteSlot, 2*len(old))
	mask := uint64(len(t.slots) - 1)
	for _, s := range old {
		if s.id == 0 {
			continue
		}
		i := s.hash & mask
		for t.slots[i].id != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}
