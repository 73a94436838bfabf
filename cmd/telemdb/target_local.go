package main

import (
	"context"
	"errors"
	"io"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/cmd/telemdb/shell"
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// localTarget runs statements on a directory opened in this process.
type localTarget struct {
	db   *telemdb.DB
	conn session.Conn
}

func newLocalTarget(ctx context.Context, db *telemdb.DB) (shell.Target, error) {
	conn, err := db.OpenSession(ctx, session.Options{User: "telemdb"})
	if err != nil {
		return nil, err
	}
	return &localTarget{db, conn}, nil
}

func (t *localTarget) Close() error {
	t.conn.Close()
	return t.db.Close()
}

func (t *localTarget) Run(ctx context.Context, query string, sink func(shell.Result) error) error {
	stmts, err := t.conn.Split(query)
	if err != nil {
		return sqlFailure(err)
	}
	for _, s := range stmts {
		if s.Empty() {
			continue
		}
		if err := t.statement(ctx, s, sink); err != nil {
			return errors.Join(sqlFailure(err), t.conn.EndBatch(ctx, true))
		}
	}
	if err := t.conn.EndBatch(ctx, false); err != nil { // an open change is published here
		return sqlFailure(err)
	}
	return nil
}

func (t *localTarget) statement(ctx context.Context, s session.Statement, sink func(shell.Result) error) (err error) {
	p, err := t.conn.Prepare(ctx, s, nil)
	if err != nil {
		return err
	}
	r, err := p.Execute(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if r.CopyIn() != nil || r.CopyOut() != nil {
		return sqlstate.New(sqlstate.FeatureNotSupported, "COPY needs a server: telemdb sql postgres://…")
	}
	rows := &localRows{result: r, format: t.conn.Format()}
	return sink(shell.Result{Columns: rows.columns(), Next: rows.next, Tag: r.Tag})
}

// localRows prints batches row by row.
type localRows struct {
	result session.Result
	format *datum.Format
	batch  *vec.Batch
	at     int
	vals   [][]byte
	text   []byte
}

func (l *localRows) columns() []shell.Column {
	var out []shell.Column
	for _, c := range l.result.Columns() {
		right := false
		switch c.Type.Kind {
		case types.Int16, types.Int32, types.Int64, types.Float32, types.Float64, types.Numeric, types.OID:
			right = true
		}
		out = append(out, shell.Column{Name: c.Name, Right: right})
	}
	return out
}

func (l *localRows) next() ([][]byte, error) {
	for l.at++; l.batch == nil || l.at >= l.batch.N; {
		var err error
		if l.batch, err = l.result.Next(); err != nil {
			return nil, err
		}
		if l.batch == nil {
			return nil, io.EOF
		}
		l.at = 0
	}
	l.text, l.vals = l.text[:0], l.vals[:0]
	for _, c := range l.batch.Cols {
		if c.Null(l.at) {
			l.vals = append(l.vals, nil)
			continue
		}
		from := len(l.text)
		l.text = datum.AppendText(l.text, c, l.at, l.format)
		l.vals = append(l.vals, l.text[from:len(l.text):len(l.text)])
	}
	return l.vals, nil
}

// sqlFailure turns a statement's error into what the shell shows.
func sqlFailure(err error) error {
	var e *sqlstate.Error
	if !errors.As(err, &e) {
		return err
	}
	hint := e.Hint
	if e.Code == sqlstate.ReadOnlyTransaction && hint == "" {
		hint = "telemdb sql --write DIR opens a directory for writing; while a server has it, connect to the server."
	}
	return &shell.Failure{Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: hint, Position: e.Position}
}
