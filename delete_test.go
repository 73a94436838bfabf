package telemdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest/gen"
)

func mustExec(t *testing.T, db *DB, statement string, args ...any) string {
	t.Helper()
	tag, err := db.Exec(context.Background(), statement, args...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return tag
}

// one returns a query's only row as text.
func one(t *testing.T, db *DB, query string, args ...any) string {
	t.Helper()
	rows, err := db.Query(context.Background(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		for _, v := range rows.Values() {
			out = append(out, fmt.Sprint(v))
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(out, " ")
}

// A DELETE removes the same rows whether they are in the head or in segments, at once and after all is flushed.
func TestDeletedRowsAreGoneWhereverTheyWere(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		db := ForTest(t, "CREATE TABLE t (d date, a int, b text, c jsonb) PARTITION BY RANGE (d)",
			"INSERT INTO t SELECT date '2016-01-01' + g % 5, g, 'row ' || g, jsonb_build_object('x', g % 3) FROM generate_series(1, 3000) g")
		if sealed {
			mustExec(t, db, "SELECT telemdb.flush()")
		}
		for _, c := range []struct{ statement, tag, left string }{
			{"DELETE FROM t WHERE a % 7 = 0", "DELETE 428", "2572"},
			{"DELETE FROM t WHERE a % 7 = 0", "DELETE 0", "2572"},
			{"DELETE FROM t WHERE d = '2016-01-03' AND c->>'x' = '1'", "DELETE 171", "2401"},
			{"DELETE FROM t USING generate_series(1, 10) g WHERE t.a = g", "DELETE 9", "2392"},
			{"DELETE FROM t WHERE d = '2016-01-01'", "DELETE 513", "1879"},
		} {
			if tag := mustExec(t, db, c.statement); tag != c.tag {
				t.Errorf("sealed %v: %s: %s, want %s", sealed, c.statement, tag, c.tag)
			}
			if got := one(t, db, "SELECT count(*) FROM t"); got != c.left {
				t.Errorf("sealed %v: %s leaves %s rows, want %s", sealed, c.statement, got, c.left)
			}
		}
		want := one(t, db, "SELECT count(*), sum(a), count(DISTINCT b), sum((c->>'x')::int), min(d)::text FROM t")
		mustExec(t, db, "SELECT telemdb.flush()")
		if got := one(t, db, "SELECT count(*), sum(a), count(DISTINCT b), sum((c->>'x')::int), min(d)::text FROM t"); got != want {
			t.Errorf("sealed %v: after a flush %s, before %s", sealed, got, want)
		}
		if tag := mustExec(t, db, "TRUNCATE t"); tag != "TRUNCATE TABLE" || one(t, db, "SELECT count(*) FROM t") != "0" {
			t.Errorf("sealed %v: %s leaves rows", sealed, tag)
		}
	}
}

// Of two transactions that overwrite the same partition at a time, the second is told to run again.
func TestTwoOverwritesOfAPartitionDoNotBothStay(t *testing.T) {
	ctx := context.Background()
	for _, sealed := range []bool{false, true} {
		db := ForTest(t, "CREATE TABLE daily (d date, who text) PARTITION BY RANGE (d)", "INSERT INTO daily VALUES ('2016-01-01', 'old'), ('2016-01-02', 'other')")
		if sealed {
			mustExec(t, db, "SELECT telemdb.flush()")
		}
		pool := sql.OpenDB(db.Connector())
		overwrite := func(who string) *sql.Tx {
			tx, err := pool.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, stmt := range []string{"DELETE FROM daily WHERE d = '2016-01-01'", "INSERT INTO daily VALUES ('2016-01-01', '" + who + "')"} {
				if _, err := tx.Exec(stmt); err != nil {
					t.Fatal(err)
				}
			}
			return tx
		}
		first, second := overwrite("first"), overwrite("second")
		if err := first.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := second.Commit(); SQLState(err) != "40001" {
			t.Errorf("sealed %v: the second overwrite: %v", sealed, err)
		}
		if err := overwrite("third").Commit(); err != nil {
			t.Errorf("sealed %v: run again: %v", sealed, err)
		}
		if got := one(t, db, "SELECT string_agg(who, ' ' ORDER BY d) FROM daily"); got != "third other" {
			t.Errorf("sealed %v: %s", sealed, got)
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	}
}

// DELETE and INSERT of a partition in one transaction is an overwrite: readers see the old rows or the new ones.
func TestOverwritingAPartitionIsOneMoment(t *testing.T) {
	const rows, days, rounds = 50, 3, 12
	db := ForTest(t, "CREATE TABLE daily (d date, generation int, n int) PARTITION BY RANGE (d)")
	for d := range days {
		mustExec(t, db, fmt.Sprintf("INSERT INTO daily SELECT date '2016-01-01' + %d, 0, g FROM generate_series(1, %d) g", d, rows))
	}
	pool := sql.OpenDB(db.Connector())
	defer pool.Close()
	ctx, stop := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				var bad int
				err := pool.QueryRow("SELECT count(*) FROM (SELECT d FROM daily GROUP BY d HAVING count(*) <> $1 OR min(generation) <> max(generation) "+
					"OR count(DISTINCT n) <> $1) s", rows).Scan(&bad)
				if err != nil || bad > 0 {
					t.Errorf("%d days are neither old nor new, %v", bad, err)
					return
				}
			}
		})
	}
	for g := 1; g <= rounds; g++ {
		day := g % days
		if g%4 == 0 {
			mustExec(t, db, "SELECT telemdb.flush()")
		}
		tx, err := pool.Begin()
		if err != nil {
			t.Fatal(err)
		}
		r, err := tx.Exec("DELETE FROM daily WHERE d = date '2016-01-01' + $1::int", day)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.RowsAffected(); n != rows || err != nil {
			t.Fatalf("round %d: %d rows deleted, %v", g, n, err)
		}
		if _, err := tx.Exec("INSERT INTO daily SELECT date '2016-01-01' + $1::int, $2::int, g FROM generate_series(1, $3::int) g", day, g, rows); err != nil {
			t.Fatal(err)
		}
		if g%5 == 0 {
			err = tx.Rollback()
		} else {
			err = tx.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	stop()
	readers.Wait()
	if got := one(t, db, "SELECT count(*), count(DISTINCT d), max(generation) FROM daily"); got != fmt.Sprintf("%d %d %d", rows*days, days, rounds) {
		t.Errorf("%s", got)
	}
}

// A random history of statements in transactions, some rolled back, leaves what a map of rows says.
func TestTransactionsOfInsertsAndDeletesAgreeWithAModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	db := ForTest(t, "CREATE TABLE a (k int)", "CREATE TABLE b (k int)")
	pool := sql.OpenDB(db.Connector())
	defer pool.Close()
	model := map[string]map[int]bool{"a": {}, "b": {}}
	next := 0
	count := func(q interface {
		QueryRow(string, ...any) *sql.Row
	}, table string, want map[int]bool) {
		t.Helper()
		var n, sum int
		if err := q.QueryRow("SELECT count(*), coalesce(sum(k), 0) FROM "+table).Scan(&n, &sum); err != nil {
			t.Fatal(err)
		}
		for k := range want {
			sum -= k
		}
		if n != len(want) || sum != 0 {
			t.Fatalf("table %s has %d rows, want %d; the sums differ by %d", table, n, len(want), sum)
		}
	}
	for range 60 {
		tx, err := pool.Begin()
		if err != nil {
			t.Fatal(err)
		}
		state := map[string]map[int]bool{}
		for name, rows := range model {
			state[name] = map[int]bool{}
			for k := range rows {
				state[name][k] = true
			}
		}
		saved := map[int]bool(nil)
		for range 1 + rng.IntN(6) {
			name := []string{"a", "b"}[rng.IntN(2)]
			switch rng.IntN(8) {
			case 0, 1, 2:
				n := 1 + rng.IntN(40)
				_, err = tx.Exec(fmt.Sprintf("INSERT INTO %s SELECT generate_series($1::int, $2::int)", name), next, next+n-1)
				for range n {
					state[name][next] = true
					next++
				}
			case 3, 4, 5:
				m, r := 2+rng.IntN(9), rng.IntN(2)
				_, err = tx.Exec(fmt.Sprintf("DELETE FROM %s WHERE k %% $1 = $2", name), m, r)
				for k := range state[name] {
					if k%m == r {
						delete(state[name], k)
					}
				}
			case 6:
				if saved == nil {
					_, err = tx.Exec("SAVEPOINT s")
					saved = map[int]bool{}
					for k := range state["a"] {
						saved[k] = true
					}
					_, err2 := tx.Exec("DELETE FROM a")
					_, err3 := tx.Exec("ROLLBACK TO s")
					err = errors.Join(err, err2, err3)
					count(tx, "a", saved)
				}
			case 7:
				_, err = tx.Exec("TRUNCATE " + name)
				clear(state[name])
			}
			if err != nil {
				t.Fatal(err)
			}
			count(tx, name, state[name])
		}
		if rng.IntN(4) == 0 {
			err = tx.Rollback()
		} else if err = tx.Commit(); err == nil {
			model = state
		}
		if err != nil {
			t.Fatal(err)
		}
		if rng.IntN(10) == 0 {
			mustExec(t, db, "SELECT telemdb.flush()")
		}
		count(pool, "a", model["a"])
		count(pool, "b", model["b"])
	}
}

// A client's pings are deleted from the table and from the roll-up, found by the client's sample.
func TestDeletingAClientsPings(t *testing.T) {
	ctx := context.Background()
	db := ForTest(t)
	g := gen.New(gen.Options{Seed: 3, Pings: -1, Clients: 3, Small: true})
	for range 30 {
		var p gen.Ping
		g.Next(&p)
		if _, err := db.Ingest(ctx, Submission{URI: p.URI, Body: p.Body}); err != nil {
			t.Fatal(err)
		}
	}
	mustExec(t, db, "SELECT telemdb.flush()")
	client := one(t, db, "SELECT min(client_id) FROM telemetry.main")
	pings := one(t, db, "SELECT count(*) FROM telemetry.main WHERE client_id = $1", client)
	// What a roll-up made of the other clients' pings alone would say.
	other := ForTest(t)
	rows, err := db.Query(ctx, "SELECT _document::text, document_id FROM telemetry.main WHERE client_id <> $1", client)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		v := rows.Values()
		if _, err := other.Ingest(ctx, Submission{URI: fmt.Sprintf("/submit/telemetry/%s/main/Firefox/61.0/release/20180328030202?v=4", v[1]), Body: []byte(v[0].(string))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, other, "SELECT telemdb.flush()")
	const counted = "SELECT count(*), sum(count), count(DISTINCT metric) FROM rollups.histograms"
	before, want := one(t, db, counted), one(t, other, counted)
	if before == want {
		t.Fatal("the client is not in the roll-up")
	}
	if tag := mustExec(t, db, "DELETE FROM telemetry.main WHERE client_id = $1", client); tag != "DELETE "+pings || pings == "0" {
		t.Fatal(tag)
	}
	if got := one(t, db, "SELECT count(*) FROM telemetry.main WHERE client_id = $1", client); got != "0" {
		t.Errorf("left: %s", got)
	}
	if got := one(t, db, counted); got != want {
		t.Errorf("after the delete the roll-up has %s, made of the others it has %s", got, want)
	}
	for _, table := range []string{"telemdb.errors", "telemdb.duplicates"} {
		if tag := mustExec(t, db, "DELETE FROM "+table); tag != "DELETE 0" {
			t.Errorf("%s: %s", table, tag)
		}
	}
}

func TestTablesThatFollowOthersAreNotDeletedFrom(t *testing.T) {
	db := ForTest(t)
	for statement, code := range map[string]string{
		"DELETE FROM telemdb.segments":   sqlstate.WrongObjectType,
		"DELETE FROM rollups.histograms": sqlstate.WrongObjectType,
		"TRUNCATE telemdb.segments":      sqlstate.WrongObjectType,
	} {
		if _, err := db.Exec(context.Background(), statement); SQLState(err) != code {
			t.Errorf("%s: %v, want %s", statement, err, code)
		}
	}
}

// EXPLAIN DELETE says what a delete would touch, and touches nothing.
func TestExplainDeleteTellsWhatItWouldTouch(t *testing.T) {
	db := ForTest(t, "CREATE TABLE t (d date, a int) PARTITION BY RANGE (d)",
		"INSERT INTO t SELECT date '2016-01-01' + g % 4, g FROM generate_series(0, 3999) g", "SELECT telemdb.flush()",
		"INSERT INTO t SELECT date '2016-01-09', g FROM generate_series(1, 10) g")
	explain := func(statement string) string {
		rows, err := db.Query(context.Background(), statement)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var lines []string
		for rows.Next() {
			lines = append(lines, strings.TrimSpace(rows.Values()[0].(string)))
		}
		return strings.Join(lines, "\n")
	}
	for _, c := range []struct {
		statement string
		want      []string
	}{
		{"EXPLAIN DELETE FROM t WHERE d = '2016-01-02' AND a < 100", []string{"Rows: 25 matched", "nothing was deleted", "Partitions: 1, 2016-01-02 to 2016-01-02", "Segments: 1 of 4, "}},
		{"EXPLAIN DELETE FROM t WHERE d <= '2016-01-02'", []string{"Rows: 2000 matched", "Partitions: 2, 2016-01-01 to 2016-01-02", "Segments: 0 of 4, 0 bytes", "Segments Dropped Whole: 2 of"}},
		{"EXPLAIN DELETE FROM t WHERE a = 1", []string{"Rows: 2 matched", "Head: 10 rows in memory are sealed first"}},
		{"EXPLAIN (FORMAT JSON) DELETE FROM t WHERE a = 1", []string{`"Rows Matched": 2`, `"Head Rows to Seal": 10`, `"Segments of Table": 4`, `"Roll-ups Corrected": []`}},
	} {
		got := explain(c.statement)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s does not say %q:\n%s", c.statement, w, got)
			}
		}
	}
	if got := one(t, db, "SELECT count(*) FROM t"); got != "4010" {
		t.Fatalf("EXPLAIN left %s rows", got)
	}
	if got := explain("EXPLAIN ANALYZE DELETE FROM t WHERE a = 1"); !strings.Contains(got, "Rows: 2 deleted") {
		t.Error(got)
	}
	if got := one(t, db, "SELECT count(*) FROM t"); got != "4008" {
		t.Errorf("EXPLAIN ANALYZE left %s rows", got)
	}
}

// WITH (…) and ALTER TABLE set a table's retention, which \d+ shows as the table's options.
func TestRetentionIsSetBySQL(t *testing.T) {
	db := ForTest(t, "CREATE TABLE kept (d date, x int) PARTITION BY RANGE (d) WITH (retention = '180 days')",
		"CREATE TABLE copied WITH (partition_by = 'd', retention_bytes = '10 GB') AS SELECT current_date AS d, g FROM generate_series(1, 3) g")
	options := func() string {
		return one(t, db, "SELECT string_agg(relname || array_to_string(reloptions, ' '), ', ' ORDER BY relname) FROM pg_class WHERE relname IN ('kept', 'copied')")
	}
	if got := options(); got != "copiedpartition_by=d retention_bytes=10737418240, keptpartition_by=d retention=180 days" {
		t.Error(got)
	}
	mustExec(t, db, "ALTER TABLE kept SET (retention = '6 months', retention_bytes = 1000)")
	mustExec(t, db, "ALTER TABLE copied RESET (retention_bytes)")
	mustExec(t, db, "ALTER TABLE telemdb.errors SET (retention = '3 days')")
	if got := options(); got != "copiedpartition_by=d, keptpartition_by=d retention=180 days retention_bytes=1000" {
		t.Error(got)
	}
	if got := one(t, db, "SELECT count(*) FROM copied"); got != "3" {
		t.Error(got)
	}
}
