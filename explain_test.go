package telemdb_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/telemdb/telemdb"
)

// explainDB has a partitioned table of three days in three segments.
func explainDB(t *testing.T, o telemdb.Options) *telemdb.DB {
	t.Helper()
	db, err := telemdb.Open("", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := context.Background()
	if _, err := db.Exec(ctx, "CREATE TABLE e (day date, k text, v bigint) PARTITION BY RANGE (day)"); err != nil {
		t.Fatal(err)
	}
	for day := range 3 {
		if _, err := db.Exec(ctx, fmt.Sprintf("INSERT INTO e SELECT date '2026-11-01' + %d, 'k' || g %% 7, g FROM generate_series(1, 5000) g", day)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	return db
}

// figures are what differs from run to run and between machines.
var figures = []struct{ find, put string }{
	{`\d+\.\d\d\d ms`, "N ms"}, {`time=[\d.]+\.\.[\d.]+`, "time=N"}, {`(Usage: )\d+kB`, "${1}NkB"}, {`(avx2|avx512|off)(;)`, "LEVEL$2"},
	{`\d+ bytes`, "N bytes"}, {`(Bytes: )\d+ read, \d+`, "${1}N read, N"}, {`to \d+ files`, "to N files"},
	{`("(?:[A-Za-z ]*Time|Peak Memory Usage|Bytes Read|Bytes Decoded|Disk Usage|Spill Bytes|Spill Files)": )[\d.]+`, "${1}0"},
	{`("SIMD": )"\w+"`, `$1"LEVEL"`},
}

func masked(s string) string {
	for _, f := range figures {
		s = regexp.MustCompile(f.find).ReplaceAllString(s, f.put)
	}
	return s
}

func plan(t *testing.T, db *telemdb.DB, sql string) string {
	t.Helper()
	rows, err := db.Query(context.Background(), sql)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		out = append(out, fmt.Sprint(rows.Values()[0]))
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

func TestExplainTellsWhatAQueryDidInTextAndJSON(t *testing.T) {
	db := explainDB(t, telemdb.Options{Workers: 1})
	const q = "SELECT k, count(*), sum(v + 1) FROM e WHERE day = date '2026-11-02' AND v < 3000 GROUP BY k ORDER BY k"
	text := plan(t, db, "EXPLAIN (ANALYZE, VERBOSE) "+q)
	doc := plan(t, db, "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) "+q)
	golden(t, "testdata/explain.txt", masked(text)+"\n\n"+masked(doc)+"\n")

	var plans []struct {
		Plan json.RawMessage
	}
	if err := json.Unmarshal([]byte(doc), &plans); err != nil || len(plans) != 1 {
		t.Fatalf("%v in %s", err, doc)
	}
	checkNode(t, plans[0].Plan)
}

func TestExplainAnalyzeTellsBytesEncodingsAndKernelsUnlessWithoutSummary(t *testing.T) {
	db := explainDB(t, telemdb.Options{Workers: 1})
	const q = "SELECT count(*) FROM e WHERE v < 3000 AND k <> 'x'"
	bytes, kernels := regexp.MustCompile(`Bytes: [1-9]\d* read, \d+ decoded`), regexp.MustCompile(`Kernels: \w+; row groups: all 0, bitmap 3, selection 0`)
	for options, want := range map[string]struct{ bytes, kernels bool }{
		"ANALYZE": {true, true}, "ANALYZE, SUMMARY OFF": {}, "ANALYZE, SUMMARY OFF, BUFFERS": {bytes: true},
	} {
		text := plan(t, db, "EXPLAIN ("+options+") "+q)
		if bytes.MatchString(text) != want.bytes || kernels.MatchString(text) != want.kernels || !strings.Contains(text, "Encodings: v delta") {
			t.Errorf("%s: %s", options, text)
		}
	}
}

// A search for a text goes through many row groups at a time, and is measured like any other scan.
func TestExplainMeasuresASearchThroughManyRowGroups(t *testing.T) {
	db := explainDB(t, telemdb.Options{Workers: 1})
	text := plan(t, db, "EXPLAIN (ANALYZE, VERBOSE) SELECT v FROM e WHERE k = 'k3'")
	for _, want := range []string{`Bytes: [1-9]\d* read`, `row groups: all 0, bitmap 0, selection 3`, `Column v: delta 3`, `Column k: dict 3`,
		`Conjunct .*: 15000 rows in, 2142 out`} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

// timed is what EXPLAIN (ANALYZE, FORMAT JSON) tells of the time of a node.
type timed struct {
	Type  string  `json:"Node Type"`
	Total float64 `json:"Actual Total Time"`
	Plans []timed `json:"Plans"`
}

func TestExplainTimesIncludeWhatRanBelow(t *testing.T) {
	for _, workers := range []int{1, 2} {
		db := explainDB(t, telemdb.Options{Workers: workers})
		for _, q := range []string{
			"SELECT a.v FROM e a JOIN (SELECT v, count(*) AS n FROM e GROUP BY v) b ON a.v = b.v WHERE b.n > 1",
			"WITH x AS (SELECT k, count(*) AS n FROM e GROUP BY k) SELECT a.k || 'x' FROM x a JOIN x b ON a.n = b.n",
			"SELECT s + 1 FROM (SELECT sum(v) OVER (PARTITION BY k ORDER BY day, v) AS s FROM e) q WHERE s > 10",
			"SELECT n + 1 FROM (SELECT v, count(*) AS n FROM e GROUP BY v) q WHERE n > 1",
		} {
			var docs []struct{ Plan timed }
			if err := json.Unmarshal([]byte(plan(t, db, "EXPLAIN (ANALYZE, FORMAT JSON) "+q)), &docs); err != nil {
				t.Fatal(err)
			}
			includes(t, q, docs[0].Plan)
		}
	}
}

// includes asserts that no node's time is less than that of a node below it, but for what the clock's steps hide.
func includes(t *testing.T, q string, n timed) {
	t.Helper()
	for _, c := range n.Plans {
		if c.Total > n.Total+0.05 {
			t.Errorf("%s: %s took %v ms, %s below it %v", q, n.Type, n.Total, c.Type, c.Total)
		}
		includes(t, q, c)
	}
}

// checkNode asserts what readers of plans rely on: every node has a type, and figures are numbers.
func checkNode(t *testing.T, text json.RawMessage) {
	t.Helper()
	var n struct {
		Type    string            `json:"Node Type"`
		Rows    *float64          `json:"Actual Rows"`
		Loops   *float64          `json:"Actual Loops"`
		Total   *float64          `json:"Actual Total Time"`
		Memory  float64           `json:"Peak Memory Usage"`
		Groups  float64           `json:"Row Groups"`
		Plans   []json.RawMessage `json:"Plans"`
		Workers float64           `json:"Workers Launched"`
	}
	if err := json.Unmarshal(text, &n); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if n.Type == "" || n.Rows == nil || n.Loops == nil || n.Total == nil || n.Workers < 1 {
		t.Errorf("a node lacks its type or a figure: %s", text)
	}
	for _, c := range n.Plans {
		checkNode(t, c)
	}
}

func TestExplainTellsWhatWasSpilled(t *testing.T) {
	db := explainDB(t, telemdb.Options{QueryMemory: 1 << 20})
	got := plan(t, db, "EXPLAIN (ANALYZE, FORMAT JSON) SELECT g % 1000, g FROM generate_series(1, 200000) g ORDER BY 1, 2")
	if !regexp.MustCompile(`"Spill Bytes": [1-9]`).MatchString(got) {
		t.Errorf("no spilled bytes in %s", got)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv("TELEMDB_REWRITE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nnot what is in %s (TELEMDB_REWRITE=1 go test -run Explain . writes it anew)", got, file)
	}
}
