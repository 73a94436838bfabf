package codec

import (
	"encoding/binary"
	"math/bits"
	"sort"
)

// The kinds of an integer stream. Stored: never renumber.
const (
	intsConst = 0 // one value
	intsPlain = 1 // 8 bytes each
	intsFOR   = 2 // per block: frame of reference, bit-packed distances, exceptions
	intsDelta = 3 // per block: first value, frame of reference of the steps, bit-packed
	intsRuns  = 4 // ends of the runs, and their values as a stream of one of the other kinds

	intsScaled = 5 // base, step, and how many steps as a stream of one of the other kinds; since version 1.3 of segments
)

// ints is an opened integer stream: n numbers in blocks of blockValues.
type ints struct {
	kind      uint8
	n         int
	base      int64 // the constant, or the least block base
	baseBytes int
	head      int // offset of the block headers; of the values (plain) or of the ends (runs)
	data      int // offset of the blocks
	runs      int
	vals      *ints // values of the runs
	scale     *scaled
}

func blocksOf(n int) int { return (n + blockValues - 1) / blockValues }

// parseInts opens the stream of n numbers that begins at the cursor, and steps over it.
func parseInts(c *cursor, n int) (*ints, error) {
	s := &ints{n: n, kind: c.u8()}
	switch s.kind {
	case intsConst:
		s.base = c.varint()
	case intsPlain:
		s.head = c.skip(8 * n)
	case intsFOR:
		return s, s.parseFOR(c)
	case intsDelta:
		return s, s.parseDelta(c)
	case intsRuns:
		return s, s.parseRuns(c)
	case intsScaled:
		return s, s.parseScaled(c)
	default:
		return nil, corrupt("integer stream of kind %d", s.kind)
	}
	if c.bad {
		return nil, corrupt("integer stream cut short")
	}
	return s, nil
}

// Block header of intsFOR: width u8, exception bytes u8, exceptions u16; where there are several blocks also the end of
// the block as an offset into the data u32, and the distance of its base from the stream's, in baseBytes.
const forHeadBytes = 4

func (s *ints) forStride() int {
	if s.n <= blockValues {
		return forHeadBytes
	}
	return forHeadBytes + 4 + s.baseBytes
}

type forBlock struct {
	base     int64
	width    uint
	excBytes int
	exc      int
	at       int // offset of the packed values
	n        int
}

func (b *forBlock) size() int { return packedLen(b.n, b.width) + b.exc*(2+b.excBytes) }

func (s *ints) forBlock(data []byte, i int) forBlock {
	h := data[s.head+i*s.forStride():]
	b := forBlock{
		base: s.base, width: uint(h[0]), excBytes: int(h[1]), exc: int(binary.LittleEndian.Uint16(h[2:])),
		at: s.data, n: min(blockValues, s.n-i*blockValues),
	}
	if s.n > blockValues {
		b.base += int64(loadBytes(h[8:], s.baseBytes))
		if i > 0 {
			b.at += int(binary.LittleEndian.Uint32(data[s.head+(i-1)*s.forStride()+4:]))
		}
	}
	return b
}

// loadBytes reads a little-endian number of n bytes, 0 to 8.
func loadBytes(src []byte, n int) uint64 {
	v := uint64(0)
	for i := n; i > 0; i-- {
		v = v<<8 | uint64(src[i-1])
	}
	return v
}

func appendBytes(dst []byte, v uint64, n int) []byte {
	for range n {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

func (s *ints) parseFOR(c *cursor) error {
	s.base = c.varint()
	s.baseBytes = int(c.u8())
	nb := blocksOf(s.n)
	if s.baseBytes > 8 {
		return corrupt("block bases of %d bytes", s.baseBytes)
	}
	s.head = c.skip(nb * s.forStride())
	s.data = c.at
	if c.bad {
		return corrupt("block headers cut short")
	}
	total := 0
	for i := range nb {
		b := s.forBlock(c.data, i)
		if b.width > 64 || b.excBytes > 8 || b.exc > b.n {
			return corrupt("block %d of width %d with %d exceptions of %d bytes", i, b.width, b.exc, b.excBytes)
		}
		total += b.size()
		if s.n > blockValues {
			if end := int(binary.LittleEndian.Uint32(c.data[s.head+i*s.forStride()+4:])); end != total {
				return corrupt("block %d ends at %d, not %d", i, end, total)
			}
		}
	}
	c.skip(total)
	if c.bad {
		return corrupt("packed blocks cut short")
	}
	return nil
}

// read unpacks values [lo, hi) of block b, plus add, into dst.
func (b *forBlock) read(data []byte, lo, hi int, add int64, dst []int64) error {
	packed := packedLen(b.n, b.width)
	unpack(dst[:hi-lo], data[b.at:], lo, b.width, add)
	if b.exc == 0 {
		return nil
	}
	pos := data[b.at+packed:]
	high := pos[2*b.exc:]
	for i := range b.exc {
		p := int(binary.LittleEndian.Uint16(pos[2*i:]))
		if p >= b.n {
			return corrupt("exception at %d of %d values", p, b.n)
		}
		if p >= lo && p < hi {
			dst[p-lo] += int64(loadBytes(high[i*b.excBytes:], b.excBytes) << b.width)
		}
	}
	return nil
}

// Block header of intsDelta: end u32, first value i64, least step i64, width u8.
const deltaHeadBytes = 4 + 8 + 8 + 1

type deltaBlock struct {
	first, step int64
	width       uint
	at, n       int
}

func (s *ints) deltaBlock(data []byte, i int) deltaBlock {
	h := data[s.head+i*deltaHeadBytes:]
	b := deltaBlock{
		first: int64(binary.LittleEndian.Uint64(h[4:])), step: int64(binary.LittleEndian.Uint64(h[12:])),
		width: uint(h[20]), at: s.data, n: min(blockValues, s.n-i*blockValues),
	}
	if i > 0 {
		b.at += int(binary.LittleEndian.Uint32(data[s.head+(i-1)*deltaHeadBytes:]))
	}
	return b
}

func (s *ints) parseDelta(c *cursor) error {
	nb := blocksOf(s.n)
	s.head = c.skip(nb * deltaHeadBytes)
	s.data = c.at
	if c.bad {
		return corrupt("block headers cut short")
	}
	total := 0
	for i := range nb {
		b := s.deltaBlock(c.data, i)
		if b.width > 64 {
			return corrupt("block %d of width %d", i, b.width)
		}
		total += packedLen(b.n-1, b.width)
		if end := int(binary.LittleEndian.Uint32(c.data[s.head+i*deltaHeadBytes:])); end != total {
			return corrupt("block %d ends at %d, not %d", i, end, total)
		}
	}
	c.skip(total)
	if c.bad {
		return corrupt("packed blocks cut short")
	}
	return nil
}

// read decodes values [0, len(dst)) of the block.
func (b *deltaBlock) read(data []byte, dst []int64) {
	unpack(dst[1:], data[b.at:], 0, b.width, b.step)
	dst[0] = b.first
	prefixSum(dst)
}

func prefixSum(v []int64) {
	acc := int64(0)
	for i := range v {
		acc += v[i]
		v[i] = acc
	}
}

// Runs: number uvarint, the last index of each run u16, the values.
func (s *ints) parseRuns(c *cursor) error {
	s.runs = c.count(s.n)
	s.head = c.skip(2 * s.runs)
	if c.bad || s.runs == 0 {
		return corrupt("run ends cut short")
	}
	prev := -1
	for i := range s.runs {
		last := s.runLast(c.data, i)
		if last <= prev {
			return corrupt("run ends at %d behind %d", last, prev)
		}
		prev = last
	}
	if prev != s.n-1 {
		return corrupt("runs end at %d of %d values", prev, s.n)
	}
	if c.left() > 0 && (c.data[c.at] == intsRuns || c.data[c.at] == intsScaled) {
		return corrupt("runs of integers of kind %d", c.data[c.at])
	}
	var err error
	s.vals, err = parseInts(c, s.runs)
	return err
}

func (s *ints) runLast(data []byte, i int) int {
	return int(binary.LittleEndian.Uint16(data[s.head+2*i:]))
}

// runOf returns the run that holds value i.
func (s *ints) runOf(data []byte, i int) int {
	return sort.Search(s.runs, func(r int) bool { return s.runLast(data, r) >= i })
}

// read decodes values [a, b) into dst; b-a is at most blockValues.
func (s *ints) read(data []byte, a, b int, dst []int64) error {
	dst = dst[:b-a]
	switch s.kind {
	case intsConst:
		fill(dst, s.base)
		return nil
	case intsPlain:
		unpack(dst, data[s.head:], a, 64, 0)
		return nil
	case intsRuns:
		return s.readRuns(data, a, b, dst)
	case intsScaled:
		err := s.scale.of.read(data, a, b, dst)
		s.times(dst)
		return err
	}
	for a < b {
		i := a / blockValues
		end := min(b, (i+1)*blockValues)
		if err := s.readBlock(data, i, a-i*blockValues, end-i*blockValues, dst); err != nil {
			return err
		}
		dst = dst[end-a:]
		a = end
	}
	return nil
}

func (s *ints) readBlock(data []byte, i, lo, hi int, dst []int64) error {
	if s.kind == intsFOR {
		b := s.forBlock(data, i)
		return b.read(data, lo, hi, b.base, dst)
	}
	b := s.deltaBlock(data, i)
	if lo == 0 {
		b.read(data, dst[:hi])
		return nil
	}
	sc := getScratch()
	defer sc.put()
	b.read(data, sc.a[:hi])
	copy(dst, sc.a[lo:hi])
	return nil
}

func (s *ints) readRuns(data []byte, a, b int, dst []int64) error {
	first := s.runOf(data, a)
	last := s.runOf(data, b-1)
	sc := getScratch()
	defer sc.put()
	if err := s.vals.read(data, first, last+1, sc.a[:]); err != nil {
		return err
	}
	at := a
	for r := first; r <= last; r++ {
		end := min(s.runLast(data, r)+1, b)
		fill(dst[at-a:end-a], sc.a[r-first])
		at = end
	}
	return nil
}

// sumRange adds values [a, b), modulo 2^64.
func (s *ints) sumRange(data []byte, a, b int) (uint64, error) {
	if s.kind == intsConst {
		return uint64(s.base) * uint64(b-a), nil
	}
	sc := getScratch()
	defer sc.put()
	sum := uint64(0)
	for a < b {
		end := min(b, a+blockValues)
		if err := s.read(data, a, end, sc.b[:]); err != nil {
			return 0, err
		}
		for _, v := range sc.b[:end-a] {
			sum += uint64(v)
		}
		a = end
	}
	return sum, nil
}

func bytesFor(v uint64) int { return (bits.Len64(v) + 7) / 8 }
