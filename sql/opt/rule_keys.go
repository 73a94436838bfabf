package opt

import (
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
)

// dependentKeys groups by fewer keys: one that follows from others, because it is computed from them or is the same for all
// rows, is computed once for each group instead of being hashed for each row.
//
// A key that is a whole number of another type (a field of a moment is a numeric) is grouped as an integer.
//
// A key is computed for every group, whether anybody looks at it or not: one that fails for some row fails for the group of
// that row. So nothing may prune what this rule makes, and it comes after the rule that would.
func dependentKeys(n plan.Node) plan.Node {
	n = tree.Children(n, func(c plan.Node, _ bool) plan.Node { return dependentKeys(c) })
	a, ok := n.(*plan.Agg)
	if !ok || a.Sets != nil {
		return n
	}
	f := newFollowing(a.Keys)
	if len(f.kept) == len(a.Keys) && !slices.ContainsFunc(a.Keys, func(k expr.Expr) bool { whole, _ := wholeOf(k); return whole != nil }) {
		return n
	}
	return f.rebuild(a)
}

// wholeOf returns what computes key k as an integer, and what makes k of that; nil if there is no such thing.
func wholeOf(k expr.Expr) (whole expr.Expr, back *expr.Func) {
	c, ok := k.(*expr.Call)
	if !ok || c.Fn.Whole == nil {
		return nil, nil
	}
	fn, back := c.Fn.Whole(c.Args)
	if fn == nil {
		return nil, nil
	}
	return &expr.Call{Fn: fn, Args: c.Args, T: fn.Ret}, back
}

// following finds the keys that follow from others.
type following struct {
	keys []expr.Expr
	text []string // tree.Key of each
	kept []int    // the keys that determine the groups, ascending
}

func newFollowing(keys []expr.Expr) *following {
	f := &following{keys: keys}
	for i, k := range keys {
		f.text = append(f.text, tree.Key(k))
		f.kept = append(f.kept, i)
	}
	// The last first, so that of equal keys the first stays. What follows from a key that goes follows from what that one
	// is computed from.
	for i := len(keys) - 1; i >= 0 && len(f.kept) > 1; i-- {
		without := make([]int, 0, len(f.kept))
		for _, k := range f.kept {
			if k != i {
				without = append(without, k)
			}
		}
		if _, ok := f.from(i, without); ok {
			f.kept = without
		}
	}
	return f
}

// from returns key i over the given keys, numbered as they are listed; false if it does not follow from them.
func (f *following) from(i int, of []int) (expr.Expr, bool) {
	whole := f.keys[i]
	if tree.HasSubplan(whole) || tree.Volatile(whole) {
		return nil, false
	}
	follows := true
	e := tree.Expr(whole, 0, func(x expr.Expr, _ int) (expr.Expr, bool) {
		text := tree.Key(x)
		for at, k := range of {
			if f.text[k] == text && (x == whole || exact(x)) {
				return &expr.Col{Idx: at, T: x.Type()}, true
			}
		}
		if _, ok := x.(*expr.Col); ok {
			follows = false
		}
		return nil, false
	})
	return e, follows
}

// exact reports whether equal values of e are the same in everything: 1.0 and 1.00 are not, nor are 0 and -0.
func exact(e expr.Expr) bool {
	whole, _ := wholeOf(e)
	return whole != nil || !keys.Canonical(e.Type()) && e.Type().Phys() != types.PhysFloat64
}

// rebuild returns the aggregation by the keys kept under what computes the others. Numerics and floats that are whole are
// grouped as integers, and made of those.
func (f *following) rebuild(a *plan.Agg) plan.Node {
	c := *a
	c.Keys, c.Out = nil, nil
	var made []expr.Expr // the keys kept, over the aggregation's output
	for i, k := range f.kept {
		key, out := a.Keys[k], a.Out[k]
		whole, back := wholeOf(key)
		if whole != nil {
			key, out.Type = whole, whole.Type()
		}
		c.Keys, c.Out = append(c.Keys, key), append(c.Out, out)
		var from expr.Expr = &expr.Col{Idx: i, T: out.Type, Name: out.Name}
		if back != nil {
			from = &expr.Call{Fn: back, Args: []expr.Expr{from}, T: a.Keys[k].Type()}
		}
		made = append(made, from)
	}
	c.Out = append(c.Out, a.Out[len(a.Keys):]...)
	p := &plan.Project{In: &c, Out: a.Out}
	for i := range a.Keys {
		e, _ := f.from(i, f.kept)
		p.Exprs = append(p.Exprs, substitute(e, made))
	}
	for i, out := range a.Out[len(a.Keys):] {
		p.Exprs = append(p.Exprs, &expr.Col{Idx: len(f.kept) + i, T: out.Type, Name: out.Name})
	}
	return p
}
