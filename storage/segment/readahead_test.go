package segment

import (
	"bytes"
	"testing"

	"github.com/telemdb/telemdb/storage/vfs"
)

// countedFile counts the reads of a file.
type countedFile struct {
	vfs.File
	reads int
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	f.reads++
	return f.File.ReadAt(p, off)
}

// TestReadingAheadReadsTheSameBytes reads a file in order, with gaps, backwards and behind its end.
func TestReadingAheadReadsTheSameBytes(t *testing.T) {
	r := newRand(77)
	fs := vfs.NewMem()
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	writeFile(t, fs, "/f", data)
	file, err := fs.Open("/f")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const room = 4096
	for name, step := range map[string]func() int{
		"in order":  func() int { return 0 },
		"with gaps": func() int { return r.IntN(300) },
		"anywhere":  func() int { return r.IntN(20_000) - 10_000 },
		"far":       func() int { return room },
	} {
		counted := &countedFile{File: file}
		ahead := &aheadFile{File: counted, room: room}
		small, at := 0, 0
		for at < len(data) && small < 1000 {
			p := make([]byte, 1+r.IntN(200))
			if small%50 == 49 {
				p = make([]byte, room+r.IntN(room)) // larger than what is held
			}
			n, err := ahead.ReadAt(p, int64(at))
			want := data[at:min(at+len(p), len(data))]
			if n != len(want) || !bytes.Equal(p[:n], want) || (err == nil) != (n == len(p)) {
				t.Fatalf("%s: %d bytes at %d gave %d, %v", name, len(p), at, n, err)
			}
			small++
			at = max(0, at+len(p)+step())
		}
		if name == "in order" && counted.reads*5 > small {
			t.Errorf("%s: %d reads of the file for %d", name, counted.reads, small)
		}
		if _, err := ahead.ReadAt(make([]byte, 1), int64(len(data))); err == nil {
			t.Errorf("%s: a read behind the end has no error", name)
		}
	}
}
