package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vfs"
)

// countingFS counts the files that are open.
type countingFS struct {
	vfs.FS
	open, most atomic.Int64
	limit      int64 // more are refused, as by a process that has no descriptors left
}

type countedFile struct {
	vfs.File
	fs *countingFS
}

func (c *countingFS) Open(name string) (vfs.File, error) {
	n := c.open.Add(1)
	if c.limit > 0 && n > c.limit {
		c.open.Add(-1)
		return nil, &fs.PathError{Op: "open", Path: name, Err: vfs.ErrTooManyFiles}
	}
	c.most.Store(max(c.most.Load(), n))
	f, err := c.FS.Open(name)
	if err != nil {
		c.open.Add(-1)
		return nil, err
	}
	return &countedFile{f, c}, nil
}

func (f *countedFile) Close() error { f.fs.open.Add(-1); return f.File.Close() }

func pooledFiles(t *testing.T, c *countingFS, max, n int) (*filePool, []vfs.File) {
	t.Helper()
	c.FS = vfs.NewMem()
	must(t, c.MkdirAll("/d"))
	p := newFilePool(c, max)
	var files []vfs.File
	for i := range n {
		name := fmt.Sprint("/d/", i)
		must(t, vfs.WriteFile(c.FS, name, func(f vfs.File) error { _, err := fmt.Fprintf(f, "%06d", i); return err }))
		f, err := p.Open(name)
		must(t, err)
		files = append(files, f)
	}
	return p, files
}

func TestThePoolKeepsNoMoreDescriptorsThanItMay(t *testing.T) {
	c := &countingFS{}
	p, files := pooledFiles(t, c, 10, 200)
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 1))
			for range 2000 {
				i := rng.IntN(len(files))
				var b [6]byte
				if _, err := files[i].ReadAt(b[:], 0); err != nil || string(b[:]) != fmt.Sprintf("%06d", i) {
					t.Errorf("file %d reads %q, %v", i, b, err)
				}
			}
		})
	}
	wg.Wait()
	if most := c.most.Load(); most > 10+4+1 {
		t.Errorf("%d descriptors at a time, want at most 10 and those in use", most)
	}
	if n := p.count(); n > 10 || int64(n) != c.open.Load() {
		t.Errorf("the pool counts %d descriptors, %d are open", n, c.open.Load())
	}
	for _, f := range files {
		must(t, f.Close())
		must(t, f.Close())
	}
	if c.open.Load() != 0 || p.count() != 0 {
		t.Errorf("%d descriptors are left", c.open.Load())
	}
	if _, err := files[0].ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a closed file reads: %v", err)
	}
	if _, err := p.Open("/d/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file opens: %v", err)
	}
}

func TestThePoolGivesDescriptorsBackWhenOthersHaveTakenThem(t *testing.T) {
	c := &countingFS{}
	_, files := pooledFiles(t, c, 100, 50)
	c.limit = c.open.Load() // whoever opens one more is refused
	f, err := newPoolFile(t, files)
	must(t, err)
	must(t, f.Close())
	for _, f := range files {
		if _, err := f.ReadAt(make([]byte, 1), 0); err != nil {
			t.Fatal(err)
		}
		must(t, f.Close())
	}
}

func newPoolFile(t *testing.T, files []vfs.File) (vfs.File, error) {
	t.Helper()
	return files[0].(*pooledFile).p.Open("/d/7")
}

const fewFilesEnv = "TELEMDB_TEST_FEW_FILES"

// TestAProcessWithFewDescriptorsReadsManySegments runs this test again in a process that may open 100 files.
func TestAProcessWithFewDescriptorsReadsManySegments(t *testing.T) {
	const segments = 300
	dir := os.Getenv(fewFilesEnv)
	if dir == "" {
		dir = t.TempDir()
		s := openManySegments(t, dir)
		must(t, s.CreateSchema(ctx, "public"))
		for k := range int64(2) { // a statement writes at most 256 partitions apart
			table, err := s.CreateTable(ctx, userTable(fmt.Sprint("t", k)))
			must(t, err)
			var rows []*column.RowBuf
			for i := range int64(segments / 2) {
				rows = append(rows, userRow(s, i, day0-i, "x"))
			}
			must(t, s.InsertRows(ctx, table, rows))
		}
		must(t, s.Flush(ctx))
		must(t, s.Close())
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), fewFilesEnv+"="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "read 300 rows") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 100, Max: 100}))
	s := openManySegments(t, dir)
	defer func() { must(t, s.Close()) }()
	if st := s.Stats(); st.Segments != segments || s.o.FilesMaxOpen != 50 {
		t.Fatalf("%d segments, files.max_open %d", st.Segments, s.o.FilesMaxOpen)
	}
	n := 0
	for range 2 {
		n = 0
		for _, name := range []string{"t0", "t1"} {
			n += len(userRows(t, s, userTable(name).FullName()))
		}
	}
	must(t, checkStore(s))
	if open := s.Stats().OpenFiles; open > 50 {
		t.Errorf("%d descriptors of segments", open)
	}
	t.Logf("read %d rows", n)
}

func openManySegments(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, testOptions(vfs.OS(), newTestClock()))
	must(t, err)
	return s
}
