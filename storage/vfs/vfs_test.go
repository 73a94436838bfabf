package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// everyFS runs a test on each implementation; dir exists and is empty.
func everyFS(t *testing.T, test func(t *testing.T, fsys FS, dir string)) {
	mem := func(f FS) (FS, string) { return f, "/d" }
	for name, open := range map[string]func() (FS, string){
		"os":    func() (FS, string) { return OS(), path.Join(filepath.ToSlash(t.TempDir()), "d") },
		"mem":   func() (FS, string) { return mem(NewMem()) },
		"crash": func() (FS, string) { return mem(NewCrash()) },
		"fault": func() (FS, string) { return mem(Fault(NewCrash(), NewInjector())) },
	} {
		t.Run(name, func(t *testing.T) {
			fsys, dir := open()
			must(t, fsys.MkdirAll(dir))
			test(t, fsys, dir)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put makes or overwrites a file without any sync.
func put(t *testing.T, fsys FS, name, content string) File {
	t.Helper()
	f, err := fsys.Create(name)
	if errors.Is(err, fs.ErrExist) {
		f, err = fsys.OpenReadWrite(name)
	}
	must(t, err)
	_, err = f.WriteAt([]byte(content), 0)
	must(t, err)
	return f
}

func content(t *testing.T, fsys FS, name string) string {
	t.Helper()
	b, err := ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	must(t, err)
	return string(b)
}

func TestEveryFileSystemKeepsTheContract(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		a, b := path.Join(dir, "a"), path.Join(dir, "b")
		f := put(t, fsys, a, "hello")
		_, err := fsys.Create(a)
		wantErr(t, "Create over a file", err, fs.ErrExist)
		_, err = f.WriteAt([]byte("J"), 0)
		must(t, err)
		must(t, f.Preallocate(10_000))
		must(t, f.SyncData())
		if size, _ := f.Size(); size != 10_000 {
			t.Fatalf("size after Preallocate is %d", size)
		}
		must(t, f.Preallocate(10))
		must(t, f.Truncate(7))
		must(t, f.Sync())
		if got := content(t, fsys, a); got != "Jello\x00\x00" {
			t.Fatalf("content %q", got)
		}
		n, err := f.ReadAt(make([]byte, 9), 0)
		if n != 7 || err == nil {
			t.Fatalf("ReadAt over the end: %d, %v", n, err)
		}
		must(t, f.Close())

		must(t, fsys.Link(a, b))
		wantErr(t, "Link over a file", fsys.Link(a, b), fs.ErrExist)
		must(t, fsys.Rename(b, path.Join(dir, "c")))
		names, err := fsys.List(dir)
		must(t, err)
		if fmt.Sprint(names) != "[a c]" {
			t.Fatalf("List: %v", names)
		}
		_, err = fsys.Open(b)
		wantErr(t, "Open of what is not there", err, fs.ErrNotExist)
		_, err = fsys.OpenReadWrite(b)
		wantErr(t, "OpenReadWrite of what is not there", err, fs.ErrNotExist)
		wantErr(t, "Remove of what is not there", fsys.Remove(b), fs.ErrNotExist)
		must(t, fsys.Remove(a))
		if got := content(t, fsys, path.Join(dir, "c")); got != "Jello\x00\x00" {
			t.Fatalf("the other link holds %q", got)
		}
		must(t, fsys.MkdirAll(path.Join(dir, "x/y/z")))
		must(t, fsys.MkdirAll(path.Join(dir, "x/y/z")))
		if fsys.Remove(path.Join(dir, "x")) == nil {
			t.Fatal("Remove took a directory that is not empty")
		}
		must(t, fsys.RemoveAll(path.Join(dir, "x")))
		must(t, fsys.RemoveAll(path.Join(dir, "x")))
		info, err := fsys.Stat(dir)
		must(t, err)
		if !info.Dir {
			t.Fatal("Stat takes a directory for a file")
		}
		if u, err := fsys.DiskUsage(dir); err != nil || u.Total == 0 || u.Free > u.Total {
			t.Fatalf("DiskUsage %v, %v", u, err)
		}
	})
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

func TestALockIsHeldByOneAndTellsByWhom(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		name := path.Join(dir, "LOCK")
		first, err := fsys.Lock(name, []byte("pid 17, a long text"))
		must(t, err)
		_, err = fsys.Lock(name, []byte("pid 18"))
		var locked *LockedError
		if !errors.As(err, &locked) || string(locked.Content) != "pid 17, a long text" {
			t.Fatalf("second lock: %v", err)
		}
		must(t, first.Close())
		second, err := fsys.Lock(name, []byte("pid 18"))
		must(t, err)
		if got := content(t, fsys, name); got != "pid 18" {
			t.Fatalf("lock file holds %q", got)
		}
		must(t, second.Close())
	})
}

func TestWriteFilePublishesWholeOrNot(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		name := path.Join(dir, "f")
		must(t, WriteFile(fsys, name, func(f File) error { _, err := f.Write([]byte("one")); return err }))
		boom := errors.New("boom")
		err := WriteFile(fsys, name, func(f File) error {
			if _, err := f.Write([]byte("tw")); err != nil {
				return err
			}
			return boom
		})
		wantErr(t, "failing write", err, boom)
		if got := content(t, fsys, name); got != "one" {
			t.Fatalf("after a failure %q", got)
		}
		put(t, fsys, name+TempSuffix, "left behind")
		must(t, WriteFile(fsys, name, func(f File) error { _, err := f.Write([]byte("two")); return err }))
		put(t, fsys, path.Join(dir, "g"+TempSuffix), "left behind")
		removed, err := RemoveTemps(fsys, dir)
		must(t, err)
		names, err := fsys.List(dir)
		must(t, err)
		if got := fmt.Sprintln(content(t, fsys, name), names, removed); got != "two [f] [g.tmp]\n" {
			t.Fatal(got)
		}
	})
}

// The state after a power loss with nothing but synced bytes, for one sequence of calls each.
func TestCrashKeepsWhatWasSyncedAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, c *Crash)
		want string // of /d/f and /d/g
	}{
		{"file synced, directory not", func(t *testing.T, c *Crash) {
			must(t, put(t, c, "/d/f", "data").Sync())
		}, "absent absent"},
		{"directory synced, file not", func(t *testing.T, c *Crash) {
			put(t, c, "/d/f", "data")
			must(t, c.SyncDir("/d"))
		}, " absent"},
		{"both synced, then overwritten", func(t *testing.T, c *Crash) {
			must(t, put(t, c, "/d/f", "data").Sync())
			must(t, c.SyncDir("/d"))
			put(t, c, "/d/f", "DATA and more")
		}, "data absent"},
		{"synced, then truncated", func(t *testing.T, c *Crash) {
			f := put(t, c, "/d/f", "data")
			must(t, f.Sync())
			must(t, c.SyncDir("/d"))
			must(t, f.Truncate(1))
		}, "data absent"},
		{"truncated and written anew, synced", func(t *testing.T, c *Crash) {
			f := put(t, c, "/d/f", strings.Repeat("x", 3*pageBytes))
			must(t, f.Sync())
			must(t, f.Truncate(1))
			must(t, f.Preallocate(3))
			must(t, f.SyncData())
			must(t, c.SyncDir("/d"))
		}, "x\x00\x00 absent"},
		{"renamed without directory sync", func(t *testing.T, c *Crash) {
			must(t, put(t, c, "/d/f", "data").Sync())
			must(t, c.SyncDir("/d"))
			must(t, c.Rename("/d/f", "/d/g"))
		}, "data absent"},
		{"renamed with directory sync", func(t *testing.T, c *Crash) {
			must(t, put(t, c, "/d/f", "data").Sync())
			must(t, c.Rename("/d/f", "/d/g"))
			must(t, c.SyncDir("/d"))
		}, "absent data"},
		{"removed without directory sync", func(t *testing.T, c *Crash) {
			must(t, put(t, c, "/d/f", "data").Sync())
			must(t, c.SyncDir("/d"))
			must(t, c.Remove("/d/f"))
		}, "data absent"},
		{"written after removal from an open handle", func(t *testing.T, c *Crash) {
			f := put(t, c, "/d/f", "data")
			must(t, f.Sync())
			must(t, c.Remove("/d/f"))
			must(t, c.SyncDir("/d"))
			must(t, f.Sync())
		}, "absent absent"},
		{"published", func(t *testing.T, c *Crash) {
			must(t, WriteFile(c, "/d/f", func(f File) error { _, err := f.Write([]byte("data")); return err }))
		}, "data absent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := NewCrash()
			must(t, fsys.MkdirAll("/d"))
			c.do(t, fsys)
			now := content(t, fsys, "/d/f") + " " + content(t, fsys, "/d/g")
			for seed := range uint64(4) {
				rng := rand.New(rand.NewPCG(seed, 0))
				after := fsys.CrashClone(rng, 0)
				if got := content(t, after, "/d/f") + " " + content(t, after, "/d/g"); got != c.want {
					t.Errorf("nothing kept: %q, want %q", got, c.want)
				}
				all := fsys.CrashClone(rng, 1)
				if got := content(t, all, "/d/f") + " " + content(t, all, "/d/g"); got != now {
					t.Errorf("all kept: %q, want %q", got, now)
				}
			}
		})
	}
}

// A model per byte: after a loss each tear unit is either as synced or as written, and a second loss without writes
// changes nothing.
func TestCrashTearsOnlyAtUnitsAndOnlyWhatWasNotSynced(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fsys := NewCrash()
		f, err := fsys.Create("/f")
		must(t, err)
		must(t, fsys.SyncDir("/"))
		live := make([]byte, 5*pageBytes)
		var synced []byte
		_, err = f.WriteAt(live, 0)
		must(t, err)
		for range 20 {
			if rng.IntN(4) == 0 {
				must(t, f.SyncData())
				synced = bytes.Clone(live)
			}
			off := rng.IntN(len(live))
			p := live[off:min(len(live), off+rng.IntN(3*pageBytes))]
			for i := range p {
				p[i] = byte(1 + rng.IntN(255))
			}
			_, err := f.WriteAt(p, int64(off))
			must(t, err)
		}
		after := fsys.CrashClone(rng, 0.5)
		got := []byte(content(t, after, "/f"))
		kept := 0
		for at := 0; at < len(got); at += 512 {
			unit := got[at:min(at+512, len(got))]
			was := make([]byte, len(unit))
			if at < len(synced) {
				was = synced[at : at+len(unit)]
			}
			switch {
			case bytes.Equal(unit, live[at:at+len(unit)]):
				kept++
			case !bytes.Equal(unit, was):
				t.Fatalf("seed %d: unit at %d is neither old nor new", seed, at)
			}
		}
		if len(got) < len(synced) {
			t.Fatalf("seed %d: %d bytes of %d synced", seed, len(got), len(synced))
		}
		if again := content(t, after.CrashClone(rng, 0.5), "/f"); again != string(got) {
			t.Fatalf("seed %d: the second loss changed something", seed)
		}
		// The survivor is written without harm to the world it came from.
		g, err := after.OpenReadWrite("/f")
		must(t, err)
		_, err = g.WriteAt(make([]byte, len(live)), 0)
		must(t, err)
		if content(t, fsys, "/f") != string(live) {
			t.Fatalf("seed %d: a write in the clone shows in the original", seed)
		}
	}
}

func TestTheSameSeedGivesTheSameLoss(t *testing.T) {
	world := NewCrash()
	must(t, world.MkdirAll("/d"))
	for i := range 40 {
		f := put(t, world, fmt.Sprintf("/d/%d", i), strings.Repeat("ab", 3000))
		if i%3 == 0 {
			must(t, f.Sync())
		}
		if i == 20 {
			must(t, world.SyncDir("/d"))
		}
	}
	print := func(seed uint64) string {
		after := world.CrashClone(rand.New(rand.NewPCG(seed, 2)), 0.5)
		names, err := after.List("/d")
		must(t, err)
		var b strings.Builder
		for _, n := range names {
			fmt.Fprintf(&b, "%s %x\n", n, content(t, after, "/d/"+n))
		}
		return b.String()
	}
	first, again, other := print(7), print(7), print(8)
	if first != again {
		t.Fatal("two losses of one seed differ")
	}
	if first == other {
		t.Fatal("two seeds gave the same loss")
	}
}

func TestFaultsFireWhereTheyAreToldAndAreCounted(t *testing.T) {
	in := NewInjector(
		Rule{Ops: Ops(OpWriteAt), Glob: "*.log", Nth: 2, Err: syscall.ENOSPC, Partial: true},
		Rule{Ops: Ops(OpSync, OpSyncData), Nth: 2, Sticky: true, Err: syscall.EIO},
	)
	in.RecordSites()
	fsys := Fault(NewCrash(), in)
	log, other := put(t, fsys, "/a.log", "1234"), put(t, fsys, "/b", "1234")
	_, err := other.WriteAt([]byte("5678"), 4)
	must(t, err)
	n, err := log.WriteAt([]byte("5678"), 4)
	if n != 2 || !errors.Is(err, ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("partial write: %d, %v", n, err)
	}
	_, err = log.WriteAt([]byte("9"), 6)
	must(t, err)
	if got := content(t, fsys, "/a.log"); got != "1234569" {
		t.Fatalf("a.log is %q", got)
	}
	must(t, log.Sync())
	for range 3 {
		wantErr(t, "sticky", log.SyncData(), syscall.EIO)
	}
	if got := in.Calls(Ops(OpSync, OpSyncData)); got != 4 {
		t.Fatalf("counted %d syncs", got)
	}
	sites := 0
	for s := range in.Sites() {
		if strings.HasPrefix(s, "syncdata vfs/vfs_test.go:") || strings.HasPrefix(s, "sync vfs/vfs_test.go:") {
			sites++
		}
	}
	if sites != 2 {
		t.Fatalf("two lines of this test sync, recorded are: %v", in.Sites())
	}
	in.Clear()
	must(t, log.Sync())
}

func TestARuleCanStopTheWorldAtAnOperation(t *testing.T) {
	world := NewCrash()
	var after *Crash
	fsys := Fault(world, NewInjector(Rule{Ops: Ops(OpRename), Do: func(Op, string) {
		after = world.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)
	}}))
	must(t, WriteFile(fsys, "/f", func(f File) error { _, err := f.Write([]byte("x")); return err }))
	if after == nil || content(t, after, "/f") != "absent" || content(t, world, "/f") != "x" {
		t.Fatal("the clone is not from just before the rename")
	}
}

// Pebble on the adapter: every key of a synced batch is there after any power loss, on the same file system as our files.
func TestPebbleLivesThroughPowerLossOnTheSameFileSystem(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 3))
		world := NewCrash()
		synced := 0
		for cycle := range 3 {
			must(t, world.MkdirAll("/data/meta"))
			db, err := pebble.Open("/data/meta", pebbleOptions(Fault(world, NewInjector())))
			if err != nil {
				t.Fatalf("seed %d cycle %d: %v", seed, cycle, err)
			}
			for i := range synced {
				v, closer, err := db.Get(fmt.Appendf(nil, "k%04d", i))
				if err != nil || len(v) != 100 {
					t.Fatalf("seed %d cycle %d: key %d: %v", seed, cycle, i, err)
				}
				must(t, closer.Close())
			}
			for range 20 + rng.IntN(40) {
				must(t, db.Set(fmt.Appendf(nil, "k%04d", synced), make([]byte, 100), pebble.Sync))
				synced++
			}
			if rng.IntN(2) == 0 {
				must(t, db.Flush())
			}
			must(t, db.Set([]byte("unsynced"), nil, pebble.NoSync))
			after := world.CrashClone(rng, rng.Float64())
			must(t, db.Close())
			world = after
		}
	}
}

func pebbleOptions(fsys FS) *pebble.Options {
	return &pebble.Options{FS: Pebble(fsys), MemTableSize: 64 << 10, Logger: quiet{}}
}

type quiet struct{}

func (quiet) Infof(string, ...any)         {}
func (quiet) Errorf(string, ...any)        {}
func (quiet) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }

func TestPebbleWorksOnTheRealFileSystem(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	db, err := pebble.Open(dir, pebbleOptions(OS()))
	must(t, err)
	must(t, db.Set([]byte("k"), []byte("v"), pebble.Sync))
	must(t, db.Flush())
	must(t, db.Checkpoint(path.Join(dir, "checkpoint")))
	if _, err := pebble.Open(dir, pebbleOptions(OS())); err == nil {
		t.Fatal("a second opener got the directory")
	}
	must(t, db.Close())
	db, err = pebble.Open(path.Join(dir, "checkpoint"), pebbleOptions(OS()))
	must(t, err)
	v, closer, err := db.Get([]byte("k"))
	if err != nil || string(v) != "v" {
		t.Fatalf("%q, %v", v, err)
	}
	must(t, closer.Close())
	must(t, db.Close())
}

// Every failing operation of WriteFile leaves the old content or the new, and never an error-free half.
func TestWriteFileSurvivesAFaultAtEveryOperation(t *testing.T) {
	for n := int64(1); ; n++ {
		world := NewCrash()
		write := func(fsys FS, s string) error {
			return WriteFile(fsys, "/f", func(f File) error { _, err := f.Write([]byte(s)); return err })
		}
		must(t, write(world, "old"))
		in := NewInjector(Rule{Nth: n, Err: syscall.EIO})
		err := write(Fault(world, in), "new")
		got := content(t, world, "/f")
		after := content(t, world.CrashClone(rand.New(rand.NewPCG(1, 2)), 0), "/f")
		switch {
		case err == nil && (got != "new" || after != "new"):
			t.Fatalf("operation %d failed, no error, but %q, after power loss %q", n, got, after)
		case got != "old" && got != "new", after != "old" && after != "new":
			t.Fatalf("operation %d failed: %q, after power loss %q", n, got, after)
		}
		if in.Calls(0) < n {
			return
		}
	}
}

// noFile is what storage may use of packages os and unix: it touches no file (anonymous memory outside the Go heap).
var noFile = map[string]bool{
	"Getpid": true, "Getenv": true, "Getpagesize": true, "Mmap": true, "Munmap": true, "Madvise": true,
	"MmapPtr": true, "MunmapPtr": true, // the same, of an address; no file either: see mapsFile
	"PROT_READ": true, "PROT_WRITE": true, "MAP_ANON": true, "MAP_PRIVATE": true, "MADV_DONTNEED": true, "MADV_HUGEPAGE": true,
}

// mapsFile reports whether a call maps anything but anonymous memory, whose descriptor is written as -1.
func mapsFile(c *ast.CallExpr) bool {
	sel, ok := c.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Mmap" && sel.Sel.Name != "MmapPtr" || len(c.Args) == 0 {
		return false
	}
	minus, ok := c.Args[0].(*ast.UnaryExpr)
	if !ok || minus.Op != token.SUB {
		return true
	}
	one, ok := minus.X.(*ast.BasicLit)
	return !ok || one.Value != "1"
}

func TestStorageTouchesFilesOnlyThroughThisPackage(t *testing.T) {
	err := filepath.WalkDir("..", func(name string, d os.DirEntry, err error) error {
		slash := filepath.ToSlash(name)
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") ||
			strings.HasPrefix(slash, "../vfs/") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil || bytes.Contains(text, []byte("//go:build ignore")) { // a generator
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			return nil // the compiler says it better
		}
		for _, imp := range f.Imports {
			switch imp.Path.Value {
			case `"io/ioutil"`, `"syscall"`:
				t.Errorf("%s imports %s: use storage/vfs", slash, imp.Path.Value)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok && mapsFile(c) {
				t.Errorf("%s maps a file: use storage/vfs", slash)
			}
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && (pkg.Name == "os" || pkg.Name == "unix") && !noFile[sel.Sel.Name] {
					t.Errorf("%s uses %s.%s: use storage/vfs", slash, pkg.Name, sel.Sel.Name)
				}
			}
			return true
		})
		return nil
	})
	must(t, err)
}
