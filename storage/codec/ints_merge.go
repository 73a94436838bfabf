package codec

import (
	"bytes"
	"math"
	"slices"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// mergeInts appends zone map and chunk of columns of integer streams, floats that are integers among them. What its
// sources found out is not tried again: that a dictionary does not pay, and which forms of a stream do.
func (e *Encoder) mergeInts(zones, dst []byte, src []Source) (zonesOut, out []byte, ok bool, err error) {
	allow, ok, err := e.gatherInts(src)
	if !ok || err != nil {
		return zones, dst, false, err
	}
	v := &e.merge.values
	vals := e.merge.rows
	if v.Pos != nil {
		e.nums = packNumbers(e.nums[:0], vals, v.Pos)
		vals = e.nums
	}
	p := e.ints.plan(vals, allow)
	if p.kind == intsConst {
		return zones, dst, false, nil
	}
	dst = e.ints.write(dst, vals, p)
	return e.zones.appendOfInts(zones, v, vals, e.ints.bounds), dst, true, nil
}

// gatherInts brings the integers of all sources into the rows of the output, and tells which forms of a stream to try. ok
// is false if a source has something else.
func (e *Encoder) gatherInts(src []Source) (allow allowed, ok bool, err error) {
	allow = allowFOR
	e.merge.rows = sized(e.merge.rows, MaxRows)
	rows := (*[MaxRows]int64)(e.merge.rows)
	e.merge.rows = e.merge.rows[:e.merge.values.Rows]
	sc := getScratch()
	defer sc.put()
	for i, s := range src {
		if s.Chunk.enc == encConst {
			x, isInt := constInt(s.Chunk)
			if !isInt {
				return allow, false, nil
			}
			for _, w := range e.merge.lists[i] {
				rows[w&0xffff] = x
			}
			continue
		}
		in := s.Chunk.ints
		kind := in.kind
		if allow |= allowRuns; kind == intsScaled {
			allow |= allowSteps
			kind = in.scale.of.kind
		}
		if kind == intsDelta || kind == intsConst {
			allow |= allowDelta
		}
		for list := e.merge.lists[i]; len(list) > 0; {
			block, n := blockOf(list)
			from := block * blockValues
			vals := &sc.a
			to := min(from+blockValues, in.n)
			if err := in.read(s.Data, from, to, vals[:]); err != nil {
				return allow, false, err
			}
			for _, w := range list[:n] {
				rows[w&0xffff] = vals[(int(w>>16)-from)&(blockValues-1)]
			}
			list = list[n:]
		}
	}
	return allow, true, nil
}

func packNumbers(dst, vals []int64, pos []uint16) []int64 {
	for _, r := range pos {
		dst = append(dst, vals[r])
	}
	return dst
}

// constInt returns the value of a constant chunk if an integer stream may hold it.
func constInt(c *Chunk) (int64, bool) {
	if c.leaf == types.LeafFloat {
		return integral(c.dict.F64[0])
	}
	return c.dict.I64[0], true
}

// appendOfInts appends the zone map of values that are integers, whatever the column's leaf kind. bounds are those of the
// blocks of values, which are the blocks of rows if every row has one.
func (w *zoneWriter) appendOfInts(dst []byte, v *Values, vals []int64, bounds []intBounds) []byte {
	w.zones = w.zones[:0]
	w.count(v)
	for i, n := range w.counts {
		z := zone{any: n > 0}
		if z.any {
			b := bounds[min(i, len(bounds)-1)]
			if v.Pos != nil {
				b = boundsOfInts(vals[:n])
			}
			if z.minI, z.maxI = b.lo, b.hi; v.Leaf == types.LeafFloat {
				z.minF, z.maxF, z.minI, z.maxI = float64(z.minI), float64(z.maxI), 0, 0
			}
		}
		w.zones = append(w.zones, z)
		vals = vals[n:]
	}
	return w.append(dst, v, nil)
}

// mergeConst appends the zone map of columns that are one and the same constant, and the chunk if a row of the output
// has no value. ok is false for a constant that a zone map does not hold.
func (e *Encoder) mergeConst(zones, dst []byte, src []Source) (zonesOut, out []byte, size int64, whole, ok bool) {
	value := src[0].Chunk.dict
	for _, s := range src[1:] {
		if !sameConstant(value, s.Chunk.dict) {
			return zones, dst, 0, false, false
		}
	}
	if _, exact := exactConstant(value); !exact {
		return zones, dst, 0, false, false
	}
	v := &e.merge.values
	w := &e.zones
	w.zones = w.zones[:0]
	w.count(v)
	for _, n := range w.counts {
		w.zones = append(w.zones, zoneOf(value, v.Leaf, 0, min(n, 1)))
	}
	zones = w.append(zones, v, value)
	if v.Pos != nil {
		dst = appendConst(dst, value)
	}
	each := int64(8)
	switch v.Leaf.Phys() {
	case types.PhysBool:
		each = 1
	case types.PhysBytes:
		each = 4 + int64(len(value.Bytes(0)))
	}
	return zones, dst, each * int64(v.Vec.N), v.Pos == nil, true
}

func sameConstant(a, b *vec.Vector) bool {
	switch a.Type.Phys() {
	case types.PhysBool:
		return a.Bits.Get(0) == b.Bits.Get(0)
	case types.PhysInt64:
		return a.I64[0] == b.I64[0]
	case types.PhysFloat64:
		return math.Float64bits(a.F64[0]) == math.Float64bits(b.F64[0])
	}
	return bytes.Equal(a.Bytes(0), b.Bytes(0))
}

// every tells whether all sources have one of the given encodings.
func every(src []Source, encodings ...uint8) bool {
	return !slices.ContainsFunc(src, func(s Source) bool { return !slices.Contains(encodings, s.Chunk.enc) })
}
