package catalogtest

import (
	"context"
	"slices"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// SetRetention implements session.Database.
func (d *DB) SetRetention(_ context.Context, name types.TableName, r types.Retention) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.tables, func(t *types.Table) bool { return t.FullName() == name })
	if i < 0 {
		return sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", name.Name)
	}
	t := *d.tables[i]
	t.Retention = r
	d.tables = slices.Clone(d.tables)
	d.tables[i] = &t
	d.version++
	return nil
}

// write is changes until they are committed: row groups to add, and rows to delete by morsel. A table's morsels keep their
// places for ever, so that a place of any snapshot is one of the present.
type write struct {
	d     *DB
	made  []*types.Table
	added map[uint32][]column.Morsel
	dead  map[uint32][]int64
}

// Begin implements session.Database.
func (d *DB) Begin() (session.Write, error) {
	return &write{d: d, added: map[uint32][]column.Morsel{}, dead: map[uint32][]int64{}}, nil
}

// CreateTable implements session.Write.
func (w *write) CreateTable(t *types.Table) (*types.Table, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	made := *t
	w.d.lastID++
	made.ID = w.d.lastID
	w.made = append(w.made, &made)
	return &made, nil
}

// Insert implements session.Write: each batch becomes a row group.
func (w *write) Insert(_ context.Context, t *types.Table, next func() (*vec.Batch, error)) (int64, error) {
	n := int64(0)
	for {
		b, err := next()
		if err != nil || b == nil {
			return n, err
		}
		w.added[t.ID] = append(w.added[t.ID], morsel{g: groupOf(t, b)})
		n += int64(b.N)
	}
}

func groupOf(t *types.Table, b *vec.Batch) *column.Mem {
	g := column.NewMem(b.N)
	col := 0
	for _, c := range t.Columns {
		if c.Hidden {
			continue
		}
		v := &vec.Vector{}
		v.Reset(c.Type)
		v.AppendRange(b.Cols[col], 0, b.N)
		leaf := types.LeafJSON
		if c.Type.Kind != types.JSONB {
			leaf = types.LeafOf(c.Type)
		}
		g.Add(types.MakePath(c.Name), leaf, v)
		col++
	}
	return g
}

// Delete implements session.Write.
func (w *write) Delete(_ context.Context, _ session.Snapshot, t *types.Table, rows []int64) error {
	w.dead[t.ID] = append(w.dead[t.ID], rows...)
	return nil
}

// Commit implements session.Write.
func (w *write) Commit(context.Context) error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	for _, t := range w.made {
		if w.d.taken(t.FullName()) {
			return sqlstate.New(sqlstate.DuplicateTable, "relation \"%s\" already exists", t.Name)
		}
		w.d.tables = append(slices.Clone(w.d.tables), t)
		w.d.version++
	}
	for id, rows := range w.dead {
		morsels := slices.Clone(w.d.rows[id])
		for _, place := range rows {
			m := morsels[place>>16].(morsel)
			dead := vec.MakeBitmap(m.Rows())
			copy(dead, m.dead)
			dead.Set(int(place & 0xffff))
			m.dead = dead
			morsels[place>>16] = m
		}
		w.d.rows[id] = morsels
	}
	for id, added := range w.added {
		w.d.rows[id] = append(slices.Clone(w.d.rows[id]), added...)
	}
	return nil
}

// Abort implements session.Write.
func (w *write) Abort() error {
	clear(w.added)
	clear(w.dead)
	return nil
}
