package simd

import "encoding/binary"

// The functions below write runs: values [ends[i-1], ends[i]) of dst become codes[i], ends[-1] being 0. Ends ascend, the last
// is the length of dst. The kernels and the twins alike write a whole vector or word at a time and go on where the run ends,
// so that a short run takes one step; only at the end of dst there is no room for it.

// RepeatU8 writes runs of codes below 256.
func RepeatU8(dst []uint8, codes, ends []uint32) {
	codes = codes[:len(ends)]
	from := 0
	i := repeatU8(dst, codes, ends)
	if i > 0 {
		from = int(ends[i-1])
	}
	for ; i < len(ends) && int(ends[i])+8 <= len(dst); i++ {
		end := int(ends[i])
		word := uint64(uint8(codes[i])) * 0x0101010101010101
		for ; from < end; from += 8 {
			binary.LittleEndian.PutUint64(dst[from:], word)
		}
		from = end
	}
	for ; i < len(ends); i++ {
		from = repeat(dst, from, int(ends[i]), uint8(codes[i]))
	}
}

// RepeatU16 writes runs of codes below 65,536.
func RepeatU16(dst []uint16, codes, ends []uint32) {
	codes = codes[:len(ends)]
	from := 0
	i := repeatU16(dst, codes, ends)
	if i > 0 {
		from = int(ends[i-1])
	}
	for ; i < len(ends); i++ {
		from = repeat(dst, from, int(ends[i]), uint16(codes[i]))
	}
}

// RepeatU32 writes runs of any codes.
func RepeatU32(dst, codes, ends []uint32) {
	codes = codes[:len(ends)]
	from := 0
	i := repeatU32(dst, codes, ends)
	if i > 0 {
		from = int(ends[i-1])
	}
	for ; i < len(ends); i++ {
		from = repeat(dst, from, int(ends[i]), codes[i])
	}
}

func repeat[T uint8 | uint16 | uint32](dst []T, from, end int, c T) int {
	for k := range dst[from:end] {
		dst[from+k] = c
	}
	return end
}
