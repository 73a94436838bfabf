// Package tree walks and rebuilds plans and expressions. Both are plain data, shared and never changed in place: what
// changes is copied, what does not stays the same pointer.
//
// Depth tells whose columns an expression speaks of. At depth 0 a Col is a column of the operator at hand. Inside a
// subplan, and on the right of an Apply, one level down, the same column is an Outer of Depth 1, and so on.
package tree

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
)

// Mapper is asked for each expression, parents first. If ok, x takes its place and is not entered.
type Mapper func(e expr.Expr, depth int) (x expr.Expr, ok bool)

// Expr rebuilds e by m, entering subplans.
func Expr(e expr.Expr, depth int, m Mapper) expr.Expr {
	if e == nil {
		return nil
	}
	if x, ok := m(e, depth); ok {
		return x
	}
	switch e := e.(type) {
	case *expr.Call:
		if args, changed := Exprs(e.Args, depth, m); changed {
			c := *e
			c.Args = args
			return &c
		}
	case *expr.Logic:
		if args, changed := Exprs(e.Args, depth, m); changed {
			return &expr.Logic{Or: e.Or, Args: args}
		}
	case *expr.Not:
		if a := Expr(e.Arg, depth, m); a != e.Arg {
			return &expr.Not{Arg: a}
		}
	case *expr.IsNull:
		if a := Expr(e.Arg, depth, m); a != e.Arg {
			return &expr.IsNull{Arg: a, Negate: e.Negate}
		}
	case *expr.Case:
		return mapCase(e, depth, m)
	case *expr.Coalesce:
		if args, changed := Exprs(e.Args, depth, m); changed {
			return &expr.Coalesce{Args: args, T: e.T}
		}
	case *expr.In:
		if a := Expr(e.Arg, depth, m); a != e.Arg {
			c := *e
			c.Arg = a
			return &c
		}
	case *expr.Leaf:
		if a := Expr(e.Base, depth, m); a != e.Base {
			c := *e
			c.Base = a
			return &c
		}
	case *expr.Subplan:
		return mapSubplan(e, depth, m)
	}
	return e
}

func mapCase(e *expr.Case, depth int, m Mapper) expr.Expr {
	c := &expr.Case{Else: Expr(e.Else, depth, m), T: e.T}
	changed := c.Else != e.Else
	for _, w := range e.Whens {
		x := expr.When{Cond: Expr(w.Cond, depth, m), Then: Expr(w.Then, depth, m)}
		changed = changed || x != w
		c.Whens = append(c.Whens, x)
	}
	if !changed {
		return e
	}
	return c
}

func mapSubplan(e *expr.Subplan, depth int, m Mapper) expr.Expr {
	n, _ := e.Plan.(plan.Node)
	p, a := Plan(n, depth+1, m), Expr(e.Arg, depth, m)
	if p == n && a == e.Arg {
		return e
	}
	c := *e
	c.Plan, c.Arg = p, a
	return &c
}

// Exprs rebuilds a list.
func Exprs(es []expr.Expr, depth int, m Mapper) (out []expr.Expr, changed bool) {
	for i, e := range es {
		x := Expr(e, depth, m)
		if x != e && !changed {
			changed = true
			out = append(make([]expr.Expr, 0, len(es)), es[:i]...)
		}
		if changed {
			out = append(out, x)
		}
	}
	if !changed {
		return es, false
	}
	return out, true
}

// Keys rebuilds sort keys.
func Keys(ks []plan.SortKey, depth int, m Mapper) []plan.SortKey {
	out := make([]plan.SortKey, len(ks))
	changed := false
	for i, k := range ks {
		out[i] = k
		out[i].Expr = Expr(k.Expr, depth, m)
		changed = changed || out[i].Expr != k.Expr
	}
	if !changed {
		return ks
	}
	return out
}

// Plan rebuilds every expression in n and below it by m.
func Plan(n plan.Node, depth int, m Mapper) plan.Node {
	if n == nil {
		return nil
	}
	return Children(Own(n, depth, m), func(c plan.Node, right bool) plan.Node {
		if right {
			return Plan(c, depth+1, m)
		}
		return Plan(c, depth, m)
	})
}

// Own rebuilds the expressions of the node itself.
func Own(n plan.Node, depth int, m Mapper) plan.Node {
	switch n := n.(type) {
	case *plan.Scan:
		if f, changed := Exprs(n.Filter, depth, m); changed {
			c := *n
			c.Filter = f
			return &c
		}
	case *plan.Virtual:
		if f, changed := Exprs(n.Filter, depth, m); changed {
			c := *n
			c.Filter = f
			return &c
		}
	case *plan.Values:
		return ownValues(n, depth, m)
	case *plan.Filter:
		if e := Expr(n.Cond, depth, m); e != n.Cond {
			return &plan.Filter{In: n.In, Cond: e}
		}
	case *plan.Project:
		if es, changed := Exprs(n.Exprs, depth, m); changed {
			return &plan.Project{In: n.In, Out: n.Out, Exprs: es}
		}
	case *plan.ProjectSet:
		return ownSets(n, depth, m)
	case *plan.Agg:
		return ownAgg(n, depth, m)
	case *plan.Sort:
		return &plan.Sort{In: n.In, Keys: Keys(n.Keys, depth, m), Limit: n.Limit}
	case *plan.Limit:
		return &plan.Limit{In: n.In, Count: Expr(n.Count, depth, m), Offset: Expr(n.Offset, depth, m)}
	case *plan.Distinct:
		if on, changed := Exprs(n.On, depth, m); changed {
			return &plan.Distinct{In: n.In, On: on}
		}
	case *plan.Join:
		c := *n
		c.LeftKeys, _ = Exprs(n.LeftKeys, depth, m)
		c.RightKeys, _ = Exprs(n.RightKeys, depth, m)
		c.Cond = Expr(n.Cond, depth, m)
		return &c
	case *plan.Window:
		return n.MapExprs(n.In, func(e expr.Expr) expr.Expr { return Expr(e, depth, m) })
	case *plan.Apply:
		if e := Expr(n.Cond, depth, m); e != n.Cond {
			c := *n
			c.Cond = e
			return &c
		}
	}
	return n
}

func ownValues(n *plan.Values, depth int, m Mapper) plan.Node {
	c := &plan.Values{Out: n.Out}
	any := false
	for _, row := range n.Rows {
		es, changed := Exprs(row, depth, m)
		any = any || changed
		c.Rows = append(c.Rows, es)
	}
	if !any {
		return n
	}
	return c
}

func ownSets(n *plan.ProjectSet, depth int, m Mapper) plan.Node {
	c := *n
	c.Sets = make([]plan.SetFunc, len(n.Sets))
	any := false
	for i, s := range n.Sets {
		args, changed := Exprs(s.Args, depth, m)
		any = any || changed
		s.Args = args
		c.Sets[i] = s
	}
	if !any {
		return n
	}
	return &c
}

func ownAgg(n *plan.Agg, depth int, m Mapper) plan.Node {
	c := *n
	c.Keys, _ = Exprs(n.Keys, depth, m)
	c.Aggs = make([]plan.AggCall, len(n.Aggs))
	for i, a := range n.Aggs {
		a.Args, _ = Exprs(a.Args, depth, m)
		a.Filter = Expr(a.Filter, depth, m)
		a.Order = Keys(a.Order, depth, m)
		c.Aggs[i] = a
	}
	return &c
}

// Children rebuilds n with each input replaced by f's answer. right is true for the right side of an Apply, which sees
// the left side's row as an enclosing one.
func Children(n plan.Node, f func(c plan.Node, right bool) plan.Node) plan.Node {
	switch n := n.(type) {
	case *plan.Filter:
		if in := f(n.In, false); in != n.In {
			return &plan.Filter{In: in, Cond: n.Cond}
		}
	case *plan.Project:
		if in := f(n.In, false); in != n.In {
			return &plan.Project{In: in, Out: n.Out, Exprs: n.Exprs}
		}
	case *plan.ProjectSet:
		if in := f(n.In, false); in != n.In {
			c := *n
			c.In = in
			return &c
		}
	case *plan.Agg:
		if in := f(n.In, false); in != n.In {
			c := *n
			c.In = in
			return &c
		}
	case *plan.Sort:
		if in := f(n.In, false); in != n.In {
			return &plan.Sort{In: in, Keys: n.Keys, Limit: n.Limit}
		}
	case *plan.Limit:
		if in := f(n.In, false); in != n.In {
			return &plan.Limit{In: in, Count: n.Count, Offset: n.Offset}
		}
	case *plan.Distinct:
		if in := f(n.In, false); in != n.In {
			return &plan.Distinct{In: in, On: n.On}
		}
	case *plan.Window:
		if in := f(n.In, false); in != n.In {
			c := *n
			c.In = in
			return &c
		}
	case *plan.Join:
		c := *n
		c.L, c.R = f(n.L, false), f(n.R, false)
		return &c
	case *plan.Apply:
		c := *n
		c.L, c.R = f(n.L, false), f(n.R, true)
		return &c
	case *plan.SetOp:
		c := *n
		c.L, c.R = f(n.L, false), f(n.R, false)
		return &c
	case *plan.With:
		return withChildren(n, f)
	}
	return n
}

func withChildren(n *plan.With, f func(plan.Node, bool) plan.Node) plan.Node {
	c := &plan.With{Defs: append([]plan.CTE(nil), n.Defs...)}
	for i := range c.Defs {
		c.Defs[i].Plan = f(c.Defs[i].Plan, false)
		if c.Defs[i].Step != nil {
			c.Defs[i].Step = f(c.Defs[i].Step, false)
		}
	}
	c.In = f(n.In, false)
	return c
}

// Visit calls f for e and all below it, subplans included.
func Visit(e expr.Expr, depth int, f func(e expr.Expr, depth int)) {
	Expr(e, depth, func(x expr.Expr, d int) (expr.Expr, bool) {
		f(x, d)
		return nil, false
	})
}

// Uses reports which columns of the operator at hand (depth 0) e looks at, subplans included.
func Uses(e expr.Expr, f func(col int)) {
	Visit(e, 0, func(x expr.Expr, depth int) {
		switch x := x.(type) {
		case *expr.Col:
			if depth == 0 {
				f(x.Idx)
			}
		case *expr.Outer:
			if depth > 0 && x.Depth == depth {
				f(x.Idx)
			}
		}
	})
}

// MoveCols renumbers the columns of the operator at hand in e, also where subplans refer to them.
func MoveCols(e expr.Expr, to func(idx int) int) expr.Expr {
	return Expr(e, 0, func(x expr.Expr, depth int) (expr.Expr, bool) {
		switch x := x.(type) {
		case *expr.Col:
			if depth == 0 {
				return moved(x, to(x.Idx)), true
			}
		case *expr.Outer:
			if depth > 0 && x.Depth == depth {
				if i := to(x.Idx); i != x.Idx {
					c := *x
					c.Idx = i
					return &c, true
				}
			}
		}
		return nil, false
	})
}

func moved(c *expr.Col, idx int) expr.Expr {
	if c.Idx == idx {
		return c
	}
	return &expr.Col{Idx: idx, T: c.T, Name: c.Name}
}

// Shift adds by to the index of every column of the operator at hand.
func Shift(e expr.Expr, by int) expr.Expr {
	if by == 0 {
		return e
	}
	return MoveCols(e, func(i int) int { return i + by })
}

// Free reports whether n refers to rows of enclosing queries.
func Free(n plan.Node) bool {
	free := false
	Plan(n, 0, func(x expr.Expr, depth int) (expr.Expr, bool) {
		if o, ok := x.(*expr.Outer); ok && o.Depth > depth {
			free = true
		}
		return nil, false
	})
	return free
}

// HasSubplan reports whether e contains a subplan.
func HasSubplan(e expr.Expr) bool {
	has := false
	Visit(e, 0, func(x expr.Expr, _ int) {
		if _, ok := x.(*expr.Subplan); ok {
			has = true
		}
	})
	return has
}

// Volatile reports whether e calls a volatile function.
func Volatile(e expr.Expr) bool {
	v := false
	Visit(e, 0, func(x expr.Expr, _ int) {
		if c, ok := x.(*expr.Call); ok && c.Fn.Volatile == expr.Volatile {
			v = true
		}
	})
	return v
}

// Conjuncts splits e at its top-level ANDs.
func Conjuncts(e expr.Expr, out []expr.Expr) []expr.Expr {
	if e == nil {
		return out
	}
	if l, ok := e.(*expr.Logic); ok && !l.Or {
		for _, a := range l.Args {
			out = Conjuncts(a, out)
		}
		return out
	}
	return append(out, e)
}

// And joins conjuncts, nil for none.
func And(es []expr.Expr) expr.Expr {
	switch len(es) {
	case 0:
		return nil
	case 1:
		return es[0]
	}
	return &expr.Logic{Args: es}
}

// Replace rebuilds n with f's answer wherever f has one, subplans included; what f returns is not entered.
func Replace(n plan.Node, f func(n plan.Node) (plan.Node, bool)) plan.Node {
	if n == nil {
		return nil
	}
	if x, ok := f(n); ok {
		return x
	}
	var subplans Mapper
	subplans = func(e expr.Expr, _ int) (expr.Expr, bool) {
		s, ok := e.(*expr.Subplan)
		if !ok {
			return nil, false
		}
		p, _ := s.Plan.(plan.Node)
		c := *s
		c.Plan, c.Arg = Replace(p, f), Expr(s.Arg, 0, subplans)
		return &c, true
	}
	return Children(Own(n, 0, subplans), func(c plan.Node, _ bool) plan.Node { return Replace(c, f) })
}
