package op

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/engine/spill"
)

// Analysis collects what EXPLAIN ANALYZE shows. Its zero value is ready; it may be read when the execution has been
// closed.
type Analysis struct {
	mu    sync.Mutex
	nodes map[plan.Node]*NodeStats
	alias map[plan.Node]plan.Node // nodes that operators have made for themselves -> those of the plan
}

// NodeStats is what is known of one node. A node that runs once per row of an enclosing one sums over its runs.
type NodeStats struct {
	rows    atomic.Int64
	batches atomic.Int64
	nanos   atomic.Int64
	before  atomic.Int64 // nanoseconds of what had to be complete before the first morsel, while its pipeline waited
	first   atomic.Int64 // nanoseconds until the first batch or the end
	chains  atomic.Int64
	held    atomic.Int64
	peak    atomic.Int64
	mu      sync.Mutex
	spill   *spill.Space
	scan    *scan.Stats
	fused   *FusedStats
	detail  *scan.Detail
}

// Node returns a node's counters; nil if it never ran.
func (a *Analysis) Node(n plan.Node) *NodeStats {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.nodes[n]
}

func (a *Analysis) node(n plan.Node) *NodeStats {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.nodes[n]
	if st == nil {
		st = &NodeStats{}
		if a.nodes == nil {
			a.nodes = map[plan.Node]*NodeStats{}
		}
		a.nodes[n] = st
	}
	return st
}

// standsFor tells that an operator runs sub for what the plan has as of. a may be nil.
func (a *Analysis) standsFor(sub, of plan.Node) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.alias == nil {
		a.alias = map[plan.Node]plan.Node{}
	}
	a.alias[sub] = of
}

// holder returns the counters of the plan's node that n was made for: memory, disk and ways are shown there.
func (a *Analysis) holder(n plan.Node) *NodeStats {
	a.mu.Lock()
	for of, ok := a.alias[n]; ok; of, ok = a.alias[n] {
		n = of
	}
	a.mu.Unlock()
	return a.node(n)
}

// Rows returns the number of rows the node put out.
func (s *NodeStats) Rows() int64 { return s.rows.Load() }

// Batches returns the number of batches they came in.
func (s *NodeStats) Batches() int64 { return s.batches.Load() }

// Time returns the time spent in the node and below it, summed over the workers of its pipeline. What had to be complete before
// they began, such as the build side of a join, is counted once.
func (s *NodeStats) Time() time.Duration { return time.Duration(s.nanos.Load() + s.before.Load()) }

// Wall returns the same as a clock on the wall has it: of the workers their mean.
func (s *NodeStats) Wall() time.Duration {
	return time.Duration(s.nanos.Load()/s.Workers() + s.before.Load())
}

// First returns the time until the first batch came; 0 for a part of a pipeline.
func (s *NodeStats) First() time.Duration { return time.Duration(s.first.Load()) }

// Workers returns the number of workers that ran the node.
func (s *NodeStats) Workers() int64 { return max(s.chains.Load(), 1) }

// MemoryPeak returns the most bytes that the node's operators held at a time.
func (s *NodeStats) MemoryPeak() int64 { return s.peak.Load() }

// holds counts n more bytes. s may be nil.
func (s *NodeStats) holds(n int64) {
	if s != nil {
		raise(&s.peak, s.held.Add(n))
	}
}

// Spilled returns the bytes and the number of files that the node wrote to disk.
func (s *NodeStats) Spilled() (bytes, files int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spill == nil {
		return 0, 0
	}
	return s.spill.Written(), s.spill.Created()
}

// spaceOf returns where the operator of n spills; nil: it does not. Figures of its own are kept when they are asked for.
func (x *exec) spaceOf(n plan.Node) *spill.Space {
	if x.spill == nil || x.env.Analyze == nil {
		return x.spill
	}
	st := x.env.Analyze.holder(n)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.spill == nil {
		st.spill = x.spill.Share(0)
	}
	return st.spill
}

// Scan returns what a scan pruned and read; nil for other nodes.
func (s *NodeStats) Scan() *scan.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scan
}

// Detail returns what a scan met; nil for other nodes. It is complete when the execution has ended.
func (s *NodeStats) Detail() *scan.Detail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.detail
}

func (s *NodeStats) setScan(st scan.Stats, d *scan.Detail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scan, s.detail = &st, d
}

// Fused returns how a fused aggregation took its row groups; nil for other nodes.
func (s *NodeStats) Fused() *FusedStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fused
}

func (s *NodeStats) setFused(f *FusedStats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fused = f
}

// Each calls f with every way of taking a row group, in the order of String, and the number that were taken so.
func (s *FusedStats) Each(f func(name string, groups int64)) {
	for _, w := range s.ways() {
		f(w.name, w.n.Load())
	}
}
