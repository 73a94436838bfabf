package meta

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/cockroachdb/pebble/v2"

	"github.com/telemdb/telemdb/storage/vfs"
)

// OpenReadOnly opens the instance in dir to be looked at: what was not flushed is read from Pebble's log into memory,
// and no byte of any file changes. Commit fails. It takes the instance's lock, so a directory that a server has open is
// refused, with *vfs.LockedError in the chain; so is one without an instance.
func OpenReadOnly(fsys vfs.FS, dir string) (*DB, error) {
	if _, err := fsys.Stat(path.Join(dir, "LOCK")); err != nil { // taking the lock would make the file
		return nil, fmt.Errorf("open catalog %s: %w", dir, err)
	}
	// Pebble is told not to write; that it does not is not left to its word.
	guard := vfs.NewInjector(vfs.Rule{Ops: vfs.Mutating, Sticky: true, Err: fs.ErrPermission})
	db := &DB{failed: make(chan struct{})}
	db.gate = newGate(vfs.Fault(fsys, guard), db.fail)
	pfs := vfs.Pebble(db.gate)
	lock, err := pebble.LockDirectory(dir, pfs)
	if err != nil {
		return nil, fmt.Errorf("lock catalog %s: %w", dir, err)
	}
	db.lock = lock
	if err := checkClosed(fsys, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open catalog: %w", err), lock.Close())
	}
	if err := db.open(dir, &pebble.Options{
		FS: pfs, Lock: lock, ReadOnly: true, DisableTableStats: true, ErrorIfNotExists: true, FormatMajorVersion: pebble.FormatNewest, Logger: readOnlyLogger{db},
	}); err != nil {
		return nil, fmt.Errorf("open catalog %s: %w", dir, err)
	}
	if err := db.mayRead(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// readOnlyLogger keeps quiet, and ends like logger where Pebble would go on with lost data.
type readOnlyLogger struct{ db *DB }

func (readOnlyLogger) Infof(string, ...any)  {}
func (readOnlyLogger) Errorf(string, ...any) {}

func (l readOnlyLogger) Fatalf(format string, args ...any) {
	l.db.fail(fmt.Errorf(format, args...))
	select {}
}
