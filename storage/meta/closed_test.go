package meta

import (
	"fmt"
	"hash/crc32"
	"log/slog"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/vfs"
)

func openForTest(fsys vfs.FS) (*DB, error) {
	return Open(Options{FS: fsys, Dir: "/meta", Logger: slog.New(slog.DiscardHandler)})
}

// closedInstance returns the files of an instance that holds a schema and was closed.
func closedInstance(t *testing.T) map[string][]byte {
	t.Helper()
	fsys := vfs.NewMem()
	db, err := openForTest(fsys)
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	b.PutSchema("public")
	if err := db.Commit(b); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := fsys.List("/meta")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, n := range names {
		if files[n], err = vfs.ReadFile(fsys, path.Join("/meta", n)); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func fsOf(t *testing.T, files map[string][]byte) vfs.FS {
	t.Helper()
	fsys := vfs.NewMem()
	if err := fsys.MkdirAll("/meta"); err != nil {
		t.Fatal(err)
	}
	for n, data := range files {
		if err := vfs.WriteFile(fsys, path.Join("/meta", n), func(f vfs.File) error {
			_, err := f.Write(data)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return fsys
}

// TestEveryFlippedByteAndEveryCutOfAClosedCatalogIsFound: Pebble alone takes most of them for what a crash has torn off.
func TestEveryFlippedByteAndEveryCutOfAClosedCatalogIsFound(t *testing.T) {
	files := closedInstance(t)
	tried := 0
	for name, whole := range files {
		if name == "LOCK" {
			continue
		}
		for at := range whole {
			for _, cut := range []bool{false, true} {
				if cut && at == 0 && name == closedFile {
					continue // an empty file is an absent one
				}
				changed := slices.Clone(whole)
				if changed[at] ^= 1 << (at % 8); cut {
					changed = changed[:at]
				}
				files[name] = changed
				fsys := fsOf(t, files)
				if db, err := openForTest(fsys); err == nil {
					t.Errorf("%s with byte %d changed (cut: %v) is opened", name, at, cut)
					_ = db.Close()
				} else if !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), closedFile) {
					t.Errorf("%s with byte %d changed (cut: %v): %v", name, at, cut, err)
				}
				if got, err := vfs.ReadFile(fsys, path.Join("/meta", name)); err != nil || !slices.Equal(got, changed) {
					t.Errorf("a refused catalog's file %s is not what it was: %v", name, err)
				}
				tried++
			}
		}
		files[name] = whole
		delete(files, name)
		if name != closedFile {
			if db, err := openForTest(fsOf(t, files)); err == nil || !strings.Contains(err.Error(), "it is gone") {
				t.Errorf("without %s: %v", name, err)
				if err == nil {
					_ = db.Close()
				}
			}
		}
		files[name] = whole
	}
	if tried < 1000 {
		t.Fatalf("only %d changes were tried", tried)
	}
}

// TestADamagedCatalogIsOpenedWhenItsListIsRemoved is the way out that the error names; and no list is left while the
// instance is open, so that a crash leaves none.
func TestADamagedCatalogIsOpenedWhenItsListIsRemoved(t *testing.T) {
	files := closedInstance(t)
	for n, data := range files {
		if path.Ext(n) == ".log" {
			files[n] = data[:len(data)-1]
		}
	}
	fsys := fsOf(t, files)
	if _, err := openForTest(fsys); err == nil {
		t.Fatal("opened")
	}
	if _, err := OpenReadOnly(fsys, "/meta"); err == nil {
		t.Fatal("opened to be looked at")
	}
	if err := fsys.Remove("/meta/" + closedFile); err != nil {
		t.Fatal(err)
	}
	db, err := openForTest(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := fsys.List("/meta"); err != nil || slices.Contains(names, closedFile) {
		t.Errorf("files %v, %v", names, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = openForTest(fsys); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// FuzzClosed: no list leads out of the directory. The checksum is made right, or nothing would get past it.
func FuzzClosed(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"files":[{"name":"MANIFEST-000001","bytes":3,"crc":7},{"name":"../FORMAT","bytes":1}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		raw := append(fmt.Appendf(nil, "%08x\n", crc32.Checksum(content, castagnoli)), content...)
		l, err := parseClosed(raw)
		if err != nil {
			return
		}
		for _, e := range l.Files {
			if dir := path.Dir(path.Join("/meta", e.Name)); dir != "/meta" && path.Join("/meta", e.Name) != "/meta" {
				t.Errorf("%q leads to %s", e.Name, dir)
			}
		}
	})
}
