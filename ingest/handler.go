package ingest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/telemdb/telemdb/ingest/ping"
)

// Handler is the submission service: /submit and the health endpoints. It holds no goroutine and no file.
type Handler struct {
	sink       Sink
	o          HTTPOptions
	namespaces map[string]bool // nil: all
	metrics    *httpMetrics
	inflight   atomic.Int64 // bytes reserved for bodies that are being read or not answered yet
	draining   atomic.Bool
}

// NewHandler returns the submission service over sink. Paths are matched as they were sent; do not put http.ServeMux in
// front of it, which redirects paths with empty elements. Other services hang on HTTPOptions.Next.
func NewHandler(sink Sink, o HTTPOptions) *Handler {
	h := &Handler{sink: sink, o: o.withDefaults()}
	for _, ns := range o.Namespaces {
		if h.namespaces == nil {
			h.namespaces = map[string]bool{}
		}
		h.namespaces[ping.Name(ns)] = true
	}
	h.metrics = newHTTPMetrics(h, o.Metrics)
	return h
}

// Drain makes every submission from now on a 503, and the heartbeat fail: the server is about to stop.
func (h *Handler) Drain() { h.draining.Store(true) }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, query := requestPath(r)
	if path == "/submit" || strings.HasPrefix(path, "/submit/") {
		start := h.o.Now()
		code := h.submit(w, r, path, query, start)
		h.metrics.request(code, h.o.Now().Sub(start))
		return
	}
	switch path {
	case "/__lbheartbeat__", "/__heartbeat__", "/__version__", "/status":
		h.health(w, r, path)
	default:
		if h.o.Next != nil {
			h.o.Next.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	}
}

// requestPath returns path and query as they were sent.
func requestPath(r *http.Request) (path, query string) {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, query, _ = strings.Cut(r.RequestURI, "?")
		return path, query
	}
	return r.URL.EscapedPath(), r.URL.RawQuery // absolute form, or a request made by a test
}

// statusClosed stands in metrics for a connection that was closed without an answer.
const statusClosed = 0

// submit answers one submission and returns the status it sent. The checks come in the reference's order: those that
// can never pass (method, length, attributes, size, route), then those that may pass later, then the body.
func (h *Handler) submit(w http.ResponseWriter, r *http.Request, path, query string, start time.Time) int {
	method, ok := submitMethod(r.Method)
	if !ok {
		w.Header().Set("Allow", "POST, PUT")
		return h.refuse(w, http.StatusMethodNotAllowed, "method not allowed")
	}
	if r.ContentLength < 0 || len(r.Header["Content-Length"]) == 0 {
		return h.refuse(w, http.StatusLengthRequired, "length required")
	}
	rec := ping.Record{Time: start.UnixMicro(), Method: method, Protocol: []byte(r.Proto)}
	if code := h.attributes(&rec, r, path, query); code != 0 {
		return h.refuse(w, code, "header too large")
	}
	if r.ContentLength > h.o.MaxBodyBytes {
		return h.refuse(w, http.StatusRequestEntityTooLarge, "payload too large")
	}
	if !h.routed(path) {
		return h.refuse(w, http.StatusNotFound, "not found")
	}
	if code, reason := h.busy(); code != 0 {
		return h.retry(w, code, reason)
	}
	if h.inflight.Load()+r.ContentLength > h.o.MaxInflightBytes {
		return h.retry(w, http.StatusServiceUnavailable, errInflight.Error())
	}
	body, err := h.readBody(w, r)
	switch {
	case err == errInflight:
		return h.retry(w, http.StatusServiceUnavailable, errInflight.Error())
	case err != nil:
		return h.hangUp(w)
	}
	defer body.release(h)
	h.metrics.bytes.Add(float64(r.ContentLength))
	return h.store(w, r, &rec, body.b)
}

func submitMethod(m string) (ping.Method, bool) {
	switch m {
	case http.MethodPost:
		return ping.MethodPost, true
	case http.MethodPut:
		return ping.MethodPut, true
	}
	return 0, false
}

// attributes fills rec with what is kept of the request besides its body. It returns the status for one that is too
// long, or 0.
func (h *Handler) attributes(rec *ping.Record, r *http.Request, path, query string) int {
	long := http.StatusRequestHeaderFieldsTooLarge
	rec.Path, rec.Query = latin1(path), latin1(query)
	if len(rec.Path) > h.o.MaxAttributeBytes || len(rec.Query) > h.o.MaxAttributeBytes {
		if h.o.URITooLong414 {
			return http.StatusRequestURITooLong
		}
		return long
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	rec.RemoteAddr = []byte(host)
	rec.Headers[ping.HeaderHost] = latin1(r.Host)
	for i, name := range headerKeys {
		if v := r.Header[name]; name != "" && len(v) > 0 {
			rec.Headers[i] = latin1(strings.Join(v, ", "))
		}
	}
	if tooLong(rec, h.o.MaxAttributeBytes) {
		return long
	}
	return 0
}

// headerKeys are the captured headers in the form of http.Header's keys; net/http keeps Host apart.
var headerKeys = func() (keys [ping.HeaderCount]string) {
	for h := range ping.HeaderCount {
		if h != ping.HeaderHost {
			keys[h] = headerKey(h)
		}
	}
	return keys
}()

// latin1 returns the bytes of s, read as ISO-8859-1, in UTF-8; never nil.
func latin1(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		out = utf8.AppendRune(out, rune(s[i]))
	}
	return out
}

// routed reports whether the namespace of path is one that is served.
func (h *Handler) routed(path string) bool {
	if h.namespaces == nil {
		return true
	}
	ns, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/submit"), "/"), "/")
	return h.namespaces[ping.Name(ns)]
}

// busy returns the status and reason for which no submission is taken now, or 0.
func (h *Handler) busy() (code int, reason string) {
	switch {
	case h.draining.Load():
		return http.StatusServiceUnavailable, "shutting down"
	case h.sink.DiskState() == DiskFull:
		return http.StatusInsufficientStorage, ""
	case h.sink.Lag() > h.o.MaxLag:
		return http.StatusServiceUnavailable, "decoding lags behind"
	}
	return 0, ""
}

// store gives the record to the log and answers.
func (h *Handler) store(w http.ResponseWriter, r *http.Request, rec *ping.Record, body []byte) int {
	ctx, cancel := context.WithTimeout(r.Context(), h.o.AckTimeout)
	defer cancel()
	head := headBufs.Get().(*[]byte)
	defer headBufs.Put(head)
	*head = ping.EncodeHead((*head)[:0], rec)
	_, err := h.sink.Submit(ctx, *head, body)
	switch {
	case err == nil:
		if h.o.OKBody != "" {
			w.Header().Set("Content-Type", "text/plain")
		}
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(h.o.OKBody)) // the record is safe whether or not the client hears of it
		return http.StatusOK
	case errors.Is(err, ErrDiskFull), errors.Is(err, syscall.ENOSPC):
		return h.retry(w, http.StatusInsufficientStorage, "")
	case errors.Is(err, ErrOverload), errors.Is(err, ErrClosed), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return h.retry(w, http.StatusServiceUnavailable, "not written in time")
	}
	return h.refuse(w, http.StatusInternalServerError, "not written")
}

// refuse answers with a status and a line of text. The body, which may be large, is not read, so the connection ends.
func (h *Handler) refuse(w http.ResponseWriter, code int, text string) int {
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	if text != "" {
		_, _ = w.Write([]byte(text + "\n")) // an error page that is not delivered is no error of ours
	}
	return code
}

// retryAfterSeconds is when a refused client may come back.
const retryAfterSeconds = "30"

// retry is refuse for what may pass later.
func (h *Handler) retry(w http.ResponseWriter, code int, text string) int {
	w.Header().Set("Retry-After", retryAfterSeconds)
	return h.refuse(w, code, text)
}

// hangUp closes the connection without an answer: its client is gone or too slow.
func (h *Handler) hangUp(w http.ResponseWriter) int {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return h.retry(w, http.StatusServiceUnavailable, "body not read in time")
	}
	conn.Close()
	return statusClosed
}
