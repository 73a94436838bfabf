package wire

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
)

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("wire: server closed")

// Options configures a Server. The zero value of every field but Open is a good default.
type Options struct {
	// Open makes a session. Its errors are sent to the client as FATAL. It is required.
	Open func(ctx context.Context, o session.Options) (session.Conn, error)
	// Database is the one that may be connected to; others are refused with 3D000. Empty: Open decides.
	Database string
	// Logger receives what an operator should know. nil discards it.
	Logger *slog.Logger
	// MaxConnections is the number of sessions; ReservedConnections more are kept for the users in Admins.
	// Defaults 100, 3, and telemdb and postgres.
	MaxConnections, ReservedConnections int
	Admins                              []string
	// AllowRemote admits clients from other machines, without a password. Otherwise only loopback addresses and
	// sockets of the file system may connect.
	AllowRemote bool
	// AuthTimeout is the time a client has from connecting to its first ReadyForQuery. Default 10 s.
	AuthTimeout time.Duration
	// PreLoginBytes is the largest start-up packet. Default 10,000.
	PreLoginBytes int
	// MaxMessageBytes is the largest message after that. Default 64 MiB.
	MaxMessageBytes int
	// PipelineBytes is how far a connection is read ahead of the statement that runs. Default 1 MiB.
	PipelineBytes int
	// WriteTimeout is the time without any progress after which a client that does not read is cut off. Default 60 s.
	WriteTimeout time.Duration
	// IdleInTransactionTimeout ends a session that waits for its client inside a transaction. Default 300 s; negative:
	// never.
	IdleInTransactionTimeout time.Duration
	// MaxPortals is the number of portals of one session. Default 256.
	MaxPortals int
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Admins == nil {
		o.Admins = []string{"telemdb", "postgres"}
	}
	setDefault(&o.MaxConnections, 100)
	setDefault(&o.ReservedConnections, 3)
	setDefault(&o.AuthTimeout, 10*time.Second)
	setDefault(&o.PreLoginBytes, 10_000)
	setDefault(&o.MaxMessageBytes, 64<<20)
	setDefault(&o.PipelineBytes, 1<<20)
	setDefault(&o.WriteTimeout, time.Minute)
	setDefault(&o.IdleInTransactionTimeout, 5*time.Minute)
	setDefault(&o.MaxPortals, 256)
	return o
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Server serves sessions on listeners. It owns one goroutine per connection, which owns one reader; Shutdown ends and
// waits for all of them.
type Server struct {
	o    Options
	ctx  context.Context // done when Shutdown begins
	quit context.CancelFunc
	conn sync.WaitGroup

	mu struct {
		sync.Mutex
		listeners map[net.Listener]struct{}
		conns     map[*conn]struct{}
		byPID     map[int32]*conn
		lastPID   int32
		sessions  int            // logged in, or about to be
		strangers map[string]int // not logged in, by address
		unknown   int            // all of them
	}
}

// NewServer returns a server that does nothing yet. It panics if o.Open is nil.
func NewServer(o Options) *Server {
	if o.Open == nil {
		panic("wire: Options.Open is nil")
	}
	s := &Server{o: o.withDefaults()}
	s.ctx, s.quit = context.WithCancel(context.Background())
	s.mu.listeners = map[net.Listener]struct{}{}
	s.mu.conns = map[*conn]struct{}{}
	s.mu.byPID = map[int32]*conn{}
	s.mu.strangers = map[string]int{}
	return s
}

// Serve accepts connections until Shutdown, then returns ErrServerClosed; or until the listener fails. It closes l. It
// may be called for several listeners.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	s.mu.Lock()
	if s.stopping() {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.mu.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.mu.listeners, l)
		s.mu.Unlock()
	}()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			s.start(nc)
			continue
		}
		if s.stopping() {
			return ErrServerClosed
		}
		if !passing(err) {
			return err
		}
		// Out of descriptors, most likely: wait for some to come back, longer each time.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.o.Logger.Warn("accepting a connection failed", "error", err, "retry_in", pause)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-s.ctx.Done():
			t.Stop()
			return ErrServerClosed
		}
	}
}

// passing reports whether a failed Accept is worth another try.
func passing(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func (s *Server) stopping() bool { return s.ctx.Err() != nil }

// start hands a connection to a goroutine of its own, or closes it where strangers are too many.
func (s *Server) start(nc net.Conn) {
	c := newConn(s, nc)
	host := hostOf(nc.RemoteAddr())
	s.mu.Lock()
	all := s.o.MaxConnections + s.o.ReservedConnections
	refuse := s.stopping() || s.mu.unknown >= 4*all || s.mu.strangers[host] >= 2*all
	if !refuse {
		s.mu.conns[c] = struct{}{}
		s.mu.unknown++
		s.mu.strangers[host]++
		s.conn.Add(1)
	}
	s.mu.Unlock()
	if refuse {
		nc.Close()
		return
	}
	go func() {
		defer s.conn.Done()
		c.serve()
		s.mu.Lock()
		delete(s.mu.conns, c)
		s.mu.Unlock()
	}()
}

// known ends a connection's time as a stranger: it has logged in, or never will.
func (s *Server) known(c *conn) {
	host := hostOf(c.nc.RemoteAddr())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.unknown--
	if s.mu.strangers[host]--; s.mu.strangers[host] == 0 {
		delete(s.mu.strangers, host)
	}
}

// enter takes a place for a session and gives it a process number.
func (s *Server) enter(c *conn, user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping() {
		return sqlstate.New(sqlstate.CannotConnectNow, "the database system is shutting down")
	}
	limit := s.o.MaxConnections
	if slices.Contains(s.o.Admins, user) {
		limit += s.o.ReservedConnections
	}
	if s.mu.sessions >= limit {
		return sqlstate.New(sqlstate.TooManyConnections, "sorry, too many clients already").
			WithHint("The setting max_connections is %d, and %d more are kept for administrators.", s.o.MaxConnections, s.o.ReservedConnections)
	}
	s.mu.sessions++
	for {
		s.mu.lastPID = s.mu.lastPID%(1<<31-1) + 1
		if s.mu.byPID[s.mu.lastPID] == nil {
			break
		}
	}
	c.pid = s.mu.lastPID
	s.mu.byPID[c.pid] = c
	return nil
}

// leave gives the place back.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.byPID, c.pid)
	s.mu.sessions--
}

// cancel does what a CancelRequest asks, if it knows the key.
func (s *Server) cancel(pid int32, key uint32) {
	s.mu.Lock()
	c := s.mu.byPID[pid]
	s.mu.Unlock()
	want, known := uint32(0), 0
	if c != nil {
		want, known = c.key, 1
	}
	if subtle.ConstantTimeEq(int32(want), int32(key))&known == 1 {
		c.interrupt(textCancel)
	}
}

// Connections returns the number of sessions.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.sessions
}

// Shutdown stops accepting, ends sessions that wait for their client (57P01) and lets statements that run come to their
// end. When ctx is done it cancels them and closes their connections, and returns ctx's error. It returns when no
// goroutine of the server is left.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.quit() // under mu: start and Serve look at it there
	for l := range s.mu.listeners {
		l.Close()
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		s.conn.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	left := make([]*conn, 0, len(s.mu.conns))
	for c := range s.mu.conns {
		left = append(left, c)
	}
	s.mu.Unlock()
	for _, c := range left {
		c.abort(textShutdown)
	}
	<-done
	return ctx.Err()
}

// hostOf is an address without its port: what limits per client count by.
func hostOf(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.IP.String()
	}
	if a == nil {
		return ""
	}
	return a.Network()
}

// local reports whether a client is on this machine.
func local(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return !ok || t.IP.IsLoopback()
}
