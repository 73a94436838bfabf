package wal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/telemdb/telemdb/storage/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDir = "/wal"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

// small makes logs whose files hold a few records.
func small(fsys vfs.FS) Options {
	return Options{FS: fsys, Dir: testDir, FileBytes: 16 << 10, GroupBytes: 4 << 10, MaxPayload: 64 << 10}
}

func newFS(t testing.TB) *vfs.Crash {
	t.Helper()
	fsys := vfs.NewCrash()
	must(t, fsys.MkdirAll(testDir))
	return fsys
}

func open(t testing.TB, o Options, floor uint64) (*Log, *Recovery) {
	t.Helper()
	l, rec, err := Open(o, floor)
	must(t, err)
	return l, rec
}

func appendOne(t testing.TB, l *Log, payload string) uint64 {
	t.Helper()
	lsn, err := l.Append(context.Background(), Kind(len(payload)), []byte(payload))
	must(t, err)
	return lsn
}

// readAll reads what is synced now.
func readAll(t testing.TB, l *Log, from uint64) []Record {
	t.Helper()
	r, err := l.NewReader(from)
	must(t, err)
	defer r.Close()
	var out []Record
	for last := l.Synced(); last >= from; {
		rec, err := r.Next(context.Background())
		must(t, err)
		rec.Payload = append([]byte(nil), rec.Payload...)
		out = append(out, rec)
		if rec.LSN >= last {
			break
		}
	}
	return out
}

func payloadOf(i int) string { return fmt.Sprintf("record %d %0*d", i, i*37%3000, i) }

func TestRecordsComeBackInOrderLiveAndAfterReopening(t *testing.T) {
	fsys := newFS(t)
	l, rec := open(t, small(fsys), 0)
	if rec.Records != 0 || rec.Damage != nil {
		t.Fatalf("empty log: %+v", rec)
	}
	const n = 60
	for i := 1; i <= n; i++ {
		p := payloadOf(i)
		lsn, err := l.Append(context.Background(), Kind(i), []byte(p[:3]), nil, []byte(p[3:]))
		must(t, err)
		if lsn != uint64(i) || l.Synced() != lsn {
			t.Fatalf("record %d has LSN %d, synced %d", i, lsn, l.Synced())
		}
	}
	check := func(l *Log, from int) {
		t.Helper()
		got := readAll(t, l, uint64(from))
		if len(got) != n-from+1 {
			t.Fatalf("%d records from %d", len(got), from)
		}
		for i, r := range got {
			if k := from + i; r.LSN != uint64(k) || r.Kind != Kind(k) || string(r.Payload) != payloadOf(k) {
				t.Fatalf("record %d: %d %d %.20q", k, r.LSN, r.Kind, r.Payload)
			}
		}
	}
	for _, from := range []int{1, 2, 31, n} {
		check(l, from)
	}
	if len(l.Files()) < 3 {
		t.Fatalf("the test is meant to rotate: %v", l.Files())
	}
	must(t, l.Close())
	must(t, l.Close())
	_, err := l.Append(context.Background(), 1, nil)
	wantErr(t, "Append after Close", err, ErrClosed)

	for _, floor := range []uint64{0, 1, 17, n} {
		l, rec = open(t, small(fsys), floor)
		if rec.Records != n-int(floor) || rec.Damage != nil || rec.TornBytes != 0 {
			t.Fatalf("floor %d: %+v", floor, rec)
		}
		if floor < n && (rec.First != floor+1 || rec.Last != n) {
			t.Fatalf("floor %d: %+v", floor, rec)
		}
		check(l, 1)
		must(t, l.Close())
	}
	l, _ = open(t, small(fsys), 1000)
	if lsn := appendOne(t, l, "x"); lsn != 1001 {
		t.Fatalf("LSN above a floor of 1000 is %d", lsn)
	}
	must(t, l.Close())
}

func TestAReaderWaitsForSyncedRecords(t *testing.T) {
	l, _ := open(t, small(newFS(t)), 0)
	r, err := l.NewReader(1)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = r.Next(ctx)
	wantErr(t, "Next with an ended context", err, context.Canceled)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i <= 200; i++ {
			rec, err := r.Next(context.Background())
			if err != nil || rec.LSN != uint64(i) || string(rec.Payload) != payloadOf(i) {
				t.Errorf("record %d: %d, %v", i, rec.LSN, err)
				return
			}
			if l.Synced() < rec.LSN {
				t.Errorf("record %d is read before it is synced", i)
			}
		}
		_, err := r.Next(context.Background())
		if !errors.Is(err, ErrClosed) {
			t.Errorf("Next after Close: %v", err)
		}
	})
	for i := 1; i <= 200; i++ {
		appendOne(t, l, payloadOf(i))
	}
	for r, err := l.NewReader(200); ; { // the reader above has the last record, or is about to
		must(t, err)
		_, err = r.Next(context.Background())
		must(t, err)
		must(t, r.Close())
		break
	}
	l.mu.Lock()
	for l.changed == nil { // until the reader waits again
		l.mu.Unlock()
		l.mu.Lock()
	}
	l.mu.Unlock()
	must(t, l.Close())
	wg.Wait()
	must(t, r.Close())
	_, err = l.NewReader(1)
	wantErr(t, "NewReader after Close", err, ErrClosed)
}

func TestRefusals(t *testing.T) {
	block := make(chan struct{})
	in := vfs.NewInjector(vfs.Rule{Ops: vfs.Ops(vfs.OpSyncData), Do: func(vfs.Op, string) { <-block }})
	o := small(vfs.Fault(newFS(t), in))
	o.QueueBytes = 10_000
	l, _ := open(t, o, 0)
	_, err := l.Append(context.Background(), 1, make([]byte, o.MaxPayload), []byte{1})
	wantErr(t, "too large", err, ErrTooLarge)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := l.Append(ctx, 1, make([]byte, 9_000)) // hangs in its sync
		if !errors.Is(err, context.Canceled) {
			t.Errorf("append whose context ended: %v", err)
		}
	})
	for l.Stats().QueueBytes == 0 {
		time.Sleep(time.Microsecond) // lets the other goroutine run
	}
	_, err = l.Append(context.Background(), 1, make([]byte, 1_000))
	wantErr(t, "queue full", err, ErrOverloaded)
	cancel()
	wg.Wait()
	_, err = l.Append(ctx, 1, nil)
	wantErr(t, "ended context", err, context.Canceled)
	close(block)
	if lsn := appendOne(t, l, "after"); lsn != 2 {
		t.Fatalf("LSN %d", lsn)
	}
	must(t, l.Close())
}

func TestCallersShareSyncsAndALoneCallerDoesNotWait(t *testing.T) {
	in := vfs.NewInjector(vfs.Rule{Ops: vfs.Ops(vfs.OpSyncData), Sticky: true, Latency: 200 * time.Microsecond})
	o := small(vfs.Fault(newFS(t), in))
	o.FileBytes, o.GroupBytes, o.GroupWait = 8<<20, 1<<20, time.Hour
	l, _ := open(t, o, 0)
	for range 5 {
		appendOne(t, l, "alone") // an hour each if it waited
	}
	if s := l.Stats(); s.Groups != 5 {
		t.Fatalf("five lone records in %d groups", s.Groups)
	}
	var wg sync.WaitGroup
	const callers, each = 32, 20
	for range callers {
		wg.Go(func() {
			for range each {
				if _, err := l.Append(context.Background(), 1, make([]byte, 100)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s := l.Stats()
	if s.Records != 5+callers*each || s.Groups-5 > s.Records/4 || s.Syncs != s.Groups {
		t.Fatalf("32 callers: %d records in %d groups, %d syncs", s.Records, s.Groups, s.Syncs)
	}
	must(t, l.Close())
}

func TestAFullDiskRefusesAndRecoversAlone(t *testing.T) {
	for _, partial := range []bool{false, true} {
		world := newFS(t)
		in := vfs.NewInjector()
		l, _ := open(t, small(vfs.Fault(world, in)), 0)
		appendOne(t, l, "first")
		in.Add(vfs.Rule{
			Ops: vfs.Ops(vfs.OpWriteAt, vfs.OpWrite, vfs.OpPreallocate), Sticky: true, Err: syscall.ENOSPC, Partial: partial,
		})
		for range 5 {
			_, err := l.Append(context.Background(), 1, make([]byte, 2000))
			wantErr(t, "append to a full disk", err, ErrFull)
			wantErr(t, "append to a full disk", err, vfs.ErrNoSpace)
		}
		if got := readAll(t, l, 1); len(got) != 1 {
			t.Fatalf("reader sees %d records", len(got))
		}
		in.Clear()
		if lsn := appendOne(t, l, "second"); lsn != 2 {
			t.Fatalf("LSN after space came back: %d", lsn)
		}
		if s := l.Stats(); s.Full != 5 || s.Records != 2 {
			t.Fatalf("%+v", s)
		}
		must(t, l.Close())
		l, rec := open(t, small(world), 0)
		if rec.Records != 2 || rec.Damage != nil {
			t.Fatalf("%+v", rec)
		}
		must(t, l.Close())
	}
}

func TestAFailedSyncEndsTheLogForGood(t *testing.T) {
	world := newFS(t)
	in := vfs.NewInjector()
	o := small(vfs.Fault(world, in))
	var failures []error
	o.OnFailed = func(err error) { failures = append(failures, err) }
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	l, _ := open(t, o, 0)
	appendOne(t, l, "safe")
	r, err := l.NewReader(1)
	must(t, err)
	in.Add(vfs.Rule{Ops: vfs.Ops(vfs.OpSyncData), Err: syscall.EIO, Latency: time.Millisecond})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := l.Append(context.Background(), 1, make([]byte, 100))
			if !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
				t.Errorf("waiter of a failed sync: %v", err)
			}
		})
	}
	wg.Wait()
	in.Clear()
	_, err = l.Append(context.Background(), 1, nil)
	wantErr(t, "later append", err, ErrFailed)
	if rec, err := r.Next(context.Background()); err != nil || string(rec.Payload) != "safe" {
		t.Fatalf("%v", err)
	}
	_, err = r.Next(context.Background())
	wantErr(t, "reader at the end of a failed log", err, ErrFailed)
	must(t, r.Close())
	wantErr(t, "Close", l.Close(), ErrFailed)
	if len(failures) != 1 || !errors.Is(failures[0], syscall.EIO) {
		t.Fatalf("OnFailed got %v", failures)
	}
	l, rec := open(t, small(world), 0)
	if rec.First != 1 || rec.Damage != nil {
		t.Fatalf("%+v", rec)
	}
	must(t, l.Close())
}

func TestAFileThatCannotBeRemovedStaysInTheLog(t *testing.T) {
	in := vfs.NewInjector()
	l, _ := open(t, small(vfs.Fault(newFS(t), in)), 0)
	for i := range 60 {
		appendOne(t, l, payloadOf(i))
	}
	l.SetMark(l.Synced())
	before := l.Files()
	in.Add(vfs.Rule{Ops: vfs.Ops(vfs.OpRemove), Nth: 2, Err: syscall.EIO})
	removed, err := l.Trim(0, 0, time.Now().Add(time.Hour))
	wantErr(t, "Trim", err, syscall.EIO)
	if after := l.Files(); len(removed) != 1 || after[0].Name != before[1].Name || len(after) != len(before)-1 {
		t.Fatalf("removed %v, left %v", removed, after)
	}
	if _, err := l.Trim(0, 0, time.Now().Add(time.Hour)); err != nil || len(l.Files()) != 1 {
		t.Fatalf("%v, left %v", err, l.Files())
	}
	must(t, l.Close())
}

func TestTrimTakesOldLandfillAndNothingElse(t *testing.T) {
	fsys := newFS(t)
	l, _ := open(t, small(fsys), 0)
	for i := range 60 {
		appendOne(t, l, payloadOf(i))
	}
	files := l.Files()
	if len(files) < 5 || !files[len(files)-1].Active {
		t.Fatalf("%v", files)
	}
	future := time.Now().Add(time.Hour)
	trim := func(keep time.Duration, bytes int64) int {
		t.Helper()
		removed, err := l.Trim(keep, bytes, future)
		must(t, err)
		return len(removed)
	}
	if n := trim(0, 0); n != 0 {
		t.Fatalf("removed %d unsealed files", n)
	}
	if l.UnsealedBytes() == 0 {
		t.Fatal("nothing is unsealed?")
	}
	l.SetMark(files[2].Last - 1)
	if n := trim(2*time.Hour, -1); n != 0 {
		t.Fatalf("removed %d young files", n)
	}
	r, err := l.NewReader(files[1].First)
	must(t, err)
	if n := trim(0, 0); n != 1 {
		t.Fatalf("removed %d files, want the one before the reader", n)
	}
	must(t, r.Close())
	if n := trim(0, -1); n != 1 {
		t.Fatalf("removed %d files, want one: the third is not sealed to its end", n)
	}
	l.SetMark(files[3].Last)
	l.SetMark(1)
	if n := trim(2*time.Hour, files[3].Bytes); n != 1 {
		t.Fatalf("removed %d files, want one: the bound is one file", n)
	}
	if got := l.Files(); got[0].Name != files[3].Name || !got[0].Landfill || got[1].Landfill {
		t.Fatalf("%+v", got[:2])
	}
	l.SetMark(l.Synced())
	if n := l.UnsealedBytes(); n != 0 {
		t.Fatalf("%d bytes unsealed behind the mark", n)
	}
	trim(0, 0)
	if got := l.Files(); len(got) != 1 || !got[0].Active {
		t.Fatalf("%+v", got)
	}
	synced := l.Synced()
	must(t, l.Close())
	l, rec := open(t, small(fsys), synced)
	if rec.Damage != nil || rec.Records != 0 || l.Synced() != synced {
		t.Fatalf("%+v", rec)
	}
	must(t, l.Close())
}

func BenchmarkDurableAppend(b *testing.B) {
	payload := make([]byte, 40<<10)
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			l, _ := open(b, Options{FS: vfs.OS(), Dir: b.TempDir()}, 0)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			next := make(chan struct{}, b.N)
			for range b.N {
				next <- struct{}{}
			}
			close(next)
			b.ResetTimer()
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for range next {
						if _, err := l.Append(context.Background(), 1, payload); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			s := l.Stats()
			b.ReportMetric(float64(s.Records)/float64(max(s.Groups, 1)), "records/sync")
			b.ReportMetric(float64(s.SyncSum.Microseconds())/float64(max(s.Syncs, 1)), "us/sync")
			must(b, l.Close())
		})
	}
}

func BenchmarkReader(b *testing.B) {
	l, _ := open(b, Options{FS: vfs.OS(), Dir: b.TempDir()}, 0)
	const records = 1000
	payload := make([]byte, 40<<10)
	for range records {
		_, err := l.Append(context.Background(), 1, payload)
		must(b, err)
	}
	b.SetBytes(records * int64(len(payload)))
	for b.Loop() {
		r, err := l.NewReader(1)
		must(b, err)
		for range records {
			_, err := r.Next(context.Background())
			must(b, err)
		}
		must(b, r.Close())
	}
	must(b, l.Close())
}

func TestALogOnTheRealFileSystemReopens(t *testing.T) {
	o := Options{FS: vfs.OS(), Dir: t.TempDir(), FileBytes: 64 << 10, fillAfter: 1}
	for cycle := range 3 {
		l, rec := open(t, o, 0)
		if rec.Records != cycle*100 || rec.Damage != nil || rec.TornBytes != 0 {
			t.Fatalf("cycle %d: %+v", cycle, rec)
		}
		for i := range 100 {
			appendOne(t, l, payloadOf(cycle*100+i))
		}
		for i, r := range readAll(t, l, 1) {
			if string(r.Payload) != payloadOf(i) {
				t.Fatalf("record %d", i)
			}
		}
		must(t, l.Close())
	}
}
