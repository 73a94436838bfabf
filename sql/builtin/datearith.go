package builtin

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// intRow is an Eval of integer-class results computed row by row.
func intRow(f func(ctx *expr.Ctx, args []*vec.Vector, i int) (int64, error)) evalFunc {
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(out.Type, n)
		for i := range n {
			if !sel.Get(i) {
				continue
			}
			x, err := f(ctx, args, i)
			if err != nil {
				return err
			}
			out.I64[i] = x
		}
		return nil
	}
}

// subDates subtracts dates without a look at each. Where one is not finite, which no date that is has so many days, rows decides.
func subDates(rows evalFunc) evalFunc {
	const finite = 1 << 40
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		a, b := args[0], args[1]
		if a.Form != vec.Flat || b.Form != vec.Flat || n == 0 {
			return rows(ctx, args, sel, n, out)
		}
		out.SetFlat(out.Type, n)
		xs, ys, zs := a.I64[:n], b.I64[:n], out.I64[:n]
		far := uint64(0)
		for i, x := range xs {
			y := ys[i]
			far |= uint64(x+finite) | uint64(y+finite)
			zs[i] = x - y
		}
		if far >= 2*finite {
			return rows(ctx, args, sel, n, out)
		}
		return nil
	}
}

// intervalRow is an Eval of intervals.
func intervalRow(f func(args []*vec.Vector, i int) (datum.Interval, error)) evalFunc {
	return byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		iv, err := f(args, i)
		if err != nil {
			return err
		}
		datum.AppendIntervalValue(out, iv)
		return nil
	})
}

func intervalArg(v *vec.Vector, i int) datum.Interval { return datum.GetInterval(v.Bytes(i)) }

func swap(f evalFunc) evalFunc {
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		return f(ctx, []*vec.Vector{args[1], args[0]}, sel, n, out)
	}
}

func addDateArith(r *registry) {
	addDays := intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		return datum.AddDays(a[0].Int(i), a[1].Int(i))
	})
	r.op("+", sig(tDate, tInt4), tDate, addDays)
	r.op("+", sig(tInt4, tDate), tDate, swap(addDays))
	r.op("-", sig(tDate, tInt4), tDate, intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		return datum.AddDays(a[0].Int(i), -a[1].Int(i))
	}))
	r.op("-", sig(tDate, tDate), tInt4, subDates(intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		return datum.SubDates(a[0].Int(i), a[1].Int(i))
	})))
	atTime := intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		us, err := datum.DateToTimestamp(a[0].Int(i))
		if err != nil || us == datum.PosInfinity || us == datum.NegInfinity {
			return us, err
		}
		return us + a[1].Int(i), nil
	})
	r.op("+", sig(tDate, tTime), tTimestamp, atTime)
	r.op("+", sig(tTime, tDate), tTimestamp, swap(atTime))
	addIntervalOps(r)
	addSpans(r)
}

func addIntervalOps(r *registry) {
	// shift is x ± interval, x a date, timestamp or timestamptz.
	shift := func(t types.Type, sign int) evalFunc {
		return intRow(func(ctx *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
			iv := intervalArg(a[1], i)
			x := a[0].Int(i)
			var err error
			if sign < 0 {
				if iv, err = iv.Neg(); err != nil {
					return 0, err
				}
			}
			switch t.Kind {
			case types.Date:
				if x, err = datum.DateToTimestamp(x); err != nil {
					return 0, err
				}
			case types.Timestamptz:
				return datum.AddIntervalTZ(x, iv, ctx.Format().Location())
			}
			return datum.AddInterval(x, iv)
		})
	}
	for _, p := range [][2]types.Type{{tDate, tTimestamp}, {tTimestamp, tTimestamp}, {tTimestamptz, tTimestamptz}} {
		t, ret := p[0], p[1]
		fs := []*expr.Func{
			r.op("+", sig(t, tInterval), ret, shift(t, 1)),
			r.op("+", sig(tInterval, t), ret, swap(shift(t, 1))),
			r.op("-", sig(t, tInterval), ret, shift(t, -1)),
		}
		for _, f := range fs {
			if t.Kind == types.Timestamptz {
				stable(f)
			}
		}
	}
	clock := func(sign int64) evalFunc {
		return intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
			return datum.AddTime(a[0].Int(i), datum.Interval{Micros: sign * (intervalArg(a[1], i).Micros % (24 * 3600 * 1e6))}), nil
		})
	}
	r.op("+", sig(tTime, tInterval), tTime, clock(1))
	r.op("+", sig(tInterval, tTime), tTime, swap(clock(1)))
	r.op("-", sig(tTime, tInterval), tTime, clock(-1))
	r.op("-", sig(tTime, tTime), tInterval, intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
		return datum.Interval{Micros: a[0].Int(i) - a[1].Int(i)}, nil
	}))
}

func addSpans(r *registry) {
	minus := intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
		return datum.SubTimestamps(a[0].Int(i), a[1].Int(i))
	})
	r.op("-", sig(tTimestamp, tTimestamp), tInterval, minus)
	r.op("-", sig(tTimestamptz, tTimestamptz), tInterval, minus)
	r.op("+", sig(tInterval, tInterval), tInterval, intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
		return intervalArg(a[0], i).Add(intervalArg(a[1], i))
	}))
	r.op("-", sig(tInterval, tInterval), tInterval, intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
		return intervalArg(a[0], i).Sub(intervalArg(a[1], i))
	}))
	r.op("-", sig(tInterval), tInterval, intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
		return intervalArg(a[0], i).Neg()
	}))
	times := intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
		return intervalArg(a[0], i).Mul(a[1].Float(i))
	})
	r.op("*", sig(tInterval, tFloat8), tInterval, times)
	r.op("*", sig(tFloat8, tInterval), tInterval, swap(times))
	r.op("/", sig(tInterval, tFloat8), tInterval, intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
		return intervalArg(a[0], i).Div(a[1].Float(i))
	}))
}
