//go:build unix

package rollups_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// clientDecoder makes main pings of clients: 16 bytes a record, client and day, with the dimensions of the aggregates, 24
// scalars and 6 histograms.
type clientDecoder struct {
	env   storage.DecodeEnv
	paths map[string]uint32
	hist  []byte
}

func newClientDecoder(env storage.DecodeEnv) (storage.Decoder, error) {
	d := &clientDecoder{env: env, paths: map[string]uint32{}}
	h := sketch.Histogram{Layout: sketch.Layout{Type: 0, Buckets: 10, Low: 1, High: 100}, Sum: 9, Buckets: []sketch.Bucket{{Bound: 1, Count: 2}, {Bound: 7, Count: 1}}}
	d.hist = h.AppendTo(nil)
	return d, nil
}

func (d *clientDecoder) NewWorker() storage.DecodeWorker {
	return &clientDecoder{env: d.env, paths: map[string]uint32{}, hist: d.hist}
}
func (d *clientDecoder) Route([]byte) types.TableName                      { return (rollups.Aggregates{}).Source() }
func (d *clientDecoder) Duplicate(_ []byte, _, _ uint64, _ *column.RowBuf) {}

func (d *clientDecoder) path(keys ...string) uint32 {
	k := fmt.Sprint(keys)
	id, ok := d.paths[k]
	if !ok {
		id = d.env.Paths.Intern(types.MakePath(keys[0], keys[1:]...))
		d.paths[k] = id
	}
	return id
}

func (d *clientDecoder) Decode(payload []byte, lsn uint64, out *storage.Decoded) {
	client, day := binary.LittleEndian.Uint64(payload), int64(binary.LittleEndian.Uint64(payload[8:]))
	out.Table, out.Partition = d.Route(payload), day
	r := &out.Row
	r.Int(d.path(types.ColLSN), int64(lsn))
	r.Int(d.path("submission_date"), day)
	r.Int(d.path("sample_id"), int64(client%100))
	r.Text(d.path("client_id"), fmt.Sprintf("%016x-client", client*0x9e3779b97f4a7c15))
	r.Text(d.path("document_type"), "main")
	r.Text(d.path("document_version"), "4")
	r.Text(d.path("normalized_channel"), "release")
	r.Text(d.path("application", "channel"), "release")
	r.Text(d.path("application", "version"), "60.0"+strconv.Itoa(int(client%3)))
	r.Text(d.path("application", "buildId"), "20260101000000")
	r.Text(d.path("application", "name"), "Firefox")
	r.Text(d.path("application", "architecture"), "x86-64")
	r.Text(d.path("environment", "system", "os", "name"), []string{"Linux", "Windows_NT", "Darwin"}[client%3])
	r.Text(d.path("environment", "system", "os", "version"), strconv.Itoa(int(client%7)))
	for i := range 24 {
		r.Int(d.path("payload", "processes", "parent", "scalars", "scalar_"+strconv.Itoa(i)), int64(client+uint64(i))%1000)
	}
	for i := range 6 {
		r.Bytes(d.path("payload", "histograms", "HIST_"+strconv.Itoa(i)), types.LeafHistogram, d.hist)
	}
}

// BenchmarkDeleteAClient deletes one client after another, who has a row in each of 400 partitions of merged segments, on
// disk, caches warm: the time from the row ids to invisible. TELEMDB_ROWS says how many rows a partition has.
func BenchmarkDeleteAClient(b *testing.B) {
	rows, partitions := 1250, 400
	if v, err := strconv.Atoi(os.Getenv("TELEMDB_ROWS")); err == nil {
		rows = v
	}
	s, err := storage.Open(b.TempDir(), storage.Options{
		Manual: true, Rollups: []storage.Rollup{rollups.Aggregates{}}, Decoder: newClientDecoder, CacheBytes: 1 << 30,
		SystemTables: []*types.Table{{Schema: "telemdb", Name: "errors", Kind: types.TableErrors}, {Schema: "telemdb", Name: "duplicates", Kind: types.TableErrors}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	for from := 0; from < partitions; from += 100 {
		var wg sync.WaitGroup
		for w := range 256 {
			wg.Go(func() {
				for i := w; i < 100*rows; i += 256 {
					var p [16]byte
					binary.LittleEndian.PutUint64(p[:], uint64(i%rows))
					binary.LittleEndian.PutUint64(p[8:], uint64(20000+from+i/rows))
					if _, err := s.Submit(ctx, p[:]); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if err := s.Flush(ctx); err != nil {
			b.Fatal(err)
		}
	}
	var took []time.Duration
	var cpu time.Duration
	client := 0
	for b.Loop() {
		sn, err := s.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		var table *types.Table
		for _, t := range sn.Tables() {
			if t.FullName() == (rollups.Aggregates{}).Source() {
				table = t
			}
		}
		client++
		ids := rowsOfClient(b, sn, table, client)
		began, used := time.Now(), cpuTime(b)
		tx, err := s.Begin()
		if err != nil {
			b.Fatal(err)
		}
		if err := tx.Delete(sn, table, ids); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(ctx); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		cpu += cpuTime(b) - used
		if tx.Removed() != int64(partitions) {
			b.Fatalf("%d rows removed", tx.Removed())
		}
		sn.Release()
	}
	slices.Sort(took)
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(len(took)), "ms-cpu")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
}

func rowsOfClient(b *testing.B, sn *storage.Snapshot, t *types.Table, client int) (ids []int64) {
	src, err := sn.Source(t)
	if err != nil {
		b.Fatal(err)
	}
	want := column.Pred{Op: column.OpEq, Leaf: types.LeafText, B: []byte(fmt.Sprintf("%016x-client", uint64(client)*0x9e3779b97f4a7c15))}
	for i, m := range src.Morsels() {
		g, err := m.Open()
		if err != nil {
			b.Fatal(err)
		}
		c, ok := g.Find("client_id", types.LeafText)
		if !ok {
			continue
		}
		dead := m.Deleted()
		for _, r := range passing(b, c, g.Rows(), &want) {
			if dead == nil || !dead.Get(int(r)) {
				ids = append(ids, int64(i)<<16|int64(r))
			}
		}
	}
	return ids
}

func passing(b *testing.B, c column.Column, n int, p *column.Pred) (rows []uint16) {
	for from := 0; from < n; from += vec.BlockRows {
		to := min(from+vec.BlockRows, n)
		sel := vec.MakeBitmap(to - from)
		sel.Fill(to - from)
		if err := c.Filter(from, to, p, sel); err != nil {
			b.Fatal(err)
		}
		sel.All(func(i int) { rows = append(rows, uint16(from+i)) })
	}
	return rows
}
