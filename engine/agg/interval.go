package agg

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/vec"
)

// intervalSum is sum and avg of intervals.
type intervalSum struct {
	mean bool
	sum  []datum.Interval
	n    []int64
	buf  vec.Bitmap
}

func (s *intervalSum) Grow(n int) { s.sum, s.n = grown(s.sum, n), grown(s.n, n) }

func (s *intervalSum) Add(in *Input) error {
	v := in.Args[0]
	var failed error
	each(in.present(v, &s.buf), in.N, func(i int) {
		if failed == nil {
			failed = s.add(in.group(i), datum.GetInterval(v.Bytes(i)), 1)
		}
	})
	return failed
}

func (s *intervalSum) add(g uint32, x datum.Interval, n int64) (err error) {
	s.n[g] += n
	s.sum[g], err = s.sum[g].Add(x)
	return err
}

func (s *intervalSum) Merge(o State, from, to []uint32) error {
	p := o.(*intervalSum)
	for k, t := range to {
		g := source(from, k)
		if err := s.add(t, p.sum[g], p.n[g]); err != nil {
			return err
		}
	}
	return nil
}

func (s *intervalSum) Result(from, to int, out *vec.Vector) error {
	for g := from; g < to; g++ {
		if s.n[g] == 0 {
			out.AppendNull()
			continue
		}
		x := s.sum[g]
		if s.mean {
			var err error
			if x, err = x.Div(float64(s.n[g])); err != nil {
				return err
			}
		}
		datum.AppendIntervalValue(out, x)
	}
	return nil
}

func (s *intervalSum) Bytes() int64 { return int64(cap(s.n)) * 24 }
