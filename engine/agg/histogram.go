package agg

import (
	"errors"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// histState is hist_merge: the sum of histograms of one layout.
type histState struct {
	h    []*sketch.Histogram
	held int64
	x    sketch.Histogram
	buf  vec.Bitmap
}

func newHistMerge(_ *plan.AggCall, ts []types.Type) State {
	if len(ts) != 1 || ts[0].Kind != types.Histogram {
		return nil
	}
	return &histState{}
}

func (s *histState) Grow(n int) { s.h = grown(s.h, n) }

func (s *histState) Add(in *Input) error {
	v := in.Args[0]
	var failed error
	each(in.present(v, &s.buf), in.N, func(i int) {
		if failed != nil {
			return
		}
		if err := s.x.Decode(v.Bytes(i)); err != nil {
			failed = sqlstate.Wrap(sqlstate.DataCorrupted, err)
			return
		}
		failed = s.add(in.group(i), &s.x)
	})
	return failed
}

func (s *histState) add(g uint32, x *sketch.Histogram) error {
	h := s.h[g]
	if h == nil {
		s.h[g] = x.Clone()
		s.held += 64 + int64(cap(s.h[g].Buckets))*16
		return nil
	}
	before := cap(h.Buckets)
	if err := h.Merge(x); err != nil {
		if errors.Is(err, sketch.ErrLayout) {
			return sqlstate.New(sqlstate.InvalidParameter, "hist_merge: %v", err).
				WithDetail("One histogram has layout %s, another %s.", h.Layout, x.Layout)
		}
		return sqlstate.Wrap(sqlstate.NumericOutOfRange, err)
	}
	s.held += int64(cap(h.Buckets)-before) * 16
	return nil
}

func (s *histState) Merge(o State, from, to []uint32) error {
	p := o.(*histState)
	for k, t := range to {
		g := source(from, k)
		if p.h[g] == nil {
			continue
		}
		if err := s.add(t, p.h[g]); err != nil {
			return err
		}
	}
	return nil
}

func (s *histState) Result(from, to int, out *vec.Vector) error {
	var buf []byte
	for _, h := range s.h[from:to] {
		if h == nil {
			out.AppendNull()
			continue
		}
		buf = h.AppendTo(buf[:0])
		out.AppendBytes(buf)
	}
	return nil
}

func (s *histState) Bytes() int64 { return int64(cap(s.h))*8 + s.held }
