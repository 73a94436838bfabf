package op

import (
	"errors"
	"slices"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Partitions help when groups are many. A few groups whose states hold many values each (sets of DISTINCT ones, values to be
// put in order) cannot be divided. When they do not fit, the aggregation begins anew, reads its input once for each such
// aggregate, and computes that alone in a way that goes to disk: over the distinct values as groups of a level below, or over
// rows sorted by group. The parts have the same groups; sorted by them they are put side by side.

// errApart ends the workers of an aggregation that is to be computed apart.
var errApart = errors.New("the aggregates are to be computed apart")

// apartGroups is the number of groups of a worker from which they are divided by partition instead.
const apartGroups = 1 << 12

// mayApart reports whether the aggregation has a part that can be computed apart, of an input that can be read again.
func (b *builder) mayApart(n *plan.Agg) bool {
	if b.x.env.NoApart || b.x.spill == nil || !rereadable(n.In) {
		return false
	}
	for _, k := range n.Keys {
		if !pure(k) {
			return false
		}
	}
	some := false
	for i := range n.Aggs {
		c := &n.Aggs[i]
		for _, e := range callExprs(c) {
			if !pure(e) {
				return false
			}
		}
		some = some || heavy(c, len(n.Keys) > 0)
	}
	return some
}

func callExprs(c *plan.AggCall) []expr.Expr {
	out := slices.Clone(c.Args)
	for _, k := range c.Order {
		out = append(out, k.Expr)
	}
	if c.Filter != nil {
		out = append(out, c.Filter)
	}
	return out
}

// heavy reports whether a call's state grows with the values of a group, which it need not. Without keys the result of one that
// gathers values is as large as its state.
func heavy(c *plan.AggCall, keyed bool) bool {
	if agg.Gathers(c) {
		return keyed
	}
	if c.Fn.OrderedSet || c.Fn.Name == "median" {
		return !c.Distinct && (len(c.Order) == 1 || c.Fn.Name == "median")
	}
	return c.Distinct || agg.OrderMatters(c)
}

// rereadable reports whether a plan gives the same rows when it is run again.
func rereadable(n plan.Node) bool {
	var es []expr.Expr
	switch n := n.(type) {
	case *plan.Scan:
		if n.Limit > 0 {
			return false
		}
		es = n.Filter
	case *plan.Filter:
		es = []expr.Expr{n.Cond}
	case *plan.Project:
		es = n.Exprs
	case *plan.Join:
		es = append(slices.Concat(n.LeftKeys, n.RightKeys), n.Cond)
	case *plan.CTEScan:
		return !n.Working
	default:
		return false
	}
	for _, e := range es {
		if e != nil && !pure(e) {
			return false
		}
	}
	for _, in := range n.Inputs() {
		if !rereadable(in) {
			return false
		}
	}
	return true
}

// divides reports whether the worker's groups are to be computed apart, now that they take too much memory.
func (e *aggEnd) divides() bool {
	return e.m.mayApart && e.m.partial == nil && e.table.seen+int(e.m.groups.Load()) < apartGroups
}

// goesApart reports whether an aggregation that failed is to be computed apart.
func (m *aggMerger) goesApart(err error) bool {
	return m.mayApart && (errors.Is(err, errApart) || len(m.n.Keys) == 0 && sqlstate.Code(err) == sqlstate.OutOfMemory)
}

// apart begins anew, with n apart.
func (r *aggRows) apart(n *plan.Agg) error {
	r.m.close()
	r.p.close()
	r.m, r.p = nil, nil
	a := &apartRows{b: r.b, n: n}
	r.in = a
	return a.begin()
}

// apartRows puts the parts' results side by side.
type apartRows struct {
	b     *builder
	n     *plan.Agg
	parts []*apartPart
	out   vec.Batch
	vecs  []vec.Vector
}

// apartPart is the results of some calls: rows of the keys and then of them, by ascending keys.
type apartPart struct {
	calls []int
	rows  plan.Rows
	batch *vec.Batch
	at    int
}

func (a *apartRows) begin() error {
	rest := &apartPart{}
	distinct := map[int]*apartPart{} // by the first call over the argument
	var sorted []*apartPart
	for i := range a.n.Aggs {
		c := &a.n.Aggs[i]
		switch {
		case !heavy(c, len(a.n.Keys) > 0):
			rest.calls = append(rest.calls, i)
		case asGroups(c):
			first := slices.IndexFunc(a.n.Aggs, func(o plan.AggCall) bool {
				return heavy(&o, len(a.n.Keys) > 0) && asGroups(&o) && (sameColumn(o.Args[0], c.Args[0]) || o.Args[0] == c.Args[0])
			})
			if distinct[first] == nil {
				distinct[first] = &apartPart{}
			}
			distinct[first].calls = append(distinct[first].calls, i)
		default:
			at := slices.IndexFunc(sorted, func(p *apartPart) bool { return sameOrder(&a.n.Aggs[p.calls[0]], c) })
			if at < 0 {
				at, sorted = len(sorted), append(sorted, &apartPart{})
			}
			sorted[at].calls = append(sorted[at].calls, i)
		}
	}
	var err error
	if len(rest.calls) > 0 {
		if err := a.add(rest, a.restPlan(rest.calls)); err != nil {
			return err
		}
	}
	for i := range a.n.Aggs {
		if p := distinct[i]; p != nil {
			if err := a.add(p, a.distinctPlan(p.calls)); err != nil {
				return err
			}
		}
	}
	for _, p := range sorted {
		if p.rows, err = newSortedGroups(a.b, a.n, p.calls); err != nil {
			return err
		}
		a.parts = append(a.parts, p)
	}
	return nil
}

// add adds a part that is a plan, under a sort by the keys.
func (a *apartRows) add(p *apartPart, n plan.Node) (err error) {
	a.b.x.env.Analyze.standsFor(n, a.n)
	if len(a.n.Keys) > 0 {
		s := &plan.Sort{In: n}
		for i, k := range a.n.Keys {
			s.Keys = append(s.Keys, plan.SortKey{Expr: &expr.Col{Idx: i, T: k.Type()}})
		}
		a.b.x.env.Analyze.standsFor(s, a.n)
		n = s
	}
	p.rows, err = a.b.build(n)
	a.parts = append(a.parts, p)
	if err != nil {
		p.rows = noRows{}
	}
	return err
}

// outOf is the columns of a part.
func (a *apartRows) outOf(calls []int) []plan.Col {
	out := slices.Clone(a.n.Out[:len(a.n.Keys)])
	for _, i := range calls {
		out = append(out, a.n.Out[len(a.n.Keys)+i])
	}
	return out
}

func (a *apartRows) restPlan(calls []int) plan.Node {
	n := &plan.Agg{In: a.n.In, Keys: a.n.Keys, Out: a.outOf(calls)}
	for _, i := range calls {
		n.Aggs = append(n.Aggs, a.n.Aggs[i])
	}
	return n
}

// asGroups reports whether the values of a DISTINCT aggregate may come in any order, and of equal ones any may stay.
func asGroups(c *plan.AggCall) bool {
	if !c.Distinct || len(c.Args) != 1 || len(c.Order) > 0 || c.Fn.OrderedSet || expr.Static(c.Args[0]) {
		return false
	}
	plain := *c
	plain.Distinct = false
	return c.Fn.Name == "count" || !agg.Ordered(c) && !agg.Ordered(&plain)
}

// distinctPlan is calls over the DISTINCT values of one argument as twoLevels has them, each with a filter perhaps: whether one
// of the rows with the value passes it.
func (a *apartRows) distinctPlan(calls []int) plan.Node {
	arg, k := a.n.Aggs[calls[0]].Args[0], len(a.n.Keys)
	inner := &plan.Agg{In: a.n.In, Keys: append(slices.Clone(a.n.Keys), arg)}
	outer := &plan.Agg{In: inner, Out: a.outOf(calls)}
	for i, key := range inner.Keys {
		inner.Out = append(inner.Out, plan.Col{Type: key.Type()})
		if i < k {
			outer.Keys = append(outer.Keys, &expr.Col{Idx: i, T: key.Type()})
		}
	}
	a.b.x.env.Analyze.standsFor(inner, a.n)
	for _, i := range calls {
		c := a.n.Aggs[i]
		c.Distinct, c.Args = false, []expr.Expr{&expr.Col{Idx: k, T: arg.Type()}}
		if c.Filter != nil {
			t := types.Of(types.Bool)
			inner.Aggs = append(inner.Aggs, plan.AggCall{Fn: &plan.AggFunc{Name: "bool_or", Args: []types.Type{t}, Ret: t}, Args: []expr.Expr{c.Filter}, T: t})
			inner.Out = append(inner.Out, plan.Col{Type: t})
			c.Filter = &expr.Col{Idx: len(inner.Out) - 1, T: t}
		}
		outer.Aggs = append(outer.Aggs, c)
	}
	return outer
}

// sameOrder reports whether two calls take their rows in one order.
func sameOrder(a, b *plan.AggCall) bool {
	if a.Distinct || b.Distinct {
		return false
	}
	x, y := orderOf(a), orderOf(b)
	return slices.EqualFunc(x, y, func(k, l plan.SortKey) bool {
		return k.Desc == l.Desc && k.NullsFirst == l.NullsFirst && sameColumn(k.Expr, l.Expr)
	})
}

// orderOf is the order of a call's rows within their group.
func orderOf(c *plan.AggCall) []plan.SortKey {
	switch {
	case c.Fn.Name == "median":
		return []plan.SortKey{{Expr: c.Args[0]}}
	case c.Fn.OrderedSet:
		return c.Order
	}
	var ks []plan.SortKey
	if agg.OrderMatters(c) {
		ks = slices.Clone(c.Order)
	}
	if c.Distinct {
		for _, e := range c.Args {
			ks = append(ks, plan.SortKey{Expr: e})
		}
	}
	return ks
}

// Next implements plan.Rows. The parts' batches end at different rows.
func (a *apartRows) Next() (*vec.Batch, error) {
	n := vec.BatchRows
	ended := 0
	for _, p := range a.parts {
		for p.batch == nil || p.at == p.batch.Rows() {
			b, err := p.rows.Next()
			if err != nil {
				return nil, err
			}
			if p.batch, p.at = b, 0; b == nil {
				break
			}
		}
		if p.batch == nil {
			ended++
			continue
		}
		n = min(n, p.batch.Rows()-p.at)
	}
	if ended == len(a.parts) {
		return nil, nil
	}
	if ended > 0 {
		return nil, sqlstate.New(sqlstate.Internal, "aggregates computed apart found different groups")
	}
	k := len(a.n.Keys)
	if a.vecs == nil {
		a.vecs = make([]vec.Vector, len(a.n.Out))
		for i := range a.vecs {
			a.out.Cols = append(a.out.Cols, &a.vecs[i])
		}
	}
	for i := range a.vecs {
		a.vecs[i].Reset(a.n.Out[i].Type)
	}
	for i, p := range a.parts {
		for c := 0; i == 0 && c < k; c++ {
			p.append(&a.vecs[c], c, n)
		}
		for c, call := range p.calls {
			p.append(&a.vecs[k+call], k+c, n)
		}
		p.at += n
	}
	a.out.N = n
	return &a.out, nil
}

// append appends the next n rows of a column.
func (p *apartPart) append(out *vec.Vector, col, n int) {
	v := p.batch.Cols[col]
	if p.batch.Sel == nil {
		out.AppendRange(v, p.at, p.at+n)
		return
	}
	vec.AppendIndexed(out, v, p.batch.Sel[p.at:p.at+n])
}

// Close implements plan.Rows.
func (a *apartRows) Close() {
	for _, p := range a.parts {
		p.rows.Close()
	}
}
