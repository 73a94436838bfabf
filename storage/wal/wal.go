// Package wal is the write-ahead log: a group-committed, checksummed sequence of opaque records with dense sequence
// numbers (LSN). Its sync is the only acknowledgement telemdb gives.
//
// Append copies a record into the group that is gathering and waits. One writer goroutine takes a group at a time, gives
// its records LSNs, writes them with one call, syncs, and answers all waiters; while it syncs, the next group gathers. A
// lone record on an idle log is written at once. The obvious alternative, in which the first waiter becomes the writer,
// needs no goroutine of its own, but then a caller whose context ends is in the middle of everybody's sync.
//
// Invariants, each held by a test:
//   - A record is acknowledged only when its bytes, and its file's directory entry, are synced.
//   - LSNs have no gaps and are never given twice to records that were acknowledged. A group whose write failed leaves no
//     trace: its bytes are cut off, durably, before anything else is written.
//   - Groups do not span files, and a group is written only after the one before is synced. So only the last group of the
//     log can be torn by a crash, and each record carries proof of what was synced before it ("behind" in FORMAT.md): that
//     tells a torn tail from damage.
//   - Readers see synced records only.
//
// The log is also the landfill: files whose records are all sealed (SetMark) stay until Trim takes them.
package wal

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/telemdb/telemdb/storage/vfs"
)

// Kind is what the log's user calls the sorts of its records. The log does not look at it.
type Kind uint8

// Record is one record as a Reader gives it.
type Record struct {
	LSN     uint64
	Kind    Kind
	Payload []byte // valid until the next call of Next
}

// Errors of Append and of readers. A full disk and an overload pass; a failed log stays failed.
var (
	ErrClosed     = errors.New("the log is closed")
	ErrFailed     = errors.New("the log could not be synced and accepts nothing any more; restart to recover what is on disk")
	ErrOverloaded = errors.New("too many bytes wait for the log; try again")
	ErrFull       = errors.New("no space left for the log; nothing was kept of this record")
	ErrTooLarge   = errors.New("record is too large for the log")
)

// Options configures a log. Zero values mean the defaults that are named.
type Options struct {
	FS  vfs.FS // required
	Dir string // must exist

	FileBytes  int64         // size of a file; 64 MiB
	GroupBytes int           // bound of a group, not of a record; 1 MiB
	GroupWait  time.Duration // longest wait for a group to fill; 2 ms
	QueueBytes int64         // bound of what waits; 64 MiB
	Proven     uint64        // an LSN that is known to have been synced: if it is missing, the log is damaged
	MaxPayload int           // 16 MiB

	// SyncEvery weakens what an acknowledgement means. 0: a record is acknowledged when it is synced. Positive: when it is
	// written, and it is synced at most so much later. Negative: when it is written, and the log never syncs by itself but at
	// the end of a file. The end of a process loses nothing then, a power loss what was not synced; recovery keeps what is
	// there without a gap, and takes the rest for a torn group.
	SyncEvery time.Duration

	Logger *slog.Logger // nothing is logged without
	// OnFailed is called once, from the writer, when a sync has failed. It must not call Close.
	OnFailed func(error)

	stallAfter time.Duration // a sync that takes so long is a stall; 5 s
	// fillAfter: a log that takes at least so long for half a file has the next one filled with zeros ahead of time.
	fillAfter time.Duration
}

const (
	defaultFileBytes  = 64 << 20
	defaultGroupBytes = 1 << 20
	defaultGroupWait  = 2 * time.Millisecond
	defaultQueueBytes = 64 << 20
	defaultMaxPayload = 16 << 20
	defaultFillAfter  = time.Second
	defaultStallAfter = 5 * time.Second
	// limitPayload keeps lengths of records far from the end of their field.
	limitPayload = 1 << 30
)

func (o *Options) fill() error {
	if o.FS == nil || o.Dir == "" {
		return errors.New("wal: Options need FS and Dir")
	}
	setDefault(&o.FileBytes, defaultFileBytes)
	setDefault(&o.GroupBytes, defaultGroupBytes)
	setDefault(&o.GroupWait, defaultGroupWait)
	setDefault(&o.QueueBytes, defaultQueueBytes)
	setDefault(&o.MaxPayload, defaultMaxPayload)
	setDefault(&o.fillAfter, defaultFillAfter)
	setDefault(&o.stallAfter, defaultStallAfter)
	if o.FileBytes < 2*headBytes || o.GroupBytes < recordSize(0) || o.MaxPayload < 0 || o.MaxPayload > limitPayload {
		return fmt.Errorf("wal: FileBytes %d, GroupBytes %d or MaxPayload %d is out of range", o.FileBytes, o.GroupBytes, o.MaxPayload)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Stats counts what a log has done since Open.
type Stats struct {
	Records    int64
	Groups     int64 // that were acknowledged
	Syncs      int64
	Bytes      int64 // written for acknowledged records, headers included
	Full       int64 // groups refused for lack of space
	Stalls     int64 // syncs that took 5 s or longer
	QueueBytes int64 // waiting now
	SyncSum    time.Duration
	SyncMax    time.Duration
}
