package storage

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/types"
)

// CLUSTER writes the rows of a table anew so that each partition is one run: segments of bounded size whose ranges of the sort
// key follow each other. Merges leave that to it: they bound what they read at a time, and what lies far apart in time they
// leave apart. Rows stay the same rows, so roll-ups are not touched; those that are deleted meanwhile are deleted in the
// run. Each partition is published by itself, so what was done stays done when CLUSTER ends early.

// ErrClusterRuns: the table is being clustered.
var ErrClusterRuns = errors.New("is being clustered already")

// ClusterOptions configures Cluster.
type ClusterOptions struct {
	// Workers is how many goroutines merge, each a range of the sort key; as many as there are cores if it is 0.
	Workers int
	// Progress, if not nil, is called from time to time, by one goroutine at a time: how many row groups are written, and of
	// how many.
	Progress func(done, all int)
}

// Clustered is what Cluster has done to one partition.
type Clustered struct {
	Partition      int64 // days since 1970-01-01
	HasPartition   bool
	Rows           int64 // that are left, and were written
	Before, After  int   // segments
	BytesBefore    int64
	BytesAfter     int64
	Left, LeftRows int64 // segments, and their rows, that are damaged and were left as they are
}

// Cluster brings the rows of a table that are there when it begins into the order of its sort key, from end to end of each
// partition; of a table without one, into that of the log. Queries, inserts and deletes go on. report is called for each
// partition that was not in order. ErrNotFound, ErrSystem, ErrClusterRuns, ErrFull.
func (s *Store) Cluster(ctx context.Context, n types.TableName, o ClusterOptions, report func(Clustered)) (err error) {
	if err := s.writable(); err != nil {
		return err
	}
	t, ok := s.catalog.byName(n)
	if !ok {
		return fmt.Errorf("table %s %w", n, ErrNotFound)
	}
	if t.Kind != types.TableUser && t.Kind != types.TablePing {
		return fmt.Errorf("table %s %w", n, ErrSystem)
	}
	end, err := s.clusters.begin(s, t.ID)
	if err != nil {
		return fmt.Errorf("table %s %w", n, err)
	}
	began := s.o.Now()
	s.clusters.status.start(began)
	defer func() {
		end()
		s.clusters.status.end(s.o.Now(), s.o.Now().Sub(began), err)
	}()
	if err := s.sealOf(ctx, t); err != nil {
		return mapError(err)
	}
	c := &clustering{s: s, t: t, o: o, workers: max(1, o.Workers)}
	if o.Workers <= 0 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	err = c.run(ctx, report)
	if errors.Is(err, errSuperseded) {
		return fmt.Errorf("table %s was dropped, or a segment of it repaired or found damaged, while it was clustered; what was published until then stays", n)
	}
	return mapError(err)
}

// clusters knows the tables that are being clustered, which no merge touches.
type clusters struct {
	mu     sync.Mutex
	tables map[uint32]bool
	status askedStatus
}

// begin reserves a table. It waits for the merge that runs, which may be of that table.
func (c *clusters) begin(s *Store, table uint32) (end func(), err error) {
	s.mergeMu.Lock()
	defer s.mergeMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tables[table] {
		return nil, ErrClusterRuns
	}
	if c.tables == nil {
		c.tables = map[uint32]bool{}
	}
	c.tables[table] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.tables, table)
	}, nil
}

func (c *clusters) runs(table uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tables[table]
}

// sealOf seals the rows of a table that have been acknowledged.
func (s *Store) sealOf(ctx context.Context, t *types.Table) error {
	if err := s.WaitVisible(ctx, s.log.Synced()); err != nil {
		return err
	}
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	for _, l := range s.lanes() {
		if l.holds(t.ID) {
			if err := s.sealLocked(ctx, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// clustering is one Cluster.
type clustering struct {
	s       *Store
	t       *types.Table
	o       ClusterOptions
	workers int

	mu        sync.Mutex
	done, all int // row groups
	told      time.Time
}

// run clusters what the table has now, partition by partition: what is sealed meanwhile stays as it is.
func (c *clustering) run(ctx context.Context, report func(Clustered)) error {
	v := c.s.manifest.pin()
	defer func() { c.s.manifest.unpin(v) }()
	type work struct {
		Clustered
		stretches [][][]*file
	}
	var todo []work
	for _, part := range partitionsOf(v.tables[c.t.ID]) {
		w := work{Clustered: Clustered{Partition: part[0].Meta.Partition, HasPartition: part[0].Meta.HasPartition}}
		for _, f := range part {
			if f.damaged.Load() {
				w.Left++
				w.LeftRows += f.Meta.Rows
			}
		}
		for _, units := range stretches([][]*file{part}) {
			if !c.inOrder(v, units) {
				w.stretches = append(w.stretches, units)
				c.all += groupsIn(units)
			}
		}
		if len(w.stretches) > 0 || w.Left > 0 {
			todo = append(todo, w)
		}
	}
	for _, w := range todo {
		for _, units := range w.stretches {
			for _, f := range slices.Concat(units...) {
				w.Before++
				w.BytesBefore += f.Meta.Bytes
			}
			out, err := c.stretch(ctx, units)
			if err != nil {
				return err
			}
			for _, f := range out {
				w.After++
				w.Rows += f.Meta.Rows
				w.BytesAfter += f.Meta.Bytes
			}
		}
		report(w.Clustered)
	}
	return nil
}

func groupsIn(units [][]*file) (n int) {
	for _, unit := range units {
		for _, f := range unit {
			n += len(f.Meta.GroupRows)
		}
	}
	return n
}

// inOrder tells whether there is nothing to do: the rows are one unit already, none of them is dead, and no segment is too
// large.
func (c *clustering) inOrder(v *version, units [][]*file) bool {
	return len(units) == 1 && v.deadIn(units[0]) == 0 &&
		!slices.ContainsFunc(units[0], func(f *file) bool { return f.Meta.Rows > int64(c.s.runRows) || f.Meta.ValueBytes > segmentBytesMost })
}

// stretch makes one run of units. Where they are more than one merge may read, it makes several of them first: each of
// neighbours, so that their ranges of the log stay disjoint.
func (c *clustering) stretch(ctx context.Context, units [][]*file) ([]*file, error) {
	limits := compact.LimitsOf(c.s.o.CompactionMemory / int64(c.workers))
	limits.GroupRows = min(compact.GroupRows, c.s.runRows)
	for {
		batches, err := c.batches(ctx, units, limits.Inputs)
		if err != nil {
			return nil, err
		}
		if len(batches) > 1 { // their outputs are read again
			c.progress(0, groupsIn(units))
		}
		units = units[:0:0]
		for _, batch := range batches {
			out := batch.files
			if len(batches) == 1 || batch.units > 1 {
				if out, err = c.merge(ctx, batch, limits); err != nil {
					return nil, err
				}
			}
			if len(out) > 0 {
				units = append(units, out)
			}
		}
		if len(batches) == 1 {
			return slices.Concat(units...), nil
		}
	}
}

// progress adds row groups that are written, and such that are to be.
func (c *clustering) progress(done, more int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += done
	c.all += more
	now := c.s.o.Now()
	c.s.clusters.status.step(now, fmt.Sprintf("%s: %d of %d row groups", c.t.FullName(), c.done, c.all))
	if c.o.Progress != nil && (now.Sub(c.told) > progressEvery || c.done == c.all) {
		c.told = now
		c.o.Progress(c.done, c.all)
	}
}

const progressEvery = 100 * time.Millisecond
