package workload_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/bench/workload"
	"github.com/telemdb/telemdb/sql/session"
)

// This file has what the tests of this folder ask telemdb with: a database with a workload's rows, and answers that can be
// compared by a query's rules.

// rowsFrom is a number of rows from the environment.
func rowsFrom(t testing.TB, variable string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number of rows", variable, text)
	}
	return n
}

// unsealed, for open's parts, is one COPY whose rows stay in the head.
const unsealed = 0

// open returns a database in memory with the tables of w, and rows rows in its first; parts is into how many COPYs each
// table is cut, each of which is sealed by itself.
func open(t testing.TB, w *workload.Workload, rows int64, parts int) *telemdb.DB {
	t.Helper()
	db, err := telemdb.Open("", telemdb.Options{SealMaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range w.Tables {
		load(t, db, &w.Tables[i], rows, parts)
	}
	return db
}

func load(t testing.TB, db *telemdb.DB, table *workload.Table, rows int64, parts int) {
	t.Helper()
	ctx := context.Background()
	if _, err := db.Exec(ctx, createTable(table)); err != nil {
		t.Fatal(err)
	}
	for i := range max(parts, 1) {
		var csv bytes.Buffer
		if err := table.CSV(&csv, rows, i, max(parts, 1)); err != nil {
			t.Fatal(err)
		}
		if err := copyIn(ctx, db, table.Name, csv.Bytes()); err != nil {
			t.Fatalf("COPY %s: %v", table.Name, err)
		}
		if parts == unsealed {
			continue
		}
		if err := db.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func createTable(table *workload.Table) string {
	var cols []string
	for i := range table.Columns {
		cols = append(cols, table.Columns[i].Name+" "+table.Columns[i].Type(workload.Telemdb))
	}
	return fmt.Sprintf("CREATE TABLE %s (%s) WITH (sort_key = '%s')", table.Name, strings.Join(cols, ", "), strings.Join(table.SortKey, ", "))
}

func copyIn(ctx context.Context, db *telemdb.DB, table string, csv []byte) error {
	conn, err := db.OpenSession(ctx, session.Options{})
	if err != nil {
		return err
	}
	defer conn.Close()
	stmts, err := conn.Split("COPY " + table + " FROM STDIN (FORMAT csv)")
	if err != nil {
		return err
	}
	p, err := conn.Prepare(ctx, stmts[0], nil)
	if err != nil {
		return err
	}
	r, err := p.Execute(ctx, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.CopyIn().Write(csv); err != nil {
		return err
	}
	if err := r.CopyIn().Done(); err != nil {
		return err
	}
	return conn.EndBatch(ctx, false)
}

// answer is the rows of a statement.
type answer [][]any

// connect returns a session of db.
func connect(t testing.TB, db *telemdb.DB) *sql.Conn {
	t.Helper()
	pool := sql.OpenDB(db.Connector())
	conn, err := pool.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		pool.Close()
	})
	return conn
}

// ask runs what a query's answers are compared by: its statement, or its Check.
func ask(ctx context.Context, conn *sql.Conn, q *workload.Query) (answer, error) {
	text := workload.In(q.SQL, workload.Telemdb)
	if len(q.Check) > 0 {
		text = workload.In(q.Check, workload.Telemdb)
	}
	return read(ctx, conn, text)
}

func read(ctx context.Context, conn *sql.Conn, text string) (answer, error) {
	rows, err := conn.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out answer
	for rows.Next() {
		row, at := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			at[i] = &row[i]
		}
		if err := rows.Scan(at...); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// tolerance is how far sums of floats may be apart that were added in another order.
const tolerance = 1e-9

// difference says how b is no answer of q if a is one; "" if it is.
func difference(q *workload.Query, a, b answer) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d rows and %d", len(a), len(b))
	}
	if len(a) == 0 {
		return ""
	}
	if q.Ordered {
		for i := range a {
			for _, c := range q.OrderBy {
				if !equal(a[i][c], b[i][c]) {
					return fmt.Sprintf("row %d: ordered by %v and %v", i, a[i][c], b[i][c])
				}
			}
		}
	}
	if q.Limited && len(q.Check) == 0 {
		a, b = closed(q, a), closed(q, b)
	}
	a, b = sorted(a), sorted(b)
	for i := range a {
		for c := range a[i] {
			if !equal(a[i][c], b[i][c]) {
				return fmt.Sprintf("%v and %v", a[i], b[i])
			}
		}
	}
	return ""
}

// closed are the rows that are before the last one in the query's order: those equal to it may be others.
func closed(q *workload.Query, a answer) answer {
	last := a[len(a)-1]
	return slices.DeleteFunc(slices.Clone(a), func(row []any) bool {
		for _, c := range q.OrderBy {
			if !equal(row[c], last[c]) {
				return false
			}
		}
		return true
	})
}

// sorted puts rows in an order that does not depend on the last digits of floats.
func sorted(a answer) answer {
	keys := make(map[*any]string, len(a))
	for _, row := range a {
		var exact, rough strings.Builder
		for _, v := range row {
			if f, ok := v.(float64); ok {
				fmt.Fprintf(&rough, "%.6g|", f)
			} else {
				fmt.Fprintf(&exact, "%v|", v)
			}
		}
		keys[&row[0]] = exact.String() + rough.String()
	}
	out := slices.Clone(a)
	slices.SortStableFunc(out, func(x, y []any) int { return strings.Compare(keys[&x[0]], keys[&y[0]]) })
	return out
}

func equal(a, b any) bool {
	x, ok := a.(float64)
	y, too := b.(float64)
	if ok && too {
		return x == y || math.Abs(x-y) <= tolerance*max(math.Abs(x), math.Abs(y)) || math.IsNaN(x) && math.IsNaN(y)
	}
	if at, ok := a.(time.Time); ok {
		bt, ok := b.(time.Time)
		return ok && at.Equal(bt)
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}
