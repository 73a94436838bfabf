// Package meta is the one Pebble instance of a store: its catalog, its manifest, the marks of its log, its document keys
// and its counters. Whatever must agree changes in one Batch, committed with a sync: that batch is the only publication
// there is. FORMAT.md documents the key space.
//
// # Failure
//
// Pebble reports a failed log write or sync through its logger's Fatalf and takes a return from it as permission to go
// on as if nothing had been lost. Here Fatalf cuts the instance off from its files, marks it failed and parks the
// goroutine for good; Commit, which runs Pebble on a goroutine of its own, returns the failure to its caller.
//
// Two more of Pebble's answers to a failing disk end a process, and are kept from it the same way (gate.go): it panics
// where the sync behind a marker's move fails, and after an Open that fails late.
package meta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/telemdb/telemdb/storage/vfs"
)

// FormatVersion is the version of the key space and of the directory that this program writes. Older ones are read, and
// raised to this one when they are opened for writing. 2 brought the binary form of manifest entries,
// and tombstones.
const FormatVersion = 2

// ErrFailed is wrapped by every error after the instance has failed.
var ErrFailed = errors.New("the catalog has failed and must be opened again")

// Options says where the instance lives.
type Options struct {
	FS       vfs.FS
	Dir      string
	Logger   *slog.Logger
	OnFailed func(error) // called once, from any goroutine
}

// DB is an open instance. Its methods are safe for concurrent use.
type DB struct {
	fs   vfs.FS
	dir  string
	pdb  *pebble.DB
	lock *pebble.Lock
	gate *gate
	log  *slog.Logger // nil: opened to be looked at

	failedOnce sync.Once
	failed     chan struct{} // closed on failure
	failure    error         // written before failed is closed
	onFailed   func(error)
}

// Open opens the instance in o.Dir, making it if there is none. One written by a newer program is refused.
func Open(o Options) (*DB, error) {
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("make catalog directory: %w", err)
	}
	db := &DB{fs: o.FS, dir: o.Dir, failed: make(chan struct{}), onFailed: o.OnFailed}
	db.gate = newGate(o.FS, db.fail)
	pfs := vfs.Pebble(db.gate)
	lock, err := pebble.LockDirectory(o.Dir, pfs)
	if err != nil {
		return nil, fmt.Errorf("lock catalog %s: %w", o.Dir, err)
	}
	db.lock = lock
	if err = checkClosed(o.FS, o.Dir); err == nil {
		err = beginChanges(o.FS, o.Dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open catalog: %w", err), lock.Close())
	}
	db.log = o.Logger
	po := &pebble.Options{
		FS:                 pfs,
		Lock:               lock,
		FormatMajorVersion: pebble.FormatNewest,
		DisableTableStats:  true, // their collector panics where an Open fails late and takes the file cache away from it
		MemTableSize:       16 << 20,
		CacheSize:          16 << 20,
		Logger:             logger{db: db, to: o.Logger},
		EventListener:      &pebble.EventListener{BackgroundError: db.backgroundError, DataCorruption: logCorruption(o.Logger)},
	}
	for i := range po.Levels {
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	if err := db.open(o.Dir, po); err != nil {
		return nil, fmt.Errorf("open catalog %s: %w", o.Dir, err)
	}
	if err := db.checkFormat(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// open opens Pebble on a goroutine of its own: if it fails in a way that Pebble would not return from, that goroutine stays
// behind.
func (db *DB) open(dir string, po *pebble.Options) error {
	type result struct {
		pdb *pebble.DB
		err error
	}
	db.gate.opening.Store(true)
	done := make(chan result, 1)
	go func() {
		pdb, err := pebble.Open(dir, po)
		done <- result{pdb, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return errors.Join(r.err, db.lock.Close())
		}
		db.pdb = r.pdb
		db.gate.opening.Store(false) // and never where it has failed: what is left of it gets no further
		return nil
	case <-db.failed:
		return errors.Join(db.failure, db.Close())
	}
}

func (db *DB) checkFormat() error {
	got, err := db.Format()
	if err != nil {
		return err
	}
	if got >= FormatVersion {
		return db.mayRead()
	}
	b := db.NewBatch()
	b.set(formatKey, binary.LittleEndian.AppendUint32(nil, FormatVersion))
	return db.Commit(b)
}

// mayRead refuses a newer format.
func (db *DB) mayRead() error {
	got, err := db.Format()
	if err == nil && got > FormatVersion {
		err = fmt.Errorf("catalog has format %d, this program knows formats up to %d: use a newer telemdb", got, FormatVersion)
	}
	return err
}

// Format returns the version of the key space, 0 if there is nothing in it yet.
func (db *DB) Format() (uint32, error) {
	v, ok, err := db.get(formatKey)
	if err != nil || !ok {
		return 0, err
	}
	if len(v) != 4 {
		return 0, fmt.Errorf("catalog: format version has %d bytes, want 4", len(v))
	}
	return binary.LittleEndian.Uint32(v), nil
}

// get returns a copy of a value.
func (db *DB) get(key []byte) (v []byte, ok bool, err error) {
	if err := db.err(); err != nil {
		return nil, false, err
	}
	raw, closer, err := db.pdb.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read catalog key %q: %w", key, err)
	}
	v = append([]byte(nil), raw...)
	return v, true, closer.Close()
}

// Commit applies b and syncs it. On an error other than ErrFailed nothing of b is there; on ErrFailed, b is there after
// the next Open or it is not. b may not be used again.
func (db *DB) Commit(b *Batch) error {
	if b.err != nil {
		return errors.Join(b.err, b.Close())
	}
	if err := db.err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- db.pdb.Apply(b.b, pebble.Sync) }()
	select {
	case err := <-done:
		if err != nil {
			db.fail(err)
			return db.err()
		}
		return b.Close()
	case <-db.failed:
		return db.err()
	}
}

// fail marks the instance failed.
func (db *DB) fail(err error) {
	db.failedOnce.Do(func() {
		db.gate.shut()
		db.failure = fmt.Errorf("%w: %w", ErrFailed, err)
		close(db.failed)
		if db.onFailed != nil {
			db.onFailed(db.failure)
		}
	})
}

// err returns the failure, if there has been one.
func (db *DB) err() error {
	select {
	case <-db.failed:
		return db.failure
	default:
		return nil
	}
}

// Close closes the instance. A failed one is abandoned as it is, cut off from its files, and its lock released: what it
// had not synced is found out by the next Open.
func (db *DB) Close() error {
	if db.err() == nil {
		closed := make(chan error, 1)
		go func() { closed <- db.pdb.Close() }() // which waits for goroutines that a failure may park
		select {
		case err := <-closed:
			if err == nil && db.log != nil {
				db.noteClosed()
			}
			return errors.Join(err, db.lock.Close())
		case <-db.failed:
		}
	}
	return db.gate.lock.Close() // and not Pebble's: it counts a reference of the instance that will never be closed
}

// noteClosed leaves the list of closed.go. Without it nothing is lost but a proof.
func (db *DB) noteClosed() {
	if err := noteClosed(db.fs, db.dir); err != nil {
		db.log.Warn("the catalog's files could not be listed at its end; damage done to them until the next start may go unseen", "err", err)
	}
}

// logger is what Pebble writes to.
type logger struct {
	db *DB
	to *slog.Logger
}

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.to.Error("catalog: " + fmt.Sprintf(format, args...))
}

// Fatalf does not return: Pebble would go on with lost data.
func (l logger) Fatalf(format string, args ...any) {
	l.db.fail(fmt.Errorf(format, args...))
	select {}
}
