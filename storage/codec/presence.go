package codec

import (
	"encoding/binary"
	"math/bits"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/telemdb/telemdb/storage/vec"
)

// How a chunk says which rows have a value. Stored in the top two bits of its first byte.
const (
	presentAll    = 0
	presentBitmap = 1 // one bit per row, in whole 64-bit words
	presentSparse = 2 // u16 row numbers, ascending
	presentRuns   = 3 // a roaring bitmap with run containers, in its portable format
)

// presence maps the rows of a chunk to its packed values.
type presence struct {
	kind    uint8
	rows    int
	present int
	at      int      // offset of the bitmap or of the positions
	words   []uint64 // runs: the bitmap they stand for
	runs    int      // their number
	rank    []uint32 // bitmap and runs: number of values before each block of rows, and the total
}

// roaringBytes is the size of a roaring bitmap of one run container: cookie, run flags, key and cardinality, number of
// runs, and start and length of each. 65,536 rows are one container, and a container of another kind is always larger
// than the same rows as bitmap or positions.
func roaringBytes(runs int) int { return 4 + 1 + 4 + 2 + 4*runs }

// appendPresence writes the smallest of the forms; of equal ones the one that is read with the least work.
func (e *Encoder) appendPresence(dst []byte, v *Values) (out []byte, kind uint8, err error) {
	if v.Pos == nil {
		return dst, presentAll, nil
	}
	words := vec.Words(v.Rows)
	sparse, runs := 2*len(v.Pos), roaringBytes(countRuns(v.Pos))
	if sparse < 8*words && sparse <= runs {
		for _, r := range v.Pos {
			dst = binary.LittleEndian.AppendUint16(dst, r)
		}
		return dst, presentSparse, nil
	}
	e.words = sized(e.words, words)
	clear(e.words)
	for _, r := range v.Pos {
		e.words[r>>6] |= 1 << (r & 63)
	}
	if 8*words <= runs {
		for _, w := range e.words {
			dst = binary.LittleEndian.AppendUint64(dst, w)
		}
		return dst, presentBitmap, nil
	}
	set := roaring.FromDense(e.words, false)
	set.RunOptimize()
	data, err := set.ToBytes()
	return append(dst, data...), presentRuns, err
}

func countRuns(pos []uint16) int {
	n := 0
	next := -1
	for _, r := range pos {
		if int(r) != next {
			n++
		}
		next = int(r) + 1
	}
	return n
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
	case presentRuns:
		if err := p.expandRuns(c); err != nil {
			return p, err
		}
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

// expandRuns makes words of a roaring bitmap. The library checks that the bytes suffice, not what they say: that runs
// ascend and none goes beyond the last row is checked here, that they make as many values as there are by countBitmap.
func (p *presence) expandRuns(c *cursor) error {
	if c.bad {
		return corrupt("presence runs cut short")
	}
	var set roaring.Bitmap
	size, err := set.FromUnsafeBytes(c.data[c.at:])
	if err != nil {
		return corrupt("presence runs: %v", err)
	}
	c.skip(int(size))
	p.words = make([]uint64, vec.Words(p.rows))
	end := uint64(0)
	for from, to := range set.Ranges() {
		if uint64(from) < end || to <= uint64(from) || to > uint64(p.rows) {
			return corrupt("presence run [%d, %d) behind row %d of %d", from, to, end, p.rows)
		}
		fillBits(p.words, int(from), int(to))
		end = to
		p.runs++
	}
	return nil
}

// fillBits sets bits [from, to); to is above from.
func fillBits(words []uint64, from, to int) {
	first, last := from>>6, (to-1)>>6
	head, tail := ^uint64(0)<<(uint(from)&63), ^uint64(0)>>(63-uint(to-1)&63)
	if first == last {
		words[first] |= head & tail
		return
	}
	words[first] |= head
	for w := first + 1; w < last; w++ {
		words[w] = ^uint64(0)
	}
	words[last] |= tail
}

func (p *presence) pos(data []byte, i int) int {
	return int(binary.LittleEndian.Uint16(data[p.at+2*i:]))
}

func (p *presence) word(data []byte, w int) uint64 {
	if p.words != nil {
		return p.words[w]
	}
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
