package telemdb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage"
)

// Submission is a ping as a client sends it.
type Submission struct {
	// URI is the path and query: "/submit/telemetry/<id>/main/Firefox/61.0a1/nightly/20180328030202?v=4".
	URI string
	// Body is the document, plain or gzipped. It is kept exactly as given.
	Body []byte
	// Header holds what is kept of the request's headers; may be nil.
	Header http.Header
	// RemoteAddr is the sender's address; may be empty.
	RemoteAddr string
	// Received is the receive time, which decides the partition. Zero: now.
	Received time.Time
}

// Errors of Ingest. Each may be wrapped with more detail.
var (
	ErrOverloaded = storage.ErrOverloaded // try again later: too many bytes wait for the log
	ErrFull       = storage.ErrFull       // the disk is full
	ErrClosed     = storage.ErrClosed
)

// Ingest takes a ping and returns its log sequence number when it is durable. What the document holds is not looked at
// here: a broken one becomes a row of telemdb.errors.
func (db *DB) Ingest(ctx context.Context, s Submission) (lsn uint64, err error) {
	if s.Received.IsZero() {
		s.Received = db.opts.Now()
	}
	r, err := ingest.NewRecord(s.URI, s.Header, s.RemoteAddr, s.Received)
	if err != nil {
		return 0, err
	}
	return db.store.Submit(ctx, ping.EncodeHead(nil, r), s.Body)
}

// sink is what the HTTP handler submits to.
type sink struct{ db *DB }

func (s *sink) Submit(ctx context.Context, head, body []byte) (uint64, error) {
	lsn, err := s.db.store.Submit(ctx, head, body)
	for _, e := range []struct{ from, to error }{
		{storage.ErrOverloaded, ingest.ErrOverload}, {storage.ErrFull, ingest.ErrDiskFull}, {storage.ErrClosed, ingest.ErrClosed},
	} {
		if errors.Is(err, e.from) {
			return 0, fmt.Errorf("%w: %w", e.to, err)
		}
	}
	return lsn, err
}

func (s *sink) Failure() error { return s.db.Failure() }

func (s *sink) Lag() time.Duration { return s.db.store.Lag() }

func (s *sink) DiskState() ingest.DiskState {
	switch s.db.store.Disk() {
	case storage.DiskFull:
		return ingest.DiskFull
	case storage.DiskLow:
		return ingest.DiskLow
	}
	return ingest.DiskOK
}
