package wal

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/vfs"
)

// A log that acknowledges before it syncs may lose the last records in a power loss, never others, and what it lost looks
// like no damage.
func TestAWeakLogLosesOnlyItsEnd(t *testing.T) {
	lost, kept := int64(0), int64(0)
	for seed := range prove.Seeds(t, "power loss, weak log", 60) {
		rng := rand.New(rand.NewPCG(seed, 21))
		fsys := vfs.NewCrash()
		if err := fsys.MkdirAll(testDir); err != nil {
			t.Fatal(err)
		}
		var have []string // what the last recovery found
		for round := range 4 {
			o := crashOptions(fsys, rng)
			o.SyncEvery = []time.Duration{-1, time.Nanosecond, time.Hour}[rng.IntN(3)]
			l, rec, err := Open(o, 0)
			if err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, round, err)
			}
			if rec.Damage != nil {
				t.Fatalf("seed %d, round %d: a power loss looks like damage: %v", seed, round, rec.Damage)
			}
			got := readAll(t, l, 1)
			if len(got) < len(have) {
				t.Fatalf("seed %d, round %d: %d records, recovery had found %d before", seed, round, len(got), len(have))
			}
			for i, r := range got {
				if r.LSN != uint64(i+1) || i < len(have) && string(r.Payload) != have[i] {
					t.Fatalf("seed %d, round %d: record %d is LSN %d", seed, round, i, r.LSN)
				}
			}
			kept += int64(len(got) - len(have))
			have = have[:0]
			for _, r := range got {
				have = append(have, string(r.Payload))
			}
			for range rng.IntN(30) {
				p := string(noise(rng, rng.IntN(2000)))
				if _, err := l.Append(context.Background(), 1, []byte(p)); err != nil {
					t.Fatal(err)
				}
				if rng.IntN(8) == 0 {
					if err := l.Sync(); err != nil {
						t.Fatal(err)
					}
					if l.Durable() != l.Synced() {
						t.Fatalf("seed %d: durable up to %d of %d after Sync", seed, l.Durable(), l.Synced())
					}
					for _, r := range readAll(t, l, uint64(len(have)+1)) {
						have = append(have, string(r.Payload))
					}
				}
			}
			lost += int64(l.Synced() - l.Durable())
			after := fsys.CrashClone(rng, rng.Float64())
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			fsys = after
		}
	}
	if lost == 0 || kept == 0 {
		t.Errorf("%d records were at risk, %d survived: the test does not test", lost, kept)
	}
}

func TestAWeakLogSyncsWhenItIsTime(t *testing.T) {
	fsys := vfs.NewMem()
	if err := fsys.MkdirAll(testDir); err != nil {
		t.Fatal(err)
	}
	l, _, err := Open(Options{FS: fsys, Dir: testDir, SyncEvery: time.Millisecond}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Append(context.Background(), 1, []byte("a")); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(10 * time.Second); l.Durable() < 1; {
		if time.Now().After(limit) {
			t.Fatal("an idle log was not synced")
		}
		time.Sleep(time.Millisecond) // polling
	}
	if l.Stats().Syncs != 1 {
		t.Errorf("%d syncs of one record", l.Stats().Syncs)
	}
}

// syncedBuffer is a strings.Builder for several goroutines.
type syncedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncedBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestAStallIsCountedAndLogged(t *testing.T) {
	fsys := vfs.NewMem()
	if err := fsys.MkdirAll(testDir); err != nil {
		t.Fatal(err)
	}
	var out syncedBuffer
	l, _, err := Open(Options{FS: fsys, Dir: testDir, Logger: slog.New(slog.NewTextHandler(&out, nil)), stallAfter: 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(context.Background(), 1, []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Stalls != 1 || !strings.Contains(out.String(), "stalled") || !strings.Contains(out.String(), "took=") {
		t.Errorf("%d stalls; logged %q", s.Stalls, out.String())
	}
}
