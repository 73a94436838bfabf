package codec

import (
	"encoding/binary"
	"math"
	"slices"
	"sort"
)

// floatMerger is the working memory of mergeALP.
type floatMerger struct {
	odd  []byte // by row: 1 if its value is no decimal
	rows []float64
	vals []float64
}

// sameDigits tells whether the decimals of all sources have as many digits behind the point.
func sameDigits(src []Source) bool {
	return !slices.ContainsFunc(src, func(s Source) bool { return s.Chunk.alp.div != src[0].Chunk.alp.div })
}

// mergeALP appends zone map and chunk of columns of decimals: what is one with a number of digits is one still, and what
// is none is none.
func (e *Encoder) mergeALP(zones, dst []byte, src []Source) (zonesOut, out []byte, ok bool, err error) {
	v := &e.merge.values
	allow, ok, err := e.gatherInts(src)
	if !ok || err != nil {
		return zones, dst, false, err
	}
	e.gatherOdd(src)
	vals := e.merge.rows
	if v.Pos != nil {
		e.nums = packNumbers(e.nums[:0], vals, v.Pos)
		vals = e.nums
	}
	e.except = e.except[:0]
	m := &e.merge.floats
	for i := range vals {
		if m.odd[v.row(i)] != 0 {
			e.except = append(e.except, uint16(i))
		}
	}
	if !settle(vals, e.except) {
		return zones, dst, false, nil
	}
	p := e.ints.plan(vals, allow)
	if p.kind == intsConst {
		return zones, dst, false, nil
	}
	div := src[0].Chunk.alp.div
	dst = append(dst, byte(slices.Index(pow10[:], div)))
	dst = e.ints.write(dst, vals, p)
	dst = binary.AppendUvarint(dst, uint64(len(e.except)))
	for _, at := range e.except {
		dst = binary.LittleEndian.AppendUint16(dst, at)
	}
	m.vals = slices.Grow(m.vals[:0], len(vals))[:len(vals)]
	for i, x := range vals {
		m.vals[i] = float64(x) / div
	}
	for _, at := range e.except {
		x := m.rows[v.row(int(at))]
		m.vals[at] = x
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return e.zones.appendOfFloats(zones, v, m.vals), dst, true, nil
}

// gatherOdd notes the values that are no decimals, by row.
func (e *Encoder) gatherOdd(src []Source) {
	v := &e.merge.values
	m := &e.merge.floats
	m.odd = slices.Grow(m.odd[:0], v.Rows)[:v.Rows]
	clear(m.odd)
	m.rows = slices.Grow(m.rows[:0], v.Rows)[:v.Rows]
	for i, s := range src {
		l := &s.Chunk.alp
		list := e.merge.lists[i]
		if len(list) == 0 {
			continue
		}
		at := func(k int) uint32 { return uint32(loadU16(s.Data[l.pos:], k)) }
		for k := sort.Search(l.exc, func(k int) bool { return at(k) >= list[0]>>16 }); k < l.exc; k++ {
			want := at(k)
			list = list[sort.Search(len(list), func(i int) bool { return list[i]>>16 >= want }):]
			if len(list) == 0 {
				break
			}
			if list[0]>>16 == want {
				row := list[0] & 0xffff
				m.odd[row], m.rows[row] = 1, math.Float64frombits(binary.LittleEndian.Uint64(s.Data[l.vals+8*k:]))
			}
		}
	}
}

// settle gives each exception the integer of the value before it, and those at the front that of the first that is none,
// so that they do not widen a block. ok is false if there are only exceptions.
func settle(vals []int64, except []uint16) (ok bool) {
	lead := 0
	for lead < len(except) && int(except[lead]) == lead {
		lead++
	}
	if lead == len(vals) {
		return false
	}
	fill(vals[:lead], vals[lead])
	for _, at := range except[lead:] {
		vals[at] = vals[at-1]
	}
	return true
}

// appendOfFloats appends the zone map of floats.
func (w *zoneWriter) appendOfFloats(dst []byte, v *Values, vals []float64) []byte {
	w.zones = w.zones[:0]
	w.count(v)
	for _, n := range w.counts {
		var z zone
		z.floats(vals[:n])
		w.zones = append(w.zones, z)
		vals = vals[n:]
	}
	return w.append(dst, v, nil)
}
