package codec

import (
	"math/bits"
	"slices"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A merge takes the rows of a new chunk from chunks that are encoded already. Where all of them have the same kind of
// encoding, their values go over in that form: histograms stay taken apart, codes are translated and not looked up. What
// the sources chose on their values is what is chosen again, without trying the others.

// Source is a chunk, and those of its rows that go into a merged one.
type Source struct {
	Chunk *Chunk
	Data  []byte // of the chunk
	// Want is row of the chunk << 16 | row of the merged chunk, ascending in both. Columns of one row group share it, so an
	// Encoder does not look again at lists it has seen: they must not be changed.
	Want []uint32
}

// Merged describes a merged chunk.
type Merged struct {
	Present int
	Bytes   int64 // of its values when decoded, about: what counts against the bound of a row group
	// Distinct is the dictionary, ascending, nil if there is none. It is valid until the next call of the Encoder.
	Distinct *vec.Vector
	// Constant tells that all rows have one value, which the zone map holds, so that there is no chunk.
	Constant bool
}

// merger is the working memory of Encoder.Merge.
type merger struct {
	from   []uint16   // by row of the output: 1 + its source; 0: no value
	lists  [][]uint32 // by source: like Want, but with the number of the value in place of the row, and only those rows that have one
	room   [][]uint32 // memory of lists
	rank   []uint32
	valid  vec.Bitmap
	pos    []uint16
	values Values  // Leaf, Rows and Pos of the output, without the values
	rows   []int64 // values by row
	hist   histMerger
	codes  codeMerger
	uuids  uuidMerger
	bits   []byte
	floats floatMerger
	// whole is from of the last column of which all rows had a value, shared its lists, and sharedRows its rows; part is
	// the memory for other columns.
	whole, part []uint16
	shared      [][]uint32
	sharedRows  int
}

// CanMerge tells whether Merge may know a shorter way for a chunk than to decode and encode it.
func CanMerge(c *Chunk) bool {
	switch c.enc {
	case encHist, encHistBeyond, encDict, encDictRare, encConst, encInts, encUUID, encBits, encALP:
		return true
	}
	return false
}

// Merge appends zone map and chunk of the rows of all sources, which are rows of one column; rows of the output that no
// source has are NULL. ok is false if there is no shorter way than to gather and encode the values: then nothing is
// appended. keep is asked whether a column of so many values is to have a chunk at all.
func (e *Encoder) Merge(zones, chunk []byte, leaf types.Leaf, rows int, src []Source, o Options, keep func(present int) bool) (
	zonesOut, chunkOut []byte, m Merged, ok bool, err error) {
	way := wayOf(leaf, src)
	if way == noWay {
		return zones, chunk, m, false, nil
	}
	if ok, err := e.mergePresence(leaf, rows, src); !ok || err != nil {
		return zones, chunk, m, false, err
	}
	v := &e.merge.values
	if m.Present = v.Vec.N; m.Present == 0 || way != constWay && !keep(m.Present) || way.chosen() && tooFew(src, m.Present) {
		return zones, chunk, m, false, nil
	}
	at := len(chunk)
	chunk, kind, err := e.appendPresence(append(chunk, 0), v)
	if err != nil {
		return zones, chunk[:at], m, false, err
	}
	enc := uint8(0)
	switch way {
	case histWay:
		enc = src[0].Chunk.enc // what lies beyond the buckets stays the same where the bounds' places change
		if chunk, m.Bytes, ok, err = e.mergeHist(chunk, src); ok {
			zones = e.zones.appendUnbounded(zones, v)
		}
	case constWay:
		enc, m.Distinct = encConst, src[0].Chunk.dict
		if zones, chunk, m.Bytes, m.Constant, ok = e.mergeConst(zones, chunk, src); ok && !m.Constant && !keep(m.Present) {
			ok = false
		}
	case codesWay:
		enc, m.Distinct = encDict, &e.merge.codes.dict
		body := len(chunk)
		if zones, chunk, m.Bytes, ok, err = e.mergeCodes(zones, chunk, src, o); ok {
			if body := len(chunk) - body; e.mayList(body) {
				if with, some := appendRareOf(e, chunk, e.merge.codes.codes, e.merge.codes.total, body); some {
					enc, chunk = encDictRare, with
				}
			}
		}
	case intsWay:
		enc, m.Bytes = encInts, 8*int64(m.Present)
		zones, chunk, ok, err = e.mergeInts(zones, chunk, src)
	case uuidWay:
		enc, m.Bytes = encUUID, (4+uuidText)*int64(m.Present)
		zones, chunk, ok = e.mergeUUIDs(zones, chunk, src)
	case bitsWay:
		enc, m.Bytes = encBits, int64(m.Present)
		zones, chunk, ok = e.mergeBits(zones, chunk, src)
	case alpWay:
		enc, m.Bytes = encALP, 8*int64(m.Present)
		zones, chunk, ok, err = e.mergeALP(zones, chunk, src)
	}
	if !ok || err != nil || m.Constant {
		return zones, chunk[:at], m, ok, err
	}
	chunk[at] = kind<<6 | enc
	return zones, chunk, m, true, nil
}

// way is how chunks are merged.
type way uint8

const (
	noWay way = iota
	histWay
	constWay
	codesWay
	intsWay
	uuidWay
	bitsWay
	alpWay
)

// chosen tells whether the encoding was one of several that might have been.
func (w way) chosen() bool { return w == codesWay || w == intsWay || w == alpWay }

func wayOf(leaf types.Leaf, src []Source) way {
	if slices.ContainsFunc(src, func(s Source) bool { return s.Chunk.leaf != leaf }) {
		return noWay
	}
	number := leaf == types.LeafInt || leaf == types.LeafFloat
	switch {
	case every(src, encHist), every(src, encHistBeyond):
		return histWay
	case every(src, encConst):
		return constWay
	case every(src, encDict, encDictRare, encConst) && leaf != types.LeafBool:
		return codesWay
	case every(src, encInts, encConst) && number:
		return intsWay
	case every(src, encUUID):
		return uuidWay
	case every(src, encBits, encConst) && leaf == types.LeafBool:
		return bitsWay
	case every(src, encALP) && sameDigits(src):
		return alpWay
	}
	return noWay
}

// tooFew tells whether the values of every source are so few beside those of the output that what was right for them
// may be wrong now.
func tooFew(src []Source, present int) bool {
	return !slices.ContainsFunc(src, func(s Source) bool { return 4*s.Chunk.pres.present >= present })
}

// mergePresence finds out where the values of the output come from. ok is false if the rows of a source are not in order.
func (e *Encoder) mergePresence(leaf types.Leaf, rows int, src []Source) (ok bool, err error) {
	g := &e.merge
	if g.isShared(rows, src) {
		g.lists = append(g.lists[:0], g.shared...)
		g.from = g.whole
		g.ofRows(leaf, rows, rows)
		return true, nil
	}
	all := !slices.ContainsFunc(src, func(s Source) bool { return s.Chunk.pres.kind != presentAll })
	room := &g.part
	if all {
		room, g.shared = &g.whole, g.shared[:0]
	}
	*room = slices.Grow((*room)[:0], rows)[:rows]
	g.from = *room
	clear(g.from)
	g.lists = g.lists[:0]
	for len(g.room) < len(src) {
		g.room = append(g.room, nil)
	}
	n := 0
	for i, s := range src {
		list := s.Want
		if s.Chunk.pres.kind != presentAll {
			list = e.presentOf(i, s)
		}
		last := -1
		for _, w := range list {
			to := int(w & 0xffff)
			if to <= last || to >= rows || g.from[to] != 0 {
				return false, nil
			}
			last = to
			g.from[to] = uint16(i + 1)
		}
		g.lists = append(g.lists, list)
		n += len(list)
	}
	if all && n == rows {
		g.shared, g.sharedRows = append(g.shared, g.lists...), rows
	}
	g.ofRows(leaf, rows, n)
	if n < rows {
		g.pos = g.pos[:0]
		for r, f := range g.from {
			if f != 0 {
				g.pos = append(g.pos, uint16(r))
			}
		}
		g.values.Pos = g.pos
	}
	return true, nil
}

func (g *merger) ofRows(leaf types.Leaf, rows, n int) {
	g.values.Leaf, g.values.Rows, g.values.Pos = leaf, rows, nil
	g.values.Vec.N = n
}

// isShared tells whether all rows have a value and come from where those of the last such column came from.
func (g *merger) isShared(rows int, src []Source) bool {
	if len(g.shared) != len(src) || g.sharedRows != rows {
		return false
	}
	for i, s := range src {
		if s.Chunk.pres.kind != presentAll || !sameList(g.shared[i], s.Want) {
			return false
		}
	}
	return true
}

// sameList tells whether two lists are one in memory.
func sameList(a, b []uint32) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// presentOf lists the wanted rows of a source that have a value, by the number of the value.
func (e *Encoder) presentOf(i int, s Source) []uint32 {
	g := &e.merge
	p := &s.Chunk.pres
	g.valid = g.valid.Resize(p.rows)
	g.rank = g.rank[:0]
	for from := 0; from < p.rows; from += blockValues {
		to := min(from+blockValues, p.rows)
		p.bits(s.Data, from, to, p.before(s.Data, from), g.valid[from>>6:vec.Words(to)])
	}
	n := uint32(0)
	for _, w := range g.valid {
		g.rank = append(g.rank, n)
		n += uint32(bits.OnesCount64(w))
	}
	out := g.room[i][:0]
	for _, w := range s.Want {
		r := w >> 16
		word := g.valid[r>>6]
		if word>>(r&63)&1 == 0 {
			continue
		}
		k := g.rank[r>>6] + uint32(bits.OnesCount64(word&(1<<(r&63)-1)))
		out = append(out, k<<16|w&0xffff)
	}
	g.room[i] = out
	return out
}
