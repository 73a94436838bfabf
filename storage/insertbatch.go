package storage

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/stage"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Batches of a long insert are kept in memory, in the short forms of package stage, up to Options.InsertMemory. Then, and
// at the end, the rows of each partition are sorted and written as segments, by as many goroutines as there are cores: so
// a load of any order becomes a few large sorted segments a partition, which need no merge to be read fast.

// Long tells whether rows go into segments already, so that a batch of any size had better come by AddBatch.
func (in *Insert) Long() bool { return in.long != nil }

// CanAddBatch tells whether the table's rows can come as batches: all but those with jsonb, which is taken apart first.
func (in *Insert) CanAddBatch() bool {
	for _, c := range in.table.Columns {
		if c.Type.Kind == types.JSONB {
			return false
		}
	}
	return true
}

// AddBatch adds the rows of a batch, whose columns are those of the table that are not hidden, in order. The batch is the
// insert's from then on. The rows go into segments, however few they are; see CanAddBatch and Long.
func (in *Insert) AddBatch(ctx context.Context, b *vec.Batch) error {
	b.Compact()
	if b.N == 0 {
		return nil
	}
	if in.long == nil {
		if err := in.goLong(ctx); err != nil {
			return err
		}
	}
	in.rows += int64(b.N)
	l := in.long
	if l.stage == nil {
		l.stage = newStager(in.table, l.lsn)
	}
	l.stage.Add(b)
	if l.stage.Bytes() < in.s.o.InsertMemory {
		return nil
	}
	return in.spillStaged(ctx)
}

func newStager(t *types.Table, lsn uint64) *stage.Stager {
	var cols []stage.Col
	partition := -1
	for _, c := range t.Columns {
		if c.Hidden {
			continue
		}
		if c.Name == t.PartitionBy {
			partition = len(cols)
		}
		cols = append(cols, stage.Col{Path: types.MakePath(c.Name), Leaf: types.LeafOf(c.Type), UUID: c.Type.Kind == types.UUID})
	}
	return stage.New(cols, partition, stage.Col{Path: types.MakePath(types.ColLSN), Leaf: types.LeafInt}, int64(lsn))
}

// spillStaged writes the rows of all batches so far to segments that nobody sees yet.
func (in *Insert) spillStaged(ctx context.Context) error {
	l := in.long
	if l.stage == nil || l.stage.Rows() == 0 {
		return nil
	}
	if err := in.s.usable(); err != nil {
		return err
	}
	if err := in.s.spaceLeft(); err != nil {
		return err
	}
	return mapError(l.w.staged(ctx, in.table, l.stage.Take()))
}

// segmentRowsMax is the most rows of one segment of a long insert (engine.md 4.1), segmentRowsMin how many one has at least
// where a partition is cut up so that several cores write it.
const (
	segmentRowsMax = 2 << 20
	segmentRowsMin = 256 << 10
)

// staging writes what an insert has gathered.
type staging struct {
	t       *types.Table
	groups  []*stage.Group
	src     []column.Group // the same
	cutRows int
	workers int
	writers []*segmentsWriter // one for each worker
}

// stagedPart is rows of one partition, that become one segment when they are in order.
type stagedPart struct {
	partition int64
	rows      []stage.Row
	refs      []segment.RowRef
}

// staged writes groups of rows: first the rows of each partition are sorted, then they are cut into segments, whose ranges
// of the sort key do not overlap. Both is done by several workers; each writes by a segmentsWriter of its own.
func (w *segmentsWriter) staged(ctx context.Context, t *types.Table, groups []*stage.Group) error {
	s := &staging{t: t, cutRows: w.s.cutRows, groups: groups, src: make([]column.Group, len(groups))}
	parts, total := s.partitions()
	s.workers = max(1, min(runtime.GOMAXPROCS(0), total/w.s.cutRows))
	for range s.workers {
		s.writers = append(s.writers, &segmentsWriter{s: w.s, now: w.now, bulk: w.bulk})
	}
	err := s.each(ctx, len(parts), func(ctx context.Context, own *segmentsWriter, i int) error {
		return s.sort(ctx, own, parts[i], max(1, s.workers/len(parts)))
	})
	if err == nil {
		parts = s.cut(parts)
		err = s.each(ctx, len(parts), func(ctx context.Context, own *segmentsWriter, i int) error { return s.write(ctx, own, parts[i]) })
	}
	for _, own := range s.writers {
		w.files = append(w.files, own.files...)
		for _, id := range own.states {
			w.addState(id)
		}
	}
	return err
}

// partitions lists the rows of each partition.
func (s *staging) partitions() (parts []*stagedPart, total int) {
	byPartition := map[int64]*stagedPart{}
	for i, g := range s.groups {
		s.src[i] = g
		for _, p := range g.Parts {
			key := p.Partition
			if _, ok := byPartition[key]; !ok && len(byPartition) >= partitionsMax {
				key = head.NoPartition
			}
			if byPartition[key] == nil {
				byPartition[key] = &stagedPart{partition: key}
			}
			for r := p.From; r < p.To; r++ {
				byPartition[key].rows = append(byPartition[key].rows, stage.Row{Group: uint32(i), Row: uint16(r)})
			}
			total += p.To - p.From
		}
	}
	for _, p := range sortedKeys(byPartition) {
		parts = append(parts, byPartition[p])
	}
	return parts, total
}

// each has the workers do n things; after an error no more are begun.
func (s *staging) each(ctx context.Context, n int, do func(ctx context.Context, own *segmentsWriter, i int) error) error {
	jobs := make(chan int, n)
	for i := range n {
		jobs <- i
	}
	close(jobs)
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(s.writers))
	var group sync.WaitGroup
	for w, own := range s.writers {
		group.Go(func() {
			for i := range jobs {
				if errs[w] = stop.Err(); errs[w] == nil {
					errs[w] = do(stop, own, i)
				}
				if errs[w] != nil {
					cancel()
					return
				}
			}
		})
	}
	group.Wait()
	return firstOf(errs)
}

// sort puts the rows of a partition in order, and writes the states of the roll-ups over them.
func (s *staging) sort(ctx context.Context, own *segmentsWriter, p *stagedPart, workers int) error {
	p.refs = make([]segment.RowRef, len(p.rows))
	byRow := func() {
		for i, r := range p.rows {
			p.refs[i] = segment.RowRef{Group: r.Group, Row: r.Row}
		}
	}
	byRow()
	if err := own.buildStates(ctx, s.t, p.partition, s.src, p.refs); err != nil {
		return err
	}
	key := compact.KeyOf(s.t)
	ordered, err := stage.Order(ctx, s.groups, p.rows, stageKey(key), workers)
	if err != nil {
		return err
	}
	if !ordered {
		p.rows = nil
		return compact.Sort(ctx, s.src, p.refs, key)
	}
	byRow()
	p.rows = nil
	return nil
}

// cut makes segments of partitions: such of about equal size, and where there are fewer partitions than workers, enough
// for all to have as much to do.
func (s *staging) cut(parts []*stagedPart) (out []*stagedPart) {
	for _, p := range parts {
		n := len(p.refs)
		k := (n + segmentRowsMax - 1) / segmentRowsMax
		if len(parts) < s.workers {
			k = min((k+s.workers-1)/s.workers*s.workers, max(k, n/s.cutRows))
		}
		for i := range k {
			out = append(out, &stagedPart{partition: p.partition, refs: p.refs[n*i/k : n*(i+1)/k]})
		}
	}
	return out
}

// write writes a segment.
func (s *staging) write(ctx context.Context, own *segmentsWriter, p *stagedPart) error {
	size := func(r segment.RowRef) int64 { return s.groups[r.Group].RowBytes(int(r.Row)) }
	own.stop = ctx.Err
	err := own.segment(s.t, p.partition, func(sink compact.Sink) error { return compact.Write(sink, s.src, p.refs, size) })
	if err != nil {
		return fmt.Errorf("rows of table %s: %w", s.t.FullName(), err)
	}
	return nil
}

func stageKey(key []compact.KeyCol) []stage.Col {
	out := make([]stage.Col, len(key))
	for i, k := range key {
		out[i] = stage.Col{Path: k.Path, Leaf: k.Leaf}
	}
	return out
}

func (w *segmentsWriter) addState(id uint32) {
	for _, have := range w.states {
		if have == id {
			return
		}
	}
	w.states = append(w.states, id)
}
