package segment

import (
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// Prefetch implements column.Prefetcher. What is in the cache, or being read into it, is not fetched.
func (c *chunkColumn) Prefetch(from, to int) bool {
	if c.kind() == kindConst || from >= to {
		return false
	}
	if e := c.g.held.get(c.i); e != nil && e.partial == nil && e.there() {
		return false
	}
	off, size, _ := c.place()
	at := c.g.dir.base + int64(off)
	e := c.g.r.cache.peek(cacheKey{c.g.r.number, at})
	crcs := c.pages()
	switch {
	case crcs == nil && e == nil:
		if !c.asked.Swap(true) {
			vfs.Prefetch(c.g.r.file, at, int64(size))
		}
		return true
	case crcs != nil && c.present() == c.g.dir.rows: // else nobody knows which pages the rows are on
		return c.prefetchPages(e, layoutOf(int(size), c.present()), at, from, to)
	}
	return false
}

// prefetchPages asks for the pages of rows [from, to) of a chunk in which every row has a value. e is nil if nothing of
// the chunk is in the cache.
func (c *chunkColumn) prefetchPages(e *cacheEntry, l pageLayout, at int64, from, to int) bool {
	const perRow = chunkPageBytes / vec.BlockRows
	k, end := l.page(l.head+from*perRow), l.page(l.head+to*perRow-1)+1
	if e != nil {
		select {
		case <-e.done: // only now is it known which pages are there
		default:
			return false
		}
		if e.partial == nil {
			return false
		}
		k = e.partial.missing(k, end)
	}
	if k < end {
		vfs.Prefetch(c.g.r.file, at+int64(l.start(k)), int64(l.start(end)-l.start(k)))
	}
	return k < end
}

// PrefetchFilter begins to fetch the filters of a top-level column, unless they are in the cache: what MayHold of an
// equality would read for a row group. Like that, it needs no directory.
func (r *Reader) PrefetchFilter(m *Meta, group int, name string, leaf types.Leaf) {
	c := m.Column(name, leaf)
	if c == nil || group >= len(c.Filters) || c.Filters[group].Bytes == 0 {
		return
	}
	first, end := extentOf(c.Filters)
	if r.cache.forIndex().peek(cacheKey{r.number, first}) == nil {
		vfs.Prefetch(r.file, first, end-first)
	}
}
