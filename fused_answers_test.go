package telemdb

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// fusedTable is rows in three segments and the head, some deleted: dictionaries, runs, decimals, floats that are none, many
// NULLs, integers near their bounds.
func fusedTable(t *testing.T, rows int) *sql.DB {
	t.Helper()
	db := ForTest(t, `CREATE TABLE t (d date, ts timestamp, id int, os text, channel text NOT NULL, country text, build text, ok bool NOT NULL, own bool,
		x int NOT NULL, y int, n bigint, wide bigint, h float8 NOT NULL, paint float8, odd float8, tenths float8, site text, addon text)`)
	for part := range 4 {
		mustExec(t, db, fmt.Sprintf(`INSERT INTO t SELECT date '2026-01-25' + c %% 40, timestamp '2026-01-25 22:11:05.123456' + c %% 40 * interval '1 day' + g * interval '3 minutes', g,
			CASE WHEN c %% 7 > 0 THEN 'os ' || c * 31 %% 5 END, 'channel ' || g / 3000 %% 3, CASE WHEN c %% 29 > 0 THEN 'country ' || c * 17 %% 41 END,
			'build ' || c %% 40 / 3 + %[1]d, c %% 3 = 0, CASE WHEN c %% 5 > 0 THEN g %% 4 = 0 END,
			g * 7919 %% 4001 - 77, CASE WHEN g %% 50 = 0 THEN g %% 13 WHEN g %% 3 > 0 THEN 0 END, CASE WHEN g %% 13 > 0 THEN g * 20011 %% 1000003 END,
			CASE g %% 500 WHEN 0 THEN 9223372036854775807 WHEN 1 THEN -9223372036854775808 ELSE g::bigint * 1000003 END,
			(g * 7919 %% 86400) / 1000.0::float8, CASE WHEN g %% 11 > 3 THEN (g * 20011 %% 500000 - 1000) / 100.0::float8 END,
			CASE g %% 97 WHEN 0 THEN 'NaN'::float8 WHEN 1 THEN '-0'::float8 WHEN 2 THEN 'Infinity'::float8 WHEN 3 THEN 0 WHEN 4 THEN NULL ELSE sqrt(g) END,
			CASE WHEN c %% 4 > 0 THEN c %% 19 / 10.0 - 0.5 END,
			CASE WHEN g %% 5 < 2 THEN 'https://www.' || g * 31 %% 997 || '.example' || CASE WHEN g * 31 %% 7 = 0 THEN '/shop/' ELSE '/' END || g %% 1000 END,
			CASE WHEN g %% 10 = 0 THEN 'addon' || c %% 37 || CASE WHEN c %% 4 = 0 THEN '@some.org' ELSE '@some.com' END END
			FROM (SELECT g, g / (5 + g %% 2) AS c FROM generate_series(%[2]d, %[3]d) g) s`, part, part*rows/4, (part+1)*rows/4-1))
		if part < 3 {
			mustExec(t, db, "SELECT telemdb.flush()")
		}
		if part%2 == 1 {
			mustExec(t, db, "DELETE FROM t WHERE id % 37 = 5")
		}
	}
	pool := sql.OpenDB(db.Connector())
	t.Cleanup(func() { pool.Close() })
	return pool
}

// fusedKeys, fusedCalls and fusedConditions are what statements are put together from.
var (
	fusedKeys = []string{"os", "channel", "country", "build", "ok", "own", "y", "d", "tenths", "upper(os)", "date_trunc('week', ts)::date", "date_trunc('month', ts)",
		"date_trunc('hour', ts)", "ts::date", "extract(hour FROM ts)", "extract(minute FROM ts)", "extract(year FROM d)", "width_bucket(paint, 0, 4000, 40)", "width_bucket(h, 10, 80, 7)", "x / 100", "x % 7", "x > 1000", "n / 100000",
		"coalesce(y, -1)", "length(site)"}
	fusedCalls = []string{"count(*)", "count(y)", "count(own)", "count(paint)", "sum(x)", "sum(y)", "sum(n)", "sum(wide)", "avg(x)", "avg(h)", "sum(h)", "sum(paint)", "avg(paint)", "sum(odd)",
		"avg(tenths)", "min(tenths)", "max(paint)", "min(paint)", "max(odd)", "min(odd)", "min(h)", "max(x)", "min(n)", "min(ts)", "max(ts)", "max(d)", "stddev(x)",
		"sum(x + 3)", "sum(x - 5 * y)", "sum(y + 1)", "sum(x + y)", "sum(x - 7)", "avg(x + 1)", "sum(-x)", "sum(CASE WHEN y > 0 THEN x ELSE 0 END)", "sum(CASE WHEN ok THEN n ELSE 0 END)",
		"sum(CASE WHEN own THEN y ELSE 0 END)", "avg(CASE WHEN os = 'os 1' THEN x ELSE 0 END)", "sum(CASE WHEN y > 0 THEN h ELSE 0 END)", "bool_or(own)",
		"percentile_cont(0.5) WITHIN GROUP (ORDER BY x)", "percentile_cont(ARRAY[0, 0.25, 0.95, 1]) WITHIN GROUP (ORDER BY paint)", "percentile_disc(0.9) WITHIN GROUP (ORDER BY n)",
		"median(h)", "median(x)", "mode() WITHIN GROUP (ORDER BY x)", "mode() WITHIN GROUP (ORDER BY paint DESC)", "percentile_disc(0.7) WITHIN GROUP (ORDER BY paint)", "percentile_cont(0.3) WITHIN GROUP (ORDER BY odd)", "percentile_disc(0.999) WITHIN GROUP (ORDER BY wide)", "percentile_cont(0.1) WITHIN GROUP (ORDER BY tenths DESC)"}
	fusedConditions = []string{"ok", "own", "NOT own", "y > 0", "x >= 1000", "os = 'os 1'", "country IN ('country 1', 'country 17')", "paint >= 2000", "odd > 3", "tenths < 0.3",
		"site LIKE '%/shop/%'", "addon ~ '@.*\\.org$'", "site LIKE '%/shop/%' AND addon ~ '@.*\\.org$'", "d > date '2026-02-10'", "y IS NULL", "os IS NOT NULL", "x % 2 = 0", "ts >= '2026-02-01'", "country <> 'country 3'"}
)

func fusedStatement(rng *rand.Rand) string {
	pick := func(from []string) string { return from[rng.IntN(len(from))] }
	keys, calls, where, names := "", "", "", ""
	n := rng.IntN(4)
	for _, at := range rng.Perm(len(fusedKeys))[:n] {
		k := fusedKeys[at]
		keys += k + ", "
		names += ", " + k
	}
	for i := range 1 + rng.IntN(6) {
		if i > 0 {
			calls += ", "
		}
		calls += pick(fusedCalls)
		if rng.IntN(4) == 0 {
			calls += " FILTER (WHERE " + pick(fusedConditions) + ")"
		}
	}
	for i := range rng.IntN(3) {
		where += []string{" WHERE ", " AND "}[min(i, 1)] + pick(fusedConditions)
	}
	if n == 0 {
		return "SELECT " + calls + " FROM t" + where
	}
	order, group := "", ""
	for i := range n {
		order += fmt.Sprint(", ", i+1)
		group += fmt.Sprint(", ", i+1)
	}
	group = group[2:]
	if k := rng.IntN(6); k < 2 {
		group = []string{"ROLLUP (", "CUBE ("}[k] + group + ")"
		order += ", grouping(" + names[2:] + ")"
	}
	return "SELECT " + keys + calls + " FROM t" + where + " GROUP BY " + group + " ORDER BY " + order[2:]
}

// TestFusedAnswersAreThoseOfTheGeneralPath asks random aggregations with and without row groups taken whole. Sums of floats
// may differ in the last digits.
func TestFusedAnswersAreThoseOfTheGeneralPath(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 11))
	pool := fusedTable(t, 24000)
	failed := 0
	for range 150 {
		query := fusedStatement(rng)
		want, wantErr := valuesOf(t, pool, query, "telemdb.fused = off")
		got, err := valuesOf(t, pool, query, "telemdb.fused = on")
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%s\nfused: %v\notherwise: %v", query, err, wantErr)
		}
		if err != nil {
			failed++
			t.Logf("%v", err)
		}
		if len(got) != len(want) {
			t.Fatalf("%s\ngives %d values, want %d", query, len(got), len(want))
		}
		for i := range got {
			if !alike(got[i], want[i]) {
				t.Fatalf("%s\nvalue %d is %v, want %v", query, i, got[i], want[i])
			}
		}
	}
	if plan, err := valuesOf(t, pool, "EXPLAIN (ANALYZE) SELECT date_trunc('week', ts)::date, count(*) FROM t GROUP BY 1", "telemdb.fused = on"); err != nil || !strings.Contains(fmt.Sprint(plan...), ", steps ") {
		t.Errorf("row groups are not taken by step: %v, %v", plan, err)
	}
	if failed > 15 {
		t.Errorf("%d of 150 statements failed: too few have an answer", failed)
	}
}

// alike reports whether two values are the same but for the rounding of sums of floats.
func alike(a, b any) bool {
	x, ok := a.(float64)
	y, same := b.(float64)
	if !ok || !same {
		return fmt.Sprint(a) == fmt.Sprint(b)
	}
	return x == y && math.Signbit(x) == math.Signbit(y) || x != x && y != y || math.Abs(x-y) <= 1e-11*math.Max(1, math.Abs(x))
}

// valuesOf returns the values of a query's rows under a setting.
func valuesOf(t *testing.T, pool *sql.DB, query, setting string) (out []any, err error) {
	t.Helper()
	ctx := context.Background()
	conn, err := pool.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SET "+setting); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		vals, at := make([]any, len(cols)), make([]any, len(cols))
		for i := range vals {
			at[i] = &vals[i]
		}
		if err := rows.Scan(at...); err != nil {
			t.Fatal(err)
		}
		out = append(out, vals...)
	}
	return out, rows.Err()
}
