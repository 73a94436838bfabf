package segment

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/telemdb/telemdb/storage/vfs"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/v1.txt anew; v1.seg is written only if it does not exist")

// TestFileOfVersion1IsRead reads a segment that version 1.0 wrote, and shows what it consists of in testdata/v1.txt.
// The file is never written again: every later build must read it.
func TestFileOfVersion1IsRead(t *testing.T) {
	fs := vfs.NewMem()
	src, rows := tinySegment(t, fs)
	if _, err := os.Stat("testdata/v1.seg"); *rewrite && os.IsNotExist(err) {
		if err := os.WriteFile("testdata/v1.seg", readFile(t, fs, "/seg"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile("testdata/v1.seg")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, fs, "/v1.seg", stored)
	rd := open(t, fs, "/v1.seg", 9, nil)
	requireClean(t, rd)
	requireGroup(t, newRand(1), rd.Group(0), src, rows)

	var dump bytes.Buffer
	if err := rd.Inspect(&dump); err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile("testdata/v1.txt", dump.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/v1.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, dump.Bytes()) {
		t.Errorf("the dump differs from testdata/v1.txt; it is now\n%s", dump.Bytes())
	}
}
