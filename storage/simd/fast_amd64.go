package simd

import "math/bits"

// Each of these does as many values as it can, from the first on, and returns their number, a multiple of 64; the twin
// does the rest.

// whole returns how many of n values are whole blocks of 64, and the level that does them; Off where there is nothing to do.
func whole(n int) (int, Level) {
	n &^= 63
	if n == 0 {
		return 0, Off
	}
	return n, Active()
}

func rangeU8(xs []uint8, lo, span uint8, out []uint64) int {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		rangeU8Z(&xs[0], n, lo, span, &out[0])
	case AVX2:
		rangeU8Y(&xs[0], n, lo, span, &out[0])
	default:
		return 0
	}
	return n
}

func andRangeU8(xs []uint8, lo, span uint8, out []uint64) int {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		andRangeU8Z(&xs[0], n, lo, span, &out[0])
	case AVX2:
		andRangeU8Y(&xs[0], n, lo, span, &out[0])
	default:
		return 0
	}
	return n
}

func countRangeU8(xs []uint8, lo, span uint8) (int, int) {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		return n, countRangeU8Z(&xs[0], n, lo, span)
	case AVX2:
		return n, countRangeU8Y(&xs[0], n, lo, span)
	}
	return 0, 0
}

func countAndRangeU8(a []uint8, alo, aspan uint8, b []uint8, blo, bspan uint8) (int, int) {
	n, l := whole(len(a))
	switch l {
	case AVX512:
		return n, countAndRangeU8Z(&a[0], n, alo, aspan, &b[0], blo, bspan)
	case AVX2:
		return n, countAndRangeU8Y(&a[0], n, alo, aspan, &b[0], blo, bspan)
	}
	return 0, 0
}

func bothWithinU8(a []uint8, alo, aspan uint8, b []uint8, blo, bspan uint8, out []uint64) (int, int) {
	n, l := whole(len(a))
	switch l {
	case AVX512:
		return n, bothRangeU8Z(&a[0], n, alo, aspan, &b[0], blo, bspan, &out[0])
	case AVX2:
		return n, bothRangeU8Y(&a[0], n, alo, aspan, &b[0], blo, bspan, &out[0])
	}
	return 0, 0
}

func rangeU16(xs []uint16, lo, span uint16, out []uint64) int {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		rangeU16Z(&xs[0], n, lo, span, &out[0])
	case AVX2:
		rangeU16Y(&xs[0], n, lo, span, &out[0])
	default:
		return 0
	}
	return n
}

func andRangeU16(xs []uint16, lo, span uint16, out []uint64) int {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		andRangeU16Z(&xs[0], n, lo, span, &out[0])
	case AVX2:
		andRangeU16Y(&xs[0], n, lo, span, &out[0])
	default:
		return 0
	}
	return n
}

func countRangeU16(xs []uint16, lo, span uint16) (int, int) {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		return n, countRangeU16Z(&xs[0], n, lo, span)
	case AVX2:
		return n, countRangeU16Y(&xs[0], n, lo, span)
	}
	return 0, 0
}

func rangeU32(xs []uint32, lo, span uint32, out []uint64) int {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		rangeU32Z(&xs[0], n, lo, span, &out[0])
	case AVX2:
		rangeU32Y(&xs[0], n, lo, span, &out[0])
	default:
		return 0
	}
	return n
}

func rangeI64(xs []int64, lo, span int64, out []uint64) int {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		rangeI64Z(&xs[0], n, lo, span, &out[0])
	case AVX2:
		rangeI64Y(&xs[0], n, lo, span, &out[0])
	default:
		return 0
	}
	return n
}

func andRangeI64(xs []int64, lo, span int64, out []uint64) int {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		andRangeI64Z(&xs[0], n, lo, span, &out[0])
	case AVX2:
		andRangeI64Y(&xs[0], n, lo, span, &out[0])
	default:
		return 0
	}
	return n
}

func eqF64(xs []float64, c float64, out []uint64) int {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		eqF64Z(&xs[0], n, c, &out[0])
	case AVX2:
		eqF64Y(&xs[0], n, c, &out[0])
	default:
		return 0
	}
	return n
}

func ltF64(xs []float64, c float64, out []uint64) int {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		ltF64Z(&xs[0], n, c, &out[0])
	case AVX2:
		ltF64Y(&xs[0], n, c, &out[0])
	default:
		return 0
	}
	return n
}

func leF64(xs []float64, c float64, out []uint64) int {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		leF64Z(&xs[0], n, c, &out[0])
	case AVX2:
		leF64Y(&xs[0], n, c, &out[0])
	default:
		return 0
	}
	return n
}

// turned is a pass table as lookupU8Y wants it: bit h&7 of byte 16*(h>>3)+l is what code 16*h+l says.
func turned(table *[4]uint64) (t [32]uint8) {
	for h := range 16 {
		word := table[h>>2] >> (16 * (h & 3))
		for l := range 16 {
			t[16*(h>>3)+l] |= uint8(word>>l&1) << (h & 7)
		}
	}
	return t
}

func lookupU8(codes []uint8, table *[4]uint64, out []uint64) int {
	n, l := whole(len(codes))
	switch {
	case l == AVX512:
		lookupU8Z(&codes[0], n, table, &out[0])
	case l == AVX2 && n >= 256:
		t := turned(table)
		lookupU8Y(&codes[0], n, &t, &out[0])
	default:
		return 0
	}
	return n
}

func andLookupU8(codes []uint8, table *[4]uint64, out []uint64) int {
	n, l := whole(len(codes))
	switch {
	case l == AVX512:
		andLookupU8Z(&codes[0], n, table, &out[0])
	case l == AVX2 && n >= 256:
		t := turned(table)
		andLookupU8Y(&codes[0], n, &t, &out[0])
	default:
		return 0
	}
	return n
}

func countLookupU8(codes []uint8, table *[4]uint64) (int, int) {
	n, l := whole(len(codes))
	switch {
	case l == AVX512:
		return n, countLookupU8Z(&codes[0], n, table)
	case l == AVX2 && n >= 256:
		t := turned(table)
		return n, countLookupU8Y(&codes[0], n, &t)
	}
	return 0, 0
}

func lookupU16(codes []uint16, table []uint64, out []uint64) int {
	n, l := whole(len(codes))
	switch {
	case l != AVX512 || len(table) == 0:
		return 0
	case len(table) <= 16:
		var t [16]uint64
		copy(t[:], table)
		lookupU16SmallZ(&codes[0], n, &t, &out[0])
	default:
		lookupU16Z(&codes[0], n, &table[0], uint32(min(2*len(table), 1<<27)), &out[0])
	}
	return n
}

func andLookupU16(codes []uint16, table []uint64, out []uint64) int {
	n, l := whole(len(codes))
	switch {
	case l != AVX512 || len(table) == 0:
		return 0
	case len(table) <= 16:
		var t [16]uint64
		copy(t[:], table)
		andLookupU16SmallZ(&codes[0], n, &t, &out[0])
	default:
		andLookupU16Z(&codes[0], n, &table[0], uint32(min(2*len(table), 1<<27)), &out[0])
	}
	return n
}

func lookupU32(codes []uint32, table []uint64, out []uint64) int {
	n, l := whole(len(codes))
	if l != AVX512 || len(table) == 0 {
		return 0
	}
	lookupU32Z(&codes[0], n, &table[0], uint32(min(2*len(table), 1<<27)), &out[0])
	return n
}

// lowSum is the sum of the low halves, given that of the high ones and that of all, modulo 2^64.
func lowSum(high int64, all uint64) uint64 { return all - uint64(high)<<32 }

func sumI64(xs []int64) (int, int64, uint64) {
	n, l := whole(len(xs))
	switch l {
	case AVX512:
		high, all := sumI64Z(&xs[0], n)
		return n, high, lowSum(high, all)
	case AVX2:
		high, all := sumI64Y(&xs[0], n)
		high -= int64(n) << 31
		return n, high, lowSum(high, all)
	}
	return 0, 0, 0
}

func sumI64Bits(xs []int64, sel []uint64) (int, int64, uint64) {
	n, l := whole(len(xs))
	if l != AVX512 {
		return 0, 0, 0
	}
	high, all := sumI64BitsZ(&xs[0], n, &sel[0])
	return n, high, lowSum(high, all)
}

// sumRangeI64 adds modulo 2^64 where the bounds tell that the sum of all cannot be beyond 63 bits.
func sumRangeI64(xs []int64, lo int64, span uint64) (int, int64, uint64, int) {
	n, l := whole(len(xs))
	hi := lo + int64(span)
	if far := max(uint64(max(hi, -hi)), uint64(max(lo, -lo))); l == Off || bits.Len64(far)+bits.Len(uint(n)) > 63 {
		return 0, 0, 0, 0
	}
	var all uint64
	var count int
	if l == AVX512 {
		all, count = sumRangeI64Z(&xs[0], n, lo, span)
	} else {
		all, count = sumRangeI64Y(&xs[0], n, lo, span)
		count = n - count
	}
	return n, int64(all) >> 32, all & (1<<32 - 1), count
}

func minMaxI64(xs []int64, least, most int64) (int, int64, int64) {
	n, l := whole(len(xs))
	if l != AVX512 {
		return 0, least, most
	}
	least, most = minMaxI64Z(&xs[0], n, least, most)
	return n, least, most
}

func minMaxI64Bits(xs []int64, sel []uint64, least, most int64) (int, int64, int64) {
	n, l := whole(len(xs))
	if l != AVX512 {
		return 0, least, most
	}
	least, most = minMaxI64BitsZ(&xs[0], n, &sel[0], least, most)
	return n, least, most
}

// The bitmaps' blocks are 64 words.

func and(dst, src []uint64) int {
	n, l := whole(len(dst))
	if l != AVX512 {
		return 0
	}
	andZ(&dst[0], &src[0], n)
	return n
}

func andNot(dst, src []uint64) int {
	n, l := whole(len(dst))
	if l != AVX512 {
		return 0
	}
	andNotZ(&dst[0], &src[0], n)
	return n
}

func or(dst, src []uint64) int {
	n, l := whole(len(dst))
	if l != AVX512 {
		return 0
	}
	orZ(&dst[0], &src[0], n)
	return n
}

func popcount(b []uint64) (int, int) {
	n, l := whole(len(b))
	if l != AVX512 {
		return 0, 0
	}
	return n, popcountZ(&b[0], n)
}

func filledBlocks(b []uint64) (int, int) {
	n, l := whole(len(b))
	if l != AVX512 {
		return 0, 0
	}
	return n, filledBlocksZ(&b[0], n)
}

func countAnd(a, b []uint64) (int, int) {
	n, l := whole(len(a))
	if l != AVX512 {
		return 0, 0
	}
	return n, countAndZ(&a[0], &b[0], n)
}

func selectU16(bitmap []uint64, out []uint16) (int, int) {
	if len(bitmap) == 0 || Active() != AVX512 {
		return 0, 0
	}
	return len(bitmap), selectU16Z(&bitmap[0], len(bitmap), &out[0])
}

func depositBits(dst, mask, packed []uint64, first int) bool {
	if len(mask) == 0 || len(packed) == 0 || Active() == Off {
		return false
	}
	depositX(&dst[0], &mask[0], len(mask), &packed[0], first, len(packed)-1)
	return true
}

func widenU8(dst []uint32, src []uint8) (int, uint32) {
	n, l := whole(len(dst))
	if l != AVX512 {
		return 0, 0
	}
	widenU8Z(&dst[0], &src[0], n)
	_, top := topU8(src[:n])
	return n, uint32(top)
}

func widenU16(dst []uint32, src []byte) (int, uint32) {
	n, l := whole(len(dst))
	if l != AVX512 {
		return 0, 0
	}
	widenU16Z(&dst[0], &src[0], n)
	_, top := topU16(src[:2*n])
	return n, uint32(top)
}

func topU8(xs []uint8) (int, uint8) {
	n, l := whole(len(xs))
	if l != AVX512 {
		return 0, 0
	}
	top := uint8(0)
	for w := topU8Z(&xs[0], n); w != 0; w >>= 8 {
		top = max(top, uint8(w))
	}
	return n, top
}

func topU32(xs []uint32) (int, uint32) {
	n, l := whole(len(xs))
	if l != AVX512 {
		return 0, 0
	}
	w := topU32Z(&xs[0], n)
	return n, max(uint32(w), uint32(w>>32))
}

func topU16(src []byte) (int, uint16) {
	n, l := whole(len(src) / 2)
	if l != AVX512 {
		return 0, 0
	}
	top := uint16(0)
	for w := topU16Z(&src[0], n); w != 0; w >>= 16 {
		top = max(top, uint16(w))
	}
	return n, top
}

func expandI64(dst, src []int64, presence []uint64) (int, int) {
	n, l := whole(len(dst))
	if l != AVX512 || len(src) == 0 {
		return 0, 0
	}
	return n, expandI64Z(&dst[0], &src[0], n, &presence[0])
}

func expandF64(dst, src []float64, presence []uint64) (int, int) {
	n, l := whole(len(dst))
	if l != AVX512 || len(src) == 0 {
		return 0, 0
	}
	return n, expandF64Z(&dst[0], &src[0], n, &presence[0])
}

func expandU32(dst, src []uint32, presence []uint64) (int, int) {
	n, l := whole(len(dst))
	if l != AVX512 || len(src) == 0 {
		return 0, 0
	}
	return n, expandU32Z(&dst[0], &src[0], n, &presence[0])
}

func maxU8(dst, src []uint8) int {
	n, l := whole(len(dst))
	if l != AVX512 {
		return 0
	}
	maxU8Z(&dst[0], &src[0], n)
	return n
}

func addU32U64(dst []uint64, src []uint32) int {
	n, l := whole(len(src))
	if l != AVX512 {
		return 0
	}
	addU32U64Z(&dst[0], &src[0], n)
	return n
}

func hashU64(xs, out []uint64) int {
	n, l := whole(len(xs))
	if l != AVX512 {
		return 0
	}
	hashU64Z(&xs[0], n, &out[0])
	return n
}

func matchAny3(src []byte, a, b, c byte, out []uint64) int {
	n, l := whole(len(src))
	switch l {
	case AVX512:
		matchAny3Z(&src[0], n, a, b, c, &out[0])
	case AVX2:
		matchAny3Y(&src[0], n, a, b, c, &out[0])
	default:
		return 0
	}
	return n
}

func matchPairs(a []byte, x byte, b []byte, y byte, out []uint64) int {
	n, l := whole(len(a))
	switch l {
	case AVX512:
		matchPairsZ(&a[0], n, x, &b[0], y, &out[0])
	case AVX2:
		matchPairsY(&a[0], n, x, &b[0], y, &out[0])
	default:
		return 0
	}
	return n
}

// Widths of which a number lies in 8, or in 4 bytes, wherever it begins.
func within8(width uint) bool { return width <= 58 || width == 60 }
func within4(width uint) bool { return width <= 25 }

func unpackAdd(dst []int64, src []byte, first int, width uint, base int64) int {
	n, l := whole(len(dst))
	if l == Off || first&7 != 0 || !within8(width) {
		return 0
	}
	src = src[first*int(width)>>3:]
	if l == AVX512 {
		unpackAddZ(&dst[0], &src[0], n, uint64(width), base)
		return n
	}
	// The last 16 bytes loaded begin no later than the last number's.
	for n > 0 && PackedLen(n, width)+15 > len(src) {
		n -= 64
	}
	if n > 0 {
		unpackAddY(&dst[0], &src[0], n, uint64(width), base)
	}
	return n
}

func unpack32(dst []uint32, src []byte, first int, width uint) int {
	n, l := whole(len(dst))
	if l != AVX512 || first&7 != 0 || !within4(width) {
		return 0
	}
	unpack32Z(&dst[0], &src[first*int(width)>>3], n, uint64(width))
	return n
}

// packedRange cuts [lo, lo+span] to what numbers of width bits can be; none is true if that is nothing.
func packedRange(width uint, lo, span uint64) (low, wide uint32, none bool) {
	top := uint64(1)<<width - 1
	if lo > top {
		return 0, 0, true
	}
	return uint32(lo), uint32(min(span, top-lo)), false
}

func rangePacked(src []byte, first, n int, width uint, lo, span uint64, out []uint64) int {
	n, l := whole(n)
	if l != AVX512 || !within4(width) {
		return 0
	}
	low, wide, none := packedRange(width, lo, span)
	if none {
		clear(out[:n>>6])
		return n
	}
	rangePackedZ(&src[first*int(width)>>3], n, uint64(width), low, wide, &out[0])
	return n
}

func sumPackedRange(src []byte, first, n int, width uint, lo, span uint64) (int, uint64, int) {
	n, l := whole(n)
	if l != AVX512 || !within4(width) {
		return 0, 0, 0
	}
	low, wide, none := packedRange(width, lo, span)
	if none {
		return n, 0, 0
	}
	sum, count := sumPackedZ(&src[first*int(width)>>3], n, uint64(width), low, wide)
	return n, sum, count
}

func repeatU8(dst []uint8, codes, ends []uint32) int {
	wide, level := repeatStep(len(dst), len(ends), 1)
	switch level {
	case AVX512:
		return repeatU8Z(&dst[0], &codes[0], &ends[0], len(ends), wide)
	case AVX2:
		return repeatU8Y(&dst[0], &codes[0], &ends[0], len(ends), wide)
	}
	return 0
}

func repeatU16(dst []uint16, codes, ends []uint32) int {
	wide, level := repeatStep(len(dst), len(ends), 2)
	switch level {
	case AVX512:
		return repeatU16Z(&dst[0], &codes[0], &ends[0], len(ends), wide)
	case AVX2:
		return repeatU16Y(&dst[0], &codes[0], &ends[0], len(ends), wide)
	}
	return 0
}

func repeatU32(dst []uint32, codes, ends []uint32) int {
	wide, level := repeatStep(len(dst), len(ends), 4)
	switch level {
	case AVX512:
		return repeatU32Z(&dst[0], &codes[0], &ends[0], len(ends), wide)
	case AVX2:
		return repeatU32Y(&dst[0], &codes[0], &ends[0], len(ends), wide)
	}
	return 0
}

// repeatStep returns up to where runs of values of size bytes may end, and the level that writes them; Off where there is no room.
func repeatStep(n, runs, size int) (last uint32, level Level) {
	vector := 32
	if level = Active(); level == AVX512 {
		vector = 64
	}
	room := n - vector/size + 1
	if room <= 0 || runs == 0 {
		return 0, Off
	}
	return uint32(room), level
}

func divideBy(dst []float64, num []int64, div, inverse float64) int {
	n, l := whole(len(dst))
	if l != AVX512 {
		return 0
	}
	divideByZ(&dst[0], &num[0], n, div, inverse)
	return n
}

func ratioSmall(dst []float64, num, den []int64) int {
	n, l := whole(len(dst))
	if l != AVX512 {
		return 0
	}
	ratioSmallZ(&dst[0], &num[0], &den[0], n)
	return n
}

func ratioI64(dst []float64, num, den []int64) int {
	n, l := whole(len(dst))
	if l != AVX512 {
		return 0
	}
	ratioI64Z(&dst[0], &num[0], &den[0], n)
	return n
}
