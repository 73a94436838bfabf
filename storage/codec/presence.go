package codec

import (
	"encoding/binary"
	"math/bits"
	"sort"

	"github.com/telemdb/telemdb/storage/vec"
)

// How a chunk says which rows have a value. Stored in the top two bits of its first byte.
const (
	presentAll    = 0
	presentBitmap = 1 // one bit per row, in whole 64-bit words
	presentSparse = 2 // u16 row numbers, ascending
)

// presence maps the rows of a chunk to its packed values.
type presence struct {
	kind    uint8
	rows    int
	present int
	at      int      // offset of the bitmap or of the positions
	rank    []uint32 // bitmap: number of values before each block of rows, and the total
}

func appendPresence(dst []byte, v *Values) (out []byte, kind uint8) {
	switch {
	case v.Pos == nil:
		return dst, presentAll
	case 2*len(v.Pos) < 8*vec.Words(v.Rows):
		for _, r := range v.Pos {
			dst = binary.LittleEndian.AppendUint16(dst, r)
		}
		return dst, presentSparse
	}
	var word uint64
	w := 0
	for _, r := range v.Pos {
		for ; w < int(r)>>6; w++ {
			dst = binary.LittleEndian.AppendUint64(dst, word)
			word = 0
		}
		word |= 1 << (r & 63)
	}
	for ; w < vec.Words(v.Rows); w++ {
		dst = binary.LittleEndian.AppendUint64(dst, word)
		word = 0
	}
	return dst, presentBitmap
}

func parsePresence(c *cursor, kind uint8, rows, present int) (presence, error) {
	p := presence{kind: kind, rows: rows, present: present}
	switch kind {
	case presentAll:
		if rows != present {
			return p, corrupt("all %d rows present, but %d values", rows, present)
		}
		return p, nil
	case presentSparse:
		p.at = c.skip(2 * present)
		return p, p.checkSparse(c)
	case presentBitmap:
		p.at = c.skip(8 * vec.Words(rows))
		return p, p.countBitmap(c)
	}
	return p, corrupt("presence kind %d", kind)
}

func (p *presence) checkSparse(c *cursor) error {
	if c.bad {
		return corrupt("row positions cut short")
	}
	prev := -1
	for i := range p.present {
		r := p.pos(c.data, i)
		if r <= prev || r >= p.rows {
			return corrupt("row position %d behind %d of %d rows", r, prev, p.rows)
		}
		prev = r
	}
	return nil
}

func (p *presence) countBitmap(c *cursor) error {
	if c.bad {
		return corrupt("presence bitmap cut short")
	}
	words := vec.Words(p.rows)
	n := uint32(0)
	for w := range words {
		if w&(blockValues/64-1) == 0 {
			p.rank = append(p.rank, n)
		}
		n += uint32(bits.OnesCount64(p.word(c.data, w)))
	}
	p.rank = append(p.rank, n)
	if tail := uint(p.rows) & 63; tail != 0 && p.word(c.data, words-1)>>tail != 0 {
		return corrupt("presence bits behind the last row")
	}
	if int(n) != p.present {
		return corrupt("%d presence bits for %d values", n, p.present)
	}
	return nil
}

func (p *presence) pos(data []byte, i int) int {
	return int(binary.LittleEndian.Uint16(data[p.at+2*i:]))
}

func (p *presence) word(data []byte, w int) uint64 {
	return binary.LittleEndian.Uint64(data[p.at+8*w:])
}

// before returns the number of values in rows [0, row).
func (p *presence) before(data []byte, row int) int {
	switch p.kind {
	case presentAll:
		return row
	case presentSparse:
		return sort.Search(p.present, func(i int) bool { return p.pos(data, i) >= row })
	}
	n := int(p.rank[row/blockValues])
	for w := row / blockValues * (blockValues / 64); w < row>>6; w++ {
		n += bits.OnesCount64(p.word(data, w))
	}
	if tail := uint(row) & 63; tail != 0 {
		n += bits.OnesCount64(p.word(data, row>>6) & (1<<tail - 1))
	}
	return n
}

// bits fills valid, which has room for them, with the presence of rows [from, to); first is before(from).
func (p *presence) bits(data []byte, from, to, first int, valid vec.Bitmap) {
	n := to - from
	switch p.kind {
	case presentAll:
		valid.Fill(n)
		return
	case presentSparse:
		clear(valid)
		for i := first; i < p.present; i++ {
			r := p.pos(data, i)
			if r >= to {
				return
			}
			valid.Set(r - from)
		}
		return
	}
	shift, w := uint(from)&63, from>>6
	last := (to - 1) >> 6
	for i := range vec.Words(n) {
		x := p.word(data, w+i) >> shift
		if shift != 0 && w+i < last {
			x |= p.word(data, w+i+1) << (64 - shift)
		}
		valid[i] = x
	}
	if tail := uint(n) & 63; tail != 0 {
		valid[n>>6] &= 1<<tail - 1
	}
}

// deposit spreads the low bits of packed, in order, over the set bits of mask, and writes the result to dst, which may
// be packed's own memory only if it is mask's: bit i of packed goes to the i-th set bit of mask.
func deposit(dst, mask, packed vec.Bitmap) {
	k := uint(0)
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

// spread moves the first len(packed) elements of vals to the indexes of valid's set bits and clears the rest. packed is
// room for a copy of them: a loop over the set bits has no branch to mispredict, one over the rows has.
func spread[T int64 | float64 | uint32](vals []T, valid vec.Bitmap, packed []T) {
	copy(packed, vals)
	clear(vals)
	k := 0
	for w, m := range valid {
		base := w << 6
		for ; m != 0; m &= m - 1 {
			vals[base+bits.TrailingZeros64(m)] = packed[k]
			k++
		}
	}
}

// spreadOffsets turns the offsets at the front of off into len(off), a row without a value being empty. packed is room
// for them.
func spreadOffsets(off []uint32, valid vec.Bitmap, packed []uint32) {
	copy(packed, off)
	k := uint32(0)
	n := len(off) - 1
	for w, m := range valid {
		rows := off[w<<6 : min(w<<6+64, n)]
		for i := range rows {
			rows[i] = packed[k]
			k += uint32(m & 1)
			m >>= 1
		}
	}
	off[n] = packed[k]
}
