package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// The binary form of Meta is what the manifest stores: FORMAT.md has the picture. It is read ten thousand times when a
// store opens, so a decoded Meta aliases the bytes instead of copying names and bounds one by one.

const metaVersion = 1

const (
	metaHasPartition = 1

	columnHasGroups  = 1
	columnHasSet     = 2
	columnHasFilters = 4
	columnFlags      = columnHasGroups | columnHasSet | columnHasFilters

	statsNaN     = 1
	statsBounded = 2
)

// AppendBinary appends the stored form.
func (m *Meta) AppendBinary(dst []byte) []byte {
	dst = append(dst, metaVersion)
	for _, x := range []uint64{m.ID, uint64(m.TableID), uint64(m.Rows), uint64(m.Bytes), uint64(m.ValueBytes), m.MinLSN, m.MaxLSN} {
		dst = binary.AppendUvarint(dst, x)
	}
	flags := byte(0)
	if m.HasPartition {
		flags |= metaHasPartition
	}
	dst = binary.AppendVarint(append(dst, flags), m.Partition)
	dst = binary.AppendVarint(dst, int64(m.LevelHint))
	dst = binary.AppendUvarint(dst, uint64(len(m.SortKey)))
	for _, k := range m.SortKey {
		dst = appendText(dst, k)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.GroupRows)))
	for _, n := range m.GroupRows {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Columns)))
	for i := range m.Columns {
		dst = m.Columns[i].append(dst)
	}
	return dst
}

func appendText[T ~string | ~[]byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func (c *ColumnMeta) append(dst []byte) []byte {
	flags := byte(0)
	if len(c.Groups) > 0 {
		flags |= columnHasGroups
	}
	if len(c.Set) > 0 {
		flags |= columnHasSet
	}
	if len(c.Filters) > 0 {
		flags |= columnHasFilters
	}
	dst = append(appendText(dst, c.Name), byte(c.Leaf), flags)
	dst = appendStats(dst, c.Leaf, &c.Stats)
	for i := range c.Groups {
		dst = appendStats(dst, c.Leaf, &c.Groups[i])
	}
	if len(c.Set) > 0 {
		dst = appendText(dst, c.Set)
	}
	if len(c.Filters) > 0 {
		dst = appendFilters(binary.AppendUvarint(dst, uint64(firstOffset(c.Filters))), c.Filters)
	}
	return dst
}

func firstOffset(list []Filter) int64 {
	for i := range list {
		if list[i].Bytes > 0 {
			return list[i].Offset
		}
	}
	return 0
}

func appendStats(dst []byte, leaf types.Leaf, s *column.Stats) []byte {
	flags := byte(0)
	if s.HasNaN {
		flags |= statsNaN
	}
	if s.Bounded {
		flags |= statsBounded
	}
	dst = binary.AppendUvarint(append(dst, flags), uint64(s.Rows))
	dst = binary.AppendUvarint(dst, uint64(s.Present))
	if !s.Bounded {
		return dst
	}
	switch leaf.Phys() {
	case types.PhysBool, types.PhysInt64:
		return binary.AppendVarint(binary.AppendVarint(dst, s.MinI), s.MaxI)
	case types.PhysFloat64:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.MinF))
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.MaxF))
	}
	return appendText(appendText(dst, s.MinB), s.MaxB)
}

// UnmarshalBinary reads what AppendBinary wrote. m aliases b afterwards, which may not change any more.
func (m *Meta) UnmarshalBinary(b []byte) error {
	p := &metaParser{b: b}
	if v := p.u8(); v != metaVersion {
		return fmt.Errorf("segment summary of version %d: %w", v, ErrNewerVersion)
	}
	*m = Meta{ID: p.uvarint(), TableID: uint32(p.uvarint()), Rows: int64(p.uvarint()), Bytes: int64(p.uvarint()),
		ValueBytes: int64(p.uvarint()), MinLSN: p.uvarint(), MaxLSN: p.uvarint()}
	m.HasPartition = p.u8()&metaHasPartition != 0
	m.Partition, m.LevelHint = p.varint(), int(p.varint())
	if n := p.count(1); n > 0 {
		m.SortKey = make([]string, n)
		for i := range m.SortKey {
			m.SortKey[i] = p.string()
		}
	}
	if n := p.count(1); n > 0 {
		m.GroupRows = make([]int, n)
		for i := range m.GroupRows {
			m.GroupRows[i] = int(p.uvarint())
		}
	}
	if n := p.count(columnBytesMin); n > 0 {
		m.Columns = make([]ColumnMeta, n)
		for i := range m.Columns {
			p.column(&m.Columns[i], len(m.GroupRows))
		}
	}
	if p.bad || len(p.b) != 0 {
		return errors.New("segment summary is cut short or has bytes left over")
	}
	return nil
}

// columnBytesMin is the least a column takes: name, leaf kind, flags, and statistics of three bytes.
const columnBytesMin = 6

// metaParser takes values off the front of b. After a mistake everything is zero.
type metaParser struct {
	b   []byte
	bad bool
}

func (p *metaParser) fail() { p.b, p.bad = nil, true }

func (p *metaParser) u8() byte {
	if len(p.b) == 0 {
		p.fail()
		return 0
	}
	x := p.b[0]
	p.b = p.b[1:]
	return x
}

func (p *metaParser) uvarint() uint64 {
	x, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.fail()
		return 0
	}
	p.b = p.b[n:]
	return x
}

func (p *metaParser) varint() int64 {
	x, n := binary.Varint(p.b)
	if n <= 0 {
		p.fail()
		return 0
	}
	p.b = p.b[n:]
	return x
}

// count reads a number of things that take at least size bytes each.
func (p *metaParser) count(size int) int {
	n := p.uvarint()
	if n > uint64(len(p.b)/size) {
		p.fail()
		return 0
	}
	return int(n)
}

func (p *metaParser) take(n int) []byte {
	if n > len(p.b) {
		p.fail()
		return nil
	}
	x := p.b[:n:n]
	p.b = p.b[n:]
	return x
}

// bytes is nil where there are none.
func (p *metaParser) bytes() []byte {
	if n := p.count(1); n > 0 {
		return p.take(n)
	}
	return nil
}

func (p *metaParser) string() string {
	b := p.bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (p *metaParser) float() float64 {
	b := p.take(8)
	if p.bad {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func (p *metaParser) column(c *ColumnMeta, groups int) {
	c.Name, c.Leaf = p.string(), types.Leaf(p.u8())
	if c.Leaf < types.LeafBool || c.Leaf > types.LeafJSON {
		p.fail()
		return
	}
	flags := p.u8()
	if flags&^columnFlags != 0 {
		p.fail()
		return
	}
	p.stats(&c.Stats, c.Leaf)
	if flags&columnHasGroups != 0 && !p.bad {
		c.Groups = make([]column.Stats, groups)
		for i := range c.Groups {
			p.stats(&c.Groups[i], c.Leaf)
		}
	}
	if flags&columnHasSet != 0 {
		c.Set = p.bytes()
	}
	if flags&columnHasFilters != 0 {
		at := p.uvarint()
		if at > math.MaxInt64/2 {
			p.fail()
		}
		c.Filters, _ = p.filters(groups, int64(at))
	}
}

func (p *metaParser) stats(s *column.Stats, leaf types.Leaf) {
	flags := p.u8()
	s.HasNaN, s.Bounded = flags&statsNaN != 0, flags&statsBounded != 0
	s.Rows, s.Present = int(p.uvarint()), int(p.uvarint())
	if !s.Bounded {
		return
	}
	switch leaf.Phys() {
	case types.PhysBool, types.PhysInt64:
		s.MinI, s.MaxI = p.varint(), p.varint()
	case types.PhysFloat64:
		s.MinF, s.MaxF = p.float(), p.float()
	default:
		s.MinB, s.MaxB = p.bytes(), p.bytes()
	}
}
