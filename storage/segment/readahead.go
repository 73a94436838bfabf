package segment

import (
	"io"
	"sync"

	"github.com/telemdb/telemdb/storage/vfs"
)

// ReadAhead has reads that follow each other in the file read so many bytes at a time: a merge reads thousands of small
// chunks in the order in which they lie. It is called before anything is read, by the reader's one user.
func (r *Reader) ReadAhead(bytes int) { r.file = &aheadFile{File: r.file, room: bytes} }

// aheadFile holds the bytes that were read last and what lies behind them.
type aheadFile struct {
	vfs.File
	room int

	mu   sync.Mutex
	buf  []byte // the file's from at on
	at   int64
	next int64 // end of the last read
}

// ReadAt implements io.ReaderAt. Reads that are large, or somewhere else than the one before, are the file's.
func (f *aheadFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	follows := off >= f.next && off-f.next < int64(f.room)
	f.next = off + int64(len(p))
	if off >= f.at && f.next <= f.at+int64(len(f.buf)) {
		return copy(p, f.buf[off-f.at:]), nil
	}
	if !follows || 2*len(p) > f.room {
		return f.File.ReadAt(p, off)
	}
	if f.buf == nil {
		f.buf = make([]byte, f.room)
	}
	n, err := f.File.ReadAt(f.buf[:f.room], off)
	f.at, f.buf = off, f.buf[:n]
	if n = copy(p, f.buf); n == len(p) {
		return n, nil // the end of the file, or a fault, lies behind what is wanted
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
