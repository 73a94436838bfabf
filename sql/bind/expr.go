package bind

import (
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// env is what an expression is bound in.
type env struct {
	b      *binder
	sc     *scope
	ctes   *cteEnv
	clause string  // for messages: WHERE, GROUP BY …
	aggs   *aggSet // nil: aggregates are not allowed here
	sets   *setSet // nil: set-returning functions are not allowed here
	wins   *winSet // nil: window functions are not allowed here
	inAgg  bool
	inWin  bool // in the arguments of a window function
}

// cond binds a condition.
func (en *env) cond(e ast.Expr) (expr.Expr, error) {
	x, err := en.expr(e)
	if err != nil {
		return nil, err
	}
	return en.b.asBool(x, en.clause, e.Pos())
}

func (en *env) list(es []ast.Expr) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		x, err := en.expr(e)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// expr binds one expression and notes its position.
func (en *env) expr(e ast.Expr) (expr.Expr, error) {
	x, err := en.expr1(e)
	if err != nil {
		return nil, err
	}
	if _, ok := en.b.pos[x]; !ok {
		en.b.pos[x] = e.Pos()
	}
	return x, nil
}

func (en *env) expr1(e ast.Expr) (expr.Expr, error) {
	switch e := e.(type) {
	case *ast.Lit:
		return en.b.literal(e)
	case *ast.Name:
		return en.name(e)
	case *ast.Param:
		return en.b.param(e)
	case *ast.Op:
		return en.op(e)
	case *ast.Logic:
		return en.logic(e)
	case *ast.Not:
		x, err := en.expr(e.Arg)
		if err != nil {
			return nil, err
		}
		x, err = en.b.asBool(x, "NOT", e.Arg.Pos())
		return &expr.Not{Arg: x}, err
	case *ast.IsNull:
		return en.isNull(e)
	case *ast.IsBool:
		return en.isBool(e)
	case *ast.IsDistinct:
		return en.isDistinct(e)
	case *ast.Func:
		return en.call(e)
	case *ast.Value:
		return en.value(e)
	case *ast.Cast:
		return en.castExpr(e)
	case *ast.Case:
		return en.caseExpr(e)
	case *ast.Coalesce:
		return en.coalesce(e)
	case *ast.MinMax:
		return en.minMax(e)
	case *ast.Grouping:
		return en.grouping(e)
	case *ast.NullIf:
		return en.nullIf(e)
	case *ast.In:
		return en.in(e)
	case *ast.Between:
		return en.between(e)
	case *ast.Quantified:
		return en.quantified(e)
	case *ast.Sub:
		return en.sub(e)
	case *ast.Array:
		return en.array(e)
	case *ast.Index:
		return en.index(e)
	case *ast.Field:
		return en.field(e)
	case *ast.Collate:
		return en.collate(e)
	case *ast.Row:
		return en.row(e)
	case *ast.Default:
		return nil, sqlstate.New(sqlstate.Syntax, "DEFAULT is not allowed in this context").At(e.Pos())
	}
	return nil, sqlstate.New(sqlstate.FeatureNotSupported, "an expression of kind %T is not supported", e).At(e.Pos())
}

func (b *binder) literal(l *ast.Lit) (expr.Expr, error) {
	typed := func(t types.Type) (expr.Expr, error) {
		k := newConst(unknown, func(v *vec.Vector) { v.AppendString(l.Text) })
		x, _, err := b.fromUnknown(k, t, builtin.Explicit, l.Pos())
		return x, err
	}
	switch l.Kind {
	case ast.Null:
		return nullConst(unknown), nil
	case ast.Bool:
		return boolConst(l.Text == "t"), nil
	case ast.Int:
		return typed(int4)
	case ast.Number:
		return typed(integerType(l.Text))
	case ast.Bits:
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "bit string literals are not supported").At(l.Pos())
	}
	k := newConst(unknown, func(v *vec.Vector) { v.AppendString(l.Text) })
	b.pos[k] = l.Pos()
	return k, nil
}

// integerType is the type of a numeric literal: the smallest of integer, bigint and numeric that holds it.
func integerType(s string) types.Type {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil:
		return types.Of(types.Numeric)
	case n == int64(int32(n)):
		return int4
	}
	return int8
}

func (en *env) name(n *ast.Name) (expr.Expr, error) {
	if n.Star {
		return nil, sqlstate.New(sqlstate.Syntax, "row expansion via \"*\" is not supported here").At(n.Pos())
	}
	if len(n.Parts) > 3 {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "cross-database references are not implemented: %s", strings.Join(n.Parts, ".")).At(n.Pos())
	}
	e, _, err := en.b.resolve(en.sc, n.Parts, n.Pos())
	if err != nil || e != nil {
		return e, err
	}
	for s := en.sc; s != nil; s = s.parent {
		if v := s.value(n.Parts); v != "" {
			return en.name(&ast.Name{P: n.P, Parts: append(append([]string(nil), n.Parts...), v)})
		}
		if s.hasRel(n.Parts) {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "a whole row as a value (\"%s\") is not supported", n.Parts[len(n.Parts)-1]).At(n.Pos())
		}
	}
	return nil, en.b.errNoColumn(en.sc, n)
}

func (en *env) logic(l *ast.Logic) (expr.Expr, error) {
	out := &expr.Logic{Or: l.Or}
	word := "AND"
	if l.Or {
		word = "OR"
	}
	for _, a := range l.Args {
		x, err := en.expr(a)
		if err != nil {
			return nil, err
		}
		if x, err = en.b.asBool(x, word, a.Pos()); err != nil {
			return nil, err
		}
		out.Args = append(out.Args, x)
	}
	return out, nil
}

func (en *env) isNull(e *ast.IsNull) (expr.Expr, error) {
	if r, ok := e.Arg.(*ast.Row); ok { // every field is (not) NULL
		out := &expr.Logic{}
		for _, a := range r.Args {
			x, err := en.expr(a)
			if err != nil {
				return nil, err
			}
			out.Args = append(out.Args, &expr.IsNull{Arg: en.b.known(x), Negate: e.Negate})
		}
		return out, nil
	}
	x, err := en.expr(e.Arg)
	if err != nil {
		return nil, err
	}
	if k, ok := x.(*expr.Const); ok && isUnknown(x) {
		x = &expr.Const{V: retyped(k.V, text)}
	}
	return &expr.IsNull{Arg: x, Negate: e.Negate}, nil
}

func retyped(v *vec.Vector, t types.Type) *vec.Vector {
	c := *v
	c.Type = t
	return &c
}

func (en *env) isBool(e *ast.IsBool) (expr.Expr, error) {
	x, err := en.expr(e.Arg)
	if err != nil {
		return nil, err
	}
	word := "IS " + strings.ToUpper(e.Want)
	if x, err = en.b.asBool(x, word, e.Arg.Pos()); err != nil {
		return nil, err
	}
	if e.Want == "unknown" {
		return &expr.IsNull{Arg: x, Negate: e.Negate}, nil
	}
	// x IS TRUE is coalesce(x, false), x IS FALSE is coalesce(NOT x, false).
	if e.Want == "false" {
		x = &expr.Not{Arg: x}
	}
	var out expr.Expr = &expr.Coalesce{Args: []expr.Expr{x, boolConst(false)}, T: boolean}
	if e.Negate {
		out = &expr.Not{Arg: out}
	}
	return out, nil
}

// isDistinct is CASE WHEN l IS NULL OR r IS NULL THEN NOT (both null) ELSE l <> r END.
func (en *env) isDistinct(e *ast.IsDistinct) (expr.Expr, error) {
	l, err := en.expr(e.L)
	if err != nil {
		return nil, err
	}
	r, err := en.expr(e.R)
	if err != nil {
		return nil, err
	}
	op, args, err := en.b.operator("", "=", []expr.Expr{l, r}, e.Pos())
	if err != nil {
		return nil, err
	}
	eq := &expr.Call{Fn: op.fn, Args: args, T: boolean}
	ln, rn := &expr.IsNull{Arg: args[0]}, &expr.IsNull{Arg: args[1]}
	var out expr.Expr = &expr.Case{T: boolean, Whens: []expr.When{
		{Cond: ln, Then: rn},
		{Cond: rn, Then: boolConst(false)},
	}, Else: eq}
	if !e.Negate {
		out = &expr.Not{Arg: out}
	}
	return out, nil
}

func (en *env) castExpr(e *ast.Cast) (expr.Expr, error) {
	t, err := TypeOf(e.Type)
	if err != nil {
		return nil, err
	}
	if a, ok := e.Arg.(*ast.Array); ok && t.Kind == types.Array {
		x, err := en.arrayOf(a, &t)
		if err != nil {
			return nil, err
		}
		return en.b.cast(x, t, e.Pos())
	}
	x, err := en.expr(e.Arg)
	if err != nil {
		return nil, err
	}
	return en.b.cast(x, t, e.Pos())
}

func (en *env) caseExpr(e *ast.Case) (expr.Expr, error) {
	out := &expr.Case{}
	results := []expr.Expr{nullConst(unknown)} // the default comes first when types are matched
	if e.Else != nil {
		x, err := en.expr(e.Else)
		if err != nil {
			return nil, err
		}
		results[0] = x
	}
	for _, w := range e.Whens {
		cond, err := en.whenCond(e, w)
		if err != nil {
			return nil, err
		}
		then, err := en.expr(w.Then)
		if err != nil {
			return nil, err
		}
		out.Whens = append(out.Whens, expr.When{Cond: cond})
		results = append(results, then)
	}
	t, err := en.b.unify(results, "CASE", e.Pos())
	if err != nil {
		return nil, err
	}
	for i := range out.Whens {
		out.Whens[i].Then = results[i+1]
	}
	out.Else, out.T = results[0], t
	return out, nil
}

// whenCond binds an arm's condition; in a simple CASE it is a comparison with the argument.
func (en *env) whenCond(e *ast.Case, w ast.When) (expr.Expr, error) {
	if e.Arg != nil {
		return en.expr(&ast.Op{P: ast.P(w.Cond.Pos()), Name: "=", L: e.Arg, R: w.Cond})
	}
	x, err := en.expr(w.Cond)
	if err != nil {
		return nil, err
	}
	return en.b.asBool(x, "CASE/WHEN", w.Cond.Pos())
}

func (en *env) coalesce(e *ast.Coalesce) (expr.Expr, error) {
	args, err := en.list(e.Args)
	if err != nil {
		return nil, err
	}
	t, err := en.b.unify(args, "COALESCE", e.Pos())
	return &expr.Coalesce{Args: args, T: t}, err
}

// minMax nests CASEs: the running winner is kept unless it is NULL or beaten.
func (en *env) minMax(e *ast.MinMax) (expr.Expr, error) {
	word, op := "GREATEST", ">="
	if e.Least {
		word, op = "LEAST", "<="
	}
	args, err := en.list(e.Args)
	if err != nil {
		return nil, err
	}
	t, err := en.b.unify(args, word, e.Pos())
	if err != nil {
		return nil, err
	}
	if len(args) > minMaxArgs {
		return nil, sqlstate.New(sqlstate.ProgramLimit, "%s of more than %d values is not supported", word, minMaxArgs).At(e.Pos())
	}
	best := args[0]
	for _, a := range args[1:] {
		c, as, err := en.b.operator("", op, []expr.Expr{best, a}, e.Pos())
		if err != nil {
			return nil, err
		}
		keep := &expr.Logic{Or: true, Args: []expr.Expr{&expr.IsNull{Arg: a}, &expr.Call{Fn: c.fn, Args: as, T: boolean}}}
		best = &expr.Case{Whens: []expr.When{{Cond: keep, Then: best}}, Else: a, T: t}
	}
	return best, nil
}

// minMaxArgs bounds GREATEST and LEAST: each argument doubles the expression it is bound to.
const minMaxArgs = 12

func (en *env) nullIf(e *ast.NullIf) (expr.Expr, error) {
	args, err := en.list([]ast.Expr{e.L, e.R})
	if err != nil {
		return nil, err
	}
	c, as, err := en.b.operator("", "=", args, e.Pos())
	if err != nil {
		return nil, err
	}
	first := en.b.known(args[0])
	t := first.Type()
	return &expr.Case{Whens: []expr.When{{Cond: &expr.Call{Fn: c.fn, Args: as, T: boolean}, Then: nullConst(t)}}, Else: first, T: t}, nil
}

func (en *env) between(e *ast.Between) (expr.Expr, error) {
	pos := e.P
	within := func(lo, hi ast.Expr) ast.Expr {
		return &ast.Logic{P: pos, Args: []ast.Expr{&ast.Op{P: pos, Name: ">=", L: e.Arg, R: lo}, &ast.Op{P: pos, Name: "<=", L: e.Arg, R: hi}}}
	}
	out := within(e.Lo, e.Hi)
	if e.Symmetric {
		out = &ast.Logic{P: pos, Or: true, Args: []ast.Expr{out, within(e.Hi, e.Lo)}}
	}
	if e.Negate {
		out = &ast.Not{P: pos, Arg: out}
	}
	return en.expr(out)
}

func (en *env) collate(e *ast.Collate) (expr.Expr, error) {
	switch name := e.Name[len(e.Name)-1]; name {
	case "C", "POSIX", "default", "ucs_basic", "C.UTF-8", "C.utf8":
		return en.expr(e.Arg)
	default:
		return nil, sqlstate.New(sqlstate.UndefinedObject, "collation \"%s\" for encoding \"UTF8\" does not exist", name).
			WithHint("Text is ordered by bytes: COLLATE \"C\" is the only order there is.").At(e.Pos())
	}
}

// value binds CURRENT_DATE and its like.
func (en *env) value(v *ast.Value) (expr.Expr, error) {
	now := &ast.Func{P: v.P, Schema: "pg_catalog", Name: "now"}
	as := func(arg ast.Expr, typ string) (expr.Expr, error) {
		t := ast.TypeName{P: v.P, Names: []string{"pg_catalog", typ}}
		if v.Prec >= 0 {
			t.Mods = []ast.Expr{&ast.Lit{Kind: ast.Int, Text: string(rune('0' + min(v.Prec, 6)))}}
		}
		return en.expr(&ast.Cast{P: v.P, Arg: arg, Type: t})
	}
	switch v.Name {
	case "current_timestamp":
		return as(now, "timestamptz")
	case "localtimestamp":
		return as(now, "timestamp")
	case "current_date":
		return as(now, "date")
	case "localtime":
		return as(now, "time")
	case "current_time":
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "type time with time zone is not supported; use LOCALTIME").At(v.Pos())
	case "current_role", "user", "session_user":
		return en.expr(&ast.Func{P: v.P, Schema: "pg_catalog", Name: "current_user"})
	case "current_catalog":
		return en.expr(&ast.Func{P: v.P, Schema: "pg_catalog", Name: "current_database"})
	}
	return en.expr(&ast.Func{P: v.P, Schema: "pg_catalog", Name: v.Name})
}

// sub binds a subquery in an expression.
func (en *env) sub(s *ast.Sub) (expr.Expr, error) {
	if s.Kind == ast.SubAny || s.Kind == ast.SubAll {
		return en.quantifiedSub(s)
	}
	r, correlated, err := en.subquery(s.Query)
	if err != nil {
		return nil, err
	}
	out := &expr.Subplan{Plan: r.node, Correlated: correlated}
	switch s.Kind {
	case ast.SubExists:
		out.Kind, out.T = expr.SubExists, boolean
		return out, nil
	case ast.SubArray:
		out.Kind = expr.SubArray
	}
	if len(r.cols) != 1 {
		return nil, sqlstate.New(sqlstate.Syntax, "subquery must return only one column").At(s.Pos())
	}
	out.T = r.cols[0].typ
	if s.Kind == ast.SubArray {
		out.T = arrayOf(out.T)
	}
	return out, nil
}

// subquery binds a query one level below.
func (en *env) subquery(q *ast.Select) (*relation, bool, error) {
	r, err := en.b.query(q, outerEnv{scope: en.sc, ctes: en.ctes}, false)
	if err != nil {
		return nil, false, err
	}
	return r, tree.Free(r.node), nil
}

// quantifiedSub binds [NOT] IN (query), and any other op ANY/ALL (query) as one over the array of its rows.
func (en *env) quantifiedSub(s *ast.Sub) (expr.Expr, error) {
	if r, ok := s.Test.(*ast.Row); ok {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "a comparison of %d columns with a subquery is not supported", len(r.Args)).At(s.Pos())
	}
	in := s.Kind == ast.SubAny && s.Op == "="
	notIn := s.Kind == ast.SubAll && s.Op == "<>"
	if !in && !notIn {
		arr := &ast.Sub{P: s.P, Kind: ast.SubArray, Query: s.Query}
		return en.quantified(&ast.Quantified{P: s.P, Schema: s.Schema, Op: s.Op, L: s.Test, Array: arr, All: s.Kind == ast.SubAll})
	}
	arg, err := en.expr(s.Test)
	if err != nil {
		return nil, err
	}
	r, correlated, err := en.subquery(s.Query)
	if err != nil {
		return nil, err
	}
	if len(r.cols) != 1 {
		return nil, sqlstate.New(sqlstate.Syntax, "subquery has too many columns").At(s.Pos())
	}
	var inner expr.Expr = &expr.Col{T: r.cols[0].typ, Name: r.cols[0].name}
	_, args, err := en.b.operator("", "=", []expr.Expr{arg, inner}, s.Pos())
	if err != nil {
		return nil, err
	}
	// Both sides take the operator's type, so that equality is equality of values.
	sub := &expr.Subplan{Kind: expr.SubIn, Plan: projected(r, args[1]).node, Arg: args[0], Negate: notIn, Correlated: correlated, T: boolean}
	if !sameType(args[0].Type(), args[1].Type()) {
		_, err := en.b.unify(args, "IN", s.Pos())
		if err != nil {
			return nil, err
		}
		sub.Arg, sub.Plan = args[0], projected(r, args[1]).node
	}
	return sub, nil
}
