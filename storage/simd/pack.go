package simd

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unsafe"
)

// The kernels of this file read numbers of width bits that lie one behind the other, the first in the lowest bits of the
// first byte: number i is bits [i*width, (i+1)*width) of src. They read numbers [first, first+n); src may go on behind
// them, and what follows is not used. width is at most 64, unless a kernel says less.

// PackedLen is the number of bytes that n numbers of width bits take.
func PackedLen(n int, width uint) int { return (n*int(width) + 7) >> 3 }

// step is how many numbers the kernels that have no loop of their own for a width unpack at once.
const step = 1024

// UnpackAdd sets dst[i] to base plus number first+i, modulo 2^64, for each of dst.
func UnpackAdd(dst []int64, src []byte, first int, width uint, base int64) {
	if width == 0 {
		for i := range dst {
			dst[i] = base
		}
		return
	}
	_ = src[:PackedLen(first+len(dst), width)]
	if head := -first & 7; head != 0 && len(dst) >= 64 { // to a number that begins with a byte
		unpackAddGo(dst[:head], src, first, width, base)
		dst, first = dst[head:], first+head
	}
	n := unpackAdd(dst, src, first, width, base)
	unpackAddGo(dst[n:], src, first+n, width, base)
}

func unpackAddGo(dst []int64, src []byte, first int, width uint, base int64) {
	if width <= generatedWidth && first&7 == 0 {
		n := len(dst) >> 6
		src = src[first*int(width)>>3:]
		unpackWords(dst[:n<<6], src, width, base)
		dst, src, first = dst[n<<6:], src[n*int(width)<<3:], 0
	}
	if width == 64 {
		unpackPlain(dst, src[8*first:], base)
		return
	}
	n := 0
	if width <= 57 {
		n = unpackLoads(dst, src, uint(first)*width, width, base)
	}
	unpackWide(dst[n:], src, first+n, width, base)
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// unpackPlain copies numbers of 64 bits, where their bytes lie as this machine wants them.
func unpackPlain(dst []int64, src []byte, base int64) {
	if len(dst) == 0 {
		return
	}
	src = src[:8*len(dst)]
	if base == 0 && littleEndian {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), len(src)), src)
		return
	}
	for i := range dst {
		dst[i] = base + int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
}

// LoadF64 reads as many floats as dst has from their little-endian bytes.
func LoadF64(dst []float64, src []byte) {
	src = src[:8*len(dst)]
	if len(dst) > 0 && littleEndian {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), len(src)), src)
		return
	}
	for i := range dst {
		dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))
	}
}

// unpackLoads unpacks values of at most 57 bits with one load each, as many as have 8 readable bytes, and returns their
// number.
func unpackLoads(dst []int64, src []byte, bit, width uint, base int64) int {
	if len(src) < 8 {
		return 0
	}
	last := uint(len(src)-8)<<3 + 7 // the highest bit at which a load may start
	if bit > last {
		return 0
	}
	n := min(uint(len(dst)), (last-bit)/width+1)
	dst = dst[:n]
	mask := uint64(1)<<width - 1
	for i := range dst {
		dst[i] = base + int64(binary.LittleEndian.Uint64(src[bit>>3:])>>(bit&7)&mask)
		bit += width
	}
	return int(n)
}

// unpackWide unpacks values of any width anywhere, byte by byte at the end of src: the plain twin of the other loops.
func unpackWide(dst []int64, src []byte, first int, width uint, base int64) {
	mask := ^uint64(0) >> (64 - width)
	bit := uint(first) * width
	for i := range dst {
		at, shift := bit>>3, bit&7
		v := loadTail(src, at) >> shift
		if shift+width > 64 {
			v |= uint64(src[at+8]) << (64 - shift)
		}
		dst[i] = base + int64(v&mask)
		bit += width
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

// Unpack32 sets dst[i] to number first+i, for each of dst. width is at most 32.
func Unpack32(dst []uint32, src []byte, first int, width uint) {
	if width == 0 {
		clear(dst)
		return
	}
	_ = src[:PackedLen(first+len(dst), width)]
	if head := -first & 7; head != 0 && len(dst) >= 64 {
		unpack32Go(dst[:head], src, first, width)
		dst, first = dst[head:], first+head
	}
	n := unpack32(dst, src, first, width)
	unpack32Go(dst[n:], src, first+n, width)
}

func unpack32Go(dst []uint32, src []byte, first int, width uint) {
	mask := uint64(1)<<width - 1
	bit := uint(first) * width
	for i := range dst {
		dst[i] = uint32(loadTail(src, bit>>3) >> (bit & 7) & mask)
		bit += width
	}
}

// RangePacked sets bit i of out where lo <= number first+i <= hi, without sign, and clears it elsewhere, for n numbers.
func RangePacked(src []byte, first, n int, width uint, lo, hi uint64, out []uint64) {
	out = out[:words(n)]
	if lo > hi {
		clear(out)
		return
	}
	_ = src[:PackedLen(first+n, width)]
	done := 0
	if first&7 == 0 && width > 0 {
		done = rangePacked(src, first, n, width, lo, hi-lo, out)
	}
	var room [step]int64
	for done < n {
		vals := room[:min(step, n-done)]
		UnpackAdd(vals, src, first+done, width, 0)
		WithinI64(vals, int64(lo), hi-lo, out[done>>6:])
		done += len(vals)
	}
}

// SumPacked returns the sum of n numbers, modulo 2^64. The sum is exact where n times the greatest number is below 2^64.
func SumPacked(src []byte, first, n int, width uint) uint64 {
	sum, _ := SumPackedRange(src, first, n, width, 0, ^uint64(0))
	return sum
}

// SumPackedRange sums, modulo 2^64, and counts the numbers in [lo, hi], without sign, among n.
func SumPackedRange(src []byte, first, n int, width uint, lo, hi uint64) (sum uint64, count int) {
	if lo > hi {
		return 0, 0
	}
	if width == 0 { // all are 0
		if lo == 0 {
			count = n
		}
		return 0, count
	}
	_ = src[:PackedLen(first+n, width)]
	done := 0
	if first&7 == 0 {
		done, sum, count = sumPackedRange(src, first, n, width, lo, hi-lo)
	}
	var room [step]int64
	for done < n {
		vals := room[:min(step, n-done)]
		UnpackAdd(vals, src, first+done, width, 0)
		for _, v := range vals {
			_, beyond := bits.Sub64(hi-lo, uint64(v)-lo, 0)
			keep := beyond - 1
			sum += uint64(v) & keep
			count -= int(int64(keep))
		}
		done += len(vals)
	}
	return sum, count
}
