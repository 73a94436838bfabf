package codec

import (
	"bytes"
	"encoding/binary"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Sizes from which compression is tried.
const (
	zstdMinBytes     = 4 << 10 // total
	zstdMinMeanBytes = 24      // a value of text; documents are always tried
)

// bytesValues picks between dictionary, UUIDs, plain and compressed pages, each by its exact size.
func (e *Encoder) bytesValues(dst []byte, v *Values, o Options) (uint8, []byte) {
	at := len(dst)
	plain := e.plainSize(&v.Vec)
	enc := uint8(encPlain)
	best := plain
	uuids := allUUIDs(&v.Vec)
	if uuids {
		enc, best = encUUID, uuidBytes*v.Vec.N
	}
	if e.seen.bytes(&v.Vec, v.Vec.N/2) {
		dst = e.bytesDict(dst, &v.Vec, uuids, o)
		if size := len(dst) - at; worthIt(size, best) {
			if !e.tryPages(v, size) {
				return encDict, dst
			}
			return encZstd, append(dst[:at], e.body...)
		}
		dst = dst[:at]
	}
	switch {
	case enc == encUUID:
		return encUUID, appendUUIDs(dst, &v.Vec)
	case e.tryPages(v, plain):
		return encZstd, append(dst, e.body...)
	}
	return encPlain, e.appendPlain(dst, &v.Vec)
}

func (e *Encoder) lengths(v *vec.Vector) []int64 {
	e.nums = e.nums[:0]
	for i := range v.N {
		e.nums = append(e.nums, int64(v.Off[i+1]-v.Off[i]))
	}
	return e.nums
}

func dataOf(v *vec.Vector) []byte { return v.Data[v.Off[0]:v.Off[v.N]] }

func (e *Encoder) plainSize(v *vec.Vector) int {
	return e.ints.plan(e.lengths(v), allowAll).size + 4 + 4*(blocksOf(v.N)-1) + len(dataOf(v))
}

func (e *Encoder) appendPlain(dst []byte, v *vec.Vector) []byte {
	dst = e.ints.append(dst, e.lengths(v))
	dst = binary.AppendUvarint(dst, uint64(len(dataOf(v))))
	for i := blockValues; i < v.N; i += blockValues {
		dst = binary.LittleEndian.AppendUint32(dst, v.Off[i]-v.Off[0])
	}
	return append(dst, dataOf(v)...)
}

func allUUIDs(v *vec.Vector) bool {
	if len(dataOf(v)) != uuidText*v.N {
		return false
	}
	for i := range v.N {
		if _, ok := parseUUID(v.Bytes(i)); !ok {
			return false
		}
	}
	return true
}

func appendUUIDs(dst []byte, v *vec.Vector) []byte {
	for i := range v.N {
		u, _ := parseUUID(v.Bytes(i))
		dst = append(dst, u[:]...)
	}
	return dst
}

// bytesDict writes a dictionary chunk of the distinct values seen.
func (e *Encoder) bytesDict(dst []byte, v *vec.Vector, uuids bool, o Options) []byte {
	n := e.seen.n
	firsts := e.seen.firsts
	e.sortDict(n, func(a, b uint32) int { return bytes.Compare(v.Bytes(int(firsts[a])), v.Bytes(int(firsts[b]))) })
	d := &e.zoneV
	d.Reset(types.Of(types.Text))
	for _, i := range e.order {
		d.AppendBytes(v.Bytes(int(firsts[i])))
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = e.appendDictValues(dst, d, uuids)
	return e.appendCodes(dst, n, o)
}

func (e *Encoder) appendDictValues(dst []byte, d *vec.Vector, uuids bool) []byte {
	if uuids {
		return appendUUIDs(append(dst, dictUUID), d)
	}
	raw := dataOf(d)
	if len(raw) >= zstdMinBytes {
		if e.page = Deflate(e.page[:0], raw); worthIt(len(e.page), len(raw)) {
			dst = e.ints.append(append(dst, dictZstd), e.lengths(d))
			dst = binary.AppendUvarint(dst, uint64(len(e.page)))
			return append(dst, e.page...)
		}
	}
	dst = e.ints.append(append(dst, dictRaw), e.lengths(d))
	return append(dst, raw...)
}

// tryPages compresses long values into e.body and reports whether that beats size. Reading pages costs more than any
// other form, so text must shrink by half; documents, which are read whole, by the usual share.
func (e *Encoder) tryPages(v *Values, size int) bool {
	raw := len(dataOf(&v.Vec))
	document := v.Leaf == types.LeafJSON
	if raw < zstdMinBytes || (!document && raw < zstdMinMeanBytes*v.Vec.N) {
		return false
	}
	e.body = e.appendPages(e.body[:0], &v.Vec)
	if document {
		return worthIt(len(e.body), size)
	}
	return 2*len(e.body) <= size
}

func (e *Encoder) appendPages(dst []byte, v *vec.Vector) []byte {
	dst = e.ints.append(dst, e.lengths(v))
	var table, pages []byte
	count := 0
	for first := 0; first < v.N; count++ {
		end := first + 1
		for end < v.N && v.Off[end]-v.Off[first] < pageBytes {
			end++
		}
		raw := v.Data[v.Off[first]:v.Off[end]]
		pages = Deflate(pages, raw)
		table = binary.LittleEndian.AppendUint16(table, uint16(first))
		table = binary.LittleEndian.AppendUint32(table, uint32(len(raw)))
		table = binary.LittleEndian.AppendUint32(table, uint32(len(pages)))
		first = end
	}
	dst = binary.AppendUvarint(dst, uint64(count))
	dst = append(dst, table...)
	return append(dst, pages...)
}
