package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// What deleted rows have left in a roll-up is taken away by states to be subtracted: the roll-up's Build of those rows, in
// a segment that the manifest calls minus, published with the tombstones. Such a segment has no partition, so that a
// delete in many writes one file; merges add such segments up among themselves, and readers subtract.

// correct writes the states that the given rows have in the roll-ups over their table, to be subtracted.
func (s *Store) correct(ctx context.Context, w *segmentsWriter, t *tableRemoval) error {
	if t.n == 0 {
		return nil
	}
	for _, r := range s.rollups {
		if r.Source() != t.table.FullName() {
			continue
		}
		inputs, err := s.statesOfRows(ctx, r, t.rows)
		if err == nil {
			err = w.statesSegment(ctx, r, minusPartition, inputs)
		}
		if err != nil {
			return fmt.Errorf("correct roll-up %s: %w", r.states.FullName(), err)
		}
	}
	return nil
}

// Rows that lie far apart are brought together before they are aggregated: many small groups would cost more than their
// rows. Where a group gives many, they are aggregated where they are.
const (
	gatherShare = 16      // of a group's rows: one in so many is far apart
	gatherRows  = 8 << 10 // held in memory at a time
)

// statesOfRows aggregates rows of segments. Only blocks that hold one of them are read, by as many goroutines as there are
// CPUs.
func (s *Store) statesOfRows(ctx context.Context, r Rollup, rows map[*file]*roaring.Bitmap) ([]compact.Input, error) {
	files := sortedFiles(rows)
	n := min(runtime.GOMAXPROCS(0), (len(files)+filesPerWorker-1)/filesPerWorker)
	workers, errs := make([]rowStates, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range workers {
		w := &workers[i]
		w.s, w.r, w.apart.paths = s, r, r.Reads()
		wg.Go(func() { errs[i] = w.files(ctx, files[i*len(files)/n:(i+1)*len(files)/n], rows) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil || n == 0 {
		return nil, err
	}
	all := &workers[0]
	for i := range workers[1:] {
		w := &workers[1+i]
		all.inputs = append(all.inputs, w.inputs...)
		all.apart.join(&w.apart)
		if err := all.flushFull(); err != nil {
			return nil, err
		}
	}
	err := all.flush()
	return all.inputs, err
}

// filesPerWorker is how many segments a goroutine is worth.
const filesPerWorker = 16

// rowStates aggregates rows of some segments.
type rowStates struct {
	s      *Store
	r      Rollup
	apart  rowGatherer
	inputs []compact.Input
}

func (b *rowStates) files(ctx context.Context, files []*file, rows map[*file]*roaring.Bitmap) error {
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		rd, err := f.open(b.s.files, b.s.cache)
		if err != nil {
			return err
		}
		first := 0
		for i, n := range f.Meta.GroupRows {
			if dead := bitmapOf(rows[f], first, n); dead != nil {
				if err := b.group(rd.Group(i), dead.Positions(nil)); err != nil {
					return err
				}
			}
			first += n
		}
	}
	return nil
}

func (b *rowStates) group(g column.Group, rows []uint16) error {
	if len(rows)*gatherShare > g.Rows() {
		return b.build(g, rows)
	}
	if err := b.apart.add(g, rows); err != nil {
		return err
	}
	return b.flushFull()
}

// flushFull keeps what is brought together well below the rows of a group.
func (b *rowStates) flushFull() error {
	if b.apart.rows < gatherRows {
		return nil
	}
	return b.flush()
}

// flush aggregates what was brought together.
func (b *rowStates) flush() error {
	g := b.apart.take()
	if g.Rows() == 0 {
		return nil
	}
	return b.build(g, everyRow(g.Rows()))
}

func (b *rowStates) build(g column.Group, rows []uint16) error {
	states, err := b.r.Build(g, rows)
	if err == nil && len(states) > 0 {
		b.inputs = append(b.inputs, memoryInput(states))
	}
	return err
}

func everyRow(n int) []uint16 {
	out := make([]uint16, n)
	for i := range out {
		out[i] = uint16(i)
	}
	return out
}

// rowGatherer brings rows of several groups together.
type rowGatherer struct {
	paths []types.Path // whose columns are wanted
	rows  int
	cols  map[leafPath]*vec.Vector
	block vec.Vector
	at    []uint16
}

type leafPath struct {
	path types.Path
	leaf types.Leaf
}

// add copies rows of g, which are ascending.
func (a *rowGatherer) add(g column.Group, rows []uint16) error {
	if a.cols == nil {
		a.cols = map[leafPath]*vec.Vector{}
	}
	for _, p := range a.paths {
		for _, c := range g.Under(p) {
			k := leafPath{c.Path(), c.Leaf()}
			v := a.cols[k]
			if err := a.column(c, rows, &v); err != nil {
				return err
			}
			if v != nil {
				a.cols[k] = v
			}
		}
	}
	a.rows += len(rows)
	return nil
}

// column appends the rows of one column to *out, making it if one of them has a value. Of each block it reads what lies
// between the first and the last row.
func (a *rowGatherer) column(c column.Column, rows []uint16, out **vec.Vector) error {
	for i := 0; i < len(rows); {
		from, block := rows[i], rows[i]/vec.BlockRows
		a.at = a.at[:0]
		j := i
		for ; j < len(rows) && rows[j]/vec.BlockRows == block; j++ {
			a.at = append(a.at, rows[j]-from)
		}
		if err := c.Read(int(from), int(rows[j-1])+1, &a.block); err != nil {
			return err
		}
		if *out != nil || !a.allNull() {
			if *out == nil {
				*out = &vec.Vector{}
				(*out).Reset(c.Leaf().Type())
			}
			pad(*out, a.rows+i)
			vec.AppendIndexed(*out, &a.block, a.at)
		}
		i = j
	}
	return nil
}

// allNull reports whether none of the rows at has a value.
func (a *rowGatherer) allNull() bool {
	for _, r := range a.at {
		if !a.block.Null(int(r)) {
			return false
		}
	}
	return true
}

// pad appends NULLs until v has n rows.
func pad(v *vec.Vector, n int) {
	if v.N >= n {
		return
	}
	var null vec.Vector
	null.SetConstNull(v.Type, n-v.N)
	v.AppendRange(&null, 0, n-v.N)
}

// join appends what o has brought together, which is at most as much as another add may bring.
func (a *rowGatherer) join(o *rowGatherer) {
	if a.cols == nil {
		a.cols = map[leafPath]*vec.Vector{}
	}
	for k, v := range o.cols {
		if a.cols[k] == nil {
			a.cols[k] = &vec.Vector{}
			a.cols[k].Reset(k.leaf.Type())
		}
		pad(a.cols[k], a.rows)
		a.cols[k].AppendRange(v, 0, v.N)
	}
	a.rows += o.rows
}

// take returns what has been gathered and begins anew.
func (a *rowGatherer) take() *column.Mem {
	keys := make([]leafPath, 0, len(a.cols))
	for k := range a.cols {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y leafPath) int { return cmp.Or(cmp.Compare(x.path, y.path), cmp.Compare(x.leaf, y.leaf)) })
	g := column.NewMem(a.rows)
	for _, k := range keys {
		pad(a.cols[k], a.rows)
		g.Add(k.path, k.leaf, a.cols[k])
	}
	a.rows, a.cols = 0, nil
	return g
}
