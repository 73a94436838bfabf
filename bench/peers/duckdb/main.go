// Command duckdb is the peer of bench/telembench that runs DuckDB in process.
package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/telemdb/telemdb/bench/peer"
)

func main() { peer.Serve(&engine{}) }

// engine has one connection of the driver, without the pool of database/sql in between.
type engine struct {
	file      string
	connector *duckdb.Connector
	conn      driver.Conn
	arrow     *duckdb.Arrow
}

var background = context.Background()

// Formats are rows as the driver gives them, and Arrow records, which are DuckDB's vectors almost as they are.
func (e *engine) Formats() []string { return []string{"rows", "arrow"} }

func (e *engine) Open(q *peer.Request) (string, error) {
	if err := os.MkdirAll(q.Dir, 0o755); err != nil {
		return "", err
	}
	e.file = filepath.Join(q.Dir, "bench.duckdb")
	var err error
	if e.connector, err = duckdb.NewConnector(e.file, nil); err != nil {
		return "", err
	}
	if e.conn, err = e.connector.Connect(background); err != nil {
		return "", err
	}
	if e.arrow, err = duckdb.NewArrowFromConn(e.conn); err != nil {
		return "", err
	}
	for _, set := range []string{
		fmt.Sprintf("SET threads = %d", q.Threads),
		fmt.Sprintf("SET memory_limit = '%dMB'", q.Memory/1_000_000),
		fmt.Sprintf("SET temp_directory = '%s'", filepath.Join(q.Dir, "spill")),
		"SET TimeZone = 'UTC'",
	} {
		if err := e.Exec(set); err != nil {
			return "", fmt.Errorf("%s: %w", set, err)
		}
	}
	_, rows, err := e.Verify("SELECT version()")
	if err != nil {
		return "", err
	}
	return *rows[0][0], nil
}

func (e *engine) Exec(query string) error {
	_, err := e.conn.(driver.ExecerContext).ExecContext(background, query, nil)
	return err
}

// Load reads the forms that bench/workload promises: nothing is NULL, "" is an empty text.
func (e *engine) Load(table string, _ []peer.Column, file string) error {
	return e.Exec(fmt.Sprintf("COPY %s FROM '%s' (FORMAT csv, HEADER false, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR '', ALLOW_QUOTED_NULLS false)",
		table, strings.ReplaceAll(file, "'", "''")))
}

func (e *engine) Seal() error   { return e.Exec("CHECKPOINT") }
func (e *engine) Settle() error { return e.Exec("ANALYZE") }

func (e *engine) Query(query, format string) (n int64, err error) {
	if format == "arrow" {
		r, err := e.arrow.QueryContext(background, query)
		if err != nil {
			return 0, err
		}
		defer r.Release()
		for r.Next() {
			n += r.RecordBatch().NumRows()
		}
		return n, r.Err()
	}
	err = e.rows(query, func(driver.Rows, []driver.Value) error { n++; return nil })
	return n, err
}

// rows calls f with each row, whose values it may use until it returns.
func (e *engine) rows(query string, f func(driver.Rows, []driver.Value) error) error {
	rows, err := e.conn.(driver.QueryerContext).QueryContext(background, query, nil)
	if err != nil {
		return err
	}
	values := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(values); err == io.EOF {
			return rows.Close()
		} else if err != nil {
			return errors.Join(err, rows.Close())
		}
		if err := f(rows, values); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
}

func (e *engine) Verify(query string) (cols []peer.Column, data [][]*string, err error) {
	err = e.rows(query, func(rows driver.Rows, values []driver.Value) error {
		if cols == nil {
			cols = columnsOf(rows)
		}
		row := make([]*string, len(values))
		for i, v := range values {
			if row[i], err = text(v, &cols[i]); err != nil {
				return fmt.Errorf("column %s: %w", cols[i].Name, err)
			}
		}
		data = append(data, row)
		return nil
	})
	return cols, data, err
}

func columnsOf(rows driver.Rows) (cols []peer.Column) {
	types := rows.(driver.RowsColumnTypeDatabaseTypeName)
	for i, name := range rows.Columns() {
		t := types.ColumnTypeDatabaseTypeName(i)
		cols = append(cols, peer.Column{Name: name, Type: t, Kind: kindOf(t)})
	}
	return cols
}

func kindOf(t string) peer.Kind {
	switch name, _, _ := strings.Cut(t, "("); name {
	case "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT":
		return peer.Int
	case "FLOAT", "DOUBLE", "DECIMAL":
		return peer.Float
	case "DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		return peer.Time
	}
	return peer.Text
}

func text(v any, c *peer.Column) (*string, error) {
	switch d := v.(type) {
	case []byte:
		if c.Type == "UUID" && len(d) == 16 {
			s := fmt.Sprintf("%x-%x-%x-%x-%x", d[:4], d[4:6], d[6:8], d[8:10], d[10:])
			return &s, nil
		}
	case duckdb.Decimal:
		s := decimal(d.Value, int(d.Scale))
		return peer.Canonical(s, peer.Float)
	case duckdb.UUID:
		s := d.String()
		return &s, nil
	}
	return peer.Canonical(v, c.Kind)
}

// decimal writes v / 10^scale.
func decimal(v *big.Int, scale int) string {
	if scale == 0 {
		return v.String()
	}
	sign, digits := "", new(big.Int).Abs(v).String()
	if v.Sign() < 0 {
		sign = "-"
	}
	if short := scale + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// Trim gives free memory back.
func (e *engine) Trim() { trim() }

func (e *engine) Size([]string) (int64, error) {
	st, err := os.Stat(e.file)
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (e *engine) Close() error {
	if e.conn == nil {
		return nil
	}
	return errors.Join(e.conn.Close(), e.connector.Close())
}
