package codec

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// boundBytes is the length to which text bounds are cut.
const boundBytes = 32

// Flags of a zone map.
const (
	zoneBounded = 1 << 0
	zoneNaN     = 1 << 1 // some float is NaN
	zoneSame    = 1 << 2 // one bound stands for both
	zoneConst   = 1 << 3 // every value is the one stored, whole
	zonePresent = 1 << 4 // number of values by block
	zoneBlocks  = 1 << 5 // bounds by block
	zoneSparse  = 1 << 6 // number of values of those blocks that have some
	zoneFlags   = 1<<7 - 1
)

// zoneValuesMin is the mean number of values in a block from which it gets bounds of its own.
const zoneValuesMin = 16

// zone is the bounds of some values. Text is not cut yet.
type zone struct {
	any        bool
	nan        bool
	minI, maxI int64
	minF, maxF float64
	minB, maxB []byte
}

func zoneOf(v *vec.Vector, leaf types.Leaf, a, b int) (z zone) {
	switch leaf {
	case types.LeafBool:
		z.bools(v, a, b)
	case types.LeafInt:
		z.any = a < b
		if z.any {
			z.minI, z.maxI, _ = intStats(v.I64[a:b])
		}
	case types.LeafFloat:
		z.floats(v.F64[a:b])
	case types.LeafText:
		z.texts(v, a, b)
	}
	return z
}

func (z *zone) bools(v *vec.Vector, a, b int) {
	for i := a; i < b; i++ {
		x := boolInt(v.Bits.Get(i))
		if !z.any {
			z.any, z.minI, z.maxI = true, x, x
		}
		z.minI, z.maxI = min(z.minI, x), max(z.maxI, x)
	}
}

func (z *zone) floats(vals []float64) {
	for _, x := range vals {
		switch {
		case x != x:
			z.nan = true
		case !z.any:
			z.any, z.minF, z.maxF = true, x, x
		case x < z.minF:
			z.minF = x
		case x > z.maxF:
			z.maxF = x
		}
	}
}

func (z *zone) texts(v *vec.Vector, a, b int) {
	for i := a; i < b; i++ {
		x := v.Bytes(i)
		switch {
		case !z.any:
			z.any, z.minB, z.maxB = true, x, x
		case bytes.Compare(x, z.minB) < 0:
			z.minB = x
		case bytes.Compare(x, z.maxB) > 0:
			z.maxB = x
		}
	}
}

// merge widens z by o.
func (z *zone) merge(o zone) {
	z.nan = z.nan || o.nan
	if !o.any {
		return
	}
	if !z.any {
		nan := z.nan
		*z = o
		z.nan = nan
		return
	}
	z.minI, z.maxI = min(z.minI, o.minI), max(z.maxI, o.maxI)
	if o.minF < z.minF {
		z.minF = o.minF
	}
	if o.maxF > z.maxF {
		z.maxF = o.maxF
	}
	if bytes.Compare(o.minB, z.minB) < 0 {
		z.minB = o.minB
	}
	if bytes.Compare(o.maxB, z.maxB) > 0 {
		z.maxB = o.maxB
	}
}

// cutLow and cutHigh shorten text bounds; ok is false where no short upper bound exists.
func cutLow(b []byte) []byte { return b[:min(len(b), boundBytes)] }

func cutHigh(b []byte) (out []byte, ok bool) {
	if len(b) <= boundBytes {
		return b, true
	}
	out = bytes.Clone(b[:boundBytes])
	for i := len(out) - 1; i >= 0; i-- {
		if out[i] != 0xff {
			out[i]++
			return out[:i+1], true
		}
	}
	return nil, false
}

// zoneWriter computes and writes zone maps.
type zoneWriter struct {
	zones  []zone
	counts []int
}

// AppendZones appends the zone map of v: bounds of the column, and of each block where there are several. constant tells
// that all rows have one value and that the zone map holds it, so that no chunk is needed (see ConstantOf).
func (e *Encoder) AppendZones(dst []byte, v *Values) (out []byte, constantColumn bool) {
	w := &e.zones
	w.scan(v)
	value, exact := exactConstant(&v.Vec)
	if !exact {
		value = nil
	}
	return w.append(dst, v, value), exact && v.Pos == nil
}

// append appends the zone map of the zones and counts there are. value is what all values are, if it is to be kept.
func (w *zoneWriter) append(dst []byte, v *Values, value *vec.Vector) []byte {
	total := zone{}
	for _, z := range w.zones {
		total.merge(z)
	}
	flags := uint8(0)
	high, ok := cutHigh(total.maxB)
	if total.any && ok {
		flags |= zoneBounded
	}
	if total.nan {
		flags |= zoneNaN
	}
	if total.same() {
		flags |= zoneSame
	}
	if value != nil {
		flags |= zoneConst
	}
	if nb := len(w.zones); nb > 1 {
		flags |= w.presentFlag(v)
		if flags&zoneBounded != 0 && flags&(zoneSame|zoneConst) == 0 && v.Present() >= zoneValuesMin*nb {
			flags |= zoneBlocks
		}
	}
	dst = append(dst, flags)
	switch {
	case value != nil:
		dst = appendConst(dst, value)
	case flags&zoneBounded != 0:
		dst = appendBounds(dst, v.Leaf, &total, high, flags&zoneSame != 0)
	}
	dst = w.appendCounts(dst, flags)
	if flags&zoneBlocks != 0 {
		dst = w.appendBlocks(dst, v.Leaf, &total)
	}
	return dst
}

// presentFlag chooses how the numbers of values by block are written, if they are needed.
func (w *zoneWriter) presentFlag(v *Values) uint8 {
	switch {
	case v.Pos == nil:
		return 0
	case sparseEntryBytes*w.filledBlocks()+1 < 2*len(w.counts):
		return zoneSparse
	}
	return zonePresent
}

// appendUnbounded appends the zone map of values without bounds, of which only the positions are looked at.
func (w *zoneWriter) appendUnbounded(dst []byte, v *Values) []byte {
	w.count(v)
	w.zones = append(w.zones[:0], make([]zone, len(w.counts))...)
	return w.append(dst, v, nil)
}

// count finds the number of values in each block of rows.
func (w *zoneWriter) count(v *Values) {
	w.counts = w.counts[:0]
	a := 0
	for row := 0; row < v.Rows; row += blockValues {
		b := min(row+blockValues, v.Vec.N)
		if v.Pos != nil {
			for b = a; b < len(v.Pos) && int(v.Pos[b]) < row+blockValues; b++ {
			}
		}
		w.counts = append(w.counts, b-a)
		a = b
	}
}

func (z *zone) same() bool {
	return z.any && !z.nan && z.minI == z.maxI && math.Float64bits(z.minF) == math.Float64bits(z.maxF) && bytes.Equal(z.minB, z.maxB) && len(z.minB) <= boundBytes
}

// exactConstant returns the vector if all its values are one that a zone map can hold.
func exactConstant(v *vec.Vector) (*vec.Vector, bool) {
	if !constant(v) || (v.Type.Phys() == types.PhysFloat64 && v.F64[0] != v.F64[0]) {
		return nil, false
	}
	return v, v.Type.Phys() != types.PhysBytes || len(v.Bytes(0)) <= boundBytes
}

// scan computes the zone of each block of rows.
func (w *zoneWriter) scan(v *Values) {
	w.zones = w.zones[:0]
	w.count(v)
	a := 0
	for _, n := range w.counts {
		w.zones = append(w.zones, zoneOf(&v.Vec, v.Leaf, a, a+n))
		a += n
	}
}

func (w *zoneWriter) filledBlocks() (n int) {
	for _, c := range w.counts {
		n += min(c, 1)
	}
	return n
}

// sparseEntryBytes is the length of an entry of zoneSparse: block u8, number of values u16.
const sparseEntryBytes = 3

func (w *zoneWriter) appendCounts(dst []byte, flags uint8) []byte {
	if flags&zoneSparse != 0 {
		dst = append(dst, byte(w.filledBlocks()))
	}
	for b, n := range w.counts {
		if flags&zoneSparse != 0 && n > 0 {
			dst = append(dst, byte(b))
		}
		if flags&zonePresent != 0 || flags&zoneSparse != 0 && n > 0 {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		}
	}
	return dst
}

func appendBounds(dst []byte, leaf types.Leaf, z *zone, high []byte, same bool) []byte {
	switch leaf {
	case types.LeafBool, types.LeafInt:
		dst = binary.AppendVarint(dst, z.minI)
		if !same {
			dst = binary.AppendUvarint(dst, uint64(z.maxI)-uint64(z.minI))
		}
	case types.LeafFloat:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(z.minF))
		if !same {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(z.maxF))
		}
	default:
		dst = appendShort(dst, cutLow(z.minB))
		if !same {
			dst = appendShort(dst, high)
		}
	}
	return dst
}

func appendShort(dst, b []byte) []byte { return append(append(dst, byte(len(b))), b...) }

// appendBlocks writes the bounds of the blocks as arrays of fixed stride. A block without a bounded value has its lower
// bound above its upper one (numbers), or NaNs, or empty texts and no value.
func (w *zoneWriter) appendBlocks(dst []byte, leaf types.Leaf, total *zone) []byte {
	switch leaf {
	case types.LeafBool, types.LeafInt:
		width := bytesFor(uint64(total.maxI) - uint64(total.minI))
		dst = append(dst, byte(width))
		for _, z := range w.zones {
			lo, hi := uint64(z.minI)-uint64(total.minI), uint64(z.maxI)-uint64(total.minI)
			if !z.any {
				lo, hi = 1, 0
			}
			dst = appendBytes(appendBytes(dst, lo, width), hi, width)
		}
	case types.LeafFloat:
		for _, z := range w.zones {
			if !z.any {
				z.minF, z.maxF = math.NaN(), math.NaN()
			}
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(z.minF))
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(z.maxF))
		}
	default:
		return w.appendTexts(dst)
	}
	return dst
}

// appendTexts writes the ends of all bounds, u16, lower and upper in turn, and then the bounds.
func (w *zoneWriter) appendTexts(dst []byte) []byte {
	end := 0
	for _, z := range w.zones {
		high, _ := cutHigh(z.maxB)
		end += len(cutLow(z.minB))
		dst = binary.LittleEndian.AppendUint16(dst, uint16(end))
		end += len(high)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(end))
	}
	for _, z := range w.zones {
		high, _ := cutHigh(z.maxB)
		dst = append(append(dst, cutLow(z.minB)...), high...)
	}
	return dst
}

// Zones is a zone map that has been opened. It refers to the bytes it was opened from.
type Zones struct {
	leaf    types.Leaf
	rows    int
	flags   uint8
	stats   column.Stats
	value   *vec.Vector // zoneConst
	data    []byte
	present int // offset of the numbers of values by block
	entries int // zoneSparse
	blocks  int // offset of the bounds by block
	width   int // bytes of an integer bound
}

// OpenZones reads a zone map at the front of data and returns its length too.
func OpenZones(leaf types.Leaf, rows, present int, data []byte) (z Zones, size int, err error) {
	c := &cursor{data: data}
	if err := z.parseWhole(c, leaf, rows, present); err != nil {
		return z, 0, err
	}
	nb := blocksOf(rows)
	switch {
	case z.flags&zoneSparse != 0:
		z.entries = int(c.u8())
		z.present = c.skip(sparseEntryBytes * z.entries)
	case z.flags&zonePresent != 0:
		z.present = c.skip(2 * nb)
	}
	if z.flags&zoneBlocks != 0 {
		z.parseBlocks(c, nb)
	}
	if nb > 1 && present < rows && z.flags&(zonePresent|zoneSparse) == 0 {
		return z, 0, corrupt("zone map has no numbers of values by block")
	}
	if c.bad || z.flags&^zoneFlags != 0 {
		return z, 0, corrupt("zone map")
	}
	return z, c.at, nil
}

// ZoneStats is Stats of the zone map at the front of data, without a look at its blocks.
func ZoneStats(leaf types.Leaf, rows, present int, data []byte) (column.Stats, error) {
	var z Zones
	c := cursor{data: data}
	if err := z.parseWhole(&c, leaf, rows, present); err != nil {
		return column.Stats{}, err
	}
	if c.bad || z.flags&^zoneFlags != 0 {
		return column.Stats{}, corrupt("zone map")
	}
	return z.stats, nil
}

// parseWhole reads what a zone map begins with: what is known of the whole column.
func (z *Zones) parseWhole(c *cursor, leaf types.Leaf, rows, present int) (err error) {
	*z = Zones{leaf: leaf, rows: rows, data: c.data, flags: c.u8()}
	z.stats = column.Stats{Rows: rows, Present: present, HasNaN: z.flags&zoneNaN != 0, Bounded: z.flags&zoneBounded != 0}
	switch {
	case z.flags&zoneConst != 0:
		if z.value, err = parseConst(c, leaf); err != nil {
			return err
		}
		z.constStats()
	case z.stats.Bounded:
		z.parseBounds(c)
	}
	return nil
}

func (z *Zones) constStats() {
	s := &z.stats
	switch z.leaf {
	case types.LeafBool:
		s.MinI = boolInt(z.value.Bool(0))
		s.MaxI = s.MinI
	case types.LeafInt:
		s.MinI, s.MaxI = z.value.I64[0], z.value.I64[0]
	case types.LeafFloat:
		s.MinF, s.MaxF = z.value.F64[0], z.value.F64[0]
	case types.LeafText:
		s.MinB, s.MaxB = z.value.Bytes(0), z.value.Bytes(0)
	}
	s.Dict = z.value
}

func (z *Zones) parseBounds(c *cursor) {
	s := &z.stats
	same := z.flags&zoneSame != 0
	switch z.leaf {
	case types.LeafBool, types.LeafInt:
		s.MinI = c.varint()
		s.MaxI = s.MinI
		if !same {
			s.MaxI += int64(c.uvarint())
		}
	case types.LeafFloat:
		s.MinF = math.Float64frombits(c.u64())
		s.MaxF = s.MinF
		if !same {
			s.MaxF = math.Float64frombits(c.u64())
		}
	case types.LeafText:
		s.MinB = c.bytes(int(c.u8()))
		s.MaxB = s.MinB
		if !same {
			s.MaxB = c.bytes(int(c.u8()))
		}
	default:
		c.bad = true
	}
}

func (z *Zones) parseBlocks(c *cursor, nb int) {
	switch z.leaf {
	case types.LeafBool, types.LeafInt:
		z.width = int(c.u8())
		if z.width > 8 {
			c.bad = true
		}
		z.blocks = c.skip(2 * nb * z.width)
	case types.LeafFloat:
		z.blocks = c.skip(16 * nb)
	default:
		z.blocks = c.skip(4 * nb)
		prev := 0
		for i := 0; i < 2*nb && !c.bad; i++ {
			end := loadU16(z.data[z.blocks:], i)
			c.bad = c.bad || end < prev
			prev = end
		}
		c.skip(prev)
	}
}

// Stats returns the statistics of the whole column. Dict is set for a constant one.
func (z *Zones) Stats() column.Stats { return z.stats }

// Constant returns the value that all values of the column are, if the zone map holds it.
func (z *Zones) Constant() (*vec.Vector, bool) { return z.value, z.value != nil }

// Block returns the statistics of block b. HasNaN and, where the blocks have no bounds of their own, the bounds are
// those of the column.
func (z *Zones) Block(b int) column.Stats {
	s := z.stats
	s.Dict = nil
	s.Rows = min(blockValues, z.rows-b*blockValues)
	switch {
	case z.stats.Present == z.rows:
		s.Present = s.Rows
	case z.flags&zoneSparse != 0:
		s.Present = min(z.sparseCount(b), s.Rows)
	case z.flags&zonePresent != 0:
		s.Present = min(loadU16(z.data[z.present:], b), s.Rows)
	}
	if s.Present == 0 {
		return column.Stats{Rows: s.Rows}
	}
	if z.flags&zoneBlocks != 0 {
		z.blockBounds(b, &s)
	}
	return s
}

func (z *Zones) sparseCount(b int) int {
	for i := range z.entries {
		e := z.data[z.present+i*sparseEntryBytes:]
		if int(e[0]) == b {
			return loadU16(e[1:], 0)
		}
	}
	return 0
}

func (z *Zones) blockBounds(b int, s *column.Stats) {
	d := z.data[z.blocks:]
	switch z.leaf {
	case types.LeafBool, types.LeafInt:
		d = d[2*b*z.width:]
		lo, hi := loadBytes(d, z.width), loadBytes(d[z.width:], z.width)
		s.MinI, s.MaxI, s.Bounded = z.stats.MinI+int64(lo), z.stats.MinI+int64(hi), lo <= hi
	case types.LeafFloat:
		s.MinF = math.Float64frombits(loadTail(d, uint(16*b)))
		s.MaxF = math.Float64frombits(loadTail(d, uint(16*b+8)))
		s.Bounded = s.MinF <= s.MaxF
	default:
		start := 0
		if b > 0 {
			start = loadU16(d, 2*b-1)
		}
		mid, end := loadU16(d, 2*b), loadU16(d, 2*b+1)
		text := d[4*blocksOf(z.rows):]
		s.MinB, s.MaxB = text[start:mid:mid], text[mid:end:end]
	}
	if !s.Bounded {
		s.MinI, s.MaxI, s.MinF, s.MaxF = 0, 0, 0, 0
	}
}
