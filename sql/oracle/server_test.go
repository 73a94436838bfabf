package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/telemdb/telemdb"
)

// server is a connection over PostgreSQL's protocol.
type server struct {
	*pgconn.PgConn
	own bool // it is telemdb
}

// patience is how long a statement may take.
const patience = 20 * time.Second

func connect(t *testing.T, url string, own bool) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c.Close(ctx)
	})
	return &server{c, own}
}

// serve starts a database in memory on a free port and returns how to reach it.
func serve(t *testing.T) string {
	t.Helper()
	db := telemdb.ForTest(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- db.ServeWire(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(db.ShutdownWire(ctx), <-served); err != nil {
			t.Errorf("stopping the server: %v", err)
		}
	})
	return fmt.Sprintf("postgres://tester@%s/telemdb?sslmode=disable", l.Addr())
}

func (s *server) must(t *testing.T, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := s.Exec(ctx, sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// fill makes a world's tables.
func (s *server) fill(t *testing.T, w *world) {
	t.Helper()
	for _, table := range w.tables {
		s.must(t, "DROP TABLE IF EXISTS "+table.name)
		s.must(t, table.create(s.own))
		for i, data := range table.parts {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			_, err := s.CopyFrom(ctx, strings.NewReader(data), "COPY "+table.name+" FROM STDIN")
			cancel()
			if err != nil {
				t.Fatalf("world %d: COPY %s: %v", w.seed, table.name, err)
			}
			if s.own && table.seal[i] {
				s.must(t, "SELECT telemdb.flush()")
			}
			if table.after[i] != "" {
				s.must(t, table.after[i])
			}
		}
		switch {
		case !s.own:
			s.must(t, "ANALYZE "+table.name)
		case table.run:
			s.must(t, "CLUSTER "+table.name)
		}
	}
}

// answer is what a statement gave: rows as text, in order, or an error's SQLSTATE.
type answer struct {
	state, message string
	types          []uint32
	rows           [][]string
}

func (s *server) ask(sql string) *answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a := &answer{}
	results := s.Exec(ctx, sql)
	for results.NextResult() {
		r := results.ResultReader()
		for _, f := range r.FieldDescriptions() {
			a.types = append(a.types, f.DataTypeOID)
		}
		for r.NextRow() {
			row := make([]string, len(r.Values()))
			for i, v := range r.Values() {
				if row[i] = "∅"; v != nil {
					row[i] = string(v)
				}
			}
			a.rows = append(a.rows, row)
		}
	}
	if err := results.Close(); err != nil {
		a.rows, a.state, a.message = nil, "?", err.Error()
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			a.state = pg.Code
		}
	}
	return a
}

// The types whose texts are not compared as they are.
const (
	float4OID  = 700
	float8OID  = 701
	numericOID = 1700
)

// leeway is what two answers may differ by, and still agree.
type leeway struct {
	sums    bool // floats may be apart by their last digits: they were added in another order
	whole   bool // stddev of a's side has no decimals from 1e8 on: see compareDuck
	ordered bool // the rows' order is that of the query
	types   bool // the columns' types are compared
}

// canonical is a value's text without what SQL leaves open: which of two equal values stands for a group.
func canonical(v string, oid uint32) string {
	switch {
	case v == "-0" && (oid == float8OID || oid == float4OID):
		return "0"
	case oid == numericOID && strings.Contains(v, "."):
		return strings.TrimSuffix(strings.TrimRight(v, "0"), ".")
	}
	return v
}

// apart says how b differs from a, "" if it does not.
func apart(a, b *answer, l leeway) string {
	if a.state != "" || b.state != "" {
		if len(a.state) > 1 && len(b.state) > 1 && a.state[:2] == b.state[:2] {
			return ""
		}
		return fmt.Sprintf("error %q %s\n and %q %s", a.state, a.message, b.state, b.message)
	}
	if l.types && !slices.Equal(a.types, b.types) {
		return fmt.Sprintf("types %v and %v", a.types, b.types)
	}
	x, y := a.canonical(l), b.canonical(l)
	if len(x) != len(y) {
		return fmt.Sprintf("%d rows and %d%s", len(x), len(y), firstMissing(x, y))
	}
	for i := range x {
		for c := range x[i] {
			if x[i][c] != y[i][c] && !(a.types[c] == float8OID && (l.sums && close(x[i][c], y[i][c]) || l.whole && rounded(x[i][c], y[i][c]))) {
				return fmt.Sprintf("row %d: %q and %q", i, x[i], y[i])
			}
		}
	}
	return ""
}

func firstMissing(x, y [][]string) string {
	for i := range max(len(x), len(y)) {
		if i >= len(x) || i >= len(y) || !slices.Equal(x[i], y[i]) {
			at := func(of [][]string) any {
				if i < len(of) {
					return of[i]
				}
				return "none"
			}
			return fmt.Sprintf("; row %d: %q and %q", i, at(x), at(y))
		}
	}
	return ""
}

func (a *answer) canonical(l leeway) [][]string {
	out := make([][]string, len(a.rows))
	for i, row := range a.rows {
		out[i] = make([]string, len(row))
		for c, v := range row {
			out[i][c] = canonical(v, a.types[c])
		}
	}
	if l.ordered {
		return out
	}
	slices.SortFunc(out, func(x, y []string) int {
		for c := range x {
			apart := strings.Compare(x[c], y[c])
			if apart != 0 && !(l.sums && a.types[c] == float8OID && close(x[c], y[c])) { // lest rows with close sums fall apart
				return apart
			}
		}
		return 0
	})
	return out
}

// rounded tells whether x is y, a number of 1e8 or more, rounded to a whole one.
func rounded(x, y string) bool {
	a, err1 := strconv.ParseFloat(x, 64)
	b, err2 := strconv.ParseFloat(y, 64)
	return err1 == nil && err2 == nil && b >= 1e8 && a == math.Trunc(a) && math.Abs(a-b) <= 0.5+1e-9*b
}

func close(x, y string) bool {
	a, err1 := strconv.ParseFloat(x, 64)
	b, err2 := strconv.ParseFloat(y, 64)
	return err1 == nil && err2 == nil && !math.IsInf(a, 0) && !math.IsInf(b, 0) && math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}
