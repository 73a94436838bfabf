package builtin

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// maxSeries bounds one call: beside other sets the rows of a call are made at once.
const maxSeries = 1 << 25

// seriesLook is the number of rows after which a series asks whether the statement is still wanted.
const seriesLook = 1 << 16

func errSeriesSize() error {
	return sqlstate.New(sqlstate.ProgramLimit, "generate_series would give more than %d rows", maxSeries)
}

func errStepZero() error { return errParam("step size cannot equal zero") }

func addSeries(r *registry) {
	for _, t := range []types.Type{tInt4, tInt8} {
		r.set("generate_series", sig(t, t), t, intSeries).Part = intSeriesPart
		r.set("generate_series", sig(t, t, t), t, intSeries).Part = intSeriesPart
	}
	r.set("generate_series", sig(tNumeric, tNumeric), tNumeric, numericSeries)
	r.set("generate_series", sig(tNumeric, tNumeric, tNumeric), tNumeric, numericSeries)
	r.set("generate_series", sig(tTimestamp, tTimestamp, tInterval), tTimestamp, timeSeries)
	r.set("generate_series", sig(tTimestamptz, tTimestamptz, tInterval), tTimestamptz, timeSeries)
}

// intBounds are a series' first number, its step and the number of its rows. It stops before it would overflow.
func intBounds(args []*vec.Vector, i int) (x, step int64, rows int, err error) {
	x, end, step := args[0].Int(i), args[1].Int(i), int64(1)
	if len(args) > 2 {
		step = args[2].Int(i)
	}
	if step == 0 {
		return 0, 0, 0, errStepZero()
	}
	if step > 0 && x > end || step < 0 && x < end {
		return x, step, 0, nil
	}
	var span, width uint64
	if step > 0 {
		span, width = uint64(end)-uint64(x), uint64(step)
	} else {
		span, width = uint64(x)-uint64(end), -uint64(step)
	}
	steps := span / width
	if steps >= maxSeries {
		return 0, 0, 0, errSeriesSize()
	}
	return x, step, int(steps) + 1, nil
}

func intSeries(ctx *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
	x, step, rows, err := intBounds(args, i)
	if err != nil {
		return 0, err
	}
	if rows >= seriesLook {
		out[0].I64 = vec.Room(out[0].I64, rows)
	}
	for n := range rows {
		if n%seriesLook == 0 {
			if err := canceled(ctx); err != nil {
				return 0, err
			}
		}
		out[0].AppendInt(x)
		x += step
	}
	return rows, nil
}

// intSeriesPart is intSeries part by part.
func intSeriesPart(_ *expr.Ctx, args []*vec.Vector, i, from, most int, out []*vec.Vector) (n int, more bool, err error) {
	for _, a := range args {
		if a.Null(i) {
			return 0, false, nil
		}
	}
	x, step, rows, err := intBounds(args, i)
	if err != nil {
		return 0, false, err
	}
	x += int64(from) * step // what overflows on the way has come back where the row is
	n = min(most, rows-from)
	for range n {
		out[0].AppendInt(x)
		x += step
	}
	return n, from+n < rows, nil
}

func numericSeries(ctx *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
	x, err := numericArg(args[0], i)
	if err != nil {
		return 0, err
	}
	end, err := numericArg(args[1], i)
	if err != nil {
		return 0, err
	}
	var step datum.Numeric
	step.SetInt64(1)
	if len(args) > 2 {
		if step, err = numericArg(args[2], i); err != nil {
			return 0, err
		}
	}
	for _, p := range []struct {
		n    *datum.Numeric
		what string
	}{{&x, "start value"}, {&end, "stop value"}, {&step, "step size"}} {
		if p.n.NaN() {
			return 0, errParam("%s cannot be NaN", p.what)
		}
		if !p.n.Finite() {
			return 0, errParam("%s cannot be infinity", p.what)
		}
	}
	if step.Sign() == 0 {
		return 0, errStepZero()
	}
	rows := 0
	for ; x.Cmp(&end)*step.Sign() <= 0; rows++ {
		if rows >= maxSeries {
			return 0, errSeriesSize()
		}
		if rows%(seriesLook/16) == 0 {
			if err := canceled(ctx); err != nil {
				return 0, err
			}
		}
		datum.AppendNumeric(out[0], &x)
		if err := x.Add(&x, &step); err != nil {
			return 0, err
		}
	}
	return rows, nil
}

func timeSeries(ctx *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
	x, end := args[0].Int(i), args[1].Int(i)
	step := datum.GetInterval(args[2].Bytes(i))
	sign := step.Cmp(datum.Interval{})
	if sign == 0 {
		return 0, errStepZero()
	}
	zoned := args[0].Type.Kind == types.Timestamptz
	loc := ctx.Format().Location()
	rows := 0
	for ; sign > 0 && x <= end || sign < 0 && x >= end; rows++ {
		if rows >= maxSeries {
			return 0, errSeriesSize()
		}
		if rows%(seriesLook/16) == 0 {
			if err := canceled(ctx); err != nil {
				return 0, err
			}
		}
		out[0].AppendInt(x)
		var err error
		if zoned {
			x, err = datum.AddIntervalTZ(x, step, loc)
		} else {
			x, err = datum.AddInterval(x, step)
		}
		if err != nil {
			return 0, err
		}
		if x == datum.PosInfinity || x == datum.NegInfinity {
			return 0, errSeriesSize()
		}
	}
	return rows, nil
}
