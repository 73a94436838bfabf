package scan

import (
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/vec"
)

// A worker filters a row group whole before it decodes anything: one bitmap for all of its rows, which each conjunct in its
// turn makes thinner by one call, so that what is paid per call is paid once for 65,536 rows. Conjuncts that need decoded
// columns follow, batch by batch. A scan with a limit filters a few blocks at a time, because it may have enough soon.

// Select prunes, opens and filters morsel i, and decodes nothing of the output: for whoever aggregates the encoded form of
// columns. sel has a bit for each row of g, deleted rows left out; nil says that all rows pass. alive is their number; g is
// nil if it is 0. Both belong to the worker and are valid until its next call. It serves scans without a limit that do not
// skip what is corrupt: see Scan.Whole. Column gives the columns.
func (w *Worker) Select(i int) (g column.Group, sel vec.Bitmap, alive int, err error) {
	defer func() {
		if alive == 0 {
			g = nil
		}
	}()
	rows, read, err := w.enter(i)
	if err != nil {
		return nil, nil, 0, w.unreadable(err, rows, true)
	}
	if !read {
		return nil, nil, 0, nil
	}
	n := w.group.Rows()
	alive, err = w.filter(0, n)
	if err == nil && alive > 0 {
		alive, err = w.evaluateAll(0, n, alive)
	}
	if err != nil {
		return nil, nil, 0, w.unreadable(err, rows, true)
	}
	if alive > 0 {
		w.askOutput()
	} else {
		w.s.ahead.begun.Add(1)
	}
	w.metGroup(n, alive)
	w.countBlocks(n, alive)
	w.stats.RowsOut += int64(alive)
	if alive == n {
		return w.group, nil, alive, nil
	}
	return w.group, w.passed, alive, nil
}

// Whole reports whether Select serves the scan.
func (s *Scan) Whole() bool {
	return !s.without.Groups && s.node.Limit == 0 && s.skipped == nil && s.top == nil && !s.splits()
}

// Column returns the stored column that column c of Read is, as it stands, in the group that Select returned last. nil: the
// values are put together from elsewhere, or missing tells that no row has one.
func (w *Worker) Column(c int) (col column.Column, missing bool) {
	switch r := &w.cols[c]; {
	case r.kind == absent:
		return nil, true
	case r.kind == plain && !r.others:
		return r.direct, false
	}
	return nil, false
}

// enter counts morsel i and opens it; false if no row of it can pass. rows is the number of live ones.
func (w *Worker) enter(i int) (rows int, read bool, err error) {
	if w.s.wantsAhead() {
		w.askAhead(i)
	}
	m := w.s.morsels[i]
	rows = m.Rows()
	w.group = nil
	w.dead, w.base = m.Deleted(), int64(i)<<16
	if w.dead != nil {
		n := w.dead.Count()
		w.stats.RowsDeleted += int64(n)
		rows -= n
	}
	w.stats.Morsels++
	w.stats.RowsIn += int64(rows)
	w.outside = false
	if w.s.never || rows == 0 || !w.s.without.Pruning && w.pruned(m) || w.behind(m) {
		w.stats.MorselsPruned++
		if w.outside {
			w.stats.MorselsOutside++
		}
		return rows, false, nil
	}
	if w.seen++; w.seen >= 8 {
		w.reorder()
	}
	if read, err = w.open(m); w.detail != nil && w.group != nil {
		w.detail.opened.Set(i)
	}
	return rows, read, err
}

// filter makes w.passed's bits of rows [from, to) those that are not deleted and pass the conjuncts that the encoded columns
// decide; it returns their number. from is a multiple of vec.BlockRows.
func (w *Worker) filter(from, to int) (alive int, err error) {
	if n := vec.Words(w.group.Rows()); cap(w.passed) < n {
		w.passed = make(vec.Bitmap, n)
	} else {
		w.passed = w.passed[:n]
	}
	sel := w.passed[from/64 : (to+63)/64]
	alive, both, err := w.filterBoth(from, to, sel)
	if err != nil {
		return 0, err
	}
	if !both {
		sel.Fill(to - from)
		alive = to - from
		if w.dead != nil {
			w.undelete(from, sel)
			alive = sel.Count()
		}
	}
	if alive == 0 {
		return 0, nil
	}
	first := true
	var told *topState
	for _, k := range w.order {
		p := &w.preds[k]
		if p.verdict == all || p.decoded() || both && (k == w.pair.both[0] || k == w.pair.both[1]) {
			continue
		}
		if w.s.top != nil && !w.s.without.TopFirst && p.rank() > topGuessed {
			if told, err = w.leaveBehind(told, from, to, sel); err != nil {
				return 0, err
			}
			if alive = sel.Count(); alive == 0 {
				return 0, nil
			}
		}
		start := time.Now()
		if err := p.filterRange(w, from, to, sel); err != nil {
			return 0, err
		}
		if from == 0 {
			w.met(p.cols[0], p.col)
		}
		before := alive
		alive = sel.Count()
		w.judged(k, before, alive, time.Since(start))
		if first && !both {
			w.pair.left(sel)
		}
		if first = false; alive == 0 {
			return 0, nil
		}
	}
	if w.s.top != nil {
		if _, err = w.leaveBehind(told, from, to, sel); err != nil {
			return 0, err
		}
		alive = sel.Count()
	}
	return alive, nil
}

// decoded reports whether the conjunct is decided on decoded columns, in the current group.
func (p *predState) decoded() bool { return p.any == nil && p.col == nil }

// seen remembers what a conjunct cost and removed.
func (p *predState) seen(before, after int, took time.Duration) {
	p.in += int64(before)
	p.out += int64(after)
	p.took += took
}

// evaluateAll decides the other conjuncts for rows [from, to), of which alive are left.
func (w *Worker) evaluateAll(from, to, alive int) (int, error) {
	for _, k := range w.order {
		p := &w.preds[k]
		if p.verdict == all || !p.decoded() {
			continue
		}
		start := time.Now()
		err := w.eachBatch(from, to, func() error { return p.evaluate(w) })
		if err != nil {
			return 0, err
		}
		before := alive
		alive = w.passed[from/64 : (to+63)/64].Count()
		w.judged(k, before, alive, time.Since(start))
		if alive == 0 {
			return 0, nil
		}
	}
	return alive, nil
}

// eachBatch calls f for the batches of rows [from, to) with a row left, as the current batch.
func (w *Worker) eachBatch(from, to int, f func() error) error {
	for at := from; at < to; {
		if w.enterBatch(at, min(at+w.most, to)) > 0 {
			if err := expr.Canceled(w.ctx); err != nil {
				return err
			}
			if err := f(); err != nil {
				return err
			}
		}
		at = w.to
	}
	return nil
}

// enterBatch makes the first blocks of rows [from, to) that lie together and have a row left the current batch, and returns
// how many of its rows are alive: 0 if no block has one. w.sel is a part of w.passed. from is a multiple of 64.
func (w *Worker) enterBatch(from, to int) (alive int) {
	const words = vec.BlockRows / 64
	sel := w.passed[from/64 : (to+63)/64]
	for len(sel) > 0 && !anyBit(sel[:min(words, len(sel))]) {
		n := min(words, len(sel))
		from, sel = min(from+64*n, to), sel[n:]
	}
	end := 0
	for end < len(sel) && anyBit(sel[end:min(end+words, len(sel))]) {
		end = min(end+words, len(sel))
	}
	to = min(to, from+64*end)
	w.from, w.to, w.sel = from, to, sel[:end:end]
	clear(w.fresh)
	w.batch.N, w.out.N = to-from, to-from
	return w.sel.Count()
}

func anyBit(words []uint64) bool {
	or := uint64(0)
	for _, w := range words {
		or |= w
	}
	return or != 0
}

// countBlocks counts the blocks of a group of n rows, and those of them without a row that passed.
func (w *Worker) countBlocks(n, alive int) {
	blocks := (n + vec.BlockRows - 1) / vec.BlockRows
	w.stats.Blocks += int64(blocks)
	switch alive {
	case n:
		return
	case 0:
		w.stats.BlocksSkipped += int64(blocks)
		return
	}
	w.stats.BlocksSkipped += int64(blocks - simd.FilledBlocks(w.passed))
}

// filterRange clears the bits of sel for rows of [from, to) that fail.
func (p *predState) filterRange(w *Worker, from, to int, sel vec.Bitmap) error {
	switch {
	case p.any != nil:
		return w.eachBlock(from, to, sel, func() error { return p.applyAny(w) })
	case p.form == isNull:
		w.wide = append(w.wide[:0], sel...)
		if err := filterRange(p.col, from, to, &p.push, w.wide); err != nil {
			return err
		}
		sel.AndNot(w.wide)
		return nil
	case p.form == match && p.few.on:
		return p.matchFew(w, from, to, sel)
	case p.form == match:
		return p.matchRange(w, from, to, sel)
	}
	return filterRange(p.col, from, to, &p.push, sel)
}

// eachBlock calls f for the blocks of rows [from, to) with a row left, as the worker's current rows.
func (w *Worker) eachBlock(from, to int, sel vec.Bitmap, f func() error) error {
	for at := from; at < to; at = w.to {
		w.from, w.to = at, min(at+vec.BlockRows, to)
		w.sel = sel[(at-from)/64 : (w.to-from+63)/64 : (w.to-from+63)/64]
		if !anyBit(w.sel) {
			continue
		}
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// filterRange filters many blocks: at once where the column can.
func filterRange(c column.Column, from, to int, p *column.Pred, sel vec.Bitmap) error {
	if r, ok := c.(column.RangeFilter); ok {
		return r.FilterRange(from, to, p, sel)
	}
	for at := from; at < to; at += vec.BlockRows {
		end := min(at+vec.BlockRows, to)
		part := sel[(at-from)/64 : (end-from+63)/64]
		if !anyBit(part) {
			continue
		}
		st := c.BlockStats(at / vec.BlockRows)
		st.Dict = nil
		switch p.Judge(&st) {
		case none:
			clear(part)
		case some:
			if err := c.Filter(at, end, p, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// matchRange filters by distinct value. If the condition fails for some value, the rows decide, one by one.
func (p *predState) matchRange(w *Worker, from, to int, sel vec.Bitmap) error {
	w.wide = append(w.wide[:0], sel...)
	failed := false
	p.push.Match = func(vals *vec.Vector, pass vec.Bitmap) error {
		if p.test(w, vals, pass) != nil {
			failed = true
			return errRetry
		}
		return nil
	}
	err := filterRange(p.col, from, to, &p.push, w.wide)
	if failed {
		return w.eachBatch(from, to, func() error { return p.evaluate(w) })
	}
	if err != nil {
		return err
	}
	copy(sel, w.wide)
	return nil
}
