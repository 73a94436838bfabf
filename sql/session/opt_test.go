package session

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/op"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/bind"
	"github.com/telemdb/telemdb/sql/opt"
)

// TestOptimizedPlansGiveTheSameRows runs every query of testdata/*.slt as the binder made it, optimised, and optimised
// without one rule, for each.
func TestOptimizedPlansGiveTheSameRows(t *testing.T) {
	files, err := filepath.Glob("testdata/*.slt")
	if err != nil || len(files) == 0 {
		t.Fatal("no test files", err)
	}
	compared := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		db := newFakeDB()
		addPings(db)
		c := open(t, db, Options{}).(*conn)
		for _, block := range strings.Split(string(text), "\n\n") {
			directive, rest, _ := strings.Cut(strings.TrimSpace(block), "\n")
			query, _, _ := strings.Cut(rest, "\n----")
			if !strings.HasPrefix(directive, "sql") || strings.Contains(directive, "conn=") {
				continue
			}
			if all, err := c.Split(query); err == nil && len(all) == 1 && c.TxStatus() == 'I' {
				if q, ok := all[0].(*statement).Stmt.(*ast.Select); ok {
					compared += comparePlans(t, c, q, query)
					continue
				}
			}
			runScript(c, query, false)
		}
	}
	if compared < 80 {
		t.Errorf("only %d queries were compared", compared)
	}
}

func comparePlans(t *testing.T, c *conn, q *ast.Select, text string) int {
	t.Helper()
	defer func() { _ = c.EndBatch(context.Background(), true) }()
	if strings.Contains(text, "random()") || strings.Contains(text, "LIMIT") {
		return 0 // any rows will do there
	}
	k, err := c.catalog()
	if err != nil {
		t.Fatal(err)
	}
	b, err := bind.Select(k, q, nil)
	if err != nil || len(b.Params) > 0 {
		return 0
	}
	plain, perr := planRows(t, c, b.Plan)
	slices.Sort(plain)
	for _, off := range append([]string{""}, opt.Rules()...) {
		if _, err := c.set.set("telemdb.optimizer_off", off, false); err != nil {
			t.Fatal(err)
		}
		fast, ferr := planRows(t, c, c.optimize(k, b.Plan))
		slices.Sort(fast)
		switch {
		case (perr == nil) != (ferr == nil):
			t.Errorf("%s\nunoptimised: %v\noptimised without %q: %v", text, perr, off, ferr)
		case perr == nil && !slices.Equal(plain, fast):
			t.Errorf("%s\nunoptimised: %q\noptimised without %q: %q", text, plain, off, fast)
		}
	}
	return 1
}

func planRows(t *testing.T, c *conn, n plan.Node) ([]string, error) {
	t.Helper()
	env, snap, err := c.env(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	snap.keep()
	defer snap.drop()
	rows, err := op.Run(env, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for {
		b, err := rows.Next()
		if err != nil || b == nil {
			return out, err
		}
		for i := range b.N {
			var cells []string
			for _, v := range b.Cols {
				if v.Null(i) {
					cells = append(cells, "NULL")
				} else {
					cells = append(cells, fmt.Sprintf("%q", datum.AppendText(nil, v, i, nil)))
				}
			}
			out = append(out, strings.Join(cells, ","))
		}
	}
}

func BenchmarkPointQuery(b *testing.B) {
	db := newFakeDB()
	addPings(db)
	c, err := New(Config{DB: db, Workers: 1}, Options{User: "ann"})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		runScript(c, "SELECT client_id, count(*) FROM main WHERE payload->'info'->>'reason' = 'daily' GROUP BY 1", false)
	}
}
