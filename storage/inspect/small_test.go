package inspect_test

import (
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/inspect"
	"github.com/telemdb/telemdb/storage/vfs"
)

func TestFilesWithoutAFormatOfTheirOwnAreExplained(t *testing.T) {
	fsys := vfs.NewMem()
	must(t, fsys.MkdirAll("/db"))
	list := `{"version":1,"id":"b1","time":"2026-03-02T12:00:00Z","lsn":7,"files":[{"name":"FORMAT","bytes":2,"xxh3":"0000000000000001"},{"name":"segments/000000000001.seg","pool":"1.seg","bytes":100,"xxh3":"0000000000000002"}]}`
	for _, c := range []struct{ name, content, want string }{
		{"FORMAT", "1\n", "FORMAT /db/FORMAT: 2 bytes of text, the version of the directory's layout\n  offset 0: \"1\\n\"\n"},
		{"LOCK", "pid 12", "LOCK /db/LOCK: 6 bytes of text, held by the process that has the directory open; this is who took it last\n  offset 0: \"pid 12\"\n"},
		{"RESTORING", "b1", "RESTORING /db/RESTORING: 2 bytes of text, a restore of this backup has begun and not ended: run it again\n  offset 0: \"b1\"\n"},
		{"ballast", strings.Repeat("\x00", 3<<20), "ballast /db/ballast: 3145728 bytes that are given up when the disk is full\n  offset 0: zeros\n"},
		{"ballast", strings.Repeat("\x00", 2<<20) + "x", "ballast /db/ballast: 2097153 bytes that are given up when the disk is full\n  offset 2097152: not zero, which means nothing\n"},
		{"backup.json", `{"backup":` + list + `,"xxh3":"0000000000000003"}`, `backup b1: 252 bytes of JSON, version 1, made 2026-03-02T12:00:00Z, up to log record 7, after ""
  checksum 0000000000000003 of the 215 bytes of "backup": WRONG: it is 5ff325458d4bf8e6
  2 files, 102 bytes
  FORMAT: 2 bytes, xxh3 0000000000000001, beside the list
  segments/000000000001.seg: 100 bytes, xxh3 0000000000000002, pool 1.seg
`},
	} {
		must(t, vfs.WriteFile(fsys, "/db/"+c.name, func(f vfs.File) error { _, err := f.Write([]byte(c.content)); return err }))
		var out strings.Builder
		must(t, inspect.Path(&out, fsys, "/db/"+c.name, inspect.Options{}))
		if got := out.String(); got != c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, got, c.want)
		}
	}
	sealed := `{"backup":` + list + `,"xxh3":"5ff325458d4bf8e6"}`
	must(t, vfs.WriteFile(fsys, "/db/backup.json", func(f vfs.File) error { _, err := f.Write([]byte(sealed)); return err }))
	var out strings.Builder
	must(t, inspect.Path(&out, fsys, "/db/backup.json", inspect.Options{}))
	if !strings.Contains(out.String(), "checksum 5ff325458d4bf8e6 of the 215 bytes of \"backup\": right\n") {
		t.Errorf("a list as it was written:\n%s", out.String())
	}
	must(t, vfs.WriteFile(fsys, "/db/backup.json", func(f vfs.File) error { _, err := f.Write([]byte("{")); return err }))
	if err := inspect.Path(&strings.Builder{}, fsys, "/db/backup.json", inspect.Options{}); err == nil || !strings.Contains(err.Error(), "/db/backup.json") {
		t.Errorf("half a list: %v", err)
	}
}
