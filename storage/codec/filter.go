package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"sort"
	"sync"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Filter is a predicate prepared for one chunk: what can be decided from the dictionary, the constant or the bounds
// alone is decided once. It may be used by several goroutines at once.
type Filter struct {
	c    *Chunk
	p    column.Pred
	all  bool // every value passes
	none bool
	// The codes that pass, or those that do not, are [first, last], if oneRange is set.
	oneRange, outside bool
	first, last       int
	tables            sync.Once // makes pass and bits: see table and bitTable
	pass              []uint8
	bits              []uint64

	isRange bool // integers: lo <= value <= hi, or its complement
	lo, hi  int64
	negate  bool

	fixed []byte // encUUID, encHex: what values are compared with, in their packed form; nil: as texts
	exact []byte // encPlain, encFSST, encStems of bytes: what equal values are stored as; nil: no comparison for equality
	stem  uint32 // encStems: the code of their stem
	time  timeFilter
	rare  [][]uint16 // encDictRare: the indexes of the values that pass; nil: look at the codes
}

// NewFilter prepares p, which may not change afterwards.
func (c *Chunk) NewFilter(p *column.Pred) (*Filter, error) {
	f := &Filter{c: c, p: *p}
	if p.Op == column.OpIn && p.List.N == 1 && p.Leaf.Phys() != types.PhysBool {
		f.p = equalTo(p)
		p = &f.p
	}
	switch {
	case p.Op == column.OpPresent:
		f.all = true
	case c.leaf.Phys() != p.Leaf.Phys():
		return nil, fmt.Errorf("codec: predicate on %s values for a column of %s values", p.Leaf, c.leaf)
	case c.dict != nil:
		return f, f.passTable()
	case p.Op == column.OpIn && p.List.N == 0:
		f.none = true
	case c.ints != nil && c.leaf.Phys() == types.PhysInt64:
		f.intRange()
	case p.Op <= column.OpGe:
		f.compareBytes()
	}
	return f, nil
}

// compareBytes prepares comparisons with a text that need not decode the values.
func (f *Filter) compareBytes() {
	c, equality := f.c, f.p.Op == column.OpEq || f.p.Op == column.OpNe
	possible := true // that a value is equal
	switch c.enc {
	case encUUID:
		u, ok := parseUUID(f.p.B)
		if possible = ok; ok {
			f.fixed = u[:]
		}
	case encHex:
		if possible = len(f.p.B) == 2*c.hex.size; !possible {
			break
		}
		packed, ok := appendHex(nil, f.p.B, c.hex.upper)
		if possible = ok; ok {
			f.fixed = packed
		}
	case encTime:
		f.time = c.time.prepare(&f.p)
		possible = f.time.ok
	case encPlain:
		if equality && c.leaf.Phys() == types.PhysBytes {
			f.exact = append([]byte{}, f.p.B...)
		}
	case encStems:
		if equality {
			var rest int
			if f.stem, rest, possible = c.stem.find(f.p.B); possible {
				f.exact = c.syms.compressed(f.p.B[rest:])
			}
		}
	case encFSST:
		if equality {
			f.exact = c.syms.compressed(f.p.B)
		}
	}
	f.none = !possible && f.p.Op == column.OpEq
	f.all = !possible && f.p.Op == column.OpNe
}

// passTable finds which codes pass: by a search in the dictionary, which is sorted, or by testing each distinct value.
func (f *Filter) passTable() error {
	d := f.c.dict
	if f.p.Op <= column.OpGe {
		f.passRange(d)
	} else {
		f.pass = make([]uint8, max(256, d.N))
		if err := f.passEach(d); err != nil {
			return err
		}
		n := 0
		for _, x := range f.pass[:d.N] {
			n += int(x)
		}
		f.none, f.all = n == 0, n == d.N
		f.findRange(n, d.N)
	}
	if (f.p.Op == column.OpEq || f.p.Op == column.OpIn) && len(f.c.rare.codes) > 0 && !f.none {
		f.rare = f.rareLists()
	}
	return nil
}

// rareLists returns where the values of the passing codes are, if there are few and every one has a list.
func (f *Filter) rareLists() [][]uint16 {
	r := &f.c.rare
	if !f.oneRange || f.outside {
		lists, _ := r.rareOf(f.table(), f.c.dict.N)
		return lists
	}
	if f.last-f.first >= rareMost {
		return nil
	}
	var lists [][]uint16
	for code := f.first; code <= f.last; code++ {
		index, ok := r.list(code)
		if !ok {
			return nil
		}
		lists = append(lists, index)
	}
	return lists
}

// table returns, for each code, whether it passes; at least 256 long. It is made when it is first needed: most filters
// compare codes with the ends of a range.
func (f *Filter) table() []uint8 {
	f.tables.Do(f.makeTables)
	return f.pass
}

// bitTable is table with a bit for each code, of at least 4 words.
func (f *Filter) bitTable() []uint64 {
	f.tables.Do(f.makeTables)
	return f.bits
}

func (f *Filter) makeTables() {
	n := f.c.dict.N
	if f.pass == nil {
		f.pass = make([]uint8, max(256, n))
		for code := range n {
			f.pass[code] = uint8(boolInt((code >= f.first && code <= f.last) != f.outside))
		}
	}
	f.bits = make([]uint64, len(f.pass)/64+1)
	for code, x := range f.pass[:n] {
		f.bits[code>>6] |= uint64(x) << (uint(code) & 63)
	}
}

// findRange tells whether the n passing codes of limit, or the others, are neighbours: then one compare decides a code.
func (f *Filter) findRange(n, limit int) {
	if n == 0 || n == limit {
		return
	}
	for _, want := range []uint8{1, 0} {
		first, last := -1, -1
		for code, x := range f.pass[:limit] {
			if x == want {
				if first < 0 {
					first = code
				}
				last = code
			}
		}
		count := n
		if want == 0 {
			count = limit - n
		}
		if last-first+1 == count {
			f.oneRange, f.outside, f.first, f.last = true, want == 0, first, last
			return
		}
	}
}

// passRange finds the codes a comparison selects by binary search.
func (f *Filter) passRange(d *vec.Vector) {
	cmp := f.compareDict(d)
	below := sort.Search(d.N, func(i int) bool { return cmp(i) >= 0 })
	upto := below
	for upto < d.N && cmp(upto) == 0 { // one at most, but for floats that are equal and differ
		upto++
	}
	first, end := 0, d.N
	switch f.p.Op {
	case column.OpEq, column.OpNe:
		first, end = below, upto
	case column.OpLt:
		end = below
	case column.OpLe:
		end = upto
	case column.OpGt:
		first = upto
	case column.OpGe:
		first = below
	}
	f.oneRange, f.outside, f.first, f.last = true, f.p.Op == column.OpNe, first, end-1
	f.none, f.all = first == end, end-first == d.N
	if f.outside {
		f.none, f.all = f.all, f.none
	}
}

// compareDict returns the sign of dictionary value i against the predicate's constant.
func (f *Filter) compareDict(d *vec.Vector) func(i int) int {
	switch d.Type.Phys() {
	case types.PhysBool:
		return func(i int) int { return cmp.Compare(boolInt(d.Bits.Get(i)), f.p.I) }
	case types.PhysInt64:
		return func(i int) int { return cmp.Compare(d.I64[i], f.p.I) }
	case types.PhysFloat64:
		return func(i int) int { return column.CompareFloat(d.F64[i], f.p.F) }
	}
	return func(i int) int { return bytes.Compare(d.Bytes(i), f.p.B) }
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (f *Filter) passEach(d *vec.Vector) error {
	hold := vec.MakeBitmap(d.N)
	hold.Fill(d.N)
	if err := f.p.Apply(d, hold); err != nil {
		return err
	}
	hold.All(func(i int) { f.pass[i] = 1 })
	return nil
}

// intRange turns a comparison into a range of integers, both ends included, or the complement of one.
func (f *Filter) intRange() {
	f.isRange = true
	f.lo, f.hi = math.MinInt64, math.MaxInt64
	k := f.p.I
	switch f.p.Op {
	case column.OpEq, column.OpNe:
		f.lo, f.hi, f.negate = k, k, f.p.Op == column.OpNe
	case column.OpLt:
		f.hi, f.none = k-1, k == math.MinInt64
	case column.OpLe:
		f.hi = k
	case column.OpGt:
		f.lo, f.none = k+1, k == math.MaxInt64
	case column.OpGe:
		f.lo = k
	default:
		f.isRange = false
	}
}

// Filter clears the bits of sel whose row in [from, to) has no value or fails the predicate: see column.Column.
func (f *Filter) Filter(data []byte, from, to int, sel vec.Bitmap) error {
	c := f.c
	if err := c.checkRange(from, to); err != nil {
		return err
	}
	sel = sel[:vec.Words(to-from)]
	a, b := c.pres.before(data, from), c.pres.before(data, to)
	if f.none || a == b {
		clear(sel)
		return nil
	}
	var valid vec.Bitmap
	var room [2][blockValues / 64]uint64
	if b-a < to-from {
		valid = room[0][:vec.Words(to-from)]
		c.pres.bits(data, from, to, a, valid)
		sel.And(valid)
	}
	left := sel.Count()
	if f.all || left == 0 {
		return nil
	}
	if 2*left <= b-a && f.mayPick() {
		return f.applySome(data, a, b, sel, valid)
	}
	out := bitset(room[1][:vec.Words(b-a)])
	if err := f.eval(data, a, b, out); err != nil {
		return err
	}
	if valid == nil {
		sel.And(vec.Bitmap(out))
		return nil
	}
	simd.DepositBits(valid, valid, out, 0)
	sel.And(valid)
	return nil
}

// eval sets the bits of those packed values [a, b) for which the predicate holds.
func (f *Filter) eval(data []byte, a, b int, out bitset) error {
	c := f.c
	switch {
	case f.rare != nil:
		filterRare(f.rare, a, b, out)
		return nil
	case c.enc == encDict || c.enc == encDictRare:
		return f.codesBlock(data, a, b, out)
	case f.isRange:
		if err := c.ints.filterRange(data, a, b, f.lo, f.hi, out); err != nil {
			return err
		}
		if f.negate {
			out.invert(b - a)
		}
		return nil
	case c.enc == encBits && f.p.Op <= column.OpGe:
		readBits(data[c.at:], a, b, vec.Bitmap(out))
		f.boolBits(out, b-a)
		return nil
	case c.leaf == types.LeafFloat && f.p.Op <= column.OpGe:
		sc := getScratch()
		defer sc.put()
		vals := sc.floats[:b-a]
		if err := c.readFloats(data, a, b, vals); err != nil {
			return err
		}
		compareFloats(vals, f.p.Op, f.p.F, out)
		return nil
	case f.fixed != nil:
		at := c.at
		if c.enc == encHex {
			at = c.hex.at
		}
		f.compareFixed(data[at+a*len(f.fixed):at+b*len(f.fixed)], out)
		return nil
	case f.exact != nil:
		if err := f.textEqual(data, a, b, out); err != nil {
			return err
		}
		if f.p.Op == column.OpNe {
			out.invert(b - a)
		}
		return nil
	case f.time.ok && f.p.Op <= column.OpNe:
		if err := c.time.filterEqual(data, a, b, f.time.moment, f.time.offset, out); err != nil {
			return err
		}
		if f.p.Op == column.OpNe {
			out.invert(b - a)
		}
		return nil
	}
	return f.applyPlain(data, a, b, out)
}

// boolBits turns values into outcomes: what false and true give decides between four bitmaps.
func (f *Filter) boolBits(out bitset, n int) {
	onFalse, onTrue := f.p.Op.Holds(cmp.Compare(0, f.p.I)), f.p.Op.Holds(cmp.Compare(1, f.p.I))
	switch {
	case onFalse && onTrue:
		clear(out)
		out.setRange(0, n)
	case onFalse:
		out.invert(n)
	case !onTrue:
		clear(out)
	}
}

// equalTo returns the equality that a list of one value is.
func equalTo(p *column.Pred) column.Pred {
	q := column.Pred{Op: column.OpEq, Leaf: p.Leaf}
	switch p.Leaf.Phys() {
	case types.PhysInt64:
		q.I = p.List.Int(0)
	case types.PhysFloat64:
		q.F = p.List.Float(0)
	default:
		q.B = p.List.Bytes(0)
	}
	return q
}

// compareFixed compares values of one length, whose order is that of the texts.
func (f *Filter) compareFixed(src []byte, out bitset) {
	k := f.fixed
	if f.p.Op == column.OpEq && len(k) == uuidBytes {
		equalUUIDs(src, k, out)
		return
	}
	for i := 0; len(src) >= len(k); i++ {
		if f.p.Op.Holds(bytes.Compare(src[:len(k)], k)) {
			out[i>>6] |= 1 << (uint(i) & 63)
		}
		src = src[len(k):]
	}
}

func equalUUIDs(src, k []byte, out bitset) {
	le := binary.LittleEndian
	lo, hi := le.Uint64(k), le.Uint64(k[8:])
	for i := 0; len(src) >= uuidBytes; i++ {
		if le.Uint64(src) == lo && le.Uint64(src[8:]) == hi {
			out[i>>6] |= 1 << (uint(i) & 63)
		}
		src = src[uuidBytes:]
	}
}

// textEqual compares lengths first, and bytes where they are equal.
func (f *Filter) textEqual(data []byte, a, b int, out bitset) error {
	t := &f.c.text
	sc := getScratch()
	defer sc.put()
	if err := t.lens.read(data, a, b, sc.a[:]); err != nil {
		return err
	}
	at, err := t.start(data, a)
	if err != nil {
		return err
	}
	key := f.exact
	for i, n := range sc.a[:b-a] {
		if uint64(n) > uint64(t.size-at) {
			return corrupt("values end behind the data")
		}
		if int(n) == len(key) && bytes.Equal(data[t.data+at:t.data+at+len(key)], key) {
			out[i>>6] |= 1 << (uint(i) & 63)
		}
		at += int(n)
	}
	if f.c.enc == encStems {
		f.c.stem.keepEqual(data, a, b, f.stem, out)
	}
	return nil
}

// applyPlain decodes the values and asks the predicate: the plain way, for what has no better one.
func (f *Filter) applyPlain(data []byte, a, b int, out bitset) error {
	sc := getScratch()
	defer sc.put()
	v := &sc.vec
	v.Reset(f.c.leaf.Type())
	if f.c.enc == encConst {
		v.SetConst(f.c.dict, 0, b-a)
		v.Flatten()
	} else if err := f.c.decode(data, a, b, b-a, v); err != nil {
		return err
	}
	v.N = b - a
	out.setRange(0, b-a)
	return f.p.Apply(v, vec.Bitmap(out))
}
