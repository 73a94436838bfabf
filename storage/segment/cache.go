package segment

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/codec"
)

// Cache holds verified bytes of segments, column chunks and decompressed pages, in anonymous memory outside the Go heap,
// within a budget. All readers of a process share one. It may be used by several goroutines at once.
//
// Memory is a queue of arenas filled from front to back. To make room, the oldest arena that nobody has pinned is
// emptied; of its entries, those that were used since are moved to its front and live on, up to half of it. So there is
// no fragmentation, and eviction costs nothing per entry. What is larger than half an arena gets one of its own.
type Cache struct {
	arenaBytes int
	budget     int64

	mu      sync.Mutex
	entries map[cacheKey]*cacheEntry
	arenas  []*arena // oldest first
	open    *arena   // the last standard one, while it has room
	used    int64    // bytes of arenas, and of what was parsed from entries
	stats   CacheStats
	closed  bool

	index *Cache // for index areas, with a budget of its own; nil: they are entries like others
}

// CacheStats are totals since the cache was made, and its present size.
type CacheStats struct {
	Budget    int64 // bytes
	Used      int64 // bytes taken from the system, and of dictionaries kept with entries
	Entries   int
	Hits      int64 // lookups; a column that still knows its entry does not look it up
	Misses    int64
	Evictions int64 // arenas emptied
	Bypassed  int64 // reads that found no room, everything being pinned
}

type cacheKey struct {
	reader uint64
	offset int64
}

// arena is a piece of memory. pins counts users; deadPins marks one that has been emptied.
type arena struct {
	mem     []byte
	filled  int
	parsed  int64
	entries []*cacheEntry
	pins    atomic.Int64
}

const deadPins = -1 << 62

// pin keeps the arena's memory in place; false if it has been emptied meanwhile.
func (a *arena) pin() bool {
	if a.pins.Add(1) > 0 {
		return true
	}
	a.pins.Add(-1)
	return false
}

func (a *arena) unpin() { a.pins.Add(-1) }

type cacheEntry struct {
	key   cacheKey
	arena *arena // nil for bytes that bypass the cache
	data  []byte
	hot   atomic.Bool // used since the arena was last looked at
	chunk atomic.Pointer[codec.Chunk]
	// partial, if it is not nil, says which parts of data have been read.
	partial *partial
	// parsed is the heap memory of chunk; under the cache's lock.
	parsed int64
	done   chan struct{} // closed when loaded
	err    error
}

// pin returns the entry's bytes, which stay until unpin; ok is false if they have been evicted.
func (e *cacheEntry) pin() (data []byte, ok bool) {
	if e.arena != nil && !e.arena.pin() {
		return nil, false
	}
	if !e.hot.Load() {
		e.hot.Store(true)
	}
	return e.data, true
}

func (e *cacheEntry) unpin() {
	if e.arena != nil {
		e.arena.unpin()
	}
}

// there reports whether the entry's bytes have not been evicted, as far as can be told without pinning them.
func (e *cacheEntry) there() bool { return e.arena == nil || e.arena.pins.Load() >= 0 }

const (
	arenaBytesMax = 4 << 20
	arenaBytesMin = 64 << 10
	pageSize      = 4096
)

// NewCache returns a cache of about the given number of bytes. With a budget of 0 nothing is kept.
func NewCache(bytes int64) *Cache {
	size := min(max(bytes/16, arenaBytesMin), arenaBytesMax) &^ (pageSize - 1)
	return &Cache{arenaBytes: int(size), budget: bytes, entries: make(map[cacheKey]*cacheEntry)}
}

// NewCacheWithIndex is NewCache with room set aside for index areas, so that a scan of many rows does not push out what
// finds a few. Their budget is a part of bytes.
func NewCacheWithIndex(bytes, index int64) *Cache {
	c := NewCache(bytes - index)
	c.index = NewCache(index)
	return c
}

// forIndex returns where index areas are kept.
func (c *Cache) forIndex() *Cache {
	if c.index != nil {
		return c.index
	}
	return c
}

// IndexStats returns the counters and sizes of what is kept of index areas alone; zero if they have no room of their own.
func (c *Cache) IndexStats() CacheStats {
	if c.index == nil {
		return CacheStats{}
	}
	return c.index.Stats()
}

// Stats returns counters and sizes, without those of IndexStats.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Budget, s.Used, s.Entries = c.budget, c.used, len(c.entries)
	return s
}

// Close gives the memory back. All readers must be closed and unused. A closed cache keeps nothing.
func (c *Cache) Close() error {
	if c.index != nil {
		_ = c.index.Close() // it never fails
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.open = nil
	c.dropLocked()
	return nil
}

// Drop forgets what nobody is using, so that it is read from the file again; index areas only if they are asked for. The
// memory stays with the cache.
func (c *Cache) Drop(indexes bool) {
	if c.index != nil && indexes {
		c.index.Drop(false)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.arenas[:0]
	for _, a := range c.arenas {
		switch {
		case !c.emptyLocked(a):
			kept = append(kept, a)
		case len(a.mem) == c.arenaBytes:
			a.forget()
			kept = append(kept, &arena{mem: a.mem})
		default:
			c.releaseLocked(a)
		}
	}
	clear(c.arenas[len(kept):])
	c.arenas = kept
}

// dropLocked gives the memory of all unpinned arenas back.
func (c *Cache) dropLocked() {
	kept := c.arenas[:0]
	for _, a := range c.arenas {
		if !c.emptyLocked(a) {
			kept = append(kept, a)
			continue
		}
		c.releaseLocked(a)
	}
	clear(c.arenas[len(kept):])
	c.arenas = kept
}

// get returns the entry of key, pinned; on a miss load fills its data, of size bytes, and verifies them. Of several goroutines
// that miss at once one loads.
func (c *Cache) get(key cacheKey, size int, load func(e *cacheEntry) error) (*cacheEntry, error) {
	for {
		c.mu.Lock()
		e := c.entries[key]
		if e == nil {
			return c.loadLocked(key, size, load)
		}
		select {
		case <-e.done:
			_, ok := e.pin() // an entry in the map is never dead
			c.stats.Hits++
			c.mu.Unlock()
			if ok {
				return e, nil
			}
		default:
			c.mu.Unlock()
			<-e.done
			if e.err != nil {
				return nil, e.err
			}
		}
	}
}

// peek returns the entry of key if it is there, without pinning it: its bytes may go at any time.
func (c *Cache) peek(key cacheKey) *cacheEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[key]
}

// loadLocked reserves room, lets go of the lock and loads.
func (c *Cache) loadLocked(key cacheKey, size int, load func(e *cacheEntry) error) (*cacheEntry, error) {
	c.stats.Misses++
	e := &cacheEntry{key: key, done: make(chan struct{})}
	e.arena, e.data = c.allocLocked(size)
	if e.arena == nil {
		c.stats.Bypassed++
		c.mu.Unlock()
		e.data = make([]byte, size)
		return e, load(e)
	}
	c.entries[key] = e
	e.arena.entries = append(e.arena.entries, e)
	c.mu.Unlock()

	e.err = load(e)
	if e.err != nil {
		c.mu.Lock()
		delete(c.entries, key)
		c.mu.Unlock()
		e.arena.unpin()
		close(e.done)
		return nil, e.err
	}
	e.hot.Store(true)
	close(e.done)
	return e, nil
}

// allocLocked returns room in a pinned arena, or nil where everything is pinned.
func (c *Cache) allocLocked(size int) (*arena, []byte) {
	need := (size + 15) &^ 7 // eight readable bytes behind each entry
	if c.closed || int64(need) > c.budget {
		return nil, nil
	}
	if need > c.arenaBytes/2 {
		return c.allocLargeLocked(size, need)
	}
	if c.open == nil || c.open.filled+need > len(c.open.mem) {
		if c.open = c.nextArenaLocked(need); c.open == nil {
			return nil, nil
		}
	}
	a := c.open
	a.pins.Add(1)
	data := a.mem[a.filled : a.filled+size : a.filled+size]
	a.filled += need
	return a, data
}

func (c *Cache) allocLargeLocked(size, need int) (*arena, []byte) {
	n := (need + pageSize - 1) &^ (pageSize - 1)
	if !c.makeRoomLocked(int64(n)) {
		return nil, nil
	}
	a := c.mapLocked(n)
	if a == nil {
		return nil, nil
	}
	a.pins.Add(1)
	a.filled = n
	return a, a.mem[:size:size]
}

// nextArenaLocked returns a standard arena with room for need bytes: a new one within the budget, else the oldest
// unpinned one, compacted.
func (c *Cache) nextArenaLocked(need int) *arena {
	for _, a := range c.arenas {
		if a.filled == 0 && len(a.mem) == c.arenaBytes {
			return a // emptied by Drop
		}
	}
	if c.used+int64(c.arenaBytes) <= c.budget {
		return c.mapLocked(c.arenaBytes)
	}
	if c.used <= c.budget {
		for i, a := range c.arenas {
			if len(a.mem) != c.arenaBytes || !c.emptyLocked(a) {
				continue
			}
			c.arenas = slices.Delete(c.arenas, i, i+1)
			return c.reuseLocked(a, c.arenaBytes-need)
		}
	}
	if !c.makeRoomLocked(int64(c.arenaBytes)) {
		return nil
	}
	return c.mapLocked(c.arenaBytes)
}

// makeRoomLocked frees the oldest unpinned arenas until n more bytes fit.
func (c *Cache) makeRoomLocked(n int64) bool {
	for i := 0; c.used+n > c.budget && i < len(c.arenas); {
		a := c.arenas[i]
		if !c.emptyLocked(a) {
			i++
			continue
		}
		c.arenas = slices.Delete(c.arenas, i, i+1)
		c.releaseLocked(a)
	}
	return c.used+n <= c.budget
}

func (c *Cache) mapLocked(n int) *arena {
	mem, err := mapArena(n)
	if err != nil {
		return nil // no address space: read without the cache
	}
	a := &arena{mem: mem}
	c.used += int64(n)
	c.arenas = append(c.arenas, a)
	return a
}

// emptyLocked takes an unpinned arena's entries out of the cache and makes later pins fail.
func (c *Cache) emptyLocked(a *arena) bool {
	if !a.pins.CompareAndSwap(0, deadPins) {
		return false
	}
	for _, e := range a.entries {
		if c.entries[e.key] == e {
			delete(c.entries, e.key)
		}
	}
	c.used -= a.parsed
	c.stats.Evictions++
	if c.open == a {
		c.open = nil
	}
	return true
}

func (c *Cache) releaseLocked(a *arena) {
	a.forget()
	c.used -= int64(len(a.mem))
	_ = unmapArena(a.mem) // fails only for memory that was not mapped; then there is nothing to free
	a.mem = nil
}

// reuseLocked makes a new arena of an emptied one's memory. Entries that were in use move to its front, in order, so
// that no byte is overwritten before it is moved; at most half of it, and at most room bytes.
func (c *Cache) reuseLocked(old *arena, room int) *arena {
	a := &arena{mem: old.mem}
	room = min(room, len(a.mem)/2)
	for _, e := range old.entries {
		need := (len(e.data) + 15) &^ 7
		if e.err != nil || !e.hot.Load() || a.filled+need > room {
			continue
		}
		at := a.mem[a.filled : a.filled+len(e.data) : a.filled+len(e.data)]
		copy(at, e.data)
		a.filled += need
		moved := &cacheEntry{key: e.key, arena: a, data: at, done: e.done, parsed: e.parsed, partial: e.partial}
		moved.chunk.Store(e.chunk.Load())
		a.parsed += e.parsed
		c.used += e.parsed
		a.entries = append(a.entries, moved)
		c.entries[e.key] = moved
	}
	old.forget()
	c.arenas = append(c.arenas, a)
	return a
}

// forget lets go of what an emptied arena's entries hold: row groups may still know the entries.
func (a *arena) forget() {
	for _, e := range a.entries {
		e.chunk.Store(nil)
	}
	a.entries = nil
}

// keep attaches an opened chunk to its entry, so that the next column that asks finds it; size is its heap memory.
func (c *Cache) keep(e *cacheEntry, chunk *codec.Chunk, size int64) {
	if e.arena == nil || !e.chunk.CompareAndSwap(nil, chunk) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[e.key] == e {
		e.parsed = size
		e.arena.parsed += size
		c.used += size
	}
}
