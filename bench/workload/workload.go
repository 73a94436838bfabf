// Package workload says what the engines are compared on: tables with seeded rows, and queries over them in the dialect of
// each engine. It knows nothing of how they are run; bench/telembench does that.
//
// The workloads themselves are the packages below: flat (telemetry-flat) and hits (the ClickBench table and queries).
package workload

import (
	"fmt"
	"io"
	"strings"
)

// Dialect is whose SQL a statement is written in.
type Dialect string

// The dialects. Default is the text for every engine that has none of its own; it is PostgreSQL's SQL, as telemdb takes it.
const (
	Default    Dialect = ""
	Telemdb    Dialect = "telemdb"
	DuckDB     Dialect = "duckdb"
	ClickHouse Dialect = "clickhouse"
	Postgres   Dialect = "postgres"
)

// Dialects are those of the engines.
var Dialects = []Dialect{Telemdb, DuckDB, ClickHouse, Postgres}

// Workload is tables and what is asked of them.
type Workload struct {
	Name    string // "flat"; names the report's files
	Title   string // one line for people
	Scale   int64  // rows of the first table when nobody says how many
	Tables  []Table
	Queries []Query
}

// Table is a table of a workload. Every engine loads it from the same CSV.
type Table struct {
	Name    string
	Columns []Column
	// SortKey is the order of rows that every engine may keep: ClickHouse's ORDER BY, DuckDB's rewritten file, telemdb's
	// segments.
	SortKey []string
	// Plain is for telemdb alone: values as they are, without an encoding.
	Plain bool
	// Rows returns how many rows the table has at a scale (the -rows flag): the scale itself for the table that is measured,
	// less for a dimension table.
	Rows func(scale int64) int64
	// CSV writes the rows of one shard, 0 <= shard < of. All shards together are Rows(scale) rows, the same in every run
	// and on every machine; how a shard is cut may depend on of. It is called from several goroutines at a time, one
	// shard each, and writes as it goes: w is a pipe or a file, not memory.
	//
	// The form is CSV as PostgreSQL's COPY … CSV reads it, without a header: NULL is nothing at all between the commas, an
	// empty text is "", a text with a comma, a quote or a line end is quoted, dates are 2006-01-02, timestamps are
	// 2006-01-02 15:04:05[.999999] (UTC, no zone), booleans true and false.
	CSV func(w io.Writer, scale int64, shard, of int) error
}

// Column is a column and its type in each engine, with NOT NULL or Nullable(…) where that is the best configuration: a
// ClickHouse column that has no NULL is not Nullable.
type Column struct {
	Name                                  string
	Telemdb, DuckDB, ClickHouse, Postgres string
}

// Type returns the column's type in a dialect.
func (c *Column) Type(d Dialect) string {
	switch d {
	case DuckDB:
		return c.DuckDB
	case ClickHouse:
		return c.ClickHouse
	case Postgres:
		return c.Postgres
	}
	return c.Telemdb
}

// Query is one question. Its answers are compared between the engines before a time of it counts.
type Query struct {
	Name  string // "q01"
	Title string // what it asks, for people: "sessions by country"
	SQL   map[Dialect]string

	// Ordered says that the statement's ORDER BY is to be held, and OrderBy which result columns (from 0) it orders by.
	// Rows that are equal in those columns may come in any order. With a LIMIT, rows that are equal in them to the last row
	// may be others (Limited). Not Ordered: rows are compared as a multiset.
	Ordered bool
	OrderBy []int
	Limited bool

	// Check, if not empty, is compared instead of SQL: for a statement whose answer is not determined, such as LIMIT
	// without an order. It asks the same with the choice taken out.
	Check map[Dialect]string

	// Tolerance is the largest relative difference of floating-point results; 0 is DefaultTolerance.
	Tolerance float64
	// Approx, if not nil, says that some columns are estimates.
	Approx *Approx
}

// DefaultTolerance is for sums of floats that are added in another order.
const DefaultTolerance = 1e-9

// Approx judges estimates: each engine's against exact values, not against each other's.
type Approx struct {
	Columns []int   // result columns (from 0) that are estimates; all others are compared as ever
	Within  float64 // largest relative error of each
	// Exact asks for the same rows with exact values. It is run once, on the first engine that answers it, DuckDB if it is
	// there.
	Exact map[Dialect]string
}

// In returns a statement in a dialect: its own text, or the default.
func In(sql map[Dialect]string, d Dialect) string {
	if s, ok := sql[d]; ok {
		return s
	}
	return sql[Default]
}

// Everywhere is a statement that all engines take as it is.
func Everywhere(sql string) map[Dialect]string { return map[Dialect]string{Default: sql} }

// Validate says what is missing or contradictory.
func (w *Workload) Validate() error {
	seen := map[string]bool{}
	for i := range w.Tables {
		if err := w.Tables[i].validate(); err != nil {
			return fmt.Errorf("workload %s: table %s: %w", w.Name, w.Tables[i].Name, err)
		}
	}
	for i := range w.Queries {
		q := &w.Queries[i]
		if q.Name == "" || seen[q.Name] {
			return fmt.Errorf("workload %s: query %d (%q): a query needs a name of its own", w.Name, i, q.Name)
		}
		seen[q.Name] = true
		if err := q.validate(); err != nil {
			return fmt.Errorf("workload %s: query %s: %w", w.Name, q.Name, err)
		}
	}
	return nil
}

func (t *Table) validate() error {
	names := map[string]bool{}
	for i := range t.Columns {
		c := &t.Columns[i]
		for _, d := range Dialects {
			if c.Type(d) == "" {
				return fmt.Errorf("column %s has no type for %s", c.Name, d)
			}
		}
		if names[c.Name] {
			return fmt.Errorf("two columns are named %s", c.Name)
		}
		names[c.Name] = true
	}
	for _, k := range t.SortKey {
		if !names[k] {
			return fmt.Errorf("the order names %s, which is no column", k)
		}
	}
	if t.Rows == nil || t.CSV == nil {
		return fmt.Errorf("it has no rows")
	}
	return nil
}

func (q *Query) validate() error {
	for _, sql := range []map[Dialect]string{q.SQL, q.Check} {
		for d, text := range sql {
			if strings.TrimSpace(text) == "" {
				return fmt.Errorf("its statement for %q is empty", d)
			}
		}
	}
	switch {
	case len(q.SQL) == 0:
		return fmt.Errorf("it has no statement")
	case q.Ordered != (len(q.OrderBy) > 0):
		return fmt.Errorf("fields Ordered and OrderBy go together")
	case q.Limited && !q.Ordered:
		return fmt.Errorf("a LIMIT without an order has no answer that could be compared: it needs a Check")
	case q.Approx != nil && (len(q.Approx.Columns) == 0 || q.Approx.Within <= 0 || len(q.Approx.Exact) == 0):
		return fmt.Errorf("field Approx needs columns, an error and the exact statement")
	}
	return nil
}
