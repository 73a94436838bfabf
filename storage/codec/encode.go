package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Encoder writes chunks. It owns working memory and serves one goroutine. The same values, options and
// state give the same bytes.
type Encoder struct {
	ints     intsWriter
	hist     histWriter
	zones    zoneWriter
	seen     distinct
	nums     []int64
	code     []int64 // of the values of the last dictionary written
	runs     bool    // it stores them as runs
	runCodes runWriter
	order    []uint32
	rank     []uint32
	body     []byte
	page     []byte
	zoneV    vec.Vector
	floats   []float64
	words    []uint64
	except   []uint16 // indexes of floats that are no decimals, or ratios
	dens     []int64
	uses     []uint32 // of each code
	listed   []uint32 // rare values
	fsst     trainer
	stems    stemWriter
	times    timeWriter
	merge    merger
}

// Options steer the choice of encodings.
type Options struct {
	// AlignCodes keeps dictionary codes in whole bytes: for columns that are filtered and grouped by.
	AlignCodes bool
	// Plain stores numbers at their full width, but for those that are all the same.
	Plain bool
	// State is the column's, from the row groups before this one; nil: each group is judged by itself.
	State *State
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

// values writes with the last group's encoding where that still stands, and else with the best.
func (e *Encoder) values(dst []byte, v *Values, o Options) (enc uint8, out []byte) {
	if constant(&v.Vec) {
		return encConst, appendConst(dst, &v.Vec)
	}
	if v.Leaf.Phys() == types.PhysBool {
		return encBits, appendBits(dst, &v.Vec)
	}
	if o.Plain && v.Leaf.Phys() == types.PhysInt64 {
		return encInts, e.ints.write(dst, v.Vec.I64[:v.Vec.N], intsPlan{kind: intsPlain})
	}
	if o.Plain && v.Leaf.Phys() == types.PhysFloat64 {
		return encPlain, appendFloats(dst, v.Vec.F64[:v.Vec.N])
	}
	if v.Leaf == types.LeafHistogram { // nothing to remember: taken apart wherever that goes
		return e.best(dst, v, o)
	}
	at := len(dst)
	if last, ok := o.State.remembered(); ok {
		if dst, ok = e.as(dst, last, v, o); ok && o.State.holds(len(dst)-at, v.Vec.N) {
			return e.withRare(last, dst, at)
		}
		dst = dst[:at]
	}
	enc, dst = e.best(dst, v, o)
	o.State.keep(enc, len(dst)-at, v.Vec.N)
	return e.withRare(enc, dst, at)
}

// best tries all encodings.
func (e *Encoder) best(dst []byte, v *Values, o Options) (enc uint8, out []byte) {
	switch v.Leaf.Phys() {
	case types.PhysInt64:
		return e.intValues(dst, v.Vec.I64[:v.Vec.N], o)
	case types.PhysFloat64:
		return e.floatValues(dst, v.Vec.F64[:v.Vec.N], o)
	}
	if v.Leaf == types.LeafHistogram {
		if out, ok := e.hist.append(dst, &v.Vec, &e.ints); ok {
			return encHistBeyond, out
		}
	}
	return e.bytesValues(dst, v, o)
}

// as writes the values in one encoding; ok is false where that cannot hold them, or is not worth trying alone.
func (e *Encoder) as(dst []byte, enc uint8, v *Values, o Options) (out []byte, ok bool) {
	switch v.Leaf.Phys() {
	case types.PhysInt64:
		vals := v.Vec.I64[:v.Vec.N]
		if enc == encInts {
			return e.ints.appendWhole(dst, vals), true
		}
		return e.intDict(dst, vals, intsPlan{size: math.MaxInt / 100, direct: math.MaxInt / 100}, o)
	case types.PhysFloat64:
		return e.floatsAs(dst, enc, v.Vec.F64[:v.Vec.N], o)
	}
	return e.bytesAs(dst, enc, v, o)
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

// dictRuns is the mean length of runs from which a dictionary is tried of integers that are small without one, but for those
// that take less than a bit each.
const dictRuns = 4

func (e *Encoder) intValues(dst []byte, vals []int64, o Options) (uint8, []byte) {
	simple := e.ints.plan(vals, allowWhole)
	inRuns := simple.runs*dictRuns <= len(vals) && simple.size > len(vals)/8
	if simple.direct > 2*len(vals) || o.AlignCodes && simple.direct > len(vals) || inRuns {
		if out, ok := e.intDict(dst, vals, simple, o); ok {
			return encDict, out
		}
		simple = e.ints.plan(vals, allowWhole)
	}
	return encInts, e.ints.write(dst, vals, simple)
}

// intDict writes a dictionary chunk if it is worth it. One of few values serves who groups by them or looks for them: it is
// not given up for a stream of steps.
func (e *Encoder) intDict(dst []byte, vals []int64, simple intsPlan, o Options) ([]byte, bool) {
	if !e.seen.ints(vals, len(vals)/2) {
		return dst, false
	}
	n := e.seen.n
	simpler := simple.size
	if o.AlignCodes && n <= 256 {
		simpler = simple.direct
	}
	e.nums = e.nums[:0]
	for _, first := range e.seen.firsts {
		e.nums = append(e.nums, vals[first])
	}
	e.sortDict(n, func(a, b uint32) int { return cmp.Compare(e.nums[a], e.nums[b]) })
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
	if dst, e.runs = appendRunCodes(&e.runCodes, dst, e.code, n, packedLen(len(e.code), w)); e.runs {
		return dst
	}
	dst = append(dst, byte(w))
	return appendDistances(dst, e.code, 0, w)
}

// floatValues picks between integers, a dictionary, decimals, ratios and 8 bytes each.
func (e *Encoder) floatValues(dst []byte, vals []float64, o Options) (uint8, []byte) {
	if ints, ok := e.integers(vals); ok {
		p := e.ints.plan(ints, allowWhole)
		return encInts, e.ints.write(dst, ints, p)
	}
	var c contest
	c.offer(encPlain, 8*len(vals), 0)
	at := len(dst)
	if e.seen.floats(vals, len(vals)/2) {
		dst = e.floatDict(dst, vals, o)
		if !c.offer(encDict, len(dst)-at, 0) {
			dst = dst[:at]
		}
	}
	if digits, perValue, ok := e.planALP(vals); ok && worthIt(penalised(int(perValue*float64(len(vals))), penaltyALP), c.score) {
		e.body = e.appendALP(e.body[:0], vals, digits)
		if c.offer(encALP, len(e.body), penaltyALP) {
			return encALP, append(dst[:at], e.body...)
		}
	}
	if perValue, ok := planRatio(e.sampleFloats(vals)); ok && worthIt(penalised(int(perValue*float64(len(vals))), penaltyRatio), c.score) {
		e.body = e.appendRatio(e.body[:0], vals)
		if c.offer(encRatio, len(e.body), penaltyRatio) {
			return encRatio, append(dst[:at], e.body...)
		}
	}
	if c.enc == encDict {
		return encDict, dst
	}
	return encPlain, appendFloats(dst, vals)
}

func appendFloats(dst []byte, vals []float64) []byte {
	for _, x := range vals {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}

// planALP looks at a sample: see alpPlan.
func (e *Encoder) planALP(vals []float64) (digits int, perValue float64, ok bool) {
	return alpPlan(e.sampleFloats(vals))
}

func (e *Encoder) sampleFloats(vals []float64) []float64 {
	e.floats = e.floats[:0]
	sampleRows(len(vals), func(from, to int) { e.floats = append(e.floats, vals[from:to]...) })
	return e.floats
}

func (e *Encoder) floatsAs(dst []byte, enc uint8, vals []float64, o Options) ([]byte, bool) {
	switch enc {
	case encDict:
		if e.seen.floats(vals, len(vals)/2) {
			return e.floatDict(dst, vals, o), true
		}
	case encInts:
		if ints, ok := e.integers(vals); ok {
			return e.ints.appendWhole(dst, ints), true
		}
	case encPlain:
		return appendFloats(dst, vals), true
	case encRatio:
		dst = e.appendRatio(dst, vals)
		return dst, 10*len(e.except) <= len(vals)
	case encALP:
		if digits, _, ok := e.planALP(vals); ok {
			return e.appendALP(dst, vals, digits), true
		}
	}
	return dst, false
}

// withRare adds lists of the rare values to a dictionary chunk that begins at at, if there are any.
func (e *Encoder) withRare(enc uint8, dst []byte, at int) (uint8, []byte) {
	if enc != encDict {
		return enc, dst
	}
	if out, ok := e.appendRare(dst, e.seen.n, len(dst)-at); ok {
		return encDictRare, out
	}
	return enc, dst
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
		return cmp.Compare(int64(math.Float64bits(x)), int64(math.Float64bits(y)))
	})
	dst = binary.AppendUvarint(dst, uint64(n))
	for _, d := range e.order {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.floats[d]))
	}
	return e.appendCodes(dst, n, o)
}
