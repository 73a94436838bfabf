package wal

import (
	"errors"
	"fmt"
	"time"

	"github.com/telemdb/telemdb/storage/vfs"
)

// preparedFile is a file made ahead of time: when records go into it, its head and its directory entry are durable.
type preparedFile struct {
	header fileHeader
	handle vfs.File
	err    error
}

// preparation asks for a file.
type preparation struct {
	header fileHeader
	fill   bool
}

// prepareFiles makes files as the writer asks for them.
func (w *writer) prepareFiles() {
	for p := range w.prepare {
		f, err := createFile(w.l.o.FS, w.l.o.Dir, p.header, w.l.o.FileBytes)
		if err == nil && p.fill {
			err = w.fill(f)
			if err != nil {
				err = errors.Join(err, f.Close(), removeFile(w.l.o.FS, w.l.path(p.header.number)))
				f = nil
			}
		}
		w.prepared <- preparedFile{p.header, f, err} // never blocks: one request is out at a time
	}
}

// fillBytes is how much of a file is filled at once.
const fillBytes = 1 << 20

// fill writes zeros over a file's reserved range, until the writer needs it. Journaling file systems record for each
// block of such a range that it has been written once; over blocks that have been, a sync is only the data's own write,
// and does not wait for the journal, in which everybody else's writes stand too: a third off the median and most of the
// tail. It costs each byte a second write, so the writer asks for it only while the log is far from busy.
func (w *writer) fill(f vfs.File) error {
	zeros := make([]byte, fillBytes)
	for off := int64(headBytes); off < w.l.o.FileBytes && !w.hurry.Load(); off += fillBytes {
		if _, err := f.WriteAt(zeros[:min(fillBytes, w.l.o.FileBytes-off)], off); err != nil {
			return err
		}
		if err := f.SyncData(); err != nil {
			return err
		}
	}
	return nil
}

// rotate ends the current file and starts one with room for need bytes.
func (w *writer) rotate(need int64) error {
	if w.cur != nil {
		if err := w.settle(); err != nil { // only the last file may hold what is not durable
			return err
		}
		if err := w.unmark(); err != nil {
			return err
		}
		if err := w.giveUp(); err != nil {
			w.l.o.Logger.Warn("log file ended badly; its records are safe", "err", err)
		}
	}
	next, err := w.takeFile()
	if err != nil {
		return err
	}
	size := w.l.o.FileBytes
	if headBytes+need > size {
		size = headBytes + need
		if err = next.handle.Preallocate(size); err == nil {
			err = next.handle.Sync()
		}
		if err != nil {
			return errors.Join(err, next.handle.Close(), w.l.o.FS.Remove(w.l.path(next.header.number)))
		}
	}
	w.start(next, size)
	return nil
}

// unmark takes the mark, if there is one, off the end of the file behind which the log goes on, durably: it was never
// synced, so a power loss could leave a part of it, which at the end of the log is taken for what it is, but not here.
func (w *writer) unmark() error {
	if !w.marked {
		return nil
	}
	if err := w.handle.Truncate(w.off); err != nil {
		return err // the file goes on; the next group tries again
	}
	w.size = w.off
	if err := w.handle.Sync(); err != nil {
		return fmt.Errorf("%w: cutting the mark off %s: %w", ErrFailed, w.cur.path, err)
	}
	w.marked = false
	return nil
}

// takeFile returns the prepared file, or makes one.
func (w *writer) takeFile() (preparedFile, error) {
	if w.preparing {
		w.preparing = false
		w.hurry.Store(true)
		p := <-w.prepared
		w.hurry.Store(false)
		if p.err == nil {
			return p, nil
		}
		// Whatever stood in its way may have passed: try once more, now that somebody waits for the answer.
	}
	p := preparedFile{header: w.l.newFileHeader()}
	p.handle, p.err = createFile(w.l.o.FS, w.l.o.Dir, p.header, w.l.o.FileBytes)
	return p, p.err
}

// start makes p the current file.
func (w *writer) start(p preparedFile, size int64) {
	w.handle, w.off, w.size, w.marked, w.started = p.handle, headBytes, size, false, time.Now()
	w.cur = &file{
		number: p.header.number, id: p.header.id, created: p.header.created, path: w.l.path(p.header.number),
		used: headBytes, active: true, changed: p.header.created,
	}
	w.l.mu.Lock()
	w.l.files = append(w.l.files, w.cur)
	w.l.mu.Unlock()
}

// giveUp ends the current file: its unused end is cut off, and a file without records is removed. What it does need not
// be durable: recovery takes zeros behind the last record, and a file without records, for what they are.
func (w *writer) giveUp() error {
	var err error
	if w.size > w.off {
		err = w.handle.Truncate(w.off)
	}
	err = errors.Join(err, w.handle.Close())
	l := w.l
	l.mu.Lock()
	w.cur.active = false
	empty := w.cur.last == 0
	if empty {
		l.files = l.files[:len(l.files)-1]
	}
	l.tellReadersLocked()
	l.mu.Unlock()
	if empty {
		err = errors.Join(err, removeFile(l.o.FS, w.cur.path))
	}
	w.cur, w.handle = nil, nil
	return err
}

// dropPrepared removes the file that was made ahead and is not needed.
func (w *writer) dropPrepared() error {
	w.preparing = false
	w.hurry.Store(true)
	p := <-w.prepared
	if p.err != nil {
		return nil // it has been removed, and nobody asked for it
	}
	return errors.Join(p.handle.Close(), removeFile(w.l.o.FS, w.l.path(p.header.number)))
}
