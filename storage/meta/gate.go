package meta

import (
	"errors"
	"io"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/vfs"
)

// errShut is what a failed instance gets from its files.
var errShut = errors.New("the catalog has failed: its files are closed to it")

// gate stands between Pebble and the file system. Shut, it lets no change through, so that the goroutines an abandoned
// instance leaves behind cannot touch files that the next Open may already be using. It also holds
// names to a stricter order than Pebble does, which counts on file systems that keep the order of changes in a directory.
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
	f, err := g.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return &gatedFile{File: f, g: g, newIn: path.Dir(name)}, nil
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

// Remove makes a new marker's name durable before the old one goes: Pebble moves a marker by making the new file, removing
// the old one and syncing the directory, and a power loss in between may keep the removal alone. A store without its
// marker would be taken for an empty one.
func (g *gate) Remove(name string) error {
	if err := g.check(); err != nil {
		return err
	}
	if strings.HasPrefix(path.Base(name), "marker.") {
		if err := g.FS.SyncDir(path.Dir(name)); err != nil {
			return err
		}
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

	mu    sync.Mutex
	newIn string // directory of a file that was made and not synced yet
}

// syncName makes the name of a new file durable with its first sync. Pebble counts on that for its MANIFEST: it syncs the
// file, then makes the marker that names it, then syncs the directory, and a power loss in between may keep the marker
// alone.
func (f *gatedFile) syncName() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.newIn == "" {
		return nil
	}
	if err := f.g.FS.SyncDir(f.newIn); err != nil {
		return err
	}
	f.newIn = ""
	return nil
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
	if err := f.File.Sync(); err != nil {
		return err
	}
	return f.syncName()
}

func (f *gatedFile) SyncData() error {
	if err := f.g.check(); err != nil {
		return err
	}
	if err := f.File.SyncData(); err != nil {
		return err
	}
	return f.syncName()
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
