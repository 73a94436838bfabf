package telemdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/telemdb/telemdb/engine/op"
	"github.com/telemdb/telemdb/engine/sched"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/sql/pgcatalog"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/wire"
)

// databaseName is the one database a client may connect to.
const databaseName = "telemdb"

// DB is an open database. Its methods may be called from several goroutines.
type DB struct {
	store    *storage.Store
	opts     Options
	started  time.Time
	sessions session.Config
	queries  *op.MemoryPool
	spill    *spill.Space
	wire     *wire.Server
	handler  *ingest.Handler
	http     *http.Server
	httpOpts ingest.HTTPOptions
	failed   chan struct{}
	closing  sync.Once
	closeErr error
}

// headRecoveryShare is the per cent of the memory budget that unsealed rows may take while the log is read back: nobody
// asks anything then, so they have the share of the queries and half of the cache's too.
const headRecoveryShare = 45

// Open opens the database in dir, making it if need be; "" is a database in memory that ends with Close. A directory
// that another process has open is refused at once, with that process's id, unless Options.ReadOnly is set.
func Open(dir string, o Options) (*DB, error) {
	o = o.withDefaults()
	syncEvery, err := o.syncEvery()
	if err := errors.Join(err, o.validate()); err != nil {
		return nil, err
	}
	db := &DB{opts: o, started: o.Now(), failed: make(chan struct{})}
	so := storage.Options{
		Locked:            o.Locked,
		OnFailed:          db.storeFailed,
		FS:                o.fileSystem(dir),
		Logger:            o.Logger,
		Now:               o.Now,
		CacheBytes:        o.CacheBytes,
		SealBytes:         o.SealBytes,
		SealMaxAge:        o.SealMaxAge,
		HeadRecoveryBytes: storage.MemoryBudget() / 100 * headRecoveryShare,
		HardReserve:       o.DiskReserve,
		BallastBytes:      o.DiskBallast,
		WALFileBytes:      o.LogFileBytes,
		WALMaxBytes:       o.LogMaxBytes,
		WALSyncEvery:      syncEvery,
		StrictWAL:         o.StrictLog,
		LandfillKeep:      o.LandfillKeep,
		LandfillMaxBytes:  o.LandfillMaxBytes,
		CompactionMemory:  o.CompactionMemory,
		FilesMaxOpen:      o.FilesMaxOpen,

		ScrubInterval:       o.ScrubInterval,
		ScrubBytesPerSecond: o.ScrubBytesPerSecond,

		Rollups: []storage.Rollup{rollups.Aggregates{}},
		Decoder: func(env storage.DecodeEnv) (storage.Decoder, error) {
			return ingest.NewDecoder(env, ingest.DecodeOptions{}), nil
		},
		SystemTables: ingest.SystemTables(),
		ReadOnly:     o.ReadOnly,
		Lend:         dir != "" && o.fs == nil && !o.ReadOnly,
	}
	if o.ReadOnly && dir == "" && o.fs == nil {
		return nil, errors.New("a database in memory cannot be opened read-only: it would be empty for ever")
	}
	if o.MustExist && dir != "" {
		if ok, err := storage.Exists(vfs.OS(), dir); err != nil || !ok {
			return nil, errors.Join(fmt.Errorf("%s holds no database", dir), err)
		}
	}
	store, err := storage.Open(dir, so)
	if err != nil {
		return nil, err
	}
	db.store = store
	if err := db.ensureSchema("public"); err != nil && !o.ReadOnly {
		return nil, errors.Join(err, store.Close())
	}
	db.openSpill(dir)
	db.queries = op.NewMemoryPool(max(o.QueriesMemory, 0))
	db.sessions = session.Config{
		DB:       &database{DB: db},
		Catalog:  pgcatalog.New(),
		Workers:  o.Workers,
		Memory:   o.QueryMemory,
		Pool:     db.queries,
		Spill:    db.spill,
		Cores:    sched.NewPool(runtime.GOMAXPROCS(0)),
		Activity: &session.Activity{},
		Now:      func() int64 { return o.Now().UnixMicro() },
	}
	db.httpOpts = db.httpOptions()
	db.handler = ingest.NewHandler(&sink{db}, db.httpOpts)
	db.http = ingest.NewServer(db.handler, db.httpOpts)
	db.wire = wire.NewServer(wire.Options{
		Open:     db.OpenSession,
		Database: databaseName,
		Logger:   o.Logger,
	})
	return db, nil
}

// fileSystem is the operating system's; nil, one in memory, for a database without a directory.
func (o *Options) fileSystem(dir string) vfs.FS {
	switch {
	case o.fs != nil:
		return o.fs
	case dir == "":
		return nil
	}
	return vfs.OS()
}

// ensureSchema makes the schema in which CREATE TABLE puts its tables, in a directory that is new.
func (db *DB) ensureSchema(name string) error {
	err := db.store.CreateSchema(context.Background(), name)
	if errors.Is(err, storage.ErrExists) {
		return nil
	}
	return err
}

func (db *DB) httpOptions() ingest.HTTPOptions {
	v := ReadVersion()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{db}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return ingest.HTTPOptions{
		MaxBodyBytes:     db.opts.MaxBodyBytes,
		MaxInflightBytes: db.opts.MaxInflightBytes,
		MaxLag:           db.opts.MaxLag,
		Now:              db.opts.Now,
		Metrics:          registry,
		Next:             mux,
		Version:          ingest.Version{Source: "https://github.com/telemdb/telemdb", Version: v.Version, Commit: v.Commit, Build: v.Go},
	}
}

// Handler answers submissions (/submit/…), the health endpoints, and /metrics. Serve runs it with the limits a server
// on the network needs; a program that has a server of its own mounts it there.
func (db *DB) Handler() http.Handler { return db.handler }

// ServeHTTP answers submissions on a listener, with limits on connections, headers and time, until it is closed or
// ShutdownHTTP is called.
func (db *DB) ServeHTTP(l net.Listener) error {
	err := db.http.Serve(ingest.LimitListener(l, db.httpOpts))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// ShutdownHTTP refuses new submissions with 503 and waits for those in flight until ctx ends.
func (db *DB) ShutdownHTTP(ctx context.Context) error {
	db.handler.Drain()
	return db.http.Shutdown(ctx)
}

// ServeWire answers the PostgreSQL protocol on a listener until it is closed or ShutdownWire is called.
func (db *DB) ServeWire(l net.Listener) error {
	err := db.wire.Serve(l)
	if errors.Is(err, wire.ErrServerClosed) {
		return nil
	}
	return err
}

// ShutdownWire closes the wire listeners and waits for running statements until ctx ends; then it cancels them.
func (db *DB) ShutdownWire(ctx context.Context) error { return db.wire.Shutdown(ctx) }

// OpenSession opens a SQL session: what the wire protocol, the shell and database/sql use.
func (db *DB) OpenSession(_ context.Context, o session.Options) (session.Conn, error) {
	if o.Database == "" {
		o.Database = databaseName
	}
	return session.New(db.sessions, o)
}

func (db *DB) session(ctx context.Context) (session.Conn, error) {
	return db.OpenSession(ctx, session.Options{User: "telemdb"})
}

// Flush makes every acknowledged ping visible, seals and publishes it.
func (db *DB) Flush(ctx context.Context) error { return db.store.Flush(ctx) }

// Problem is a violation that Check found.
type Problem = storage.Problem

// Check verifies every checksum and invariant and reports all violations. It reads the whole database.
func (db *DB) Check(report func(Problem)) error {
	return db.store.Check(report)
}

// Failed is closed when the store has failed: the log or the manifest could not be synced. Failure then tells why, every
// call returns that error, and only closing and opening again helps.
func (db *DB) Failed() <-chan struct{} { return db.failed }

// Failure returns the error with which the store failed, or nil.
func (db *DB) Failure() error { return db.store.Failed() }

func (db *DB) storeFailed(error) { close(db.failed) }

// DropCaches forgets verified column chunks that are not in use, and what is kept of indexes if that is asked for. They are
// read from the files again when they are needed: for measurements of cold reads.
func (db *DB) DropCaches(indexes bool) { db.store.DropCaches(indexes) }

// Lag is how far decoding is behind: the age of the oldest acknowledged ping that SQL does not see yet.
func (db *DB) Lag() time.Duration { return db.store.Lag() }

// Close waits for running work, syncs, and gives up the directory's lock. Acknowledged pings that are not sealed are
// read back from the log at the next Open. It may be called twice.
func (db *DB) Close() error {
	db.closing.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // running statements are cancelled now
		db.closeErr = errors.Join(db.http.Close(), ignoreCancel(db.wire.Shutdown(ctx)), db.store.Close(), db.closeSpill())
	})
	return db.closeErr
}

// ignoreCancel drops the error of a shutdown that was not meant to wait.
func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
