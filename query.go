package telemdb

import (
	"context"
	"errors"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Rows is the result of a query. It holds a snapshot of the database until it is closed or read to its end. It is used
// from one goroutine.
type Rows struct {
	stmt  *running
	batch *vec.Batch
	at    int
	err   error
}

// running is one statement on its own session.
type running struct {
	conn   session.Conn
	result session.Result
	own    bool // close conn with the rows
}

// Query runs one statement that returns rows. Arguments stand for $1, $2 …: nil, numbers, strings, bool, []byte (bytea),
// time.Time. An error is a *sqlstate.Error underneath; SQLState returns its code.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	conn, err := db.session(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := query(ctx, conn, sql, args)
	if err != nil {
		return nil, errors.Join(err, closeConn(conn))
	}
	rows.stmt.own = true
	return rows, nil
}

func closeConn(c session.Conn) error { c.Close(); return nil }

// Exec runs one statement and returns its command tag: "INSERT 0 3", "CREATE TABLE".
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (tag string, err error) {
	conn, err := db.session(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return exec(ctx, conn, sql, args)
}

// SQLState returns the SQLSTATE of an error that a statement gave, or "" for another error.
func SQLState(err error) string {
	var e *sqlstate.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// prepare binds the one statement of sql.
func prepare(ctx context.Context, conn session.Conn, sql string) (session.Prepared, error) {
	stmts, err := conn.Split(sql)
	if err != nil {
		return nil, err
	}
	if len(stmts) != 1 {
		return nil, sqlstate.New(sqlstate.Syntax, "expected one statement, found %d", len(stmts))
	}
	return conn.Prepare(ctx, stmts[0], nil)
}

func start(ctx context.Context, conn session.Conn, sql string, args []any) (session.Result, error) {
	p, err := prepare(ctx, conn, sql)
	if err != nil {
		return nil, err
	}
	return startPrepared(ctx, p, args)
}

func startPrepared(ctx context.Context, p session.Prepared, args []any) (session.Result, error) {
	vals, err := arguments(p.Params(), args)
	if err != nil {
		return nil, err
	}
	r, err := p.Execute(ctx, vals)
	if err != nil {
		return nil, err
	}
	if r.CopyIn() != nil || r.CopyOut() != nil {
		r.Close()
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "COPY from and to the client needs the wire protocol")
	}
	return r, nil
}

func query(ctx context.Context, conn session.Conn, sql string, args []any) (*Rows, error) {
	r, err := start(ctx, conn, sql, args)
	if err != nil {
		return nil, errors.Join(err, conn.EndBatch(ctx, true))
	}
	return &Rows{stmt: &running{conn: conn, result: r}}, nil
}

func exec(ctx context.Context, conn session.Conn, sql string, args []any) (string, error) {
	rows, err := query(ctx, conn, sql, args)
	if err != nil {
		return "", err
	}
	for rows.Next() {
	}
	tag := rows.stmt.result.Tag()
	return tag, rows.Close()
}

// Columns returns the names of the columns.
func (r *Rows) Columns() []string {
	var out []string
	for _, c := range r.stmt.result.Columns() {
		out = append(out, c.Name)
	}
	return out
}

// Types returns the SQL types of the columns as PostgreSQL prints them: "bigint", "jsonb", "histogram".
func (r *Rows) Types() []string {
	var out []string
	for _, c := range r.columns() {
		out = append(out, c.String())
	}
	return out
}

func (r *Rows) columns() []types.Type {
	var out []types.Type
	for _, c := range r.stmt.result.Columns() {
		out = append(out, c.Type)
	}
	return out
}

// Next moves to the next row; false at the end or on an error, which Err and Close return.
func (r *Rows) Next() bool {
	if r.err != nil || r.stmt == nil {
		return false
	}
	r.at++
	for r.batch == nil || r.at >= r.batch.N {
		r.batch, r.err = r.stmt.result.Next()
		if r.err != nil || r.batch == nil {
			return false
		}
		r.at = 0
	}
	return true
}

// Values returns the row as Go values: nil, bool, int64, float64, string, []byte (bytea) or time.Time. Numeric, jsonb,
// histogram and all other types are strings in PostgreSQL's text form.
func (r *Rows) Values() []any {
	out := make([]any, len(r.batch.Cols))
	for i, c := range r.batch.Cols {
		out[i] = goValue(c, r.at)
	}
	return out
}

// Scan stores the row in the variables that dest points to. NULL needs a pointer to a pointer, an *any or a Scanner.
func (r *Rows) Scan(dest ...any) error {
	if len(dest) != len(r.batch.Cols) {
		return sqlstate.New(sqlstate.InvalidParameter, "the row has %d columns, %d destinations were given", len(r.batch.Cols), len(dest))
	}
	for i, d := range dest {
		if err := scanInto(d, goValue(r.batch.Cols[i], r.at)); err != nil {
			return sqlstate.Wrap(sqlstate.DatatypeMismatch, errors.New("column "+r.Columns()[i]+": "+err.Error()))
		}
	}
	return nil
}

// Err returns the error that ended Next, if any.
func (r *Rows) Err() error { return r.err }

// Close ends the query and returns its error, if it had one. It may be called twice.
func (r *Rows) Close() error {
	if r.stmt == nil {
		return r.err
	}
	s := r.stmt
	r.stmt = nil
	err := errors.Join(r.err, s.result.Close())
	err = errors.Join(err, s.conn.EndBatch(context.Background(), err != nil))
	if s.own {
		s.conn.Close()
	}
	r.err = err
	return err
}
