package telemdb

import (
	"context"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// write is a session.Write over one of the store's transactions.
type write struct {
	d  *database
	tx *storage.Tx
}

// ReadOnly implements session.ReadOnlyDatabase.
func (d *database) ReadOnly() bool { return d.store.ReadOnly() }

func (d *database) Begin() (session.Write, error) {
	tx, err := d.store.Begin()
	if err != nil {
		return nil, sqlError(err)
	}
	return &write{d: d, tx: tx}, nil
}

// Insert turns batches into rows of leaves: a jsonb column is shredded like a ping's member.
func (w *write) Insert(ctx context.Context, t *types.Table, next func() (*vec.Batch, error)) (int64, error) {
	in, err := w.tx.NewInsert(t)
	if err != nil {
		return 0, sqlError(err)
	}
	if err := addAll(ctx, in, newRowWriter(w.d.store.Paths(), &w.d.rules, t), next); err != nil {
		return 0, err
	}
	return in.Rows(), nil
}

func (w *write) CreateTable(t *types.Table) (*types.Table, error) {
	made, err := w.tx.CreateTable(t)
	return made, sqlErrorOrNil(err)
}

func (w *write) Delete(_ context.Context, s session.Snapshot, t *types.Table, rows []int64) error {
	own, ok := s.(*snapshot)
	if !ok {
		return sqlstate.New(sqlstate.Internal, "a snapshot of kind %T is not this database's", s)
	}
	return sqlErrorOrNil(w.tx.Delete(own.Snapshot, t, rows))
}

func (w *write) Commit(ctx context.Context) error {
	return nameError(w.tx.Commit(ctx), sqlstate.DuplicateTable, sqlstate.UndefinedTable)
}

func (w *write) Abort() error { return sqlErrorOrNil(w.tx.Abort()) }

// DeleteCost implements session.DeleteCoster.
func (s *snapshot) DeleteCost(t *types.Table, next func() []int64) (session.DeleteCost, error) {
	c, err := s.Snapshot.DeleteCost(t, next)
	return session.DeleteCost(c), sqlErrorOrNil(err)
}
