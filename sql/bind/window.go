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
)

// winRef stands for a window function's result until the query's Window nodes are made.
type winRef struct {
	idx int
	t   types.Type
}

func (w *winRef) Type() types.Type { return w.t }

// TreeKey implements tree.Keyer.
func (w *winRef) TreeKey() string { return fmt.Sprintf("win%d", w.idx) }

// winSet collects the window function calls of a query, and the windows they are over.
type winSet struct {
	k     *block
	calls []winCall
	keys  map[string]int
	specs []*winSpec
}

type winCall struct {
	spec int
	call plan.WindowCall
}

// winSpec is a partitioning with an order. Windows that differ in their frames only are one.
type winSpec struct {
	name      string
	key       string
	partition []expr.Expr
	order     []plan.SortKey
}

func hasWinRef(e expr.Expr) bool {
	has := false
	tree.Visit(e, 0, func(x expr.Expr, _ int) {
		if _, ok := x.(*winRef); ok {
			has = true
		}
	})
	return has
}

// windowClause checks the WINDOW clause, used or not.
func (k *block) windowClause() error {
	seen := map[string]bool{}
	for i := range k.q.Windows {
		w := &k.q.Windows[i]
		if seen[w.Name] {
			return sqlstate.New(sqlstate.Windowing, "window \"%s\" is already defined", w.Name).At(w.Pos())
		}
		seen[w.Name] = true
		full, err := k.wins.whole(w)
		if err != nil {
			return err
		}
		if _, _, err := k.full("window definitions").window(full); err != nil {
			return err
		}
	}
	return nil
}

// whole returns a window with what it takes from the one it names.
func (s *winSet) whole(w *ast.Window) (*ast.Window, error) {
	if w.Ref == "" {
		return w, nil
	}
	var base *ast.Window
	for i := range s.k.q.Windows {
		o := &s.k.q.Windows[i]
		if o == w || w.Name != "" && o.Name == w.Name {
			break // an item sees those before it only
		}
		if o.Name == w.Ref {
			base = o
		}
	}
	if base == nil {
		return nil, sqlstate.New(sqlstate.UndefinedObject, "window \"%s\" does not exist", w.Ref).At(w.Pos())
	}
	full, err := s.whole(base)
	if err != nil {
		return nil, err
	}
	out := *full
	out.P = w.P
	if w.Alone {
		return &out, nil
	}
	switch {
	case len(w.Partition) > 0:
		return nil, sqlstate.New(sqlstate.Windowing, "cannot override PARTITION BY clause of window \"%s\"", w.Ref).At(w.Pos())
	case len(w.Order) > 0 && len(full.Order) > 0:
		return nil, sqlstate.New(sqlstate.Windowing, "cannot override ORDER BY clause of window \"%s\"", w.Ref).At(w.Pos())
	case full.Frame != nil:
		e := sqlstate.New(sqlstate.Windowing, "cannot copy window \"%s\" because it has a frame clause", w.Ref).At(w.Pos())
		if len(w.Order) == 0 && w.Frame == nil && w.Name == "" {
			e = e.WithHint("Omit the parentheses in this OVER clause.")
		}
		return nil, e
	}
	if len(w.Order) > 0 {
		out.Order = w.Order
	}
	out.Name, out.Frame = w.Name, w.Frame
	return &out, nil
}

// window binds a whole window: its number in the set, and its frame.
func (en *env) window(w *ast.Window) (spec int, f plan.Frame, err error) {
	in := *en
	in.wins, in.sets, in.clause = nil, nil, "window definitions"
	s := &winSpec{name: w.Name}
	for _, e := range w.Partition {
		x, err := in.expr(e)
		if err != nil {
			return 0, f, err
		}
		s.partition = append(s.partition, en.b.known(x))
	}
	for _, o := range w.Order {
		x, err := in.expr(o.Expr)
		if err != nil {
			return 0, f, err
		}
		s.order = append(s.order, plan.SortKey{Expr: en.b.known(x), Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	if f, err = in.frame(w, s); err != nil {
		return 0, f, err
	}
	return en.wins.spec(s), f, nil
}

func (s *winSet) spec(w *winSpec) int {
	var k strings.Builder
	for _, e := range w.partition {
		k.WriteString(tree.Key(e) + ",")
	}
	for _, o := range w.order {
		fmt.Fprintf(&k, ";%s %v %v", tree.Key(o.Expr), o.Desc, o.NullsFirst)
	}
	w.key = k.String()
	if i := slices.IndexFunc(s.specs, func(o *winSpec) bool { return o.key == w.key }); i >= 0 {
		return i
	}
	if w.name == "" {
		w.name = fmt.Sprint("w", len(s.specs)+1)
	}
	s.specs = append(s.specs, w)
	return len(s.specs) - 1
}

// windowCall binds f OVER (…).
func (en *env) windowCall(f *ast.Func) (expr.Expr, error) {
	switch {
	case en.clause == "FILTER":
		return nil, sqlstate.New(sqlstate.Windowing, "window functions are not allowed in FILTER").At(f.Pos())
	case en.clause == "JOIN/ON":
		return nil, sqlstate.New(sqlstate.Windowing, "window functions are not allowed in JOIN conditions").At(f.Pos())
	case en.inAgg:
		return nil, sqlstate.New(sqlstate.Grouping, "aggregate function calls cannot contain window function calls").At(f.Pos())
	case en.inWin:
		return nil, sqlstate.New(sqlstate.Windowing, "window function calls cannot be nested").At(f.Pos())
	case en.wins == nil:
		return nil, sqlstate.New(sqlstate.Windowing, "window functions are not allowed in %s", en.clause).At(f.Pos())
	}
	inner := *en
	inner.inWin, inner.sets = true, nil
	inner.clause = "window function calls"
	args, err := inner.callArgs(f)
	if err != nil {
		return nil, err
	}
	call, err := inner.windowFunc(f, args)
	if err != nil {
		return nil, err
	}
	w, err := en.wins.whole(f.Over)
	if err != nil {
		return nil, err
	}
	spec, frame, err := en.window(w)
	if err != nil {
		return nil, err
	}
	call.Frame = frame
	return en.wins.add(spec, call), nil
}

// windowFunc resolves the function of a call and settles its arguments.
func (en *env) windowFunc(f *ast.Func, args []expr.Expr) (plan.WindowCall, error) {
	var cands []candidate
	if f.Schema == "" || f.Schema == "pg_catalog" {
		for _, w := range builtin.Windows(f.Name) {
			cands = append(cands, candidate{args: w.Args, ret: w.Ret, win: w})
		}
	}
	if len(cands) == 0 {
		return en.windowAgg(f, args)
	}
	switch {
	case f.Distinct:
		return plan.WindowCall{}, sqlstate.New(sqlstate.FeatureNotSupported, "DISTINCT is not implemented for window functions").At(f.Pos())
	case len(f.Order) > 0 && !f.Within:
		return plan.WindowCall{}, sqlstate.New(sqlstate.FeatureNotSupported, "aggregate ORDER BY is not implemented for window functions").At(f.Pos())
	case f.Filter != nil:
		return plan.WindowCall{}, sqlstate.New(sqlstate.FeatureNotSupported, "FILTER is not implemented for non-aggregate window functions").At(f.Pos())
	case f.Within:
		return plan.WindowCall{}, sqlstate.New(sqlstate.WrongObjectType, "WITHIN GROUP specified, but %s is not an aggregate function", f.Name).At(f.Pos())
	}
	best, err := en.b.pick(f, cands, args)
	if err != nil || best == nil {
		if err == nil {
			err = errNoFunction(f, argTypes(args))
		}
		return plan.WindowCall{}, err
	}
	if len(args) > 0 && best.args[0].Kind == types.AnyElement && !slices.ContainsFunc(args, func(a expr.Expr) bool { return !isUnknown(a) }) {
		return plan.WindowCall{}, sqlstate.New(sqlstate.DatatypeMismatch, "could not determine polymorphic type because input has type unknown")
	}
	out, ret, err := en.b.settle(best, args, f.Pos())
	if err != nil {
		return plan.WindowCall{}, err
	}
	for i := range out {
		out[i] = en.b.known(out[i])
	}
	return plan.WindowCall{Fn: best.win, Args: out, T: ret}, nil
}

// windowAgg resolves an aggregate that is called over a window.
func (en *env) windowAgg(f *ast.Func, args []expr.Expr) (plan.WindowCall, error) {
	var none plan.WindowCall
	cands := en.b.candidates(f)
	if len(cands) > 0 && !hasAgg(cands) {
		return none, sqlstate.New(sqlstate.WrongObjectType, "OVER specified, but %s is not a window function nor an aggregate function", f.Name).At(f.Pos())
	}
	switch {
	case f.Within || slices.ContainsFunc(cands, func(c candidate) bool { return c.agg != nil && c.agg.OrderedSet }):
		return none, sqlstate.New(sqlstate.FeatureNotSupported, "OVER is not supported for ordered-set aggregate %s", f.Name).At(f.Pos())
	case f.Distinct:
		return none, sqlstate.New(sqlstate.FeatureNotSupported, "DISTINCT is not implemented for window functions").At(f.Pos())
	case len(f.Order) > 0:
		return none, sqlstate.New(sqlstate.FeatureNotSupported, "aggregate ORDER BY is not implemented for window functions").At(f.Pos())
	}
	best, err := en.b.pick(f, cands, args)
	if err != nil {
		return none, err
	}
	if best == nil || best.agg == nil {
		return none, sqlstate.New(sqlstate.WrongObjectType, "OVER specified, but %s is not a window function nor an aggregate function", f.Name).At(f.Pos())
	}
	out, ret, err := en.b.settle(best, args, f.Pos())
	if err != nil {
		return none, err
	}
	call := &plan.AggCall{Fn: best.agg, Args: out, T: ret}
	if f.Filter != nil {
		fe := *en
		fe.wins, fe.clause = nil, "FILTER"
		if call.Filter, err = fe.cond(f.Filter); err != nil {
			return none, err
		}
	}
	return plan.WindowCall{Agg: call, T: ret}, nil
}

func (s *winSet) add(spec int, call plan.WindowCall) *winRef {
	var k strings.Builder
	fmt.Fprintf(&k, "%d %p", spec, call.Fn)
	if call.Agg != nil {
		fmt.Fprintf(&k, " %p", call.Agg.Fn)
	}
	for _, e := range call.Exprs() {
		k.WriteString("," + tree.Key(e))
	}
	f := &call.Frame
	fmt.Fprintf(&k, "|%d %d %d %d %v", f.Mode, f.Start.Kind, f.End.Kind, f.Exclude, call.Agg != nil && call.Agg.Filter != nil)
	if i, ok := s.keys[k.String()]; ok {
		return &winRef{idx: i, t: call.T}
	}
	if s.keys == nil {
		s.keys = map[string]int{}
	}
	s.keys[k.String()] = len(s.calls)
	s.calls = append(s.calls, winCall{spec, call})
	return &winRef{idx: len(s.calls) - 1, t: call.T}
}

// overGroups has the windows speak of the Agg's output.
func (s *winSet) overGroups(over func(expr.Expr) expr.Expr) {
	for i := range s.calls {
		s.calls[i].call = s.calls[i].call.MapExprs(over)
	}
	for _, w := range s.specs {
		for i, e := range w.partition {
			w.partition[i] = over(e)
		}
		for i := range w.order {
			w.order[i].Expr = over(w.order[i].Expr)
		}
	}
}

// windows makes the Window nodes and has everything above speak of their output.
func (k *block) windows() error {
	if len(k.wins.calls) == 0 {
		return nil
	}
	at := make([]*expr.Col, len(k.wins.calls))
	var below *winSpec
	for _, spec := range k.wins.ordered() {
		w := &plan.Window{In: k.node, Name: spec.name, Partition: spec.partition, Order: spec.order, Sorted: spec.prefixOf(below)}
		width := len(k.node.Cols())
		for i, c := range k.wins.calls {
			if k.wins.specs[c.spec] != spec {
				continue
			}
			name := ""
			if c.call.Agg != nil {
				name = c.call.Agg.Fn.Name
			} else {
				name = c.call.Fn.Name
			}
			at[i] = &expr.Col{Idx: width + len(w.Calls), T: c.call.T, Name: name}
			w.Calls = append(w.Calls, c.call)
			w.Out = append(w.Out, plan.Col{Name: name, Type: c.call.T})
		}
		if len(w.Calls) > 0 {
			k.node, below = w, spec
		}
	}
	made := func(e expr.Expr, _ int) (expr.Expr, bool) {
		if r, ok := e.(*winRef); ok {
			return at[r.idx], true
		}
		return nil, false
	}
	for i := range k.targets {
		k.targets[i].e = tree.Expr(k.targets[i].e, 0, made)
	}
	for i := range k.sets.calls {
		k.sets.calls[i].Args, _ = tree.Exprs(k.sets.calls[i].Args, 0, made)
	}
	return nil
}

// ordered returns the windows, each followed by those whose order is the beginning of its own: they need no sort.
func (s *winSet) ordered() []*winSpec {
	rest := slices.Clone(s.specs)
	slices.SortStableFunc(rest, func(a, b *winSpec) int {
		return len(b.partition) + len(b.order) - len(a.partition) - len(a.order)
	})
	var out []*winSpec
	for len(rest) > 0 {
		first := rest[0]
		out = append(out, first)
		var later []*winSpec
		for _, w := range rest[1:] {
			if w.prefixOf(first) {
				out = append(out, w)
				first = w
			} else {
				later = append(later, w)
			}
		}
		rest = later
	}
	return out
}

// prefixOf reports whether rows ordered for o are ordered for w, too.
func (w *winSpec) prefixOf(o *winSpec) bool {
	if o == nil {
		return false
	}
	mine, theirs := w.sortKeys(), o.sortKeys()
	if len(mine) > len(theirs) {
		return false
	}
	for i, k := range mine {
		if t := theirs[i]; k.Desc != t.Desc || k.NullsFirst != t.NullsFirst || tree.Key(k.Expr) != tree.Key(t.Expr) {
			return false
		}
	}
	return true
}

func (w *winSpec) sortKeys() []plan.SortKey {
	var out []plan.SortKey
	for _, e := range w.partition {
		out = append(out, plan.SortKey{Expr: e})
	}
	return append(out, w.order...)
}

// frame binds a frame clause.
func (en *env) frame(w *ast.Window, s *winSpec) (plan.Frame, error) {
	if w.Frame == nil {
		return plan.DefaultFrame(), nil
	}
	a := w.Frame
	f := plan.Frame{Mode: plan.FrameMode(a.Mode), Exclude: plan.Exclusion(a.Exclude),
		Start: plan.Bound{Kind: plan.BoundKind(a.Start.Kind)}, End: plan.Bound{Kind: plan.BoundKind(a.End.Kind)}}
	offsets := a.Start.Offset != nil || a.End.Offset != nil
	switch {
	case a.Mode == ast.FrameGroups && len(w.Order) == 0:
		return f, sqlstate.New(sqlstate.Windowing, "GROUPS mode requires an ORDER BY clause").At(w.Pos())
	case a.Mode == ast.FrameRange && offsets && len(w.Order) != 1:
		return f, sqlstate.New(sqlstate.Windowing, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column").At(w.Pos())
	}
	for _, b := range []struct {
		a *ast.FrameBound
		b *plan.Bound
	}{{&a.Start, &f.Start}, {&a.End, &f.End}} {
		if b.a.Offset == nil {
			continue
		}
		if err := en.frameOffset(a.Mode, b.a, b.b, s, &f); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (en *env) frameOffset(mode ast.FrameMode, a *ast.FrameBound, b *plan.Bound, s *winSpec, f *plan.Frame) error {
	fe := *en
	fe.clause = mode.String()
	fe.aggs = nil
	x, err := fe.expr(a.Offset)
	if err != nil {
		return err
	}
	local := false
	tree.Uses(x, func(int) { local = true })
	if local {
		return sqlstate.New(sqlstate.InvalidColumnReference, "argument of %s must not contain variables", mode).At(a.Offset.Pos())
	}
	if mode != ast.FrameRange {
		b.Offset, err = en.b.must(x, int8, builtin.Assignment, a.Offset.Pos(), func() error {
			return sqlstate.New(sqlstate.DatatypeMismatch, "argument of %s must be type bigint, not type %s", mode, typeName(x.Type()))
		})
		return err
	}
	return en.rangeOffset(x, a, b, s, f)
}

// rangeOffset binds the offset of a RANGE frame. Integers and floats are added by the operator, which knows no overflow;
// other types by their own operators.
func (en *env) rangeOffset(x expr.Expr, a *ast.FrameBound, b *plan.Bound, s *winSpec, f *plan.Frame) error {
	pos := a.Offset.Pos()
	key := s.order[0]
	have := key.Expr.Type()
	var want, in types.Type
	switch have.Kind {
	case types.Int16, types.Int32, types.Int64:
		want, in = int8, int8
	case types.Float32, types.Float64:
		want, in = types.Of(types.Float64), types.Of(types.Float64)
	case types.Numeric:
		want, in = types.Of(types.Numeric), types.Of(types.Numeric)
	case types.Date, types.Timestamp:
		want, in = types.Of(types.Interval), types.Of(types.Timestamp)
	case types.Timestamptz, types.Interval:
		want, in = types.Of(types.Interval), types.Of(have.Kind)
	default:
		return sqlstate.New(sqlstate.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s", typeName(have)).At(pos)
	}
	offset, err := en.b.must(x, want, builtin.Implicit, pos, func() error {
		return sqlstate.New(sqlstate.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and offset type %s",
			typeName(have), typeName(x.Type())).WithHint("Cast the offset value to an appropriate type.")
	})
	if err != nil {
		return err
	}
	b.Offset = offset
	if f.RangeKey == nil {
		plain := have
		plain.Mod = 0
		f.RangeKey = key.Expr
		if plain.Kind != in.Kind {
			if f.RangeKey, err = en.b.cast(key.Expr, in, pos); err != nil {
				return err
			}
		}
	}
	if in.Phys() == types.PhysFloat64 || in.Kind == types.Int64 {
		return nil
	}
	op := "+"
	if (b.Kind == plan.Preceding) != key.Desc {
		op = "-"
	}
	limit, err := en.b.binary("pg_catalog", op, []expr.Expr{f.RangeKey, offset}, pos)
	if err != nil {
		return err
	}
	if limit.Type().Kind != in.Kind || !datum.Comparable(in) {
		return sqlstate.New(sqlstate.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s", typeName(have)).At(pos)
	}
	b.Limit = limit
	return nil
}
