package op

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/vec"
)

// Rows of telemetry lie by client and, of a client, by time: what a window asks for is there already, in pieces. So its input
// is not sorted row by row. Every worker cuts its rows into stretches: rows that follow each other, of one partition, in the
// order of the window (the natural runs of Knuth, "The Art of Computer Programming" 5.2.4). The stretches are sorted by
// partition, of which there are ten times fewer than rows; a partition's stretches mostly follow one another, and where they
// do not, its rows alone are sorted. The rows' columns stay where they were put until the partition is computed.

// clusters is the input of a window as stretches.
type clusters struct {
	b        *builder
	p        *windowPlan
	of       *plan.Window
	store    []int     // columns held for each row
	at       []int     // per column of the input: where it is in store, or -1
	spec     *sortSpec // of the stretches: they are rows of the partition's columns
	ends     []*clusterEnd
	mu       sync.Mutex
	spilling atomic.Bool // rows go to a sort that can spill
	sorted   *sortRows   // that sort
	mem      account     // of what follows

	stretches []rowRange // in order: where their rows are in all stores together, and their key's place in keys
	groups    []uint32   // the first stretch of each partition; then their number
	parts     []uint32   // the first partition of each part; then their number
	keys      [][]*vec.Vector
	rows      [][]*vec.Vector // per column of store, the chunks of all workers
}

// partRows is how many rows a part has at least, if there are more partitions.
const partRows = windowTaskRows

func newClusters(b *builder, n *plan.Window, p *windowPlan, used []bool) *clusters {
	c := &clusters{b: b, p: p, of: n, mem: b.x.account("window", n)}
	hold := make([]bool, len(p.ts))
	copy(hold, used[:p.width])
	for _, i := range p.partition {
		hold[i] = false // a stretch has it once
	}
	for _, i := range p.computed() {
		hold[i] = true
	}
	for _, i := range p.order {
		hold[i] = true
	}
	c.at = make([]int, len(p.ts))
	for i := range p.ts {
		c.at[i] = -1
		if hold[i] {
			c.at[i] = len(c.store)
			c.store = append(c.store, i)
		}
	}
	c.spec = keySpec(p.keys[:len(p.partition)])
	for _, k := range c.spec.keys {
		c.spec.types = append(c.spec.types, k.Expr.Type())
	}
	return c
}

// gather reads the input. If it went to a sort instead, since it did not fit in memory, that has begun to put out rows.
func (c *clusters) gather() error {
	p, err := c.b.pipeline(c.p.in)
	if err != nil {
		return err
	}
	defer p.close()
	err = p.drive(func(w *worker) (terminal, error) {
		e := c.newEnd(w)
		c.mu.Lock()
		c.ends = append(c.ends, e)
		c.mu.Unlock()
		return e, nil
	})
	if err != nil {
		return err
	}
	if c.spilling.Load() {
		return c.finishSort()
	}
	return c.arrange()
}

func (c *clusters) free() {
	for _, e := range c.ends {
		e.mem.free()
	}
	c.mem.free()
	if c.sorted != nil {
		c.sorted.Close()
	}
}

// clusterEnd is the end of one worker's chain.
type clusterEnd struct {
	c     *clusters
	w     *worker
	run   *sortRun // its rows are the stretches
	first []uint32 // per stretch: its first row in store
	rows  rowStore
	sort  *sortEnd // rows go here instead
	mem   account
	pos   []uint16
	edges vec.Bitmap
	cols  []*vec.Vector
	heads []vec.Vector // the partition's columns of rows that begin a stretch
	keys  []*vec.Vector
	order []vec.Vector // the window's order columns of a batch, of their types
	list  []uint16
	words []uint64
}

func (c *clusters) newEnd(w *worker) *clusterEnd {
	e := &clusterEnd{c: c, w: w, run: newSortRun(c.spec), mem: w.x.account("window", c.of), cols: make([]*vec.Vector, len(c.store))}
	e.mem.soft = w.x.spaceOf(c.of) != nil
	for _, i := range c.store {
		e.rows.ts = append(e.rows.ts, c.p.ts[i])
	}
	e.heads = make([]vec.Vector, len(c.p.partition))
	for i := range e.heads {
		e.keys = append(e.keys, &e.heads[i])
	}
	return e
}

func (e *clusterEnd) endMorsel(int) error { return nil }

func (e *clusterEnd) push(b *vec.Batch, sel vec.Bitmap) error {
	if e.sort == nil && e.c.spilling.Load() {
		if err := e.toSort(); err != nil {
			return err
		}
	}
	if e.sort != nil {
		return e.sort.push(b, sel)
	}
	n := b.N
	var pos []uint16
	if sel != nil {
		e.pos = sel.Positions(e.pos[:0])
		n, pos = len(e.pos), e.pos
	}
	if n == 0 {
		return nil
	}
	e.findEdges(b, pos, n)
	e.begin(b, pos)
	for i, at := range e.c.store {
		e.cols[i] = b.Cols[at]
	}
	e.rows.add(e.cols, pos, n)
	if len(e.run.rest) > math.MaxUint32-1<<28 || e.rows.n > math.MaxUint32-1<<20 {
		return errWide("window")
	}
	return e.reserve()
}

// begin adds the stretches that begin in a batch.
func (e *clusterEnd) begin(b *vec.Batch, pos []uint16) {
	e.list = e.list[:0]
	e.edges.All(func(k int) {
		e.first = append(e.first, uint32(e.rows.n+k))
		e.list = append(e.list, uint16(placed(pos, k)))
	})
	n := len(e.list)
	for i, c := range e.c.p.partition {
		e.heads[i].Reset(e.c.spec.types[i])
		vec.AppendIndexed(&e.heads[i], b.Cols[c], e.list)
	}
	for k := range e.list {
		e.list[k] = uint16(k)
	}
	if cap(e.words) < n {
		e.words = make([]uint64, max(n, vec.BatchRows))
	}
	e.c.spec.forms[0].words(e.keys[0], n, false, e.words[:n])
	e.run.add(e.keys, e.keys, e.list, e.words[:n], uint32(e.w.morsel))
}

// reserve accounts for what is held, and sends the rows to a sort when that is too much.
func (e *clusterEnd) reserve() error {
	size := e.run.size() + e.rows.size() + int64(cap(e.first))*4
	x := e.w.x
	force := x.env.ForceSpill && e.rows.n >= 1024
	if x.spaceOf(e.c.of) == nil || !force && (size < x.mem.floor(x.workers) || !x.mem.tight(size-e.mem.held, 1, 3)) {
		return e.mem.to(size)
	}
	e.c.spilling.Store(true)
	return e.toSort()
}
