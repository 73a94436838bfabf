package codec

import (
	"encoding/binary"
	"slices"

	"github.com/telemdb/telemdb/storage/types"
)

// FragmentReader walks over a fragment of texts, histograms or documents, value by value.
type FragmentReader struct {
	pos, lens, body cursor
	left            int
	row, rows       int
}

// OpenFragment opens the fragment at the front of data, of a group of so many rows.
func OpenFragment(data []byte, rows int) (FragmentReader, error) {
	c := cursor{data: data}
	n := c.count(rows)
	r := FragmentReader{pos: c, left: n, row: -1, rows: rows}
	for range n {
		c.uvarint()
	}
	r.lens = c
	for range n {
		c.uvarint()
	}
	r.body = c
	if c.bad || n == 0 {
		return r, corrupt("fragment cut short")
	}
	return r, nil
}

// Next returns the next value and its row; ok is false behind the last. The value aliases the fragment's data.
func (r *FragmentReader) Next() (row int, value []byte, ok bool, err error) {
	if r.left == 0 {
		return 0, nil, false, nil
	}
	r.left--
	gap := r.pos.uvarint()
	if gap >= uint64(r.rows-r.row-1) {
		return 0, nil, false, corrupt("fragment row behind the last of %d", r.rows)
	}
	r.row += int(gap) + 1
	value = r.body.bytes(r.lens.count(r.body.left()))
	if r.lens.bad || r.body.bad {
		return 0, nil, false, corrupt("fragment cut short")
	}
	return r.row, value, true, nil
}

// FragmentWriter collects values for a fragment like those AppendFragment writes. Its memory is reused.
type FragmentWriter struct {
	rows, lens, body []byte
	n, prev          int
	size             int // as AppendFragment counts
}

// Begin starts a fragment for a page that has so many bytes already.
func (w *FragmentWriter) Begin(page int) {
	w.rows, w.lens, w.body = w.rows[:0], w.lens[:0], w.body[:0]
	w.n, w.prev, w.size = 0, -1, page
}

// Len returns the number of values.
func (w *FragmentWriter) Len() int { return w.n }

// Full tells whether the page would reach so many bytes: then the next value begins another one.
func (w *FragmentWriter) Full(page int) bool { return w.n > 0 && w.size >= page }

// Add appends a value; rows ascend.
func (w *FragmentWriter) Add(row int, value []byte) {
	w.rows = binary.AppendUvarint(w.rows, uint64(row-w.prev-1))
	w.lens = binary.AppendUvarint(w.lens, uint64(len(value)))
	w.body = append(w.body, value...)
	w.prev = row
	w.n++
	w.size += 2 + 2 + len(value)
}

// AppendTo appends the fragment; it has a value at least.
func (w *FragmentWriter) AppendTo(dst []byte) []byte {
	dst = slices.Grow(dst, binary.MaxVarintLen32+len(w.rows)+len(w.lens)+len(w.body))
	dst = binary.AppendUvarint(dst, uint64(w.n))
	return append(append(append(dst, w.rows...), w.lens...), w.body...)
}

// AppendUnboundedZones appends the zone map of values that have no bounds and are not all the same: documents. pos are
// their rows; nil: all.
func (e *Encoder) AppendUnboundedZones(dst []byte, rows int, pos []uint16) []byte {
	v := Values{Leaf: types.LeafJSON, Rows: rows, Pos: pos}
	if v.Vec.N = rows; pos != nil {
		v.Vec.N = len(pos)
	}
	return e.zones.appendUnbounded(dst, &v)
}

// ConstantMax is the length up to which a text or document that all rows have is kept in the zone map.
const ConstantMax = boundBytes
