package segment

import (
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vfs"
)

// TestThePartsOfAFileAreAllOfIt: every byte is counted once, in the rest area too.
func TestThePartsOfAFileAreAllOfIt(t *testing.T) {
	for seed := range uint64(6) {
		r := newRand(seed)
		fs := vfs.NewMem()
		src := []column.Group{randomGroup(r, 1+r.IntN(2500), 40)}
		write(t, fs, WriterOptions{Path: "/seg", ID: 7, TableID: 3}, adding(src, randomRows(r, src, 2000)), adding(src, randomRows(r, src, 900)))
		rd := open(t, fs, "/seg", 7, nil)
		requireParts(t, rd)
	}
	fs := vfs.NewMem()
	indexedSegment(t, fs)
	requireParts(t, open(t, fs, "/seg", 9, nil))
}

func requireParts(t *testing.T, rd *Reader) {
	t.Helper()
	sum := int64(0)
	if err := rd.Parts(func(p Part) { sum += p.Bytes + p.Presence }); err != nil {
		t.Fatal(err)
	}
	if sum != rd.size {
		t.Errorf("the parts are %d bytes, the file %d", sum, rd.size)
	}
}
