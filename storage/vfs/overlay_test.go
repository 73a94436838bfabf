package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func writeText(t *testing.T, fsys FS, name, text string) {
	t.Helper()
	must(t, WriteFile(fsys, name, func(f File) error { _, err := f.Write([]byte(text)); return err }))
}

func readText(t *testing.T, fsys FS, name string) string {
	t.Helper()
	raw, err := ReadFile(fsys, name)
	must(t, err)
	return string(raw)
}

func TestAnOverlayKeepsEveryChangeToItself(t *testing.T) {
	below := NewMem()
	must(t, below.MkdirAll("/below"))
	for _, n := range []string{"a", "b", "c", "d"} {
		writeText(t, below, "/below/"+n, "text of "+n)
	}
	o := Overlay(below, map[string]Below{
		"/db/a": {"/below/a", -1}, "/db/b": {"/below/b", 4}, "/db/sub/c": {"/below/c", -1}, "/db/d": {"/below/d", -1},
	})
	if got := readText(t, o, "/db/b"); got != "text" {
		t.Errorf("a file that is cut after 4 bytes holds %q", got)
	}
	if info, err := o.Stat("db/b"); err != nil || info.Size != 4 {
		t.Errorf("stat: %+v %v", info, err)
	}
	f, err := o.Open("/db/b")
	must(t, err)
	p := make([]byte, 8)
	if n, err := f.ReadAt(p, 2); n != 2 || !errors.Is(err, io.EOF) {
		t.Errorf("a read over the cut: %d %v", n, err)
	}
	if _, err := f.WriteAt(p, 0); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a write of a file that was opened to be read: %v", err)
	}
	must(t, f.Close())

	rw, err := o.OpenReadWrite("/db/b")
	must(t, err)
	_, err = rw.WriteAt([]byte("TEXT and more"), 0)
	must(t, errors.Join(err, rw.Close()))
	must(t, o.Remove("/db/a"))
	must(t, o.Rename("/db/d", "/db/e"))
	must(t, o.Link("/db/e", "/db/f"))
	writeText(t, o, "/db/sub/c", "other") // in the place of one below
	writeText(t, o, "/db/a", "made")
	if _, err := o.Create("/db/e"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create of a file that is shown: %v", err)
	}
	for name, want := range map[string]string{
		"/db/a": "made", "/db/b": "TEXT and more", "/db/sub/c": "other", "/db/e": "text of d", "/db/f": "text of d",
	} {
		if got := readText(t, o, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	names, err := o.List("/db")
	must(t, err)
	if want := []string{"a", "b", "e", "f", "sub"}; !slices.Equal(names, want) {
		t.Errorf("listed %v, want %v", names, want)
	}
	must(t, o.RemoveAll("/db"))
	if _, err := o.Open("/db/e"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after RemoveAll: %v", err)
	}
	for _, n := range []string{"a", "b", "c", "d"} {
		if got := readText(t, below, "/below/"+n); got != "text of "+n {
			t.Errorf("below, %s has become %q", n, got)
		}
	}
}

func TestAFileCopiedUpIsWhole(t *testing.T) {
	below := NewMem()
	want := make([]byte, 5*pageBytes+17)
	copy(want[pageBytes+5:], "middle")
	copy(want[len(want)-3:], "end")
	writeText(t, below, "/f", string(want))
	o := Overlay(below, map[string]Below{"/f": {"/f", -1}})
	f, err := o.OpenReadWrite("/f")
	must(t, err)
	must(t, f.Close())
	if got := readText(t, o, "/f"); !bytes.Equal([]byte(got), want) {
		t.Error("the copy differs")
	}
}

func TestSharedLocksKeepWritersOutAndEachOtherIn(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	for name, fsys := range map[string]FS{"os": OS(), "mem": NewMem()} {
		must(t, fsys.MkdirAll(dir))
		lock := dir + "/LOCK"
		if _, err := fsys.LockShared(lock); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a missing lock file: %v", name, err)
		}
		own, err := fsys.Lock(lock, []byte("the writer"))
		must(t, err)
		var held *LockedError
		if _, err := fsys.LockShared(lock); !errors.As(err, &held) || held.Shared || string(held.Content) != "the writer" {
			t.Errorf("%s: shared while one has it alone: %v", name, err)
		}
		must(t, own.Close())
		one, err := fsys.LockShared(lock)
		must(t, err)
		two, err := fsys.LockShared(lock)
		must(t, err)
		for _, c := range []io.Closer{one, two} {
			if _, err := fsys.Lock(lock, []byte("another")); !errors.As(err, &held) || !held.Shared {
				t.Errorf("%s: alone while it is shared: %v", name, err)
			}
			must(t, c.Close())
		}
		if got := readText(t, fsys, lock); got != "the writer" {
			t.Errorf("%s: sharing changed the file to %q", name, got)
		}
		own, err = fsys.Lock(lock, []byte("again"))
		must(t, err)
		must(t, own.Close())
	}
}

func TestASocketMayHaveALongName(t *testing.T) {
	dir := filepath.ToSlash(filepath.Join(t.TempDir(), strings.Repeat("long/", 40)))
	must(t, OS().MkdirAll(dir))
	for _, name := range []string{dir + "/s.sock", filepath.ToSlash(t.TempDir()) + "/s.sock"} {
		for range 2 { // the second time over what the first has left
			l, err := ListenSocket(name)
			must(t, err)
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != fileMode {
				t.Errorf("socket: %v %v", info, err)
			}
			c, err := DialSocket(name)
			must(t, err)
			must(t, errors.Join(c.Close(), l.Close()))
		}
		if _, err := DialSocket(name); err == nil {
			t.Error("nobody listens, and a connection was made")
		}
	}
}
