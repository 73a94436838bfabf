// Package expr holds typed expressions as plain data, and their vectorised evaluation. The binder makes them, operators
// evaluate them, EXPLAIN prints them.
package expr

import (
	"context"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Expr is a typed expression. The set of implementations is closed: the types of this file.
type Expr interface {
	Type() types.Type
}

// Col is column Idx of the operator's input.
type Col struct {
	Idx  int
	T    types.Type
	Name string // for EXPLAIN
}

// Const is a constant: a vector of one row (NULL if its validity says so).
type Const struct{ V *vec.Vector }

// Param is a protocol parameter, $Idx+1. Its value is in Ctx.Params when the plan runs.
type Param struct {
	Idx int
	T   types.Type
}

// Outer is column Idx of the current row of the query that encloses this one, Depth levels up (1 is the nearest). Its
// value is in Ctx.Outer when a correlated subplan runs.
type Outer struct {
	Depth, Idx int
	T          types.Type
	Name       string
}

// Call applies a function, an operator or a cast: all are Funcs.
type Call struct {
	Fn   *Func
	Args []Expr
	T    types.Type // the result, after polymorphism is resolved; carries the typmod of a cast
}

// Logic is AND or OR over two or more operands, three-valued. Operands are evaluated left to right, each only for the
// rows the ones before left undecided.
type Logic struct {
	Or   bool
	Args []Expr
}

// Not is three-valued NOT.
type Not struct{ Arg Expr }

// IsNull is IS NULL, or IS NOT NULL if Negate.
type IsNull struct {
	Arg    Expr
	Negate bool
}

// Case is the searched CASE; a simple CASE is bound to it. Results are of type T. Else is never nil.
type Case struct {
	Whens []When
	Else  Expr
	T     types.Type
}

// When is one arm of a Case.
type When struct{ Cond, Then Expr }

// Coalesce returns its first argument that is not NULL, evaluating each only where the ones before were.
type Coalesce struct {
	Args []Expr
	T    types.Type
}

// In tests Arg against a list of constants of the same type: flat, sorted, without NULLs. HasNull tells that the list
// held a NULL, so that a miss is NULL. Lists with non-constant items are bound to Logic instead.
type In struct {
	Arg     Expr
	List    *vec.Vector
	HasNull bool
	Negate  bool
}

// Leaf is a nested member of a jsonb value that stays a path for as long as possible: `base -> k1 -> k2`, or `->>` if
// the type is text. A scan turns a Leaf over one of its own columns into a read of the leaf's own column; over anything
// else it is evaluated on the jsonb text. T is JSONB or Text, or the type a cast around it asked for (bigint, double
// precision, boolean, numeric, histogram …), with the meaning of that cast applied to the text form (AsText) or to the
// jsonb value. A key that is an array index is a step too: "-1" and "0" are tried as indexes on arrays.
type Leaf struct {
	Base   Expr // type JSONB
	Path   []string
	AsText bool // the last step was ->>: T is text, or cast from it
	T      types.Type
	// Outline, where T is jsonb, says that an object may come without its members: only what the value is counts. The
	// path may be empty then. A scan answers that from which columns have a value, without putting the object together.
	Outline bool
}

// SubKind tells what a Subplan is asked.
type SubKind uint8

// The kinds of subplan.
const (
	SubScalar SubKind = iota // one column, at most one row; more is error 21000
	SubExists
	SubIn    // Arg = ANY (subplan)
	SubArray // ARRAY(subquery)
)

// Subplan is a subquery in an expression. Plan is an engine/plan.Node, declared as any to keep the packages in order.
// An uncorrelated one runs once per execution, a correlated one once per distinct outer row.
type Subplan struct {
	Kind       SubKind
	Plan       any
	Arg        Expr // SubIn
	Negate     bool // NOT EXISTS, NOT IN
	Correlated bool
	T          types.Type
}

// Type implementations.
func (e *Col) Type() types.Type      { return e.T }
func (e *Const) Type() types.Type    { return e.V.Type }
func (e *Param) Type() types.Type    { return e.T }
func (e *Outer) Type() types.Type    { return e.T }
func (e *Call) Type() types.Type     { return e.T }
func (e *Logic) Type() types.Type    { return types.Of(types.Bool) }
func (e *Not) Type() types.Type      { return types.Of(types.Bool) }
func (e *IsNull) Type() types.Type   { return types.Of(types.Bool) }
func (e *Case) Type() types.Type     { return e.T }
func (e *Coalesce) Type() types.Type { return e.T }
func (e *In) Type() types.Type       { return types.Of(types.Bool) }
func (e *Leaf) Type() types.Type     { return e.T }
func (e *Subplan) Type() types.Type  { return e.T }

// Volatility tells when a call may be folded.
type Volatility uint8

// The volatilities.
const (
	Immutable Volatility = iota // folded at plan time
	Stable                      // one value per statement (now(), current_setting)
	Volatile                    // evaluated per row (random, nextval)
)

// Func is a scalar function, operator or cast. Registries (sql/builtin) hold one per signature.
type Func struct {
	Name     string // "lower", "+", "int4" (the cast to integer); lower case
	Args     []types.Type
	Variadic bool // the last argument repeats, zero or more times
	Ret      types.Type
	Volatile Volatility
	// Called says that Eval wants to see NULL arguments. Otherwise the function is strict: the evaluator makes the
	// result NULL where any argument is, and takes those rows out of sel before it calls.
	Called bool
	// Eval computes the rows of sel (bits above n are zero). args have n rows in any Form. out has been Reset to the
	// call's type; Eval sets it to n rows, flat or constant; rows outside sel may hold anything but must be there. An
	// error is only raised for a row of sel. Eval may not keep args. It may mark rows NULL in out.Valid. Where a row of out
	// takes many bytes it may stop early: see Ctx.TakePieces.
	Eval func(ctx *Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error
	OID  uint32 // pg_proc oid; 0 for none
	// Monotone has a bit for each argument, the first's lowest, in which the result only rises or only falls while the others
	// stay the same. NULL, infinity and NaN are left out of this.
	Monotone uint8
	// Whole, if it is set, returns for calls whose result is always a small whole number what computes it as a bigint, and what
	// makes the call's result of that, always the same for the same; nil for other calls. Whoever only compares results for
	// equality may use whole, which is the cheaper type.
	Whole func(args []Expr) (whole, back *Func)
}

// MonotoneIn reports whether the result is monotone in argument i.
func (f *Func) MonotoneIn(i int) bool { return i < 8 && f.Monotone>>i&1 != 0 }

// Ctx is what an evaluation may know beside its arguments.
type Ctx struct {
	Context context.Context
	Params  []*vec.Vector   // one row each
	Outer   [][]*vec.Vector // Outer[0] is the nearest enclosing row: one-row vectors
	Session SessionInfo
	// Run executes a subplan for Ctx.Outer and returns its rows (op sets it).
	Run func(ctx *Ctx, p any) ([]*vec.Batch, error)
	// Once gives what make returned when it was first called with this key during the execution: what the evaluators of
	// all workers share, such as the result of an uncorrelated subplan. Nil: every evaluator calls make for itself.
	Once func(key any, make func() (any, error)) (any, error)
	// OuterRefs lists the columns of the nearest enclosing row that a subplan refers to (op sets it); nil: unknown.
	OuterRefs func(p any) []int
	// RetType is the type the call under evaluation was resolved to; the evaluator sets it before Eval.
	RetType types.Type
	// TextRoom is how many bytes of text one call makes before what is above it takes them, and the rows that are left come
	// after that: see Pieces. 0: what is best; below 0: all rows at once.
	TextRoom int
	// PlainCase makes CASE and COALESCE copy texts that they could give as codes of a dictionary.
	PlainCase bool

	piece *Pieces // the rows under evaluation, where they may end early
	offer *Pieces // the same for the call under evaluation, if it makes texts of it
}

// SessionInfo is what functions ask of the session that runs them. Catalog functions get more by asserting a wider
// interface that the session package declares.
type SessionInfo interface {
	Setting(name string) (string, bool)
	Now() int64 // the transaction's start, microseconds since 1970
	Zone() string
	User() string
	Database() string
}
