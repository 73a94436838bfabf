// Package stage keeps the rows of a long insert in memory, in few bytes each, until they are written as segments.
//
// Rows come as batches of columns. A Stager puts the rows of each batch in the order of their partitions and makes a Group
// of them: integers as distances in as few bytes as they need, texts that repeat as codes of one table for the whole
// insert, UUIDs as 16 bytes. A segment's writer takes the rows it wants out of many groups at random places; see Column.
package stage

import (
	"math"
	"slices"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Col is a column of the batches.
type Col struct {
	Path types.Path
	Leaf types.Leaf
	UUID bool // of type uuid: its values are 16 bytes
}

// RowsMax is the most rows of a group: its rows are numbered in 16 bits.
const RowsMax = 1 << 16

// rowsMin is how many rows are brought together before a group is made of them: each group costs every column some memory
// and every segment some time.
const rowsMin = 8 << 10

// Group is rows of one batch or several, those of each partition together, and in the order they came in.
type Group struct {
	rows  int
	cols  []*Column // in order of path and leaf; those without a value are left out
	Parts []Part    // in order of their first rows
	sizes []uint32  // bytes of each row's values; nil where all take about RowBytes
}

// Part is the rows [From, To) of a group, which are of one partition: days since 1970-01-01, or head.NoPartition.
type Part struct {
	Partition int64
	From, To  int
}

// Rows implements column.Group.
func (g *Group) Rows() int { return g.rows }

// Stager turns batches into groups. It serves one goroutine.
type Stager struct {
	cols      []Col
	order     []int // of cols, by path and leaf
	partition int   // index of the column that tells the partition, -1 if there is none
	constant  *Column
	tables    []*Table // by column: of its texts, nil for others
	groups    []*Group
	bytes     int64
	rows      int64
	pending   *vec.Batch
	perm      []uint16
	days      []int64
	part      []uint16
	codes     []uint32
}

// New makes a Stager of batches of the given columns. partition is the index of the one that holds the partition, -1 for
// none. Every group gets a column more, under lsn, of the integer value.
func New(cols []Col, partition int, lsn Col, value int64) *Stager {
	s := &Stager{cols: cols, partition: partition, tables: make([]*Table, len(cols))}
	s.constant = &Column{path: lsn.Path, leaf: lsn.Leaf, kind: kindConst, base: value}
	for i := range cols {
		s.order = append(s.order, i)
	}
	slices.SortFunc(s.order, func(a, b int) int { return compare(cols[a].Path, cols[a].Leaf, cols[b].Path, cols[b].Leaf) })
	return s
}

// Bytes returns about what the groups take in memory, Rows how many rows were added.
func (s *Stager) Bytes() int64 { return s.bytes }

// Rows returns the rows of all groups and of what waits to become one.
func (s *Stager) Rows() int64 { return s.rows }

// Add takes a batch of at most RowsMax rows, which is not used by anybody else afterwards.
func (s *Stager) Add(b *vec.Batch) {
	b.Compact()
	if b.N == 0 {
		return
	}
	s.rows += int64(b.N)
	if s.pending == nil && b.N >= rowsMin {
		s.stage(b)
		return
	}
	if s.pending != nil && s.pending.N+b.N > RowsMax {
		s.flush()
	}
	if s.pending == nil {
		s.pending = &vec.Batch{}
		for _, c := range b.Cols {
			v := &vec.Vector{}
			v.Reset(c.Type)
			s.pending.Cols = append(s.pending.Cols, v)
		}
	}
	for i, c := range b.Cols {
		s.pending.Cols[i].AppendRange(c, 0, b.N)
	}
	if s.pending.N += b.N; s.pending.N >= rowsMin {
		s.flush()
	}
}

func (s *Stager) flush() {
	if b := s.pending; b != nil {
		s.pending = nil
		s.stage(b)
	}
}

// Take returns the groups there are, and begins again without any.
func (s *Stager) Take() []*Group {
	s.flush()
	for _, t := range s.tables {
		if t != nil {
			t.sort()
		}
	}
	out := s.groups
	s.groups, s.bytes, s.rows = nil, 0, 0
	return out
}

// stage makes a group.
func (s *Stager) stage(b *vec.Batch) {
	g := &Group{rows: b.N}
	perm := s.split(g, b)
	wide := 0
	placed := false
	for _, i := range s.order {
		c := s.cols[i]
		if !placed && compare(s.constant.path, s.constant.leaf, c.Path, c.Leaf) < 0 {
			g.cols, placed = append(g.cols, s.constant), true
		}
		col := &Column{path: c.Path, leaf: c.Leaf}
		wide += s.fill(col, i, b.Cols[i], perm)
		if col.kind == kindNone {
			continue
		}
		s.bytes += col.size()
		g.cols = append(g.cols, col)
	}
	if !placed {
		g.cols = append(g.cols, s.constant)
	}
	if wide > rowBytesFree {
		g.measure()
	}
	s.groups = append(s.groups, g)
}

// rowBytesFree is the size of rows of which a whole row group stays within its bound of bytes.
const rowBytesFree = head.BytesMax / RowsMax

// split finds the partitions of the rows and returns the rows in their order, nil if that is the one they have.
func (s *Stager) split(g *Group, b *vec.Batch) []uint16 {
	if s.partition < 0 {
		g.Parts = []Part{{head.NoPartition, 0, b.N}}
		return nil
	}
	v := b.Cols[s.partition]
	if v.Form != vec.Flat {
		v.Flatten()
	}
	s.days, s.part = s.days[:0], slices.Grow(s.part[:0], b.N)[:b.N]
	var counts []int
	at := map[int64]int{}
	last, lastDay, sorted := -1, int64(0), true
	for r := range b.N {
		day := v.I64[r]
		if v.Null(r) || day == math.MaxInt64 {
			day = head.NoPartition
		}
		if last < 0 || day != lastDay {
			p, ok := at[day]
			if !ok {
				p = len(s.days)
				at[day] = p
				s.days, counts = append(s.days, day), append(counts, 0)
			}
			sorted = sorted && p >= last
			last, lastDay = p, day
		}
		counts[last]++
		s.part[r] = uint16(last)
	}
	from := 0
	for p, n := range counts {
		g.Parts = append(g.Parts, Part{s.days[p], from, from + n})
		counts[p] = from
		from += n
	}
	if sorted {
		return nil
	}
	s.perm = slices.Grow(s.perm[:0], b.N)[:b.N]
	for r, p := range s.part {
		s.perm[counts[p]] = uint16(r)
		counts[p]++
	}
	return s.perm
}

// fill stores a vector in the rows' new order and returns the bytes a row of it takes at most when decoded.
func (s *Stager) fill(c *Column, i int, v *vec.Vector, perm []uint16) int {
	if v.Form == vec.Const || v.Form == vec.Dict && c.leaf.Phys() != types.PhysBytes {
		v.Flatten()
	}
	c.n = v.N
	if !c.presence(v, perm) {
		return 0
	}
	switch c.leaf.Phys() {
	case types.PhysInt64:
		c.integers(v, perm)
	case types.PhysFloat64:
		c.kind, c.f64 = kindF64, permuted(v.F64[:v.N], perm)
	case types.PhysBool:
		c.bools(v, perm)
	default:
		return s.texts(c, i, v, perm)
	}
	return 8
}

// permuted copies values into their new order.
func permuted[T any](vals []T, perm []uint16) []T {
	if perm == nil {
		return slices.Clone(vals)
	}
	out := make([]T, len(vals))
	for i, r := range perm {
		out[i] = vals[r]
	}
	return out
}

// presence stores which rows have a value, and reports whether any has.
func (c *Column) presence(v *vec.Vector, perm []uint16) bool {
	if v.Valid == nil {
		return true
	}
	switch v.Valid[:vec.Words(v.N)].Count() {
	case 0:
		return false
	case v.N:
		return true
	}
	if perm == nil {
		c.valid = slices.Clone(v.Valid[:vec.Words(v.N)])
		return true
	}
	c.valid = vec.MakeBitmap(v.N)
	for i, r := range perm {
		if v.Valid.Get(int(r)) {
			c.valid.Set(i)
		}
	}
	return true
}

// integers stores distances from the least value, in as few bytes as the greatest one takes.
func (c *Column) integers(v *vec.Vector, perm []uint16) {
	vals := v.I64[:v.N]
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	if v.Valid == nil {
		for _, x := range vals {
			lo, hi = min(lo, x), max(hi, x)
		}
	} else {
		for i, x := range vals {
			if v.Valid.Get(i) {
				lo, hi = min(lo, x), max(hi, x)
			}
		}
	}
	c.base = lo
	switch span := uint64(hi) - uint64(lo); {
	case span == 0 && c.valid == nil:
		c.kind = kindConst
	case span <= math.MaxUint8:
		c.kind, c.u8 = kindU8, distances[uint8](vals, lo, perm)
	case span <= math.MaxUint16:
		c.kind, c.u16 = kindU16, distances[uint16](vals, lo, perm)
	case span <= math.MaxUint32:
		c.kind, c.u32 = kindU32, distances[uint32](vals, lo, perm)
	default:
		c.kind, c.i64 = kindI64, permuted(vals, perm)
	}
}

func distances[T uint8 | uint16 | uint32](vals []int64, base int64, perm []uint16) []T {
	out := make([]T, len(vals))
	if perm == nil {
		for i, x := range vals {
			out[i] = T(x - base)
		}
		return out
	}
	for i, r := range perm {
		out[i] = T(vals[r] - base)
	}
	return out
}

func (c *Column) bools(v *vec.Vector, perm []uint16) {
	c.kind, c.u8 = kindU8, make([]uint8, v.N)
	for i := range c.u8 {
		r := placed(perm, i)
		c.u8[i] = uint8(v.Bits[r>>6] >> (r & 63) & 1)
	}
}

// texts stores texts as UUIDs if all of them are, else as codes if they repeat, else as they are. So the groups of an
// insert keep a column in one form, nearly always, which is what makes them quick to sort and to write.
func (s *Stager) texts(c *Column, i int, v *vec.Vector, perm []uint16) (wide int) {
	if s.cols[i].UUID && c.packBytes16(v, perm) {
		return 20
	}
	if c.leaf == types.LeafText {
		if c.packUUIDs(v, perm) {
			return 40
		}
		if v.Form != vec.Dict {
			s.number(v)
		}
		if v.Form == vec.Dict && 2*v.Dict.N <= v.N+dictSlack && s.coded(c, i, v, perm) {
			for k := range v.Dict.N {
				wide = max(wide, len(v.Dict.Bytes(k)))
			}
			return wide + 4
		}
	}
	if v.Form == vec.Dict {
		v.Flatten()
	}
	c.kind = kindText
	c.off = make([]uint32, 1, v.N+1)
	c.data = make([]byte, 0, v.Off[v.N]-v.Off[0])
	for k := range v.N {
		r := placed(perm, k)
		if !v.Null(r) {
			x := v.Data[v.Off[r]:v.Off[r+1]]
			wide = max(wide, len(x))
			c.data = append(c.data, x...)
		}
		c.off = append(c.off, uint32(len(c.data)))
	}
	return wide + 4
}

// dictSlack lets batches of few rows have codes too.
const dictSlack = 64

// number gives a vector of texts a dictionary, if they are few.
func (s *Stager) number(v *vec.Vector) {
	t := newTable()
	codes := make([]uint32, v.N)
	for r := range codes {
		if v.Null(r) {
			continue
		}
		codes[r] = t.code(v.Data[v.Off[r]:v.Off[r+1]])
		if n := t.Len(); n > r/2+numberMin || 2*n > v.N+dictSlack {
			return
		}
	}
	d := &vec.Vector{Type: v.Type, N: t.Len(), Off: t.off, Data: t.data}
	*v = vec.Vector{Type: v.Type, N: v.N, Form: vec.Dict, Valid: v.Valid, Codes: codes, Dict: d}
}

// numberMin is how many texts may all be different before they are held to be many.
const numberMin = 1 << 10

// coded translates the codes of a batch into those of the insert's table. It reports false if that would be too large.
func (s *Stager) coded(c *Column, i int, v *vec.Vector, perm []uint16) bool {
	t := s.tables[i]
	if t == nil || t.Len()+v.Dict.N > tableMax {
		if v.Dict.N > tableMax {
			return false
		}
		t = newTable()
		s.tables[i] = t
	}
	before := t.bytes()
	s.codes = slices.Grow(s.codes[:0], v.Dict.N)[:v.Dict.N]
	for k := range s.codes {
		s.codes[k] = t.code(v.Dict.Bytes(k))
	}
	s.bytes += t.bytes() - before
	c.table = t
	if t.Len() <= 1<<8 {
		c.kind, c.u8 = kindCode8, translated[uint8](v.Codes[:v.N], s.codes, perm)
	} else {
		c.kind, c.u16 = kindCode16, translated[uint16](v.Codes[:v.N], s.codes, perm)
	}
	return true
}

// translated looks codes up. That of a NULL is any code.
func translated[T uint8 | uint16](codes, table []uint32, perm []uint16) []T {
	out := make([]T, len(codes))
	if perm == nil {
		for i, k := range codes {
			out[i] = T(table[k])
		}
		return out
	}
	for i, r := range perm {
		out[i] = T(table[codes[r]])
	}
	return out
}

// packUUIDs stores texts as UUIDs if all of them are.
func (c *Column) packUUIDs(v *vec.Vector, perm []uint16) bool {
	if v.Form == vec.Dict {
		table := make([][16]byte, v.Dict.N)
		for k := range table {
			var ok bool
			if table[k], ok = codec.ParseUUID(v.Dict.Bytes(k)); !ok {
				return false
			}
		}
		out := make([][16]byte, v.N)
		for k := range out {
			out[k] = table[v.Codes[placed(perm, k)]]
		}
		c.kind, c.uuid = kindUUID, out
		return true
	}
	var out [][16]byte
	for k := range v.N {
		r := placed(perm, k)
		if v.Null(r) {
			continue
		}
		u, ok := codec.ParseUUID(v.Data[v.Off[r]:v.Off[r+1]])
		if !ok {
			return false
		}
		if out == nil {
			out = make([][16]byte, v.N)
		}
		out[k] = u
	}
	c.kind, c.uuid = kindUUID, out
	return true
}

// packBytes16 stores values of 16 bytes as such, if all of them are.
func (c *Column) packBytes16(v *vec.Vector, perm []uint16) bool {
	out := make([][16]byte, v.N)
	for k := range out {
		r := placed(perm, k)
		if v.Null(r) {
			continue
		}
		x := v.Bytes(r)
		if len(x) != len(out[k]) {
			return false
		}
		out[k] = [16]byte(x)
	}
	c.kind, c.uuid = kindBytes16, out
	return true
}

// placed returns the row that comes to place k.
func placed(perm []uint16, k int) int {
	if perm == nil {
		return k
	}
	return int(perm[k])
}

// measure notes the size of each row's values.
func (g *Group) measure() {
	g.sizes = make([]uint32, g.rows)
	for _, c := range g.cols {
		for r := range g.sizes {
			g.sizes[r] += uint32(c.width(r))
		}
	}
}

// RowBytes returns about what a row's values take when decoded. It tells row groups apart that would be too large in
// memory, so that rows of which any number is small enough need not be looked at.
func (g *Group) RowBytes(r int) int64 {
	if g.sizes == nil {
		return 1
	}
	return int64(g.sizes[r])
}
