package op

import (
	"slices"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/storage/vec"
)

// filterState is a FILTER condition in the current block.
type filterState struct {
	ev   *expr.Evaluator
	cols []int
	at   int // the block that set is of; -1: none
	sel  vec.Bitmap
	pos  []uint16
	set  rowSet

	cond  *scan.Condition // nil: it is decided on decoded columns
	whole vec.Bitmap      // the row group's rows that it keeps; nil: not known
	bits  vec.Bitmap
}

// filtered returns the rows of the block that condition i keeps.
func (x *fusedWorker) filtered(i, from, to int, rows *rowSet) (*rowSet, error) {
	f := &x.filters[i]
	if f.at == from {
		return &f.set, nil
	}
	if f.whole != nil {
		f.at = from
		f.set.from(f.whole[from/64:(to+63)/64], to-from, &f.pos)
		return &f.set, nil
	}
	for _, c := range f.cols {
		if _, err := x.scan.Load(c); err != nil {
			return nil, err
		}
	}
	f.sel = ownSelection(f.sel, rows.sel, to-from)
	if err := f.ev.Filter(x.w.ctx, x.scan.Batch(), f.sel); err != nil {
		return nil, err
	}
	f.at = from
	f.set.from(f.sel, to-from, &f.pos)
	return &f.set, nil
}

// dense accumulates the row group by index.
func (x *fusedWorker) dense() error {
	x.total.reset(x.index.n)
	if err := x.decide(); err != nil {
		return err
	}
	x.planSums()
	for i := range x.sums {
		x.sums[i].begin(x)
	}
	x.book()
	if x.reads() {
		x.runs.number(&x.index, x.group.rows)
	}
	counter := x.counter()
	if err := x.accumulateBlocks(counter == nil); err != nil {
		return err
	}
	switch {
	case counter == nil:
	case x.index.c8 != nil:
		counter.sums.four().UnpackCodes8(counter.least, x.total.t, counter.sums.t)
	default:
		x.lanes.Unpack(counter.least, x.total.t, counter.sums.t)
	}
	x.counts = x.total.fold(&x.index)
	if x.handsOver() && (x.end.scatters() || x.scattersSoon()) {
		return x.scatter()
	}
	if err := x.name(); err != nil {
		return err
	}
	if err := x.addRows(); err != nil {
		return err
	}
	x.finish()
	if x.groups++; x.groups%16 == 0 {
		return x.table.reserve()
	}
	return nil
}

// finish gives the states what was accumulated.
func (x *fusedWorker) finish() {
	x.settle()
	for i := range x.sums {
		if m := &x.sums[i]; !m.rows && !m.idle {
			m.give(x)
		}
	}
}

// settle makes the partials of the codes that occurred: first what is made of rows, then what is made of that.
func (x *fusedWorker) settle() {
	for _, derived := range [2]bool{false, true} {
		for i := range x.sums {
			if m := &x.sums[i]; m.derived == derived {
				m.settle(x)
			}
		}
	}
}

// measures reports whether some measure has to be read.
func (x *fusedWorker) measures() bool {
	for i := range x.sums {
		if !x.sums[i].skip {
			return true
		}
	}
	return false
}

// reads reports whether the aggregates have to read a column.
func (x *fusedWorker) reads() bool {
	added := func(m measureState) bool {
		return m.rows || m.told && !m.idle && !m.derived && m.needs&agg.NeedSum != 0
	}
	return x.measures() || slices.ContainsFunc(x.sums, added) || slices.ContainsFunc(x.f.calls, func(c fusedCall) bool { return c.measure < 0 })
}

// counter chooses a measure whose sums are made with the number of rows in one addition a row; nil if there is none.
func (x *fusedWorker) counter() *measureState {
	wide := x.index.c16 != nil && x.index.n <= kernel.WideMost
	if x.index.c8 == nil && !wide || x.group.rows > kernel.PackedRows {
		return nil
	}
	for i := range x.sums {
		m := &x.sums[i]
		if m.skip || m.own || m.needs&agg.NeedSum == 0 || !m.bounded {
			continue
		}
		if uint64(m.maxI)-uint64(m.minI) < 1<<32 {
			m.counts, m.least = true, m.minI
			if wide {
				x.lanes.Reset(x.index.n)
			}
			return m
		}
	}
	return nil
}

// accumulateBlocks counts the rows of each code, if it is to, and adds up the measures.
func (x *fusedWorker) accumulateBlocks(count bool) error {
	if count && x.index.runs != nil { // else a measure counts them
		x.total.countRuns(&x.index, x.group.rows, x.group.sel)
		count = false
		if !x.measures() {
			return nil
		}
	}
	if !x.measures() && (x.index.n == 1 || x.group.sel == nil) {
		x.total.count(&x.index, 0, x.group.rows, &rowSet{n: x.group.alive})
		return nil
	}
	return x.eachBlock(func(from, to int, rows *rowSet) error {
		if count {
			x.total.count(&x.index, from, to, rows)
		}
		for i := range x.sums {
			if err := x.sums[i].add(x, from, to, rows); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachBlock calls f for the blocks that have rows.
func (x *fusedWorker) eachBlock(f func(from, to int, rows *rowSet) error) error {
	g := &x.group
	var rows rowSet
	for from := 0; from < g.rows; from += g.step {
		if err := expr.Canceled(x.w.ctx); err != nil {
			return err
		}
		to := min(from+g.step, g.rows)
		sel, alive := x.scan.Block(from, to)
		if alive == 0 {
			continue
		}
		for i := range x.filters {
			x.filters[i].at = -1
		}
		rows = rowSet{sel: sel, n: alive}
		if sel != nil {
			rows.pos = positions(sel, &x.pos)
		}
		if err := f(from, to, &rows); err != nil {
			return err
		}
	}
	return nil
}

// addRows gives the aggregates that take no partials their rows, and the others those of blocks that were left for it.
func (x *fusedWorker) addRows() error {
	rest := slices.ContainsFunc(x.f.calls, func(c fusedCall) bool { return c.measure < 0 })
	for i := range x.sums {
		rest = rest || x.sums[i].rows || len(x.sums[i].later) > 0
	}
	if !rest {
		return nil
	}
	x.beginCounting()
	return x.eachBlock(func(from, to int, rows *rowSet) error {
		spread := false
		for i := range x.f.calls {
			c := &x.f.calls[i]
			if c.measure >= 0 && !x.sums[c.measure].wantsRows(from) {
				continue
			}
			if !spread {
				spread = true
				x.spread(from, to)
			}
			if c.measure < 0 && x.counting[i].on {
				done, err := x.count(i, to-from, rows)
				if err != nil {
					return err
				}
				if done {
					continue
				}
				x.counting[i].on = false
			}
			for _, k := range c.cols {
				if _, err := x.scan.Load(k); err != nil {
					return err
				}
			}
			if err := x.table.addCall(i, x.scan.Batch(), rows.sel, x.wide, x.index.n == 1); err != nil {
				return err
			}
		}
		return nil
	})
}

// wantsRows reports whether the calls get the rows of the block that begins with from.
func (m *measureState) wantsRows(from int) bool { return m.rows || slices.Contains(m.later, from) }

// spread makes wide the groups of a block's rows.
func (x *fusedWorker) spread(from, to int) {
	idOf := x.named.idOf
	x.wide = sized(x.wide, to-from)
	switch at := &x.index; {
	case at.n == 1:
		x.wide[0] = idOf[0]
	case at.c8 != nil:
		for i, c := range at.c8[from:to] {
			x.wide[i] = idOf[c]
		}
	default:
		for i, c := range at.c16[from:to] {
			x.wide[i] = idOf[c]
		}
	}
}
