package agg

import (
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// countState is count(*) and count(x).
type countState struct {
	star bool
	n    []int64
	buf  vec.Bitmap
}

func newCount(_ *plan.AggCall, ts []types.Type) State {
	if len(ts) > 1 {
		return nil
	}
	return &countState{star: len(ts) == 0}
}

func (s *countState) Grow(n int) { s.n = grown(s.n, n) }

func (s *countState) Add(in *Input) error {
	sel := in.Sel
	if !s.star {
		sel = in.present(in.Args[0], &s.buf)
	}
	addCounts(s.n, in, sel)
	return nil
}

// addCounts adds the rows of sel to the counts of their groups.
func addCounts(n []int64, in *Input, sel vec.Bitmap) {
	switch {
	case in.Groups == nil:
		n[in.One] += int64(count(sel, in.N))
	case sel == nil:
		kernel.CountGroups(in.Groups[:in.N], n)
	default:
		kernel.CountGroupsBits(in.Groups, sel, n)
	}
}

func (s *countState) Merge(o State, from, to []uint32) error {
	n := o.(*countState).n
	for k, t := range to {
		s.n[t] += n[source(from, k)]
	}
	return nil
}

func (s *countState) Result(from, to int, out *vec.Vector) error {
	for _, x := range s.n[from:to] {
		out.AppendInt(x)
	}
	return nil
}

func (s *countState) Bytes() int64 { return int64(cap(s.n)) * 8 }
