package storage

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// faultScene is a stretch of a store's life in which any call may fail, reads too. It begins with the directories that make
// leaves; every fault gets its own copy of them.
type faultScene struct {
	name string
	make func(t *testing.T, fsys *vfs.Crash) scenePromise
	// play returns the first error. What it reads must be right or fail.
	play func(fsys vfs.FS, p scenePromise) error
	// check holds what is left, on a disk that works again, against the promise.
	check func(t *testing.T, fsys vfs.FS, p scenePromise)
}

// scenePromise is what was acknowledged before the scene began.
type scenePromise struct {
	subs map[uint64]string
	gone map[uint64]bool
}

func (p scenePromise) clone() scenePromise {
	return scenePromise{subs: maps.Clone(p.subs), gone: maps.Clone(p.gone)}
}

// errWrong is the error of an answer that is not right.
var errWrong = errors.New("a wrong answer")

var faultScenes = []faultScene{
	{name: "recovery", make: uncleanDirectory, play: opening(nil), check: isAllThere},
	{name: "queries", make: uncleanDirectory, play: opening(func(s *Store, p scenePromise) error {
		for range 2 {
			s.DropCaches(true)
			if err := answersRightly(s, p); err != nil {
				return err
			}
		}
		return nil
	}), check: isAllThere},
	{name: "seal and merge", make: uncleanDirectory, play: opening(func(s *Store, p scenePromise) error {
		err := s.Flush(ctx)
		for range 4 {
			_, mergeErr := s.MergeOnce(ctx)
			err = errors.Join(err, mergeErr)
		}
		return errors.Join(err, answersRightly(s, p))
	}), check: isAllThere},
	{name: "rewrite of deleted rows", make: deletedDirectory, play: opening(func(s *Store, p scenePromise) error {
		var err error
		for range 4 {
			_, mergeErr := s.MergeOnce(ctx)
			err = errors.Join(err, mergeErr)
		}
		return errors.Join(err, answersRightly(s, p))
	}), check: isAllThere},
	{name: "cluster", make: deletedDirectory, play: opening(func(s *Store, p scenePromise) error {
		s.runRows = 4
		err := s.Cluster(ctx, mainTable, ClusterOptions{Workers: 1}, func(Clustered) {})
		return errors.Join(err, answersRightly(s, p))
	}), check: isAllThere},
	{name: "scrub", make: deletedDirectory, play: opening(func(s *Store, p scenePromise) error { return s.ScrubOnce(ctx) }), check: isAllThere},
	{name: "retention", make: agedDirectory, play: func(fsys vfs.FS, _ scenePromise) error {
		s, err := Open("/db", agedOptions(fsys))
		if err != nil {
			return err
		}
		return errors.Join(s.ExpireOnce(ctx), s.Close())
	}, check: keepsTwoDays},
	{name: "drop of a table", make: uncleanDirectory, play: opening(func(s *Store, p scenePromise) error {
		err := s.CreateSchema(ctx, "public")
		for _, name := range []string{"a", "b"} {
			t, createErr := s.CreateTable(ctx, userTable(name))
			if err = errors.Join(err, createErr); createErr != nil {
				continue
			}
			err = errors.Join(err, s.InsertRows(ctx, t, []*column.RowBuf{userRow(s, 1, 0, ""), userRow(s, 2, day0, "")}), s.Flush(ctx), s.DropTable(ctx, t.FullName()))
		}
		return err
	}), check: isAllThere},
	{name: "replay", make: historyDirectory, play: func(fsys vfs.FS, _ scenePromise) error {
		o := testOptions(fsys, newTestClock())
		o.Decoder = newNextDecoder
		s, err := Open("/db", o)
		if err != nil {
			return err
		}
		s.replayRange = 20
		_, err = s.Replay(ctx, ReplayOptions{Name: "x"})
		return errors.Join(err, s.Close())
	}, check: replaysToTheEnd},
	{name: "landfill", make: manyLogFiles, play: func(fsys vfs.FS, p scenePromise) error {
		s, err := Open("/db", trimOptions(fsys))
		if err != nil {
			return err
		}
		_, err = s.trimOnce(ctx)
		return errors.Join(err, answersRightly(s, p), s.Close())
	}, check: isAllThereTrimmed},
	{name: "large records", make: manyLogFiles, play: func(fsys vfs.FS, p scenePromise) error {
		o := testOptions(fsys, newTestClock())
		o.WALFileBytes = 16 << 10
		s, err := Open("/db", o)
		if err != nil {
			return err
		}
		for i, n := range []int{1, 3000, 1, 4000, 1000, 1000, 1000, 1} {
			payload := testPayload("main", fmt.Sprint("large", i), day0, strings.Repeat("release", n), "v", "1")
			lsn, submitErr := s.Submit(ctx, payload)
			if err = errors.Join(err, submitErr); submitErr == nil {
				p.subs[lsn] = string(payload)
			}
		}
		return errors.Join(err, s.Close())
	}, check: isAllThereAndMore},
	{name: "lease", make: uncleanDirectory, play: opening(func(s *Store, p scenePromise) error {
		m, err := s.lend()
		if err != nil {
			return err
		}
		return m.close()
	}), check: isAllThere},
	{name: "backup of a running store", make: cutBackup, play: opening(func(s *Store, p scenePromise) error {
		var err error
		for i := range 3 {
			_, backupErr := s.Backup(ctx, BackupOptions{To: "/backups", Keep: 1, Now: at(i)})
			err = errors.Join(err, backupErr, s.Flush(ctx))
			_, mergeErr := s.MergeOnce(ctx)
			err = errors.Join(err, mergeErr)
		}
		return err
	}), check: backsUpAndRestores},
	{name: "restore over a cut one", make: cutRestore, play: func(fsys vfs.FS, _ scenePromise) error {
		_, err := Restore(ctx, "/backups", "/new", RestoreOptions{FS: fsys})
		return err
	}, check: restoresAgain},
	{name: "restore by links", make: wholeBackup, play: func(fsys vfs.FS, _ scenePromise) error {
		_, err := Restore(ctx, "/backups", "/new", RestoreOptions{FS: fsys, Link: true})
		return err
	}, check: restoresAgain},
	{name: "ballast", make: uncleanDirectory, play: func(fsys vfs.FS, p scenePromise) error {
		o := testOptions(fsys, newTestClock())
		o.BallastBytes = 1 << 20
		s, err := Open("/db", o)
		if err != nil {
			return err
		}
		_, err = s.trimOnce(ctx)
		s.o.BallastBytes = 2 << 20
		_, again := s.trimOnce(ctx)
		return errors.Join(err, again, s.dropBallast(), s.Close())
	}, check: isAllThere},
	{name: "life", make: func(t *testing.T, fsys *vfs.Crash) scenePromise { return scenePromise{} }, play: func(fsys vfs.FS, _ scenePromise) error {
		s, err := Open("/db", testOptions(fsys, newTestClock()))
		if err != nil {
			return err
		}
		r := &faultRun{subs: map[uint64]string{}, rows: map[string]bool{}, gone: map[uint64]bool{}}
		r.live(s)
		return errors.Join(r.failed, s.Close())
	}},
}

// opening makes a play that opens the directory, answers, and does something else before the store is closed.
func opening(then func(s *Store, p scenePromise) error) func(vfs.FS, scenePromise) error {
	return func(fsys vfs.FS, p scenePromise) error {
		s, err := Open("/db", testOptions(fsys, newTestClock()))
		if err != nil {
			return err
		}
		if then == nil {
			then = answersRightly
		}
		err = then(s, p)
		return errors.Join(err, s.Close())
	}
}

// answersRightly reads everything. An error that is not wrapped in errWrong is one of the disk.
func answersRightly(s *Store, p scenePromise) error {
	if err := s.WaitVisible(ctx, s.log.Synced()); err != nil {
		return err
	}
	sn, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer sn.Release()
	for _, err := range []error{checkRowsBut(sn, p.subs, p.gone), checkRollup(sn)} {
		if err != nil && !ofTheDisk(err) {
			return fmt.Errorf("%w: %w", errWrong, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ofTheDisk tells whether an error says what was injected, or what followed from it.
func ofTheDisk(err error) bool {
	for _, part := range []string{errDisk.Error(), vfs.ErrNoSpace.Error()} {
		if strings.Contains(err.Error(), part) {
			return true
		}
	}
	return errors.Is(err, vfs.ErrNoSpace) || errors.Is(err, ErrFailed) || errors.Is(err, ErrFull)
}

// uncleanDirectory is what a killed process leaves: segments, a log that is not sealed, with transactions in it and a torn
// end, and a segment that was never published.
func uncleanDirectory(t *testing.T, fsys *vfs.Crash) scenePromise {
	s, subs := filled(t, fsys)
	p := scenePromise{subs: subs, gone: map[uint64]bool{}}
	deleteEvery(t, s, &p, 4)
	// Records that no batch of the catalog proves to be synced.
	submit(t, s, subs, testPayload("main", "unproven", day0, "release", "v", "3"), testPayload("main", "unproven", day0, "release", "v", "4"))
	must(t, vfs.WriteFile(fsys, "/db/segments/000000000999.seg", func(f vfs.File) error {
		_, err := f.Write([]byte("half a segment"))
		return err
	}))
	tearLog(t, fsys)
	made, err := fsys.Create("/db/wal/0000000000000255.wal") // a file of the log that was made ahead
	must(t, err)
	must(t, made.Close())
	left := fsys.CrashClone(rand.New(rand.NewPCG(1, 1)), 1)
	must(t, s.Close())
	*fsys = *left
	return p
}

// tearLog writes half a record behind the log's end.
func tearLog(t *testing.T, fsys vfs.FS) {
	t.Helper()
	names, err := fsys.List("/db/wal")
	must(t, err)
	name := "/db/wal/" + names[len(names)-1]
	raw, err := vfs.ReadFile(fsys, name)
	must(t, err)
	end := len(raw)
	for end > 0 && raw[end-1] == 0 {
		end--
	}
	f, err := fsys.OpenReadWrite(name)
	must(t, err)
	_, err = f.WriteAt([]byte{0x31, 0x07, 0x55, 0x01}, int64(end+8)&^7)
	must(t, errors.Join(err, f.Close()))
}

// deleteEvery deletes every nth row of telemetry.main.
func deleteEvery(t *testing.T, s *Store, p *scenePromise, nth int) {
	t.Helper()
	must(t, s.WaitVisible(ctx, s.log.Synced()))
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	rows, err := locate(sn, tableOf(t, sn, mainTable))
	must(t, err)
	some := map[uint64]bool{}
	for i, r := range rows {
		if i%nth == 0 {
			some[r.lsn] = true
		}
	}
	deleteLSNs(t, s, sn, mainTable, some, nil)
	maps.Copy(p.gone, some)
}

// deletedDirectory is a closed store with so many deleted rows that segments are due to be written again.
func deletedDirectory(t *testing.T, fsys *vfs.Crash) scenePromise {
	s, subs := filled(t, fsys)
	p := scenePromise{subs: subs, gone: map[uint64]bool{}}
	must(t, s.Flush(ctx))
	deleteEvery(t, s, &p, 2)
	must(t, s.Close())
	return p
}

// isAllThere opens a directory on a good disk: every promise is kept, and nothing was taken for damaged.
func isAllThere(t *testing.T, fsys vfs.FS, p scenePromise) {
	isAllThereWith(t, testOptions(fsys, newTestClock()), p)
}

func isAllThereWith(t *testing.T, o Options, p scenePromise) {
	t.Helper()
	s, err := Open("/db", o)
	if err != nil {
		t.Errorf("the directory does not open any more: %v", err)
		return
	}
	defer func() { must(t, s.Close()) }()
	must(t, s.WaitVisible(ctx, s.log.Synced()))
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	for _, err := range []error{checkRowsBut(sn, p.subs, p.gone), checkRollup(sn), checkStore(s)} {
		if err != nil {
			t.Error(err)
		}
	}
	if d := s.Damage(); len(d) > 0 {
		t.Errorf("a fault that passed was recorded as damage: %+v", d)
	}
}

// isAllThereAndMore allows for records whose submission failed and which are there all the same.
func isAllThereAndMore(t *testing.T, fsys vfs.FS, p scenePromise) {
	s, err := Open("/db", testOptions(fsys, newTestClock()))
	if err != nil {
		t.Errorf("the directory does not open any more: %v", err)
		return
	}
	defer func() { must(t, s.Close()) }()
	m := &sim{t: t, at: "a fault", a: newAcks(), s: s}
	m.a.subs = p.subs
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	m.ok(m.adoptUnacked(sn))
	m.ok(checkRows(sn, p.subs))
	m.ok(checkStore(s))
	if d := s.Damage(); len(d) > 0 {
		t.Errorf("a fault that passed was recorded as damage: %+v", d)
	}
}

func agedOptions(fsys vfs.FS) Options {
	clock := newTestClock()
	clock.set(day0 + 4)
	return testOptions(fsys, clock)
}

func agedDirectory(t *testing.T, fsys *vfs.Crash) scenePromise {
	s, err := Open("/db", testOptions(fsys, newTestClock()))
	must(t, err)
	submitDays(t, s, 0, 1, 2, 3, 4)
	must(t, s.SetRetention(ctx, mainTable, types.Retention{Days: 1}))
	must(t, s.Close())
	return scenePromise{}
}

// keepsTwoDays: partitions that are due are there or not, those that are not are there, and the next run drops the rest.
func keepsTwoDays(t *testing.T, fsys vfs.FS, _ scenePromise) {
	s, err := Open("/db", agedOptions(fsys))
	if err != nil {
		t.Errorf("the directory does not open any more: %v", err)
		return
	}
	defer func() { must(t, s.Close()) }()
	if days := fmt.Sprint(partitionDays(t, s, mainTable)); !strings.HasSuffix(days, "3 4]") {
		t.Errorf("partitions %s", days)
	}
	if err := checkStore(s); err != nil {
		t.Error(err)
		return
	}
	must(t, s.ExpireOnce(ctx))
	if days := fmt.Sprint(partitionDays(t, s, mainTable)); days != "[3 4]" {
		t.Errorf("partitions %s after another run, want [3 4]", days)
	}
	must(t, checkStore(s))
	names, err := fsys.List("/db/segments")
	must(t, err)
	if list, err := s.Segments(); err != nil || len(list) != len(names) {
		t.Errorf("%d files for %d segments, %v", len(names), len(list), err)
	}
}

func historyDirectory(t *testing.T, fsys *vfs.Crash) scenePromise {
	h := makeHistory(t, fsys, rand.New(rand.NewPCG(21, 22)))
	return scenePromise(h)
}

func replaysToTheEnd(t *testing.T, fsys vfs.FS, p scenePromise) {
	o := testOptions(fsys, newTestClock())
	o.Decoder = newNextDecoder
	s, err := Open("/db", o)
	if err != nil {
		t.Errorf("the directory does not open any more: %v", err)
		return
	}
	defer func() { must(t, s.Close()) }()
	_, err = s.Replay(ctx, ReplayOptions{Name: "x"})
	must(t, err)
	checkBut(t, s, history(p).replayed(), p.gone)
}

func trimOptions(fsys vfs.FS) Options {
	o := testOptions(fsys, newTestClock())
	o.WALFileBytes, o.LandfillKeep = 16<<10, time.Nanosecond
	o.Now = func() time.Time { return time.Now().Add(time.Hour) } // the age of a file is by its time on the disk
	return o
}

func manyLogFiles(t *testing.T, fsys *vfs.Crash) scenePromise {
	o := testOptions(fsys, newTestClock())
	o.WALFileBytes = 16 << 10
	s, err := Open("/db", o)
	must(t, err)
	subs := map[uint64]string{}
	for i := range 12 {
		submit(t, s, subs, testPayload("main", fmt.Sprint(i), day0, strings.Repeat("release", 900), "v", "1"))
	}
	must(t, s.Flush(ctx))
	submit(t, s, subs, testPayload("main", "last", day0, "beta", "v", "1"))
	must(t, s.Close())
	return scenePromise{subs: subs}
}

func isAllThereTrimmed(t *testing.T, fsys vfs.FS, p scenePromise) {
	isAllThereWith(t, trimOptions(fsys), p)
}

// backsUpAndRestores: what backups are there are whole, and the next one works.
func backsUpAndRestores(t *testing.T, fsys vfs.FS, p scenePromise) {
	isAllThere(t, fsys, p)
	if _, err := Backup(ctx, "/db", BackupOptions{FS: fsys, To: "/backups", Now: at(10)}); err != nil {
		t.Errorf("the next backup: %v", err)
		return
	}
	noProblems(t, fsys, "/backups")
	_, err := Restore(ctx, "/backups", "/new", RestoreOptions{FS: fsys})
	must(t, err)
	checkAt(t, fsys, "/new", p)
}

func checkAt(t *testing.T, fsys vfs.FS, dir string, p scenePromise) {
	t.Helper()
	s, err := Open(dir, testOptions(fsys, newTestClock()))
	must(t, err)
	checkBut(t, s, p.subs, p.gone)
	must(t, s.Close())
}

func wholeBackup(t *testing.T, fsys *vfs.Crash) scenePromise {
	s, subs := filled(t, fsys)
	_, err := s.Backup(ctx, BackupOptions{To: "/backups"})
	must(t, err)
	must(t, s.Close())
	return scenePromise{subs: subs}
}

// cutBackup is an unclean directory, and a backup of it that was cut.
func cutBackup(t *testing.T, fsys *vfs.Crash) scenePromise {
	p := uncleanDirectory(t, fsys)
	in := vfs.NewInjector(vfs.Rule{Ops: vfs.Mutating, Glob: "/backups/*/*", Nth: 6, Sticky: true, Err: errDisk})
	if _, err := Backup(ctx, "/db", BackupOptions{FS: vfs.Fault(fsys, in), To: "/backups"}); err == nil {
		t.Fatal("the backup was not cut")
	}
	return p
}

// cutRestore is a backup, and a directory into which a part of it was restored.
func cutRestore(t *testing.T, fsys *vfs.Crash) scenePromise {
	p := wholeBackup(t, fsys)
	in := vfs.NewInjector(vfs.Rule{Ops: vfs.Mutating, Glob: "/new/*", Nth: 12, Sticky: true, Err: errDisk})
	if _, err := Restore(ctx, "/backups", "/new", RestoreOptions{FS: vfs.Fault(fsys, in)}); err == nil {
		t.Fatal("the restore was not cut")
	}
	return p
}

func restoresAgain(t *testing.T, fsys vfs.FS, p scenePromise) {
	if begun, err := Exists(fsys, "/new"); err == nil && begun && unfinishedRestore(fsys, "/new") == nil {
		checkAt(t, fsys, "/new", p)
		return
	}
	if unfinishedRestore(fsys, "/new") != nil {
		if _, err := Open("/new", testOptions(fsys, newTestClock())); err == nil {
			t.Error("half a restore opens")
		}
	}
	_, err := Restore(ctx, "/backups", "/new", RestoreOptions{FS: fsys})
	must(t, err)
	checkAt(t, fsys, "/new", p)
}

// reading are the calls that fetch bytes or names.
var reading = vfs.Ops(vfs.OpOpen, vfs.OpOpenReadWrite, vfs.OpReadAt, vfs.OpStat, vfs.OpList, vfs.OpSize)

// TestEveryCallOfEverySceneMayFail makes the nth call of a scene fail, for every n until none fails: changes and reads,
// once and for good, with two errors. Whatever is answered meanwhile is right; afterwards, on a disk that works again,
// everything promised is there, and what was begun can be done. With TELEMDB_SEEDS every n, otherwise a few of them.
func TestEveryCallOfEverySceneMayFail(t *testing.T) {
	injected := int64(0)
	for i := range faultScenes {
		sc := &faultScenes[i]
		if sc.check == nil {
			continue // swept by TestEveryFileOperationMayFail
		}
		t.Run(sc.name, func(t *testing.T) {
			base := vfs.NewCrash()
			p := sc.make(t, base)
			for _, kind := range []struct {
				name   string
				ops    vfs.OpSet
				cause  error
				sticky bool
			}{
				{"change", vfs.Mutating, errDisk, false}, {"change", vfs.Mutating, vfs.ErrNoSpace, true},
				{"change", vfs.Mutating, errDisk, true}, {"change", vfs.Mutating, vfs.ErrNoSpace, false},
				{"read", reading, errDisk, false}, {"read", reading, errDisk, true},
			} {
				calls := sc.count(t, base, p, kind.ops)
				stride := int64(1)
				if !prove.All() {
					stride = calls/2 + 1
				}
				for nth := 1 + stride/2; nth <= calls && !t.Failed(); nth += stride {
					what := fmt.Sprintf("%s %d of %d fails with %v (for good: %v)", kind.name, nth, calls, kind.cause, kind.sticky)
					if sc.fail(t, base, p, what, vfs.Rule{Ops: kind.ops, Nth: nth, Sticky: kind.sticky, Err: kind.cause}) {
						injected++
					}
				}
			}
		})
	}
	prove.Tally(t, "faults injected, scenes", injected)
}

// count plays the scene on a disk that works.
func (sc *faultScene) count(t *testing.T, base *vfs.Crash, p scenePromise, ops vfs.OpSet) int64 {
	t.Helper()
	in := vfs.NewInjector()
	if err := sc.play(vfs.Fault(base.CrashClone(rand.New(rand.NewPCG(1, 1)), 1), in), p.clone()); err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	return in.Calls(ops)
}

func (sc *faultScene) fail(t *testing.T, base *vfs.Crash, p scenePromise, what string, r vfs.Rule) (fired bool) {
	t.Helper()
	var mu sync.Mutex
	var where string
	r.Do = func(op vfs.Op, name string) {
		mu.Lock()
		defer mu.Unlock()
		if where == "" {
			where = op.String() + " " + name
		}
	}
	fsys, in := base.CrashClone(rand.New(rand.NewPCG(1, 1)), 1), vfs.NewInjector(r)
	p = p.clone()
	watchdog := time.AfterFunc(2*time.Minute, func() { panic(sc.name + " hangs: " + what) })
	defer watchdog.Stop()
	err := sc.play(vfs.Fault(fsys, in), p)
	in.Clear()
	mu.Lock()
	defer mu.Unlock()
	if where == "" && err != nil || errors.Is(err, errWrong) {
		t.Errorf("%s (%s): %v", what, where, err)
	} else if err != nil && !ofTheDisk(err) {
		t.Errorf("%s (%s): the error does not say so: %v", what, where, err)
	}
	sc.check(t, fsys, p)
	if t.Failed() {
		t.Fatalf("%s (%s); the scene said: %v", what, where, err)
	}
	return where != ""
}
