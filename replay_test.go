package telemdb

import (
	"context"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage"
)

// oldStore fills a directory with pings by a decoder that refuses documents of more than max bytes, and seals them.
func oldStore(t *testing.T, dir string, pings, max int) {
	t.Helper()
	ctx := context.Background()
	s, err := storage.Open(dir, storage.Options{
		Decoder: func(env storage.DecodeEnv) (storage.Decoder, error) {
			return ingest.NewDecoder(env, ingest.DecodeOptions{MaxInflatedBytes: max}), nil
		},
		SystemTables: ingest.SystemTables(), Rollups: []storage.Rollup{rollups.Aggregates{}}, Manual: true, HardReserve: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	g := gen.New(gen.Options{Seed: 3, Pings: pings, Days: 3, Small: true})
	var p gen.Ping
	for n := 0; g.Next(&p); n++ {
		r, err := ingest.NewRecord(p.URI, nil, "", p.Received)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Submit(ctx, ping.EncodeHead(nil, r), p.Body); err != nil {
			t.Fatal(err)
		}
		if n%100 == 99 {
			if err := s.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// ask returns the values of a statement's first row.
func askRow(t *testing.T, db *DB, sql string, dst ...any) {
	t.Helper()
	rows, err := db.Query(context.Background(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	if !rows.Next() {
		t.Fatalf("%s: no row: %v", sql, rows.Err())
	}
	if err := rows.Scan(dst...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestAReplayRepairsWhatTheDecoderOfThatTimeRefused(t *testing.T) {
	dir := t.TempDir()
	oldStore(t, dir, 300, 14_000)
	db, err := Open(dir, Options{DiskReserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	var refused, before, after, left int64
	var said string
	askRow(t, db, "SELECT count(*) FROM telemdb.errors WHERE error_type = 'LimitPayloadSize'", &refused)
	askRow(t, db, "SELECT count(*) FROM main", &before)
	if refused < 20 || before < 20 {
		t.Fatalf("%d refused and %d rows: the test needs some of both", refused, before)
	}
	askRow(t, db, "SELECT telemdb.replay('', '', 'error_type = ''LimitPayloadSize'' AND document_type = ''crash''', true)", &said)
	if !strings.HasPrefix(said, "dry run: ") {
		t.Errorf("a dry run says %q", said)
	}
	askRow(t, db, "SELECT telemdb.replay('2026-03-01', '2027-01-01', 'namespace = ''telemetry''', false)", &said)
	if !strings.Contains(said, " 0 changed,") || strings.Contains(said, " 0 errors repaired") || !strings.Contains(said, " 0 refused") {
		t.Errorf("the replay says %q", said)
	}
	askRow(t, db, "SELECT count(*) FROM telemdb.errors WHERE error_type = 'LimitPayloadSize'", &left)
	askRow(t, db, "SELECT count(*) FROM main", &after)
	if left != 0 || after <= before {
		t.Errorf("%d errors are left, %d rows of %d were there before", left, after, before)
	}
	askRow(t, db, "SELECT telemdb.replay('', '', '', false)", &said)
	if !strings.Contains(said, " 0 changed, 0 errors repaired, 0 refused, 0 duplicates") {
		t.Errorf("a second replay says %q", said)
	}
	if err := db.Check(func(p Problem) { t.Error(p) }); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"SELECT telemdb.replay('yesterdayish', '', '', false)", "SELECT telemdb.replay('', '', 'nothing = 1', false)"} {
		rows, err := db.Query(context.Background(), sql)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Close()
		}
		if err == nil {
			t.Errorf("%s: no error", sql)
		}
	}
}
