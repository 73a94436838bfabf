package column

import (
	"bytes"
	"cmp"
	"math"
	"sort"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// CompareFloat orders floats as SQL does: NaN equals NaN and is above everything, -0 equals 0.
func CompareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	an, bn := math.IsNaN(a), math.IsNaN(b)
	switch {
	case an && bn:
		return 0
	case an:
		return 1
	}
	return -1
}

var presentPreds = func() (p [types.LeafJSON + 1]Pred) {
	for leaf := range p {
		p[leaf] = Pred{Op: OpPresent, Leaf: types.Leaf(leaf)}
	}
	return p
}()

// Present returns the predicate that every value of the leaf kind passes. It is shared: nobody changes it.
func Present(leaf types.Leaf) *Pred { return &presentPreds[leaf] }

// Apply clears the bits of sel whose row in v is NULL or fails p. It is the plain form of Column.Filter, for decoded
// values: what every encoded form must agree with.
func (p *Pred) Apply(v *vec.Vector, sel vec.Bitmap) error {
	if p.Op == OpMatch {
		return p.applyMatch(v, sel)
	}
	if p.Op == OpIn && p.applyIn(v, sel) {
		return nil
	}
	sel.All(func(i int) {
		if v.Null(i) || p.Op != OpPresent && !p.holds(v, i) {
			sel.Clear(i)
		}
	})
	return nil
}

func (p *Pred) applyMatch(v *vec.Vector, sel vec.Bitmap) error {
	vals := v
	if v.Form == vec.Dict {
		vals = v.Dict
	} else if v.Form == vec.Const || v.HasNulls() {
		vals = &vec.Vector{}
		vals.Reset(v.Type)
		for i := range v.N {
			if v.Null(i) {
				vals.AppendFrom(zeroOf(v.Type), 0)
			} else {
				vals.AppendFrom(v, i)
			}
		}
	}
	pass := vec.MakeBitmap(vals.N)
	if err := p.Match(vals, pass); err != nil {
		return err
	}
	sel.All(func(i int) {
		j := i
		if v.Form == vec.Dict {
			j = int(v.Codes[i])
		}
		if v.Null(i) || !pass.Get(j) {
			sel.Clear(i)
		}
	})
	return nil
}

func zeroOf(t types.Type) *vec.Vector {
	z := &vec.Vector{}
	z.Reset(t)
	switch t.Phys() {
	case types.PhysBool:
		z.AppendBool(false)
	case types.PhysInt64:
		z.AppendInt(0)
	case types.PhysFloat64:
		z.AppendFloat(0)
	default:
		z.AppendBytes(nil)
	}
	return z
}

func (p *Pred) holds(v *vec.Vector, i int) bool {
	if p.Op == OpIn {
		return p.inList(v, i)
	}
	var c int
	switch p.Leaf {
	case types.LeafBool:
		x := int64(0)
		if v.Bool(i) {
			x = 1
		}
		c = cmp.Compare(x, p.I)
	case types.LeafInt:
		c = cmp.Compare(v.Int(i), p.I)
	case types.LeafFloat:
		c = CompareFloat(v.Float(i), p.F)
	default:
		c = bytes.Compare(v.Bytes(i), p.B)
	}
	return p.Op.Holds(c)
}

func (p *Pred) inList(v *vec.Vector, i int) bool {
	l := p.List
	var at int
	switch p.Leaf {
	case types.LeafBool:
		x := v.Bool(i)
		for k := range l.N {
			if l.Bool(k) == x {
				return true
			}
		}
		return false
	case types.LeafInt:
		x := v.Int(i)
		at = sort.Search(l.N, func(k int) bool { return l.I64[k] >= x })
		return at < l.N && l.I64[at] == x
	case types.LeafFloat:
		x := v.Float(i)
		at = sort.Search(l.N, func(k int) bool { return CompareFloat(l.F64[k], x) >= 0 })
		return at < l.N && CompareFloat(l.F64[at], x) == 0
	}
	x := v.Bytes(i)
	at = sort.Search(l.N, func(k int) bool { return bytes.Compare(l.Bytes(k), x) >= 0 })
	return at < l.N && bytes.Equal(l.Bytes(at), x)
}

// Holds reports whether the comparison is true for the sign c of value - constant.
func (o Op) Holds(c int) bool {
	switch o {
	case OpEq:
		return c == 0
	case OpNe:
		return c != 0
	case OpLt:
		return c < 0
	case OpLe:
		return c <= 0
	case OpGt:
		return c > 0
	case OpGe:
		return c >= 0
	}
	return false
}
