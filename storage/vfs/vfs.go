// Package vfs is the one seam through which telemdb touches a file system. There are three implementations: the
// operating system's, a crashable one in memory that forgets what was not synced, and a wrapper that injects faults.
// Nothing in storage calls package os directly; a test holds that.
package vfs

import (
	"io"
	"time"
)

// FS is a file system. Names are full paths with forward slashes. Errors satisfy errors.Is with fs.ErrNotExist,
// fs.ErrExist and, for a full disk, ErrNoSpace. All methods may be called from several goroutines.
type FS interface {
	// Create makes a new file for writing and reading; one that exists is an error (fs.ErrExist).
	Create(name string) (File, error)
	// Open opens for reading.
	Open(name string) (File, error)
	// OpenReadWrite opens an existing file for reading and writing in place.
	OpenReadWrite(name string) (File, error)
	Remove(name string) error
	// RemoveAll removes a directory tree; a missing one is no error.
	RemoveAll(name string) error
	// Rename replaces newName atomically. It is durable after SyncDir of the directory.
	Rename(oldName, newName string) error
	// Link makes newName a hard link of oldName.
	Link(oldName, newName string) error
	// MkdirAll makes a directory and its parents with mode 0700 and syncs the parent of each one it makes.
	MkdirAll(name string) error
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
	Stat(name string) (Info, error)
	// List returns the names in dir, without the directory, sorted.
	List(dir string) ([]string, error)
	// Lock takes an exclusive lock on a file, creating it, and writes content into it; held until Close. A lock that
	// another process holds is a *LockedError with that file's content.
	Lock(name string, content []byte) (io.Closer, error)
	// LockShared takes the lock of an existing file together with others that share it; while one does, Lock is refused.
	// It changes no byte.
	LockShared(name string) (io.Closer, error)
	// DiskUsage tells the space of the file system that holds dir.
	DiskUsage(dir string) (Usage, error)
}

// File is an open file. ReadAt and WriteAt may be called from several goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Writer // appends at the handle's own offset
	io.Closer
	// Sync makes data and size durable (fsync); SyncData makes data durable where the size did not change (fdatasync).
	// After an error of either, nothing written since the last good one may be trusted.
	Sync() error
	SyncData() error
	Truncate(size int64) error
	// Preallocate reserves [0, size) and sets the size; the new range reads as zeros.
	Preallocate(size int64) error
	Size() (int64, error)
	Name() string
}

// Info describes a file.
type Info struct {
	Size    int64
	Dir     bool
	ModTime time.Time
}

// Usage is a file system's space in bytes.
type Usage struct{ Total, Free uint64 }
