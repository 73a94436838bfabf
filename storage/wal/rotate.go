package wal

import (
	"errors"

	"github.com/telemdb/telemdb/storage/vfs"
)

// preparedFile is a file made ahead of time: when records go into it, its head and its directory entry are durable.
type preparedFile struct {
	header fileHeader
	handle vfs.File
	err    error
}

// prepareFiles makes files as the writer asks for them.
func (w *writer) prepareFiles() {
	for h := range w.prepare {
		f, err := createFile(w.l.o.FS, w.l.o.Dir, h, w.l.o.FileBytes)
		w.prepared <- preparedFile{h, f, err} // never blocks: one request is out at a time
	}
}

// rotate ends the current file and starts one with room for need bytes.
func (w *writer) rotate(need int64) error {
	if w.cur != nil {
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

// takeFile returns the prepared file, or makes one.
func (w *writer) takeFile() (preparedFile, error) {
	if w.preparing {
		w.preparing = false
		if p := <-w.prepared; p.err == nil {
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
	w.handle, w.off, w.size, w.marked = p.handle, headBytes, size, false
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
	p := <-w.prepared
	if p.err != nil {
		return nil // it has been removed, and nobody asked for it
	}
	return errors.Join(p.handle.Close(), removeFile(w.l.o.FS, w.l.path(p.header.number)))
}
