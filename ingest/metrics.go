package ingest

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// httpMetrics are the service's metrics. No label comes from client input.
type httpMetrics struct {
	requests [600]prometheus.Counter // by status; filled for the statuses we send
	bytes    prometheus.Counter
	seconds  prometheus.Histogram
}

// statuses are all that submit returns.
var statuses = []int{statusClosed, 200, 404, 405, 411, 413, 414, 431, 500, 503, 507}

func newHTTPMetrics(h *Handler, reg prometheus.Registerer) *httpMetrics {
	m := &httpMetrics{
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "telemdb_ingest_received_bytes_total", Help: "Bytes of bodies read, as sent."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "telemdb_ingest_request_seconds", Help: "Time to answer a submission, from its headers to its status.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16)}),
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "telemdb_ingest_requests_total", Help: "Submissions by status; \"closed\" were hung up without one."}, []string{"code"})
	for _, code := range statuses {
		label := "closed"
		if code != statusClosed {
			label = strconv.Itoa(code)
		}
		m.requests[code] = requests.WithLabelValues(label)
	}
	inflight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "telemdb_ingest_inflight_bytes", Help: "Bytes of bodies being read or waiting for the log."},
		func() float64 { return float64(h.inflight.Load()) })
	lag := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "telemdb_ingest_decode_lag_seconds", Help: "Age of the oldest logged record that no query can see yet."},
		func() float64 { return h.sink.Lag().Seconds() })
	if reg != nil {
		reg.MustRegister(requests, m.bytes, m.seconds, inflight, lag)
	}
	return m
}

func (m *httpMetrics) request(code int, took time.Duration) {
	m.requests[code].Inc()
	m.seconds.Observe(took.Seconds())
}
