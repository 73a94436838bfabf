package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/storage/vfs"
)

// ErrReadOnly: the store was opened with Options.ReadOnly.
var ErrReadOnly = errors.New("the directory is open for reading only; nothing can be changed")

var discard = slog.New(slog.DiscardHandler)

// findMoment finds what a reader of dir gets to see: a backup, a directory without a server, which no server can open
// until the moment is closed, or what the process that has it open lends.
func findMoment(fsys vfs.FS, dir string) (*moment, error) {
	if ok, err := isBackup(fsys, dir); err != nil {
		return nil, err
	} else if ok {
		return backupMoment(fsys, dir)
	}
	if ok, err := Exists(fsys, dir); err != nil {
		return nil, err
	} else if !ok {
		return nil, noDatabase(fsys, dir)
	}
	lock, err := fsys.LockShared(path.Join(dir, lockFile))
	var locked *vfs.LockedError
	switch {
	case errors.As(err, &locked):
		return leasedMoment(fsys, dir, lockedError(dir, locked))
	case errors.Is(err, fs.ErrNotExist):
		lock = nil // a copy by other means: nobody has ever had it open
	case err != nil:
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	m, err := stillMoment(fsys, dir, lock)
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func noDatabase(fsys vfs.FS, dir string) error {
	if err := unfinishedRestore(fsys, dir); err != nil {
		return err
	}
	return fmt.Errorf("%s holds no database", dir)
}

// lockedError says who has a directory.
func lockedError(dir string, locked *vfs.LockedError) *LockedError {
	if !locked.Shared {
		return &LockedError{Dir: dir, Holder: string(locked.Content)}
	}
	var pids []string
	for _, p := range locked.Pids {
		pids = append(pids, strconv.Itoa(p))
	}
	if len(pids) == 0 {
		return &LockedError{Dir: dir, Holder: "readers"}
	}
	return &LockedError{Dir: dir, Holder: "readers: pid " + strings.Join(pids, ", ")}
}

// openReadOnly points the store at a moment. Whatever opening and recovering it writes stays in memory.
func (s *Store) openReadOnly() error {
	m, err := findMoment(s.fs, s.dir)
	if err != nil {
		return err
	}
	s.moment = m
	s.fs = m.view(s.dir)
	s.files.FS = s.fs // nothing is open yet
	// Rows of the log are held as a server holds them. Beyond HeadMaxBytes they are sealed, in memory.
	s.o.SealBytes, s.o.SealMaxAge, s.o.WALMaxBytes = s.o.HeadMaxBytes, forever, 1<<62
	s.o.BallastBytes, s.o.HardReserve = 0, -1
	if m.lost == nil {
		return nil
	}
	s.closed = make(chan struct{})
	s.watching.Go(func() {
		select {
		case <-m.lost:
			s.fail(ErrLeaseEnded)
		case <-s.closed:
		}
	})
	return nil
}

const forever = 1<<63 - 1 // as a duration

// closeReadOnly lets the moment go.
func (s *Store) closeReadOnly() error {
	if s.closed != nil {
		close(s.closed)
		s.watching.Wait()
	}
	if s.moment == nil {
		return nil
	}
	return s.moment.close()
}

// writable is usable for what changes the store.
func (s *Store) writable() error {
	if s.o.ReadOnly {
		return ErrReadOnly
	}
	return s.usable()
}

// ReadOnly tells whether the store was opened with Options.ReadOnly.
func (s *Store) ReadOnly() bool { return s.o.ReadOnly }

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
