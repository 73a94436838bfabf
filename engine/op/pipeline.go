package op

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/engine/sched"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
)

// sink takes batches. sel nil means all rows; batch and sel are lent for the call.
type sink interface {
	push(b *vec.Batch, sel vec.Bitmap) error
}

// stage is one step of a pipeline. prepare runs once, before the workers start; newSink makes one worker's part, which
// pushes to next.
type stage interface {
	prepare(b *builder) error
	newSink(w *worker, next sink) (sink, error)
}

// terminal is the end of a worker's pipeline. endMorsel is called after each morsel the worker has finished.
type terminal interface {
	sink
	endMorsel(i int) error
}

// wholeMorsels is a terminal that may take a morsel whole, from the scan itself; done is false if it wants its batches.
type wholeMorsels interface {
	whole(i int, c *chain) (done bool, err error)
}

// worker is what the sinks of one goroutine share. morsel is the one being read.
type worker struct {
	x      *exec
	ctx    *expr.Ctx
	slot   *sched.Slot
	morsel int
}

// turn takes a core again after the worker has given it back in the midst of a morsel.
func (w *worker) turn() error {
	if err := w.slot.Turn(w.ctx.Context); err != nil {
		return expr.Canceled(w.ctx)
	}
	return nil
}

// pipeline is a chain of stages over a stored table or over rows.
type pipeline struct {
	b      *builder
	scan   *scan.Scan
	node   plan.Node // the source's
	rows   plan.Rows // if there is no scan
	source parted    // rows, if several workers can make them; nil: they cannot
	parts  int       // of source, once it has begun; 0: its rows come by Next
	most   int       // workers that are worth it; 0: as many as there are
	stages []stage
	nodes  []plan.Node // of the stages
	ready  int         // stages that are prepared
	used   sync.Once
	err    error
}

// pipelined reports whether a node is a part of a pipeline, and so measured there.
func pipelined(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Scan, *plan.Filter, *plan.Project, *plan.ProjectSet, *plan.Virtual, *plan.Window:
		return true
	case *plan.Join:
		return n.Kind != plan.Full
	}
	return false
}

// pipeline cuts off the pipeline that ends at n.
func (b *builder) pipeline(n plan.Node) (*pipeline, error) {
	p := &pipeline{b: b}
	if err := p.descend(n); err != nil {
		return nil, err
	}
	slices.Reverse(p.stages) // descend met the last stage first
	slices.Reverse(p.nodes)
	return p, nil
}

func (p *pipeline) add(n plan.Node, s stage) {
	p.stages, p.nodes = append(p.stages, s), append(p.nodes, n)
}

func (p *pipeline) descend(n plan.Node) error {
	switch n := n.(type) {
	case *plan.Filter:
		p.add(n, &filterStage{conds: []expr.Expr{n.Cond}})
		return p.descend(n.In)
	case *plan.Project:
		p.add(n, &projectStage{n: n})
		return p.descend(n.In)
	case *setsInput:
		p.add(n, &setsStage{n: n})
		return p.descend(n.In)
	case *plan.ProjectSet:
		p.add(n, &setStage{n: n})
		return p.descend(n.In)
	case *plan.Join:
		if n.Kind == plan.Full {
			break
		}
		s, probe := newJoinStage(n)
		s.p = p
		p.add(n, s)
		return p.descend(probe)
	case *plan.Virtual:
		return p.virtual(n)
	case *plan.Window:
		r, err := p.b.window(n)
		if err != nil {
			return err
		}
		r.used = p.usedCols(len(n.Cols()))
		p.node, p.rows, p.source = n, r, r
		return nil
	case *plan.Agg:
		rows, err := p.b.build(n)
		p.rows = rows
		if r, ok := rows.(*aggRows); ok && err == nil {
			p.source = r
			if len(p.nodes) > 0 {
				r.used = p.usedCols(len(n.Cols()))
			}
		}
		return err
	case *plan.Scan:
		_, err := p.open(n, nil)
		return err
	case *lateScan:
		src, err := p.open(n.n, n.cols)
		n.src = src
		return err
	}
	rows, err := p.b.build(n)
	p.rows = rows
	return err
}

// open opens the stored table that the pipeline begins with. The rows have the columns late of n.Read and their place; if late is
// nil they have the columns of n.
func (p *pipeline) open(n *plan.Scan, late []int) (column.Source, error) {
	p.node = n
	src, err := p.b.x.env.Source(n.Table)
	if err != nil {
		return nil, err
	}
	if p.scan, err = scan.New(p.b.ctx, src, n); err != nil {
		return nil, err
	}
	if late != nil && !p.scan.EmitsRows(late) {
		return nil, errByIndex
	}
	p.b.x.env.Progress.scanBegins(p.scan.Morsels())
	p.scan.BatchRows(p.b.x.env.BatchRows)
	p.scan.Without(p.b.x.env.Scan)
	if p.b.x.env.Analyze != nil {
		p.scan.Measure()
	}
	if skip := p.b.x.env.Skip; skip != nil {
		p.scan.SkipCorrupt(skip)
	}
	return src, nil
}

// parted is rows that several workers can make, part by part; the parts follow each other in the order of the rows.
type parted interface {
	// begin runs what has to be complete before the first row and returns the number of parts; 0: the rows come by Next.
	begin() (parts int, err error)
	// newMaker returns what one worker makes parts with.
	newMaker(w *worker) partMaker
}

// partMaker makes parts for one worker.
type partMaker interface {
	part(i int, push func(*vec.Batch, vec.Bitmap) error) error
	close()
}

// prepare runs what has to be complete before the first row: the build sides of joins, and what the rows are made of. The
// number of morsels is known only then.
func (p *pipeline) prepare() error {
	p.used.Do(func() {
		for p.ready < len(p.stages) {
			s, start := p.stages[p.ready], time.Now()
			p.err = s.prepare(p.b)
			p.waited(p.ready, time.Since(start))
			if p.err != nil {
				return
			}
			p.ready++
			if j, ok := s.(*joinStage); ok && j.disk != nil {
				p.cut(j.disk)
			}
		}
		if p.source != nil {
			start := time.Now()
			p.parts, p.err = p.source.begin()
			p.waited(-1, time.Since(start))
		}
	})
	return p.err
}

// waited books what was done before the first morsel for stage i, -1 the source, as time of it and of all that are behind it.
func (p *pipeline) waited(i int, took time.Duration) {
	a := p.b.x.env.Analyze
	if a == nil {
		return
	}
	if i < 0 && p.node != nil {
		a.holder(p.node).before.Add(int64(took))
	}
	for _, n := range p.nodes[max(i, 0):] {
		if pipelined(n) {
			a.holder(n).before.Add(int64(took))
		}
	}
}

// bare reports whether nothing is to be done with the rows of the scan, once the pipeline is prepared.
func (p *pipeline) bare() bool {
	for _, s := range p.stages {
		switch s := s.(type) {
		case *joinStage:
			if !s.absorbed {
				return false
			}
		case *projectStage:
			if !s.absorbed {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// divided reports whether the work comes in morsels, of which several workers can have some.
func (p *pipeline) divided() bool { return p.scan != nil || p.parts > 0 }

// close gives back what the pipeline reads from. Its workers have ended.
func (p *pipeline) close() {
	for _, s := range p.stages {
		if j, ok := s.(*joinStage); ok {
			j.close()
		}
	}
	if p.rows != nil {
		p.rows.Close()
	}
}

// morsels returns the number of units of work: row groups or parts; other rows are one.
func (p *pipeline) morsels() int {
	if p.scan == nil {
		return max(1, p.parts)
	}
	return p.scan.Morsels()
}

// parallel returns the number of workers the pipeline is worth.
func (p *pipeline) parallel() int {
	n := max(1, min(p.b.x.workers, p.morsels()))
	if p.most > 0 {
		n = min(n, p.most)
	}
	return n
}

// chain is one worker's copy of the pipeline.
type chain struct {
	p     *pipeline
	w     *worker
	first sink
	end   terminal
	scan  *scan.Worker
	maker partMaker   // of the source's parts
	slot  *sched.Slot // of chains over a scan or parts: others wait for rows that workers below make
	meter []*meter
	buf   vec.Bitmap
}

func (p *pipeline) newChain(ctx context.Context, end func(w *worker) (terminal, error)) (*chain, error) {
	own := *p.b.ctx
	own.Context = ctx
	slot := p.b.x.slot(ctx)
	if p.divided() {
		own.Context = sched.Within(ctx)
	}
	c := &chain{p: p, w: &worker{x: p.b.x, ctx: &own, slot: slot}, slot: slot}
	var err error
	if c.end, err = end(c.w); err != nil {
		return nil, err
	}
	var s sink = c.end
	for i := len(p.stages) - 1; i >= 0; i-- {
		s = c.measure(p.nodes[i], s)
		if s, err = p.stages[i].newSink(c.w, s); err != nil {
			return nil, err
		}
	}
	if p.node != nil {
		s = c.measure(p.node, s)
	}
	c.first = s
	if p.scan != nil {
		c.scan = p.scan.NewWorker(c.w.ctx)
	}
	if p.parts > 0 {
		c.maker = p.source.newMaker(c.w)
		if m, ok := c.maker.(*partialMaker); ok && m.top != nil {
			m.end, _ = c.end.(*sortEnd)
		}
	}
	return c, nil
}

func (c *chain) measure(n plan.Node, next sink) sink {
	a := c.p.b.x.env.Analyze
	if a == nil || !pipelined(n) {
		return next
	}
	m := &meter{next: next, st: a.holder(n)}
	m.st.chains.Add(1)
	c.meter = append(c.meter, m)
	return m
}

// run does morsel i, or all rows.
func (c *chain) run(i int) error {
	if c.p.divided() {
		if err := c.w.turn(); err != nil {
			return err
		}
	}
	if c.scan != nil {
		defer c.p.b.x.env.Progress.morselDone()
	}
	start := time.Time{}
	if c.meter != nil {
		start = time.Now()
	}
	c.w.morsel = i
	if err := c.read(i); err != nil {
		return err
	}
	if c.meter != nil {
		c.settle(time.Since(start))
	}
	return c.end.endMorsel(i)
}

func (c *chain) read(i int) error {
	if w, ok := c.end.(wholeMorsels); ok {
		if done, err := w.whole(i, c); done || err != nil {
			return err
		}
	}
	if c.scan != nil {
		return c.scan.Morsel(i, c.first.push)
	}
	if c.maker != nil {
		return c.maker.part(i, c.first.push)
	}
	for {
		more, err := c.step()
		if err != nil || !more {
			return err
		}
	}
}

// step pushes one batch of rows; false at the end.
func (c *chain) step() (bool, error) {
	if err := expr.Canceled(c.w.ctx); err != nil {
		return false, err
	}
	b, err := c.p.rows.Next()
	if err != nil || b == nil {
		return false, err
	}
	if b.Rows() == 0 {
		return true, nil
	}
	return true, c.first.push(b, selection(b, &c.buf))
}

// settle books the time of a morsel: a node's is all of it but what was spent behind the node.
func (c *chain) settle(total time.Duration) {
	for _, m := range c.meter {
		m.st.nanos.Add(int64(total - m.spent))
		m.spent = 0
	}
}

func (c *chain) close() {
	c.slot.Release()
	if c.maker != nil {
		c.maker.close()
	}
	if c.scan == nil {
		return
	}
	c.scan.Close()
	if a := c.p.b.x.env.Analyze; a != nil {
		a.holder(c.p.node).setScan(c.p.scan.Stats(), c.p.scan.Detail())
	}
}

// drive runs the pipeline to its end on all workers; each gets a terminal of its own from end. It returns when all have
// ended. Of several errors it returns the one of the earliest morsel.
func (p *pipeline) drive(end func(w *worker) (terminal, error)) error {
	if err := p.prepare(); err != nil {
		return err
	}
	d := &driver{p: p, ctx: p.b.ctx.Context}
	n := p.parallel()
	if n == 1 {
		d.work(end)
		return d.err
	}
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			d.work(end)
		}()
	}
	wg.Wait()
	return d.err
}

// driver hands morsels to workers.
type driver struct {
	p    *pipeline
	ctx  context.Context
	next atomic.Int64
	stop atomic.Bool
	over func(morsel int) // called once for a morsel that failed; may be nil

	mu       sync.Mutex
	err      error
	failedAt int
}

// fail notes an error and lets nobody take another morsel. Morsels under way are finished, so that the error reported,
// the one of the earliest morsel, does not depend on who was faster.
func (d *driver) fail(morsel int, err error) {
	d.stop.Store(true)
	d.mu.Lock()
	if d.err == nil || morsel < d.failedAt {
		d.err, d.failedAt = err, morsel
	}
	d.mu.Unlock()
	if d.over != nil && morsel >= 0 {
		d.over(morsel)
	}
}

// failure returns the error of morsels up to i, if there is one.
func (d *driver) failure(i int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil && d.failedAt <= i {
		return d.err
	}
	return nil
}

func (d *driver) work(end func(w *worker) (terminal, error)) {
	i := -1
	defer func() {
		if r := recover(); r != nil {
			d.fail(i, sqlstate.New(sqlstate.Internal, "internal error in a query worker: %v", r))
		}
	}()
	c, err := d.p.newChain(d.ctx, end)
	if err != nil {
		d.fail(-1, err)
		return
	}
	defer c.close()
	for !d.stop.Load() {
		i = int(d.next.Add(1) - 1)
		if i >= d.p.morsels() || (d.p.scan != nil && d.p.scan.Done()) {
			return
		}
		if d.p.scan != nil {
			i = d.p.scan.Nth(i)
		}
		if err := c.run(i); err != nil {
			d.fail(i, err)
			return
		}
	}
}

// meter counts what passes between two stages.
type meter struct {
	next  sink
	st    *NodeStats
	spent time.Duration // behind this point, since the last settle
}

func (m *meter) push(b *vec.Batch, sel vec.Bitmap) error {
	m.st.batches.Add(1)
	m.st.rows.Add(int64(aliveRows(b, sel)))
	start := time.Now()
	err := m.next.push(b, sel)
	m.spent += time.Since(start)
	return err
}

func aliveRows(b *vec.Batch, sel vec.Bitmap) int {
	if sel == nil {
		return b.N
	}
	return sel.Count()
}

// guard turns a panic below into an error, so that a bug ends a statement and not the process.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = sqlstate.New(sqlstate.Internal, "internal error in a query: %s", fmt.Sprint(r))
	}
}
