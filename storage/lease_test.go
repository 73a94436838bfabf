package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// lending opens a store that lends, in a directory of the operating system.
func lending(t *testing.T) (*Store, string) {
	t.Helper()
	dir := filepath.ToSlash(filepath.Join(t.TempDir(), "db"))
	o := testOptions(vfs.OS(), newTestClock())
	o.Lend, o.SealBytes = true, 2000
	s, err := Open(dir, o)
	must(t, err)
	return s, dir
}

func openReader(t *testing.T, dir string) *Store {
	t.Helper()
	r, err := Open(dir, readOnlyOptions(vfs.OS()))
	must(t, err)
	return r
}

// eventually waits until ok is true, which another goroutine or process brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func TestAReaderSeesItsMomentWhileTheWriterGoesOn(t *testing.T) {
	s, dir := lending(t)
	subs := map[uint64]string{}
	add := func(from, n int) {
		for i := from; i < from+n; i++ {
			submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0-i%3, "release", "v", "1"))
		}
	}
	add(0, 10)
	must(t, s.Flush(ctx))
	add(10, 10)
	first := openReader(t, dir)
	then := maps.Clone(subs)
	checkAll(t, first, then)

	add(20, 5)
	must(t, s.Flush(ctx))
	for range 10 {
		_, err := s.MergeOnce(ctx)
		must(t, err)
	}
	second := openReader(t, dir)
	checkAll(t, second, subs)
	must(t, s.DropTable(ctx, types.TableName{Schema: "telemetry", Name: "main"}))
	_, err := s.trimOnce(ctx)
	must(t, err)
	checkAll(t, first, then)
	checkAll(t, second, subs)
	if n := s.lender.count(); n != 2 {
		t.Errorf("%d leases, want 2", n)
	}
	must(t, errors.Join(first.Close(), second.Close()))
	eventually(t, "the leases end", func() bool { return s.lender.count() == 0 })
	eventually(t, "what they held goes", func() bool {
		left, err := os.ReadDir(dir + "/leases")
		segments, err2 := os.ReadDir(dir + "/segments")
		must(t, errors.Join(err, err2))
		return len(left) == 0 && len(segments) == len(s.manifestFiles())
	})
	must(t, s.Close())
}

// manifestFiles returns all published segments.
func (s *Store) manifestFiles() (out []*file) {
	v := s.manifest.pin()
	defer s.manifest.unpin(v)
	for _, files := range v.tables {
		out = append(out, files...)
	}
	return out
}

func TestAReaderIsToldThatTheServerHasStopped(t *testing.T) {
	s, dir := lending(t)
	submit(t, s, map[uint64]string{}, testPayload("main", "a", day0, "release", "v", "1"))
	r := openReader(t, dir)
	must(t, s.Close())
	eventually(t, "the reader's end", func() bool {
		_, err := r.Snapshot()
		return errors.Is(err, ErrLeaseEnded) && strings.Contains(err.Error(), "open the directory again")
	})
	must(t, r.Close())
	if _, err := os.Stat(dir + "/lease.sock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestAReaderWithoutAServerChangesNothingAndKeepsWritersOut(t *testing.T) {
	s, dir := lending(t)
	subs := map[uint64]string{}
	submit(t, s, subs, testPayload("main", "a", day0, "release", "v", "1"), testPayload("main", "b", day0, "release", "v", "bad"))
	must(t, s.Flush(ctx))
	submit(t, s, subs, testPayload("main", "a", day0, "release", "v", "2"))
	must(t, s.Close())
	before := contents(t, vfs.OS(), dir)
	one, two := openReader(t, dir), openReader(t, dir)
	checkAll(t, one, subs)
	checkAll(t, two, subs)
	_, err := Open(dir, testOptions(vfs.OS(), newTestClock()))
	var locked *LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), "readers") {
		t.Errorf("a writer beside readers: %v", err)
	}
	must(t, errors.Join(one.Close(), two.Close()))
	if after := contents(t, vfs.OS(), dir); !maps.Equal(before, after) {
		t.Error("the readers changed the directory")
	}
	s, err = Open(dir, testOptions(vfs.OS(), newTestClock()))
	must(t, err)
	checkAll(t, s, subs)
	must(t, s.Close())
}

func TestAReadOnlyStoreRefusesEveryWrite(t *testing.T) {
	fsys := vfs.NewMem()
	s, subs := filled(t, fsys)
	must(t, s.CreateSchema(ctx, "public"))
	table, err := s.CreateTable(ctx, userTable("a"))
	must(t, err)
	must(t, s.Close())
	r, err := Open("/db", readOnlyOptions(fsys))
	must(t, err)
	name := table.FullName()
	for what, err := range map[string]error{
		"submit":    second(r.Submit(ctx, testPayload("main", "z", day0, "release", "v", "1"))),
		"begin":     second(r.Begin()),
		"insert":    second(r.NewInsert(table)),
		"schema":    r.CreateSchema(ctx, "other"),
		"table":     second(r.CreateTable(ctx, userTable("b"))),
		"drop":      r.DropTable(ctx, name),
		"view":      r.CreateView(ctx, View{Schema: "public", Name: "v", SQL: "SELECT 1"}, false),
		"retention": r.SetRetention(ctx, name, types.Retention{}),
		"flush":     r.Flush(ctx),
		"replay":    second(r.Replay(ctx, ReplayOptions{})),
		"backup":    second(r.Backup(ctx, BackupOptions{To: "/backups"})),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
	checkAll(t, r, subs)
	must(t, r.Close())
}

func second[T any](_ T, err error) error { return err }

func TestAReaderOfALogLargerThanItsHeadSealsInMemory(t *testing.T) {
	fsys := vfs.NewMem()
	s := openTest(t, fsys)
	subs := map[uint64]string{}
	for i := range 400 {
		submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0, "release", "v", "1"))
	}
	must(t, s.Close())
	before := contents(t, fsys, "/db")
	o := readOnlyOptions(fsys)
	o.Manual, o.HeadMaxBytes = false, 10_000
	r, err := Open("/db", o)
	must(t, err)
	checkAll(t, r, subs)
	if st := r.Stats(); st.HeadBytes >= o.HeadMaxBytes+128<<10 || r.seals.Load() == 0 {
		t.Errorf("%d bytes in the head, %d seals", st.HeadBytes, r.seals.Load())
	}
	must(t, r.Close())
	if !maps.Equal(before, contents(t, fsys, "/db")) {
		t.Error("the reader changed the directory")
	}
}

// TestReadersOfABusyWriterEachSeeOneMoment opens readers while submissions, seals and merges go on. Each must hold
// exactly the records up to its own last one, to its end.
func TestReadersOfABusyWriterEachSeeOneMoment(t *testing.T) {
	s, dir := lending(t)
	a := newAcks()
	stop, stopped := context.WithCancel(ctx)
	var wg sync.WaitGroup
	report := func(err error) {
		if err != nil && stop.Err() == nil {
			t.Error(err)
		}
	}
	wg.Go(func() {
		for i := 0; stop.Err() == nil; i++ {
			p := testPayload("main", fmt.Sprint(i*7%1000), day0-i%3, "release", "v", "1")
			lsn, err := s.Submit(ctx, p)
			report(err)
			a.do(func() { a.subs[lsn] = string(p) })
		}
	})
	wg.Go(func() {
		for stop.Err() == nil {
			_, err := s.SealOnce(ctx)
			report(err)
			_, err = s.MergeOnce(ctx)
			report(err)
			_, err = s.trimOnce(ctx)
			report(err)
		}
	})
	var readers []*Store
	for range 4 {
		before := a.clone()
		r := openReader(t, dir)
		readers = append(readers, r)
		for lsn := range before.subs {
			if lsn > r.moment.lsn {
				t.Errorf("record %d was acknowledged before the lease, which ends at %d", lsn, r.moment.lsn)
			}
		}
	}
	stopped()
	wg.Wait()
	for _, r := range readers {
		checkAll(t, r, upTo(a.subs, r.moment.lsn))
		must(t, r.Close())
	}
	must(t, s.Close())
}

func FuzzBackupManifest(f *testing.F) {
	f.Add([]byte(`{"backup":{"version":1,"id":"x","files":[{"name":"FORMAT","bytes":3,"xxh3":"00"}]},"xxh3":"0"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBackup(raw)
		if err != nil {
			return
		}
		for _, e := range b.Files {
			if at := e.at("/backups/one"); !strings.HasPrefix(at, "/backups/one/") && !strings.HasPrefix(at, "/backups/segments/") {
				t.Errorf("file %q is at %s", e.Name, at)
			}
		}
	})
}

func FuzzLease(f *testing.F) {
	f.Add(`{"lsn":3,"files":[{"name":"FORMAT","size":-1},{"name":"meta/1.sst","at":"leases/1/meta/1.sst","size":-1,"fixed":true}]}`)
	f.Add(`{"error":"no"}`)
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := parseLease(strings.NewReader(raw))
		if err != nil {
			return
		}
		for _, file := range r.Files {
			for _, n := range []string{file.Name, file.At} {
				if clean := filepath.ToSlash(filepath.Join("/db", n)); clean != "/db" && !strings.HasPrefix(clean, "/db/") {
					t.Errorf("%q leads to %s", n, clean)
				}
			}
		}
	})
}
