package storage

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/telemdb/telemdb/storage/vfs"
)

// BenchmarkSubmit is acknowledged submissions by 16 clients on a real disk, decoded and shown as they come.
func BenchmarkSubmit(b *testing.B) {
	o := testOptions(vfs.OS(), newTestClock())
	o.Manual, o.WALFileBytes = false, 64<<20
	s, err := Open(strings.ReplaceAll(b.TempDir(), "\\", "/"), o)
	if err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Submit(ctx, testPayload("main", fmt.Sprint(n.Add(1)), day0, "release", "v", "1")); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	if err := s.Flush(ctx); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSubmitUntilVisible is one client that waits until its submission can be asked for.
func BenchmarkSubmitUntilVisible(b *testing.B) {
	o := testOptions(vfs.OS(), newTestClock())
	o.WALFileBytes = 64 << 20
	s, err := Open(strings.ReplaceAll(b.TempDir(), "\\", "/"), o)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		lsn, err := s.Submit(ctx, testPayload("main", fmt.Sprint(n), day0, "release", "v", "1"))
		if err == nil {
			err = s.WaitVisible(ctx, lsn)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSnapshot is what every statement pays first.
func BenchmarkSnapshot(b *testing.B) {
	s, err := Open("/db", testOptions(vfs.NewMem(), newTestClock()))
	if err != nil {
		b.Fatal(err)
	}
	for i := range 50 {
		if _, err := s.Submit(ctx, testPayload(fmt.Sprintf("t%d", i), "k", day0, "release", "v", "1")); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.WaitVisible(ctx, s.log.Synced()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		sn, err := s.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		sn.Release()
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpen is the start of a server on an empty directory.
func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		o := testOptions(vfs.OS(), newTestClock())
		o.WALFileBytes = 64 << 20
		s, err := Open(strings.ReplaceAll(b.TempDir(), "\\", "/")+"/db", o)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
