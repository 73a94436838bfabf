package opt

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// foldPlan computes what is constant. A computation that fails is left for the execution, which may never reach it.
func foldPlan(n plan.Node, env *Env) plan.Node {
	f := &folder{env: env}
	return tree.Plan(n, 0, f.one)
}

type folder struct{ env *Env }

// one folds bottom-up: it rebuilds the children by itself and then looks at the result.
func (f *folder) one(e expr.Expr, depth int) (expr.Expr, bool) {
	switch e := e.(type) {
	case *expr.Call:
		args, _ := tree.Exprs(e.Args, depth, f.one)
		c := *e
		c.Args = args
		return f.call(&c), true
	case *expr.Logic:
		args, _ := tree.Exprs(e.Args, depth, f.one)
		return foldLogic(e.Or, args), true
	case *expr.Not:
		a := tree.Expr(e.Arg, depth, f.one)
		if v, null, ok := constBool(a); ok && !null {
			return boolConst(!v), true
		}
		return &expr.Not{Arg: a}, true
	case *expr.IsNull:
		a := tree.Expr(e.Arg, depth, f.one)
		if k, ok := a.(*expr.Const); ok {
			return boolConst(k.V.Null(0) != e.Negate), true
		}
		return &expr.IsNull{Arg: a, Negate: e.Negate}, true
	}
	return nil, false
}

// call computes an immutable function of constants.
func (f *folder) call(c *expr.Call) expr.Expr {
	if c.Fn.Volatile != expr.Immutable {
		return c
	}
	for _, a := range c.Args {
		if _, ok := a.(*expr.Const); !ok {
			return c
		}
	}
	v := &vec.Vector{}
	ctx := *f.env.Ctx
	if err := expr.Eval(&ctx, c, expr.OneRow(), nil, v); err != nil {
		return c
	}
	v.Type = c.T
	return &expr.Const{V: v}
}

// foldLogic drops what does not decide.
func foldLogic(or bool, args []expr.Expr) expr.Expr {
	var keep []expr.Expr
	for _, a := range args {
		v, null, ok := constBool(a)
		switch {
		case ok && !null && v == or:
			return boolConst(or)
		case ok && !null:
		default:
			keep = append(keep, a)
		}
	}
	switch len(keep) {
	case 0:
		return boolConst(!or)
	case 1:
		return keep[0]
	}
	return &expr.Logic{Or: or, Args: keep}
}

func constBool(e expr.Expr) (v, null, ok bool) {
	k, isConst := e.(*expr.Const)
	if !isConst || k.V.Type.Kind != types.Bool {
		return false, false, false
	}
	return k.V.Bool(0), k.V.Null(0), true
}

func boolConst(x bool) *expr.Const {
	v := &vec.Vector{}
	v.Reset(types.Of(types.Bool))
	v.AppendBool(x)
	return &expr.Const{V: v}
}

// constInt returns the value of a constant integer that is not NULL.
func constInt(e expr.Expr) (int64, bool) {
	k, ok := e.(*expr.Const)
	if !ok || k.V.Null(0) || k.V.Type.Phys() != types.PhysInt64 {
		return 0, false
	}
	return k.V.Int(0), true
}
