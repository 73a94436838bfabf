package storage

import (
	"errors"
	"io/fs"
	"path"
	"time"

	"github.com/telemdb/telemdb/storage/vfs"
)

// DiskState is how full the disk of a store is.
type DiskState uint8

// The disk states.
const (
	DiskOK   DiskState = iota
	DiskLow            // free space is below disk.soft_reserve: max(10 %, 5 GiB) of the disk
	DiskFull           // below disk.hard_reserve: submissions are refused
)

// Disk tells how full the disk is. It looks at most once a second.
func (s *Store) Disk() DiskState {
	if s.o.Now().UnixNano()-s.diskSeen.Load() > int64(time.Second) {
		s.lookAtDisk()
	}
	switch {
	case s.diskFree.Load() >= 0:
		return DiskFull
	case s.diskLow.Load():
		return DiskLow
	}
	return DiskOK
}

// belowSoftReserve is where an operator should be told.
func belowSoftReserve(u vfs.Usage) bool { return u.Free < max(u.Total/10, 5<<30) }

// tellDisk says once that free space has fallen below the soft reserve, or is above it again.
func (s *Store) tellDisk(low bool, u vfs.Usage) {
	if low {
		s.o.Logger.Warn("the disk is below its soft reserve; free space, or shorten a retention", "dir", s.dir, "free", u.Free, "total", u.Total)
		s.jobs.Kick(jobExpire) // what is past its time is dropped now
		return
	}
	s.o.Logger.Info("the disk is above its soft reserve again", "dir", s.dir, "free", u.Free)
}

// Exists reports whether dir holds a store.
func Exists(fsys vfs.FS, dir string) (bool, error) {
	_, err := fsys.Stat(path.Join(dir, formatFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
