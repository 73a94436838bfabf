package storage

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/telemdb/telemdb/storage/vfs"
)

// filesMaxDefault is files.max_open where the system does not tell the limit of the process.
const filesMaxDefault = 1000

// filesMin is the least number of open files a store works with: those of one merge, and some readers.
const filesMin = 32

// filePool opens files for reading and keeps at most max descriptors of them: what was not read for longest is closed, and
// opened again when somebody reads it. So a store may have any number of segments. A file that is being read is not
// closed; with more readers at a time than max there are that many descriptors.
type filePool struct {
	vfs.FS
	max int

	mu   sync.Mutex
	open list.List // of *pooledFile with a descriptor, the one read last in front
}

func newFilePool(fsys vfs.FS, max int) *filePool { return &filePool{FS: fsys, max: max} }

// Open opens a file, so that one that is missing is told now.
func (p *filePool) Open(name string) (vfs.File, error) {
	f := &pooledFile{p: p, name: name}
	if _, err := f.acquire(); err != nil {
		return nil, err
	}
	return f, f.release()
}

// count returns the number of descriptors.
func (p *filePool) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open.Len()
}

// pooledFile is a file open for reading, with or without a descriptor.
type pooledFile struct {
	p       *filePool
	name    string
	opening sync.Mutex // taken before p.mu

	// Under p.mu.
	file   vfs.File // nil without a descriptor
	at     *list.Element
	users  int
	closed bool
}

// acquire returns the descriptor, which stays open until release.
func (f *pooledFile) acquire() (vfs.File, error) {
	if file, err := f.use(); file != nil || err != nil {
		return file, err
	}
	f.opening.Lock()
	defer f.opening.Unlock()
	if file, err := f.use(); file != nil || err != nil {
		return file, err
	}
	file, err := f.p.FS.Open(f.name)
	if errors.Is(err, vfs.ErrTooManyFiles) { // others than the pool have taken them
		if err := f.p.shrink(f.p.count() / 2); err != nil {
			return nil, err
		}
		file, err = f.p.FS.Open(f.name)
	}
	if err != nil {
		return nil, err
	}
	f.p.mu.Lock()
	f.file, f.users = file, 1
	f.at = f.p.open.PushFront(f)
	f.p.mu.Unlock()
	return file, f.p.shrink(f.p.max)
}

// use returns the descriptor if there is one.
func (f *pooledFile) use() (vfs.File, error) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if f.closed {
		return nil, fmt.Errorf("%s: %w", f.name, fs.ErrClosed)
	}
	if f.file != nil {
		f.users++
		f.p.open.MoveToFront(f.at)
	}
	return f.file, nil
}

func (f *pooledFile) release() error {
	f.p.mu.Lock()
	f.users--
	last := f.closed && f.users == 0
	f.p.mu.Unlock()
	if last {
		return f.drop()
	}
	return nil
}

// drop closes the descriptor, if there is one.
func (f *pooledFile) drop() error {
	f.p.mu.Lock()
	file := f.file
	if f.file = nil; file != nil {
		f.p.open.Remove(f.at)
	}
	f.p.mu.Unlock()
	if file == nil {
		return nil
	}
	return file.Close()
}

// shrink closes what nobody reads, the oldest first, until there are at most n descriptors.
func (p *filePool) shrink(n int) error {
	var idle []vfs.File
	p.mu.Lock()
	for e := p.open.Back(); e != nil && p.open.Len() > n; {
		f, before := e.Value.(*pooledFile), e.Prev()
		if f.users == 0 {
			idle = append(idle, f.file)
			f.file = nil
			p.open.Remove(e)
		}
		e = before
	}
	p.mu.Unlock()
	var errs []error
	for _, f := range idle {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// ReadAt implements io.ReaderAt.
func (f *pooledFile) ReadAt(b []byte, off int64) (n int, err error) {
	file, err := f.acquire()
	if err != nil {
		return 0, err
	}
	n, err = file.ReadAt(b, off)
	if closeErr := f.release(); err == nil {
		err = closeErr
	}
	return n, err
}

// Prefetch implements vfs.Prefetcher.
func (f *pooledFile) Prefetch(at, n int64) {
	file, err := f.acquire()
	if err != nil {
		return // a hint: the read that follows tells
	}
	vfs.Prefetch(file, at, n)
	_ = f.release() // fails only where the file is closed already, by a reader that gets the error
}

// Size implements vfs.File.
func (f *pooledFile) Size() (n int64, err error) {
	file, err := f.acquire()
	if err != nil {
		return 0, err
	}
	n, err = file.Size()
	if closeErr := f.release(); err == nil {
		err = closeErr
	}
	return n, err
}

// Close implements vfs.File: the file is not opened again.
func (f *pooledFile) Close() error {
	f.p.mu.Lock()
	f.closed = true
	used := f.users > 0
	f.p.mu.Unlock()
	if used {
		return nil // whoever reads it closes it
	}
	return f.drop()
}

// Name implements vfs.File.
func (f *pooledFile) Name() string { return f.name }

// The pool is for readers.
func (f *pooledFile) readOnly() error                    { return fmt.Errorf("write %s: %w", f.name, fs.ErrPermission) }
func (f *pooledFile) Write([]byte) (int, error)          { return 0, f.readOnly() }
func (f *pooledFile) WriteAt([]byte, int64) (int, error) { return 0, f.readOnly() }
func (f *pooledFile) Sync() error                        { return f.readOnly() }
func (f *pooledFile) SyncData() error                    { return f.readOnly() }
func (f *pooledFile) Truncate(int64) error               { return f.readOnly() }
func (f *pooledFile) Preallocate(int64) error            { return f.readOnly() }
