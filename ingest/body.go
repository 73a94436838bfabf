package ingest

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// body is a request's body in memory, and the share of ingest.max_inflight_bytes it has reserved. The share grows with
// what has come, not with what was announced: a few slow senders of large bodies must not keep the others out.
type body struct {
	b        []byte
	reserved int
}

const (
	bodyStep = 16 << 10 // what a body reserves before its first byte
	bodyKeep = 1 << 20  // the largest buffer that is kept for reuse
)

// errInflight means that ingest.max_inflight_bytes are in use.
var errInflight = errors.New("too many bytes in flight")

var (
	bodies   = sync.Pool{New: func() any { return new(body) }}
	headBufs = sync.Pool{New: func() any { return new([]byte) }}
)

// reserve raises the share to n bytes.
func (b *body) reserve(h *Handler, n int) error {
	more := int64(n - b.reserved)
	if h.inflight.Add(more) > h.o.MaxInflightBytes {
		h.inflight.Add(-more)
		return errInflight
	}
	b.reserved = n
	return nil
}

// release gives everything back.
func (b *body) release(h *Handler) {
	h.inflight.Add(-int64(b.reserved))
	b.b, b.reserved = b.b[:0], 0
	if cap(b.b) <= bodyKeep {
		bodies.Put(b)
	}
}

// readBody reads exactly Content-Length bytes, as they are. A sender that falls below the least rate after the grace,
// or takes longer than the timeout, fails it. The caller releases the result.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	size := int(r.ContentLength)
	out := bodies.Get().(*body)
	err := out.reserve(h, min(size, bodyStep))
	rc := http.NewResponseController(w)
	began := time.Now() // deadlines are the connection's own clock, not HTTPOptions.Now
	for err == nil && len(out.b) < size {
		n := len(out.b)
		if n == out.reserved {
			if err = out.reserve(h, min(size, 2*n)); err != nil {
				break
			}
		}
		if cap(out.b) < out.reserved {
			out.b = append(make([]byte, 0, out.reserved), out.b...)
		}
		due := min(h.o.BodyTimeout, h.o.BodyGrace+time.Duration(n)*time.Second/time.Duration(h.o.MinBodyRate))
		_ = rc.SetReadDeadline(began.Add(due)) // a connection without deadlines (a test's recorder) is read without
		var got int
		got, err = r.Body.Read(out.b[n:out.reserved])
		out.b = out.b[:n+got]
		if len(out.b) == size {
			err = nil // whatever stands behind the last byte
		}
	}
	_ = rc.SetReadDeadline(time.Time{})
	if err == nil {
		return out, nil
	}
	out.release(h)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}
