package wal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/telemdb/telemdb/storage/invariants"
	"github.com/telemdb/telemdb/storage/vfs"
)

// readBytes is how much a Reader reads at once.
const readBytes = 256 << 10

// Reader gives a log's synced records in order, first those on disk and then new ones as they are synced. It is used
// from one goroutine. While it is open, no file from its position on is trimmed.
type Reader struct {
	l     *Log
	next  uint64 // records below are skipped
	file  *file  // pinned; nil before the first and between two
	after uint64 // number of the file that was finished last

	handle vfs.File
	off    int64  // of the next record
	limit  int64  // everything before is synced
	buf    []byte // bytes of the file from bufOff on
	bufOff int64
	lent   []byte // the last payload
}

// NewReader returns a reader of the records with LSN >= from. What is not in the log any more is skipped.
func (l *Log) NewReader(from uint64) (*Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return nil, ErrClosed
	}
	r := &Reader{l: l, next: from, buf: make([]byte, 0, readBytes)}
	for _, f := range l.files {
		if f.last >= from || f.active {
			r.enterLocked(f)
			break
		}
		r.after = f.number
	}
	return r, nil
}

// enterLocked makes f the reader's file.
func (r *Reader) enterLocked(f *file) {
	f.pins++
	r.file = f
	r.off, r.limit = f.seek(r.next), f.used
	r.buf, r.bufOff = r.buf[:0], r.off
}

// leave lets the reader's file go.
func (r *Reader) leave() error {
	if r.file == nil {
		return nil
	}
	r.l.mu.Lock()
	r.file.pins--
	r.l.mu.Unlock()
	r.after = r.file.number
	r.file = nil
	if r.handle == nil {
		return nil
	}
	err := r.handle.Close()
	r.handle = nil
	return err
}

// Close ends the reader. It is idempotent.
func (r *Reader) Close() error {
	r.endLoan()
	return r.leave()
}

// endLoan makes the payload of the record before unusable.
func (r *Reader) endLoan() {
	invariants.Mangle(r.lent)
	r.lent = nil
}

// Next returns the next synced record and waits for it if there is none yet. It returns ErrClosed when the log is
// closed, an error that wraps ErrFailed when a failed log has no more, ctx's error when that ends, and a *DamageError
// once for damage that Open did not report, after which the next call goes on behind it.
func (r *Reader) Next(ctx context.Context) (Record, error) {
	r.endLoan()
	for {
		if err := r.advance(ctx); err != nil {
			return Record{}, err
		}
		h, payload, size, err := r.parse()
		if err != nil {
			return Record{}, err
		}
		if size == 0 { // a hole that is known
			continue
		}
		r.off += int64(size)
		if h.flags != 0 || h.lsn < r.next {
			continue
		}
		r.next = h.lsn + 1
		r.lent = payload
		return Record{LSN: h.lsn, Kind: h.kind, Payload: payload}, nil
	}
}

// advance makes sure that there are synced bytes at r.off, in this file or in one of the next.
func (r *Reader) advance(ctx context.Context) error {
	for {
		select {
		case <-r.l.closed:
			return ErrClosed
		default:
		}
		if r.file != nil && r.off < r.limit {
			return r.open()
		}
		wait, done, err := r.look()
		switch {
		case err != nil:
			return err
		case done:
			if err := r.leave(); err != nil {
				return err
			}
		case wait != nil:
			select {
			case <-wait:
			case <-r.l.closed:
				return ErrClosed
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

func (r *Reader) open() (err error) {
	if r.handle == nil {
		r.handle, err = r.l.o.FS.Open(r.file.path)
	}
	return err
}

// look sees how far the log has come: there is more, or the file is done, or there is something to wait for.
func (r *Reader) look() (wait <-chan struct{}, done bool, err error) {
	l := r.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.file == nil {
		i := slices.IndexFunc(l.files, func(f *file) bool { return f.number > r.after })
		if i >= 0 {
			r.enterLocked(l.files[i])
			return nil, false, nil
		}
	} else {
		r.limit = r.file.used
		if r.off < r.limit {
			return nil, false, nil
		}
		if n := len(l.files); !r.file.active && (n == 0 || l.files[n-1] != r.file) {
			return nil, true, nil
		}
	}
	if l.failed != nil {
		return nil, false, l.failed
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed, false, nil
}

// parse verifies the record at r.off. size is 0 if it jumped over a hole that has been reported.
func (r *Reader) parse() (h header, payload []byte, size int, err error) {
	if err := r.need(recordHeader); err != nil {
		return h, nil, 0, err
	}
	h, ok := parseHeader(r.buf[r.off-r.bufOff:][:recordHeader])
	if ok && int64(h.length) <= r.limit-r.off-recordHeader {
		if err := r.need(recordHeader + int(h.length)); err != nil {
			return h, nil, 0, err
		}
		h, payload, size, ok = parseRecord(r.buf[r.off-r.bufOff:][:recordHeader+int(h.length)], r.file.id)
		if ok {
			return h, payload, size, nil
		}
	}
	return h, nil, 0, r.skipDamage()
}

// need makes sure that n bytes from r.off are in the buffer.
func (r *Reader) need(n int) error {
	have := r.buf[min(r.off-r.bufOff, int64(len(r.buf))):]
	if len(have) >= n {
		return nil
	}
	if int64(n) > r.limit-r.off {
		n = int(r.limit - r.off) // the caller's parse finds it too short
	}
	want := int(min(r.limit-r.off, int64(max(n, readBytes))))
	if invariants.Sometimes("wal reader reads no more than it needs") {
		want = n
	}
	kept := copy(r.buf[:cap(r.buf)], have)
	r.buf = slices.Grow(r.buf[:kept], want-kept)[:want]
	r.bufOff = r.off
	got, err := r.handle.ReadAt(r.buf[kept:], r.off+int64(kept))
	if kept+got < n {
		r.buf = r.buf[:0]
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("wal: read %d bytes of %s at %d: %w", n, r.file.path, r.off, err)
	}
	r.buf = r.buf[:kept+got]
	return nil
}

// skipDamage moves behind a bad range, silently if recovery has reported it.
func (r *Reader) skipDamage() error {
	for _, h := range r.file.holes {
		if h.off <= r.off && r.off < h.end {
			r.off = h.end
			return nil
		}
	}
	data := make([]byte, r.limit)
	if n, err := r.handle.ReadAt(data[r.off:], r.off); int64(n) < r.limit-r.off {
		return fmt.Errorf("wal: read %s: %w", r.file.path, err)
	}
	if len(bytes.TrimRight(data[r.off:], "\x00")) == 0 && r.next > r.lastOfFile() {
		r.off = r.limit // the unused end of a file, which a crash brought back
		return nil
	}
	bad := hole{off: r.off, end: r.limit, from: r.next, to: r.lastOfFile()}
	for at := int(r.off) + recordAlign; at < len(data); at += recordAlign {
		at = nextCandidate(data, at)
		if h, _, _, ok := parseRecord(data[at:], r.file.id); ok && h.flags == 0 && h.lsn >= r.next {
			bad.end, bad.to = int64(at), h.lsn-1
			break
		}
	}
	r.off = bad.end
	r.next = max(r.next, bad.to+1)
	return &DamageError{bad.damage(r.file)}
}

func (r *Reader) lastOfFile() uint64 {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	return r.file.last
}
