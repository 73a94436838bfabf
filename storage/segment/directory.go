package segment

import (
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
	"unsafe"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/types"
)

// directory is the parsed directory of a segment. It stays one pointer-free slice; the tables are found by offset and
// searched in place, so that a segment of ten thousand columns costs no object per column.
type directory struct {
	b       []byte
	columns int
	pathOff int // columns × u32: offset in the heap
	pathLen int // columns × u32
	leaves  int // columns × u8
	heap    int
	sortKey []string
	groups  []groupDir
}

// groupDir is one row group's part. The arrays have an element for each column that has a value in the group, in the
// order of the columns.
type groupDir struct {
	rows       int
	base, size int64 // where its bytes are in the file
	valueBytes int64
	cols       int
	pages      int
	ids        int // cols × u32: index into the columns, ascending
	a, b, c    int // cols × u32 each: see placement
	zoneOff    int // cols × u32: offset in zones
	present    int // cols × u16: number of rows with a value, minus 1
	kinds      int // cols × u8
	pageOff    int // pages × u32: offset from base
	pageLen    int // pages × u32
	pageRaw    int // pages × u32: length before compression
	pageCRC    int // pages × u32
	pageRow    int // pages × u16: row of the first value
	zones      int
	zonesEnd   int
}

// Where a column's values are. Stored: never renumber.
const (
	kindConst = 0 // nowhere: the zone map holds the value all rows have; a, b, c are 0
	kindChunk = 1 // a: offset from base, b: length, c: CRC-32C
	kindRest  = 2 // a: first page, b: offset in it before compression, c: number of pages
	kindDict  = 3 // as kindChunk; the chunk has a dictionary, or one value for all that are there
)

func (d *directory) u32(at, i int) uint32 { return binary.LittleEndian.Uint32(d.b[at+4*i:]) }
func (d *directory) u16(at, i int) uint16 { return binary.LittleEndian.Uint16(d.b[at+2*i:]) }

// path returns the path of column i. It aliases the directory, which lives as long as anybody holds a part of it.
func (d *directory) path(i int) types.Path {
	n := int(d.u32(d.pathLen, i))
	if n == 0 {
		return ""
	}
	return types.Path(unsafe.String(&d.b[d.heap+int(d.u32(d.pathOff, i))], n))
}

func (d *directory) leaf(i int) types.Leaf { return types.Leaf(d.b[d.leaves+i]) }

// search returns the first column that is not before (p, leaf).
func (d *directory) search(p types.Path, leaf types.Leaf) int {
	return sort.Search(d.columns, func(i int) bool {
		c := strings.Compare(string(d.path(i)), string(p))
		return c > 0 || c == 0 && d.leaf(i) >= leaf
	})
}

// subtree returns the range of columns at p or below it.
func (d *directory) subtree(p types.Path) (from, to int) {
	if p == "" {
		return 0, d.columns
	}
	// NUL sorts before every other byte, so the subtree is what lies from p to before p+1.
	return d.search(p, 0), d.search(p+"\x01", 0)
}

// indexIn returns where column id stands, or would stand, in the group's arrays.
func (d *directory) indexIn(g *groupDir, id int) int {
	return sort.Search(g.cols, func(i int) bool { return int(d.u32(g.ids, i)) >= id })
}

// dirWriter collects the directory while a segment is written.
type dirWriter struct {
	names  map[dirName]uint32 // to a temporary number
	list   []dirName
	groups []groupBuild
}

type dirName struct {
	path types.Path
	leaf types.Leaf
}

type groupBuild struct {
	rows       int
	base, size int64
	valueBytes int64
	cols       []columnBuild
	pages      []pageBuild
	zones      []byte
}

type columnBuild struct {
	id      uint32 // temporary number
	kind    uint8
	present int
	a, b, c uint32
	zoneOff uint32
}

type pageBuild struct {
	off, size, raw, crc uint32
	row                 uint16
}

func (w *dirWriter) id(p types.Path, leaf types.Leaf) uint32 {
	if w.names == nil {
		w.names = make(map[dirName]uint32)
	}
	n := dirName{p, leaf}
	id, ok := w.names[n]
	if !ok {
		n.path = types.Path(strings.Clone(string(p)))
		id = uint32(len(w.list))
		w.list = append(w.list, n)
		w.names[n] = id
	}
	return id
}

// sorted returns the order of the columns and, for each temporary number, the final one.
func (w *dirWriter) sorted() (order []uint32, final []uint32) {
	order, final = make([]uint32, len(w.list)), make([]uint32, len(w.list))
	for i := range order {
		order[i] = uint32(i)
	}
	sort.Slice(order, func(i, k int) bool {
		a, b := w.list[order[i]], w.list[order[k]]
		return a.path < b.path || a.path == b.path && a.leaf < b.leaf
	})
	for i, t := range order {
		final[t] = uint32(i)
	}
	return order, final
}

// append writes the directory: FORMAT.md has the picture.
func (w *dirWriter) append(dst []byte, sortKey []string) ([]byte, error) {
	order, final := w.sorted()
	var heap []byte
	offs, lens := make([]uint32, len(order)), make([]uint32, len(order))
	for i, t := range order {
		p := w.list[t].path
		if i > 0 && w.list[order[i-1]].path == p {
			offs[i] = offs[i-1]
		} else {
			offs[i] = uint32(len(heap))
			heap = append(heap, p...)
		}
		lens[i] = uint32(len(p))
	}
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(len(order)))
	dst = le.AppendUint32(dst, uint32(len(w.groups)))
	dst = le.AppendUint32(dst, uint32(len(heap)))
	dst = appendU32s(appendU32s(dst, offs), lens)
	for _, t := range order {
		dst = append(dst, byte(w.list[t].leaf))
	}
	dst = append(dst, heap...)
	dst = binary.AppendUvarint(dst, uint64(len(sortKey)))
	for _, k := range sortKey {
		dst = append(binary.AppendUvarint(dst, uint64(len(k))), k...)
	}
	for i := range w.groups {
		dst = w.groups[i].append(dst, final)
	}
	if len(dst) > maxDirectoryBytes {
		return nil, fmt.Errorf("segment directory of %d bytes is larger than %d; merge into smaller segments", len(dst), maxDirectoryBytes)
	}
	return dst, nil
}

// maxDirectoryBytes bounds what a reader allocates for a directory.
const maxDirectoryBytes = 1 << 30

func appendU32s(dst []byte, v []uint32) []byte {
	for _, x := range v {
		dst = binary.LittleEndian.AppendUint32(dst, x)
	}
	return dst
}

func (g *groupBuild) append(dst []byte, final []uint32) []byte {
	sort.Slice(g.cols, func(i, k int) bool { return final[g.cols[i].id] < final[g.cols[k].id] })
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(g.rows))
	dst = le.AppendUint64(dst, uint64(g.base))
	dst = le.AppendUint64(dst, uint64(g.size))
	dst = le.AppendUint64(dst, uint64(g.valueBytes))
	dst = le.AppendUint32(dst, uint32(len(g.cols)))
	dst = le.AppendUint32(dst, uint32(len(g.pages)))
	dst = le.AppendUint32(dst, uint32(len(g.zones)))
	for _, field := range []func(c *columnBuild) uint32{
		func(c *columnBuild) uint32 { return final[c.id] },
		func(c *columnBuild) uint32 { return c.a },
		func(c *columnBuild) uint32 { return c.b },
		func(c *columnBuild) uint32 { return c.c },
		func(c *columnBuild) uint32 { return c.zoneOff },
	} {
		for i := range g.cols {
			dst = le.AppendUint32(dst, field(&g.cols[i]))
		}
	}
	for i := range g.cols {
		dst = le.AppendUint16(dst, uint16(g.cols[i].present-1))
	}
	for i := range g.cols {
		dst = append(dst, g.cols[i].kind)
	}
	for _, field := range []func(p *pageBuild) uint32{
		func(p *pageBuild) uint32 { return p.off },
		func(p *pageBuild) uint32 { return p.size },
		func(p *pageBuild) uint32 { return p.raw },
		func(p *pageBuild) uint32 { return p.crc },
	} {
		for i := range g.pages {
			dst = le.AppendUint32(dst, field(&g.pages[i]))
		}
	}
	for i := range g.pages {
		dst = le.AppendUint16(dst, g.pages[i].row)
	}
	return append(dst, g.zones...)
}

// dirParser walks over a directory; errors are kept until the end.
type dirParser struct {
	b   []byte
	at  int
	bad string
}

func (p *dirParser) skip(n, size int) int {
	at := p.at
	if n < 0 || n > (len(p.b)-p.at)/max(size, 1) {
		p.fail("cut short")
		return at
	}
	p.at += n * size
	return at
}

func (p *dirParser) fail(format string, args ...any) {
	if p.bad == "" {
		p.bad = fmt.Sprintf(format, args...)
	}
	p.at = len(p.b)
}

func (p *dirParser) u32() int {
	at := p.skip(1, 4)
	if p.bad != "" {
		return 0
	}
	return int(binary.LittleEndian.Uint32(p.b[at:]))
}

func (p *dirParser) u64() int64 {
	at := p.skip(1, 8)
	if p.bad != "" {
		return 0
	}
	v := binary.LittleEndian.Uint64(p.b[at:])
	if v > 1<<62 {
		p.fail("a size of %d", v)
		return 0
	}
	return int64(v)
}

func (p *dirParser) uvarint() int {
	v, n := binary.Uvarint(p.b[p.at:])
	if n <= 0 || v > uint64(len(p.b)) {
		p.fail("sort key cut short")
		return 0
	}
	p.at += n
	return int(v)
}

// parseDirectory opens a directory and checks all that a reader relies on, so that lookups need no checks.
func parseDirectory(b []byte, dataEnd int64) (*directory, error) {
	p := &dirParser{b: b}
	d := &directory{b: b}
	d.columns = p.u32()
	groups, heapLen := p.u32(), p.u32()
	d.pathOff, d.pathLen, d.leaves = p.skip(d.columns, 4), p.skip(d.columns, 4), p.skip(d.columns, 1)
	d.heap = p.skip(heapLen, 1)
	if p.bad == "" {
		d.checkNames(p, heapLen)
	}
	for range p.uvarint() {
		n := p.uvarint()
		if at := p.skip(n, 1); p.bad == "" {
			d.sortKey = append(d.sortKey, string(b[at:at+n]))
		}
	}
	end := int64(headerBytes)
	for i := 0; i < groups && p.bad == ""; i++ {
		g := d.parseGroup(p)
		if p.bad == "" && (g.base != end || g.size > dataEnd-end) {
			p.fail("row group %d of %d bytes at %d, expected at %d", i, g.size, g.base, end)
		}
		end += g.size
		d.groups = append(d.groups, g)
	}
	switch {
	case p.bad != "":
	case p.at != len(b):
		p.fail("%d bytes too many", len(b)-p.at)
	case end != dataEnd:
		p.fail("row groups end at %d, the directory begins at %d", end, dataEnd)
	}
	if p.bad != "" {
		return nil, fmt.Errorf("directory: %s", p.bad)
	}
	return d, nil
}

func (d *directory) checkNames(p *dirParser, heapLen int) {
	for i := range d.columns {
		off, n := int(d.u32(d.pathOff, i)), int(d.u32(d.pathLen, i))
		if off > heapLen || n > heapLen-off || d.leaf(i) < types.LeafBool || d.leaf(i) > types.LeafJSON {
			p.fail("column %d of leaf kind %d has its path at %d, %d bytes", i, d.leaf(i), off, n)
			return
		}
		if i > 0 && (d.path(i) < d.path(i-1) || d.path(i) == d.path(i-1) && d.leaf(i) <= d.leaf(i-1)) {
			p.fail("column %d is not in order", i)
			return
		}
	}
}

func (d *directory) parseGroup(p *dirParser) groupDir {
	g := groupDir{rows: p.u32(), base: p.u64(), size: p.u64(), valueBytes: p.u64(), cols: p.u32(), pages: p.u32()}
	zones := p.u32()
	g.ids, g.a, g.b, g.c, g.zoneOff = p.skip(g.cols, 4), p.skip(g.cols, 4), p.skip(g.cols, 4), p.skip(g.cols, 4), p.skip(g.cols, 4)
	g.present, g.kinds = p.skip(g.cols, 2), p.skip(g.cols, 1)
	g.pageOff, g.pageLen, g.pageRaw, g.pageCRC = p.skip(g.pages, 4), p.skip(g.pages, 4), p.skip(g.pages, 4), p.skip(g.pages, 4)
	g.pageRow = p.skip(g.pages, 2)
	g.zones = p.skip(zones, 1)
	g.zonesEnd = g.zones + zones
	switch {
	case p.bad != "":
	case g.rows < 1 || g.rows > codec.MaxRows:
		p.fail("row group of %d rows", g.rows)
	default:
		d.checkGroup(p, &g)
	}
	return g
}

func (d *directory) checkGroup(p *dirParser, g *groupDir) {
	for i := range g.pages {
		if uint64(d.u32(g.pageOff, i))+uint64(d.u32(g.pageLen, i)) > uint64(g.size) {
			p.fail("page %d ends behind its row group", i)
			return
		}
	}
	for i := range g.cols {
		id := int(d.u32(g.ids, i))
		a, b, c := uint64(d.u32(g.a, i)), uint64(d.u32(g.b, i)), uint64(d.u32(g.c, i))
		kind := d.b[g.kinds+i]
		ok := id < d.columns && (i == 0 || id > int(d.u32(g.ids, i-1))) && int(d.u16(g.present, i)) < g.rows &&
			int(d.u32(g.zoneOff, i)) < g.zonesEnd-g.zones
		switch kind {
		case kindConst:
			ok = ok && int(d.u16(g.present, i))+1 == g.rows
		case kindChunk, kindDict:
			ok = ok && a+b <= uint64(g.size)
		case kindRest:
			ok = ok && c >= 1 && a+c <= uint64(g.pages) && b < uint64(d.u32(g.pageRaw, int(a)))
		default:
			ok = false
		}
		if !ok {
			p.fail("entry %d of column %d, kind %d, at %d, %d, %d", i, id, kind, a, b, c)
			return
		}
	}
}
