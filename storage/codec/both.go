package codec

import (
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/vec"
)

// FilterBoth makes sel the rows [from, to), which begin with a block and may span blocks, that pass f and g, filters of two
// columns with the bytes of their chunks, and returns their number: in one pass over both, which writes no bits in between. ok is
// false, and sel as it was, unless both are of byte codes of which a range passes, or all others, and every row has a value.
func FilterBoth(f *Filter, fdata []byte, g *Filter, gdata []byte, from, to int, sel vec.Bitmap) (alive int, ok bool) {
	a, alo, aspan, ok := f.byteRange(fdata, from, to)
	if !ok {
		return 0, false
	}
	b, blo, bspan, ok := g.byteRange(gdata, from, to)
	if !ok {
		return 0, false
	}
	return simd.BothWithinU8(a, alo, aspan, b, blo, bspan, sel), true
}

// byteRange returns the codes of rows [from, to) and the range of those that pass, modulo 256; ok is false if they are none of
// bytes, or no range. What codes pass that the dictionary does not have, nobody knows: see codes8.
func (f *Filter) byteRange(data []byte, from, to int) (codes []uint8, lo, span uint8, ok bool) {
	c := f.c
	k := &c.code
	if c.dict == nil || c.enc == encConst || k.width != 8 || !f.oneRange || f.none || f.all || f.rare != nil || c.pres.present != c.pres.rows || c.checkSpan(from, to) != nil {
		return nil, 0, 0, false
	}
	lo, span = uint8(f.first), uint8(f.last-f.first)
	if f.outside {
		lo, span = uint8(f.last+1), 254-span
	}
	return data[k.at+from : k.at+to], lo, span, true
}
