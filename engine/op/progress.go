package op

import (
	"sync/atomic"
	"time"
)

// Progress tells other goroutines how far an execution is. Its zero value is ready; it serves one execution, or several one
// after the other. All figures may be read at any time, also after the end.
type Progress struct {
	morsels atomic.Int64
	done    atomic.Int64
	x       atomic.Pointer[exec]
}

func (p *Progress) begin(x *exec) { p.x.Store(x) }

// Morsels returns the row groups of the scans that have begun, and how many of them are done.
func (p *Progress) Morsels() (done, all int64) { return p.done.Load(), p.morsels.Load() }

// Memory returns the bytes that the execution holds in hash tables, sorts and materialised rows, and the most it held.
func (p *Progress) Memory() (now, peak int64) {
	x := p.x.Load()
	if x == nil {
		return 0, 0
	}
	return x.mem.used.Load(), x.mem.peak.Load()
}

// Spilled returns the bytes that the execution has written to disk because they did not fit in memory.
func (p *Progress) Spilled() int64 {
	if x := p.x.Load(); x != nil && x.spill != nil {
		return x.spill.Written()
	}
	return 0
}

// Waited returns the time that the execution's workers have waited for a core, summed over them.
func (p *Progress) Waited() time.Duration {
	if x := p.x.Load(); x != nil && x.turns != nil {
		return x.turns.Waited()
	}
	return 0
}

// Tell sets the figures of work that is no plan's: row groups that are done, and all.
func (p *Progress) Tell(done, all int64) {
	p.done.Store(done)
	p.morsels.Store(all)
}

// scanBegins tells of a scan of n row groups. p may be nil.
func (p *Progress) scanBegins(n int) {
	if p != nil {
		p.morsels.Add(int64(n))
	}
}

// morselDone tells that one more row group is done.
func (p *Progress) morselDone() {
	if p != nil {
		p.done.Add(1)
	}
}
