package segment

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// Reader is an open segment. Its directory is in memory, everything else is read when a column asks for it. It may be
// used by several goroutines at once.
type Reader struct {
	path   string
	file   vfs.File
	cache  *Cache
	number uint64 // of the reader, in the cache's keys
	size   int64
	head   header
	foot   footer
	dir    *directory
	index  []indexColumn
	whole  bool // chunks are never read in pages: for Check
	groups []group
	closed atomic.Bool
	watch  func(*CorruptError) // told of what is found corrupt, if not nil
}

// readerNumbers serves readers without a cache too.
var readerNumbers atomic.Uint64

// Open reads and verifies header, footer and directory of a segment. id is what the caller takes the file for. cache may
// be nil: then nothing is kept.
func Open(fs vfs.FS, path string, id uint64, cache *Cache) (*Reader, error) {
	return openFile(fs, path, &id, cache)
}

// OpenAny is Open for a file of which only the name is known: for tools.
func OpenAny(fs vfs.FS, path string, cache *Cache) (*Reader, error) {
	return openFile(fs, path, nil, cache)
}

func openFile(fs vfs.FS, path string, id *uint64, cache *Cache) (*Reader, error) {
	r, err := OpenLater(fs, path, cache)
	if err != nil {
		return nil, err
	}
	if err := r.open(id); err != nil {
		_ = r.file.Close() // the first error is the one to report
		return nil, err
	}
	return r, nil
}

// OpenLater opens the file and reads nothing. Until Load returns nil, a reader has MayHold and Close and nothing else.
func OpenLater(fs vfs.FS, path string, cache *Cache) (*Reader, error) {
	file, err := fs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	r := &Reader{path: path, file: file, cache: cache, number: readerNumbers.Add(1)}
	if r.cache == nil {
		r.cache = NewCache(0)
	}
	return r, nil
}

// Load reads what Open promises: once, and not while another goroutine uses anything but MayHold. After an error it may be
// tried again.
func (r *Reader) Load(id uint64) error { return r.open(&id) }

// open reads what Open promises. id is nil if any will do.
func (r *Reader) open(id *uint64) (err error) {
	if r.head, r.foot, r.size, err = readEnds(r.file, r.path); err != nil {
		return err
	}
	if id != nil && r.head.id != *id {
		return &CorruptError{File: r.path, Section: "header", Expected: fmt.Sprintf("segment %d", *id), Found: fmt.Sprintf("segment %d", r.head.id)}
	}
	if err := r.readDirectory(); err != nil {
		return err
	}
	if err := r.readIndex(); err != nil {
		return err
	}
	r.groups = make([]group, len(r.dir.groups))
	for i := range r.groups {
		g := &r.groups[i]
		g.r, g.index, g.dir = r, i, &r.dir.groups[i]
	}
	return nil
}

func (r *Reader) readDirectory() error {
	f := &r.foot
	bad := func(expected, found string, err error) error {
		return &CorruptError{File: r.path, Offset: int64(f.dirOffset), Section: "directory", Expected: expected, Found: found, Err: err}
	}
	b := make([]byte, f.dirStored)
	if err := readFull(r.file, b, int64(f.dirOffset)); err != nil {
		return fmt.Errorf("segment %s: directory: %w", r.path, err)
	}
	if got := checksum(b); got != f.dirCRC {
		return bad(fmt.Sprintf("checksum %08x", f.dirCRC), fmt.Sprintf("%08x", got), nil)
	}
	if f.dirRaw > maxDirectoryBytes {
		return bad(fmt.Sprintf("at most %d bytes", maxDirectoryBytes), fmt.Sprint(f.dirRaw), nil)
	}
	var err error
	if f.dirRaw != f.dirStored {
		if b, err = codec.Inflate(nil, b, int(f.dirRaw)); err != nil {
			return bad("", "", err)
		}
	}
	if r.dir, err = parseDirectory(b, int64(f.dirOffset)); err != nil {
		return bad("", "", err)
	}
	if int(f.groups) != len(r.dir.groups) || int(f.columns) != r.dir.columns {
		return bad(fmt.Sprintf("%d row groups, %d columns", f.groups, f.columns), fmt.Sprintf("%d and %d", len(r.dir.groups), r.dir.columns), nil)
	}
	return nil
}

// readIndex reads the table of the index area.
func (r *Reader) readIndex() error {
	f := &r.foot
	if r.index = nil; f.indexBytes == 0 {
		return nil
	}
	at := int64(f.dirOffset) - int64(f.indexTable)
	b := make([]byte, f.indexTable)
	if err := readFull(r.file, b, at); err != nil {
		return fmt.Errorf("segment %s: index table: %w", r.path, err)
	}
	bad := func(expected, found string, err error) error {
		return &CorruptError{File: r.path, Offset: at, Section: "index table", Expected: expected, Found: found, Err: err}
	}
	if got := checksum(b); got != f.indexCRC {
		return bad(fmt.Sprintf("checksum %08x", f.indexCRC), fmt.Sprintf("%08x", got), nil)
	}
	var err error
	if r.index, err = r.dir.parseIndex(b, f, int64(f.dirOffset)); err != nil {
		return bad("", "", err)
	}
	return nil
}

// OnCorrupt has f called with every corruption that readers of r's columns meet, before they get it as an error. It is
// called before the first of them, if at all; f may be called from several goroutines.
func (r *Reader) OnCorrupt(f func(*CorruptError)) { r.watch = f }

// corrupt reports an error to whoever watches, and returns it.
func (r *Reader) corrupt(e *CorruptError) error {
	if r.watch != nil {
		r.watch(e)
	}
	return e
}

// TableID returns the id of the table that the file was written for.
func (r *Reader) TableID() uint32 { return r.head.table }

// Path returns the file's name.
func (r *Reader) Path() string { return r.path }

// Groups returns the number of row groups.
func (r *Reader) Groups() int { return len(r.groups) }

// GroupRows returns the number of rows of row group i.
func (r *Reader) GroupRows(i int) int { return r.groups[i].dir.rows }

// GroupValueBytes returns the decoded size of row group i's values.
func (r *Reader) GroupValueBytes(i int) int64 { return r.groups[i].dir.valueBytes }

// Group returns row group i. It is valid until Close.
func (r *Reader) Group(i int) column.Group { return &r.groups[i] }

// Meta sums the segment up, from its directory: equal to what Finish returned.
func (r *Reader) Meta() *Meta {
	m := r.dir.meta(&r.foot, r.size)
	m.addIndex(r.dir, r.index)
	return m
}

// Close closes the file. Nobody may use its groups and columns any more; vectors read from them stay valid.
func (r *Reader) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	return r.file.Close()
}

// group implements column.Group over the directory.
type group struct {
	r        *Reader
	index    int
	dir      *groupDir
	uncached atomic.Pointer[cacheEntry] // see page
	held     held
}

// Rows implements column.Group.
func (g *group) Rows() int { return g.dir.rows }

// Find implements column.Group.
func (g *group) Find(p types.Path, leaf types.Leaf) (column.Column, bool) {
	d := g.r.dir
	id := d.search(p, leaf)
	if id == d.columns || d.leaf(id) != leaf || d.path(id) != p {
		return nil, false
	}
	i := d.indexIn(g.dir, id)
	if i == g.dir.cols || int(d.u32(g.dir.ids, i)) != id {
		return nil, false
	}
	if d.b[g.dir.kinds+i] == kindRest {
		return &restColumn{segmentColumn{g: g, id: uint32(id), i: uint32(i)}}, true
	}
	return &chunkColumn{segmentColumn: segmentColumn{g: g, id: uint32(id), i: uint32(i)}}, true
}

// Under implements column.Group. The columns lie in two arrays, not in one object each.
func (g *group) Under(p types.Path) []column.Column {
	d := g.r.dir
	first, last := d.subtree(p)
	from, to := d.indexIn(g.dir, first), d.indexIn(g.dir, last)
	rest := 0
	for i := from; i < to; i++ {
		if d.b[g.dir.kinds+i] == kindRest {
			rest++
		}
	}
	chunks, rests := make([]chunkColumn, 0, to-from-rest), make([]restColumn, 0, rest)
	out := make([]column.Column, 0, to-from)
	for i := from; i < to; i++ {
		c := segmentColumn{g: g, id: d.u32(g.dir.ids, i), i: uint32(i)}
		if d.b[g.dir.kinds+i] == kindRest {
			rests = append(rests, restColumn{c})
			out = append(out, &rests[len(rests)-1])
		} else {
			chunks = append(chunks, chunkColumn{segmentColumn: c})
			out = append(out, &chunks[len(chunks)-1])
		}
	}
	return out
}

// segmentColumn is what both kinds of column share.
type segmentColumn struct {
	g  *group
	id uint32 // column of the segment
	i  uint32 // entry of the group
}

// Path implements column.Column.
func (c *segmentColumn) Path() types.Path { return c.g.r.dir.path(int(c.id)) }

// Leaf implements column.Column.
func (c *segmentColumn) Leaf() types.Leaf { return c.g.r.dir.leaf(int(c.id)) }

// kind tells where the values are: see groupDir.
func (c *segmentColumn) kind() byte { return c.g.r.dir.b[c.g.dir.kinds+int(c.i)] }

// Stats implements column.Column. The dictionary of a chunk is chunkColumn's to add.
func (c *segmentColumn) Stats() column.Stats {
	s := c.g.r.dir.stats(c.g.dir, int(c.i))
	s.Dict = nil
	return s
}

// BlockStats implements column.Column.
func (c *segmentColumn) BlockStats(b int) column.Stats {
	z, err := c.g.r.dir.openZones(c.g.dir, int(c.i))
	if err != nil {
		return column.Stats{Rows: c.g.dir.rows, Present: c.present()}
	}
	return z.Block(b)
}

func (c *segmentColumn) present() int { return int(c.g.r.dir.u16(c.g.dir.present, int(c.i))) + 1 }

// place returns the entry's placement: see groupDir.
func (c *segmentColumn) place() (a, b, n uint32) {
	d, i := c.g.r.dir, int(c.i)
	return d.u32(c.g.dir.a, i), d.u32(c.g.dir.b, i), d.u32(c.g.dir.c, i)
}

// section names the column for errors.
func (c *segmentColumn) section() string {
	return fmt.Sprintf("row group %d, column %s (%s)", c.g.index, c.Path(), c.Leaf())
}

// corrupt reports bytes of the column at an offset of its group.
func (c *segmentColumn) corrupt(off uint32, err error) error {
	return c.g.r.corrupt(c.corruptError(off, err))
}

func (c *segmentColumn) corruptError(off uint32, err error) *CorruptError {
	return &CorruptError{File: c.g.r.path, Offset: c.g.dir.base + int64(off), Section: c.section(), Group: c.g.index,
		Column: string(c.Path()), Err: err}
}

// readVerified fills dst from an offset of the group and compares the checksum.
func (c *segmentColumn) readVerified(dst []byte, off, crc uint32) error {
	if err := readFull(c.g.r.file, dst, c.g.dir.base+int64(off)); errors.Is(err, io.EOF) {
		return c.corrupt(off, err) // the file has been cut short since it was opened
	} else if err != nil {
		return fmt.Errorf("segment %s, %s: %w", c.g.r.path, c.section(), err)
	}
	if got := checksum(dst); got != crc {
		e := c.corruptError(off, nil)
		e.Expected, e.Found = fmt.Sprintf("checksum %08x", crc), fmt.Sprintf("%08x", got)
		return c.g.r.corrupt(e)
	}
	return nil
}
