// Package ast holds parsed SQL as plain data: our own statements and expressions, with positions in characters. Nothing
// in it knows which parser made it.
package ast

// P is a position: characters into the query string, from 1; 0 if unknown.
type P int

// Pos returns the position.
func (p P) Pos() int { return int(p) }

// Expr is an expression as written. The set of implementations is closed: the types of this file.
type Expr interface {
	Pos() int
	expr()
}

// LitKind is the kind of a literal.
type LitKind uint8

// The kinds of literal. Int fits 32 bits; a larger integer and a decimal are both Number.
const (
	Null LitKind = iota
	Bool
	Int
	Number
	String
	Bits
)

// Lit is a literal; Text is its value ("t" and "f" for a boolean).
type Lit struct {
	P
	Kind LitKind
	Text string
}

// Name is a column reference: a, t.a, s.t.a; with Star t.* or *.
type Name struct {
	P
	Parts []string
	Star  bool
}

// Param is $N.
type Param struct {
	P
	N int
}

// Op is an operator; L is nil for a prefix operator.
type Op struct {
	P
	Schema, Name string
	L, R         Expr
}

// Logic is AND or OR over two or more operands.
type Logic struct {
	P
	Or   bool
	Args []Expr
}

// Not is NOT.
type Not struct {
	P
	Arg Expr
}

// IsNull is IS [NOT] NULL.
type IsNull struct {
	P
	Arg    Expr
	Negate bool
}

// IsBool is IS [NOT] TRUE, FALSE or UNKNOWN (Want is "true", "false", "unknown").
type IsBool struct {
	P
	Arg    Expr
	Want   string
	Negate bool
}

// IsDistinct is IS [NOT] DISTINCT FROM.
type IsDistinct struct {
	P
	L, R   Expr
	Negate bool
}

// Func is a function call.
type Func struct {
	P
	Schema, Name string
	Args         []Expr
	ArgNames     []string // nil, or one per argument, "" for a positional one
	Star         bool     // count(*)
	Distinct     bool
	Variadic     bool
	Within       bool // WITHIN GROUP: Order is its ORDER BY
	Order        []SortBy
	Filter       Expr
	Over         *Window // OVER: a window function call; nil: a plain one
}

// Value is a function without parentheses: current_date, current_user …; Prec is -1 if none was given.
type Value struct {
	P
	Name string
	Prec int
}

// Cast is CAST, :: or type 'literal'.
type Cast struct {
	P
	Arg  Expr
	Type TypeName
}

// TypeName is a type as written: its names and the modifiers in parentheses.
type TypeName struct {
	P
	Names []string
	Mods  []Expr
	Array bool
	Setof bool
	// Fields is the mask of INTERVAL's fields, 0 for none.
	Fields int
}

// Case is CASE; Arg is nil for the searched form, Else nil for none.
type Case struct {
	P
	Arg   Expr
	Whens []When
	Else  Expr
}

// When is one arm of a Case.
type When struct {
	Cond, Then Expr
	P
}

// Coalesce is COALESCE.
type Coalesce struct {
	P
	Args []Expr
}

// MinMax is GREATEST or LEAST.
type MinMax struct {
	P
	Least bool
	Args  []Expr
}

// NullIf is NULLIF.
type NullIf struct {
	P
	L, R Expr
}

// In is [NOT] IN (list).
type In struct {
	P
	Arg    Expr
	List   []Expr
	Negate bool
}

// Between is [NOT] BETWEEN [SYMMETRIC].
type Between struct {
	P
	Arg, Lo, Hi       Expr
	Negate, Symmetric bool
}

// Quantified is L op ANY (array) or ALL (array).
type Quantified struct {
	P
	Schema, Op string
	L, Array   Expr
	All        bool
}

// SubKind is the kind of a Sub.
type SubKind uint8

// The kinds of subquery in an expression.
const (
	SubScalar SubKind = iota
	SubExists
	SubAny // Test Op ANY (query); IN is = ANY
	SubAll
	SubArray
)

// Sub is a subquery in an expression.
type Sub struct {
	P
	Kind       SubKind
	Test       Expr
	Schema, Op string
	Query      *Select
}

// Array is ARRAY[…].
type Array struct {
	P
	Elems []Expr
}

// Row is ROW(…) or (a, b).
type Row struct {
	P
	Args []Expr
}

// Index is arg[i] or arg[lo:hi], one subscript a node.
type Index struct {
	P
	Arg    Expr
	Slice  bool
	Lo, Hi Expr // a plain subscript is Lo; bounds of a slice may be nil
}

// Field is (arg).name, or (arg).* if Star.
type Field struct {
	P
	Arg  Expr
	Name string
	Star bool
}

// Collate is arg COLLATE name.
type Collate struct {
	P
	Arg  Expr
	Name []string
}

// Default is DEFAULT in a VALUES list.
type Default struct{ P }

// SetKind is the kind of a GroupingSet.
type SetKind uint8

// The kinds: one set of expressions (empty for "()"), and ROLLUP, CUBE and GROUPING SETS over sets and expressions.
const (
	SimpleSet SetKind = iota
	Rollup
	Cube
	GroupingSets
)

// GroupingSet stands in GROUP BY only.
type GroupingSet struct {
	P
	Kind  SetKind
	Items []Expr
}

// Grouping is GROUPING(…).
type Grouping struct {
	P
	Args []Expr
}

func (*GroupingSet) expr() {}
func (*Grouping) expr()    {}

func (*Lit) expr()        {}
func (*Name) expr()       {}
func (*Param) expr()      {}
func (*Op) expr()         {}
func (*Logic) expr()      {}
func (*Not) expr()        {}
func (*IsNull) expr()     {}
func (*IsBool) expr()     {}
func (*IsDistinct) expr() {}
func (*Func) expr()       {}
func (*Value) expr()      {}
func (*Cast) expr()       {}
func (*Case) expr()       {}
func (*Coalesce) expr()   {}
func (*MinMax) expr()     {}
func (*NullIf) expr()     {}
func (*In) expr()         {}
func (*Between) expr()    {}
func (*Quantified) expr() {}
func (*Sub) expr()        {}
func (*Array) expr()      {}
func (*Row) expr()        {}
func (*Index) expr()      {}
func (*Field) expr()      {}
func (*Collate) expr()    {}
func (*Default) expr()    {}
