package builtin

import "github.com/telemdb/telemdb/storage/types"

// An aggregation by a key that is monotone in a column computes it for few of the column's values (expr.Func.Monotone). Here
// is which functions are, for arguments that are neither NULL nor NaN nor infinite. Local time is not: it goes back an hour
// every autumn; nor is adding months, which cuts the days at the month's end.

// markMonotone sets Monotone of functions and operators.
func markMonotone(r *registry) {
	for _, name := range []string{"date_trunc", "date_bin"} {
		for _, f := range r.scalars[name] {
			if f.Ret.Kind == types.Timestamp {
				f.Monotone = 1 << 1
			}
		}
	}
	for _, name := range []string{"width_bucket", "floor", "ceil", "ceiling", "round", "trunc"} {
		for _, f := range r.scalars[name] {
			if f.Args[0].Kind == types.Float64 {
				f.Monotone = 1
			}
		}
	}
	for _, name := range []string{"+", "-", "*", "/", "<", "<=", ">", ">="} {
		for _, f := range r.operators[name] {
			if !ordinal(f.Ret.Kind) && f.Ret.Kind != types.Bool {
				continue
			}
			all := true
			for _, a := range f.Args {
				all = all && ordinal(a.Kind)
			}
			switch {
			case !all:
			case name == "/" || len(f.Args) == 1:
				f.Monotone = 1
			default:
				f.Monotone = 3
			}
		}
	}
}

// ordinal reports whether values of the kind are numbers of the machine, or counts of days or microseconds.
func ordinal(k types.Kind) bool {
	switch k {
	case types.Int16, types.Int32, types.Int64, types.Float64, types.Date, types.Timestamp:
		return true
	}
	return false
}

// monotoneCast reports whether the cast keeps the order.
func monotoneCast(from, to types.Kind) bool {
	isNumber := func(k types.Kind) bool { return k != types.Date && k != types.Timestamp }
	return ordinal(from) && ordinal(to) && isNumber(from) == isNumber(to)
}
