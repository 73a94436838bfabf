package ingest

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// HTTPOptions are the settings of the submission service. Zero fields take their defaults. The tags name the settings.
type HTTPOptions struct {
	MaxBodyBytes      int64         `setting:"ingest.max_body_bytes"`              // 8 MiB as sent; more is 413
	MaxAttributeBytes int           `setting:"ingest.max_attribute_bytes"`         // 1,024 of UTF-8: path, query, each kept header; more is 431
	MaxHeaderBytes    int           `setting:"ingest.max_header_bytes"`            // 16 KiB for all headers; more is 431
	ReadHeaderTimeout time.Duration `setting:"ingest.read_header_timeout"`         // 5 s, then the connection is closed
	IdleTimeout       time.Duration `setting:"ingest.idle_timeout"`                // 75 s between requests
	MinBodyRate       int64         `setting:"ingest.min_body_rate"`               // 1,024 bytes a second after BodyGrace
	BodyGrace         time.Duration `setting:"ingest.body_grace"`                  // 5 s
	BodyTimeout       time.Duration `setting:"ingest.body_timeout"`                // 90 s for a whole body
	MaxConnections    int           `setting:"ingest.max_connections"`             // 16,384, for LimitListener
	MaxPerAddress     int           `setting:"ingest.max_connections_per_address"` // 1,024, for LimitListener
	MaxInflightBytes  int64         `setting:"ingest.max_inflight_bytes"`          // 64 MiB of bodies being read or waiting; more is 503
	AckTimeout        time.Duration `setting:"ingest.ack_timeout"`                 // 10 s for the log's sync, then 503
	MaxLag            time.Duration `setting:"ingest.max_lag"`                     // 60 s from the log to SQL, then 503

	// URITooLong414 answers 414 instead of 431 where the path or the query is too long.
	URITooLong414 bool `setting:"ingest.uri_too_long_414"`
	// OKBody is the body of a 200; the default is empty.
	OKBody string `setting:"ingest.ok_body"`
	// Namespaces, if not empty, are the only ones that have a route; the others are 404.
	Namespaces []string `setting:"ingest.namespaces"`

	// Version is what /__version__ answers.
	Version Version
	// Next answers every path that is none of ours; nil: 404.
	Next http.Handler
	// Metrics, if not nil, is where the service's metrics are registered. It has none of them yet: one handler, one registry.
	Metrics prometheus.Registerer
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Version is the Dockerflow version object.
type Version struct {
	Source  string `json:"source"`
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Build   string `json:"build"`
}

func (o HTTPOptions) withDefaults() HTTPOptions {
	o.MaxBodyBytes = orDefault(o.MaxBodyBytes, 8<<20)
	o.MaxAttributeBytes = orDefault(o.MaxAttributeBytes, 1024)
	o.MaxHeaderBytes = orDefault(o.MaxHeaderBytes, 16<<10)
	o.ReadHeaderTimeout = orDefault(o.ReadHeaderTimeout, 5*time.Second)
	o.IdleTimeout = orDefault(o.IdleTimeout, 75*time.Second)
	o.MinBodyRate = orDefault(o.MinBodyRate, 1024)
	o.BodyGrace = orDefault(o.BodyGrace, 5*time.Second)
	o.BodyTimeout = orDefault(o.BodyTimeout, 90*time.Second)
	o.MaxConnections = orDefault(o.MaxConnections, 16384)
	o.MaxPerAddress = orDefault(o.MaxPerAddress, 1024)
	o.MaxInflightBytes = max(orDefault(o.MaxInflightBytes, 64<<20), o.MaxBodyBytes)
	o.AckTimeout = orDefault(o.AckTimeout, 10*time.Second)
	o.MaxLag = orDefault(o.MaxLag, time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// NewServer returns a server for h with the timeouts and header limits of o. The caller runs it, on a listener that
// LimitListener has wrapped, and shuts it down: Handler.Drain first, then Server.Shutdown.
func NewServer(h http.Handler, o HTTPOptions) *http.Server {
	o = o.withDefaults()
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: o.ReadHeaderTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    max(o.MaxHeaderBytes-headerSlop, 1),
	}
}

// headerSlop is what net/http allows on top of MaxHeaderBytes.
const headerSlop = 4096
