package op

import (
	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/storage/vec"
)

// sortedGroups computes aggregates over rows sorted by group and, within a group, in the order in which the calls, which agree
// in that, take them. It holds what the results of some groups need: of quantiles a count, since their values are written
// down until their number is known; of a mode the best value so far; of DISTINCT values the last.
type sortedGroups struct {
	b       *builder
	n       *plan.Agg
	calls   []*sortedCall
	in      plan.Rows
	keys    int
	started bool         // there is a group
	last    []vec.Vector // the keys of the last row
	heads   []vec.Vector // the keys of the groups at hand
	groups  int          // at hand
	batch   *vec.Batch   // rows not taken yet; nil: none
	at      int
	ended   bool
	mem     account
	ids     []uint32
	sel     vec.Bitmap
	out     vec.Batch
	vecs    []vec.Vector
}

// sortedMost is how many groups are at hand at a time, if not less because of their size.
const sortedMost = 1024

// newSortedGroups puts the sort below: the rows have the keys, then what the calls look at.
func newSortedGroups(b *builder, n *plan.Agg, calls []int) (*sortedGroups, error) {
	proj := &plan.Project{In: n.In}
	column := func(e expr.Expr) expr.Expr {
		if expr.Static(e) {
			return e
		}
		for i, x := range proj.Exprs {
			if sameColumn(x, e) {
				return &expr.Col{Idx: i, T: e.Type()}
			}
		}
		proj.Exprs = append(proj.Exprs, e)
		proj.Out = append(proj.Out, plan.Col{Type: e.Type()})
		return &expr.Col{Idx: len(proj.Exprs) - 1, T: e.Type()}
	}
	order := &plan.Sort{In: proj}
	for _, k := range n.Keys {
		proj.Exprs = append(proj.Exprs, k)
		proj.Out = append(proj.Out, plan.Col{Type: k.Type()})
		order.Keys = append(order.Keys, plan.SortKey{Expr: &expr.Col{Idx: len(proj.Exprs) - 1, T: k.Type()}})
	}
	for _, k := range orderOf(&n.Aggs[calls[0]]) {
		k.Expr = column(k.Expr)
		order.Keys = append(order.Keys, k)
	}
	r := &sortedGroups{b: b, n: n, keys: len(n.Keys), mem: b.x.account("aggregation", n)}
	for _, i := range calls {
		c := n.Aggs[i]
		for k := range c.Args {
			if k == 0 {
				c.Args = append([]expr.Expr(nil), c.Args...)
			}
			c.Args[k] = column(c.Args[k])
		}
		for k := range c.Order {
			if k == 0 {
				c.Order = append([]plan.SortKey(nil), c.Order...)
			}
			c.Order[k].Expr = column(c.Order[k].Expr)
		}
		if c.Filter != nil {
			c.Filter = column(c.Filter)
		}
		call, err := newSortedCall(b, n, c)
		if err != nil {
			return nil, err
		}
		r.calls = append(r.calls, call)
	}
	if len(proj.Exprs) == 0 { // rows without columns cannot be counted
		proj.Exprs, proj.Out = []expr.Expr{lastOf(n)}, []plan.Col{{Type: lastOf(n).Type()}}
	}
	r.last, r.heads = make([]vec.Vector, r.keys), make([]vec.Vector, r.keys)
	for i := range r.heads {
		r.heads[i].Reset(n.Keys[i].Type())
	}
	if r.keys == 0 {
		r.begin(nil, 0) // there is a group, also without rows
	}
	b.x.env.Analyze.standsFor(proj, n)
	b.x.env.Analyze.standsFor(order, n)
	var under plan.Node = order
	if len(order.Keys) == 0 {
		under = proj
	}
	var err error
	r.in, err = b.build(under)
	return r, err
}

// lastOf is an expression for rows of which nothing is looked at.
func lastOf(n *plan.Agg) expr.Expr { return n.Aggs[len(n.Aggs)-1].Args[0] }

// Next implements plan.Rows: the next groups that are complete.
func (r *sortedGroups) Next() (*vec.Batch, error) {
	for {
		if err := expr.Canceled(r.b.ctx); err != nil {
			return nil, err
		}
		if r.ended {
			if r.groups == 0 {
				return nil, nil
			}
			return r.emit()
		}
		if r.batch == nil {
			b, err := r.in.Next()
			if err != nil {
				return nil, err
			}
			if b == nil {
				r.ended = true
				continue
			}
			if b.Sel != nil {
				b = copyBatch(b)
			}
			if r.batch, r.at = b, 0; b.N == 0 {
				r.batch = nil
				continue
			}
		}
		full, err := r.take()
		if err != nil {
			return nil, err
		}
		if full {
			return r.emit()
		}
	}
}

// take adds the rows of the batch, up to the end of a group if enough are at hand; full tells that there is more.
func (r *sortedGroups) take() (full bool, err error) {
	b, n := r.batch, r.batch.N
	enough := r.groups >= sortedMost || r.mem.held > max(1<<20, r.b.x.mem.bound()/16)
	r.ids = sized(r.ids, n)
	from, to := r.at, n
	for i := from; i < n; i++ {
		if !r.started || r.keys > 0 && !r.sameGroup(b, i) {
			if enough && r.groups > 0 {
				to, full = i, true
				break
			}
			r.begin(b, i)
		}
		r.ids[i] = uint32(r.groups - 1)
	}
	if to > from {
		r.remember(b, to-1)
		if err := r.add(b, from, to); err != nil {
			return false, err
		}
	}
	if r.at = to; to == n {
		r.batch = nil
	}
	return full, nil
}

// sameGroup reports whether row i of b is of the group of the row before.
func (r *sortedGroups) sameGroup(b *vec.Batch, i int) bool {
	for k := range r.keys {
		prev, at := &r.last[k], 0
		if i > r.at {
			prev, at = b.Cols[k], i-1
		}
		if !sameValue(prev, at, b.Cols[k], i) {
			return false
		}
	}
	return true
}

// begin begins a group with a row.
func (r *sortedGroups) begin(b *vec.Batch, i int) {
	r.started = true
	r.groups++
	for k := range r.heads {
		r.heads[k].AppendFrom(b.Cols[k], i)
	}
}

func (r *sortedGroups) remember(b *vec.Batch, i int) {
	for k := range r.last {
		r.last[k].Reset(b.Cols[k].Type)
		r.last[k].AppendFrom(b.Cols[k], i)
	}
}

func (r *sortedGroups) add(b *vec.Batch, from, to int) error {
	held := int64(0)
	for _, c := range r.calls {
		r.sel = r.sel.Resize(b.N)
		for i := from; i < to; i++ {
			r.sel.Set(i)
		}
		if err := c.add(b, r.sel, r.ids[:b.N], r.groups); err != nil {
			return err
		}
		held += c.bytes()
	}
	return r.mem.to(held)
}

// emit gives out the groups at hand.
func (r *sortedGroups) emit() (*vec.Batch, error) {
	r.vecs = make([]vec.Vector, r.keys+len(r.calls))
	r.out = vec.Batch{N: r.groups}
	for i := range r.vecs {
		v := &r.vecs[i]
		r.out.Cols = append(r.out.Cols, v)
		if i < r.keys {
			*v = r.heads[i]
			r.heads[i] = vec.Vector{}
			r.heads[i].Reset(v.Type)
			continue
		}
		c := r.calls[i-r.keys]
		v.Reset(c.n.T)
		if err := c.results(r.groups, v); err != nil {
			return nil, err
		}
	}
	r.groups, r.started = 0, false
	return &r.out, r.mem.to(0)
}

// Close implements plan.Rows.
func (r *sortedGroups) Close() {
	if r.in != nil {
		r.in.Close()
	}
	for _, c := range r.calls {
		c.close()
	}
	r.mem.free()
}

// sortedCall is one call of sortedGroups.
type sortedCall struct {
	b      *builder
	of     *plan.Agg
	n      plan.AggCall
	args   []*expr.Evaluator
	order  []*expr.Evaluator
	filter *expr.Evaluator
	in     agg.Input
	sel    vec.Bitmap

	state agg.State    // over the rows as they come; nil: one of the next
	prev  []vec.Vector // of DISTINCT: the arguments of the last row
	group uint32       // whose they are, or of which the values below are
	some  bool         // there is one

	ranks    *agg.Ranks
	fraction vec.Vector
	values   vec.Vector  // in memory,
	file     *spill.File // and before them
	count    int         // of values, or of a mode's last

	mode bool
	best vec.Vector // the mode so far
	most int
	done vec.Vector // results of the groups before
}

func newSortedCall(b *builder, of *plan.Agg, n plan.AggCall) (*sortedCall, error) {
	c := &sortedCall{b: b, of: of, n: n, args: expr.CompileAll(n.Args)}
	for _, k := range n.Order {
		c.order = append(c.order, expr.Compile(k.Expr))
	}
	if n.Filter != nil {
		c.filter = expr.Compile(n.Filter)
	}
	c.in.Args, c.in.Order = make([]*vec.Vector, len(c.args)), make([]*vec.Vector, len(c.order))
	c.done.Reset(n.T)
	c.ranks, c.mode = agg.NewRanks(&n), n.Fn.Name == "mode"
	return c, c.fresh()
}

// fresh makes an empty state.
func (c *sortedCall) fresh() (err error) {
	if c.ranks == nil && !c.mode {
		if c.state, err = agg.New(agg.Unordered(&c.n)); err == nil {
			agg.Asking(c.state, func() error { return expr.Canceled(c.b.ctx) })
		}
	}
	return err
}

// add adds the rows of sel, whose groups are in ids; there are so many groups.
func (c *sortedCall) add(b *vec.Batch, sel vec.Bitmap, ids []uint32, groups int) (err error) {
	if c.filter != nil {
		if err := c.filter.Filter(c.b.ctx, b, sel); err != nil {
			return err
		}
	}
	for k, e := range c.args {
		if c.in.Args[k], err = e.Eval(c.b.ctx, b, sel); err != nil {
			return err
		}
	}
	for k, e := range c.order {
		if c.in.Order[k], err = e.Eval(c.b.ctx, b, sel); err != nil {
			return err
		}
	}
	if c.state == nil {
		return c.ranked(sel, b.N, ids)
	}
	if c.n.Distinct {
		sel = c.firsts(sel, b.N, ids)
	}
	c.state.Grow(groups)
	c.in.Sel, c.in.N, c.in.Groups, c.in.Keyed = sel, b.N, ids, true
	return c.state.Add(&c.in)
}

// firsts keeps of rows with equal arguments the first.
func (c *sortedCall) firsts(sel vec.Bitmap, n int, ids []uint32) vec.Bitmap {
	if c.prev == nil {
		c.prev = make([]vec.Vector, len(c.args))
	}
	last := -1
	c.sel = c.sel.Resize(n)
	eachRow(sel, n, func(i int) {
		same := c.some && c.group == ids[i]
		for k := 0; same && k < len(c.args); k++ {
			prev, at := &c.prev[k], 0
			if last >= 0 {
				prev, at = c.in.Args[k], last
			}
			same = sameValue(prev, at, c.in.Args[k], i)
		}
		if !same {
			c.sel.Set(i)
		}
		c.group, c.some, last = ids[i], true, i
	})
	if last >= 0 {
		for k, v := range c.in.Args {
			c.prev[k].Reset(v.Type)
			c.prev[k].AppendFrom(v, last)
		}
	}
	return c.sel
}

// ranked takes the values of a quantile or a mode.
func (c *sortedCall) ranked(sel vec.Bitmap, n int, ids []uint32) (err error) {
	v := append(c.in.Order, c.in.Args...)[0] // median has its values as argument
	eachRow(sel, n, func(i int) {
		if err != nil || v.Null(i) {
			return
		}
		if !c.some || c.group != ids[i] {
			if err = c.settle(int(ids[i])); err != nil {
				return
			}
			c.group, c.some = ids[i], true
			if c.ranks != nil {
				c.fraction.Reset(c.in.Args[0].Type)
				c.fraction.AppendFrom(c.in.Args[0], i)
			}
		}
		if c.mode {
			c.run(v, i)
			return
		}
		c.count++
		c.values.AppendFrom(v, i)
		if c.values.N == sortedValues {
			err = c.writeDown()
		}
	})
	return err
}

// sortedValues is how many values of a quantile are in memory at most.
const sortedValues = 1 << 14

// writeDown moves the values in memory to disk.
func (c *sortedCall) writeDown() (err error) {
	if c.file == nil {
		if c.file, err = c.b.x.spaceOf(c.of).Create(); err != nil {
			return err
		}
	}
	err = c.file.Write(&vec.Batch{N: c.values.N, Cols: []*vec.Vector{&c.values}})
	c.values.Reset(c.values.Type)
	return err
}

// run counts a mode's next value. Of equal ones the first is kept.
func (c *sortedCall) run(v *vec.Vector, i int) {
	if c.count > 0 && datum.Compare(v.Type, &c.values, 0, v, i) == 0 {
		c.count++
	} else {
		c.better()
		c.values.Reset(v.Type)
		c.values.AppendFrom(v, i)
		c.count = 1
	}
}

// better makes the last value the mode if it was there more often.
func (c *sortedCall) better() {
	if c.count > c.most {
		c.most = c.count
		c.best.Reset(c.values.Type)
		c.best.AppendFrom(&c.values, 0)
	}
}

// settle ends the group at hand: its result is appended behind those of the groups before, and NULL for those without values,
// up to group number next.
func (c *sortedCall) settle(next int) error {
	if c.some {
		for c.done.N < int(c.group) {
			c.done.AppendNull()
		}
		if err := c.result(); err != nil {
			return err
		}
	}
	for c.done.N < next {
		c.done.AppendNull()
	}
	c.values.Reset(orderOf(&c.n)[0].Expr.Type())
	c.some, c.count, c.most = false, 0, 0
	c.dropFile()
	return nil
}

// result appends the result of the group at hand.
func (c *sortedCall) result() error {
	if c.mode {
		c.better()
		c.done.AppendFrom(&c.best, 0)
		return nil
	}
	want, err := c.ranks.Of(&c.fraction, 0, c.count)
	if err != nil {
		return err
	}
	var vals vec.Vector
	vals.Reset(c.values.Type)
	from := 0
	next := func(v *vec.Vector, n int) {
		for len(want) > 0 && want[0] < from+n {
			vals.AppendFrom(v, want[0]-from)
			want = want[1:]
		}
		from += n
	}
	if c.file != nil {
		in, err := c.file.Reader()
		if err != nil {
			return err
		}
		for len(want) > 0 {
			if err := expr.Canceled(c.b.ctx); err != nil {
				return err
			}
			b, err := in.Next()
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
			next(b.Cols[0], b.N)
		}
		from = c.count - c.values.N
	}
	next(&c.values, c.values.N)
	return c.ranks.Result(&c.fraction, 0, c.count, &vals, &c.done)
}

// results appends the results of n groups, and begins anew.
func (c *sortedCall) results(n int, out *vec.Vector) error {
	if c.state != nil {
		c.state.Grow(n)
		if err := c.state.Result(0, n, out); err != nil {
			return err
		}
		c.some = false
		return c.fresh()
	}
	if err := c.settle(n); err != nil {
		return err
	}
	out.AppendRange(&c.done, 0, n)
	c.done.Reset(c.n.T)
	return nil
}

func (c *sortedCall) bytes() int64 {
	n := vectorBytes(&c.values) + vectorBytes(&c.done)
	if c.state != nil {
		n += c.state.Bytes()
	}
	if c.file != nil {
		n += c.file.Bytes()
	}
	return n
}

// dropFile forgets values on disk. A file that cannot be removed is removed with its directory.
func (c *sortedCall) dropFile() {
	_ = c.file.Close()
	c.file = nil
}

func (c *sortedCall) close() { c.dropFile() }
