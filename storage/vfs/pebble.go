package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble returns fsys as Pebble sees a file system, so that faults and crashes hit Pebble's files as they hit ours.
func Pebble(fsys FS) pebblevfs.FS { return &pebbleFS{fs: fsys} }

type pebbleFS struct{ fs FS }

// Create replaces a file that exists, as Pebble wants it.
func (p *pebbleFS) Create(name string, _ pebblevfs.DiskWriteCategory) (pebblevfs.File, error) {
	f, err := p.fs.Create(name)
	if errors.Is(err, fs.ErrExist) {
		if err := p.fs.Remove(name); err != nil && !isNotExist(err) {
			return nil, err
		}
		f, err = p.fs.Create(name)
	}
	return wrapPebble(f, err)
}

func wrapPebble(f File, err error) (pebblevfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &pebbleFile{File: f}, nil
}

func (p *pebbleFS) Open(name string, opts ...pebblevfs.OpenOption) (pebblevfs.File, error) {
	f, err := wrapPebble(p.fs.Open(name))
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		o.Apply(f)
	}
	return f, nil
}

func (p *pebbleFS) OpenReadWrite(
	name string, _ pebblevfs.DiskWriteCategory, opts ...pebblevfs.OpenOption,
) (pebblevfs.File, error) {
	file, err := p.fs.OpenReadWrite(name)
	if isNotExist(err) {
		file, err = p.fs.Create(name)
	}
	f, err := wrapPebble(file, err)
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		o.Apply(f)
	}
	return f, nil
}

func (p *pebbleFS) OpenDir(name string) (pebblevfs.File, error) {
	info, err := p.fs.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Dir {
		return nil, pathError("open", name, fs.ErrInvalid)
	}
	return &pebbleDir{fs: p.fs, name: name}, nil
}

func (p *pebbleFS) ReuseForWrite(
	oldName, newName string, _ pebblevfs.DiskWriteCategory,
) (pebblevfs.File, error) {
	if err := p.fs.Rename(oldName, newName); err != nil {
		return nil, err
	}
	return wrapPebble(p.fs.OpenReadWrite(newName))
}

func (p *pebbleFS) Link(oldName, newName string) error       { return p.fs.Link(oldName, newName) }
func (p *pebbleFS) Remove(name string) error                 { return p.fs.Remove(name) }
func (p *pebbleFS) RemoveAll(name string) error              { return p.fs.RemoveAll(name) }
func (p *pebbleFS) Rename(oldName, newName string) error     { return p.fs.Rename(oldName, newName) }
func (p *pebbleFS) MkdirAll(dir string, _ os.FileMode) error { return p.fs.MkdirAll(dir) }
func (p *pebbleFS) Lock(name string) (io.Closer, error)      { return p.fs.Lock(name, nil) }
func (p *pebbleFS) List(dir string) ([]string, error)        { return p.fs.List(dir) }
func (*pebbleFS) PathBase(name string) string                { return path.Base(name) }
func (*pebbleFS) PathJoin(elem ...string) string             { return path.Join(elem...) }
func (*pebbleFS) PathDir(name string) string                 { return path.Dir(name) }
func (*pebbleFS) Unwrap() pebblevfs.FS                       { return nil }

func (p *pebbleFS) Stat(name string) (pebblevfs.FileInfo, error) {
	info, err := p.fs.Stat(name)
	if err != nil {
		return nil, err
	}
	return pebbleInfo{info: info, name: path.Base(name)}, nil
}

func (p *pebbleFS) GetDiskUsage(name string) (pebblevfs.DiskUsage, error) {
	u, err := p.fs.DiskUsage(name)
	if err != nil {
		return pebblevfs.DiskUsage{}, err
	}
	return pebblevfs.DiskUsage{AvailBytes: u.Free, TotalBytes: u.Total, UsedBytes: u.Total - u.Free}, nil
}

// pebbleFile adds a read offset. Pebble reads and writes one handle from one goroutine.
type pebbleFile struct {
	File
	readOff int64
}

func (f *pebbleFile) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, f.readOff)
	f.readOff += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Preallocate does nothing: Pebble's is a hint that keeps the size, ours sets it.
func (*pebbleFile) Preallocate(_, _ int64) error { return nil }

func (f *pebbleFile) Stat() (pebblevfs.FileInfo, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	return pebbleInfo{info: Info{Size: size}, name: path.Base(f.Name())}, nil
}

// SyncTo does nothing, which Pebble allows: it is a hint to start writing back early.
func (*pebbleFile) SyncTo(int64) (fullSync bool, err error) { return false, nil }
func (*pebbleFile) Prefetch(_, _ int64) error               { return nil }
func (*pebbleFile) Fd() uintptr                             { return pebblevfs.InvalidFd }

// pebbleDir is a directory opened to be synced.
type pebbleDir struct {
	fs   FS
	name string
}

var errDirectory = errors.New("is a directory")

func (d *pebbleDir) Sync() error                           { return d.fs.SyncDir(d.name) }
func (d *pebbleDir) SyncData() error                       { return d.fs.SyncDir(d.name) }
func (*pebbleDir) SyncTo(int64) (fullSync bool, err error) { return false, nil }
func (*pebbleDir) Close() error                            { return nil }
func (*pebbleDir) Read([]byte) (int, error)                { return 0, errDirectory }
func (*pebbleDir) ReadAt([]byte, int64) (int, error)       { return 0, errDirectory }
func (*pebbleDir) Write([]byte) (int, error)               { return 0, errDirectory }
func (*pebbleDir) WriteAt([]byte, int64) (int, error)      { return 0, errDirectory }
func (*pebbleDir) Preallocate(_, _ int64) error            { return nil }
func (*pebbleDir) Prefetch(_, _ int64) error               { return nil }
func (*pebbleDir) Fd() uintptr                             { return pebblevfs.InvalidFd }
func (d *pebbleDir) Stat() (pebblevfs.FileInfo, error) {
	return pebbleInfo{info: Info{Dir: true}, name: path.Base(d.name)}, nil
}

// pebbleInfo is a file's description for Pebble.
type pebbleInfo struct {
	info Info
	name string
}

func (i pebbleInfo) Name() string       { return i.name }
func (i pebbleInfo) Size() int64        { return i.info.Size }
func (i pebbleInfo) ModTime() time.Time { return i.info.ModTime }
func (i pebbleInfo) IsDir() bool        { return i.info.Dir }
func (pebbleInfo) Sys() any             { return nil }

func (i pebbleInfo) Mode() fs.FileMode {
	if i.info.Dir {
		return fs.ModeDir | dirMode
	}
	return fileMode
}

func (pebbleInfo) DeviceID() pebblevfs.DeviceID { return pebblevfs.DeviceID{} }
