package opt

import (
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/opt/tree"
)

// side tells which inputs of a join an expression looks at.
type side struct{ left, right bool }

func sideOf(e expr.Expr, lw int) side {
	var s side
	tree.Uses(e, func(i int) {
		if i < lw {
			s.left = true
		} else {
			s.right = true
		}
	})
	return s
}

// sinkJoin distributes conditions over a join: conds hold above it, its own Cond decides what matches.
func sinkJoin(n *plan.Join, conds []expr.Expr) plan.Node {
	lw := len(n.L.Cols())
	kind := n.Kind
	if kind == plan.Left && rejectsNull(conds, func(i int) bool { return i >= lw }) {
		kind = plan.Inner
	}
	if kind == plan.Right && rejectsNull(conds, func(i int) bool { return i < lw }) {
		kind = plan.Inner
	}
	j := &plan.Join{Kind: kind, NotIn: n.NotIn, LeftKeys: n.LeftKeys, RightKeys: n.RightKeys}
	var toL, toR, own, above []expr.Expr
	for _, c := range conds {
		switch s := sideOf(c, lw); {
		case kind == plan.Inner:
			own = append(own, c)
		case !s.right && (kind == plan.Left || kind == plan.Semi || kind == plan.Anti):
			toL = append(toL, c)
		case !s.left && kind == plan.Right:
			toR = append(toR, tree.Shift(c, -lw))
		default:
			above = append(above, c)
		}
	}
	var rest []expr.Expr
	for _, c := range tree.Conjuncts(n.Cond, own) {
		s := sideOf(c, lw)
		switch {
		case tree.Volatile(c):
			rest = append(rest, c)
		case !s.right && (kind == plan.Inner || kind == plan.Right || kind == plan.Semi):
			toL = append(toL, c)
		case !s.left && kind != plan.Right && kind != plan.Full && s.right:
			toR = append(toR, tree.Shift(c, -lw))
		default:
			if l, r, ok := equality(c, lw); ok {
				j.LeftKeys, j.RightKeys = append(j.LeftKeys[:len(j.LeftKeys):len(j.LeftKeys)], l), append(j.RightKeys[:len(j.RightKeys):len(j.RightKeys)], r)
				continue
			}
			rest = append(rest, c)
		}
	}
	j.L, j.R, j.Cond = sink(n.L, toL), sink(n.R, toR), tree.And(rest)
	return filtered(j, above)
}

// equality takes l = r apart if each operand looks at one input; the keys have one type, so that equal values hash
// equally.
func equality(c expr.Expr, lw int) (l, r expr.Expr, ok bool) {
	call, isCall := c.(*expr.Call)
	if !isCall || call.Fn.Name != "=" || len(call.Args) != 2 {
		return nil, nil, false
	}
	a, b := call.Args[0], call.Args[1]
	if tree.HasSubplan(a) || tree.HasSubplan(b) || a.Type().Kind != b.Type().Kind || a.Type().Elem != b.Type().Elem {
		return nil, nil, false
	}
	sa, sb := sideOf(a, lw), sideOf(b, lw)
	if sa == (side{right: true}) && sb == (side{left: true}) {
		a, b, sa, sb = b, a, sb, sa
	}
	if sa != (side{left: true}) || sb != (side{right: true}) {
		return nil, nil, false
	}
	return a, tree.Shift(b, -lw), true
}

// rejectsNull reports whether some condition cannot be true for a row whose columns of one side are all NULL, which
// makes the outer join that would add such rows an inner one.
func rejectsNull(conds []expr.Expr, inSide func(int) bool) bool {
	for _, c := range conds {
		if notTrueIn(c, inSide) {
			return true
		}
	}
	return false
}

// notTrueIn reports whether e is NULL or false whenever the columns of the side are NULL.
func notTrueIn(e expr.Expr, inSide func(int) bool) bool {
	switch e := e.(type) {
	case *expr.IsNull:
		return e.Negate && nullIn(e.Arg, inSide)
	case *expr.Logic:
		is := func(a expr.Expr) bool { return notTrueIn(a, inSide) }
		if e.Or {
			return len(e.Args) > 0 && all(e.Args, is)
		}
		return slices.ContainsFunc(e.Args, is)
	}
	return nullIn(e, inSide)
}

// nullIn reports whether e is NULL, and not just false, whenever the columns of the side are.
func nullIn(e expr.Expr, inSide func(int) bool) bool {
	is := func(a expr.Expr) bool { return nullIn(a, inSide) }
	switch e := e.(type) {
	case *expr.Col:
		return inSide(e.Idx)
	case *expr.Leaf:
		return is(e.Base)
	case *expr.Call:
		return !e.Fn.Called && slices.ContainsFunc(e.Args, is)
	case *expr.In:
		return is(e.Arg)
	case *expr.Logic:
		return len(e.Args) > 0 && all(e.Args, is) // NULL AND false is false, NULL OR true is true
	}
	return false
}

func all(of []expr.Expr, is func(expr.Expr) bool) bool {
	return !slices.ContainsFunc(of, func(e expr.Expr) bool { return !is(e) })
}
