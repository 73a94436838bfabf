package bind

import (
	"cmp"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/builtin"
	storecol "github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func (en *env) op(e *ast.Op) (expr.Expr, error) {
	if e.L == nil {
		return en.prefix(e)
	}
	lr, lok := e.L.(*ast.Row)
	rr, rok := e.R.(*ast.Row)
	if lok && rok {
		return en.rowOp(e, lr, rr)
	}
	args, err := en.list([]ast.Expr{e.L, e.R})
	if err != nil {
		return nil, err
	}
	return en.b.binary(e.Schema, e.Name, args, e.Pos())
}

// binary applies an operator to bound operands.
func (b *binder) binary(schema, name string, args []expr.Expr, pos int) (expr.Expr, error) {
	c, out, err := b.operator(schema, name, args, pos)
	if err != nil {
		return nil, err
	}
	if l := leafOp(name, out); l != nil {
		return b.at(l, pos), nil
	}
	t := c.ret
	x := &expr.Call{Fn: c.fn, Args: out, T: t}
	b.pos[x] = pos
	return x, nil
}

func (en *env) prefix(e *ast.Op) (expr.Expr, error) {
	x, err := en.expr(e.R)
	if err != nil {
		return nil, err
	}
	if e.Name == "+" && e.Schema == "" && datum.Category(x.Type()) == 'N' {
		return x, nil
	}
	return en.b.binary(e.Schema, e.Name, []expr.Expr{x}, e.Pos())
}

// operator resolves an operator and coerces its operands.
func (b *binder) operator(schema, name string, args []expr.Expr, pos int) (*candidate, []expr.Expr, error) {
	var cands []candidate
	for _, f := range b.cat.Operators(schema, name) {
		if len(f.Args) == len(args) {
			cands = append(cands, candidate{args: f.Args, ret: f.Ret, fn: f})
		}
	}
	have := argTypes(args)
	best, many := chooseOperator(cands, have)
	if best == nil {
		return nil, nil, errNoOperator(name, have, many).At(pos)
	}
	out, ret, err := b.settle(best, args, pos)
	if err != nil {
		return nil, nil, err
	}
	c := *best
	c.ret = ret
	return &c, out, nil
}

func argTypes(args []expr.Expr) []types.Type {
	out := make([]types.Type, len(args))
	for i, a := range args {
		out[i] = a.Type()
	}
	return out
}

// chooseOperator first assumes that an untyped operand has the other one's type.
func chooseOperator(cands []candidate, have []types.Type) (*candidate, bool) {
	if len(have) == 2 && (have[0].Kind == types.Unknown) != (have[1].Kind == types.Unknown) {
		known := have[0]
		if known.Kind == types.Unknown {
			known = have[1]
		}
		both := []types.Type{known, known}
		for i := range cands {
			if exactMatch(cands[i].args, both) {
				return &cands[i], false
			}
		}
	}
	return choose(cands, have)
}

func errNoOperator(name string, have []types.Type, many bool) *sqlstate.Error {
	sig := name + " " + typeName(have[len(have)-1])
	if len(have) == 2 {
		sig = typeName(have[0]) + " " + sig
	}
	if many {
		return sqlstate.New(sqlstate.AmbiguousFunction, "operator is not unique: %s", sig).
			WithHint("Could not choose a best candidate operator. You might need to add explicit type casts.")
	}
	return sqlstate.New(sqlstate.UndefinedFunction, "operator does not exist: %s", sig).
		WithHint("No operator matches the given name and argument types. You might need to add explicit type casts.")
}

// rowOp compares two rows field by field.
func (en *env) rowOp(e *ast.Op, l, r *ast.Row) (expr.Expr, error) {
	if len(l.Args) != len(r.Args) {
		return nil, sqlstate.New(sqlstate.Syntax, "unequal number of entries in row expressions").At(e.Pos())
	}
	if len(l.Args) == 0 {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "cannot compare rows of zero length").At(e.Pos())
	}
	pair := func(op string, i int) ast.Expr { return &ast.Op{P: e.P, Name: op, L: l.Args[i], R: r.Args[i]} }
	var parts []ast.Expr
	switch e.Name {
	case "=", "<>":
		for i := range l.Args {
			parts = append(parts, pair(e.Name, i))
		}
		return en.expr(logicOf(e.P, e.Name == "<>", parts))
	case "<", "<=", ">", ">=":
		strict := e.Name[:1]
		for i := range l.Args {
			var ands []ast.Expr
			for j := range i {
				ands = append(ands, pair("=", j))
			}
			op := strict
			if i == len(l.Args)-1 {
				op = e.Name
			}
			parts = append(parts, logicOf(e.P, false, append(ands, pair(op, i))))
		}
		return en.expr(logicOf(e.P, true, parts))
	}
	return nil, sqlstate.New(sqlstate.FeatureNotSupported, "operator %s is not supported between rows", e.Name).At(e.Pos())
}

func logicOf(p ast.P, or bool, args []ast.Expr) ast.Expr {
	if len(args) == 1 {
		return args[0]
	}
	return &ast.Logic{P: p, Or: or, Args: args}
}

// in binds [NOT] IN (list): a sorted list where all items are constants of a type that is equal only if its bytes are,
// else comparisons.
func (en *env) in(e *ast.In) (expr.Expr, error) {
	if r, ok := e.Arg.(*ast.Row); ok {
		return en.inRows(e, r)
	}
	arg, err := en.expr(e.Arg)
	if err != nil {
		return nil, err
	}
	items, err := en.list(e.List)
	if err != nil {
		return nil, err
	}
	all := append([]expr.Expr{arg}, items...)
	t, err := commonType(argTypes(all), "IN", e.Pos())
	if err == nil && listable(t.Kind) && allConst(items) {
		if x, err := en.inList(e, all, t); x != nil || err != nil {
			return x, err
		}
	}
	return en.inChain(e, arg, items)
}

// inChain is the general form: arg = a OR arg = b …
func (en *env) inChain(e *ast.In, arg expr.Expr, items []expr.Expr) (expr.Expr, error) {
	op, or := "=", true
	if e.Negate {
		op, or = "<>", false
	}
	out := &expr.Logic{Or: or}
	for i, it := range items {
		x, err := en.b.binary("", op, []expr.Expr{arg, it}, max(e.List[i].Pos(), e.Pos()))
		if err != nil {
			return nil, err
		}
		if x, err = en.b.asBool(x, "IN", e.Pos()); err != nil {
			return nil, err
		}
		out.Args = append(out.Args, x)
	}
	if len(out.Args) == 1 {
		return out.Args[0], nil
	}
	return out, nil
}

func (en *env) inRows(e *ast.In, r *ast.Row) (expr.Expr, error) {
	var parts []ast.Expr
	for _, it := range e.List {
		row, ok := it.(*ast.Row)
		if !ok {
			return nil, sqlstate.New(sqlstate.Syntax, "a row can only be compared with rows").At(it.Pos())
		}
		parts = append(parts, &ast.Op{P: e.P, Name: "=", L: r, R: row})
	}
	out := logicOf(e.P, true, parts)
	if e.Negate {
		out = &ast.Not{P: e.P, Arg: out}
	}
	return en.expr(out)
}

// listable tells the types whose values are equal exactly if their vectors' slots are.
func listable(k types.Kind) bool {
	switch k {
	case types.Numeric, types.Char:
		return false
	case types.Text, types.Varchar, types.Name, types.UUID, types.Bool:
		return true
	}
	p := k.Phys()
	return p == types.PhysInt64 || p == types.PhysFloat64
}

func allConst(es []expr.Expr) bool {
	for _, e := range es {
		if _, ok := e.(*expr.Const); !ok {
			return false
		}
	}
	return true
}

// inList makes an expr.In; nil if a coercion is not possible, so that the operator's own error shows.
func (en *env) inList(e *ast.In, all []expr.Expr, t types.Type) (expr.Expr, error) {
	t.Mod = 0
	list, hasNull := &vec.Vector{}, false
	list.Reset(t)
	for i, it := range all[1:] {
		x, ok, err := en.b.coerce(it, t, builtin.Implicit, e.List[i].Pos())
		if err != nil {
			return nil, err
		}
		k, isConst := x.(*expr.Const)
		if !ok || !isConst {
			return nil, nil
		}
		if k.V.Null(0) {
			hasNull = true
			continue
		}
		list.AppendFrom(k.V, 0)
	}
	arg, ok, err := en.b.coerce(all[0], t, builtin.Implicit, e.Arg.Pos())
	if err != nil || !ok {
		return nil, err
	}
	return &expr.In{Arg: arg, List: sortedUnique(list), HasNull: hasNull, Negate: e.Negate}, nil
}

// sortedUnique sorts a flat vector without NULLs by the order of its physical class and drops repeats.
func sortedUnique(v *vec.Vector) *vec.Vector {
	order := make([]int, v.N)
	for i := range order {
		order[i] = i
	}
	compare := func(a, b int) int {
		switch v.Type.Phys() {
		case types.PhysBool:
			return boolRank(v.Bool(a)) - boolRank(v.Bool(b))
		case types.PhysInt64:
			return cmp.Compare(v.I64[a], v.I64[b])
		case types.PhysFloat64:
			return storecol.CompareFloat(v.F64[a], v.F64[b])
		}
		return strings.Compare(string(v.Bytes(a)), string(v.Bytes(b)))
	}
	slices.SortFunc(order, compare)
	out := &vec.Vector{}
	out.Reset(v.Type)
	for n, i := range order {
		if n > 0 && compare(order[n-1], i) == 0 {
			continue
		}
		out.AppendFrom(v, i)
	}
	return out
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}
