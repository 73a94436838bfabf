package oracle_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/bench/peer"
)

// duck is a DuckDB: the process of bench/peers/duckdb, whose path TELEMDB_ORACLE_DUCKDB gives.
type duck struct {
	*peer.Process
	dir string
}

func startDuck(t *testing.T) *duck {
	t.Helper()
	path := os.Getenv("TELEMDB_ORACLE_DUCKDB")
	if path == "" {
		return nil
	}
	p, err := peer.Start(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &duck{p, t.TempDir()}
	t.Cleanup(func() {
		if err := p.Stop(patience); err != nil {
			t.Error(err)
		}
	})
	if _, err := p.Call(&peer.Request{Op: peer.Open, Dir: d.dir, Threads: 1, Memory: 1 << 30}, patience); err != nil {
		t.Fatal(err)
	}
	d.must(t, "SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
	d.must(t, "SET integer_division = true")
	return d
}

func (d *duck) must(t *testing.T, sql string) {
	t.Helper()
	if _, err := d.Call(&peer.Request{Op: peer.Exec, SQL: sql}, patience); err != nil {
		t.Fatalf("DuckDB: %s: %v", sql, err)
	}
}

func (d *duck) fill(t *testing.T, w *world) {
	t.Helper()
	file := filepath.Join(d.dir, "rows.tsv")
	for _, table := range w.tables {
		d.must(t, "DROP TABLE IF EXISTS "+table.name)
		d.must(t, table.create(false))
		for i, data := range table.parts {
			if data != "" {
				if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
					t.Fatal(err)
				}
				d.must(t, fmt.Sprintf(`COPY %s FROM '%s' (FORMAT csv, HEADER false, DELIMITER '\t', QUOTE '', ESCAPE '', NULLSTR '\N')`, table.name, file))
			}
			if table.after[i] != "" {
				d.must(t, table.after[i])
			}
		}
	}
}

// match is PostgreSQL's operator, which DuckDB has for whole texts.
var match = regexp.MustCompile(`(\w+\.\w+|'(?:[^']|'')*') ~ ('[^']*')`)

// ask returns nil if DuckDB cannot run the statement, and else its rows in the form of plain.
func (d *duck) ask(sql string) *answer {
	r, err := d.Call(&peer.Request{Op: peer.Query, SQL: match.ReplaceAllString(sql, "regexp_matches($1, $2)"), Verify: true}, patience)
	if err != nil {
		if os.Getenv("TELEMDB_ORACLE_GO_ON") != "" {
			fmt.Fprintf(os.Stderr, "DuckDB: %.200s\n", err)
		}
		return nil
	}
	a := &answer{}
	for _, row := range r.Data {
		texts := make([]string, len(row))
		for i, v := range row {
			if texts[i] = "∅"; v != nil {
				texts[i] = plainNumber(*v, r.Columns[i].Kind == peer.Float)
			}
		}
		a.rows = append(a.rows, texts)
	}
	return a
}

// plain returns telemdb's answer in the form of bench/peer.
func (a *answer) plain() *answer {
	out := &answer{types: a.types}
	for _, row := range a.rows {
		texts := make([]string, len(row))
		for i, v := range row {
			switch oid := a.types[i]; {
			case v == "∅":
			case oid == boolOID:
				v = map[string]string{"t": "1", "f": "0"}[v]
			case oid == timestampOID || oid == timestamptzOID:
				v = strings.TrimSuffix(strings.TrimSuffix(v, "+00"), " 00:00:00")
			case oid == float4OID || oid == float8OID || oid == numericOID:
				v = plainNumber(v, true)
			}
			texts[i] = v
		}
		out.rows = append(out.rows, texts)
	}
	return out
}

const (
	boolOID        = 16
	timestampOID   = 1114
	timestamptzOID = 1184
)

// plainNumber writes equal numbers alike: both engines' decimals, integers and floats of the same value.
func plainNumber(v string, number bool) string {
	if !number {
		return v
	}
	e := strings.Contains(v, "e")
	if f, err := strconv.ParseFloat(v, 64); err == nil && (e || len(v) < 16) {
		return strconv.FormatFloat(f+0, 'f', -1, 64)
	}
	if !e {
		v = canonical(v, numericOID)
	}
	return v
}

// truncated is the comparison that DuckDB rewrites.
var truncated = regexp.MustCompile(`date_trunc\([^()]*\)+ (=|<|>|IN|NOT|BETWEEN|IS)`)

// averages tells whether a query has functions whose results are doubles in DuckDB and numerics in PostgreSQL and here.
func averages(sql string) bool {
	return strings.Contains(sql, "avg(") || strings.Contains(sql, "percentile_cont") || strings.Contains(sql, "stddev") || strings.Contains(sql, "var")
}

// compareDuck says how DuckDB's answer differs.
func (j *judge) compareDuck(q *query, text string, want *answer, count bool) string {
	got := j.duck.ask(text)
	if got == nil || want.state != "" {
		return "" // DuckDB has other errors, and more of them: sums and powers that overflow
	}
	if count {
		j.ducks++
	}
	mine := want.plain()
	if averages(text) {
		for i, oid := range mine.types {
			if oid == numericOID {
				mine.types = append([]uint32{}, mine.types...)
				mine.types[i] = float8OID
			}
		}
	}
	got.types = mine.types
	ordered := len(q.order) > 0
	if ordered && q.sortedBefore(averages) {
		if q.limit != "" {
			return "" // which rows come first is decided by digits that a double does not have
		}
		ordered = false
	}
	// PostgreSQL's square root of a variance has the decimals of the variance, which has 16 digits in all: none from 1e16 on.
	whole := strings.Contains(text, "stddev")
	d := apart(mine, got, leeway{ordered: ordered, sums: q.sums || averages(text), whole: whole})
	if strings.Contains(d, "NaN") && strings.Contains(text, "_pop(") {
		return "" // of one value that is infinite or NaN: NaN in PostgreSQL and here, 0 in DuckDB
	}
	if truncated.MatchString(text) {
		return "" // DuckDB 1.5.5: date_trunc('quarter', ts) <> a constant between two quarters is true also where ts is NULL
	}
	if d != "" && scaled.MatchString(text) {
		d = apart(mine.unscaled(), got.unscaled(), leeway{ordered: ordered, sums: q.sums || averages(text), whole: whole})
	}
	if d != "" {
		return "DuckDB: " + d
	}
	return ""
}

// scaled is a text of one of several numbers. DuckDB gives them all the most decimals that one of them has, PostgreSQL and telemdb
// leave each its own.
var scaled = regexp.MustCompile(`(least|greatest|coalesce|CASE).*\)::text`)

// unscaled returns the answer without zeros at the end of the decimals in its texts.
func (a *answer) unscaled() *answer {
	out := &answer{types: a.types}
	for _, row := range a.rows {
		texts := slices.Clone(row)
		for i, v := range row {
			if decimal.MatchString(v) {
				texts[i] = strings.TrimSuffix(strings.TrimRight(v, "0"), ".")
			}
		}
		out.rows = append(out.rows, texts)
	}
	return out
}

var decimal = regexp.MustCompile(`^-?\d+\.\d+$`)
