package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/telemdb/telemdb/engine/sqlstate"
)

// message is one frame from the client. The body belongs to the inbox and is given back by release.
type message struct {
	typ  byte
	body []byte
}

// inbox reads messages ahead of the one that is being worked on. Its goroutine (run) is the only reader of the
// connection; it ends when the connection fails or is closed after a call of close.
type inbox struct {
	r          *bufio.Reader
	maxMessage int
	maxAhead   int
	gone       func() // called once, from run, when the client is gone
	ready      chan struct{}
	free       chan []byte

	mu struct {
		sync.Mutex
		room   sync.Cond // ahead became less, or closed
		queue  []message
		head   int   // of queue: the next one to take
		ahead  int   // bytes of messages taken from the connection and not released
		err    error // nothing more will come; set once
		closed bool
	}
}

const (
	// bodyBytesKept is the size of bodies that are kept for reuse, and that are taken on trust: the buffer of a longer
	// one grows with what has really arrived.
	bodyBytesKept = 64 << 10
	// messageOverhead is what a queued message costs beside its body.
	messageOverhead = 64
)

func newInbox(r io.Reader, maxMessage, maxAhead int, gone func()) *inbox {
	in := &inbox{
		r: bufio.NewReaderSize(r, 8<<10), maxMessage: maxMessage, maxAhead: maxAhead, gone: gone,
		ready: make(chan struct{}, 1), free: make(chan []byte, 4),
	}
	in.mu.room.L = &in.mu
	return in
}

func (in *inbox) run() {
	for {
		m, err := in.read()
		if err == nil {
			err = in.put(m)
		}
		if err == nil {
			continue
		}
		in.mu.Lock()
		in.mu.err = err
		// A violation is answered after the messages before it; of a client that is gone nothing is of interest.
		var violation *sqlstate.Error
		gone := !in.mu.closed && !errors.As(err, &violation)
		if gone {
			in.mu.queue, in.mu.head = nil, 0
		}
		in.mu.Unlock()
		if gone {
			in.gone()
		}
		in.signal()
		return
	}
}

// put queues m, after waiting for room. One message is always let in.
func (in *inbox) put(m message) error {
	n := len(m.body) + messageOverhead
	in.mu.Lock()
	for !in.mu.closed && in.mu.ahead > 0 && in.mu.ahead+n > in.maxAhead {
		in.mu.room.Wait()
	}
	closed := in.mu.closed
	if !closed {
		in.mu.ahead += n
		if in.mu.head > 0 && len(in.mu.queue) == cap(in.mu.queue) {
			// Take the place of those taken: a queue that is never empty does not grow for ever.
			k := copy(in.mu.queue, in.mu.queue[in.mu.head:])
			clear(in.mu.queue[k:])
			in.mu.queue, in.mu.head = in.mu.queue[:k], 0
		}
		in.mu.queue = append(in.mu.queue, m)
	}
	in.mu.Unlock()
	if closed {
		return io.ErrClosedPipe
	}
	in.signal()
	return nil
}

func (in *inbox) signal() {
	select {
	case in.ready <- struct{}{}:
	default:
	}
}

// take returns the next message if there is one. err tells that there will be none.
func (in *inbox) take() (m message, ok bool, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.mu.head == len(in.mu.queue) {
		return m, false, in.mu.err
	}
	m = in.mu.queue[in.mu.head]
	in.mu.queue[in.mu.head] = message{}
	if in.mu.head++; in.mu.head == len(in.mu.queue) {
		in.mu.queue, in.mu.head = in.mu.queue[:0], 0
	}
	return m, true, nil
}

// release gives a message's body back.
func (in *inbox) release(m message) {
	if c := cap(m.body); c > 0 && c <= bodyBytesKept {
		select {
		case in.free <- m.body[:0]:
		default:
		}
	}
	in.mu.Lock()
	in.mu.ahead -= len(m.body) + messageOverhead
	in.mu.Unlock()
	in.mu.room.Signal()
}

// close makes run end at its next look. The caller closes the connection too.
func (in *inbox) close() {
	in.mu.Lock()
	in.mu.closed = true
	in.mu.Unlock()
	in.mu.room.Signal()
}

func (in *inbox) read() (message, error) {
	var head [5]byte
	if _, err := io.ReadFull(in.r, head[:]); err != nil {
		return message{}, err
	}
	n := int64(binary.BigEndian.Uint32(head[1:])) - 4
	if err := in.checkLength(head[0], n); err != nil {
		return message{}, err
	}
	body, err := in.readBody(int(n))
	return message{head[0], body}, err
}

// smallMessage bounds messages that hold no more than names.
const smallMessage = 10_000

func (in *inbox) checkLength(typ byte, n int64) error {
	limit := int64(smallMessage)
	switch typ {
	case 'Q', 'P', 'B', 'd', 'F':
		limit = int64(in.maxMessage)
	case 'C', 'D', 'E', 'H', 'S', 'X', 'c', 'f', 'p':
	default:
		return sqlstate.New(sqlstate.ProtocolViolation, "invalid frontend message type %d", typ)
	}
	if n < 0 || n > 1<<31-5 {
		return sqlstate.New(sqlstate.ProtocolViolation, "invalid message length")
	}
	if n > limit {
		e := sqlstate.New(sqlstate.ProtocolViolation, "message of type %q has %d bytes, more than the limit of %d", typ, n, limit)
		if limit != smallMessage {
			e.Hint = "The setting max_message_bytes bounds a message. Use several statements, or COPY."
		}
		return e
	}
	return nil
}

func (in *inbox) readBody(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	var buf []byte
	select {
	case buf = <-in.free:
	default:
	}
	if n <= bodyBytesKept {
		if cap(buf) < n {
			buf = make([]byte, n, roundUp(n))
		}
		buf = buf[:n]
		_, err := io.ReadFull(in.r, buf)
		return buf, err
	}
	buf = make([]byte, bodyBytesKept)
	for have := 0; ; {
		k, err := io.ReadFull(in.r, buf[have:])
		if have += k; err != nil {
			return nil, fmt.Errorf("in a message of %d bytes: %w", n, err)
		}
		if have == n {
			return buf, nil
		}
		next := make([]byte, min(2*have, n))
		copy(next, buf)
		buf = next
	}
}

// roundUp returns a buffer size that serves the next message too.
func roundUp(n int) int {
	c := 256
	for c < n {
		c *= 2
	}
	return c
}
