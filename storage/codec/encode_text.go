package codec

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Sizes from which compression is tried.
const (
	zstdMinBytes     = 4 << 10 // total
	zstdMinMeanBytes = 24      // a value of text; documents are always tried
)

// bytesValues picks between plain, the shapes that texts of one kind have, a dictionary, symbols and compressed pages:
// the first three by their exact sizes, the others by what a sample becomes and then by their exact sizes.
func (e *Encoder) bytesValues(dst []byte, v *Values, o Options) (uint8, []byte) {
	at := len(dst)
	plain := e.plainSize(&v.Vec)
	var c contest
	c.offer(encPlain, plain, 0)
	shape, shaped := e.shaped(e.body[:0], v)
	e.body = shaped
	if shape != encPlain {
		c.offer(shape, len(shaped), penaltyOf(shape))
	}
	if e.seen.bytes(&v.Vec, v.Vec.N/2) {
		dst = e.bytesDict(dst, &v.Vec, shape == encUUID, o)
		if !c.offer(encDict, len(dst)-at, 0) {
			dst = dst[:at]
		}
	}
	if v.Leaf == types.LeafText && e.trySymbols(v, &c, o.State) {
		dst = append(dst[:at], e.body...)
		if e.tryStems(v, &c, o.State) {
			dst = append(dst[:at], e.body...)
		}
	}
	if e.tryPages(v, c) {
		return encZstd, append(dst[:at], e.body...)
	}
	switch c.enc {
	case encDict:
		return encDict, dst
	case encFSST, encStems:
		return c.enc, dst
	case encPlain:
		return encPlain, e.appendPlain(dst, &v.Vec)
	}
	_, dst = e.shaped(dst, v)
	return c.enc, dst
}

func penaltyOf(enc uint8) int {
	if enc == encTime {
		return penaltyTime
	}
	return 0
}

// shaped writes the values as UUIDs, digests or times, if all of them are; else it returns encPlain.
func (e *Encoder) shaped(dst []byte, v *Values) (enc uint8, out []byte) {
	if v.Leaf != types.LeafText {
		return encPlain, dst
	}
	if allUUIDs(&v.Vec) {
		return encUUID, appendUUIDs(dst, &v.Vec)
	}
	if l, ok := e.planHex(v.Vec.Bytes, v.Vec.N); ok {
		return encHex, l.append(dst, v.Vec.Bytes, v.Vec.N)
	}
	if e.times.plan(v.Vec.Bytes, v.Vec.N) {
		return encTime, e.times.append(dst, &e.ints)
	}
	return encPlain, dst
}

// fsstMinBytes is the size of all values from which symbols are tried: the table itself takes up to 2 KiB.
const fsstMinBytes = 4 << 10

// trySymbols codes the values into e.body if that beats what c has.
func (e *Encoder) trySymbols(v *Values, c *contest, state *State) bool {
	raw := len(dataOf(&v.Vec))
	if raw < fsstMinBytes || !worthIt(penalised(raw/fsstLongest, penaltyFSST), c.score) {
		return false // a code stands for 8 bytes at most
	}
	sample := e.fsst.take(&v.Vec)
	coded := e.fsst.train()
	estimate := c.size - 1 // of a sample of nothing: let the exact size tell
	if sample > 0 {
		estimate = int(float64(raw)*float64(coded)/float64(sample)) + v.Vec.N/2
	}
	if !worthIt(penalised(estimate, penaltyFSST), c.score) {
		return false
	}
	e.body = e.appendFSST(e.body[:0], &v.Vec)
	if !c.offer(encFSST, len(e.body), penaltyFSST) {
		return false
	}
	state.keepSymbols(slices.Clone(e.fsst.matcher.syms))
	return true
}

// bytesAs writes values of the bytes class in one encoding.
func (e *Encoder) bytesAs(dst []byte, enc uint8, v *Values, o Options) ([]byte, bool) {
	switch enc {
	case encDict:
		if e.seen.bytes(&v.Vec, v.Vec.N/2) {
			return e.bytesDict(dst, &v.Vec, v.Leaf == types.LeafText && allUUIDs(&v.Vec), o), true
		}
	case encPlain:
		return e.appendPlain(dst, &v.Vec), true
	case encZstd:
		return e.appendPages(dst, &v.Vec), true
	case encUUID, encHex, encTime:
		shape, out := e.shaped(dst, v)
		return out, shape == enc
	case encStems:
		if !e.split(&v.Vec, o.State.depth) {
			return dst, false
		}
		e.fsst.matcher.set(o.State.syms)
		return e.appendStems(dst, o.State.depth), true
	case encFSST:
		e.fsst.matcher.set(o.State.syms)
		at := len(dst)
		dst = e.appendFSST(dst, &v.Vec)
		return dst, len(dst)-at < len(dataOf(&v.Vec)) // else the table is not made for these
	}
	return dst, false
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

// tryPages compresses long values into e.body and reports whether that beats what c has. Reading pages costs more than
// any other form, so text must shrink a lot; documents, which are read whole, by the usual share.
func (e *Encoder) tryPages(v *Values, c contest) bool {
	raw := len(dataOf(&v.Vec))
	document := v.Leaf == types.LeafJSON
	if raw < zstdMinBytes || (!document && raw < zstdMinMeanBytes*v.Vec.N) {
		return false
	}
	e.body = e.appendPages(e.body[:0], &v.Vec)
	if document {
		return worthIt(len(e.body), c.size)
	}
	return worthIt(penalised(len(e.body), penaltyZstd), c.score)
}

func (e *Encoder) appendPages(dst []byte, v *vec.Vector) []byte {
	dst = e.ints.append(dst, e.lengths(v))
	var table []byte
	pages := e.page[:0]
	count := 0
	for first := 0; first < v.N; count++ {
		end := first + 1
		for end < v.N && v.Off[end]-v.Off[first] < pageBytes {
			end++
		}
		raw := v.Data[v.Off[first]:v.Off[end]]
		pages = Deflate(pages, raw)
		if first == 0 { // the others shrink about as much: room for them all leaves no garbage behind
			pages = vec.Room(pages, int(float64(len(pages))*float64(len(dataOf(v)))/float64(max(1, len(raw)))))
		}
		table = binary.LittleEndian.AppendUint16(table, uint16(first))
		table = binary.LittleEndian.AppendUint32(table, uint32(len(raw)))
		table = binary.LittleEndian.AppendUint32(table, uint32(len(pages)))
		first = end
	}
	dst = binary.AppendUvarint(dst, uint64(count))
	e.page = pages
	dst = append(dst, table...)
	return append(dst, pages...)
}
