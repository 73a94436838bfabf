package wire_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A table as the server makes it from submissions, in the schema that the default search path looks into.
const mainTable = `create table telemetry.main (submission_timestamp timestamptz, submission_date date, document_id text, client_id text,
  sample_id bigint, normalized_channel text, payload jsonb);
insert into telemetry.main values ('2016-05-01 12:00:00+00', '2016-05-01', 'd1', 'c1', 42, 'nightly', '{"info": {"uptime": 5}}'),
  ('2016-05-02 12:00:00+00', '2016-05-02', 'd2', 'c2', 43, 'beta', '{"info": {"uptime": 7}}')`

func withMain(t *testing.T) (addr string) {
	addr = serve(t)
	c := connect(t, addr)
	for s := range strings.SplitSeq(mainTable, ";\n") {
		if err := execute(c, s); err != nil {
			t.Fatal(err)
		}
	}
	return addr
}

func psql(t *testing.T, addr string, input string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("no psql on this machine")
	}
	host, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(path, append([]string{"-X", "-h", host, "-p", port, "-U", "analyst", "-d", "telemdb"}, args...)...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PG") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C.UTF-8")
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v\n", out, err)
	}
	return string(out)
}

func TestPsqlLooksAround(t *testing.T) {
	addr := withMain(t)
	for command, want := range map[string]string{
		`\l`: `telemdb   | telemdb | UTF8`,
		`\dn`: ` telemetry | telemdb
`,
		`\dt`: `
  Schema   | Name | Type  |  Owner  
-----------+------+-------+---------
 telemetry | main | table | telemdb
(1 row)
`,
		`\d main`: `                           Table "telemetry.main"
        Column        |           Type           | Collation | Nullable | Default 
----------------------+--------------------------+-----------+----------+---------
 submission_timestamp | timestamp with time zone |           |          | 
 submission_date      | date                     |           |          | 
 document_id          | text                     |           |          | 
 client_id            | text                     |           |          | 
 sample_id            | bigint                   |           |          | 
 normalized_channel   | text                     |           |          | 
 payload              | jsonb                    |           |          | 

`,
		`\df hist_count`: ` telemdb | hist_count | bigint `,
		`\d`:             ` telemetry | main | table | telemdb`,
		`\dt nosuch`:     `Did not find any relation named "nosuch".`,
		`\du`:            ` analyst   | Superuser`,
		`\conninfo`:      `You are connected to database "telemdb" as user "analyst"`,
		`\encoding`:      `UTF8`,
	} {
		if got := psql(t, addr, "", "-c", command); !strings.Contains(got, want) {
			t.Errorf("%s:\n%s", command, got)
		}
	}
}

func TestPsqlQueries(t *testing.T) {
	addr := withMain(t)
	for _, c := range []struct{ input, want string }{
		{`select submission_date, sample_id, payload->'info'->>'uptime' as up from main order by 1;`,
			"2016-05-01|42|5\n2016-05-02|43|7\n"},
		{"begin;\nselect 1/0;\nselect 1;\ncommit;\nselect 2;", "BEGIN\nERROR:  division by zero\n" +
			"ERROR:  current transaction is aborted, commands ignored until end of transaction block\nROLLBACK\n2\n"},
		{"select nosuch\nfrom main;", "ERROR:  column \"nosuch\" does not exist\nLINE 1: select nosuch\n               ^\n"},
		{"select 'ä', nosuch;", "ERROR:  column \"nosuch\" does not exist\nLINE 1: select 'ä', nosuch;\n                    ^\n"},
		{"select 1 \\; select 2;", "1\n2\n"},
		{"create table copied (a int, b text);\n\\copy copied from stdin\n1\tx\n2\t\\N\n\\.\nselect count(*), count(b) from copied;", "CREATE TABLE\nCOPY 2\n2|1\n"},
		{"copy (select 1, 'a') to stdout;", "1\ta\n"},
		{"select 1 as a, 'x' as b \\gdesc", "a|integer\nb|text\n"},
		{"set timezone to 'Europe/Berlin';\nselect timestamptz '2016-05-01 12:00:00+00';", "SET\n2016-05-01 14:00:00+02\n"},
	} {
		if got := psql(t, addr, c.input, "-At"); got != c.want {
			t.Errorf("%s\n%s\nwant\n%s", c.input, got, c.want)
		}
	}
}

func TestPgxOverRealSessions(t *testing.T) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, "postgres://analyst@"+withMain(t)+"/telemdb")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		var day, at time.Time
		var id string
		var sample int64
		var payload map[string]any
		err := conn.QueryRow(ctx, "select submission_date, submission_timestamp, document_id, sample_id, payload from main where client_id = $1 and sample_id > $2",
			mode, "c1", 5).Scan(&day, &at, &id, &sample, &payload)
		if err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		if day.Format(time.DateOnly) != "2016-05-01" || !at.Equal(time.Date(2016, 5, 1, 12, 0, 0, 0, time.UTC)) || id != "d1" || sample != 42 ||
			payload["info"].(map[string]any)["uptime"] != 5.0 {
			t.Error(mode, day, at, id, sample, payload)
		}
	}
	var arr []string
	var f float64
	var b bool
	var n *int32
	if err := conn.QueryRow(ctx, "select array['a','b'], 0.5::float8, true, null::int4").Scan(&arr, &f, &b, &n); err != nil || len(arr) != 2 || f != 0.5 || !b || n != nil {
		t.Error(arr, f, b, n, err)
	}
	batch := &pgx.Batch{}
	for i := range 20 {
		batch.Queue("select $1::int8 + 1", i)
	}
	res := conn.SendBatch(ctx, batch)
	for i := range 20 {
		var got int64
		if err := res.QueryRow().Scan(&got); err != nil || got != int64(i)+1 {
			t.Fatal(i, got, err)
		}
	}
	if err := res.Close(); err != nil {
		t.Fatal(err)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "insert into main (client_id, sample_id) values ($1, $2)", "c3", 44); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	var count int64
	if err := conn.QueryRow(ctx, "select count(*) from main").Scan(&count); err != nil || count != 2 {
		t.Error(count, err)
	}
	var pe *pgconn.PgError
	if _, err := conn.Exec(ctx, "select * from nosuch"); !errors.As(err, &pe) || pe.Code != "42P01" || pe.Position != 15 {
		t.Error(err)
	}
}

func TestLibPQOverRealSessions(t *testing.T) {
	host, port, _ := net.SplitHostPort(withMain(t))
	db, err := sql.Open("postgres", "host="+host+" port="+port+" user=analyst dbname=telemdb sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var day time.Time
	var id string
	if err := db.QueryRow("select submission_date, document_id from main where sample_id = $1", 43).Scan(&day, &id); err != nil || id != "d2" || day.Day() != 2 {
		t.Error(day, id, err)
	}
	if _, err := db.Exec("create table copied (a int, b text)"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	st, err := tx.Prepare(`COPY "copied" ("a", "b") FROM STDIN`)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if _, err := st.Exec(i, fmt.Sprint("row\t", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := st.Exec(); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var n, sum int64
	if err := db.QueryRow("select count(*), sum(a) from copied where b like 'row%'").Scan(&n, &sum); err != nil || n != 1000 || sum != 499500 {
		t.Error(n, sum, err)
	}
}

func TestAStatementThatRunsIsCancelled(t *testing.T) {
	addr := serve(t)
	conn, err := pgx.Connect(context.Background(), "postgres://analyst@"+addr+"/telemdb")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, q := range []string{"select pg_sleep(60)", "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b"} {
		s := captured{text: q}
		start := time.Now()
		err := s.cancelled(conn.PgConn(), new([]string))
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != "57014" || pe.Message != "canceling statement due to user request" {
			t.Errorf("%s: %v", q, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s: cancelled after %v", q, d)
		}
	}
	var out bytes.Buffer
	if _, err := conn.PgConn().CopyTo(context.Background(), &out, "copy (select 1) to stdout"); err != nil || out.String() != "1\n" {
		t.Error(out.String(), err)
	}
}
