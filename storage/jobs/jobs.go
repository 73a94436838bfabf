// Package jobs owns the background goroutines of a store. A job is a step function that does one piece of work and tells
// whether there is more; this package decides when it runs, starts it, stops it and waits for it. Tests call the steps.
package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Job is a piece of background work.
type Job struct {
	Name  string
	Every time.Duration // how often it is looked at, if nobody kicks it
	// Step does one piece of work. again asks for another step at once. After an error the next step waits for Every.
	// It returns soon after ctx ends.
	Step func(ctx context.Context) (again bool, err error)
	// Progress, if not nil, says in a line how far it is.
	Progress func() string
}

// Status tells what a job has done.
type Status struct {
	Name    string
	Running bool
	Steps   int64 // that did something
	Errors  int64
	Last    time.Time // end of the last step that did something or failed
	Took    time.Duration
	Err     string // of the last step that failed, until one succeeds
	// Progress is what the job says of how far it is.
	Progress string
}

// Runner runs jobs, each on a goroutine of its own.
type Runner struct {
	logger *slog.Logger
	jobs   []*running
	ctx    context.Context
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

type running struct {
	Job
	kick chan struct{} // holds one

	mu     sync.Mutex
	status Status
}

// New returns a runner that has started nothing.
func New(logger *slog.Logger, list []Job) *Runner {
	r := &Runner{logger: logger}
	r.ctx, r.stop = context.WithCancel(context.Background())
	for _, j := range list {
		r.jobs = append(r.jobs, &running{Job: j, kick: make(chan struct{}, 1), status: Status{Name: j.Name}})
	}
	return r
}

// Start starts all jobs. It is called once, before Close.
func (r *Runner) Start() {
	for _, j := range r.jobs {
		r.wg.Go(func() { r.run(j) })
	}
}

// Close stops the jobs and waits for the steps that are running.
func (r *Runner) Close() {
	r.stop()
	r.wg.Wait()
}

// Kick makes a job step soon, if it exists.
func (r *Runner) Kick(name string) {
	for _, j := range r.jobs {
		if j.Name != name {
			continue
		}
		select {
		case j.kick <- struct{}{}:
		default: // it has been kicked already
		}
	}
}

// Status returns the state of all jobs, in the order given to New.
func (r *Runner) Status() []Status {
	out := make([]Status, len(r.jobs))
	for i, j := range r.jobs {
		j.mu.Lock()
		out[i] = j.status
		j.mu.Unlock()
		if j.Progress != nil {
			out[i].Progress = j.Progress()
		}
	}
	return out
}

func (r *Runner) run(j *running) {
	tick := time.NewTicker(j.Every)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		case <-j.kick:
		}
		for r.step(j) && r.ctx.Err() == nil {
		}
	}
}

// step runs one step and reports whether there is more to do.
func (r *Runner) step(j *running) bool {
	j.note(func(s *Status) { s.Running = true })
	start := time.Now()
	again, err := j.Step(r.ctx)
	took := time.Since(start)
	j.note(func(s *Status) {
		s.Running = false
		if err != nil {
			s.Errors++
			s.Err = err.Error()
		} else if again {
			s.Steps++
			s.Err = ""
		}
		if err != nil || again {
			s.Last, s.Took = start.Add(took), took
		}
	})
	if err != nil && r.ctx.Err() == nil {
		r.logger.Error("background job failed; it will be tried again", "job", j.Name, "err", err)
	}
	return again && err == nil
}

func (j *running) note(f func(*Status)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(&j.status)
}
