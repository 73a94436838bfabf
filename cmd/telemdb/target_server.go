package main

import (
	"context"
	"errors"
	"io"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/telemdb/telemdb/cmd/telemdb/shell"
)

// serverTarget runs statements on a server over the wire protocol.
type serverTarget struct{ conn *pgconn.PgConn }

func connect(ctx context.Context, url string) (shell.Target, error) {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	return &serverTarget{conn}, nil
}

// Oids of the types that psql sets to the right.
var numeric = map[uint32]bool{20: true, 21: true, 23: true, 26: true, 700: true, 701: true, 1700: true}

func (t *serverTarget) Run(ctx context.Context, query string, sink func(shell.Result) error) error {
	results := t.conn.Exec(ctx, query)
	for results.NextResult() {
		r := results.ResultReader()
		var cols []shell.Column
		for _, f := range r.FieldDescriptions() {
			cols = append(cols, shell.Column{Name: f.Name, Right: numeric[f.DataTypeOID]})
		}
		tag := pgconn.CommandTag{}
		err := sink(shell.Result{
			Columns: cols,
			Tag: func() string {
				tag, _ = r.Close() // its error comes again from results.Close
				return tag.String()
			},
			Next: func() ([][]byte, error) {
				if r.NextRow() {
					return r.Values(), nil
				}
				if _, err := r.Close(); err != nil {
					return nil, failure(err)
				}
				return nil, io.EOF
			},
		})
		if err != nil {
			results.Close()
			return err
		}
	}
	return failure(results.Close())
}

func (t *serverTarget) Close() error { return t.conn.Close(context.Background()) }

// failure turns a server's error into what the shell shows.
func failure(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	return &shell.Failure{Severity: pg.Severity, Code: pg.Code, Message: pg.Message, Detail: pg.Detail, Hint: pg.Hint,
		Position: int(pg.Position)}
}
