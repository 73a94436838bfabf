package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSink keeps what is submitted.
type fakeSink struct {
	mu      sync.Mutex
	records []ping.Record
	fail    error
	wait    chan struct{} // if not nil, Submit blocks until it is closed or ctx ends
	lag     atomic.Int64
	disk    atomic.Uint32
}

func (s *fakeSink) Submit(ctx context.Context, head, body []byte) (uint64, error) {
	if s.wait != nil {
		select {
		case <-s.wait:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if s.fail != nil {
		return 0, s.fail
	}
	var r ping.Record
	if err := ping.DecodeRecord(append(bytes.Clone(head), body...), &r); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r)
	return uint64(len(s.records)), nil
}

func (s *fakeSink) Lag() time.Duration   { return time.Duration(s.lag.Load()) }
func (s *fakeSink) DiskState() DiskState { return DiskState(s.disk.Load()) }

func (s *fakeSink) last(t *testing.T) ping.Record {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records) == 0 {
		t.Fatal("nothing was stored")
	}
	return s.records[len(s.records)-1]
}

func (s *fakeSink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records)
}

// serve runs the service on a real listener.
func serve(t *testing.T, o HTTPOptions) (*fakeSink, *Handler, string) {
	t.Helper()
	sink := &fakeSink{}
	h := NewHandler(sink, o)
	srv := httptest.NewUnstartedServer(nil)
	srv.Listener = LimitListener(srv.Listener, o)
	srv.Config = NewServer(h, o)
	srv.Config.ErrorLog = nil
	srv.Start()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		srv.Close()
	})
	return sink, h, srv.URL
}

func request(t *testing.T, method, url string, body io.Reader, change func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestEverySampleIsKeptAsSent(t *testing.T) {
	sink, _, url := serve(t, HTTPOptions{})
	env := newFakeEnv()
	worker := NewDecoder(env.env(), DecodeOptions{}).NewWorker()
	for i, s := range samples(t) {
		body := s.text
		method := "POST"
		if i%2 == 1 {
			body, method = gzipped(t, string(s.text)), "PUT"
		}
		code, text, _ := request(t, method, url+s.uri+"?v=4", bytes.NewReader(body), func(r *http.Request) {
			r.Header.Set("Content-Encoding", "gzip") // a lie half of the time, and never looked at
		})
		if code != 200 || text != "" {
			t.Fatalf("%s: %d %q", s.file, code, text)
		}
		rec := sink.last(t)
		if !bytes.Equal(rec.Body, body) || string(rec.Path) != s.uri || string(rec.Query) != "v=4" || rec.Method.String() != method {
			t.Fatalf("%s: record differs: %s?%s %v, %d bytes", s.file, rec.Path, rec.Query, rec.Method, len(rec.Body))
		}
		var out storage.Decoded
		worker.Decode(ping.AppendRecord(nil, &rec), uint64(i), &out)
		if got := groupOfRow(t, env, &out).document(); out.Table != s.table || !sameJSON(t, []byte(got), s.text) {
			t.Fatalf("%s: %v %.200s", s.file, out.Table, got)
		}
	}
}

func TestRecordHoldsTheRequestsAttributes(t *testing.T) {
	now := time.Date(2018, 3, 12, 21, 2, 18, 123456789, time.UTC)
	sink, _, url := serve(t, HTTPOptions{Now: func() time.Time { return now }})
	code, _, _ := request(t, "POST", url+mainURI, strings.NewReader("{}"), func(r *http.Request) {
		r.Header.Set("X-PingSender-Version", "1.0")
		r.Header.Set("DNT", "")
		r.Header.Set("Date", "Mon, 12 Mar 2018 21:02:18 GMT")
		r.Header.Set("X-Debug-ID", "caf\xe9")
		r.Header.Set("X-Unknown", "not kept")
		r.Header["X-Forwarded-For"] = []string{"1.1.1.1", "2.2.2.2"}
		r.Host = "telemetry.example"
	})
	rec := sink.last(t)
	if code != 200 || rec.Time != now.UnixMicro() || string(rec.Protocol) != "HTTP/1.1" || string(rec.RemoteAddr) != "127.0.0.1" {
		t.Error(code, rec.Time, string(rec.Protocol), string(rec.RemoteAddr))
	}
	for h, want := range map[ping.Header]string{
		ping.HeaderXPingsenderVersion: "1.0", ping.HeaderDNT: "", ping.HeaderDate: "Mon, 12 Mar 2018 21:02:18 GMT", ping.HeaderXDebugID: "café",
		ping.HeaderXForwardedFor: "1.1.1.1, 2.2.2.2", ping.HeaderHost: "telemetry.example", ping.HeaderContentLength: "2",
	} {
		if got := rec.Headers[h]; got == nil || string(got) != want {
			t.Errorf("%s = %q, want %q", ping.HeaderNames[h], got, want)
		}
	}
	if rec.Headers[ping.HeaderXSourceTags] != nil {
		t.Error("a header that was not sent is there")
	}
}

func TestRecordOfASubmissionWithoutHTTP(t *testing.T) {
	r, err := NewRecord(mainURI+"?v=4", http.Header{"Dnt": {"1"}, "X-Debug-Id": {"é"}, "Cookie": {"no"}}, "::1", time.UnixMicro(7))
	if err != nil {
		t.Fatal(err)
	}
	if string(r.Path) != mainURI || string(r.Query) != "v=4" || r.Time != 7 || string(r.RemoteAddr) != "::1" ||
		string(r.Headers[ping.HeaderDNT]) != "1" || string(r.Headers[ping.HeaderXDebugID]) != "é" || r.Headers[ping.HeaderHost] != nil {
		t.Errorf("%+v", r)
	}
	if _, err := NewRecord(mainURI, nil, "", time.Now()); err != nil {
		t.Error(err)
	}
	for _, uri := range []string{"/" + strings.Repeat("x", 1024), "/?" + strings.Repeat("x", 1025)} {
		if _, err := NewRecord(uri, nil, "", time.Now()); !errors.Is(err, ErrAttributeTooLong) {
			t.Error(err)
		}
	}
}

func TestStatusCodes(t *testing.T) {
	long := func(n int) string { return mainURI + "/" + strings.Repeat("x", n-len(mainURI)-1) }
	for _, c := range []struct {
		name, method, path, header, value string
		body                              io.Reader
		o                                 HTTPOptions
		code                              int
		text                              string
	}{
		{name: "post", code: 200},
		{name: "put", method: "PUT", code: 200},
		{name: "body of 200 by setting", o: HTTPOptions{OKBody: "OK"}, code: 200, text: "OK"},
		{name: "get", method: "GET", code: 405, text: "method not allowed\n"},
		{name: "delete", method: "DELETE", code: 405, text: "method not allowed\n"},
		{name: "chunked", body: io.MultiReader(strings.NewReader("{}")), code: 411, text: "length required\n"},
		{name: "no body", body: http.NoBody, code: 200},
		{name: "path at the limit", path: long(1024), code: 200},
		{name: "path above", path: long(1025), code: 431, text: "header too large\n"},
		{name: "path above, by setting", path: long(1025), o: HTTPOptions{URITooLong414: true}, code: 414, text: "header too large\n"},
		{name: "query at the limit", path: mainURI + "?" + strings.Repeat("q", 1024), code: 200},
		{name: "query above", path: mainURI + "?" + strings.Repeat("q", 1025), code: 431, text: "header too large\n"},
		{name: "header at the limit", header: "X-Debug-Id", value: strings.Repeat("d", 1024), code: 200},
		{name: "header above", header: "X-Debug-Id", value: strings.Repeat("d", 1025), code: 431, text: "header too large\n"},
		{name: "512 bytes of 0xFF are 1,024 of UTF-8", header: "Dnt", value: strings.Repeat("\xff", 512), code: 200},
		{name: "513 are too many", header: "Dnt", value: strings.Repeat("\xff", 513), code: 431, text: "header too large\n"},
		{name: "a header that is not kept may be long", header: "X-Other", value: strings.Repeat("d", 5000), code: 200},
		{name: "body at the limit", body: strings.NewReader(strings.Repeat("x", 8<<20)), code: 200},
		{name: "body above", body: strings.NewReader(strings.Repeat("x", 8<<20+1)), code: 413, text: "payload too large\n"},
		{name: "no route", path: "/other", code: 404, text: "404 page not found\n"},
		{name: "like a route", path: "/submitted/x", code: 404, text: "404 page not found\n"},
		{name: "bare", path: "/submit", code: 200},
		{name: "empty elements", path: "/submit//a//b/../c", code: 200},
		{name: "namespace not on the list", path: "/submit/b/x/1/" + docID, o: HTTPOptions{Namespaces: []string{"a", "telemetry"}}, code: 404, text: "not found\n"},
		{name: "namespace on the list", o: HTTPOptions{Namespaces: []string{"a", "telemetry"}}, code: 200},
		{name: "malformed escape", path: "/submit/%zz", code: 400, text: "400 Bad Request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sink, h, url := serve(t, c.o)
			if c.path == "" {
				c.path = mainURI
			}
			if c.method == "" {
				c.method = "POST"
			}
			if c.body == nil {
				c.body = strings.NewReader("{}")
			}
			var code int
			var text string
			if strings.Contains(c.path, "%zz") {
				code, text = rawRequest(t, url, "POST "+c.path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
			} else {
				code, text, _ = request(t, c.method, url+c.path, c.body, func(r *http.Request) {
					if c.header != "" {
						r.Header[c.header] = []string{c.value}
					}
				})
			}
			if code != c.code || text != c.text {
				t.Errorf("%d %.100q, want %d %q", code, text, c.code, c.text)
			}
			if stored := sink.count() == 1; stored != (c.code == 200) {
				t.Errorf("stored: %v", stored)
			}
			if c.code == 200 {
				path, _, _ := strings.Cut(c.path, "?")
				if got := string(sink.last(t).Path); got != path {
					t.Errorf("path %q, want %q", got, path)
				}
			}
			if n := h.inflight.Load(); n != 0 {
				t.Errorf("%d bytes still in flight", n)
			}
		})
	}
}

// rawRequest sends bytes and reads one answer; code 0 if the connection was closed without one.
func rawRequest(t *testing.T, url, text string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, conn)
}

func readAnswer(t *testing.T, conn net.Conn) (int, string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return 0, ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // a refusal may cut it
	return resp.StatusCode, strings.TrimPrefix(string(body), resp.Status+": ")
}

func TestAllHeadersTogetherAreBounded(t *testing.T) {
	sink, _, url := serve(t, HTTPOptions{})
	head := "POST " + mainURI + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nX-Other: "
	if code, _ := rawRequest(t, url, head+strings.Repeat("d", 16<<10-len(head)-4)+"\r\n\r\n"); code != 200 {
		t.Error(code)
	}
	if code, _ := rawRequest(t, url, head+strings.Repeat("d", 16<<10)+"\r\n\r\n"); code != 431 || sink.count() != 1 {
		t.Error(code, sink.count())
	}
}

func TestLengthIsRequiredEvenWithoutABody(t *testing.T) {
	_, _, url := serve(t, HTTPOptions{})
	if code, _ := rawRequest(t, url, "POST "+mainURI+" HTTP/1.1\r\nHost: x\r\n\r\n"); code != 411 {
		t.Error(code)
	}
}

func TestControlBytesInHeadersAreRefusedByTheHTTPLayer(t *testing.T) {
	_, _, url := serve(t, HTTPOptions{})
	if code, _ := rawRequest(t, url, "POST "+mainURI+" HTTP/1.1\r\nHost: x\r\nDNT: \x01\r\nContent-Length: 0\r\n\r\n"); code != 400 {
		t.Error(code)
	}
	if code, _ := rawRequest(t, url, "POST "+mainURI+" HTTP/1.1\r\nHost: x\r\nDNT: a\tb\xff\r\nContent-Length: 0\r\n\r\n"); code != 200 {
		t.Error(code)
	}
}

func TestWhatMayPassLaterIsNever4xx(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*fakeSink, *Handler)
		code int
	}{
		{"overload", func(s *fakeSink, _ *Handler) { s.fail = fmt.Errorf("log: %w", ErrOverload) }, 503},
		{"closing store", func(s *fakeSink, _ *Handler) { s.fail = ErrClosed }, 503},
		{"shutdown", func(_ *fakeSink, h *Handler) { h.Drain() }, 503},
		{"lag at the limit", func(s *fakeSink, _ *Handler) { s.lag.Store(int64(time.Minute)) }, 200},
		{"lag above", func(s *fakeSink, _ *Handler) { s.lag.Store(int64(time.Minute + 1)) }, 503},
		{"disk low", func(s *fakeSink, _ *Handler) { s.disk.Store(uint32(DiskLow)) }, 200},
		{"disk full", func(s *fakeSink, _ *Handler) { s.disk.Store(uint32(DiskFull)) }, 507},
		{"disk full while writing", func(s *fakeSink, _ *Handler) { s.fail = fmt.Errorf("log: %w", ErrDiskFull) }, 507},
		{"ENOSPC", func(s *fakeSink, _ *Handler) { s.fail = fmt.Errorf("write: %w", syscall.ENOSPC) }, 507},
		{"failed sync", func(s *fakeSink, _ *Handler) { s.fail = errors.New("sync failed") }, 500},
		{"stalled disk", func(s *fakeSink, _ *Handler) { s.wait = make(chan struct{}) }, 503},
		{"bytes in flight", func(_ *fakeSink, h *Handler) { h.inflight.Store(64<<20 - 1) }, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			sink, h, url := serve(t, HTTPOptions{AckTimeout: 50 * time.Millisecond})
			c.set(sink, h)
			code, _, header := request(t, "POST", url+mainURI, strings.NewReader("{}"), nil)
			if code != c.code {
				t.Errorf("%d, want %d", code, c.code)
			}
			if retry := header.Get("Retry-After") != ""; retry != (code == 503 || code == 507) {
				t.Errorf("Retry-After sent: %v", retry)
			}
		})
	}
}

func TestSlowSenderIsHungUpOnAndNothingIsStored(t *testing.T) {
	for name, o := range map[string]HTTPOptions{
		"rate":    {BodyGrace: 30 * time.Millisecond, MinBodyRate: 1 << 20},
		"timeout": {BodyTimeout: 30 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			o.Metrics = reg
			sink, h, url := serve(t, o)
			code, _ := rawRequest(t, url, "POST "+mainURI+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
			if code != 0 || sink.count() != 0 {
				t.Error(code, sink.count())
			}
			for deadline := time.Now().Add(10 * time.Second); h.inflight.Load() != 0 && time.Now().Before(deadline); {
				runtime.Gosched() // the hang-up is seen before the handler returns
			}
			if n := h.inflight.Load(); n != 0 {
				t.Errorf("%d bytes still in flight", n)
			}
			for deadline := time.Now().Add(10 * time.Second); gathered(t, reg)["telemdb_ingest_requests_total closed"] != 1; {
				if time.Now().After(deadline) {
					t.Fatal("the hang-up is not counted")
				}
			}
		})
	}
}

func TestSlowSendersOfLargeBodiesDoNotKeepOthersOut(t *testing.T) {
	sink, h, url := serve(t, HTTPOptions{MaxInflightBytes: 8 << 20})
	for range 20 { // they announce 160 MiB
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST "+mainURI+" HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, _ := request(t, "POST", url+mainURI, strings.NewReader("{}"), nil); code != 200 || sink.count() != 1 {
		t.Error(code, sink.count())
	}
	if n := h.inflight.Load(); n > 20*bodyStep {
		t.Errorf("%d bytes reserved for 20 bytes", n)
	}
}

func TestBodyThatFindsNoRoomHalfWayIsRefused(t *testing.T) {
	sink, h, url := serve(t, HTTPOptions{MaxInflightBytes: 8 << 20})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST "+mainURI+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	for h.inflight.Load() != bodyStep { // the request is being read
		runtime.Gosched()
	}
	h.inflight.Add(8<<20 - bodyStep)
	if _, err := io.WriteString(conn, strings.Repeat(" ", bodyStep)); err != nil {
		t.Fatal(err)
	}
	if code, _ := readAnswer(t, conn); code != 503 || sink.count() != 0 {
		t.Error(code, sink.count())
	}
	if n := h.inflight.Load(); n != 8<<20-bodyStep {
		t.Errorf("%d bytes in flight", n)
	}
}

func TestHeadersThatNeverEndCloseTheConnection(t *testing.T) {
	sink, _, url := serve(t, HTTPOptions{ReadHeaderTimeout: 30 * time.Millisecond})
	if code, _ := rawRequest(t, url, "POST "+mainURI+" HTTP/1.1\r\nHost: x\r\nX-A: "); code != 0 || sink.count() != 0 {
		t.Error(code, sink.count())
	}
}

func TestClientThatLeavesMidBodyStoresNothing(t *testing.T) {
	sink, h, url := serve(t, HTTPOptions{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST "+mainURI+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if code, _ := readAnswer(t, conn); code != 0 || sink.count() != 0 || h.inflight.Load() != 0 {
		t.Error(code, sink.count(), h.inflight.Load())
	}
	conn.Close()
}

func TestKeptConnectionsGoOnAfterTheBodyDeadline(t *testing.T) {
	sink, _, url := serve(t, HTTPOptions{BodyGrace: 20 * time.Millisecond, BodyTimeout: 20 * time.Millisecond})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 3 {
		if i > 0 {
			<-time.After(30 * time.Millisecond) // the deadline of the body before must not outlive it
		}
		if _, err := io.WriteString(conn, "POST "+mainURI+" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
			t.Fatal(err)
		}
		if code, _ := readAnswer(t, conn); code != 200 {
			t.Fatal(code)
		}
	}
	if sink.count() != 3 {
		t.Error(sink.count())
	}
}

func TestHundredConcurrentSendersAreAllStored(t *testing.T) {
	sink, h, url := serve(t, HTTPOptions{})
	const senders, each = 100, 5
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := range each {
				body := fmt.Sprintf(`{"n":%d,"pad":"%s"}`, i*each+j, strings.Repeat("x", i*500))
				resp, err := http.Post(url+mainURI, "application/json", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != 200 {
					t.Error(resp.StatusCode)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, r := range sink.records {
		n, _, _ := strings.Cut(string(r.Body), ",")
		seen[n] = true
	}
	if len(seen) != senders*each || sink.count() != senders*each || h.inflight.Load() != 0 {
		t.Errorf("%d bodies of %d, %d records, %d bytes in flight", len(seen), senders*each, sink.count(), h.inflight.Load())
	}
}

func TestHealthEndpoints(t *testing.T) {
	sink, h, url := serve(t, HTTPOptions{Version: Version{"https://example.org", "1.2.3", "abc", "b1"}})
	get := func(path string, code int, want string) {
		t.Helper()
		if got, text, _ := request(t, "GET", url+path, nil, nil); got != code || text != want {
			t.Errorf("GET %s: %d %s, want %d %s", path, got, text, code, want)
		}
	}
	const well = `{"status":"ok","checks":{"check_disk_bytes_free":"ok","check_queue_size":"ok"},"details":{}}`
	get("/__lbheartbeat__", 200, "")
	get("/__heartbeat__", 200, well)
	get("/__version__", 200, `{"source":"https://example.org","version":"1.2.3","commit":"abc","build":"b1"}`)
	get("/status", 200, "OK")
	get("/nothing", 404, "404 page not found\n")
	if code, _, _ := request(t, "POST", url+"/__heartbeat__", nil, nil); code != 405 {
		t.Error(code)
	}
	sink.disk.Store(uint32(DiskLow))
	get("/__heartbeat__", 200, `{"status":"warning","checks":{"check_disk_bytes_free":"warning","check_queue_size":"ok"},"details":{"check_disk_bytes_free":`+
		`{"status":"warning","level":30,"messages":{"telemdb.checks.W001":"disk bytes free below disk.soft_reserve"}}}}`)
	sink.disk.Store(uint32(DiskFull))
	get("/__heartbeat__", 500, `{"status":"error","checks":{"check_disk_bytes_free":"error","check_queue_size":"ok"},"details":{"check_disk_bytes_free":`+
		`{"status":"error","level":40,"messages":{"edge.checks.E001":"disk bytes free below threshold"}}}}`)
	get("/status", 500, "error\n")
	sink.disk.Store(uint32(DiskOK))
	h.Drain()
	if code, _, _ := request(t, "GET", url+"/__heartbeat__", nil, nil); code != 500 {
		t.Error(code)
	}
	get("/__lbheartbeat__", 200, "")
}

func TestOtherServicesHangOnNext(t *testing.T) {
	_, _, url := serve(t, HTTPOptions{Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "next ", r.URL.Path) })})
	if code, text, _ := request(t, "GET", url+"/sql", nil, nil); code != 200 || text != "next /sql" {
		t.Error(code, text)
	}
}

// gathered returns the values of all counters and gauges, by name and label value.
func gathered(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}

func TestMetricsCountByStatus(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	sink, _, url := serve(t, HTTPOptions{Metrics: reg})
	sink.lag.Store(int64(1500 * time.Millisecond))
	request(t, "POST", url+mainURI, strings.NewReader("{}"), nil)
	request(t, "POST", url+mainURI, strings.NewReader("[1]"), nil)
	request(t, "GET", url+mainURI, nil, nil)
	got := gathered(t, reg)
	for name, want := range map[string]float64{
		"telemdb_ingest_requests_total 200": 2, "telemdb_ingest_requests_total 405": 1, "telemdb_ingest_requests_total 503": 0,
		"telemdb_ingest_received_bytes_total": 5, "telemdb_ingest_request_seconds": 3, "telemdb_ingest_decode_lag_seconds": 1.5,
		"telemdb_ingest_inflight_bytes": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s = %v %v, want %v", name, v, ok, want)
		}
	}
	if want := len(statuses) + 4; len(got) != want {
		t.Errorf("%d series, want %d", len(got), want)
	}
}

func TestConnectionsBeyondTheBoundsAreRefused(t *testing.T) {
	dial := func(url string) net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	post := "POST " + mainURI + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
	for _, c := range []struct {
		name string
		o    HTTPOptions
		code int
	}{
		{"total", HTTPOptions{MaxConnections: 2}, 0},
		{"per address", HTTPOptions{MaxPerAddress: 2}, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, url := serve(t, c.o)
			a, b := dial(url), dial(url)
			defer b.Close()
			for _, conn := range []net.Conn{a, b} { // both are accepted before the third comes
				if _, err := io.WriteString(conn, post); err != nil {
					t.Fatal(err)
				}
				if code, _ := readAnswer(t, conn); code != 200 {
					t.Fatal(code)
				}
			}
			third := dial(url)
			if code, _ := readAnswer(t, third); code != c.code {
				t.Errorf("%d, want %d", code, c.code)
			}
			third.Close()
			a.Close()
			for code := 0; code != 200; { // a place becomes free as soon as the server sees the end of a
				fourth := dial(url)
				if _, err := io.WriteString(fourth, post); err == nil {
					code, _ = readAnswer(t, fourth)
				}
				fourth.Close()
			}
		})
	}
}

func BenchmarkSubmit(b *testing.B) {
	h := NewHandler(nullSink{}, HTTPOptions{})
	body := bytes.Repeat([]byte("x"), 39<<10)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", mainURI, bytes.NewReader(body))
		r.Header.Set("Content-Length", "39936")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

type nullSink struct{}

func (nullSink) Submit(context.Context, []byte, []byte) (uint64, error) { return 1, nil }
func (nullSink) Lag() time.Duration                                     { return 0 }
func (nullSink) DiskState() DiskState                                   { return DiskOK }
