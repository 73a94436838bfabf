package segment

import (
	"slices"
	"sync/atomic"
)

// A row group remembers the cache entries of the columns read last, so that a warm scan finds them without the cache's lock.
// Entries that have been evicted cannot be pinned any more, and keep nothing alive but themselves.

// heldMost is how many entries a row group remembers.
const heldMost = 64

type heldEntry struct {
	i uint32 // entry of the group's arrays
	e *cacheEntry
}

// held is a list that is replaced, never changed.
type held struct{ list atomic.Pointer[[]heldEntry] }

// get returns the entry last remembered for column i, which may have been evicted; nil if there is none.
func (h *held) get(i uint32) *cacheEntry {
	list := h.list.Load()
	if list == nil {
		return nil
	}
	for k := range *list {
		if (*list)[k].i == i {
			return (*list)[k].e
		}
	}
	return nil
}

// put remembers an entry. Of two goroutines that remember at once, one may be forgotten.
func (h *held) put(i uint32, e *cacheEntry) {
	if e.arena == nil {
		return
	}
	var next []heldEntry
	if list := h.list.Load(); list != nil {
		next = slices.Clone(*list)
	}
	at := slices.IndexFunc(next, func(x heldEntry) bool { return x.i == i })
	switch {
	case at >= 0:
		next[at].e = e
	case len(next) < heldMost:
		next = append(next, heldEntry{i, e})
	default:
		next[int(i)%heldMost] = heldEntry{i, e}
	}
	h.list.Store(&next)
}
