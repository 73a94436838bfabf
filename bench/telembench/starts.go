package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"time"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage"
)

func init() {
	parts = append(parts, part{"start", "start of the server over many sealed segments", measureStarts})
}

var (
	startSegments   = flag.Int("start.segments", 10_000, "start: sealed segments")
	startPartitions = flag.Int("start.partitions", 400, "start: partitions they are in")
)

// measureStarts starts the real binary on a directory with many small segments.
func measureStarts(ctx context.Context, b *bench) error {
	bin, err := buildBinary(b.dir)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.dir, "many")
	made, err := makeSegments(ctx, dir, *startSegments, *startPartitions)
	if err != nil {
		return err
	}
	var ready []time.Duration
	for range 9 {
		s, err := start(bin, dir)
		if err != nil {
			return err
		}
		ready = append(ready, s.ready)
		if err := s.stop(); err != nil {
			return err
		}
	}
	b.add("start", fmt.Sprintf("ready with %d sealed segments in %d partitions, page cache warm, median of 9 (least, most; goal: below 500 ms)", made, *startPartitions),
		fmt.Sprintf("%s (%s, %s)", ms(quantile(ready, .5)), ms(quantile(ready, 0)), ms(quantile(ready, 1))))
	return nil
}

// sealPartitions is how many partitions one seal writes: fewer than the store puts into one.
const sealPartitions = 200

// makeSegments fills a directory with segments of a few small pings, and returns how many there are.
func makeSegments(ctx context.Context, dir string, segments, partitions int) (int, error) {
	s, err := storage.Open(dir, storage.Options{
		Decoder: func(env storage.DecodeEnv) (storage.Decoder, error) {
			return ingest.NewDecoder(env, ingest.DecodeOptions{}), nil
		},
		SystemTables: ingest.SystemTables(), Rollups: []storage.Rollup{rollups.Aggregates{}}, Manual: true,
	})
	if err != nil {
		return 0, err
	}
	g := gen.New(gen.Options{Seed: 77, Pings: -1, Clients: 500, Kinds: gen.Kinds{Event: 1}, Small: true})
	day0 := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -partitions)
	made, day := 0, 0
	for made < segments {
		for range min(sealPartitions, segments-made) {
			for range 2 {
				if err := submitOn(ctx, s, g, day0.AddDate(0, 0, day)); err != nil {
					return 0, err
				}
			}
			day = (day + 1) % partitions
		}
		if err := s.Flush(ctx); err != nil {
			return 0, err
		}
		made = s.Stats().Segments
	}
	return made, s.Close()
}

// submitOn submits the next good ping as received on a day.
func submitOn(ctx context.Context, s *storage.Store, g *gen.Generator, day time.Time) error {
	var p gen.Ping
	for p.Body == nil || p.Broken || p.Duplicate {
		g.Next(&p)
	}
	r, err := ingest.NewRecord(p.URI, nil, "", day.Add(12*time.Hour))
	if err != nil {
		return err
	}
	_, err = s.Submit(ctx, ping.EncodeHead(nil, r), p.Body)
	return err
}
