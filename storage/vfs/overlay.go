package vfs

import (
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

// Below is a file of another file system as an Overlay shows it.
type Below struct {
	Name string // in the file system below
	Size int64  // how many of its first bytes are shown; negative: all of them
}

// Overlay returns a file system that shows files of another one, read-only, under names of its own. Whatever is written
// stays in memory: a file below that is opened for writing is copied first, one that is removed is only not shown any
// more. So code that recovers and repairs what it opens can be pointed at files that must not change.
func Overlay(below FS, files map[string]Below) FS {
	o := &overlayFS{below: below, mem: newMemFS(false), files: map[string]Below{}}
	for name, b := range files {
		name = clean(name)
		o.files[name] = b
		_ = o.mem.MkdirAll(path.Dir(name)) // fails only where a name is both a file and a directory; then Open does too
	}
	return o
}

// overlayFS holds directories, and files that were written, in mem. A name is in files or a file in mem, never both.
type overlayFS struct {
	below FS
	mem   *memFS

	mu    sync.Mutex // guards files, and makes each operation one
	files map[string]Below
}

func (o *overlayFS) Create(name string) (File, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.files[clean(name)]; ok {
		return nil, pathError("create", name, fs.ErrExist)
	}
	return o.mem.Create(name)
}

func (o *overlayFS) Open(name string) (File, error) {
	o.mu.Lock()
	b, ok := o.files[clean(name)]
	o.mu.Unlock()
	if !ok {
		return o.mem.Open(name)
	}
	return o.openBelow(name, b)
}

func (o *overlayFS) openBelow(name string, b Below) (File, error) {
	f, err := o.below.Open(b.Name)
	if err != nil {
		return nil, err
	}
	return &belowFile{f: f, name: name, limit: b.Size}, nil
}

func (o *overlayFS) OpenReadWrite(name string) (File, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b, ok := o.files[clean(name)]; ok {
		if err := o.copyUpLocked(name, b); err != nil {
			return nil, err
		}
	}
	return o.mem.OpenReadWrite(name)
}

// copyUpLocked puts a copy of a file below into memory. Ranges of zeros take none.
func (o *overlayFS) copyUpLocked(name string, b Below) error {
	from, err := o.openBelow(name, b)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // only read from
	size, err := from.Size()
	if err != nil {
		return err
	}
	to, err := o.mem.Create(name)
	if err != nil {
		return err
	}
	err = copyNonZero(to, from, size)
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = o.mem.Remove(name) // cannot fail: it was made above
		return err
	}
	delete(o.files, clean(name))
	return nil
}

func copyNonZero(to, from File, size int64) error {
	if err := to.Preallocate(size); err != nil {
		return err
	}
	buf := make([]byte, 64*pageBytes)
	for off := int64(0); off < size; off += int64(len(buf)) {
		part := buf[:min(int64(len(buf)), size-off)]
		if n, err := from.ReadAt(part, off); n < len(part) {
			return err
		}
		for at := 0; at < len(part); at += pageBytes {
			page := part[at:min(at+pageBytes, len(part))]
			if isZero(page) {
				continue
			}
			if _, err := to.WriteAt(page, off+int64(at)); err != nil {
				return err
			}
		}
	}
	return nil
}

func isZero(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }

func (o *overlayFS) Remove(name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.files[clean(name)]; ok {
		delete(o.files, clean(name))
		return nil
	}
	return o.mem.Remove(name)
}

func (o *overlayFS) RemoveAll(name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for f := range o.files {
		if f == clean(name) || strings.HasPrefix(f, strings.TrimSuffix(clean(name), "/")+"/") {
			delete(o.files, f)
		}
	}
	return o.mem.RemoveAll(name)
}

func (o *overlayFS) Rename(oldName, newName string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	from, to := clean(oldName), clean(newName)
	b, ok := o.files[from]
	if !ok {
		if err := o.mem.Rename(oldName, newName); err != nil {
			return err
		}
		delete(o.files, to)
		return nil
	}
	if from == to {
		return nil
	}
	if err := o.mem.Remove(newName); err != nil && !isNotExist(err) {
		return err
	}
	delete(o.files, from)
	o.files[to] = b
	return nil
}

func (o *overlayFS) Link(oldName, newName string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	to := clean(newName)
	_, err := o.mem.Stat(newName)
	if _, taken := o.files[to]; taken || err == nil {
		return pathError("link", newName, fs.ErrExist)
	}
	if b, ok := o.files[clean(oldName)]; ok {
		o.files[to] = b
		return nil
	}
	return o.mem.Link(oldName, newName)
}

func (o *overlayFS) MkdirAll(name string) error { return o.mem.MkdirAll(name) }
func (o *overlayFS) SyncDir(dir string) error   { return o.mem.SyncDir(dir) }

func (o *overlayFS) Stat(name string) (Info, error) {
	o.mu.Lock()
	b, ok := o.files[clean(name)]
	o.mu.Unlock()
	if !ok {
		return o.mem.Stat(name)
	}
	info, err := o.below.Stat(b.Name)
	if err == nil && b.Size >= 0 {
		info.Size = min(info.Size, b.Size)
	}
	return info, err
}

func (o *overlayFS) List(dir string) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	names, err := o.mem.List(dir)
	if err != nil {
		return nil, err
	}
	for f := range o.files {
		if path.Dir(f) == clean(dir) {
			names = append(names, path.Base(f))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Lock locks in this file system only: whoever shows the files below holds what locks they need.
func (o *overlayFS) Lock(name string, content []byte) (io.Closer, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.files, clean(name))
	return o.mem.Lock(name, content)
}

func (o *overlayFS) LockShared(name string) (io.Closer, error) { return o.mem.LockShared(name) }

// DiskUsage tells the space below: what is written here takes none of it.
func (o *overlayFS) DiskUsage(dir string) (Usage, error) { return o.below.DiskUsage(dir) }

// belowFile is an open file of the file system below.
type belowFile struct {
	f     File
	name  string
	limit int64 // negative: none
}

func (b *belowFile) ReadAt(p []byte, off int64) (int, error) {
	if b.limit < 0 || off+int64(len(p)) <= b.limit {
		return b.f.ReadAt(p, off)
	}
	if off >= b.limit {
		return 0, io.EOF
	}
	n, err := b.f.ReadAt(p[:b.limit-off], off)
	if err == nil {
		err = io.EOF
	}
	return n, err
}

func (b *belowFile) Size() (int64, error) {
	size, err := b.f.Size()
	if b.limit >= 0 {
		size = min(size, b.limit)
	}
	return size, err
}

func (b *belowFile) refuse(op string) error { return pathError(op, b.name, fs.ErrPermission) }

func (b *belowFile) Name() string                             { return b.name }
func (b *belowFile) Close() error                             { return b.f.Close() }
func (*belowFile) Sync() error                                { return nil }
func (*belowFile) SyncData() error                            { return nil }
func (b *belowFile) WriteAt([]byte, int64) (n int, err error) { return 0, b.refuse("write") }
func (b *belowFile) Write([]byte) (n int, err error)          { return 0, b.refuse("write") }
func (b *belowFile) Truncate(int64) error                     { return b.refuse("truncate") }
func (b *belowFile) Preallocate(int64) error                  { return b.refuse("fallocate") }
