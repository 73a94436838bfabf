package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Bodies that are on their way take their share of --max-inflight. When it is used up, more are refused with 503, and
// accepted again when it is free.
func TestTooManyBytesInFlightAreRefused(t *testing.T) {
	p := serve(t, t.TempDir(), "--max-inflight", "8MiB")
	const half = 8<<20 - 10
	slow := dial(t, p)
	if _, err := fmt.Fprintf(slow, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", newURI(), 8<<20, strings.Repeat(" ", half)); err != nil {
		t.Fatal(err)
	}
	// Two that grow at a time may push out either: the slow one has to hold its share before another comes.
	eventually(t, 4*time.Second, "the slow one's share", func() bool { return metric(t, p, "telemdb_ingest_inflight_bytes") >= half })
	request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n%s", newURI(), strings.Repeat(" ", 100000))
	if got := rawStatus(t, p, request); got != http.StatusServiceUnavailable {
		t.Errorf("one more under overload: %d", got)
	}
	if got := get(t, p.http+"/__lbheartbeat__"); got != http.StatusOK {
		t.Errorf("lbheartbeat under overload: %d", got)
	}
	if _, err := io.WriteString(slow, strings.Repeat(" ", 10)); err != nil {
		t.Fatal(err)
	}
	if answer := readSome(t, slow); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Fatalf("the slow one got %q", answer)
	}
	eventually(t, 10*time.Second, "room again", func() bool { return rawStatus(t, p, request) == http.StatusOK })
}

// metric reads one number off /metrics.
func metric(t *testing.T, p *process, name string) float64 {
	t.Helper()
	resp, err := http.Get(p.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "\n"+name+" ")
	value, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(value, 64)
	if !ok || err != nil {
		t.Fatalf("no %s on the page: %v", name, err)
	}
	return n
}

// When decoding falls behind, submissions are refused with 503 until it has caught up; none that was acknowledged is
// lost.
func TestALagOfDecodingRefuses(t *testing.T) {
	needPsql(t)
	p := serve(t, t.TempDir(), "--max-lag", "20ms")
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	// Documents of many members take long to decode and compress to little.
	var doc strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&doc, `%c"k%d":{"v":%d}`, ",{"[max(0, 1-i)], i, i)
	}
	doc.WriteString("}")
	body := gzipped([]byte(doc.String()))
	deadline := time.Now().Add(20 * time.Second)
	for i := range statuses {
		wg.Go(func() {
			for statuses[i] != http.StatusServiceUnavailable && time.Now().Before(deadline) {
				statuses[i] = post(t, p, newURI(), body)
			}
		})
	}
	wg.Wait()
	for _, s := range statuses {
		if s != http.StatusServiceUnavailable {
			t.Fatalf("no refusal: %v", statuses)
		}
	}
	eventually(t, time.Minute, "decoding catches up", func() bool { return post(t, p, newURI(), []byte("{}")) == http.StatusOK })
	p.stop(t)
}

// What comes too slowly is cut off, and takes nothing from others.
func TestASlowSenderIsCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a deadline of 5 s")
	}
	t.Parallel()
	p := serve(t, t.TempDir())
	var conns []net.Conn
	for i := range 200 {
		c := dial(t, p)
		text := "POST " + newURI() + " HTTP/1.1\r\nHost: x\r\n" // headers that do not end
		if i%2 == 0 {
			text += "Content-Length: 1000000\r\n\r\n{" // a body that does not go on
		}
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	if got := post(t, p, newURI(), []byte("{}")); got != http.StatusOK {
		t.Fatalf("another client got %d", got)
	}
	started := time.Now()
	for i, c := range conns {
		if answer, err := io.ReadAll(c); len(answer) > 0 {
			t.Errorf("connection %d heard %q %v", i, answer, err)
		}
	}
	if took := time.Since(started); took > 12*time.Second {
		t.Errorf("the last was cut off after %v", took)
	}
}

// The demo shows what it does, its queries have answers, and at its end nothing is left behind.
func TestTheDemoCleansUp(t *testing.T) {
	tmp, bin := t.TempDir(), telemdbBinary(t) // built before, or it is left behind
	t.Setenv("TMPDIR", tmp)
	p, err := startProcess(bin, "demo", "--http", "127.0.0.1:0", "--pg", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	made, err := filepath.Glob(filepath.Join(tmp, "telemdb-demo-*"))
	if err != nil || len(made) != 1 {
		t.Fatalf("%v %v", made, err)
	}
	eventually(t, 2*time.Minute, "pings are visible", func() bool {
		out, _ := runBinary(t, nil, "sql", p.pg+"?sslmode=disable", "--csv", "-c", "SELECT count(*) > 1000 FROM main")
		return strings.HasSuffix(out, "\nt\n")
	})
	queries := 0
	for _, q := range strings.Split(demoQueries, ";") {
		if strings.TrimSpace(q) == "" {
			continue
		}
		queries++
		out, status := runBinary(t, nil, "sql", p.pg+"?sslmode=disable", "--csv", "-c", q)
		if status != 0 || strings.Count(out, "\n") < 2 {
			t.Errorf("%s: status %d: %s", q, status, out)
		}
	}
	if queries != 3 {
		t.Errorf("%d queries", queries)
	}
	p.stop(t)
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v %v", left, err)
	}
}
