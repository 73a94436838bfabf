package telemdb_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// The crash simulation of the whole path. A store as Open makes it (the decoder of pings, the telemetry aggregates, the
// system tables) lives on a file system that can lose power. A history submits generated pings, some of them twice, some
// broken, seals, merges and flushes; power goes at a random file operation, of recovery too; what is left is opened again
// and held against what was promised. storage has the same for its own promises, with tables, views and schema changes.

// sentPing is one document that the history may submit, any number of times.
type sentPing struct {
	head, body []byte
	plain      []byte // body, inflated
	table      types.TableName
	broken     bool
	submitted  int // attempts; those that were not acknowledged may be there or not
}

// promises are what the store has acknowledged: the document of each LSN.
type promises struct {
	mu    sync.Mutex
	docs  map[string]*sentPing
	acked map[uint64]string
}

func (p *promises) ack(lsn uint64, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked[lsn] = id
}

func (p *promises) at() map[uint64]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.acked)
}

// history is one simulation.
type history struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	gen  *gen.Generator
	keep float64 // probability that a change which was not synced survives

	now      time.Time
	tolerant bool     // operations may fail now: a disk error is injected
	ids      []string // in the order of generation
	p        promises
	fsys     *vfs.Crash
	in       *vfs.Injector
	store    *storage.Store

	mu    sync.Mutex
	after *vfs.Crash // what the power loss left
	then  map[uint64]string
	where string // the operation at which it came
}

func (h *history) fatalf(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("seed %d (TELEMDB_SEED=%d plays it alone), last crash at %s: %s", h.seed, h.seed, h.where, fmt.Sprintf(format, args...))
}

func (h *history) ok(err error) {
	h.t.Helper()
	if err != nil && !h.tolerant {
		h.fatalf("%v", err)
	}
}

// begin starts a round in which power does not go.
func (h *history) begin() { h.after, h.then, h.in = nil, nil, vfs.NewInjector() }

// armCrash loses power at the nth change of a file from now on.
func (h *history) armCrash(nth int64) {
	rng := rand.New(rand.NewPCG(h.seed, uint64(nth)))
	h.in.Add(vfs.Rule{Ops: vfs.Mutating, Nth: nth, Do: func(op vfs.Op, name string) {
		then := h.p.at() // before the clone: what is promised later need not be in it
		h.mu.Lock()
		defer h.mu.Unlock()
		h.after, h.then, h.where = h.fsys.CrashClone(rng, h.keep), then, op.String()+" "+name
	}})
}

func (h *history) crashed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.after != nil
}

// crash goes on from what the power loss left, or from one right now.
func (h *history) crash() {
	if !h.crashed() {
		h.then = h.p.at()
		h.after, h.where = h.fsys.CrashClone(h.rng, h.keep), "the end of a round"
	}
	h.close()
	h.fsys, h.p.acked = h.after, h.then
}

// open opens the store; without a disk error it must succeed.
func (h *history) open() {
	s, err := storage.Open("/db", storage.Options{
		FS:      vfs.Fault(h.fsys, h.in),
		Manual:  true,
		Now:     func() time.Time { return h.now },
		Rollups: []storage.Rollup{rollups.Aggregates{}},
		Decoder: func(env storage.DecodeEnv) (storage.Decoder, error) {
			return ingest.NewDecoder(env, ingest.DecodeOptions{}), nil
		},
		SystemTables: ingest.SystemTables(),
		WALFileBytes: []int64{64 << 10, 1 << 20}[h.seed%2],
		SealBytes:    20_000,
		CacheBytes:   8 << 20,
		HardReserve:  -1,
	})
	h.ok(err)
	if err == nil {
		h.store = s
	}
}

// close closes it, if it is open.
func (h *history) close() {
	if h.store != nil {
		h.ok(h.store.Close())
		h.store = nil
	}
}

// nextDoc returns the id of a document: a new one, or one that was submitted before.
func (h *history) nextDoc() string {
	if len(h.ids) > 0 && h.rng.IntN(6) == 0 {
		return h.ids[h.rng.IntN(len(h.ids))]
	}
	var g gen.Ping
	for {
		h.gen.Next(&g)
		if h.p.docs[g.DocID] == nil {
			break // the generator's own duplicates are ours to make
		}
	}
	rec, err := ingest.NewRecord(g.URI, nil, "192.0.2.1", g.Received)
	h.ok(err)
	d := &sentPing{
		head: ping.EncodeHead(nil, rec), plain: bytes.Clone(g.Body),
		table: types.TableName{Schema: "telemetry", Name: g.DocType}, broken: g.Broken,
	}
	d.body = d.plain
	if h.rng.IntN(3) == 0 {
		d.body = gzipped(h.t, d.plain)
	}
	h.p.docs[g.DocID] = d
	h.ids = append(h.ids, g.DocID)
	return g.DocID
}

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// submit sends a few pings at once.
func (h *history) submit() {
	var wg sync.WaitGroup
	for range 1 + h.rng.IntN(6) {
		id := h.nextDoc()
		d := h.p.docs[id]
		d.submitted++
		wg.Go(func() {
			lsn, err := h.store.Submit(context.Background(), d.head, d.body)
			if err == nil {
				h.p.ack(lsn, id)
			} else if !h.tolerant {
				h.t.Error(err)
			}
		})
	}
	wg.Wait()
}

func (h *history) step() {
	ctx := context.Background()
	switch n := h.rng.IntN(100); {
	case n < 55:
		h.submit()
	case n < 70:
		_, err := h.store.SealOnce(ctx)
		h.ok(err)
	case n < 80:
		h.ok(h.store.Flush(ctx))
	case n < 92:
		_, err := h.store.MergeOnce(ctx)
		h.ok(err)
	case n < 95:
		h.ok(h.store.ExpireOnce(ctx))
	default:
		sn, err := h.store.Snapshot()
		if h.ok(err); err != nil {
			return
		}
		_, err = h.store.MergeOnce(ctx)
		h.ok(err)
		h.checkAggregates(sn) // of a moment whose files the merge has replaced
		sn.Release()
	}
}

// foundRow is a row of any table, by its record.
type foundRow struct {
	table types.TableName
	id    string
	first uint64 // duplicates only
}

// rows reads every row of every table that submissions fill. With documents, each is compared to what was sent.
func (h *history) rows(sn *storage.Snapshot, documents bool) map[uint64]foundRow {
	out := map[uint64]foundRow{}
	for _, t := range sn.Tables() {
		if t.Kind != types.TablePing && t.Kind != types.TableErrors {
			continue
		}
		src, err := sn.Source(t)
		h.ok(err)
		for _, m := range src.Morsels() {
			g, err := m.Open()
			h.ok(err)
			for from := 0; from < g.Rows(); from += vec.BlockRows {
				h.block(out, t, g, from, min(from+vec.BlockRows, g.Rows()), documents)
			}
		}
	}
	return out
}

func (h *history) block(out map[uint64]foundRow, t *types.Table, g column.Group, from, to int, documents bool) {
	var lsn, id, first, doc vec.Vector
	h.read(g, types.ColLSN, types.LeafInt, from, to, &lsn)
	h.read(g, "document_id", types.LeafText, from, to, &id)
	h.read(g, "first_lsn", types.LeafInt, from, to, &first)
	if documents && t.Kind == types.TablePing {
		h.ok(shred.DocumentValue(g, t.Columns, "additional_properties", from, to, nil, &doc))
	}
	for i := range to - from {
		n := uint64(lsn.Int(i))
		if was, twice := out[n]; twice {
			h.fatalf("record %d is in %v and in %v", n, was.table, t.FullName())
		}
		row := foundRow{table: t.FullName(), id: string(id.Bytes(i))}
		if !first.Null(i) {
			row.first = uint64(first.Int(i))
		}
		out[n] = row
		if d := h.p.docs[row.id]; doc.N > 0 && (d == nil || !equalJSON(doc.Bytes(i), d.plain)) {
			h.fatalf("record %d of %v comes back as %.300s", n, t.FullName(), doc.Bytes(i))
		}
	}
}

func (h *history) read(g column.Group, p types.Path, leaf types.Leaf, from, to int, dst *vec.Vector) {
	c, ok := g.Find(p, leaf)
	if !ok {
		dst.SetConstNull(leaf.Type(), to-from)
		return
	}
	h.ok(c.Read(from, to, dst))
}

// equalJSON compares documents, numbers by their text.
func equalJSON(a, b []byte) bool {
	var x, y any
	for _, side := range []struct {
		text []byte
		v    *any
	}{{a, &x}, {b, &y}} {
		d := json.NewDecoder(bytes.NewReader(side.text))
		d.UseNumber()
		if d.Decode(side.v) != nil {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}

// verify holds the store against the promises, and makes them certain of what has survived without one.
func (h *history) verify(documents bool) {
	st := h.store.Stats()
	h.ok(h.store.WaitVisible(context.Background(), st.Synced))
	sn, err := h.store.Snapshot()
	h.ok(err)
	defer sn.Release()
	rows := h.rows(sn, documents)
	for lsn, id := range h.p.acked {
		if rows[lsn].id != id {
			h.fatalf("acknowledged record %d of document %s is %+v", lsn, id, rows[lsn])
		}
	}
	h.checkDocuments(rows)
	h.checkBalance(rows)
	h.checkAggregates(sn)
	h.ok(h.store.Check(func(p storage.Problem) { h.fatalf("check: %v", p) }))
	for lsn, row := range rows {
		h.p.acked[lsn] = row.id
	}
}

// checkDocuments checks that every document is in its place: broken ones are errors, of the others the first is a row and
// each later one a duplicate of it.
func (h *history) checkDocuments(rows map[uint64]foundRow) {
	times, holder := map[string]int{}, map[string]uint64{}
	for lsn, row := range rows {
		d := h.p.docs[row.id]
		if times[row.id]++; d == nil || times[row.id] > d.submitted {
			h.fatalf("document %q (record %d of %v) is there more often than it was submitted", row.id, lsn, row.table)
		}
		switch {
		case d.broken != (row.table == storage.ErrorsTable):
			h.fatalf("document %s (broken: %v) is in %v", row.id, d.broken, row.table)
		case row.table == d.table:
			if holder[row.id] != 0 {
				h.fatalf("document %s is in records %d and %d", row.id, holder[row.id], lsn)
			}
			holder[row.id] = lsn
		case row.table != storage.ErrorsTable && row.table != storage.DuplicatesTable:
			h.fatalf("document %s of %v is in %v", row.id, d.table, row.table)
		}
	}
	for lsn, row := range rows {
		first := holder[row.id]
		if row.table == storage.DuplicatesTable && (first == 0 || row.first != first || lsn < first) {
			h.fatalf("record %d is a duplicate of record %d, the document is in record %d", lsn, row.first, first)
		}
	}
}

// checkBalance counts what there is by the table that an address names.
func (h *history) checkBalance(rows map[uint64]foundRow) {
	want := map[types.TableName]storage.BalanceRow{}
	for _, row := range rows {
		route := h.p.docs[row.id].table
		b := want[route]
		b.Route = route
		b.Accepted++
		switch row.table {
		case storage.ErrorsTable:
			b.Errors++
		case storage.DuplicatesTable:
			b.Duplicates++
		default:
			b.Rows++
		}
		want[route] = b
	}
	got, pending := h.store.Balance()
	if pending != 0 {
		h.fatalf("%d records are pending in a store at rest", pending)
	}
	for _, b := range got {
		b.Unsealed = 0
		if b != want[b.Route] {
			h.fatalf("balance %+v, there is %+v", b, want[b.Route])
		}
		delete(want, b.Route)
	}
	if len(want) > 0 {
		h.fatalf("no balance for %v", want)
	}
}

// checkAggregates compares what rollups.histograms shows with one aggregation of all raw rows.
func (h *history) checkAggregates(sn *storage.Snapshot) {
	in, err := sn.RollupInputs(rollups.Aggregates{})
	h.ok(err)
	var raw []column.Group
	for _, t := range sn.Tables() {
		if t.FullName() == (rollups.Aggregates{}).Source() {
			src, err := sn.Source(t)
			h.ok(err)
			raw = h.groups(src.Morsels())
		}
	}
	got, want := h.histograms(h.groups(in.States), h.groups(in.Minus), in.Head), h.histograms(nil, nil, raw)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			h.fatalf("aggregates differ at %d of %d: %q, want %q", i, len(want), got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
		}
	}
}

func (h *history) groups(ms []column.Morsel) []column.Group {
	out := make([]column.Group, len(ms))
	for i, m := range ms {
		g, err := m.Open()
		h.ok(err)
		out[i] = g
	}
	return out
}

func (h *history) histograms(states, minus, head []column.Group) []string {
	r, err := rollups.Read(states, minus, head, nil)
	h.ok(err)
	var out []string
	for {
		b, err := r.Next()
		h.ok(err)
		if b == nil {
			return out
		}
		for i := range b.N {
			var row []byte
			for _, c := range b.Cols {
				if c.Type.Phys() == types.PhysInt64 {
					row = strconv.AppendInt(row, c.Int(i), 10)
				} else {
					row = append(row, c.Bytes(i)...)
				}
				row = append(row, '|')
			}
			out = append(out, string(row))
		}
	}
}

func newHistory(t *testing.T, seed uint64) *history {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	h := &history{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), now: start.Add(36 * time.Hour), fsys: vfs.NewCrash(), where: "the beginning",
		gen: gen.New(gen.Options{Seed: seed, Pings: 400, Clients: 40, Start: start, Days: 2, Small: true, Kinds: gen.Kinds{Main: 6, Crash: 2, Event: 2}}),
		p:   promises{docs: map[string]*sentPing{}, acked: map[uint64]string{}},
	}
	h.keep = []float64{0, 0.3, 0.7, 1}[h.rng.IntN(4)]
	return h
}

// nth is the operation of a round at which something happens.
func (h *history) nth() int64 { return 1 + int64(h.rng.IntN([]int{20, 80, 300}[h.rng.IntN(3)])) }

// end opens the store once more and looks at everything, unsealed and sealed.
func (h *history) end() {
	h.begin()
	h.open()
	h.verify(true)
	h.ok(h.store.Flush(context.Background()))
	h.verify(true)
	h.close()
}

// crashHistory is rounds of life, each ended by a power loss.
func crashHistory(h *history) {
	for range 5 {
		h.begin()
		nth, recovering := h.nth(), h.rng.IntN(4) == 0
		if recovering {
			h.armCrash(nth)
		}
		h.open()
		h.verify(false)
		if !recovering {
			h.armCrash(nth)
		}
		for range 3 + h.rng.IntN(25) {
			if h.crashed() || h.t.Failed() {
				break
			}
			h.step()
		}
		h.crash()
	}
	h.end()
}

// armFault makes the nth change of a file fail, and perhaps all later ones.
func (h *history) armFault() {
	h.tolerant = true
	err := []error{vfs.ErrNoSpace, errors.New("injected disk error")}[h.rng.IntN(2)]
	rule := vfs.Rule{Ops: vfs.Mutating, Nth: h.nth(), Err: err, Sticky: h.rng.IntN(3) == 0, Partial: h.rng.IntN(2) == 0}
	rule.Do = func(op vfs.Op, name string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.where = "none; " + err.Error() + " at " + op.String() + " " + name
	}
	h.in.Add(rule)
}

// faultHistory is rounds of life in each of which the disk fails once, or from some operation on; then the process ends,
// sometimes with a power loss.
func faultHistory(h *history) {
	for range 5 {
		h.begin()
		if h.rng.IntN(4) == 0 {
			h.armFault()
			h.open()
		} else {
			h.open()
			h.verify(false)
			h.armFault()
		}
		for range 3 + h.rng.IntN(25) {
			if h.store == nil || h.t.Failed() {
				break
			}
			h.step()
		}
		if h.rng.IntN(3) == 0 {
			then := h.p.at()
			h.fsys, h.p.acked = h.fsys.CrashClone(h.rng, h.keep), then
		}
		h.close()
		h.tolerant = false
	}
	h.end()
}

// playSeeds plays histories of several seeds.
func playSeeds(t *testing.T, suite string, few int, play func(*history)) {
	for seed := range prove.Seeds(t, suite, few) {
		h := newHistory(t, seed)
		func() {
			defer func() {
				if h.store != nil { // the history has failed: its message is the one that counts
					_ = h.store.Close()
				}
			}()
			play(h)
		}()
	}
}

func TestCrashAnywhereKeepsEveryAcknowledgedPingOnce(t *testing.T) {
	playSeeds(t, "power loss, whole path", 6, crashHistory)
}

func TestFaultAnywhereKeepsEveryAcknowledgedPingOnce(t *testing.T) {
	playSeeds(t, "faults, whole path", 6, faultHistory)
}
