package codec

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"

	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Addresses have a long tail of pages on sites that come again: a text is its stem, which goes through the separator that
// ends the site, and the rest. Stems are a dictionary, rests are symbols, of one table with the stems.

// stemsLayout is where the parts of such a chunk are beside the rests, which are the chunk's text.
type stemsLayout struct {
	depth int        // a stem goes through so many separators
	stems vec.Vector // ascending
	width uint       // bits of a code
	at    int        // offset of the codes
}

// stemSeparator ends the parts of addresses and of paths.
const stemSeparator = '/'

// stemsWorth is the share, in percent, of the size of symbols alone from which stems are taken: they are read a bit faster.
const stemsWorth = 95

// stemDepths are how many separators are tried.
const stemDepths = 4

// stemOf returns how long the stem of a text is: 0 if it has fewer separators.
func stemOf(text []byte, depth int) int {
	at := 0
	for range depth {
		k := bytes.IndexByte(text[at:], stemSeparator)
		if k < 0 {
			return 0
		}
		at += k + 1
	}
	return at
}

// parse reads: depth u8, number of stems uvarint, the stems as plain text of symbols, bits of a code u8, codes.
func (l *stemsLayout) parse(c *cursor, syms *symbols, n int) error {
	l.depth = int(c.u8())
	count := c.count(min(n, MaxRows))
	if c.bad || count == 0 || l.depth == 0 {
		return corrupt("%d stems through %d separators", count, l.depth)
	}
	var text textLayout
	if err := text.parsePlain(c, count); err != nil {
		return err
	}
	v := &l.stems
	v.Reset(types.LeafText.Type())
	v.Off, v.N = make([]uint32, count+1), count
	codes, err := text.window(c.data, 0, count, v.Off)
	if err != nil {
		return err
	}
	if err := syms.read(codes, v, count); err != nil {
		return err
	}
	if err := checkSorted(v, count); err != nil {
		return err
	}
	l.width = uint(c.u8())
	if l.width > 16 {
		return corrupt("stem codes of %d bits", l.width)
	}
	l.at = c.skip(packedLen(n, l.width))
	if c.bad {
		return corrupt("stem codes cut short")
	}
	return l.check(c.data, n)
}

// check reports a code that no stem has.
func (l *stemsLayout) check(data []byte, n int) error {
	sc := getScratch()
	defer sc.put()
	for at := 0; at < n; at += blockValues {
		codes := sc.codes[:min(blockValues, n-at)]
		simd.Unpack32(codes, data[l.at:], at, l.width)
		if top := simd.TopU32(codes); int(top) >= l.stems.N {
			return corrupt("stem %d of %d", top, l.stems.N)
		}
	}
	return nil
}

// read decodes values [a, b), at most a block: rests are their symbols' codes, whose ends are in dst.Off.
func (l *stemsLayout) read(data []byte, a, b int, syms *symbols, rests []byte, dst *vec.Vector) (err error) {
	sc := getScratch()
	defer sc.put()
	stems := sc.codes[:b-a]
	simd.Unpack32(stems, data[l.at:], a, l.width)
	out := dst.Data[:0]
	from := uint32(0)
	for i, stem := range stems {
		out = append(out, l.stems.Bytes(int(stem))...)
		to := dst.Off[i+1]
		if out, err = syms.decode(out, rests[from:to]); err != nil {
			return err
		}
		if len(out) > MaxChunkBytes {
			return corrupt("texts of more than %d bytes", MaxChunkBytes)
		}
		from, dst.Off[i+1] = to, uint32(len(out))
	}
	dst.Data = out
	return nil
}

// of returns the stem of value i.
func (l *stemsLayout) of(data []byte, i int) []byte {
	var code [1]uint32
	simd.Unpack32(code[:], data[l.at:], i, l.width)
	return l.stems.Bytes(int(code[0]))
}

// find returns the code of a text's stem, and where its rest begins.
func (l *stemsLayout) find(text []byte) (code uint32, rest int, ok bool) {
	rest = stemOf(text, l.depth)
	k := sort.Search(l.stems.N, func(i int) bool { return bytes.Compare(l.stems.Bytes(i), text[:rest]) >= 0 })
	return uint32(k), rest, k < l.stems.N && bytes.Equal(l.stems.Bytes(k), text[:rest])
}

// keepEqual clears the bits of those values [a, b) that have another stem.
func (l *stemsLayout) keepEqual(data []byte, a, b int, code uint32, out bitset) {
	sc := getScratch()
	defer sc.put()
	codes := sc.codes[:b-a]
	simd.Unpack32(codes, data[l.at:], a, l.width)
	simd.EqU32(codes, code, sc.bits[:])
	simd.And(out, sc.bits[:len(out)])
}

// stemWriter takes texts apart.
type stemWriter struct {
	ends              []uint32 // of each value's stem, in the texts' memory
	stems, rests, all vec.Vector
}

// deeper moves the ends of the stems on by a separator; a text without one has an empty stem, at its start.
func (w *stemWriter) deeper(v *vec.Vector, first bool) {
	w.ends = sized(w.ends, v.N)
	for i := range v.N {
		from, at := v.Off[i], v.Off[i]
		if !first {
			if at = w.ends[i]; at == from {
				continue
			}
		}
		w.ends[i] = from
		if k := bytes.IndexByte(v.Data[at:v.Off[i+1]], stemSeparator); k >= 0 {
			w.ends[i] = at + uint32(k) + 1
		}
	}
}

// differentStems numbers the stems in seen. ok is false if most of them are different. It returns the bytes of one of each,
// and of all.
func (e *Encoder) differentStems(v *vec.Vector) (one, all int, ok bool) {
	w := &e.stems
	w.all.Reset(v.Type)
	for i := range v.N {
		w.all.AppendBytes(v.Data[v.Off[i]:w.ends[i]])
	}
	if !e.seen.bytes(&w.all, v.N/2) {
		return 0, 0, false
	}
	for _, i := range e.seen.firsts {
		one += len(w.all.Bytes(int(i)))
	}
	return one, len(w.all.Data), true
}

// split takes the texts apart. ok is false if most of the stems are different.
func (e *Encoder) split(v *vec.Vector, depth int) (ok bool) {
	w := &e.stems
	for d := range depth {
		w.deeper(v, d == 0)
	}
	if _, _, ok := e.differentStems(v); !ok {
		return false
	}
	w.rests.Reset(v.Type)
	for i := range v.N {
		w.rests.AppendBytes(v.Data[w.ends[i]:v.Off[i+1]])
	}
	firsts := e.seen.firsts
	e.sortDict(e.seen.n, func(a, b uint32) int { return bytes.Compare(w.all.Bytes(int(firsts[a])), w.all.Bytes(int(firsts[b]))) })
	w.stems.Reset(v.Type)
	for _, i := range e.order {
		w.stems.AppendBytes(w.all.Bytes(int(firsts[i])))
	}
	return true
}

// stemDepth picks how many separators make the stems that save most of the texts' bytes, which take coded as symbols.
func (e *Encoder) stemDepth(v *vec.Vector, coded int) (depth int, ok bool) {
	raw := len(dataOf(v))
	best := coded
	for d := 1; d <= stemDepths; d++ {
		e.stems.deeper(v, d == 1)
		one, all, some := e.differentStems(v)
		if !some {
			break // deeper ones are more
		}
		left := float64(raw-all+one) * float64(coded) / float64(raw)
		if size := int(left) + e.seen.n + packedLen(v.N, stemBits(e.seen.n)); size*100 < best*stemsWorth {
			best, depth, ok = size, d, true
		}
	}
	return depth, ok
}

func stemBits(n int) uint { return uint(bits.Len(uint(n - 1))) }

// tryStems takes the texts apart into e.body if that beats the symbols that c has.
func (e *Encoder) tryStems(v *Values, c *contest, state *State) bool {
	depth, ok := state.lastDepth()
	if !ok {
		depth, ok = e.stemDepth(&v.Vec, c.size)
	}
	if !ok || !e.split(&v.Vec, depth) {
		return false
	}
	e.fsst.take(&e.stems.rests)
	e.fsst.takeMore(&e.stems.stems)
	e.fsst.train()
	e.body = e.appendStems(e.body[:0], depth)
	if len(e.body)*100 >= c.size*stemsWorth {
		return false
	}
	*c = contest{encStems, len(e.body), penalised(len(e.body), penaltyFSST)}
	state.keepSymbols(slices.Clone(e.fsst.matcher.syms))
	state.keepDepth(depth)
	return true
}

// appendStems writes the texts that split has taken apart, with the symbols that the matcher has.
func (e *Encoder) appendStems(dst []byte, depth int) []byte {
	w := &e.stems
	dst = append(appendSymbols(dst, e.fsst.matcher.syms), byte(depth))
	dst = binary.AppendUvarint(dst, uint64(w.stems.N))
	dst = e.appendPlain(dst, e.symbolCodes(&w.stems))
	e.code = e.code[:0]
	for _, d := range e.seen.ids {
		e.code = append(e.code, int64(e.rank[d]))
	}
	width := stemBits(w.stems.N)
	dst = appendDistances(append(dst, byte(width)), e.code, 0, width)
	return e.appendPlain(dst, e.symbolCodes(&w.rests))
}
