package bind

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func (en *env) array(e *ast.Array) (expr.Expr, error) { return en.arrayOf(e, nil) }

// arrayOf binds ARRAY[…]; want is the type a cast around it asks for.
func (en *env) arrayOf(e *ast.Array, want *types.Type) (expr.Expr, error) {
	if len(e.Elems) == 0 && want == nil {
		return nil, sqlstate.New(sqlstate.IndeterminateType, "cannot determine type of empty array").
			WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[].").At(e.Pos())
	}
	for _, x := range e.Elems {
		if _, nested := x.(*ast.Array); nested {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "arrays of more than one dimension are not supported").At(x.Pos())
		}
	}
	elems, err := en.list(e.Elems)
	if err != nil {
		return nil, err
	}
	var t types.Type
	if want != nil {
		t = types.Of(want.Elem)
		for i, x := range elems {
			if elems[i], err = en.b.cast(x, t, e.Elems[i].Pos()); err != nil {
				return nil, err
			}
		}
	} else if t, err = en.b.unify(elems, "ARRAY", e.Pos()); err != nil {
		return nil, err
	}
	if datum.ArrayOID(t.Kind) == 0 {
		return nil, sqlstate.New(sqlstate.UndefinedObject, "could not find array type for data type %s", typeName(t)).At(e.Pos())
	}
	c := &expr.Call{Fn: makeArray, Args: elems, T: arrayOf(t)}
	if allConst(elems) {
		x, _, err := en.b.fold(c)
		return x, err
	}
	return c, nil
}

// index binds a subscript or a slice of an array, or a subscript of jsonb.
func (en *env) index(e *ast.Index) (expr.Expr, error) {
	arg, err := en.expr(e.Arg)
	if err != nil {
		return nil, err
	}
	if arg.Type().Kind == types.JSONB && !e.Slice {
		return en.jsonbIndex(e, arg)
	}
	elem, ok := datum.ElemOf(arg.Type())
	if !ok {
		return nil, sqlstate.New(sqlstate.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", typeName(arg.Type())).At(e.Pos())
	}
	lo, err := en.bound(e.Lo)
	if err != nil {
		return nil, err
	}
	if !e.Slice {
		return &expr.Call{Fn: arrayIndex, Args: []expr.Expr{arg, lo}, T: types.Of(elem)}, nil
	}
	hi, err := en.bound(e.Hi)
	if err != nil {
		return nil, err
	}
	return &expr.Call{Fn: arraySlice, Args: []expr.Expr{arg, lo, hi}, T: types.ArrayOf(elem)}, nil
}

// bound binds a subscript; a missing one is NULL.
func (en *env) bound(e ast.Expr) (expr.Expr, error) {
	if e == nil {
		return nullConst(int4), nil
	}
	x, err := en.expr(e)
	if err != nil {
		return nil, err
	}
	return en.b.assign(x, int4, e.Pos(), func() error {
		return sqlstate.New(sqlstate.DatatypeMismatch, "array subscript must have type integer")
	})
}

func (en *env) jsonbIndex(e *ast.Index, arg expr.Expr) (expr.Expr, error) {
	k, err := en.expr(e.Lo)
	if err != nil {
		return nil, err
	}
	if k.Type().Kind != types.Int32 {
		if k, err = en.b.must(k, text, builtin.Implicit, e.Lo.Pos(), func() error {
			return sqlstate.New(sqlstate.DatatypeMismatch, "subscript type %s is not supported", typeName(k.Type()))
		}); err != nil {
			return nil, err
		}
	}
	return en.b.binary("", "->", []expr.Expr{arg, k}, e.Pos())
}

// quantified binds L op ANY (array) and L op ALL (array).
func (en *env) quantified(e *ast.Quantified) (expr.Expr, error) {
	l, err := en.expr(e.L)
	if err != nil {
		return nil, err
	}
	arr, err := en.expr(e.Array)
	if err != nil {
		return nil, err
	}
	if isUnknown(arr) { // a literal or parameter is an array of the left side's type
		l = en.b.known(l)
		if arr, err = en.b.must(arr, arrayOf(l.Type()), builtin.Implicit, e.Array.Pos(), func() error {
			return sqlstate.New(sqlstate.WrongObjectType, "op ANY/ALL (array) requires array on right side")
		}); err != nil {
			return nil, err
		}
	}
	elem, ok := datum.ElemOf(arr.Type())
	if !ok {
		return nil, sqlstate.New(sqlstate.WrongObjectType, "op ANY/ALL (array) requires array on right side").At(e.Pos())
	}
	if x := en.constList(e, l, arr, elem); x != nil {
		return x, nil
	}
	c, args, err := en.b.operator(e.Schema, e.Op, []expr.Expr{l, &expr.Col{T: types.Of(elem)}}, e.Pos())
	if err != nil {
		return nil, err
	}
	if c.ret.Kind != types.Bool {
		return nil, sqlstate.New(sqlstate.WrongObjectType, "op ANY/ALL (array) requires operator to yield boolean").At(e.Pos())
	}
	return &expr.Call{Fn: quantifiedFunc(c.fn, args[1], elem, e.All), Args: []expr.Expr{args[0], arr}, T: boolean}, nil
}

// constList makes x = ANY ('{…}') and x <> ALL ('{…}') an IN list.
func (en *env) constList(e *ast.Quantified, l, arr expr.Expr, elem types.Kind) expr.Expr {
	k, isConst := arr.(*expr.Const)
	anyEq, allNe := !e.All && e.Op == "=", e.All && e.Op == "<>"
	if !isConst || k.V.Null(0) || !anyEq && !allNe || !listable(elem) || !sameType(l.Type(), types.Of(elem)) {
		return nil
	}
	elems := &vec.Vector{}
	elems.Reset(types.Of(elem))
	if arrayElems(k.V, 0, elems) != nil {
		return nil
	}
	list, hasNull := &vec.Vector{}, false
	list.Reset(elems.Type)
	for i := range elems.N {
		if elems.Null(i) {
			hasNull = true
			continue
		}
		list.AppendFrom(elems, i)
	}
	return &expr.In{Arg: l, List: sortedUnique(list), HasNull: hasNull, Negate: allNe}
}

// quantifiedFunc makes the function that compares a value with each element of an array. elemExpr is the element
// (column 0) coerced to the operator's type.
func quantifiedFunc(op *expr.Func, elemExpr expr.Expr, elem types.Kind, all bool) *expr.Func {
	name := op.Name + " any"
	if all {
		name = op.Name + " all"
	}
	// Not strict: no element decides for a NULL on the left too, if there is none.
	f := &expr.Func{Name: name, Args: []types.Type{op.Args[0], types.ArrayOf(elem)}, Ret: boolean, Volatile: op.Volatile, Called: true}
	f.Eval = func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		cmp := expr.Compile(&expr.Call{Fn: op, Args: []expr.Expr{&expr.Col{Idx: 1, T: op.Args[0]}, elemExpr}, T: boolean})
		elems, left := &vec.Vector{}, &vec.Vector{}
		for i := range n {
			if !sel.Get(i) || args[1].Null(i) {
				out.AppendNull()
				continue
			}
			elems.Reset(types.Of(elem))
			if err := arrayElems(args[1], i, elems); err != nil {
				return err
			}
			left.SetConst(args[0], i, elems.N)
			if elems.N == 0 {
				out.AppendBool(all)
				continue
			}
			res, err := cmp.Eval(ctx, &vec.Batch{N: elems.N, Cols: []*vec.Vector{elems, left}}, nil)
			if err != nil {
				return err
			}
			appendQuantified(out, res, elems.N, all)
		}
		return nil
	}
	return f
}

// appendQuantified appends the OR (ANY) or AND (ALL) of n three-valued results.
func appendQuantified(out, res *vec.Vector, n int, all bool) {
	null := false
	for i := range n {
		if res.Null(i) {
			null = true
			continue
		}
		if res.Bool(i) != all {
			out.AppendBool(!all)
			return
		}
	}
	if null {
		out.AppendNull()
		return
	}
	out.AppendBool(all)
}
