package telemdb

import (
	"context"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/sql/session"
)

// runNoticed runs a statement in a session of its own and returns its tag and notices, or its error.
func runNoticed(t *testing.T, db *DB, sql string) string {
	t.Helper()
	ctx := context.Background()
	c, err := db.OpenSession(ctx, session.Options{User: "telemdb"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stmts, err := c.Split(sql)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, st := range stmts {
		p, err := c.Prepare(ctx, st, nil)
		if err == nil {
			var r session.Result
			if r, err = p.Execute(ctx, nil); err == nil {
				out.WriteString(r.Tag() + "\n")
				err = r.Close()
			}
		}
		for _, n := range c.Notices() {
			out.WriteString(n.Severity + ": " + n.Message + "\n")
		}
		if err != nil {
			return out.String() + err.Error()
		}
	}
	return out.String()
}

func TestCLUSTERMakesOneRunOfEachPartition(t *testing.T) {
	db := ForTest(t, "CREATE TABLE t (d date, a int, b text) PARTITION BY RANGE (d) WITH (sort_key = 'a')", "CREATE TABLE plain (x int)",
		"INSERT INTO plain VALUES (1)", "SELECT telemdb.flush()", "CREATE VIEW v AS SELECT a FROM t")
	for range 4 {
		mustExec(t, db, "INSERT INTO t SELECT date '2016-01-01' + g % 2, g * 7919 % 1000, 'row ' || g FROM generate_series(1, 1000) g")
		mustExec(t, db, "SELECT telemdb.flush()")
	}
	before := one(t, db, "SELECT count(*), sum(a), count(DISTINCT b) FROM t")
	for _, c := range []struct{ sql, want string }{
		{"CLUSTER VERBOSE t", "CLUSTER\nINFO: table \"public.t\", partition 2016-01-01: 4 segments became 1 of 2000 rows"},
		{"CLUSTER (VERBOSE) public.t", "CLUSTER\nINFO: table \"public.t\": in order already, nothing was written\n"},
		{"CLUSTER", "CLUSTER\n"},
		{"CLUSTER none", `relation "none" does not exist`},
		{"CLUSTER v", `"v" is not a stored table`},
		{"CLUSTER t USING t_pkey", "CLUSTER … USING an index is not supported"},
		{"BEGIN; CLUSTER t", "CLUSTER inside a transaction block is not supported"},
		{"SET default_transaction_read_only = on; CLUSTER t", "cannot execute CLUSTER in a read-only transaction"},
	} {
		if got := runNoticed(t, db, c.sql); !strings.Contains(got, c.want) || strings.HasPrefix(c.want, "CLUSTER\n") && !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.sql, got, c.want)
		}
	}
	if got := one(t, db, "SELECT count(*), sum(a), count(DISTINCT b) FROM t"); got != before {
		t.Errorf("rows %s, before %s", got, before)
	}
	if got := one(t, db, "SELECT count(*) FROM telemdb.segments WHERE table_name = 't'"); got != "2" {
		t.Errorf("%s segments", got)
	}
	if got := one(t, db, "SELECT progress FROM telemdb.jobs WHERE name = 'cluster'"); got == "" {
		t.Error("telemdb.jobs tells nothing of it")
	}
	if got := one(t, db, "SELECT count(*) FROM telemdb.check"); got != "0" {
		t.Errorf("check finds %s problems", got)
	}
}
