package agg

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// newVariance returns the maker of var_samp, var_pop and their square roots.
func newVariance(sample, root bool) func(*plan.AggCall, []types.Type) State {
	return func(_ *plan.AggCall, ts []types.Type) State {
		if len(ts) != 1 {
			return nil
		}
		switch ts[0].Kind {
		case types.Int16, types.Int32, types.Int64:
			return &intVariance{sum: intSum{kind: types.Int64}, sample: sample, root: root}
		case types.Float32, types.Float64:
			return &floatVariance{sample: sample, root: root}
		case types.Numeric:
			return &numericVariance{sample: sample, root: root}
		}
		return nil
	}
}

// intVariance keeps the exact sums of x and of x*x, the latter in 192 bits.
type intVariance struct {
	sum          intSum
	sq           [][3]uint64
	sample, root bool
	buf          vec.Bitmap
	flat         []int64
	dense        dense[int64]
}

func (s *intVariance) Grow(n int) { s.sum.Grow(n); s.sq = grown(s.sq, n) }

func (s *intVariance) Add(in *Input) error {
	v := in.Args[0]
	xs, groups := s.dense.rows(ints(v, in.N, &s.flat), in, in.present(v, &s.buf))
	if groups == nil {
		if len(xs) > 0 {
			w := squares(xs)
			s.addSquare(in.One, w[0], w[1], w[2])
		}
		return s.sum.Add(in)
	}
	for i, g := range groups {
		hi, lo := square(xs[i])
		s.addSquare(g, lo, hi, 0)
	}
	return s.sum.Add(in)
}

// square returns x*x in 128 bits.
func square(x int64) (hi, lo uint64) {
	a := uint64(x)
	if x < 0 {
		a = -a
	}
	return bits.Mul64(a, a)
}

// squares sums the squares of xs, which has one, in 192 bits.
func squares(xs []int64) [3]uint64 {
	var w0, w1, w2 uint64
	least, most := simd.MinMaxI64(xs)
	if least > -1<<25 && most < 1<<25 && len(xs) < 1<<14 { // then it is below 2^64
		for _, x := range xs {
			w0 += uint64(x * x)
		}
		return [3]uint64{w0}
	}
	for _, x := range xs {
		hi, lo := square(x)
		var c uint64
		w0, c = bits.Add64(w0, lo, 0)
		w1, c = bits.Add64(w1, hi, c)
		w2 += c
	}
	return [3]uint64{w0, w1, w2}
}

func (s *intVariance) addSquare(g uint32, w0, w1, w2 uint64) {
	q := &s.sq[g]
	var c uint64
	q[0], c = bits.Add64(q[0], w0, 0)
	q[1], c = bits.Add64(q[1], w1, c)
	q[2], _ = bits.Add64(q[2], w2, c)
}

func (s *intVariance) seal() { s.sum.seal() }

func (s *intVariance) Merge(o State, from, to []uint32) error {
	p := o.(*intVariance)
	for k, t := range to {
		g := source(from, k)
		s.addSquare(t, p.sq[g][0], p.sq[g][1], p.sq[g][2])
	}
	return s.sum.Merge(&p.sum, from, to)
}

func (s *intVariance) Result(from, to int, out *vec.Vector) error {
	s.sum.carry()
	var text []byte
	for g := from; g < to; g++ {
		var x, x2 datum.Numeric
		if err := setWide(&x, s.sum.sums[g].Hi, s.sum.sums[g].Lo); err != nil {
			return err
		}
		text = appendWide(text[:0], s.sq[g])
		if err := x2.Parse(text); err != nil {
			return err
		}
		if err := appendVariance(out, s.sum.sums[g].N, &x, &x2, s.sample, s.root); err != nil {
			return err
		}
	}
	return nil
}

// appendWide appends w as a decimal number.
func appendWide(dst []byte, w [3]uint64) []byte {
	const part = 1e19 // the greatest power of ten in a word
	if w[2] > 0 || w[1] >= part {
		return big192(w).Append(dst, 10)
	}
	high, low := bits.Div64(w[1], w[0], part)
	if high == 0 {
		return strconv.AppendUint(dst, low, 10)
	}
	dst = strconv.AppendUint(dst, high, 10)
	digits := strconv.AppendUint(nil, low, 10)
	for range 19 - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

func big192(w [3]uint64) *big.Int {
	b := new(big.Int)
	for i := 2; i >= 0; i-- {
		b.Lsh(b, 64)
		b.Or(b, new(big.Int).SetUint64(w[i]))
	}
	return b
}

func (s *intVariance) Bytes() int64 { return s.sum.Bytes() + int64(cap(s.sq))*24 }

// appendVariance appends (n*sumX2 - sumX^2) / (n*(n-1)), or / n^2 for the population's, or its square root, with the
// scale PostgreSQL gives it.
func appendVariance(out *vec.Vector, n int64, sumX, sumX2 *datum.Numeric, sample, root bool) error {
	if n == 0 || (sample && n == 1) {
		out.AppendNull()
		return nil
	}
	var cnt, num, sq, den datum.Numeric
	cnt.SetInt64(n)
	if err := num.Mul(&cnt, sumX2); err != nil {
		return err
	}
	if err := sq.Mul(sumX, sumX); err != nil {
		return err
	}
	if err := num.Sub(&num, &sq); err != nil {
		return err
	}
	if num.NaN() || !num.Finite() {
		out.AppendString("NaN")
		return nil
	}
	if num.Sign() <= 0 {
		out.AppendString("0")
		return nil
	}
	den.SetInt64(n)
	if sample {
		den.SetInt64(n - 1)
	}
	if err := den.Mul(&cnt, &den); err != nil {
		return err
	}
	if err := num.Div(&num, &den); err != nil {
		return err
	}
	if root {
		out.AppendString(sqrtText(num.String(), int(num.Scale())))
		return nil
	}
	out.AppendString(num.String())
	return nil
}

// sqrtText returns the square root of a positive decimal, rounded to its own scale.
func sqrtText(text string, scale int) string {
	digits, _ := new(big.Int).SetString(strings.Replace(text, ".", "", 1), 10)
	digits.Mul(digits, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale+2)), nil))
	digits.Sqrt(digits) // the root with one digit more than wanted
	digits.Add(digits, big.NewInt(5)).Quo(digits, big.NewInt(10))
	s := digits.String()
	if scale == 0 {
		return s
	}
	if len(s) <= scale {
		s = strings.Repeat("0", scale-len(s)+1) + s
	}
	return s[:len(s)-scale] + "." + s[len(s)-scale:]
}

// numericVariance keeps the exact sums of decimals and their squares.
type numericVariance struct {
	sample, root bool
	n            []int64
	sum, sq      []*datum.Numeric
	x            datum.Numeric
	buf          vec.Bitmap
}

func (s *numericVariance) Grow(n int) {
	s.n, s.sum, s.sq = grown(s.n, n), grown(s.sum, n), grown(s.sq, n)
}

func (s *numericVariance) Add(in *Input) error {
	v := in.Args[0]
	var failed error
	each(in.present(v, &s.buf), in.N, func(i int) {
		if failed == nil {
			failed = s.x.Parse(v.Bytes(i))
		}
		if failed != nil {
			return
		}
		var sq datum.Numeric
		if failed = sq.Mul(&s.x, &s.x); failed == nil {
			failed = s.add(in.group(i), 1, &s.x, &sq)
		}
	})
	return failed
}

func (s *numericVariance) add(g uint32, n int64, x, sq *datum.Numeric) error {
	if s.sum[g] == nil {
		s.sum[g], s.sq[g] = &datum.Numeric{}, &datum.Numeric{}
	}
	s.n[g] += n
	if err := s.sum[g].Add(s.sum[g], x); err != nil {
		return err
	}
	return s.sq[g].Add(s.sq[g], sq)
}

func (s *numericVariance) Merge(o State, from, to []uint32) error {
	p := o.(*numericVariance)
	for k, t := range to {
		g := source(from, k)
		if p.n[g] == 0 {
			continue
		}
		if err := s.add(t, p.n[g], p.sum[g], p.sq[g]); err != nil {
			return err
		}
	}
	return nil
}

func (s *numericVariance) Result(from, to int, out *vec.Vector) error {
	for g := from; g < to; g++ {
		if s.n[g] == 0 {
			out.AppendNull()
			continue
		}
		if err := appendVariance(out, s.n[g], s.sum[g], s.sq[g], s.sample, s.root); err != nil {
			return err
		}
	}
	return nil
}

func (s *numericVariance) Bytes() int64 { return int64(cap(s.n)) * 180 }

// floatVariance is the method of Youngs and Cramer, as PostgreSQL has it: count, sum, and sum of squared distances.
type floatVariance struct {
	sample, root bool
	n, sx, sxx   []float64
	buf          vec.Bitmap
	flat         []float64
	dense        dense[float64]
}

func (s *floatVariance) Grow(n int) {
	s.n, s.sx, s.sxx = grown(s.n, n), grown(s.sx, n), grown(s.sxx, n)
}

func (s *floatVariance) Add(in *Input) error {
	v := in.Args[0]
	xs, groups := s.dense.rows(floats(v, in.N, &s.flat), in, in.present(v, &s.buf))
	if groups == nil && len(xs) > 0 {
		g := in.One
		n, sx, sxx := s.n[g], s.sx[g], s.sxx[g]
		for _, x := range xs {
			n, sx, sxx = addDistance(n, sx, sxx, x)
		}
		s.n[g], s.sx[g], s.sxx[g] = n, sx, sxx
	}
	for i, g := range groups {
		s.n[g], s.sx[g], s.sxx[g] = addDistance(s.n[g], s.sx[g], s.sxx[g], xs[i])
	}
	return nil
}

// addDistance adds x to a count, a sum and a sum of squared distances.
func addDistance(n, sx, sxx, x float64) (float64, float64, float64) {
	n++
	sx += x
	switch {
	case n > 1:
		d := x*n - sx
		sxx += d * d / (n * (n - 1))
	case x-x != 0: // infinite or not a number
		sxx = math.NaN()
	}
	return n, sx, sxx
}

func (s *floatVariance) Merge(o State, from, to []uint32) error {
	p := o.(*floatVariance)
	for k, t := range to {
		g := source(from, k)
		switch {
		case p.n[g] == 0:
		case s.n[t] == 0:
			s.n[t], s.sx[t], s.sxx[t] = p.n[g], p.sx[g], p.sxx[g]
		default:
			n := s.n[t] + p.n[g]
			d := s.sx[t]/s.n[t] - p.sx[g]/p.n[g]
			s.sxx[t] += p.sxx[g] + s.n[t]*p.n[g]*d*d/n
			s.sx[t] += p.sx[g]
			s.n[t] = n
		}
	}
	return nil
}

func (s *floatVariance) Result(from, to int, out *vec.Vector) error {
	for g := from; g < to; g++ {
		n := s.n[g]
		if n == 0 || (s.sample && n == 1) {
			out.AppendNull()
			continue
		}
		if s.sample {
			n--
		}
		x := s.sxx[g] / n
		if s.root {
			x = math.Sqrt(x)
		}
		out.AppendFloat(x)
	}
	return nil
}

func (s *floatVariance) Bytes() int64 { return int64(cap(s.n)) * 24 }
