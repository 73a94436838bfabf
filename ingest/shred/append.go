package shred

import (
	"math/bits"
	"strconv"
)

func appendBool(dst []byte, v bool) []byte { return strconv.AppendBool(dst, v) }
func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

// appendBits appends base plus the position of each set bit of w.
func appendBits(rows []uint16, base int, w uint64) []uint16 {
	for ; w != 0; w &= w - 1 {
		rows = append(rows, uint16(base+bits.TrailingZeros64(w)))
	}
	return rows
}
