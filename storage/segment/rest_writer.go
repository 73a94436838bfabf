package segment

import "github.com/telemdb/telemdb/storage/codec"

// Values that are few, and documents, go to the rest area: pages of about 64 KiB, compressed, in which columns lie one
// behind the other in order of path. A column is one fragment, or, where it is longer than what is left of its page, a
// fragment at the end of that page and one for each page it has to itself.

// restPageBytes is the size at which a page is closed, before compression.
const restPageBytes = 64 << 10

// Density below which a column goes to the rest area (engine.md 6.3).
const (
	restValuesMax = 64
	restShare     = 1024
)

// isRest decides where a column with a path below a table column goes. Columns themselves always get a chunk.
func isRest(v *codec.Values, document, topLevel bool) bool {
	return isRestCount(v.Present(), v.Rows, document, topLevel)
}

// isRestCount is isRest for so many values.
func isRestCount(present, rows int, document, topLevel bool) bool {
	return !topLevel && (document || present < restValuesMax || present*restShare < rows)
}

// restWriter fills the pages of one row group.
type restWriter struct {
	raw      []byte
	packed   []byte
	firstRow uint16
	pages    []pageBuild
	lastPage uint32 // page of the fragment written last
}

// add appends a column and returns where it is. flush is called with each full page.
func (w *restWriter) add(v *codec.Values, flush func(page []byte) (off uint32, err error)) (first, at, pages uint32, err error) {
	first, at = uint32(len(w.pages)), uint32(len(w.raw))
	for k := 0; k < v.Present(); {
		if len(w.raw) == 0 {
			w.firstRow = firstRow(v, k)
		}
		w.raw, k = codec.AppendFragment(w.raw, v, k, restPageBytes)
		pages = uint32(len(w.pages)) + 1 - first
		if k < v.Present() || len(w.raw) >= restPageBytes { // a column has at most one fragment in a page
			if err := w.flush(flush); err != nil {
				return 0, 0, 0, err
			}
		}
	}
	return first, at, pages, nil
}

func firstRow(v *codec.Values, k int) uint16 {
	if v.Pos == nil {
		return uint16(k)
	}
	return v.Pos[k]
}

// flush compresses and writes the page that is being filled, if there is one.
func (w *restWriter) flush(write func(page []byte) (off uint32, err error)) error {
	if len(w.raw) == 0 {
		return nil
	}
	w.packed = codec.Deflate(w.packed[:0], w.raw)
	off, err := write(w.packed)
	if err != nil {
		return err
	}
	w.pages = append(w.pages, pageBuild{off: off, size: uint32(len(w.packed)), raw: uint32(len(w.raw)), crc: checksum(w.packed), row: w.firstRow})
	w.raw = w.raw[:0]
	return nil
}
