package op

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
)

// Analysis collects what EXPLAIN ANALYZE shows. Its zero value is ready; it may be read when the execution has been
// closed.
type Analysis struct {
	mu    sync.Mutex
	nodes map[plan.Node]*NodeStats
}

// NodeStats is what is known of one node. A node that runs once per row of an enclosing one sums over its runs.
type NodeStats struct {
	rows    atomic.Int64
	batches atomic.Int64
	nanos   atomic.Int64
	mu      sync.Mutex
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

// Rows returns the number of rows the node put out.
func (s *NodeStats) Rows() int64 { return s.rows.Load() }

// Batches returns the number of batches they came in.
func (s *NodeStats) Batches() int64 { return s.batches.Load() }

// Time returns the time spent in the node and below it, summed over the workers of its pipeline.
func (s *NodeStats) Time() time.Duration { return time.Duration(s.nanos.Load()) }

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
