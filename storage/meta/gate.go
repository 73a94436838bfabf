package meta

import (
	"errors"
	"io"
	"io/fs"
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
	closed  atomic.Bool
	opening atomic.Bool // Pebble's Open has not returned
	fail    func(error)
	lock    *onceCloser            // the directory's
	scratch atomic.Pointer[string] // directory of checkpoints: nothing in it needs to be durable
}

func newGate(fsys vfs.FS, fail func(error)) *gate { return &gate{FS: fsys, fail: fail} }

func (g *gate) shut() { g.closed.Store(true) }

// check is asked before a change.
func (g *gate) check() error {
	if g.closed.Load() {
		return g.result(errShut)
	}
	return nil
}

// result is what Pebble gets to know of a change. While Pebble opens, an error is kept from it: the instance fails and the
// goroutine is parked, because an Open that fails when its first flush is done takes its caches away under the goroutines
// it has started, and they panic.
func (g *gate) result(err error) error {
	if err == nil || !g.opening.Load() || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	g.park(err)
	return err
}

// inScratch tells whether a file or directory belongs to a checkpoint. Those are not synced: they are gone after a restart,
// and a failed sync of theirs must not fail the instance.
func (g *gate) inScratch(name string) bool {
	dir := g.scratch.Load()
	return dir != nil && strings.HasPrefix(name+"/", *dir)
}

// park fails the instance and never returns.
func (g *gate) park(err error) {
	g.fail(err)
	select {}
}

func (g *gate) Create(name string) (vfs.File, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	f, err := g.FS.Create(name)
	if err != nil {
		return nil, g.result(err)
	}
	return &gatedFile{File: f, g: g, newIn: path.Dir(name)}, nil
}

func (g *gate) Open(name string) (vfs.File, error) { return g.file(g.FS.Open(name)) }

func (g *gate) OpenReadWrite(name string) (vfs.File, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	f, err := g.FS.OpenReadWrite(name)
	return g.file(f, g.result(err))
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
			return g.result(err)
		}
	}
	return g.result(g.FS.Remove(name))
}

func (g *gate) RemoveAll(name string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.result(g.FS.RemoveAll(name))
}

func (g *gate) Rename(oldName, newName string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.result(g.FS.Rename(oldName, newName))
}

func (g *gate) Link(oldName, newName string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.result(g.FS.Link(oldName, newName))
}

func (g *gate) MkdirAll(name string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.result(g.FS.MkdirAll(name))
}

// SyncDir does not return an error: it fails the instance and parks the goroutine, because Pebble panics where the sync
// behind a marker's move fails. All of Pebble that may sync a directory runs on goroutines that nobody has to wait for.
func (g *gate) SyncDir(dir string) error {
	err := g.check()
	if err == nil && !g.inScratch(dir) {
		err = g.FS.SyncDir(dir)
	}
	if err != nil {
		g.park(err)
	}
	return nil
}

func (g *gate) Lock(name string, content []byte) (io.Closer, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	l, err := g.FS.Lock(name, content)
	if err != nil {
		return nil, err
	}
	g.lock = &onceCloser{c: l}
	return g.lock, nil
}

// onceCloser is a lock that Pebble and we both let go.
type onceCloser struct {
	c    io.Closer
	once sync.Once
	err  error
}

func (o *onceCloser) Close() error {
	o.once.Do(func() { o.err = o.c.Close() })
	return o.err
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
		return f.g.result(err)
	}
	f.newIn = ""
	return nil
}

func (f *gatedFile) Write(p []byte) (int, error) {
	if err := f.g.check(); err != nil {
		return 0, err
	}
	n, err := f.File.Write(p)
	return n, f.g.result(err)
}

func (f *gatedFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.g.check(); err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(p, off)
	return n, f.g.result(err)
}

func (f *gatedFile) Sync() error {
	if err := f.g.check(); err != nil {
		return err
	}
	if f.g.inScratch(f.Name()) {
		return nil
	}
	if err := f.File.Sync(); err != nil {
		return f.g.result(err)
	}
	return f.syncName()
}

func (f *gatedFile) SyncData() error {
	if err := f.g.check(); err != nil {
		return err
	}
	if f.g.inScratch(f.Name()) {
		return nil
	}
	if err := f.File.SyncData(); err != nil {
		return f.g.result(err)
	}
	return f.syncName()
}

func (f *gatedFile) Truncate(size int64) error {
	if err := f.g.check(); err != nil {
		return err
	}
	return f.g.result(f.File.Truncate(size))
}

func (f *gatedFile) Preallocate(size int64) error {
	if err := f.g.check(); err != nil {
		return err
	}
	return f.g.result(f.File.Preallocate(size))
}
