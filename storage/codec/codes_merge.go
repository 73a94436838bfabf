package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// codeMerger merges dictionaries, and translates codes.
type codeMerger struct {
	local  []uint16   // by row of the output: the code in its source
	used   [][]uint16 // by source and code: 1 if a wanted row has it; then the code in the output
	order  []uint32   // used values, source << 16 | code, in the order of the values
	spare  []uint32
	ends   []int // of the sorted lists that order consists of
	dict   vec.Vector
	lens   []uint32
	starts []int
	low    []int64 // by block of rows: least code, largest code
	high   []int64
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
	size, runs := m.translate(e, v)
	dst = e.appendMergedDict(dst, v.Leaf)
	dst = e.appendMergedCodes(dst, m.dict.N, runs, o)
	return e.zones.appendOfCodes(zones, v, m), dst, size, true, nil
}

// collect notes the code of every row and which codes occur.
func (m *codeMerger) collect(src []Source, lists [][]uint32, rows int) error {
	m.local = sized(m.local, rows)
	for len(m.used) < len(src) {
		m.used = append(m.used, nil)
	}
	sc := getScratch()
	defer sc.put()
	for i, s := range src {
		c := s.Chunk
		m.used[i] = sized(m.used[i], c.dict.N)
		clear(m.used[i])
		if c.enc == encConst {
			for _, w := range lists[i] {
				m.local[w&0xffff] = 0
				m.used[i][0] = 1
			}
			continue
		}
		used := m.used[i]
		for list := lists[i]; len(list) > 0; {
			block, n := blockOf(list)
			from := block * blockValues
			codes := sc.codes[:min(blockValues, c.code.n-from)]
			if err := c.code.read(s.Data, from, from+len(codes), codes); err != nil {
				return err
			}
			for _, w := range list[:n] {
				k := codes[int(w>>16)-from]
				used[k] = 1
				m.local[w&0xffff] = uint16(k)
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

// unite makes the output's dictionary of the values that occur, and turns used into the translation of codes. ok is
// false if there is a NaN, which has no place in bounds, or more values than codes.
func (m *codeMerger) unite(src []Source, v *Values) (ok bool) {
	m.order, m.starts = m.order[:0], m.starts[:0]
	for i := range src {
		m.starts = append(m.starts, len(m.order))
		for code, u := range m.used[i] {
			if u != 0 {
				m.order = append(m.order, uint32(i)<<16|uint32(code))
			}
		}
		if d := src[i].Chunk.dict; v.Leaf == types.LeafFloat && d.F64[d.N-1] != d.F64[d.N-1] {
			return false
		}
	}
	m.starts = append(m.starts, len(m.order))
	var compare func(a, b uint32) int
	switch v.Leaf.Phys() {
	case types.PhysInt64:
		compare = func(a, b uint32) int {
			return cmp.Compare(src[a>>16].Chunk.dict.I64[a&0xffff], src[b>>16].Chunk.dict.I64[b&0xffff])
		}
	case types.PhysFloat64:
		compare = func(a, b uint32) int {
			return orderFloats(src[a>>16].Chunk.dict.F64[a&0xffff], src[b>>16].Chunk.dict.F64[b&0xffff])
		}
	default:
		compare = func(a, b uint32) int {
			return bytes.Compare(src[a>>16].Chunk.dict.Bytes(int(a&0xffff)), src[b>>16].Chunk.dict.Bytes(int(b&0xffff)))
		}
	}
	m.sort(compare)
	m.dict.Reset(v.Leaf.Type())
	for i, a := range m.order {
		if i == 0 || compare(m.order[i-1], a) != 0 {
			m.dict.AppendFrom(src[a>>16].Chunk.dict, int(a&0xffff))
			if m.dict.N > MaxRows {
				return false
			}
		}
		m.used[a>>16][a&0xffff] = uint16(m.dict.N - 1)
	}
	return true
}

// orderFloats is SQL's order and then that of the bits: see floatDict.
func orderFloats(x, y float64) int {
	if c := column.CompareFloat(x, y); c != 0 {
		return c
	}
	return signOf(int64(math.Float64bits(x)), int64(math.Float64bits(y)))
}

// sort merges the sorted lists that order consists of, two by two.
func (m *codeMerger) sort(compare func(a, b uint32) int) {
	for len(m.starts) > 2 {
		out, ends := m.spare[:0], m.ends[:0]
		ends = append(ends, 0)
		for i := 0; i+1 < len(m.starts); i += 2 {
			a, b := m.order[m.starts[i]:m.starts[i+1]], []uint32(nil)
			if i+2 < len(m.starts) {
				b = m.order[m.starts[i+1]:m.starts[i+2]]
			}
			for len(a) > 0 && len(b) > 0 {
				if compare(a[0], b[0]) <= 0 {
					out, a = append(out, a[0]), a[1:]
				} else {
					out, b = append(out, b[0]), b[1:]
				}
			}
			out = append(append(out, a...), b...)
			ends = append(ends, len(out))
		}
		m.order, m.spare = out, m.order
		m.starts, m.ends = ends, m.starts
	}
}

// translate fills e.code with the codes of all values, in order, and the bounds of the blocks. It returns the size of the
// values when decoded, and the number of runs of codes.
func (m *codeMerger) translate(e *Encoder, v *Values) (size int64, runs int) {
	e.code = sized(e.code, v.Vec.N)
	m.low, m.high = m.low[:0], m.high[:0]
	from := e.merge.from
	k, prev := 0, int64(-1)
	for row := 0; row < v.Rows; row += blockValues {
		lo, hi := int64(math.MaxInt64), int64(-1)
		for r := row; r < min(row+blockValues, v.Rows); r++ {
			s := from[r]
			if s == 0 {
				continue
			}
			c := int64(m.used[s-1][m.local[r]])
			e.code[k] = c
			k++
			lo, hi = min(lo, c), max(hi, c)
			if c != prev {
				runs++
			}
			prev = c
		}
		m.low, m.high = append(m.low, lo), append(m.high, hi)
	}
	if v.Leaf.Phys() != types.PhysBytes {
		return 8 * int64(v.Vec.N), runs
	}
	m.lens = m.lens[:0]
	for i := range m.dict.N {
		m.lens = append(m.lens, 4+m.dict.Off[i+1]-m.dict.Off[i])
	}
	for _, c := range e.code[:k] {
		size += int64(m.lens[c])
	}
	return size, runs
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

// appendMergedCodes is appendCodes for the codes in e.code, of which the runs are counted.
func (e *Encoder) appendMergedCodes(dst []byte, n, runs int, o Options) []byte {
	w := codeWidth(n, o.AlignCodes)
	e.runs = false
	if runs*minRunLength <= len(e.code) {
		if p := e.codes.plan(e.code, allowAll); p.kind == intsRuns && p.size < packedLen(len(e.code), w) {
			e.runs = true
			return e.codes.write(append(dst, 0), e.code, p)
		}
	}
	return appendDistances(append(dst, byte(w)), e.code, 0, w)
}

// appendOfCodes appends the zone map of values that are known by their codes.
func (w *zoneWriter) appendOfCodes(dst []byte, v *Values, m *codeMerger) []byte {
	w.zones = w.zones[:0]
	w.count(v)
	for b := range m.low {
		z := zone{}
		if m.high[b] >= 0 {
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
