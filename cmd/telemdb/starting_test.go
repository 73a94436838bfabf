package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func ask(t *testing.T, url string) (code int, header http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header
}

func TestAServerThatReadsItsLogBackSaysSo(t *testing.T) {
	f, err := openFront("127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + f.http.Addr().String()
	if code, _ := ask(t, base+"/__lbheartbeat__"); code != http.StatusOK {
		t.Errorf("/__lbheartbeat__ answers %d", code)
	}
	for _, path := range []string{"/__heartbeat__", "/submit/telemetry/x", "/metrics", "/"} {
		if code, h := ask(t, base+path); code != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
			t.Errorf("%s answers %d, Retry-After %q", path, code, h.Get("Retry-After"))
		}
	}
	dsn := "postgres://telemdb@" + f.pg.Addr().String() + "/telemdb?sslmode=disable"
	var pgErr *pgconn.PgError
	if _, err := pgx.Connect(context.Background(), dsn); !errors.As(err, &pgErr) || pgErr.Code != "57P03" {
		t.Errorf("SQL answers %v, want 57P03", err)
	}
	// The listeners are open for whoever comes behind.
	if err := f.handover(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	next := &http.Server{Handler: http.NotFoundHandler()}
	go func() { served <- next.Serve(f.http.TCPListener) }()
	if code, _ := ask(t, base+"/"); code != http.StatusNotFound {
		t.Errorf("behind the handover / answers %d", code)
	}
	if err := errors.Join(next.Close(), f.pg.TCPListener.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func TestAPortThatIsTakenEndsTheStartAndGivesTheDirectoryBack(t *testing.T) {
	f, err := openFront("127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	}()
	o := serveOptions{data: t.TempDir(), http: "127.0.0.1:0", pg: f.pg.Addr().String()}
	if _, err := startServer(context.Background(), o, io.Discard); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a start on a port that is taken: %v", err)
	}
	o.pg = "127.0.0.1:0"
	s, err := startServer(context.Background(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestASignalEndsAStartThatIsNotDone(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := serveOptions{data: t.TempDir(), http: "127.0.0.1:0", pg: "127.0.0.1:0"}
	opened := make(chan struct{})
	o.db.Locked = func() error { // in place of a long recovery
		cancel()
		<-opened
		return errors.New("ended")
	}
	db, err := openUntil(ctx, o)
	close(opened)
	if db != nil || err != nil {
		t.Errorf("openUntil returned %v, %v", db, err)
	}
}
