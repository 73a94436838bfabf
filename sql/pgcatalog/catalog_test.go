package pgcatalog_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/sql/pgcatalog"
	"github.com/telemdb/telemdb/sql/pgcatalog/catalogtest"
	"github.com/telemdb/telemdb/sql/session"
)

func open(t testing.TB) session.Conn {
	t.Helper()
	c, err := session.New(session.Config{DB: catalogtest.New(), Catalog: pgcatalog.New(), Workers: 1},
		session.Options{User: "analyst", Database: "telemdb", PID: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// query runs statements and gives the last one's rows, cells parted by | and rows by newlines; NULL is empty.
func query(c session.Conn, q string) (string, error) {
	ctx := context.Background()
	all, err := c.Split(q)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, s := range all {
		out.Reset()
		if err := run(ctx, c, s, &out); err != nil {
			c.EndBatch(ctx, true)
			return "", err
		}
	}
	return out.String(), c.EndBatch(ctx, false)
}

func run(ctx context.Context, c session.Conn, s session.Statement, out *strings.Builder) error {
	p, err := c.Prepare(ctx, s, nil)
	if err != nil {
		return err
	}
	r, err := p.Execute(ctx, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if err != nil || b == nil {
			return err
		}
		for i := range b.N {
			for k, v := range b.Cols {
				if k > 0 {
					out.WriteByte('|')
				}
				if !v.Null(i) {
					out.Write(datum.AppendText(nil, v, i, c.Format()))
				}
			}
			out.WriteByte('\n')
		}
	}
}

// The files of testdata are queries with what PostgreSQL 15 answers to them, but for what telemdb is not: no indexes,
// no comments, no access lists.
func TestAnswers(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		c := open(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := query(c, d.Input)
			if err != nil {
				return fmt.Sprintf("ERROR: %v\n", err)
			}
			return out
		})
	})
}

const someTables = `create table public.a (x int not null, y text[], z varchar(5)); create view public.v as select x from a;
	create schema s; create table s.a (p numeric(5,2))`

// Every relation can be read, whole and by name.
func TestEveryRelationCanBeRead(t *testing.T) {
	c := open(t)
	if _, err := query(c, someTables); err != nil {
		t.Fatal(err)
	}
	for _, r := range pgcatalog.New().Tables() {
		if _, err := query(c, "select * from "+r.Name.String()); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		var cols []string
		for _, col := range r.Cols {
			cols = append(cols, `"`+col.Name+`"`)
		}
		if _, err := query(c, "select "+strings.Join(cols, ", ")+" from "+r.Name.String()+" limit 1"); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}

// What one catalog points to, another one has.
func TestCatalogsAgree(t *testing.T) {
	c := open(t)
	if _, err := query(c, someTables); err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]string{
		"attributes have a relation":       "select attrelid, attname from pg_attribute where attrelid not in (select oid from pg_class)",
		"attributes have a type":           "select attrelid::regclass, attname, atttypid from pg_attribute where atttypid not in (select oid from pg_type)",
		"relations have a schema":          "select relname from pg_class where relnamespace not in (select oid from pg_namespace)",
		"relations have their attributes":  "select c.relname from pg_class c where relnatts <> (select count(*) from pg_attribute where attrelid = c.oid)",
		"row types have a relation":        "select typname from pg_type where typrelid <> 0 and typrelid not in (select oid from pg_class)",
		"relations have a row type":        "select relname from pg_class where reltype <> 0 and reltype not in (select oid from pg_type where typtype = 'c')",
		"arrays have elements":             "select a.typname from pg_type a where a.typcategory = 'A' and a.typelem not in (select oid from pg_type)",
		"elements have arrays":             "select typname from pg_type where typarray <> 0 and typarray not in (select oid from pg_type where typelem <> 0)",
		"functions have result types":      "select proname from pg_proc where prorettype not in (select oid from pg_type)",
		"functions have argument types":    "select proname, u from pg_proc, unnest(proargtypes) u where u not in (select oid from pg_type)",
		"functions have a schema":          "select proname from pg_proc where pronamespace not in (select oid from pg_namespace)",
		"aggregates are functions":         "select aggfnoid::oid from pg_aggregate where aggfnoid::oid not in (select oid from pg_proc where prokind = 'a')",
		"relations have one oid each":      "select oid from pg_class group by oid having count(*) > 1",
		"types have one oid each":          "select oid from pg_type group by oid having count(*) > 1",
		"functions have one oid each":      "select oid, min(proname), max(proname) from pg_proc group by oid having count(*) > 1",
		"casts have one oid each":          "select oid from pg_cast group by oid having count(*) > 1",
		"casts have types":                 "select castsource, casttarget from pg_cast where castsource not in (select oid from pg_type) or casttarget not in (select oid from pg_type)",
		"operators have one oid each":      "select oid from pg_operator group by oid having count(*) > 1",
		"relations have one name":          "select relname from pg_class group by relname, relnamespace having count(*) > 1",
		"every relation is a table":        "select relname from pg_class where (select count(*) from information_schema.tables where table_name = relname) = 0",
		"every attribute is a column":      "select count(*) from pg_attribute having count(*) <> (select count(*) from information_schema.columns)",
		"every relation has a row of size": "select relname from pg_class where pg_total_relation_size(oid::regclass) is null",
		"visible names mean themselves":    "select relname from pg_class where pg_table_is_visible(oid) and quote_ident(relname) <> oid::regclass::text",
		"other names are qualified":        "select relname from pg_class where not pg_table_is_visible(oid) and relname = oid::regclass::text",
		"names lead back to the relation":  "select relname from pg_class where to_regclass(oid::regclass::text)::oid <> oid",
	} {
		if got, err := query(c, q); err != nil || got != "" {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

// A catalog is made anew when the schema changes, and reads the statement's snapshot.
func TestCatalogsFollowTheSchema(t *testing.T) {
	c := open(t)
	count := func(want string) {
		t.Helper()
		if got, err := query(c, "select count(*) from pg_class where relname = 'follows'"); err != nil || got != want+"\n" {
			t.Errorf("%q %v, want %s", got, err, want)
		}
	}
	count("0")
	if _, err := query(c, "create table follows (a int)"); err != nil {
		t.Fatal(err)
	}
	count("1")
	if _, err := query(c, "drop table follows"); err != nil {
		t.Fatal(err)
	}
	count("0")
}

// No function of the package fails on NULLs, or on a number that is no object.
func TestFunctionsOfNothing(t *testing.T) {
	c := open(t)
	got, err := query(c, "select proname, oidvectortypes from (select proname, array_to_string(array(select format_type(u, null) from unnest(proargtypes) u), ',') as oidvectortypes from pg_proc where proname ~ '^(pg_|has_|to_reg|obj_|col_|shobj_|format_type|row_sec)' and prokind = 'f' and not proretset) s")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) < 100 {
		t.Fatalf("only %d functions", len(lines))
	}
	for _, line := range lines {
		name, list, _ := strings.Cut(line, "|")
		if name == "pg_sleep" {
			continue
		}
		var nulls, zeros []string
		for _, a := range strings.Split(list, ",") {
			if a = strings.TrimSpace(a); a == "" {
				continue
			}
			nulls = append(nulls, "null::"+a)
			switch a {
			case "oid", "integer", "bigint", "smallint", "regclass", "numeric":
				zeros = append(zeros, "123456789::bigint::"+a)
				if a == "smallint" {
					zeros[len(zeros)-1] = "1234::smallint"
				}
			default:
				zeros = append(zeros, "null::"+a)
			}
		}
		for _, args := range [][]string{nulls, zeros} {
			if _, err := query(c, "select "+name+"("+strings.Join(args, ", ")+")"); err != nil {
				t.Errorf("%s(%s): %v", name, strings.Join(args, ", "), err)
			}
		}
	}
}

func BenchmarkRedashSchemaQuery(b *testing.B) {
	c := open(b)
	for i := range 50 {
		var cols []string
		for k := range 60 {
			cols = append(cols, fmt.Sprintf("c%d jsonb", k))
		}
		if _, err := query(c, fmt.Sprintf("create table t%d (%s)", i, strings.Join(cols, ", "))); err != nil {
			b.Fatal(err)
		}
	}
	q := `select table_schema, table_name, column_name from information_schema.columns
		where table_schema not in ('pg_catalog', 'information_schema')
		and has_table_privilege(quote_ident(table_schema) || '.' || quote_ident(table_name), 'select')
		and has_schema_privilege(table_schema, 'usage')`
	for b.Loop() {
		if _, err := query(c, q); err != nil {
			b.Fatal(err)
		}
	}
}
