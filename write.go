package telemdb

import (
	"context"
	"errors"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// write is a session.Write over the store's inserts, one for each table, committed in order.
type write struct {
	d  *database
	in []*storage.Insert
}

func (d *database) Begin() (session.Write, error) {
	if d.store.ReadOnly() {
		return nil, sqlError(storage.ErrReadOnly)
	}
	return &write{d: d}, nil
}

// Insert turns batches into rows of leaves: a jsonb column is shredded like a ping's member.
func (w *write) Insert(ctx context.Context, t *types.Table, next func() (*vec.Batch, error)) (int64, error) {
	in, err := w.d.store.NewInsert(t)
	if err != nil {
		return 0, sqlError(err)
	}
	w.in = append(w.in, in)
	if err := addAll(ctx, in, newRowWriter(w.d.store.Paths(), &w.d.rules, t), next); err != nil {
		return 0, err
	}
	return in.Rows(), nil
}

func (w *write) Delete(context.Context, session.Snapshot, *types.Table, []int64) error {
	return sqlstate.New(sqlstate.FeatureNotSupported, "the store cannot delete rows yet")
}

func (w *write) Commit(ctx context.Context) error {
	for _, in := range w.in {
		if err := in.Commit(ctx); err != nil {
			return errors.Join(sqlError(err), w.Abort())
		}
	}
	return nil
}

func (w *write) Abort() error {
	var errs []error
	for _, in := range w.in {
		errs = append(errs, in.Abort())
	}
	return sqlErrorOrNil(errors.Join(errs...))
}
