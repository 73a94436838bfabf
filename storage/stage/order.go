package stage

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/telemdb/telemdb/storage/types"
)

// Row names a row of a list of groups.
type Row struct {
	Group uint32
	Row   uint16
}

// Order puts rows of the groups in the order of a sort key: integers and floats in theirs, text by bytes, NULL behind
// everything; rows of equal keys stay as they are. ok is false, and nothing is changed, where the columns are kept in forms
// that have no common short key: then the rows are to be compared.
//
// A row's key is packed into words of 64 bits, each column in as many bits as its values need here. Rows are sorted by the
// first word with a radix sort, and those few that share it by the others.
func Order(groups []*Group, rows []Row, key []Col) (ok bool) {
	parts := make([]keyPart, 0, len(key))
	width := 0
	for _, k := range key {
		p, ok := planPart(groups, rows, k)
		if !ok {
			return false
		}
		if p.bits > 0 {
			p.at = width
			width += p.bits
			parts = append(parts, p)
		}
	}
	if width == 0 || len(rows) < 2 {
		return true
	}
	words := (width + 63) / 64
	keys := make([]uint64, words*len(rows))
	for i := range parts {
		parts[i].put(rows, keys, words)
	}
	sortRows(rows, keys, words)
	return true
}

// keyPart is one column of a key.
type keyPart struct {
	cols  []*Column // by group; nil where the group has no value
	leaf  types.Leaf
	uuid  bool
	least int64
	nulls bool // a bit in front says that there is no value
	bits  int  // all in all
	at    int  // of the first bit in the key
}

func planPart(groups []*Group, rows []Row, k Col) (p keyPart, ok bool) {
	p = keyPart{cols: make([]*Column, len(groups)), leaf: k.Leaf}
	var table *Table
	wanted := make([]bool, len(groups))
	for _, r := range rows {
		wanted[r.Group] = true
	}
	coded, other := false, false
	for i, g := range groups {
		if !wanted[i] {
			continue
		}
		c := g.find(k.Path, k.Leaf)
		p.cols[i] = c
		switch {
		case c == nil:
			p.nulls = true
			continue
		case c.valid != nil:
			p.nulls = true
		}
		switch {
		case c.kind == kindUUID:
			p.uuid = true
		case c.table != nil:
			if coded && c.table != table {
				return p, false
			}
			coded, table = true, c.table
		case c.kind == kindText || c.kind == kindF64:
			return p, false
		default:
			other = true
		}
	}
	switch {
	case p.uuid && (coded || other):
		return p, false
	case p.uuid:
		p.bits = 128
	case coded:
		p.bits = bits.Len(uint(table.Len() - 1))
	case other:
		p.bits = p.span(rows)
	}
	if p.nulls {
		p.bits++
	}
	return p, true
}

// span finds the least integer and returns the bits that the distances from it take.
func (p *keyPart) span(rows []Row) int {
	lo, hi, any := int64(0), int64(0), false
	for _, r := range rows {
		c := p.cols[r.Group]
		if c == nil || c.null(int(r.Row)) {
			continue
		}
		x := c.int(int(r.Row))
		if !any {
			lo, hi, any = x, x, true
		}
		lo, hi = min(lo, x), max(hi, x)
	}
	p.least = lo
	return bits.Len64(uint64(hi) - uint64(lo))
}

// put writes the part of every row's key.
func (p *keyPart) put(rows []Row, keys []uint64, words int) {
	for i, r := range rows {
		key := keys[i*words : (i+1)*words]
		c := p.cols[r.Group]
		at, width := p.at, p.bits
		if p.nulls {
			if c == nil || c.null(int(r.Row)) {
				putBits(key, at, 1, 1)
				continue
			}
			at, width = at+1, width-1
		}
		switch {
		case p.uuid:
			u := &c.uuid[r.Row]
			putBits(key, at, 64, binary.BigEndian.Uint64(u[:]))
			putBits(key, at+64, 64, binary.BigEndian.Uint64(u[8:]))
		case c.table != nil:
			code := uint32(0)
			if c.kind == kindCode8 {
				code = uint32(c.u8[r.Row])
			} else {
				code = uint32(c.u16[r.Row])
			}
			putBits(key, at, width, uint64(c.table.rank[code]))
		default:
			putBits(key, at, width, uint64(c.int(int(r.Row)))-uint64(p.least))
		}
	}
}

// putBits puts a number of so many bits at a place that counts from the highest bit of the first word.
func putBits(key []uint64, at, width int, x uint64) {
	if width == 0 {
		return
	}
	w, left := at/64, 64-at%64
	if width <= left {
		key[w] |= x << (left - width)
		return
	}
	key[w] |= x >> (width - left)
	key[w+1] |= x << (64 - (width - left))
}

// entry is a row on its way through the radix sort: the first word of its key, and its place.
type entry struct {
	key uint64
	row uint32
}

func sortRows(rows []Row, keys []uint64, words int) {
	list := make([]entry, len(rows))
	for i := range list {
		list[i] = entry{keys[i*words], uint32(i)}
	}
	list = radix(list, make([]entry, len(list)))
	for from := 0; words > 1 && from < len(list); {
		to := from + 1
		for to < len(list) && list[to].key == list[from].key {
			to++
		}
		if to-from > 1 {
			slices.SortStableFunc(list[from:to], func(a, b entry) int {
				return slices.CompareFunc(keys[int(a.row)*words+1:(int(a.row)+1)*words], keys[int(b.row)*words+1:(int(b.row)+1)*words], cmp.Compare[uint64])
			})
		}
		from = to
	}
	sorted := make([]Row, len(rows))
	for i, e := range list {
		sorted[i] = rows[e.row]
	}
	copy(rows, sorted)
}

// radix sorts by bytes, the lowest first; bytes that are the same in all keys are passed over. It returns one of its
// arguments.
func radix(list, spare []entry) []entry {
	var counts [8][256]uint32
	for i := range list {
		k := list[i].key
		for b := range counts {
			counts[b][byte(k>>(8*b))]++
		}
	}
	for b := range counts {
		c := &counts[b]
		if c[byte(list[0].key>>(8*b))] == uint32(len(list)) {
			continue
		}
		sum := uint32(0)
		for i, n := range c {
			c[i] = sum
			sum += n
		}
		for _, e := range list {
			d := byte(e.key >> (8 * b))
			spare[c[d]] = e
			c[d]++
		}
		list, spare = spare, list
	}
	return list
}
