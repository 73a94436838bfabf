package ingest

import (
	"net"
	"sync"
	"time"
)

// LimitListener returns l with bounds on open connections, in all and per client address. A connection beyond the first
// is closed at once; one beyond the second is told 503. It has no goroutines of its own.
func LimitListener(l net.Listener, o HTTPOptions) net.Listener {
	o = o.withDefaults()
	return &limitListener{Listener: l, total: o.MaxConnections, perAddr: o.MaxPerAddress, byAddr: map[string]int{}}
}

type limitListener struct {
	net.Listener
	total, perAddr int

	mu     sync.Mutex
	open   int
	byAddr map[string]int
}

// tooManyAnswer is what a connection beyond its address's share hears.
const tooManyAnswer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: " + retryAfterSeconds + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

func (l *limitListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			addr = c.RemoteAddr().String()
		}
		ok, tell := l.enter(addr)
		if ok {
			return &limitedConn{Conn: c, leave: sync.OnceFunc(func() { l.leave(addr) })}, nil
		}
		if tell {
			// The socket is new, so that its buffer takes the answer; the deadline is for a peer with a zero window.
			_ = c.SetWriteDeadline(time.Now().Add(time.Millisecond))
			_, _ = c.Write([]byte(tooManyAnswer))
		}
		_ = c.Close()
	}
}

// enter counts a connection; tell says whether a refused one gets an answer.
func (l *limitListener) enter(addr string) (ok, tell bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.total {
		return false, false
	}
	if l.byAddr[addr] >= l.perAddr {
		return false, true
	}
	l.open++
	l.byAddr[addr]++
	return true, false
}

func (l *limitListener) leave(addr string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.byAddr[addr]--; l.byAddr[addr] == 0 {
		delete(l.byAddr, addr)
	}
}

type limitedConn struct {
	net.Conn
	leave func()
}

func (c *limitedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
