package telemdb

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"
)

// The first rows of an order are the same ones whether the scan is told about them or not: over segments, the head, deleted rows,
// NULLs and members of documents.
func TestFirstRowsAreTheSameWhateverTheScanIsTold(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 7))
	db := ForTest(t, "CREATE TABLE t (d date, at timestamp, id int, who text, n bigint, f float8, c jsonb) PARTITION BY RANGE (d)")
	for part := range 4 {
		mustExec(t, db, fmt.Sprintf(`INSERT INTO t SELECT date '2016-01-01' + g %% 4 + %d, timestamp '2016-01-01' + (g * 7919 %% 5000) * interval '1 minute', g,
			CASE WHEN g %% 11 > 0 THEN 'client-' || g * 31 %% 97 END, CASE WHEN g %% 13 > 0 THEN g * 17 %% 301 END, (g * 7 %% 40) / 8.0,
			jsonb_build_object('x', g %% 23, 'long', repeat('x', g %% 50)) FROM generate_series(%d, %d) g`, part, part*2000, part*2000+1999))
		if part < 3 {
			mustExec(t, db, "SELECT telemdb.flush()")
		}
		mustExec(t, db, fmt.Sprintf("DELETE FROM t WHERE id %% 5 = %d", part))
	}
	pool := sql.OpenDB(db.Connector())
	defer pool.Close()
	keys := []string{"at", "d", "who", "n", "f", "id", "(c->>'x')::int"}
	for range 40 {
		order := keys[rng.IntN(len(keys))] + []string{"", " DESC", " NULLS FIRST", " DESC NULLS LAST"}[rng.IntN(4)] + ", " + keys[rng.IntN(len(keys))]
		where := []string{"", "WHERE n < 150 ", "WHERE who > 'client-5' ", "WHERE who IN ('client-7', 'client-12') "}[rng.IntN(4)]
		query := fmt.Sprintf("SELECT %s FROM t %sORDER BY %s LIMIT %d OFFSET %d", []string{"*", "id, at, who, d", "c"}[rng.IntN(3)], where, order, 1+rng.IntN(200), rng.IntN(30))
		want := answer(t, pool, query, "off")
		if got := answer(t, pool, query, "on"); got != want {
			t.Fatalf("%s\ngives %s\nwant %s", query, got, want)
		}
	}
	if plan := one(t, db, "EXPLAIN (ANALYZE) SELECT * FROM t ORDER BY d DESC LIMIT 3"); !leftOut.MatchString(plan) {
		t.Errorf("nothing was left out:\n%s", plan)
	}
}

// leftOut matches a plan whose scan did not read every row group.
var leftOut = regexp.MustCompile(`pruned.* [1-9][0-9]* by `)

// answer returns the values of a query's rows, with telemdb.topn_pushdown on or off.
func answer(t *testing.T, pool *sql.DB, query, pushdown string) string {
	t.Helper()
	values, err := valuesOf(t, pool, query, "telemdb.topn_pushdown = "+pushdown)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return fmt.Sprintln(values...)
}
