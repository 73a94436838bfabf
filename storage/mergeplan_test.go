package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// plannedVersion is a version of so many partitions of one table with so many files each, sealed one a minute.
func plannedVersion(partitions, files int) *version {
	var list []*file
	for p := range partitions {
		for i := range files {
			at := int64(day0+p)*daySeconds + int64(i)*60
			list = append(list, &file{Segment: meta.Segment{ID: uint64(len(list) + 1), Table: 1, From: at, To: at,
				Meta: segment.Meta{Partition: int64(day0 + p), HasPartition: true, Rows: 10, Bytes: 1000, ValueBytes: 3000, MinLSN: uint64(i)}}})
		}
	}
	return newManifest(vfs.NewMem(), list, nil, uint64(len(list)+1), func(*file, string, error) {}).current
}

func everyTable(uint32) bool { return true }

func choiceAt(now int64) compact.Choice {
	return compact.Choice{Now: now, BytesMax: 1 << 30, InputMax: 32}
}

func TestAPlanIsMadeAgainOnlyWhereFilesOrTheClockHaveChanged(t *testing.T) {
	var p mergePlanner
	v := plannedVersion(3, 4)
	now := int64(day0+1) * daySeconds // the first partition's day is not over for the grace yet
	if c := p.plan(v, choiceAt(now), everyTable); len(c.files) != 4 || c.tier != 0 {
		t.Fatalf("picked %d files of tier %d", len(c.files), c.tier)
	}
	first := p.tables[1]
	p.plan(v, choiceAt(now+1), everyTable)
	if p.tables[1] != first {
		t.Error("planned again though nothing has changed")
	}
	next := v.apply(edit{drop: v.tables[1][:1]})
	p.plan(next, choiceAt(now+2), everyTable)
	if parts := p.tables[1].parts; p.tables[1] == first || &parts[1].units[0] != &first.parts[1].units[0] || len(parts[0].units) != 3 {
		t.Error("a change of one partition must plan that one again and keep the others")
	}
	p.plan(next, choiceAt(now+compact.StepSeconds), everyTable)
	if p.tables[1] == first || p.slot != now/compact.StepSeconds+1 {
		t.Error("time has passed and nothing was planned again")
	}
	if c := p.plan(next, choiceAt(now), func(uint32) bool { return false }); c.files != nil || p.owed() != (mergeDebt{}) {
		t.Errorf("a dropped table is merged: %d files, %+v", len(c.files), p.owed())
	}
}

func TestDebtIsWhatTheMergesWillRewrite(t *testing.T) {
	var p mergePlanner
	p.plan(plannedVersion(2, 8), choiceAt(int64(day0+10)*daySeconds), everyTable)
	// In each partition: five files and three of two windows, then what they became.
	if want := (mergeDebt{bytes: 2 * 2 * 8000, files: 2 * 7}); p.owed() != want {
		t.Errorf("debt %+v, want %+v", p.owed(), want)
	}
}

func TestSealsWaitWhenAPartitionHasTooManyFilesThatMergesWouldRemove(t *testing.T) {
	for files, want := range map[int]bool{sealFilesMax: false, sealFilesMax + 1: false, sealFilesMax + 2: true} {
		var p mergePlanner
		p.plan(plannedVersion(1, files), choiceAt(int64(day0+10)*daySeconds), everyTable)
		if got := p.crowded(1); got != want {
			t.Errorf("%d files, %d too many: crowded is %v", files, files-1, got)
		}
		if p.crowded(2) {
			t.Error("another table waits")
		}
		if p.hold(true); p.crowded(1) {
			t.Error("seals wait for merges that do not go on")
		}
	}
}

func TestASealThatWaitsIsDoneAfterTheMerges(t *testing.T) {
	clock := newTestClock()
	o := testOptions(vfs.NewMem(), clock)
	o.Rollups = nil
	s, err := Open("/db", o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	subs := map[uint64]string{}
	for i := range sealFilesMax + 2 {
		submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0, "release", "v", "1"))
		must(t, s.Flush(ctx))
		clock.add(20 * time.Second)
	}
	clock.add(time.Hour)
	submit(t, s, subs, testPayload("main", "last", day0, "release", "v", "1"))
	must(t, s.WaitVisible(ctx, s.log.Synced()))
	clock.add(s.o.SealMaxAge)
	v := s.manifest.pin()
	s.pickMerge(v) // as the job does before it merges
	s.manifest.unpin(v)
	if did, err := s.SealOnce(ctx); did || err != nil {
		t.Fatalf("sealed beside %d files: %v, %v", s.Stats().Segments, did, err)
	}
	if st := s.Stats(); st.MergeDebtSegments <= sealFilesMax || st.MergeDebtBytes == 0 {
		t.Errorf("debt %d segments, %d bytes", st.MergeDebtSegments, st.MergeDebtBytes)
	}
	mergeFully(t, s)
	if st := s.Stats(); st.MergeDebtSegments != 0 || st.MergeDebtBytes != 0 {
		t.Errorf("debt after merging: %d segments, %d bytes", st.MergeDebtSegments, st.MergeDebtBytes)
	}
	if did, err := s.SealOnce(ctx); !did || err != nil {
		t.Errorf("not sealed after merging: %v, %v", did, err)
	}
}

func mergeFully(t *testing.T, s *Store) (n int) {
	t.Helper()
	for ; ; n++ {
		did, err := s.MergeOnce(ctx)
		must(t, err)
		if !did {
			return n
		}
	}
}

// smallSegments makes a store on an hour's seals of one row.
func smallSegments(t *testing.T, fsys vfs.FS, n int) (*Store, map[uint64]string) {
	t.Helper()
	clock := newTestClock()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	subs := map[uint64]string{}
	for i := range n {
		submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0, "release", "v", "1"))
		must(t, s.Flush(ctx))
	}
	clock.add(2 * time.Hour)
	return s, subs
}

func TestAMergeThatHasNoRoomOnTheDiskIsSkippedAndCounted(t *testing.T) {
	fsys := vfs.NewCrash()
	s, subs := smallSegments(t, fsys, 4)
	need := s.roomNeeded(t)
	fsys.SetUsage(vfs.Usage{Total: 1 << 40, Free: need - 1})
	if did, err := s.MergeOnce(ctx); did || err != nil {
		t.Fatalf("merged without room: %v, %v", did, err)
	}
	if st := s.Stats(); st.MergesSkipped != 1 || st.Merges != 0 {
		t.Errorf("%d skipped, %d merged", st.MergesSkipped, st.Merges)
	}
	fsys.SetUsage(vfs.Usage{Total: 1 << 40, Free: need})
	if did, err := s.MergeOnce(ctx); !did || err != nil {
		t.Errorf("not merged with just enough room: %v, %v", did, err)
	}
	checkAll(t, s, subs)
}

// roomNeeded is the free space that the next merge asks for.
func (s *Store) roomNeeded(t *testing.T) uint64 {
	t.Helper()
	v := s.manifest.pin()
	defer s.manifest.unpin(v)
	_, files := s.pickMerge(v)
	need := uint64(catalogRoom)
	for _, f := range files {
		need += uint64(f.Meta.Bytes)
	}
	return need
}

// cancelFS ends a context when a file is created.
type cancelFS struct {
	vfs.FS
	mu     sync.Mutex
	cancel func()
}

func (f *cancelFS) Create(name string) (vfs.File, error) {
	f.mu.Lock()
	if f.cancel != nil && strings.Contains(name, "/segments/") {
		f.cancel()
	}
	f.mu.Unlock()
	return f.FS.Create(name)
}

func TestAMergeThatIsCancelledLeavesNothing(t *testing.T) {
	fsys := &cancelFS{FS: vfs.NewMem()}
	s, subs := smallSegments(t, fsys, 5)
	before, err := fsys.List(path.Join("/db", segmentDir))
	must(t, err)
	stopped, cancel := context.WithCancel(ctx)
	fsys.mu.Lock()
	fsys.cancel = cancel
	fsys.mu.Unlock()
	if did, err := s.MergeOnce(stopped); did || !errors.Is(err, context.Canceled) {
		t.Fatalf("merged %v, %v", did, err)
	}
	fsys.mu.Lock()
	fsys.cancel = nil
	fsys.mu.Unlock()
	after, err := fsys.List(path.Join("/db", segmentDir))
	must(t, err)
	if !slices.Equal(before, after) {
		t.Errorf("files %v, before %v", after, before)
	}
	checkAll(t, s, subs)
	if mergeFully(t, s) == 0 {
		t.Error("nothing is merged any more")
	}
	checkAll(t, s, subs)
}

// TestMergesKeepRowsTheirOrderAndTheirPlacesInTheLog plays random seals, times and merges.
func TestMergesKeepRowsTheirOrderAndTheirPlacesInTheLog(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 77))
		clock := newTestClock()
		s, err := Open("/db", testOptions(vfs.NewMem(), clock))
		must(t, err)
		subs := map[uint64]string{}
		for i := range 40 {
			for k := range 1 + rng.IntN(4) {
				submit(t, s, subs, testPayload("main", fmt.Sprintf("%d-%d", i, k), day0-rng.IntN(2), []string{"release", "beta"}[rng.IntN(2)], "v", fmt.Sprint(rng.IntN(9))))
			}
			must(t, s.Flush(ctx))
			clock.add(time.Duration(rng.IntN(200)) * time.Second)
			for range rng.IntN(3) {
				_, err := s.MergeOnce(ctx)
				must(t, err)
			}
			if i%10 == 9 {
				must(t, disjoint(s))
				checkAll(t, s, subs)
			}
		}
		clock.add(48 * time.Hour)
		mergeFully(t, s)
		must(t, disjoint(s))
		checkAll(t, s, subs) // Check verifies that every segment is sorted
		must(t, s.Close())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// disjoint says whether the LSN ranges of a partition's segments overlap.
func disjoint(s *Store) error {
	list, err := s.Segments()
	if err != nil {
		return err
	}
	for i, f := range list[1:] {
		prev := list[i]
		if prev.TableID == f.TableID && prev.Partition == f.Partition && prev.HasPartition == f.HasPartition && prev.Table.Schema != "rollups" && prev.MaxLSN >= f.MinLSN {
			return fmt.Errorf("segments %+v and %+v overlap", prev, f)
		}
	}
	return nil
}

func TestTheMemoryBudgetIsAShareOfTheSmallestLimit(t *testing.T) {
	for _, c := range []struct {
		files map[string]string
		want  int64
	}{
		{nil, unknownMemory / 10 * 6},
		{map[string]string{machineTotal: "MemFree: 7 kB\nMemTotal:       1000 kB\n"}, 1024000 / 10 * 6},
		{map[string]string{machineTotal: "MemTotal: 1000 kB\n", cgroup2Limit: "max\n"}, 1024000 / 10 * 6},
		{map[string]string{machineTotal: "MemTotal: 1000 kB\n", cgroup2Limit: "512000\n"}, 512000 / 10 * 6},
		{map[string]string{machineTotal: "MemTotal: 1000 kB\n", cgroup1Limit: "9223372036854771712\n"}, 1024000 / 10 * 6},
		{map[string]string{machineTotal: "nonsense", cgroup1Limit: "400000"}, 400000 / 10 * 6},
	} {
		fsys := vfs.NewMem()
		for name, text := range c.files {
			must(t, fsys.MkdirAll(path.Dir(name)))
			must(t, vfs.WriteFile(fsys, name, func(f vfs.File) error { _, err := f.Write([]byte(text)); return err }))
		}
		if got := budgetOf(fsys); got != c.want {
			t.Errorf("%v: %d, want %d", c.files, got, c.want)
		}
	}
}

func TestCompactionMemoryHasALeast(t *testing.T) {
	for memory, ok := range map[int64]bool{-1: false, compact.MemoryMin - 1: false, compact.MemoryMin: true, 0: true} {
		o := testOptions(vfs.NewMem(), newTestClock())
		o.CompactionMemory = memory
		s, err := Open("/db", o)
		if (err == nil) != ok {
			t.Errorf("compaction.memory of %d: %v", memory, err)
		}
		if err == nil {
			must(t, s.Close())
		}
	}
}

// memoryWatch notes the largest memory in use at any creation of, or write to, a file.
type memoryWatch struct {
	vfs.FS
	mu   sync.Mutex
	most uint64
}

func inUse() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func (w *memoryWatch) Create(name string) (vfs.File, error) {
	f, err := w.FS.Create(name)
	return &watchedFile{f, w}, err
}

type watchedFile struct {
	vfs.File
	w *memoryWatch
}

func (f *watchedFile) Write(b []byte) (int, error) {
	f.w.mu.Lock()
	f.w.most = max(f.w.most, inUse())
	f.w.mu.Unlock()
	return f.File.Write(b)
}

func TestAMergeHoldsNoMoreThanCompactionMemory(t *testing.T) {
	w := &memoryWatch{FS: vfs.OS()}
	o := testOptions(w, newTestClock())
	o.Decoder, o.SystemTables, o.Rollups = nil, nil, nil
	o.CompactionMemory = 3 * compact.MemoryMin
	clock := newTestClock()
	o.Now = clock.Now
	s, err := Open(strings.ReplaceAll(t.TempDir(), "\\", "/"), o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.CreateSchema(ctx, "public"))
	table, err := s.CreateTable(ctx, userTable("wide"))
	must(t, err)
	rng := rand.New(rand.NewPCG(5, 5))
	const segments, rows, width = 6, 8_000, 1000 // 48 MB of text that no dictionary holds
	text := make([]byte, width)
	for range segments {
		in, err := s.NewInsert(table)
		must(t, err)
		var row column.RowBuf
		for range rows {
			row.Reset()
			for i := range text {
				text[i] = byte(rng.Uint32())
			}
			row.Int(s.Paths().Intern("n"), rng.Int64())
			row.Bytes(s.Paths().Intern("t"), types.LeafText, text)
			must(t, in.Add(ctx, &row))
		}
		must(t, in.Commit(ctx))
	}
	clock.add(40 * 24 * time.Hour)
	runtime.GC()
	before := inUse()
	w.most = before
	if mergeFully(t, s) == 0 {
		t.Fatal("nothing was merged")
	}
	// Besides, the merge maps its cache, and the collector lets garbage grow to as much as is live.
	cache := uint64(compact.LimitsOf(o.CompactionMemory).CacheBytes)
	grown := w.most - before + cache
	t.Logf("%d MB of values merged; memory grew by %.1f MB at most, garbage included, %.1f MB of it the cache", segments*rows*width>>20, float64(grown)/(1<<20), float64(cache)/(1<<20))
	if grown > uint64(o.CompactionMemory) {
		t.Errorf("memory grew by %d bytes, compaction.memory is %d", grown, o.CompactionMemory)
	}
}

// BenchmarkMergePick is a step of the merge job over 10,000 segments in 400 partitions: when nothing has changed, when a
// partition has, and when five minutes have passed.
func BenchmarkMergePick(b *testing.B) {
	v := plannedVersion(400, 25)
	now := int64(day0+500) * daySeconds
	next := v.apply(edit{drop: v.tables[1][5000:5001]})
	for _, c := range []struct {
		name string
		step func(p *mergePlanner, i int)
	}{
		{"unchanged", func(p *mergePlanner, i int) { p.plan(v, choiceAt(now), everyTable) }},
		{"one changed", func(p *mergePlanner, i int) { p.plan([]*version{v, next}[i%2], choiceAt(now), everyTable) }},
		{"all anew", func(p *mergePlanner, i int) {
			p.plan(v, choiceAt(now+int64(i)*compact.StepSeconds), everyTable)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var p mergePlanner
			i := 0
			for b.Loop() {
				i++
				c.step(&p, i)
			}
		})
	}
}
