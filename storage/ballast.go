package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/telemdb/telemdb/storage/vfs"
)

// The catalog must never meet a full disk: Pebble takes a failed write of its log for the end. So a publication first
// looks whether there is room, and a store that asks for it keeps a ballast file, which is given up to make some: for what
// frees space, and for the files that a start needs. A seal waits instead: what it would write is safe in the log, and
// the next start may need the ballast more.

// catalogRoom is the free space without which nothing is published: a batch, and the flush that it may set off.
const catalogRoom = 8 << 20

// roomToPublish says whether there is space for a batch. For one that adds no files, such as a DROP, the ballast is given
// up if need be.
func (s *Store) roomToPublish(adds bool) error {
	free, tight := s.tight()
	if tight && !adds {
		if err := s.dropBallast(); err != nil {
			return err
		}
		free, tight = s.tight()
	}
	if tight {
		return fmt.Errorf("%w: %d bytes are free on the disk of %s, the catalog needs %d", ErrFull, free, s.dir, catalogRoom)
	}
	return nil
}

// tight tells whether free space is below catalogRoom. A file system that cannot tell has room.
func (s *Store) tight() (free uint64, yes bool) {
	u, err := s.fs.DiskUsage(s.dir)
	return u.Free, err == nil && u.Free < catalogRoom
}

func (s *Store) ballastPath() string { return path.Join(s.dir, ballastFile) }

// dropBallast gives the ballast's space back; a missing one is no error.
func (s *Store) dropBallast() error {
	err := s.fs.Remove(s.ballastPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		s.o.Logger.Warn("the disk is full: the ballast has been given up", "file", s.ballastPath())
	}
	return err
}

// keepBallast makes the ballast if it is missing and fits well above the reserve. Its content and durability do not
// matter: one of another size is replaced.
func (s *Store) keepBallast() error {
	size := s.o.BallastBytes
	info, err := s.fs.Stat(s.ballastPath())
	if err == nil && info.Size == size {
		return nil
	}
	u, usageErr := s.fs.DiskUsage(s.dir)
	if size <= 0 || usageErr != nil || u.Free < s.hardReserve(u)+2*uint64(size) {
		return nil
	}
	if err == nil {
		err = s.fs.Remove(s.ballastPath())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := s.fs.Create(s.ballastPath())
	if err != nil {
		return fmt.Errorf("make ballast: %w", err)
	}
	if err = errors.Join(f.Preallocate(size), f.Close()); err != nil {
		return fmt.Errorf("make ballast: %w", errors.Join(err, s.fs.Remove(s.ballastPath())))
	}
	return nil
}

// hardReserve is the free space below which submissions are refused.
func (s *Store) hardReserve(u vfs.Usage) uint64 {
	switch {
	case s.o.HardReserve < 0:
		return 0
	case s.o.HardReserve > 0:
		return uint64(s.o.HardReserve)
	}
	return max(u.Total/50, 1<<30)
}
