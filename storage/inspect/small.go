package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/storage/vfs"
)

// smallFiles print the files of a data directory or a backup that have no format of their own, told by their names.
var smallFiles = map[string]func(w io.Writer, fsys vfs.FS, name string) error{
	"FORMAT":      textFile("the version of the directory's layout"),
	"LOCK":        textFile("held by the process that has the directory open; this is who took it last"),
	"RESTORING":   textFile("a restore of this backup has begun and not ended: run it again"),
	"ballast":     ballast,
	"backup.json": backup,
}

// textFile prints a file that is text, every byte of it.
func textFile(meaning string) func(w io.Writer, fsys vfs.FS, name string) error {
	return func(w io.Writer, fsys vfs.FS, name string) error {
		text, err := vfs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s %s: %d bytes of text, %s\n  offset 0: %q\n", path.Base(name), name, len(text), meaning, text)
		return err
	}
}

// ballast tells whether the file is what it should be: its content means nothing, all of it is zeros.
func ballast(w io.Writer, fsys vfs.FS, name string) (err error) {
	info, err := fsys.Stat(name)
	if err != nil {
		return err
	}
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	other := int64(-1)
	buf := make([]byte, 1<<20)
	for at := int64(0); at < info.Size && other < 0 && err == nil; at += int64(len(buf)) {
		part := buf[:min(int64(len(buf)), info.Size-at)]
		if _, err = f.ReadAt(part, at); err == nil {
			if i := bytes.IndexFunc(part, func(r rune) bool { return r != 0 }); i >= 0 {
				other = at + int64(i)
			}
		}
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "ballast %s: %d bytes that are given up when the disk is full\n", name, info.Size)
	if other >= 0 {
		_, err = fmt.Fprintf(w, "  offset %d: not zero, which means nothing\n", other)
	} else {
		_, err = fmt.Fprintf(w, "  offset 0: zeros\n")
	}
	return err
}

// backup prints what a backup consists of, and whether the list is what was written.
func backup(w io.Writer, fsys vfs.FS, name string) error {
	text, err := vfs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	var sealed struct {
		Backup json.RawMessage `json:"backup"`
		Sum    string          `json:"xxh3"`
	}
	var b struct {
		Version int       `json:"version"`
		ID      string    `json:"id"`
		Time    time.Time `json:"time"`
		Parent  string    `json:"parent"`
		LSN     uint64    `json:"lsn"`
		Files   []struct {
			Name  string `json:"name"`
			Pool  string `json:"pool"`
			Bytes int64  `json:"bytes"`
			Sum   string `json:"xxh3"`
		} `json:"files"`
	}
	if err := json.Unmarshal(text, &sealed); err != nil {
		return fmt.Errorf("%s is no list of a backup: %w", name, err)
	}
	if err := json.Unmarshal(sealed.Backup, &b); err != nil {
		return fmt.Errorf("%s is no list of a backup: %w", name, err)
	}
	verdict := "right"
	if sum := fmt.Sprintf("%016x", xxh3.Hash(sealed.Backup)); sum != sealed.Sum {
		verdict = "WRONG: it is " + sum
	}
	total := int64(0)
	for _, f := range b.Files {
		total += f.Bytes
	}
	var out strings.Builder
	fmt.Fprintf(&out, "backup %s: %d bytes of JSON, version %d, made %s, up to log record %d, after %q\n", b.ID, len(text), b.Version,
		b.Time.UTC().Format(time.RFC3339), b.LSN, b.Parent)
	fmt.Fprintf(&out, "  checksum %s of the %d bytes of \"backup\": %s\n  %d files, %d bytes\n", sealed.Sum, len(sealed.Backup), verdict, len(b.Files), total)
	for _, f := range b.Files {
		where := "beside the list"
		if f.Pool != "" {
			where = "pool " + f.Pool
		}
		fmt.Fprintf(&out, "  %s: %d bytes, xxh3 %s, %s\n", f.Name, f.Bytes, f.Sum, where)
	}
	_, err = io.WriteString(w, out.String())
	return err
}
