package meta

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/vfs"
)

// errShut is what a failed instance gets from its files.
var errShut = errors.New("the catalog has failed: its files are closed to it")

// gate stands between Pebble and the file system. Shut, it lets no change through, so that the goroutines an abandoned
// instance leaves behind cannot touch files that the next Open may already be using.
type gate struct {
	vfs.FS
	closed atomic.Bool
}

func newGate(fs vfs.FS) *gate { return &gate{FS: fs} }

func (g *gate) shut() { g.closed.Store(true) }

func (g *gate) check() error {
	if g.closed.Load() {
		return errShut
	}
	return nil
}

func (g *gate) Create(name string) (vfs.File, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	return g.file(g.FS.Create(name))
}

func (g *gate) Open(name string) (vfs.File, error) { return g.file(g.FS.Open(name)) }

func (g *gate) OpenReadWrite(name string) (vfs.File, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	return g.file(g.FS.OpenReadWrite(name))
}

func (g *gate) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &gatedFile{File: f, g: g}, nil
}

func (g *gate) Remove(name string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.FS.Remove(name)
}

func (g *gate) RemoveAll(name string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.FS.RemoveAll(name)
}

func (g *gate) Rename(oldName, newName string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.FS.Rename(oldName, newName)
}

func (g *gate) Link(oldName, newName string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.FS.Link(oldName, newName)
}

func (g *gate) MkdirAll(name string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.FS.MkdirAll(name)
}

func (g *gate) SyncDir(dir string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.FS.SyncDir(dir)
}

func (g *gate) Lock(name string, content []byte) (io.Closer, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	return g.FS.Lock(name, content)
}

type gatedFile struct {
	vfs.File
	g *gate
}

func (f *gatedFile) Write(p []byte) (int, error) {
	if err := f.g.check(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *gatedFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.g.check(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *gatedFile) Sync() error {
	if err := f.g.check(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *gatedFile) SyncData() error {
	if err := f.g.check(); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f *gatedFile) Truncate(size int64) error {
	if err := f.g.check(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *gatedFile) Preallocate(size int64) error {
	if err := f.g.check(); err != nil {
		return err
	}
	return f.File.Preallocate(size)
}
