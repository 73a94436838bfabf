package bind

import (
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/opt/tree"
)

// orderBy binds ORDER BY: ordinals, output names, then expressions over the input.
func (k *block) orderBy() error {
	for _, s := range k.q.OrderBy {
		i, err := k.sortTarget(s.Expr, "ORDER BY")
		if err != nil {
			return err
		}
		if i >= k.visible && k.q.Distinct {
			return sqlstate.New(sqlstate.InvalidColumnReference, "for SELECT DISTINCT, ORDER BY expressions must appear in select list").At(s.Pos())
		}
		k.sort = append(k.sort, sortItem{target: i, desc: s.Desc, nullsFirst: s.NullsFirst})
	}
	return nil
}

// sortTarget returns the target an item means, adding one that is not shown if needed.
func (k *block) sortTarget(e ast.Expr, clause string) (int, error) {
	switch e := e.(type) {
	case *ast.Lit:
		return k.ordinal(e, clause)
	case *ast.Name:
		if len(e.Parts) == 1 && !e.Star {
			if i, err := k.byName(e, clause); i >= 0 || err != nil {
				return i, err
			}
		}
	}
	x, err := k.full(clause).expr(e)
	if err != nil {
		return 0, err
	}
	x = k.b.known(x)
	key := tree.Key(x)
	for i, t := range k.targets {
		if tree.Key(t.e) == key {
			return i, nil
		}
	}
	k.targets = append(k.targets, target{name: columnName(e), e: x, ast: e})
	return len(k.targets) - 1, nil
}

// distinctOn binds DISTINCT ON, whose expressions must be the first of ORDER BY.
func (k *block) distinctOn() error {
	if len(k.q.DistinctOn) == 0 {
		return nil
	}
	on := map[int]bool{}
	for _, e := range k.q.DistinctOn {
		i, err := k.sortTarget(e, "DISTINCT ON")
		if err != nil {
			return err
		}
		if !on[i] {
			k.on = append(k.on, i)
		}
		on[i] = true
	}
	for n, s := range k.sort {
		if n < len(k.on) && !on[s.target] {
			return sqlstate.New(sqlstate.InvalidColumnReference, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions").
				At(k.q.DistinctOn[0].Pos())
		}
	}
	return nil
}

// sortOutput applies ORDER BY to a query whose input has no names: VALUES and set operations. Only names and ordinals
// of the result will do.
func (b *binder) sortOutput(q *ast.Select, r *relation) (*relation, error) {
	if len(q.OrderBy) == 0 {
		return r, nil
	}
	k := &block{b: b, q: q, sc: &scope{}, visible: len(r.cols)}
	for _, c := range r.cols {
		k.targets = append(k.targets, target{name: c.name, e: c.e})
	}
	s := &plan.Sort{In: r.node}
	for _, it := range q.OrderBy {
		i, err := k.outputTarget(it.Expr)
		if err != nil {
			return nil, err
		}
		s.Keys = append(s.Keys, plan.SortKey{Expr: r.cols[i].e, Desc: it.Desc, NullsFirst: it.NullsFirst})
	}
	out := newRelation(s)
	copy(out.cols, r.cols)
	return out, nil
}

func (k *block) outputTarget(e ast.Expr) (int, error) {
	switch e := e.(type) {
	case *ast.Lit:
		return k.ordinal(e, "ORDER BY")
	case *ast.Name:
		if len(e.Parts) == 1 && !e.Star {
			i, err := k.byName(e, "ORDER BY")
			if i >= 0 || err != nil {
				return i, err
			}
			return 0, sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" does not exist", e.Parts[0]).At(e.Pos())
		}
	}
	if k.q.SetOp == ast.SetNone {
		return 0, sqlstate.New(sqlstate.FeatureNotSupported, "ORDER BY on VALUES takes column names and positions only").At(e.Pos())
	}
	return 0, sqlstate.New(sqlstate.FeatureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").
		WithDetail("Only result column names can be used, not expressions or functions.").
		WithHint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.").At(e.Pos())
}
