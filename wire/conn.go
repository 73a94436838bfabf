package wire

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackc/pgproto3/v2"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
)

// conn is one connection. Everything but interrupt and abort belongs to the goroutine that runs serve.
type conn struct {
	srv    *Server
	nc     net.Conn
	ctx    context.Context // done when the client is gone, or the connection ends
	cancel context.CancelFunc
	in     *inbox
	out    outbox
	pid    int32
	key    uint32
	sess   session.Conn

	skip    bool // after an error in the extended protocol: everything up to Sync
	idle    bool // nothing was taken from the client since ReadyForQuery
	unnamed session.Prepared
	empty   map[string]bool // named statements without a statement
	portals map[string]*portal

	// stop is closed when the session is to end.
	stop     chan struct{}
	stopOnce sync.Once
	// interrupted wakes a COPY FROM STDIN that waits for its client when its statement is to be cancelled.
	interrupted chan string

	mu struct {
		sync.Mutex
		sess session.Conn // to cancel statements of; nil before and after its life
	}
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, nc: nc, interrupted: make(chan string, 1)}
	c.out = outbox{nc: nc, timeout: s.o.WriteTimeout}
	return c
}

// fatal is an error that ends the connection after the client was told.
type fatal struct{ e *sqlstate.Error }

func (f fatal) Error() string { return f.e.Message }

// Unwrap gives the error to errors.As.
func (f fatal) Unwrap() error { return f.e }

// serve lives the connection's life, and leaves nothing running.
func (c *conn) serve() {
	defer c.nc.Close()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.stop = make(chan struct{})
	defer c.cancel()
	var known sync.Once
	familiar := func() { c.srv.known(c) }
	defer known.Do(familiar)

	o, err := c.login()
	if err == nil {
		err = c.admitted(o)
	}
	if err == nil {
		err = c.srv.enter(c, o.User)
	}
	if err != nil {
		c.refuse(err)
		return
	}
	defer c.srv.leave(c)
	if err := c.open(o); err != nil {
		c.refuse(err)
		return
	}
	defer c.closeSession()
	if c.nc.SetDeadline(time.Time{}) != nil {
		return
	}
	known.Do(familiar)

	c.in = newInbox(c.nc, c.srv.o.MaxMessageBytes, c.srv.o.PipelineBytes, func() {
		c.interrupt(textGone)
		c.cancel()
	})
	var reader sync.WaitGroup
	reader.Go(c.in.run)
	c.end(c.talk())
	// The reader is woken without closing: a client that sees the end may count on its place being free again.
	c.in.close()
	c.nc.SetReadDeadline(time.Unix(1, 0))
	reader.Wait()
}

// refuse answers a client that gets no session.
func (c *conn) refuse(err error) {
	if errors.Is(err, errDone) {
		return
	}
	c.out.send(errorResponse("FATAL", asError(err)))
	c.out.flush()
}

// open makes the session, within what is left of AuthTimeout.
func (c *conn) open(o session.Options) (err error) {
	defer c.recovered("opening a session", &err)
	late := time.AfterFunc(c.srv.o.AuthTimeout, c.cancel)
	defer late.Stop()
	var key [4]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	c.key = binary.BigEndian.Uint32(key[:])
	o.PID, o.Remote = c.pid, c.nc.RemoteAddr().String()
	o.End = c.terminate
	sess, err := c.srv.o.Open(c.ctx, o)
	if err != nil {
		return err
	}
	c.sess = sess
	c.portals, c.empty = map[string]*portal{}, map[string]bool{}
	c.mu.Lock()
	c.mu.sess = sess
	c.mu.Unlock()
	return nil
}

func (c *conn) closeSession() {
	var err error
	defer c.recovered("closing a session", &err)
	c.mu.Lock()
	c.mu.sess = nil // Cancel is never called on a closed session
	c.mu.Unlock()
	defer c.sess.Close()
	c.closePortals()
}

// recovered turns a panic into an error, and logs it once, with a number that the client is told too. It is deferred.
func (c *conn) recovered(doing string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	var id [4]byte
	rand.Read(id[:])
	c.srv.o.Logger.Error("panic", "id", fmt.Sprintf("%x", id), "doing", doing, "pid", c.pid, "panic", p, "stack", string(debug.Stack()))
	*err = fatal{sqlstate.New(sqlstate.Internal, "internal error %x; this is a bug in telemdb, its log has the details", id)}
}

// talk answers messages until the connection is to end; err tells why.
func (c *conn) talk() (err error) {
	defer c.recovered("answering a message", &err)
	c.welcome()
	for c.out.err == nil {
		m, err := c.next(waitMessage)
		if err != nil {
			return err
		}
		c.idle = false
		err = c.handle(m)
		c.in.release(m)
		if err != nil {
			return err
		}
	}
	return errDone
}

// end tells the client why its connection ends, if that is a reason of ours.
func (c *conn) end(why error) {
	var f fatal
	if !errors.As(why, &f) {
		return
	}
	c.out.send(errorResponse("FATAL", f.e))
	c.out.flush()
}

// waiting is what a message is awaited for.
type waiting uint8

const (
	waitMessage waiting = iota
	waitCopyData
)

// next returns the next message. Its errors end the connection, but for an interruption of waitCopyData.
func (c *conn) next(w waiting) (message, error) {
	var late <-chan time.Time
	quit, interrupted := c.srv.ctx.Done(), c.interrupted
	if w == waitMessage {
		interrupted = nil
	} else {
		quit = nil // a COPY is in flight: it may come to its end
	}
	for {
		if c.idle && c.srv.stopping() {
			return message{}, fatal{sqlstate.New(sqlstate.AdminShutdown, textShutdown)}
		}
		m, ok, err := c.in.take()
		if ok {
			return m, nil
		}
		if err != nil {
			return message{}, c.ended(err)
		}
		if late == nil && w == waitMessage && c.srv.o.IdleInTransactionTimeout > 0 && c.sess.TxStatus() != 'I' {
			t := time.NewTimer(c.srv.o.IdleInTransactionTimeout)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-c.in.ready:
		case <-c.stop:
			return message{}, fatal{sqlstate.New(sqlstate.AdminShutdown, textShutdown)}
		case <-quit:
			return message{}, fatal{sqlstate.New(sqlstate.AdminShutdown, textShutdown)}
		case reason := <-interrupted:
			return message{}, sqlstate.New(sqlstate.QueryCanceled, "%s", reason)
		case <-late:
			return message{}, fatal{sqlstate.New("25P03", "terminating connection due to idle-in-transaction timeout")}
		}
	}
}

// ended is what the end of the input means: a violation of the protocol is told, a gone client is not.
func (c *conn) ended(err error) error {
	var e *sqlstate.Error
	if errors.As(err, &e) {
		return fatal{e}
	}
	return errDone
}

// endsConn reports whether an error is about the connection, not a statement.
func endsConn(err error) bool {
	var f fatal
	return errors.Is(err, errDone) || errors.As(err, &f)
}

// handle answers one message. Its error ends the connection; what is wrong with a statement is answered here.
func (c *conn) handle(m message) error {
	if m.typ == 'X' {
		return errDone
	}
	if c.skip && m.typ != 'S' {
		return nil
	}
	switch m.typ {
	case 'Q':
		return c.query(m.body)
	case 'P':
		return c.extended(c.parse(m.body))
	case 'B':
		return c.extended(c.bind(m.body))
	case 'D':
		return c.extended(c.describe(m.body))
	case 'E':
		return c.extended(c.execute(m.body))
	case 'C':
		return c.extended(c.close(m.body))
	case 'H':
		return c.out.flush()
	case 'S':
		return c.sync()
	case 'F':
		return c.functionCall()
	case 'd', 'c', 'f':
		return nil // the rest of a COPY that failed
	}
	return fatal{sqlstate.New(sqlstate.ProtocolViolation, "unexpected message of type %q", m.typ)}
}

// extended answers a failed message of the extended protocol: all is skipped up to Sync.
func (c *conn) extended(err error) error {
	if err == nil {
		return nil
	}
	c.skip = true
	return c.failed(err)
}

func (c *conn) functionCall() error {
	err := c.failed(sqlstate.New(sqlstate.FeatureNotSupported, "function calls by protocol message are not supported").
		WithHint("Use SELECT function(…)."))
	if err != nil {
		return err
	}
	c.ready()
	return c.out.err
}

// failed tells the client that a statement failed, and undoes its transaction. An error about the connection is
// returned as it is.
func (c *conn) failed(err error) error {
	if endsConn(err) {
		return err
	}
	e := asError(err)
	if e.Code == sqlstate.AdminShutdown {
		return fatal{e}
	}
	if e.Code == sqlstate.Internal {
		c.srv.o.Logger.Error("a statement failed with an internal error", "pid", c.pid, "error", e.Message)
	}
	c.notices()
	c.out.send(errorResponse("ERROR", e))
	if c.sess.TxStatus() == 'I' {
		c.closePortals()
	}
	if err := c.sess.EndBatch(context.WithoutCancel(c.ctx), true); err != nil {
		c.srv.o.Logger.Error("undoing a failed transaction", "pid", c.pid, "error", err)
	}
	return nil
}

// ready ends an exchange: what changed is reported, and the client may send the next query.
func (c *conn) ready() {
	c.parameterStatus()
	c.out.send(&pgproto3.ReadyForQuery{TxStatus: c.sess.TxStatus()})
	c.out.flush()
	c.idle = true
}

func (c *conn) parameterStatus() {
	for _, s := range c.sess.Reported() {
		c.out.send(&pgproto3.ParameterStatus{Name: s.Name, Value: s.Value})
	}
}

func (c *conn) notices() {
	for _, n := range c.sess.Notices() {
		c.out.send(noticeResponse(n))
	}
}

// interrupt makes the running statement fail with 57014. Safe from any goroutine.
func (c *conn) interrupt(reason string) {
	c.mu.Lock()
	if c.mu.sess != nil {
		c.mu.sess.Cancel(reason)
	}
	c.mu.Unlock()
	select {
	case c.interrupted <- reason:
	default:
	}
}

// terminate ends the session when its statement, which is cancelled, has ended. Safe from any goroutine.
func (c *conn) terminate() {
	c.stopOnce.Do(func() { close(c.stop) })
	c.interrupt(textShutdown)
}

// abort ends the connection now. Safe from any goroutine.
func (c *conn) abort(reason string) {
	c.interrupt(reason)
	c.nc.Close()
}
