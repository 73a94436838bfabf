package segment

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// The index area answers "may a row of this group have that value" without the rows: for top-level columns of few values
// the set of them, for others of text, and for those that are looked up by, a Bloom filter for each row group. FORMAT.md
// has the picture. Everything in it can be left out: a reader that knows nothing of it reads the rows.

// Filter is where the Bloom filter of a column in one row group lies.
type Filter struct {
	None   bool   // no row of the group has a value; there are no bytes
	Offset int64  // in the file
	Bytes  uint32 // 0: nothing is known of the group
	CRC    uint32
}

// indexWriter collects what goes into the index area while a segment is written.
type indexWriter struct {
	lookups []string
	cols    map[uint32]*columnIndex // by temporary number
	pages   map[uint32][][]uint32   // by temporary number, then row group: checksums of the chunk's pages
	hashes  hashSet
}

// columnIndex is a column's part; groups without a value have none of parts.
type columnIndex struct {
	leaf   types.Leaf
	lookup bool
	parts  []indexPart
}

// indexPart is what is known of one row group: its values, or a filter of them, or nothing.
type indexPart struct {
	group  int
	values *vec.Vector
	filter bloom
}

// add takes note of a column of a row group. v are its values; distinct are the different ones, nil if they are not few
// compared with the rows.
func (w *indexWriter) add(group int, id uint32, path types.Path, leaf types.Leaf, v, distinct *vec.Vector) {
	if leaf != types.LeafText && leaf != types.LeafInt {
		return
	}
	c := w.cols[id]
	if c == nil {
		if w.cols == nil {
			w.cols = map[uint32]*columnIndex{}
		}
		c = &columnIndex{leaf: leaf, lookup: slices.Contains(w.lookups, string(path))}
		w.cols[id] = c
	}
	part := indexPart{group: group}
	switch {
	case c.lookup && distinct != nil:
		part.filter = w.filter(distinct)
	case c.lookup:
		part.filter = w.filter(v)
	case distinct == nil:
	case distinct.N <= setValuesMax:
		part.values = clone(distinct)
	case leaf == types.LeafText:
		part.filter = w.filter(distinct)
	}
	c.parts = append(c.parts, part)
}

// chunk takes note of a chunk of a row group.
func (w *indexWriter) chunk(group int, id uint32, chunk []byte, values int) {
	crcs := pageChecksums(chunk, values)
	if crcs == nil {
		return
	}
	if w.pages == nil {
		w.pages = map[uint32][][]uint32{}
	}
	list := w.pages[id]
	for len(list) < group {
		list = append(list, nil)
	}
	w.pages[id] = append(list, crcs)
}

func clone(v *vec.Vector) *vec.Vector {
	out := &vec.Vector{}
	out.Reset(v.Type)
	out.AppendRange(v, 0, v.N)
	return out
}

// filter returns the filter of a flat vector without NULLs.
func (w *indexWriter) filter(v *vec.Vector) bloom {
	w.hashes.reset(v.N)
	for i := range v.N {
		switch {
		case v.Type.Phys() == types.PhysInt64:
			w.hashes.add(hashInt(v.I64[i]))
		case i == 0 || !bytes.Equal(v.Bytes(i), v.Bytes(i-1)): // rows of one client lie together
			w.hashes.add(hashBytes(v.Bytes(i)))
		}
	}
	return w.hashes.bloom()
}

// indexColumn is a column's entry in the table of the index area.
type indexColumn struct {
	column  int // of the directory
	kind    uint8
	set     ValueSet
	filters []Filter   // by row group
	pages   [][]uint32 // by row group
}

// The kinds of an entry. Stored: never renumber.
const (
	indexSet    = 1
	indexFilter = 2
)

// What a filter's entry says of a row group. Stored: never renumber.
const (
	groupUnknown  = 0
	groupNone     = 1
	groupFiltered = 2
)

// finish chooses what each column gets and lays the area out from offset at: filters, then the table. final turns
// temporary numbers into those of the directory.
func (w *indexWriter) finish(groups int, final []uint32, at int64) (area []byte, table int, err error) {
	ids := make([]uint32, 0, len(w.cols))
	for id := range w.cols {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, k int) bool { return final[ids[i]] < final[ids[k]] })
	var entries []indexColumn
	for _, id := range ids {
		c := w.cols[id]
		e := indexColumn{column: int(final[id])}
		if e.set = c.set(groups); e.set != nil {
			e.kind = indexSet
		} else if e.kind = indexFilter; !c.filtered(w) {
			continue
		} else {
			e.filters, area = c.place(groups, at, area)
		}
		entries = append(entries, e)
	}
	for id, list := range w.pages {
		for len(list) < groups {
			list = append(list, nil)
		}
		entries = append(entries, indexColumn{column: int(final[id]), kind: indexPages, pages: list})
	}
	slices.SortFunc(entries, func(a, b indexColumn) int { return cmp.Or(a.column-b.column, int(a.kind)-int(b.kind)) })
	if len(entries) == 0 {
		return nil, 0, nil
	}
	filters := len(area)
	area = appendIndexTable(area, entries)
	if len(area) > math.MaxUint32 {
		return nil, 0, fmt.Errorf("index area of %d bytes; merge into smaller segments", len(area))
	}
	return area, len(area) - filters, nil
}

// set returns the column's set of values; nil if they are not few in every group.
func (c *columnIndex) set(groups int) ValueSet {
	all := &vec.Vector{}
	all.Reset(c.leaf.Type())
	for _, p := range c.parts {
		if p.values == nil {
			return nil
		}
		for i := range p.values.N {
			if at, ok := find(all, p.values, i); !ok {
				if all.N == setValuesMax {
					return nil
				}
				insert(all, at, p.values, i)
			}
		}
	}
	if all.N == 1 && c.leaf == types.LeafInt {
		return nil // the bounds say as much
	}
	has := make([]vec.Bitmap, groups)
	for g := range has {
		has[g] = vec.MakeBitmap(all.N)
	}
	for _, p := range c.parts {
		for i := range p.values.N {
			at, _ := find(all, p.values, i)
			has[p.group].Set(at)
		}
	}
	if s := appendSet(nil, c.leaf, all, has); len(s) <= setBytesMax {
		return s
	}
	return nil
}

// find returns where value i of w stands, or would stand, in v, which is sorted.
func find(v, w *vec.Vector, i int) (at int, ok bool) {
	if v.Type.Phys() == types.PhysInt64 {
		return slices.BinarySearch(v.I64[:v.N], w.I64[i])
	}
	b := w.Bytes(i)
	at = sort.Search(v.N, func(k int) bool { return bytes.Compare(v.Bytes(k), b) >= 0 })
	return at, at < v.N && bytes.Equal(v.Bytes(at), b)
}

// insert puts value i of w at place at of v.
func insert(v *vec.Vector, at int, w *vec.Vector, i int) {
	out := &vec.Vector{}
	out.Reset(v.Type)
	out.AppendRange(v, 0, at)
	out.AppendFrom(w, i)
	out.AppendRange(v, at, v.N)
	*v = *out
}

// filtered turns values into filters, and reports whether the column has any.
func (c *columnIndex) filtered(w *indexWriter) bool {
	if c.leaf != types.LeafText && !c.lookup {
		return false
	}
	any := false
	for i := range c.parts {
		p := &c.parts[i]
		if p.values != nil {
			p.filter = w.filter(p.values)
		}
		any = any || p.filter != nil
	}
	return any
}

// place appends the column's filters to the area, which begins at offset at of the file.
func (c *columnIndex) place(groups int, at int64, area []byte) ([]Filter, []byte) {
	out := make([]Filter, groups)
	for g := range out {
		out[g].None = true
	}
	for _, p := range c.parts {
		f := &out[p.group]
		f.None = false
		if p.filter != nil {
			f.Offset, f.Bytes, f.CRC = at+int64(len(area)), uint32(len(p.filter)), checksum(p.filter)
			area = append(area, p.filter...)
		}
	}
	return out, area
}

func appendIndexTable(dst []byte, entries []indexColumn) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(entries)))
	for i := range entries {
		e := &entries[i]
		dst = append(binary.AppendUvarint(dst, uint64(e.column)), e.kind)
		switch e.kind {
		case indexSet:
			dst = appendText(dst, e.set)
		case indexPages:
			dst = appendText(dst, appendPages(nil, e.pages))
		default:
			dst = appendFilters(dst, e.filters)
		}
	}
	return dst
}

// appendFilters leaves the offsets out: filters lie one behind the other.
func appendFilters(dst []byte, filters []Filter) []byte {
	for _, f := range filters {
		switch {
		case f.None:
			dst = append(dst, groupNone)
		case f.Bytes == 0:
			dst = append(dst, groupUnknown)
		default:
			dst = binary.AppendUvarint(append(dst, groupFiltered), uint64(f.Bytes/bloomBlockBytes))
			dst = binary.LittleEndian.AppendUint32(dst, f.CRC)
		}
	}
	return dst
}

// filters reads the entries of so many row groups; the first filter lies at offset at. It returns where the last ends.
func (p *metaParser) filters(groups int, at int64) ([]Filter, int64) {
	if groups > len(p.b) {
		p.fail()
		return nil, at
	}
	out := make([]Filter, groups)
	for i := range out {
		f := &out[i]
		switch p.u8() {
		case groupUnknown:
		case groupNone:
			f.None = true
		case groupFiltered:
			blocks := p.uvarint()
			crc := p.take(4)
			if p.bad || blocks == 0 || blocks > math.MaxUint32/bloomBlockBytes {
				p.fail()
				return nil, at
			}
			*f = Filter{Offset: at, Bytes: uint32(blocks * bloomBlockBytes), CRC: binary.LittleEndian.Uint32(crc)}
			at += int64(f.Bytes)
		default:
			p.fail()
			return nil, at
		}
	}
	return out, at
}

// parseIndexTable reads the table of an area that begins at offset at and whose filters end at end.
func parseIndexTable(b []byte, d *directory, at, end int64) ([]indexColumn, error) {
	p := &metaParser{b: b}
	out := make([]indexColumn, p.count(3))
	for i := range out {
		e := &out[i]
		e.column, e.kind = int(min(p.uvarint(), math.MaxInt32)), p.u8()
		if p.bad || e.column >= d.columns || i > 0 && (e.column < out[i-1].column || e.column == out[i-1].column && e.kind <= out[i-1].kind) {
			return nil, fmt.Errorf("index table: entry %d is of column %d", i, e.column)
		}
		switch e.kind {
		case indexSet:
			e.set = p.bytes()
			if err := e.set.check(d.leaf(e.column), len(d.groups)); err != nil {
				return nil, fmt.Errorf("index table: entry %d: %w", i, err)
			}
		case indexFilter:
			e.filters, at = p.filters(len(d.groups), at)
		case 0:
			return nil, fmt.Errorf("index table: entry %d is of kind 0", i)
		case indexPages:
			var err error
			if e.pages, err = parsePages(p.bytes(), len(d.groups)); err != nil {
				return nil, err
			}
		default:
			_ = p.bytes() // of a later build
		}
	}
	if p.bad || len(p.b) != 0 || len(out) == 0 || at != end {
		return nil, fmt.Errorf("index table: cut short, or filters end at %d and not at %d", at, end)
	}
	return out, nil
}

// listMax is how many values of an OpIn a filter is asked for: of more, one would be "maybe" for nothing.
const listMax = 256

// mayHold asks a filter.
func (f bloom) mayHold(leaf types.Leaf, p *column.Pred) bool {
	hash := func(i int) uint64 {
		if leaf == types.LeafInt {
			return hashInt(p.List.Int(i))
		}
		return hashBytes(p.List.Bytes(i))
	}
	switch {
	case p.Op == column.OpIn:
		if p.List.N > listMax {
			return true
		}
		for i := range p.List.N {
			if f.has(hash(i)) {
				return true
			}
		}
		return false
	case leaf == types.LeafInt:
		return f.has(hashInt(p.I))
	}
	return f.has(hashBytes(p.B))
}

// indexFor returns the set or the filters of a column of the directory; nil if it has neither.
func indexFor(list []indexColumn, id int) *indexColumn {
	i := sort.Search(len(list), func(i int) bool { return list[i].column >= id })
	if i < len(list) && list[i].column == id && list[i].kind <= indexFilter {
		return &list[i]
	}
	return nil
}
