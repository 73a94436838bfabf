package op

import (
	"math"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// windowRows computes window functions. What the calls look at is computed below the sort, beside the input's columns.
// The sorted rows are cut into tasks of whole partitions; several tasks are computed at a time, each by one goroutine on
// columns of its own, and given out in order.
type windowRows struct {
	b     *builder
	n     *plan.Window
	p     *windowPlan
	in    plan.Rows     // the sorted rows, if they do not come as clusters
	from  *clusters     // nil: they do not
	used  []bool        // of the output's columns, by whoever takes the rows
	part  *windowTask   // being filled
	queue []*windowTask // being computed, in order
	ended bool          // the input
	head  *windowTask   // being given out
	at    int
	mem   account
	out   vec.Batch
	vecs  []vec.Vector
	err   error
}

// windowTaskRows is how many rows a task has at least, if there are more partitions.
const windowTaskRows = 16384

// windowPlan is a window over rows that hold all it looks at as columns.
type windowPlan struct {
	in        plan.Node      // the window's input and what was computed beside it
	keys      []plan.SortKey // of the partition, then of the order
	sorted    bool           // the input comes in their order
	general   bool           // no running totals: see running
	width     int            // columns of the window's own input
	ts        []types.Type
	partition []int
	order     []int
	desc      bool // of the first order key
	calls     []windowCall
}

// windowCall is a call by columns; -1 is none.
type windowCall struct {
	n            *plan.WindowCall
	args         []int
	filter       int
	rangeKey     int
	limits       [2]int
	start, end   int64   // offsets of ROWS, GROUPS and RANGE over integers
	startF, endF float64 // of RANGE over floats
}

// window builds the rows of n. begin is to come before the first of them.
func (b *builder) window(n *plan.Window) (*windowRows, error) {
	p, err := b.windowPlan(n)
	if err != nil {
		return nil, err
	}
	return &windowRows{b: b, n: n, p: p, mem: b.x.account("window", n)}, nil
}

// windowPlan puts the computation of what the calls look at below the window.
func (b *builder) windowPlan(n *plan.Window) (*windowPlan, error) {
	cols := n.In.Cols()
	proj := &plan.Project{In: n.In}
	for i, c := range cols {
		proj.Out = append(proj.Out, c)
		proj.Exprs = append(proj.Exprs, &expr.Col{Idx: i, T: c.Type, Name: c.Name})
	}
	column := func(e expr.Expr) int {
		if e == nil {
			return -1
		}
		if c, ok := e.(*expr.Col); ok {
			return c.Idx
		}
		proj.Exprs = append(proj.Exprs, e)
		proj.Out = append(proj.Out, plan.Col{Name: "?column?", Type: e.Type()})
		return len(proj.Exprs) - 1
	}
	p := &windowPlan{width: len(cols), sorted: n.Sorted, general: b.x.env.NoClusters}
	key := func(i int, desc, nullsFirst bool) {
		p.keys = append(p.keys, plan.SortKey{Expr: &expr.Col{Idx: i, T: proj.Out[i].Type}, Desc: desc, NullsFirst: nullsFirst})
	}
	for _, e := range n.Partition {
		i := column(e)
		p.partition = append(p.partition, i)
		key(i, false, false)
	}
	for i, k := range n.Order {
		at := column(k.Expr)
		p.order = append(p.order, at)
		key(at, k.Desc, k.NullsFirst)
		if i == 0 {
			p.desc = k.Desc
		}
	}
	for i := range n.Calls {
		c := windowCall{n: &n.Calls[i], filter: -1, rangeKey: column(n.Calls[i].Frame.RangeKey)}
		args := c.n.Args
		if c.n.Agg != nil {
			args, c.filter = c.n.Agg.Args, column(c.n.Agg.Filter)
		}
		for _, a := range args {
			c.args = append(c.args, column(a))
		}
		f := &c.n.Frame
		c.limits = [2]int{column(f.Start.Limit), column(f.End.Limit)}
		if err := b.frameOffsets(&c); err != nil {
			return nil, err
		}
		p.calls = append(p.calls, c)
	}
	p.in = n.In
	if len(proj.Exprs) > len(cols) {
		p.in = proj
	}
	for _, c := range proj.Out {
		p.ts = append(p.ts, c.Type)
	}
	return p, nil
}

// frameOffsets evaluates the offsets of a call's frame.
func (b *builder) frameOffsets(c *windowCall) error {
	f := &c.n.Frame
	for i, o := range []*plan.Bound{&f.Start, &f.End} {
		if o.Offset == nil {
			continue
		}
		which := [...]string{"starting", "ending"}[i]
		v, err := expr.Compile(o.Offset).Eval(b.ctx, expr.OneRow(), nil)
		if err != nil {
			return err
		}
		if v.Null(0) {
			return sqlstate.New("22004", "frame %s offset must not be null", which)
		}
		negative := false
		switch v.Type.Phys() {
		case types.PhysInt64:
			x := v.Int(0)
			negative = x < 0
			if i == 0 {
				c.start = x
			} else {
				c.end = x
			}
		case types.PhysFloat64:
			x := v.Float(0)
			negative = x < 0 || math.IsNaN(x)
			if i == 0 {
				c.startF = x
			} else {
				c.endF = x
			}
		default:
			negative = belowZero(v)
		}
		if negative && f.Mode == plan.FrameRange {
			return sqlstate.New("22013", "invalid preceding or following size in window function")
		}
		if negative {
			return sqlstate.New("22013", "frame %s offset must not be negative", which)
		}
	}
	return nil
}

// belowZero tells it of a numeric or an interval.
func belowZero(v *vec.Vector) bool {
	if v.Type.Kind == types.Interval {
		return datum.GetInterval(v.Bytes(0)).Cmp(datum.Interval{}) < 0
	}
	return datum.CompareNumericText(v.Bytes(0), []byte("0")) < 0
}

func (r *windowRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	for r.err == nil {
		if r.head != nil {
			if b := r.emit(); b != nil {
				return b, nil
			}
		}
		if r.err = r.advance(); r.err == nil && r.head == nil {
			return nil, nil
		}
	}
	return nil, r.err
}

// emit gives out the next rows of the head.
func (r *windowRows) emit() *vec.Batch {
	t := r.head
	if r.at >= t.n {
		return nil
	}
	if r.vecs == nil {
		r.vecs = make([]vec.Vector, r.p.width+len(t.results))
		for i := range r.vecs {
			r.out.Cols = append(r.out.Cols, &r.vecs[i])
		}
	}
	end := min(r.at+vec.BatchRows, t.n)
	for i := range r.vecs {
		from := &t.results[max(i-r.p.width, 0)]
		if i < r.p.width {
			from = &t.cols[i]
		}
		r.vecs[i].Reset(from.Type)
		r.vecs[i].AppendRange(from, r.at, end)
	}
	r.out.N = end - r.at
	r.at = end
	return &r.out
}

// advance makes the next task the head; there is none at the end.
func (r *windowRows) advance() error {
	if r.head != nil {
		_ = r.mem.to(r.mem.held - r.head.bytes) // giving back never fails
		r.head.mem.free()
		r.head = nil
	}
	for !r.ended && len(r.queue) <= r.b.x.workers {
		if err := r.fill(); err != nil {
			return err
		}
	}
	if len(r.queue) == 0 {
		return nil
	}
	t := r.queue[0]
	r.queue = r.queue[1:]
	<-t.done
	r.head, r.at = t, 0
	return t.err
}

// fill reads until there is another task, or no more input.
func (r *windowRows) fill() error {
	if err := expr.Canceled(r.b.ctx); err != nil {
		return err
	}
	in, err := r.in.Next()
	if err != nil {
		return err
	}
	if in == nil {
		r.ended = true
		return r.start()
	}
	from := 0
	rows := in.Rows()
	if r.part == nil {
		r.part = newWindowTask(r)
	}
	if r.part.n >= windowTaskRows && len(r.p.partition) > 0 {
		// The task has had enough: it ends with the partition.
		cut := r.part.boundary(in)
		if cut < rows {
			r.part.add(in, 0, cut)
			if err := r.start(); err != nil {
				return err
			}
			r.part = newWindowTask(r)
			from = cut
		}
	}
	r.part.add(in, from, rows)
	for i := range r.part.cols {
		if len(r.part.cols[i].Data) > maxData {
			return errWide("window partition")
		}
	}
	return r.mem.to(r.held())
}

// held is what the tasks hold, the results of those under way counted by their rows.
func (r *windowRows) held() int64 {
	n := int64(0)
	if r.part != nil {
		r.part.measure()
		n += r.part.bytes
	}
	for _, t := range r.queue {
		n += t.bytes
	}
	return n
}

// start hands the part to a goroutine.
func (r *windowRows) start() error {
	t := r.part
	r.part = nil
	if t == nil || t.n == 0 {
		return nil
	}
	t.measure()
	r.queue = append(r.queue, t)
	go func() {
		defer close(t.done)
		t.compute()
	}()
	return r.mem.to(r.held())
}

func (r *windowRows) Close() {
	for _, t := range r.queue {
		<-t.done
		t.mem.free()
	}
	if r.head != nil {
		r.head.mem.free()
	}
	if r.in != nil {
		r.in.Close()
	}
	if r.from != nil {
		r.from.free()
	}
	r.mem.free()
}

// windowTask is the rows of some partitions, in order.
type windowTask struct {
	p       *windowPlan
	ctx     *expr.Ctx
	n       int
	cols    []vec.Vector
	bytes   int64
	starts  []int32 // where partitions start; then n
	peers   *windowPeers
	results []vec.Vector
	mem     account // of texts in the results
	done    chan struct{}
	err     error
}

func newWindowTask(r *windowRows) *windowTask {
	t := &windowTask{p: r.p, ctx: r.b.ctx, mem: r.b.x.account("window", r.n), done: make(chan struct{}), cols: make([]vec.Vector, len(r.p.ts))}
	for i := range t.cols {
		t.cols[i].Reset(r.p.ts[i])
	}
	return t
}

// add appends the live rows [from, to) of a batch.
func (t *windowTask) add(b *vec.Batch, from, to int) {
	for i := range t.cols {
		if b.Sel == nil {
			t.cols[i].AppendRange(b.Cols[i], from, to)
		} else {
			vec.AppendIndexed(&t.cols[i], b.Cols[i], b.Sel[from:to])
		}
	}
	t.n += to - from
}

// boundary returns the first live row of b that is of another partition than the task's last row, or the number of rows.
func (t *windowTask) boundary(b *vec.Batch) int {
	rows := b.Rows()
	for k := range rows {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		for _, c := range t.p.partition {
			if !sameValue(&t.cols[c], t.n-1, b.Cols[c], i) {
				return k
			}
		}
	}
	return rows
}

// sameValue reports whether two values are one group: equal in SQL, or both NULL.
func sameValue(a *vec.Vector, i int, b *vec.Vector, j int) bool {
	an, bn := a.Null(i), b.Null(j)
	if an || bn {
		return an && bn
	}
	return datum.Compare(a.Type, a, i, b, j) == 0
}

func (t *windowTask) measure() {
	t.bytes = int64(t.n) * int64(8+8*len(t.p.calls))
	for i := range t.cols {
		t.bytes += vectorBytes(&t.cols[i])
	}
}

// compute runs the calls.
func (t *windowTask) compute() {
	defer guard(&t.err)
	t.starts = t.boundaries(t.columns(t.p.partition), nil)
	t.starts = append(t.starts, int32(t.n))
	t.callAll()
}

// callAll runs the calls; starts is known.
func (t *windowTask) callAll() {
	if t.results == nil {
		t.results = make([]vec.Vector, len(t.p.calls))
	}
	for i := range t.p.calls {
		c := &t.p.calls[i]
		out := &t.results[i]
		out.Reset(c.n.T)
		if t.err = t.canceled(); t.err != nil {
			return
		}
		if t.err = t.call(c, out); t.err != nil {
			return
		}
		if out.N != t.n {
			t.err = sqlstate.New(sqlstate.Internal, "a window function gave %d values for %d rows", out.N, t.n)
			return
		}
	}
}

func (t *windowTask) columns(idx []int) []*vec.Vector {
	out := make([]*vec.Vector, len(idx))
	for i, c := range idx {
		out[i] = &t.cols[c]
	}
	return out
}

// boundaries returns the rows at which some column has another value than in the row before, and row 0. Those listed in
// also are boundaries in any case.
func (t *windowTask) boundaries(cols []*vec.Vector, also []int32) []int32 {
	diff := t.edges(cols, also)
	out := make([]int32, 0, diff.Count()+1)
	diff.All(func(i int) { out = append(out, int32(i)) })
	return out
}

// edges is boundaries as a bitmap.
func (t *windowTask) edges(cols []*vec.Vector, also []int32) vec.Bitmap {
	n := t.n
	diff := vec.MakeBitmap(n)
	if n > 0 {
		diff.Set(0)
	}
	for _, i := range also {
		if int(i) < n {
			diff.Set(int(i))
		}
	}
	for _, v := range cols {
		if t.canceled() != nil {
			break // whoever goes on asks too
		}
		changes(v, n, diff)
	}
	return diff
}

// changes sets the bits of the rows whose value differs from that of the row before. v is flat.
func changes(v *vec.Vector, n int, diff vec.Bitmap) {
	if v.Valid == nil && v.Type.Phys() == types.PhysInt64 {
		changesOf(v.I64, nil, n, diff)
		return
	}
	for i := 1; i < n; i++ {
		if !diff.Get(i) && !sameValue(v, i-1, v, i) {
			diff.Set(i)
		}
	}
}

// windowPeers tells the peers of every row: rows that are equal in the order.
type windowPeers struct {
	starts []int32 // where groups of peers start; then n
	group  []int32 // per row, its group
}

func (t *windowTask) peerGroups() *windowPeers {
	if t.peers == nil {
		p := &windowPeers{starts: t.boundaries(t.columns(t.p.order), t.starts), group: make([]int32, t.n)}
		p.starts = append(p.starts, int32(t.n))
		for g := range len(p.starts) - 1 {
			for i := p.starts[g]; i < p.starts[g+1]; i++ {
				p.group[i] = int32(g)
			}
		}
		t.peers = p
	}
	return t.peers
}

func (p *windowPeers) start(i int) int { return int(p.starts[p.group[i]]) }
func (p *windowPeers) end(i int) int   { return int(p.starts[p.group[i]+1]) }

// call computes one call over all partitions of the task.
func (t *windowTask) call(c *windowCall, out *vec.Vector) error {
	if c.n.Agg != nil {
		return t.aggregate(c, out)
	}
	f, ok := windowFuncs[c.n.Fn.Name]
	if !ok {
		return sqlstate.New(sqlstate.UndefinedFunction, "window function %s does not exist", c.n.Fn.Name)
	}
	return f(t, c, out)
}

// aggInput is the task's rows as a call's aggregate sees them.
func (t *windowTask) aggInput(c *windowCall) agg.Input {
	in := agg.Input{Args: t.columns(c.args), N: t.n}
	if c.filter >= 0 {
		f := &t.cols[c.filter]
		in.Sel = append(vec.Bitmap(nil), f.Bits[:vec.Words(t.n)]...)
		if f.Valid != nil {
			in.Sel.And(f.Valid)
		}
	}
	return in
}
