package agg

import (
	"bytes"
	"math"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// rankedState is percentile_cont, percentile_disc, median and mode of integers and floats: the values as words whose order
// as signed integers is the order of the values. What it cannot hold, a fraction that is not the same for all rows, makes it
// hand everything over to the state that keeps rows.
type rankedState struct {
	call     *plan.AggCall
	choose   func(*plan.AggCall, []types.Type) (finisher, int) // of the general state
	t        types.Type
	float    bool
	desc     bool
	direct   bool       // the call has fractions
	fraction vec.Vector // the first row's, as a constant; N is 0 before there is one
	finish   rankedFinisher
	words    groupedWords
	counted  countedWords  // values that are not in words
	current  *countedGroup // whose result is made; nil: its words are given
	size     int           // of the group whose result is made
	n        int
	general  *collectState // nil: the values are in words
	buf      vec.Bitmap
	flat     []int64
	floats   []float64
	rank     selection
	asker
	qs, vals vec.Vector // the fractions, once a result was asked for, and what they give
	array    []byte
}

// rankedFinisher appends the result of a group with the given words, of which there is one at least.
type rankedFinisher func(s *rankedState, words []int64, out *vec.Vector) error

// ranking makes an aggregate of values by their order; choose is what makes the general one, for all types.
func ranking(choose func(*plan.AggCall, []types.Type) (finisher, int), finish rankedFinisher) func(*plan.AggCall, []types.Type) State {
	general := collecting(choose)
	return func(call *plan.AggCall, ts []types.Type) State {
		g := general(call, ts)
		if g == nil {
			return nil
		}
		s := &rankedState{call: call, choose: choose, finish: finish}
		switch {
		case len(call.Order) == 1:
			s.t, s.desc, s.direct = call.Order[0].Expr.Type(), call.Order[0].Desc, len(ts) > 0
		case len(ts) == 1:
			s.t = ts[0]
		default:
			return g
		}
		switch s.t.Phys() {
		case types.PhysInt64:
		case types.PhysFloat64:
			s.float = true
		default:
			return g
		}
		return s
	}
}

func (s *rankedState) Grow(n int) {
	s.n = max(s.n, n)
	if s.general != nil {
		s.general.Grow(n)
	}
}

func (s *rankedState) Add(in *Input) error {
	if s.general == nil && s.direct && !s.sameFraction(in.Args[0]) {
		if err := s.generalise(); err != nil {
			return err
		}
	}
	if s.general != nil {
		return s.general.Add(in)
	}
	v := in.Args
	if len(s.call.Order) > 0 {
		v = in.Order
	}
	sel := in.present(v[0], &s.buf)
	s.words.add(s.wordsOf(v[0], in.N), sel, in)
	return nil
}

// wordsOf returns the words of all rows; those of NULLs are any.
func (s *rankedState) wordsOf(v *vec.Vector, n int) []int64 {
	if !s.float {
		return ints(v, n, &s.flat)
	}
	xs := floats(v, n, &s.floats)
	s.flat = grown(s.flat[:0], n)
	for i, x := range xs {
		s.flat[i] = floatWord(x)
	}
	return s.flat
}

// The words of the two zeros, which are equal as values.
const (
	negativeZero = -1
	positiveZero = 0
)

// floatWord maps floats to integers of the same order, NaN last. Its inverse is wordFloat.
func floatWord(x float64) int64 {
	if x != x {
		x = math.NaN()
	}
	b := int64(math.Float64bits(x))
	return b ^ b>>63&math.MaxInt64
}

func wordFloat(w int64) float64 { return math.Float64frombits(uint64(w ^ w>>63&math.MaxInt64)) }

// sameFraction reports whether the fraction of all rows of v is that of all rows before.
func (s *rankedState) sameFraction(v *vec.Vector) bool {
	if v.Form != vec.Const {
		return false
	}
	f := &s.fraction
	if f.N == 0 {
		f.Reset(v.Type)
		f.AppendFrom(v, 0)
		return true
	}
	if f.Null(0) || v.Null(0) {
		return f.Null(0) == v.Null(0)
	}
	if v.Type.Phys() == types.PhysFloat64 {
		return math.Float64bits(f.F64[0]) == math.Float64bits(v.F64[0])
	}
	return bytes.Equal(f.Bytes(0), v.Bytes(0))
}

// generalise gives all values to a general state, which is used from now on.
func (s *rankedState) generalise() error {
	f, skip := s.choose(s.call, argTypes(s.call))
	s.general = &collectState{rowStore: newRowStore(s.call, skip), finish: f}
	s.general.Grow(s.n)
	for g := range s.counted.groups {
		run := groupedWords{words: s.counted.expand(&s.counted.groups[g]), one: uint32(g)}
		if err := s.generaliseWords(&run); err != nil {
			return err
		}
	}
	s.counted = countedWords{}
	err := s.generaliseWords(&s.words)
	s.words = groupedWords{}
	return err
}

func (s *rankedState) generaliseWords(x *groupedWords) error {
	return x.batches(func(words []int64, groups []uint32) error {
		v := &vec.Vector{}
		v.Reset(s.t)
		for _, w := range words {
			s.append(v, w)
		}
		in := &Input{N: len(words), Groups: groups, One: x.one}
		if len(s.call.Order) == 0 {
			in.Args = []*vec.Vector{v}
			return s.general.Add(in)
		}
		in.Order = []*vec.Vector{v}
		if s.direct {
			fraction := s.fraction
			fraction.Form, fraction.N = vec.Const, len(words)
			in.Args = []*vec.Vector{&fraction}
		}
		return s.general.Add(in)
	})
}

// append appends the value of a word.
func (s *rankedState) append(out *vec.Vector, w int64) {
	if s.float {
		out.AppendFloat(wordFloat(w))
		return
	}
	out.AppendInt(w)
}

// number is the value of a word as percentile_cont computes with it.
func (s *rankedState) number(w int64) float64 {
	if s.float {
		return wordFloat(w)
	}
	return float64(w)
}

func (s *rankedState) Merge(o State, from, to []uint32) error {
	p := o.(*rankedState)
	if s.general == nil && (p.general != nil || (p.fraction.N > 0 && !s.sameFraction(constant(&p.fraction)))) {
		if err := s.generalise(); err != nil {
			return err
		}
	}
	if s.general == nil {
		s.mergeCounted(p, from, to)
		s.words.merge(&p.words, p.n, from, to)
		return nil
	}
	g := p.general
	if g == nil { // p itself stays as it is: others may be reading it
		q := &rankedState{call: p.call, choose: p.choose, t: p.t, float: p.float, direct: p.direct, fraction: p.fraction, words: p.words, counted: p.counted, n: p.n}
		if err := q.generalise(); err != nil {
			return err
		}
		g = q.general
	}
	return s.general.Merge(g, from, to)
}

// constant returns a vector of one row as a constant.
func constant(v *vec.Vector) *vec.Vector {
	c := *v
	c.Form = vec.Const
	return &c
}

func (s *rankedState) seal() {
	if s.general != nil {
		s.general.seal()
		return
	}
	s.settle()
	s.words.index(s.n)
}

func (s *rankedState) Result(from, to int, out *vec.Vector) error {
	if s.general != nil {
		return s.general.Result(from, to, out)
	}
	s.settle()
	s.words.index(s.n)
	for g := from; g < to; g++ {
		var words []int64
		s.current = nil
		if !s.counted.empty() {
			if g < len(s.counted.groups) {
				s.current = &s.counted.groups[g]
				s.size = s.current.n
			} else {
				s.size = 0
			}
		} else {
			words = s.words.of(g)
			s.size = len(words)
		}
		if s.size == 0 {
			out.AppendNull()
			continue
		}
		if err := s.finish(s, words, out); err != nil {
			return err
		}
		if err := s.after(len(words)); err != nil {
			return err
		}
	}
	return nil
}

func (s *rankedState) asks(ask func() error) {
	s.asker.asks(ask)
	if s.general != nil {
		s.general.asks(ask)
	}
}

func (s *rankedState) Bytes() int64 {
	n := s.words.bytes() + s.counted.bytes() + s.rank.bytes()
	if s.general != nil {
		n += s.general.Bytes()
	}
	return n
}

// find finds all positions that are wanted, among words or in the current counted group.
func (s *rankedState) find(words []int64) {
	if s.current != nil {
		s.rank.findCounted(s, s.current)
		return
	}
	s.rank.find(s, words)
}

// rankedMedian is median(x).
func rankedMedian(s *rankedState, words []int64, out *vec.Vector) error {
	s.rank.reset()
	a, b := s.rank.want((s.size-1)/2), s.rank.want(s.size/2)
	s.find(words)
	lo, hi := s.number(s.rank.value(a)), s.number(s.rank.value(b))
	if lo == hi {
		out.AppendFloat(lo)
		return nil
	}
	out.AppendFloat(lo + (hi-lo)/2)
	return nil
}

// rankedQuantiles makes the finisher of percentile_cont or percentile_disc.
func rankedQuantiles(continuous bool) rankedFinisher {
	return func(s *rankedState, words []int64, out *vec.Vector) error {
		if s.fraction.Null(0) {
			out.AppendNull()
			return nil
		}
		if err := s.fractions(); err != nil {
			return err
		}
		many, qs, vals := s.fraction.Type.Kind == types.Array, &s.qs, &s.vals
		s.rank.reset()
		for i := range qs.N {
			if qs.Null(i) {
				continue
			}
			q := qs.Float(i)
			if err := checkFraction(q); err != nil {
				return err
			}
			for _, r := range quantileRanks(continuous, q, s.size) {
				s.rank.want(r)
			}
		}
		s.find(words)
		to := out
		if many {
			vals.Reset(types.Of(s.call.T.Elem))
			to = vals
		}
		at := 0
		for i := range qs.N {
			if qs.Null(i) {
				to.AppendNull()
				continue
			}
			if !continuous {
				s.append(to, s.rank.value(at))
			} else {
				to.AppendFloat(interpolate(s, at, qs.Float(i), s.size))
			}
			at += 2
		}
		if many {
			s.array = datum.EncodeArray(s.array[:0], vals, 0, vals.N)
			out.AppendBytes(s.array)
		}
		return nil
	}
}

// fractions decodes the fractions.
func (s *rankedState) fractions() error {
	t := s.fraction.Type
	switch {
	case s.qs.N > 0:
	case t.Kind == types.Array:
		s.qs.Reset(types.Of(t.Elem))
		return datum.DecodeArray(t.Elem, s.fraction.Bytes(0), &s.qs)
	default:
		s.qs = s.fraction
	}
	return nil
}

// quantileRanks returns the positions of the values around a fraction, of n in order.
func quantileRanks(continuous bool, q float64, n int) [2]int {
	if continuous {
		at := q * float64(n-1)
		return [2]int{int(math.Floor(at)), int(math.Ceil(at))}
	}
	i := max(int(math.Ceil(q*float64(n)))-1, 0)
	return [2]int{i, i}
}

// interpolate returns the value at a fraction between the values wanted as number k and k+1.
func interpolate(s *rankedState, k int, q float64, n int) float64 {
	at := q * float64(n-1)
	a, b := s.number(s.rank.value(k)), s.number(s.rank.value(k+1))
	if math.Floor(at) == math.Ceil(at) || a == b {
		return a
	}
	return a + (at-math.Floor(at))*(b-a)
}

// rankedMode is mode(): the most frequent value, of several the first in the order.
func rankedMode(s *rankedState, words []int64, out *vec.Vector) error {
	if s.current != nil {
		words = s.counted.expand(s.current)
	}
	sorted := s.rank.sorted(words)
	zero := int64(positiveZero)
	if s.float {
		zero = firstZero(words)
		for i, w := range sorted {
			if w == negativeZero {
				sorted[i] = positiveZero
			}
		}
	}
	var best int64
	most := 0
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && sorted[to] == sorted[from] {
			to++
		}
		if to-from > most || (s.desc && to-from == most) {
			best, most = sorted[from], to-from
		}
		from = to
	}
	if s.float && best == positiveZero {
		best = zero
	}
	s.append(out, best)
	return nil
}

// firstZero returns the zero that came first.
func firstZero(words []int64) int64 {
	for _, w := range words {
		if w == negativeZero || w == positiveZero {
			return w
		}
	}
	return positiveZero
}
