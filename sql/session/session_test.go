package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, db Database, o Options) Conn {
	t.Helper()
	o.User, o.Database = "ann", "telemdb"
	c, err := New(Config{DB: db, Workers: 2}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func prepare(t *testing.T, c Conn, query string, params ...uint32) Prepared {
	t.Helper()
	all, err := c.Split(query)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Prepare(t.Context(), all[0], params)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// must runs a query string and returns what TestSQL would print.
func must(t *testing.T, c Conn, query string) string {
	t.Helper()
	out := runScript(c, query, false)
	if strings.Contains(out, "ERROR") {
		t.Fatalf("%s: %s", query, out)
	}
	return out
}

// blockingDB has a system table that waits until its statement is cancelled.
type blockingDB struct {
	*fakeDB
	started chan struct{}
}

func (db *blockingDB) SystemTables() []SystemTable {
	return []SystemTable{{Name: types.TableName{Schema: "telemdb", Name: "slow"}, Cols: []plan.Col{{Name: "n", Type: types.Of(types.Int64)}},
		Rows: func(ctx *expr.Ctx, _ Snapshot, _ plan.VirtualScan) (plan.Rows, error) {
			return &blockingRows{ctx: ctx.Context, started: db.started}, nil
		}}}
}

type blockingRows struct {
	ctx     context.Context
	started chan struct{}
}

func (r *blockingRows) Next() (*vec.Batch, error) {
	r.started <- struct{}{}
	<-r.ctx.Done()
	return nil, r.ctx.Err()
}

func (r *blockingRows) Close() {}

func TestCancelStopsTheRunningStatementWithItsReason(t *testing.T) {
	db := &blockingDB{newFakeDB(), make(chan struct{}, 1)}
	c := open(t, db, Options{})
	p := prepare(t, c, "SELECT n FROM telemdb.slow")
	r, err := p.Execute(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := r.Next()
		done <- err
	}()
	<-db.started
	c.Cancel("canceling statement due to user request")
	err = <-done
	if sqlstate.Code(err) != sqlstate.QueryCanceled || err.Error() != "canceling statement due to user request" {
		t.Errorf("got %v (%s)", err, sqlstate.Code(err))
	}
	r.Close()
	if err := c.EndBatch(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if out := must(t, c, "SELECT 1"); !strings.Contains(out, "SELECT 1") {
		t.Errorf("the session is not usable after a cancel: %s", out)
	}
	c.Cancel("nobody is there") // nothing runs, so nothing happens
	must(t, c, "SELECT 2")
	if db.pinned() != 0 {
		t.Errorf("%d snapshots pinned", db.pinned())
	}
}

func TestStatementTimeoutStopsAStatement(t *testing.T) {
	db := &blockingDB{newFakeDB(), make(chan struct{}, 1)}
	c := open(t, db, Options{Settings: map[string]string{"statement_timeout": "20ms"}})
	out := runScript(c, "SELECT n FROM telemdb.slow", false)
	if !strings.Contains(out, "ERROR 57014: canceling statement due to statement timeout") {
		t.Errorf("got %s", out)
	}
	<-db.started
}

func TestUnknownStartupSettingIsRefused(t *testing.T) {
	_, err := New(Config{DB: newFakeDB()}, Options{User: "ann", Settings: map[string]string{"nosuch": "1"}})
	if sqlstate.Code(err) != sqlstate.UndefinedObject {
		t.Errorf("got %v", err)
	}
}

func TestReportedSettingsFollowChangesAndRollback(t *testing.T) {
	c := open(t, newFakeDB(), Options{Settings: map[string]string{"application_name": "app"}})
	first := map[string]string{}
	for _, s := range c.Reported() {
		first[s.Name] = s.Value
	}
	for name, want := range map[string]string{"application_name": "app", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
		"integer_datetimes": "on", "standard_conforming_strings": "on", "TimeZone": "UTC", "session_authorization": "ann",
		"server_version": "15.0 (telemdb test)", "is_superuser": "on", "IntervalStyle": "postgres"} {
		if first[name] != want {
			t.Errorf("%s is announced as %q, want %q", name, first[name], want)
		}
	}
	must(t, c, "BEGIN; SET application_name = 'other'")
	if got := fmt.Sprint(c.Reported()); got != "[{application_name other}]" {
		t.Errorf("after SET: %s", got)
	}
	must(t, c, "ROLLBACK")
	if got := fmt.Sprint(c.Reported()); got != "[{application_name app}]" {
		t.Errorf("after ROLLBACK: %s", got)
	}
	if got := c.Reported(); len(got) != 0 {
		t.Errorf("nothing changed, but %v is announced", got)
	}
}

func TestPreparedStatementsSurviveDDLUnlessTheirShapeChanges(t *testing.T) {
	c := open(t, newFakeDB(), Options{})
	must(t, c, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
	p := prepare(t, c, "SELECT * FROM t WHERE a = $1")
	arg := &vec.Vector{}
	arg.Reset(types.Of(types.Int32))
	arg.AppendInt(1)
	run := func() (string, error) {
		r, err := p.Execute(t.Context(), []*vec.Vector{arg})
		if err != nil {
			return "", err
		}
		defer r.Close()
		for {
			b, err := r.Next()
			if err != nil {
				return "", err
			}
			if b == nil {
				return r.Tag(), nil
			}
		}
	}
	end := func() {
		if err := c.EndBatch(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	if tag, err := run(); err != nil || tag != "SELECT 1" {
		t.Fatalf("%s, %v", tag, err)
	}
	end()
	must(t, c, "CREATE TABLE unrelated (x int)")
	if tag, err := run(); err != nil || tag != "SELECT 1" {
		t.Fatalf("%s, %v", tag, err)
	}
	end()
	must(t, c, "DROP TABLE t; CREATE TABLE t (a int, b int)")
	_, err := run()
	if sqlstate.Code(err) != sqlstate.FeatureNotSupported || err.Error() != "cached plan must not change result type" {
		t.Errorf("got %v", err)
	}
	end()
	if _, err := p.Execute(t.Context(), nil); sqlstate.Code(err) != sqlstate.ProtocolViolation {
		t.Errorf("a missing argument gives %v", err)
	}
	end()
}

func TestNamedStatements(t *testing.T) {
	c := open(t, newFakeDB(), Options{})
	p := prepare(t, c, "SELECT 1")
	if err := c.Store("s", p); err != nil {
		t.Fatal(err)
	}
	if err := c.Store("s", p); sqlstate.Code(err) != sqlstate.DuplicatePrepared {
		t.Errorf("got %v", err)
	}
	if out := must(t, c, "EXECUTE s"); !strings.Contains(out, "SELECT 1") {
		t.Errorf("got %s", out)
	}
	c.Drop("s")
	if _, err := c.Lookup("s"); sqlstate.Code(err) != sqlstate.InvalidStatementName {
		t.Errorf("got %v", err)
	}
}

func TestAFailedCommitIsAnErrorAndLeavesNothing(t *testing.T) {
	db := newFakeDB()
	c := open(t, db, Options{})
	must(t, c, "CREATE TABLE t (a int)")
	db.insertErr = sqlstate.New(sqlstate.DiskFull, "no space")
	if out := runScript(c, "BEGIN; INSERT INTO t VALUES (1); COMMIT", false); !strings.Contains(out, "ERROR 53100: no space") {
		t.Errorf("got %s", out)
	}
	if c.TxStatus() != 'I' {
		t.Errorf("status %c", c.TxStatus())
	}
	if out := runScript(c, "INSERT INTO t VALUES (1)", false); !strings.Contains(out, "ERROR 53100") {
		t.Errorf("got %s", out)
	}
	db.insertErr = nil
	if out := must(t, c, "SELECT count(*) FROM t"); !strings.Contains(out, "\n0\n") {
		t.Errorf("got %s", out)
	}
}

func TestABulkInsertStreamsAndAFailureLeavesNothing(t *testing.T) {
	db := newFakeDB()
	c := open(t, db, Options{})
	must(t, c, "CREATE TABLE t (a text)")
	// More than bulkBytes of rows: they are handed on while they are made.
	const big = "SELECT repeat('x', 1000) FROM generate_series(1, 60000) g"
	if out := must(t, c, "INSERT INTO t "+big); !strings.Contains(out, "INSERT 0 60000") {
		t.Errorf("got %s", out)
	}
	if out := must(t, c, "SELECT count(*) FROM t"); !strings.Contains(out, "60000") {
		t.Errorf("got %s", out)
	}
	out := runScript(c, "INSERT INTO t SELECT repeat('x', 1000 / (50000 - g)) FROM generate_series(1, 60000) g UNION ALL "+big, false)
	if !strings.Contains(out, "ERROR 22012") {
		t.Errorf("got %s", out)
	}
	if out := must(t, c, "SELECT count(*) FROM t"); !strings.Contains(out, "60000") {
		t.Errorf("after a failed insertion: %s", out)
	}
	db.insertErr = errors.New("disk on fire")
	if out := runScript(c, "CREATE TABLE u AS "+big, false); !strings.Contains(out, "disk on fire") {
		t.Errorf("got %s", out)
	}
	if out := runScript(c, "SELECT count(*) FROM u", false); !strings.Contains(out, "ERROR 42P01") {
		t.Errorf("the table of a failed CREATE TABLE AS is still there: %s", out)
	}
}

func TestATransactionTooLargeForMemoryIsRefused(t *testing.T) {
	c := open(t, newFakeDB(), Options{})
	must(t, c, "CREATE TABLE t (a text)")
	out := runScript(c, "BEGIN; INSERT INTO t SELECT repeat('x', 100000) FROM generate_series(1, 3000) g", false)
	if !strings.Contains(out, "ERROR 54000") {
		t.Errorf("got %s", out)
	}
}

func TestCopyFailAndAbandonCopyNothing(t *testing.T) {
	c := open(t, newFakeDB(), Options{})
	must(t, c, "CREATE TABLE t (a int)")
	start := func() Result {
		r, err := prepare(t, c, "COPY t FROM STDIN").Execute(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.CopyIn().Write([]byte("1\n2\n")); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := start()
	if err := r.CopyIn().Fail("gone"); sqlstate.Code(err) != sqlstate.QueryCanceled || err.Error() != "COPY from stdin failed: gone" {
		t.Errorf("got %v", err)
	}
	r.Close()
	if err := c.EndBatch(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	start().Close()
	if err := c.EndBatch(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if out := must(t, c, "SELECT count(*) FROM t"); !strings.Contains(out, "\n0\n") {
		t.Errorf("got %s", out)
	}
}

// What COPY TO gives in binary is what COPY FROM takes, cut anywhere.
func TestBinaryCopyReadsWhatItWrites(t *testing.T) {
	c := open(t, newFakeDB(), Options{})
	const table = "(a int, b text, c numeric(8,2), d date, e double precision, f bool, g int[], h jsonb, i timestamptz)"
	must(t, c, "CREATE TABLE x "+table+"; CREATE TABLE y "+table)
	must(t, c, `INSERT INTO x VALUES (1, 'é', 1.5, '2016-01-01', 2.5, true, '{1,NULL}', '{"a": 1}', '2016-01-01 10:00+02'), (NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL)`)
	r, err := prepare(t, c, "COPY x TO STDOUT (FORMAT binary)").Execute(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := r.CopyOut().Format(); !f.Binary || f.Columns != 9 {
		t.Errorf("format %+v", f)
	}
	var data []byte
	for {
		p, err := r.CopyOut().Next()
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			break
		}
		data = append(data, p...)
	}
	r.Close()
	in, err := prepare(t, c, "COPY y FROM STDIN (FORMAT binary)").Execute(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(data); i += 3 {
		if err := in.CopyIn().Write(data[i:min(i+3, len(data))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.CopyIn().Done(); err != nil {
		t.Fatal(err)
	}
	if in.Tag() != "COPY 2" {
		t.Errorf("tag %s", in.Tag())
	}
	in.Close()
	if err := c.EndBatch(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if x, y := must(t, c, "SELECT * FROM x ORDER BY a"), must(t, c, "SELECT * FROM y ORDER BY a"); x != y {
		t.Errorf("wrote\n%s, read\n%s", x, y)
	}
	for _, bad := range []string{"nonsense here is no signature", string(data[:len(data)-2]), string(data[:copyHeaderBytes]) + "\x00\x01"} {
		in, err := prepare(t, c, "COPY y FROM STDIN BINARY").Execute(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = in.CopyIn().Write([]byte(bad))
		if err == nil {
			err = in.CopyIn().Done()
		}
		if sqlstate.Code(err) != sqlstate.BadCopyFormat {
			t.Errorf("%.20q: %v", bad, err)
		}
		in.Close()
		if err := c.EndBatch(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOIDsAreAFunctionOfStoredIDs(t *testing.T) {
	seen := map[uint32]bool{}
	for id := uint32(1); id < 100; id++ {
		for _, oid := range []uint32{TableOID(id), TableTypeOID(id), ViewOID(id), ViewTypeOID(id)} {
			if seen[oid] || oid < firstUserOID {
				t.Fatalf("oid %d of id %d is taken or too low", oid, id)
			}
			seen[oid] = true
		}
	}
	if SchemaOID("public") != 2200 || SchemaOID("x") == SchemaOID("y") || SchemaOID("x") < 1<<31 {
		t.Error("schema oids")
	}
}
