//go:build cgo

package builtin_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestGoldenAnswersAreThoseOfALiveServer asks a PostgreSQL 15 for every expression whose answer is stored. The DSN comes
// from TELEMDB_TEST_POSTGRES; the database needs encoding UTF8, collation C and character type C.UTF-8. To add
// expressions, write them with any answers and take what this test says the server gives.
func TestGoldenAnswersAreThoseOfALiveServer(t *testing.T) {
	dsn := os.Getenv("TELEMDB_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("TELEMDB_TEST_POSTGRES is not set")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, file := range []string{"testdata/expr.txt", "testdata/random.txt", "testdata/misc.txt"} {
		eachBlock(t, file, func(line int, header string, exprs, want []string) {
			zone := "UTC"
			if _, z, ok := strings.Cut(header, "zone="); ok {
				zone = z
			}
			if _, err := conn.Exec(ctx, "SET timezone = '"+zone+"'"); err != nil {
				t.Fatal(err)
			}
			for i, e := range exprs {
				if strings.HasPrefix(header, "sets") {
					e = "(SELECT array_agg(z) FROM (SELECT " + e + " z) z_)"
				}
				if got := ask(ctx, conn, e); got != want[i] {
					t.Errorf("%s:%d: %s\n stored %s\n server %s", file, line+1+i, exprs[i], want[i], got)
				}
			}
		})
	}
}

func ask(ctx context.Context, conn *pgx.Conn, e string) string {
	var s *string
	err := conn.QueryRow(ctx, "SELECT CASE WHEN z IS NOT NULL THEN format('%s', z) END FROM (SELECT ("+e+") z) z_",
		pgx.QueryExecModeSimpleProtocol).Scan(&s)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		return "ERROR " + pg.Code + ": " + pg.Message
	case err != nil:
		return "ERROR " + err.Error()
	case s == nil:
		return "NULL"
	}
	return strings.ReplaceAll(*s, "\n", `\n`)
}
