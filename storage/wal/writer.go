package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/storage/vfs"
)

var errNotExist = fs.ErrNotExist

// writer is the state of the goroutine that writes. Nothing here is guarded: only that goroutine touches it.
type writer struct {
	l *Log

	handle vfs.File // of cur
	cur    *file    // nil before the first record and after a file was given up
	off    int64    // where the next group goes
	size   int64    // of the file; its blocks are reserved
	base   *baseOf  // to be written before the next record
	marked bool     // a mark stands at off

	durable uint64    // the last LSN that a sync has made durable; below Log.synced only where Options.SyncEvery allows it
	since   time.Time // when the first write after that was

	before  int           // records in the group before
	latency time.Duration // of recent syncs, smoothed

	preparing bool      // a file is being prepared, or is ready in prepared
	started   time.Time // when cur was
	prepare   chan preparation
	prepared  chan preparedFile
	hurry     atomic.Bool // the writer waits for prepared

	closeErr error
}

// baseOf is the content of a base record.
type baseOf struct{ lsn, found uint64 }

// run writes groups until the log is closed or has failed.
func (w *writer) run() {
	defer close(w.prepare) // ends prepareFiles
	for {
		g, err := w.nextGroup()
		if err != nil {
			w.die(err)
			return
		}
		if g == nil {
			w.closeErr = w.finish()
			w.answerSyncs(ErrClosed)
			return
		}
		g.filling.Wait()
		err = w.commit(g)
		w.answer(g, err)
		if errors.Is(err, ErrFailed) {
			w.die(err)
			return
		}
	}
}

// nextGroup waits for a group and takes it; nil when the log is closing and nothing is left. Meanwhile it makes durable
// what is due. An error is the log's end.
func (w *writer) nextGroup() (*group, error) {
	l := w.l
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if len(l.syncs) > 0 || w.due() {
			l.mu.Unlock()
			err := w.settle()
			if err == nil {
				w.answerSyncs(nil)
			}
			l.mu.Lock()
			if err != nil {
				return nil, err
			}
		}
		if len(l.queue) > 0 || l.gathering != nil {
			break
		}
		if l.closing {
			return nil, nil
		}
		l.mu.Unlock()
		w.writeMark()
		w.waitIdle()
		l.mu.Lock()
	}
	if len(l.queue) == 0 && l.gathering.n < w.before {
		w.gatherLocked()
	}
	var g *group
	if len(l.queue) > 0 {
		g = l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
	} else {
		g = l.gathering
		l.gathering = nil
	}
	w.before = g.n
	return g, nil
}

// gatherLocked waits until the gathering group has as many records as the group before, whose callers are likely to come
// again at once, but for no longer than half a sync.
func (w *writer) gatherLocked() {
	l := w.l
	timer := time.NewTimer(min(l.o.GroupWait, w.latency/2))
	defer timer.Stop()
	l.wanted = w.before
	for len(l.queue) == 0 && l.gathering.n < w.before && !l.closing {
		l.mu.Unlock()
		expired := false
		select {
		case <-l.wake:
		case <-timer.C:
			expired = true
		}
		l.mu.Lock()
		if expired {
			break
		}
	}
	l.wanted = 0
}

// commit makes a group durable, or leaves no trace of it. An error that wraps ErrFailed is the log's end.
func (w *writer) commit(g *group) error {
	need := int64(len(g.buf))
	if w.base != nil {
		need += int64(recordSize(8))
	}
	if w.cur == nil || w.off+need > w.size {
		if err := w.rotate(need); err != nil {
			return w.refused("start a file", err)
		}
	}
	at := w.off
	if w.base != nil {
		rec := baseRecord(w.base.lsn, w.base.found, w.cur.id)
		if err := w.write(rec, at); err != nil {
			return err
		}
		at += int64(len(rec))
	}
	first := w.l.Synced() + 1
	w.stamp(g, first)
	if err := w.write(g.buf, at); err != nil {
		return err
	}
	if w.l.o.SyncEvery != 0 {
		if w.durable == first-1 {
			w.since = time.Now()
		}
		g.first = first
		w.base, w.marked = nil, false
		w.synced(g, at, 0)
		return nil
	}
	took, err := w.syncData()
	if err != nil {
		return err
	}
	g.first = first
	w.base, w.marked = nil, false
	w.durable = first + uint64(g.n) - 1
	w.synced(g, at, took)
	return nil
}

// stamp gives a group's records their LSNs and checksums.
func (w *writer) stamp(g *group, first uint64) {
	lsn := first
	for b := g.buf; len(b) > 0; lsn++ {
		length := binary.LittleEndian.Uint32(b[16:])
		crc := binary.LittleEndian.Uint32(b[4:])
		stamp(b, header{kind: Kind(b[1]), lsn: lsn, length: length, behind: uint32(lsn - w.durable)}, crc, w.cur.id)
		b = b[recordSize(int(length)):]
	}
}

// write writes at an offset. If it cannot, it cuts the file at the last good offset, durably, before anything else is
// written: stale records behind it must never be taken for later ones. The file is then given up; the next group starts
// another.
func (w *writer) write(b []byte, at int64) error {
	n, err := w.handle.WriteAt(b, at)
	if err == nil && n == len(b) {
		return nil
	}
	if err == nil {
		err = errors.New("short write")
	}
	undo := w.handle.Truncate(w.off)
	if undo == nil {
		undo = w.handle.Sync()
	}
	if undo != nil {
		return fmt.Errorf("%w: undoing a failed write of %s: %w", ErrFailed, w.cur.path, errors.Join(err, undo))
	}
	w.size, w.durable = w.off, w.l.Synced()
	w.giveUp()
	return w.refused("write", err)
}

// refused turns an error after which the log lives into what Append returns.
func (w *writer) refused(doing string, err error) error {
	switch {
	case errors.Is(err, ErrFailed):
		return err
	case errors.Is(err, vfs.ErrNoSpace):
		w.l.mu.Lock()
		w.l.stats.Full++
		w.l.mu.Unlock()
		return fmt.Errorf("%w: %s: %w", ErrFull, doing, err)
	}
	return fmt.Errorf("wal: %s: %w", doing, err)
}

// synced takes note of a durable group, which starts at off, and shows it to readers.
func (w *writer) synced(g *group, off int64, took time.Duration) {
	w.off = off + int64(len(g.buf))
	w.latency = (w.latency*7 + took) / 8
	l := w.l
	l.mu.Lock()
	last := g.first + uint64(g.n) - 1
	w.cur.note(g.first, last, off, w.off)
	w.cur.changed = time.Now()
	l.synced = last
	l.stats.Records += int64(g.n)
	l.stats.Groups++
	l.stats.Bytes += int64(len(g.buf))
	l.durable = w.durable
	l.tellReadersLocked()
	l.mu.Unlock()
	if !w.preparing && w.off > w.size/2 {
		w.preparing = true
		w.prepare <- preparation{header: l.newFileHeader(), fill: time.Since(w.started) >= l.o.fillAfter}
	}
}

// answer tells a group's callers how it went.
func (w *writer) answer(g *group, err error) {
	l := w.l
	l.mu.Lock()
	l.queueBytes -= int64(len(g.buf))
	l.mu.Unlock()
	g.err = err
	close(g.done)
	l.release(g)
}

// die refuses everything for ever.
func (w *writer) die(err error) {
	l := w.l
	l.mu.Lock()
	l.failed = err
	waiting := l.queue
	if l.gathering != nil {
		waiting = append(waiting, l.gathering)
	}
	l.queue, l.gathering = nil, nil
	if w.cur != nil {
		w.cur.active = false
	}
	l.tellReadersLocked()
	l.mu.Unlock()
	for _, g := range waiting {
		g.filling.Wait()
		w.answer(g, err)
	}
	w.answerSyncs(err)
	w.closeErr = err
	if w.handle != nil {
		w.handle.Close() // its content cannot be trusted any more, so neither can this error
	}
	if w.preparing {
		w.hurry.Store(true)
		if p := <-w.prepared; p.handle != nil {
			p.handle.Close() // the file holds nothing; recovery removes it
		}
	}
	l.o.Logger.Error("log failed", "err", err)
	if l.o.OnFailed != nil {
		l.o.OnFailed(err)
	}
}

// writeMark writes, while there is nothing else to do, that everything up to here is synced. The next group overwrites
// it. It is not synced itself: it is a help to recovery, and an error in it has no consequence, which is why it is
// ignored.
func (w *writer) writeMark() {
	if w.cur == nil || w.marked || w.cur.last == 0 || w.dirty() {
		return
	}
	if rec := markRecord(w.l.Synced(), w.cur.id); w.off+int64(len(rec)) <= w.size {
		_, _ = w.handle.WriteAt(rec, w.off)
		w.marked = true
	}
}

// finish ends the log in good order: what is there is synced, the last file has its exact length.
func (w *writer) finish() error {
	err := w.settle() // before the mark says so
	if err == nil && w.cur != nil && w.cur.last != 0 {
		rec := markRecord(w.l.Synced(), w.cur.id)
		end := w.off + int64(len(rec))
		if _, err = w.handle.WriteAt(rec, w.off); err == nil {
			err = w.handle.Truncate(end)
		}
		if err == nil {
			err = w.handle.Sync()
		}
		if err != nil {
			err = fmt.Errorf("wal: close %s: %w", w.cur.path, err)
		}
		w.size = w.off // giveUp has nothing to cut
	}
	if w.cur != nil {
		err = errors.Join(err, w.giveUp())
	}
	if w.preparing {
		err = errors.Join(err, w.dropPrepared())
	}
	w.l.mu.Lock()
	w.l.tellReadersLocked()
	w.l.mu.Unlock()
	return err
}
