package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/telemdb/telemdb/engine/datum"
)

// TestAgainstPostgres runs the blocks of testdata/*.slt on a real PostgreSQL 15, named by TELEMDB_TEST_POSTGRES (a
// connection string), and compares its answers with those recorded for us. Blocks with the argument "own" are about what
// PostgreSQL does not have, or does otherwise on purpose.
func TestAgainstPostgres(t *testing.T) {
	dsn := os.Getenv("TELEMDB_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("TELEMDB_TEST_POSTGRES is not set")
	}
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if !strings.HasSuffix(path, ".slt") {
			t.Skip("not a test file")
		}
		ctx := context.Background()
		var notices []string
		cfg, err := pgconn.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
			notices = append(notices, fmt.Sprintf("%s %s: %s\n", n.Severity, n.Code, n.Message))
		}
		c, err := pgconn.ConnectConfig(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(ctx)
		if _, err := c.Exec(ctx, "DROP SCHEMA IF EXISTS s CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public; SET timezone='UTC'; SET search_path = public; SET default_transaction_isolation = 'repeatable read'").ReadAll(); err != nil {
			t.Fatal(err)
		}
		notices = nil
		var diffs []string // collected, because a test file stops at its first failure
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "sql" || d.HasArg("own") || d.HasArg("conn") {
				return d.Expected
			}
			notices = nil
			got := runOracle(ctx, c, d.Input, d.HasArg("types"), &notices)
			if got != d.Expected {
				diffs = append(diffs, fmt.Sprintf("%s: %s\nPostgreSQL:\n%stelemdb:\n%s", d.Pos, d.Input, got, d.Expected))
			}
			return d.Expected
		})
		for _, d := range diffs {
			t.Error(d)
		}
	})
}

func runOracle(ctx context.Context, c *pgconn.PgConn, query string, withTypes bool, notices *[]string) string {
	var out strings.Builder
	r := c.Exec(ctx, query)
	for r.NextResult() {
		rr := r.ResultReader()
		fields := rr.FieldDescriptions()
		if fields != nil {
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.Name
				if withTypes {
					ty, _ := datum.TypeOfOID(f.DataTypeOID)
					names[i] += ":" + datum.FormatType(datum.WithTypMod(ty, f.TypeModifier))
				}
			}
			out.WriteString(strings.Join(names, " | ") + "\n")
		}
		for rr.NextRow() {
			cells := make([]string, len(rr.Values()))
			for i, v := range rr.Values() {
				cells[i] = "NULL"
				if v != nil {
					cells[i] = string(v)
				}
			}
			out.WriteString(strings.Join(cells, " | ") + "\n")
		}
		tag, err := rr.Close()
		if err != nil {
			break
		}
		out.WriteString(strings.Join(*notices, ""))
		*notices = nil
		out.WriteString(tag.String() + "\n")
	}
	if err := r.Close(); err != nil {
		var e *pgconn.PgError
		if !errors.As(err, &e) {
			return err.Error()
		}
		s := "ERROR " + e.Code
		if e.Position > 0 {
			s += fmt.Sprintf(" at %d", e.Position)
		}
		s += ": " + e.Message + "\n"
		if e.Detail != "" {
			s += "DETAIL: " + e.Detail + "\n"
		}
		if e.Hint != "" {
			s += "HINT: " + e.Hint + "\n"
		}
		out.WriteString(strings.Join(*notices, "") + s)
	}
	if st := c.TxStatus(); st != 'I' {
		fmt.Fprintf(&out, "[%c]\n", st)
	}
	return out.String()
}
