package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// segmentOf returns the one segment of a table.
func segmentOf(t *testing.T, s *Store, n types.TableName, nth int) SegmentInfo {
	t.Helper()
	list, err := s.Segments()
	must(t, err)
	for _, f := range list {
		if f.Table == n {
			if nth == 0 {
				return f
			}
			nth--
		}
	}
	t.Fatalf("table %s has too few segments", n)
	return SegmentInfo{}
}

// flipByte changes a byte of a file.
func flipByte(t *testing.T, fsys vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fsys.OpenReadWrite(name)
	must(t, err)
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	must(t, err)
	b[0] ^= 0x40
	_, err = f.WriteAt(b[:], at)
	must(t, err)
	must(t, f.Close())
}

const firstChunk = 64 // offset, behind a segment's header

// damagedStore has three segments of telemetry.main, of one partition, of which the second has a bad first chunk, and one
// of telemetry.crash.
func damagedStore(t *testing.T, fsys vfs.FS, clock *testClock) (*Store, SegmentInfo) {
	t.Helper()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	for i, table := range []string{"main", "main", "main", "crash"} {
		for k := range 5 {
			submit(t, s, map[uint64]string{}, testPayload(table, fmt.Sprintf("k%d.%d", i, k), day0, "release", "v", fmt.Sprint(k)))
		}
		must(t, s.Flush(ctx))
	}
	bad := segmentOf(t, s, mainTable, 1)
	flipByte(t, fsys, "/db/segments/"+bad.File, firstChunk+3)
	return s, bad
}

// readColumns reads every column of a table on its own and returns the errors.
func readColumns(t *testing.T, s *Store, n types.TableName) (read int, errs []error) {
	t.Helper()
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	src, err := sn.Source(tableNamed(t, s, n))
	must(t, err)
	for _, m := range src.Morsels() {
		g, err := m.Open()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, c := range g.Under("") {
			if _, err := wholeColumn(g, c.Path(), c.Leaf()); err != nil {
				errs = append(errs, err)
			} else {
				read++
			}
		}
	}
	return read, errs
}

func TestABadBlockFailsOnlyItsReadersAndIsRecordedOnce(t *testing.T) {
	fsys, clock := vfs.NewMem(), newTestClock()
	s, bad := damagedStore(t, fsys, clock)
	for range 3 {
		read, errs := readColumns(t, s, mainTable)
		if len(errs) != 1 || read == 0 {
			t.Fatalf("%d columns read, errors %v; want one column to fail", read, errs)
		}
		if !errors.Is(errs[0], column.ErrCorrupt) || !strings.Contains(errs[0].Error(), bad.File) || !strings.Contains(errs[0].Error(), "offset 64") {
			t.Errorf("the error %q does not name file and offset", errs[0])
		}
	}
	check := func(s *Store) {
		t.Helper()
		d := s.Damage()
		if len(d) != 1 {
			t.Fatalf("damage %+v, want one row", d)
		}
		if d[0].File != "segments/"+bad.File || d[0].Segment != bad.ID || d[0].Table != mainTable || d[0].Offset != firstChunk || d[0].Column == "" ||
			d[0].By != "query" || d[0].State != DamageOpen || d[0].FirstLSN != bad.MinLSN || d[0].LastLSN != bad.MaxLSN || !d[0].Found.Equal(clock.Now()) {
			t.Errorf("damage %+v of segment %+v", d[0], bad)
		}
		if s.Stats().Damage != 1 {
			t.Errorf("the metric says %d", s.Stats().Damage)
		}
	}
	check(s)
	if _, errs := readColumns(t, s, types.TableName{Schema: "telemetry", Name: "crash"}); len(errs) > 0 {
		t.Errorf("another table: %v", errs)
	}
	must(t, s.Close())
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	check(s)
	if !s.InLandfill(bad.MinLSN, bad.MaxLSN) || s.InLandfill(0, 1) || s.InLandfill(1, s.log.Synced()+1) {
		t.Error("the landfill has the records 1 to the end, no others")
	}
}

func TestADamagedSegmentIsNotMergedButMayBeDropped(t *testing.T) {
	for _, how := range []string{"drop", "retention"} {
		t.Run(how, func(t *testing.T) {
			fsys, clock := vfs.NewMem(), newTestClock()
			s, bad := damagedStore(t, fsys, clock)
			defer func() { must(t, s.Close()) }()
			_, errs := readColumns(t, s, mainTable)
			if len(errs) != 1 {
				t.Fatal(errs)
			}
			clock.add(48 * time.Hour)
			mergeAll(t, s)
			if f := segmentOf(t, s, mainTable, 1); f.ID != bad.ID {
				t.Fatalf("the second segment is %d, want the bad one, %d, where it was", f.ID, bad.ID)
			}
			if how == "drop" {
				must(t, s.DropTable(ctx, mainTable))
			} else {
				must(t, s.SetRetention(ctx, mainTable, types.Retention{Days: 1}))
				must(t, s.ExpireOnce(ctx))
			}
			if d := s.Damage(); d[0].State != DamageGone || d[0].Settled.IsZero() || s.Stats().Damage != 0 {
				t.Errorf("damage %+v, want it gone", d)
			}
			must(t, checkStore(s))
		})
	}
}

func mergeAll(t *testing.T, s *Store) {
	t.Helper()
	for range 100 {
		did, err := s.MergeOnce(ctx)
		must(t, err)
		if !did {
			return
		}
	}
	t.Fatal("merges do not end")
}

func TestAMergeThatMeetsABadBlockQuarantinesItsFileAndMergesTheRest(t *testing.T) {
	fsys, clock := vfs.NewMem(), newTestClock()
	s, bad := damagedStore(t, fsys, clock)
	defer func() { must(t, s.Close()) }()
	for i := range 2 {
		submit(t, s, map[uint64]string{}, testPayload("main", fmt.Sprint("more", i), day0, "release", "v", "1"))
		must(t, s.Flush(ctx))
	}
	clock.add(48 * time.Hour)
	var met error
	for range 20 {
		did, err := s.MergeOnce(ctx)
		if err != nil {
			met = err
		} else if !did {
			break
		}
	}
	if !errors.Is(met, column.ErrCorrupt) {
		t.Fatalf("the merges met %v, want the bad block", met)
	}
	if d := s.Damage(); len(d) != 1 || d[0].By != "merge" || d[0].Segment != bad.ID {
		t.Errorf("damage %+v", d)
	}
	list, err := s.Segments()
	must(t, err)
	n := 0
	for _, f := range list {
		if f.Table == mainTable {
			n++
		}
	}
	if n != 3 { // one before, the bad one, one behind
		t.Errorf("%d segments are left, want 3", n)
	}
}

func TestFilesThatAreMissingShortSwappedOrStrangeAreFoundByOpen(t *testing.T) {
	fsys, clock := vfs.NewMem(), newTestClock()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	tables := []string{"main", "crash", "event", "health", "core"}
	name := func(i int) types.TableName { return types.TableName{Schema: "telemetry", Name: tables[i]} }
	for _, n := range tables {
		submit(t, s, map[uint64]string{}, testPayload(n, "a", day0, "release", "v", "1"))
		must(t, s.Flush(ctx))
	}
	file := func(i int) string { return "/db/segments/" + segmentOf(t, s, name(i), 0).File }
	f0, f1, f2, f3 := file(0), file(1), file(2), file(3)
	must(t, s.Close())
	content := func(n string) []byte { b, err := vfs.ReadFile(fsys, n); must(t, err); return b }
	write := func(n string, b []byte) {
		must(t, vfs.WriteFile(fsys, n, func(f vfs.File) error { _, err := f.Write(b); return err }))
	}
	missing, short := content(f0), content(f1)
	must(t, fsys.Remove(f0))
	write(f1, short[:len(short)-1])
	a, b := content(f2), content(f3)
	write(f2, b)
	write(f3, a)
	write("/db/segments/000000000000.seg", []byte("x"))

	s, err = Open("/db", testOptions(fsys, clock))
	must(t, err)
	for i := range 4 {
		if _, errs := readColumns(t, s, name(i)); len(errs) == 0 || !errors.Is(errs[0], column.ErrCorrupt) {
			t.Errorf("table %s: %v, want it to be degraded", name(i), errs)
		}
	}
	if read, errs := readColumns(t, s, name(4)); read == 0 || len(errs) > 0 {
		t.Errorf("the table that is whole: %v", errs)
	}
	by := map[string]string{}
	for _, d := range s.Damage() {
		if n := "/db/" + d.File; by[n] == "" {
			by[n] = d.By
		}
	}
	for _, n := range []string{f0, f1, f2, f3, "/db/segments/000000000000.seg"} {
		if by[n] == "" {
			t.Errorf("no damage row for %s", n)
		}
	}
	if by[f0] != "open" || by[f1] != "open" || len(by) != 5 {
		t.Errorf("found by %v", by)
	}
	must(t, s.Close())

	write(f0, missing)
	write(f1, short)
	write(f2, a)
	write(f3, b)
	must(t, fsys.Remove("/db/segments/000000000000.seg"))
	s, err = Open("/db", testOptions(fsys, clock))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.ScrubOnce(ctx))
	for _, d := range s.Damage() {
		want := DamageRepaired
		if d.Kind == "file" {
			want = DamageGone
		}
		if d.State != want {
			t.Errorf("%s is %s, want %s", d.File, d.State, want)
		}
	}
	must(t, checkStore(s))
}

func TestLostRecordsOfTheLogAreRecordedBeforeTheStoreGoesOn(t *testing.T) {
	fsys, clock := vfs.NewMem(), newTestClock()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	for i := range 20 {
		submit(t, s, map[uint64]string{}, testPayload("main", fmt.Sprint(i), day0, "release", "v", "1"))
	}
	name := s.WALFiles()[0].Name
	must(t, s.Close())
	raw, err := vfs.ReadFile(fsys, "/db/wal/"+name)
	must(t, err)
	flipByte(t, fsys, "/db/wal/"+name, int64(bytes.Index(raw, testPayload("main", "7", day0, "release", "v", "1"))))
	s, err = Open("/db", testOptions(fsys, clock))
	must(t, err)
	var lost uint64
	for _, d := range s.Damage() {
		if d.Kind != "log" || d.File != "wal/"+name || d.By != "open" || d.FirstLSN == 0 || d.State != DamageOpen {
			t.Errorf("damage %+v", d)
		}
		lost += d.LastLSN - d.FirstLSN + 1
	}
	n := 0
	for _, count := range userRows(t, s, mainTable) {
		n += count
	}
	if lost == 0 || n+int(lost) != 20 {
		t.Fatalf("%d of 20 records are lost, %d there", lost, n)
	}
	before := fmt.Sprintf("%+v", s.Damage())
	must(t, s.Close())
	s, err = Open("/db", testOptions(fsys, clock))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	if after := fmt.Sprintf("%+v", s.Damage()); after != before {
		t.Errorf("damage after another start:\n%s\nbefore\n%s", after, before)
	}
}

func TestTheListOfDamageIsBounded(t *testing.T) {
	var l damageList
	l.load(nil)
	for i := range int64(100) {
		l.add(Damage{File: "a", Offset: i, State: DamageOpen})
	}
	if n := len(l.all()); n != damagePerFile {
		t.Errorf("%d rows of one file, want %d", n, damagePerFile)
	}
	for i := range damageMax + 10 {
		l.add(Damage{File: fmt.Sprint("f", i), State: DamageOpen})
		l.add(Damage{File: fmt.Sprint("f", i), Offset: 1, State: DamageOpen})
	}
	if !l.add(Damage{File: "last", State: DamageOpen}) {
		t.Error("the first damage of a file is not recorded")
	}
	if n := len(l.all()); n > 2*damageMax {
		t.Errorf("%d rows", n)
	}
}

func TestAnErrorThatIsNoCorruptionIsNoDamage(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	f := &file{}
	s.foundIn(f, "query", fs.ErrPermission)
	s.foundIn(f, "query", ErrClosed)
	if len(s.Damage()) != 0 || f.damaged.Load() {
		t.Errorf("damage %+v", s.Damage())
	}
	s.foundIn(f, "query", fmt.Errorf("wrapped: %w", &segment.CorruptError{File: "/db/segments/1", Section: "footer"}))
	if len(s.Damage()) != 1 || !f.damaged.Load() {
		t.Error("a corruption was not recorded")
	}
}

// A filter only saves reading. When it is bad its rows are read.
func TestABadFilterIsRecordedAndItsRowsAreRead(t *testing.T) {
	fsys, clock := vfs.NewMem(), newTestClock()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.CreateSchema(ctx, "public"))
	table := userTable("clients")
	table.Columns = append(table.Columns, types.Column{Name: "client_id", Type: types.Of(types.Text)})
	table, err = s.CreateTable(ctx, table)
	must(t, err)
	var rows []*column.RowBuf
	for i := range int64(3000) {
		r := userRow(s, i, day0, "")
		r.Text(s.Paths().Intern("client_id"), fmt.Sprint("client ", i%300))
		rows = append(rows, r)
	}
	must(t, s.InsertRows(ctx, table, rows))
	must(t, s.Flush(ctx))
	f := s.manifest.currentFiles(table.ID)[0]
	c := f.Meta.Column("client_id", types.LeafText)
	if c == nil || len(c.Filters) == 0 || c.Filters[0].Bytes == 0 {
		t.Fatal("the column has no filter")
	}
	flipByte(t, fsys, f.path, c.Filters[0].Offset+5)
	m := segmentMorsel{s: s, f: f}
	p := &column.Pred{Op: column.OpEq, Leaf: types.LeafText, B: []byte("nobody")}
	for range 2 {
		if may, err := m.MayHold("client_id", p); !may || err != nil {
			t.Errorf("MayHold with a bad filter: %v, %v", may, err)
		}
	}
	if d := s.Damage(); len(d) != 1 || d[0].Offset != c.Filters[0].Offset || d[0].Column != "client_id" {
		t.Errorf("damage %+v", d)
	}
	if read, errs := readColumns(t, s, table.FullName()); len(errs) > 0 || read == 0 {
		t.Errorf("%d columns read, %v", read, errs)
	}
}
