package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// codeMerger merges dictionaries, and translates codes. A code of a source and the place where its dictionary begins
// among all make one number, so that one table translates the codes of all sources.
type codeMerger struct {
	base  []uint32 // by source: the first of its numbers
	local []uint32 // by row of the output: the number of its code
	uses  []uint32 // by number: how many rows have it
	table []uint16 // by number: the code in the output
	codes []uint16 // of the output's values, in order
	total []uint32 // by code of the output: how many values have it
	lists codeLists
	dict  vec.Vector
	low   []uint16 // by block of rows: least code, largest code
	high  []uint16
}

// mergeCodes appends zone map and chunk of columns with dictionaries. ok is false if a dictionary is not the right form
// for the rows of the output any more.
func (e *Encoder) mergeCodes(zones, dst []byte, src []Source, o Options) (zonesOut, out []byte, size int64, ok bool, err error) {
	m := &e.merge.codes
	v := &e.merge.values
	if err := m.collect(src, e.merge.lists, v.Rows); err != nil {
		return zones, dst, 0, false, err
	}
	if !m.unite(src, v) || m.dict.N < 2 || 2*m.dict.N > v.Vec.N {
		return zones, dst, 0, false, nil
	}
	size = m.translate(e, v)
	dst = e.appendMergedDict(dst, v.Leaf)
	dst = e.appendMergedCodes(dst, m.dict.N, o)
	return e.zones.appendOfCodes(zones, v, m), dst, size, true, nil
}

// collect notes the number of every row's code and how many rows have it.
func (m *codeMerger) collect(src []Source, lists [][]uint32, rows int) error {
	m.local = sized(m.local, MaxRows)
	m.base = m.base[:0]
	n := 0
	for _, s := range src {
		m.base = append(m.base, uint32(n))
		n += s.Chunk.dict.N
	}
	m.uses = sized(m.uses, n)
	clear(m.uses)
	sc := getScratch()
	defer sc.put()
	local := (*[MaxRows]uint32)(m.local)
	for i, s := range src {
		c := s.Chunk
		base := m.base[i]
		if c.enc == encConst {
			for _, w := range lists[i] {
				local[w&0xffff] = base
			}
			m.uses[base] += uint32(len(lists[i]))
			continue
		}
		uses := m.uses[base:]
		for list := lists[i]; len(list) > 0; {
			block, n := blockOf(list)
			from := block * blockValues
			codes := sc.codes[:min(blockValues, c.code.n-from)]
			if err := c.code.read(s.Data, from, from+len(codes), codes); err != nil {
				return err
			}
			for _, w := range list[:n] {
				k := sc.codes[(int(w>>16)-from)&(blockValues-1)]
				uses[k]++
				local[w&0xffff] = base + k
			}
			list = list[n:]
		}
	}
	return nil
}

// blockOf returns the block of the first value of a list, and how many of the list are in it.
func blockOf(list []uint32) (block, n int) {
	block = int(list[0]>>16) / blockValues
	end := uint32(block+1) * blockValues
	if list[len(list)-1]>>16 < end {
		return block, len(list)
	}
	lo, hi := 1, len(list)
	for lo < hi {
		mid := (lo + hi) / 2
		if list[mid]>>16 < end {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return block, lo
}

// unite makes the output's dictionary of the values that occur, and the table. ok is false if there is a NaN, which has no
// place in bounds, or more values than codes.
func (m *codeMerger) unite(src []Source, v *Values) (ok bool) {
	m.table = sized(m.table, len(m.uses))
	m.dict.Reset(v.Leaf.Type())
	m.total = m.total[:0]
	if m.sameDicts(src) {
		return m.uniteSame(src, v)
	}
	m.lists.reset()
	for i, s := range src {
		d := s.Chunk.dict
		if v.Leaf == types.LeafFloat && d.F64[d.N-1] != d.F64[d.N-1] {
			return false
		}
		m.lists.add(d, m.base[i], m.uses[m.base[i]:][:d.N])
	}
	if v.Leaf.Phys() == types.PhysBytes {
		m.lists.sortTexts(func(x uint32) []byte { i, code := m.source(x); return src[i].Chunk.dict.Bytes(code) })
	} else {
		m.lists.sortNumbers()
	}
	phys := v.Leaf.Phys()
	var last uint64
	var text []byte
	for k, x := range m.lists.nums {
		i, code := m.source(x)
		d := src[i].Chunk.dict
		isNew := k == 0
		if phys == types.PhysBytes {
			b := d.Bytes(code)
			isNew = isNew || !bytes.Equal(b, text)
			text = b
		} else {
			key := m.lists.keys[k]
			isNew = isNew || key != last
			last = key
		}
		if isNew {
			if m.dict.N == MaxRows {
				return false
			}
			switch phys {
			case types.PhysInt64:
				m.dict.I64 = append(m.dict.I64, d.I64[code])
				m.dict.N++
			case types.PhysFloat64:
				m.dict.F64 = append(m.dict.F64, d.F64[code])
				m.dict.N++
			default:
				m.dict.AppendFrom(d, code)
			}
			m.total = append(m.total, 0)
		}
		m.table[x] = uint16(m.dict.N - 1)
		m.total[m.dict.N-1] += m.uses[x]
	}
	return true
}

// source returns the source and the code that have a number.
func (m *codeMerger) source(x uint32) (source, code int) {
	i := len(m.base) - 1
	for m.base[i] > x {
		i--
	}
	return i, int(x - m.base[i])
}

// sameDicts tells whether all sources have one and the same dictionary.
func (m *codeMerger) sameDicts(src []Source) bool {
	a := src[0].Chunk.dict
	for _, s := range src[1:] {
		b := s.Chunk.dict
		if a == b {
			continue
		}
		if a.N != b.N || len(a.Data) != len(b.Data) {
			return false
		}
		for i := range a.N {
			switch a.Type.Phys() {
			case types.PhysInt64:
				if a.I64[i] != b.I64[i] {
					return false
				}
			case types.PhysFloat64:
				if math.Float64bits(a.F64[i]) != math.Float64bits(b.F64[i]) {
					return false
				}
			default:
				if !bytes.Equal(a.Bytes(i), b.Bytes(i)) {
					return false
				}
			}
		}
	}
	return true
}

// uniteSame is unite for sources of one dictionary, of which those values go over that occur.
func (m *codeMerger) uniteSame(src []Source, v *Values) (ok bool) {
	d := src[0].Chunk.dict
	if v.Leaf == types.LeafFloat && d.F64[d.N-1] != d.F64[d.N-1] {
		return false
	}
	for code := range d.N {
		sum := uint32(0)
		for _, base := range m.base {
			sum += m.uses[int(base)+code]
		}
		if sum == 0 {
			continue
		}
		for _, base := range m.base {
			m.table[int(base)+code] = uint16(m.dict.N)
		}
		m.dict.AppendFrom(d, code)
		m.total = append(m.total, sum)
	}
	return true
}

// translate fills codes, and the bounds of the blocks. It returns the size of the values when decoded.
func (m *codeMerger) translate(e *Encoder, v *Values) (size int64) {
	n := v.Vec.N
	m.codes = sized(m.codes, n)
	codes, table := m.codes, m.table
	if v.Pos == nil {
		for k, x := range m.local[:n] {
			codes[k] = table[x]
		}
	} else {
		local := (*[MaxRows]uint32)(m.local)
		for k, r := range v.Pos {
			codes[k] = table[local[r]]
		}
	}
	return m.bounds(e, v)
}

// bounds finds those of the blocks of rows. It returns the size of the values when decoded.
func (m *codeMerger) bounds(e *Encoder, v *Values) (size int64) {
	codes, n := m.codes, v.Vec.N
	m.low, m.high = m.low[:0], m.high[:0]
	e.zones.count(v)
	for _, n := range e.zones.counts {
		lo, hi := boundsOf(codes[:n])
		m.low, m.high = append(m.low, lo), append(m.high, hi)
		codes = codes[n:]
	}
	if v.Leaf.Phys() != types.PhysBytes {
		return 8 * int64(n)
	}
	for i, uses := range m.total {
		size += int64(uses) * int64(4+m.dict.Off[i+1]-m.dict.Off[i])
	}
	return size
}

// boundsOf returns the least and the largest code; the least is above the largest if there is none.
func boundsOf(codes []uint16) (lo, hi uint16) {
	lo = math.MaxUint16
	lo2, hi2 := lo, hi
	for ; len(codes) >= 2; codes = codes[2:] {
		lo, hi = min(lo, codes[0]), max(hi, codes[0])
		lo2, hi2 = min(lo2, codes[1]), max(hi2, codes[1])
	}
	for _, c := range codes {
		lo, hi = min(lo, c), max(hi, c)
	}
	return min(lo, lo2), max(hi, hi2)
}

// appendMergedDict writes the dictionary as the other ways do.
func (e *Encoder) appendMergedDict(dst []byte, leaf types.Leaf) []byte {
	d := &e.merge.codes.dict
	dst = binary.AppendUvarint(dst, uint64(d.N))
	switch leaf.Phys() {
	case types.PhysInt64:
		return e.ints.append(dst, d.I64[:d.N])
	case types.PhysFloat64:
		for _, x := range d.F64[:d.N] {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
		}
		return dst
	}
	return e.appendDictValues(dst, d, allUUIDs(d))
}

// appendMergedCodes is appendCodes for the codes of the output.
func (e *Encoder) appendMergedCodes(dst []byte, n int, o Options) []byte {
	codes := e.merge.codes.codes
	w := codeWidth(n, o.AlignCodes)
	if dst, e.runs = appendRunCodes(&e.runCodes, dst, codes, n, packedLen(len(codes), w)); e.runs {
		return dst
	}
	dst = append(dst, byte(w))
	if w < 8 {
		e.code = sized(e.code, len(codes))
		for i, c := range codes {
			e.code[i] = int64(c)
		}
		return appendDistances(dst, e.code, 0, w)
	}
	at, size := len(dst), len(codes)*int(w/8)
	dst = slices.Grow(dst, size)[:at+size]
	out := dst[at:]
	if w == 8 {
		for i, c := range codes {
			out[i] = byte(c)
		}
		return dst
	}
	for _, c := range codes {
		binary.LittleEndian.PutUint16(out, c)
		out = out[2:]
	}
	return dst
}

// appendOfCodes appends the zone map of values that are known by their codes.
func (w *zoneWriter) appendOfCodes(dst []byte, v *Values, m *codeMerger) []byte {
	w.zones = w.zones[:0]
	w.count(v)
	for b := range m.low {
		z := zone{}
		if m.low[b] <= m.high[b] {
			z = zoneBetween(&m.dict, v.Leaf, int(m.low[b]), int(m.high[b]))
		}
		w.zones = append(w.zones, z)
	}
	return w.append(dst, v, nil)
}

// zoneBetween is the zone of values of which the least and the largest are known by their places in a dictionary.
func zoneBetween(d *vec.Vector, leaf types.Leaf, lo, hi int) zone {
	z := zone{any: true}
	switch leaf {
	case types.LeafInt:
		z.minI, z.maxI = d.I64[lo], d.I64[hi]
	case types.LeafFloat:
		z.minF, z.maxF = d.F64[lo], d.F64[hi]
	case types.LeafText:
		z.minB, z.maxB = d.Bytes(lo), d.Bytes(hi)
	default:
		z.any = false
	}
	return z
}
