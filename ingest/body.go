package ingest

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// bodyKeep is the largest buffer that is kept for reuse.
const bodyKeep = 1 << 20

var (
	bodyBufs = sync.Pool{New: func() any { return new([]byte) }}
	headBufs = sync.Pool{New: func() any { return new([]byte) }}
)

func putBody(b *[]byte) {
	if cap(*b) <= bodyKeep {
		bodyBufs.Put(b)
	}
}

// bodyStep is how much memory a body gets before its first byte has come; a client that announces more has to send it.
const bodyStep = 64 << 10

// readBody reads exactly Content-Length bytes, as they are. A sender that falls below the least rate after the grace,
// or takes longer than the timeout, fails it.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request, start time.Time) (*[]byte, error) {
	size := int(r.ContentLength)
	buf := bodyBufs.Get().(*[]byte)
	b := (*buf)[:0]
	rc := http.NewResponseController(w)
	// Deadlines are the connection's own clock, not HTTPOptions.Now.
	began := time.Now()
	end := began.Add(h.o.BodyTimeout)
	var err error
	for err == nil && len(b) < size {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(size, max(2*cap(b), bodyStep))), b...)
		}
		due := began.Add(h.o.BodyGrace + time.Duration(len(b))*time.Second/time.Duration(h.o.MinBodyRate))
		if due.After(end) {
			due = end
		}
		// A connection that takes no deadlines (a test's recorder) is read without.
		_ = rc.SetReadDeadline(due)
		var n int
		n, err = r.Body.Read(b[len(b):min(cap(b), size)])
		b = b[:len(b)+n]
	}
	_ = rc.SetReadDeadline(time.Time{})
	*buf = b
	if len(b) == size {
		return buf, nil
	}
	putBody(buf)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}
