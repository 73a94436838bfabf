package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"

	"github.com/telemdb/telemdb/storage/vfs"
)

// Pebble takes whatever follows a bad record of its newest log or MANIFEST for what a power loss has torn off: rightly
// after a crash, but a file that is cut or changed while nobody has the instance open would silently take acknowledged
// batches with it. So Close leaves a list of the files as it left them, and the next Open holds them against it and
// removes it before anything changes. After a crash there is no list, and Pebble's rule holds.

const closedFile = "CLOSED"

// closedList is the content of the file, as JSON, behind its CRC-32C in eight hexadecimal digits and a line's end.
type closedList struct {
	Files []closedEntry `json:"files"`
}

type closedEntry struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	CRC   uint32 `json:"crc,omitempty"` // of the content; not of tables, which have checksums of their own
}

// noteClosed writes the list. The instance is closed, and its lock is held.
func noteClosed(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	var l closedList
	for _, n := range names {
		if n == closedFile || n == "LOCK" || vfs.IsTemp(n) {
			continue
		}
		e, err := closedEntryOf(fsys, dir, n)
		if err != nil {
			return err
		}
		l.Files = append(l.Files, e)
	}
	raw, err := json.Marshal(&l)
	if err != nil {
		return err
	}
	return vfs.WriteFile(fsys, path.Join(dir, closedFile), func(f vfs.File) error {
		_, err := fmt.Fprintf(f, "%08x\n%s", crc32.Checksum(raw, castagnoli), raw)
		return err
	})
}

func closedEntryOf(fsys vfs.FS, dir, name string) (e closedEntry, err error) {
	e.Name = name
	if path.Ext(name) == ".sst" {
		info, err := fsys.Stat(path.Join(dir, name))
		e.Bytes = info.Size
		return e, err
	}
	raw, err := vfs.ReadFile(fsys, path.Join(dir, name))
	e.Bytes, e.CRC = int64(len(raw)), crc32.Checksum(raw, castagnoli)
	return e, err
}

func parseClosed(raw []byte) (l closedList, err error) {
	var sum uint32
	if len(raw) < 9 || raw[8] != '\n' {
		return l, errors.New("not a list of files")
	}
	if _, err := fmt.Sscanf(string(raw[:8]), "%08x", &sum); err != nil {
		return l, errors.New("not a list of files")
	}
	if got := crc32.Checksum(raw[9:], castagnoli); got != sum {
		return l, fmt.Errorf("its checksum is %08x, not %08x", got, sum)
	}
	if err := json.Unmarshal(raw[9:], &l); err != nil {
		return l, err
	}
	for _, e := range l.Files {
		if path.Base(e.Name) != e.Name || e.Name == ".." {
			return l, fmt.Errorf("it lists %q, which is no file of this directory", e.Name)
		}
	}
	return l, nil
}

// checkClosed holds the files against the list, if there is one. An empty list is none, as an empty file always is.
func checkClosed(fsys vfs.FS, dir string) error {
	name := path.Join(dir, closedFile)
	raw, err := vfs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(raw) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	refuse := func(file, format string, args ...any) error {
		return fmt.Errorf("catalog file %s is damaged: %s; restore a backup, or remove %s to go on with what is left",
			path.Join(dir, file), fmt.Sprintf(format, args...), name)
	}
	l, err := parseClosed(raw)
	if err != nil {
		return refuse(closedFile, "%v", err)
	}
	for _, want := range l.Files {
		got, err := closedEntryOf(fsys, dir, want.Name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return refuse(want.Name, "it is gone")
		case err != nil:
			return err
		case got.Bytes != want.Bytes:
			return refuse(want.Name, "it has %d bytes, and had %d when the catalog was closed", got.Bytes, want.Bytes)
		case got.CRC != want.CRC:
			return refuse(want.Name, "its checksum is %08x, and was %08x when the catalog was closed", got.CRC, want.CRC)
		}
	}
	return nil
}

// beginChanges removes the list, durably, before the files change.
func beginChanges(fsys vfs.FS, dir string) error {
	err := fsys.Remove(path.Join(dir, closedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}
