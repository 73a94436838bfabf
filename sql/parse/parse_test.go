package parse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
)

func TestSplitKeepsTextAndOffset(t *testing.T) {
	const query = "  SELECT 1 ; -- note\n é_x;\tSELECT 'ä', 2;;"
	_, err := Parse(query)
	if err == nil {
		t.Fatal("a syntax error in the second statement must fail the whole")
	}
	all, err := Parse("  SELECT 1 ;\n\tSELECT 'ä', 2;;  SELECT 3")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range all {
		got = append(got, fmt.Sprintf("%d %q", s.Offset, s.Text))
	}
	want := []string{`2 "SELECT 1 "`, `14 "SELECT 'ä', 2"`, `31 "SELECT 3"`}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEmptyQueriesHaveNoStatements(t *testing.T) {
	for _, q := range []string{"", "  ", ";", " ;; ", "-- ping", "/* x */ ;"} {
		all, err := Parse(q)
		if err != nil || len(all) != 0 {
			t.Errorf("%q: %d statements, %v", q, len(all), err)
		}
	}
}

func TestPositionsCountCharacters(t *testing.T) {
	long := strings.Repeat("é", 1000)
	for _, tc := range []struct {
		query string
		pos   int
	}{
		{"SELECT x FROM", 14},
		{"SELECT 'é' FROM WHERE", 17},
		{"SELECT '" + long + "' FROM WHERE", 1016},
	} {
		_, err := Parse(tc.query)
		e := sqlstate.Wrap(sqlstate.Internal, err)
		if e.Code != sqlstate.Syntax || e.Position != tc.pos {
			t.Errorf("%.40s: %s at %d, want 42601 at %d (%v)", tc.query, e.Code, e.Position, tc.pos, err)
		}
	}
	st, err := One("SELECT 'éé', nope")
	if err != nil {
		t.Fatal(err)
	}
	if pos := st.(*ast.Select).Targets[1].Expr.Pos(); pos != 14 {
		t.Errorf("a name behind two-byte characters is at %d, want 14", pos)
	}
}

// Each of these overflows the C stack of an unguarded parser, or comes near.
func TestDeepStatementsAreRefusedNotFatal(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	for name, q := range map[string]string{
		"operators":  "SELECT 1" + many("+1", 60000),
		"casts":      "SELECT 1" + many("::int", 20000),
		"parens":     "SELECT " + many("(", 50000) + "1" + many(")", 50000),
		"calls":      "SELECT " + many("f(", 50000) + "1" + many(")", 50000),
		"nots":       "SELECT " + many("NOT ", 50000) + "true",
		"minuses":    "SELECT " + many("- ", 50000) + "x",
		"unions":     "SELECT 1" + many(" UNION SELECT 1", 20000),
		"joins":      "SELECT 1 FROM a" + many(" JOIN b ON true", 20000),
		"cases":      "SELECT " + many("CASE WHEN true THEN ", 20000) + "1" + many(" END", 20000),
		"subqueries": many("SELECT (", 20000) + "SELECT 1" + many(")", 20000),
		"arrays":     "SELECT " + many("ARRAY[", 20000) + "1" + many("]", 20000),
		"subscripts": "SELECT a" + many("[1]", 50000),
		"zones":      "SELECT a" + many(" AT TIME ZONE 'x'", 20000),
		"collations": "SELECT a" + many(" COLLATE \"C\"", 20000),
		"comparison": "SELECT a" + many(" IS NOT NULL", 20000),
	} {
		_, err := Parse(q)
		if code := sqlstate.Code(err); err == nil || code != sqlstate.TooComplex && code != sqlstate.Syntax {
			t.Errorf("%s: %v (%s), want it refused as too complex", name, err, code)
		}
	}
}

func TestWideStatementsAreFine(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	for name, q := range map[string]string{
		"in list": "SELECT a IN (1" + many(",1", 100000) + ")",
		"ors":     "SELECT a=1" + many(" OR a=1", 50000),
		"values":  "VALUES (1+1)" + many(",(1+1)", 50000),
		"columns": "SELECT a+1" + many(", a+1", 50000),
	} {
		if _, err := Parse(q); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusedBytes(t *testing.T) {
	for _, tc := range []struct{ query, code string }{
		{"SELECT 'a\x00b'", sqlstate.Syntax},
		{"SELECT '\xff'", "22021"},
		{"SELECT '" + strings.Repeat("x", queryBytesMax) + "'", sqlstate.ProgramLimit},
	} {
		if _, err := Parse(tc.query); sqlstate.Code(err) != tc.code {
			t.Errorf("%.20q: %v, want %s", tc.query, err, tc.code)
		}
	}
}

// TestTrees prints the tree of a few statements, one line each, so that a change of the parser or its version shows.
func TestTrees(t *testing.T) {
	for _, tc := range []struct{ query, want string }{
		{"SELECT a.b, -1, 'x'::int FROM s.t AS u WHERE a IN (1, 2) ORDER BY 1 DESC LIMIT 3",
			"a.b; Lit 2 -1; Cast(Lit 4 x, [int4]) from s.t u where In order desc limit Lit 2 3"},
		{"SELECT x LIKE 'a' ESCAPE 'b'", "Op ~~ (x, like_escape(Lit 4 a, Lit 4 b))"},
		{"SELECT d AT TIME ZONE 'UTC'", "timezone(Lit 4 UTC, d)"},
		{"SELECT extract(year FROM d)", "extract(Lit 4 year, d)"},
		{"SELECT a[1], a[2:3], (f(x)).y", "Index(a); Index(a) slice; Field y(f(x))"},
		{"SELECT x NOT BETWEEN 1 AND 2", "Between not (x)"},
		{"SELECT a OPERATOR(pg_catalog.~) 'x'", "Op pg_catalog.~ (a, Lit 4 x)"},
	} {
		st, err := One(tc.query)
		if err != nil {
			t.Errorf("%s: %v", tc.query, err)
			continue
		}
		if got := dump(st.(*ast.Select)); got != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.query, got, tc.want)
		}
	}
}

func dump(s *ast.Select) string {
	var parts []string
	for _, t := range s.Targets {
		parts = append(parts, dumpExpr(t.Expr))
	}
	out := strings.Join(parts, "; ")
	for _, f := range s.From {
		r := f.(*ast.TableRef)
		out += " from " + r.Schema + "." + r.Name + " " + r.Alias
	}
	if s.Where != nil {
		out += " where " + dumpExpr(s.Where)
	}
	for _, o := range s.OrderBy {
		if o.Desc {
			out += " order desc"
		}
	}
	if s.Limit != nil {
		out += " limit " + dumpExpr(s.Limit)
	}
	return out
}

func dumpExpr(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Name:
		return strings.Join(e.Parts, ".")
	case *ast.Lit:
		return fmt.Sprintf("Lit %d %s", e.Kind, e.Text)
	case *ast.Cast:
		return fmt.Sprintf("Cast(%s, %v)", dumpExpr(e.Arg), e.Type.Names[len(e.Type.Names)-1:])
	case *ast.In:
		return "In"
	case *ast.Op:
		name := e.Name
		if e.Schema != "" {
			name = e.Schema + "." + name
		}
		return fmt.Sprintf("Op %s (%s, %s)", name, dumpExpr(e.L), dumpExpr(e.R))
	case *ast.Func:
		var args []string
		for _, a := range e.Args {
			args = append(args, dumpExpr(a))
		}
		return e.Name + "(" + strings.Join(args, ", ") + ")"
	case *ast.Index:
		s := "Index(" + dumpExpr(e.Arg) + ")"
		if e.Slice {
			s += " slice"
		}
		return s
	case *ast.Field:
		return "Field " + e.Name + "(" + dumpExpr(e.Arg) + ")"
	case *ast.Between:
		s := "Between "
		if e.Negate {
			s += "not "
		}
		return s + "(" + dumpExpr(e.Arg) + ")"
	}
	return fmt.Sprintf("%T", e)
}

// FuzzParse looks for text that brings the process down or is split wrongly. A statement that parses has a place.
func FuzzParse(f *testing.F) {
	for _, q := range []string{"SELECT 1", "SELECT a FROM t WHERE b = 'é' AND c IN (1,2)", "INSERT INTO t VALUES (1), (DEFAULT)",
		"CREATE TABLE t (a int NOT NULL) PARTITION BY RANGE (a)", "COPY t FROM STDIN CSV HEADER", "BEGIN; COMMIT", "SET x TO 'y'",
		"WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) TABLE r", "EXPLAIN (ANALYZE, FORMAT json) SELECT 1",
		"SELECT ARRAY[1,2][1], (f(x)).y, ROW(1,2) = (1,2), x::numeric(3,1)[]", "CREATE VIEW v(a) AS SELECT 1", "FETCH ALL FROM c",
		"SELECT CASE x WHEN 1 THEN 2 END, EXISTS (SELECT 1), a = ANY(b), INTERVAL '1' DAY"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		all, err := Parse(q)
		if err != nil {
			if code := sqlstate.Code(err); code == sqlstate.Internal {
				t.Fatalf("%q: %v has no code", q, err)
			}
			return
		}
		for _, s := range all {
			if s.Offset < 0 || !strings.Contains(q, s.Text) || s.Stmt == nil {
				t.Fatalf("%q: statement at %d is %q", q, s.Offset, s.Text)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("SELECT a, count(*) FROM t WHERE b = 'x' AND c > 5 GROUP BY a ORDER BY 2 DESC LIMIT 10"); err != nil {
			b.Fatal(err)
		}
	}
}
