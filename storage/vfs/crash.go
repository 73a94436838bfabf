package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Crash is a file system in memory that can lose power. It keeps what processes see and, apart, what a disk is sure to
// hold: a file's bytes as of its last sync, a directory's entries as of its last sync. Pebble sees the same files through
// the adapter Pebble, so one crash hits everything at once.
type Crash struct{ *memFS }

// NewCrash returns an empty crashable file system.
func NewCrash() *Crash { return &Crash{newMemFS(true)} }

// SetUsage sets what DiskUsage tells.
func (c *Crash) SetUsage(u Usage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.usage = u
}

// tearSizes are the units in which disks write whole: inside one, bytes are all old or all new.
var tearSizes = []int{512, 4096}

// CrashClone returns the file system as it might be found after a power loss at this moment: everything that was synced,
// and of the later changes each kept with probability keep, independent of order. A change is a tear unit of a file, a
// file's new size, a creation, a removal, a rename. Renames inside one directory are never half done, as on every
// journaling file system; those across directories may be. Locks are gone. c goes on unharmed.
func (c *Crash) CrashClone(rng *rand.Rand, keep float64) *Crash {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := loss{
		rng: rng, keep: keep,
		tear: tearSizes[rng.IntN(len(tearSizes))],
		done: map[*memNode]*memNode{},
	}
	after := newMemFS(true)
	after.root = l.node(c.root)
	after.usage = c.usage
	return &Crash{after}
}

// loss is one power loss.
type loss struct {
	rng  *rand.Rand
	keep float64
	tear int
	done map[*memNode]*memNode // hard links stay links
}

func (l *loss) kept() bool { return l.rng.Float64() < l.keep }

func (l *loss) node(n *memNode) *memNode {
	if after, ok := l.done[n]; ok {
		return after
	}
	after := &memNode{}
	l.done[n] = after
	if n.isDir() {
		l.dir(n, after)
	} else {
		l.file(&n.content, &after.content)
	}
	return after
}

func (l *loss) dir(n, after *memNode) {
	entries := maps.Clone(n.synced)
	for _, e := range n.edits {
		if l.kept() {
			apply(entries, e.set)
		}
	}
	after.entries = map[string]*memNode{}
	// In order of names: the same seed must give the same loss.
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		after.entries[name] = l.node(entries[name])
	}
	after.synced = maps.Clone(after.entries)
}

func (l *loss) file(c, after *memContent) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var im image
	im.resize(c.durable.size)
	copy(im.pages, c.durable.pages)
	if c.low < im.size && l.kept() {
		cut(&im, c.low)
	}
	for _, i := range slices.Sorted(maps.Keys(c.dirty)) {
		if i < len(c.image.pages) {
			l.page(c.image.pages[i], min(c.image.size, int64(i+1)*pageBytes), i, &im)
		}
	}
	if c.image.size > im.size && l.kept() {
		im.resize(c.image.size)
	}
	after.image = im
	after.durable = image{pages: slices.Clone(im.pages), size: im.size}
	after.low = im.size
	after.modTime = c.modTime
}

// page puts the surviving units of a changed page, whose bytes end at end, into im.
func (l *loss) page(now []byte, end int64, i int, im *image) {
	start := int64(i) * pageBytes
	var merged []byte
	for at := start; at < end; at += int64(l.tear) {
		if !l.kept() {
			continue
		}
		stop := min(at+int64(l.tear), end)
		if stop > im.size {
			im.resize(stop)
		}
		if merged == nil {
			merged = make([]byte, pageBytes)
			copy(merged, im.pages[i])
		}
		if now == nil {
			clear(merged[at-start : stop-start])
		} else {
			copy(merged[at-start:stop-start], now[at-start:stop-start])
		}
	}
	if merged != nil {
		im.pages[i] = merged
	}
}

// cut shortens an image whose pages are shared.
func cut(im *image, size int64) {
	im.resize(size)
	if tail := size % pageBytes; tail > 0 {
		if i := len(im.pages) - 1; im.pages[i] != nil {
			im.pages[i] = slices.Clone(im.pages[i])
			clear(im.pages[i][tail:])
		}
	}
}
