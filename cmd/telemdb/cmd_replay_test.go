package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/sql/session"
)

func TestReplayRunsOnADirectoryAndOnAServer(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	db, err := telemdb.Open(dir, telemdb.Options{DiskReserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	g := gen.New(gen.Options{Seed: 4, Pings: 40, Small: true})
	var p gen.Ping
	for g.Next(&p) {
		if _, err := db.Ingest(ctx, telemdb.Submission{URI: p.URI, Body: p.Body, Received: p.Received}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	const want = "40 records decoded again: 40 the same, 0 changed"
	var out strings.Builder
	if err := replayAt(ctx, []string{dir}, session.Replay{}, &out, io.Discard); err != nil || !strings.HasPrefix(out.String(), want) {
		t.Errorf("on the directory: %q, %v", out.String(), err)
	}
	addr := func() string { // a port that is free a moment before
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	o := serveOptions{data: dir, http: "127.0.0.1:0", pg: addr()}
	o.db.DiskReserve = -1
	s, err := startServer(ctx, o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	url := "postgres://telemdb@" + o.pg + "/telemdb?sslmode=disable"
	r := session.Replay{To: time.Now().Format(time.DateOnly), Where: "document_type = 'main' OR error_type IS NOT NULL", DryRun: true}
	if err := replayAt(ctx, []string{url}, r, &out, io.Discard); err != nil || !strings.HasPrefix(out.String(), "dry run: ") ||
		!strings.Contains(out.String(), " 0 changed, 0 errors repaired") {
		t.Errorf("on the server: %q, %v", out.String(), err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
}
