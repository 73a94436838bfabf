package scan

import (
	"slices"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/column"
)

// A scan of what is not in memory waits for the disk unless somebody asks ahead: while workers are at some row groups, the
// chunks of the next ones that will be read are being fetched. Asking does not wait, so it needs no goroutine: the worker
// that begins a row group asks for those behind it. Nothing is asked for that the manifest rules out; the output's columns
// only where filters leave rows in most row groups.

// aheadMorsels is how many row groups are asked for ahead of the one that is begun.
const aheadMorsels = 4

// aheadWarm is after how many row groups in a row with nothing to fetch only every aheadWarm-th one is looked at.
const aheadWarm = 8

// ahead is what the workers of a scan share about asking ahead.
type ahead struct {
	next   atomic.Int64 // the first morsel that has not been asked for
	warm   atomic.Int64 // row groups since one with something to fetch
	begun  atomic.Int64 // row groups that were filtered
	passed atomic.Int64 // those of them with a row that passed
}

// wantsAhead reports whether the scan reads row groups in order, and all of them.
func (s *Scan) wantsAhead() bool {
	return !s.without.Ahead && !s.never && s.node.Limit == 0 && (s.lookup == nil || s.lookup.off.Load()) && s.visit == nil
}

// askAhead asks for the row groups behind i.
func (w *Worker) askAhead(i int) {
	a := &w.s.ahead
	for {
		n := a.next.Load()
		if n > int64(i+aheadMorsels) || n >= int64(len(w.s.morsels)) {
			return
		}
		if n < int64(i) { // others have been faster
			a.next.CompareAndSwap(n, int64(i))
			continue
		}
		if !a.next.CompareAndSwap(n, n+1) {
			continue
		}
		if a.warm.Load() < aheadWarm || n%aheadWarm == 0 {
			w.askFor(w.s.morsels[n])
		}
	}
}

// askFor asks for what will be read of a morsel.
func (w *Worker) askFor(m column.Morsel) {
	if dead := m.Deleted(); dead != nil && dead.Count() == m.Rows() || w.pruned(m) {
		return
	}
	g, err := m.Open()
	if err != nil {
		return // whoever reads it is told
	}
	if w.peek == nil {
		w.peek = make([]reader, len(w.cols))
	}
	output := w.asksOutput()
	asked := false
	for c := range w.peek {
		if w.filters[c] || output && slices.Contains(w.s.out, c) {
			r := &w.peek[c]
			r.open(g, w.s.table, w.s.node.Read[c])
			asked = r.fetch(g.Rows()) || asked
		}
	}
	if asked {
		w.s.ahead.warm.Store(0)
	} else {
		w.s.ahead.warm.Add(1)
	}
}

// asksOutput reports whether most row groups have rows that pass.
func (w *Worker) asksOutput() bool {
	return len(w.s.preds) == 0 || 2*w.s.ahead.passed.Load() > w.s.ahead.begun.Load()
}

// askOutput asks for all output columns of the current group at once, before the first is read.
func (w *Worker) askOutput() {
	w.s.ahead.begun.Add(1)
	w.s.ahead.passed.Add(1)
	if w.s.without.Ahead || w.s.ahead.warm.Load() >= aheadWarm || len(w.s.out) < 2 {
		return
	}
	for _, c := range w.s.out {
		w.cols[c].fetch(w.group.Rows())
	}
}

// fetch asks for the stored columns of a reader; it reports whether there was something to fetch.
func (r *reader) fetch(rows int) bool {
	asked := false
	for _, c := range []column.Column{r.direct, r.second} {
		if p, ok := c.(column.Prefetcher); ok {
			asked = p.Prefetch(0, rows) || asked
		}
	}
	return asked
}
