package bind

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var (
	unknown = types.Of(types.Unknown)
	boolean = types.Of(types.Bool)
	text    = types.Of(types.Text)
	int4    = types.Of(types.Int32)
	int8    = types.Of(types.Int64)
)

func sameType(a, b types.Type) bool { return a.Kind == b.Kind && a.Elem == b.Elem }

func isUnknown(e expr.Expr) bool { return e.Type().Kind == types.Unknown }

func newConst(t types.Type, fill func(v *vec.Vector)) *expr.Const {
	v := &vec.Vector{}
	v.Reset(t)
	fill(v)
	return &expr.Const{V: v}
}

func nullConst(t types.Type) *expr.Const {
	return newConst(t, func(v *vec.Vector) { v.AppendNull() })
}

func boolConst(x bool) *expr.Const {
	return newConst(boolean, func(v *vec.Vector) { v.AppendBool(x) })
}

// IntConst is a constant of an integer-class type.
func IntConst(t types.Type, x int64) *expr.Const {
	return newConst(t, func(v *vec.Vector) { v.AppendInt(x) })
}

// canCoerce reports whether a value of type from may become a to in the given context.
func canCoerce(from, to types.Type, cc builtin.CastContext) bool {
	if sameType(from, to) || from.Kind == types.Unknown {
		return true
	}
	switch to.Kind {
	case types.Any, types.AnyElement:
		return true
	case types.AnyArray:
		_, ok := datum.ElemOf(from)
		return ok
	}
	_, ok := builtin.FindCast(from, to, cc)
	return ok
}

// coerce makes e a value of type t. ok is false if the context does not allow it; err is the error of a literal that
// is no value of t.
func (b *binder) coerce(e expr.Expr, t types.Type, cc builtin.CastContext, pos int) (x expr.Expr, ok bool, err error) {
	if isUnknown(e) && t.Kind != types.Unknown {
		return b.fromUnknown(e, t, cc, pos)
	}
	from := e.Type()
	if sameType(from, t) && (t.Mod == 0 || t.Mod == from.Mod) {
		return e, true, nil
	}
	if sameType(from, t) && from.Kind == types.Array {
		return e, true, nil // modifiers of element types are not applied
	}
	if l := leafCast(e, t, cc); l != nil {
		return b.at(l, b.pos[e]), true, nil
	}
	fn, ok := b.findCast(from, t, cc)
	if !ok {
		return nil, false, nil
	}
	if fn == nil {
		return b.relabel(e, t), true, nil
	}
	c := &expr.Call{Fn: fn, Args: []expr.Expr{e}, T: t}
	b.pos[c] = b.pos[e]
	if _, isConst := e.(*expr.Const); isConst && fn.Volatile == expr.Immutable {
		return b.fold(c)
	}
	return c, true, nil
}

// relabel gives a value another type of the same form.
func (b *binder) relabel(e expr.Expr, t types.Type) expr.Expr {
	var out expr.Expr
	switch x := e.(type) {
	case *expr.Const:
		out = &expr.Const{V: retyped(x.V, t)}
	case *expr.Col:
		out = &expr.Col{Idx: x.Idx, T: t, Name: x.Name}
	case *expr.Outer:
		out = &expr.Outer{Depth: x.Depth, Idx: x.Idx, T: t, Name: x.Name}
	default:
		out = &expr.Coalesce{Args: []expr.Expr{e}, T: t}
	}
	b.pos[out] = b.pos[e]
	return out
}

// fold computes a cast of a constant now, so that IN lists see constants.
func (b *binder) fold(c *expr.Call) (expr.Expr, bool, error) {
	v := &vec.Vector{}
	if err := expr.Eval(b.cat.Ctx(), c, expr.OneRow(), nil, v); err != nil {
		return nil, false, sqlstate.Wrap(sqlstate.Internal, err)
	}
	v.Type = c.T
	return &expr.Const{V: v}, true, nil
}

// fromUnknown gives an untyped literal or parameter its type.
func (b *binder) fromUnknown(e expr.Expr, t types.Type, cc builtin.CastContext, pos int) (expr.Expr, bool, error) {
	switch x := e.(type) {
	case *expr.Param:
		x.T = types.Type{Kind: t.Kind, Elem: t.Elem}
		return x, true, nil
	case *expr.Const:
		if t.Kind == types.Any || t.Kind == types.AnyElement {
			t = text
		}
		if x.V.Null(0) {
			return nullConst(t), true, nil
		}
		v := &vec.Vector{}
		plain := types.Type{Kind: t.Kind, Elem: t.Elem}
		read := plain
		if t.Kind == types.Interval {
			read = t // the modifier tells what a bare number means
		}
		v.Reset(plain)
		if err := datum.ParseText(read, x.V.Bytes(0), b.cat.Format(), v); err != nil {
			if p, has := b.pos[e]; has {
				pos = p
			}
			return nil, false, sqlstate.Wrap(sqlstate.InvalidText, err).At(pos)
		}
		k := &expr.Const{V: v}
		b.pos[k] = pos
		if t.Mod == 0 || t.Kind == types.Array {
			return k, true, nil
		}
		return b.coerce(k, t, cc, pos)
	}
	// An expression that stayed unknown can only be one whose parts are: give it text first.
	return nil, false, nil
}

// known makes an untyped literal or parameter text.
func (b *binder) known(e expr.Expr) expr.Expr {
	if !isUnknown(e) {
		return e
	}
	if x, ok, err := b.fromUnknown(e, text, builtin.Implicit, 0); ok && err == nil {
		return x
	}
	return e
}

// assign coerces for storing or for a place of a given type; mismatch makes the error.
func (b *binder) assign(e expr.Expr, t types.Type, pos int, mismatch func() error) (expr.Expr, error) {
	return b.must(e, t, builtin.Assignment, pos, mismatch)
}

func (b *binder) must(e expr.Expr, t types.Type, cc builtin.CastContext, pos int, mismatch func() error) (expr.Expr, error) {
	x, ok, err := b.coerce(e, t, cc, pos)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, sqlstate.Wrap(sqlstate.DatatypeMismatch, mismatch()).At(pos)
	}
	return x, nil
}

// asBool coerces a condition; clause names it in the error.
func (b *binder) asBool(e expr.Expr, clause string, pos int) (expr.Expr, error) {
	return b.must(e, boolean, builtin.Implicit, pos, func() error {
		return sqlstate.New(sqlstate.DatatypeMismatch, "argument of %s must be type boolean, not type %s", clause, typeName(e.Type()))
	})
}

// cast is an explicit one.
func (b *binder) cast(e expr.Expr, t types.Type, pos int) (expr.Expr, error) {
	x, ok, err := b.coerce(e, t, builtin.Explicit, pos)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, sqlstate.New(sqlstate.CannotCoerce, "cannot cast type %s to %s", typeName(e.Type()), typeName(t)).At(pos)
	}
	return x, nil
}
