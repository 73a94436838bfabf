package telemdb

import (
	"context"
	"errors"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// database is the store as SQL sees it.
type database struct {
	*DB
	rules shred.Rules // caps on paths of ordinary tables' jsonb columns, shared by all statements
}

func (d *database) Name() string    { return databaseName }
func (d *database) Version() string { return ReadVersion().Version }

func (d *database) Snapshot() (session.Snapshot, error) {
	s, err := d.store.Snapshot()
	if err != nil {
		return nil, sqlError(err)
	}
	return &snapshot{s}, nil
}

// snapshot gives the store's snapshot SQL's view of views.
type snapshot struct{ *storage.Snapshot }

func (s *snapshot) Views() []session.View {
	var out []session.View
	for _, v := range s.Snapshot.Views() {
		out = append(out, viewOf(v))
	}
	return out
}

func (s *snapshot) Source(t *types.Table) (column.Source, error) {
	src, err := s.Snapshot.Source(t)
	return src, sqlErrorOrNil(err)
}

func (d *database) CreateSchema(ctx context.Context, name string) error {
	return nameError(d.store.CreateSchema(ctx, name), sqlstate.DuplicateSchema, sqlstate.InvalidSchema)
}

func (d *database) DropSchema(ctx context.Context, name string) error {
	return nameError(d.store.DropSchema(ctx, name), sqlstate.DuplicateSchema, sqlstate.InvalidSchema)
}

func (d *database) CreateTable(ctx context.Context, t *types.Table) (*types.Table, error) {
	made, err := d.store.CreateTable(ctx, t)
	return made, nameError(err, sqlstate.DuplicateTable, sqlstate.InvalidSchema)
}

func (d *database) DropTable(ctx context.Context, name types.TableName) error {
	return nameError(d.store.DropTable(ctx, name), sqlstate.DuplicateTable, sqlstate.UndefinedTable)
}

// SetRetention is ALTER TABLE … SET (retention = …).
func (d *database) SetRetention(ctx context.Context, name types.TableName, r types.Retention) error {
	err := d.store.SetRetention(ctx, name, r)
	if errors.Is(err, storage.ErrRetention) {
		return sqlstate.Wrap(sqlstate.InvalidParameter, err)
	}
	return nameError(err, sqlstate.DuplicateTable, sqlstate.UndefinedTable)
}

// Cluster is CLUSTER.
func (d *database) Cluster(ctx context.Context, name types.TableName, progress func(done, all int), report func(session.Clustered)) error {
	err := d.store.Cluster(ctx, name, storage.ClusterOptions{Progress: progress}, func(c storage.Clustered) {
		report(session.Clustered{Partition: c.Partition, HasPartition: c.HasPartition, Rows: c.Rows, Before: c.Before, After: c.After, Left: c.Left})
	})
	if errors.Is(err, storage.ErrClusterRuns) {
		return sqlstate.Wrap(sqlstate.ObjectNotInState, err)
	}
	return nameError(err, sqlstate.DuplicateTable, sqlstate.UndefinedTable)
}

func (d *database) DropView(ctx context.Context, name types.TableName) error {
	return nameError(d.store.DropView(ctx, name), sqlstate.DuplicateTable, sqlstate.UndefinedTable)
}

func (d *database) Flush(ctx context.Context) error { return sqlErrorOrNil(d.store.Flush(ctx)) }

func (d *database) CreateView(ctx context.Context, v session.View, replace bool) error {
	stored := storage.View{Schema: v.Name.Schema, Name: v.Name.Name, SQL: v.SQL}
	for _, c := range v.Cols {
		stored.Columns = append(stored.Columns, types.Column{Name: c.Name, Type: c.Type})
	}
	return nameError(d.store.CreateView(ctx, stored, replace), sqlstate.DuplicateTable, sqlstate.InvalidSchema)
}

func viewOf(v *storage.View) session.View {
	out := session.View{ID: v.ID, Name: v.FullName(), SQL: v.SQL}
	for _, c := range v.Columns {
		out.Cols = append(out.Cols, plan.Col{Name: c.Name, Type: c.Type})
	}
	return out
}

func addAll(ctx context.Context, in *storage.Insert, w *rowWriter, next func() (*vec.Batch, error)) error {
	var row column.RowBuf
	batches := in.CanAddBatch()
	for {
		b, err := next()
		if err != nil || b == nil {
			return err
		}
		b.Compact()
		if batches && (in.Long() || b.Bytes() >= batchInsertBytes) {
			if err := w.checkNulls(b); err != nil {
				return err
			}
			if err := in.AddBatch(ctx, b); err != nil {
				return sqlError(err)
			}
			continue
		}
		for i := range b.N {
			row.Reset()
			if err := w.row(b, i, &row); err != nil {
				return err
			}
			if err := in.Add(ctx, &row); err != nil {
				return sqlError(err)
			}
		}
	}
}

// batchInsertBytes is the size from which a batch goes into segments by itself, and not row by row into the log.
const batchInsertBytes = 1 << 20

// rowWriter makes rows of leaves for one table.
type rowWriter struct {
	cols  []types.Column // without hidden ones: what a batch holds
	paths []uint32
	shred *shred.Shredder
}

func newRowWriter(paths *column.Interner, rules *shred.Rules, t *types.Table) *rowWriter {
	w := &rowWriter{shred: shred.New(paths, rules)}
	w.shred.Use(t.FullName())
	for _, c := range t.Columns {
		if !c.Hidden {
			w.cols = append(w.cols, c)
			w.paths = append(w.paths, paths.Intern(types.Path(c.Name)))
		}
	}
	return w
}

// checkNulls is row's check for all rows.
func (w *rowWriter) checkNulls(b *vec.Batch) error {
	for c, col := range w.cols {
		for i := 0; col.NotNull && b.Cols[c].HasNulls() && i < b.N; i++ {
			if b.Cols[c].Null(i) {
				return notNull(col)
			}
		}
	}
	return nil
}

func notNull(col types.Column) error {
	return sqlstate.New(sqlstate.NotNullViolation, "null value in column %q violates not-null constraint", col.Name)
}

func (w *rowWriter) row(b *vec.Batch, i int, row *column.RowBuf) error {
	for c, col := range w.cols {
		v := b.Cols[c]
		if v.Null(i) {
			if col.NotNull {
				return notNull(col)
			}
			continue
		}
		if col.Type.Kind == types.JSONB {
			if err := w.shred.Value(v.Bytes(i), w.paths[c], row); err != nil {
				return sqlstate.Wrap(sqlstate.InvalidText, err)
			}
			continue
		}
		switch leaf := types.LeafOf(col.Type); leaf {
		case types.LeafBool:
			row.Bool(w.paths[c], v.Bool(i))
		case types.LeafInt:
			row.Int(w.paths[c], v.Int(i))
		case types.LeafFloat:
			row.Float(w.paths[c], v.Float(i))
		default:
			row.Bytes(w.paths[c], leaf, v.Bytes(i))
		}
	}
	return nil
}

func sqlErrorOrNil(err error) error {
	if err == nil {
		return nil
	}
	return sqlError(err)
}

// sqlError gives a storage error its SQLSTATE.
func sqlError(err error) error {
	for _, e := range []struct {
		is   error
		code string
	}{
		{storage.ErrFull, sqlstate.DiskFull},
		{column.ErrCorrupt, sqlstate.DataCorrupted},
		{storage.ErrClosed, sqlstate.AdminShutdown},
		{storage.ErrLeaseEnded, sqlstate.AdminShutdown},
		{storage.ErrReadOnly, sqlstate.ReadOnlyTransaction},
		{storage.ErrConflict, sqlstate.SerializationFailure},
		{storage.ErrFailed, sqlstate.IOError},
		{storage.ErrOverloaded, sqlstate.TooManyConnections},
		{storage.ErrNotEmpty, sqlstate.DependentObjects},
		{storage.ErrSystem, sqlstate.InsufficientPrivilege},
		{context.Canceled, sqlstate.QueryCanceled},
		{context.DeadlineExceeded, sqlstate.QueryCanceled},
	} {
		if errors.Is(err, e.is) {
			return sqlstate.Wrap(e.code, err)
		}
	}
	return sqlstate.Wrap(sqlstate.IOError, err)
}

// nameError is sqlError for statements about a name, of which taken and missing have a code each.
func nameError(err error, taken, missing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrExists):
		return sqlstate.Wrap(taken, err)
	case errors.Is(err, storage.ErrNotFound):
		return sqlstate.Wrap(missing, err)
	}
	return sqlError(err)
}
