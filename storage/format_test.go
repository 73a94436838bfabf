package storage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/vfs"
)

func formatOf(t *testing.T, content []byte) error {
	t.Helper()
	fsys := vfs.NewMem()
	must(t, fsys.MkdirAll("/db"))
	f, err := fsys.Create("/db/FORMAT")
	must(t, err)
	_, err = f.Write(content)
	must(t, err)
	must(t, f.Close())
	s := &Store{fs: fsys, dir: "/db"}
	return s.checkFormat()
}

// FuzzFormat: a FORMAT file is refused by its name, or it names a version up to this one.
func FuzzFormat(f *testing.F) {
	for _, seed := range []string{"telemdb 2\n", "telemdb 1", "telemdb 3\n", "telemdb -1\n", "something else", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := formatOf(t, content); err != nil {
			if !strings.Contains(err.Error(), "/db") {
				t.Errorf("the error %q does not say where", err)
			}
			return
		}
		if len(content) == 0 {
			return // as if it were not there
		}
		var v int
		if _, err := fmt.Sscanf(string(content), formatPrefix+"%d", &v); err != nil || v < 1 || v > meta.FormatVersion {
			t.Errorf("%q passes as %d, %v", content, v, err)
		}
	})
}

// TestEveryFlippedBitAndEveryCutOfFORMATIsRefused: no change makes a directory of another program's ours, nor
// a newer one's. A file that was cut to nothing is written again.
func TestEveryFlippedBitAndEveryCutOfFORMATIsRefused(t *testing.T) {
	whole := []byte("telemdb 2\n")
	for at := range whole {
		for bit := range 8 {
			changed := append([]byte(nil), whole...)
			changed[at] ^= 1 << bit
			if err := formatOf(t, changed); err == nil {
				if v := strings.TrimSpace(string(changed)); v != "telemdb 2" { // one space for another is no change
					t.Errorf("%q passes", changed)
				}
			}
		}
		if at == 0 {
			continue
		}
		if err := formatOf(t, whole[:at]); err == nil && at < len(whole)-1 {
			t.Errorf("%q passes", whole[:at])
		}
	}
}
