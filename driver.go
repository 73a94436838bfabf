package telemdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
)

// The driver's name for database/sql is "telemdb", its data source name a directory, or "" for a database in memory:
//
//	db, err := sql.Open("telemdb", "telemetry-data")
//
// The directory is opened once per process however many connections database/sql makes, and closed with the last.
func init() { sql.Register("telemdb", &sqlDriver{open: map[string]*shared{}}) }

type sqlDriver struct {
	mu   sync.Mutex
	open map[string]*shared
}

// shared is a database with the number of connections that use it.
type shared struct {
	db   *DB
	refs int
}

// Open implements driver.Driver.
func (d *sqlDriver) Open(dir string) (driver.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.open[dir]
	if s == nil {
		db, err := Open(dir, Options{})
		if err != nil {
			return nil, err
		}
		s = &shared{db: db}
		d.open[dir] = s
	}
	conn, err := s.db.session(context.Background())
	if err != nil {
		return nil, err
	}
	s.refs++
	return &sqlConn{conn: conn, release: func() error { return d.release(dir) }}, nil
}

func (d *sqlDriver) release(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.open[dir]
	if s.refs--; s.refs > 0 {
		return nil
	}
	delete(d.open, dir)
	return s.db.Close()
}

// Connector returns a database/sql connector over an open database: sql.OpenDB(db.Connector()). Closing the sql.DB
// leaves db open.
func (db *DB) Connector() driver.Connector { return connector{db} }

type connector struct{ db *DB }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.db.session(ctx)
	if err != nil {
		return nil, err
	}
	return &sqlConn{conn: conn, release: func() error { return nil }}, nil
}

func (c connector) Driver() driver.Driver { return &sqlDriver{open: map[string]*shared{}} }

// sqlConn is one session.
type sqlConn struct {
	conn    session.Conn
	release func() error
}

func (c *sqlConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *sqlConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	p, err := prepare(ctx, c.conn, query)
	if err != nil {
		return nil, err
	}
	return &sqlStmt{conn: c, p: p}, nil
}

func (c *sqlConn) Close() error {
	c.conn.Close()
	return c.release()
}

func (c *sqlConn) Begin() (driver.Tx, error) {
	if _, err := exec(context.Background(), c.conn, "BEGIN", nil); err != nil {
		return nil, err
	}
	return sqlTx{c}, nil
}

type sqlTx struct{ c *sqlConn }

func (t sqlTx) Commit() error   { return t.end("COMMIT") }
func (t sqlTx) Rollback() error { return t.end("ROLLBACK") }

func (t sqlTx) end(how string) error {
	_, err := exec(context.Background(), t.c.conn, how, nil)
	return err
}

type sqlStmt struct {
	conn *sqlConn
	p    session.Prepared
}

func (s *sqlStmt) Close() error  { return nil }
func (s *sqlStmt) NumInput() int { return len(s.p.Params()) }

func (s *sqlStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (s *sqlStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

func (s *sqlStmt) start(ctx context.Context, named []driver.NamedValue) (*Rows, error) {
	args := make([]any, len(named))
	for i, a := range named {
		if a.Name != "" {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "named parameter %q: parameters are $1, $2 …", a.Name)
		}
		args[i] = a.Value
	}
	r, err := startPrepared(ctx, s.p, args)
	if err != nil {
		// The statement's error is what counts; ending the batch after it only rolls back.
		_ = s.conn.conn.EndBatch(ctx, true)
		return nil, err
	}
	return &Rows{stmt: &running{conn: s.conn.conn, result: r}}, nil
}

// QueryContext implements driver.StmtQueryContext.
func (s *sqlStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.start(ctx, args)
	if err != nil {
		return nil, err
	}
	return &sqlRows{rows}, nil
}

// ExecContext implements driver.StmtExecContext.
func (s *sqlStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	rows, err := s.start(ctx, args)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
	}
	tag := rows.stmt.result.Tag()
	if err := rows.Close(); err != nil {
		return nil, err
	}
	fields := strings.Fields(tag)
	n := int64(0)
	if len(fields) > 1 {
		// A tag without a count, "CREATE TABLE", affects no rows.
		n, _ = strconv.ParseInt(fields[len(fields)-1], 10, 64)
	}
	return driver.RowsAffected(n), nil
}

type sqlRows struct{ rows *Rows }

func (r *sqlRows) Columns() []string { return r.rows.Columns() }
func (r *sqlRows) Close() error      { return r.rows.Close() }

func (r *sqlRows) Next(dest []driver.Value) error {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	for i, v := range r.rows.Values() {
		dest[i] = v
	}
	return nil
}

// ColumnTypeDatabaseTypeName names the SQL type.
func (r *sqlRows) ColumnTypeDatabaseTypeName(i int) string { return strings.ToUpper(r.rows.Types()[i]) }
