package telemdb_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/ingest/gen"
)

// BenchmarkIngestToVisible takes real-size pings from Ingest to SQL on a real directory: log, sync, gunzip, decode, head.
func BenchmarkIngestToVisible(b *testing.B) { benchmarkIngest(b, false) }

// BenchmarkIngestToSealed goes on until they are published: sort, encode, roll-up states, manifest.
func BenchmarkIngestToSealed(b *testing.B) { benchmarkIngest(b, true) }

func benchmarkIngest(b *testing.B, seal bool) {
	ctx := context.Background()
	db, err := telemdb.Open(b.TempDir(), telemdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	pings, size := generated(b, b.N)
	b.SetBytes(size / int64(b.N))
	b.ResetTimer()
	next := make(chan telemdb.Submission)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for s := range next {
				if _, err := db.Ingest(ctx, s); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, s := range pings {
		next <- s
	}
	close(next)
	wg.Wait()
	for db.Lag() > 0 {
		time.Sleep(100 * time.Microsecond)
	}
	if seal {
		if err := db.Flush(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// generated returns n gzipped main pings and their plain size.
func generated(b *testing.B, n int) (out []telemdb.Submission, size int64) {
	b.Helper()
	g := gen.New(gen.Options{Seed: 5, Pings: -1, Clients: 1000, Start: time.Now().UTC().Truncate(24 * time.Hour), Days: 1})
	var p gen.Ping
	for len(out) < n && g.Next(&p) {
		if p.DocType != "main" {
			continue
		}
		var body bytes.Buffer
		z := gzip.NewWriter(&body)
		if _, err := z.Write(p.Body); err != nil {
			b.Fatal(err)
		}
		if err := z.Close(); err != nil {
			b.Fatal(err)
		}
		size += int64(len(p.Body))
		out = append(out, telemdb.Submission{URI: p.URI, Body: body.Bytes()})
	}
	return out, size
}
