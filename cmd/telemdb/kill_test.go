package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/prove"
)

// TestKillLosesNothingThatWasAcknowledged kills the real binary at random moments while clients submit, some of them while
// it seals, and some starts in the middle of recovery. After each it asks whether every document id that got a 200 is
// there exactly once.
func TestKillLosesNothingThatWasAcknowledged(t *testing.T) {
	needPsql(t)
	cycles := envInt("TELEMDB_KILL_CYCLES", 3)
	dir := t.TempDir()
	const seed = 20261121
	t.Logf("%d cycles, seed %d", cycles, seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := newSubmitter(seed)
	for cycle := range cycles {
		p := serve(t, dir, "--seal-bytes", "2MiB", "--log-file", "4MiB")
		submitUntilKilled(s, p, time.Duration(100+rng.IntN(900))*time.Millisecond, rng.IntN(2) == 0)
		for range rng.IntN(3) {
			startAndKill(t, dir, time.Duration(rng.IntN(150))*time.Millisecond)
		}
		p = serve(t, dir)
		checkAcked(t, p, s.acked, fmt.Sprintf("cycle %d", cycle))
		p.kill()
	}
	t.Logf("statuses %v", s.status)
	prove.Tally(t, "kill -9 cycles of the binary", int64(cycles))
	prove.Tally(t, "pings acknowledged before a kill, all found once", int64(len(s.acked)))
	if len(s.acked) == 0 {
		t.Fatal("nothing was acknowledged: the test does not test")
	}
	out, err := exec.Command(telemdbBinary(t), "check", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("check: %v\n%s", err, out)
	}
}

func envInt(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// submitUntilKilled submits from eight connections and kills the server after a while, with flushes racing if so asked.
func submitUntilKilled(s *submitter, p *process, after time.Duration, flush bool) {
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	sink := newHTTPSink(p.http)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				s.one(sink)
			}
		})
	}
	if flush {
		wg.Go(func() {
			for ctx.Err() == nil {
				// It may be cut off by the kill; that is the point.
				_, _ = p.tryPsql("SELECT telemdb.flush()")
			}
		})
	}
	<-ctx.Done()
	p.kill()
	wg.Wait()
}

// startAndKill starts a server and kills it, likely in the middle of its recovery.
func startAndKill(t *testing.T, dir string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(telemdbBinary(t), "serve", "--data", dir, "--http", "127.0.0.1:0", "--pg", "127.0.0.1:0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.NewTimer(after)
	defer timer.Stop()
	<-timer.C
	_ = cmd.Process.Kill() // one that has ended by itself is told by Wait
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the server ended by itself: %v", err)
	}
}

// checkAcked asks whether every acknowledged document is in SQL exactly once.
func checkAcked(t *testing.T, p *process, acked map[string]bool, when string) {
	t.Helper()
	eventually(t, time.Minute, when+": decoding catches up", func() bool {
		out, err := p.tryPsql("SELECT lag_seconds = 0 FROM telemdb.wal_status")
		return err == nil && out == "t"
	})
	seen := map[string]int{}
	for _, table := range []string{"main", "crash", "event"} {
		out, err := p.tryPsql(fmt.Sprintf("SELECT document_type || '/' || lower(document_id) FROM %s", table))
		if err != nil {
			if strings.Contains(out, "does not exist") {
				continue // no ping of that type yet
			}
			t.Fatalf("%s: %v %s", when, err, out)
		}
		for _, id := range strings.Fields(out) {
			seen[id]++
		}
	}
	for id := range acked {
		if seen[id] != 1 {
			t.Fatalf("%s: acknowledged %s is there %d times", when, id, seen[id])
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Fatalf("%s: %s is there %d times", when, id, n)
		}
	}
}
