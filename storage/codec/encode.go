package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Encoder writes chunks. It owns working memory and serves one goroutine. The same values give the same bytes.
type Encoder struct {
	ints   intsWriter
	codes  intsWriter
	hist   histWriter
	zones  zoneWriter
	seen   distinct
	nums   []int64
	code   []int64
	order  []uint32
	rank   []uint32
	body   []byte
	page   []byte
	zoneV  vec.Vector
	floats []float64
	words  []uint64
}

// Options steer the choice of encodings.
type Options struct {
	// AlignCodes keeps dictionary codes in whole bytes: for columns that are filtered and grouped by.
	AlignCodes bool
}

// Encode appends the chunk of v. The input must pass v.Check.
func (e *Encoder) Encode(dst []byte, v *Values, o Options) ([]byte, error) {
	if err := v.Check(); err != nil {
		return dst, err
	}
	at := len(dst)
	dst, kind, err := e.appendPresence(append(dst, 0), v)
	if err != nil {
		return dst[:at], err
	}
	enc, dst := e.values(dst, v, o)
	dst[at] = kind<<6 | enc
	return dst, nil
}

func (e *Encoder) values(dst []byte, v *Values, o Options) (enc uint8, out []byte) {
	if constant(&v.Vec) {
		return encConst, appendConst(dst, &v.Vec)
	}
	switch v.Leaf.Phys() {
	case types.PhysBool:
		return encBits, appendBits(dst, &v.Vec)
	case types.PhysInt64:
		return e.intValues(dst, v.Vec.I64[:v.Vec.N], o)
	case types.PhysFloat64:
		return e.floatValues(dst, v.Vec.F64[:v.Vec.N], o)
	}
	if v.Leaf == types.LeafHistogram {
		if out, ok := e.hist.append(dst, &v.Vec, &e.ints); ok {
			return encHist, out
		}
	}
	return e.bytesValues(dst, v, o)
}

// constant reports whether all values are the same to the last bit.
func constant(v *vec.Vector) bool {
	switch v.Type.Phys() {
	case types.PhysBool:
		n := v.Bits.Count()
		return n == 0 || n == v.N
	case types.PhysInt64:
		return !slices.ContainsFunc(v.I64[:v.N], func(x int64) bool { return x != v.I64[0] })
	case types.PhysFloat64:
		first := math.Float64bits(v.F64[0])
		return !slices.ContainsFunc(v.F64[:v.N], func(x float64) bool { return math.Float64bits(x) != first })
	}
	first := v.Bytes(0)
	for i := 1; i < v.N; i++ {
		if !bytes.Equal(v.Bytes(i), first) {
			return false
		}
	}
	return true
}

func appendConst(dst []byte, v *vec.Vector) []byte {
	switch v.Type.Phys() {
	case types.PhysBool:
		return append(dst, byte(boolInt(v.Bits.Get(0))))
	case types.PhysInt64:
		return binary.AppendVarint(dst, v.I64[0])
	case types.PhysFloat64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.F64[0]))
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.Bytes(0))))
	return append(dst, v.Bytes(0)...)
}

func appendBits(dst []byte, v *vec.Vector) []byte {
	n := (v.N + 7) / 8
	for i := range n {
		dst = append(dst, byte(v.Bits[i>>3]>>(8*(uint(i)&7))))
	}
	return dst
}

// gainOverSimpler is the share, in percent, by which a dictionary must beat the form without one.
const gainOverSimpler = 15

func worthIt(size, simpler int) bool { return size*100 <= simpler*(100-gainOverSimpler) }

func (e *Encoder) intValues(dst []byte, vals []int64, o Options) (uint8, []byte) {
	simple := e.ints.plan(vals, allowAll)
	if simple.size > 2*len(vals) || (o.AlignCodes && simple.size > len(vals)) {
		if out, ok := e.intDict(dst, vals, simple.size, o); ok {
			return encDict, out
		}
		simple = e.ints.plan(vals, allowAll)
	}
	return encInts, e.ints.write(dst, vals, simple)
}

// intDict writes a dictionary chunk if it is worth it.
func (e *Encoder) intDict(dst []byte, vals []int64, simpler int, o Options) ([]byte, bool) {
	if !e.seen.ints(vals, len(vals)/2) {
		return dst, false
	}
	n := e.seen.n
	e.nums = e.nums[:0]
	for _, first := range e.seen.firsts {
		e.nums = append(e.nums, vals[first])
	}
	e.sortDict(n, func(a, b uint32) int { return signOf(e.nums[a], e.nums[b]) })
	sorted := make([]int64, n)
	for i, d := range e.order {
		sorted[i] = e.nums[d]
	}
	at := len(dst)
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = e.ints.append(dst, sorted)
	dst = e.appendCodes(dst, n, o)
	return dst, worthIt(len(dst)-at, simpler) || restore(&dst, at)
}

// restore cuts dst back to at and returns false.
func restore(dst *[]byte, at int) bool { *dst = (*dst)[:at]; return false }

// sortDict puts the n distinct values seen in the order of cmp: order lists them, rank is its inverse.
func (e *Encoder) sortDict(n int, cmp func(a, b uint32) int) {
	e.order, e.rank = sized(e.order, n), sized(e.rank, n)
	for i := range e.order {
		e.order[i] = uint32(i)
	}
	slices.SortFunc(e.order, cmp)
	for i, d := range e.order {
		e.rank[d] = uint32(i)
	}
}

// appendCodes writes the codes of the values seen, after sortDict.
func (e *Encoder) appendCodes(dst []byte, n int, o Options) []byte {
	e.code = e.code[:0]
	for _, d := range e.seen.ids {
		e.code = append(e.code, int64(e.rank[d]))
	}
	w := codeWidth(n, o.AlignCodes)
	if p := e.codes.plan(e.code, allowAll); p.kind == intsRuns && p.size < packedLen(len(e.code), w) {
		return e.codes.write(append(dst, 0), e.code, p)
	}
	dst = append(dst, byte(w))
	e.ints.packed = e.ints.packed[:0]
	for _, c := range e.code {
		e.ints.packed = append(e.ints.packed, uint64(c))
	}
	return appendPacked(dst, e.ints.packed, w)
}

func (e *Encoder) floatValues(dst []byte, vals []float64, o Options) (uint8, []byte) {
	if ints, ok := e.integers(vals); ok {
		p := e.ints.plan(ints, allowAll)
		return encInts, e.ints.write(dst, ints, p)
	}
	if e.seen.floats(vals, len(vals)/2) {
		at := len(dst)
		dst = e.floatDict(dst, vals, o)
		if worthIt(len(dst)-at, 8*len(vals)) {
			return encDict, dst
		}
		dst = dst[:at]
	}
	for _, x := range vals {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return encPlain, dst
}

func (e *Encoder) integers(vals []float64) ([]int64, bool) {
	e.nums = e.nums[:0]
	for _, v := range vals {
		i, ok := integral(v)
		if !ok {
			return nil, false
		}
		e.nums = append(e.nums, i)
	}
	return e.nums, true
}

// floatDict orders by SQL's order and then by bits, so that 0 and -0 and the NaNs have a place.
func (e *Encoder) floatDict(dst []byte, vals []float64, o Options) []byte {
	n := e.seen.n
	e.floats = e.floats[:0]
	for _, first := range e.seen.firsts {
		e.floats = append(e.floats, vals[first])
	}
	e.sortDict(n, func(a, b uint32) int {
		x, y := e.floats[a], e.floats[b]
		if c := column.CompareFloat(x, y); c != 0 {
			return c
		}
		return signOf(int64(math.Float64bits(x)), int64(math.Float64bits(y)))
	})
	dst = binary.AppendUvarint(dst, uint64(n))
	for _, d := range e.order {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.floats[d]))
	}
	return e.appendCodes(dst, n, o)
}
