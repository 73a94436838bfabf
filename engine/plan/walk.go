package plan

import (
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
)

// Exprs returns the expressions that stand in the node itself, not in its inputs.
func Exprs(n Node) []expr.Expr {
	switch n := n.(type) {
	case *Scan:
		return n.Filter
	case *Virtual:
		return n.Filter
	case *Values:
		var out []expr.Expr
		for _, r := range n.Rows {
			out = append(out, r...)
		}
		return out
	case *Filter:
		return []expr.Expr{n.Cond}
	case *Project:
		return n.Exprs
	case *ProjectSet:
		var out []expr.Expr
		for _, s := range n.Sets {
			out = append(out, s.Args...)
		}
		return out
	case *Agg:
		out := slices.Clone(n.Keys)
		for _, a := range n.Aggs {
			out = append(out, a.Args...)
			if a.Filter != nil {
				out = append(out, a.Filter)
			}
			for _, k := range a.Order {
				out = append(out, k.Expr)
			}
		}
		return out
	case *Sort:
		var out []expr.Expr
		for _, k := range n.Keys {
			out = append(out, k.Expr)
		}
		return out
	case *Limit:
		return some(n.Count, n.Offset)
	case *Distinct:
		return n.On
	case *Join:
		return append(append(slices.Clone(n.LeftKeys), n.RightKeys...), some(n.Cond)...)
	case *Apply:
		return some(n.Cond)
	case *Window:
		return n.Exprs()
	}
	return nil
}

func some(es ...expr.Expr) []expr.Expr {
	var out []expr.Expr
	for _, e := range es {
		if e != nil {
			out = append(out, e)
		}
	}
	return out
}

// OuterRefs lists, in ascending order, the columns of the nearest enclosing row that a plan looks at, from whatever
// depth of its own subplans.
func OuterRefs(n Node) []int {
	var out []int
	outerRefs(n, 1, &out)
	slices.Sort(out)
	return slices.Compact(out)
}

func outerRefs(n Node, depth int, out *[]int) {
	for _, e := range Exprs(n) {
		expr.Walk(e, func(x expr.Expr) bool {
			switch x := x.(type) {
			case *expr.Outer:
				if x.Depth == depth {
					*out = append(*out, x.Idx)
				}
			case *expr.Subplan:
				if sub, ok := x.Plan.(Node); ok {
					outerRefs(sub, depth+1, out)
				}
			}
			return true
		})
	}
	if a, ok := n.(*Apply); ok {
		outerRefs(a.L, depth, out)
		outerRefs(a.R, depth+1, out)
		return
	}
	for _, in := range n.Inputs() {
		outerRefs(in, depth, out)
	}
}
