package main

import (
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

var (
	sizePings = flag.Int("size.pings", 20_000, "size: pings of the day")
	sizeSeed  = flag.Uint64("size.seed", 20260302, "size: seed of the generator")
	sizeTop   = flag.Int("size.top", 0, "size: print so many of the largest columns to standard error")
)

// bodiesOfDay are the bodies the day is made of, as clients send them.
type bodiesOfDay struct {
	pings       int
	plain, gzip int64
	mainPlain   int64
	mainGzip    int64
}

// measureSize seals and merges a day of generated pings, and adds its bytes up beside those of the bodies and of Parquet.
func measureSize(ctx context.Context, b *bench) error {
	dir := filepath.Join(b.dir, "size")
	store, err := storage.Open(dir, storage.Options{
		Manual: true, Rollups: []storage.Rollup{rollups.Aggregates{}}, SystemTables: ingest.SystemTables(),
		Decoder: func(env storage.DecodeEnv) (storage.Decoder, error) {
			return ingest.NewDecoder(env, ingest.DecodeOptions{}), nil
		},
	})
	if err != nil {
		return err
	}
	err = sizeOf(ctx, b, store, dir)
	return errors.Join(err, store.Close())
}

func sizeOf(ctx context.Context, b *bench, store *storage.Store, dir string) error {
	bodies, err := submitDay(ctx, store, *sizePings)
	if err != nil {
		return err
	}
	for did := true; did; {
		if did, err = store.MergeOnce(ctx); err != nil {
			return err
		}
	}
	snap, err := store.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	states := map[uint32]bool{}
	for _, t := range snap.Tables() {
		states[t.ID] = t.Kind == types.TableStates
	}
	var rows, stateBytes int64
	var files []segmentFile
	for _, s := range snap.Segments() {
		if states[s.TableID] {
			stateBytes += s.Bytes
			continue
		}
		rows += s.Bytes
		files = append(files, segmentFile{path.Join(dir, "segments", s.File), s.Table.String(), s.ID, s.Bytes, s.Groups})
	}
	b.add("bodies", fmt.Sprintf("%d pings of one day", bodies.pings), fmt.Sprintf("%.1f MB of JSON, %.1f MB gzipped", mb(bodies.plain), mb(bodies.gzip)))
	b.add("bodies", "gzip of main pings (main.4's sample: 4.64:1)", fmt.Sprintf("%.2f:1", float64(bodies.mainPlain)/float64(bodies.mainGzip)))
	b.add("telemdb", "segments with rows, merged fully", fmt.Sprintf("%.1f MB in %d files, %.3f of the gzip bodies", mb(rows), len(files), float64(rows)/float64(bodies.gzip)))
	b.add("telemdb", "segments with roll-up states", fmt.Sprintf("%.1f MB, %.3f of the gzip bodies", mb(stateBytes), float64(stateBytes)/float64(bodies.gzip)))
	b.add("telemdb", "a sealed day / its gzip bodies (to reach: <= 0.5)", fmt.Sprintf("%.3f", float64(rows+stateBytes)/float64(bodies.gzip)))
	return compareSizes(b, files)
}

func mb(n int64) float64 { return float64(n) / 1e6 }

// dayOfSize is closed long since, so that its partitions are merged fully.
var dayOfSize = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// flushEvery bounds how much of the day is in the head at once.
const flushEvery = 3000

// submitDay generates, gzips and submits the pings, and seals what came together every so often.
func submitDay(ctx context.Context, store *storage.Store, n int) (*bodiesOfDay, error) {
	g := gen.New(gen.Options{Seed: *sizeSeed, Pings: n, Start: dayOfSize, Days: 1})
	out := &bodiesOfDay{}
	for more := true; more; {
		jobs := make(chan gen.Ping, 16)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var failed error
		for range 8 {
			wg.Go(func() {
				for p := range jobs {
					size, err := submit(ctx, store, &p)
					mu.Lock()
					failed = errors.Join(failed, err)
					out.add(&p, size)
					mu.Unlock()
				}
			})
		}
		for range flushEvery {
			var p gen.Ping
			if more = g.Next(&p); !more {
				break
			}
			jobs <- p
		}
		close(jobs)
		wg.Wait()
		if failed != nil {
			return nil, failed
		}
		if err := store.Flush(ctx); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (o *bodiesOfDay) add(p *gen.Ping, gz int) {
	o.pings++
	o.plain += int64(len(p.Body))
	o.gzip += int64(gz)
	if p.DocType == "main" && !p.Broken {
		o.mainPlain += int64(len(p.Body))
		o.mainGzip += int64(gz)
	}
}

// submit sends one ping. Bodies are compressed by the standard library, whose ratio is zlib's, as clients use it.
func submit(ctx context.Context, store *storage.Store, p *gen.Ping) (size int, err error) {
	var body writeBuffer
	z := gzip.NewWriter(&body)
	if _, err := z.Write(p.Body); err != nil {
		return 0, err
	}
	if err := z.Close(); err != nil {
		return 0, err
	}
	rec, err := ingest.NewRecord(p.URI, nil, "", p.Received)
	if err != nil {
		return 0, err
	}
	_, err = store.Submit(ctx, ping.EncodeHead(nil, rec), body)
	return len(body), err
}

type writeBuffer []byte

func (b *writeBuffer) Write(p []byte) (int, error) { *b = append(*b, p...); return len(p), nil }

// segmentFile is a published segment.
type segmentFile struct {
	path   string
	table  string
	id     uint64
	bytes  int64
	groups int
}

// sizeLine is a line of the breakdown: a family of columns, or an encoding.
type sizeLine struct {
	ours, presence, parquet int64
	columns                 int
}

// worthALine is how many bytes a family or an encoding has at least to be listed.
const worthALine = 10_000

// compareSizes writes each segment's rows as Parquet and reports where the bytes of both go.
func compareSizes(b *bench, files []segmentFile) error {
	bin, err := buildParquet(b.dir)
	if err != nil {
		return err
	}
	total := map[string]*sizeLine{}
	families, encodings := map[string]*sizeLine{}, map[string]*sizeLine{}
	columns := map[string]*sizeLine{}
	line := func(m map[string]*sizeLine, key string) *sizeLine {
		if m[key] == nil {
			m[key] = &sizeLine{}
		}
		return m[key]
	}
	for _, f := range files {
		r, err := segment.Open(vfs.OS(), f.path, f.id, nil)
		if err != nil {
			return err
		}
		t := line(total, f.table)
		err = r.Parts(func(p segment.Part) {
			t.ours += p.Bytes + p.Presence
			for _, l := range []*sizeLine{line(families, family(p)), line(encodings, p.Leaf.String()+" "+p.Encoding), line(columns, f.table+" "+p.Path.String()+" "+p.Leaf.String()+" "+p.Encoding)} {
				l.ours += p.Bytes
				l.presence += p.Presence
				l.columns++
			}
		})
		if err == nil {
			t.parquet, err = parquetSize(bin, f.path, b.dir, func(path types.Path, leaf types.Leaf, bytes int64) {
				line(families, familyOf(path, leaf)).parquet += bytes
			})
		}
		t.columns += f.groups
		if err := errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("%s: %w", f.table, err)
		}
	}
	var sum sizeLine
	for _, name := range sorted(total) {
		t := total[name]
		sum.ours += t.ours
		sum.parquet += t.parquet
		b.add("rows", fmt.Sprintf("%s, %d row groups: telemdb, Parquet", name, t.columns), fmt.Sprintf("%.2f MB, %.2f MB: %.3f", mb(t.ours), mb(t.parquet), float64(t.ours)/float64(t.parquet)))
	}
	b.add("rows", "all tables: telemdb / Parquet + zstd 3 (to reach: <= 0.85)", fmt.Sprintf("%.2f MB / %.2f MB = %.3f", mb(sum.ours), mb(sum.parquet), float64(sum.ours)/float64(sum.parquet)))
	for _, name := range sorted(families) {
		l := families[name]
		if l.ours+l.presence+l.parquet < worthALine {
			continue
		}
		b.add("family", name, fmt.Sprintf("%.2f MB values, %.2f MB presence; Parquet %.2f MB", mb(l.ours), mb(l.presence), mb(l.parquet)))
	}
	for _, name := range sorted(encodings) {
		l := encodings[name]
		if l.ours+l.presence < worthALine {
			continue
		}
		b.add("encoding", fmt.Sprintf("%s, %d chunks", name, l.columns), fmt.Sprintf("%.2f MB values, %.2f MB presence", mb(l.ours), mb(l.presence)))
	}
	printLargest(columns)
	return nil
}

// sorted returns the keys of lines by size, the largest first.
func sorted(m map[string]*sizeLine) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		x, y := m[a], m[b]
		if d := (y.ours + y.presence) - (x.ours + x.presence); d != 0 {
			return int(d)
		}
		return int(y.parquet - x.parquet)
	})
	return keys
}
