package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/wire"
)

// front is the two listeners of a server. From the moment in which the directory is locked until the log is read back it
// answers on them itself: the heartbeat of load balancers with 200, everything else with 503, SQL with 57P03.
type front struct {
	http, pg *lentListener
	refuser  *http.Server
	wire     *wire.Server
	serving  sync.WaitGroup
}

// openFront opens the listeners and begins to answer.
func openFront(httpAddr, pgAddr string) (*front, error) {
	httpL, err := listen("--http", httpAddr)
	if err != nil {
		return nil, err
	}
	pgL, err := listen("--pg", pgAddr)
	if err != nil {
		return nil, errors.Join(err, httpL.Close())
	}
	f := &front{http: &lentListener{TCPListener: httpL.(*net.TCPListener)}, pg: &lentListener{TCPListener: pgL.(*net.TCPListener)}}
	f.refuser = ingest.NewServer(ingest.Starting(), ingest.HTTPOptions{})
	f.wire = wire.NewServer(wire.Options{Open: func(context.Context, session.Options) (session.Conn, error) {
		return nil, sqlstate.New(sqlstate.CannotConnectNow, "the database system is starting up")
	}})
	// Both end when the listeners are taken back; what they return then says no more than that.
	f.serving.Go(func() { _ = f.refuser.Serve(ingest.LimitListener(f.http, ingest.HTTPOptions{})) })
	f.serving.Go(func() { _ = f.wire.Serve(f.pg) })
	return f, nil
}

// handover ends the front's own answers. The listeners stay open: whoever connects meanwhile waits for the database.
func (f *front) handover() error {
	err := errors.Join(f.http.end(), f.pg.end())
	f.serving.Wait()
	// Connections in the middle of a refusal may finish it; those that say nothing are closed.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if f.refuser.Shutdown(ctx) != nil {
		err = errors.Join(err, f.refuser.Close())
	}
	_ = f.wire.Shutdown(ctx) // cuts off what is not done in time
	return errors.Join(err, f.http.SetDeadline(time.Time{}), f.pg.SetDeadline(time.Time{}))
}

// close gives up: the database did not open.
func (f *front) close() error {
	return errors.Join(f.handover(), f.http.TCPListener.Close(), f.pg.TCPListener.Close())
}

// lentListener is a listener for one server after the other: a server closes what it serves, this one stays open.
type lentListener struct {
	*net.TCPListener
	ended atomic.Bool
}

// Accept returns net.ErrClosed once the listener is taken back.
func (l *lentListener) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if err != nil && l.ended.Load() {
		return nil, net.ErrClosed
	}
	return c, err
}

// Close does nothing: the listener belongs to the front.
func (l *lentListener) Close() error { return nil }

// end takes the listener back from the server that accepts on it.
func (l *lentListener) end() error {
	l.ended.Store(true)
	return l.SetDeadline(time.Now())
}
