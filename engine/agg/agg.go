// Package agg implements aggregate functions over groups numbered from 0. A State holds one aggregate for all groups of
// one table; workers have states of their own, which are merged afterwards.
//
// Files: count.go and sum.go (counts, sums, means), minmax.go, boolean.go, variance.go, histogram.go, hll.go (states of fixed
// size per group); collect.go and finish.go (aggregates that need all their values: arrays, strings, quantiles, modes); pick.go (a value of one row per group);
// ordered_set.go, grouped_words.go and selection.go (quantiles and modes of numbers);
// distinct.go (DISTINCT around any of them).
package agg

import (
	"math/bits"

	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Input is one batch for one aggregate.
type Input struct {
	Args   []*vec.Vector
	Order  []*vec.Vector // the values of the call's ORDER BY
	Sel    vec.Bitmap    // rows to add; nil: all N
	N      int
	Groups []uint32 // group of each row; nil: all rows belong to One
	One    uint32
	// Keyed tells that there are group keys, so that it is by chance that all rows of this batch belong to one group: what
	// depends on the order of additions adds row by row, as it would if they did not.
	Keyed bool
}

// State is one aggregate for many groups. It is used by one goroutine at a time.
type State interface {
	// Grow makes room for groups [0, n).
	Grow(n int)
	// Add adds rows. All groups named have been grown to. It keeps nothing of in.
	Add(in *Input) error
	// Merge adds groups of o, a state made by the same call: group from[k] (if from is nil, group k) goes to group to[k].
	// A group of o is not used after it was merged. Once o is sealed, several goroutines may merge groups of it, each others.
	Merge(o State, from, to []uint32) error
	// Result appends the results of groups [from, to) to out, which is flat and has the call's type.
	Result(from, to int, out *vec.Vector) error
	// Bytes is the memory held, for accounting.
	Bytes() int64
}

// Additive reports whether a group of the state may be merged into several groups of others, and be used afterwards. A
// variance of floats is not: its last bit tells how it was put together.
func Additive(s State) bool {
	switch s.(type) {
	case *countState, *intSum, *floatSum, *numericSum, *intExtreme, *floatExtreme, *booleanState, *bitsState, *intVariance:
		return true
	}
	return false
}

// Seal prepares a state, to which nothing is added any more, for being merged by several goroutines at a time.
func Seal(s State) {
	if s, ok := s.(interface{ seal() }); ok {
		s.seal()
	}
}

// source returns the k-th of the groups listed in from, which are all if it is nil.
func source(from []uint32, k int) int {
	if from == nil {
		return k
	}
	return int(from[k])
}

// Ordered reports whether the last bit of the result may depend on the order in which rows and states are added, so
// that the caller has to add and merge in the order of the rows.
func Ordered(call *plan.AggCall) bool {
	if call.Distinct {
		for _, e := range call.Args {
			if keys.Canonical(e.Type()) || e.Type().Phys() == types.PhysFloat64 {
				return true // of equal values that print differently the first stays
			}
		}
		return false
	}
	switch call.Fn.Name {
	case "count", "bool_and", "bool_or", "every", "hist_merge", "approx_count_distinct", "approx_distinct",
		"bit_and", "bit_or", "bit_xor", "percentile_disc", "percentile_cont", "median":
		return false
	case "sum", "avg", "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop":
		return floatArg(call)
	case "mode":
		return len(call.Order) != 1 || call.Order[0].Expr.Type().Phys() != types.PhysInt64
	case "min", "max":
		return floatArg(call) || (len(call.Args) > 0 && call.Args[0].Type().Phys() == types.PhysBytes)
	}
	return true
}

func floatArg(call *plan.AggCall) bool {
	return len(call.Args) > 0 && call.Args[0].Type().Phys() == types.PhysFloat64
}

// New returns an empty state for a call, or error 42883 if no such aggregate exists for the argument types.
func New(call *plan.AggCall) (State, error) {
	if call.Distinct {
		return newDistinct(call)
	}
	if len(call.Order) > 0 && !call.Fn.OrderedSet && orderMatters(call.Fn.Name) {
		return newOrdered(call)
	}
	return newPlain(withoutOrder(call))
}

// orderMatters reports whether ORDER BY inside the call changes the result.
func orderMatters(name string) bool {
	switch name {
	case "array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg", "first", "last",
		"any_value", "arbitrary":
		return true
	}
	return false
}

func argTypes(call *plan.AggCall) []types.Type {
	out := make([]types.Type, len(call.Args))
	for i, a := range call.Args {
		out[i] = a.Type()
	}
	return out
}

func newPlain(call *plan.AggCall) (State, error) {
	if make, ok := makers[call.Fn.Name]; ok {
		if s := make(call, argTypes(call)); s != nil {
			return s, nil
		}
	}
	return nil, sqlstate.New(sqlstate.UndefinedFunction, "aggregate function %s%s does not exist", call.Fn.Name, signature(call))
}

func signature(call *plan.AggCall) string {
	s := "("
	for i, a := range call.Args {
		if i > 0 {
			s += ", "
		}
		s += a.Type().String()
	}
	return s + ")"
}

// Exists reports whether an aggregate of this name is implemented.
func Exists(name string) bool { _, ok := makers[name]; return ok }

// makers lists the aggregates. A maker returns nil for argument types it does not know.
var makers map[string]func(*plan.AggCall, []types.Type) State

func init() {
	makers = map[string]func(*plan.AggCall, []types.Type) State{
		"count": newCount,
		"sum":   newSum, "avg": newAvg,
		"min":      func(_ *plan.AggCall, ts []types.Type) State { return newExtreme(ts, -1) },
		"max":      func(_ *plan.AggCall, ts []types.Type) State { return newExtreme(ts, 1) },
		"bool_and": func(_ *plan.AggCall, ts []types.Type) State { return newBoolean(ts, true) },
		"every":    func(_ *plan.AggCall, ts []types.Type) State { return newBoolean(ts, true) },
		"bool_or":  func(_ *plan.AggCall, ts []types.Type) State { return newBoolean(ts, false) },
		"bit_and":  newBits, "bit_or": newBits, "bit_xor": newBits,

		"variance": newVariance(true, false), "var_samp": newVariance(true, false), "var_pop": newVariance(false, false),
		"stddev": newVariance(true, true), "stddev_samp": newVariance(true, true), "stddev_pop": newVariance(false, true),

		"hist_merge":            newHistMerge,
		"approx_count_distinct": newHLL,
		"approx_distinct":       newHLL,

		"array_agg":        collecting(arrayFinish),
		"string_agg":       collecting(stringFinish),
		"jsonb_agg":        collecting(jsonFinish),
		"json_agg":         collecting(jsonFinish),
		"jsonb_object_agg": collecting(objectFinish),
		"json_object_agg":  collecting(objectFinish),
		"percentile_cont":  ranking(percentileContFinish, rankedQuantiles(true)),
		"percentile_disc":  ranking(percentileDiscFinish, rankedQuantiles(false)),
		"mode":             ranking(modeFinish, rankedMode),
		"any_value":        newAnyValue,
		"arbitrary":        newAnyValue,
		"median":           ranking(medianFinish, rankedMedian),
		"max_by":           newBy(1),
		"last":             newBy(1),
		"min_by":           newBy(-1),
		"first":            newBy(-1),
		"regr_count":       newRegression,
	}
	for name := range regressions {
		makers[name] = newRegression
	}
}

// group returns the group of row i.
func (in *Input) group(i int) uint32 {
	if in.Groups == nil {
		return in.One
	}
	return in.Groups[i]
}

// present returns the rows to add whose value in v is not NULL; nil means all of in.N. buf is used for the answer.
func (in *Input) present(v *vec.Vector, buf *vec.Bitmap) vec.Bitmap {
	if v.Valid == nil {
		return in.Sel
	}
	if v.Form == vec.Const {
		if v.Null(0) {
			*buf = buf.Resize(in.N)
			return *buf
		}
		return in.Sel
	}
	if in.Sel == nil {
		*buf = append((*buf)[:0], v.Valid[:vec.Words(in.N)]...)
		return *buf
	}
	*buf = append((*buf)[:0], in.Sel...)
	buf.And(v.Valid)
	return *buf
}

// count returns the number of rows in a selection over n rows.
func count(sel vec.Bitmap, n int) int {
	if sel == nil {
		return n
	}
	return sel.Count()
}

// each calls f for the rows of sel (nil: all n).
func each(sel vec.Bitmap, n int, f func(i int)) {
	if sel == nil {
		for i := range n {
			f(i)
		}
		return
	}
	for w, m := range sel {
		for ; m != 0; m &= m - 1 {
			f(w<<6 + bits.TrailingZeros64(m))
		}
	}
}

// ints returns v's values as a slice with one entry per row, decoding a dictionary into buf.
func ints(v *vec.Vector, n int, buf *[]int64) []int64 {
	switch {
	case v.Form == vec.Flat:
		return v.I64[:n]
	case v.Form == vec.Dict && v.Dict.N > 0:
		*buf = coded(*buf, v.Dict.I64, v.Codes[:n])
		return *buf
	}
	b := (*buf)[:0]
	for i := range n {
		if v.Null(i) {
			b = append(b, 0)
			continue
		}
		b = append(b, v.Int(i))
	}
	*buf = b
	return b
}

func floats(v *vec.Vector, n int, buf *[]float64) []float64 {
	switch {
	case v.Form == vec.Flat:
		return v.F64[:n]
	case v.Form == vec.Dict && v.Dict.N > 0:
		*buf = coded(*buf, v.Dict.F64, v.Codes[:n])
		return *buf
	}
	b := (*buf)[:0]
	for i := range n {
		if v.Null(i) {
			b = append(b, 0)
			continue
		}
		b = append(b, v.Float(i))
	}
	*buf = b
	return b
}

// coded returns the entries that the codes name, in buf's memory if it is enough.
func coded[T any](buf, entries []T, codes []uint32) []T {
	buf = grown(buf[:0], len(codes))
	for i, c := range codes {
		buf[i] = entries[c]
	}
	return buf
}

// grown returns s with length n at least, new entries zero.
func grown[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	if n <= cap(s) {
		return s[:n]
	}
	t := make([]T, n, max(n, 2*cap(s)))
	copy(t, s)
	return t
}
