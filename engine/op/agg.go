package op

import (
	"math"
	"slices"
	"sync"

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
	b       *builder
	n       *plan.Agg
	p       *pipeline
	table   *groupTable
	perm    []uint32     // order of the groups; nil: as numbered
	results []vec.Vector // of all groups, if perm is not nil
	at      int
	out     vec.Batch
}

func (r *aggRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	if r.table == nil {
		if err := r.compute(); err != nil {
			return nil, err
		}
	}
	return r.emit()
}

func (r *aggRows) Close() {
	if r.p != nil {
		r.p.close()
	}
	if r.table != nil {
		r.table.mem.free()
	}
}

func (r *aggRows) compute() error {
	p, err := r.b.pipeline(r.n.In)
	if err != nil {
		return err
	}
	r.p = p
	m := &aggMerger{pending: map[int]*groupTable{}}
	for i := range r.n.Aggs {
		m.ordered = m.ordered || agg.Ordered(&r.n.Aggs[i])
	}
	m.ordered = m.ordered && p.morsels() > 1
	err = p.drive(func(w *worker) (terminal, error) {
		t, err := newGroupTable(r.n, w)
		if err != nil {
			return nil, err
		}
		e := &aggEnd{n: r.n, w: w, m: m, table: t}
		m.mu.Lock()
		m.ends = append(m.ends, e)
		m.mu.Unlock()
		return e, nil
	})
	if err != nil {
		return err
	}
	if err := m.finish(r); err != nil {
		return err
	}
	if len(r.n.Keys) == 0 {
		r.table.grow(1, 0) // without keys there is one group, even without rows
	}
	return nil
}

// aggEnd is the end of one worker's chain.
type aggEnd struct {
	n     *plan.Agg
	w     *worker
	m     *aggMerger
	table *groupTable
}

func (e *aggEnd) push(b *vec.Batch, sel vec.Bitmap) error { return e.table.add(b, sel) }

func (e *aggEnd) endMorsel(i int) error {
	if !e.m.ordered {
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
	ordered bool
	mu      sync.Mutex
	ends    []*aggEnd
	pending map[int]*groupTable // of morsels that wait for an earlier one
	next    int
	total   *groupTable
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
	}
}

// finish leaves the result in r.
func (m *aggMerger) finish(r *aggRows) error {
	if m.ordered {
		r.table = m.total
		if r.table == nil {
			r.table = m.ends[0].table
		}
		return nil
	}
	r.table = m.ends[0].table
	if len(m.ends) == 1 {
		return nil
	}
	for _, e := range m.ends[1:] {
		if err := r.table.merge(e.table); err != nil {
			return err
		}
	}
	return r.restoreOrder()
}

// restoreOrder sorts the groups by the place where they were first seen.
func (r *aggRows) restoreOrder() error {
	t := r.table
	if len(r.n.Keys) == 0 || slices.IsSorted(t.first) {
		return nil
	}
	r.perm = make([]uint32, len(t.first))
	for i := range r.perm {
		r.perm[i] = uint32(i)
	}
	slices.SortFunc(r.perm, func(a, b uint32) int {
		if t.first[a] < t.first[b] {
			return -1
		}
		return 1
	})
	r.results = make([]vec.Vector, len(t.states))
	for i, s := range t.states {
		r.results[i].Reset(r.n.Aggs[i].T)
		if err := s.Result(0, len(t.first), &r.results[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *aggRows) emit() (*vec.Batch, error) {
	groups := r.table.groups()
	if r.at >= groups {
		return nil, nil
	}
	end := min(r.at+vec.BatchRows, groups)
	cols := make([]*vec.Vector, len(r.n.Out))
	for i := range cols {
		cols[i] = &vec.Vector{}
		if i < len(r.n.Keys) {
			cols[i].Reset(r.n.Keys[i].Type())
		} else {
			cols[i].Reset(r.n.Aggs[i-len(r.n.Keys)].T)
		}
	}
	k := len(r.n.Keys)
	if r.perm != nil {
		ids := slices.Clone(r.perm[r.at:end])
		for i := range r.results {
			vec.AppendIndexed(cols[k+i], &r.results[i], ids)
		}
		r.table.keys.AppendIDs(ids, cols[:k])
	} else {
		r.table.keys.Append(r.at, end, cols[:k])
		for i, s := range r.table.states {
			if err := s.Result(r.at, end, cols[k+i]); err != nil {
				return nil, err
			}
		}
	}
	r.out = vec.Batch{N: end - r.at, Cols: cols}
	r.at = end
	return &r.out, nil
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
}

// callInput evaluates what one aggregate takes.
type callInput struct {
	args, order []*expr.Evaluator
	filter      *expr.Evaluator
	in          agg.Input
}

func newGroupTable(n *plan.Agg, w *worker) (*groupTable, error) {
	ts := make([]types.Type, len(n.Keys))
	for i, e := range n.Keys {
		ts[i] = e.Type()
	}
	t := &groupTable{n: n, w: w, keys: keys.New(ts), mem: account{m: w.x.mem, operator: "aggregation"}}
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
	c.in.Sel, c.in.N, c.in.Groups, c.in.One = sel, b.N, ids, 0
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
