package sqltest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/telemdb/telemdb"
)

// TestAnswersAreThoseOfPostgreSQL15 runs testdata/*.txt. Each file begins with the tables of setup.sql. Blocks:
//
//	sql [sorted]   a query string, run as a simple query; sorted: rows in any order, printed sorted
//	own [sorted]   the same, but the answer is telemdb's own, not PostgreSQL's: a limit, or a deliberate difference
//	prepare        a statement, parsed and described: parameter and column types
//	copy           a COPY FROM STDIN statement up to a line of "--", then its data
//
// telemdb is asked twice: with the rows in memory, and with the rows in segments.
func TestAnswersAreThoseOfPostgreSQL15(t *testing.T) {
	if url := os.Getenv("TELEMDB_PG_URL"); url != "" {
		runFiles(t, url, target{live: true})
		return
	}
	t.Run("head", func(t *testing.T) { runFiles(t, serve(t), target{}) })
	t.Run("sealed", func(t *testing.T) { runFiles(t, serve(t), target{sealed: true}) })
}

// target says what is asked.
type target struct {
	live   bool // a PostgreSQL: blocks of telemdb's own are not for it
	sealed bool // the rows are sealed into segments, several of them
}

func runFiles(t *testing.T, url string, to target) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if !strings.HasSuffix(path, ".txt") {
			t.Skip("not a test file")
		}
		c := connect(t, url)
		prepareTables(t, c, to.sealed)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			switch d.Cmd {
			case "sql":
				return run(ctx, c, d.Input, d.HasArg("sorted"))
			case "own":
				if to.live {
					return d.Expected
				}
				return run(ctx, c, d.Input, d.HasArg("sorted"))
			case "prepare":
				return describe(ctx, c, d.Input)
			case "copy":
				return copyIn(ctx, c, d.Input)
			}
			t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
			return ""
		})
	})
}

// serve starts a database in memory on a free port and returns how to reach it.
func serve(t *testing.T) string {
	t.Helper()
	db := telemdb.ForTest(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- db.ServeWire(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(db.ShutdownWire(ctx), <-served); err != nil {
			t.Errorf("stopping the server: %v", err)
		}
	})
	return fmt.Sprintf("postgres://tester@%s/telemdb?sslmode=disable", l.Addr())
}

func connect(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c.Close(ctx)
	})
	return c
}

// prepareTables makes the tables of setup.sql anew and fills them by COPY; with sealed, the halves of a table are segments
// of their own.
func prepareTables(t *testing.T, c *pgconn.PgConn, sealed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	setup, err := os.ReadFile("testdata/setup.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, string(setup)).ReadAll(); err != nil {
		t.Fatalf("setup.sql: %v", err)
	}
	for _, table := range tables() {
		half := strings.LastIndexByte(table.data[:len(table.data)/2], '\n') + 1
		for _, data := range []string{table.data[:half], table.data[half:]} {
			sql := fmt.Sprintf("COPY %s FROM STDIN", table.name)
			if _, err := c.CopyFrom(ctx, strings.NewReader(data), sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			if !sealed {
				continue
			}
			if _, err := c.Exec(ctx, "SELECT telemdb.flush()").ReadAll(); err != nil {
				t.Fatalf("flush: %v", err)
			}
		}
	}
}

func run(ctx context.Context, c *pgconn.PgConn, sql string, sorted bool) string {
	var out strings.Builder
	results := c.Exec(ctx, sql)
	for results.NextResult() {
		printResult(&out, results.ResultReader(), sorted)
	}
	if err := results.Close(); err != nil {
		out.WriteString(errorText(err))
	}
	return out.String()
}

// printResult prints a result that is whole: of one that fails, only the error counts, as it may come before or behind rows.
func printResult(out *strings.Builder, r *pgconn.ResultReader, sorted bool) {
	fields := r.FieldDescriptions()
	var rows []string
	for r.NextRow() {
		rows = append(rows, rowText(r.Values()))
	}
	if sorted {
		slices.Sort(rows)
	}
	tag, err := r.Close()
	if err != nil {
		return
	}
	if fields == nil {
		out.WriteString(tag.String() + "\n")
		return
	}
	out.WriteString(header(fields) + "\n")
	for _, row := range rows {
		out.WriteString(row + "\n")
	}
}

func header(fields []pgconn.FieldDescription) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = fmt.Sprintf("%s:%s", f.Name, typeName(f.DataTypeOID, f.TypeModifier))
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// rowText joins the values by " | "; NULL is ∅, the empty string ”, and what would break the line is escaped.
func rowText(values [][]byte) string {
	if len(values) == 0 {
		return "  no columns"
	}
	cells := make([]string, len(values))
	for i, v := range values {
		if v == nil {
			cells[i] = "∅"
			continue
		}
		if len(v) == 0 {
			cells[i] = "''"
			continue
		}
		cells[i] = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(string(v))
	}
	return strings.TrimRight("  "+strings.Join(cells, " | "), " ")
}

func errorText(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return fmt.Sprintf("CLIENT ERROR: %v\n", err)
	}
	at := ""
	if pg.Position != 0 {
		at = fmt.Sprintf(" at %d", pg.Position)
	}
	return fmt.Sprintf("ERROR %s%s: %s\n", pg.Code, at, pg.Message)
}

func describe(ctx context.Context, c *pgconn.PgConn, sql string) string {
	d, err := c.Prepare(ctx, "", sql, nil)
	if err != nil {
		return errorText(err)
	}
	params := make([]string, len(d.ParamOIDs))
	for i, oid := range d.ParamOIDs {
		params[i] = typeName(oid, -1)
	}
	return fmt.Sprintf("(%s) %s\n", strings.Join(params, ", "), header(d.Fields))
}

func copyIn(ctx context.Context, c *pgconn.PgConn, input string) string {
	sql, data, _ := strings.Cut(input, "\n--\n")
	if data != "" {
		data += "\n"
	}
	tag, err := c.CopyFrom(ctx, strings.NewReader(data), sql)
	if err != nil {
		return errorText(err)
	}
	return tag.String() + "\n"
}

// typeName is the type of a column as \gdesc shows it, for the types of these tests; others are their oids.
func typeName(oid uint32, mod int32) string {
	name, ok := typeNames[oid]
	if !ok {
		name = fmt.Sprint(oid)
	}
	if mod >= 0 {
		name += fmt.Sprintf("(%d)", mod)
	}
	return name
}

var typeNames = map[uint32]string{
	16: "bool", 17: "bytea", 18: "\"char\"", 19: "name", 20: "int8", 21: "int2", 23: "int4", 24: "regproc", 25: "text", 26: "oid",
	114: "json", 700: "float4", 701: "float8", 705: "unknown", 1000: "bool[]", 1005: "int2[]", 1007: "int4[]", 1009: "text[]",
	1015: "varchar[]", 1016: "int8[]", 1021: "float4[]", 1022: "float8[]", 1042: "bpchar", 1043: "varchar", 1082: "date",
	1083: "time", 1114: "timestamp", 1115: "timestamp[]", 1182: "date[]", 1184: "timestamptz", 1185: "timestamptz[]",
	1186: "interval", 1187: "interval[]", 1231: "numeric[]", 1700: "numeric", 2205: "regclass", 2206: "regtype", 2249: "record",
	2278: "void", 2950: "uuid", 2951: "uuid[]", 3802: "jsonb", 3807: "jsonb[]", 2277: "anyarray", 2287: "record[]",
	1003: "name[]", 1002: "\"char\"[]", 1028: "oid[]",
}
