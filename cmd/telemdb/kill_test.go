package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/telemdb/telemdb/ingest/gen"
)

// TestKillLosesNothingThatWasAcknowledged kills the real binary at random moments while clients submit, and after each
// restart asks whether every document id that got a 200 is there exactly once.
func TestKillLosesNothingThatWasAcknowledged(t *testing.T) {
	needPsql(t)
	cycles := envInt("TELEMDB_KILL_CYCLES", 3)
	dir := t.TempDir()
	const seed = 20261121
	t.Logf("%d cycles, seed %d", cycles, seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	pings := gen.New(gen.Options{Seed: seed, Pings: -1, Clients: 5000, Start: time.Now().UTC().Truncate(24 * time.Hour), Days: 1, Small: true})
	acked := map[string]bool{} // type/document id
	for cycle := range cycles {
		p := serve(t, dir)
		submitUntilKilled(t, p, pings, acked, time.Duration(100+rng.IntN(900))*time.Millisecond, rng.IntN(3) == 0)
		checkAcked(t, dir, acked, cycle)
	}
	t.Logf("%d acknowledged pings", len(acked))
}

func envInt(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

func submitUntilKilled(t *testing.T, p *process, pings *gen.Generator, acked map[string]bool, after time.Duration, flush bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	var mu sync.Mutex
	sink := newHTTPSink(p.http)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				var ping gen.Ping
				pings.Next(&ping)
				ping.Body = append([]byte(nil), ping.Body...)
				mu.Unlock()
				status, err := sink.post(context.Background(), ping.URI, gzipped(ping.Body))
				if err == nil && status == http.StatusOK && !ping.Broken {
					mu.Lock()
					acked[ping.DocType+"/"+strings.ToLower(ping.DocID)] = true
					mu.Unlock()
				}
			}
		})
	}
	if flush {
		wg.Go(func() {
			// It may be cut off by the kill; that is the point.
			_, _ = p.tryPsql("SELECT telemdb.flush()")
		})
	}
	<-ctx.Done()
	p.kill()
	wg.Wait()
}

func checkAcked(t *testing.T, dir string, acked map[string]bool, cycle int) {
	t.Helper()
	p := serve(t, dir)
	defer p.kill()
	eventually(t, time.Minute, "recovery catches up", func() bool {
		out, err := p.tryPsql("SELECT lag_seconds = 0 FROM telemdb.wal_status")
		return err == nil && out == "t"
	})
	seen := map[string]int{}
	for _, table := range []string{"main", "crash", "event"} {
		out, err := p.tryPsql(fmt.Sprintf("SELECT document_type || '/' || lower(document_id) FROM %s", table))
		if err != nil {
			continue // no ping of that type yet
		}
		for _, id := range strings.Fields(out) {
			seen[id]++
		}
	}
	for id := range acked {
		if seen[id] != 1 {
			t.Fatalf("cycle %d: acknowledged %s is there %d times", cycle, id, seen[id])
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Fatalf("cycle %d: %s is there %d times", cycle, id, n)
		}
	}
}
