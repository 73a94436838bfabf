package rollups_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// kept is a ping that counts, until its row is deleted.
type kept struct {
	uri  string
	body []byte
	day  int64
}

// deleting is a store of main pings from which rows are deleted, and what the oracle is to be told.
type deleting struct {
	t     *testing.T
	rng   *rand.Rand
	fs    vfs.FS
	now   atomic.Int64 // unix nanoseconds; the store reads it meanwhile
	store *storage.Store
	pings map[int64]kept // by LSN
	old   []*storage.Snapshot
}

var background = context.Background()

func (d *deleting) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *deleting) open(r ...storage.Rollup) {
	var err error
	d.store, err = storage.Open("/db", storage.Options{
		FS: d.fs, Manual: true, HardReserve: -1, SystemTables: ingest.SystemTables(), Rollups: r, Now: func() time.Time { return time.Unix(0, d.now.Load()).UTC() },
		Decoder: func(env storage.DecodeEnv) (storage.Decoder, error) {
			return ingest.NewDecoder(env, ingest.DecodeOptions{}), nil
		},
	})
	d.ok(err)
}

func (d *deleting) close() {
	for _, sn := range d.old {
		sn.Release()
	}
	d.old = nil
	d.ok(d.store.Close())
}

func (d *deleting) submit(p *gen.Ping) {
	r, err := ingest.NewRecord(p.URI, nil, "", p.Received)
	d.ok(err)
	lsn, err := d.store.Submit(background, ping.EncodeHead(nil, r), p.Body)
	d.ok(err)
	if !p.Broken && !p.Duplicate && strings.Contains(p.URI, "/main/") {
		d.pings[int64(lsn)] = kept{p.URI, append([]byte(nil), p.Body...), day(p.Received)}
	}
}

func (d *deleting) snapshot() *storage.Snapshot {
	d.ok(d.store.WaitVisible(background, d.store.Stats().Synced))
	sn, err := d.store.Snapshot()
	d.ok(err)
	d.old = append(d.old, sn)
	return sn
}

// delete deletes one row in every few, as a snapshot sees them, while the store merges.
func (d *deleting) delete(sn *storage.Snapshot, few int) {
	var table *types.Table
	for _, t := range sn.Tables() {
		if t.FullName() == (rollups.Aggregates{}).Source() {
			table = t
		}
	}
	if table == nil {
		return
	}
	src, err := sn.Source(table)
	d.ok(err)
	var ids []int64
	for i, m := range src.Morsels() {
		g, err := m.Open()
		d.ok(err)
		c, ok := g.Find(types.ColLSN, types.LeafInt)
		if !ok {
			d.t.Fatal("a group without LSNs")
		}
		var lsns vec.Vector
		for from := 0; from < g.Rows(); from += vec.BlockRows {
			to := min(from+vec.BlockRows, g.Rows())
			d.ok(c.Read(from, to, &lsns))
			for r := range to - from {
				if d.rng.IntN(few) == 0 {
					ids = append(ids, int64(i)<<16|int64(from+r))
					delete(d.pings, lsns.Int(r))
				}
			}
		}
	}
	tx, err := d.store.Begin()
	d.ok(err)
	d.ok(tx.Delete(sn, table, ids))
	done := make(chan error, 1)
	go func() {
		_, err := d.store.MergeOnce(background)
		done <- err
	}()
	d.ok(tx.Commit(background))
	d.ok(<-done)
}

// check compares rollups.histograms with the oracle's view of the pings that are left, and has the store check itself.
func (d *deleting) check(where string) {
	d.t.Helper()
	sn := d.snapshot()
	in, err := sn.RollupInputs(rollups.Aggregates{})
	d.ok(err)
	groups := func(ms []column.Morsel) (out []column.Group) {
		for _, m := range ms {
			g, err := m.Open()
			d.ok(err)
			out = append(out, g)
		}
		return out
	}
	o := newOracle()
	for _, p := range d.pings {
		o.add(p.uri, p.body, p.day)
	}
	compare(d.t, where, linesLess(d.t, groups(in.States), groups(in.Minus), in.Head), o.lines())
	d.ok(d.store.Check(func(p storage.Problem) { d.t.Errorf("%s: %s", where, p) }))
}

// TestDeletedPingsLeaveNothingInTheAggregates plays random histories of pings, seals, merges, restarts and deletes by
// snapshots of any age: the aggregates are always those of the pings that are left, to the last bucket.
func TestDeletedPingsLeaveNothingInTheAggregates(t *testing.T) {
	for seed := range prove.Seeds(t, "deletes, roll-up", 2) {
		d := &deleting{t: t, rng: rand.New(rand.NewPCG(seed, 1)), fs: vfs.NewMem(), pings: map[int64]kept{}}
		g := gen.New(gen.Options{Seed: seed, Pings: 150, Days: 3, Small: true, Kinds: gen.Kinds{Main: 9, Crash: 1}})
		d.open(rollups.Aggregates{})
		var p gen.Ping
		for n := 1; g.Next(&p); n++ {
			d.now.Store(p.Received.Add(time.Duration(d.rng.IntN(100)) * time.Hour).UnixNano())
			d.submit(&p)
			switch d.rng.IntN(20) {
			case 0:
				d.ok(d.store.Flush(background))
			case 1:
				_, err := d.store.MergeOnce(background)
				d.ok(err)
			case 2:
				d.snapshot()
			case 3, 4:
				d.snapshot()
				d.delete(d.old[d.rng.IntN(len(d.old))], []int{2, 5, 30}[d.rng.IntN(3)])
			case 5:
				if d.rng.IntN(3) == 0 {
					d.close()
					d.open(rollups.Aggregates{})
				}
			}
			if n%50 == 0 {
				d.check("in the middle")
			}
		}
		d.delete(d.snapshot(), 4)
		d.check("at the end")
		d.delete(d.snapshot(), 1)
		if len(d.pings) > 0 {
			t.Fatalf("seed %d: all rows were deleted, and %d pings count", seed, len(d.pings))
		}
		d.check("of nothing")
		d.close()
	}
}

// TestARollupBuiltOverDeletedRowsCountsTheLiveOnes builds the aggregates of a store that has had none.
func TestARollupBuiltOverDeletedRowsCountsTheLiveOnes(t *testing.T) {
	d := &deleting{t: t, rng: rand.New(rand.NewPCG(1, 1)), fs: vfs.NewMem(), pings: map[int64]kept{}}
	g := gen.New(gen.Options{Seed: 9, Pings: 60, Days: 2, Small: true, Kinds: gen.Kinds{Main: 1}})
	d.open()
	var p gen.Ping
	for g.Next(&p) {
		d.now.Store(p.Received.UnixNano())
		d.submit(&p)
	}
	d.ok(d.store.Flush(background))
	d.delete(d.snapshot(), 3)
	d.close()
	d.open(rollups.Aggregates{})
	d.check("built anew")
	d.delete(d.snapshot(), 3)
	d.check("and corrected")
	d.close()
}
