package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/jobs"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// inRuns tells how many segments a table has in each partition, and fails unless each partition is one unit whose rows
// ascend from its first segment to its last, in segments of at most so many rows.
func inRuns(t *testing.T, s *Store, n types.TableName, rowsMax int64) (segments []int) {
	t.Helper()
	sn := snapshot(t, s)
	defer sn.Release()
	table := tableOf(t, sn, n)
	key := compact.KeyOf(table)
	for _, part := range partitionsOf(sn.version.tables[table.ID]) {
		segments = append(segments, len(part))
		if units := unitsOf(part); len(units) != 1 {
			t.Errorf("partition %d of %s has %d units", part[0].Meta.Partition, n, len(units))
		}
		var last []byte
		for i, f := range part {
			if f.Meta.Rows > rowsMax || i > 0 && (f.Run == nil || f.Run.At <= part[i-1].Run.At) {
				t.Errorf("segment %d has %d rows and place %+v", f.ID, f.Meta.Rows, f.Run)
			}
			rd, err := f.open(s.files, s.cache)
			must(t, err)
			for g := range rd.Groups() {
				keys, err := compact.ReadKeys(rd.Group(g), key)
				must(t, err)
				for r := range keys.Len() {
					if bytes.Compare(keys.At(r), last) < 0 {
						t.Fatalf("segment %d, row group %d: row %d comes before the row before it", f.ID, g, r)
					}
					last = append(last[:0], keys.At(r)...)
				}
			}
		}
	}
	return segments
}

func segmentsOf(t *testing.T, s *Store, n types.TableName) (ids []uint64) {
	t.Helper()
	list, err := s.Segments()
	must(t, err)
	for _, f := range list {
		if f.Table == n {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

func clusterAll(t *testing.T, s *Store, n types.TableName, workers int) (out []Clustered) {
	t.Helper()
	must(t, s.Cluster(ctx, n, ClusterOptions{Workers: workers}, func(c Clustered) { out = append(out, c) }))
	return out
}

// TestClusterOrdersEachPartitionFromEndToEnd plays random seals, merges, deletes and CLUSTERs, with deletes in the middle of
// them, and reopens.
func TestClusterOrdersEachPartitionFromEndToEnd(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 41))
		fsys, clock := vfs.NewMem(), newTestClock()
		o := testOptions(fsys, clock)
		o.CompactionMemory = []int64{compact.MemoryMin, 4 * compact.MemoryMin}[seed%2] // two inputs at a time, or more
		s, err := Open("/db", o)
		must(t, err)
		subs, gone := map[uint64]string{}, map[uint64]bool{}
		some := func(chance float64) map[uint64]bool {
			out := map[uint64]bool{}
			for lsn := range subs {
				if rng.Float64() < chance {
					out[lsn], gone[lsn] = true, true
				}
			}
			return out
		}
		for i := range 12 {
			for k := range 1 + rng.IntN(9) {
				submit(t, s, subs, testPayload("main", fmt.Sprintf("%d-%d", i, k), day0-rng.IntN(3), []string{"release", "beta", "nightly"}[rng.IntN(3)], "v", fmt.Sprint(rng.IntN(9))))
			}
			must(t, s.Flush(ctx))
			clock.add(time.Duration(rng.IntN(200)) * time.Second)
			if rng.IntN(3) == 0 {
				_, err := s.MergeOnce(ctx)
				must(t, err)
			}
			if rng.IntN(3) == 0 {
				deleteLSNs(t, s, snapshot(t, s), mainTable, some(0.1), nil)
			}
			if i%4 != 3 {
				continue
			}
			s.runRows = 3 + rng.IntN(10)
			sn := snapshot(t, s) // of before: what a transaction deletes by it moves twice
			late, chance := 0, []float64{0, 0.2, 0.9}[rng.IntN(3)]
			progress := func(int, int) {
				if late++; late == 2 {
					deleteLSNs(t, s, sn, mainTable, some(chance), nil)
				}
			}
			must(t, s.Cluster(ctx, mainTable, ClusterOptions{Workers: 1 + rng.IntN(3), Progress: func(done, all int) {
				clock.add(time.Second)
				progress(done, all)
			}}, func(Clustered) {}))
			inRuns(t, s, mainTable, int64(s.runRows))
			checkBut(t, s, subs, gone)
			deleteLSNs(t, s, sn, mainTable, some(0.2), nil)
			sn.Release()
			checkBut(t, s, subs, gone)
			if rng.IntN(2) == 0 {
				must(t, s.Close())
				s, err = Open("/db", o)
				must(t, err)
				checkBut(t, s, subs, gone)
			}
		}
		clock.add(48 * time.Hour)
		mergeFully(t, s) // a run is a file of its neighbours, however many segments it has
		checkBut(t, s, subs, gone)
		must(t, s.Close())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestClusterOfATableWithoutASortKeyKeepsTheOrderOfTheLog(t *testing.T) {
	for _, workers := range []int{1, 3} {
		s := openTest(t, vfs.NewMem())
		must(t, s.CreateSchema(ctx, "public"))
		plain := userTable("plain")
		plain.SortKey, plain.PartitionBy = nil, ""
		table, err := s.CreateTable(ctx, plain)
		must(t, err)
		for i := range 9 {
			must(t, s.InsertRows(ctx, table, []*column.RowBuf{userRow(s, int64(9-i), 0, ""), userRow(s, int64(90-i), 0, "")}))
			must(t, s.Flush(ctx))
		}
		s.runRows = 4
		clusterAll(t, s, plain.FullName(), workers)
		if n := inRuns(t, s, plain.FullName(), 4); len(n) != 1 || n[0] < 5 {
			t.Errorf("segments %v", n)
		}
		sn := snapshot(t, s)
		rows, err := locate(sn, tableOf(t, sn, plain.FullName()))
		must(t, err)
		if !slices.IsSortedFunc(rows, func(a, b located) int { return int(a.lsn) - int(b.lsn) }) || len(rows) != 18 {
			t.Errorf("rows %v", rows)
		}
		sn.Release()
		must(t, checkStore(s))
	}
}

func TestClusterLeavesAloneWhatIsInOrderAndTellsWhatItDid(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	must(t, s.CreateSchema(ctx, "public"))
	table, err := s.CreateTable(ctx, userTable("a"))
	must(t, err)
	if got := clusterAll(t, s, table.FullName(), 2); got != nil {
		t.Errorf("an empty table: %+v", got)
	}
	for i := range int64(6) {
		must(t, s.InsertRows(ctx, table, []*column.RowBuf{userRow(s, 6-i, day0, ""), userRow(s, 60-i, day0+1, "")}))
		must(t, s.Flush(ctx))
	}
	must(t, s.InsertRows(ctx, table, []*column.RowBuf{userRow(s, 7, day0, "")})) // of the head
	s.runRows = 4
	got := clusterAll(t, s, table.FullName(), 2)
	if len(got) != 2 || got[0].Partition != day0 || got[0].Before != 7 || got[0].Rows != 7 || got[1].Before != 6 || got[1].Rows != 6 ||
		got[0].After != inRuns(t, s, table.FullName(), 4)[0] || got[0].BytesAfter == 0 {
		t.Errorf("%+v", got)
	}
	if st := s.Jobs(); !slices.ContainsFunc(st, func(j jobs.Status) bool { return j.Name == "cluster" && strings.Contains(j.Progress, "of") }) {
		t.Errorf("jobs %+v", st)
	}
	if got := clusterAll(t, s, table.FullName(), 2); got != nil {
		t.Errorf("what is in order was written again: %+v", got)
	}
	sn := snapshot(t, s)
	rows, err := locate(sn, tableOf(t, sn, table.FullName()))
	must(t, err)
	deleteLSNs(t, s, sn, table.FullName(), map[uint64]bool{rows[0].lsn: true}, nil)
	sn.Release()
	if got := clusterAll(t, s, table.FullName(), 2); len(got) != 2 || got[0].Rows != 6 || got[1].Rows != 5 {
		t.Errorf("dead rows stay: %+v", got)
	}
	must(t, checkStore(s))
}

func TestClusterRefusesWhatItCannotOrder(t *testing.T) {
	fsys := vfs.NewCrash()
	s, subs := smallSegments(t, fsys, 4)
	none := func(Clustered) { t.Error("something was clustered") }
	if err := s.Cluster(ctx, types.TableName{Schema: "public", Name: "none"}, ClusterOptions{}, none); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := s.Cluster(ctx, ErrorsTable, ClusterOptions{}, none); !errors.Is(err, ErrSystem) {
		t.Error(err)
	}
	fsys.SetUsage(vfs.Usage{Total: 1 << 40, Free: catalogRoom + 1})
	if err := s.Cluster(ctx, mainTable, ClusterOptions{}, none); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "bytes in all") {
		t.Error(err)
	}
	fsys.SetUsage(vfs.Usage{Total: 1 << 40, Free: 1 << 40})
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Cluster(stopped, mainTable, ClusterOptions{}, none); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	checkAll(t, s, subs)
	busy := false
	must(t, s.Cluster(ctx, mainTable, ClusterOptions{Progress: func(int, int) {
		if !busy {
			busy = true
			if err := s.Cluster(ctx, mainTable, ClusterOptions{}, none); !errors.Is(err, ErrClusterRuns) {
				t.Error(err)
			}
			before := segmentsOf(t, s, mainTable)
			mergeFully(t, s)
			if got := segmentsOf(t, s, mainTable); !slices.Equal(got, before) {
				t.Errorf("a table that is being clustered was merged: %v, before %v", got, before)
			}
		}
	}}, func(Clustered) {}))
	if !busy {
		t.Error("no progress was told")
	}
	checkAll(t, s, subs)
}

func TestAClusterThatIsCancelledInTheMiddleLeavesNothing(t *testing.T) {
	fsys := &cancelFS{FS: vfs.NewMem()}
	s, subs := smallSegments(t, fsys, 7)
	s.runRows = 2
	before, err := fsys.List(path.Join("/db", segmentDir))
	must(t, err)
	stopped, cancel := context.WithCancel(ctx)
	var once sync.Once
	err = s.Cluster(stopped, mainTable, ClusterOptions{Workers: 2, Progress: func(int, int) { once.Do(cancel) }}, func(Clustered) {})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	after, err := fsys.List(path.Join("/db", segmentDir))
	must(t, err)
	if !slices.Equal(before, after) {
		t.Errorf("files %v, before %v", after, before)
	}
	checkAll(t, s, subs)
}

func TestATableDroppedWhileItIsClusteredIsGone(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	must(t, s.CreateSchema(ctx, "public"))
	table, err := s.CreateTable(ctx, userTable("a"))
	must(t, err)
	for i := range int64(6) {
		must(t, s.InsertRows(ctx, table, []*column.RowBuf{userRow(s, 6-i, day0, "")}))
		must(t, s.Flush(ctx))
	}
	var once sync.Once
	err = s.Cluster(ctx, table.FullName(), ClusterOptions{Progress: func(int, int) {
		once.Do(func() { must2(t, s.DropTable(ctx, table.FullName())) })
	}}, func(Clustered) { t.Error("clustered") })
	if err == nil || !strings.Contains(err.Error(), "was dropped") {
		t.Error(err)
	}
	must(t, checkStore(s))
}

// TestARunIsOneFileToTheMergesThatFollow: its segments are not merged with each other as small ones are.
func TestARunIsOneFileToTheMergesThatFollow(t *testing.T) {
	clock := newTestClock()
	o := testOptions(vfs.NewMem(), clock)
	s, err := Open("/db", o)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	subs := map[uint64]string{}
	for i := range 12 {
		submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0, fmt.Sprint("c", i*7%12), "v", "1"))
		must(t, s.Flush(ctx))
	}
	s.runRows = 3
	clusterAll(t, s, mainTable, 1)
	clock.add(2 * time.Hour)
	for range 3 {
		if did, err := s.MergeOnce(ctx); did && err == nil {
			continue // of states, errors and the like
		}
	}
	if n := inRuns(t, s, mainTable, 3); n[0] != 4 {
		t.Errorf("a run of %d segments", n[0])
	}
	checkAll(t, s, subs)
}
