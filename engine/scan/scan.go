package scan

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Scan is a plan.Scan over a source: what all workers share. It holds no goroutine and nothing to close.
type Scan struct {
	node      *plan.Scan
	table     *types.Table
	morsels   []column.Morsel
	preds     []*pred
	never     bool  // some conjunct is true for no row
	out       []int // of Read: what is emitted
	skipped   *Skipped
	lookup    *lookup // nil: none
	ahead     ahead
	top       *Top  // nil: none
	visit     []int // the order in which to read the morsels; nil: as they lie
	left      atomic.Int64
	batchRows int // see BatchRows
	without   Without
	detail    *Detail // nil: not measured
	mu        sync.Mutex
	stats     Stats
}

// Stats counts what a scan did.
type Stats struct {
	Morsels         int64 // all of the source
	MorselsPruned   int64 // never opened: partition and manifest statistics, or all rows deleted
	MorselsOutside  int64 // of those, in a partition that the filter rules out
	MorselsFiltered int64 // never opened: a filter or set of distinct values holds no value that is asked for
	GroupsPruned    int64 // opened, then left out whole: zone maps and dictionaries
	Blocks          int64 // blocks of the groups that were read
	BlocksSkipped   int64 // of those, blocks without a surviving row: nothing but filter columns was read
	RowsIn          int64 // rows of all morsels, without deleted ones
	RowsDeleted     int64 // rows of all morsels that have been deleted
	RowsOut         int64
}

func (s *Stats) add(o Stats) {
	s.Morsels += o.Morsels
	s.MorselsPruned += o.MorselsPruned
	s.MorselsOutside += o.MorselsOutside
	s.MorselsFiltered += o.MorselsFiltered
	s.GroupsPruned += o.GroupsPruned
	s.Blocks += o.Blocks
	s.BlocksSkipped += o.BlocksSkipped
	s.RowsIn += o.RowsIn
	s.RowsDeleted += o.RowsDeleted
	s.RowsOut += o.RowsOut
}

// New prepares a scan. Constant parts of the filter are evaluated here, once.
func New(ctx *expr.Ctx, src column.Source, n *plan.Scan) (*Scan, error) {
	s := &Scan{node: n, table: src.Table(), morsels: src.Morsels()}
	for _, c := range n.Read {
		if s.table.Col(c.Column) < 0 && c.Column != types.ColRow {
			return nil, sqlstate.New(sqlstate.UndefinedColumn, "column %q of table %s does not exist", c.Column, s.table.FullName())
		}
	}
	resolved := *n
	resolved.Read = inColumns(s.table, n.Read)
	s.node = &resolved
	for c := range n.Out {
		s.out = append(s.out, c)
	}
	for _, e := range n.Filter {
		p := newPred(ctx, s, e)
		s.never = s.never || p.never
		s.preds = append(s.preds, p)
	}
	s.addImplied(ctx)
	if n.Limit > 0 {
		s.left.Store(n.Limit)
	}
	s.lookup = s.newLookup()
	return s, nil
}

// Morsels returns the number of row groups: the units of work, in the order of the source.
func (s *Scan) Morsels() int { return len(s.morsels) }

// Done reports that the limit has been reached: the other morsels need not be read.
func (s *Scan) Done() bool { return s.node.Limit > 0 && s.left.Load() <= 0 }

// Stats returns what the workers that were closed have counted.
func (s *Scan) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Emit takes a batch of rows that passed: the columns of the scan's output, and which rows are alive (nil: all). Both
// are valid until it returns.
type Emit func(b *vec.Batch, sel vec.Bitmap) error

// Worker reads morsels for one goroutine.
type Worker struct {
	s       *Scan
	ctx     *expr.Ctx
	cols    []reader
	vecs    []vec.Vector
	batch   vec.Batch // all columns of Read
	out     vec.Batch // the first Out of them
	fresh   []bool    // per column: vecs holds the current block
	preds   []predState
	order   []int
	sel     vec.Bitmap // rows [from, to) that are alive: often a part of passed
	tmp     vec.Bitmap
	rem     vec.Bitmap
	passed  vec.Bitmap // the group's rows that are alive, as far as they have been filtered
	wide    vec.Bitmap
	near    near
	pair    pair
	group   column.Group
	dead    vec.Bitmap // rows of the group that have been deleted; nil: none
	base    int64      // types.ColRow of the group's first row
	from    int
	to      int
	step    int      // rows of a batch at most: a power of two
	most    int      // the most rows of a batch in the current group: vec.BatchRows, or vec.BlockRows where a reader takes no more
	long    bool     // step depends on how long values are
	filters []bool   // per column: a conjunct looks at it
	used    []int    // columns that are looked at: rows that are read late have others
	peek    []reader // of a group that is asked for ahead
	outside bool     // see pruned
	seen    int      // morsels since the order was chosen
	stats   Stats
	detail  *Detail // nil: not measured
}

// NewWorker returns a worker. ctx belongs to its goroutine.
func (s *Scan) NewWorker(ctx *expr.Ctx) *Worker {
	n := len(s.node.Read)
	w := &Worker{s: s, ctx: ctx, cols: make([]reader, n), vecs: make([]vec.Vector, n), fresh: make([]bool, n)}
	for i := range w.vecs {
		w.batch.Cols = append(w.batch.Cols, &w.vecs[i])
	}
	for _, c := range s.out {
		w.out.Cols = append(w.out.Cols, &w.vecs[c])
	}
	for _, p := range s.preds {
		w.preds = append(w.preds, newPredState(w, p))
	}
	w.step, w.most, w.detail = s.batchMost(), s.batchMost(), newDetail(s)
	if slices.ContainsFunc(s.out, func(c int) bool { return mayBeLong(s.node.Read[c]) }) {
		w.step, w.long = stepMin, true
	}
	w.filters = make([]bool, n)
	for _, p := range s.preds {
		for _, c := range p.cols {
			w.filters[c] = true
		}
	}
	for c := range n {
		if w.filters[c] || slices.Contains(s.out, c) || s.top != nil && s.top.col == c {
			w.used = append(w.used, c)
		}
	}
	w.order = make([]int, len(s.preds))
	w.reorder()
	return w
}

// Close hands the worker's counts to the scan.
func (w *Worker) Close() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.stats.add(w.stats)
	w.stats = Stats{}
	if w.detail != nil {
		w.s.detail.add(w.detail)
		w.detail = newDetail(w.s)
	}
}

// Morsel reads one row group, block by block, and emits what passes.
func (w *Worker) Morsel(i int, emit Emit) error {
	if w.s.splits() {
		emit = split(w.s.batchRows, emit)
	}
	if f := w.finding(i); f != nil {
		return w.found(f, emit)
	}
	if len(w.s.preds) == 0 && len(w.s.node.Read) == 0 {
		return w.countOnly(i, emit)
	}
	rows, read, err := w.enter(i)
	if err != nil {
		return w.unreadable(err, rows, true)
	}
	if !read {
		return nil
	}
	return w.spans(emit)
}

// open begins a group; false if no row of it can pass.
func (w *Worker) open(m column.Morsel) (bool, error) {
	hold, err := w.mayHold(m)
	if err != nil {
		return false, err
	}
	if !hold {
		w.stats.MorselsFiltered++
		return false, nil
	}
	g, err := m.Open()
	if err != nil {
		return false, err
	}
	w.group = g
	for _, c := range w.used {
		w.cols[c].open(g, w.s.table, w.s.node.Read[c])
	}
	if hold, err = w.beginPreds(); err != nil || !hold {
		w.stats.GroupsPruned++
		return false, err
	}
	w.most = w.mostRows()
	if w.step = min(w.step, w.most); !w.long {
		w.step = w.most
	}
	return true, nil
}

// beginPreds has the predicates look at the group; false if no row of it can pass. Those that judge distinct values come last:
// by then it is known how many rows are left to be the first of an order.
func (w *Worker) beginPreds() (bool, error) {
	for k := range w.preds {
		if p := &w.preds[k]; p.form != match && p.begin(w) == none {
			return false, nil
		}
	}
	if some, err := w.nearRows(); err != nil || !some {
		return false, err
	}
	for k := range w.preds {
		if p := &w.preds[k]; p.form == match && p.begin(w) == none {
			return false, nil
		}
	}
	return true, nil
}

// mostRows returns how many rows of the group all readers can read at once.
func (w *Worker) mostRows() int {
	for _, c := range w.used {
		if !w.cols[c].manyBlocks() {
			return min(vec.BlockRows, w.s.batchMost())
		}
	}
	return w.s.batchMost()
}

// spanFirst is how many rows a scan filters at first that may soon have enough: a limit, or blocks that cannot be read.
const spanFirst = vec.BatchRows

// spans reads the group: at once, or a growing part at a time where there is a limit; block by block where what cannot be
// read is to be left out.
func (w *Worker) spans(emit Emit) error {
	rows := w.group.Rows()
	if w.s.skipped != nil {
		return w.readable(emit)
	}
	size := rows
	if w.s.node.Limit > 0 || w.s.top != nil {
		size = spanFirst
	}
	grow := 2
	if w.s.without.Groups {
		size, grow = vec.BlockRows, 1
	}
	for from := 0; from < rows && !w.s.Done(); size *= grow {
		to := min(from+size, rows)
		alive, err := w.filter(from, to)
		if from == 0 && err == nil {
			w.metGroup(to-from, alive)
		}
		switch {
		case err == nil && alive > 0:
			w.askOutput()
		case err == nil:
			w.s.ahead.begun.Add(1)
		}
		if err == nil {
			err = w.batches(from, to, alive, emit)
		}
		if err != nil {
			return w.unreadable(err, 0, false)
		}
		from = to
	}
	return nil
}

// readable reads the group block by block, and leaves out, and counts, those that cannot be read.
func (w *Worker) readable(emit Emit) error {
	rows := w.group.Rows()
	whole := true // no block has been left out yet
	var failed error
	once := func(b *vec.Batch, sel vec.Bitmap) error { // an error of whoever takes the rows is none of reading them
		failed = emit(b, sel)
		return failed
	}
	for from := 0; from < rows && !w.s.Done(); {
		to := min(from+min(w.step, vec.BlockRows), rows)
		alive, err := w.filter(from, to)
		if err == nil {
			err = w.batches(from, to, alive, once)
		}
		switch {
		case failed != nil:
			return failed
		case err != nil:
			w.from, w.to = from, to
			if err := w.unreadable(err, w.liveInBlock(), whole); err != nil {
				return err
			}
			whole = false
		}
		from = to
	}
	return nil
}

// batches emits rows [from, to), which have been filtered.
func (w *Worker) batches(from, to, alive int, emit Emit) error {
	w.stats.Blocks += int64((to - from + vec.BlockRows - 1) / vec.BlockRows)
	if alive == 0 {
		w.stats.BlocksSkipped += int64((to - from + vec.BlockRows - 1) / vec.BlockRows)
		return nil
	}
	for at := from; at < to && !w.s.Done(); {
		if err := expr.Canceled(w.ctx); err != nil {
			return err
		}
		alive := w.enterBatch(at, min(at+w.step, to))
		w.stats.BlocksSkipped += int64((w.from - at + vec.BlockRows - 1) / vec.BlockRows)
		if alive > 0 {
			var err error
			if alive, err = w.decode(alive); err != nil {
				return err
			}
			if alive == 0 {
				w.stats.BlocksSkipped += int64((w.to - w.from + vec.BlockRows - 1) / vec.BlockRows)
			}
		}
		at = w.to
		if alive == 0 {
			continue
		}
		if err := w.hand(alive, emit); err != nil {
			return err
		}
	}
	return nil
}

// hand emits the current block, of which alive rows have passed.
func (w *Worker) hand(alive int, emit Emit) error {
	w.stats.RowsOut += int64(alive)
	w.adapt()
	if alive == w.out.N {
		return emit(&w.out, nil)
	}
	return emit(&w.out, w.sel)
}

// countOnly answers a scan that reads nothing: rows without columns.
func (w *Worker) countOnly(i int, emit Emit) error {
	m := w.s.morsels[i]
	rows := column.Live(m)
	w.stats.Morsels++
	w.stats.RowsIn += int64(rows)
	w.stats.RowsDeleted += int64(m.Rows() - rows)
	if rows == 0 {
		w.stats.MorselsPruned++
		return nil
	}
	if rows = w.take(rows); rows == 0 {
		return nil
	}
	w.stats.RowsOut += int64(rows)
	w.out.N = rows
	return emit(&w.out, nil)
}

// take cuts n to what the limit still allows.
func (w *Worker) take(n int) int {
	if w.s.node.Limit <= 0 {
		return n
	}
	left := w.s.left.Add(-int64(n))
	if left < 0 {
		n += int(max(left, -int64(n)))
	}
	return n
}

// decode decides the conjuncts that need decoded columns for the current batch, and decodes the output for the rows that
// pass. It returns their number.
func (w *Worker) decode(alive int) (int, error) {
	for _, k := range w.order {
		p := &w.preds[k]
		if p.verdict == all || !p.decoded() {
			continue
		}
		start := time.Now()
		if err := p.evaluate(w); err != nil {
			return 0, err
		}
		before := alive
		alive = w.sel.Count()
		w.judged(k, before, alive, time.Since(start))
		if alive == 0 {
			return 0, nil
		}
	}
	if w.s.skipped != nil { // what cannot be read takes nothing of the limit
		if err := w.loadAll(); err != nil {
			return 0, err
		}
	}
	if keep := w.take(alive); keep < alive {
		cut(w.sel, keep)
		alive = keep
		w.shorten()
	}
	if alive == 0 {
		return 0, nil
	}
	return alive, w.loadAll()
}

// loadAll decodes the columns of the output.
func (w *Worker) loadAll() error {
	for _, c := range w.s.out {
		if err := w.load(c); err != nil {
			return err
		}
	}
	return nil
}

// The rows of a block are fewer where they are long: documents of 100 KB would make batches that no cache holds and that
// every operator copies.
const (
	stepMin  = 64
	stepMost = 8 << 20 // bytes of one column
)

// mayBeLong reports whether values of the column may be whole documents.
func mayBeLong(c plan.ScanCol) bool { return c.Type.Kind == types.JSONB && !c.Outline }

// adapt chooses the number of rows of the next block by the bytes of this one.
func (w *Worker) adapt() {
	size := 0
	for _, i := range w.s.out {
		size = max(size, len(w.vecs[i].Data))
	}
	n := w.to - w.from
	for w.step > stepMin && size/n*w.step > stepMost {
		w.step /= 2
	}
	if w.step < w.most && size/n*w.step < stepMost/4 && w.to%(2*w.step) == 0 {
		w.step *= 2
	}
}

// cut leaves the first keep bits of sel.
func cut(sel vec.Bitmap, keep int) {
	sel.All(func(i int) {
		if keep--; keep < 0 {
			sel.Clear(i)
		}
	})
}

// shorten ends the current batch, which is the last one, behind its last row that is alive: a limit of a few rows does not decode
// thousands.
func (w *Worker) shorten() {
	end := len(w.sel)
	for end > 0 && w.sel[end-1] == 0 {
		end--
	}
	if end == 0 || end == len(w.sel) {
		return
	}
	w.to, w.sel = w.from+64*end, w.sel[:end]
	w.batch.N, w.out.N = w.to-w.from, w.to-w.from
	clear(w.fresh) // what conditions have decoded is longer
}

// load makes vecs[c] hold the current block, decoded for the rows that are still alive.
func (w *Worker) load(c int) error {
	if w.fresh[c] {
		return nil
	}
	w.fresh[c] = true
	err := w.cols[c].read(w, &w.vecs[c])
	w.decodedBytes(&w.vecs[c])
	return err
}

// errRetry says that a predicate failed for a value that perhaps no selected row has.
var errRetry = errors.New("predicate failed on a dictionary")
