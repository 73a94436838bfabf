package segment

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/vfs"
)

// FuzzEnds: no header and footer, their checksums made right, lead outside of the file.
func FuzzEnds(f *testing.F) {
	fs := vfs.NewMem()
	tinySegment(f, fs)
	file := readFile(f, fs, "/seg")
	f.Add(file[:headerBytes], file[len(file)-footerBytes-trailerBytes:], int64(len(file)-footerBytes-trailerBytes))
	f.Fuzz(func(t *testing.T, head, end []byte, at int64) {
		if len(head) != headerBytes || len(end) != footerBytes+trailerBytes || at < headerBytes {
			return
		}
		head, end = slices.Clone(head), slices.Clone(end)
		binary.LittleEndian.PutUint32(head[headerBytes-4:], checksum(head[:headerBytes-4]))
		binary.LittleEndian.PutUint32(end[footerBytes-4:], checksum(end[:footerBytes-4]))
		h, err := parseHeader("f", head)
		if err != nil {
			return
		}
		foot, err := parseFooter("f", end, at, h)
		if err != nil {
			return
		}
		dir, index := int64(foot.dirOffset), int64(foot.indexBytes)
		if dir < headerBytes || dir > at || dir-index < headerBytes || int64(foot.indexTable) > index {
			t.Errorf("directory at %d, index of %d bytes, before %d", dir, index, at)
		}
	})
}

// FuzzPages: what is read of checksums of pages is written back as it was.
func FuzzPages(f *testing.F) {
	f.Add(appendPages(nil, [][]uint32{{1, 2, 3}, nil, {4}}), 3)
	f.Fuzz(func(t *testing.T, b []byte, groups int) {
		if groups < 0 || groups > 1000 {
			return
		}
		pages, err := parsePages(b, groups)
		if err != nil {
			return
		}
		again, err := parsePages(appendPages(nil, pages), groups)
		if err != nil || !slices.EqualFunc(pages, again, func(a, b []uint32) bool { return slices.Equal(a, b) }) {
			t.Errorf("%v became %v, %v", pages, again, err)
		}
	})
}
