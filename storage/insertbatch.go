package storage

import (
	"context"
	"errors"
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
		cols = append(cols, stage.Col{Path: types.MakePath(c.Name), Leaf: types.LeafOf(c.Type)})
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

// segmentRowsMax is the most rows of one segment of a long insert (engine.md 4.1), segmentRowsMin how many it takes before
// one partition is cut up so that several cores write it.
const (
	segmentRowsMax = 2 << 20
	segmentRowsMin = 256 << 10
)

// staged writes groups of rows. Segments are written in parallel, each by a segmentsWriter of its own; those of one
// partition have ranges of the sort key that do not overlap.
func (w *segmentsWriter) staged(ctx context.Context, t *types.Table, groups []*stage.Group) error {
	src := make([]column.Group, len(groups))
	byPartition := map[int64][]stage.Row{}
	total := 0
	for i, g := range groups {
		src[i] = g
		for _, p := range g.Parts {
			key := p.Partition
			if _, ok := byPartition[key]; !ok && len(byPartition) >= partitionsMax {
				key = head.NoPartition
			}
			for r := p.From; r < p.To; r++ {
				byPartition[key] = append(byPartition[key], stage.Row{Group: uint32(i), Row: uint16(r)})
			}
			total += p.To - p.From
		}
	}
	workers := max(1, min(runtime.GOMAXPROCS(0), total/segmentRowsMin))
	partitions := sortedKeys(byPartition)
	jobs := make(chan int64)
	outs := make([]*segmentsWriter, workers)
	errs := make([]error, workers)
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	for i := range workers {
		own := &segmentsWriter{s: w.s, now: w.now, bulk: w.bulk}
		outs[i] = own
		group.Go(func() {
			for p := range jobs {
				if errs[i] != nil {
					continue
				}
				if errs[i] = own.stagedPartition(stop, t, p, src, groups, byPartition[p], workers); errs[i] != nil {
					cancel()
				}
			}
		})
	}
	for _, p := range partitions {
		jobs <- p
	}
	close(jobs)
	group.Wait()
	for _, own := range outs {
		w.files = append(w.files, own.files...)
		for _, id := range own.states {
			w.addState(id)
		}
	}
	return errors.Join(errs...)
}

// stagedPartition writes the rows of one partition.
func (w *segmentsWriter) stagedPartition(ctx context.Context, t *types.Table, partition int64, src []column.Group, groups []*stage.Group, rows []stage.Row, workers int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	refs := make([]segment.RowRef, len(rows))
	byRow := func() {
		for i, r := range rows {
			refs[i] = segment.RowRef{Group: r.Group, Row: r.Row}
		}
	}
	byRow()
	if err := w.buildStates(ctx, t, partition, src, refs); err != nil {
		return err
	}
	if key := compact.KeyOf(t); stage.Order(groups, rows, stageKey(key)) {
		byRow()
	} else if err := compact.Sort(src, refs, key); err != nil {
		return err
	}
	size := func(r segment.RowRef) int64 { return groups[r.Group].RowBytes(int(r.Row)) }
	for len(refs) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(refs), segmentRowsMax)
		err := w.segment(t, partition, func(sink compact.Sink) error { return compact.Write(sink, src, refs[:n], size) })
		if err != nil {
			return fmt.Errorf("rows of table %s: %w", t.FullName(), err)
		}
		refs = refs[n:]
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
