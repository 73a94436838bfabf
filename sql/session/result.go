package session

import (
	"context"
	"fmt"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/op"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// env makes what a plan runs in. The snapshot is kept by whoever runs it.
func (c *conn) env(ctx context.Context, args []*vec.Vector) (*op.Env, *snapshotRef, error) {
	s, err := c.snapshot()
	if err != nil {
		return nil, nil, err
	}
	i := c.info()
	source := func(t *types.Table) (column.Source, error) { return s.Source(t) }
	if len(c.tx.changes) > 0 {
		source = withChanges(source, c.tx.changes)
	}
	env := &op.Env{Ctx: &expr.Ctx{Context: ctx, Params: args, Session: i}, Source: source, Workers: c.cfg.Workers, Memory: c.cfg.Memory,
		Pool: c.cfg.Pool, Spill: c.cfg.Spill, Cores: c.cfg.Cores}
	c.tune(env)
	if st, ok := ctx.(*statementCtx); ok {
		env.Progress = &st.progress
	}
	if c.set.value("skip_corrupt") == "on" {
		env.Skip = &scan.Skipped{}
	}
	return env, s, nil
}

// warnSkipped tells how much of the data a statement that has ended did not see.
func (c *conn) warnSkipped(k *scan.Skipped) {
	if k != nil && k.Groups() > 0 {
		c.notice("WARNING", sqlstate.DataCorrupted, fmt.Sprintf("%d rows of %d row groups were left out, because their data is corrupt", k.Rows(), k.Groups()))
	}
}

// queryResult is a running query.
type queryResult struct {
	s     *statementCtx
	c     *conn
	rows  plan.Rows
	snap  *snapshotRef
	skip  *scan.Skipped
	cols  []Column
	tag   string // "SELECT"
	count int64
	ended bool
}

// run starts a plan.
func (c *conn) run(s *statementCtx, n plan.Node, cols []Column, args []*vec.Vector) (Result, error) {
	env, snap, err := c.env(s, args)
	if err != nil {
		return nil, err
	}
	rows, err := op.Run(env, n)
	if err != nil {
		return nil, err
	}
	return &queryResult{s: s, c: c, rows: rows, snap: snap.keep(), skip: env.Skip, cols: cols, tag: "SELECT"}, nil
}

func (r *queryResult) Columns() []Column { return r.cols }

func (r *queryResult) Next() (*vec.Batch, error) {
	if r.ended {
		return nil, nil
	}
	b, err := r.rows.Next()
	if err != nil || b == nil {
		if err = r.s.explain(err); err != nil {
			r.c.fail()
		}
		r.finish()
		return nil, err
	}
	r.count += int64(b.N)
	return b, nil
}

// finish releases what the query holds.
func (r *queryResult) finish() {
	if r.ended {
		return
	}
	r.ended = true
	r.rows.Close()
	r.c.warnSkipped(r.skip)
	r.snap.drop()
	r.s.end()
}

func (r *queryResult) Tag() string      { return fmt.Sprintf("%s %d", r.tag, r.count) }
func (r *queryResult) CopyIn() CopyIn   { return nil }
func (r *queryResult) CopyOut() CopyOut { return nil }
func (r *queryResult) Close() error     { r.finish(); return nil }

// staticResult is rows that are there already, or a tag alone.
type staticResult struct {
	cols  []Column
	batch *vec.Batch
	tag   string
	in    CopyIn
	out   CopyOut
	close func()
}

func (r *staticResult) Columns() []Column { return r.cols }

func (r *staticResult) Next() (*vec.Batch, error) {
	b := r.batch
	r.batch = nil
	return b, nil
}

func (r *staticResult) Tag() string {
	if t, ok := r.in.(interface{ tag() string }); ok {
		return t.tag()
	}
	if t, ok := r.out.(interface{ tag() string }); ok {
		return t.tag()
	}
	return r.tag
}

func (r *staticResult) CopyIn() CopyIn   { return r.in }
func (r *staticResult) CopyOut() CopyOut { return r.out }

func (r *staticResult) Close() error {
	if r.close != nil {
		r.close()
		r.close = nil
	}
	return nil
}

// done ends a statement that has run to its end.
func done(s *statementCtx, tag string, err error) (Result, error) {
	if err != nil {
		return nil, err
	}
	s.end()
	return &staticResult{tag: tag}, nil
}

// textRows makes a result of text columns.
func textRows(s *statementCtx, cols []Column, tag string, rows [][]string) Result {
	s.end()
	b := &vec.Batch{N: len(rows)}
	for i, c := range cols {
		v := &vec.Vector{}
		v.Reset(c.Type)
		for _, row := range rows {
			v.AppendString(row[i])
		}
		b.Cols = append(b.Cols, v)
	}
	if b.N == 0 {
		b = nil
	}
	return &staticResult{cols: cols, batch: b, tag: tag}
}

// evalConsts computes expressions that see no columns, one row each.
func evalConsts(ctx *expr.Ctx, es []expr.Expr) ([]*vec.Vector, error) {
	out := make([]*vec.Vector, len(es))
	for i, e := range es {
		if _, ok := e.(*expr.Subplan); ok {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "cannot use subquery in EXECUTE parameter")
		}
		out[i] = &vec.Vector{}
		if err := expr.Eval(ctx, e, expr.OneRow(), nil, out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// copyBatch makes a copy of a batch that may be kept.
func copyBatch(b *vec.Batch) *vec.Batch {
	out := &vec.Batch{N: b.N}
	for _, v := range b.Cols {
		w := &vec.Vector{}
		w.Reset(v.Type)
		for i := range b.N {
			w.AppendFrom(v, i)
		}
		out.Cols = append(out.Cols, w)
	}
	return out
}
