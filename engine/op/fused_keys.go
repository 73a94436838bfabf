package op

import (
	"bytes"

	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// keyCodes is one key of the current row group as small codes: those of its dictionary, the distances of integers from the
// least, false and true. NULL has the code behind them.
type keyCodes struct {
	n       int // codes are below it; 1: all rows have code 0
	null    int // -1: no NULLs
	dict    *vec.Vector
	base    int64
	c8      []uint8 // of all rows; one of c8 and c16 if n > 1
	c16     []uint16
	own8    []uint8
	own16   []uint16
	release func()
	vec     vec.Vector
	steps   *steps   // of the key, if it may have such
	stepped bool     // the codes are by step
	codes   []uint16 // of the values of a dictionary
	// The values of all rows, where there are no codes: then only runs are numbered.
	vals, ownVals, more, ownMore []int64
	valid, ownValid              vec.Bitmap // nil: no NULLs
}

// codesMost is the largest domain of codes, of one key or of the product of several.
const codesMost = 1 << 16

// worthwhile returns the most codes by which it pays to accumulate so many rows: naming what occurred costs a look at each.
func worthwhile(rows int) int { return max(256, min(codesMost, rows/4)) }

// load finds the codes of the key; false if there are none, or more than most.
func (k *keyCodes) load(w *scan.Worker, g *rowGroup, key *fusedKey, most int) (ok bool, err error) {
	k.n, k.null, k.dict, k.base, k.c8, k.c16, k.stepped = 1, -1, nil, 0, nil, nil, false
	k.vals, k.more, k.valid = nil, nil, nil
	col, absent := w.Column(key.col)
	if absent {
		k.null = 0
		return true, nil
	}
	if col == nil || key.isFloat(col) {
		return false, nil // equal floats may print differently: the general path keeps the first
	}
	if k.steps != nil {
		if ok, err := k.byStep(k.steps, col, g, most); ok || err != nil {
			k.stepped = true
			return ok, err
		}
		k.n, k.null, k.dict = 1, -1, nil
	}
	if k.lend(col, g, most) {
		return true, nil
	}
	st := col.Stats()
	if !k.domain(&st, col.Leaf(), most) {
		return false, nil
	}
	if k.n == 1 {
		return true, nil
	}
	return k.read(col, g)
}

// isFloat reports whether the key is a float.
func (k *fusedKey) isFloat(col column.Column) bool {
	return col.Leaf().Phys() == types.PhysFloat64 && (k.e == nil || k.e.Type().Phys() == types.PhysFloat64)
}

// lend takes the codes as they are stored.
func (k *keyCodes) lend(col column.Column, g *rowGroup, most int) bool {
	cd, ok := col.(column.Coded)
	if !ok {
		return false
	}
	c8, c16, dict, release, ok, err := cd.Codes(0, g.rows)
	if err != nil || !ok { // an error is that of reading, which comes next
		return false
	}
	if dict.N > most {
		release()
		return false
	}
	k.n, k.dict, k.c8, k.c16, k.release = dict.N, dict, c8, c16, release
	if c16 != nil && k.n <= 256 {
		k.own8 = sized(k.own8, len(c16))
		for i, c := range c16 {
			k.own8[i] = uint8(c)
		}
		k.c8, k.c16 = k.own8, nil
	}
	return true
}

// domain sets what codes there are, from the column's statistics.
func (k *keyCodes) domain(st *column.Stats, leaf types.Leaf, most int) bool {
	switch {
	case st.Dict != nil && st.Dict.N > 0:
		k.dict, k.n = st.Dict, st.Dict.N
	case leaf == types.LeafBool:
		k.n = 2
	case leaf == types.LeafInt && st.Bounded && uint64(st.MaxI)-uint64(st.MinI) < uint64(most):
		k.base, k.n = st.MinI, int(st.MaxI-st.MinI)+1
	default:
		return false
	}
	if st.Present < st.Rows {
		k.null = k.n
		k.n++
	}
	return k.n <= most
}

// read decodes the column for the blocks with rows that passed, and narrows the codes.
func (k *keyCodes) read(col column.Column, g *rowGroup) (bool, error) {
	small := k.own(g.rows)
	return k.decode(g, vec.BlockRows, col.Read, func(from, to int) bool {
		var some vec.Bitmap
		if g.sel != nil {
			if some = g.sel[from>>6 : vec.Words(to)]; some.Count()*narrowFew > to-from {
				some = nil
			}
		}
		if small {
			return narrow(k, &k.vec, some, k.c8[from:to])
		}
		return narrow(k, &k.vec, some, k.c16[from:to])
	})
}

// own makes room for a code of every row; small if it is a byte.
func (k *keyCodes) own(rows int) (small bool) {
	if k.n <= 256 {
		k.own8 = sized(k.own8, rows)
		k.c8 = k.own8
		return true
	}
	k.own16 = sized(k.own16, rows)
	k.c16 = k.own16
	return false
}

// decode reads values into vec, so many rows at a time, where some row passed, and lets f take them; ok is false once f is.
// The other rows get code 0, and not what an earlier row group left: whoever takes larger blocks looks every row's code up.
func (k *keyCodes) decode(g *rowGroup, step int, read func(from, to int, dst *vec.Vector) error, f func(from, to int) bool) (ok bool, err error) {
	for from := 0; from < g.rows; from += step {
		to := min(from+step, g.rows)
		if g.sel != nil && !anyBit(g.sel[from>>6:vec.Words(to)]) {
			k.blank(from, to)
			continue
		}
		if err := read(from, to, &k.vec); err != nil {
			return false, err
		}
		if !f(from, to) {
			return false, nil
		}
	}
	return true, nil
}

func (k *keyCodes) blank(from, to int) {
	if k.c8 != nil {
		clear(k.c8[from:to])
	} else if k.c16 != nil {
		clear(k.c16[from:to])
	}
}

func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

func anyBit(b vec.Bitmap) bool {
	for _, w := range b {
		if w != 0 {
			return true
		}
	}
	return false
}

// narrowFew is the part of a block's rows (one in so many) up to which only these are narrowed.
const narrowFew = 16

// narrow writes the codes of v's rows; false if v does not keep to what the statistics promised. Rows that are not in some
// (nil: all are) may get code 0 instead.
func narrow[C uint8 | uint16](k *keyCodes, v *vec.Vector, some vec.Bitmap, out []C) bool {
	if v.Form == vec.Const {
		c, ok := k.codeOf(v)
		for i := range out {
			out[i] = C(c)
		}
		return ok
	}
	switch {
	case k.dict != nil:
		if v.Form != vec.Dict || v.Dict != k.dict {
			return false
		}
		for i, c := range v.Codes[:len(out)] {
			out[i] = C(c)
		}
	case v.Form != vec.Flat:
		return false
	case v.Type.Phys() == types.PhysBool:
		for i := range out {
			out[i] = C(v.Bits[i>>6] >> (i & 63) & 1)
		}
	case some != nil && v.Valid == nil:
		clear(out)
		ok := true
		some.All(func(i int) {
			d := uint64(v.I64[i] - k.base)
			out[i] = C(d)
			ok = ok && d < uint64(k.n)
		})
		return ok
	case v.Valid == nil:
		beyond := uint64(0)
		for i, x := range v.I64[:len(out)] {
			d := uint64(x - k.base)
			out[i] = C(d)
			beyond = max(beyond, d)
		}
		return beyond < uint64(k.n)
	default:
		for i, x := range v.I64[:len(out)] {
			out[i] = C(x - k.base)
		}
	}
	if v.Valid == nil {
		return true
	}
	if k.null < 0 {
		return false
	}
	for i := range out {
		if !v.Valid.Get(i) {
			out[i] = C(k.null)
		} else if int(out[i]) >= k.n {
			return false
		}
	}
	return true
}

// codeOf returns the code of a constant vector's value.
func (k *keyCodes) codeOf(v *vec.Vector) (int, bool) {
	switch {
	case v.Null(0):
		return k.null, k.null >= 0
	case v.Type.Phys() == types.PhysBool:
		if k.dict == nil {
			if v.Bool(0) {
				return 1, true
			}
			return 0, true
		}
	case k.dict == nil:
		d := uint64(v.Int(0) - k.base)
		return int(d), d < uint64(k.n)
	}
	for i := range k.dict.N {
		if holdsValue(k.dict, i, v) {
			return i, true
		}
	}
	return 0, false
}

func holdsValue(d *vec.Vector, i int, v *vec.Vector) bool {
	switch d.Type.Phys() {
	case types.PhysBool:
		return d.Bool(i) == v.Bool(0)
	case types.PhysInt64:
		return d.Int(i) == v.Int(0)
	case types.PhysBytes:
		return bytes.Equal(d.Bytes(i), v.Bytes(0))
	}
	return false
}

// appendKeys appends the values of codes to out, which is flat and of the key's type.
func (k *keyCodes) appendKeys(codes []uint32, out *vec.Vector) {
	if k.vals != nil {
		k.appendValues(codes, out)
		return
	}
	for _, c := range codes {
		switch {
		case int(c) == k.null:
			out.AppendNull()
		case k.dict != nil:
			out.AppendFrom(k.dict, int(c))
		case out.Type.Phys() == types.PhysBool:
			out.AppendBool(c != 0)
		default:
			out.AppendInt(k.base + int64(c))
		}
	}
}

// codeIndex is the keys of the current row group as one code for each row.
type codeIndex struct {
	n     int // codes are below it; 1: all rows have code 0
	c8    []uint8
	c16   []uint16
	own8  []uint8
	own16 []uint16
	runs  []uint16 // nil: the codes are those of the keys; else of runs of rows, which begin there
}

// loadIndex makes index the codes of all keys together, or the numbers of runs; false if the row group has to take the
// general path.
func (x *fusedWorker) loadIndex() bool {
	at := &x.index
	at.n, at.c8, at.c16, at.runs = 1, nil, nil, nil
	most := worthwhile(x.group.alive)
	runs := !x.w.x.env.NoRuns && len(x.keys) > 0 && 8*x.group.alive >= x.group.rows && (x.end.scatters() || x.runs.wanted())
	limit := most
	if runs {
		limit = codesMost
	}
	for i := range x.keys {
		k, c := &x.keys[i], x.f.keys[i].col
		ok, err := k.load(x.scan, &x.group, &x.f.keys[i], limit)
		if err == nil && ok && at.n <= most {
			at.n *= k.n
		} else if err == nil && !ok && runs {
			ok, err = k.loadValues(x.scan, &x.group, c, x.f.read[c].Type)
			at.n = most + 1
		}
		if !ok || err != nil || at.n > most && !runs { // an error comes again where the general path reads the column
			x.release()
			return false
		}
	}
	if at.n <= most && !(runs && x.end.scatters() && at.n > 256) || x.oneText() {
		x.combine()
		return true
	}
	if !x.numberRuns() {
		x.release()
		return false
	}
	return true
}

// oneText reports whether the only key has the codes of a dictionary of texts: what occurs of it is named once for each entry, which
// is less than for each run.
func (x *fusedWorker) oneText() bool {
	if len(x.keys) != 1 || x.keys[0].dict == nil || x.f.keys[0].e != nil {
		return false
	}
	t := x.f.read[x.f.keys[0].col].Type
	return t.Phys() == types.PhysBytes && t.Kind != types.UUID // identifiers are as cheap to name as runs
}

// release gives back the codes that were lent.
func (x *fusedWorker) release() {
	for i := range x.keys {
		k := &x.keys[i]
		if k.release != nil {
			k.release()
			k.release = nil
		}
		k.c8, k.c16 = nil, nil
	}
	x.index.c8, x.index.c16, x.index.runs = nil, nil, nil
}

// combine computes index = c0 + n0*(c1 + n1*c2 …).
func (x *fusedWorker) combine() {
	at := &x.index
	if at.n == 1 {
		return
	}
	rows, stride, first := x.group.rows, 1, true
	for i := range x.keys {
		k := &x.keys[i]
		if k.n == 1 {
			continue
		}
		if k.n == at.n { // the only one that varies
			if k.c8 != nil {
				at.c8 = k.c8
			} else {
				at.c16 = k.c16
			}
			return
		}
		if at.n <= 256 {
			at.own8 = sized(at.own8, rows)
			at.c8 = at.own8
			fold8(at.c8, k.c8, uint8(stride), first)
		} else {
			at.own16 = sized(at.own16, rows)
			at.c16 = at.own16
			if k.c8 != nil {
				fold16(at.c16, k.c8, uint16(stride), first)
			} else {
				fold16(at.c16, k.c16, uint16(stride), first)
			}
		}
		stride *= k.n
		first = false
	}
}

func fold8(out, codes []uint8, stride uint8, first bool) {
	out = out[:len(codes)]
	if first {
		copy(out, codes)
		return
	}
	for i, c := range codes {
		out[i] += c * stride
	}
}

func fold16[C uint8 | uint16](out []uint16, codes []C, stride uint16, first bool) {
	out = out[:len(codes)]
	if first {
		for i, c := range codes {
			out[i] = uint16(c)
		}
		return
	}
	for i, c := range codes {
		out[i] += uint16(c) * stride
	}
}
