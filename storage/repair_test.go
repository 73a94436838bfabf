package storage

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// dailyRollup counts the pings of telemetry.main by date, so that what is subtracted can be told apart by day.
type dailyRollup struct{ testRollup }

func (dailyRollup) States() *types.Table {
	return &types.Table{
		Schema: "rollups", Name: "daily", Kind: types.TableStates, SortKey: []string{"submission_date"},
		Columns: []types.Column{{Name: "submission_date", Type: types.Of(types.Date)}, {Name: "count", Type: types.Of(types.Int64)}},
	}
}

func (dailyRollup) Reads() []types.Path { return []types.Path{"submission_date"} }

func (dailyRollup) Build(g column.Group, rows []uint16) ([]column.Group, error) {
	day, err := wholeColumn(g, "submission_date", types.LeafInt)
	if err != nil {
		return nil, err
	}
	n := map[int64]int64{}
	for _, r := range rows {
		n[day.Int(int(r))]++
	}
	return dailyStates(n), nil
}

func (d dailyRollup) Merge(in []column.Group) ([]column.Group, error) { return d.Subtract(in, nil) }

func (dailyRollup) Subtract(plus, minus []column.Group) ([]column.Group, error) {
	n := map[int64]int64{}
	for sign, in := range map[int64][]column.Group{1: plus, -1: minus} {
		for _, g := range in {
			day, err := wholeColumn(g, "submission_date", types.LeafInt)
			if err != nil {
				return nil, err
			}
			count, err := wholeColumn(g, "count", types.LeafInt)
			if err != nil {
				return nil, err
			}
			for r := range g.Rows() {
				n[day.Int(r)] += sign * count.Int(r)
			}
		}
	}
	maps.DeleteFunc(n, func(_, count int64) bool { return count == 0 })
	return dailyStates(n), nil
}

func dailyStates(n map[int64]int64) []column.Group {
	if len(n) == 0 {
		return nil
	}
	var day, count vec.Vector
	day.Reset(types.Of(types.Date))
	count.Reset(types.Of(types.Int64))
	for _, k := range slices.Sorted(maps.Keys(n)) {
		day.AppendInt(k)
		count.AppendInt(n[k])
	}
	g := column.NewMem(day.N)
	g.Add("submission_date", types.LeafInt, &day)
	g.Add("count", types.LeafInt, &count)
	return []column.Group{g}
}

// statesFile returns the segment of states of a day relative to day0, or that of what is subtracted.
func statesFile(t *testing.T, s *Store, r Rollup, day int64, minus bool) SegmentInfo {
	t.Helper()
	list, err := s.Segments()
	must(t, err)
	for _, f := range list {
		if f.Table == r.States().FullName() && f.Minus == minus && (minus || f.Partition == day0+day) {
			return f
		}
	}
	t.Fatalf("roll-up %s has no such file", r.States().FullName())
	return SegmentInfo{}
}

// repairAll repairs and returns what was said.
func repairAll(t *testing.T, s *Store) (said []Repaired) {
	t.Helper()
	must(t, s.Repair(ctx, func(r Repaired) { said = append(said, r) }))
	return said
}

// deleteFirst deletes the first rows of each row group of telemetry.main.
func deleteFirst(t *testing.T, s *Store, n int64) {
	t.Helper()
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	main := tableOf(t, sn, mainTable)
	src, err := sn.Source(main)
	must(t, err)
	var ids []int64
	for i := range src.Morsels() {
		for k := range n {
			ids = append(ids, int64(i)<<16|k)
		}
	}
	tx, err := s.Begin()
	must(t, err)
	must(t, tx.Delete(sn, main, ids))
	must(t, tx.Commit(ctx))
}

func TestDamagedStatesOfARollUpAreMadeAgainFromRows(t *testing.T) {
	const refused = "backup"
	for _, c := range []struct {
		name            string
		rollup          Rollup
		deleted, merged bool // rows, before the damage; and their dead rows written away
		expired         bool // days 0 and 1
		minus           bool // what is subtracted is damaged, else
		day             int64
		want            string // in the error; "" for a repair
		files           int    // of states that are left as they were
	}{
		{"a day without deletes is made alone", dailyRollup{}, false, false, false, false, 2, "", 3},
		{"without a date in the key too", testRollup{}, false, false, false, false, 2, "", 3},
		{"a day with deletes is made alone where they can be told apart", dailyRollup{}, true, false, false, false, 2, "", 4},
		{"dead rows that are no longer there", dailyRollup{}, true, true, false, false, 2, "", 4},
		{"else everything is made again", testRollup{}, true, true, false, false, 2, "", 0},
		{"so is everything if deletes are unknown", dailyRollup{}, true, true, false, true, 0, "", 0},
		{"days that aged out stay", dailyRollup{}, false, false, true, false, 2, "", 3},
		{"and cannot be made", dailyRollup{}, false, false, true, false, 1, refused, 4},
		{"deletes in days that aged out stay", dailyRollup{}, true, true, true, false, 2, "", 4},
		{"unless they are what is damaged", dailyRollup{}, true, false, true, true, 0, refused, 5},
		{"or cannot be told apart", testRollup{}, true, false, true, false, 2, refused, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys, clock := vfs.NewMem(), newTestClock()
			o := testOptions(fsys, clock)
			o.Rollups = []Rollup{c.rollup}
			s, err := Open("/db", o)
			must(t, err)
			for d := range 4 {
				for k := range 10 {
					submit(t, s, map[uint64]string{}, testPayload("main", fmt.Sprintf("d%d.%d", d, k), day0+d, []string{"release", "beta"}[k%2], "v", fmt.Sprint(k)))
				}
			}
			must(t, s.Flush(ctx))
			if c.deleted {
				deleteFirst(t, s, 3)
			}
			if c.merged {
				mergeAll(t, s)
			}
			if c.expired {
				clock.set(day0 + 3)
				must(t, s.SetRetention(ctx, mainTable, types.Retention{Days: 1}))
				must(t, s.ExpireOnce(ctx))
			}
			must(t, checkStore(s))
			before := map[uint64]bool{}
			list, err := s.Segments()
			must(t, err)
			for _, f := range list {
				before[f.ID] = true
			}
			bad := statesFile(t, s, c.rollup, c.day, c.minus)
			s.DropCaches(true)
			flipByte(t, fsys, "/db/segments/"+bad.File, firstChunk+1)
			must(t, s.ScrubOnce(ctx))
			said := repairAll(t, s)
			if len(said) != 1 || (said[0].Err != nil) != (c.want != "") || said[0].Err != nil && !strings.Contains(said[0].Err.Error(), c.want) {
				t.Fatalf("the repair says %v", said)
			}
			left := 0
			list, err = s.Segments()
			must(t, err)
			for _, f := range list {
				if f.Table == c.rollup.States().FullName() && before[f.ID] {
					left++
				}
			}
			if left != c.files {
				t.Errorf("%d files of states are as they were, want %d", left, c.files)
			}
			d := s.Damage()
			if len(d) != 1 || (d[0].State == DamageRepaired) != (c.want == "") {
				t.Errorf("damage %+v", d)
			}
			if c.want == "" {
				must(t, checkStore(s))
				if said := repairAll(t, s); len(said) != 0 {
					t.Errorf("a second repair says %v", said)
				}
			}
			must(t, s.Close())
			s, err = Open("/db", o)
			must(t, err)
			defer func() { must(t, s.Close()) }()
			if after := s.Damage(); len(after) != 1 || after[0].State != d[0].State {
				t.Errorf("damage after a reopen %+v", after)
			}
			if c.want == "" {
				must(t, checkStore(s))
			}
		})
	}
}

func TestCheckFindsDocumentKeysThatAreMissingAndARepairMakesThem(t *testing.T) {
	fsys, clock := vfs.NewMem(), newTestClock()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	submitDays(t, s, 0, 1, 2, 3)
	deleteFirst(t, s, 1)
	submitDays(t, s, 4, 5)
	must(t, checkStore(s))
	must(t, s.publish(publication{stage: func(b *meta.Batch) { b.DropKey([]byte("main/day4")) }}))
	var found []Problem
	must(t, s.Check(func(p Problem) { found = append(found, p) }))
	if len(found) != 1 || !strings.Contains(found[0].String(), "1 rows have no key") {
		t.Fatalf("found %v", found)
	}
	if d := s.Damage(); len(d) != 1 || d[0].Kind != "invariant" || d[0].By != "check" || d[0].Table != mainTable {
		t.Fatalf("damage %+v", d)
	}
	if said := repairAll(t, s); len(said) != 1 || said[0].Err != nil || !strings.Contains(said[0].What, "1 were made again") {
		t.Fatalf("the repair says %v", said)
	}
	if d := s.Damage(); d[0].State != DamageRepaired {
		t.Errorf("damage %+v", d)
	}
	must(t, checkStore(s))
	submitDays(t, s, 4)
	if n := len(userRows(t, s, DuplicatesTable)); n != 1 {
		t.Errorf("%d rows of duplicates, want 1: the key is of use", n)
	}

	// A key of nobody is found; it is not known whose it was, so it stays until it is past its time.
	must(t, s.publish(publication{stage: func(b *meta.Batch) {
		for i := range 5 {
			b.PutKey(fmt.Appendf(nil, "main/nobody%d", i), 1, day0)
		}
	}}))
	found = nil
	must(t, s.Check(func(p Problem) { found = append(found, p) }))
	if len(found) != 1 || !strings.Contains(found[0].String(), "name records without a row") {
		t.Errorf("found %v", found)
	}
	must(t, s.publish(publication{stage: func(b *meta.Batch) {
		for i := range 5 {
			b.DropKey(fmt.Appendf(nil, "main/nobody%d", i))
		}
	}}))
	must(t, checkStore(s))
	if n := s.Stats().Damage; n != 0 {
		t.Errorf("%d rows of damage are open after a check that finds none", n)
	}
	must(t, s.publish(publication{stage: func(b *meta.Batch) { b.PutKey([]byte("main/day5"), 1, day0) }}))
	found = nil
	must(t, s.Check(func(p Problem) { found = append(found, p) }))
	if len(found) == 0 || !strings.Contains(found[0].String(), "held by record 1") {
		t.Errorf("found %v", found)
	}
	must(t, s.Close())
}

// damageColumn changes a byte of a column's values in a row group; an empty column is the directory.
func damageColumn(t *testing.T, fsys vfs.FS, f SegmentInfo, group int, col string) {
	t.Helper()
	name := "/db/segments/" + f.File
	cache := segment.NewCache(1 << 20)
	defer func() { must(t, cache.Close()) }()
	for at := int64(firstChunk); at < f.Bytes; at += 7 {
		flipByte(t, fsys, name, at)
		hit := false
		rd, err := segment.OpenLater(fsys, name, cache)
		must(t, err)
		if err := rd.Load(f.ID); err != nil {
			hit = col == ""
		} else {
			must(t, rd.Verify(func(e *segment.CorruptError) { hit = hit || e.Column == col && e.Group == group }))
		}
		must(t, rd.Close())
		if hit {
			return
		}
		flipByte(t, fsys, name, at)
	}
	t.Fatalf("no byte of %s belongs to column %q of row group %d", f.File, col, group)
}

func TestDamagedRowsOfSubmissionsAreDecodedAgainFromTheLandfill(t *testing.T) {
	repeats := telemetryTable("main")
	for _, c := range []struct {
		name     string
		table    types.TableName
		group    int
		col      string // whose values are damaged; "missing": the file is gone
		deleted  bool
		merged   bool // dead rows are written away
		trimmed  bool // the landfill is
		refused  string
		restored int // rows that came from the landfill
	}{
		{"a column of one row group", repeats, 1, "document_id", false, false, false, "", 13},
		{"even where rows are deleted", repeats, 1, "document_id", true, false, false, "", 12},
		{"the LSNs of a row group", repeats, 0, "_lsn", false, false, false, "", 13},
		{"not if rows of it are deleted", repeats, 0, "_lsn", true, false, false, "which cannot be told: only a backup", 0},
		{"nor if deleted rows are gone", repeats, 0, "_lsn", true, true, false, "only a backup", 0},
		{"the directory", repeats, 0, "", false, false, false, "", 39},
		{"the whole file", repeats, 0, "missing", false, false, false, "", 39},
		{"not without the landfill", repeats, 1, "document_id", false, false, true, "only a backup", 0},
		{"errors", ErrorsTable, 0, "", false, false, false, "", 2},
		{"errors without LSN", ErrorsTable, 0, "_lsn", false, false, false, "", 2},
		{"duplicates", DuplicatesTable, 0, "first", false, false, false, "", 3},
		{"duplicates without LSN", DuplicatesTable, 0, "_lsn", false, false, false, "", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys, clock := vfs.NewMem(), newTestClock()
			o := testOptions(fsys, clock)
			o.Rollups = []Rollup{testRollup{}, dailyRollup{}}
			s, err := Open("/db", o)
			must(t, err)
			s.o.CompactionMemory = 1 << 20
			long := strings.Repeat("x", 9<<10+512) // so that a merge cuts row groups
			for half := range 2 {
				for k := half; k < 39; k += 2 {
					submit(t, s, map[uint64]string{}, testPayload("main", fmt.Sprint(k, long), day0, fmt.Sprintf("ch%02d", k), "v", fmt.Sprint(k)))
					submit(t, s, map[uint64]string{}, testPayload("crash", fmt.Sprint(k), day0, "release", "v", "1"))
					if k < 3 {
						submit(t, s, map[uint64]string{}, testPayload("main", fmt.Sprint(k, long), day0, "release", "v", "7"))
					} else if k < 5 {
						submit(t, s, map[uint64]string{}, testPayload("main", "bad", day0, "release", "v", "NaN"))
					}
				}
				must(t, s.Flush(ctx))
			}
			clock.add(48 * 3600e9)
			mergeAll(t, s)
			f := segmentOf(t, s, c.table, 0)
			if c.table == repeats && f.Groups != 3 {
				t.Fatalf("%d row groups, want 3", f.Groups)
			}
			if c.deleted {
				deleteFirst(t, s, 1) // the first row of each row group
			}
			if c.merged {
				deleteFirst(t, s, 4)
				mergeAll(t, s)
				f = segmentOf(t, s, c.table, 0)
				if f.Deleted != 0 {
					t.Fatalf("%d rows are still dead", f.Deleted)
				}
			}
			if c.trimmed {
				_, err := s.log.Trim(0, 0, clock.Now().Add(1e15))
				must(t, err)
			}
			must(t, checkStore(s))
			before := tableText(t, s, c.table)
			s.DropCaches(true)
			if c.col == "missing" {
				must(t, s.Close())
				must(t, fsys.Remove("/db/segments/"+f.File))
				s, err = Open("/db", o)
				must(t, err)
			} else {
				damageColumn(t, fsys, f, c.group, c.col)
				must(t, s.ScrubOnce(ctx))
			}
			if s.Stats().Damage == 0 {
				t.Fatal("nothing is damaged")
			}
			said := repairAll(t, s)
			if len(said) != 1 && c.refused == "" || (said[0].Err == nil) != (c.refused == "") || !strings.Contains(said[0].String(), c.refused) {
				t.Fatalf("the repair says %v", said)
			}
			if c.refused != "" {
				if got := segmentOf(t, s, c.table, 0); got.ID != f.ID || s.Stats().Damage == 0 {
					t.Errorf("segment %d is now %d, %d things are damaged", f.ID, got.ID, s.Stats().Damage)
				}
				must(t, s.Close())
				return
			}
			if !strings.Contains(said[0].What, fmt.Sprintf(" %d rows of ", c.restored)) {
				t.Errorf("the repair says %v, want %d rows of the landfill", said, c.restored)
			}
			if after := tableText(t, s, c.table); after != before {
				t.Errorf("rows after the repair:\n%.2000s\nbefore\n%.2000s", after, before)
			}
			must(t, checkStore(s))
			must(t, s.Close())
			s, err = Open("/db", o)
			must(t, err)
			must(t, checkStore(s))
			if n := s.Stats().Damage; n != 0 {
				t.Errorf("%d things are damaged", n)
			}
			must(t, s.Close())
		})
	}
}

func telemetryTable(name string) types.TableName {
	return types.TableName{Schema: "telemetry", Name: name}
}

// tableText is the rows of a table in the order of their records.
func tableText(t *testing.T, s *Store, n types.TableName) string {
	t.Helper()
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	rows, err := readTable(sn, n)
	must(t, err)
	var b strings.Builder
	for _, lsn := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintln(&b, lsn, rows[lsn])
	}
	return b.String()
}
