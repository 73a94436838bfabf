package segment

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/vec"
)

// A large chunk whose values have one size is read in pages, so that a lookup of a few rows neither reads nor verifies the
// rest. The pages' checksums are in the index area; the chunk's own, in the directory, is for readers that know no pages.

// A page is the packed ids of a block of values; the first one has what stands in front of them too. Part of the format.
const chunkPageBytes = codec.PageableBytes * vec.BlockRows

// chunkPagesMin is the length from which a chunk has pages.
const chunkPagesMin = 4 * chunkPageBytes

// indexPages is the kind of an entry of the index table that has the checksums of a column's pages. Stored: never renumber.
const indexPages = 3

// pageLayout says where the pages of a chunk are.
type pageLayout struct{ size, head int } // head: bytes in front of the values

func layoutOf(size, values int) pageLayout {
	return pageLayout{size, size - codec.PageableBytes*values}
}

// pages is 0 for a chunk whose values cannot be of one size.
func (l pageLayout) pages() int {
	if l.head < 0 {
		return 0
	}
	return (l.size - l.head + chunkPageBytes - 1) / chunkPageBytes
}

// start returns the offset of page k in the chunk; of the page behind the last, the chunk's length.
func (l pageLayout) start(k int) int {
	if k == 0 {
		return 0
	}
	return min(l.head+k*chunkPageBytes, l.size)
}

// page returns the page that a byte belongs to.
func (l pageLayout) page(at int) int { return max(0, at-l.head) / chunkPageBytes }

// pageChecksums returns the checksums of the pages of a chunk of so many values; nil if it is to be read as a whole.
func pageChecksums(chunk []byte, values int) []uint32 {
	if len(chunk) < chunkPagesMin || !codec.Pageable(chunk[0]) {
		return nil
	}
	l := layoutOf(len(chunk), values)
	out := make([]uint32, l.pages())
	for k := range out {
		out[k] = checksum(chunk[l.start(k):l.start(k+1)])
	}
	return out
}

// appendPages writes, for each row group, the number of pages, 0 for a chunk without, and their checksums.
func appendPages(dst []byte, groups [][]uint32) []byte {
	for _, crcs := range groups {
		dst = appendU32s(binary.AppendUvarint(dst, uint64(len(crcs))), crcs)
	}
	return dst
}

func parsePages(b []byte, groups int) ([][]uint32, error) {
	p := &metaParser{b: b}
	out := make([][]uint32, groups)
	for g := range out {
		crcs := p.take(4 * p.count(4))
		for ; len(crcs) > 0; crcs = crcs[4:] {
			out[g] = append(out[g], binary.LittleEndian.Uint32(crcs))
		}
	}
	if p.bad || len(p.b) != 0 {
		return nil, fmt.Errorf("index table: checksums of pages are cut short")
	}
	return out, nil
}

// pageEntry returns what the index area has of the pages of the column's chunk; nil if it has nothing.
func (c *segmentColumn) pageEntry() []uint32 {
	for i := range c.g.r.index {
		if e := &c.g.r.index[i]; e.column == int(c.id) && e.kind == indexPages {
			return e.pages[c.g.index]
		}
	}
	return nil
}

// pages returns the checksums of the pages of the column's chunk; nil if it is to be read as a whole.
func (c *segmentColumn) pages() []uint32 {
	if c.g.r.whole {
		return nil
	}
	_, size, _ := c.place()
	if crcs := c.pageEntry(); len(crcs) > 0 && len(crcs) == layoutOf(int(size), c.present()).pages() {
		return crcs
	}
	return nil
}

// partial says which pages of a cached chunk are there. Bits are set when their bytes are verified, and never cleared.
type partial struct {
	pageLayout
	crcs []uint32
	has  []atomic.Uint64

	mu     sync.Mutex // held by who reads pages
	next   int        // the page behind those read last; 0 before the first
	window int        // pages to read at least where they are read one after the other
}

// partialWindowMax is how far reading ahead goes: 256 KiB.
const partialWindowMax = 16

func newPartial(l pageLayout, crcs []uint32) *partial {
	return &partial{pageLayout: l, crcs: crcs, has: make([]atomic.Uint64, (len(crcs)+63)/64), window: 1}
}

func (p *partial) loaded(k int) bool { return p.has[k>>6].Load()>>(k&63)&1 != 0 }

// missing returns the first page of [k, end) that is not there, end if all are.
func (p *partial) missing(k, end int) int {
	for k < end && p.loaded(k) {
		k++
	}
	return k
}

// fill makes bytes [lo, hi) of a pinned chunk be there.
func (c *chunkColumn) fill(e *cacheEntry, lo, hi int) error {
	p := e.partial
	if p == nil || lo >= hi {
		return nil
	}
	k, end := p.page(lo), p.page(hi-1)+1
	if k = p.missing(k, end); k == end {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for k = p.missing(k, end); k < end; k = p.missing(k, end) {
		upto := k + 1
		if k == p.next && k > 0 { // one after the other: each time twice as far, but for two that a few rows lie across
			upto = min(k+p.window, len(p.crcs))
			p.window = min(2*p.window, partialWindowMax)
		} else {
			p.window = 1
		}
		stop := k + 1
		for stop < max(upto, end) && stop < len(p.crcs) && !p.loaded(stop) {
			stop++
		}
		if err := c.readPages(e, k, stop); err != nil {
			return err
		}
		p.next = stop
	}
	return nil
}

// readPages reads and verifies pages [k, end) of a chunk. e.partial.mu is held.
func (c *chunkColumn) readPages(e *cacheEntry, k, end int) error {
	off, _, _ := c.place()
	at := c.g.dir.base + int64(off)
	p := e.partial
	if err := readFull(c.g.r.file, e.data[p.start(k):p.start(end)], at+int64(p.start(k))); err != nil {
		return fmt.Errorf("segment %s, %s: %w", c.g.r.path, c.section(), err)
	}
	for ; k < end; k++ {
		if got := checksum(e.data[p.start(k):p.start(k+1)]); got != p.crcs[k] {
			return &CorruptError{File: c.g.r.path, Offset: at + int64(p.start(k)), Section: c.section(),
				Expected: fmt.Sprintf("checksum %08x of page %d", p.crcs[k], k), Found: fmt.Sprintf("%08x", got)}
		}
		p.has[k>>6].Or(1 << (k & 63))
	}
	return nil
}

// loadParts opens the chunk of a new entry and leaves its values for later. What tells where they are is in the first page;
// where every row has a value it is one byte, and known.
func (c *chunkColumn) loadParts(e *cacheEntry, crcs []uint32) error {
	e.partial = newPartial(layoutOf(len(e.data), c.present()), crcs)
	if e.partial.head == 1 && c.present() == c.g.dir.rows {
		e.data[0] = codec.PageableAll
	} else if err := c.readPages(e, 0, 1); err != nil {
		return err
	}
	chunk, err := codec.Open(c.Leaf(), c.g.dir.rows, c.present(), e.data)
	if err != nil {
		off, _, _ := c.place()
		return c.corrupt(off, err)
	}
	e.chunk.Store(chunk) // before others see the entry: they may read the first page while nobody opens the chunk
	return nil
}
