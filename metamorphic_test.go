package telemdb_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/prove"
)

// One history, several databases: each gets the same pings and statements, and settings and physical moves of its own
// (sizes of seals, caches and log files, workers, flushes, closing and opening, or none of it, in memory). Every question
// must be answered alike by all, as a model says where it is a question about an ordinary table. At the end, a database
// that only ever saw the pings which are left must have the same roll-ups.

func TestMetamorphicHistoriesAgree(t *testing.T) {
	for seed := range prove.Seeds(t, "metamorphic histories", 1) {
		playMetamorphic(t, seed)
	}
}

// metaRow is a row of the ordinary table that the model knows.
type metaRow struct {
	day, k int
	v      int64
	s      string
}

// metaHistory is the logical side: what is done, and what a model makes of it.
type metaHistory struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	clock  atomic.Int64 // unix nanoseconds; the stores read it meanwhile
	gen    *gen.Generator
	sent   []telemdb.Submission
	rows   []metaRow
	worlds []*metaWorld
	log    []string // what was done, for a failure
}

// metaWorld is one database that lives through it.
type metaWorld struct {
	h    *metaHistory
	name string
	dir  string
	opts telemdb.Options
	rng  *rand.Rand // its physical moves
	db   *telemdb.DB
	pool *sql.DB
	conn *sql.Conn
}

func playMetamorphic(t *testing.T, seed uint64) {
	h := &metaHistory{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)),
		gen: gen.New(gen.Options{Seed: seed, Pings: -1, Clients: 12, Small: true}),
	}
	h.clock.Store(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC).UnixNano())
	h.add("in memory, one worker", "", telemdb.Options{Now: h.now, Workers: 1})
	for i := range 2 {
		r := rand.New(rand.NewPCG(seed, uint64(100+i)))
		h.add(fmt.Sprintf("on disk %d", i), t.TempDir(), telemdb.Options{
			Now: h.now, Workers: 1 + r.IntN(4), SealBytes: 1 << (12 + r.IntN(12)), CacheBytes: 1 << (16 + r.IntN(12)),
			LogFileBytes: 1 << (18 + r.IntN(6)), DiskReserve: -1,
		})
	}
	defer h.close()
	h.exec("CREATE TABLE events (day date, k int, v bigint, s text) WITH (partition_by = 'day')")
	h.ingest(20) // so that telemetry.main is there
	for range 12 + h.rng.IntN(12) {
		h.step()
		for _, w := range h.worlds {
			w.move()
		}
		if h.rng.IntN(3) == 0 {
			h.compare()
		}
	}
	h.compare()
	h.compareWithSurvivors()
}

func (h *metaHistory) fatalf(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("seed %d (%s=%d plays it alone): %s\nhistory:\n  %s", h.seed, prove.EnvSeed, h.seed, fmt.Sprintf(format, args...), strings.Join(h.log, "\n  "))
}

func (h *metaHistory) now() time.Time { return time.Unix(0, h.clock.Load()).UTC() }

func (h *metaHistory) add(name, dir string, o telemdb.Options) {
	w := &metaWorld{h: h, name: name, dir: dir, opts: o, rng: rand.New(rand.NewPCG(h.seed, uint64(len(h.worlds))+50))}
	h.worlds = append(h.worlds, w)
	w.open()
}

func (h *metaHistory) close() {
	for _, w := range h.worlds {
		w.close()
	}
}

func (w *metaWorld) open() {
	var err error
	if w.db, err = telemdb.Open(w.dir, w.opts); err != nil {
		w.h.fatalf("%s: open: %v", w.name, err)
	}
	w.pool = sql.OpenDB(w.db.Connector())
	if w.conn, err = w.pool.Conn(context.Background()); err != nil {
		w.h.fatalf("%s: connect: %v", w.name, err)
	}
}

func (w *metaWorld) close() {
	for _, c := range []interface{ Close() error }{w.conn, w.pool, w.db} {
		if err := c.Close(); err != nil {
			w.h.t.Errorf("seed %d, %s: close: %v", w.h.seed, w.name, err)
		}
	}
}

// move changes where things are, and nothing else.
func (w *metaWorld) move() {
	switch n := w.rng.IntN(10); {
	case n < 2:
		w.exec("SELECT telemdb.flush()")
	case n < 4 && w.dir != "":
		w.close()
		w.open()
	case n == 4 && w.dir != "":
		w.moveHouse()
	case n == 5 && w.dir != "":
		w.exec("SELECT telemdb.flush()")
		w.exec("SELECT telemdb.replay('', '', '', false)") // by the decoder that made the rows: nothing changes
	}
}

// moveHouse backs the database up and goes on in what is restored from that.
func (w *metaWorld) moveHouse() {
	ctx, t := context.Background(), w.h.t
	info, err := storage.Backup(ctx, w.dir, storage.BackupOptions{To: t.TempDir()})
	if err != nil {
		w.h.fatalf("%s: backup: %v", w.name, err)
	}
	w.close()
	w.dir = t.TempDir() + "/restored"
	if _, err := storage.Restore(ctx, info.Dir, w.dir, storage.RestoreOptions{}); err != nil {
		w.h.fatalf("%s: restore: %v", w.name, err)
	}
	w.open()
}

func (w *metaWorld) exec(stmt string) {
	if _, err := w.conn.ExecContext(context.Background(), stmt); err != nil {
		w.h.fatalf("%s: %s: %v", w.name, stmt, err)
	}
}

// exec runs a statement everywhere.
func (h *metaHistory) exec(stmt string) {
	h.log = append(h.log, stmt)
	for _, w := range h.worlds {
		w.exec(stmt)
	}
}

// step does one thing.
func (h *metaHistory) step() {
	switch h.rng.IntN(9) {
	case 0, 1, 2:
		h.ingest(1 + h.rng.IntN(25))
	case 3, 4:
		h.insert()
	case 5:
		h.deleteRows()
	case 6:
		h.overwriteDay()
	case 7:
		h.deletePings()
	case 8:
		h.clock.Add(int64(time.Duration(h.rng.IntN(30)) * time.Hour))
		h.log = append(h.log, "-- it is "+h.now().Format(time.DateTime))
	}
}

func (h *metaHistory) ingest(n int) {
	h.log = append(h.log, fmt.Sprintf("-- %d pings", n))
	var p gen.Ping
	for range n {
		h.gen.Next(&p)
		var body bytes.Buffer
		z := gzip.NewWriter(&body)
		if _, err := z.Write(p.Body); err != nil {
			h.t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			h.t.Fatal(err)
		}
		h.sent = append(h.sent, telemdb.Submission{URI: p.URI, Body: body.Bytes(), Received: h.now()})
	}
	for _, w := range h.worlds {
		w.ingest(h.sent[len(h.sent)-n:])
	}
}

func (w *metaWorld) ingest(list []telemdb.Submission) {
	for _, s := range list {
		if _, err := w.db.Ingest(context.Background(), s); err != nil {
			w.h.fatalf("%s: ingest: %v", w.name, err)
		}
	}
	for w.answer("SELECT visible_lsn >= synced_lsn FROM telemdb.wal_status") != "true|\n" { // what is asked next is to see them all
	}
}

func (h *metaHistory) day(d int) string { return fmt.Sprintf("2026-03-%02d", d) }

func (h *metaHistory) values(day int) string {
	var b strings.Builder
	for i := range 1 + h.rng.IntN(40) {
		r := metaRow{day: day, k: h.rng.IntN(20), v: h.rng.Int64N(2000) - 1000, s: strings.Repeat("x", h.rng.IntN(12))}
		if day == 0 {
			r.day = 1 + h.rng.IntN(5)
		}
		h.rows = append(h.rows, r)
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "('%s', %d, %d, '%s')", h.day(r.day), r.k, r.v, r.s)
	}
	return b.String()
}

func (h *metaHistory) insert() {
	h.exec("INSERT INTO events VALUES " + h.values(0))
	if h.rng.IntN(4) == 0 {
		h.exec("INSERT INTO events SELECT day, k, v + 1, s FROM events WHERE k = 3")
		for _, r := range h.rows {
			if r.k == 3 {
				h.rows = append(h.rows, metaRow{r.day, r.k, r.v + 1, r.s})
			}
		}
	}
}

func (h *metaHistory) deleteRows() {
	lo := h.rng.IntN(20)
	h.exec(fmt.Sprintf("DELETE FROM events WHERE k >= %d AND k < %d", lo, lo+3))
	h.rows = slices.DeleteFunc(h.rows, func(r metaRow) bool { return r.k >= lo && r.k < lo+3 })
}

// overwriteDay puts new rows in the place of a partition's, in one transaction, which is sometimes rolled back.
func (h *metaHistory) overwriteDay() {
	day, kept := 1+h.rng.IntN(5), slices.Clone(h.rows)
	h.exec("BEGIN")
	h.exec(fmt.Sprintf("DELETE FROM events WHERE day = '%s'", h.day(day)))
	h.rows = slices.DeleteFunc(h.rows, func(r metaRow) bool { return r.day == day })
	h.exec("INSERT INTO events VALUES " + h.values(day))
	h.compareRows() // a transaction sees what it wrote
	if h.rng.IntN(3) == 0 {
		h.exec("ROLLBACK")
		h.rows = kept
		return
	}
	h.exec("COMMIT")
}

func (h *metaHistory) deletePings() {
	switch h.rng.IntN(3) {
	case 0:
		h.exec(fmt.Sprintf("DELETE FROM main WHERE sample_id %% 7 = %d", h.rng.IntN(7)))
	case 1:
		h.exec("DELETE FROM main WHERE client_id = (SELECT min(client_id) FROM main)")
	case 2:
		h.exec("DELETE FROM main WHERE normalized_os = 'Linux' AND (payload->'simpleMeasurements'->>'uptime')::bigint % 2 = 0")
	}
}

const metaRollups = `SELECT metric, process, label, channel, version, os, build_id, submission_date, count, histogram::text
	FROM rollups.histograms ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10`

var metaQuestions = []string{
	"SELECT count(*), count(DISTINCT client_id), min(document_id), max(document_id) FROM main",
	"SELECT submission_date, normalized_channel, count(*), sum(sample_id) FROM main GROUP BY 1, 2 ORDER BY 1, 2",
	"SELECT document_id, payload->'simpleMeasurements'->>'uptime', md5(environment::text) FROM main ORDER BY 1",
	"SELECT count(*) FROM main WHERE payload->'simpleMeasurements'->>'uptime' IS NULL",
	"SELECT document_id, md5(_document::text) FROM main WHERE sample_id < 50 ORDER BY 1",
	"SELECT count(*), count(DISTINCT document_type) FROM telemdb.duplicates",
	"SELECT count(*) FROM telemdb.errors",
	"SELECT document_id FROM main ORDER BY submission_timestamp, document_id LIMIT 7",
	metaRollups,
}

func (w *metaWorld) answer(q string) string {
	rows, err := w.conn.QueryContext(context.Background(), q)
	if err != nil {
		w.h.fatalf("%s: %s: %v", w.name, q, err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		w.h.fatalf("%s: %s: %v", w.name, q, err)
	}
	vals, dest := make([]sql.NullString, len(cols)), make([]any, len(cols))
	for i := range vals {
		dest[i] = &vals[i]
	}
	var b strings.Builder
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			w.h.fatalf("%s: %s: %v", w.name, q, err)
		}
		for _, v := range vals {
			fmt.Fprintf(&b, "%s|", map[bool]string{true: v.String, false: "NULL"}[v.Valid])
		}
		b.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		w.h.fatalf("%s: %s: %v", w.name, q, err)
	}
	return b.String()
}

// compare asks every world every question.
func (h *metaHistory) compare() {
	h.compareRows()
	for _, q := range metaQuestions {
		want := h.worlds[0].answer(q)
		for _, w := range h.worlds[1:] {
			if got := w.answer(q); got != want {
				h.fatalf("%s\n%s answers\n%s\n%s answers\n%s", q, h.worlds[0].name, excerpt(want, got), w.name, excerpt(got, want))
			}
		}
	}
}

// excerpt is the part of a where it begins to differ from b.
func excerpt(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range as {
		if i >= len(bs) || as[i] != bs[i] {
			return fmt.Sprintf("(%d lines; from line %d) %.600s", len(as), i, strings.Join(as[i:min(i+3, len(as))], "\n"))
		}
	}
	return fmt.Sprintf("(%d lines, the beginning of the other)", len(as))
}

// compareRows holds the ordinary table against the model.
func (h *metaHistory) compareRows() {
	sums := map[int]metaRow{}
	list := make([]string, len(h.rows))
	for i, r := range h.rows {
		s := sums[r.day]
		sums[r.day] = metaRow{day: r.day, k: s.k + 1, v: s.v + r.v}
		list[i] = fmt.Sprintf("%s|%d|%d|%s|\n", h.day(r.day), r.k, r.v, r.s)
	}
	slices.Sort(list)
	var byDay strings.Builder
	for d := 1; d <= 5; d++ {
		if s := sums[d]; s.k > 0 {
			fmt.Fprintf(&byDay, "%s|%d|%d|\n", h.day(d), s.k, s.v)
		}
	}
	for _, w := range h.worlds {
		got := strings.SplitAfter(w.answer("SELECT day::text, k, v, s FROM events"), "\n")
		got = got[:len(got)-1]
		slices.Sort(got)
		if !slices.Equal(got, list) {
			h.fatalf("%s has other rows than the model: %s\nwanted %s", w.name, excerpt(strings.Join(got, ""), strings.Join(list, "")), excerpt(strings.Join(list, ""), strings.Join(got, "")))
		}
		if got := w.answer("SELECT day::text, count(*), sum(v) FROM events GROUP BY 1 ORDER BY 1"); got != byDay.String() {
			h.fatalf("%s: by day\n%s\nwanted\n%s", w.name, got, byDay.String())
		}
		if got, want := w.answer("SELECT count(*) FROM events WHERE k < 10 AND v > 0"), fmt.Sprintf("%d|\n", h.count(func(r metaRow) bool { return r.k < 10 && r.v > 0 })); got != want {
			h.fatalf("%s: a filtered count is %s, not %s", w.name, got, want)
		}
	}
}

func (h *metaHistory) count(is func(metaRow) bool) (n int) {
	for _, r := range h.rows {
		if is(r) {
			n++
		}
	}
	return n
}

// compareWithSurvivors holds the roll-ups against those of a database that only ever saw the pings that are still there.
func (h *metaHistory) compareWithSurvivors() {
	left := map[string]bool{}
	for id := range strings.Lines(h.worlds[0].answer("SELECT document_id FROM main")) {
		left[strings.TrimRight(id, "|\n")] = true
	}
	h.add("survivors", "", telemdb.Options{Now: h.now, Workers: 1})
	fresh := h.worlds[len(h.worlds)-1]
	for _, s := range h.sent {
		id, _, _ := strings.Cut(strings.TrimPrefix(s.URI, "/submit/telemetry/"), "/")
		if left[strings.ToLower(id)] {
			fresh.ingest([]telemdb.Submission{s})
		}
	}
	want := ""
	if n := strings.TrimRight(h.worlds[0].answer("SELECT count(*) FROM main"), "|\n"); n != fmt.Sprint(len(left)) {
		h.fatalf("%s pings are left, with %d document ids", n, len(left))
	}
	if len(left) > 0 {
		want = fresh.answer(metaRollups)
	}
	for _, w := range h.worlds[:len(h.worlds)-1] {
		if got := w.answer(metaRollups); got != want {
			h.fatalf("%s: roll-ups of what is left are\n%s\nrecomputed they are\n%s", w.name, excerpt(got, want), excerpt(want, got))
		}
	}
}
