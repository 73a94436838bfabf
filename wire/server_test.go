package wire

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/lib/pq"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is a connection that has logged in and speaks in messages.
type client struct {
	net.Conn
	*pgproto3.Frontend
	t   testing.TB
	key pgproto3.BackendKeyData
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	c := &client{nc, pgproto3.NewFrontend(nc, nc), t, pgproto3.BackendKeyData{}}
	c.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "a"}})
	c.until("ReadyForQuery")
	return c
}

func (c *client) query(q string) {
	c.Send(&pgproto3.Query{String: q})
	if err := c.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// until reads up to a message of a type and returns its description.
func (c *client) until(kind string) string {
	c.t.Helper()
	if err := c.Flush(); err != nil {
		c.t.Fatal(err)
	}
	for {
		m, err := c.Receive()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if k, ok := m.(*pgproto3.BackendKeyData); ok {
			c.key = pgproto3.BackendKeyData{ProcessID: k.ProcessID, SecretKey: bytes.Clone(k.SecretKey)}
		}
		if strings.HasSuffix(typeName(m), "."+kind) {
			return describe(m)
		}
	}
}

func typeName(m any) string {
	switch m.(type) {
	case *pgproto3.ReadyForQuery:
		return ".ReadyForQuery"
	case *pgproto3.ErrorResponse:
		return ".ErrorResponse"
	case *pgproto3.RowDescription:
		return ".RowDescription"
	case *pgproto3.CommandComplete:
		return ".CommandComplete"
	}
	return ""
}

func TestAClientThatIsGoneCancelsItsStatement(t *testing.T) {
	db := newFakeDB()
	addr := startServer(t, Options{Open: db.Open})
	c := dial(t, addr)
	c.query("sleep")
	<-db.asleep
	start := time.Now()
	c.Close()
	db.await(func(open, results int) bool { return open == 0 && results == 0 })
	if d := time.Since(start); d > time.Second {
		t.Errorf("the statement ended %v after its client", d)
	}
}

func TestCancelIsAnsweredAtOnce(t *testing.T) {
	db := newFakeDB()
	addr := startServer(t, Options{Open: db.Open})
	c := dial(t, addr)
	for range 3 {
		c.query("sleep")
		<-db.asleep
		start := time.Now()
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		p, err := (&pgproto3.CancelRequest{ProcessID: c.key.ProcessID, SecretKey: c.key.SecretKey}).Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(p)
		io.Copy(io.Discard, nc)
		nc.Close()
		if e := c.until("ErrorResponse"); !strings.Contains(e, "57014 canceling statement due to user request") {
			t.Fatal(e)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("answered after %v", d)
		}
		c.until("ReadyForQuery")
	}
}

func TestAClientThatDoesNotReadIsCutOffAndItsResultIsNotHeld(t *testing.T) {
	db := newFakeDB()
	addr := startServer(t, Options{Open: db.Open, WriteTimeout: 100 * time.Millisecond})
	c := dial(t, addr)
	const rows = 100_000_000 // some GB
	c.query("big 100000000")
	db.await(func(open, _ int) bool { return open == 0 })
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.rows >= rows/10 {
		t.Errorf("%d rows were made for a client that took none", db.rows)
	}
}

// A slow reader that does read is not cut off, however long the result takes.
func TestAClientThatReadsSlowlyGetsItsWholeResult(t *testing.T) {
	db := newFakeDB()
	addr := startServer(t, Options{Open: db.Open, WriteTimeout: 5 * time.Second})
	c := dial(t, addr)
	c.query("big 300000")
	r := iotestSlow{c.Conn}
	c.Frontend = pgproto3.NewFrontend(r, c.Conn)
	if tag := c.until("CommandComplete"); tag != "SELECT 300000" {
		t.Error(tag)
	}
}

// iotestSlow reads little at a time.
type iotestSlow struct{ r io.Reader }

func (s iotestSlow) Read(p []byte) (int, error) {
	runtime.Gosched()
	return s.r.Read(p[:min(len(p), 512)])
}

func TestAPipelineNeedsNoReader(t *testing.T) {
	db := newFakeDB()
	addr := startServer(t, Options{Open: db.Open})
	c := dial(t, addr)
	const n = 4000
	for range n {
		c.Send(&pgproto3.Parse{Query: "rows 100"})
		c.Send(&pgproto3.Bind{})
		c.Send(&pgproto3.Execute{})
		c.Send(&pgproto3.Sync{})
	}
	if err := c.Flush(); err != nil { // all of it is sent before anything is read
		t.Fatal(err)
	}
	for range n {
		if tag := c.until("CommandComplete"); tag != "SELECT 100" {
			t.Fatal(tag)
		}
		c.until("ReadyForQuery")
	}
}

func TestAStrangerHasLimitedTime(t *testing.T) {
	db := newFakeDB()
	addr := startServer(t, Options{Open: db.Open, AuthTimeout: 30 * time.Millisecond})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	nc.Write([]byte{0, 0, 0, 50, 0, 3})
	if b, err := io.ReadAll(nc); err != nil || len(b) != 0 {
		t.Error(b, err)
	}
}

func TestStrangersAreFew(t *testing.T) {
	db := newFakeDB()
	addr := startServer(t, Options{Open: db.Open, MaxConnections: 2, ReservedConnections: 1})
	for i := range 7 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		// One answer in turn, so that all those before have been counted.
		nc.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f})
		var b [1]byte
		_, err = nc.Read(b[:])
		if refused := err != nil; refused != (i >= 6) {
			t.Errorf("connection %d from one address: %v", i+1, err)
		}
	}
}

// What a client that is not known can make the server allocate.
func TestGarbageBeforeLoginCostsLittle(t *testing.T) {
	for name, packet := range map[string][]byte{
		"a length of 2 GiB":    {0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0},
		"10,000 bytes to come": {0, 0, 0x27, 0x10, 0, 3, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(Options{Open: newFakeDB().Open})
			cost := func() {
				near, far := net.Pipe()
				done := make(chan struct{})
				go func() {
					defer close(done)
					c := newConn(s, far)
					s.mu.strangers[hostOf(far.RemoteAddr())]++
					c.serve()
				}()
				near.Write(packet)
				near.Close()
				<-done
			}
			cost()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			const n = 100
			for range n {
				cost()
			}
			runtime.ReadMemStats(&after)
			if per := (after.TotalAlloc - before.TotalAlloc) / n; per > 16_000 {
				t.Errorf("%d bytes a connection", per)
			}
		})
	}
}

func TestALongMessageIsNotAllocatedOnTrust(t *testing.T) {
	in := newInbox(bytes.NewReader(append([]byte{'Q', 3, 0xff, 0xff, 0xff}, make([]byte, 1000)...)), 64<<20, 1<<20, func() {})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in.run()
	runtime.ReadMemStats(&after)
	if _, ok, err := in.take(); ok || err == nil {
		t.Error(ok, err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 256<<10 {
		t.Errorf("%d bytes allocated for a message of 1,000", n)
	}
}

// A client that sends and sends is read ahead of only so far, and stopped by TCP from there.
func TestReadingAheadIsBounded(t *testing.T) {
	const ahead = 10_000
	frame := []byte{'S', 0, 0, 0, 4}
	near, far := net.Pipe()
	defer near.Close()
	in := newInbox(far, 64<<20, ahead, func() {})
	var wg sync.WaitGroup
	wg.Go(in.run)
	wg.Go(func() {
		for {
			if _, err := near.Write(frame); err != nil {
				return
			}
		}
	})
	for range 50_000 {
		in.mu.Lock()
		queued := len(in.mu.queue) - in.mu.head
		if in.mu.ahead > ahead || cap(in.mu.queue) > 1000 {
			t.Fatalf("%d bytes are held, %d queued in a slice of %d", in.mu.ahead, queued, cap(in.mu.queue))
		}
		in.mu.Unlock()
		if queued < 2 { // never let it run empty
			<-in.ready
			continue
		}
		m, ok, err := in.take()
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		in.release(m)
	}
	in.close()
	far.Close()
	near.Close()
	wg.Wait()
}

func TestALongMessageArrivesWhole(t *testing.T) {
	for _, n := range []int{0, 1, bodyBytesKept, bodyBytesKept + 1, 3*bodyBytesKept + 7, 1 << 20} {
		body := bytes.Repeat([]byte("abcdefg"), n/7+1)[:n]
		frame := append([]byte{'d', byte((n + 4) >> 24), byte((n + 4) >> 16), byte((n + 4) >> 8), byte(n + 4)}, body...)
		in := newInbox(bytes.NewReader(frame), 64<<20, 1<<20, func() {})
		m, err := in.read()
		if err != nil || m.typ != 'd' || !bytes.Equal(m.body, body) {
			t.Errorf("%d bytes: got %d, %v", n, len(m.body), err)
		}
	}
}

func TestShutdownEndsIdleSessionsAndLetsStatementsFinish(t *testing.T) {
	db := newFakeDB()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(Options{Open: db.Open})
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(l) })
	idle, busy, stranger := dial(t, l.Addr().String()), dial(t, l.Addr().String()), (net.Conn)(nil)
	if stranger, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	busy.query("sleep")
	<-db.asleep
	wg.Go(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if e := idle.until("ErrorResponse"); !strings.Contains(e, "FATAL 57P01 terminating connection due to administrator command") {
		t.Error(e)
	}
	s.cancel(int32(busy.key.ProcessID), uint32(busy.key.SecretKey[0])<<24|uint32(busy.key.SecretKey[1])<<16|uint32(busy.key.SecretKey[2])<<8|uint32(busy.key.SecretKey[3]))
	if e := busy.until("ErrorResponse"); !strings.Contains(e, "57014") {
		t.Error("the running statement did not come to its own end:", e)
	}
	busy.until("ReadyForQuery")
	if e := busy.until("ErrorResponse"); !strings.Contains(e, "57P01") {
		t.Error(e)
	}
	wg.Wait()
	if err := s.Serve(l); !errors.Is(err, ErrServerClosed) {
		t.Error("Serve after Shutdown:", err)
	}
}

func TestShutdownCancelsWhatDoesNotEndInTime(t *testing.T) {
	db := newFakeDB()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(Options{Open: db.Open})
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(l) })
	c := dial(t, l.Addr().String())
	c.query("sleep")
	<-db.asleep
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wg.Wait()
	db.await(func(open, results int) bool { return open == 0 && results == 0 })
}

func TestIdleInTransactionEnds(t *testing.T) {
	db := newFakeDB()
	addr := startServer(t, Options{Open: db.Open, IdleInTransactionTimeout: 20 * time.Millisecond})
	c := dial(t, addr)
	c.query("begin")
	c.until("ReadyForQuery")
	if e := c.until("ErrorResponse"); !strings.Contains(e, "FATAL 25P03") {
		t.Error(e)
	}
	db.await(func(open, _ int) bool { return open == 0 })
}

func TestAPanicIsLoggedOnceAndHarmsNobodyElse(t *testing.T) {
	db := newFakeDB()
	var mu sync.Mutex
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
	addr := startServer(t, Options{Open: db.Open, Logger: logger})
	other, c := dial(t, addr), dial(t, addr)
	c.query("panic")
	if e := c.until("ErrorResponse"); !strings.HasPrefix(e, "FATAL XX000") {
		t.Error(e)
	}
	db.await(func(open, _ int) bool { return open == 1 })
	other.query("rows 1")
	if tag := other.until("CommandComplete"); tag != "SELECT 1" {
		t.Error(tag)
	}
	mu.Lock()
	defer mu.Unlock()
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "fake_test.go") {
		t.Errorf("%d errors logged:\n%s", n, log.String())
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func TestOnlyThisMachineIsTrusted(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1": true, "127.9.9.9": true, "::1": true, "10.0.0.1": false, "::": false} {
		if got := local(&net.TCPAddr{IP: net.ParseIP(addr)}); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if !local(&net.UnixAddr{}) {
		t.Error("a socket of the file system is local")
	}
}

func TestWordsOfTheOptionsParameter(t *testing.T) {
	got, err := optionWords(`-c a=1  --b-c=2 -cd=x\ y -c e=`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "1", "b_c": "2", "d": "x y", "e": ""}
	if len(got) != len(want) {
		t.Error(got)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s=%q", k, got[k])
		}
	}
	for _, bad := range []string{"-c", "-c a", "x", "-d 1"} {
		if m, err := optionWords(bad); err == nil {
			t.Errorf("%q: %v", bad, m)
		}
	}
}

func TestPgx(t *testing.T) {
	db := newFakeDB()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, "postgres://me@"+startServer(t, Options{Open: db.Open})+"/me?sslmode=prefer")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec} {
		var n int64
		var s string
		var at time.Time
		var f float64
		want := time.Date(2016, 5, 1, 12, 0, 0, 0, time.UTC)
		if err := conn.QueryRow(ctx, "echo int8 text timestamptz float8", mode, int64(7), "x", want, 0.5).Scan(&n, &s, &at, &f); err != nil {
			t.Fatal(mode, err)
		}
		if n != 7 || s != "x" || !at.Equal(want) || f != 0.5 {
			t.Error(mode, n, s, at, f)
		}
	}
	batch := &pgx.Batch{}
	for range 10 {
		batch.Queue("rows 3")
	}
	res := conn.SendBatch(ctx, batch)
	for range 10 {
		if tag, err := res.Exec(); err != nil || tag.String() != "SELECT 3" {
			t.Fatal(tag, err)
		}
	}
	if err := res.Close(); err != nil {
		t.Fatal(err)
	}
	if err := conn.Ping(ctx); err != nil {
		t.Error(err)
	}
	var pe *pgconn.PgError
	if _, err := conn.Exec(ctx, "fail 42883"); !errors.As(err, &pe) || pe.Code != "42883" || pe.Position != 3 || pe.Hint != "do not" {
		t.Error(err)
	}
	tag, err := conn.PgConn().CopyFrom(ctx, strings.NewReader("1\ta\n2\tb\n"), "copyin")
	if err != nil || tag.String() != "COPY 2" {
		t.Error(tag, err)
	}
	var out bytes.Buffer
	if tag, err = conn.PgConn().CopyTo(ctx, &out, "copyout 2"); err != nil || out.String() != "1\trow\n2\trow\n" {
		t.Error(tag, err, out.String())
	}
}

func TestPgxCancelsByContext(t *testing.T) {
	db := newFakeDB()
	ctx, cancel := context.WithCancel(context.Background())
	conn, err := pgx.Connect(ctx, "postgres://me@"+startServer(t, Options{Open: db.Open})+"/me")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	go func() {
		<-db.asleep
		cancel()
	}()
	if _, err := conn.Exec(ctx, "sleep"); err == nil {
		t.Error("not cancelled")
	}
	db.await(func(open, results int) bool { return results == 0 })
}

func TestLibPQ(t *testing.T) {
	db := newFakeDB()
	host, port, _ := net.SplitHostPort(startServer(t, Options{Open: db.Open}))
	for _, binary := range []string{"no", "yes"} {
		pool, err := sql.Open("postgres", "host="+host+" port="+port+" user=me dbname=me sslmode=disable binary_parameters="+binary)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if err := pool.Ping(); err != nil {
			t.Fatal(err)
		}
		var n int64
		var s string
		if err := pool.QueryRow("echo int8 text", 7, "x").Scan(&n, &s); err != nil || n != 7 || s != "x" {
			t.Error(binary, n, s, err)
		}
		rows, err := pool.Query("rows 1000")
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for rows.Next() {
			count++
		}
		if err := rows.Err(); err != nil || count != 1000 {
			t.Error(count, err)
		}
		var pe *pq.Error
		if _, err := pool.Exec("fail 22012"); !errors.As(err, &pe) || pe.Code != "22012" {
			t.Error(err)
		}
		tx, err := pool.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}
}
