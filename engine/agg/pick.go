package agg

import (
	"math"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// pickState is an aggregate that gives a value of one of its rows: any_value, max_by, min_by, first, last. It keeps that row of
// every group, and now and then leaves behind those that a better one took the place of.
type pickState struct {
	name string
	cols []vec.Vector // the arguments of the rows kept, and of some that were
	at   []uint32     // 1 + the row of each group; 0: none yet
	live int          // groups with a row
	by   int          // the column that is compared; 0: the first row stays
	sign int          // 1: the greatest stays; -1: the least
	buf  vec.Bitmap
}

// newAnyValue is any_value: the first value that is not NULL.
func newAnyValue(call *plan.AggCall, ts []types.Type) State {
	if len(ts) != 1 {
		return nil
	}
	return newPick(call, ts, 0, 0)
}

// newBy is max_by(x, y) (sign 1) and min_by (sign -1): x of the row with the greatest or least y, of several the
// first. last(x, t) and first(x, t) are the same.
func newBy(sign int) func(*plan.AggCall, []types.Type) State {
	return func(call *plan.AggCall, ts []types.Type) State {
		if len(ts) != 2 {
			return nil
		}
		return newPick(call, ts, 1, sign)
	}
}

func newPick(call *plan.AggCall, ts []types.Type, by, sign int) *pickState {
	s := &pickState{name: call.Fn.Name, cols: make([]vec.Vector, len(ts)), by: by, sign: sign}
	for i, t := range ts {
		s.cols[i].Reset(t)
	}
	return s
}

func (s *pickState) Grow(n int) { s.at = grown(s.at, n) }

func (s *pickState) Add(in *Input) error {
	y := in.Args[s.by] // its NULLs do not count
	each(in.present(y, &s.buf), in.N, func(i int) {
		if g := in.group(i); s.better(g, y, i) {
			s.put(g, in.Args, i)
		}
	})
	return s.tidy()
}

// better reports whether row i of y takes the place of the group's row. Of equal ones the earlier stays.
func (s *pickState) better(g uint32, y *vec.Vector, i int) bool {
	if s.at[g] == 0 {
		return true
	}
	if s.sign == 0 {
		return false
	}
	old, k := &s.cols[s.by], int(s.at[g]-1)
	if y.Form == vec.Flat && y.Type.Phys() == types.PhysInt64 {
		x, was := y.I64[i], old.I64[k]
		return x != was && (x > was) == (s.sign > 0)
	}
	return datum.Compare(y.Type, y, i, old, k)*s.sign > 0
}

// put makes row i that of the group.
func (s *pickState) put(g uint32, cols []*vec.Vector, i int) {
	if s.at[g] == 0 {
		s.live++
	}
	for c := range s.cols {
		s.cols[c].AppendFrom(cols[c], i)
	}
	s.at[g] = uint32(s.cols[0].N)
}

// tidy forgets rows that are no group's any more when they are as many as the others.
func (s *pickState) tidy() error {
	if s.cols[0].N > 2*s.live+1024 {
		rows := make([]uint32, 0, s.live)
		for g, at := range s.at {
			if at > 0 {
				rows = append(rows, at-1)
				s.at[g] = uint32(len(rows))
			}
		}
		for c := range s.cols {
			var v vec.Vector
			v.Reset(s.cols[c].Type)
			vec.AppendIndexed(&v, &s.cols[c], rows)
			s.cols[c] = v
		}
	}
	for c := range s.cols {
		if len(s.cols[c].Data) > math.MaxUint32-1<<30 {
			return sqlstate.New(sqlstate.ProgramLimit, "the values collected by %s exceed 3 GiB", s.name)
		}
	}
	return nil
}

func (s *pickState) Merge(o State, from, to []uint32) error {
	p := o.(*pickState)
	cols := make([]*vec.Vector, len(p.cols))
	for c := range cols {
		cols[c] = &p.cols[c]
	}
	for k, g := range to {
		if at := p.at[source(from, k)]; at > 0 && s.better(g, cols[s.by], int(at-1)) {
			s.put(g, cols, int(at-1))
		}
	}
	return s.tidy()
}

func (s *pickState) Result(from, to int, out *vec.Vector) error {
	for _, at := range s.at[from:to] {
		if at == 0 {
			out.AppendNull()
		} else {
			out.AppendFrom(&s.cols[0], int(at-1))
		}
	}
	return nil
}

func (s *pickState) Bytes() int64 {
	n := int64(cap(s.at)) * 4
	for i := range s.cols {
		v := &s.cols[i]
		n += int64(cap(v.I64))*8 + int64(cap(v.F64))*8 + int64(cap(v.Off))*4 + int64(cap(v.Data)) + int64(cap(v.Bits)+cap(v.Valid))*8
	}
	return n
}
