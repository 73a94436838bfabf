package wal

import (
	"fmt"
	"time"
)

// Durable returns the LSN up to which a sync has made the log durable. It is Synced unless Options.SyncEvery says
// otherwise.
func (l *Log) Durable() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable
}

// Sync makes durable what has been acknowledged so far. It does nothing where every acknowledgement is.
func (l *Log) Sync() error {
	if l.o.SyncEvery == 0 {
		return nil
	}
	l.mu.Lock()
	switch {
	case l.failed != nil:
		l.mu.Unlock()
		return l.failed
	case l.closing:
		l.mu.Unlock()
		return ErrClosed
	}
	done := make(chan error, 1)
	l.syncs = append(l.syncs, done)
	l.wakeWriter()
	l.mu.Unlock()
	return <-done
}

// answerSyncs tells the callers of Sync how it went.
func (w *writer) answerSyncs(err error) {
	w.l.mu.Lock()
	waiting := w.l.syncs
	w.l.syncs = nil
	w.l.mu.Unlock()
	for _, c := range waiting {
		c <- err
	}
}

// dirty tells whether something is acknowledged and not durable.
func (w *writer) dirty() bool { return w.cur != nil && w.cur.last > w.durable }

// due tells whether it has been so for as long as it may.
func (w *writer) due() bool {
	return w.l.o.SyncEvery > 0 && w.dirty() && time.Since(w.since) >= w.l.o.SyncEvery
}

// settle makes durable what is acknowledged.
func (w *writer) settle() error {
	if !w.dirty() {
		return nil
	}
	last := w.cur.last
	if _, err := w.syncData(); err != nil {
		return err
	}
	w.durable = last
	w.l.mu.Lock()
	w.l.durable = last
	w.l.mu.Unlock()
	return nil
}

// waitIdle waits to be woken, or until something is due.
func (w *writer) waitIdle() {
	if w.l.o.SyncEvery <= 0 || !w.dirty() {
		<-w.l.wake
		return
	}
	timer := time.NewTimer(max(0, w.l.o.SyncEvery-time.Since(w.since)))
	defer timer.Stop()
	select {
	case <-w.l.wake:
	case <-timer.C:
	}
}

// syncData syncs the current file, counts it, and tells of one that took long. An error is the log's end.
func (w *writer) syncData() (took time.Duration, err error) {
	l := w.l
	start := time.Now()
	if err := w.handle.SyncData(); err != nil {
		return 0, fmt.Errorf("%w: sync of %s: %w", ErrFailed, w.cur.path, err)
	}
	took = time.Since(start)
	stalled := took >= l.o.stallAfter
	l.mu.Lock()
	l.stats.Syncs++
	l.stats.SyncSum += took
	l.stats.SyncMax = max(l.stats.SyncMax, took)
	if stalled {
		l.stats.Stalls++
	}
	l.mu.Unlock()
	if stalled {
		l.o.Logger.Warn("the disk stalled: a sync of the log took long, and submissions waited for it", "file", w.cur.path, "took", took)
	}
	return took, nil
}
