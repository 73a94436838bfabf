package session

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// fakeDB is a Database in memory. It counts what a test wants to know of it.
type fakeDB struct {
	mu      sync.Mutex
	version uint64
	nextID  uint32
	tables  map[types.TableName]*fakeTable
	views   map[types.TableName]View
	schemas []string

	flushes   int
	snapshots int // pinned and not yet released
	begun     int // writes that have not ended
	insertErr error
}

type fakeTable struct {
	t      *types.Table
	groups []fakeGroup
}

// fakeGroup is rows, and which of them have been deleted.
type fakeGroup struct {
	*column.Mem
	dead vec.Bitmap
}

func newFakeTable(t *types.Table, groups []*column.Mem) *fakeTable {
	ft := &fakeTable{t: t}
	for _, g := range groups {
		ft.groups = append(ft.groups, fakeGroup{Mem: g})
	}
	return ft
}

func newFakeDB() *fakeDB {
	return &fakeDB{version: 1, nextID: 1, tables: map[types.TableName]*fakeTable{}, views: map[types.TableName]View{},
		schemas: []string{"public", "telemetry"}}
}

// add puts a table and its rows in place, past SQL.
func (db *fakeDB) add(t *types.Table, groups ...*column.Mem) {
	db.mu.Lock()
	defer db.mu.Unlock()
	t.ID = db.nextID
	db.nextID++
	db.tables[t.FullName()] = newFakeTable(t, groups)
	db.version++
}

func (db *fakeDB) Snapshot() (Snapshot, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	s := &fakeSnapshot{db: db, version: db.version, tables: map[uint32]*fakeTable{}, schemas: slices.Clone(db.schemas)}
	for _, t := range db.tables {
		s.tables[t.t.ID] = &fakeTable{t.t, slices.Clone(t.groups)}
	}
	for _, v := range db.views {
		s.views = append(s.views, v)
	}
	db.snapshots++
	return s, nil
}

func (db *fakeDB) CreateSchema(_ context.Context, name string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.schemas = append(db.schemas, name)
	db.version++
	return nil
}

func (db *fakeDB) DropSchema(_ context.Context, name string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.schemas = slices.DeleteFunc(db.schemas, func(s string) bool { return s == name })
	db.version++
	return nil
}

func (db *fakeDB) CreateTable(_ context.Context, t *types.Table) (*types.Table, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if _, ok := db.tables[t.FullName()]; ok {
		return nil, sqlstate.New(sqlstate.DuplicateTable, "relation \"%s\" already exists", t.Name)
	}
	c := *t
	c.ID = db.nextID
	db.nextID++
	db.tables[t.FullName()] = &fakeTable{t: &c}
	db.version++
	return &c, nil
}

func (db *fakeDB) DropTable(_ context.Context, name types.TableName) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.tables, name)
	db.version++
	return nil
}

func (db *fakeDB) CreateView(_ context.Context, v View, replace bool) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if _, ok := db.views[v.Name]; ok && !replace {
		return sqlstate.New(sqlstate.DuplicateTable, "relation \"%s\" already exists", v.Name.Name)
	}
	v.ID = db.nextID
	db.nextID++
	db.views[v.Name] = v
	db.version++
	return nil
}

func (db *fakeDB) DropView(_ context.Context, name types.TableName) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.views, name)
	db.version++
	return nil
}

func (db *fakeDB) SetRetention(_ context.Context, name types.TableName, r types.Retention) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	ft, ok := db.tables[name]
	if !ok {
		return sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", name.Name)
	}
	t := *ft.t
	t.Retention = r
	db.tables[name] = &fakeTable{&t, ft.groups}
	db.version++
	return nil
}

// fakeWrite keeps changes until Commit.
type fakeWrite struct {
	db    *fakeDB
	parts []func() // run under db.mu
	ended bool
}

func (db *fakeDB) Begin() (Write, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.begun++
	return &fakeWrite{db: db}, nil
}

func (w *fakeWrite) CreateTable(t *types.Table) (*types.Table, error) {
	w.db.mu.Lock()
	defer w.db.mu.Unlock()
	made := *t
	made.ID = w.db.nextID
	w.db.nextID++
	w.parts = append(w.parts, func() {
		w.db.tables[made.FullName()] = &fakeTable{t: &made}
		w.db.version++
	})
	return &made, nil
}

func (w *fakeWrite) Insert(_ context.Context, t *types.Table, next func() (*vec.Batch, error)) (int64, error) {
	var groups []fakeGroup
	rows := int64(0)
	for {
		b, err := next()
		if err != nil {
			return 0, err
		}
		if b == nil {
			break
		}
		groups = append(groups, fakeGroup{Mem: groupOf(t, b)})
		rows += int64(b.N)
	}
	w.parts = append(w.parts, func() {
		ft := w.db.tables[t.FullName()]
		ft.groups = append(ft.groups, groups...)
	})
	return rows, nil
}

func (w *fakeWrite) Delete(_ context.Context, s Snapshot, t *types.Table, rows []int64) error {
	if _, ok := s.(*fakeSnapshot); !ok {
		return fmt.Errorf("a snapshot of type %T", s)
	}
	rows = slices.Clone(rows)
	w.parts = append(w.parts, func() {
		ft := w.db.tables[t.FullName()]
		for _, id := range rows {
			g := &ft.groups[id>>16]
			dead := vec.MakeBitmap(g.Rows())
			copy(dead, g.dead)
			dead.Set(int(id & 0xffff))
			g.dead = dead
		}
	})
	return nil
}

func (w *fakeWrite) Commit(context.Context) error {
	w.db.mu.Lock()
	defer w.db.mu.Unlock()
	w.db.begun--
	w.ended = true
	if w.db.insertErr != nil {
		return w.db.insertErr
	}
	for _, p := range w.parts {
		p()
	}
	return nil
}

func (w *fakeWrite) Abort() error {
	w.db.mu.Lock()
	defer w.db.mu.Unlock()
	if !w.ended {
		w.db.begun--
	}
	w.ended = true
	return nil
}

func (db *fakeDB) Flush(context.Context) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.flushes++
	return nil
}

func (db *fakeDB) SystemTables() []SystemTable {
	return []SystemTable{{Name: types.TableName{Schema: "telemdb", Name: "numbers"},
		Cols: []plan.Col{{Name: "n", Type: types.Of(types.Int64)}, {Name: "word", Type: types.Of(types.Text)}},
		Rows: func(*expr.Ctx, Snapshot, plan.VirtualScan) (plan.Rows, error) { return &fakeRows{}, nil }}}
}

func (db *fakeDB) Name() string    { return "telemdb" }
func (db *fakeDB) Version() string { return "test" }

func (db *fakeDB) pinned() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.snapshots
}

// fakeRows is three rows: 1 one, 2 two, 3 three.
type fakeRows struct{ done bool }

func (r *fakeRows) Next() (*vec.Batch, error) {
	if r.done {
		return nil, nil
	}
	r.done = true
	n, w := &vec.Vector{}, &vec.Vector{}
	n.Reset(types.Of(types.Int64))
	w.Reset(types.Of(types.Text))
	for i, s := range []string{"one", "two", "three"} {
		n.AppendInt(int64(i + 1))
		w.AppendString(s)
	}
	return &vec.Batch{N: 3, Cols: []*vec.Vector{n, w}}, nil
}

func (r *fakeRows) Close() {}

type fakeSnapshot struct {
	db      *fakeDB
	version uint64
	tables  map[uint32]*fakeTable
	views   []View
	schemas []string
}

func (s *fakeSnapshot) Tables() []*types.Table {
	var out []*types.Table
	for _, t := range s.tables {
		out = append(out, t.t)
	}
	slices.SortFunc(out, func(a, b *types.Table) int { return int(a.ID) - int(b.ID) })
	return out
}

func (s *fakeSnapshot) Views() []View     { return s.views }
func (s *fakeSnapshot) Schemas() []string { return s.schemas }
func (s *fakeSnapshot) Version() uint64   { return s.version }

func (s *fakeSnapshot) Source(t *types.Table) (column.Source, error) {
	ft, ok := s.tables[t.ID]
	if !ok {
		return nil, sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", t.Name)
	}
	src := &fakeSource{t: ft.t}
	for _, g := range ft.groups {
		src.m = append(src.m, &buriedMorsel{&ownMorsel{g.Mem}, g.dead})
	}
	return src, nil
}

func (s *fakeSnapshot) Release() {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.snapshots--
}

type fakeSource struct {
	t *types.Table
	m []column.Morsel
}

func (s *fakeSource) Table() *types.Table      { return s.t }
func (s *fakeSource) Morsels() []column.Morsel { return s.m }
