package agg

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func newSum(_ *plan.AggCall, ts []types.Type) State { return newTotal(ts, false) }
func newAvg(_ *plan.AggCall, ts []types.Type) State { return newTotal(ts, true) }

func newTotal(ts []types.Type, mean bool) State {
	if len(ts) != 1 {
		return nil
	}
	switch ts[0].Kind {
	case types.Int16, types.Int32, types.Int64:
		return &intSum{kind: ts[0].Kind, mean: mean}
	case types.Float32, types.Float64:
		return &floatSum{single: ts[0].Kind == types.Float32, mean: mean}
	case types.Numeric:
		return &numericSum{mean: mean}
	case types.Interval:
		return &intervalSum{mean: mean}
	}
	return nil
}

// intSum sums integers exactly.
type intSum struct {
	kind  types.Kind
	mean  bool
	sums  []kernel.IntSum
	added int64 // rows since carry
	buf   vec.Bitmap
	vals  []int64
}

// carryEvery is the number of values after which the low halves are carried over, well before they overflow.
const carryEvery = 1 << 30

func (s *intSum) Grow(n int) { s.sums = grown(s.sums, n) }

func (s *intSum) Add(in *Input) error {
	v := in.Args[0]
	sel := in.present(v, &s.buf)
	if s.added += int64(in.N); s.added > carryEvery {
		s.carry()
	}
	if v.Form == vec.Const && in.Groups == nil {
		s.addConst(v, int64(count(sel, in.N)), in.One)
		return nil
	}
	xs := ints(v, in.N, &s.vals)
	switch {
	case in.Groups == nil && sel == nil:
		hi, lo := kernel.SumInt(xs)
		s.add(in.One, kernel.IntSum{Hi: hi, Lo: lo, N: int64(in.N)})
	case in.Groups == nil:
		hi, lo := kernel.SumIntBits(xs, sel)
		s.add(in.One, kernel.IntSum{Hi: hi, Lo: lo, N: int64(sel.Count())})
	case sel == nil:
		kernel.SumGroups(xs, in.Groups, s.sums)
	default:
		kernel.SumGroupsBits(xs, in.Groups, sel, s.sums)
	}
	return nil
}

func (s *intSum) add(g uint32, x kernel.IntSum) {
	t := &s.sums[g]
	t.Hi += x.Hi
	t.Lo += x.Lo
	t.N += x.N
}

func (s *intSum) addConst(v *vec.Vector, n int64, g uint32) {
	if n > 0 {
		x := v.Int(0)
		s.add(g, kernel.IntSum{Hi: (x >> 32) * n, Lo: uint64(uint32(x)) * uint64(n), N: n})
	}
}

func (s *intSum) carry() {
	if s.added == 0 {
		return
	}
	s.added = 0
	for g := range s.sums {
		t := &s.sums[g]
		t.Hi += int64(t.Lo >> 32)
		t.Lo = uint64(uint32(t.Lo))
	}
}

func (s *intSum) seal() { s.carry() }

func (s *intSum) Merge(o State, from, to []uint32) error {
	p := o.(*intSum)
	p.seal()
	if s.added += int64(len(to)); s.added > carryEvery {
		s.carry()
	}
	for k, t := range to {
		g := source(from, k)
		s.add(t, p.sums[g])
	}
	return nil
}

func (s *intSum) Result(from, to int, out *vec.Vector) error {
	s.carry()
	var sum, n datum.Numeric
	var text []byte
	for g := from; g < to; g++ {
		t := &s.sums[g]
		if t.N == 0 {
			out.AppendNull()
			continue
		}
		small, fits := int64(0), t.Hi >= math.MinInt32 && t.Hi <= math.MaxInt32
		if fits {
			small = t.Hi<<32 + int64(t.Lo)
		}
		switch {
		case !s.mean && s.kind != types.Int64:
			if !fits {
				return datum.ErrRange(types.Int64)
			}
			out.AppendInt(small)
			continue
		case fits && !s.mean:
			text = strconv.AppendInt(text[:0], small, 10)
			out.AppendBytes(text)
			continue
		case fits:
			sum.SetInt64(small)
		default:
			if err := setWide(&sum, t.Hi, t.Lo); err != nil {
				return err
			}
		}
		if s.mean {
			n.SetInt64(t.N)
			if err := sum.Div(&sum, &n); err != nil {
				return err
			}
		}
		text = sum.AppendText(text[:0])
		out.AppendBytes(text)
	}
	return nil
}

// setWide makes n hi*2^32 + lo, lo being below 2^32.
func setWide(n *datum.Numeric, hi int64, lo uint64) error {
	var x datum.Numeric
	n.SetInt64(hi)
	x.SetInt64(1 << 32)
	if err := n.Mul(n, &x); err != nil {
		return err
	}
	x.SetInt64(int64(lo))
	return n.Add(n, &x)
}

func (s *intSum) Bytes() int64 { return int64(cap(s.sums)) * 24 }

// floatSum sums floats with a second word that keeps what rounding loses; 64 rows of the only group are summed first.
type floatSum struct {
	single bool
	mean   bool
	sum, c []float64
	n      []int64
	buf    vec.Bitmap
	vals   []float64
}

func (s *floatSum) Grow(n int) { s.sum, s.c, s.n = grown(s.sum, n), grown(s.c, n), grown(s.n, n) }

func (s *floatSum) Add(in *Input) error {
	v := in.Args[0]
	sel := in.present(v, &s.buf)
	addCounts(s.n, in, sel)
	xs := floats(v, in.N, &s.vals)
	if in.Groups == nil && in.Keyed {
		s.sum[in.One], s.c[in.One] = kernel.TwoSums(s.sum[in.One], s.c[in.One], xs, sel)
		return nil
	}
	if in.Groups == nil {
		s.sum[in.One], s.c[in.One] = kernel.SumFloats(s.sum[in.One], s.c[in.One], xs, sel)
		return nil
	}
	if sel == nil {
		for i, x := range xs {
			g := in.Groups[i]
			s.sum[g], s.c[g] = kernel.TwoSum(s.sum[g], s.c[g], x)
		}
		return nil
	}
	for w, m := range sel {
		for base := w << 6; m != 0; m &= m - 1 {
			i := base + bits.TrailingZeros64(m)
			g := in.Groups[i]
			s.sum[g], s.c[g] = kernel.TwoSum(s.sum[g], s.c[g], xs[i])
		}
	}
	return nil
}

func (s *floatSum) add(g uint32, x, c float64) {
	s.sum[g], s.c[g] = kernel.TwoSum(s.sum[g], s.c[g], x)
	s.c[g] += c
}

func (s *floatSum) Merge(o State, from, to []uint32) error {
	p := o.(*floatSum)
	for k, t := range to {
		g := source(from, k)
		s.add(t, p.sum[g], p.c[g])
		s.n[t] += p.n[g]
	}
	return nil
}

func (s *floatSum) Result(from, to int, out *vec.Vector) error {
	for g := from; g < to; g++ {
		if s.n[g] == 0 {
			out.AppendNull()
			continue
		}
		x := s.sum[g]
		if !math.IsInf(x, 0) && !math.IsNaN(x) {
			x += s.c[g]
		}
		if s.mean {
			x /= float64(s.n[g])
		} else if s.single {
			x = float64(float32(x))
		}
		out.AppendFloat(x)
	}
	return nil
}

func (s *floatSum) Bytes() int64 { return int64(cap(s.sum)) * 24 }

// numericSum sums decimals exactly.
type numericSum struct {
	mean bool
	sum  []*datum.Numeric
	n    []int64
	buf  vec.Bitmap
	x    datum.Numeric
}

func (s *numericSum) Grow(n int) { s.sum, s.n = grown(s.sum, n), grown(s.n, n) }

func (s *numericSum) Add(in *Input) error {
	v := in.Args[0]
	var failed error
	each(in.present(v, &s.buf), in.N, func(i int) {
		if failed != nil {
			return
		}
		if failed = s.x.Parse(v.Bytes(i)); failed == nil {
			failed = s.add(in.group(i), &s.x, 1)
		}
	})
	return failed
}

func (s *numericSum) add(g uint32, x *datum.Numeric, n int64) error {
	s.n[g] += n
	if s.sum[g] == nil {
		s.sum[g] = &datum.Numeric{}
		s.sum[g].Set(x)
		return nil
	}
	return s.sum[g].Add(s.sum[g], x)
}

func (s *numericSum) Merge(o State, from, to []uint32) error {
	p := o.(*numericSum)
	for k, t := range to {
		g := source(from, k)
		if p.n[g] > 0 {
			if err := s.add(t, p.sum[g], p.n[g]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *numericSum) Result(from, to int, out *vec.Vector) error {
	var n, x datum.Numeric
	var text []byte
	for g := from; g < to; g++ {
		if s.n[g] == 0 {
			out.AppendNull()
			continue
		}
		x.Set(s.sum[g])
		if s.mean {
			n.SetInt64(s.n[g])
			if err := x.Div(&x, &n); err != nil {
				return err
			}
		}
		text = x.AppendText(text[:0])
		out.AppendBytes(text)
	}
	return nil
}

func (s *numericSum) Bytes() int64 { return int64(cap(s.n)) * 96 }
