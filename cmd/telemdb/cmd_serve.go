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
	"strconv"
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

// serveOptions are the addresses and the directory of a server, and its limits.
type serveOptions struct {
	data, http, pg string
	db             telemdb.Options
}

func (o *serveOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.data, "data", o.data, "data directory")
	f.StringVar(&o.http, "http", "127.0.0.1:8080", "address for HTTP")
	f.StringVar(&o.pg, "pg", "127.0.0.1:5433", "address for the PostgreSQL protocol")
	f.DurationVar(&o.db.MaxLag, "max-lag", time.Minute, "how far decoding may fall behind before submissions get 503")
	sizeVar(f, &o.db.MaxBodyBytes, "max-body", 8<<20, "largest body of a submission, as sent; larger ones get 413")
	sizeVar(f, &o.db.MaxInflightBytes, "max-inflight", 64<<20, "bodies being read or written at a time; more get 503")
	sizeVar(f, &o.db.SealBytes, "seal-bytes", 256<<20, "unsealed values of a table that become a segment")
	f.DurationVar(&o.db.SealMaxAge, "seal-max-age", 10*time.Minute, "age at which unsealed rows become a segment")
	sizeVar(f, &o.db.CacheBytes, "cache", 1<<30, "cache of column chunks")
	sizeVar(f, &o.db.QueryMemory, "query-memory", 2<<30, "memory of one query; what needs more uses the disk, or fails with 53200")
	sizeVar(f, &o.db.QueriesMemory, "queries-memory", 0, "memory of all running queries together (default half of 60 % of the memory there is)")
	sizeVar(f, &o.db.SpillBytes, "spill-max", 0, "bytes that running queries may keep on disk, all together; more fails them with 53100 (default a quarter of the disk)")
	sizeVar(f, &o.db.CompactionMemory, "compaction-memory", 0, "memory of a merge of segments, at least 32MiB (default a tenth of 60 % of the memory there is)")
	sizeVar(f, &o.db.DiskReserve, "disk-reserve", 0, "free space below which submissions get 507 (default 2 % of the disk, at least 1GiB)")
	sizeVar(f, &o.db.DiskBallast, "disk-ballast", 64<<20, "file given up when the disk is full, so that seals and a start have room")
	sizeVar(f, &o.db.LogFileBytes, "log-file", 64<<20, "size of a log file")
	f.DurationVar(&o.db.LandfillKeep, "landfill-retention", 7*24*time.Hour, "how long sealed log files are kept for replay, at least 1m; negative: not at all")
	sizeVar(f, &o.db.LandfillMaxBytes, "landfill-max", 0, "bytes of sealed log files kept for replay (default 20 % of the disk)")
	f.DurationVar(&o.db.ScrubInterval, "scrub-interval", 7*24*time.Hour, "how often all files are read again and their checksums compared, at least 1m; negative: never")
	sizeVar(f, &o.db.ScrubBytesPerSecond, "scrub-rate", 10<<20, "bytes a second that the scrub reads, at least 64KiB")
	f.IntVar(&o.db.FilesMaxOpen, "files-max-open", 0, "descriptors kept for segments, at least 32 (default half of the process's limit)")
	f.StringVar(&o.db.Durability, "durability", "sync", "when a submission is acknowledged: sync (on disk), interval:<ms> or none (before: a power loss loses some)")
	f.BoolVar(&o.db.StrictLog, "strict-wal", false, "refuse to start where records of the log are lost")
	sizeVar(f, &o.db.LogMaxBytes, "log-max", 4<<30, "unsealed part of the log beyond which submissions get 507")
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
			s, err := startServer(ctx, o, cmd.OutOrStdout())
			if err != nil || s == nil {
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

// startServer opens the listeners and the database, and prints where they are once everything acknowledged is visible.
// It returns nil if ctx ends before: the process may end at any moment of a recovery.
func startServer(ctx context.Context, o serveOptions, out io.Writer) (*server, error) {
	if o.data == "" {
		return nil, errors.New("--data is empty: name a directory, it is made if it is missing")
	}
	if err := errors.Join(loopbackOnly("--http", o.http), loopbackOnly("--pg", o.pg)); err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	o.db.Logger = logger
	var f *front
	// The directory's lock comes first: a second server is told who holds it, not that a port is taken.
	o.db.Locked = func() (err error) {
		f, err = openFront(o.http, o.pg)
		return err
	}
	db, err := openUntil(ctx, o)
	switch {
	case err == nil && db == nil:
		return nil, nil
	case err != nil && f != nil:
		return nil, errors.Join(err, f.close())
	case err != nil:
		return nil, err
	}
	if err := f.handover(); err != nil {
		return nil, errors.Join(err, f.http.TCPListener.Close(), f.pg.TCPListener.Close(), db.Close())
	}
	httpL, pgL := f.http.TCPListener, f.pg.TCPListener
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

// openUntil opens the database. It returns nil and no error if ctx ends first; the caller then ends the process.
func openUntil(ctx context.Context, o serveOptions) (*telemdb.DB, error) {
	type opened struct {
		db  *telemdb.DB
		err error
	}
	done := make(chan opened, 1)
	go func() {
		db, err := telemdb.Open(o.data, o.db)
		done <- opened{db, err}
	}()
	select {
	case r := <-done:
		return r.db, r.err
	case <-ctx.Done():
		return nil, nil
	}
}

// loopbackOnly refuses addresses that others can reach: there is neither TLS nor a password yet.
func loopbackOnly(flag, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s: %q is not host:port, such as 127.0.0.1:8080 (port 0 takes any that is free)", flag, addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%s: %q: the port is a number up to 65535", flag, addr)
	}
	if ip := net.ParseIP(host); host == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%s: address %q can be reached from other machines, and this version has neither TLS nor passwords: "+
		"listen on 127.0.0.1 or ::1 and put a proxy in front", flag, addr)
}

// listen opens a listener and says what to do when the port is taken.
func listen(flag, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is in use by another process: stop it, or choose another port (0 takes any that is free)", flag, addr)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return l, nil
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
