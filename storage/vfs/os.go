package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Modes of what is created: pings are personal data, so nobody else may read them.
const (
	fileMode = 0o600
	dirMode  = 0o700
)

// OS returns the operating system's file system.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) open(name string, flag int) (File, error) {
	f, err := os.OpenFile(filepath.FromSlash(name), flag, fileMode)
	if err != nil {
		return nil, mapError(err)
	}
	return &osFile{f: f, name: name}, nil
}

func (o osFS) Create(name string) (File, error) {
	return o.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (o osFS) Open(name string) (File, error)          { return o.open(name, os.O_RDONLY) }
func (o osFS) OpenReadWrite(name string) (File, error) { return o.open(name, os.O_RDWR) }

func (osFS) Remove(name string) error    { return mapError(os.Remove(filepath.FromSlash(name))) }
func (osFS) RemoveAll(name string) error { return mapError(os.RemoveAll(filepath.FromSlash(name))) }

func (osFS) Rename(oldName, newName string) error {
	return mapError(os.Rename(filepath.FromSlash(oldName), filepath.FromSlash(newName)))
}

func (osFS) Link(oldName, newName string) error {
	return mapError(os.Link(filepath.FromSlash(oldName), filepath.FromSlash(newName)))
}

func (o osFS) MkdirAll(name string) error {
	name = path.Clean(filepath.ToSlash(name))
	if info, err := os.Stat(filepath.FromSlash(name)); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
		}
		return nil
	}
	parent := path.Dir(name)
	if parent != name {
		if err := o.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.FromSlash(name), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return mapError(err)
	}
	return o.SyncDir(parent)
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(filepath.FromSlash(dir))
	if err != nil {
		return mapError(err)
	}
	err = d.Sync()
	return mapError(errors.Join(err, d.Close()))
}

func (osFS) Stat(name string) (Info, error) {
	i, err := os.Stat(filepath.FromSlash(name))
	if err != nil {
		return Info{}, mapError(err)
	}
	return Info{Size: i.Size(), Dir: i.IsDir(), ModTime: i.ModTime()}, nil
}

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.FromSlash(dir)) // sorted
	if err != nil {
		return nil, mapError(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) DiskUsage(dir string) (Usage, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.FromSlash(dir), &st); err != nil {
		return Usage{}, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	block := uint64(st.Bsize)
	return Usage{Total: uint64(st.Blocks) * block, Free: uint64(st.Bavail) * block}, nil
}

// Lock uses flock, which belongs to the open file: a second Lock in the same process is refused like any other.
func (osFS) Lock(name string, content []byte) (io.Closer, error) {
	f, err := os.OpenFile(filepath.FromSlash(name), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, mapError(err)
	}
	if err := writeLock(f, name, content); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil // closing it lets the lock go
}

func writeLock(f *os.File, name string, content []byte) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return lockedBy(f, name)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	if err := f.Truncate(0); err != nil {
		return mapError(err)
	}
	_, err = f.WriteAt(content, 0)
	return mapError(err)
}

// LockShared uses flock too. The file is only read, so that a directory on a read-only medium can be locked.
func (osFS) LockShared(name string) (io.Closer, error) {
	f, err := os.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, mapError(err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = lockedBy(f, name)
	case err != nil:
		err = fmt.Errorf("lock %s: %w", name, err)
	default:
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// lockedBy describes who holds the lock of f. If it can be shared now, those who hold it share it; the lock taken to find
// out goes when the caller closes f.
func lockedBy(f *os.File, name string) error {
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return &LockedError{Name: name, Shared: true, Pids: lockHolders(f)}
	}
	held, err := io.ReadAll(f)
	if err != nil {
		held = nil
	}
	return &LockedError{Name: name, Content: held}
}

type osFile struct {
	f    *os.File
	name string
}

func (f *osFile) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	return n, mapError(err)
}

func (f *osFile) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	return n, mapError(err)
}

func (f *osFile) Close() error              { return mapError(f.f.Close()) }
func (f *osFile) Sync() error               { return mapError(f.f.Sync()) }
func (f *osFile) SyncData() error           { return mapError(syncData(f.f)) }
func (f *osFile) Truncate(size int64) error { return mapError(f.f.Truncate(size)) }
func (f *osFile) Name() string              { return f.name }

func (f *osFile) Preallocate(size int64) error { return mapError(preallocate(f.f, size)) }

func (f *osFile) Size() (int64, error) {
	i, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return i.Size(), nil
}
