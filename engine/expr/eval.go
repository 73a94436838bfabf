package expr

import (
	"context"
	"errors"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Evaluator is a compiled expression with the buffers it needs. It belongs to one goroutine and to one execution: what
// it has learnt of parameters and uncorrelated subplans stays true only that long.
type Evaluator struct {
	root node
	full vec.Bitmap
}

// Compile prepares e for evaluation.
func Compile(e Expr) *Evaluator { return &Evaluator{root: compile(e)} }

// CompileAll compiles a list.
func CompileAll(es []Expr) []*Evaluator {
	out := make([]*Evaluator, len(es))
	for i, e := range es {
		out[i] = Compile(e)
	}
	return out
}

// Eval computes the expression for the rows of in whose bit is set in sel (nil: all rows); in.Sel is not looked at. The
// result has in.N rows in any form; rows outside sel may hold anything. It may be one of in's own columns, and is valid
// until the next call or until in changes.
func (ev *Evaluator) Eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	return ev.root.eval(ctx, in, ev.selection(in, sel))
}

// Filter clears the bits of sel whose row does not make the boolean expression true.
func (ev *Evaluator) Filter(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) error {
	return filter(ev.root, ctx, in, sel)
}

func (ev *Evaluator) selection(in *vec.Batch, sel vec.Bitmap) vec.Bitmap {
	if sel != nil {
		return sel
	}
	ev.full = ev.full.Resize(in.N)
	ev.full.Fill(in.N)
	return ev.full
}

// Eval evaluates e once, without keeping what compiling it costs: for constants and tests. out gets in.N flat rows.
func Eval(ctx *Ctx, e Expr, in *vec.Batch, sel vec.Bitmap, out *vec.Vector) error {
	ev := Compile(e)
	v, err := ev.Eval(ctx, in, sel)
	if err != nil {
		return err
	}
	if n, ok := ev.root.(*callNode); ok && v == &n.out && in.N == 1 && v.Form != vec.Dict {
		*out = *v // nobody else has its memory: a constant may be a text of megabytes
		out.Form = vec.Flat
		return nil
	}
	out.Reset(e.Type())
	for i := range in.N {
		if sel != nil && !sel.Get(i) {
			out.AppendNull()
			continue
		}
		out.AppendFrom(v, i)
	}
	return nil
}

// EvalFilter clears the bits of sel whose row does not make e true.
func EvalFilter(ctx *Ctx, e Expr, in *vec.Batch, sel vec.Bitmap) error {
	return Compile(e).Filter(ctx, in, sel)
}

// OneRow is the input of expressions that see no columns.
func OneRow() *vec.Batch { return &vec.Batch{N: 1} }

// node is one compiled expression. sel is never nil.
type node interface {
	eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error)
}

// filterer is a node that can narrow a selection without making a vector of booleans.
type filterer interface {
	filter(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) error
}

func filter(n node, ctx *Ctx, in *vec.Batch, sel vec.Bitmap) error {
	if f, ok := n.(filterer); ok {
		return f.filter(ctx, in, sel)
	}
	v, err := n.eval(ctx, in, sel)
	if err != nil {
		return err
	}
	keepTrue(v, sel)
	return nil
}

// keepTrue clears the bits of sel whose row of the boolean vector v is false or NULL.
func keepTrue(v *vec.Vector, sel vec.Bitmap) {
	switch v.Form {
	case vec.Const:
		if v.Null(0) || !v.Bits.Get(0) {
			clear(sel)
		}
	case vec.Dict:
		sel.All(func(i int) {
			if v.Null(i) || !v.Bool(i) {
				sel.Clear(i)
			}
		})
	default:
		sel.And(v.Bits)
		if v.Valid != nil {
			sel.And(v.Valid)
		}
	}
}

func compile(e Expr) node {
	if inPieces(e) {
		return &piecesNode{arg: compileWhole(e), t: e.Type()}
	}
	return compileWhole(e)
}

func compileWhole(e Expr) node {
	switch e := e.(type) {
	case *Col:
		return &colNode{idx: e.Idx}
	case *Const:
		return &constNode{v: e.V}
	case *Param:
		return &paramNode{e: e}
	case *Outer:
		return &outerNode{e: e}
	case *Call:
		return compileCall(e)
	case *Logic:
		return compileLogic(e)
	case *Not:
		return &notNode{arg: compile(e.Arg)}
	case *IsNull:
		return &isNullNode{arg: compile(e.Arg), negate: e.Negate}
	case *Case:
		return compileCase(e)
	case *Coalesce:
		return compileCoalesce(e)
	case *In:
		return compileIn(e)
	case *Leaf:
		return compileLeaf(e)
	case *Subplan:
		return compileSubplan(e)
	}
	return badNode{e}
}

type badNode struct{ e Expr }

func (n badNode) eval(*Ctx, *vec.Batch, vec.Bitmap) (*vec.Vector, error) {
	return nil, sqlstate.New(sqlstate.Internal, "expression of kind %T cannot be evaluated", n.e)
}

type colNode struct{ idx int }

func (n *colNode) eval(_ *Ctx, in *vec.Batch, _ vec.Bitmap) (*vec.Vector, error) {
	return in.Cols[n.idx], nil
}

type constNode struct {
	v   *vec.Vector
	out vec.Vector
}

func (n *constNode) eval(_ *Ctx, in *vec.Batch, _ vec.Bitmap) (*vec.Vector, error) {
	spread(&n.out, n.v, in.N)
	return &n.out, nil
}

// spread makes dst a constant view of the one-row vector v, sharing its memory.
func spread(dst, v *vec.Vector, n int) {
	*dst = *v
	if v.Form == vec.Dict {
		dst.Reset(v.Type)
		dst.SetConst(v, 0, n)
		return
	}
	dst.Form, dst.N = vec.Const, n
}

type paramNode struct {
	e   *Param
	out vec.Vector
}

func (n *paramNode) eval(ctx *Ctx, in *vec.Batch, _ vec.Bitmap) (*vec.Vector, error) {
	if n.e.Idx >= len(ctx.Params) || ctx.Params[n.e.Idx] == nil {
		return nil, sqlstate.New(sqlstate.UndefinedParameter, "there is no parameter $%d", n.e.Idx+1)
	}
	spread(&n.out, ctx.Params[n.e.Idx], in.N)
	n.out.Type = n.e.T
	return &n.out, nil
}

type outerNode struct {
	e   *Outer
	out vec.Vector
}

func (n *outerNode) eval(ctx *Ctx, in *vec.Batch, _ vec.Bitmap) (*vec.Vector, error) {
	d := n.e.Depth - 1
	if d < 0 || d >= len(ctx.Outer) || n.e.Idx >= len(ctx.Outer[d]) || ctx.Outer[d][n.e.Idx] == nil {
		return nil, sqlstate.New(sqlstate.Internal, "column %q of an enclosing query has no value here", n.e.Name)
	}
	spread(&n.out, ctx.Outer[d][n.e.Idx], in.N)
	return &n.out, nil
}

// as returns v under type t: itself, relabelled, or NULLs where a NULL of another class stands for any type.
func as(v *vec.Vector, t types.Type, buf *vec.Vector) *vec.Vector {
	if v.Type == t {
		return v
	}
	if v.Type.Phys() != t.Phys() {
		buf.SetConstNull(t, v.N)
		return buf
	}
	*buf = *v
	buf.Type = t
	return buf
}

// Canceled returns error 57014 if the statement has been cancelled or its time is up, and nil otherwise. It is looked
// at once per batch.
func Canceled(ctx *Ctx) error {
	if ctx.Context == nil || ctx.Context.Err() == nil {
		return nil
	}
	cause := context.Cause(ctx.Context)
	var e *sqlstate.Error
	if errors.As(cause, &e) {
		return e
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return sqlstate.New(sqlstate.QueryCanceled, "canceling statement due to statement timeout")
	}
	return sqlstate.New(sqlstate.QueryCanceled, "canceling statement due to user request")
}
