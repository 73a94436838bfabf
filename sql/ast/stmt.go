package ast

// Stmt is a statement. The set of implementations is closed: *Select and the types of this file.
type Stmt interface{ stmt() }

// ColumnDef is a column of CREATE TABLE, or of a function's column definition list.
type ColumnDef struct {
	P
	Name    string
	Type    TypeName
	NotNull bool
}

// Option is a name with a value: of WITH (…), COPY (…), EXPLAIN (…). A list value is in List.
type Option struct {
	P
	Name  string
	Value string
	List  []string
	Has   bool // a value was given
}

// CreateTable is CREATE TABLE.
type CreateTable struct {
	Name         TableRef
	Columns      []ColumnDef
	PartitionBy  string
	PartitionPos int
	Options      []Option
	IfNotExists  bool
	Temporary    bool
}

// CreateTableAs is CREATE TABLE AS, and SELECT INTO.
type CreateTableAs struct {
	Name        TableRef
	Query       *Select
	Options     []Option
	IfNotExists bool
	NoData      bool
	Temporary   bool
}

// CreateView is CREATE VIEW; SQL is the text of its query.
type CreateView struct {
	Name    TableRef
	Cols    []string
	Query   *Select
	SQL     string
	Replace bool
}

// CreateSchema is CREATE SCHEMA.
type CreateSchema struct {
	Name        string
	IfNotExists bool
}

// ObjectKind is what a Drop removes.
type ObjectKind uint8

// The kinds of object.
const (
	ObjectTable ObjectKind = iota
	ObjectView
	ObjectSchema
)

// Drop is DROP TABLE, VIEW or SCHEMA. Names of schemas have an empty Schema.
type Drop struct {
	Kind     ObjectKind
	Names    []TableRef
	IfExists bool
	Cascade  bool
}

// Insert is INSERT. Query is nil for DEFAULT VALUES.
type Insert struct {
	Table     TableRef
	Cols      []Target // names only, in Alias
	Query     *Select
	Returning bool
	With      *With
}

// Delete is DELETE, and TRUNCATE of one table.
type Delete struct {
	Table     TableRef
	Using     []TableExpr
	Where     Expr
	With      *With
	Returning bool
}

// Truncate is TRUNCATE.
type Truncate struct{ Tables []TableRef }

// AlterTable is ALTER TABLE … SET (…) and RESET (…), of which the latter has options without a value.
type AlterTable struct {
	Table    TableRef
	Set      []Option
	Reset    []Option
	IfExists bool
}

// Copy is COPY. Query is nil when Table is copied.
type Copy struct {
	Table   TableRef
	Cols    []string
	Query   *Select
	From    bool
	File    string
	Program bool
	Options []Option
}

// Explain is EXPLAIN.
type Explain struct {
	Query   Stmt
	Options []Option
}

// SetVar is SET, SET LOCAL, RESET and RESET ALL.
type SetVar struct {
	Name     string
	Args     []string
	Default  bool // TO DEFAULT, RESET
	Reset    bool // RESET
	All      bool // RESET ALL
	Local    bool
	Multi    bool // SET TRANSACTION, SET SESSION CHARACTERISTICS: Options
	Options  []Option
	FromCurr bool
}

// Show is SHOW.
type Show struct{ Name string }

// TxKind is the kind of a transaction statement.
type TxKind uint8

// The transaction statements.
const (
	TxBegin TxKind = iota
	TxStart
	TxCommit
	TxRollback
	TxSavepoint
	TxRelease
	TxRollbackTo
)

// Tx is a transaction statement.
type Tx struct {
	Kind    TxKind
	Name    string
	Options []Option
	Chain   bool
}

// Prepare is SQL PREPARE.
type Prepare struct {
	Name  string
	Types []TypeName
	Query Stmt
}

// Execute is SQL EXECUTE.
type Execute struct {
	Name string
	Args []Expr
}

// Deallocate is DEALLOCATE; an empty name means all.
type Deallocate struct{ Name string }

// Declare is DECLARE … CURSOR.
type Declare struct {
	Name     string
	Query    *Select
	Hold     bool
	Scroll   bool
	NoScroll bool
	Binary   bool
}

// Fetch is FETCH and MOVE. Count is how many rows forward; All means all that remain. Backward is set for any direction
// but forward.
type Fetch struct {
	Name     string
	Count    int64
	All      bool
	Backward bool
	Move     bool
}

// Close is CLOSE; an empty name means all.
type Close struct{ Name string }

// Discard is DISCARD.
type Discard struct{ What string }

// Cluster is CLUSTER; without a table it is of all that have a sort key.
type Cluster struct {
	Table   *TableRef
	Verbose bool
}

// Ignored is a maintenance statement with nothing to do here: ANALYZE, VACUUM, CHECKPOINT …; Tag is its command tag.
type Ignored struct{ Tag string }

// Unsupported is a statement that is understood and refused: What names it, Hint tells what to do instead, if anything.
type Unsupported struct{ What, Hint string }

func (*Select) stmt()        {}
func (*CreateTable) stmt()   {}
func (*CreateTableAs) stmt() {}
func (*CreateView) stmt()    {}
func (*CreateSchema) stmt()  {}
func (*Drop) stmt()          {}
func (*Insert) stmt()        {}
func (*Delete) stmt()        {}
func (*Truncate) stmt()      {}
func (*Cluster) stmt()       {}
func (*AlterTable) stmt()    {}
func (*Copy) stmt()          {}
func (*Explain) stmt()       {}
func (*SetVar) stmt()        {}
func (*Show) stmt()          {}
func (*Tx) stmt()            {}
func (*Prepare) stmt()       {}
func (*Execute) stmt()       {}
func (*Deallocate) stmt()    {}
func (*Declare) stmt()       {}
func (*Fetch) stmt()         {}
func (*Close) stmt()         {}
func (*Discard) stmt()       {}
func (*Ignored) stmt()       {}
func (*Unsupported) stmt()   {}
