package wal

import (
	"errors"
	"math/rand/v2"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/storage/vfs"
)

// Log is an open log. All methods may be called from several goroutines.
type Log struct {
	o       Options
	buffers sync.Pool     // *[]byte of capacity GroupBytes
	wake    chan struct{} // to the writer; holds one
	number  atomic.Uint64 // of the last file made

	// Owned by the writer goroutine.
	w writer

	trimming sync.Mutex // held by Trim, which alone takes files off the front of files

	mu         sync.Mutex // guards the rest; never held over a file operation
	gathering  *group     // the group that records join; nil if there is none
	queue      []*group   // full ones before it
	queueBytes int64      // reserved and not answered yet
	wanted     int        // the writer waits for the gathering group to have so many records; 0: it does not
	closing    bool
	failed     error         // wraps ErrFailed
	changed    chan struct{} // closed when readers should look again; nil if none waits
	files      []*file       // oldest first; the last one may be active
	synced     uint64
	durable    uint64       // = synced, but for Options.SyncEvery
	syncs      []chan error // callers of Sync
	mark       uint64
	stats      Stats

	closeOnce sync.Once
	closeErr  error
	closed    chan struct{} // closed when Close begins
	running   sync.WaitGroup
}

// Open recovers the log in o.Dir and makes it ready for more. floor is the highest LSN known to be sealed: new records
// get LSNs above it and above everything found. Damage does not stop it; it is reported.
func Open(o Options, floor uint64) (*Log, *Recovery, error) {
	if err := o.fill(); err != nil {
		return nil, nil, err
	}
	found, err := recoverDir(&o, floor)
	if err != nil {
		return nil, nil, err
	}
	l := &Log{
		o:      o,
		wake:   make(chan struct{}, 1),
		closed: make(chan struct{}),
		files:  found.files,
		synced: found.next - 1,
		mark:   floor,
	}
	l.buffers.New = func() any {
		b := make([]byte, 0, o.GroupBytes)
		return &b
	}
	l.number.Store(found.number)
	l.w.l = l
	l.w.durable, l.durable = l.synced, l.synced
	l.w.prepare, l.w.prepared = make(chan preparation, 1), make(chan preparedFile, 1)
	if found.next-1 != found.last {
		l.w.base = &baseOf{lsn: found.next - 1, found: found.last}
	}
	l.running.Go(l.w.run)
	l.running.Go(l.w.prepareFiles)
	return l, &found.Recovery, nil
}

// Synced returns the LSN of the last synced record.
func (l *Log) Synced() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.synced
}

// Stats returns counts since Open.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.QueueBytes = l.queueBytes
	return s
}

// Close writes and syncs what waits, answers the waiters, and ends the log's goroutines. Readers get ErrClosed. A second
// call returns the result of the first.
func (l *Log) Close() error {
	l.closeOnce.Do(func() {
		l.mu.Lock()
		l.closing = true
		l.mu.Unlock()
		close(l.closed)
		l.wakeWriter()
		l.running.Wait()
		l.closeErr = l.w.closeErr
	})
	return l.closeErr
}

// tellReadersLocked wakes readers that wait.
func (l *Log) tellReadersLocked() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// newFileHeader numbers the next file.
func (l *Log) newFileHeader() fileHeader {
	return fileHeader{number: l.number.Add(1), id: rand.Uint64(), created: time.Now()}
}

func (l *Log) path(number uint64) string { return path.Join(l.o.Dir, fileName(number)) }

// removeFile takes a file out of the directory; it is durable after SyncDir.
func removeFile(fsys vfs.FS, name string) error {
	err := fsys.Remove(name)
	if errors.Is(err, errNotExist) {
		return nil
	}
	return err
}
