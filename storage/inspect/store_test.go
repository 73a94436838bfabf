package inspect_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/inspect"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/storage/wal"
)

var rewrite = flag.Bool("rewrite", false, "write the goldens in testdata anew")

// smallStore makes a store in dir: a table of two partitions, a view, rows that are sealed and rows that are not.
func smallStore(t *testing.T, fsys vfs.FS, dir string) *storage.Store {
	t.Helper()
	ctx := context.Background()
	s, err := storage.Open(dir, storage.Options{FS: fsys, Manual: true, HardReserve: -1, WALFileBytes: 64 << 10,
		Now: func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }})
	must(t, err)
	must(t, s.CreateSchema(ctx, "public"))
	table, err := s.CreateTable(ctx, &types.Table{Schema: "public", Name: "hits", Kind: types.TableUser, PartitionBy: "day", SortKey: []string{"n"},
		Columns: []types.Column{{Name: "n", Type: types.Of(types.Int64), NotNull: true}, {Name: "day", Type: types.Of(types.Date)},
			{Name: "doc", Type: types.Of(types.JSONB)}}})
	must(t, err)
	must(t, s.CreateView(ctx, storage.View{Schema: "public", Name: "v", SQL: "SELECT n FROM public.hits",
		Columns: []types.Column{{Name: "n", Type: types.Of(types.Int64)}}}, false))
	insert := func(from, to int) {
		var rows []*column.RowBuf
		for n := from; n < to; n++ {
			r := &column.RowBuf{}
			r.Int(s.Paths().Intern("n"), int64(n))
			r.Int(s.Paths().Intern("day"), 20514+int64(n%2))
			r.Text(s.Paths().Intern(types.MakePath("doc", "name")), fmt.Sprintf("row %d", n%3))
			r.Float(s.Paths().Intern(types.MakePath("doc", "at", "x")), float64(n)/2)
			rows = append(rows, r)
		}
		must(t, s.InsertRows(ctx, table, rows))
	}
	insert(0, 1500)
	must(t, s.Flush(ctx))
	insert(1500, 1510)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// unstable are the parts of a dump that differ from run to run (random ids, times of the log, the sizes of Pebble) or with
// every better encoding (places and sizes in segments, which have goldens of their own).
var unstable = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`id 0x[0-9a-f]+, begun [^\n]+`), "id X, begun T"},
	{regexp.MustCompile(`catalog: \d+ files, \d+ bytes`), "catalog: N files, N bytes"},
	{regexp.MustCompile(`(segments: \d+ files|row groups?|directory: .*row groups|\.seg), \d+ bytes`), "$1, N bytes"},
	{regexp.MustCompile(`(?m)^  \[\d+, \d+\) table$`), "  [A, B) table"},
	{regexp.MustCompile(`(?m)^(  [a-z_.]+ [a-z]+: |)\[\d+, \d+\)( \d+ bytes)?`), "$1[A, B)"},
}

func golden(t *testing.T, name, dump string) {
	t.Helper()
	for _, u := range unstable {
		dump = u.re.ReplaceAllString(dump, u.with)
	}
	file := filepath.Join("testdata", name+".txt")
	if *rewrite {
		must(t, os.WriteFile(file, []byte(dump), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if dump != string(want) {
		t.Errorf("the dump differs from %s (-rewrite writes it anew):\n%s", file, dump)
	}
}

func dump(t *testing.T, fsys vfs.FS, name string, o inspect.Options) string {
	t.Helper()
	var out bytes.Buffer
	must(t, inspect.Path(&out, fsys, name, o))
	return out.String()
}

func TestDumpsOfASmallStore(t *testing.T) {
	fsys := vfs.NewMem()
	must(t, smallStore(t, fsys, "/db").Close())
	golden(t, "data", dump(t, fsys, "/db", inspect.Options{}))
	golden(t, "catalog", dump(t, fsys, "/db/meta", inspect.Options{}))
	names, err := fsys.List("/db/segments")
	must(t, err)
	golden(t, "segment", dump(t, fsys, path.Join("/db/segments", names[0]), inspect.Options{}))
	golden(t, "column", dump(t, fsys, path.Join("/db/segments", names[0]), inspect.Options{Column: "doc.at"}))
	golden(t, "log", dump(t, fsys, "/db/wal", inspect.Options{}))
	golden(t, "head", dump(t, fsys, "/db", inspect.Options{Head: 1})+dump(t, fsys, "/db/meta", inspect.Options{Head: 1})+
		dump(t, fsys, "/db/segments", inspect.Options{Head: 1}))
}

func TestADirectoryCanBeInspectedAfterAPowerLoss(t *testing.T) {
	fsys := vfs.NewCrash()
	s := smallStore(t, fsys, "/db")
	after := fsys.CrashClone(rand.New(rand.NewPCG(1, 1)), 0.5)
	must(t, s.Close())
	golden(t, "catalog", dump(t, after, "/db/meta", inspect.Options{}))
	dump(t, after, "/db", inspect.Options{})
}

func TestDumpOfALogShowsSubmissionsAndDamage(t *testing.T) {
	fsys := vfs.NewMem()
	must(t, fsys.MkdirAll("/wal"))
	log, _, err := wal.Open(wal.Options{FS: fsys, Dir: "/wal", FileBytes: 1 << 16}, 0)
	must(t, err)
	for i := range 5 {
		_, err := log.Append(context.Background(), wal.Kind(i%4+1), fmt.Appendf(nil, "payload of record %d", i+1))
		must(t, err)
	}
	must(t, log.Close())
	names, err := fsys.List("/wal")
	must(t, err)
	name := path.Join("/wal", names[0])
	describe := func(p []byte) string { return strings.ToUpper(string(p)) }
	golden(t, "records", dump(t, fsys, name, inspect.Options{Head: 4, Submission: describe})+dump(t, fsys, name, inspect.Options{}))

	data, err := vfs.ReadFile(fsys, name)
	must(t, err)
	at := bytes.Index(data, []byte("payload of record 3"))
	f, err := fsys.OpenReadWrite(name)
	must(t, err)
	_, err = f.WriteAt([]byte("P"), int64(at))
	must(t, err)
	must(t, f.Close())
	golden(t, "damaged", dump(t, fsys, name, inspect.Options{}))
}

// snapshotOf returns the bytes of every file below dir.
func snapshotOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		out[p] = string(b)
		return err
	}))
	return out
}

func TestInspectingChangesNoByte(t *testing.T) {
	dir := t.TempDir()
	db := filepath.ToSlash(filepath.Join(dir, "db"))
	must(t, smallStore(t, vfs.OS(), db).Close())
	before := snapshotOf(t, dir)
	for _, name := range []string{db, db + "/meta", db + "/wal", db + "/segments"} {
		must(t, inspect.Path(io.Discard, vfs.OS(), name, inspect.Options{}))
	}
	after := snapshotOf(t, dir)
	for name, b := range after {
		if was, ok := before[name]; !ok || was != b {
			t.Errorf("%s changed (was there: %v)", name, ok)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, before %d", len(after), len(before))
	}
}

func TestADirectoryInUseIsRefusedAndItsFilesAreNot(t *testing.T) {
	db := filepath.ToSlash(filepath.Join(t.TempDir(), "db"))
	s := smallStore(t, vfs.OS(), db)
	for _, name := range []string{db, db + "/meta"} {
		err := inspect.Path(io.Discard, vfs.OS(), name, inspect.Options{})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use (pid %d, ", os.Getpid())) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{db + "/wal", db + "/segments"} {
		must(t, inspect.Path(io.Discard, vfs.OS(), name, inspect.Options{}))
	}
	must(t, s.Close())
}

func TestWhatIsNotOursIsNamed(t *testing.T) {
	fsys := vfs.NewMem()
	must(t, fsys.MkdirAll("/d/meta"))
	must(t, vfs.WriteFile(fsys, "/d/text", func(f vfs.File) error {
		_, err := f.Write([]byte("hello"))
		return err
	}))
	for _, name := range []string{"/d", "/d/text", "/d/meta", "/none"} {
		if err := inspect.Path(io.Discard, fsys, name, inspect.Options{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
