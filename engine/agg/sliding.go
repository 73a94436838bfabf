package agg

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Sliding computes one aggregate over many ranges of the same rows, a window's frames: counts and sums of integers from
// running totals, in constant time each; least and greatest values and sums of floats from a tree over the rows, in
// logarithmic time, or from the frame before where that is a beginning of this one.
type Sliding interface {
	// Load takes the rows [from, to) of in, which are looked at until the next Load. If what Asking has set says that it is no
	// longer wanted, it ends before its time, and the caller has to ask before it goes on.
	Load(in *Input, from, to int)
	// Frame adds the rows [from, to) of in to result k. All of them are loaded.
	Frame(k, from, to int)
	// Result appends the results [0, n) to out and forgets them.
	Result(n int, out *vec.Vector) error
}

// NewSliding returns nil where there is none for the call: then every frame has to be computed by a State of its own.
func NewSliding(call *plan.AggCall) Sliding {
	ts := argTypes(call)
	if call.Distinct || len(call.Order) > 0 {
		return nil
	}
	switch call.Fn.Name {
	case "count":
		return &slidingCount{}
	case "sum", "avg":
		if len(ts) != 1 {
			return nil
		}
		mean := call.Fn.Name == "avg"
		switch ts[0].Kind {
		case types.Int16, types.Int32, types.Int64:
			return &slidingInt{out: intSum{kind: ts[0].Kind, mean: mean}}
		case types.Float32, types.Float64:
			return &slidingFloat{out: floatSum{single: ts[0].Kind == types.Float32, mean: mean}}
		}
	case "min", "max":
		if len(ts) == 1 && datum.Comparable(ts[0]) {
			sign := -1
			if call.Fn.Name == "max" {
				sign = 1
			}
			return &slidingExtreme{sign: sign}
		}
	case "bool_and", "every", "bool_or":
		return &slidingBool{all: call.Fn.Name != "bool_or"}
	}
	return nil
}

// slidingCount keeps the number of rows before each row.
type slidingCount struct {
	base   int
	before []int64
	counts []int64
	buf    vec.Bitmap
}

// rows returns the rows that count; nil for all.
func (in *Input) rows(buf *vec.Bitmap) vec.Bitmap {
	if len(in.Args) == 0 {
		return in.Sel
	}
	return in.present(in.Args[0], buf)
}

func (s *slidingCount) Load(in *Input, from, to int) {
	sel := in.rows(&s.buf)
	s.base = from
	s.before = append(s.before[:0], 0)
	n := int64(0)
	for i := from; i < to; i++ {
		if sel == nil || sel.Get(i) {
			n++
		}
		s.before = append(s.before, n)
	}
}

func (s *slidingCount) Frame(k, from, to int) {
	s.counts = grown(s.counts, k+1)
	s.counts[k] += s.before[to-s.base] - s.before[from-s.base]
}

func (s *slidingCount) Result(n int, out *vec.Vector) error {
	s.counts = grown(s.counts, n)
	for _, x := range s.counts[:n] {
		out.AppendInt(x)
	}
	clear(s.counts)
	return nil
}

// slidingInt keeps the exact sum of the rows before each row.
type slidingInt struct {
	base   int
	before []kernel.IntSum
	out    intSum
	buf    vec.Bitmap
}

func (s *slidingInt) Load(in *Input, from, to int) {
	v := in.Args[0]
	sel := in.rows(&s.buf)
	s.base = from
	var t kernel.IntSum
	s.before = append(s.before[:0], t)
	for i := from; i < to; i++ {
		if sel == nil || sel.Get(i) {
			x := v.Int(i)
			t.Hi += x >> 32
			t.Lo += uint64(uint32(x))
			t.N++
		}
		s.before = append(s.before, t)
	}
}

func (s *slidingInt) Frame(k, from, to int) {
	s.out.Grow(k + 1)
	a, b := &s.before[from-s.base], &s.before[to-s.base]
	s.out.add(uint32(k), kernel.IntSum{Hi: b.Hi - a.Hi, Lo: b.Lo - a.Lo, N: b.N - a.N})
}

func (s *slidingInt) Result(n int, out *vec.Vector) error {
	s.out.Grow(n)
	err := s.out.Result(0, n, out)
	clear(s.out.sums)
	return err
}

// slidingBool keeps the number of true and of all values before each row.
type slidingBool struct {
	all   bool
	base  int
	trues []int32
	seen  []int32
	t, n  []int32
	buf   vec.Bitmap
}

func (s *slidingBool) Load(in *Input, from, to int) {
	v := in.Args[0]
	sel := in.rows(&s.buf)
	s.base = from
	s.trues, s.seen = append(s.trues[:0], 0), append(s.seen[:0], 0)
	var t, n int32
	for i := from; i < to; i++ {
		if sel == nil || sel.Get(i) {
			n++
			if v.Bool(i) {
				t++
			}
		}
		s.trues, s.seen = append(s.trues, t), append(s.seen, n)
	}
}

func (s *slidingBool) Frame(k, from, to int) {
	s.t, s.n = grown(s.t, k+1), grown(s.n, k+1)
	s.t[k] += s.trues[to-s.base] - s.trues[from-s.base]
	s.n[k] += s.seen[to-s.base] - s.seen[from-s.base]
}

func (s *slidingBool) Result(n int, out *vec.Vector) error {
	s.t, s.n = grown(s.t, n), grown(s.n, n)
	for k := range n {
		switch {
		case s.n[k] == 0:
			out.AppendNull()
		case s.all:
			out.AppendBool(s.t[k] == s.n[k])
		default:
			out.AppendBool(s.t[k] > 0)
		}
	}
	clear(s.t)
	clear(s.n)
	return nil
}

// floatPart is the sum of some floats, with what rounding lost and their number.
type floatPart struct {
	sum, c float64
	n      int64
}

func (p floatPart) plus(o floatPart) floatPart {
	if o.n == 0 {
		return p
	}
	if p.n == 0 {
		return o
	}
	p.sum, p.c = kernel.TwoSum(p.sum, p.c, o.sum)
	p.c += o.c
	p.n += o.n
	return p
}

// slidingFloat sums by a binary tree over the rows, so that a value that has left a frame leaves no trace in its sum: one
// cannot subtract a float.
type slidingFloat struct {
	base, size int
	tree       []floatPart // leaves at [size, 2*size)
	last       floatPart   // of the frame before, [from, to)
	from, to   int
	parts      []floatPart
	asker
	out floatSum
	buf vec.Bitmap
}

func (s *slidingFloat) Load(in *Input, from, to int) {
	v := in.Args[0]
	sel := in.rows(&s.buf)
	s.base, s.size = from, to-from
	s.from, s.to, s.last = 0, 0, floatPart{}
	if cap(s.tree) < 2*s.size {
		s.tree = make([]floatPart, 2*s.size)
	}
	s.tree = s.tree[:2*s.size]
	for i := from; i < to; i++ {
		p := floatPart{}
		if sel == nil || sel.Get(i) {
			p = floatPart{sum: v.Float(i), n: 1}
		}
		s.tree[s.size+i-from] = p
	}
	for i := s.size - 1; i > 0; i-- {
		if s.after(1) != nil {
			return
		}
		s.tree[i] = s.tree[2*i].plus(s.tree[2*i+1])
	}
}

func (s *slidingFloat) Frame(k, from, to int) {
	from, to = from-s.base, to-s.base
	switch {
	case to <= from:
	case from == s.from && to >= s.to:
		for i := s.to; i < to; i++ {
			s.last = s.last.plus(s.tree[s.size+i])
		}
	default:
		s.last = s.query(from, to)
	}
	if to > from {
		s.from, s.to = from, to
		s.parts = grown(s.parts, k+1)
		s.parts[k] = s.parts[k].plus(s.last)
	}
}

func (s *slidingFloat) query(from, to int) floatPart {
	var left, right floatPart
	for l, r := from+s.size, to+s.size; l < r; l, r = l>>1, r>>1 {
		if l&1 != 0 {
			left = left.plus(s.tree[l])
			l++
		}
		if r&1 != 0 {
			r--
			right = s.tree[r].plus(right)
		}
	}
	return left.plus(right)
}

func (s *slidingFloat) Result(n int, out *vec.Vector) error {
	s.parts = grown(s.parts, n)
	s.out.Grow(n)
	for k, p := range s.parts[:n] {
		s.out.sum[k], s.out.c[k], s.out.n[k] = p.sum, p.c, p.n
	}
	clear(s.parts)
	return s.out.Result(0, n, out)
}

// slidingExtreme finds the row of the least or greatest value by a binary tree of rows; of equal ones the first.
type slidingExtreme struct {
	sign       int
	v          *vec.Vector
	base, size int
	tree       []int32 // rows, -1 for none; leaves at [size, 2*size)
	last       int32   // of the frame before, [from, to)
	from, to   int
	best       []extremeRow
	asker
	buf vec.Bitmap
}

// extremeRow is a result: where its value was put; 0 is none.
type extremeRow struct{ at int32 }

func (s *slidingExtreme) Load(in *Input, from, to int) {
	s.v = in.Args[0]
	sel := in.rows(&s.buf)
	s.base, s.size = from, to-from
	s.from, s.to, s.last = 0, 0, -1
	if cap(s.tree) < 2*s.size {
		s.tree = make([]int32, 2*s.size)
	}
	s.tree = s.tree[:2*s.size]
	for i := from; i < to; i++ {
		s.tree[s.size+i-from] = -1
		if sel == nil || sel.Get(i) {
			s.tree[s.size+i-from] = int32(i)
		}
	}
	for i := s.size - 1; i > 0; i-- {
		if s.after(1) != nil {
			return
		}
		s.tree[i] = s.better(s.tree[2*i], s.tree[2*i+1])
	}
}

func (s *slidingExtreme) better(a, b int32) int32 {
	switch {
	case a < 0:
		return b
	case b < 0:
		return a
	}
	if b < a { // the tree's left part may stand behind its right one
		a, b = b, a
	}
	if datum.Compare(s.v.Type, s.v, int(b), s.v, int(a))*s.sign > 0 {
		return b
	}
	return a
}

func (s *slidingExtreme) Frame(k, from, to int) {
	f, t := from-s.base, to-s.base
	if t <= f {
		return
	}
	if f == s.from && t >= s.to {
		for i := s.to; i < t; i++ {
			s.last = s.better(s.last, s.tree[s.size+i])
		}
	} else {
		s.last = -1
		for l, r := f+s.size, t+s.size; l < r; l, r = l>>1, r>>1 {
			if l&1 != 0 {
				s.last = s.better(s.last, s.tree[l])
				l++
			}
			if r&1 != 0 {
				r--
				s.last = s.better(s.last, s.tree[r])
			}
		}
	}
	s.from, s.to = f, t
	if s.last < 0 {
		return
	}
	s.best = grown(s.best, k+1)
	if b := &s.best[k]; b.at == 0 {
		b.at = s.last + 1
	} else {
		b.at = s.better(b.at-1, s.last) + 1
	}
}

// Result finds the rows of all that was loaded: a caller loads parts of the same vectors between two Results.
func (s *slidingExtreme) Result(n int, out *vec.Vector) error {
	s.best = grown(s.best, n)
	for _, b := range s.best[:n] {
		if b.at == 0 {
			out.AppendNull()
		} else {
			out.AppendFrom(s.v, int(b.at-1))
		}
		if err := s.after(1); err != nil {
			return err
		}
	}
	clear(s.best)
	return nil
}
