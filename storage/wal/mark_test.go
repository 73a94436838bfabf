package wal

import (
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/vfs"
)

// straddling is a payload behind which the mark of a new file lies across the end of a sector: a power loss can keep
// either part of it.
var straddling = strings.Repeat("x", 480)

// powerLosses opens what is left of a file system after many power losses, none of which may look like damage.
func powerLosses(t *testing.T, fsys *vfs.Crash, records int) {
	t.Helper()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 30))
		l, rec := open(t, small(fsys.CrashClone(rng, 0.5)), 0)
		if rec.Damage != nil || rec.Records != records {
			t.Fatalf("seed %d: a power loss looks like damage: %+v", seed, rec)
		}
		checkWhole(t, l)
		must(t, l.Close())
	}
}

// third tells of the third write into a log: behind the head of the file and its first record that is the mark. It tells
// before the operation, which the writer does before it takes another record.
func third(marking chan<- struct{}) vfs.Rule {
	return vfs.Rule{Ops: vfs.Ops(vfs.OpWriteAt), Nth: 3, Do: func(vfs.Op, string) { marking <- struct{}{} }}
}

// A log ends with a mark that was written and not synced, as after kill -9 or a Close that failed. The next one reads it
// from the page cache and goes on in another file; then power goes.
func TestAMarkThatALogFoundUnsyncedIsSyncedBeforeItGoesOn(t *testing.T) {
	fsys := newFS(t)
	l, _ := open(t, small(vfs.Fault(fsys, vfs.NewInjector(vfs.Rule{Ops: vfs.Ops(vfs.OpTruncate), Err: vfs.ErrNoSpace}))), 0)
	appendOne(t, l, straddling)
	wantErr(t, "close without room", l.Close(), vfs.ErrNoSpace)
	l, _ = open(t, small(fsys), 0)
	appendOne(t, l, payloadOf(2))
	powerLosses(t, fsys, 2)
	must(t, l.Close())
}

// A log that was idle goes on in another file; then power goes, and takes what was not synced.
func TestNoMarkStaysBehindWhereTheLogGoesOnInAnotherFile(t *testing.T) {
	fsys, marking := newFS(t), make(chan struct{}, 1)
	l, _ := open(t, small(vfs.Fault(fsys, vfs.NewInjector(third(marking)))), 0)
	appendOne(t, l, straddling)
	<-marking
	appendOne(t, l, strings.Repeat("y", 32<<10)) // has no room in the first file
	after := fsys.CrashClone(rand.New(rand.NewPCG(1, 30)), 0)
	info, err := after.Stat(path.Join(testDir, fileName(1)))
	must(t, err)
	if want := int64(headBytes + recordSize(len(straddling))); info.Size != want {
		t.Fatalf("the first file has %d bytes, its record ends at %d", info.Size, want)
	}
	powerLosses(t, fsys, 2)
	must(t, l.Close())
}

// A mark that cannot be cut off keeps the log in its file; when it can be again, the log goes on.
func TestAMarkThatCannotBeCutOffRefusesTheRecordAndNoMore(t *testing.T) {
	fsys, marking := newFS(t), make(chan struct{}, 1)
	in := vfs.NewInjector(third(marking))
	l, _ := open(t, small(vfs.Fault(fsys, in)), 0)
	appendOne(t, l, straddling)
	<-marking
	in.Add(vfs.Rule{Ops: vfs.Ops(vfs.OpTruncate), Err: vfs.ErrNoSpace})
	_, err := l.Append(t.Context(), 1, make([]byte, 32<<10))
	wantErr(t, "a record behind a mark that stays", err, ErrFull)
	if lsn := appendOne(t, l, payloadOf(2)); lsn != 2 {
		t.Fatalf("LSN %d, want 2", lsn)
	}
	if lsn := appendOne(t, l, strings.Repeat("y", 32<<10)); lsn != 3 {
		t.Fatalf("LSN %d, want 3", lsn)
	}
	powerLosses(t, fsys, 3)
	must(t, l.Close())
}

// A sync that fails behind the cut is the log's end, like every other.
func TestAFailedSyncOfTheCutMarkEndsTheLog(t *testing.T) {
	fsys, marking := newFS(t), make(chan struct{}, 1)
	in := vfs.NewInjector(third(marking))
	l, _ := open(t, small(vfs.Fault(fsys, in)), 0)
	appendOne(t, l, straddling)
	<-marking
	in.Add(vfs.Rule{Ops: vfs.Ops(vfs.OpSync), Err: vfs.ErrNoSpace})
	_, err := l.Append(t.Context(), 1, make([]byte, 32<<10))
	wantErr(t, "a record behind a failed sync", err, ErrFailed)
	wantErr(t, "close", l.Close(), ErrFailed)
	powerLosses(t, fsys, 1)
}
