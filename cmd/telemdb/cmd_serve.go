package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/telemdb/telemdb"
)

// stopWithin is how long a stop waits for requests and queries in flight.
const stopWithin = 30 * time.Second

// exitSyncFailed is the status of a server whose log could not be synced: what is in memory must not be trusted, and a
// restart reads back what is on disk.
const exitSyncFailed = exitCode(74)

// serveOptions are the addresses and the directory of a server.
type serveOptions struct{ data, http, pg string }

func (o *serveOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.data, "data", o.data, "data directory")
	cmd.Flags().StringVar(&o.http, "http", "127.0.0.1:8080", "address for HTTP")
	cmd.Flags().StringVar(&o.pg, "pg", "127.0.0.1:5433", "address for the PostgreSQL protocol")
}

func serveCommand() *cobra.Command {
	o := serveOptions{data: "telemdb-data"}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			s, err := startServer(o, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			return s.run(ctx, stop)
		},
	}
	o.flags(cmd)
	return cmd
}

// server is a running database with its listeners.
type server struct {
	db      *telemdb.DB
	failed  chan error    // a listener, the feed or the store has given up
	stopped chan struct{} // closed by stop
	logger  *slog.Logger
}

// startServer opens the database and the listeners, and prints where they are.
func startServer(o serveOptions, out io.Writer) (*server, error) {
	for _, addr := range []string{o.http, o.pg} {
		if err := loopbackOnly(addr); err != nil {
			return nil, err
		}
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	// The directory's lock comes first: a second server is told who holds it, not that a port is taken.
	db, err := telemdb.Open(o.data, telemdb.Options{Logger: logger})
	if err != nil {
		return nil, err
	}
	httpL, err := net.Listen("tcp", o.http)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--http: %w", err), db.Close())
	}
	pgL, err := net.Listen("tcp", o.pg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--pg: %w", err), httpL.Close(), db.Close())
	}
	s := &server{db: db, failed: make(chan error, 4), stopped: make(chan struct{}), logger: logger}
	go func() { s.failed <- db.ServeHTTP(httpL) }()
	go func() { s.failed <- db.ServeWire(pgL) }()
	go func() {
		select {
		case <-db.Failed():
			s.failed <- db.Failure()
		case <-s.stopped:
		}
	}()
	dir, err := filepath.Abs(o.data)
	if err != nil {
		dir = o.data
	}
	fmt.Fprintf(out, "status   http://%s/__heartbeat__\nsubmit   http://%s/submit/\nsql      psql 'postgres://telemdb@%s/telemdb'\ndata     %s\n",
		httpL.Addr(), httpL.Addr(), pgL.Addr(), dir)
	return s, nil
}

// loopbackOnly refuses addresses that others can reach: there is neither TLS nor a password yet.
func loopbackOnly(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("address %q can be reached from other machines, and this version has neither TLS nor passwords: "+
		"listen on 127.0.0.1 or ::1 and put a proxy in front", addr)
}

// run waits for the end: a signal stops cleanly, a second one at once.
func (s *server) run(ctx context.Context, restoreSignals func()) error {
	var cause error
	select {
	case <-ctx.Done():
		restoreSignals()
	case cause = <-s.failed:
	}
	return errors.Join(cause, s.stop())
}

// stop lets requests in flight finish, syncs, and closes. A store that failed ends the process with its own status.
func (s *server) stop() error {
	close(s.stopped)
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	err := errors.Join(s.db.ShutdownHTTP(ctx), s.db.ShutdownWire(ctx))
	if failure := s.db.Failure(); failure != nil {
		s.logger.Error("the store has failed; start again to recover from disk", "error", failure)
		return exitSyncFailed
	}
	return errors.Join(err, s.db.Close())
}
