package opt

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/opt/tree"
)

// unnest turns the conjuncts x [NOT] IN (subquery) and [NOT] EXISTS (subquery) of a filter into semi and anti joins.
func unnest(n plan.Node) plan.Node {
	n = tree.Children(n, func(c plan.Node, _ bool) plan.Node { return unnest(c) })
	f, ok := n.(*plan.Filter)
	if !ok {
		return n
	}
	in := f.In
	var keep []expr.Expr
	for _, c := range tree.Conjuncts(f.Cond, nil) {
		if j := asJoin(in, c); j != nil {
			in = j
			continue
		}
		keep = append(keep, c)
	}
	if in == f.In {
		return n
	}
	if cond := tree.And(keep); cond != nil {
		return &plan.Filter{In: in, Cond: cond}
	}
	return in
}

func asJoin(in plan.Node, c expr.Expr) plan.Node {
	negate := false
	if not, ok := c.(*expr.Not); ok {
		negate, c = true, not.Arg
	}
	s, ok := c.(*expr.Subplan)
	if !ok {
		return nil
	}
	p, ok := s.Plan.(plan.Node)
	if !ok {
		return nil
	}
	switch s.Kind {
	case expr.SubIn:
		if tree.Free(p) || tree.HasSubplan(s.Arg) || s.Arg.Type() != p.Cols()[0].Type {
			return nil
		}
		right := &expr.Col{T: p.Cols()[0].Type, Name: p.Cols()[0].Name}
		j := &plan.Join{Kind: plan.Semi, L: in, R: unnest(p), LeftKeys: []expr.Expr{s.Arg}, RightKeys: []expr.Expr{right}}
		if s.Negate != negate {
			j.Kind, j.NotIn = plan.Anti, true
		}
		return j
	case expr.SubExists:
		kind := plan.Semi
		if s.Negate != negate {
			kind = plan.Anti
		}
		return existsJoin(in, p, kind)
	}
	return nil
}

// existsJoin makes a join of an EXISTS whose only mention of the enclosing row is in the conditions of its outermost
// WHERE. Without any such mention it stays: it is one answer for all rows.
func existsJoin(in, p plan.Node, kind plan.JoinKind) plan.Node {
	p = stripOutput(p)
	f, ok := p.(*plan.Filter)
	if !ok || tree.Free(f.In) {
		return nil
	}
	lw := len(in.Cols())
	var own, both []expr.Expr
	for _, c := range tree.Conjuncts(f.Cond, nil) {
		switch usesOuter, ok := correlation(c); {
		case !ok:
			return nil
		case !usesOuter:
			own = append(own, c)
		default:
			both = append(both, decorrelate(c, lw))
		}
	}
	if len(both) == 0 {
		return nil
	}
	r := f.In
	if c := tree.And(own); c != nil {
		r = &plan.Filter{In: r, Cond: c}
	}
	return &plan.Join{Kind: kind, L: in, R: unnest(r), Cond: tree.And(both)}
}

// stripOutput takes off what does not change whether there is a row.
func stripOutput(n plan.Node) plan.Node {
	for {
		switch x := n.(type) {
		case *plan.Project:
			n = x.In
		case *plan.Sort:
			n = x.In
		case *plan.Distinct:
			n = x.In
		case *plan.Limit:
			if c, ok := constInt(x.Count); !ok || c < 1 || x.Offset != nil {
				return n
			}
			n = x.In
		default:
			return n
		}
	}
}

// correlation tells whether a condition speaks of the nearest enclosing row; ok is false if it is too involved to move.
func correlation(c expr.Expr) (outer, ok bool) {
	ok = true
	tree.Visit(c, 0, func(e expr.Expr, depth int) {
		switch x := e.(type) {
		case *expr.Subplan:
			ok = false
		case *expr.Outer:
			if depth > 0 || x.Depth != 1 {
				ok = false
			}
			outer = true
		}
	})
	return outer, ok
}

// decorrelate makes the condition one over the columns of a join: the enclosing row's, then its own.
func decorrelate(c expr.Expr, lw int) expr.Expr {
	return tree.Expr(c, 0, func(e expr.Expr, _ int) (expr.Expr, bool) {
		switch x := e.(type) {
		case *expr.Outer:
			return &expr.Col{Idx: x.Idx, T: x.T, Name: x.Name}, true
		case *expr.Col:
			return &expr.Col{Idx: x.Idx + lw, T: x.T, Name: x.Name}, true
		}
		return nil, false
	})
}
