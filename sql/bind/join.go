package bind

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/opt/tree"
)

var joinKinds = map[ast.JoinKind]plan.JoinKind{ast.JoinInner: plan.Inner, ast.JoinLeft: plan.Left, ast.JoinRight: plan.Right, ast.JoinFull: plan.Full}

// join binds a JOIN. base, if not nil, is the relation the join's leftmost item is joined to first.
func (b *binder) join(j *ast.Join, o outerEnv, base *relation) (*relation, error) {
	l, err := b.item(base, j.L, o)
	if base != nil {
		if lj, ok := j.L.(*ast.Join); ok {
			l, err = b.join(lj, o, base)
		}
	}
	if err != nil {
		return nil, err
	}
	skip := 0
	if base != nil {
		skip = len(base.cols)
	}
	on := func(all *relation) (expr.Expr, error) { return b.joinCond(j, o, all, skip) }
	kind := joinKinds[j.Kind]
	r, err := b.joinRight(j, o, l, kind, on, skip)
	if err != nil {
		return nil, err
	}
	if j.Alias == "" {
		return r, nil
	}
	kept := r.cols[:0:0]
	for _, c := range r.cols {
		if !c.merged {
			kept = append(kept, c)
		}
	}
	r.cols = kept
	return named(r, "", "", j.Alias, j.Cols, j.Pos())
}

func (b *binder) joinRight(j *ast.Join, o outerEnv, l *relation, kind plan.JoinKind, on func(*relation) (expr.Expr, error), skip int) (*relation, error) {
	plain := len(j.Using) == 0 && !j.Natural
	innerOrLeft := kind == plan.Inner || kind == plan.Left
	switch right := j.R.(type) {
	case *ast.SubTable:
		if right.Lateral {
			if !innerOrLeft || !plain {
				return nil, sqlstate.New(sqlstate.InvalidColumnReference, "the combining JOIN type must be INNER or LEFT for a LATERAL reference").At(right.Pos())
			}
			return b.lateral(l, right, o, kind, on)
		}
	case *ast.FuncTable:
		if plain && innerOrLeft && isTrue(j.On) {
			return b.funcTable(l, right, o, kind == plan.Left)
		}
		if plain && innerOrLeft {
			fo := o
			fo.scope = &scope{parent: o.scope, cols: l.cols, rels: l.rels}
			r, err := b.funcTable(nil, right, fo, false)
			if err != nil {
				return nil, err
			}
			return b.apply(l, r, kind, on)
		}
	}
	r, err := b.item(nil, j.R, o)
	if err != nil {
		return nil, err
	}
	n := &plan.Join{Kind: kind, L: l.node, R: r.node}
	out, err := combine(l, r, n)
	if err != nil {
		return nil, err
	}
	if plain {
		n.Cond, err = on(out)
		return out, err
	}
	return b.using(j, n, out, len(l.cols), skip)
}

// isTrue reports a missing or trivially true condition.
func isTrue(e ast.Expr) bool {
	if e == nil {
		return true
	}
	if c, ok := e.(*ast.Cast); ok {
		e = c.Arg
	}
	l, ok := e.(*ast.Lit)
	return ok && l.Kind == ast.Bool && l.Text == "t"
}

// joinCond binds ON, which sees the two sides of this join and no more.
func (b *binder) joinCond(j *ast.Join, o outerEnv, all *relation, skip int) (expr.Expr, error) {
	if isTrue(j.On) {
		return nil, nil
	}
	en := &env{b: b, sc: &scope{parent: o.scope, cols: all.cols[skip:], rels: all.rels}, ctes: o.ctes, clause: "JOIN/ON"}
	return en.cond(j.On)
}

// using binds USING and NATURAL: columns of the same name are equal, and appear once. all has the left side's columns,
// of which the first skip are not the join's, then the right's.
func (b *binder) using(j *ast.Join, n *plan.Join, all *relation, left, skip int) (*relation, error) {
	names := j.Using
	if j.Natural {
		names = commonNames(all.cols[skip:left], all.cols[left:])
	}
	var conds []expr.Expr
	var merged []column
	for _, name := range names {
		l, err := b.usingColumn(all.cols[skip:left], name, "left")
		if err != nil {
			return nil, err
		}
		r, err := b.usingColumn(all.cols[left:], name, "right")
		if err != nil {
			return nil, err
		}
		c, args, err := b.operator("", "=", []expr.Expr{l.e, r.e}, j.Pos())
		if err != nil {
			return nil, err
		}
		conds = append(conds, &expr.Call{Fn: c.fn, Args: args, T: boolean})
		m, err := b.mergedColumn(n.Kind, l, r, name)
		if err != nil {
			return nil, err
		}
		merged = append(merged, m)
		l.merged, r.merged = true, true
	}
	n.Cond = tree.And(conds)
	cols := append([]column(nil), all.cols[:skip]...)
	cols = append(cols, merged...)
	all.cols = append(cols, all.cols[skip:]...)
	return all, nil
}

// mergedColumn is the one column USING makes of two.
func (b *binder) mergedColumn(kind plan.JoinKind, l, r *column, name string) (column, error) {
	m := column{name: name, typ: l.typ, e: l.e, oid: l.oid, attr: l.attr}
	switch kind {
	case plan.Right:
		m = column{name: name, typ: r.typ, e: r.e, oid: r.oid, attr: r.attr}
	case plan.Full:
		es := []expr.Expr{l.e, r.e}
		t, err := b.unify(es, "JOIN/USING", 0)
		if err != nil {
			return m, err
		}
		m = column{name: name, typ: t, e: &expr.Coalesce{Args: es, T: t}}
	}
	return m, nil
}

func commonNames(l, r []column) []string {
	var out []string
	for _, a := range l {
		if a.hidden || a.merged {
			continue
		}
		for _, c := range r {
			if !c.hidden && !c.merged && c.name == a.name {
				out = append(out, a.name)
				break
			}
		}
	}
	return out
}

func (b *binder) usingColumn(cols []column, name, side string) (*column, error) {
	var found *column
	for i := range cols {
		if cols[i].name != name || cols[i].merged {
			continue
		}
		if found != nil {
			return nil, sqlstate.New(sqlstate.AmbiguousColumn, "common column name \"%s\" appears more than once in %s table", name, side)
		}
		found = &cols[i]
	}
	if found == nil {
		return nil, sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" specified in USING clause does not exist in %s table", name, side)
	}
	return found, nil
}
