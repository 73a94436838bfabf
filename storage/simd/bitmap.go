package simd

import "math/bits"

// And clears every bit of dst that is not set in src, which has at least as many words.
func And(dst, src []uint64) {
	src = src[:len(dst)]
	n := and(dst, src)
	for i := n; i < len(dst); i++ {
		dst[i] &= src[i]
	}
}

// AndNot clears every bit of dst that is set in src, which has at least as many words.
func AndNot(dst, src []uint64) {
	src = src[:len(dst)]
	n := andNot(dst, src)
	for i := n; i < len(dst); i++ {
		dst[i] &^= src[i]
	}
}

// Or sets every bit of dst that is set in src, which has at least as many words.
func Or(dst, src []uint64) {
	src = src[:len(dst)]
	n := or(dst, src)
	for i := n; i < len(dst); i++ {
		dst[i] |= src[i]
	}
}

// Popcount returns the number of set bits.
func Popcount(b []uint64) int {
	n, count := popcount(b)
	for _, w := range b[n:] {
		count += bits.OnesCount64(w)
	}
	return count
}

// CountAnd returns the number of bits set in both; b has at least as many words as a.
func CountAnd(a, b []uint64) int {
	b = b[:len(a)]
	n, count := countAnd(a, b)
	for i := n; i < len(a); i++ {
		count += bits.OnesCount64(a[i] & b[i])
	}
	return count
}

// blockWords is the words of a bitmap that are a block of 1,024 rows.
const blockWords = 16

// FilledBlocks returns how many blocks of 1,024 bits, of which the last may be shorter, have a bit that is set.
func FilledBlocks(b []uint64) int {
	n, count := filledBlocks(b)
	for b = b[n:]; len(b) > 0; b = b[min(blockWords, len(b)):] {
		or := uint64(0)
		for _, w := range b[:min(blockWords, len(b))] {
			or |= w
		}
		if or != 0 {
			count++
		}
	}
	return count
}

// SelectU16 writes the indexes of the set bits to out, in order, and returns their number. The bitmap has at most 1,024
// words, and out has room for an index per bit of the bitmap, 64 for each word: what is behind the returned number is
// overwritten too.
func SelectU16(bitmap []uint64, out []uint16) int {
	out = out[:64*len(bitmap)]
	n, at := selectU16(bitmap, out)
	for i := n; i < len(bitmap); i++ {
		for m := bitmap[i]; m != 0; m &= m - 1 {
			out[at] = uint16(i<<6 + bits.TrailingZeros64(m))
			at++
		}
	}
	return at
}

// DepositBits spreads the bits of packed from bit first on, in order, over the set bits of mask: bit first+i of packed
// goes to the i-th set bit of mask. dst may be mask's memory. packed has a bit for each set bit of mask; dst has as many
// words as mask.
func DepositBits(dst, mask, packed []uint64, first int) {
	dst = dst[:len(mask)]
	packed = packed[:words(first+Popcount(mask))]
	if depositBits(dst, mask, packed, first) {
		return
	}
	k := uint(first)
	for i, m := range mask {
		out := uint64(0)
		switch {
		case m == 0:
		case m == ^uint64(0):
			out = packed[k>>6] >> (k & 63)
			if k&63 != 0 {
				out |= packed[k>>6+1] << (64 - k&63)
			}
			k += 64
		default:
			for ; m != 0; m &= m - 1 {
				out |= packed[k>>6] >> (k & 63) & 1 << uint(bits.TrailingZeros64(m))
				k++
			}
		}
		dst[i] = out
	}
}
