package telemdb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/vfs"
)

// A small store with every kind of file (segments of rows and of states, the log and the landfill, the catalog) has bytes
// flipped and files cut, one at a time. Whatever happens: Open refuses, or each question is answered rightly, or it fails,
// or what is lost is listed in telemdb.damage. It is never answered wrongly without a word.
func TestNoFlippedByteBecomesAnAnswer(t *testing.T) {
	clean := newFlipStore(t)
	n := int64(0)
	for seed := range prove.Seeds(t, "flips and cuts, whole store", 40) {
		rng := rand.New(rand.NewPCG(seed, 9))
		name := clean.names[rng.IntN(len(clean.names))]
		data := clean.files[name]
		if len(data) == 0 {
			continue
		}
		what, changed := damageOf(rng, data)
		clean.try(t, fmt.Sprintf("seed %d: %s: %s", seed, name, what), name, changed)
		n++
	}
	if n == 0 {
		t.Fatal("nothing was damaged")
	}
}

// damageOf flips a bit of a byte that means something, or cuts the file.
func damageOf(rng *rand.Rand, data []byte) (what string, changed []byte) {
	end := len(data) // of what is not zeros: logs are reserved ahead
	for end > 1 && data[end-1] == 0 {
		end--
	}
	at := rng.IntN(end)
	if rng.IntN(4) == 0 {
		return fmt.Sprintf("cut at %d of %d", at, len(data)), slices.Clone(data[:at])
	}
	changed = slices.Clone(data)
	bit := byte(1) << rng.IntN(8)
	changed[at] ^= bit
	return fmt.Sprintf("byte %d of %d flipped by %#x", at, len(data), bit), changed
}

// flipStore is the files of a store that was closed, and the right answers.
type flipStore struct {
	files   map[string][]byte
	names   []string
	answers []string
}

var flipQuestions = []string{
	"SELECT count(*), min(document_id), max(document_id) FROM main",
	"SELECT document_id, md5(_document::text) FROM main ORDER BY 1",
	"SELECT normalized_channel, count(*), sum(sample_id) FROM main GROUP BY 1 ORDER BY 1",
	"SELECT * FROM events ORDER BY day, k, s",
	"SELECT count(*) FROM events WHERE k = 3",
	"SELECT metric, process, label, channel, version, build_id, os, count, histogram::text FROM rollups.histograms ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9",
	"SELECT accepted, rows, errors, duplicates, in_log, removed FROM telemdb.balance",
	"SELECT error_type, count(*) FROM telemdb.errors GROUP BY 1 ORDER BY 1",
	"SELECT count(*) FROM telemdb.duplicates",
	"SELECT table_name, retention_days FROM telemdb.tables WHERE table_name IN ('main', 'events') ORDER BY 1",
	"SELECT * FROM daily ORDER BY d, n",
}

func flipOptions(fsys vfs.FS) Options {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	return Options{fs: fsys, Now: func() time.Time { return now }, LogFileBytes: 64 << 10, Workers: 1}
}

// newFlipStore makes a store with tombstones, states that are subtracted, transactions in the log and out of it, a
// retention, errors and duplicates.
func newFlipStore(t *testing.T) *flipStore {
	t.Helper()
	fsys := vfs.NewMem()
	fillFlipStore(t, fsys)
	return readFlipStore(t, fsys)
}

func fillFlipStore(t *testing.T, fsys vfs.FS) {
	t.Helper()
	ctx := context.Background()
	db, err := Open("/db", flipOptions(fsys))
	if err != nil {
		t.Fatal(err)
	}
	exec := func(stmts ...string) {
		for _, s := range stmts {
			if _, err := db.Exec(ctx, s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	g := gen.New(gen.Options{Seed: 11, Pings: -1, Clients: 6, Small: true})
	var first Submission
	ingest := func(n int) {
		var p gen.Ping
		for range n {
			g.Next(&p)
			var body bytes.Buffer
			z := gzip.NewWriter(&body)
			_, _ = z.Write(p.Body) // a buffer takes everything
			_ = z.Close()
			sub := Submission{URI: p.URI, Body: body.Bytes()}
			if first.URI == "" {
				first = sub
			}
			if _, err := db.Ingest(ctx, sub); err != nil {
				t.Fatal(err)
			}
		}
	}
	ingest(12)
	exec("CREATE TABLE events (day date, k int, s text) WITH (partition_by = 'day')",
		"INSERT INTO events VALUES ('2026-03-01', 1, 'one'), ('2026-03-02', 2, 'two'), ('2026-03-02', 3, 'three')", "SELECT telemdb.flush()")
	ingest(10)
	for _, body := range []string{"no JSON", "no JSON either"} { // error rows
		if _, err := db.Ingest(ctx, Submission{URI: first.URI, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Ingest(ctx, first); err != nil { // a duplicate
		t.Fatal(err)
	}
	exec("SELECT telemdb.flush()")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open("/db", flipOptions(fsys)); err != nil { // Pebble makes its log a table
		t.Fatal(err)
	}
	exec("INSERT INTO events VALUES ('2026-03-03', 3, 'unsealed')",
		"DELETE FROM main WHERE document_id = (SELECT max(document_id) FROM main)", "DELETE FROM events WHERE s = 'two'",
		"ALTER TABLE main SET (retention = '180 days')",
		"CREATE TABLE daily (d date, n int, f double precision, b boolean, j jsonb, at timestamptz) WITH (partition_by = 'd')",
		"INSERT INTO daily SELECT date '2026-03-01' + g % 3, g, g / 4.0, g % 2 = 0, jsonb_build_object('g', g), timestamptz '2026-03-01 00:00Z' FROM generate_series(1, 30) g",
		"SELECT telemdb.flush()", "DELETE FROM daily WHERE d = '2026-03-02' AND n > 12")
	pool := sql.OpenDB(db.Connector())
	tx, err := pool.Begin()
	if err == nil {
		_, err = tx.Exec("INSERT INTO events VALUES ('2026-03-03', 4, 'with the other')")
	}
	if err == nil {
		_, err = tx.Exec("INSERT INTO daily (d, n) VALUES ('2026-03-03', 100)")
	}
	if err == nil {
		err = tx.Commit()
	}
	if err := errors.Join(err, pool.Close()); err != nil {
		t.Fatal(err)
	}
	ingest(8)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// readFlipStore reads the files of a closed store, and asks for the right answers.
func readFlipStore(t *testing.T, fsys vfs.FS) *flipStore {
	t.Helper()
	s := &flipStore{files: map[string][]byte{}}
	if err := readTree(fsys, "/db", s.files); err != nil {
		t.Fatal(err)
	}
	for name := range s.files {
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	// Twice, because Open itself writes: the answers are those of a store that was closed and opened.
	db, err := Open("/db", flipOptions(s.with("", nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	waitVisible(t, db)
	if n := one(t, db, "SELECT count(*) FROM telemdb.segments WHERE deleted_rows > 0"); n == "0" {
		t.Fatal("the store has no tombstones")
	}
	for _, q := range flipQuestions {
		a, err := flipAnswer(db, q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		s.answers = append(s.answers, a)
	}
	return s
}

// readTree reads all files below a directory.
func readTree(fsys vfs.FS, dir string, into map[string][]byte) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		name := dir + "/" + n
		info, err := fsys.Stat(name)
		if err != nil {
			return err
		}
		if info.Dir {
			if err := readTree(fsys, name, into); err != nil {
				return err
			}
			continue
		}
		f, err := fsys.Open(name)
		if err != nil {
			return err
		}
		data := make([]byte, info.Size)
		if _, err := f.ReadAt(data, 0); err != nil && info.Size > 0 {
			return err
		}
		into[name] = data
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// with returns a file system with the store's files, one of them changed.
func (s *flipStore) with(name string, data []byte) vfs.FS {
	fsys := vfs.NewMem()
	for _, n := range s.names {
		content := s.files[n]
		if n == name {
			content = data
		}
		if err := fsys.MkdirAll(n[:strings.LastIndexByte(n, '/')]); err != nil {
			panic(err) // a file system in memory
		}
		f, err := fsys.Create(n)
		if err == nil {
			_, err = f.Write(content)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			panic(err)
		}
	}
	return fsys
}

// waitVisible waits until what is in the log can be asked for.
func waitVisible(t *testing.T, db *DB) {
	t.Helper()
	if err := db.store.WaitVisible(context.Background(), db.store.Stats().Synced); err != nil {
		t.Fatal(err)
	}
}

func flipAnswer(db *DB, q string) (string, error) {
	rows, err := db.Query(context.Background(), q)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		fmt.Fprintln(&b, rows.Values()...)
	}
	return b.String(), rows.Err()
}

// try opens the store with one file changed and asks everything.
func (s *flipStore) try(t *testing.T, what, name string, data []byte) {
	t.Helper()
	db, err := Open("/db", flipOptions(s.with(name, data)))
	if err != nil {
		return // refused: the message is for an operator
	}
	defer func() { _ = db.Close() }() // it may tell of the damage again
	wrong := ""
	failed := 0
	for i, q := range flipQuestions {
		got, err := flipAnswer(db, q)
		switch {
		case err != nil:
			failed++
		case got != s.answers[i]:
			wrong += fmt.Sprintf("\n%s\nanswers\n%.300s\nnot\n%.300s", q, got, s.answers[i])
		}
	}
	if wrong == "" && failed == 0 {
		return
	}
	reported, err := flipAnswer(db, "SELECT file, what FROM telemdb.damage")
	if err != nil {
		t.Errorf("%s: %d questions failed, and telemdb.damage does too: %v", what, failed, err)
		return
	}
	if wrong != "" && reported == "" {
		t.Errorf("%s: wrong answers and no word of damage:%s", what, wrong)
	}
}
