package scan

import (
	"errors"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
)

// Skipped counts what scans left out because it could not be read. It may be shared by the scans of a statement.
type Skipped struct {
	groups atomic.Int64
	rows   atomic.Int64
}

// Groups returns the number of row groups that were not read, or not read whole.
func (s *Skipped) Groups() int64 { return s.groups.Load() }

// Rows returns the number of live rows that were left out. Whether the filter would have passed them is not known.
func (s *Skipped) Rows() int64 { return s.rows.Load() }

// SkipCorrupt makes the scan leave out rows that cannot be read because bytes on disk are not what was written
// (column.ErrCorrupt), and count them. It is called before the first worker.
func (s *Scan) SkipCorrupt(count *Skipped) { s.skipped = count }

// unreadable decides about an error of reading: it is counted as skipped rows where that was asked for, else it gets its
// SQLSTATE. rows is how many live rows are lost, first tells that they are the group's first.
func (w *Worker) unreadable(err error, rows int, first bool) error {
	var known *sqlstate.Error
	switch {
	case errors.Is(err, column.ErrCorrupt):
		if w.s.skipped == nil {
			return sqlstate.Wrap(sqlstate.DataCorrupted, err)
		}
		w.s.skipped.rows.Add(int64(rows))
		if first {
			w.s.skipped.groups.Add(1)
		}
		return nil
	case errors.As(err, &known), w.ctx != nil && w.ctx.Context != nil && w.ctx.Context.Err() != nil:
		return err
	}
	return sqlstate.Wrap(sqlstate.IOError, err)
}
