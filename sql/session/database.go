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
	// Insert makes rows durable and visible, all or none. Columns are the table's, in order, without hidden ones.
	// next returns nil at the end.
	Insert(ctx context.Context, t *types.Table, next func() (*vec.Batch, error)) (rows int64, err error)
	// Flush seals and publishes all heads: SELECT telemdb.flush().
	Flush(ctx context.Context) error
	// SystemTables lists the virtual tables below the engine: telemdb.segments, telemdb.wal, rollups.histograms …
	SystemTables() []SystemTable
	// Name is the database's name, Version the product's.
	Name() string
	Version() string
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
