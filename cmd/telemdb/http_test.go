package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/storage/wal"
)

func newURI() string {
	return "/submit/telemetry/" + uuid.NewString() + "/main/Firefox/61.0a1/nightly/20180328030202?v=4"
}

// post submits a body and returns the status.
func post(t testing.TB, p *process, uri string, body []byte) int {
	t.Helper()
	resp, err := http.Post(p.http+uri, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func dial(t testing.TB, p *process) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(p.http, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func readSome(t testing.TB, c net.Conn) string {
	t.Helper()
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// The statuses of raw requests, and their order: the first check that fails answers.
func TestRawRequestsGetTheirStatus(t *testing.T) {
	p := serve(t, t.TempDir())
	long := "/submit/" + strings.Repeat("a", 2000)
	head := func(line, fields string) string { return line + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" }
	const two = "Content-Length: 2\r\n"
	for _, c := range []struct {
		name, request string
		want          int
	}{
		{"telemetry POST", head("POST "+newURI(), two) + "{}", 200},
		{"telemetry PUT", head("PUT "+newURI(), two) + "{}", 200},
		{"generic POST", head("POST /submit/eng-workflow/hgpush/1/"+uuid.NewString(), two) + "{}", 200},
		{"HTTP/1.0", "POST " + newURI() + " HTTP/1.0\r\n" + two + "\r\n{}", 200},
		{"empty body", head("POST "+newURI(), "Content-Length: 0\r\n"), 200},
		{"GET", head("GET "+newURI(), ""), 405},
		{"HEAD", head("HEAD "+newURI(), ""), 405},
		{"DELETE before all else", head("DELETE "+long, ""), 405},
		{"no length", head("POST "+newURI(), ""), 411},
		{"chunked", head("POST "+newURI(), "Transfer-Encoding: chunked\r\n") + "2\r\n{}\r\n0\r\n\r\n", 411},
		{"no length before a long path", head("POST "+long, ""), 411},
		{"path of 1,024", head("POST /submit/"+strings.Repeat("a", 1024-8), two) + "{}", 200},
		{"path of 1,025", head("POST /submit/"+strings.Repeat("a", 1025-8), two), 431},
		{"long path before a long body", head("POST "+long, "Content-Length: 9000000\r\n"), 431},
		{"header of 1,024 as UTF-8", head("POST "+newURI(), two+"User-Agent: "+strings.Repeat("\xff", 512)+"\r\n") + "{}", 200},
		{"header of 1,026 as UTF-8", head("POST "+newURI(), two+"User-Agent: "+strings.Repeat("\xff", 513)+"\r\n"), 431},
		{"headers above 16 KiB", head("POST "+newURI(), two+"X-Other: "+strings.Repeat("a", 17<<10)+"\r\n"), 431},
		{"8 MiB and a byte", head("POST "+newURI(), fmt.Sprintf("Content-Length: %d\r\n", 8<<20+1)), 413},
		{"8 MiB", head("POST "+newURI(), fmt.Sprintf("Content-Length: %d\r\n", 8<<20)) + strings.Repeat("x", 8<<20), 200},
		{"raw space", head("POST /sub mit", two), 400},
		{"two lengths", head("POST "+newURI(), two+"Content-Length: 3\r\n"), 400},
		{"TLS on this port", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400},
		{"no route", head("POST /other", two) + "{}", 404},
		{"POST to the heartbeat", head("POST /__heartbeat__", two) + "{}", 405},
	} {
		if got := rawStatus(t, p, c.request); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func rawStatus(t *testing.T, p *process, request string) int {
	t.Helper()
	c := dial(t, p)
	defer c.Close() // a server that sees a thousand of them idle refuses the next
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	resp.Body.Close()
	if s := resp.StatusCode; (s == 503 || s == 507) != (resp.Header.Get("Retry-After") != "") {
		t.Errorf("status %d with Retry-After %q", s, resp.Header.Get("Retry-After"))
	}
	return resp.StatusCode
}

func TestHealthEndpoints(t *testing.T) {
	p := serve(t, t.TempDir())
	for _, c := range []struct{ path, kind, body string }{
		{"/__lbheartbeat__", "", ""},
		{"/__heartbeat__", "application/json", `{"status":"ok","checks":{"check_disk_bytes_free":"*","check_queue_size":"ok"},"details":*`},
		{"/__version__", "application/json", `{"source":"*","version":"*","commit":"*","build":"*"}`},
		{"/status", "text/plain; charset=utf-8", "OK"},
		{"/metrics", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "*telemdb_decode_lag_seconds *"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			req, err := http.NewRequest(method, p.http+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%s %s: %d %v", method, c.path, resp.StatusCode, err)
			}
			want := c.body
			if method == "HEAD" {
				want = ""
			}
			if !matches(want, string(body)) || c.body != "" && resp.Header.Get("Content-Type") != c.kind {
				t.Errorf("%s %s: %q %.200q", method, c.path, resp.Header.Get("Content-Type"), body)
			}
		}
	}
}

// matches holds text against a pattern in which * stands for anything, line ends included.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) || !strings.HasSuffix(text, parts[len(parts)-1]) {
		return false
	}
	for _, part := range parts {
		_, after, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = after
	}
	return true
}

// A connection goes on after each accepted submission, and ends after a refusal whose body was not read.
func TestConnectionsAreKeptAfterSuccess(t *testing.T) {
	p := serve(t, t.TempDir())
	c := dial(t, p)
	in := bufio.NewReader(c)
	for i := range 5 {
		if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nnot json", newURI()); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 200 || resp.Close {
			t.Fatalf("request %d: %v %+v", i, err, resp)
		}
		resp.Body.Close()
	}
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n\r\n", newURI()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 411 || !resp.Close {
		t.Fatalf("%v %+v", err, resp)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		t.Fatalf("the connection is not closed: %v", err)
	}
}

// What a client sent is in the log, byte for byte, whatever it was.
func TestBodiesAreKeptAsTheyWereSent(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	noise := make([]byte, 100_000)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{}
	for _, body := range [][]byte{
		{}, []byte("{}"), []byte(" { \"a\" : 1.0 }\r\n"), gzipped([]byte(`{"a":1}`)), gzipped([]byte(`{"a":1}`))[:15], noise, bytes.Repeat([]byte{0}, 8<<20),
	} {
		uri := newURI()
		if got := post(t, p, uri, body); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
		path, _, _ := strings.Cut(uri, "?")
		want[path] = body
	}
	p.stop(t)
	names, err := filepath.Glob(filepath.Join(dir, "wal", "*.wal"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		_, damage, err := wal.Inspect(vfs.OS(), name, func(r wal.RecordInfo) {
			var rec ping.Record
			if err := ping.DecodeRecord(r.Payload, &rec); err != nil {
				t.Fatalf("record %d: %v", r.LSN, err)
			}
			body, ok := want[string(rec.Path)]
			if !ok || !bytes.Equal(body, rec.Body) {
				t.Errorf("record %d of %s: %d bytes, sent were %d", r.LSN, rec.Path, len(rec.Body), len(body))
			}
			delete(want, string(rec.Path))
		})
		if err != nil || damage != nil {
			t.Fatal(err, damage)
		}
	}
	if len(want) > 0 {
		t.Fatalf("%d bodies are not in the log", len(want))
	}
}
