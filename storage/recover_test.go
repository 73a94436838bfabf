package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/vfs"
)

// leftUnsealed makes a directory whose log holds n submissions that no seal has taken.
func leftUnsealed(t *testing.T, n int) (vfs.FS, map[uint64]string) {
	t.Helper()
	fsys, subs := vfs.NewMem(), map[uint64]string{}
	s, err := Open("/db", testOptions(fsys, newTestClock()))
	must(t, err)
	for i := range n {
		submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0, "release", "v", strings.Repeat("x", 100)))
	}
	must(t, s.Close())
	return fsys, subs
}

func TestRecoveryUsesTheMemoryItMayHaveBeforeItSeals(t *testing.T) {
	fsys, subs := leftUnsealed(t, 400)
	o := testOptions(fsys, newTestClock())
	o.SealBytes, o.HeadMaxBytes, o.HeadRecoveryBytes = 1000, 10_000, 1<<30
	s, err := Open("/db", o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	if s.headBytes.Load() < o.HeadMaxBytes {
		t.Fatalf("the heads hold %d bytes: the test needs more than %d", s.headBytes.Load(), o.HeadMaxBytes)
	}
	s.recovering.Store(true) // as it was
	if l := s.pickSeal(s.o.Now()); l != nil {
		t.Errorf("a recovery with memory left seals %s", l.route)
	}
	if did, err := s.afterRecovery(func(context.Context) (bool, error) { return true, nil })(ctx); did || err != nil {
		t.Errorf("a step that can wait ran during recovery: %v, %v", did, err)
	}
	if got := s.headLimit(); got != o.HeadRecoveryBytes {
		t.Errorf("the heads may have %d bytes during recovery, want %d", got, o.HeadRecoveryBytes)
	}
	s.recovering.Store(false)
	if l := s.pickSeal(s.o.Now()); l == nil {
		t.Error("nothing is to be sealed behind the recovery")
	}
	if got := s.headLimit(); got != o.HeadRecoveryBytes {
		t.Errorf("the heads may have %d bytes before the first seal, want %d", got, o.HeadRecoveryBytes)
	}
	must(t, s.Flush(ctx))
	if got := s.headLimit(); got != o.HeadMaxBytes {
		t.Errorf("the heads may have %d bytes when they are sealed, want %d", got, o.HeadMaxBytes)
	}
	checkAll(t, s, subs)
}

func TestRecoveryThatNeedsMoreMemorySealsOnItsWay(t *testing.T) {
	fsys, subs := leftUnsealed(t, 400)
	o := testOptions(fsys, newTestClock())
	o.Manual, o.SealBytes, o.HeadMaxBytes, o.HeadRecoveryBytes = false, 1<<30, 5000, 20_000
	s, err := Open("/db", o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	if s.seals.Load() == 0 {
		t.Error("nothing was sealed")
	}
	checkAll(t, s, subs)
}

// lineLog counts the lines that contain a text.
type lineLog struct {
	slog.Handler
	text  string
	lines *int
}

func (l lineLog) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, l.text) {
		*l.lines++
	}
	return nil
}

func TestRecoverySaysHowFarItIs(t *testing.T) {
	fsys, _ := leftUnsealed(t, 50)
	o := testOptions(fsys, newTestClock())
	lines := 0
	o.Logger = slog.New(lineLog{slog.NewTextHandler(&strings.Builder{}, nil), "log replayed", &lines})
	s, err := Open("/db", o)
	must(t, err)
	must(t, s.Close())
	if lines != 1 {
		t.Errorf("%d lines about the log that was read back, want 1", lines)
	}
}

func TestAStrictStoreDoesNotOpenADamagedLog(t *testing.T) {
	fsys, _ := leftUnsealed(t, 50)
	names, err := fsys.List("/db/wal")
	must(t, err)
	f, err := fsys.OpenReadWrite("/db/wal/" + names[0])
	must(t, err)
	_, err = f.WriteAt([]byte("damage"), 4096+30)
	must(t, errors.Join(err, f.Close()))
	o := testOptions(fsys, newTestClock())
	o.StrictWAL = true
	for range 2 { // it stays so
		if _, err := Open("/db", o); err == nil || !strings.Contains(err.Error(), "strict_wal") {
			t.Errorf("a damaged log: %v", err)
		}
	}
	o.StrictWAL = false
	s, err := Open("/db", o)
	must(t, err)
	must(t, s.Close())
}

func TestAWeakStoreKnowsNoRecordThatAPowerLossCanTake(t *testing.T) {
	fsys := vfs.NewCrash()
	o := testOptions(fsys, newTestClock())
	o.WALSyncEvery = -1
	s, err := Open("/db", o)
	must(t, err)
	subs := map[uint64]string{}
	for i := range 20 {
		submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0, "release", "v", "1"))
	}
	must(t, s.Flush(ctx)) // what is sealed is durable
	for i := range 20 {
		if _, err := s.Submit(ctx, testPayload("main", fmt.Sprint("late", i), day0, "release", "v", "1")); err != nil {
			t.Fatal(err)
		}
	}
	lost := fsys.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)
	must(t, s.Close())
	o = testOptions(lost, newTestClock())
	o.StrictWAL = true
	s, err = Open("/db", o)
	must(t, err)
	checkAll(t, s, subs)
	must(t, s.Close())
}
