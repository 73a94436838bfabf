package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/storage/wal"
)

// What a store refuses. Errors wrap these; use errors.Is.
var (
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("the store is closed")
	// ErrFailed: a sync of the log or of the catalog failed. Nothing acknowledged is lost, but what is in memory cannot
	// be trusted to be on disk: the directory must be opened again.
	ErrFailed = errors.New("the store has failed; close it and open the directory again")
	// ErrOverloaded: too many bytes wait for the disk. Try again soon.
	ErrOverloaded = errors.New("the store is overloaded; try again")
	// ErrFull: the disk is full or below its reserve, or the log has reached its cap. Reads go on.
	ErrFull = errors.New("the disk is full or the log has reached its cap; free space, or wait until sealing has caught up")
	// ErrTooLarge: a submission is longer than a log record may be.
	ErrTooLarge = errors.New("the submission is too large for one log record")

	// ErrExists: the name is taken.
	ErrExists = errors.New("already exists")
	// ErrNotFound: there is no such schema, table or view.
	ErrNotFound = errors.New("does not exist")
	// ErrConflict: another transaction has taken the rows that this one was to replace. Nothing of it is committed.
	ErrConflict = errors.New("could not serialize access due to concurrent delete: another transaction has deleted rows that " +
		"this one was to replace; nothing of it was committed, run it again")
	// ErrNotEmpty: the schema has tables or views.
	ErrNotEmpty = errors.New("is not empty")
	// ErrSystem: the object belongs to the server.
	ErrSystem = errors.New("belongs to the server and cannot be changed")
)

// LockedError says which process has the directory.
type LockedError struct {
	Dir    string
	Holder string // "pid 123, started 2026-01-02T03:04:05Z"
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("data directory %s is in use by another process (%s): stop it or choose another directory", e.Dir, e.Holder)
}

// logErrors maps what the log refuses to what the store refuses. The first that matches is taken.
var logErrors = []struct{ from, to error }{
	{wal.ErrFailed, ErrFailed},
	{wal.ErrClosed, ErrClosed},
	{wal.ErrFull, ErrFull},
	{wal.ErrOverloaded, ErrOverloaded},
	{wal.ErrTooLarge, ErrTooLarge},
	{meta.ErrFailed, ErrFailed},
	{vfs.ErrNoSpace, ErrFull},
}

// mapError adds the store's own sentinel to an error of the layers below.
func mapError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	for _, e := range logErrors {
		if errors.Is(err, e.from) {
			return fmt.Errorf("%w: %w", e.to, err)
		}
	}
	return err
}
