package telemdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/sql/session"
)

// changing is a statement that runs long in one place, and what shows whether it has had an effect.
type changing struct {
	name, sql string
	state     string // a query whose answer must not change
}

// makeTables has tables that statements of changing read and change, in several segments, and pings.
func makeTables(t *testing.T) *DB {
	db, err := Open("", Options{Workers: 2, QueryMemory: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, s := range []string{
		"CREATE TABLE into_int (d date, a bigint, b text, c double precision) WITH (sort_key = 'a')",
		"CREATE TABLE into_text (d date, a bigint, b text, c double precision) PARTITION BY RANGE (d) WITH (sort_key = 'b')",
		"CREATE TABLE into_json (a bigint, j jsonb) WITH (sort_key = 'a')",
		"CREATE TABLE wide (d date, a bigint, b text, c text, e double precision) WITH (sort_key = 'b')",
	} {
		mustExec(t, db, s)
	}
	for i := range 6 {
		mustExec(t, db, fmt.Sprintf("INSERT INTO wide SELECT date '2016-01-01' + g %% 3, g * 7919 %% 100003, md5(g::text), md5((g + %d)::text), g / 7.0 FROM generate_series(1, 60000) g", i))
		mustExec(t, db, "SELECT telemdb.flush()")
	}
	g := gen.New(gen.Options{Seed: 3, Pings: -1, Clients: 30, Kinds: gen.Kinds{Main: 1}})
	for range 20 {
		var p gen.Ping
		g.Next(&p)
		if _, err := db.Ingest(t.Context(), Submission{URI: p.URI, Body: p.Body}); err != nil {
			t.Fatal(err)
		}
	}
	mustExec(t, db, "SELECT telemdb.flush()")
	return db
}

const (
	intRows  = "SELECT date '2016-01-01' + (g % 3)::int AS d, g::bigint * 7919 % 100000007 AS a, md5(g::text) AS b, g / 7.0 AS c FROM generate_series(1, 30000000) g"
	tables   = "SELECT count(*) FROM pg_tables"
	wideRows = "SELECT count(*), sum(a) FROM wide"
)

var changingStatements = []changing{
	{"INSERT SELECT, sorted by an integer", "INSERT INTO into_int " + intRows, "SELECT count(*) FROM into_int"},
	{"INSERT SELECT, sorted by text", "INSERT INTO into_text " + intRows, "SELECT count(*) FROM into_text"},
	{"INSERT SELECT of jsonb", "INSERT INTO into_json SELECT g, jsonb_build_object('a', g, 'b', md5(g::text)) FROM generate_series(1, 30000000) g", "SELECT count(*) FROM into_json"},
	{"CREATE TABLE AS", "CREATE TABLE made AS " + intRows, tables},
	{"COPY in, sorted by an integer", "COPY into_int FROM STDIN (FORMAT csv)", "SELECT count(*) FROM into_int"},
	{"COPY in, sorted by text", "COPY into_text FROM STDIN (FORMAT csv)", "SELECT count(*) FROM into_text"},
	{"COPY out of a query", "COPY (" + intRows + ") TO STDOUT (FORMAT csv)", tables},
	{"COPY out of tables", "COPY (SELECT x.*, y.* FROM wide x, wide y) TO STDOUT", tables},
	{"DELETE", "DELETE FROM wide WHERE (SELECT count(*) FROM generate_series(1, 5000) h WHERE h < a % 7) < 0", wideRows},
	{"DELETE of all", "DELETE FROM wide WHERE length(repeat(b, 100000)) > 0", wideRows},
	{"EXPLAIN ANALYZE DELETE", "EXPLAIN ANALYZE DELETE FROM wide WHERE length(repeat(b, 100000)) > 0", wideRows},
	{"EXPLAIN ANALYZE of a scan", "EXPLAIN ANALYZE SELECT count(*) FROM wide WHERE length(repeat(b, 100000)) < 0", wideRows},
	{"documents", "SELECT sum(length(_document::text)) FROM telemetry.main m, generate_series(1, 3000) g WHERE length(_document::text) + g > 0", tables},
	{"documents one by one", "SELECT _document FROM telemetry.main m, generate_series(1, 100000) g", tables},
	{"EXPLAIN ANALYZE of documents", "EXPLAIN ANALYZE SELECT sum(length(_document::text)) FROM telemetry.main m, generate_series(1, 3000) g WHERE length(_document::text) + g > 0", tables},
}

// sessionOf opens a session, for statements that take or give data of COPY.
func sessionOf(t *testing.T, db *DB) session.Conn {
	t.Helper()
	c, err := db.OpenSession(context.Background(), session.Options{User: "telemdb"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// copyData is rows of CSV for the tables into_*.
var copyData = func() []byte {
	var b strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&b, "2016-01-%02d,%d,%x%x,%d.5\n", 1+i%3, i*7919%100003, i*7919, i*104729, i)
	}
	return []byte(b.String())
}()

// play runs a statement to its end; copied, if not nil, is called when the data of COPY has been written, before its end.
// Without it the data has no end.
func play(ctx context.Context, c session.Conn, sql string, copied func()) error {
	stmts, err := c.Split(sql)
	if err != nil {
		return err
	}
	p, err := c.Prepare(ctx, stmts[0], nil)
	if err != nil {
		return err
	}
	r, err := p.Execute(ctx, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	switch in, out := r.CopyIn(), r.CopyOut(); {
	case in != nil:
		for n := 0; copied == nil || n < 30; n++ {
			if err := in.Write(copyData); err != nil {
				return err
			}
		}
		copied()
		return in.Done()
	case out != nil:
		for {
			if row, err := out.Next(); row == nil || err != nil {
				return err
			}
		}
	}
	for {
		if b, err := r.Next(); b == nil || err != nil {
			return err
		}
	}
}

// stop runs a statement and cancels it so long after it began, or after its data was there.
func (s *changing) stop(t *testing.T, c session.Conn, after time.Duration, atEnd bool) cancelAttempt {
	t.Helper()
	runtime.GC() // what the statement before has left is not this one's to clear away
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended, begun := make(chan error, 1), make(chan struct{})
	var copied func()
	if atEnd {
		copied = func() { close(begun) }
	} else {
		close(begun)
	}
	go func() { ended <- play(ctx, c, s.sql, copied) }()
	<-begun
	return cancelAfter(t, after, cancel, ended)
}

// cancelMoments are when a statement is cancelled: those given, or later ones if the environment says so, to stop it in other places.
func cancelMoments(t *testing.T, moments ...time.Duration) []time.Duration {
	t.Helper()
	if v := os.Getenv("TELEMDB_CANCEL_AFTER"); v != "" {
		after, err := time.ParseDuration(v)
		if err != nil {
			t.Fatal(err)
		}
		moments = []time.Duration{after, after + after/4, after + after/2}
	}
	return moments
}

// judge holds attempts against the promise: the median of them keeps it, and none takes ever.
func judge(t *testing.T, attempts []cancelAttempt) {
	t.Helper()
	broken := 0
	for i, a := range attempts {
		if a.took > ever {
			t.Errorf("attempt %d ended %v after its time was up", i, a.took)
		}
		if !a.kept() {
			broken++
			t.Logf("attempt %d ended %v after its time was up, with %v of CPU time; a timer was up to %v late", i, a.took, a.cpu, a.late)
		}
	}
	if broken*2 > len(attempts) {
		t.Errorf("%d of %d times it did not end within %v", broken, len(attempts), promised)
	}
}

// Statements that change something, that hand their rows out as they come, or that put documents together end within 100 ms
// too, early and late. Nothing of them is there then, and the session goes on.
func TestStatementsThatChangeSomethingEndWithin100MillisecondsAndLeaveNothing(t *testing.T) {
	db := makeTables(t)
	c := sessionOf(t, db)
	for _, s := range changingStatements {
		t.Run(s.name, func(t *testing.T) {
			before := one(t, db, s.state)
			var attempts []cancelAttempt
			for _, after := range cancelMoments(t, 30*time.Millisecond, 120*time.Millisecond, 500*time.Millisecond) {
				a := s.stop(t, c, after, false)
				if a.early {
					t.Fatalf("it ended by itself within %v: %v", after, a.err)
				}
				if sqlstate.Code(a.err) != sqlstate.QueryCanceled && !errors.Is(a.err, context.Canceled) {
					t.Fatalf("cancelled after %v it gave %v", after, a.err)
				}
				if got := one(t, db, s.state); got != before {
					t.Fatalf("%s: %s, before %s", s.state, got, before)
				}
				if err := play(t.Context(), c, s.state, nil); err != nil {
					t.Fatalf("the next statement: %v", err)
				}
				attempts = append(attempts, a)
			}
			judge(t, attempts)
		})
	}
	if got := one(t, db, "SELECT count(*) FROM telemdb.check"); got != "0" {
		t.Errorf("check finds %s problems", got)
	}
}

// A COPY that has all its rows sorts, encodes and writes them.
func TestACOPYIsCancelledWhileItSortsAndWrites(t *testing.T) {
	db := makeTables(t)
	c := sessionOf(t, db)
	for _, s := range changingStatements {
		if !strings.HasPrefix(s.name, "COPY in") {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			var attempts []cancelAttempt
			for _, after := range []time.Duration{10 * time.Millisecond, 60 * time.Millisecond, 150 * time.Millisecond} {
				a := s.stop(t, c, after, true)
				if a.early && after == 10*time.Millisecond {
					t.Fatalf("it ended by itself within %v: %v", after, a.err)
				}
				if want := "0"; a.err != nil {
					if got := one(t, db, s.state); got != want {
						t.Fatalf("%s: %s, want %s", s.state, got, want)
					}
				} else {
					mustExec(t, db, "TRUNCATE "+strings.Fields(s.sql)[1])
				}
				attempts = append(attempts, a)
			}
			judge(t, attempts)
		})
	}
}

// CLUSTER publishes partition by partition; what it had not published when it was cancelled is as it was.
func TestCLUSTERIsCancelledSoon(t *testing.T) {
	db := makeTables(t)
	c := sessionOf(t, db)
	s := changing{"CLUSTER", "CLUSTER wide", wideRows}
	before := one(t, db, wideRows)
	var attempts []cancelAttempt
	for _, after := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 120 * time.Millisecond} {
		a := s.stop(t, c, after, false)
		if a.early && len(attempts) == 0 {
			t.Fatalf("it ended by itself within %v: %v", after, a.err)
		}
		if a.err != nil {
			if got := one(t, db, "SELECT count(run) FROM telemdb.segments WHERE table_name = 'wide'"); got != "0" { // merges may go on, but make no run
				t.Fatalf("%s segments of a cancelled CLUSTER of one partition are there", got)
			}
		}
		if got := one(t, db, wideRows); got != before {
			t.Fatalf("%s: %s, before %s", wideRows, got, before)
		}
		attempts = append(attempts, a)
	}
	judge(t, attempts)
	mustExec(t, db, "CLUSTER wide")
	// A merge may have made one segment of all rows meanwhile: that is in order without being a run.
	if got := one(t, db, "SELECT count(*) FROM telemdb.segments WHERE table_name = 'wide' AND run IS NULL AND rows < (SELECT count(*) FROM wide)"); got != "0" {
		t.Fatalf("%s segments are in no run", got)
	}
	if got := one(t, db, wideRows); got != before {
		t.Fatalf("%s: %s, before %s", wideRows, got, before)
	}
	if got := one(t, db, "SELECT count(*) FROM telemdb.check"); got != "0" {
		t.Errorf("check finds %s problems", got)
	}
}

// The same statements end when their time is up.
func TestStatementsThatChangeSomethingEndSoonAfterTheirTimeIsUp(t *testing.T) {
	db := makeTables(t)
	c := sessionOf(t, db)
	const limit = 100 * time.Millisecond
	if err := play(t.Context(), c, "SET statement_timeout = '100ms'", nil); err != nil {
		t.Fatal(err)
	}
	for _, s := range changingStatements {
		t.Run(s.name, func(t *testing.T) {
			before := one(t, db, s.state)
			var attempts []cancelAttempt
			for range 3 {
				runtime.GC()
				slow, cpu, began := watchSlowness(), processCPU(t), time.Now()
				err := play(t.Context(), c, s.sql, nil)
				a := cancelAttempt{took: time.Since(began) - limit, cpu: processCPU(t) - cpu - 2*limit, late: slow.worst(), err: err}
				if err == nil || !strings.Contains(err.Error(), "statement timeout") {
					t.Fatal(err)
				}
				if got := one(t, db, s.state); got != before {
					t.Fatalf("%s: %s, before %s", s.state, got, before)
				}
				attempts = append(attempts, a)
			}
			judge(t, attempts)
		})
	}
}
