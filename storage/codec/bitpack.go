package codec

import (
	"encoding/binary"
	"slices"
)

//go:generate go run gen_unpack.go

// packedLen is the number of bytes n values of w bits take.
func packedLen(n int, w uint) int { return (n*int(w) + 7) >> 3 }

// appendDistances appends the low w bits of each value's distance from base, the first value in the lowest bits of the
// first byte.
func appendDistances(dst []byte, vals []int64, base int64, w uint) []byte {
	if w == 0 {
		return dst
	}
	at, size := len(dst), packedLen(len(vals), w)
	dst = slices.Grow(dst, size+8)
	out := dst[at : at+size+8]
	switch w {
	case 8:
		for i, v := range vals {
			out[i] = byte(v - base)
		}
	case 16:
		for i, v := range vals {
			binary.LittleEndian.PutUint16(out[2*i:], uint16(v-base))
		}
	case 64:
		for i, v := range vals {
			binary.LittleEndian.PutUint64(out[8*i:], uint64(v-base))
		}
	default:
		if w <= generatedWidth {
			n := len(vals) &^ 63
			packers[w](out, vals[:n], base)
			out, vals = out[packedLen(n, w):], vals[n:]
		}
		packDistances(out, vals, base, w)
	}
	return dst[:at+size]
}

// packDistances is appendDistances for widths below 64. out has eight bytes more than it needs. Where four values fit a
// word they are put together first, so that one step in four depends on the one before.
func packDistances(out []byte, vals []int64, base int64, w uint) {
	w &= 63
	mask := uint64(1)<<w - 1
	var acc uint64
	var fill uint
	at := 0
	if w <= 16 {
		w2, w3 := (2*w)&63, (3*w)&63
		for ; len(vals) >= 4; vals = vals[4:] {
			lo := uint64(vals[0]-base)&mask | uint64(vals[1]-base)&mask<<w
			hi := uint64(vals[2]-base)&mask<<w2 | uint64(vals[3]-base)&mask<<w3
			d := lo | hi
			acc |= d << (fill & 63)
			fill += 4 * w
			if fill >= 64 {
				binary.LittleEndian.PutUint64(out[at:], acc)
				at += 8
				fill -= 64
				acc = d >> (4*w - fill)
			}
		}
	}
	for _, v := range vals {
		d := uint64(v-base) & mask
		acc |= d << (fill & 63)
		fill += w
		if fill >= 64 {
			binary.LittleEndian.PutUint64(out[at:], acc)
			at += 8
			fill -= 64
			acc = d >> ((w - fill) & 63)
		}
	}
	binary.LittleEndian.PutUint64(out[at:], acc)
}

// unpack reads len(dst) values of w bits that begin at value number first of src, and adds base to each. src may go on
// behind the packed values: what follows is read but not used. The caller has checked that src holds the values.
func unpack(dst []int64, src []byte, first int, w uint, base int64) {
	if w == 0 {
		fill(dst, base)
		return
	}
	if w <= generatedWidth && first&63 == 0 {
		n := len(dst) >> 6
		src = src[first*int(w)>>3:]
		unpackers[w](dst[:n<<6], src, base)
		dst, src, first = dst[n<<6:], src[n*int(w)<<3:], 0
	}
	if w == 64 {
		unpack64(dst, src[8*first:], base)
		return
	}
	if w > 57 {
		unpackWide(dst, src, first, w, base)
		return
	}
	n := unpackAny(dst, src, uint(first)*w, w, base)
	unpackWide(dst[n:], src, first+n, w, base)
}

func fill(dst []int64, v int64) {
	for i := range dst {
		dst[i] = v
	}
}

func unpack64(dst []int64, src []byte, base int64) {
	src = src[:8*len(dst)]
	for i := range dst {
		dst[i] = base + int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
}

// unpackAny unpacks values of at most 57 bits with one load each, as many as have 8 readable bytes, and returns their
// number.
func unpackAny(dst []int64, src []byte, bit, w uint, base int64) int {
	if len(src) < 8 {
		return 0
	}
	last := uint(len(src)-8)<<3 + 7 // the highest bit at which a load may start
	if bit > last {
		return 0
	}
	n := min(uint(len(dst)), (last-bit)/w+1)
	dst = dst[:n]
	mask := uint64(1)<<w - 1
	for i := range dst {
		dst[i] = base + int64(binary.LittleEndian.Uint64(src[bit>>3:])>>(bit&7)&mask)
		bit += w
	}
	return int(n)
}

// unpackWide unpacks values of any width anywhere, byte by byte at the end of src: the plain twin of the other loops.
func unpackWide(dst []int64, src []byte, first int, w uint, base int64) {
	mask := ^uint64(0) >> (64 - w)
	bit := uint(first) * w
	for i := range dst {
		at, shift := bit>>3, bit&7
		v := loadTail(src, at) >> shift
		if shift+w > 64 {
			v |= uint64(src[at+8]) << (64 - shift)
		}
		dst[i] = base + int64(v&mask)
		bit += w
	}
}

// loadTail loads up to 8 bytes, as if zeros followed src.
func loadTail(src []byte, at uint) uint64 {
	if at+8 <= uint(len(src)) {
		return binary.LittleEndian.Uint64(src[at:])
	}
	v := uint64(0)
	for i := uint(len(src)); i > at; i-- {
		v = v<<8 | uint64(src[i-1])
	}
	return v
}
