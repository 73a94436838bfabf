package wire

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/jackc/pgproto3/v2"
)

// outbox gathers what goes to the client. After a failed write it takes everything and sends nothing, so that callers
// need to look at err only where they could go on for long.
type outbox struct {
	nc      net.Conn
	timeout time.Duration // without progress
	buf     []byte
	err     error
}

// The buffer is sent when it holds this much, and given back to the collector when one message made it far larger.
const (
	outFlushBytes = 32 << 10
	outKeepBytes  = 256 << 10
)

func (o *outbox) send(m pgproto3.BackendMessage) {
	b, err := m.Encode(o.buf)
	if err != nil { // more than 65,535 fields: the planner refuses that long before
		o.fail(err)
		return
	}
	o.buf = b
	o.spill()
}

// raw appends a message that is complete: kind, and body without its length.
func (o *outbox) raw(kind byte, body []byte) {
	n := uint32(len(body) + 4)
	o.buf = append(o.buf, kind, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	o.buf = append(o.buf, body...)
	o.spill()
}

func (o *outbox) spill() {
	if len(o.buf) >= outFlushBytes {
		o.flush()
	}
}

// flush sends what is gathered. It blocks while the client does not read, up to the timeout without progress.
func (o *outbox) flush() error {
	p := o.buf
	for len(p) > 0 && o.err == nil {
		if err := o.nc.SetWriteDeadline(time.Now().Add(o.timeout)); err != nil {
			o.fail(err)
			break
		}
		n, err := o.nc.Write(p)
		p = p[n:]
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			o.fail(err)
		}
	}
	if cap(o.buf) > outKeepBytes {
		o.buf = nil
	}
	o.buf = o.buf[:0]
	return o.err
}

func (o *outbox) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}
