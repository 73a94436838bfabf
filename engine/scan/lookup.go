package scan

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A scan for a few rows among many groups does little but wait: for one page of one column, then for one of the next. A
// disk serves many reads in the time of one, so a lookup goes through many groups at once, step by step: it asks for what
// the first conjunct will read in all of them, then decides it in all of them, then asks for what is left of the next one,
// and in the end for the output's pages of the blocks with a row that passed. The rows are handed on as in any other scan.

// lookup is the part of a scan that its workers share. Its batches are lookupMorsels row groups each, of which the worker
// that comes first finds the rows.
type lookup struct {
	off     atomic.Bool // the filters hold too many groups: those not looked through yet are read as ever
	batches []lookupBatch
}

type lookupBatch struct {
	begun atomic.Bool
	done  chan struct{}
	found []finding
}

const lookupMorsels = 128

// A lookup is one as long as the filters rule out most groups. Few groups are worth it anyway.
const lookupFew = 8

// finding is what a lookup knows of a row group.
type finding struct {
	state  findingState
	m      column.Morsel
	at     int    // index of the morsel
	dead   int    // deleted rows
	ask64  uint64 // the conjuncts, of the first 64, that filters are asked about
	group  column.Group
	preds  []predState
	out    []column.Column // stored columns of the output
	words  vec.Bitmap      // the rows that pass: the blocks' are parts of it
	blocks []foundBlock
}

type findingState uint8

const (
	unknown findingState = iota // to be read block by block
	empty                       // no row passes
	found                       // blocks have the rows that pass
)

// foundBlock is the rows of a block, of vec.BlockRows but for the last, that pass.
type foundBlock struct {
	sel   vec.Bitmap
	alive int
}

// newLookup returns nil where a scan would gain nothing: without a conjunct that filters can answer, or with a limit,
// which wants few groups looked at rather than all at once.
func (s *Scan) newLookup() *lookup {
	if s.never || s.node.Limit > 0 || len(s.morsels) < 2 {
		return nil
	}
	asks := false
	for _, p := range s.preds {
		if p.form != compare {
			return nil
		}
		asks = asks || p.p.Leaf == types.LeafText && (p.p.Op == column.OpEq || p.p.Op == column.OpIn)
	}
	if !asks {
		return nil
	}
	l := &lookup{batches: make([]lookupBatch, (len(s.morsels)+lookupMorsels-1)/lookupMorsels)}
	for i := range l.batches {
		l.batches[i].done = make(chan struct{})
	}
	return l
}

// finding returns what is known of morsel i; nil if it is to be read as ever.
func (w *Worker) finding(i int) *finding {
	l := w.s.lookup
	if l == nil || w.s.skipped != nil {
		return nil
	}
	b := &l.batches[i/lookupMorsels]
	w.search(i / lookupMorsels)
	select {
	case <-b.done:
	default: // another worker is at it: meanwhile the next ones
		w.search(i/lookupMorsels + 1)
		<-b.done
	}
	if b.found == nil || b.found[i%lookupMorsels].state == unknown {
		return nil
	}
	return &b.found[i%lookupMorsels]
}

// search finds the rows of a batch, if nobody has begun to. Whatever fails is left to those who read the group as ever.
func (w *Worker) search(i int) {
	l := w.s.lookup
	if i >= len(l.batches) || l.off.Load() && l.batches[i].begun.Load() {
		return
	}
	b := &l.batches[i]
	if b.begun.Swap(true) {
		return
	}
	defer close(b.done)
	if l.off.Load() {
		return
	}
	sel := w.sel
	defer func() { w.sel, w.group, w.dead = sel, nil, nil }()
	first := i * lookupMorsels
	b.found = make([]finding, min(lookupMorsels, len(w.s.morsels)-first))
	held := w.held(b.found, first)
	for k := range held {
		held[k].open(w)
	}
	for _, k := range w.order {
		for _, f := range held {
			f.prefetch(k)
		}
		for _, f := range held {
			f.apply(w, k)
		}
	}
	for _, f := range held {
		f.finish(w)
	}
}

// held returns those groups of a batch that may have a row, as far as can be told without opening them: nil if they are
// most, and the scan no lookup.
func (w *Worker) held(list []finding, first int) (held []*finding) {
	var asked []*finding
	for k := range list {
		f := &list[k]
		f.at, f.m = first+k, w.s.morsels[first+k]
		if d := f.m.Deleted(); d != nil {
			f.dead = d.Count()
		}
		w.outside = false
		if f.m.Rows() == f.dead || w.pruned(f.m) {
			f.rule(w, &w.stats.MorselsPruned)
			if w.outside {
				w.stats.MorselsOutside++
			}
			continue
		}
		f.remember(w)
		asked = append(asked, f)
	}
	for _, f := range asked {
		f.prefetchFilters(w)
	}
	for _, f := range asked {
		hold, err := f.mayHold(w)
		switch {
		case err != nil:
		case !hold:
			f.rule(w, &w.stats.MorselsFiltered)
		default:
			held = append(held, f)
		}
	}
	if len(held) > lookupFew && 2*len(held) > len(asked) {
		w.s.lookup.off.Store(true)
		return nil
	}
	return held
}

// remember keeps which conjuncts the filters are to be asked about, which pruned has decided.
func (f *finding) remember(w *Worker) {
	for k := range min(len(w.preds), 64) {
		if w.preds[k].ask {
			f.ask64 |= 1 << k
		}
	}
}

// prefetchFilters asks for the filters that mayHold will ask.
func (f *finding) prefetchFilters(w *Worker) {
	p, ok := f.m.(column.FilterPrefetcher)
	if !ok {
		return
	}
	for k := f.ask64; k != 0; k &= k - 1 {
		pred := &w.preds[bits.TrailingZeros64(k)]
		p.PrefetchFilter(w.s.node.Read[pred.pred.col].Column, pred.p.Leaf)
	}
}

func (f *finding) mayHold(w *Worker) (bool, error) {
	for k := range w.preds {
		w.preds[k].ask = k < 64 && f.ask64>>k&1 != 0
	}
	return w.mayHold(f.m)
}

// rule leaves the group out, and counts it.
func (f *finding) rule(w *Worker, count *int64) {
	f.state = empty
	*count++
	f.count(w)
}

// count adds what every morsel adds to the worker's counts, once the finding stands in the place of reading it.
func (f *finding) count(w *Worker) {
	w.stats.Morsels++
	w.stats.RowsIn += int64(f.m.Rows() - f.dead)
	w.stats.RowsDeleted += int64(f.dead)
}

// open opens the group. Its blocks begin with all rows that are not deleted. Without blocks, it stays unknown.
func (f *finding) open(w *Worker) {
	g, err := f.m.Open()
	if err != nil || expr.Canceled(w.ctx) != nil {
		return
	}
	w.group = g
	if w.detail != nil {
		w.detail.opened.Set(f.at)
	}
	for c := range w.cols {
		w.cols[c].open(g, w.s.table, w.s.node.Read[c])
	}
	for k := range w.preds {
		p := &w.preds[k]
		if p.begin(w) == none {
			f.rule(w, &w.stats.GroupsPruned)
			return
		}
		if p.col == nil {
			return
		}
	}
	f.group, f.preds = g, append([]predState(nil), w.preds...)
	for _, c := range w.s.out {
		if r := &w.cols[c]; r.kind == plain {
			f.out = append(f.out, r.direct)
		}
	}
	f.begin(g.Rows())
}

func (f *finding) begin(rows int) {
	n := (rows + vec.BlockRows - 1) / vec.BlockRows
	words := make(vec.Bitmap, n*(vec.BlockRows/64))
	dead := f.m.Deleted()
	words.Fill(rows)
	for i := range min(len(words), len(dead)) {
		words[i] &^= dead[i]
	}
	f.blocks, f.words = make([]foundBlock, n), words[:vec.Words(rows)]
	for b := range f.blocks {
		from, to := f.rows(b)
		sel := words[from/64 : (to+63)/64 : (to+63)/64]
		f.blocks[b] = foundBlock{sel, sel.Count()}
	}
}

// rows returns the range of a block.
func (f *finding) rows(b int) (from, to int) {
	return b * vec.BlockRows, min((b+1)*vec.BlockRows, f.m.Rows())
}

// prefetch asks for what conjunct k will read.
func (f *finding) prefetch(k int) {
	if f.blocks == nil || f.preds[k].verdict == all {
		return
	}
	p := &f.preds[k]
	f.ask(p.col, func(b int) bool {
		st := p.col.BlockStats(b)
		st.Dict = nil
		return p.push.Judge(&st) == some
	})
}

// ask asks for a column's values of the blocks with a row left, as far as they are needed. Blocks that lie together are
// asked for together.
func (f *finding) ask(c column.Column, needed func(b int) bool) {
	p, ok := c.(column.Prefetcher)
	if !ok {
		return
	}
	for b := 0; b < len(f.blocks); b++ {
		first := b
		for b < len(f.blocks) && f.blocks[b].alive > 0 && needed(b) {
			b++
		}
		if b > first {
			from, _ := f.rows(first)
			_, to := f.rows(b - 1)
			p.Prefetch(from, to)
		}
	}
}

// apply decides conjunct k in the blocks with a row left.
func (f *finding) apply(w *Worker, k int) {
	if f.blocks == nil || f.preds[k].verdict == all {
		return
	}
	p, before, start := &f.preds[k], f.alive(), time.Now()
	w.group = f.group
	if err := p.filterRange(w, 0, f.m.Rows(), f.words); err != nil {
		f.blocks = nil // read as ever, it will fail again
		return
	}
	for b := range f.blocks {
		f.blocks[b].alive = f.blocks[b].sel.Count()
	}
	w.met(p.cols[0], p.col)
	w.decided(k, before, f.alive(), time.Since(start))
}

// alive returns the number of rows that are left.
func (f *finding) alive() (n int) {
	for _, b := range f.blocks {
		n += b.alive
	}
	return n
}

// narrow makes the worker's rows, of which sel tells the selected ones, those from the first selected to the last, to 64
// rows: what a conjunct or the output need not look at costs nothing. At least one is selected. w.sel is a part of sel.
func (w *Worker) narrow(sel vec.Bitmap) {
	first, end := 0, len(sel)
	for sel[first] == 0 {
		first++
	}
	for sel[end-1] == 0 {
		end--
	}
	w.from, w.to = w.from+64*first, min(w.to, w.from+64*end)
	w.sel = sel[first:end]
}

// finish asks for the output of the rows that passed, and counts the blocks.
func (f *finding) finish(w *Worker) {
	if f.blocks == nil {
		return
	}
	for _, c := range f.out {
		f.ask(c, func(int) bool { return true })
	}
	f.state = found
	f.count(w)
	w.metRows(f.m.Rows(), f.alive())
	for b := range f.blocks {
		w.stats.Blocks++
		if f.blocks[b].alive == 0 {
			w.stats.BlocksSkipped++
		}
	}
}

// found emits the rows that a lookup has found.
func (w *Worker) found(f *finding, emit Emit) error {
	if f.state == empty {
		return nil
	}
	w.group, w.base, w.dead = f.group, int64(f.at)<<16, nil
	opened := false
	for b := range f.blocks {
		if f.blocks[b].alive == 0 {
			continue
		}
		if !opened {
			opened = true
			for c := range w.cols {
				w.cols[c].open(f.group, w.s.table, w.s.node.Read[c])
			}
			w.metOutput()
		}
		if err := w.foundBlock(f, b, emit); err != nil {
			return err
		}
	}
	return nil
}

// foundBlock emits the rows of a block, in as many steps as the output wants.
func (w *Worker) foundBlock(f *finding, b int, emit Emit) error {
	own := w.sel
	defer func() { w.sel = own }()
	first, end := f.rows(b)
	for from := first; from < end; {
		w.from, w.to = from, min(from+w.step, end)
		from = w.to
		sel := f.blocks[b].sel[(w.from-first)/64 : (w.to-first+63)/64]
		alive := sel.Count()
		if alive == 0 {
			continue
		}
		w.narrow(sel)
		if err := expr.Canceled(w.ctx); err != nil {
			return err
		}
		clear(w.fresh)
		w.batch.N, w.out.N = w.to-w.from, w.to-w.from
		if err := w.loadAll(); err != nil {
			return w.unreadable(err, alive, false)
		}
		if err := w.hand(alive, emit); err != nil {
			return err
		}
	}
	return nil
}
