package bind

import (
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/storage/types"
)

// setOp binds UNION, INTERSECT and EXCEPT.
func (b *binder) setOp(q *ast.Select, o outerEnv) (*relation, error) {
	l, err := b.query(q.L, o, true)
	if err != nil {
		return nil, err
	}
	r, err := b.query(q.R, o, true)
	if err != nil {
		return nil, err
	}
	if l, r, err = b.match(l, r, q); err != nil {
		return nil, err
	}
	out := slices.Clone(l.node.Cols())
	for i, c := range r.node.Cols() {
		if c.Type.Mod != out[i].Type.Mod {
			out[i].Type.Mod = 0 // lengths and scales that differ are none
		}
	}
	n := &plan.SetOp{Op: setOpKind(q.SetOp), All: q.All, L: l.node, R: r.node, Out: out}
	return b.sortOutput(q, newRelation(n))
}

func setOpKind(s ast.SetOp) plan.SetOpKind {
	switch s {
	case ast.SetIntersect:
		return plan.Intersect
	case ast.SetExcept:
		return plan.Except
	}
	return plan.Union
}

// match brings both sides to the same column types.
func (b *binder) match(l, r *relation, q *ast.Select) (*relation, *relation, error) {
	pos := firstPos(q.R)
	if len(l.cols) != len(r.cols) {
		return nil, nil, sqlstate.New(sqlstate.Syntax, "each %s query must have the same number of columns", q.SetOp).At(pos)
	}
	ts := make([]types.Type, len(l.cols))
	for i := range l.cols {
		t, err := commonType([]types.Type{l.cols[i].typ, r.cols[i].typ}, q.SetOp.String(), pos)
		if err != nil {
			return nil, nil, err
		}
		ts[i] = t
	}
	l, err := b.retype(l, ts, q.SetOp.String(), pos)
	if err != nil {
		return nil, nil, err
	}
	r, err = b.retype(r, ts, q.SetOp.String(), pos)
	return l, r, err
}

func firstPos(q *ast.Select) int {
	for q.SetOp != ast.SetNone {
		q = q.L
	}
	if len(q.Targets) > 0 {
		return q.Targets[0].Expr.Pos()
	}
	if len(q.Values) > 0 && len(q.Values[0]) > 0 {
		return q.Values[0][0].Pos()
	}
	return 0
}

// retype coerces a relation's columns. Untyped literals are changed where they stand, in the Project on top.
func (b *binder) retype(r *relation, ts []types.Type, what string, pos int) (*relation, error) {
	p, _ := r.node.(*plan.Project)
	es := make([]expr.Expr, len(ts))
	for i, t := range ts {
		c := &r.cols[i]
		if c.typ.Kind == types.Unknown && p != nil {
			x, _, err := b.fromUnknown(p.Exprs[i], t, builtin.Implicit, pos)
			if err != nil {
				return nil, err
			}
			if x == nil {
				return nil, sqlstate.New(sqlstate.DatatypeMismatch, "%s could not determine a type", what).At(pos)
			}
			p.Exprs[i], p.Out[i].Type, c.typ = x, x.Type(), x.Type()
			c.e = col(i, p.Out[i])
		}
		x, err := b.must(c.e, t, builtin.Implicit, pos, func() error {
			return sqlstate.New(sqlstate.CannotCoerce, "%s could not convert type %s to %s", what, typeName(c.typ), typeName(t))
		})
		if err != nil {
			return nil, err
		}
		es[i] = x
	}
	return projected(r, es...), nil
}
