package expr

import (
	"slices"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Where the arms of CASE or COALESCE have their texts from one dictionary and from constants, so has the result: no text is copied,
// and whatever groups or compares the rows still does so by code.

// chosenDict is a dictionary with constants behind its entries. It is never changed, as others remember what they know of it by its
// address: one more constant makes another.
type chosenDict struct {
	of   *vec.Vector // the arms'; nil: there are only constants
	dict *vec.Vector
	from int // the first constant
}

// chosenMost is the most constants of a dictionary; when there are more it begins anew.
const chosenMost = 64

// coded makes out the result, whose rows in valid have a value, by code; false if the arms are not of that form.
func (c *chooser) coded(valid vec.Bitmap, n int) bool {
	var of *vec.Vector
	for _, a := range c.arms {
		switch {
		case a.v.Form == vec.Const:
		case a.v.Form != vec.Dict || of != nil && of != a.v.Dict:
			return false
		default:
			of = a.v.Dict
		}
	}
	d := &c.dict
	if d.dict == nil || d.of != of || d.dict.N-d.from > chosenMost {
		if !d.begin(of, c.t) {
			return false
		}
	}
	c.codes = c.codes[:0]
	for _, a := range c.arms {
		code := uint32(0)
		if a.v.Form == vec.Const && !a.v.Null(0) {
			var ok bool
			if code, ok = d.code(a.v.Bytes(0)); !ok {
				return false
			}
		}
		c.codes = append(c.codes, code)
	}
	if d.dict.N == 0 {
		return false // all is NULL
	}
	out := &c.out
	out.Reset(c.t)
	out.Form, out.N, out.Dict = vec.Dict, n, d.dict
	out.Codes = slices.Grow(out.Codes[:0], n)[:n]
	clear(out.Codes)
	for k, a := range c.arms {
		if code := c.codes[k]; a.v.Form == vec.Const {
			a.sel.All(func(i int) { out.Codes[i] = code })
			continue
		}
		codes := a.v.Codes
		a.sel.All(func(i int) { out.Codes[i] = codes[i] })
	}
	if len(valid) > 0 {
		clearCodes(out.Codes, valid)
	}
	return true
}

// begin starts with the entries of a dictionary.
func (d *chosenDict) begin(of *vec.Vector, t types.Type) bool {
	d.of, d.from, d.dict = of, 0, &vec.Vector{}
	if of != nil {
		*d.dict = *of
		d.dict.Data = slices.Clip(of.Data)
		d.from = of.N
	}
	if of == nil {
		d.dict.Reset(t)
	}
	d.dict.Type = t
	return d.dict.Valid == nil
}

// code returns the entry of a constant, which it adds if there is none; false if that were to copy more than rows are worth it.
func (d *chosenDict) code(b []byte) (uint32, bool) {
	old := d.dict
	for i := d.from; i < old.N; i++ {
		if string(old.Data[old.Off[i]:old.Off[i+1]]) == string(b) {
			return uint32(i), true
		}
	}
	if old.N > maxDictEval && len(b) > 0 {
		return 0, false
	}
	v := &vec.Vector{Type: old.Type, N: old.N + 1}
	v.Off = append(make([]uint32, 0, old.N+2), old.Off...)
	if len(v.Off) == 0 {
		v.Off = append(v.Off, 0)
	}
	end := v.Off[old.N]
	v.Data = append(old.Data[:end:end], b...) // an empty text shares the others' memory
	v.Off = append(v.Off[:old.N+1], end+uint32(len(b)))
	d.dict = v
	return uint32(old.N), true
}
