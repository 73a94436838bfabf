package main

import (
	"context"
	"fmt"
	"time"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage"
)

// aggregatePings is how many pings the cost of the aggregates is averaged over.
const aggregatePings = 2000

// measureAggregates takes the CPU time of the built-in roll-up over one head of real-size pings: what a seal pays for it.
func measureAggregates(ctx context.Context, t *table) error {
	r := rollups.Aggregates{}
	store, err := storage.Open("", storage.Options{
		Manual:       true,
		Rollups:      []storage.Rollup{r},
		SystemTables: ingest.SystemTables(),
		Decoder: func(env storage.DecodeEnv) (storage.Decoder, error) {
			return ingest.NewDecoder(env, ingest.DecodeOptions{}), nil
		},
	})
	if err != nil {
		return err
	}
	defer store.Close()
	bodies, err := makeBodies(77, aggregatePings)
	if err != nil {
		return err
	}
	for _, b := range bodies {
		rec, err := ingest.NewRecord(b.uri, nil, "", time.Now())
		if err != nil {
			return err
		}
		if _, err := store.Submit(ctx, ping.EncodeHead(nil, rec), b.gz); err != nil {
			return err
		}
	}
	for store.Lag() > 0 {
		time.Sleep(time.Millisecond)
	}
	snap, err := store.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	in, err := snap.RollupInputs(r)
	if err != nil {
		return err
	}
	began, states, rows := ownCPU(), 0, 0
	for _, g := range in.Head {
		all := make([]uint16, g.Rows())
		for i := range all {
			all[i] = uint16(i)
		}
		built, err := r.Build(g, all)
		if err != nil {
			return err
		}
		for _, b := range built {
			states += b.Rows()
		}
		rows += g.Rows()
	}
	used := ownCPU() - began
	t.add("aggregates", fmt.Sprintf("CPU a main ping to build the roll-up's states (%d pings, %d states)", rows, states),
		fmt.Sprintf("%.0f µs", float64(used.Microseconds())/float64(max(rows, 1))))
	return nil
}
