package op

import (
	"math"
	"math/bits"
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A key that never falls, or never rises, with its column (date_trunc, a cast of a time to a date, a division by a constant,
// width_bucket) divides the column's range into intervals of equal results. Few of them are found by bisection from the
// column's bounds, and then a row's code is the number of the interval that its value lies in: the key is computed once for an
// interval, not once a row.

// steps are the intervals that are known of a key, over integers: the column's, or those of its decimals.
type steps struct {
	ev     *expr.Evaluator
	ctx    *expr.Ctx
	t      types.Type // the column's
	div    float64    // of decimals; 0: the column is of integers
	known  bool
	lo, hi int64   // the range in which cuts are all there are
	cuts   []int64 // the least value of each interval but the first
	table  kernel.Steps
	dict   vec.Vector // a value of each interval
	failed int        // row groups in which there were none, or too many
	batch  vec.Batch
	val    vec.Vector
	open   []interval
	next   []interval
}

// interval is a range whose ends have different results.
type interval struct{ a, b int64 }

// stepsFailed is after how many row groups without them they are no longer looked for.
const stepsFailed = 3

// monotone reports whether e depends on one column and is monotone in it, by what its functions promise. The result is no
// float: of equal ones that print differently the first would have to be kept.
func monotone(e expr.Expr) bool {
	if _, ok := e.(*expr.Call); !ok || e.Type().Phys() == types.PhysFloat64 {
		return false
	}
	for {
		call, ok := e.(*expr.Call)
		if !ok {
			return isColumn(e)
		}
		at := -1
		for i, a := range call.Args {
			if len(columnsRead(a)) > 0 {
				if at >= 0 {
					return false
				}
				at = i
			}
		}
		if at < 0 || !call.Fn.MonotoneIn(at) {
			return false
		}
		e = call.Args[at]
	}
}

func newSteps(k *fusedKey, t types.Type, cols int, ctx *expr.Ctx) *steps {
	s := &steps{ev: expr.Compile(k.e), ctx: ctx, t: t}
	s.batch.Cols = make([]*vec.Vector, cols)
	s.batch.Cols[k.col] = &s.val
	return s
}

// cover finds the intervals of [lo, hi]; false if there are more than most, or the key cannot be computed somewhere.
func (s *steps) cover(lo, hi int64, div float64, most int) bool {
	if s.failed >= stepsFailed || lo > hi || hi == math.MaxInt64 || lo == math.MinInt64 || uint64(hi)-uint64(lo) > math.MaxInt64 {
		return false
	}
	if s.known && s.div == div && lo >= s.lo && hi <= s.hi {
		return len(s.cuts) < most
	}
	if !s.extend(lo, hi, div, most) {
		s.failed++
		s.known = false
		return false
	}
	return true
}

func (s *steps) extend(lo, hi int64, div float64, most int) bool {
	ok := true
	find := func(a, b int64) (cuts []int64) {
		if ok && a < b {
			cuts, ok = s.bisect(a, b, most)
		}
		return cuts
	}
	if !s.known || s.div != div {
		s.div, s.lo, s.hi = div, lo, hi
		s.cuts = find(lo, hi)
	} else {
		before, after := find(lo, s.lo), find(s.hi, hi)
		s.cuts = slices.Concat(before, s.cuts, after)
		s.lo, s.hi = min(s.lo, lo), max(s.hi, hi)
	}
	if s.known = ok && len(s.cuts) < min(most, codesMost); !s.known || s.hi-s.lo < 0 {
		return false
	}
	s.index()
	return true
}

// bisect finds the cuts in [a, b]; false if there are too many, or the key cannot be computed.
func (s *steps) bisect(a, b int64, most int) (cuts []int64, ok bool) {
	s.open = append(s.open[:0], interval{a, b})
	ends := []int64{a, b}
	if v, ok := s.eval(ends); !ok || equalValues(v, 0, 1) {
		return nil, ok
	}
	for len(s.open) > 0 {
		if len(s.open)+len(cuts) > most || len(s.open) > vec.BatchRows/4 {
			return nil, false
		}
		points := ends[:0]
		for _, o := range s.open {
			points = append(points, o.a, o.a+(o.b-o.a)/2, o.b)
		}
		v, ok := s.eval(points)
		if !ok {
			return nil, false
		}
		s.next = s.next[:0]
		for i, o := range s.open {
			mid := points[3*i+1]
			if mid == o.a { // the ends are neighbours
				cuts = append(cuts, o.b)
				continue
			}
			if !equalValues(v, 3*i, 3*i+1) {
				s.next = append(s.next, interval{o.a, mid})
			}
			if !equalValues(v, 3*i+1, 3*i+2) {
				s.next = append(s.next, interval{mid, o.b})
			}
		}
		s.open, s.next = s.next, s.open
		ends = points
	}
	slices.Sort(cuts)
	return cuts, true
}

// eval computes the key at some points.
func (s *steps) eval(points []int64) (*vec.Vector, bool) {
	s.val.Reset(s.t)
	for _, x := range points {
		s.append(&s.val, x)
	}
	s.batch.N = len(points)
	v, err := s.ev.Eval(s.ctx, &s.batch, nil)
	return v, err == nil
}

// append appends the column's value that x stands for.
func (s *steps) append(v *vec.Vector, x int64) {
	if s.div != 0 {
		v.AppendFloat(float64(x) / s.div)
		return
	}
	v.AppendInt(x)
}

func equalValues(v *vec.Vector, i, j int) bool {
	if v.Null(i) || v.Null(j) {
		return v.Null(i) == v.Null(j)
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		return v.Bool(i) == v.Bool(j)
	case types.PhysInt64:
		return v.Int(i) == v.Int(j)
	case types.PhysBytes:
		return string(v.Bytes(i)) == string(v.Bytes(j))
	}
	return false
}

// stepParts is the most parts of the range that a step is looked up by.
const stepParts = 1024

// index makes the table and the values of the intervals.
func (s *steps) index() {
	t := &s.table
	t.Least = s.lo
	t.Shift = uint(max(0, bits.Len64(uint64(s.hi-s.lo))-bits.Len(stepParts-1)))
	t.Cuts = append(append(t.Cuts[:0], s.cuts...), math.MaxInt64)
	parts := int(uint64(s.hi-s.lo)>>t.Shift) + 1
	t.First = sized(t.First, parts)
	c := 0
	for p := range t.First {
		for c < len(s.cuts) && s.cuts[c] <= s.lo+int64(p)<<t.Shift {
			c++
		}
		t.First[p] = uint16(c)
	}
	s.dict = vec.Vector{} // vectors may still show the last one
	s.dict.Reset(s.t)
	s.append(&s.dict, s.lo)
	for _, x := range s.cuts {
		s.append(&s.dict, x)
	}
}

// byStep makes the codes those of the key's intervals; ok is false if there are none.
func (k *keyCodes) byStep(s *steps, col column.Column, g *rowGroup, most int) (ok bool, err error) {
	st := col.Stats()
	lo, hi, div := st.MinI, st.MaxI, 0.0
	dec, isDec := col.(column.Decimals)
	switch {
	case st.Present == 0 || st.Dict != nil || s.failed >= stepsFailed:
		return false, nil
	case col.Leaf() == types.LeafInt && st.Bounded:
		if uint64(hi)-uint64(lo) < 256 {
			return false, nil // as good by value
		}
	case col.Leaf() == types.LeafFloat && isDec:
		d, ok := dec.Decimals()
		if !ok {
			return false, nil
		}
		lo, hi, div = d.Least, d.Most, d.Div
	default:
		return false, nil
	}
	nulls := st.Present < st.Rows
	if !s.cover(lo, hi, div, most) {
		return false, nil
	}
	k.n, k.dict = len(s.cuts)+1, &s.dict
	if nulls {
		k.null = k.n
		if k.n++; k.n > most {
			return false, nil
		}
	}
	if k.n == 1 {
		return true, nil
	}
	read := col.Read
	if div != 0 {
		read = dec.ReadDecimals
	}
	return k.readSteps(s, read, g)
}

// readSteps decodes the column for the batches with rows that passed, and looks its values up.
func (k *keyCodes) readSteps(s *steps, read func(from, to int, dst *vec.Vector) error, g *rowGroup) (bool, error) {
	small := k.own(g.rows)
	return k.decode(g, vec.BatchRows, read, func(from, to int) bool {
		if small {
			stepCodes(k, s, &k.vec, k.c8[from:to])
		} else {
			stepCodes(k, s, &k.vec, k.c16[from:to])
		}
		return true
	})
}

func stepCodes[C uint8 | uint16](k *keyCodes, s *steps, v *vec.Vector, out []C) {
	switch v.Form {
	case vec.Const:
		c := [1]C{C(max(k.null, 0))}
		if !v.Null(0) {
			kernel.StepCodes([]int64{v.Int(0)}, &s.table, c[:])
		}
		for i := range out {
			out[i] = c[0]
		}
		return
	case vec.Dict:
		of := sized(k.codes, v.Dict.N)
		k.codes = of
		kernel.StepCodes(v.Dict.I64[:v.Dict.N], &s.table, of)
		for i, c := range v.Codes[:len(out)] {
			out[i] = C(of[c])
		}
	default:
		kernel.StepCodes(v.I64[:len(out)], &s.table, out)
	}
	if v.Valid == nil {
		return
	}
	for w, m := range v.Valid[:vec.Words(len(out))] {
		m = ^m
		if tail := len(out) - w<<6; tail < 64 {
			m &= 1<<tail - 1
		}
		for ; m != 0; m &= m - 1 {
			out[w<<6+bits.TrailingZeros64(m)] = C(k.null)
		}
	}
}
