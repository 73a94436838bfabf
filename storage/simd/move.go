package simd

import (
	"encoding/binary"
	"math/bits"
)

// WidenU8 writes codes of one byte as four, as many as dst has, and returns the greatest (0 for none).
func WidenU8(dst []uint32, src []uint8) (top uint32) {
	src = src[:len(dst)]
	n, top := widenU8(dst, src)
	for i := n; i < len(src); i++ {
		c := uint32(src[i])
		top = max(top, c)
		dst[i] = c
	}
	return top
}

// WidenU16 writes codes of two bytes as four, as many as dst has, and returns the greatest (0 for none). src holds them as
// little-endian bytes, at any address.
func WidenU16(dst []uint32, src []byte) (top uint32) {
	src = src[:2*len(dst)]
	n, top := widenU16(dst, src)
	for i := n; i < len(dst); i++ {
		c := uint32(binary.LittleEndian.Uint16(src[2*i:]))
		top = max(top, c)
		dst[i] = c
	}
	return top
}

// TopU8 returns the greatest of xs, 0 for none.
func TopU8(xs []uint8) (top uint8) {
	n, top := topU8(xs)
	for _, x := range xs[n:] {
		top = max(top, x)
	}
	return top
}

// TopU16 returns the greatest of the little-endian numbers of two bytes that src holds, 0 for none.
func TopU16(src []byte) (top uint16) {
	n, top := topU16(src)
	for src = src[2*n:]; len(src) >= 2; src = src[2:] {
		top = max(top, binary.LittleEndian.Uint16(src))
	}
	return top
}

// TopU32 returns the greatest of xs, 0 for none.
func TopU32(xs []uint32) (top uint32) {
	n, top := topU32(xs)
	for _, x := range xs[n:] {
		top = max(top, x)
	}
	return top
}

// TakeI64 sets dst[i] to src[pos[i]] for each of pos. Every position is an index of src.
func TakeI64(dst, src []int64, pos []uint16) {
	dst = dst[:len(pos)]
	for i, p := range pos {
		dst[i] = src[p]
	}
}

// FillByCodes8 sets dst[i] to dict[codes[i]] for each of codes. It panics on a code that dict does not have.
func FillByCodes8(dst, dict []int64, codes []uint8) {
	dst = dst[:len(codes)]
	if len(dict) >= 256 {
		table := (*[256]int64)(dict)
		for i, c := range codes {
			dst[i] = table[c]
		}
		return
	}
	for i, c := range codes {
		dst[i] = dict[c]
	}
}

// FillByCodes32 is FillByCodes8 for codes of four bytes.
func FillByCodes32(dst, dict []int64, codes []uint32) {
	dst = dst[:len(codes)]
	for i, c := range codes {
		dst[i] = dict[c]
	}
}

// ExpandI64 moves the values of src, in order, to the rows whose bit is set and clears the others, for len(dst) rows.
// src has a value for each set bit. It returns the number of values.
func ExpandI64(dst, src []int64, presence []uint64) int {
	presence = presence[:words(len(dst))]
	src = src[:Popcount(presence)]
	n, k := expandI64(dst, src, presence)
	return k + expandGo(dst[n:], src[k:], presence[n>>6:])
}

// ExpandF64 is ExpandI64 for floats.
func ExpandF64(dst, src []float64, presence []uint64) int {
	presence = presence[:words(len(dst))]
	src = src[:Popcount(presence)]
	n, k := expandF64(dst, src, presence)
	return k + expandGo(dst[n:], src[k:], presence[n>>6:])
}

// ExpandU32 is ExpandI64 for dictionary codes.
func ExpandU32(dst, src []uint32, presence []uint64) int {
	presence = presence[:words(len(dst))]
	src = src[:Popcount(presence)]
	n, k := expandU32(dst, src, presence)
	return k + expandGo(dst[n:], src[k:], presence[n>>6:])
}

// expandGo goes over the set bits: a loop over the rows has a branch to mispredict.
func expandGo[T int64 | float64 | uint32](dst, src []T, presence []uint64) int {
	clear(dst)
	k := 0
	for w, m := range presence {
		base := w << 6
		if m == ^uint64(0) {
			copy(dst[base:base+64], src[k:])
			k += 64
			continue
		}
		for ; m != 0; m &= m - 1 {
			dst[base+bits.TrailingZeros64(m)] = src[k]
			k++
		}
	}
	return k
}

// MaxU8 sets each dst[i] to the greater of dst[i] and src[i], which has at least as many: the merge of HyperLogLog
// registers.
func MaxU8(dst, src []uint8) {
	src = src[:len(dst)]
	for i := maxU8(dst, src); i < len(dst); i++ {
		dst[i] = max(dst[i], src[i])
	}
}

// AddU32U64 adds src[i] to dst[i], for each of src: a dense histogram into a sum of histograms.
func AddU32U64(dst []uint64, src []uint32) {
	dst = dst[:len(src)]
	for i := addU32U64(dst, src); i < len(src); i++ {
		dst[i] += uint64(src[i])
	}
}

// HashU64 sets out[i] to a well mixed hash of xs[i], every bit of which depends on every bit of xs[i] (the finaliser of
// SplitMix64, Steele, Lea and Flood 2014, after the golden ratio is added so that 0 does not stay 0). It is a bijection. It is
// not stored: the hash may change with the version. out may be xs.
func HashU64(xs, out []uint64) {
	out = out[:len(xs)]
	for i := hashU64(xs, out); i < len(xs); i++ {
		out[i] = Hash(xs[i])
	}
}

// Hash is HashU64 of one number.
func Hash(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
