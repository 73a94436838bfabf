package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/telemdb/telemdb/engine/op"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/bind"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

const (
	// txBytesMax bounds what a transaction keeps in memory until COMMIT.
	txBytesMax = 256 << 20
	// bulkBytes is where a single statement outside a block stops keeping its rows and streams them to the database. It
	// then takes effect at its own end, not at the end of the batch.
	bulkBytes = 32 << 20
)

// writer takes the rows of one statement.
type writer struct {
	c     *conn
	ctx   context.Context
	t     *types.Table
	cols  []int // the table's columns, in the order of the batches
	rows  []*vec.Batch
	bytes int64
	count int64
	bulk  *bulk
}

func (c *conn) newWriter(ctx context.Context, t *types.Table) *writer {
	return &writer{c: c, ctx: ctx, t: t, cols: bind.VisibleColumns(t)}
}

// newTableWriter is a writer into a table that is made with its rows: both are there at one moment, or neither. The caller
// ends it with finish or abort.
func (c *conn) newTableWriter(ctx context.Context, t *types.Table) (*writer, error) {
	tx, err := c.cfg.DB.Begin()
	if err != nil {
		return nil, err
	}
	made, err := tx.CreateTable(t)
	if err != nil {
		return nil, errors.Join(err, tx.Abort())
	}
	w := c.newWriter(ctx, made)
	w.bulk = startBulk(ctx, tx, made)
	return w, nil
}

// add takes a batch, which the caller does not use again.
func (w *writer) add(b *vec.Batch) error {
	if err := w.checkNulls(b); err != nil {
		return err
	}
	w.count += int64(b.N)
	if w.bulk != nil {
		return w.bulk.send(w.ctx, b)
	}
	if w.c.tx.explicit {
		flatten(b)
	}
	w.rows = append(w.rows, b)
	w.bytes += b.Bytes()
	switch {
	case w.c.tx.bytes+w.bytes > txBytesMax && w.c.tx.explicit:
		return sqlstate.New(sqlstate.ProgramLimit, "the transaction holds more than %d MB of rows", txBytesMax>>20).
			WithHint("Commit in parts, or run the statement outside BEGIN … COMMIT, where it is not held in memory.")
	case w.bytes > bulkBytes && !w.c.tx.explicit:
		return w.stream()
	}
	return nil
}

// stream hands the rows so far, and those that follow, to the database.
func (w *writer) stream() error {
	if err := w.c.publish(w.ctx); err != nil { // what the batch wrote before comes first
		return err
	}
	tx, err := w.c.cfg.DB.Begin()
	if err != nil {
		return err
	}
	w.bulk = startBulk(w.ctx, tx, w.t)
	rows := w.rows
	w.rows = nil
	for _, b := range rows {
		if err := w.bulk.send(w.ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) checkNulls(b *vec.Batch) error {
	row, column := w.nullAt(b)
	if row < 0 {
		return nil
	}
	return sqlstate.New(sqlstate.NotNullViolation, "null value in column \"%s\" of relation \"%s\" violates not-null constraint",
		w.t.Columns[w.cols[column]].Name, w.t.Name)
}

// firstNull returns the first row that lacks a value it must have, -1 if none does.
func (w *writer) firstNull(b *vec.Batch) int { row, _ := w.nullAt(b); return row }

func (w *writer) nullAt(b *vec.Batch) (row, column int) {
	row, column = -1, -1
	for i, c := range w.cols {
		if !w.t.Columns[c].NotNull || b.Cols[i].Valid == nil {
			continue
		}
		for r := range b.N {
			if b.Cols[i].Null(r) && (row < 0 || r < row) {
				row, column = r, i
				break
			}
		}
	}
	return row, column
}

// finish gives the rows to the transaction.
func (w *writer) finish() error {
	if w.bulk != nil {
		err := w.bulk.finish(nil)
		w.c.renew()
		return err
	}
	for _, b := range w.rows {
		flatten(b)
	}
	if len(w.rows) > 0 {
		w.c.change(change{table: w.t, rows: w.rows}, w.bytes)
	}
	return nil
}

// flatten writes texts out that came as codes: a transaction sees its own rows as flat columns.
func flatten(b *vec.Batch) {
	for _, v := range b.Cols {
		v.Flatten()
	}
}

// abort forgets the rows.
func (w *writer) abort(reason error) {
	if w.bulk != nil {
		// The error of the insertion is the reason it is stopped for.
		_ = w.bulk.finish(reason)
	}
	w.rows = nil
}

// bulk is an insertion that runs while its rows are made. It owns one goroutine, which ends before finish returns.
type bulk struct {
	rows chan *vec.Batch
	stop error // set before rows is closed
	done chan struct{}
	err  error // set before done is closed
}

func startBulk(ctx context.Context, tx Write, t *types.Table) *bulk {
	b := &bulk{rows: make(chan *vec.Batch), done: make(chan struct{})}
	go func() {
		defer close(b.done)
		if _, err := tx.Insert(ctx, t, b.next); err != nil {
			b.err = errors.Join(err, tx.Abort())
			return
		}
		b.err = tx.Commit(ctx)
	}()
	return b
}

func (b *bulk) next() (*vec.Batch, error) {
	if batch, ok := <-b.rows; ok {
		return batch, nil
	}
	return nil, b.stop
}

func (b *bulk) send(ctx context.Context, batch *vec.Batch) error {
	select {
	case b.rows <- batch:
		return nil
	case <-b.done:
		if b.err != nil {
			return b.err
		}
		return sqlstate.New(sqlstate.Internal, "the insertion ended before its rows did")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// finish ends the insertion: all rows if stop is nil, else none.
func (b *bulk) finish(stop error) error {
	b.stop = stop
	close(b.rows)
	<-b.done
	return b.err
}

// insertTarget finds the table of an INSERT.
func (c *conn) insertTarget(st *ast.Insert) (*catalog, *types.Table, error) {
	if st.Returning {
		return nil, nil, sqlstate.New(sqlstate.FeatureNotSupported, "INSERT … RETURNING is not supported")
	}
	k, err := c.catalog()
	if err != nil {
		return nil, nil, err
	}
	t, err := c.writable(k, st.Table)
	return k, t, err
}

// writable finds a table SQL may write to.
func (c *conn) writable(k *catalog, ref ast.TableRef) (*types.Table, error) {
	r, ok := k.Relation(ref.Schema, ref.Name)
	if !ok {
		return nil, sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", refName(ref)).At(ref.Pos())
	}
	if r.Table == nil {
		return nil, sqlstate.New(sqlstate.WrongObjectType, "cannot insert into \"%s\": it is not a stored table", r.Name).At(ref.Pos())
	}
	if r.Table.Kind != types.TableUser {
		return nil, sqlstate.New(sqlstate.InsufficientPrivilege, "table \"%s\" is filled by submissions and cannot be written by SQL", r.Name).At(ref.Pos())
	}
	return r.Table, nil
}

func refName(r ast.TableRef) string {
	if r.Schema == "" {
		return r.Name
	}
	return r.Schema + "." + r.Name
}

func (c *conn) insert(s *statementCtx, st *ast.Insert, params []types.Type, args []*vec.Vector) (Result, error) {
	if err := c.needWrite("INSERT"); err != nil {
		return nil, err
	}
	k, t, err := c.insertTarget(st)
	if err != nil {
		return nil, err
	}
	q, err := bind.Insert(k, st, t, params)
	if err != nil {
		return nil, err
	}
	w := c.newWriter(s, t)
	if err := c.fill(s, w, c.optimize(k, q.Plan), args); err != nil {
		return nil, err
	}
	return done(s, fmt.Sprintf("INSERT 0 %d", w.count), nil)
}

// fill runs a query into a writer.
func (c *conn) fill(s *statementCtx, w *writer, n plan.Node, args []*vec.Vector) error {
	env, snap, err := c.env(s, args)
	if err != nil {
		w.abort(err)
		return err
	}
	snap.keep()
	defer snap.drop()
	rows, err := op.Run(env, n)
	if err != nil {
		w.abort(err)
		return err
	}
	for {
		b, err := rows.Next()
		if err == nil && b != nil {
			err = w.add(copyBatch(b))
		}
		if err != nil {
			rows.Close()
			w.abort(err)
			return err
		}
		if b == nil {
			rows.Close()
			c.warnSkipped(env.Skip)
			return w.finish()
		}
	}
}

// ownMorsel is rows the transaction has not committed yet.
type ownMorsel struct{ g *column.Mem }

func (m *ownMorsel) Rows() int                                  { return m.g.Rows() }
func (m *ownMorsel) Origin() string                             { return "transaction" }
func (m *ownMorsel) Partition() (int64, bool)                   { return 0, false }
func (m *ownMorsel) Deleted() vec.Bitmap                        { return nil }
func (m *ownMorsel) MayHold(string, *column.Pred) (bool, error) { return true, nil }
func (m *ownMorsel) Stats(string) (column.Stats, bool)          { return column.Stats{}, false }
func (m *ownMorsel) Open() (column.Group, error)                { return m.g, nil }

// groupOf makes a row group of a batch. A jsonb column is one rest area at the column's own path.
func groupOf(t *types.Table, b *vec.Batch) *column.Mem {
	g := column.NewMem(b.N)
	for i, c := range bind.VisibleColumns(t) {
		leaf := types.LeafOf(t.Columns[c].Type)
		if t.Columns[c].Type.Kind == types.JSONB {
			leaf = types.LeafJSON
		}
		v := *b.Cols[i]
		v.Type = leaf.Type()
		g.Add(types.MakePath(t.Columns[c].Name), leaf, &v)
	}
	return g
}
