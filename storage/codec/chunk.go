package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// The encodings of a chunk's values, in the low six bits of its first byte. Stored: never renumber.
const (
	encConst = 0 // one value stands for all
	encInts  = 1 // integer stream; a float column whose values are all integers too
	encPlain = 2 // floats: 8 bytes each; bytes: lengths and data
	encDict  = 3 // sorted distinct values, and a code for each value
	encBits  = 4 // booleans
	encZstd  = 5 // bytes: lengths and compressed pages
	encUUID  = 6 // bytes: 16 for each text of the shape of a UUID in lower case
	encHist  = 7 // histograms taken apart

	// Since version 1.2 of segments (its required feature bit 1).
	encALP      = 8  // floats: decimals as integers, and exceptions
	encFSST     = 9  // text: a table of symbols, lengths and codes
	encHex      = 10 // text: digests of one length, as bytes
	encTime     = 11 // text: ISO 8601 times of one shape, as moments
	encDictRare = 12 // as encDict, and where the rare values are

	encHistBeyond = 13 // as encHist, but for the sums

	// Since version 1.3 (its required feature bit 2).
	encRatio = 14 // floats: numerators, denominators, and exceptions
	encStems = 15 // text: a dictionary of what texts begin with, and the rests as symbols
)

// Chunk is an opened column chunk. It may be used by several goroutines at once. Every method that takes data wants the
// bytes Open was given.
type Chunk struct {
	leaf types.Leaf
	enc  uint8
	pres presence
	at   int // encPlain of floats, encBits, encUUID: offset of the values
	ints *ints
	dict *vec.Vector // encDict, encConst
	code codes
	text textLayout
	hist *histLayout
	alp  alpLayout
	frac ratioLayout
	syms *symbols
	hex  hexLayout
	time *timeLayout
	stem *stemsLayout
	rare rareLists

	codesChecked atomic.Bool // every code is one of dict's
	asInts       atomic.Pointer[decimalForm]
}

// Open reads the header of a chunk. rows and present are what the directory says.
func Open(leaf types.Leaf, rows, present int, data []byte) (*Chunk, error) {
	if leaf < types.LeafBool || leaf > types.LeafJSON || rows < 1 || rows > MaxRows || present < 1 || present > rows {
		return nil, corrupt("%d values of leaf kind %d in %d rows", present, leaf, rows)
	}
	cur := &cursor{data: data}
	first := cur.u8()
	c := &Chunk{leaf: leaf, enc: first & 0x3f}
	var err error
	if c.pres, err = parsePresence(cur, first>>6, rows, present); err != nil {
		return nil, err
	}
	if err := c.parseValues(cur); err != nil {
		return nil, err
	}
	if cur.bad || cur.left() != 0 {
		return nil, corrupt("%s chunk has %d bytes too many or too few", c.name(), cur.left())
	}
	return c, nil
}

// Constant returns the chunk, of no bytes, of a column in which all rows have row 0 of value.
func Constant(leaf types.Leaf, rows int, value *vec.Vector) *Chunk {
	return &Chunk{leaf: leaf, enc: encConst, pres: presence{rows: rows, present: rows}, dict: value}
}

func (c *Chunk) parseValues(cur *cursor) (err error) {
	n := c.pres.present
	phys := c.leaf.Phys()
	switch {
	case c.enc == encConst:
		c.dict, err = parseConst(cur, c.leaf)
	case c.enc == encInts && (phys == types.PhysInt64 || phys == types.PhysFloat64):
		c.ints, err = parseInts(cur, n)
	case c.enc == encPlain && phys == types.PhysFloat64:
		c.at = cur.skip(8 * n)
	case c.enc == encBits && phys == types.PhysBool:
		c.at = cur.skip((n + 7) / 8)
	case c.enc == encDict && phys != types.PhysBool:
		c.dict, c.code, err = parseDict(cur, c.leaf, n)
	case c.enc == encDictRare && phys != types.PhysBool:
		if c.dict, c.code, err = parseDict(cur, c.leaf, n); err == nil {
			err = c.rare.parse(cur, n, c.dict.N)
		}
	case c.enc == encALP && phys == types.PhysFloat64:
		c.ints, err = c.alp.parse(cur, n)
	case c.enc == encRatio && phys == types.PhysFloat64:
		c.ints, err = c.frac.parse(cur, n)
	case c.enc == encFSST && phys == types.PhysBytes:
		c.syms = &symbols{}
		if err = c.syms.parse(cur); err == nil {
			err = c.text.parsePlain(cur, n)
		}
	case c.enc == encStems && phys == types.PhysBytes:
		c.syms, c.stem = &symbols{}, &stemsLayout{}
		if err = c.syms.parse(cur); err != nil {
			return err
		}
		if err = c.stem.parse(cur, c.syms, n); err == nil {
			err = c.text.parsePlain(cur, n)
		}
	case c.enc == encHex && phys == types.PhysBytes:
		err = c.hex.parse(cur, n)
	case c.enc == encTime && phys == types.PhysBytes:
		c.time = &timeLayout{}
		err = c.time.parse(cur, n)
	case c.enc == encUUID && phys == types.PhysBytes:
		c.at = cur.skip(uuidBytes * n)
	case c.enc == encPlain && phys == types.PhysBytes:
		err = c.text.parsePlain(cur, n)
	case c.enc == encZstd && phys == types.PhysBytes:
		err = c.text.parsePages(cur, n)
	case (c.enc == encHist || c.enc == encHistBeyond) && c.leaf == types.LeafHistogram:
		c.hist, err = parseHist(cur, n, c.enc == encHistBeyond)
	default:
		err = corrupt("encoding %d of %s values", c.enc, c.leaf)
	}
	return err
}

func parseConst(cur *cursor, leaf types.Leaf) (*vec.Vector, error) {
	v := &vec.Vector{}
	v.Reset(leaf.Type())
	switch leaf.Phys() {
	case types.PhysBool:
		v.AppendBool(cur.u8() != 0)
	case types.PhysInt64:
		v.AppendInt(cur.varint())
	case types.PhysFloat64:
		v.AppendFloat(math.Float64frombits(cur.u64()))
	default:
		v.AppendBytes(cur.bytes(cur.count(cur.left())))
	}
	if cur.bad {
		return nil, corrupt("constant cut short")
	}
	return v, nil
}

// HasDict reports whether Dict of the chunk that begins with first is not nil, without opening it.
func HasDict(first byte) bool {
	enc := first & 0x3f
	return enc == encDict || enc == encConst || enc == encDictRare
}

// PageableBytes is the size of a value of a pageable chunk.
const PageableBytes = uuidBytes

// Pageable reports whether the chunk that begins with first ends with packed values of PageableBytes each, so that Open
// needs what stands in front of them, and Read and Filter their Extent, and no other byte.
func Pageable(first byte) bool { return first&0x3f == encUUID }

// PageableAll is the first byte of a pageable chunk in which every row has a value: all that stands in front of the values.
const PageableAll = presentAll<<6 | encUUID

// Extent returns the bytes that Read and Filter of rows [from, to) need besides those in front of the values. A chunk that
// is not pageable needs all.
func (c *Chunk) Extent(data []byte, from, to int) (lo, hi int) {
	if c.enc != encUUID || from < 0 || from >= to || to > c.pres.rows {
		return 0, len(data)
	}
	return c.at + uuidBytes*c.pres.before(data, from), c.at + uuidBytes*c.pres.before(data, to)
}

// Dict returns the distinct values, in ascending order, of a chunk that is dictionary encoded or constant; else nil.
func (c *Chunk) Dict() *vec.Vector { return c.dict }

// Read makes dst rows [from, to), which lie in one block or begin with one: see column.Column.
func (c *Chunk) Read(data []byte, from, to int, dst *vec.Vector) error {
	if to > from && from/blockValues != (to-1)/blockValues {
		return c.readSpan(data, from, to, dst)
	}
	if err := c.checkRange(from, to); err != nil {
		return err
	}
	a, b := c.pres.before(data, from), c.pres.before(data, to)
	switch {
	case a == b:
		dst.SetConstNull(c.leaf.Type(), to-from)
		return nil
	case c.enc == encConst && b-a == to-from:
		dst.SetConst(c.dict, 0, to-from)
		return nil
	}
	dst.Reset(c.leaf.Type())
	if err := c.decode(data, a, b, to-from, dst); err != nil {
		return err
	}
	dst.N = to - from
	if b-a == to-from {
		return nil
	}
	valid := vec.MakeBitmap(to - from)
	c.pres.bits(data, from, to, a, valid)
	c.spread(dst, valid, b-a)
	dst.Valid = valid
	return nil
}

func (c *Chunk) checkRange(from, to int) error {
	if from < 0 || from >= to || to > c.pres.rows || from/blockValues != (to-1)/blockValues {
		return fmt.Errorf("codec: rows [%d, %d) are not within one block of %d rows", from, to, c.pres.rows)
	}
	return nil
}

// spread moves the values at the front of dst to the rows that have one, and clears the others.
func (c *Chunk) spread(dst *vec.Vector, valid vec.Bitmap, present int) {
	sc := getScratch()
	defer sc.put()
	switch {
	case dst.Form == vec.Dict:
		copy(sc.codes[:present], dst.Codes)
		simd.ExpandU32(dst.Codes, sc.codes[:present], valid)
	case c.leaf.Phys() == types.PhysBool:
		copy(sc.bits[:], dst.Bits)
		simd.DepositBits(dst.Bits, valid, sc.bits[:], 0)
	case c.leaf.Phys() == types.PhysInt64:
		copy(sc.a[:present], dst.I64)
		simd.ExpandI64(dst.I64, sc.a[:present], valid)
	case c.leaf.Phys() == types.PhysFloat64:
		copy(sc.floats[:present], dst.F64)
		simd.ExpandF64(dst.F64, sc.floats[:present], valid)
	default:
		spreadOffsets(dst.Off, valid, sc.codes[:present+1])
	}
}

// decode writes packed values [a, b) to the front of dst's buffers, which it makes large enough for rows.
func (c *Chunk) decode(data []byte, a, b, rows int, dst *vec.Vector) error {
	if c.dict != nil {
		dst.Form, dst.Dict = vec.Dict, c.dict
		dst.Codes = sized(dst.Codes, rows)
		if c.enc == encConst {
			clear(dst.Codes)
			return nil
		}
		return c.code.read(data, a, b, dst.Codes)
	}
	switch c.leaf.Phys() {
	case types.PhysBool:
		dst.Bits = dst.Bits.Resize(rows)
		readBits(data[c.at:], a, b, dst.Bits)
		return nil
	case types.PhysInt64:
		dst.I64 = sized(dst.I64, rows)
		return c.ints.read(data, a, b, dst.I64)
	case types.PhysFloat64:
		dst.F64 = sized(dst.F64, rows)
		return c.readFloats(data, a, b, dst.F64)
	}
	dst.Off = sized(dst.Off, rows+1)
	dst.Off[0] = 0
	return c.readBytes(data, a, b, dst)
}

func (c *Chunk) readBytes(data []byte, a, b int, dst *vec.Vector) error {
	switch c.enc {
	case encUUID:
		dst.Data = readUUIDs(dst.Data[:0], data[c.at+a*uuidBytes:c.at+b*uuidBytes])
		for i := 1; i <= b-a; i++ {
			dst.Off[i] = uint32(i * uuidText)
		}
		return nil
	case encHist, encHistBeyond:
		return c.hist.read(data, a, b, dst)
	case encHex:
		dst.Data = c.hex.read(data, a, b, dst.Data[:0], dst.Off)
		return nil
	case encTime:
		var err error
		dst.Data, err = c.time.read(data, a, b, dst.Data[:0], dst.Off)
		return err
	case encFSST:
		codes, err := c.text.window(data, a, b, dst.Off)
		if err != nil {
			return err
		}
		return c.syms.read(codes, dst, b-a)
	case encStems:
		rests, err := c.text.window(data, a, b, dst.Off)
		if err != nil {
			return err
		}
		return c.stem.read(data, a, b, c.syms, rests, dst)
	}
	return c.text.read(data, a, b, dst)
}

// sized returns s with n elements whose contents do not matter.
func sized[T int64 | float64 | uint16 | uint32 | uint64](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, max(n, blockValues+1))
	}
	return s[:n]
}

// readBits copies bits [a, b) of src to the front of dst, which is zero.
func readBits(src []byte, a, b int, dst vec.Bitmap) {
	shift := uint(a) & 7
	src = src[a>>3:]
	for i := range vec.Words(b - a) {
		x := loadTail(src, uint(8*i)) >> shift
		if shift != 0 && 8*i+8 < len(src) {
			x |= uint64(src[8*i+8]) << (64 - shift)
		}
		dst[i] = x
	}
	if tail := uint(b-a) & 63; tail != 0 {
		dst[(b-a)>>6] &= 1<<tail - 1
	}
}

// name says the encoding in a word or two, for dumps.
func (c *Chunk) name() string {
	switch c.enc {
	case encConst:
		return "const"
	case encInts:
		return c.ints.name()
	case encPlain:
		return "plain"
	case encDict:
		return "dict"
	case encBits:
		return "bitmap"
	case encZstd:
		return "zstd"
	case encUUID:
		return "uuid"
	case encHist:
		return "hist"
	case encHistBeyond:
		return "hist+beyond"
	case encALP:
		return "alp"
	case encRatio:
		return "ratio"
	case encFSST:
		return "fsst"
	case encStems:
		return "stems"
	case encHex:
		return "hex"
	case encTime:
		return "time"
	case encDictRare:
		return "dict+rare"
	}
	return "encoding?"
}

// Describe says how the chunk is encoded, for dumps: encoding, parameters, presence.
func (c *Chunk) Describe(data []byte) string {
	s := c.name()
	switch c.enc {
	case encInts:
		if c.leaf == types.LeafFloat {
			s = "integral " + s
		}
		s += c.ints.params(data)
	case encDict:
		s += fmt.Sprintf("(%d) %s", c.dict.N, c.code.name())
	case encDictRare:
		s += fmt.Sprintf("(%d, %d listed) %s", c.dict.N, len(c.rare.codes), c.code.name())
	case encALP:
		s += fmt.Sprintf("(/%g, %d exceptions) ", c.alp.div, c.alp.exc) + c.ints.name() + c.ints.params(data)
	case encRatio:
		s += fmt.Sprintf("(%d exceptions) ", c.frac.exc) + c.ints.name() + c.ints.params(data) + " / " + c.frac.den.name() + c.frac.den.params(data)
	case encFSST:
		s += fmt.Sprintf("(%d symbols)", c.syms.n)
	case encStems:
		s += fmt.Sprintf("(%d through %d separators, %d bits, %d symbols)", c.stem.stems.N, c.stem.depth, c.stem.width, c.syms.n)
	case encHex:
		s += fmt.Sprintf("(%d bytes)", c.hex.size)
	case encTime:
		s += fmt.Sprintf("(%d digits, steps of %d) ", c.time.shape.digits, c.time.step) + c.time.moments.name() + c.time.moments.params(data)
	case encZstd:
		s += fmt.Sprintf("(%d pages)", len(c.text.pages))
	case encHist, encHistBeyond:
		s += fmt.Sprintf("(%d layouts, %d pairs)", len(c.hist.layouts), c.hist.pairs)
	}
	switch c.pres.kind {
	case presentBitmap:
		s += ", presence bitmap"
	case presentSparse:
		s += ", presence positions"
	case presentRuns:
		s += fmt.Sprintf(", presence roaring (%d runs)", c.pres.runs)
	}
	return s
}

func (s *ints) name() string {
	switch s.kind {
	case intsConst:
		return "const"
	case intsFOR:
		return "for"
	case intsDelta:
		return "delta"
	case intsRuns:
		return "runs"
	case intsScaled:
		return "steps"
	}
	return "plain"
}

// params lists the widths of the first blocks.
func (s *ints) params(data []byte) string {
	if s.kind == intsRuns {
		return fmt.Sprintf("(%d)", s.runs)
	}
	if s.kind == intsScaled {
		return fmt.Sprintf(" of %d, ", s.scale.step) + s.scale.of.name() + s.scale.of.params(data)
	}
	if s.kind != intsFOR && s.kind != intsDelta {
		return ""
	}
	out := " bits"
	for i := range min(4, blocksOf(s.n)) {
		if s.kind == intsFOR {
			b := s.forBlock(data, i)
			out += fmt.Sprintf(" %d", b.width)
			if b.exc > 0 {
				out += fmt.Sprintf("+%dx", b.exc)
			}
			continue
		}
		b := s.deltaBlock(data, i)
		out += fmt.Sprintf(" %d", b.width)
	}
	if blocksOf(s.n) > 4 {
		out += " .."
	}
	return out
}

func loadU16(b []byte, i int) int { return int(binary.LittleEndian.Uint16(b[2*i:])) }

// HeapBytes estimates the memory an opened chunk keeps.
func (c *Chunk) HeapBytes() int64 {
	n := int64(256 + 4*len(c.pres.rank) + 8*len(c.pres.words) + 32*len(c.text.pages))
	if c.dict != nil {
		n += int64(8*len(c.dict.I64) + 16*len(c.dict.F64) + 4*len(c.dict.Off) + len(c.dict.Data)) // floats may be decimals
	}
	if c.syms != nil {
		n += 9 * 256
	}
	if c.stem != nil {
		n += int64(4*len(c.stem.stems.Off) + cap(c.stem.stems.Data))
	}
	n += int64(2*len(c.rare.codes) + 4*len(c.rare.ends) + 2*len(c.rare.index))
	if c.hist != nil {
		for _, b := range c.hist.bounds {
			n += int64(64 + 8*len(b))
		}
	}
	return n
}
