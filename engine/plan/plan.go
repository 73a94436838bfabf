// Package plan holds physical query plans as plain data: what the optimiser hands to the operators, and what EXPLAIN
// prints. A node owns nothing and does nothing.
package plan

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Col is one output column of a node.
type Col struct {
	Name string
	Type types.Type
}

// Node is a plan node. Every expression inside a node counts the columns of its inputs: those of the first input, then
// those of the second.
type Node interface {
	Cols() []Col
	Inputs() []Node
}

// ScanCol is one thing a scan reads: a column, or a nested member of a jsonb column. For a member, AsText, Type and Outline
// mean what they mean in expr.Leaf.
type ScanCol struct {
	Column  string
	Path    []string
	AsText  bool
	Type    types.Type
	Outline bool
}

// Scan reads a stored table. Filter holds conjuncts over Read's columns, in the order the optimiser would try them; the
// scan pushes down what it can, in an order of its own. The output is the first Out columns of Read; those behind are
// read for the filter only.
type Scan struct {
	Table  *types.Table
	Read   []ScanCol
	Out    int
	Filter []expr.Expr
	Alias  string
	// Limit stops the scan after that many rows; 0 is no limit. Only where any rows will do.
	Limit int64
	// Implied is a column that is a function of another in every row of the table; nil: none is known.
	Implied *Implied
}

// Implied tells that in every row of a table the bigint column To is Of(the value of the text column From), and NULL where
// that is: a condition on From that names its values is one on To as well.
type Implied struct {
	From, To string
	Of       func(from []byte) int64
}

// Virtual is a table whose rows are made when asked: system views, catalogs, roll-up readers. Rows is called once per
// execution; batches are pulled one after the other.
type Virtual struct {
	Name   string
	Out    []Col
	Filter []expr.Expr // over Out; applied by the operator, and by Rows as far as it likes
	Rows   func(ctx *expr.Ctx, want VirtualScan) (Rows, error)
}

// VirtualScan tells a virtual table what is asked, so that it can leave out what nobody looks at.
type VirtualScan struct {
	Filter []expr.Expr
	Used   []bool // per column of Out: is it read at all? Others may be NULL
}

// Rows is a stream of batches. Next returns nil at the end. The batch is valid until the next call.
type Rows interface {
	Next() (*vec.Batch, error)
	Close()
}

// Values is a constant table; its expressions see no columns.
type Values struct {
	Out  []Col
	Rows [][]expr.Expr
}

// Filter keeps the rows for which Cond is true.
type Filter struct {
	In   Node
	Cond expr.Expr
}

// Project computes expressions.
type Project struct {
	In    Node
	Out   []Col
	Exprs []expr.Expr
}

// SetFunc is a set-returning function call: generate_series, unnest, jsonb_each, hist_buckets …
type SetFunc struct {
	Fn   *TableFunc
	Args []expr.Expr
	Out  []Col // of the call
}

// TableFunc is a set-returning function of the registry.
type TableFunc struct {
	Name     string
	Args     []types.Type
	Variadic bool
	Ret      []Col // of one column for a scalar set
	// Call appends the rows for row i of the arguments to out, whose columns have been Reset; it returns their number.
	Call func(ctx *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error)
	// Part, if it is set, appends no more than most of the same rows, from a row on, and reports whether there are more after
	// them: so long sets need not be there at once.
	Part func(ctx *expr.Ctx, args []*vec.Vector, i, from, most int, out []*vec.Vector) (n int, more bool, err error)
	// Cols resolves Ret for polymorphic functions; nil if Ret is fixed.
	Cols func(args []types.Type) []Col
	OID  uint32
}

// ProjectSet computes expressions and, in lockstep, set-returning functions: for each input row as many rows as the
// longest set, shorter sets padded with NULL. Output: In's columns, then each set's columns [, ordinality].
// With KeepEmpty a row whose sets are all empty still gives one row (LEFT JOIN LATERAL).
type ProjectSet struct {
	In         Node
	Sets       []SetFunc
	Ordinality bool
	KeepEmpty  bool
}

// Agg groups by Keys and computes Aggs. Without Keys it gives exactly one row. Output: keys, then aggregates.
//
// With Sets (GROUPING SETS, ROLLUP, CUBE) it groups once for each of them, by the keys that the set lists by number; the
// others are NULL. A set without keys gives one row, also where there are no rows. A last output column, an integer, tells
// which set a row is of.
//
// Limit > 0 tells that any so many of the groups will do; there may be more.
type Agg struct {
	In   Node
	Keys []expr.Expr
	Aggs []AggCall
	Sets [][]int
	Out  []Col
	// Limit is 0 with Sets, and without Keys.
	Limit int64
}

// AggCall is one aggregate. Order is for ordered-set aggregates and for array_agg(x ORDER BY y).
type AggCall struct {
	Fn       *AggFunc
	Args     []expr.Expr
	Distinct bool
	Filter   expr.Expr // nil: all rows
	Order    []SortKey
	T        types.Type
}

// AggFunc names an aggregate's signature. engine/agg implements it by name and argument types.
type AggFunc struct {
	Name       string
	Args       []types.Type
	Variadic   bool
	Ret        types.Type
	OrderedSet bool // percentile_cont(0.5) WITHIN GROUP (ORDER BY x): Args are the direct ones, Order has the input
	OID        uint32
}

// SortKey is one ORDER BY item.
type SortKey struct {
	Expr       expr.Expr
	Desc       bool
	NullsFirst bool
}

// Sort orders its input; ties keep input order. Limit > 0 keeps only that many rows (top-N).
type Sort struct {
	In    Node
	Keys  []SortKey
	Limit int64
}

// Limit skips Offset rows and passes Count. Both are expressions of type bigint over no columns; nil is none.
type Limit struct {
	In            Node
	Count, Offset expr.Expr
}

// Distinct keeps the first row of each set of equal On values (all columns if On is nil).
type Distinct struct {
	In Node
	On []expr.Expr
}

// JoinKind is the kind of a join.
type JoinKind uint8

// The kinds of join. Semi and Anti output the left columns only.
const (
	Inner JoinKind = iota
	Left
	Right
	Full
	Semi
	Anti
)

// Join joins by equality of LeftKeys (over L) and RightKeys (over R), and Cond (over L then R) on top; without keys it
// is a nested loop. NULL keys match nothing. Output: L's columns, then R's.
type Join struct {
	Kind                JoinKind
	L, R                Node
	LeftKeys, RightKeys []expr.Expr
	Cond                expr.Expr
	// NotIn makes an anti join by one key and without Cond x NOT IN (R): if R has rows, a NULL key of L is not put out, and if one
	// of R's keys is NULL nothing is.
	NotIn bool
}

// Apply runs R once for every row of L, R seeing L's row as expr.Outer depth 1 (LATERAL). Kind is Inner or Left.
type Apply struct {
	Kind JoinKind
	L, R Node
	Cond expr.Expr
}

// SetOp combines inputs of equal column types.
type SetOp struct {
	Op   SetOpKind
	All  bool
	L, R Node
	Out  []Col
}

// SetOpKind is UNION, INTERSECT or EXCEPT.
type SetOpKind uint8

// The set operations.
const (
	Union SetOpKind = iota
	Intersect
	Except
)

// With computes Defs once, in order, and makes them visible to CTEScan inside In and later Defs.
type With struct {
	Defs []CTE
	In   Node
}

// CTE is one materialised WITH item. For a recursive one Step refers to it by a CTEScan with Working set.
type CTE struct {
	ID   int // unique in the statement
	Name string
	Plan Node
	Step Node // nil if not recursive
	All  bool // UNION ALL
}

// CTEScan reads a materialised CTE.
type CTEScan struct {
	ID      int
	Name    string
	Alias   string // what the query calls it; "": its name
	Out     []Col
	Working bool
}

// Cols and Inputs.
func (n *Scan) Cols() []Col {
	out := make([]Col, n.Out)
	for i := range out {
		out[i] = Col{n.Read[i].Name(), n.Read[i].Type}
	}
	return out
}

// Name is the column's name, or the last step of the member's path.
func (c ScanCol) Name() string {
	if len(c.Path) > 0 {
		return c.Path[len(c.Path)-1]
	}
	return c.Column
}

func (n *Scan) Inputs() []Node       { return nil }
func (n *Virtual) Cols() []Col       { return n.Out }
func (n *Virtual) Inputs() []Node    { return nil }
func (n *Values) Cols() []Col        { return n.Out }
func (n *Values) Inputs() []Node     { return nil }
func (n *Filter) Cols() []Col        { return n.In.Cols() }
func (n *Filter) Inputs() []Node     { return []Node{n.In} }
func (n *Project) Cols() []Col       { return n.Out }
func (n *Project) Inputs() []Node    { return []Node{n.In} }
func (n *ProjectSet) Inputs() []Node { return []Node{n.In} }
func (n *ProjectSet) Cols() []Col {
	out := append([]Col(nil), n.In.Cols()...)
	for _, s := range n.Sets {
		out = append(out, s.Out...)
	}
	if n.Ordinality {
		out = append(out, Col{"ordinality", types.Of(types.Int64)})
	}
	return out
}
func (n *Agg) Cols() []Col         { return n.Out }
func (n *Agg) Inputs() []Node      { return []Node{n.In} }
func (n *Sort) Cols() []Col        { return n.In.Cols() }
func (n *Sort) Inputs() []Node     { return []Node{n.In} }
func (n *Limit) Cols() []Col       { return n.In.Cols() }
func (n *Limit) Inputs() []Node    { return []Node{n.In} }
func (n *Distinct) Cols() []Col    { return n.In.Cols() }
func (n *Distinct) Inputs() []Node { return []Node{n.In} }
func (n *Join) Inputs() []Node     { return []Node{n.L, n.R} }
func (n *Join) Cols() []Col {
	if n.Kind == Semi || n.Kind == Anti {
		return n.L.Cols()
	}
	return append(append([]Col(nil), n.L.Cols()...), n.R.Cols()...)
}
func (n *Apply) Inputs() []Node { return []Node{n.L, n.R} }
func (n *Apply) Cols() []Col {
	return append(append([]Col(nil), n.L.Cols()...), n.R.Cols()...)
}
func (n *SetOp) Cols() []Col    { return n.Out }
func (n *SetOp) Inputs() []Node { return []Node{n.L, n.R} }
func (n *With) Cols() []Col     { return n.In.Cols() }
func (n *With) Inputs() []Node {
	var in []Node
	for _, d := range n.Defs {
		in = append(in, d.Plan)
		if d.Step != nil {
			in = append(in, d.Step)
		}
	}
	return append(in, n.In)
}
func (n *CTEScan) Cols() []Col    { return n.Out }
func (n *CTEScan) Inputs() []Node { return nil }
