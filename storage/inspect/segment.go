package inspect

import (
	"io"

	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/vfs"
)

// Segment prints a segment: header, row groups, columns with encoding, size and zone map, directory, footer. An error is
// a file that does not open, or w's.
func Segment(w io.Writer, fs vfs.FS, path string, o Options) error {
	r, err := segment.OpenAny(fs, path, nil)
	if err != nil {
		return err
	}
	err = r.InspectSelected(w, segment.Selection{Head: o.Head, Column: o.Column})
	if closed := r.Close(); err == nil {
		err = closed
	}
	return err
}
