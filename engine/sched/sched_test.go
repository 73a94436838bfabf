package sched

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a time that moves when it is told to.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time      { return time.Unix(0, c.at.Load()) }
func (c *clock) add(d time.Duration) { c.at.Add(int64(d)) }
func pool(cores int) (*Pool, *clock) { c := &clock{}; p := NewPool(cores); p.now = c.now; return p, c }
func turn(t testing.TB, s *Slot)     { t.Helper(); must(t, s.Turn(context.Background())) }
func must(t testing.TB, err error)   { t.Helper(); fatal(t, err) }
func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// queued waits until n slots are in queue.
func queued(p *Pool, n int32) {
	for p.waiting.Load() != n {
		runtime.Gosched()
	}
}

func TestNoMoreWorkersThanCoresWorkAtATime(t *testing.T) {
	const cores = 3
	p := NewPool(cores)
	var working, most atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		q := p.Query()
		for range 3 {
			wg.Go(func() {
				s := q.Slot()
				for range 200 {
					must(t, s.Turn(context.Background()))
					n := working.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					runtime.Gosched()
					working.Add(-1)
					if rand.IntN(4) == 0 {
						s.Release()
					}
				}
				s.Release()
			})
		}
	}
	wg.Wait()
	if most.Load() > cores || p.busy != 0 || len(p.queue) != 0 {
		t.Fatalf("%d worked at a time on %d cores; left: %d busy, %d in queue", most.Load(), cores, p.busy, len(p.queue))
	}
}

func TestTheLeastServedQueryIsNext(t *testing.T) {
	p, c := pool(1)
	long, short := p.Query(), p.Query()
	a, b := long.Slot(), long.Slot()
	turn(t, a)
	c.add(time.Second)
	order := make(chan string, 2)
	var wg sync.WaitGroup
	wait := func(s *Slot, name string) {
		wg.Go(func() {
			must(t, s.Turn(context.Background()))
			order <- name
			s.Release()
		})
	}
	wait(b, "long")
	queued(p, 1)
	wait(short.Slot(), "short")
	queued(p, 2)
	a.Release()
	wg.Wait()
	if first := <-order; first != "short" {
		t.Fatalf("%s came first", first)
	}
}

func TestACoreIsKeptWhileNobodyWaitsAndGivenAfterAQuantum(t *testing.T) {
	p, c := pool(1)
	a, b := p.Query().Slot(), p.Query().Slot()
	turn(t, a)
	c.add(time.Hour)
	turn(t, a) // nobody waits
	a.Release()
	turn(t, a)
	done := make(chan error)
	go func() {
		err := b.Turn(context.Background())
		b.Release()
		done <- err
	}()
	queued(p, 1)
	turn(t, a) // within the quantum
	if p.waiting.Load() != 1 {
		t.Fatal("the core was given too early")
	}
	c.add(2 * quantum)
	turn(t, a) // gives way, and gets it back after b
	must(t, <-done)
	a.Release()
}

func TestAWaiterLeavesWithItsContext(t *testing.T) {
	p := NewPool(1)
	a, b := p.Query().Slot(), p.Query().Slot()
	turn(t, a)
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(context.Background())
	got := make(chan error)
	go func() { got <- b.Turn(ctx) }()
	queued(p, 1)
	cancel(why)
	if err := <-got; !errors.Is(err, why) {
		t.Fatal(err)
	}
	a.Release()
	turn(t, a)
	a.Release()
	if p.busy != 0 || p.waiting.Load() != 0 {
		t.Fatal(p.busy, p.waiting.Load())
	}
}

func TestANewQueryStartsWhereOthersAre(t *testing.T) {
	p, c := pool(1)
	old := p.Query().Slot()
	for range 10 {
		turn(t, old)
		c.add(time.Minute)
		old.Release()
	}
	turn(t, old)
	old.Release()
	if q := p.Query(); q.served != 10*time.Minute {
		t.Fatalf("a new query starts at %v", q.served)
	}
}

func BenchmarkTurn(b *testing.B) {
	s := NewPool(2).Query().Slot()
	for b.Loop() {
		must(b, s.Turn(context.Background()))
	}
}
