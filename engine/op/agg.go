package op

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// aggRows groups its input. The workers of the input's pipeline fill tables of their own. If some aggregate's last bit
// depends on the order of rows, a worker hands its table over after every morsel and the tables are merged in the order
// of the morsels; otherwise there is one table for each worker, and only the order of the groups has to be restored.
type aggRows struct {
	b     *builder
	n     *plan.Agg
	p     *pipeline
	m     *aggMerger
	done  bool
	err   error
	out   *groupRows     // the groups of one table, or
	parts *partitions    // those of many, or
	some  *partialGroups // those that were scattered,
	in    plan.Rows      // which come from here unless a pipeline takes them; or the aggregates computed apart
	top   *partialTop    // of a top-N above; nil: there is none
	used  []bool         // columns that are looked at; nil: all
	nulls []bool         // columns of which only is asked whether they are NULL; nil: none
}

func (r *aggRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	if err := r.prepare(); err != nil {
		return nil, err
	}
	if r.some != nil {
		if r.in == nil {
			r.in = r.partialResult()
		}
		return r.in.Next()
	}
	if r.in != nil {
		return r.in.Next()
	}
	if r.parts != nil {
		return r.parts.batch()
	}
	return r.out.batch()
}

// prepare aggregates, once.
func (r *aggRows) prepare() (err error) {
	if r.done {
		return r.err
	}
	r.done = true
	defer func() { r.err = err }()
	defer guard(&err)
	return r.compute()
}

func (r *aggRows) Close() {
	if r.in != nil {
		r.in.Close()
	}
	if r.some != nil {
		r.some.close()
	}
	if r.p != nil {
		r.p.close()
	}
	if r.parts != nil {
		r.parts.close()
	}
	if r.m != nil {
		r.m.close()
	}
}

func (r *aggRows) compute() error {
	p, err := r.b.pipeline(r.n.In)
	if err != nil {
		return err
	}
	return r.over(p)
}

// over aggregates what a pipeline puts out.
func (r *aggRows) over(p *pipeline) error {
	r.p = p
	if in, ok := p.source.(*aggRows); ok && len(p.stages) == 0 {
		in.used, in.nulls = r.reads(len(r.n.In.Cols())), onlyNulls(r.n, len(r.n.In.Cols()))
	}
	if err := p.prepare(); err != nil { // before it the morsels are not known
		return err
	}
	whole := r.n
	r.n = r.b.overDimensions(r.n, p)
	m := &aggMerger{n: r.n, pending: map[int]*groupTable{}, mayApart: r.b.mayApart(whole)}
	r.m = m
	for i := range r.n.Aggs {
		m.ordered = m.ordered || agg.Ordered(&r.n.Aggs[i])
	}
	for _, k := range r.n.Keys {
		// Of equal keys that print differently the first stays.
		m.ordered = m.ordered || keys.Canonical(k.Type()) || k.Type().Phys() == types.PhysFloat64
	}
	m.ordered = m.ordered && p.morsels() > 1
	many := r.fewRows(p)
	m.many, m.soon = many, many < r.b.x.manyGroups()
	f := newFused(r.b, r.n, p)
	if !m.ordered && r.b.x.scatters() {
		m.partial = newPartialLayout(r.b.x, r.n, f)
		if in, ok := p.source.(*aggRows); ok && in.some != nil && m.partial != nil {
			m.partial.takeFrom(in.some)
		}
	}
	err := p.drive(func(w *worker) (terminal, error) {
		t, err := newGroupTable(r.n, w)
		if err != nil {
			return nil, err
		}
		e := &aggEnd{n: r.n, w: w, m: m, table: t, fused: f}
		m.mu.Lock()
		m.ends = append(m.ends, e)
		m.mu.Unlock()
		return e, nil
	})
	if err == nil {
		err = m.finish(r)
	}
	if m.goesApart(err) {
		return r.apart(whole)
	}
	return err
}

// reads tells which of n columns of the input the aggregation looks at.
func (r *aggRows) reads(n int) []bool {
	used := make([]bool, n)
	for _, k := range r.n.Keys {
		markCols(k, used)
	}
	for i := range r.n.Aggs {
		c := &r.n.Aggs[i]
		for _, e := range c.Args {
			markCols(e, used)
		}
		for _, k := range c.Order {
			markCols(k.Expr, used)
		}
		if c.Filter != nil {
			markCols(c.Filter, used)
		}
	}
	return used
}

// aggEnd is the end of one worker's chain.
type aggEnd struct {
	n      *plan.Agg
	w      *worker
	m      *aggMerger
	table  *groupTable
	part   *partialRows // since the worker has too many groups for a table; nil: they are numbered
	direct int          // batches that are scattered row by row before a table is tried again
	taker  *groupTaker  // of groups below; nil: they come as batches
	looked bool         // for a taker
	raw    *rawWriter   // since the memory was used up; nil: it is not
	last   int          // morsel of the last batch
	fused  *fused       // nil: row groups come as batches
	own    *fusedWorker
}

func (e *aggEnd) push(b *vec.Batch, sel vec.Bitmap) error {
	if e.raw == nil && e.mustSpill() {
		if e.divides() {
			return errApart
		}
		e.m.mu.Lock()
		if e.m.layout == nil {
			e.m.layout = newRawLayout(e.n)
			e.w.x.env.Analyze.standsFor(e.m.layout.plan, e.n)
			e.m.spilling.Store(true)
		}
		e.m.mu.Unlock()
		e.raw = newRawWriter(e.m.layout, e.w, 0)
	}
	e.last = e.w.morsel
	if e.raw != nil {
		return e.raw.add(b, sel)
	}
	if e.direct > 0 {
		e.direct--
		return e.scatterRows(b, sel)
	}
	if err := e.table.add(b, sel); err != nil {
		return err
	}
	if e.m.partial != nil && (e.m.soon || e.table.batches%unloadAfter == 0) {
		return e.unload() // a morsel of rows has no end
	}
	return nil
}

// unloadAfter is after how many batches a worker looks whether its groups are to be scattered.
const unloadAfter = 16

// mustSpill reports whether the rows from now on go to disk: when a third of the memory is used, since tables double and the
// second phase needs some too. Where the order of rows matters a morsel is not divided.
func (e *aggEnd) mustSpill() bool {
	x := e.w.x
	if len(e.n.Keys) == 0 {
		return x.env.ForceSpill && e.m.mayApart
	}
	if e.m.partial != nil || x.spill == nil || (e.m.ordered && e.last == e.w.morsel) {
		return false
	}
	if x.env.ForceSpill || e.m.spilling.Load() {
		return true
	}
	return x.mem.above(1, 3) && (e.table.mem.held+e.m.held.Load())*64 > x.mem.bound()
}

// scatters reports whether the worker's groups are not numbered any more.
func (e *aggEnd) scatters() bool { return e.part != nil }

// unload scatters the worker's groups if they are many, and hardly fewer than what they are made of, or use up the memory.
func (e *aggEnd) unload() error {
	x, t := e.w.x, e.table
	n := t.keys.Len()
	tight := x.spill != nil && n > 0 && (x.env.ForceSpill || x.mem.above(1, 3) && t.mem.held*64 > x.mem.bound())
	if !tight && (n <= e.m.many || e.part == nil && 2*n <= t.added) {
		return nil
	}
	return e.scatter()
}

// beginParts makes room for what is scattered.
func (e *aggEnd) beginParts() {
	if e.part == nil {
		e.part = newPartialRows(e.m.partial, e.w)
	}
}

// scatter gives the groups of the worker's table to the partitions.
func (e *aggEnd) scatter() error {
	e.beginParts()
	if err := e.part.table(e.table, nil); err != nil {
		return err
	}
	if t := e.table; 2*t.keys.Len() > t.added && !e.w.x.env.NoScatterRows {
		e.direct = directBatches
	}
	e.table.mem.free()
	var err error
	e.table, err = newGroupTable(e.n, e.w)
	return err
}

func (e *aggEnd) endMorsel(i int) error {
	if e.m.partial != nil {
		return e.unload()
	}
	if !e.m.ordered || (e.raw != nil && e.table.seen == 0) {
		return nil
	}
	full := e.table
	t, err := newGroupTable(e.n, e.w)
	if err != nil {
		return err
	}
	e.table = t
	return e.m.deliver(i, full)
}

// aggMerger puts the workers' tables together.
type aggMerger struct {
	n        *plan.Agg
	ordered  bool
	partial  *partialLayout // nil: groups are not scattered
	many     int            // groups from which scattered ones are put together by partition
	soon     bool           // many is less than for other aggregations: see fewRows
	spilling atomic.Bool
	mayApart bool         // see agg_apart.go
	held     atomic.Int64 // by total
	groups   atomic.Int64 // in total
	mu       sync.Mutex
	ends     []*aggEnd
	layout   *rawLayout
	pending  map[int]*groupTable // of morsels that wait for an earlier one
	next     int
	total    *groupTable
}

func (m *aggMerger) deliver(i int, t *groupTable) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending[i] = t
	for {
		t, ok := m.pending[m.next]
		if !ok {
			return nil
		}
		delete(m.pending, m.next)
		m.next++
		if m.total == nil {
			m.total = t
			continue
		}
		if err := m.total.merge(t); err != nil {
			return err
		}
		m.held.Store(m.total.mem.held)
		m.groups.Store(int64(m.total.seen))
	}
}

// tables returns what there is, in the order in which it is to be merged.
func (m *aggMerger) tables() []*splitTable {
	var out []*splitTable
	if m.total != nil {
		out = append(out, &splitTable{t: m.total, morsel: -1})
	}
	for _, i := range slices.Sorted(maps.Keys(m.pending)) {
		out = append(out, &splitTable{t: m.pending[i], morsel: i})
	}
	for _, e := range m.ends {
		if !m.ordered {
			out = append(out, &splitTable{t: e.table})
		}
	}
	return out
}

// finish leaves the result in r.
func (m *aggMerger) finish(r *aggRows) error {
	if m.partial != nil {
		if done, err := m.gather(r); done || err != nil {
			return err
		}
	}
	tables := m.tables()
	most := 0
	for _, s := range tables {
		most = max(most, s.t.groups())
	}
	if m.layout != nil || (len(tables) > 1 && most > r.b.x.manyGroups()) {
		return m.partition(r, tables)
	}
	t := m.ends[0].table
	if len(tables) > 0 {
		t = tables[0].t
	}
	for _, s := range tables[min(1, len(tables)):] {
		if err := t.merge(s.t); err != nil {
			return err
		}
	}
	if len(m.n.Keys) == 0 {
		t.grow(1, 0) // without keys there is one group, even without rows
	}
	var err error
	switch {
	case m.partial == nil || t.groups() <= m.many:
	case m.soon && t.groups() <= r.b.x.manyGroups():
		r.out = &groupRows{t: t}
		return r.out.order(m.partial.byPartition(t))
	default:
		rows := newPartialRows(m.partial, m.ends[0].w)
		r.some = newPartialGroups(m.partial, []*partialRows{rows})
		if err := rows.table(t, sortBySeen(t.first)); err != nil {
			return err
		}
		t.mem.free()
		return nil
	}
	if len(tables) > 1 && t.groups() > r.b.x.manyGroups() { // as if the tables had been larger
		r.out = &groupRows{t: t}
		return r.out.order(t.byPartition())
	}
	r.out, err = newGroupRows(t, len(tables) > 1)
	return err
}

// gather leaves the result in r as scattered groups if some worker has scattered its own, or has too many to be merged with
// others.
func (m *aggMerger) gather(r *aggRows) (done bool, err error) {
	for _, e := range m.ends {
		done = done || e.part != nil || e.table.groups() > r.b.x.manyGroups()
	}
	if !done {
		return false, nil
	}
	errs := make([]error, len(m.ends))
	var wg sync.WaitGroup
	for i, e := range m.ends {
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer guard(&errs[i])
			errs[i] = e.scatter()
		}()
	}
	wg.Wait()
	var sets []*partialRows
	for i, e := range m.ends {
		if e.part != nil {
			sets = append(sets, e.part)
		}
		if err == nil {
			err = errs[i]
		}
	}
	r.some = newPartialGroups(m.partial, sets)
	return true, err
}

// partition begins the second phase.
func (m *aggMerger) partition(r *aggRows, tables []*splitTable) error {
	x := &partitions{b: r.b, n: m.n, l: m.layout, ordered: m.ordered, bits: partitionBits}
	if m.layout != nil {
		x.bits = rawBits
	}
	for _, s := range tables {
		morsel := s.morsel
		s = splitGroups(s.t, 0, x.bits)
		s.morsel = morsel
		x.tables = append(x.tables, s)
	}
	for _, e := range m.ends {
		if e.raw != nil {
			x.writers = append(x.writers, e.raw)
			if err := e.raw.settle(); err != nil {
				return err
			}
		}
	}
	r.parts = x
	x.start(r.b.ctx.Context, r.b.x.workers)
	return nil
}

func (m *aggMerger) close() {
	for _, s := range m.tables() {
		s.t.mem.free()
	}
	for _, e := range m.ends {
		e.table.mem.free()
		if e.part != nil {
			e.part.close()
		}
		if e.raw != nil {
			e.raw.close()
		}
	}
}

// groupTable is a hash table of groups with the states of their aggregates, and what fills it from batches.
type groupTable struct {
	n      *plan.Agg
	w      *worker
	keys   *keys.Table
	mapper *keys.Mapper
	states []agg.State
	first  []uint64 // per group: morsel<<32 | number within it, of its first row
	seen   int      // groups whose room is made
	mem    account

	keyExprs []*expr.Evaluator
	calls    []callInput
	keyVecs  []*vec.Vector
	ids      []uint32
	sel      vec.Bitmap
	batches  int
	added    int  // rows, or partials of row groups
	single   bool // all rows of the last batch have the group ids[0]
}

// callInput evaluates what one aggregate takes.
type callInput struct {
	args, order []*expr.Evaluator
	filter      *expr.Evaluator
	in          agg.Input
}

func newGroupTable(n *plan.Agg, w *worker) (*groupTable, error) {
	t := &groupTable{n: n, w: w, keys: newKeys(w.x, exprTypes(n.Keys)), mem: w.x.account("aggregation", n)}
	t.mem.soft = w.x.spill != nil && len(n.Keys) > 0
	t.mapper = t.keys.NewMapper()
	t.keyExprs = expr.CompileAll(n.Keys)
	t.keyVecs = make([]*vec.Vector, len(n.Keys))
	t.calls = make([]callInput, len(n.Aggs))
	for i := range n.Aggs {
		call := &n.Aggs[i]
		s, err := agg.New(call)
		if err != nil {
			return nil, err
		}
		agg.Asking(s, t.canceled)
		t.states = append(t.states, s)
		c := &t.calls[i]
		c.args = expr.CompileAll(call.Args)
		for _, k := range call.Order {
			c.order = append(c.order, expr.Compile(k.Expr))
		}
		if call.Filter != nil {
			c.filter = expr.Compile(call.Filter)
		}
		c.in.Args = make([]*vec.Vector, len(c.args))
		c.in.Order = make([]*vec.Vector, len(c.order))
	}
	return t, nil
}

func (t *groupTable) canceled() error { return expr.Canceled(t.w.ctx) }

func newKeys(x *exec, ts []types.Type) *keys.Table {
	t := keys.New(ts)
	if x.env.HashEqual {
		t.EqualHashes()
	}
	if x.env.RowKeys != 0 {
		t.RowsFrom(x.env.RowKeys)
	}
	return t
}

// groups returns the number of groups that have a row, or 1 without keys.
func (t *groupTable) groups() int {
	if len(t.n.Keys) == 0 {
		return 1
	}
	return t.keys.Len()
}

// grow makes room for n groups. New ones were first seen in the given morsel.
func (t *groupTable) grow(n, morsel int) {
	if n <= t.seen {
		return
	}
	if n > cap(t.first) {
		t.first = slices.Grow(t.first, max(n-len(t.first), len(t.first)))
	}
	for g := t.seen; g < n; g++ {
		t.first = append(t.first, uint64(morsel)<<32|uint64(g))
	}
	t.seen = n
	for _, s := range t.states {
		s.Grow(n)
	}
}

func (t *groupTable) add(b *vec.Batch, sel vec.Bitmap) error {
	for i, e := range t.keyExprs {
		v, err := e.Eval(t.w.ctx, b, sel)
		if err != nil {
			return err
		}
		t.keyVecs[i] = v
	}
	if cap(t.ids) < b.N {
		t.ids = make([]uint32, b.N)
	}
	ids := t.ids[:max(b.N, 1)]
	single, err := t.mapper.Map(t.keyVecs, sel, b.N, ids)
	if err != nil {
		return err
	}
	t.single = single
	t.added += aliveRows(b, sel)
	before := t.seen
	t.grow(t.keys.Len(), t.w.morsel)
	for i := range t.calls {
		if err := t.addCall(i, b, sel, ids, single); err != nil {
			return err
		}
	}
	if t.batches++; t.seen != before || t.batches%64 == 0 {
		return t.reserve()
	}
	return nil
}

func (t *groupTable) addCall(i int, b *vec.Batch, sel vec.Bitmap, ids []uint32, single bool) error {
	c := &t.calls[i]
	if c.filter != nil {
		t.sel = ownSelection(t.sel, sel, b.N)
		if err := c.filter.Filter(t.w.ctx, b, t.sel); err != nil {
			return err
		}
		sel = t.sel
	}
	for k, e := range c.args {
		v, err := e.Eval(t.w.ctx, b, sel)
		if err != nil {
			return err
		}
		c.in.Args[k] = v
	}
	for k, e := range c.order {
		v, err := e.Eval(t.w.ctx, b, sel)
		if err != nil {
			return err
		}
		c.in.Order[k] = v
	}
	c.in.Sel, c.in.N, c.in.Groups, c.in.One, c.in.Keyed = sel, b.N, ids, 0, len(t.n.Keys) > 0
	if single {
		c.in.Groups, c.in.One = nil, ids[0]
	}
	return t.states[i].Add(&c.in)
}

// reserve accounts for the memory held.
func (t *groupTable) reserve() error {
	n := t.keys.Bytes() + int64(cap(t.first))*8
	for _, s := range t.states {
		n += s.Bytes()
	}
	return t.mem.to(n)
}

// merge adds o, whose rows come after those of t if order matters. o is not used afterwards.
func (t *groupTable) merge(o *groupTable) error {
	if o.seen == 0 {
		o.mem.free()
		return nil
	}
	to, err := t.mapper.Merge(o.keys)
	if err != nil {
		return err
	}
	to = to[:o.seen]
	t.grow(t.keys.Len(), math.MaxInt32)
	for g, at := range to {
		t.first[at] = min(t.first[at], o.first[g])
	}
	for i, s := range t.states {
		if err := s.Merge(o.states[i], nil, to); err != nil {
			return err
		}
	}
	o.mem.free()
	return t.reserve()
}
