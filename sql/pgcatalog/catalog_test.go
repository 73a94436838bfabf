package pgcatalog_test

import (
	"context"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/sql/pgcatalog"
	"github.com/telemdb/telemdb/sql/pgcatalog/catalogtest"
	"github.com/telemdb/telemdb/sql/session"
)

func open(t testing.TB) session.Conn {
	t.Helper()
	c, err := session.New(session.Config{DB: catalogtest.New(), Catalog: pgcatalog.New()}, session.Options{User: "analyst", Database: "telemdb", PID: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// query runs statements and gives the last one's rows, cells parted by | and rows by newlines.
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

func TestSmoke(t *testing.T) {
	c := open(t)
	for _, q := range []string{"select 1", "create table pings(a int not null, b text[])", "select relname, relkind from pg_class where relname='pings'",
		"select attname, atttypid::regtype, attnotnull, attnum from pg_attribute where attrelid='pings'::regclass order by attnum"} {
		got, err := query(c, q)
		t.Log(q, "->", got, err)
	}
}
