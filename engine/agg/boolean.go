package agg

import (
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// booleanState is bool_and (all) and bool_or.
type booleanState struct {
	all  bool
	val  vec.Bitmap
	seen vec.Bitmap
	buf  vec.Bitmap
}

func newBoolean(ts []types.Type, all bool) State {
	if len(ts) != 1 || ts[0].Kind != types.Bool {
		return nil
	}
	return &booleanState{all: all}
}

func (s *booleanState) Grow(n int) {
	s.val, s.seen = grown(s.val, vec.Words(n)), grown(s.seen, vec.Words(n))
}

func (s *booleanState) Add(in *Input) error {
	v := in.Args[0]
	each(in.present(v, &s.buf), in.N, func(i int) { s.add(in.group(i), v.Bool(i)) })
	return nil
}

func (s *booleanState) add(g uint32, x bool) {
	i := int(g)
	if !s.seen.Get(i) {
		s.seen.Set(i)
		s.val.SetTo(i, x)
		return
	}
	if s.all {
		s.val.SetTo(i, s.val.Get(i) && x)
	} else {
		s.val.SetTo(i, s.val.Get(i) || x)
	}
}

func (s *booleanState) Merge(o State, from, to []uint32) error {
	p := o.(*booleanState)
	for k, t := range to {
		g := source(from, k)
		if p.seen.Get(g) {
			s.add(t, p.val.Get(g))
		}
	}
	return nil
}

func (s *booleanState) Result(from, to int, out *vec.Vector) error {
	for g := from; g < to; g++ {
		if s.seen.Get(g) {
			out.AppendBool(s.val.Get(g))
		} else {
			out.AppendNull()
		}
	}
	return nil
}

func (s *booleanState) Bytes() int64 { return int64(cap(s.val)) * 16 }

// bitsState is bit_and, bit_or and bit_xor of integers.
type bitsState struct {
	op   string
	val  []int64
	seen vec.Bitmap
	buf  vec.Bitmap
}

func newBits(call *plan.AggCall, ts []types.Type) State {
	if len(ts) != 1 {
		return nil
	}
	switch ts[0].Kind {
	case types.Int16, types.Int32, types.Int64:
		return &bitsState{op: call.Fn.Name}
	}
	return nil
}

func (s *bitsState) Grow(n int) { s.val, s.seen = grown(s.val, n), grown(s.seen, vec.Words(n)) }

func (s *bitsState) Add(in *Input) error {
	v := in.Args[0]
	each(in.present(v, &s.buf), in.N, func(i int) { s.add(in.group(i), v.Int(i)) })
	return nil
}

func (s *bitsState) add(g uint32, x int64) {
	if !s.seen.Get(int(g)) {
		s.seen.Set(int(g))
		s.val[g] = x
		return
	}
	switch s.op {
	case "bit_and":
		s.val[g] &= x
	case "bit_or":
		s.val[g] |= x
	default:
		s.val[g] ^= x
	}
}

func (s *bitsState) Merge(o State, from, to []uint32) error {
	p := o.(*bitsState)
	for k, t := range to {
		g := source(from, k)
		if p.seen.Get(g) {
			s.add(t, p.val[g])
		}
	}
	return nil
}

func (s *bitsState) Result(from, to int, out *vec.Vector) error {
	for g := from; g < to; g++ {
		if s.seen.Get(g) {
			out.AppendInt(s.val[g])
		} else {
			out.AppendNull()
		}
	}
	return nil
}

func (s *bitsState) Bytes() int64 { return int64(cap(s.val)) * 9 }
