package agg

import (
	"math"
	"slices"
	"sort"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Ranks makes the result of percentile_cont, percentile_disc or median of values that somebody else has in order: it tells
// which of them it wants to see.
type Ranks struct {
	call       *plan.AggCall
	continuous bool
	pick       picker // nil: median
	qs, vals   vec.Vector
	want       []int
	array      []byte
}

// NewRanks returns nil for any other call.
func NewRanks(call *plan.AggCall) *Ranks {
	r := &Ranks{call: call}
	switch name := call.Fn.Name; {
	case call.Distinct:
		return nil
	case name == "median" && len(call.Args) == 1:
		return r
	case len(call.Order) != 1 || len(call.Args) != 1:
		return nil
	case name == "percentile_cont":
		r.continuous, r.pick = true, interpolated(call.Order[0].Expr.Type())
	case name == "percentile_disc":
		r.pick = discrete
	default:
		return nil
	}
	return r
}

// Of returns the positions, ascending, of those of n > 0 values that Result takes. fraction is the call's argument in its row
// number row; it is not looked at by median.
func (r *Ranks) Of(fraction *vec.Vector, row, n int) ([]int, error) {
	r.want = r.want[:0]
	if r.pick == nil {
		r.want = append(r.want, (n-1)/2, n/2)
		return slices.Compact(r.want), nil
	}
	if err := r.fractions(fraction, row); err != nil {
		return nil, err
	}
	for i := range r.qs.N {
		if r.qs.Null(i) {
			continue
		}
		q := r.qs.Float(i)
		if err := checkFraction(q); err != nil {
			return nil, err
		}
		at := quantileRanks(r.continuous, q, n)
		r.want = append(r.want, at[0], at[1])
	}
	slices.Sort(r.want)
	r.want = slices.Compact(r.want)
	return r.want, nil
}

// fractions decodes the fractions of a row; a NULL is one that is NULL.
func (r *Ranks) fractions(fraction *vec.Vector, row int) error {
	t := fraction.Type
	if t.Kind == types.Array && !fraction.Null(row) {
		r.qs.Reset(types.Of(t.Elem))
		return datum.DecodeArray(t.Elem, fraction.Bytes(row), &r.qs)
	}
	r.qs.Reset(types.Of(types.Float64))
	if fraction.Null(row) {
		r.qs.AppendNull()
	} else {
		r.qs.AppendFloat(fraction.Float(row))
	}
	return nil
}

// Result appends the result; vals are the values at the positions that Of has returned for this fraction and n.
func (r *Ranks) Result(fraction *vec.Vector, row, n int, vals, out *vec.Vector) error {
	at := func(i int) int { return sort.SearchInts(r.want, i) }
	if r.pick == nil {
		lo, hi := number(vals, 0), number(vals, vals.N-1)
		if lo != hi {
			lo += (hi - lo) / 2
		}
		out.AppendFloat(lo)
		return nil
	}
	if fraction.Null(row) {
		out.AppendNull()
		return nil
	}
	if fraction.Type.Kind != types.Array {
		return r.pick(vals, n, at, r.qs.Float(0), out)
	}
	r.vals.Reset(types.Of(r.call.T.Elem))
	for i := range r.qs.N {
		if r.qs.Null(i) {
			r.vals.AppendNull()
			continue
		}
		if err := r.pick(vals, n, at, r.qs.Float(i), &r.vals); err != nil {
			return err
		}
	}
	r.array = datum.EncodeArray(r.array[:0], &r.vals, 0, r.vals.N)
	out.AppendBytes(r.array)
	return nil
}

// picker appends the value at a fraction of n values in order; at tells where in v the i-th is.
type picker func(v *vec.Vector, n int, at func(i int) int, q float64, out *vec.Vector) error

// discrete picks the first value whose position is at least the fraction of the rows.
func discrete(v *vec.Vector, n int, at func(i int) int, q float64, out *vec.Vector) error {
	out.AppendFrom(v, at(max(int(math.Ceil(q*float64(n)))-1, 0)))
	return nil
}

// interpolated makes what interpolates between the two values of type t around the fraction.
func interpolated(t types.Type) picker {
	return func(v *vec.Vector, n int, at func(i int) int, q float64, out *vec.Vector) error {
		place := q * float64(n-1)
		lo, hi := at(int(math.Floor(place))), at(int(math.Ceil(place)))
		share := place - math.Floor(place)
		if t.Kind == types.Interval {
			return interpolateInterval(v, lo, hi, share, out)
		}
		a, b := number(v, lo), number(v, hi)
		if lo == hi || a == b {
			out.AppendFloat(a)
			return nil
		}
		out.AppendFloat(a + share*(b-a))
		return nil
	}
}

// Unordered returns the call over rows that come in its ORDER BY, and of DISTINCT ones.
func Unordered(call *plan.AggCall) *plan.AggCall { return withoutOrder(call) }

// Gathers reports whether the state of a call holds all its values, of which the result is made and hardly smaller.
func Gathers(call *plan.AggCall) bool {
	switch call.Fn.Name {
	case "array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg":
		return true
	}
	return false
}

// OrderMatters reports whether ORDER BY inside the call changes its result.
func OrderMatters(call *plan.AggCall) bool {
	return len(call.Order) > 0 && !call.Fn.OrderedSet && orderMatters(call.Fn.Name)
}
