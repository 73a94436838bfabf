// Package catalogtest is a database in memory for tests of what stands on sql/session: the catalogs and the wire. It
// keeps everything and forgets nothing but on Drop; it has no log and no segments.
package catalogtest

import (
	"context"
	"slices"
	"sync"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// DB implements session.Database.
type DB struct {
	mu      sync.Mutex
	version uint64
	lastID  uint32
	tables  []*types.Table
	views   []session.View
	schemas []string
	rows    map[uint32][]column.Morsel
}

var _ session.Database = (*DB)(nil)

// New returns a database with the schemas public and telemetry and no tables.
func New() *DB {
	return &DB{version: 1, schemas: []string{"public", "telemetry"}, rows: map[uint32][]column.Morsel{}}
}

// Name is the database's name, Version the product's.
func (d *DB) Name() string    { return "telemdb" }
func (d *DB) Version() string { return "0.0.0-test" }

// Flush has nothing to do.
func (d *DB) Flush(context.Context) error { return nil }

// SystemTables is telemdb.segments, in which every insert is a segment of a byte a value.
func (d *DB) SystemTables() []session.SystemTable {
	cols := []plan.Col{{Name: "schema_name", Type: types.Of(types.Text)}, {Name: "table_name", Type: types.Of(types.Text)}, {Name: "bytes", Type: types.Of(types.Int64)}}
	return []session.SystemTable{{Name: types.TableName{Schema: "telemdb", Name: "segments"}, Cols: cols,
		Rows: func(_ *expr.Ctx, s session.Snapshot, _ plan.VirtualScan) (plan.Rows, error) {
			b := &vec.Batch{}
			for _, c := range cols {
				v := &vec.Vector{}
				v.Reset(c.Type)
				b.Cols = append(b.Cols, v)
			}
			for _, t := range s.Tables() {
				src, err := s.Source(t)
				if err != nil {
					return nil, err
				}
				for _, m := range src.Morsels() {
					b.Cols[0].AppendString(t.Schema)
					b.Cols[1].AppendString(t.Name)
					b.Cols[2].AppendInt(int64(m.Rows() * len(t.Columns)))
					b.N++
				}
			}
			return &once{b}, nil
		}}}
}

type once struct{ b *vec.Batch }

func (o *once) Next() (*vec.Batch, error) {
	b := o.b
	if o.b = nil; b != nil && b.N == 0 {
		b = nil
	}
	return b, nil
}

func (o *once) Close() {}

// CreateSchema implements session.Database.
func (d *DB) CreateSchema(_ context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.Contains(d.schemas, name) {
		return sqlstate.New(sqlstate.DuplicateSchema, "schema \"%s\" already exists", name)
	}
	d.schemas = append(slices.Clone(d.schemas), name)
	d.version++
	return nil
}

// DropSchema implements session.Database.
func (d *DB) DropSchema(_ context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.schemas, name)
	if i < 0 {
		return sqlstate.New(sqlstate.InvalidSchema, "schema \"%s\" does not exist", name)
	}
	d.schemas = slices.Delete(slices.Clone(d.schemas), i, i+1)
	d.version++
	return nil
}

// taken reports whether a relation has the name. The caller holds mu.
func (d *DB) taken(name types.TableName) bool {
	return slices.ContainsFunc(d.tables, func(t *types.Table) bool { return t.FullName() == name }) ||
		slices.ContainsFunc(d.views, func(v session.View) bool { return v.Name == name })
}

// CreateTable implements session.Database.
func (d *DB) CreateTable(_ context.Context, t *types.Table) (*types.Table, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.taken(t.FullName()) {
		return nil, sqlstate.New(sqlstate.DuplicateTable, "relation \"%s\" already exists", t.Name)
	}
	made := *t
	d.lastID++
	made.ID = d.lastID
	d.tables = append(slices.Clone(d.tables), &made)
	d.version++
	return &made, nil
}

// DropTable implements session.Database.
func (d *DB) DropTable(_ context.Context, name types.TableName) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.tables, func(t *types.Table) bool { return t.FullName() == name })
	if i < 0 {
		return sqlstate.New(sqlstate.UndefinedTable, "table \"%s\" does not exist", name.Name)
	}
	d.tables = slices.Delete(slices.Clone(d.tables), i, i+1)
	d.version++
	return nil
}

// CreateView implements session.Database.
func (d *DB) CreateView(_ context.Context, v session.View, replace bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	views := slices.Clone(d.views)
	if i := slices.IndexFunc(views, func(o session.View) bool { return o.Name == v.Name }); i >= 0 && replace {
		v.ID = views[i].ID
		views[i] = v
	} else if d.taken(v.Name) {
		return sqlstate.New(sqlstate.DuplicateTable, "relation \"%s\" already exists", v.Name.Name)
	} else {
		d.lastID++
		v.ID = d.lastID
		views = append(views, v)
	}
	d.views = views
	d.version++
	return nil
}

// DropView implements session.Database.
func (d *DB) DropView(_ context.Context, name types.TableName) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.views, func(v session.View) bool { return v.Name == name })
	if i < 0 {
		return sqlstate.New(sqlstate.UndefinedTable, "view \"%s\" does not exist", name.Name)
	}
	d.views = slices.Delete(slices.Clone(d.views), i, i+1)
	d.version++
	return nil
}

// Snapshot implements session.Database.
func (d *DB) Snapshot() (session.Snapshot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rows := map[uint32][]column.Morsel{}
	for id, r := range d.rows {
		rows[id] = r
	}
	return &snapshot{d.version, d.tables, d.views, d.schemas, rows}, nil
}

type snapshot struct {
	version uint64
	tables  []*types.Table
	views   []session.View
	schemas []string
	rows    map[uint32][]column.Morsel
}

func (s *snapshot) Tables() []*types.Table { return s.tables }
func (s *snapshot) Views() []session.View  { return s.views }
func (s *snapshot) Schemas() []string      { return s.schemas }
func (s *snapshot) Version() uint64        { return s.version }
func (s *snapshot) Release()               {}

func (s *snapshot) Source(t *types.Table) (column.Source, error) {
	return source{t, s.rows[t.ID]}, nil
}

type source struct {
	table *types.Table
	rows  []column.Morsel
}

func (s source) Table() *types.Table      { return s.table }
func (s source) Morsels() []column.Morsel { return s.rows }

type morsel struct {
	g    *column.Mem
	dead vec.Bitmap
}

func (m morsel) Rows() int                                  { return m.g.Rows() }
func (m morsel) Origin() string                             { return "memory" }
func (m morsel) Partition() (int64, bool)                   { return 0, false }
func (m morsel) Deleted() vec.Bitmap                        { return m.dead }
func (m morsel) MayHold(string, *column.Pred) (bool, error) { return true, nil }
func (m morsel) Stats(string) (column.Stats, bool)          { return column.Stats{}, false }
func (m morsel) Open() (column.Group, error)                { return m.g, nil }
