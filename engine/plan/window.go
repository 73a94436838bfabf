package plan

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
)

// Window computes window functions. Its rows come out ordered by Partition (ascending, NULL last), then Order; ties keep
// input order. All calls of a node share both; a query with several windows has a chain of nodes. Output: In's columns,
// then the calls' results.
type Window struct {
	In        Node
	Name      string // of the WINDOW clause, or w1, w2 …: for EXPLAIN
	Partition []expr.Expr
	Order     []SortKey
	Calls     []WindowCall
	Out       []Col // of the calls
	// Sorted tells that In's rows come in this order already.
	Sorted bool
}

// WindowCall is one window function call: Fn with Args, or an aggregate.
type WindowCall struct {
	Fn   *WindowFunc // nil: Agg is called
	Args []expr.Expr
	// Agg has neither DISTINCT nor ORDER BY.
	Agg   *AggCall
	Frame Frame
	T     types.Type
}

// WindowFunc names a window function that is no aggregate. engine/op implements it by name.
type WindowFunc struct {
	Name string
	Args []types.Type
	Ret  types.Type
	OID  uint32
}

// FrameMode is the unit a frame's bounds count in.
type FrameMode uint8

// The modes of a frame.
const (
	FrameRange FrameMode = iota
	FrameRows
	FrameGroups
)

// BoundKind is the kind of a frame's bound. The order is that of the positions.
type BoundKind uint8

// The kinds of bound.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

// Exclusion is what a frame leaves out.
type Exclusion uint8

// The exclusions.
const (
	ExcludeNone Exclusion = iota
	ExcludeCurrent
	ExcludeGroup
	ExcludeTies
)

// Frame is which rows of the partition a call sees. The zero value is not the default of SQL, DefaultFrame is.
type Frame struct {
	Mode       FrameMode
	Start, End Bound
	Exclude    Exclusion
	// RangeKey is the order key that offsets of a RANGE frame are compared in: of bigint or double precision, where the
	// offsets are added by the operator, else of the type of the bounds' Limit.
	RangeKey expr.Expr
}

// Bound is one end of a frame. Offset is an expression over no columns: bigint for ROWS and GROUPS. Limit is the farthest
// value of RangeKey within the bound, over In's columns, where the operator cannot compute it from Offset itself.
type Bound struct {
	Kind   BoundKind
	Offset expr.Expr
	Limit  expr.Expr
}

// DefaultFrame is RANGE UNBOUNDED PRECEDING.
func DefaultFrame() Frame {
	return Frame{Mode: FrameRange, Start: Bound{Kind: UnboundedPreceding}, End: Bound{Kind: CurrentRow}}
}

// Exprs returns the expressions of a call over In's columns.
func (c *WindowCall) Exprs() []expr.Expr {
	out := append([]expr.Expr(nil), c.Args...)
	if c.Agg != nil {
		out = append(append(out, c.Agg.Args...), some(c.Agg.Filter)...)
	}
	f := &c.Frame
	return append(out, some(f.RangeKey, f.Start.Limit, f.End.Limit, f.Start.Offset, f.End.Offset)...)
}

// MapExprs returns a copy of the call with each expression replaced by f's answer.
func (c WindowCall) MapExprs(f func(expr.Expr) expr.Expr) WindowCall {
	all := func(es []expr.Expr) []expr.Expr {
		var out []expr.Expr
		for _, e := range es {
			out = append(out, f(e))
		}
		return out
	}
	opt := func(e expr.Expr) expr.Expr {
		if e == nil {
			return nil
		}
		return f(e)
	}
	c.Args = all(c.Args)
	if c.Agg != nil {
		a := *c.Agg
		a.Args, a.Filter = all(a.Args), opt(a.Filter)
		c.Agg = &a
	}
	c.Frame.RangeKey = opt(c.Frame.RangeKey)
	for _, b := range []*Bound{&c.Frame.Start, &c.Frame.End} {
		b.Offset, b.Limit = opt(b.Offset), opt(b.Limit)
	}
	return c
}

// MapExprs returns a copy of the node over in, with each expression replaced by f's answer.
func (n *Window) MapExprs(in Node, f func(expr.Expr) expr.Expr) *Window {
	c := *n
	c.In = in
	c.Partition, c.Order, c.Calls = nil, nil, nil
	for _, e := range n.Partition {
		c.Partition = append(c.Partition, f(e))
	}
	for _, k := range n.Order {
		k.Expr = f(k.Expr)
		c.Order = append(c.Order, k)
	}
	for _, call := range n.Calls {
		c.Calls = append(c.Calls, call.MapExprs(f))
	}
	return &c
}

// Cols and Inputs.
func (n *Window) Cols() []Col    { return append(append([]Col(nil), n.In.Cols()...), n.Out...) }
func (n *Window) Inputs() []Node { return []Node{n.In} }

// Exprs returns the expressions of the node.
func (n *Window) Exprs() []expr.Expr {
	out := append([]expr.Expr(nil), n.Partition...)
	for _, k := range n.Order {
		out = append(out, k.Expr)
	}
	for i := range n.Calls {
		out = append(out, n.Calls[i].Exprs()...)
	}
	return out
}
