package ingest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// storeSink is a store as the service sees it.
type storeSink struct{ *storage.Store }

func (s storeSink) Submit(ctx context.Context, head, body []byte) (uint64, error) {
	return s.Store.Submit(ctx, head, body)
}
func (s storeSink) DiskState() DiskState { return DiskOK }

// documents returns every ping's document in the store by LSN, with its table, as a query would put it together.
func documents(t *testing.T, store *storage.Store) (docs map[int64]string, tables map[int64]types.TableName) {
	t.Helper()
	snap, err := store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	docs, tables = map[int64]string{}, map[int64]types.TableName{}
	for _, table := range snap.Tables() {
		src, err := snap.Source(table)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range src.Morsels() {
			g, err := m.Open()
			if err != nil {
				t.Fatal(err)
			}
			for from := 0; from < g.Rows(); from += vec.BlockRows {
				to := min(from+vec.BlockRows, g.Rows())
				var lsn, doc vec.Vector
				c, ok := g.Find(types.ColLSN, types.LeafInt)
				if !ok {
					t.Fatalf("%v: rows without LSN", table.FullName())
				}
				if err := c.Read(from, to, &lsn); err != nil {
					t.Fatal(err)
				}
				if err := shred.DocumentValue(g, table.Columns, restColumn, from, to, nil, &doc); err != nil {
					t.Fatal(err)
				}
				for i := range to - from {
					n := lsn.Int(i)
					if _, twice := docs[n]; twice {
						t.Fatalf("LSN %d is there twice", n)
					}
					docs[n], tables[n] = string(doc.Bytes(i)), table.FullName()
				}
			}
		}
	}
	return docs, tables
}

func TestPingsGoThroughTheStoreAndComeBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	store, err := storage.Open("", storage.Options{
		Manual:       true,
		SystemTables: SystemTables(),
		Decoder:      func(env storage.DecodeEnv) (storage.Decoder, error) { return NewDecoder(env, DecodeOptions{}), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	h := NewHandler(storeSink{store}, HTTPOptions{})
	type sent struct {
		table types.TableName
		text  []byte
	}
	var all []sent
	post := func(uri string, body []byte, table types.TableName) {
		t.Helper()
		r, err := NewRecord(uri, nil, "192.0.2.1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if code := h.store(discardResponse{}, requestWith(ctx), r, body); code != 200 {
			t.Fatal(code)
		}
		all = append(all, sent{table, bytes.Clone(body)})
	}
	g := gen.New(gen.Options{Seed: 3, Pings: 60})
	var p gen.Ping
	for g.Next(&p) {
		table := types.TableName{Schema: "telemetry", Name: p.DocType}
		switch {
		case p.Broken:
			table = types.TableName{Schema: "telemdb", Name: "errors"}
		case p.Duplicate:
			table = types.TableName{Schema: "telemdb", Name: "duplicates"}
		}
		post(p.URI, p.Body, table)
	}
	t.Run("with samples", func(t *testing.T) {
		for i, s := range samples(t) {
			post(strings.Replace(s.uri, docID, fmt.Sprintf("%08d%s", i, docID[8:]), 1), s.text, s.table)
		}
	})
	if err := store.WaitVisible(ctx, uint64(len(all))); err != nil {
		t.Fatal(err)
	}
	check := func(where string) {
		t.Helper()
		docs, tables := documents(t, store)
		if len(docs) != len(all) {
			t.Fatalf("%s: %d rows, want %d", where, len(docs), len(all))
		}
		for i, s := range all {
			lsn := int64(i + 1)
			if tables[lsn] != s.table {
				t.Fatalf("%s: LSN %d is in %v, want %v", where, lsn, tables[lsn], s.table)
			}
			if s.table.Schema != "telemdb" && !sameJSON(t, []byte(docs[lsn]), s.text) {
				t.Fatalf("%s: LSN %d (%v) is not given back: %.200s", where, lsn, s.table, docs[lsn])
			}
		}
	}
	check("head")
	if err := store.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	check("segments")
}

func requestWith(ctx context.Context) *http.Request { return (&http.Request{}).WithContext(ctx) }

// discardResponse is a response that nobody reads.
type discardResponse struct{}

func (discardResponse) Header() http.Header         { return http.Header{} }
func (discardResponse) Write(b []byte) (int, error) { return len(b), nil }
func (discardResponse) WriteHeader(int)             {}

// BenchmarkReadSegments reads main pings back from segments: whole documents, and one leaf of them.
func BenchmarkReadSegments(b *testing.B) {
	ctx := context.Background()
	store, err := storage.Open("", storage.Options{
		Manual:       true,
		SystemTables: SystemTables(),
		Decoder:      func(env storage.DecodeEnv) (storage.Decoder, error) { return NewDecoder(env, DecodeOptions{}), nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	g := gen.New(gen.Options{Seed: 3, Pings: 600, Kinds: gen.Kinds{Main: 1}})
	var p gen.Ping
	last := uint64(0)
	for g.Next(&p) {
		r, err := NewRecord(p.URI, nil, "", time.Now())
		if err != nil {
			b.Fatal(err)
		}
		if last, err = store.Submit(ctx, ping.EncodeHead(nil, r), p.Body); err != nil {
			b.Fatal(err)
		}
	}
	if err := store.WaitVisible(ctx, last); err != nil {
		b.Fatal(err)
	}
	if err := store.Flush(ctx); err != nil {
		b.Fatal(err)
	}
	snap, err := store.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	defer snap.Release()
	var group column.Group
	var table *types.Table
	for _, t := range snap.Tables() {
		src, err := snap.Source(t)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range src.Morsels() {
			if t.Name == "main" && (group == nil || m.Rows() > group.Rows()) {
				table = t
				if group, err = m.Open(); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	rows := min(group.Rows(), vec.BlockRows)
	run := func(name string, read func(dst *vec.Vector) error) {
		b.Run(name, func(b *testing.B) {
			var v vec.Vector
			b.ReportAllocs()
			for b.Loop() {
				if err := read(&v); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows), "rows")
			b.SetBytes(int64(len(v.Data)))
		})
	}
	run("document", func(dst *vec.Vector) error {
		return shred.DocumentValue(group, table.Columns, restColumn, 0, rows, nil, dst)
	})
	run("leaf", func(dst *vec.Vector) error {
		return shred.Extract(group, "payload", []string{"info", "reason"}, 0, rows, nil, true, dst)
	})
	run("histogram member", func(dst *vec.Vector) error {
		return shred.Extract(group, "payload", []string{"histograms", "GC_MS", "sum"}, 0, rows, nil, true, dst)
	})
}
