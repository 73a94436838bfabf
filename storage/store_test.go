package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// TestMain lets only those goroutines live on that a failed catalog leaves behind: Pebble's, which must never be closed
// then, and the one that is parked in Fatalf.
func TestMain(m *testing.M) {
	const pebble = "github.com/cockroachdb/pebble/v2"
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/telemdb/telemdb/storage/meta.logger.Fatalf"),
		goleak.IgnoreAnyFunction("github.com/telemdb/telemdb/storage/meta.(*gate).park"),
		goleak.IgnoreAnyFunction("github.com/telemdb/telemdb/storage/meta.(*DB).backgroundError"),
		goleak.IgnoreAnyFunction("github.com/telemdb/telemdb/storage/meta.(*DB).open.func1"),
		goleak.IgnoreAnyFunction(pebble+".(*DB).collectTableStats"),
		goleak.IgnoreAnyFunction(pebble+".(*cleanupManager).mainLoop"),
		goleak.IgnoreAnyFunction(pebble+".(*ConcurrencyLimitScheduler).periodicGranter"),
		goleak.IgnoreAnyFunction(pebble+"/record.(*LogWriter).flushLoop"),
		goleak.IgnoreAnyFunction(pebble+"/internal/genericcache.(*shard[...]).releaseLoop"),
	)
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	o := testOptions(vfs.NewMem(), newTestClock())
	o.Manual = false
	s, err := Open("/db", o)
	must(t, err)
	submit(t, s, map[uint64]string{}, testPayload("main", "a", day0, "release", "v", "1"))
	must(t, s.Flush(ctx))
	must(t, s.Close())
	goleak.VerifyNone(t, before)
}

var ctx = context.Background()

// day0 is the day the tests' clock begins with, 2026-07-01.
const day0 = 20635

// testClock is a clock that moves when it is told to.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func newTestClock() *testClock { return &testClock{now: time.Unix(day0*daySeconds+12*3600, 0)} }

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func testOptions(fsys vfs.FS, clock *testClock) Options {
	return Options{
		FS: fsys, Decoder: newTestDecoder, SystemTables: testSystemTables(), Rollups: []Rollup{testRollup{}}, Manual: true,
		Now: clock.Now, WALFileBytes: 256 << 10, HardReserve: -1, DecodeWorker: 2, CacheBytes: 8 << 20,
	}
}

func openTest(t *testing.T, fsys vfs.FS) *Store {
	t.Helper()
	s, err := Open("/db", testOptions(fsys, newTestClock()))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// submit sends submissions and remembers them by LSN.
func submit(t *testing.T, s *Store, subs map[uint64]string, payloads ...[]byte) {
	t.Helper()
	for _, p := range payloads {
		lsn, err := s.Submit(ctx, p[:1], p[1:])
		must(t, err)
		subs[lsn] = string(p)
	}
}

func checkAll(t *testing.T, s *Store, subs map[uint64]string) {
	t.Helper()
	must(t, s.WaitVisible(ctx, s.log.Synced()))
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	must(t, checkRows(sn, subs))
	must(t, checkRollup(sn))
	must(t, checkStore(s))
}

func TestASubmissionIsARowInTheHeadThenInASegmentThenAfterAReopen(t *testing.T) {
	fsys, subs := vfs.NewMem(), map[uint64]string{}
	s := openTest(t, fsys)
	submit(t, s, subs,
		testPayload("main", "a", day0, "release", "v", "1"),
		testPayload("main", "b", day0, "beta", "v", "2"),
		testPayload("main", "a", day0, "release", "v", "3"), // duplicate
		testPayload("main", "c", day0, "release", "v", "x"), // error, which does not block its repeat
		testPayload("main", "c", day0+1, "release", "w", "4"),
		testPayload("crash", "a", day0, "release", "v", "5"),
	)
	checkAll(t, s, subs)
	must(t, s.Flush(ctx))
	checkAll(t, s, subs)
	submit(t, s, subs, testPayload("main", "b", day0, "beta", "v", "6"), testPayload("main", "d", day0, "beta", "v", "7"))
	checkAll(t, s, subs)
	must(t, s.Close())
	s = openTest(t, fsys)
	checkAll(t, s, subs)
	must(t, s.Flush(ctx))
	if st := s.Stats(); st.HeadRows != 0 || st.HeadBytes != 0 || st.Lanes != 0 || st.Sealed != st.Synced {
		t.Errorf("after Flush: %+v", st)
	}
	checkAll(t, s, subs)
	rows, pending := s.Balance()
	if len(rows) != 2 || pending != 0 {
		t.Fatalf("balance %+v, pending %d", rows, pending)
	}
	for _, r := range rows {
		want := BalanceRow{Route: r.Route, Accepted: 7, Rows: 4, Errors: 1, Duplicates: 2}
		if r.Route.Name == "crash" {
			want = BalanceRow{Route: r.Route, Accepted: 1, Rows: 1}
		}
		if r != want {
			t.Errorf("balance %+v, want %+v", r, want)
		}
	}
}

func TestASnapshotSeesOneMomentWhateverHappensMeanwhile(t *testing.T) {
	fsys, subs := vfs.NewMem(), map[uint64]string{}
	s := openTest(t, fsys)
	for i := range 30 {
		submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0-3, "release", "v", "1"))
		if i%10 == 9 {
			must(t, s.Flush(ctx))
		}
	}
	submit(t, s, subs, testPayload("main", "head", day0-3, "release", "v", "1"))
	must(t, s.WaitVisible(ctx, s.log.Synced()))
	old, err := s.Snapshot()
	must(t, err)
	then := map[uint64]string{}
	for k, v := range subs {
		then[k] = v
	}
	submit(t, s, subs, testPayload("main", "later", day0, "release", "w", "1"))
	must(t, s.Flush(ctx))
	did, err := s.MergeOnce(ctx)
	must(t, err)
	if !did {
		t.Fatal("nothing was merged")
	}
	must(t, checkRows(old, then))
	must(t, checkRollup(old))
	kept := s.Stats().ObsoleteFiles
	old.Release()
	old.Release()
	if now := s.Stats().ObsoleteFiles; kept == 0 || now != 0 {
		t.Errorf("%d dropped files were kept for the snapshot, %d after it", kept, now)
	}
	checkAll(t, s, subs)
}

func TestTheSecondOpenerIsRefusedAtOnceWithTheFirstOnesPid(t *testing.T) {
	dir := strings.ReplaceAll(t.TempDir(), "\\", "/") + "/data"
	o := testOptions(vfs.OS(), newTestClock())
	s, err := Open(dir, o)
	must(t, err)
	start := time.Now()
	_, err = Open(dir, o)
	var locked *LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), "pid ") || !strings.Contains(err.Error(), "started 2026-07-01") {
		t.Errorf("second Open: %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %s", took)
	}
	must(t, s.Close())
	s, err = Open(dir, o)
	must(t, err)
	must(t, s.Close())
	must(t, s.Close())
	if _, err := s.Submit(ctx, []byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("Submit after Close: %v", err)
	}
}

func TestANewerFormatIsRefusedWithBothVersions(t *testing.T) {
	fsys := vfs.NewMem()
	must(t, fsys.MkdirAll("/db"))
	must(t, vfs.WriteFile(fsys, "/db/FORMAT", func(f vfs.File) error { _, err := f.Write([]byte("telemdb 7\n")); return err }))
	_, err := Open("/db", testOptions(fsys, newTestClock()))
	if err == nil || !strings.Contains(err.Error(), "format 7") || !strings.Contains(err.Error(), fmt.Sprintf("up to %d:", meta.FormatVersion)) {
		t.Errorf("Open: %v", err)
	}
	if names, _ := fsys.List("/db"); strings.Join(names, " ") != "FORMAT LOCK" {
		t.Errorf("the refused directory was changed: %v", names)
	}
}

func userTable(name string) *types.Table {
	return &types.Table{Schema: "public", Name: name, PartitionBy: "d", SortKey: []string{"n"}, Columns: []types.Column{
		{Name: "n", Type: types.Of(types.Int64)}, {Name: "d", Type: types.Of(types.Date)}, {Name: "t", Type: types.Of(types.Text)}}}
}

func userRow(s *Store, n int64, day int64, text string) *column.RowBuf {
	r := &column.RowBuf{}
	r.Int(s.Paths().Intern("n"), n)
	if day != 0 {
		r.Int(s.Paths().Intern("d"), day)
	}
	if text != "" {
		r.Text(s.Paths().Intern("t"), text)
	}
	return r
}

// userRows reads a table of userTable's shape: n -> text of the row.
func userRows(t *testing.T, s *Store, n types.TableName) map[string]int {
	t.Helper()
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	byLSN, err := readTable(sn, n)
	must(t, err)
	out := map[string]int{}
	for _, rows := range byLSN {
		for _, r := range rows {
			out[r]++
		}
	}
	return out
}

func TestInsertedRowsAreVisibleAtOnceShortOrLong(t *testing.T) {
	fsys := vfs.NewMem()
	s := openTest(t, fsys)
	s.shortInsert = 3000
	if _, err := s.CreateTable(ctx, userTable("a")); !errors.Is(err, ErrNotFound) {
		t.Errorf("CreateTable in a schema that is not there: %v", err)
	}
	must(t, s.CreateSchema(ctx, "public"))
	a, err := s.CreateTable(ctx, userTable("a"))
	must(t, err)
	must(t, s.InsertRows(ctx, a, []*column.RowBuf{userRow(s, 1, day0, "x"), userRow(s, 2, 0, ""), {}}))
	var long []*column.RowBuf
	for i := range int64(200) {
		long = append(long, userRow(s, 100+i, day0+i%3, strings.Repeat("y", 50)))
	}
	must(t, s.InsertRows(ctx, a, long))
	check := func() {
		t.Helper()
		got := userRows(t, s, a.FullName())
		if len(got) != 203 || got[fmt.Sprintf("d=%d n=1 t=x", day0)] != 1 || got["n=2"] != 1 || got[""] != 1 {
			t.Errorf("%d different rows: %v", len(got), got)
		}
	}
	check()
	if st := s.Stats(); st.Segments == 0 || st.HeadRows != 3 {
		t.Errorf("the long insert should be in segments, the short one in the head: %+v", st)
	}
	in, err := s.NewInsert(a)
	must(t, err)
	for _, r := range long {
		must(t, in.Add(ctx, r))
	}
	must(t, in.Abort())
	check()
	must(t, s.Close())
	s = openTest(t, fsys)
	check()
	must(t, s.Flush(ctx))
	check()
	must(t, checkStore(s))
}

func TestDroppedTablesTakeTheirRowsAlong(t *testing.T) {
	fsys, subs := vfs.NewMem(), map[uint64]string{}
	s := openTest(t, fsys)
	must(t, s.CreateSchema(ctx, "public"))
	a, err := s.CreateTable(ctx, userTable("a"))
	must(t, err)
	must(t, s.InsertRows(ctx, a, []*column.RowBuf{userRow(s, 1, day0, "sealed")}))
	must(t, s.Flush(ctx))
	must(t, s.InsertRows(ctx, a, []*column.RowBuf{userRow(s, 2, day0, "head")}))
	if _, err := s.CreateTable(ctx, userTable("a")); !errors.Is(err, ErrExists) {
		t.Errorf("second CreateTable: %v", err)
	}
	if err := s.DropSchema(ctx, "public"); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("DropSchema: %v", err)
	}
	if err := s.DropTable(ctx, ErrorsTable); !errors.Is(err, ErrSystem) {
		t.Errorf("DropTable of a system table: %v", err)
	}
	must(t, s.DropTable(ctx, a.FullName()))
	b, err := s.CreateTable(ctx, userTable("a"))
	must(t, err)
	if b.ID == a.ID {
		t.Error("an id was given twice")
	}
	if err := s.InsertRows(ctx, a, []*column.RowBuf{userRow(s, 3, day0, "")}); !errors.Is(err, ErrNotFound) {
		t.Errorf("insert into a dropped table: %v", err)
	}
	submit(t, s, subs, testPayload("main", "k", day0, "release", "v", "1"), testPayload("main", "k", day0, "release", "v", "2"))
	must(t, s.WaitVisible(ctx, s.log.Synced()))
	must(t, s.DropTable(ctx, types.TableName{Schema: "telemetry", Name: "main"}))
	for range 2 {
		if got := userRows(t, s, a.FullName()); len(got) != 0 {
			t.Errorf("rows of the dropped table: %v", got)
		}
		if got := userRows(t, s, types.TableName{Schema: "telemetry", Name: "main"}); len(got) != 0 {
			t.Errorf("rows of the dropped ping table: %v", got)
		}
		if got := userRows(t, s, DuplicatesTable); len(got) != 1 {
			t.Errorf("duplicates: %v", got)
		}
		must(t, s.Close())
		s = openTest(t, fsys)
	}
	submit(t, s, subs, testPayload("main", "new", day0, "release", "v", "3"))
	must(t, s.Flush(ctx))
	if got := userRows(t, s, types.TableName{Schema: "telemetry", Name: "main"}); len(got) != 1 {
		t.Errorf("rows after the table came back: %v", got)
	}
	var problems []string
	must(t, s.Check(func(p Problem) { problems = append(problems, p.String()) }))
	for _, p := range problems {
		if !strings.HasPrefix(p, "rollups.") { // states outlive the rows of a dropped table
			t.Error(p)
		}
	}
}

func TestViewsAndSchemasAreDurable(t *testing.T) {
	fsys := vfs.NewMem()
	s := openTest(t, fsys)
	must(t, s.CreateSchema(ctx, "x"))
	v := View{Schema: "x", Name: "v", SQL: "SELECT 1"}
	must(t, s.CreateView(ctx, v, false))
	if err := s.CreateView(ctx, v, false); !errors.Is(err, ErrExists) {
		t.Errorf("CreateView twice: %v", err)
	}
	v.SQL = "SELECT 2"
	must(t, s.CreateView(ctx, v, true))
	must(t, s.Close())
	s = openTest(t, fsys)
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	if vs := sn.Views(); len(vs) != 1 || vs[0].SQL != "SELECT 2" || vs[0].ID == 0 {
		t.Errorf("views %+v", vs)
	}
	before := sn.Version()
	must(t, s.DropView(ctx, v.FullName()))
	must(t, s.DropSchema(ctx, "x"))
	after, err := s.Snapshot()
	must(t, err)
	defer after.Release()
	if after.Version() == before || len(after.Views()) != 0 {
		t.Errorf("version %d then %d, views %v", before, after.Version(), after.Views())
	}
}

func TestATableOfTheUserIsNotFilledBySubmissions(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	submit(t, s, map[uint64]string{}, testPayload("other", "k", day0, "release", "v", "1"))
	must(t, s.WaitVisible(ctx, s.log.Synced()))
	own := userTable("mine")
	own.Schema = "telemetry"
	_, err := s.CreateTable(ctx, own)
	must(t, err)
	submit(t, s, map[uint64]string{}, testPayload("mine", "k", day0, "release", "v", "1"))
	must(t, s.Flush(ctx))
	if got := userRows(t, s, own.FullName()); len(got) != 0 {
		t.Errorf("rows %v", got)
	}
	if got := userRows(t, s, ErrorsTable); len(got) != 1 {
		t.Errorf("errors %v", got)
	}
}

func TestABusyTableSealsWithoutTheQuietOnes(t *testing.T) {
	fsys, subs := vfs.NewMem(), map[uint64]string{}
	clock := newTestClock()
	o := testOptions(fsys, clock)
	o.SealBytes = 20_000
	s, err := Open("/db", o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	submit(t, s, subs, testPayload("quiet", "q", day0, "release", "v", "1"))
	seals := 0
	for i := range 2000 {
		submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0, "release", "v", "1"))
		if i%200 != 199 {
			continue
		}
		must(t, s.WaitVisible(ctx, s.log.Synced()))
		did, err := s.SealOnce(ctx)
		must(t, err)
		if did {
			seals++
		}
	}
	if st := s.Stats(); seals < 3 || st.Lanes < 1 || st.Sealed != 0 {
		t.Errorf("%d seals, the quiet lane should hold the log's mark at 0: %+v", seals, st)
	}
	checkAll(t, s, subs)
	clock.add(o.SealMaxAge + 11*time.Minute)
	for {
		did, err := s.SealOnce(ctx)
		must(t, err)
		if !did {
			break
		}
	}
	if st := s.Stats(); st.Lanes != 0 || st.Sealed != st.Synced {
		t.Errorf("age should have sealed all: %+v", st)
	}
	checkAll(t, s, subs)
}

func TestErrorsDuplicatesAndKeysExpire(t *testing.T) {
	subs := map[uint64]string{}
	clock := newTestClock()
	s, err := Open("/db", testOptions(vfs.NewMem(), clock))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	submit(t, s, subs,
		testPayload("main", "a", day0, "release", "v", "1"),
		testPayload("main", "a", day0, "release", "v", "2"),
		testPayload("main", "b", day0, "release", "v", "bad"))
	must(t, s.Flush(ctx))
	counts := func() [2]int { return [2]int{len(userRows(t, s, ErrorsTable)), len(userRows(t, s, DuplicatesTable))} }
	for _, step := range []struct {
		days int
		want [2]int
	}{{1, [2]int{1, 1}}, {15, [2]int{1, 0}}, {15, [2]int{0, 0}}} {
		clock.add(time.Duration(step.days) * 24 * time.Hour)
		must(t, s.ExpireOnce(ctx))
		if got := counts(); got != step.want {
			t.Errorf("after %d more days: %v errors and duplicates, want %v", step.days, got, step.want)
		}
		must(t, checkStore(s))
	}
	if _, held, err := s.meta.Holder([]byte("main/a")); held || err != nil {
		t.Errorf("the key is still held, %v", err)
	}
}

func TestARollupNewToADirectoryIsBuiltFromItsRows(t *testing.T) {
	fsys, subs := vfs.NewMem(), map[uint64]string{}
	o := testOptions(fsys, newTestClock())
	o.Rollups = nil
	s, err := Open("/db", o)
	must(t, err)
	for i := range 20 {
		submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0+i%2, "release", "v", fmt.Sprint(i)))
	}
	must(t, s.Flush(ctx))
	submit(t, s, subs, testPayload("main", "unsealed", day0, "release", "v", "5"))
	must(t, s.Close())
	s = openTest(t, fsys)
	checkAll(t, s, subs)
	must(t, s.Close())
	if s, err := Open("/db", o); err == nil {
		t.Error("a directory with a roll-up was opened without it")
		must(t, s.Close())
	}
}

func TestAFullDiskRefusesSubmissionsAndNothingElse(t *testing.T) {
	crash, subs := vfs.NewCrash(), map[uint64]string{}
	clock := newTestClock()
	o := testOptions(crash, clock)
	o.HardReserve = 1000
	crash.SetUsage(vfs.Usage{Total: 1 << 40, Free: 1 << 39})
	s, err := Open("/db", o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	submit(t, s, subs, testPayload("main", "a", day0, "release", "v", "1"))
	crash.SetUsage(vfs.Usage{Total: 1 << 40, Free: 999})
	clock.add(2 * time.Second)
	if _, err := s.Submit(ctx, []byte("main b 1 c v 1")); !errors.Is(err, ErrFull) {
		t.Errorf("Submit on a full disk: %v", err)
	}
	checkAll(t, s, subs)
	crash.SetUsage(vfs.Usage{Total: 1 << 40, Free: 1 << 39})
	clock.add(2 * time.Second)
	submit(t, s, subs, testPayload("main", "b", day0, "release", "v", "1"))
	checkAll(t, s, subs)
}

func TestAMissingSegmentFailsItsReadersAndIsReported(t *testing.T) {
	fsys, subs := vfs.NewMem(), map[uint64]string{}
	s := openTest(t, fsys)
	submit(t, s, subs, testPayload("main", "a", day0, "release", "v", "1"), testPayload("crash", "a", day0, "release", "v", "1"))
	must(t, s.Flush(ctx))
	list, err := s.Segments()
	must(t, err)
	must(t, s.Close())
	for _, e := range list {
		if e.Table.Name == "main" {
			must(t, fsys.Remove("/db/segments/"+e.File))
		}
	}
	must(t, vfs.WriteFile(fsys, "/db/segments/000000000000.seg", func(f vfs.File) error { _, err := f.Write([]byte("x")); return err }))
	s = openTest(t, fsys)
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	if _, err := readTable(sn, types.TableName{Schema: "telemetry", Name: "main"}); err == nil {
		t.Error("a missing segment was read")
	}
	if rows, err := readTable(sn, types.TableName{Schema: "telemetry", Name: "crash"}); err != nil || len(rows) != 1 {
		t.Errorf("the other table: %v, %v", rows, err)
	}
	if d := s.Damage(); len(d) != 2 {
		t.Errorf("damage %v, want the missing file and the strange one", d)
	}
	if err := checkStore(s); err == nil {
		t.Error("Check found nothing")
	}
}

func TestReadersWritersAndJobsTogether(t *testing.T) {
	o := testOptions(vfs.NewMem(), newTestClock())
	o.Manual, o.SealBytes, o.HeadMaxBytes = false, 10_000, 60_000
	s, err := Open("/db", o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	const writers, each = 4, 300
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprintf("%d-%d", w, i-i%10*(w%2)) // some writers repeat keys
				if _, err := s.Submit(ctx, testPayload("main", key, day0+i%2, "release", "v", "1")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sn, err := s.Snapshot()
				if err == nil {
					err = checkRollup(sn)
					sn.Release()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	must(t, s.Flush(ctx))
	close(stop)
	readers.Wait()
	for {
		did, err := s.MergeOnce(ctx)
		must(t, err)
		if !did {
			break
		}
	}
	rows, _ := s.Balance()
	if len(rows) != 1 || rows[0].Accepted != writers*each {
		t.Errorf("balance %+v", rows)
	}
	must(t, checkStore(s))
	if lag := s.Lag(); lag != 0 {
		t.Errorf("lag %s with everything visible", lag)
	}
}

func TestRowRecordsAreReadBackAsWrittenAndNothingElseIs(t *testing.T) {
	in := column.NewInterner()
	e := newRowEncoder(7, in)
	var row column.RowBuf
	row.Bool(in.Intern("b"), true)
	row.Int(in.Intern("i"), -5)
	row.Float(in.Intern("f"), 1.5)
	row.Text(in.Intern(types.MakePath("j", "k")), "x")
	e.add(&row)
	e.add(&column.RowBuf{})
	payload := bytes.Join(e.parts(), nil)
	for cut := range len(payload) + 1 {
		d, err := openRows(payload[:cut], in)
		rows := 0
		for err == nil {
			var got column.RowBuf
			var more bool
			if more, err = d.next(&got); !more {
				break
			}
			if rows == 0 && fmt.Sprint(got.Values) != fmt.Sprint(row.Values) {
				t.Errorf("row %v, want %v", got.Values, row.Values)
			}
			rows++
		}
		if cut == len(payload) && (err != nil || rows != 2) {
			t.Errorf("whole record: %d rows, %v", rows, err)
		}
	}
}

func FuzzRowRecord(f *testing.F) {
	in := column.NewInterner()
	e := newRowEncoder(7, in)
	var row column.RowBuf
	row.Text(in.Intern("a"), "x")
	row.Int(in.Intern("b"), 1)
	e.add(&row)
	f.Add(bytes.Join(e.parts(), nil))
	f.Fuzz(func(t *testing.T, payload []byte) {
		d, err := openRows(payload, column.NewInterner())
		for more := true; err == nil && more; {
			var got column.RowBuf
			more, err = d.next(&got)
		}
	})
}
