package vec

import (
	"math/bits"
	"slices"

	"github.com/telemdb/telemdb/storage/simd"
)

// Bitmap is a bit per row, least significant bit first (Arrow's order). Bits at and above the row count are zero: every
// writer keeps that, so counting and combining need no tail mask.
type Bitmap []uint64

// Words returns the number of words that hold n bits.
func Words(n int) int { return (n + 63) >> 6 }

// MakeBitmap returns n cleared bits.
func MakeBitmap(n int) Bitmap { return make(Bitmap, Words(n)) }

// Resize returns b with room for n bits, all cleared, reusing its memory.
func (b Bitmap) Resize(n int) Bitmap {
	w := Words(n)
	if cap(b) < w {
		return make(Bitmap, w)
	}
	b = b[:w]
	clear(b)
	return b
}

// Get reports bit i.
func (b Bitmap) Get(i int) bool { return b[i>>6]>>(uint(i)&63)&1 != 0 }

// Set sets bit i.
func (b Bitmap) Set(i int) { b[i>>6] |= 1 << (uint(i) & 63) }

// Clear clears bit i.
func (b Bitmap) Clear(i int) { b[i>>6] &^= 1 << (uint(i) & 63) }

// SetTo sets bit i to v.
func (b Bitmap) SetTo(i int, v bool) {
	if v {
		b.Set(i)
	} else {
		b.Clear(i)
	}
}

// Fill sets the first n bits and clears the rest of the last word.
func (b Bitmap) Fill(n int) {
	w := n >> 6
	for i := range w {
		b[i] = ^uint64(0)
	}
	if r := uint(n) & 63; r != 0 {
		b[w] = 1<<r - 1
		w++
	}
	clear(b[w:])
}

// Count returns the number of set bits.
func (b Bitmap) Count() int { return simd.Popcount(b) }

// And clears every bit of b that is not set in o.
func (b Bitmap) And(o Bitmap) { simd.And(b, o) }

// AndNot clears every bit of b that is set in o.
func (b Bitmap) AndNot(o Bitmap) { simd.AndNot(b, o) }

// Or sets every bit of b that is set in o.
func (b Bitmap) Or(o Bitmap) { simd.Or(b, o) }

// Positions appends the indexes of the set bits to dst.
func (b Bitmap) Positions(dst []uint16) []uint16 {
	n, room := len(dst), 64*len(b)
	if cap(dst)-n < room {
		if count := b.Count(); 4*count < room { // not worth that much memory
			dst = slices.Grow(dst, count)
			b.All(func(i int) { dst = append(dst, uint16(i)) })
			return dst
		}
		dst = slices.Grow(dst, room)
	}
	return dst[:n+simd.SelectU16(b, dst[n:n+room])]
}

// All calls f for each set bit, in order.
func (b Bitmap) All(f func(i int)) {
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			f(i<<6 + bits.TrailingZeros64(w))
		}
	}
}
