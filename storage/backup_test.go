package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// upTo returns the submissions up to a record.
func upTo(subs map[uint64]string, lsn uint64) map[uint64]string {
	out := maps.Clone(subs)
	maps.DeleteFunc(out, func(l uint64, _ string) bool { return l > lsn })
	return out
}

// filled makes a store with sealed, merged and unsealed rows, and duplicates and errors among them.
func filled(t *testing.T, fsys vfs.FS) (*Store, map[uint64]string) {
	t.Helper()
	s, err := Open("/db", testOptions(fsys, newTestClock()))
	must(t, err)
	subs := map[uint64]string{}
	for round := range 3 {
		for i := range 6 {
			submit(t, s, subs, testPayload("main", fmt.Sprint(i*(round+1)), day0-i%2, "release", "v", []string{"1", "2", "bad"}[i%3]))
		}
		if round < 2 {
			must(t, s.Flush(ctx))
		}
	}
	return s, subs
}

// holdsExactly opens a directory and compares it with what it must hold.
func holdsExactly(t *testing.T, fsys vfs.FS, dir string, subs map[uint64]string) {
	t.Helper()
	s, err := Open(dir, testOptions(fsys, newTestClock()))
	must(t, err)
	checkAll(t, s, subs)
	// The document keys came too: a repeat of the first is a duplicate.
	for _, lsn := range slices.Sorted(maps.Keys(subs)) {
		if f := strings.Fields(subs[lsn]); f[5] != "bad" {
			more := maps.Clone(subs)
			submit(t, s, more, []byte(subs[lsn]))
			checkAll(t, s, more)
			break
		}
	}
	must(t, s.Close())
}

func TestARestoredBackupHoldsWhatTheStoreHeldAtItsMoment(t *testing.T) {
	fsys := vfs.NewMem()
	s, subs := filled(t, fsys)
	info, err := s.Backup(ctx, BackupOptions{To: "/backups"})
	must(t, err)
	then := maps.Clone(subs)
	if info.LSN != 18 || info.Linked == 0 || info.Copied == 0 || info.Parent != "" {
		t.Errorf("backup: %+v", info)
	}
	submit(t, s, subs, testPayload("main", "later", day0, "beta", "v", "9"))
	must(t, s.Flush(ctx))
	must(t, s.Close())
	id, err := Restore(ctx, "/backups", "/new", RestoreOptions{FS: fsys})
	must(t, err)
	if id != info.ID {
		t.Errorf("restored %s, the backup is %s", id, info.ID)
	}
	holdsExactly(t, fsys, "/new", then)
	holdsExactly(t, fsys, "/db", subs)
	// The backup itself opens too, and stays as it is.
	ro, err := Open(info.Dir, readOnlyOptions(fsys))
	must(t, err)
	checkAll(t, ro, then)
	must(t, ro.Close())
	noProblems(t, fsys, "/backups")
}

func readOnlyOptions(fsys vfs.FS) Options {
	o := testOptions(fsys, newTestClock())
	o.ReadOnly = true
	return o
}

func noProblems(t *testing.T, fsys vfs.FS, backups string) {
	t.Helper()
	_, err := VerifyBackup(ctx, fsys, backups, func(p Problem) { t.Errorf("verify: %v", p) })
	must(t, err)
}

func TestABackupOfAStoppedDirectoryIsTheSameAndChangesNothing(t *testing.T) {
	for _, clean := range []bool{true, false} {
		crash := vfs.NewCrash()
		s, subs := filled(t, crash)
		if clean {
			must(t, s.Close())
		} else { // a killed process: nothing is tidied
			crash = crash.CrashClone(rand.New(rand.NewPCG(1, 1)), 1)
			defer func() { must(t, s.Close()) }()
		}
		before := contents(t, crash, "/db")
		_, err := Backup(ctx, "/db", BackupOptions{FS: crash, To: "/backups"})
		must(t, err)
		if after := contents(t, crash, "/db"); !maps.Equal(before, after) {
			t.Errorf("clean %v: the backup changed the directory", clean)
		}
		_, err = Restore(ctx, "/backups", "/new", RestoreOptions{FS: crash, Link: true})
		must(t, err)
		holdsExactly(t, crash, "/new", subs)
	}
}

// contents returns every file below dir.
func contents(t *testing.T, fsys vfs.FS, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	names, err := fsys.List(dir)
	must(t, err)
	for _, n := range names {
		name := path.Join(dir, n)
		info, err := fsys.Stat(name)
		must(t, err)
		if info.Dir {
			maps.Copy(out, contents(t, fsys, name))
			continue
		}
		raw, err := vfs.ReadFile(fsys, name)
		must(t, err)
		out[name] = string(raw)
	}
	return out
}

func TestASecondBackupBringsOnlyNewSegmentsAndOldOnesStayWhole(t *testing.T) {
	fsys := vfs.NewMem()
	s, subs := filled(t, fsys)
	first, err := s.Backup(ctx, BackupOptions{To: "/backups", Copy: true})
	must(t, err)
	if first.Linked != 0 {
		t.Errorf("a backup that must not link: %+v", first)
	}
	submit(t, s, subs, testPayload("main", "more", day0, "beta", "v", "9"))
	must(t, s.Flush(ctx))
	second, err := s.Backup(ctx, BackupOptions{To: "/backups", Copy: true})
	must(t, err)
	if second.Parent != first.ID || second.Reused == 0 || second.CopiedBytes >= second.Bytes {
		t.Errorf("second backup: %+v", second)
	}
	for range 20 {
		did, err := s.MergeOnce(ctx)
		must(t, err)
		if !did {
			break
		}
	}
	third, err := s.Backup(ctx, BackupOptions{To: "/backups", Copy: true, Keep: 2})
	must(t, err)
	if !slices.Equal(third.Removed, []string{first.ID}) {
		t.Errorf("removed %v, want %s", third.Removed, first.ID)
	}
	must(t, s.Close())
	noProblems(t, fsys, "/backups")
	_, err = Restore(ctx, second.Dir, "/two", RestoreOptions{FS: fsys})
	must(t, err)
	holdsExactly(t, fsys, "/two", subs)
	_, err = Restore(ctx, first.Dir, "/one", RestoreOptions{FS: fsys})
	if err == nil || !strings.Contains(err.Error(), first.ID) {
		t.Errorf("a removed backup: %v", err)
	}
	// What has no backup any more is not in the pool.
	used := map[string]bool{}
	all, _, err := listBackups(fsys, "/backups")
	must(t, err)
	for _, b := range all {
		for _, e := range b.Files {
			used[e.Pool] = true
		}
	}
	pool, err := fsys.List("/backups/segments")
	must(t, err)
	for _, n := range pool {
		if !used[n] {
			t.Errorf("%s belongs to no backup", n)
		}
	}
}

func TestStoresThatWereOneShareADirectoryOfBackups(t *testing.T) {
	fsys := vfs.NewMem()
	s, subs := filled(t, fsys)
	_, err := s.Backup(ctx, BackupOptions{To: "/backups"})
	must(t, err)
	_, err = Restore(ctx, "/backups", "/twin", RestoreOptions{FS: fsys})
	must(t, err)
	twin, err := Open("/twin", testOptions(fsys, newTestClock()))
	must(t, err)
	other := maps.Clone(subs)
	submit(t, s, subs, testPayload("main", "x", day0, "beta", "v", "1"))
	submit(t, twin, other, testPayload("main", "y", day0, "beta", "v", "2"))
	must(t, s.Flush(ctx))
	must(t, twin.Flush(ctx)) // the same ids, other rows
	a, err := s.Backup(ctx, BackupOptions{To: "/backups"})
	must(t, err)
	b, err := twin.Backup(ctx, BackupOptions{To: "/backups"})
	must(t, err)
	must(t, errors.Join(s.Close(), twin.Close()))
	_, err = Restore(ctx, a.Dir, "/a", RestoreOptions{FS: fsys})
	must(t, err)
	_, err = Restore(ctx, b.Dir, "/b", RestoreOptions{FS: fsys})
	must(t, err)
	holdsExactly(t, fsys, "/a", subs)
	holdsExactly(t, fsys, "/b", other)
}

func TestADamagedBackupIsRefusedByTheNameOfTheFile(t *testing.T) {
	fsys := vfs.NewMem()
	s, subs := filled(t, fsys)
	info, err := s.Backup(ctx, BackupOptions{To: "/backups", Copy: true})
	must(t, err)
	b, err := readBackup(fsys, info.Dir)
	must(t, err)
	names := []string{path.Join(info.Dir, backupFile)}
	for _, e := range b.Files {
		if e.Bytes > 0 {
			names = append(names, e.at(info.Dir))
		}
	}
	for i, name := range names {
		flipMiddle(t, fsys, name)
		found := ""
		_, err := VerifyBackup(ctx, fsys, info.Dir, func(p Problem) { found += p.String() })
		if err != nil {
			found += err.Error()
		}
		if !strings.Contains(found, name) {
			t.Errorf("verify with %s flipped: %q", name, found)
		}
		_, err = Restore(ctx, info.Dir, fmt.Sprintf("/new%d", i), RestoreOptions{FS: fsys})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("restore with %s flipped: %v", name, err)
		}
		if i > 0 {
			if _, err := Open(fmt.Sprintf("/new%d", i), testOptions(fsys, newTestClock())); err == nil || !strings.Contains(err.Error(), "restore again") {
				t.Errorf("open after a refused restore: %v", err)
			}
		}
		flipMiddle(t, fsys, name)
	}
	// A damaged segment is brought again by the next backup.
	seg := names[slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, segmentExt) })]
	flipMiddle(t, fsys, seg)
	_, err = s.Backup(ctx, BackupOptions{To: "/backups"})
	must(t, err)
	must(t, s.Close())
	noProblems(t, fsys, "/backups")
	_, err = Restore(ctx, "/backups", "/new1", RestoreOptions{FS: fsys}) // what a refused one has left is no obstacle
	must(t, err)
	holdsExactly(t, fsys, "/new1", subs)
}

// flipMiddle changes one bit in the middle of a file, and changes it back.
func flipMiddle(t *testing.T, fsys vfs.FS, name string) {
	t.Helper()
	f, err := fsys.OpenReadWrite(name)
	must(t, err)
	size, err := f.Size()
	must(t, err)
	var b [1]byte
	_, err = f.ReadAt(b[:], size/2)
	must(t, err)
	b[0] ^= 4
	_, err = f.WriteAt(b[:], size/2)
	must(t, errors.Join(err, f.Close()))
}

func TestBackupAndRestoreRefuseDirectoriesThatHoldOtherThings(t *testing.T) {
	fsys := vfs.NewMem()
	s, _ := filled(t, fsys)
	defer func() { must(t, s.Close()) }()
	must(t, vfs.WriteFile(fsys, "/file", func(vfs.File) error { return nil }))
	must(t, fsys.MkdirAll("/other"))
	must(t, vfs.WriteFile(fsys, "/other/letter", func(vfs.File) error { return nil }))
	for _, to := range []string{"/other", "/db", "/db/backups", "/"} {
		if _, err := s.Backup(ctx, BackupOptions{To: to}); err == nil {
			t.Errorf("a backup to %s was made", to)
		}
	}
	info, err := s.Backup(ctx, BackupOptions{To: "/backups"})
	must(t, err)
	for _, to := range []string{"/other", "/db"} {
		if _, err := Restore(ctx, info.Dir, to, RestoreOptions{FS: fsys}); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("restore into %s: %v", to, err)
		}
	}
	for _, from := range []string{"/other", "/db", "/nowhere", info.Dir + "/meta"} {
		if _, err := Restore(ctx, from, "/new", RestoreOptions{FS: fsys}); err == nil {
			t.Errorf("%s was restored", from)
		}
	}
	if _, err := Backup(ctx, info.Dir, BackupOptions{FS: fsys, To: "/more"}); err == nil {
		t.Error("a backup was backed up")
	}
}

// TestABackupCutAnywhereIsNoBackup loses power at every change of a file that a backup makes. What is there afterwards
// is a whole backup or none, the earlier one is untouched, and the next one works.
func TestABackupCutAnywhereIsNoBackup(t *testing.T) {
	stride := int64(3)
	if prove.All() {
		stride = 1
	}
	for nth := int64(1); ; nth += stride {
		crash, in := vfs.NewCrash(), vfs.NewInjector()
		fsys := vfs.Fault(crash, in)
		s, subs := filled(t, fsys)
		first, err := s.Backup(ctx, BackupOptions{To: "/backups", Now: at(1)})
		must(t, err)
		then := maps.Clone(subs)
		submit(t, s, subs, testPayload("main", "more", day0, "beta", "v", "9"))
		must(t, s.Flush(ctx))
		var after atomic.Pointer[vfs.Crash]
		in.Add(vfs.Rule{Ops: vfs.Mutating, Nth: nth, Do: func(vfs.Op, string) {
			after.Store(crash.CrashClone(rand.New(rand.NewPCG(uint64(nth), 3)), []float64{0, 0.5, 1}[nth%3]))
		}})
		second, err := s.Backup(ctx, BackupOptions{To: "/backups", Now: at(2)})
		must(t, err)
		done := after.Load() == nil
		in.Clear()
		must(t, s.Close())
		left := after.Load()
		if done {
			left = crash.CrashClone(rand.New(rand.NewPCG(1, 3)), 0) // right after "done"
		}
		id, err := Restore(ctx, "/backups", "/new", RestoreOptions{FS: left})
		must(t, err)
		switch {
		case id == second.ID:
			holdsExactly(t, left, "/new", subs)
		case id == first.ID && !done:
			holdsExactly(t, left, "/new", then)
			if _, err := Restore(ctx, second.Dir, "/cut", RestoreOptions{FS: left}); err == nil {
				t.Errorf("cut at change %d: the cut backup was restored", nth)
			}
		default:
			t.Errorf("cut at change %d: restored %s", nth, id)
		}
		holdsExactly(t, left, "/db", subs)
		_, err = Backup(ctx, "/db", BackupOptions{FS: left, To: "/backups", Now: at(3)})
		must(t, err)
		noProblems(t, left, "/backups")
		if done || t.Failed() {
			t.Logf("%d cuts, every %d", nth/stride, stride)
			return
		}
	}
}

func at(second int) func() time.Time {
	return func() time.Time { return time.Unix(day0*daySeconds+int64(second), 0) }
}

// TestARestoreCutAnywhereIsRefusedOrWhole loses power at every change of a file that a restore makes, and right after it.
func TestARestoreCutAnywhereIsRefusedOrWhole(t *testing.T) {
	stride := int64(5)
	if prove.All() {
		stride = 1
	}
	base := vfs.NewCrash()
	s, subs := filled(t, base)
	_, err := s.Backup(ctx, BackupOptions{To: "/backups"})
	must(t, err)
	must(t, s.Close())
	for nth := int64(1); ; nth += stride {
		crash := base.CrashClone(rand.New(rand.NewPCG(1, 1)), 1)
		in := vfs.NewInjector()
		var after atomic.Pointer[vfs.Crash]
		in.Add(vfs.Rule{Ops: vfs.Mutating, Nth: nth, Do: func(vfs.Op, string) {
			after.Store(crash.CrashClone(rand.New(rand.NewPCG(uint64(nth), 3)), []float64{0, 0.5, 1}[nth%3]))
		}})
		_, err := Restore(ctx, "/backups", "/new", RestoreOptions{FS: vfs.Fault(crash, in)})
		must(t, err)
		left := after.Load()
		done := left == nil
		if done {
			left = crash.CrashClone(rand.New(rand.NewPCG(1, 3)), 0)
		}
		if _, err := left.Stat("/new"); err == nil {
			begun, err := Exists(left, "/new")
			must(t, err)
			refused := unfinishedRestore(left, "/new")
			switch {
			case refused != nil && done:
				t.Errorf("after \"done\": %v", refused)
			case refused != nil:
				if _, err := Open("/new", testOptions(left, newTestClock())); err == nil || !strings.Contains(err.Error(), "run telemdb restore again") {
					t.Errorf("cut at change %d: open says %v", nth, err)
				}
			case begun:
				holdsExactly(t, left, "/new", subs)
			default: // nothing is there but perhaps the lock
				names, err := left.List("/new")
				must(t, err)
				for _, n := range names {
					if n != lockFile && n != restoreFile+vfs.TempSuffix {
						t.Errorf("cut at change %d: no mark, no store, but %s", nth, n)
					}
				}
			}
			if begun && refused == nil {
				must(t, left.RemoveAll("/new"))
			}
		}
		_, err = Restore(ctx, "/backups", "/new", RestoreOptions{FS: left})
		must(t, err)
		holdsExactly(t, left, "/new", subs)
		if done || t.Failed() {
			t.Logf("%d cuts, every %d", nth/stride, stride)
			return
		}
	}
}

// TestAFaultInABackupOrARestoreIsReported makes the nth call fail, for every n. The backup or the restore says so, or it
// is whole; the store goes on; and the next attempt works.
func TestAFaultInABackupOrARestoreIsReported(t *testing.T) {
	stride := int64(11)
	if prove.All() {
		stride = 1
	}
	faulty := vfs.Ops(vfs.OpCreate, vfs.OpOpen, vfs.OpRemove, vfs.OpRename, vfs.OpLink, vfs.OpMkdirAll, vfs.OpSyncDir, vfs.OpStat,
		vfs.OpList, vfs.OpLock, vfs.OpReadAt, vfs.OpWrite, vfs.OpWriteAt, vfs.OpSync, vfs.OpPreallocate)
	injected := int64(0)
	defer func() { prove.Tally(t, "faults injected, backup and restore", injected) }()
	for nth := int64(1); ; nth += stride {
		mem, in := vfs.NewMem(), vfs.NewInjector()
		s, subs := filled(t, mem)
		must(t, s.Close())
		var fired atomic.Bool
		in.Add(vfs.Rule{Ops: faulty, Nth: nth, Err: errDisk, Do: func(vfs.Op, string) { fired.Store(true) }})
		broken := vfs.Fault(mem, in)
		_, backupErr := Backup(ctx, "/db", BackupOptions{FS: broken, To: "/backups"})
		var restoreErr error
		if backupErr == nil {
			_, restoreErr = Restore(ctx, "/backups", "/new", RestoreOptions{FS: broken})
		}
		in.Clear()
		if !fired.Load() {
			must(t, errors.Join(backupErr, restoreErr))
			return
		}
		injected++
		if backupErr != nil {
			_, err := Backup(ctx, "/db", BackupOptions{FS: mem, To: "/backups"})
			must(t, err)
		}
		noProblems(t, mem, "/backups")
		if backupErr != nil || restoreErr != nil {
			_, err := Restore(ctx, "/backups", "/new", RestoreOptions{FS: mem})
			must(t, err)
		}
		holdsExactly(t, mem, "/new", subs)
		if t.Failed() {
			t.Fatalf("fault %d: backup %v, restore %v", nth, backupErr, restoreErr)
		}
	}
}

// TestBackupsOfABusyStoreAreEachOneMoment takes backups while submissions, inserts, deletes, seals, merges and the log's
// retention go on. Each restores to exactly the records up to its own, without those whose delete was done before it.
func TestBackupsOfABusyStoreAreEachOneMoment(t *testing.T) {
	for seed := range prove.Seeds(t, "backups of a busy store", 1) {
		busyBackups(t, seed)
	}
}

func busyBackups(t *testing.T, seed uint64) {
	fsys, clock := vfs.NewMem(), newTestClock()
	o := testOptions(fsys, clock)
	o.SealBytes, o.WALFileBytes = 2000, 16<<10
	s, err := Open("/db", o)
	must(t, err)
	must(t, s.CreateSchema(ctx, "public"))
	table, err := s.CreateTable(ctx, userTable("a"))
	must(t, err)
	a := newAcks()
	stop, stopped := context.WithCancel(ctx)
	var wg sync.WaitGroup
	report := func(err error) {
		if err != nil && stop.Err() == nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	for w := range 2 {
		m := &sim{rng: rand.New(rand.NewPCG(seed, uint64(w))), docs: 1000 * w}
		wg.Go(func() {
			for stop.Err() == nil {
				p := m.payload()
				lsn, err := s.Submit(ctx, p)
				report(err)
				a.do(func() { a.subs[lsn] = string(p) })
			}
		})
	}
	wg.Go(func() {
		for v := int64(1); stop.Err() == nil; v++ {
			a.do(func() { note(a.tried, table.ID, []int64{v}) })
			report(s.InsertRows(ctx, table, []*column.RowBuf{userRow(s, v, 0, "")}))
			a.do(func() { note(a.rows, table.ID, []int64{v}) })
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
	gone, tried := map[uint64]bool{}, map[uint64]bool{} // deletes that are done, and that may be; under a's lock
	wg.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 9))
		for stop.Err() == nil {
			report(deleteSome(s, rng, a, gone, tried))
		}
	})
	type taken struct {
		info        *BackupInfo
		before      *acks
		gone, tried map[uint64]bool
	}
	var all []taken
	for i := range 4 {
		eventually(t, "work between backups", func() bool {
			enough := false
			a.do(func() { enough = len(a.subs) > 60*(i+1) && len(gone) > 3*(i+1) && s.merges.Load() > int64(i) })
			return enough || t.Failed()
		})
		b := taken{before: a.clone()}
		a.do(func() { b.gone = maps.Clone(gone) })
		b.info, err = s.Backup(ctx, BackupOptions{To: "/backups"})
		must(t, err)
		a.do(func() { b.tried = maps.Clone(tried) })
		all = append(all, b)
	}
	stopped()
	wg.Wait()
	must(t, s.Close())
	noProblems(t, fsys, "/backups")
	for i, b := range all {
		dir := fmt.Sprintf("/restored%d", i)
		_, err := Restore(ctx, b.info.Dir, dir, RestoreOptions{FS: fsys})
		must(t, err)
		r, err := Open(dir, testOptions(fsys, clock))
		must(t, err)
		checkBut(t, r, upTo(a.subs, b.info.LSN), missing(t, r, b.gone, b.tried))
		for lsn := range b.before.subs {
			if lsn > b.info.LSN {
				t.Errorf("seed %d: record %d was acknowledged before the backup, which ends at %d", seed, lsn, b.info.LSN)
			}
		}
		rows := userRows(t, r, types.TableName{Schema: "public", Name: "a"})
		for v := range b.before.rows[table.ID] {
			if rows[fmt.Sprintf("n=%d", v)] != 1 {
				t.Errorf("seed %d: backup %d lacks row %d, acknowledged before it", seed, i, v)
			}
		}
		must(t, r.Close())
		if t.Failed() {
			t.Fatalf("seed %d, backup %d at record %d", seed, i, b.info.LSN)
		}
	}
}

// deleteSome deletes a few pings, noting what it will try and what is done.
func deleteSome(s *Store, rng *rand.Rand, a *acks, gone, tried map[uint64]bool) error {
	sn, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer sn.Release()
	for _, table := range sn.Tables() {
		if table.FullName() != mainTable {
			continue
		}
		rows, err := locate(sn, table)
		if err != nil || len(rows) == 0 {
			return err
		}
		at := rng.IntN(len(rows))
		rows = rows[at:min(len(rows), at+2)]
		var ids []int64
		a.do(func() {
			for _, r := range rows {
				ids = append(ids, r.id)
				tried[r.lsn] = true
			}
		})
		tx, err := s.Begin()
		if err != nil {
			return err
		}
		if err := tx.Delete(sn, table, ids); err != nil {
			return errors.Join(err, tx.Abort())
		}
		if err := tx.Commit(ctx); err != nil {
			return err
		}
		a.do(func() {
			for _, r := range rows {
				gone[r.lsn] = true
			}
		})
	}
	return nil
}

// missing returns the pings that a delete has taken away: all in gone, and whichever in tried.
func missing(t *testing.T, s *Store, gone, tried map[uint64]bool) map[uint64]bool {
	t.Helper()
	sn := snapshot(t, s)
	rows, err := locate(sn, tableOf(t, sn, mainTable))
	must(t, err)
	sn.Release()
	out := maps.Clone(tried)
	for _, r := range rows {
		if gone[r.lsn] {
			t.Errorf("record %d is there, and was deleted before the backup", r.lsn)
		}
		delete(out, r.lsn)
	}
	return out
}

// TestAFaultInABackupOfARunningStoreCostsOnlyTheBackup makes the nth call fail in what a backup of an open store makes: the
// moment that it lends, and the backup. The store goes on, and the next attempt works.
func TestAFaultInABackupOfARunningStoreCostsOnlyTheBackup(t *testing.T) {
	stride := int64(5)
	if prove.All() {
		stride = 1
	}
	for _, part := range []string{"/db/leases*", "/db/leases/*", "/db/leases/*/*", "/db/leases/*/*/*", "/backups/*", "/backups/*/*"} {
		for nth := int64(1); ; nth += stride {
			mem, in := vfs.NewMem(), vfs.NewInjector()
			s, subs := filled(t, vfs.Fault(mem, in))
			var fired atomic.Bool
			in.Add(vfs.Rule{Ops: vfs.Mutating, Glob: part, Nth: nth, Err: errDisk, Do: func(vfs.Op, string) { fired.Store(true) }})
			_, err := s.Backup(ctx, BackupOptions{To: "/backups"})
			in.Clear()
			if failed := s.Failed(); failed != nil {
				t.Errorf("change %d in %s: the store has failed: %v", nth, part, failed)
			}
			checkAll(t, s, subs)
			if _, again := s.Backup(ctx, BackupOptions{To: "/backups"}); again != nil {
				t.Errorf("change %d in %s: the next backup: %v", nth, part, again)
			}
			must(t, s.Close())
			noProblems(t, mem, "/backups")
			if !fired.Load() {
				must(t, err)
				break
			}
			if t.Failed() {
				t.Fatalf("change %d in %s: backup %v", nth, part, err)
			}
		}
	}
}
