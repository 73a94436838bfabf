package op

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/storage/vec"
)

// sortRows orders its input. Every worker gathers the rows of its morsels in runs of its own and sorts them; the sorted
// runs are merged side by side, and the rows' columns are put together as they are asked for. A row carries its place in
// the input, which decides between equal keys. When a third of the memory is used, runs go to disk; then all runs are
// merged as they are read. A top-N drops from time to time what cannot be among the first N.
type sortRows struct {
	b      *builder
	n      *plan.Sort
	of     plan.Node // whose work it is
	p      *pipeline
	spec   *sortSpec
	bound  sortBound
	top    *scan.Top // what the scan below is told; nil: nothing
	topCol int       // of the input: the first key
	ends   []*sortEnd
	runs   []*sortRun // sorted
	order  []uint32   // the rows in order: chunk<<chunkBits | row, chunks counted through all runs
	cols   [][]*vec.Vector
	disk   *sortMerge // nil: nothing went to disk
	mem    account    // of order
	done   bool
	at     int
	out    vec.Batch
	vecs   []vec.Vector
}

// sortBound is the word of a value that N rows at least do not exceed: shared by the workers of a top-N, it only shrinks.
type sortBound struct{ word atomic.Uint64 }

func (b *sortBound) lower(w uint64) {
	for old := b.word.Load(); w < old && !b.word.CompareAndSwap(old, w); old = b.word.Load() {
	}
}

func (b *builder) sort(n *plan.Sort) plan.Rows {
	if r := b.newLateTop(n); r != nil {
		return r
	}
	return &sortRows{b: b, n: n, of: n, mem: b.x.account("sort", n)}
}

func (r *sortRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	if !r.done {
		if err := r.compute(); err != nil {
			return nil, err
		}
	}
	if r.disk != nil {
		return r.disk.next()
	}
	if r.at >= len(r.order) {
		return nil, nil
	}
	end := min(r.at+vec.BatchRows, len(r.order))
	if r.vecs == nil {
		r.vecs = make([]vec.Vector, len(r.spec.types))
		for i := range r.vecs {
			r.out.Cols = append(r.out.Cols, &r.vecs[i])
		}
	}
	for i := range r.vecs {
		r.vecs[i].Reset(r.spec.types[i])
		gatherChunks(&r.vecs[i], r.cols[i], r.order[r.at:end])
	}
	r.out.N = end - r.at
	r.at = end
	return &r.out, nil
}

func (r *sortRows) Close() {
	if r.p != nil {
		r.p.close()
	}
	for _, e := range r.ends {
		e.mem.free()
		for _, f := range e.files {
			_ = f.Close() // the space counts what stays on disk
		}
	}
	r.mem.free()
}

func (r *sortRows) compute() error {
	p, err := r.b.pipeline(r.n.In)
	if err != nil {
		return err
	}
	r.p = p
	r.begin()
	r.tellScan()
	r.tellGroups()
	var mu sync.Mutex
	err = p.drive(func(w *worker) (terminal, error) {
		e := newSortEnd(r, w)
		mu.Lock()
		r.ends = append(r.ends, e)
		mu.Unlock()
		return e, nil
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// begin makes the sort ready for ends.
func (r *sortRows) begin() {
	r.spec = newSortSpec(r.n)
	r.bound.word.Store(^uint64(0))
}

// finish orders what the ends have gathered.
func (r *sortRows) finish() error {
	r.done = true
	spilled := false
	for _, e := range r.ends {
		spilled = spilled || len(e.files) > 0
	}
	if err := r.yield(spilled); err != nil {
		return err
	}
	for _, e := range r.ends {
		if e.run.n > 0 {
			r.runs = append(r.runs, e.run)
		}
	}
	if err := sortRuns(r.b.ctx, r.runs); err != nil {
		return err
	}
	if spilled {
		var err error
		r.disk, err = newSortMerge(r)
		return err
	}
	rows, places := int64(0), uint64(0)
	for _, run := range r.runs {
		rows += int64(run.n)
		places += uint64(len(run.chunks)) << chunkBits
	}
	if places > 1<<32 {
		return errWide("sort")
	}
	r.mem.soft = r.b.x.spaceOf(r.of) != nil // small beside the runs, which did not have to go to disk
	if err := r.mem.to(rows * 4); err != nil {
		return err
	}
	var err error
	if r.order, err = mergeRuns(r.runs, r.b.x.workers, r.n.Limit); err != nil {
		return err
	}
	r.cols = make([][]*vec.Vector, len(r.spec.types))
	for i := range r.cols {
		for _, run := range r.runs {
			for k := range run.chunks {
				r.cols[i] = append(r.cols[i], &run.chunks[k].cols[i])
			}
		}
	}
	return expr.Canceled(r.b.ctx)
}

// yield sends the last runs to disk too if others are, and the memory is still short: whoever takes the rows may need it.
func (r *sortRows) yield(spilled bool) error {
	if !spilled || !r.b.x.mem.above(1, 3) {
		return nil
	}
	errs := make([]error, len(r.ends))
	var wg sync.WaitGroup
	for i, e := range r.ends {
		if e.run.n == 0 {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer guard(&errs[i])
			if errs[i] = e.spill(r.b.x.spaceOf(r.of)); errs[i] == nil {
				errs[i] = e.mem.to(e.run.size())
			}
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// sortRuns sorts runs side by side; there are not more of them than workers.
func sortRuns(ctx *expr.Ctx, runs []*sortRun) error {
	errs := make([]error, len(runs))
	var wg sync.WaitGroup
	for i, r := range runs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer guard(&errs[i])
			if err := r.sort(ctx); err != nil {
				errs[i] = err
			}
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// gatherChunks appends the rows listed, of one column that is held in chunks.
func gatherChunks(out *vec.Vector, chunks []*vec.Vector, rows []uint32) {
	n := out.N
	for _, r := range rows {
		c := chunks[r>>chunkBits]
		if c.Valid != nil {
			gatherNullable(out, chunks, rows)
			return
		}
	}
	gatherPlain(out, chunks, rows, n)
}

func gatherNullable(out *vec.Vector, chunks []*vec.Vector, rows []uint32) {
	for _, r := range rows {
		out.AppendFrom(chunks[r>>chunkBits], int(r&(chunkRows-1)))
	}
}
