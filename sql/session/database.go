package session

import (
	"context"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Database is what a session asks of the database below. The root package provides it over the store.
type Database interface {
	// Snapshot pins the present moment.
	Snapshot() (Snapshot, error)
	// Schema changes are durable when they return. Errors carry SQLSTATEs (42P07, 42P01, 42P06, 3F000).
	CreateSchema(ctx context.Context, name string) error
	DropSchema(ctx context.Context, name string) error
	CreateTable(ctx context.Context, t *types.Table) (*types.Table, error) // gives it its ID
	DropTable(ctx context.Context, name types.TableName) error
	CreateView(ctx context.Context, v View, replace bool) error
	DropView(ctx context.Context, name types.TableName) error
	// SetRetention is ALTER TABLE … SET (retention = …); the zero value is for ever.
	SetRetention(ctx context.Context, name types.TableName, r types.Retention) error
	// Begin begins a set of changes that take effect at one moment.
	Begin() (Write, error)
	// Flush seals and publishes all heads: SELECT telemdb.flush().
	Flush(ctx context.Context) error
	// SystemTables lists the virtual tables below the engine: telemdb.segments, telemdb.wal, rollups.histograms …
	SystemTables() []SystemTable
	// Name is the database's name, Version the product's.
	Name() string
	Version() string
}

// Write is changes of which all become durable and visible when Commit returns, or none. Until then nobody sees them. It
// is used by one goroutine, and ends in Commit or Abort.
type Write interface {
	// CreateTable makes a table that is there from Commit on, and gives it its ID. Commit fails with 42P07 if its name is
	// taken by then.
	CreateTable(t *types.Table) (*types.Table, error)
	// Insert adds rows. Columns are the table's, in order, without hidden ones. next returns nil at the end.
	Insert(ctx context.Context, t *types.Table, next func() (*vec.Batch, error)) (rows int64, err error)
	// Delete deletes rows by their place in s.Source(t): types.ColRow. Those that are dead by now stay so. s may be
	// released before Commit.
	Delete(ctx context.Context, s Snapshot, t *types.Table, rows []int64) error
	Commit(ctx context.Context) error
	// Abort forgets the changes. It does nothing after Commit, whatever that returned.
	Abort() error
}

// Snapshot is one moment of the database. All its methods are safe for concurrent use until Release.
type Snapshot interface {
	Tables() []*types.Table
	Views() []View
	Schemas() []string
	// Version changes whenever Tables, Views or Schemas do.
	Version() uint64
	Source(t *types.Table) (column.Source, error)
	Release()
}

// View is a stored query.
type View struct {
	ID   uint32
	Name types.TableName
	SQL  string // the SELECT, as written
	Cols []plan.Col
}

// SystemTable is a table made when asked.
type SystemTable struct {
	Name types.TableName
	OID  uint32 // 0: one is made from the name
	Cols []plan.Col
	Rows func(ctx *expr.Ctx, s Snapshot, want plan.VirtualScan) (plan.Rows, error)
}

// ReadOnlyDatabase is a Database that may refuse all writes: then statements that write fail before they begin.
type ReadOnlyDatabase interface{ ReadOnly() bool }
