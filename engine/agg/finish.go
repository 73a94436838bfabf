package agg

import (
	"cmp"
	"math"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// arrayFinish is array_agg: all values, NULLs too.
func arrayFinish(_ *plan.AggCall, ts []types.Type) (finisher, int) {
	if len(ts) != 1 || ts[0].Kind == types.Array {
		return nil, 0
	}
	var vals vec.Vector
	var buf []byte
	return func(s *rowStore, rows []uint32, out *vec.Vector) error {
		vals.Reset(ts[0])
		err := s.pieces(rows, func(part []uint32) error {
			vec.AppendIndexed(&vals, &s.cols[0], part)
			return nil
		})
		if err != nil {
			return err
		}
		buf = datum.EncodeArray(buf[:0], &vals, 0, vals.N)
		out.AppendBytes(buf)
		return nil
	}, -1
}

// stringFinish is string_agg: the values, each but the first after its own row's delimiter.
func stringFinish(_ *plan.AggCall, ts []types.Type) (finisher, int) {
	if len(ts) != 2 || ts[0].Phys() != types.PhysBytes {
		return nil, 0
	}
	var buf []byte
	return func(s *rowStore, rows []uint32, out *vec.Vector) error {
		buf = buf[:0]
		for i, r := range rows {
			if i > 0 {
				buf = append(buf, s.cols[1].Bytes(int(r))...)
			}
			buf = append(buf, s.cols[0].Bytes(int(r))...)
			if i%askRows == askRows-1 {
				if err := s.after(askRows); err != nil {
					return err
				}
			}
		}
		out.AppendBytes(buf)
		return nil
	}, 0
}

// jsonFinish is jsonb_agg and json_agg.
func jsonFinish(_ *plan.AggCall, ts []types.Type) (finisher, int) {
	if len(ts) != 1 {
		return nil, 0
	}
	var buf []byte
	return func(s *rowStore, rows []uint32, out *vec.Vector) (err error) {
		buf = append(buf[:0], '[')
		for i, r := range rows {
			if i > 0 {
				buf = append(buf, ", "...)
			}
			if buf, err = appendJSON(buf, &s.cols[0], int(r)); err != nil {
				return err
			}
			if i%askRows == askRows-1 {
				if err := s.after(askRows); err != nil {
					return err
				}
			}
		}
		out.AppendBytes(append(buf, ']'))
		return nil
	}, -1
}

// objectFinish is jsonb_object_agg and json_object_agg. As jsonb, keys are in jsonb's order and the last of equal keys
// wins; as json all stand as they came.
func objectFinish(call *plan.AggCall, ts []types.Type) (finisher, int) {
	if len(ts) != 2 {
		return nil, 0
	}
	jsonb := call.T.Kind == types.JSONB
	var key []byte
	return func(s *rowStore, rows []uint32, out *vec.Vector) error {
		members := make([]member, 0, len(rows))
		for _, r := range rows {
			if s.cols[0].Null(int(r)) {
				return sqlstate.New(sqlstate.InvalidParameter, "field name must not be null")
			}
			key = datum.AppendText(key[:0], &s.cols[0], int(r), nil)
			members = append(members, member{string(key), r})
			if err := s.after(1); err != nil {
				return err
			}
		}
		if jsonb {
			var err error
			if members, err = jsonbOrder(&s.asker, members); err != nil {
				return err
			}
		}
		buf := []byte{'{'}
		for i, m := range members {
			if i > 0 {
				buf = append(buf, ", "...)
			}
			buf = appendQuoted(buf, []byte(m.key))
			if jsonb {
				buf = append(buf, ": "...)
			} else {
				buf = append(buf, " : "...)
			}
			var err error
			if buf, err = appendJSON(buf, &s.cols[1], int(m.row)); err != nil {
				return err
			}
			if err := s.after(1); err != nil {
				return err
			}
		}
		if !jsonb {
			buf = append([]byte("{ "), buf[1:]...)
			buf = append(buf, ' ')
		}
		out.AppendBytes(append(buf, '}'))
		return nil
	}, -1
}

type member struct {
	key string
	row uint32
}

// jsonbOrder sorts by length, then bytes, and keeps the last of equal keys. The members are in the order of their arrival.
func jsonbOrder(a *asker, all []member) ([]member, error) {
	type arrived struct {
		member
		at int
	}
	order := make([]arrived, len(all))
	for i, m := range all {
		order[i] = arrived{m, i}
	}
	err := sortBy(a, order, func(a, b arrived) int {
		if c := cmp.Compare(len(a.key), len(b.key)); c != 0 {
			return c
		}
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.at, b.at))
	})
	if err != nil {
		return nil, err
	}
	ms := all
	for i := range order {
		ms[i] = order[i].member
	}
	out := ms[:0]
	for i, m := range ms {
		if i+1 < len(ms) && ms[i+1].key == m.key {
			continue
		}
		out = append(out, m)
	}
	return out, nil
}

// medianFinish is median(x): percentile_cont(0.5).
func medianFinish(_ *plan.AggCall, ts []types.Type) (finisher, int) {
	if len(ts) != 1 || ts[0].Phys() != types.PhysFloat64 {
		return nil, 0
	}
	return func(s *rowStore, rows []uint32, out *vec.Vector) error {
		v := &s.cols[0]
		err := sortBy(&s.asker, rows, func(a, b uint32) int { return cmp.Or(compareRows(v, a, b, false, false), cmp.Compare(a, b)) })
		if err != nil {
			return err
		}
		lo, hi := v.Float(int(rows[(len(rows)-1)/2])), v.Float(int(rows[len(rows)/2]))
		if lo == hi {
			out.AppendFloat(lo)
			return nil
		}
		out.AppendFloat(lo + (hi-lo)/2)
		return nil
	}, 0
}

// modeFinish is mode() WITHIN GROUP (ORDER BY x): the most frequent value, of several the first in the order.
func modeFinish(call *plan.AggCall, ts []types.Type) (finisher, int) {
	if len(ts) != 0 || len(call.Order) != 1 {
		return nil, 0
	}
	return func(s *rowStore, rows []uint32, out *vec.Vector) error {
		if err := s.sort(rows); err != nil {
			return err
		}
		v := &s.cols[0]
		best, most := 0, 0
		for from := 0; from < len(rows); {
			to := from + 1
			for to < len(rows) && datum.Compare(v.Type, v, int(rows[from]), v, int(rows[to])) == 0 {
				to++
			}
			if err := s.after(to - from); err != nil {
				return err
			}
			if to-from > most {
				best, most = from, to-from
			}
			from = to
		}
		out.AppendFrom(v, int(rows[best]))
		return nil
	}, 0
}

// quantiles applies pick to the fraction, or to each of an array of fractions.
func quantiles(call *plan.AggCall, ts []types.Type, pick picker) (finisher, int) {
	if len(ts) != 1 || len(call.Order) != 1 {
		return nil, 0
	}
	many := ts[0].Kind == types.Array
	if !many && ts[0].Phys() != types.PhysFloat64 {
		return nil, 0
	}
	return func(s *rowStore, rows []uint32, out *vec.Vector) error {
		if err := s.sort(rows); err != nil {
			return err
		}
		fraction, at := &s.cols[0], func(i int) int { return int(rows[i]) }
		if fraction.Null(int(rows[0])) {
			out.AppendNull()
			return nil
		}
		if !many {
			q := fraction.Float(int(rows[0]))
			if err := checkFraction(q); err != nil {
				return err
			}
			return pick(&s.cols[1], len(rows), at, q, out)
		}
		var qs, vals vec.Vector
		qs.Reset(types.Of(ts[0].Elem))
		if err := datum.DecodeArray(ts[0].Elem, fraction.Bytes(int(rows[0])), &qs); err != nil {
			return err
		}
		vals.Reset(types.Of(call.T.Elem))
		for i := range qs.N {
			if qs.Null(i) {
				vals.AppendNull()
				continue
			}
			if err := checkFraction(qs.Float(i)); err != nil {
				return err
			}
			if err := pick(&s.cols[1], len(rows), at, qs.Float(i), &vals); err != nil {
				return err
			}
		}
		out.AppendBytes(datum.EncodeArray(nil, &vals, 0, vals.N))
		return nil
	}, 1
}

func checkFraction(q float64) error {
	if q < 0 || q > 1 || math.IsNaN(q) {
		return sqlstate.New(sqlstate.NumericOutOfRange, "percentile value %v is not between 0 and 1", q)
	}
	return nil
}

// percentileDiscFinish is percentile_disc of any type.
func percentileDiscFinish(call *plan.AggCall, ts []types.Type) (finisher, int) {
	return quantiles(call, ts, discrete)
}

// percentileContFinish is percentile_cont of numbers and intervals.
func percentileContFinish(call *plan.AggCall, ts []types.Type) (finisher, int) {
	if len(call.Order) != 1 {
		return nil, 0
	}
	t := call.Order[0].Expr.Type()
	if t.Kind != types.Interval && t.Phys() != types.PhysFloat64 && t.Phys() != types.PhysInt64 && t.Kind != types.Numeric {
		return nil, 0
	}
	return quantiles(call, ts, interpolated(t))
}

func number(v *vec.Vector, i int) float64 {
	switch v.Type.Phys() {
	case types.PhysFloat64:
		return v.Float(i)
	case types.PhysInt64:
		return float64(v.Int(i))
	}
	var n datum.Numeric
	if n.Parse(v.Bytes(i)) != nil {
		return math.NaN()
	}
	return n.Float64()
}

func interpolateInterval(v *vec.Vector, lo, hi int, share float64, out *vec.Vector) error {
	a, b := datum.GetInterval(v.Bytes(lo)), datum.GetInterval(v.Bytes(hi))
	d, err := b.Sub(a)
	if err == nil {
		d, err = d.Mul(share)
	}
	if err == nil {
		d, err = a.Add(d)
	}
	if err != nil {
		return err
	}
	datum.AppendIntervalValue(out, d)
	return nil
}
