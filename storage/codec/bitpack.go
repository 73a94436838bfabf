package codec

import (
	"encoding/binary"
	"slices"

	"github.com/telemdb/telemdb/storage/simd"
)

//go:generate go run gen_pack.go

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
// behind the packed values. The caller has checked that src holds the values.
func unpack(dst []int64, src []byte, first int, w uint, base int64) {
	simd.UnpackAdd(dst, src, first, w, base)
}

func fill(dst []int64, v int64) {
	for i := range dst {
		dst[i] = v
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
