package meta

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

const dir = "/db/meta"

func open(t testing.TB, fsys vfs.FS) *DB {
	t.Helper()
	db, err := Open(Options{FS: fsys, Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var (
	routeA = types.TableName{Schema: "telemetry", Name: "main"}
	routeB = types.TableName{Schema: "", Name: "17"}
)

// fill puts one of everything into a batch.
func fill(b *Batch) {
	b.PutSchema("telemetry")
	b.PutTable(&types.Table{ID: 3, Schema: "telemetry", Name: "main", Kind: types.TablePing, Columns: types.PingColumns[:2]})
	b.PutView(&View{ID: 4, Schema: "public", Name: "v", SQL: "SELECT 1", Columns: []types.Column{{Name: "a", Type: types.Of(types.Int32)}}})
	b.PutSegment(&Segment{ID: 9, Table: 3, From: 5, To: 6, Bulk: true, Meta: segment.Meta{Rows: 7, Bytes: 100, GroupRows: []int{7}}})
	b.DropSegment(3, 8)
	b.SetBuilding([]uint64{10, 12})
	b.SetNextTable(5)
	b.SetNextSegment(13)
	b.SetLogMark(40)
	b.SetLogSynced(44)
	b.SetMark(routeA, 50)
	b.SetMark(routeB, 60)
	b.PutBalance(routeA, Balance{Rows: 1, Errors: 2, Duplicates: 3, Removed: 4})
	b.PutKey([]byte("k1"), 33, 20000)
	b.PutKey([]byte("k2"), 34, 20001)
}

func TestEverythingPutIsThereAfterACrashAndAnOpen(t *testing.T) {
	crash := vfs.NewCrash()
	db := open(t, crash)
	b := db.NewBatch()
	fill(b)
	must(t, db.Commit(b))
	after := open(t, crash.CrashClone(rand.New(rand.NewPCG(1, 1)), 0))
	defer func() { must(t, after.Close()) }()
	must(t, db.Close())
	s, err := after.Load()
	must(t, err)
	want := &State{
		Schemas:  []string{"telemetry"},
		Tables:   []*types.Table{{ID: 3, Schema: "telemetry", Name: "main", Kind: types.TablePing, Columns: types.PingColumns[:2]}},
		Views:    []*View{{ID: 4, Schema: "public", Name: "v", SQL: "SELECT 1", Columns: []types.Column{{Name: "a", Type: types.Of(types.Int32)}}}},
		Segments: []*Segment{{ID: 9, Table: 3, From: 5, To: 6, Bulk: true, Meta: segment.Meta{Rows: 7, Bytes: 100, GroupRows: []int{7}}}},
		Obsolete: []uint64{8}, Building: []uint64{10, 12}, NextTable: 5, NextSegment: 13, LogMark: 40, LogSynced: 44,
		Marks:   map[types.TableName]uint64{routeA: 50, routeB: 60},
		Balance: map[types.TableName]Balance{routeA: {Rows: 1, Errors: 2, Duplicates: 3, Removed: 4}},
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Errorf("state (-want +got):\n%s", d)
	}
	for key, want := range map[string]uint64{"k1": 33, "k2": 34} {
		if lsn, ok, err := after.Holder([]byte(key)); lsn != want || !ok || err != nil {
			t.Errorf("holder of %s: %d, %v, %v", key, lsn, ok, err)
		}
	}
	if _, ok, err := after.Holder([]byte("k")); ok || err != nil {
		t.Errorf("a key nobody put is held: %v, %v", ok, err)
	}
}

// TestAStoreOfFormat1IsReadAndRaised: its manifest entries are JSON.
func TestAStoreOfFormat1IsReadAndRaised(t *testing.T) {
	fs := vfs.NewMem()
	db := open(t, fs)
	b := db.NewBatch()
	b.set(formatKey, []byte{1, 0, 0, 0})
	b.set(segmentKey(3, 9), []byte(`{"id":9,"table":3,"from":5,"to":6,"bulk":true,"meta":{"id":9,"table":3,"rows":7,"bytes":100,"group_rows":[7],`+
		`"columns":[{"name":"a","leaf":4,"stats":{"rows":7,"present":7,"bounded":true,"minb":"YQ==","maxb":"Yg=="}}]}}`))
	must(t, db.Commit(b))
	must(t, db.Close())
	db = open(t, fs)
	defer func() { must(t, db.Close()) }()
	s, err := db.Load()
	must(t, err)
	want := []*Segment{{ID: 9, Table: 3, From: 5, To: 6, Bulk: true, Meta: segment.Meta{ID: 9, TableID: 3, Rows: 7, Bytes: 100, GroupRows: []int{7},
		Columns: []segment.ColumnMeta{{Name: "a", Leaf: types.LeafText,
			Stats: column.Stats{Rows: 7, Present: 7, Bounded: true, MinB: []byte("a"), MaxB: []byte("b")}}}}}}
	if d := cmp.Diff(want, s.Segments); d != "" {
		t.Errorf("segments (-want +got):\n%s", d)
	}
	if f, err := db.Format(); f != FormatVersion || err != nil {
		t.Errorf("format %d, %v", f, err)
	}
}

func TestWhatIsDroppedIsGone(t *testing.T) {
	db := open(t, vfs.NewMem())
	defer func() { must(t, db.Close()) }()
	b := db.NewBatch()
	fill(b)
	must(t, db.Commit(b))
	b = db.NewBatch()
	b.DropSchema("telemetry")
	b.DropTable(3)
	b.DropView(types.TableName{Schema: "public", Name: "v"})
	b.DropSegment(3, 9)
	b.ForgetFile(8)
	b.DropMark(routeB)
	must(t, db.Commit(b))
	s, err := db.Load()
	must(t, err)
	if len(s.Schemas)+len(s.Tables)+len(s.Views)+len(s.Segments) != 0 {
		t.Errorf("left: %+v", s)
	}
	if d := cmp.Diff([]uint64{9}, s.Obsolete); d != "" {
		t.Errorf("obsolete: %s", d)
	}
	if d := cmp.Diff(map[types.TableName]uint64{routeA: 50}, s.Marks); d != "" {
		t.Errorf("marks: %s", d)
	}
}

func TestKeysExpireByDayInSteps(t *testing.T) {
	db := open(t, vfs.NewMem())
	defer func() { must(t, db.Close()) }()
	b := db.NewBatch()
	for i := range 100 {
		b.PutKey(fmt.Appendf(nil, "key%03d", i), uint64(i+1), int32(i%10))
	}
	must(t, db.Commit(b))
	removed, steps := 0, 0
	var cursor []byte
	for {
		next, n, err := db.ExpireKeys(cursor, 4, 7)
		must(t, err)
		removed += n
		steps++
		if cursor = next; cursor == nil {
			break
		}
	}
	if removed != 40 || steps < 100/7 {
		t.Errorf("%d keys removed in %d steps, want 40 in about 15", removed, steps)
	}
	left := 0
	must(t, db.Keys(func(_ []byte, _ uint64, day int32) error {
		left++
		if day < 4 {
			t.Errorf("a key of day %d is left", day)
		}
		return nil
	}))
	if left != 60 {
		t.Errorf("%d keys left, want 60", left)
	}
}

// TestAFailedSyncFailsTheInstanceAndNothingElse: Commit returns the failure, no goroutine of Pebble touches a file any
// more, Close releases the directory, and the next Open finds a whole state.
func TestAFailedSyncFailsTheInstanceAndNothingElse(t *testing.T) {
	mem := vfs.NewMem()
	in := vfs.NewInjector()
	told := make(chan error, 1)
	db, err := Open(Options{FS: vfs.Fault(mem, in), Dir: dir, Logger: slog.New(slog.DiscardHandler), OnFailed: func(err error) { told <- err }})
	must(t, err)
	b := db.NewBatch()
	b.SetLogMark(1)
	must(t, db.Commit(b))
	broken := errors.New("broken disk")
	in.Add(vfs.Rule{Ops: vfs.Ops(vfs.OpSync, vfs.OpSyncData), Sticky: true, Err: broken})
	b = db.NewBatch()
	b.SetLogMark(2)
	if err := db.Commit(b); !errors.Is(err, ErrFailed) {
		t.Fatalf("Commit: %v, want ErrFailed", err)
	}
	if err := <-told; !errors.Is(err, ErrFailed) {
		t.Errorf("OnFailed was told %v", err)
	}
	if _, err := db.Load(); !errors.Is(err, ErrFailed) {
		t.Errorf("Load after the failure: %v", err)
	}
	if _, _, err := db.Holder([]byte("k")); !errors.Is(err, ErrFailed) {
		t.Errorf("Holder after the failure: %v", err)
	}
	in.Clear()
	if err := db.Commit(db.NewBatch()); !errors.Is(err, ErrFailed) {
		t.Errorf("Commit after the failure: %v", err)
	}
	must(t, db.Close())
	again := open(t, mem)
	defer func() { must(t, again.Close()) }()
	s, err := again.Load()
	must(t, err)
	if s.LogMark != 1 && s.LogMark != 2 {
		t.Errorf("mark %d after the failure, want 1 or 2", s.LogMark)
	}
}

func TestANewerFormatIsRefused(t *testing.T) {
	mem := vfs.NewMem()
	db := open(t, mem)
	b := db.NewBatch()
	b.set(formatKey, []byte{99, 0, 0, 0})
	must(t, db.Commit(b))
	must(t, db.Close())
	if db, err := Open(Options{FS: mem, Dir: dir, Logger: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("format 99 was opened")
		must(t, db.Close())
	}
}

func BenchmarkHolderOfAnUnknownKey(b *testing.B) {
	db, err := Open(Options{FS: vfs.NewMem(), Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	batch := db.NewBatch()
	for i := range 200_000 {
		batch.PutKey(fmt.Appendf(nil, "telemetry/main/%032d", i*2), uint64(i), 0)
	}
	if err := db.Commit(batch); err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		i++
		if _, ok, err := db.Holder(fmt.Appendf(nil, "telemetry/main/%032d", i*2+1)); ok || err != nil {
			b.Fatal(ok, err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLoad reads the manifest of 10,000 segments with the top-level columns of a ping table: what an open waits for.
func BenchmarkLoad(b *testing.B) {
	db := open(b, vfs.NewMem())
	defer func() { must(b, db.Close()) }()
	m := segment.Meta{Rows: 25000, Bytes: 9 << 20, ValueBytes: 40 << 20, SortKey: types.PingSortKey, GroupRows: []int{25000}}
	for _, c := range types.PingColumns {
		s := column.Stats{Rows: 25000, Present: 25000, Bounded: true}
		leaf := types.LeafOf(c.Type)
		if leaf == types.LeafInt {
			s.MinI, s.MaxI = 1<<40, 1<<41
		} else {
			s.MinB, s.MaxB = []byte("00000000-0000-0000-0000-00000000"), []byte("ffffffff-ffff-ffff-ffff-ffffffffffff")[:32]
		}
		m.Columns = append(m.Columns, segment.ColumnMeta{Name: c.Name, Leaf: leaf, Stats: s})
	}
	batch := db.NewBatch()
	for i := range uint64(10_000) {
		batch.PutSegment(&Segment{ID: i, Table: uint32(i % 7), Meta: m})
	}
	must(b, db.Commit(batch))
	entry, err := (&Segment{Meta: m}).append(nil)
	must(b, err)
	b.ResetTimer()
	for range b.N {
		s, err := db.Load()
		must(b, err)
		if len(s.Segments) != 10_000 {
			b.Fatal(len(s.Segments))
		}
	}
	b.ReportMetric(float64(len(entry)), "bytes/segment")
}
