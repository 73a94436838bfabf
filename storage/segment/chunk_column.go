package segment

import (
	"bytes"
	"errors"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
)

// chunkColumn is a column with a chunk of its own, or a constant one that needs none. It remembers its cache entry, the
// opened chunk and the filters used last, so that the second block costs no lookup.
type chunkColumn struct {
	segmentColumn
	open    atomic.Pointer[openChunk]
	filters atomic.Pointer[[]openFilter] // the last ones used, at most filtersKept
	asked   atomic.Bool                  // the whole chunk has been asked for ahead of reading: see Prefetch
}

type openChunk struct {
	chunk *codec.Chunk
	entry *cacheEntry // nil: a constant, without bytes
}

// openFilter is a prepared predicate. The predicate is compared field by field as well as by address, so that a caller
// who changes one in place gets the new answer.
type openFilter struct {
	at   *column.Pred
	pred column.Pred
	f    *codec.Filter
}

// pinned returns the opened chunk and its bytes, all of them, which stay until unpin.
func (c *chunkColumn) pinned() (o *openChunk, data []byte, err error) {
	o, data, err = c.pinnedParts()
	if err == nil && o.entry != nil {
		if err = c.fill(o.entry, 0, len(data)); err != nil {
			o.unpin()
			return nil, nil, err
		}
	}
	return o, data, err
}

// pinnedFor is pinned for reading rows [from, to): other bytes may not have been read.
func (c *chunkColumn) pinnedFor(from, to int) (o *openChunk, data []byte, err error) {
	o, data, err = c.pinnedParts()
	if err != nil || o.entry == nil || o.entry.partial == nil {
		return o, data, err
	}
	lo, hi := o.chunk.Extent(data, from, to)
	if err = c.fill(o.entry, lo, hi); err != nil {
		o.unpin()
		return nil, nil, err
	}
	return o, data, nil
}

// pinnedParts returns the opened chunk and its bytes, of which those may be missing that fill has not read.
func (c *chunkColumn) pinnedParts() (o *openChunk, data []byte, err error) {
	o = c.open.Load()
	if o != nil && o.entry == nil {
		return o, nil, nil
	}
	if o != nil {
		if data, ok := o.entry.pin(); ok {
			return o, data, nil
		}
	}
	return c.load(o)
}

func (o *openChunk) unpin() {
	if o.entry != nil {
		o.entry.unpin()
	}
}

// forget drops the chunk. A merge lists all columns of its inputs and is done with each after one use: what they had read
// past the cache would otherwise add up to the whole row groups. Only the one user of a column may call it.
func (c *chunkColumn) forget() { c.open.Store(nil) }

// load finds or reads the chunk. A column keeps the dictionary it has once shown, so old is reused where there is one.
func (c *chunkColumn) load(old *openChunk) (*openChunk, []byte, error) {
	g := c.g.dir
	if c.kind() == kindConst {
		return c.loadConstant()
	}
	if o, data, ok := c.recall(old); ok {
		return o, data, nil
	}
	off, size, crc := c.place()
	key := cacheKey{c.g.r.number, g.base + int64(off)}
	e, err := c.g.r.cache.get(key, int(size), func(e *cacheEntry) error {
		if crcs := c.pages(); crcs != nil {
			return c.loadParts(e, crcs)
		}
		return c.readVerified(e.data, off, crc)
	})
	if err != nil {
		return nil, nil, err
	}
	o := &openChunk{entry: e}
	switch {
	case old != nil:
		o.chunk = old.chunk
	case e.chunk.Load() != nil:
		o.chunk = e.chunk.Load()
	default:
		if o.chunk, err = codec.Open(c.Leaf(), g.rows, c.present(), e.data); err != nil {
			e.unpin()
			return nil, nil, c.corrupt(off, err)
		}
		c.g.r.cache.keep(e, o.chunk, o.chunk.HeapBytes())
	}
	c.g.held.put(c.i, e)
	c.show(old, o)
	return o, e.data, nil
}

// show makes o what the column reads from. If another goroutine was first, its chunk is the one the column shows.
func (c *chunkColumn) show(old, o *openChunk) {
	if !c.open.CompareAndSwap(old, o) {
		if now := c.open.Load(); now.chunk != o.chunk {
			o.chunk = now.chunk
		}
	}
}

// recall is load from the entry that the group remembers; false if there is none, or it has been evicted.
func (c *chunkColumn) recall(old *openChunk) (*openChunk, []byte, bool) {
	e := c.g.held.get(c.i)
	if e == nil {
		return nil, nil, false
	}
	data, ok := e.pin()
	if !ok {
		return nil, nil, false
	}
	o := &openChunk{chunk: e.chunk.Load(), entry: e}
	if old != nil {
		o.chunk = old.chunk
	}
	if o.chunk == nil {
		e.unpin()
		return nil, nil, false
	}
	c.show(old, o)
	return o, data, true
}

func (c *chunkColumn) loadConstant() (*openChunk, []byte, error) {
	z, err := c.g.r.dir.openZones(c.g.dir, int(c.i))
	value, ok := z.Constant()
	if err == nil && !ok {
		err = errors.New("constant column without a value")
	}
	if err != nil {
		return nil, nil, c.corrupt(0, err)
	}
	o := &openChunk{chunk: codec.Constant(c.Leaf(), c.g.dir.rows, value)}
	if !c.open.CompareAndSwap(nil, o) {
		o = c.open.Load()
	}
	return o, nil, nil
}

// Stats implements column.Column. Dict is the very dictionary that Read's vectors share; for it alone the chunk is read,
// and only if the directory says that there is one. A chunk that cannot be read has none here: the error is Read's to
// report.
func (c *chunkColumn) Stats() column.Stats {
	s := c.segmentColumn.Stats()
	if c.kind() == kindChunk {
		return s
	}
	if o, _, err := c.pinned(); err == nil {
		s.Dict = o.chunk.Dict()
		o.unpin()
	}
	return s
}

// Read implements column.Column.
func (c *chunkColumn) Read(from, to int, dst *vec.Vector) error {
	o, data, err := c.pinnedFor(from, to)
	if err != nil {
		return err
	}
	defer o.unpin()
	return c.located(o.chunk.Read(data, from, to, dst))
}

// Filter implements column.Column.
func (c *chunkColumn) Filter(from, to int, p *column.Pred, sel vec.Bitmap) error {
	o, data, err := c.pinnedFor(from, to)
	if err != nil {
		return err
	}
	defer o.unpin()
	f, err := c.prepared(o.chunk, p)
	if err != nil {
		return c.located(err)
	}
	return c.located(f.Filter(data, from, to, sel))
}

// filtersKept is how many predicates on one column are remembered: a range has two.
const filtersKept = 4

// prepared returns the filter for p, made when p is seen first: once for all blocks.
func (c *chunkColumn) prepared(chunk *codec.Chunk, p *column.Pred) (*codec.Filter, error) {
	var known []openFilter
	if list := c.filters.Load(); list != nil {
		known = *list
	}
	for i := range known {
		if known[i].at == p && samePred(&known[i].pred, p) {
			return known[i].f, nil
		}
	}
	f, err := chunk.NewFilter(p)
	if err != nil {
		return nil, err
	}
	entry := openFilter{at: p, pred: *p, f: f}
	entry.pred.B = bytes.Clone(p.B)
	next := append([]openFilter{entry}, known[:min(len(known), filtersKept-1)]...)
	c.filters.Store(&next) // of two goroutines that add at once one is forgotten, and prepares again
	return f, nil
}

// samePred compares all but Match, which belongs to the address.
func samePred(a, b *column.Pred) bool {
	return a.Op == b.Op && a.Leaf == b.Leaf && a.I == b.I && (a.F == b.F || a.F != a.F && b.F != b.F) &&
		bytes.Equal(a.B, b.B) && a.List == b.List
}

// located gives the place to an error about malformed bytes.
func (c *chunkColumn) located(err error) error {
	var malformed *codec.Error
	if !errors.As(err, &malformed) {
		return err
	}
	off, _, _ := c.place()
	return c.corrupt(off, err)
}
