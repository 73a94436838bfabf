package opt

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/opt/tree"
)

// sink moves conditions towards the scans as far as they hold there, and makes equalities across a join its keys.
// conds are conditions over n's columns that must hold above n.
func sink(n plan.Node, conds []expr.Expr) plan.Node {
	switch n := n.(type) {
	case *plan.Filter:
		own := tree.Conjuncts(n.Cond, nil)
		var stay []expr.Expr
		for _, c := range own {
			if v, null, ok := constBool(c); ok && v && !null {
				continue
			}
			if tree.Volatile(c) {
				stay = append(stay, c)
			} else {
				conds = append(conds, c)
			}
		}
		return filtered(sink(n.In, conds), stay)
	case *plan.Scan:
		return sinkScan(n, conds)
	case *plan.Virtual:
		plain, rest := splitSubplans(conds)
		c := *n
		c.Filter = append(c.Filter[:len(c.Filter):len(c.Filter)], plain...)
		return filtered(&c, rest)
	case *plan.Project:
		return sinkProject(n, conds)
	case *plan.ProjectSet:
		below, above := splitByCols(conds, len(n.In.Cols()))
		c := *n
		c.In = sink(n.In, below)
		return filtered(&c, above)
	case *plan.Agg:
		return sinkAgg(n, conds)
	case *plan.Window:
		return sinkWindow(n, conds)
	case *plan.Sort:
		if n.Limit == 0 {
			return &plan.Sort{In: sink(n.In, conds), Keys: n.Keys}
		}
	case *plan.Distinct:
		if n.On == nil {
			return &plan.Distinct{In: sink(n.In, conds)}
		}
	case *plan.SetOp:
		c := *n
		c.L, c.R = sink(n.L, conds), sink(n.R, conds)
		return &c
	case *plan.Join:
		return sinkJoin(n, conds)
	case *plan.Apply:
		below, above := splitByCols(conds, len(n.L.Cols()))
		c := *n
		c.L, c.R = sink(n.L, below), sink(n.R, nil)
		return filtered(&c, above)
	case *plan.With:
		c := &plan.With{In: sink(n.In, conds)}
		for _, d := range n.Defs {
			d.Plan = sink(d.Plan, nil)
			if d.Step != nil {
				d.Step = sink(d.Step, nil)
			}
			c.Defs = append(c.Defs, d)
		}
		return c
	}
	return filtered(tree.Children(n, func(c plan.Node, _ bool) plan.Node { return sink(c, nil) }), conds)
}

func filtered(n plan.Node, conds []expr.Expr) plan.Node {
	if c := tree.And(conds); c != nil {
		return &plan.Filter{In: n, Cond: c}
	}
	return n
}

// sinkScan gives a scan its filters. Those with subqueries stay above: a scan compares, it does not run plans.
func sinkScan(n *plan.Scan, conds []expr.Expr) plan.Node {
	plain, rest := splitSubplans(conds)
	c := *n
	c.Filter = append(c.Filter[:len(c.Filter):len(c.Filter)], plain...)
	return filtered(&c, rest)
}

func splitSubplans(conds []expr.Expr) (plain, rest []expr.Expr) {
	for _, c := range conds {
		if tree.HasSubplan(c) {
			rest = append(rest, c)
		} else {
			plain = append(plain, c)
		}
	}
	return plain, rest
}

// splitByCols parts the conditions that look at the first n columns only.
func splitByCols(conds []expr.Expr, n int) (below, above []expr.Expr) {
	for _, c := range conds {
		within := true
		tree.Uses(c, func(i int) { within = within && i < n })
		if within {
			below = append(below, c)
		} else {
			above = append(above, c)
		}
	}
	return below, above
}

// sinkProject rewrites conditions to what the projection computes from.
func sinkProject(n *plan.Project, conds []expr.Expr) plan.Node {
	var below, above []expr.Expr
	for _, c := range conds {
		if x, ok := through(c, n.Exprs); ok {
			below = append(below, x)
		} else {
			above = append(above, c)
		}
	}
	return filtered(&plan.Project{In: sink(n.In, below), Out: n.Out, Exprs: n.Exprs}, above)
}

// through replaces the columns in c by the expressions they stand for; ok is false where that would run a subquery or a
// volatile function elsewhere.
func through(c expr.Expr, exprs []expr.Expr) (expr.Expr, bool) {
	ok := true
	tree.Visit(c, 0, func(e expr.Expr, depth int) {
		switch x := e.(type) {
		case *expr.Col:
			if depth == 0 && (tree.HasSubplan(exprs[x.Idx]) || tree.Volatile(exprs[x.Idx])) {
				ok = false
			}
		case *expr.Outer:
			if depth > 0 && x.Depth == depth {
				if _, plain := exprs[x.Idx].(*expr.Col); !plain {
					ok = false
				}
			}
		}
	})
	if !ok {
		return nil, false
	}
	return substitute(c, exprs), true
}

func substitute(c expr.Expr, exprs []expr.Expr) expr.Expr {
	return tree.Expr(c, 0, func(e expr.Expr, depth int) (expr.Expr, bool) {
		switch x := e.(type) {
		case *expr.Leaf:
			if col, ok := x.Base.(*expr.Col); ok && depth == 0 {
				return joinLeaf(x, exprs[col.Idx]), true
			}
		case *expr.Col:
			if depth == 0 {
				return exprs[x.Idx], true
			}
		case *expr.Outer:
			if col, ok := exprs[min(x.Idx, len(exprs)-1)].(*expr.Col); ok && depth > 0 && x.Depth == depth {
				o := *x
				o.Idx = col.Idx
				return &o, true
			}
		}
		return nil, false
	})
}

// joinLeaf is the path l over base, which may be a path itself.
func joinLeaf(l *expr.Leaf, base expr.Expr) expr.Expr {
	c := *l
	c.Base = base
	if b, ok := base.(*expr.Leaf); ok && !b.AsText && !b.Outline && b.T == l.Base.Type() {
		c.Base = b.Base
		c.Path = append(append([]string(nil), b.Path...), l.Path...)
	}
	return &c
}

// sinkAgg moves conditions on group keys below the grouping.
func sinkAgg(n *plan.Agg, conds []expr.Expr) plan.Node {
	below, above := splitByCols(conds, len(n.Keys))
	if len(n.Keys) == 0 || n.Sets != nil {
		below, above = nil, conds
	}
	var moved []expr.Expr
	for _, c := range below {
		if x, ok := through(c, n.Keys); ok {
			moved = append(moved, x)
		} else {
			above = append(above, c)
		}
	}
	c := *n
	c.In = sink(n.In, moved)
	return filtered(&c, above)
}
