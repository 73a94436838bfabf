package storage

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

var mainTable = types.TableName{Schema: "telemetry", Name: "main"}

// partitionDays lists the dates that a table has segments of, relative to day0.
func partitionDays(t *testing.T, s *Store, n types.TableName) (days []int64) {
	t.Helper()
	list, err := s.Segments()
	must(t, err)
	for _, f := range list {
		if d := f.Partition - day0; f.Table == n && (len(days) == 0 || days[len(days)-1] != d) {
			days = append(days, d)
		}
	}
	return days
}

// submitDays seals one ping of telemetry.main for each day.
func submitDays(t *testing.T, s *Store, days ...int) {
	t.Helper()
	for _, d := range days {
		submit(t, s, map[uint64]string{}, testPayload("main", fmt.Sprintf("day%d", d), day0+d, "release", "v", "1"))
	}
	must(t, s.Flush(ctx))
}

func TestRetentionByAgeDropsWholePartitionsAndSurvivesAReopen(t *testing.T) {
	fsys, clock := vfs.NewMem(), newTestClock()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	submitDays(t, s, 0, 1, 2, 3)
	must(t, s.SetRetention(ctx, mainTable, types.Retention{Days: 2}))
	must(t, s.Close())
	s, err = Open("/db", testOptions(fsys, clock))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	pinned, err := s.Snapshot()
	must(t, err)
	defer pinned.Release()
	for _, step := range []struct {
		day  int
		want string
	}{{2, "[0 1 2 3]"}, {3, "[1 2 3]"}, {5, "[3]"}} { // at two days past it stays, at three it goes
		clock.set(day0 + step.day)
		must(t, s.ExpireOnce(ctx))
		if got := fmt.Sprint(partitionDays(t, s, mainTable)); got != step.want {
			t.Errorf("on day %d there are partitions %s, want %s", step.day, got, step.want)
		}
		must(t, checkStore(s))
	}
	if rows, err := readTable(pinned, mainTable); err != nil || len(rows) != 4 {
		t.Errorf("the snapshot from before reads %d rows, %v", len(rows), err)
	}
	if rows, _ := s.Balance(); len(rows) != 1 || rows[0].Rows != 4 || rows[0].Removed != 3 {
		t.Errorf("balance %+v, want 4 rows of which 3 are removed", rows)
	}
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	if in, err := sn.RollupInputs(testRollup{}); err != nil || len(in.States) == 0 {
		t.Fatalf("%d groups of states, %v", len(in.States), err)
	}
	if err := checkRollup(sn); err == nil {
		t.Error("the states went with the rows")
	}
}

func TestLateRowsOfADroppedPartitionAreNoProblem(t *testing.T) {
	fsys, clock := vfs.NewMem(), newTestClock()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	submitDays(t, s, 0, 1, 2)
	must(t, s.SetRetention(ctx, mainTable, types.Retention{Days: 1}))
	clock.set(day0 + 2)
	must(t, s.ExpireOnce(ctx))
	submit(t, s, map[uint64]string{}, testPayload("main", "late", day0, "release", "v", "1"))
	must(t, s.Flush(ctx))
	must(t, checkStore(s))
	must(t, s.DropTable(ctx, mainTable))
	submit(t, s, map[uint64]string{}, testPayload("main", "again", day0+2, "release", "v", "1"))
	must(t, s.Flush(ctx))
	must(t, checkStore(s))
	must(t, s.Close())
	s, err = Open("/db", testOptions(fsys, clock))
	must(t, err)
	must(t, checkStore(s))
	if r := tableNamed(t, s, mainTable).Retention; r != (types.Retention{}) {
		t.Errorf("the table that came back after a DROP has retention %+v", r)
	}
	must(t, s.Close())
}

func TestRetentionBySizeDropsTheOldestPartitionsAndKeepsTheNewest(t *testing.T) {
	fsys, clock := vfs.NewMem(), newTestClock()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	submitDays(t, s, 0, 1, 2)
	list, err := s.Segments()
	must(t, err)
	size := map[int64]int64{}
	for _, f := range list {
		if f.Table == mainTable {
			size[f.Partition-day0] += f.Bytes
		}
	}
	for _, step := range []struct {
		bytes int64
		want  string
	}{{size[0] + size[1] + size[2], "[0 1 2]"}, {size[0] + size[1] + size[2] - 1, "[1 2]"}, {1, "[2]"}} {
		must(t, s.SetRetention(ctx, mainTable, types.Retention{Bytes: step.bytes}))
		must(t, s.ExpireOnce(ctx))
		if got := fmt.Sprint(partitionDays(t, s, mainTable)); got != step.want {
			t.Errorf("with %d bytes allowed there are partitions %s, want %s", step.bytes, got, step.want)
		}
	}
	must(t, checkStore(s))
}

func TestRetentionOfOwnTablesGoesByTheirPartitionColumn(t *testing.T) {
	fsys, clock := vfs.NewMem(), newTestClock()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.CreateSchema(ctx, "public"))
	a, err := s.CreateTable(ctx, userTable("a"))
	must(t, err)
	must(t, s.InsertRows(ctx, a, []*column.RowBuf{userRow(s, 1, day0-10, ""), userRow(s, 2, day0, ""), userRow(s, 3, 0, "")}))
	must(t, s.Flush(ctx))
	must(t, s.SetRetention(ctx, a.FullName(), types.Retention{Days: 3}))
	must(t, s.ExpireOnce(ctx))
	if got := userRows(t, s, a.FullName()); len(got) != 2 || got["n=3"] != 1 {
		t.Errorf("rows %v, want today's and the one without a date", got)
	}
	must(t, checkStore(s))
}

func TestRetentionIsRefusedWhereItMakesNoSense(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	submitDays(t, s, 0)
	must(t, s.CreateSchema(ctx, "public"))
	whole := userTable("whole")
	whole.PartitionBy = ""
	_, err := s.CreateTable(ctx, whole)
	must(t, err)
	for _, c := range []struct {
		table types.TableName
		r     types.Retention
		want  error
	}{
		{types.TableName{Schema: "telemetry", Name: "none"}, types.Retention{Days: 1}, ErrNotFound},
		{testRollup{}.States().FullName(), types.Retention{Days: 1}, ErrSystem},
		{whole.FullName(), types.Retention{Days: 1}, ErrRetention},
		{whole.FullName(), types.Retention{Bytes: 1}, ErrRetention},
		{mainTable, types.Retention{Days: -1}, ErrRetention},
		{mainTable, types.Retention{Bytes: -1}, ErrRetention},
	} {
		if err := s.SetRetention(ctx, c.table, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s %+v: %v, want %v", c.table, c.r, err, c.want)
		}
	}
	must(t, s.SetRetention(ctx, whole.FullName(), types.Retention{})) // for ever is what it has
}

func TestErrorsAndDuplicatesHaveARetentionOfTheirOwnThatCanBeSet(t *testing.T) {
	clock := newTestClock()
	s, err := Open("/db", testOptions(vfs.NewMem(), clock))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	submit(t, s, map[uint64]string{}, testPayload("main", "b", day0, "release", "v", "bad"))
	must(t, s.Flush(ctx))
	if r := s.Retention(tableNamed(t, s, ErrorsTable)); r.Days != 28 {
		t.Errorf("retention of errors %+v, want 28 days", r)
	}
	must(t, s.SetRetention(ctx, ErrorsTable, types.Retention{Days: 40}))
	clock.add(40 * 24 * time.Hour)
	must(t, s.ExpireOnce(ctx))
	if n := len(userRows(t, s, ErrorsTable)); n != 1 {
		t.Errorf("%d errors after 40 days of 40, want 1", n)
	}
	clock.add(24 * time.Hour)
	must(t, s.ExpireOnce(ctx))
	if n := len(userRows(t, s, ErrorsTable)); n != 0 {
		t.Errorf("%d errors after 41 days of 40, want none", n)
	}
	must(t, checkStore(s))
}

func tableNamed(t *testing.T, s *Store, n types.TableName) *types.Table {
	t.Helper()
	table, ok := s.catalog.byName(n)
	if !ok {
		t.Fatalf("there is no table %s", n)
	}
	return table
}

// set moves the clock to noon of a day.
func (c *testClock) set(day int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = time.Unix(int64(day)*daySeconds+12*3600, 0)
}
