package agg

import (
	"math"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// newExtreme returns min (sign -1) or max (sign 1).
func newExtreme(ts []types.Type, sign int) State {
	if len(ts) != 1 {
		return nil
	}
	switch ts[0].Phys() {
	case types.PhysInt64:
		return &intExtreme{most: sign > 0}
	case types.PhysFloat64:
		return &floatExtreme{sign: sign}
	case types.PhysBytes:
		return &bytesExtreme{t: ts[0], sign: sign}
	}
	return nil
}

// intExtreme is min and max of the integer class. A group without values is told by seen.
type intExtreme struct {
	most  bool
	val   []int64
	seen  vec.Bitmap
	buf   vec.Bitmap
	vals  []int64
	dense dense[int64]
}

func (s *intExtreme) Grow(n int) {
	from := len(s.val)
	s.val = grown(s.val, n)
	for i := from; i < len(s.val); i++ {
		s.val[i] = math.MaxInt64
		if s.most {
			s.val[i] = math.MinInt64
		}
	}
	s.seen = grown(s.seen, vec.Words(n))
}

func (s *intExtreme) Add(in *Input) error {
	v := in.Args[0]
	sel := in.present(v, &s.buf)
	if count(sel, in.N) == 0 {
		return nil
	}
	if v.Form == vec.Const && in.Groups == nil {
		s.add(in.One, v.Int(0))
		return nil
	}
	xs := ints(v, in.N, &s.vals)
	if in.Groups == nil {
		least, most := kernel.Range(xs, sel)
		s.add(in.One, least)
		s.add(in.One, most)
		return nil
	}
	xs, groups := s.dense.rows(xs, in, sel)
	if s.most {
		s.addMost(xs, groups)
	} else {
		s.addLeast(xs, groups)
	}
	return nil
}

// addLeast and addMost set seen where the value changes only: the first value of a group is never beyond what it starts with.
func (s *intExtreme) addLeast(xs []int64, groups []uint32) {
	for i, g := range groups {
		if x := xs[i]; x <= s.val[g] {
			s.val[g] = x
			s.seen.Set(int(g))
		}
	}
}

func (s *intExtreme) addMost(xs []int64, groups []uint32) {
	for i, g := range groups {
		if x := xs[i]; x >= s.val[g] {
			s.val[g] = x
			s.seen.Set(int(g))
		}
	}
}

func (s *intExtreme) add(g uint32, x int64) {
	s.seen.Set(int(g))
	if s.most == (x > s.val[g]) {
		if x != s.val[g] {
			s.val[g] = x
		}
	}
}

func (s *intExtreme) Merge(o State, from, to []uint32) error {
	p := o.(*intExtreme)
	for k, t := range to {
		g := source(from, k)
		if p.seen.Get(g) {
			s.add(t, p.val[g])
		}
	}
	return nil
}

func (s *intExtreme) Result(from, to int, out *vec.Vector) error {
	for g := from; g < to; g++ {
		if s.seen.Get(g) {
			out.AppendInt(s.val[g])
		} else {
			out.AppendNull()
		}
	}
	return nil
}

func (s *intExtreme) Bytes() int64 { return int64(cap(s.val)) * 9 }

// floatExtreme keeps, of equal values, the first: -0 and 0 print differently.
type floatExtreme struct {
	sign  int
	val   []float64
	seen  vec.Bitmap
	buf   vec.Bitmap
	vals  []float64
	dense dense[float64]
}

func (s *floatExtreme) Grow(n int) {
	s.val, s.seen = grown(s.val, n), grown(s.seen, vec.Words(n))
}

func (s *floatExtreme) Add(in *Input) error {
	v := in.Args[0]
	sel := in.present(v, &s.buf)
	if v.Form == vec.Const && in.Groups == nil {
		if count(sel, in.N) > 0 {
			s.add(in.One, v.Float(0))
		}
		return nil
	}
	xs, groups := s.dense.rows(floats(v, in.N, &s.vals), in, sel)
	if groups == nil {
		if len(xs) > 0 {
			s.add(in.One, firstExtreme(xs, s.sign))
		}
		return nil
	}
	for i, g := range groups {
		s.add(g, xs[i])
	}
	return nil
}

// firstExtreme returns the least (sign -1) or the greatest (sign 1) of xs, which has one, of equal ones the first.
func firstExtreme(xs []float64, sign int) float64 {
	best := xs[0]
	if sign > 0 {
		for _, x := range xs {
			if x > best || (x != x && best == best) {
				best = x
			}
		}
		return best
	}
	for _, x := range xs {
		if x < best || (best != best && x == x) {
			best = x
		}
	}
	return best
}

func (s *floatExtreme) add(g uint32, x float64) {
	if !s.seen.Get(int(g)) {
		s.seen.Set(int(g))
		s.val[g] = x
		return
	}
	if column.CompareFloat(x, s.val[g])*s.sign > 0 {
		s.val[g] = x
	}
}

func (s *floatExtreme) Merge(o State, from, to []uint32) error {
	p := o.(*floatExtreme)
	for k, t := range to {
		g := source(from, k)
		if p.seen.Get(g) {
			s.add(t, p.val[g])
		}
	}
	return nil
}

func (s *floatExtreme) Result(from, to int, out *vec.Vector) error {
	for g := from; g < to; g++ {
		if s.seen.Get(g) {
			out.AppendFloat(s.val[g])
		} else {
			out.AppendNull()
		}
	}
	return nil
}

func (s *floatExtreme) Bytes() int64 { return int64(cap(s.val)) * 9 }

// bytesExtreme is min and max of everything held as bytes, in the type's own order. A nil value is "none yet".
type bytesExtreme struct {
	t    types.Type
	sign int
	val  [][]byte
	held int64
	buf  vec.Bitmap

	codes vec.Bitmap // that the batch has had
}

func (s *bytesExtreme) Grow(n int) { s.val = grown(s.val, n) }

func (s *bytesExtreme) Add(in *Input) error {
	v := in.Args[0]
	sel := in.present(v, &s.buf)
	if v.Form == vec.Const && in.Groups == nil {
		if count(sel, in.N) > 0 {
			s.add(in.One, v.Bytes(0))
		}
		return nil
	}
	if v.Form == vec.Dict && in.Groups == nil {
		s.addCodes(v, in, sel)
		return nil
	}
	each(sel, in.N, func(i int) { s.add(in.group(i), v.Bytes(i)) })
	return nil
}

// addCodes adds each dictionary entry of a batch of one group once, in the order in which they come: of values that are equal
// but not the same the first stays.
func (s *bytesExtreme) addCodes(v *vec.Vector, in *Input, sel vec.Bitmap) {
	s.codes = s.codes.Resize(v.Dict.N)
	each(sel, in.N, func(i int) {
		if c := int(v.Codes[i]); !s.codes.Get(c) {
			s.codes.Set(c)
			s.add(in.One, v.Dict.Bytes(c))
		}
	})
}

func (s *bytesExtreme) add(g uint32, x []byte) {
	old := s.val[g]
	if old != nil && datum.CompareBytes(s.t, x, old)*s.sign <= 0 {
		return
	}
	if old == nil {
		old = make([]byte, 0, len(x)+8)
		s.held += int64(cap(old))
	}
	s.val[g] = append(old[:0], x...)
}

func (s *bytesExtreme) Merge(o State, from, to []uint32) error {
	p := o.(*bytesExtreme)
	for k, t := range to {
		g := source(from, k)
		if p.val[g] != nil {
			s.add(t, p.val[g])
		}
	}
	return nil
}

func (s *bytesExtreme) Result(from, to int, out *vec.Vector) error {
	for _, x := range s.val[from:to] {
		if x == nil {
			out.AppendNull()
		} else {
			out.AppendBytes(x)
		}
	}
	return nil
}

func (s *bytesExtreme) Bytes() int64 { return int64(cap(s.val))*24 + s.held }
