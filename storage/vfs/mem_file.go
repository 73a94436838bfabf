package vfs

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pageBytes is the unit in which memory is held and copied.
const pageBytes = 4096

// memContent is a file's bytes. Pages are copied on write: a page that durable also holds is never changed in place,
// which makes a sync cost only what changed since the one before.
type memContent struct {
	mu      sync.RWMutex
	image   image // what processes see
	modTime time.Time

	// Crashable file systems only.
	durable image
	dirty   map[int]struct{} // pages that may differ from durable
	low     int64            // the least size since the last sync
}

// image is a file's bytes: ceil(size/pageBytes) pages, nil for zeros, and nothing but zeros behind size.
type image struct {
	pages [][]byte
	size  int64
}

func pagesFor(size int64) int { return int((size + pageBytes - 1) / pageBytes) }

// resize sets the size; new pages are zeros. Pages that go, or whose tail goes, are the caller's business.
func (im *image) resize(size int64) {
	n := pagesFor(size)
	if n <= len(im.pages) {
		clear(im.pages[n:])
		im.pages = im.pages[:n]
	} else {
		im.pages = append(im.pages, make([][]byte, n-len(im.pages))...)
	}
	im.size = size
}

func (im *image) readAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	done := 0
	for done < len(p) && off < im.size {
		from := int(off % pageBytes)
		want := min(len(p)-done, pageBytes-from, int(im.size-off))
		if page := im.pages[off/pageBytes]; page != nil {
			copy(p[done:done+want], page[from:])
		} else {
			clear(p[done : done+want])
		}
		done += want
		off += int64(want)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// ownPage returns page i for writing. c.mu is held.
func (c *memContent) ownPage(i int, crashable bool) []byte {
	page := c.image.pages[i]
	if crashable {
		if _, own := c.dirty[i]; !own {
			c.markDirty(i)
			page = slices.Clone(page)
		}
	}
	if page == nil {
		page = make([]byte, pageBytes)
	}
	c.image.pages[i] = page
	return page
}

func (c *memContent) markDirty(i int) {
	if c.dirty == nil {
		c.dirty = map[int]struct{}{}
	}
	c.dirty[i] = struct{}{}
}

func (c *memContent) writeAt(p []byte, off int64, crashable bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if end := off + int64(len(p)); end > c.image.size {
		c.image.resize(end)
	}
	for len(p) > 0 {
		n := copy(c.ownPage(int(off/pageBytes), crashable)[off%pageBytes:], p)
		p = p[n:]
		off += int64(n)
	}
	c.modTime = time.Now()
}

func (c *memContent) truncate(size int64, crashable bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size < c.image.size {
		if tail := size % pageBytes; tail > 0 {
			clear(c.ownPage(int(size/pageBytes), crashable)[tail:])
		}
		if crashable {
			for i := pagesFor(size); i < len(c.image.pages); i++ {
				c.markDirty(i)
			}
		}
	}
	c.image.resize(size)
	c.low = min(c.low, size)
	c.modTime = time.Now()
}

func (c *memContent) grow(size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size > c.image.size {
		c.image.resize(size)
	}
}

// sync makes the disk hold what processes see. The pages become shared with durable, so the next write copies.
func (c *memContent) sync() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.durable.resize(c.image.size)
	for i := range c.dirty {
		if i < len(c.image.pages) {
			c.durable.pages[i] = c.image.pages[i]
		}
	}
	clear(c.dirty)
	c.low = c.image.size
}

func (c *memContent) info() Info {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return Info{Size: c.image.size, ModTime: c.modTime}
}

// memFile is an open file.
type memFile struct {
	fs       *memFS
	node     *memNode
	name     string
	writable bool
	off      atomic.Int64 // of Write
	closed   atomic.Bool
}

func (f *memFile) check(op string, write bool) error {
	if f.closed.Load() {
		return pathError(op, f.name, fs.ErrClosed)
	}
	if write && !f.writable {
		return pathError(op, f.name, fs.ErrPermission)
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.check("read", false); err != nil {
		return 0, err
	}
	c := &f.node.content
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.image.readAt(p, off)
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.check("write", true); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("write", f.name, fs.ErrInvalid)
	}
	f.node.content.writeAt(p, off, f.fs.crashable)
	return len(p), nil
}

func (f *memFile) Write(p []byte) (int, error) {
	end := f.off.Add(int64(len(p)))
	n, err := f.WriteAt(p, end-int64(len(p)))
	if err != nil {
		f.off.Add(-int64(len(p)))
	}
	return n, err
}

func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.name, fs.ErrClosed)
	}
	return nil
}

func (f *memFile) Sync() error {
	if err := f.check("sync", false); err != nil {
		return err
	}
	if f.fs.crashable {
		f.node.content.sync()
	}
	return nil
}

// SyncData is as strong as POSIX has it: a size that is needed to read the data is durable too.
func (f *memFile) SyncData() error { return f.Sync() }

func (f *memFile) Truncate(size int64) error {
	if err := f.check("truncate", true); err != nil {
		return err
	}
	if size < 0 {
		return pathError("truncate", f.name, fs.ErrInvalid)
	}
	f.node.content.truncate(size, f.fs.crashable)
	return nil
}

func (f *memFile) Preallocate(size int64) error {
	if err := f.check("fallocate", true); err != nil {
		return err
	}
	f.node.content.grow(size)
	return nil
}

func (f *memFile) Size() (int64, error) {
	if err := f.check("stat", false); err != nil {
		return 0, err
	}
	return f.node.content.info().Size, nil
}

func (f *memFile) Name() string { return f.name }

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
