// Package sched shares the cores between the queries of a process, morsel by morsel. A query's workers are goroutines of
// its own; each asks for its turn before a morsel. While there are cores enough nobody waits. When there are not, the
// turn goes to the query that has had the least time so far, so that a short query is not stuck behind long ones
// (morsel-driven parallelism, Leis et al. 2014, with fair queueing by time served).
package sched

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Pool is the cores that queries share. It starts no goroutine and has nothing to close.
type Pool struct {
	cores   int
	now     func() time.Time
	waiting atomic.Int32 // slots in queue; read without the lock by those who hold a core

	mu    sync.Mutex
	busy  int
	queue []*waiter
	// clock is the most that a query had been served when it got a core: where one that comes, or comes back, starts, so
	// that it is neither behind those that have run for hours nor stands in their way for as long.
	clock time.Duration
}

// waiter is a slot in queue. turn is closed when it has been given a core.
type waiter struct {
	q    *Query
	turn chan struct{}
}

// NewPool returns a pool of that many cores, at least one.
func NewPool(cores int) *Pool { return &Pool{cores: max(cores, 1), now: time.Now} }

// Query is one query's account. Its slots may be used from several goroutines, each from one at a time.
type Query struct {
	p      *Pool
	served time.Duration // under the pool's lock, as slots
	slots  int           // that hold a core or wait for one
	waited atomic.Int64  // nanoseconds
}

// Query opens an account for a query.
func (p *Pool) Query() *Query {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &Query{p: p, served: p.clock}
}

// Waited is the time the query's workers have waited for a core, summed over them.
func (q *Query) Waited() time.Duration { return time.Duration(q.waited.Load()) }

// Slot returns a worker's place in the pool; it holds no core yet. A nil query's slot never waits.
func (q *Query) Slot() *Slot { return &Slot{q: q} }

// Slot is one worker's claim to a core.
type Slot struct {
	q     *Query
	held  bool
	since time.Time
}

// quantum is how long a slot keeps a core that others wait for.
const quantum = 2 * time.Millisecond

// Turn waits until the worker may work on. It is called before each piece of work of about a millisecond, and costs one
// atomic load while nobody waits. It returns the context's error if that ends first; then the slot holds no core.
func (s *Slot) Turn(ctx context.Context) error {
	if s.q == nil {
		return nil
	}
	p := s.q.p
	if s.held {
		if p.waiting.Load() == 0 {
			return nil
		}
		if p.now().Sub(s.since) < quantum {
			return nil
		}
		s.Release()
	}
	return s.take(ctx)
}

// Release gives the core back: at the worker's end, and before it waits for anything but work. It may be called when the
// slot holds none.
func (s *Slot) Release() {
	if s.q == nil || !s.held {
		return
	}
	p := s.q.p
	s.held = false
	p.mu.Lock()
	defer p.mu.Unlock()
	s.q.served += p.now().Sub(s.since)
	s.q.slots--
	p.busy--
	p.hand()
}

func (s *Slot) take(ctx context.Context) error {
	p := s.q.p
	p.mu.Lock()
	if s.q.slots == 0 {
		s.q.served = max(s.q.served, p.clock) // who has been idle has not saved up turns
	}
	s.q.slots++
	if p.busy < p.cores && len(p.queue) == 0 {
		p.busy++
		p.clock = max(p.clock, s.q.served)
		p.mu.Unlock()
		s.held, s.since = true, p.now()
		return nil
	}
	w := &waiter{q: s.q, turn: make(chan struct{})}
	p.queue = append(p.queue, w)
	p.waiting.Store(int32(len(p.queue)))
	p.hand()
	p.mu.Unlock()
	began := p.now()
	select {
	case <-w.turn:
	case <-ctx.Done():
		if p.leave(w) {
			return context.Cause(ctx)
		}
		// The turn came at the same moment: it is taken, and given back by whoever sees the error.
	}
	s.held, s.since = true, p.now()
	s.q.waited.Add(int64(s.since.Sub(began)))
	if err := ctx.Err(); err != nil {
		s.Release()
		return context.Cause(ctx)
	}
	return nil
}

// leave takes a waiter out of the queue; false if it has its turn.
func (p *Pool) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, o := range p.queue {
		if o == w {
			p.drop(i)
			w.q.slots--
			return true
		}
	}
	return false
}

func (p *Pool) drop(i int) {
	p.queue = append(p.queue[:i], p.queue[i+1:]...)
	p.waiting.Store(int32(len(p.queue)))
}

// hand gives free cores to those who wait, the least served query first, and within it in the order of arrival.
func (p *Pool) hand() {
	for p.busy < p.cores && len(p.queue) > 0 {
		best := 0
		for i, w := range p.queue {
			if w.q.served < p.queue[best].q.served {
				best = i
			}
		}
		w := p.queue[best]
		p.drop(best)
		p.busy++
		p.clock = max(p.clock, w.q.served)
		close(w.turn)
	}
}

type holding struct{}

// Within marks a context as one of a worker that holds a core, so that what it runs inside its own work (a subquery)
// does not wait for a second one: with one core that would be for ever.
func Within(ctx context.Context) context.Context { return context.WithValue(ctx, holding{}, true) }

// Held reports whether the context is of a worker that holds a core.
func Held(ctx context.Context) bool { return ctx.Value(holding{}) != nil }
