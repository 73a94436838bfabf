package storage

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// Below the hard reserve nothing that fills the disk is taken, and all that reads or frees space still works; when there
// is space again, writes go on without a restart.
func TestBelowTheHardReserveReadsDeletesRetentionAndDropsStillWork(t *testing.T) {
	crash, clock := vfs.NewCrash(), newTestClock()
	o := testOptions(crash, clock)
	o.HardReserve = 64 << 20
	var log bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	usage := func(free uint64) {
		crash.SetUsage(vfs.Usage{Total: 1 << 40, Free: free})
		clock.add(2 * time.Second)
	}
	usage(1 << 39)
	s, err := Open("/db", o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.CreateSchema(ctx, "public"))
	own, err := s.CreateTable(ctx, userTable("own"))
	must(t, err)
	must(t, s.InsertRows(ctx, own, []*column.RowBuf{userRow(s, 1, day0, ""), userRow(s, 2, day0-9, "")}))
	subs := map[uint64]string{}
	submit(t, s, subs, testPayload("main", "a", day0-9, "release", "v", "1"), testPayload("main", "b", day0, "release", "v", "1"),
		testPayload("crash", "c", day0, "release", "v", "1"))
	must(t, s.Flush(ctx))

	for _, step := range []struct {
		free uint64
		want DiskState
	}{{64 << 20, DiskLow}, {64<<20 - 1, DiskFull}, {16 << 20, DiskFull}} {
		usage(step.free)
		if got := s.Disk(); got != step.want {
			t.Errorf("with %d bytes free the disk is %d, want %d", step.free, got, step.want)
		}
	}
	if n := strings.Count(log.String(), "below its soft reserve"); n != 1 {
		t.Errorf("the soft reserve is told %d times, want once:\n%s", n, log.String())
	}
	if _, err := s.Submit(ctx, testPayload("main", "d", day0, "release", "v", "1")); !errors.Is(err, ErrFull) {
		t.Errorf("Submit: %v", err)
	}
	if err := s.InsertRows(ctx, own, []*column.RowBuf{userRow(s, 3, day0, "")}); !errors.Is(err, ErrFull) {
		t.Errorf("INSERT: %v", err)
	}
	if n := len(userRows(t, s, own.FullName())); n != 2 {
		t.Errorf("%d rows of the own table, want 2", n)
	}

	sn, err := s.Snapshot()
	must(t, err)
	rows, err := locate(sn, own)
	must(t, err)
	tx, err := s.Begin()
	must(t, err)
	must(t, tx.Delete(sn, own, []int64{rows[0].id}))
	must(t, tx.Commit(ctx))
	sn.Release()
	if n := len(userRows(t, s, own.FullName())); n != 1 {
		t.Errorf("%d rows after the DELETE, want 1", n)
	}
	must(t, s.SetRetention(ctx, mainTable, types.Retention{Days: 3}))
	must(t, s.ExpireOnce(ctx))
	if days := partitionDays(t, s, mainTable); len(days) != 1 || days[0] != 0 {
		t.Errorf("partitions %v after retention", days)
	}
	must(t, s.DropTable(ctx, types.TableName{Schema: "telemetry", Name: "crash"}))
	must(t, checkStore(s))

	usage(1 << 39)
	if _, err := s.Submit(ctx, testPayload("main", "d", day0, "release", "v", "1")); err != nil {
		t.Errorf("Submit when there is space again: %v", err)
	}
	must(t, s.InsertRows(ctx, own, []*column.RowBuf{userRow(s, 3, day0, "")}))
	must(t, s.WaitVisible(ctx, s.log.Synced()))
	must(t, checkStore(s))
}
