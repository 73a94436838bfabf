package simd

import (
	"bytes"
	"math/bits"
)

// MatchAny3 sets bit i of out where src[i] is a, b or c and clears it elsewhere: the bytes at which a CSV reader has to
// look.
func MatchAny3(src []byte, a, b, c byte, out []uint64) {
	out = out[:words(len(src))]
	n := matchAny3(src, a, b, c, out)
	src, out = src[n:], out[n>>6:]
	for i := range out {
		word := uint64(0)
		for j, x := range src[i<<6 : min(i<<6+64, len(src))] {
			word |= bit(x == a || x == b || x == c) << (uint(j) & 63)
		}
		out[i] = word
	}
}

// MatchPairs sets bit i of out where a[i] is x and b[i] is y and clears it elsewhere, for each of a; b has at least as
// many bytes. With b being a from the n-th byte on, these are the places where a needle of n+1 bytes from x to y may begin
// (Mula, "SIMD-friendly algorithms for substring searching").
func MatchPairs(a []byte, x byte, b []byte, y byte, out []uint64) {
	out = out[:words(len(a))]
	b = b[:len(a)]
	n := matchPairs(a, x, b, y, out)
	a, b, out = a[n:], b[n:], out[n>>6:]
	for i := range out {
		word := uint64(0)
		for j := i << 6; j < min(i<<6+64, len(a)); j++ {
			word |= bit(a[j] == x && b[j] == y) << (uint(j) & 63)
		}
		out[i] = word
	}
}

// containsStep is how many beginnings ContainsRows looks at together.
const containsStep = 4096

// ContainsRows sets bit i of out where text[off[i]:off[i+1]] contains needle and clears it elsewhere, for len(off)-1 rows,
// at least one, whose offsets ascend. needle is not empty. It looks at the rows' concatenation, not at one row after the
// other: LIKE '%needle%' over texts that are short.
func ContainsRows(text []byte, off []uint32, needle []byte, out []uint64) {
	rows := len(off) - 1
	out = out[:words(rows)]
	clear(out)
	gap, end := len(needle)-1, int(off[rows])
	var room [containsStep / 64]uint64
	row := 0
	for from := int(off[0]); from+gap < end; from += containsStep {
		starts := text[from:min(from+containsStep, end-gap)]
		MatchPairs(starts, needle[0], text[from+gap:], needle[gap], room[:])
		for w, m := range room[:words(len(starts))] {
			for ; m != 0; m &= m - 1 {
				at := from + w<<6 + bits.TrailingZeros64(m)
				for int(off[row+1]) <= at {
					row++
				}
				if at+gap < int(off[row+1]) && bytes.Equal(text[at:at+gap+1], needle) {
					out[row>>6] |= 1 << (uint(row) & 63)
				}
			}
		}
	}
}
