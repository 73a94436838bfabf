package telemdb

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// wireAddress serves the PostgreSQL protocol on a port of its own until the test ends.
func wireAddress(t *testing.T, db *DB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- db.ServeWire(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(db.ShutdownWire(ctx), <-served); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), "postgres://ann@"+address+"/telemdb?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// watch waits until the query gives the wanted text.
func watch(t *testing.T, c *pgx.Conn, query, want string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if err := c.QueryRow(context.Background(), query).Scan(&got); err == nil && got == want {
			return
		}
	}
	t.Fatalf("%s is %q, want %q", query, got, want)
}

// A statement that runs is seen by others, cancelled within 100 ms, and its session ended on demand.
func TestSessionsSeeAndStopEachOther(t *testing.T) {
	db, err := Open("", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	address := wireAddress(t, db)
	busy, other := connect(t, address), connect(t, address)
	ctx := context.Background()
	if _, err := busy.Exec(ctx, "SET application_name = 'busy'"); err != nil {
		t.Fatal(err)
	}
	const endless = "SELECT count(*) FROM generate_series(1, 300000) AS a(x), generate_series(1, 300000) AS b(y) WHERE x + y < 0"
	const state = "SELECT state FROM pg_stat_activity WHERE application_name = 'busy'"
	for _, stop := range []struct{ call, code string }{{"pg_cancel_backend", "57014"}, {"pg_terminate_backend", "57"}} {
		ended := make(chan error, 1)
		go func() {
			_, err := busy.Exec(ctx, endless)
			ended <- err
		}()
		watch(t, other, state, "active")
		var query, user string
		var elapsed float64
		if err := other.QueryRow(ctx, "SELECT query, user_name, elapsed_seconds FROM telemdb.queries WHERE application = 'busy'").Scan(&query, &user, &elapsed); err != nil {
			t.Fatal(err)
		}
		if query != endless || elapsed < 0 || elapsed > 30 {
			t.Errorf("%q by %q for %v s", query, user, elapsed)
		}
		slow, cpu, began := watchSlowness(), processCPU(t), time.Now()
		var did bool
		if err := other.QueryRow(ctx, "SELECT "+stop.call+"(pid) FROM pg_stat_activity WHERE application_name = 'busy'").Scan(&did); err != nil || !did {
			t.Fatal(did, err)
		}
		err := <-ended
		a := cancelAttempt{took: time.Since(began), cpu: processCPU(t) - cpu}
		if a.late = slow.worst(); !a.kept() {
			t.Errorf("%s took %v, with %v of CPU time; a timer was up to %v late", stop.call, a.took, a.cpu, a.late)
		}
		if err == nil || !strings.Contains(err.Error(), "SQLSTATE "+stop.code) {
			t.Fatalf("%s: %v", stop.call, err)
		}
		if stop.call == "pg_cancel_backend" {
			watch(t, other, state, "idle")
			if _, err := busy.Exec(ctx, "BEGIN"); err != nil {
				t.Fatal(err)
			}
			watch(t, other, state, "idle in transaction")
			if _, err := busy.Exec(ctx, "SELECT 1/0"); err == nil {
				t.Fatal("no error")
			}
			watch(t, other, state, "idle in transaction (aborted)")
			if _, err := busy.Exec(ctx, "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
		}
	}
	watch(t, other, "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'busy'", "0")
	if err := busy.Ping(ctx); err == nil {
		t.Error("the terminated session still answers")
	}
	var did bool
	if err := other.QueryRow(ctx, "SELECT pg_cancel_backend(2147483647)").Scan(&did); err != nil || did {
		t.Errorf("a session that is not there was cancelled: %v %v", did, err)
	}
}
