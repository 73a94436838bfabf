package wal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/vfs"
)

// oracle is what a log must hold: the model the crash tests compare with.
type oracle struct {
	mu    sync.Mutex
	acked map[uint64]string
	tried map[string]bool // payloads that may be there, acknowledged or not
}

func newOracle() *oracle { return &oracle{acked: map[uint64]string{}, tried: map[string]bool{}} }

func (o *oracle) try(p string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tried[p] = true
}

func (o *oracle) ack(t *testing.T, lsn uint64, p string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if was, ok := o.acked[lsn]; ok {
		t.Errorf("LSN %d was given to %.20q and to %.20q", lsn, was, p)
	}
	o.acked[lsn] = p
}

func (o *oracle) clone() *oracle {
	o.mu.Lock()
	defer o.mu.Unlock()
	return &oracle{acked: maps.Clone(o.acked), tried: maps.Clone(o.tried)}
}

// verify compares an open log, and makes what it holds the oracle's truth.
func (o *oracle) verify(t *testing.T, l *Log, rec *Recovery, floor uint64) {
	t.Helper()
	if rec.Damage != nil {
		t.Fatalf("a crash looks like damage: %v", rec.Damage)
	}
	checkWhole(t, l)
	got := readAll(t, l, 1)
	seen := map[string]uint64{}
	for i, r := range got {
		p := string(r.Payload)
		switch {
		case r.LSN != got[0].LSN+uint64(i):
			t.Fatalf("LSN %d behind %d", r.LSN, got[0].LSN+uint64(i)-1)
		case !o.tried[p]:
			t.Fatalf("ghost at LSN %d: %.40q", r.LSN, p)
		case seen[p] != 0:
			t.Fatalf("LSN %d and %d are the same record", seen[p], r.LSN)
		}
		seen[p] = r.LSN
		if want, ok := o.acked[r.LSN]; ok && want != p {
			t.Fatalf("LSN %d holds %.40q, acknowledged was %.40q", r.LSN, p, want)
		}
		o.acked[r.LSN] = p
	}
	if len(got) != len(o.acked) {
		t.Fatalf("%d records, acknowledged were %d", len(got), len(o.acked))
	}
	if l.Synced() != uint64(len(got)) || rec.Records != len(got)-int(floor) {
		t.Fatalf("synced %d, recovered %d above %d, of %d", l.Synced(), rec.Records, floor, len(got))
	}
}

// checkWhole looks at every byte of a log's files, of those too that recovery had no need to read.
func checkWhole(t *testing.T, l *Log) {
	t.Helper()
	_, damage, err := Check(l.o.FS, testDir)
	must(t, err)
	if damage != nil {
		t.Fatalf("a crash left what looks like damage: %v", damage)
	}
}

// work appends from several goroutines.
func work(t *testing.T, l *Log, o *oracle, rng *rand.Rand, name string, tolerate func(error) bool) {
	var wg sync.WaitGroup
	for c := range 1 + rng.IntN(4) {
		seed := rng.Uint64()
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 0))
			for i := range 1 + rng.IntN(12) {
				size := rng.IntN(600)
				if rng.IntN(10) == 0 {
					size = rng.IntN(9000)
				}
				p := fmt.Sprintf("%s/%d/%d %s", name, c, i, noise(rng, size))
				o.try(p)
				lsn, err := l.Append(context.Background(), 1, []byte(p))
				switch {
				case err == nil:
					o.ack(t, lsn, p)
				case !tolerate(err):
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// noise is bytes of which no two stretches are alike, so that a lost one shows.
func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func none(error) bool { return false }

func crashOptions(fsys vfs.FS, rng *rand.Rand) Options {
	return Options{
		FS: fsys, Dir: testDir,
		FileBytes: 8<<10 + int64(rng.IntN(4))*4<<10, GroupBytes: 512 << rng.IntN(5),
		fillAfter: time.Duration(1 + rng.IntN(2)*1e9),
	}
}

// A history of power losses, each at an operation of the log's, of a log under load. Whatever is lost, every
// acknowledged record is there, LSNs are dense, and nothing is there that was not sent.
func TestNoPowerLossLosesAnAcknowledgedRecord(t *testing.T) {
	torn := int64(0)
	for seed := range prove.Seeds(t, "power loss, log", 300) {
		torn += crashHistory(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	prove.Tally(t, "log groups torn", torn)
	if torn == 0 && os.Getenv(prove.EnvSeed) == "" {
		t.Fatal("no history tore a group: the test does not test")
	}
}

func crashHistory(t *testing.T, seed uint64) (torn int64) {
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	rng := rand.New(rand.NewPCG(seed, 10))
	world, truth := newFS(t), newOracle()
	for cycle := range 4 {
		in := vfs.NewInjector()
		floor := uint64(0)
		if n := len(truth.acked); n > 0 && rng.IntN(2) == 0 {
			floor = uint64(rng.IntN(n))
		}
		var after *vfs.Crash
		var known *oracle
		keep := float64(rng.IntN(5)) / 4
		// In half of the cycles the loss may hit recovery too.
		where := vfs.Rule{Ops: vfs.Mutating, Nth: int64(1 + rng.IntN(40)), Do: func(vfs.Op, string) {
			known = truth.clone()
			after = world.CrashClone(rand.New(rand.NewPCG(seed, uint64(cycle))), keep)
			known.tried = truth.clone().tried // other goroutines went on while the clone was made
		}}
		early := rng.IntN(2) == 0
		if early {
			in.Add(where)
		}
		l, rec := open(t, crashOptions(vfs.Fault(world, in), rng), floor)
		torn += rec.TornBytes
		truth.verify(t, l, rec, floor)
		if !early {
			in.Add(where)
		}
		work(t, l, truth, rng, fmt.Sprint(cycle), none)
		must(t, l.Close())
		if after == nil { // the load was too small: lose power after a clean stop
			known, after = truth, world.CrashClone(rng, 0.5)
		}
		world, truth = after, known
	}
	l, rec := open(t, crashOptions(world, rng), 0)
	truth.verify(t, l, rec, 0)
	must(t, l.Close())
	l, rec = open(t, crashOptions(world, rng), 0) // recovery is idempotent
	truth.verify(t, l, rec, 0)
	must(t, l.Close())
	return torn
}

// Fails the Nth operation of a scenario, for every N, once and from then on, and afterwards loses power. An error may
// refuse records; it never loses one that was acknowledged, nor leaves one that was refused in the way of a later one.
func TestNoFailingOperationLosesAnAcknowledgedRecord(t *testing.T) {
	in := vfs.NewInjector()
	in.RecordSites()
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		for _, sticky := range []bool{false, true} {
			for n := int64(1); ; n++ {
				in.Clear()
				in.Add(vfs.Rule{Nth: n, Sticky: sticky, Err: fault, Partial: n%2 == 0})
				before := in.Calls(0)
				faultHistory(t, in, uint64(n))
				if t.Failed() {
					t.Fatalf("operation %d fails with %v, sticky %v", n, fault, sticky)
				}
				if in.Calls(0)-before < n {
					break
				}
			}
		}
	}
	for _, op := range []string{"create", "preallocate", "writeat", "sync", "syncdata", "syncdir", "truncate", "remove", "close"} {
		found := false
		for s := range in.Sites() {
			found = found || len(s) > len(op) && s[:len(op)+1] == op+" "
		}
		if !found {
			t.Errorf("the sweep never reached %s: %v", op, in.Sites())
		}
	}
}

// refused tells the errors that an append may answer under faults.
func refused(err error) bool {
	return errors.Is(err, ErrFailed) || errors.Is(err, ErrFull) || errors.Is(err, syscall.EIO)
}

func faultHistory(t *testing.T, in *vfs.Injector, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 20))
	world, truth := newFS(t), newOracle()
	for cycle := range 2 {
		l, rec, err := Open(crashOptions(vfs.Fault(world, in), rng), 0)
		if err != nil {
			if !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
			continue
		}
		if rec.Damage != nil {
			t.Errorf("a failed operation looks like damage: %v", rec.Damage)
		}
		for i := range 12 { // in sequence, so that the Nth operation is the same one in every run
			p := fmt.Sprintf("%d/%d %s", cycle, i, noise(rng, rng.IntN(4000)))
			truth.try(p)
			lsn, err := l.Append(context.Background(), 1, []byte(p))
			if err == nil {
				truth.ack(t, lsn, p)
			} else if !refused(err) {
				t.Error(err)
			}
		}
		l.SetMark(2)
		if cycle == 1 {
			if _, err := l.Trim(time.Hour, -1, time.Now()); err != nil {
				t.Error(err)
			}
		}
		_ = l.Close() // reports the fault, or one before
		if rng.IntN(2) == 0 {
			world = world.CrashClone(rng, 0.5)
		}
		if cycle == 0 { // what is found there is there to stay
			l, rec := open(t, crashOptions(world, rng), 0)
			truth.verify(t, l, rec, 0)
			must(t, l.Close())
		}
	}
	in.Clear()
	world = world.CrashClone(rng, 0.5)
	l, rec := open(t, crashOptions(world, rng), 0)
	truth.verify(t, l, rec, 0)
	must(t, l.Close())
}
