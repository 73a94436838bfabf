package bind

import (
	"fmt"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// aggRef stands for an aggregate's result until the query's Agg is made.
type aggRef struct {
	idx int
	t   types.Type
	key string
}

func (a *aggRef) Type() types.Type { return a.t }

// TreeKey implements tree.Keyer.
func (a *aggRef) TreeKey() string { return fmt.Sprintf("agg%d", a.idx) }

// aggSet collects the aggregates of a query.
type aggSet struct {
	calls []plan.AggCall
	keys  map[string]*aggRef
}

// setRef stands for a column of a set-returning function's result until the query's ProjectSet is made.
type setRef struct {
	idx, col int
	t        types.Type
}

func (s *setRef) Type() types.Type { return s.t }

// TreeKey implements tree.Keyer.
func (s *setRef) TreeKey() string { return fmt.Sprintf("set%d.%d", s.idx, s.col) }

// setSet collects the set-returning functions of a select list.
type setSet struct {
	calls []plan.SetFunc
	keys  map[string]int
}

// call binds a function call of any kind.
func (en *env) call(f *ast.Func) (expr.Expr, error) {
	if f.ArgNames != nil {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "named arguments are not supported: %s(%s => …)", f.Name, strings.Trim(strings.Join(f.ArgNames, ""), ", ")).At(f.Pos())
	}
	if f.Over != nil {
		return en.windowCall(f)
	}
	cands := en.b.candidates(f)
	if len(cands) == 0 && len(builtin.Windows(f.Name)) > 0 && (f.Schema == "" || f.Schema == "pg_catalog") {
		return nil, sqlstate.New(sqlstate.WrongObjectType, "window function %s requires an OVER clause", f.Name).At(f.Pos())
	}
	if anyAggSyntax(f) && len(cands) > 0 && !hasAgg(cands) {
		return nil, sqlstate.New(sqlstate.WrongObjectType, "%s specified, but %s is not an aggregate function", aggSyntax(f), f.Name).At(f.Pos())
	}
	inner := *en
	if onlyAggs(cands) {
		if err := en.enterAgg(f, &inner); err != nil {
			return nil, err
		}
	}
	args, err := inner.callArgs(f)
	if err != nil {
		return nil, err
	}
	best, err := en.b.pick(f, cands, args)
	if err != nil {
		return nil, err
	}
	switch {
	case best == nil:
		return en.castCall(f, args)
	case best.agg != nil:
		return en.aggregate(f, best, &inner, args)
	case best.set != nil:
		return en.setCall(f, best, args, -1)
	}
	out, ret, err := en.b.settle(best, args, f.Pos())
	if err != nil {
		return nil, err
	}
	return &expr.Call{Fn: best.fn, Args: out, T: ret}, nil
}

func anyAggSyntax(f *ast.Func) bool {
	return f.Star || f.Distinct || f.Within || f.Filter != nil || len(f.Order) > 0
}

func aggSyntax(f *ast.Func) string {
	switch {
	case f.Star:
		return f.Name + "(*)"
	case f.Distinct:
		return "DISTINCT"
	case f.Within:
		return "WITHIN GROUP"
	case f.Filter != nil:
		return "FILTER"
	}
	return "ORDER BY"
}

func hasAgg(cs []candidate) bool {
	for _, c := range cs {
		if c.agg != nil {
			return true
		}
	}
	return false
}

func onlyAggs(cs []candidate) bool {
	for _, c := range cs {
		if c.agg == nil {
			return false
		}
	}
	return len(cs) > 0
}

// candidates lists the overloads of a function's name. Those of a wrong number of arguments are left out later.
func (b *binder) candidates(f *ast.Func) []candidate {
	var out []candidate
	for _, fn := range b.cat.Scalars(f.Schema, f.Name) {
		out = append(out, candidate{args: fn.Args, spread: fn.Variadic, ret: fn.Ret, fn: fn})
	}
	for _, a := range b.cat.Aggregates(f.Schema, f.Name) {
		out = append(out, candidate{args: a.Args, spread: a.Variadic, ret: a.Ret, agg: a})
	}
	for _, s := range b.cat.TableFuncs(f.Schema, f.Name) {
		out = append(out, candidate{args: s.Args, spread: s.Variadic, set: s})
	}
	return out
}

// enterAgg checks that an aggregate may stand here and prepares the environment of its arguments.
func (en *env) enterAgg(f *ast.Func, inner *env) error {
	if en.inAgg {
		return sqlstate.New(sqlstate.Grouping, "aggregate function calls cannot be nested").At(f.Pos())
	}
	if en.aggs == nil {
		return sqlstate.New(sqlstate.Grouping, "aggregate functions are not allowed in %s", en.clause).At(f.Pos())
	}
	inner.inAgg, inner.sets = true, nil
	inner.clause = "aggregate function calls"
	return nil
}

func (en *env) callArgs(f *ast.Func) ([]expr.Expr, error) {
	args, err := en.list(f.Args)
	if err != nil || !f.Variadic {
		return args, err
	}
	// VARIADIC of a constant array is the same as its elements written out.
	last := args[len(args)-1]
	k, ok := last.(*expr.Const)
	if ok && isUnknown(k) {
		x, _, err := en.b.fromUnknown(k, types.ArrayOf(types.Text), builtin.Implicit, f.Args[len(args)-1].Pos())
		if err != nil {
			return nil, err
		}
		k, ok = x.(*expr.Const)
		if !ok {
			return nil, nil
		}
	}
	if !ok || k.V.Type.Kind != types.Array || k.V.Null(0) {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "VARIADIC with anything but a constant array is not supported").At(f.Pos())
	}
	elems := &vec.Vector{}
	elems.Reset(types.Of(k.V.Type.Elem))
	if err := arrayElems(k.V, 0, elems); err != nil {
		return nil, err
	}
	args = args[:len(args)-1]
	for i := range elems.N {
		args = append(args, newConst(elems.Type, func(v *vec.Vector) { v.AppendFrom(elems, i) }))
	}
	return args, nil
}

// pick resolves the overload; nil without an error means that the call may still be a cast in function form.
func (b *binder) pick(f *ast.Func, cands []candidate, args []expr.Expr) (*candidate, error) {
	var fitting []candidate
	for _, c := range cands {
		if c.agg != nil && f.Star != (len(c.args) == 0 && !c.agg.OrderedSet) {
			continue
		}
		as, ok := fit(c.args, c.spread, len(args))
		if !ok {
			continue
		}
		c.args = as
		fitting = addFitting(fitting, c)
	}
	have := argTypes(args)
	best, many := choose(fitting, have)
	if best != nil {
		return best, nil
	}
	if many {
		return nil, sqlstate.New(sqlstate.AmbiguousFunction, "function %s is not unique", signature(f, have)).
			WithHint("Could not choose a best candidate function. You might need to add explicit type casts.").At(f.Pos())
	}
	if len(args) == 1 && !anyAggSyntax(f) {
		if _, ok := functionType(f); ok {
			return nil, nil
		}
	}
	return nil, errNoFunction(f, have)
}

// addFitting adds a candidate. Of two that take the same arguments, the one that is not variadic counts.
func addFitting(cs []candidate, c candidate) []candidate {
	for i, o := range cs {
		if !slices.Equal(o.args, c.args) {
			continue
		}
		if o.spread && !c.spread {
			cs[i] = c
			return cs
		}
		if c.spread && !o.spread {
			return cs
		}
	}
	return append(cs, c)
}

func signature(f *ast.Func, have []types.Type) string {
	names := make([]string, len(have))
	for i, t := range have {
		names[i] = typeName(t)
	}
	name := f.Name
	if f.Schema != "" {
		name = f.Schema + "." + name
	}
	return name + "(" + strings.Join(names, ", ") + ")"
}

func errNoFunction(f *ast.Func, have []types.Type) error {
	if f.Name == "count" && !f.Star && len(have) == 0 {
		return sqlstate.New(sqlstate.WrongObjectType, "count(*) must be used to call a parameterless aggregate function").At(f.Pos())
	}
	return sqlstate.New(sqlstate.UndefinedFunction, "function %s does not exist", signature(f, have)).
		WithHint("No function matches the given name and argument types. You might need to add explicit type casts.").At(f.Pos())
}

// functionType tells whether the function's name is a type's, so that f(x) is a cast.
func functionType(f *ast.Func) (types.Type, bool) {
	if f.Schema != "" && f.Schema != "pg_catalog" {
		return types.Type{}, false
	}
	t, ok := datum.TypeByName(f.Name)
	return t, ok && t.Kind != types.Unknown && !datum.InfoOf(t.Kind).Pseudo
}

func (en *env) castCall(f *ast.Func, args []expr.Expr) (expr.Expr, error) {
	t, _ := functionType(f)
	x, ok, err := en.b.coerce(args[0], t, builtin.Explicit, f.Pos())
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNoFunction(f, argTypes(args))
	}
	return x, nil
}

// aggregate binds an aggregate call and returns the reference to its result.
func (en *env) aggregate(f *ast.Func, c *candidate, inner *env, args []expr.Expr) (expr.Expr, error) {
	if !inner.inAgg { // the name is a plain function's too
		if err := en.enterAgg(f, inner); err != nil {
			return nil, err
		}
	}
	out, ret, err := en.b.settle(c, args, f.Pos())
	if err != nil {
		return nil, err
	}
	call := plan.AggCall{Fn: c.agg, Args: out, Distinct: f.Distinct, T: ret}
	if err := inner.aggClauses(f, c, &call); err != nil {
		return nil, err
	}
	if err := en.checkAggLevel(f, &call); err != nil {
		return nil, err
	}
	return en.aggs.add(call), nil
}

// aggClauses binds FILTER, ORDER BY and WITHIN GROUP.
func (en *env) aggClauses(f *ast.Func, c *candidate, call *plan.AggCall) error {
	if f.Within != c.agg.OrderedSet {
		if f.Within {
			return sqlstate.New(sqlstate.WrongObjectType, "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", f.Name).At(f.Pos())
		}
		return sqlstate.New(sqlstate.WrongObjectType, "WITHIN GROUP is required for ordered-set aggregate %s", f.Name).At(f.Pos())
	}
	for _, s := range f.Order {
		x, err := en.expr(s.Expr)
		if err != nil {
			return err
		}
		call.Order = append(call.Order, plan.SortKey{Expr: en.b.known(x), Desc: s.Desc, NullsFirst: s.NullsFirst})
	}
	if c.agg.OrderedSet {
		if err := en.b.orderedSet(f, c, call); err != nil {
			return err
		}
	}
	if f.Distinct && len(call.Args) == 0 {
		return sqlstate.New(sqlstate.Syntax, "DISTINCT specified, but %s has no argument", f.Name).At(f.Pos())
	}
	for i, o := range call.Order {
		if f.Distinct && !slices.ContainsFunc(call.Args, func(a expr.Expr) bool { return tree.Key(a) == tree.Key(o.Expr) }) {
			return sqlstate.New(sqlstate.InvalidColumnReference, "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list").
				At(f.Order[i].Expr.Pos())
		}
	}
	if f.Filter == nil {
		return nil
	}
	fe := *en
	fe.clause = "FILTER"
	x, err := fe.cond(f.Filter)
	call.Filter = x
	return err
}

// orderedSet coerces the input of an ordered-set aggregate and works out a result that follows it.
func (b *binder) orderedSet(f *ast.Func, c *candidate, call *plan.AggCall) error {
	if len(call.Order) != 1 {
		return sqlstate.New(sqlstate.UndefinedFunction, "%s needs exactly one ORDER BY expression", f.Name).At(f.Pos())
	}
	in := call.Order[0].Expr
	if strings.HasSuffix(c.agg.Name, "_cont") {
		want := types.Of(types.Float64)
		if in.Type().Kind == types.Interval {
			want = in.Type()
		}
		x, err := b.must(in, want, builtin.Implicit, f.Pos(), func() error {
			return errNoFunction(f, append(argTypes(call.Args), in.Type()))
		})
		if err != nil {
			return err
		}
		call.Order[0].Expr = x
		in = x
	}
	switch c.agg.Ret.Kind {
	case types.AnyElement:
		call.T = in.Type()
	case types.AnyArray:
		call.T = arrayOf(in.Type())
	default:
		if c.agg.Ret.Kind == types.Float64 && in.Type().Kind == types.Interval {
			call.T = in.Type()
		}
	}
	call.T.Mod = 0
	return nil
}

// checkAggLevel refuses an aggregate whose arguments are only columns of an enclosing query: it would belong there.
func (en *env) checkAggLevel(f *ast.Func, call *plan.AggCall) error {
	local, outer := false, false
	look := func(e expr.Expr) {
		tree.Visit(e, 0, func(x expr.Expr, depth int) {
			switch x := x.(type) {
			case *expr.Col:
				local = local || depth == 0
			case *expr.Outer:
				outer = outer || x.Depth > depth
			}
		})
	}
	for _, a := range call.Args {
		look(a)
	}
	for _, k := range call.Order {
		look(k.Expr)
	}
	if outer && !local {
		return sqlstate.New(sqlstate.FeatureNotSupported, "an aggregate over columns of an enclosing query is not supported: %s", f.Name).At(f.Pos())
	}
	return nil
}

func (s *aggSet) add(call plan.AggCall) *aggRef {
	var k strings.Builder
	fmt.Fprintf(&k, "%p %v", call.Fn, call.Distinct)
	for _, a := range call.Args {
		k.WriteString("," + tree.Key(a))
	}
	for _, o := range call.Order {
		fmt.Fprintf(&k, ";%s %v %v", tree.Key(o.Expr), o.Desc, o.NullsFirst)
	}
	k.WriteString("|" + tree.Key(call.Filter))
	if r, ok := s.keys[k.String()]; ok {
		return &aggRef{idx: r.idx, t: r.t, key: r.key}
	}
	r := &aggRef{idx: len(s.calls), t: call.T, key: k.String()}
	if s.keys == nil {
		s.keys = map[string]*aggRef{}
	}
	s.keys[r.key] = r
	s.calls = append(s.calls, call)
	return r
}

// setCall binds a set-returning function in a select list; col is the column of its result that is wanted.
func (en *env) setCall(f *ast.Func, c *candidate, args []expr.Expr, col int) (expr.Expr, error) {
	if en.inWin {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "window function calls cannot contain set-returning function calls").At(f.Pos())
	}
	if en.sets == nil {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "set-returning functions are not allowed in %s", en.clause).At(f.Pos())
	}
	call, err := en.b.setFunc(f, c, args)
	if err != nil {
		return nil, err
	}
	for _, a := range call.Args {
		if hasSet(a) {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "a set-returning function as an argument of another is not supported: %s", f.Name).At(f.Pos())
		}
	}
	idx := en.sets.add(call)
	if len(call.Out) > 1 && col < 0 {
		return en.setRow(idx), nil
	}
	return &setRef{idx: idx, col: max(col, 0), t: call.Out[max(col, 0)].Type}, nil
}

func hasSet(e expr.Expr) bool {
	has := false
	tree.Visit(e, 0, func(x expr.Expr, _ int) {
		if _, ok := x.(*setRef); ok {
			has = true
		}
	})
	return has
}

// setFunc settles the arguments and the result columns of a set-returning function.
func (b *binder) setFunc(f *ast.Func, c *candidate, args []expr.Expr) (plan.SetFunc, error) {
	out, _, err := b.settle(c, args, f.Pos())
	if err != nil {
		return plan.SetFunc{}, err
	}
	call := plan.SetFunc{Fn: c.set, Args: out, Out: c.set.Ret}
	if c.set.Cols != nil {
		call.Out = c.set.Cols(argTypes(out))
	}
	if elem, err := polyElem(c.args, args, f.Pos()); err == nil {
		cols := make([]plan.Col, len(call.Out))
		for i, o := range call.Out {
			cols[i] = plan.Col{Name: o.Name, Type: polyType(o.Type, elem)}
		}
		call.Out = cols
	}
	return call, nil
}

// first returns the first call that is equal to call i.
func (s *setSet) first(i int) int {
	return slices.IndexFunc(s.calls, func(c plan.SetFunc) bool { return setKey(c) == setKey(s.calls[i]) })
}

// setKey is the same for equal calls.
func setKey(call plan.SetFunc) string {
	var k strings.Builder
	fmt.Fprintf(&k, "%p", call.Fn)
	for _, a := range call.Args {
		k.WriteString("," + tree.Key(a))
	}
	return k.String()
}

func (s *setSet) add(call plan.SetFunc) int {
	k := setKey(call)
	if i, ok := s.keys[k]; ok && len(call.Out) > 1 {
		return i
	}
	if s.keys == nil {
		s.keys = map[string]int{}
	}
	s.keys[k] = len(s.calls)
	s.calls = append(s.calls, call)
	return len(s.calls) - 1
}

// field binds (arg).name: a column of a set-returning function's rows.
func (en *env) field(e *ast.Field) (expr.Expr, error) {
	if n, ok := e.Arg.(*ast.Name); ok && !e.Star && !n.Star && len(n.Parts) > 0 { // (t).c is t.c
		parts := append([]string(nil), n.Parts...)
		parts[len(parts)-1] = fieldName(parts[len(parts)-1], e.Name)
		if x, _, err := en.b.resolve(en.sc, parts, n.Pos()); x != nil || err != nil {
			return x, err
		}
		return en.name(&ast.Name{P: n.P, Parts: append(append([]string(nil), n.Parts...), e.Name)})
	}
	f, ok := e.Arg.(*ast.Func)
	if !ok || e.Star {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "a field of a row value is not supported here").At(e.Pos())
	}
	args, err := en.callArgs(f)
	if err != nil {
		return nil, err
	}
	c, err := en.b.pick(f, en.b.candidates(f), args)
	if err != nil {
		return nil, err
	}
	if c == nil || c.set == nil {
		return nil, sqlstate.New(sqlstate.WrongObjectType, "%s() does not return rows, so it has no field \"%s\"", f.Name, e.Name).At(e.Pos())
	}
	call, err := en.b.setFunc(f, c, args)
	if err != nil {
		return nil, err
	}
	for i, o := range call.Out {
		if o.Name == e.Name {
			return en.setCall(f, c, args, i)
		}
	}
	return nil, sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" not found in data type record", e.Name).At(e.Pos())
}
