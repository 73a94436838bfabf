package ast

// Select is a query: SELECT, VALUES, TABLE, or a set operation of two.
type Select struct {
	With       *With
	Distinct   bool
	DistinctOn []Expr
	Targets    []Target
	From       []TableExpr
	Where      Expr
	GroupBy    []Expr
	Having     Expr
	Windows    []Window // the WINDOW clause
	Values     [][]Expr // VALUES; then Targets is empty
	SetOp      SetOp    // not SetNone: L and R are the operands
	All        bool
	L, R       *Select
	OrderBy    []SortBy
	Limit      Expr // nil: none, or ALL
	LimitPos   int
	Offset     Expr
	Into       *TableRef // SELECT INTO
}

// SetOp is the set operation of a Select.
type SetOp uint8

// The set operations.
const (
	SetNone SetOp = iota
	SetUnion
	SetIntersect
	SetExcept
)

func (s SetOp) String() string { return [...]string{"", "UNION", "INTERSECT", "EXCEPT"}[s] }

// Target is one item of a select list; Alias is "" if none was given.
type Target struct {
	P
	Expr  Expr
	Alias string
}

// SortBy is one ORDER BY item.
type SortBy struct {
	P
	Expr       Expr
	Desc       bool
	NullsFirst bool
}

// With is a WITH clause.
type With struct {
	Recursive bool
	CTEs      []CTE
}

// CTE is one item of a WITH clause.
type CTE struct {
	P
	Name         string
	Cols         []string
	Query        *Select
	Materialized bool // asked for explicitly
	Inline       bool // NOT MATERIALIZED
}

// TableExpr is an item of FROM.
type TableExpr interface{ tableExpr() }

// Database is the name of the one database: what a name of three parts may begin with.
const Database = "telemdb"

// TableRef is a table, view or CTE by name.
type TableRef struct {
	P
	Schema, Name string
	Alias        string
	Cols         []string
}

// SubTable is a subquery in FROM.
type SubTable struct {
	P
	Query   *Select
	Lateral bool
	Alias   string
	Cols    []string
}

// FuncTable is one or several functions in FROM.
type FuncTable struct {
	P
	Funcs      []Expr
	Defs       [][]ColumnDef // per function: its column definition list, or nil
	Lateral    bool
	Ordinality bool
	Alias      string
	Cols       []string
}

// JoinKind is the kind of a join.
type JoinKind uint8

// The kinds of join. A cross join is an inner one without a condition.
const (
	JoinInner JoinKind = iota
	JoinLeft
	JoinRight
	JoinFull
)

// Join is a JOIN.
type Join struct {
	P
	Kind    JoinKind
	Natural bool
	L, R    TableExpr
	Using   []string
	On      Expr
	Alias   string
	Cols    []string
}

func (*TableRef) tableExpr()  {}
func (*SubTable) tableExpr()  {}
func (*FuncTable) tableExpr() {}
func (*Join) tableExpr()      {}
