package builtin

import (
	"time"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func addDateFuncs(r *registry) {
	addNow(r)
	addTrunc(r)
	addExtract(r)
	addZones(r)
	addAge(r)
	addMakers(r)
	for name, f := range map[string]func(datum.Interval) (datum.Interval, error){
		"justify_hours": datum.Interval.JustifyHours, "justify_days": datum.Interval.JustifyDays,
		"justify_interval": datum.Interval.Justify,
	} {
		r.fn(name, sig(tInterval), tInterval, intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
			return f(intervalArg(a[0], i))
		}))
	}
	for _, t := range []types.Type{tDate, tTimestamp, tTimestamptz} {
		r.fn("isfinite", sig(t), tBool, byRow(func(_ *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
			x := a[0].Int(i)
			out.AppendBool(x != datum.PosInfinity && x != datum.NegInfinity)
			return nil
		}))
	}
	r.fn("isfinite", sig(tInterval), tBool, byRow(func(_ *expr.Ctx, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendBool(true)
		return nil
	}))
}

// sessionNow is the transaction's start.
func sessionNow(ctx *expr.Ctx) int64 {
	if ctx != nil && ctx.Session != nil {
		return ctx.Session.Now()
	}
	return time.Now().UnixMicro()
}

func location(ctx *expr.Ctx) *time.Location { return ctx.Format().Location() }

// constInt is an Eval of one integer for the whole batch.
func constInt(f func(ctx *expr.Ctx) int64) evalFunc {
	return func(ctx *expr.Ctx, _ []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
		out.AppendInt(f(ctx))
		out.Form, out.N = vec.Const, n
		return nil
	}
}

func addNow(r *registry) {
	for _, name := range []string{"now", "transaction_timestamp", "statement_timestamp", "current_timestamp"} {
		stable(r.fn(name, nil, tTimestamptz, constInt(sessionNow)))
	}
	volatile(r.fn("clock_timestamp", nil, tTimestamptz, constInt(func(*expr.Ctx) int64 { return time.Now().UnixMicro() })))
	stable(r.fn("current_date", nil, tDate, constInt(func(ctx *expr.Ctx) int64 {
		return datum.TimestampToDate(datum.ToLocal(sessionNow(ctx), location(ctx)))
	})))
	stable(r.fn("localtimestamp", nil, tTimestamp, constInt(func(ctx *expr.Ctx) int64 {
		return datum.ToLocal(sessionNow(ctx), location(ctx))
	})))
	stable(r.fn("localtime", nil, tTime, constInt(func(ctx *expr.Ctx) int64 {
		_, tod := datum.SplitTimestamp(datum.ToLocal(sessionNow(ctx), location(ctx)))
		return tod
	})))
}

func addTrunc(r *registry) {
	r.fn("date_trunc", sig(tText, tTimestamp), tTimestamp, intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		return datum.TruncTimestamp(a[0].Bytes(i), a[1].Int(i), types.Timestamp)
	}))
	stable(r.fn("date_trunc", sig(tText, tTimestamptz), tTimestamptz, func(ctx *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		loc := location(ctx)
		return intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
			return datum.TruncTimestamptz(a[0].Bytes(i), a[1].Int(i), loc)
		})(ctx, a, sel, n, out)
	}))
	r.fn("date_trunc", sig(tText, tTimestamptz, tText), tTimestamptz, intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		loc, err := datum.LoadZone(string(a[2].Bytes(i)))
		if err != nil {
			return 0, err
		}
		return datum.TruncTimestamptz(a[0].Bytes(i), a[1].Int(i), loc)
	}))
	r.fn("date_trunc", sig(tText, tInterval), tInterval, intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
		return datum.TruncInterval(a[0].Bytes(i), intervalArg(a[1], i))
	}))
	for _, t := range []types.Type{tTimestamp, tTimestamptz} {
		r.fn("date_bin", sig(tInterval, t, t), t, intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
			return datum.BinTimestamp(intervalArg(a[0], i), a[1].Int(i), a[2].Int(i))
		}))
	}
}

// addExtract registers extract (numeric) and date_part (double precision).
func addExtract(r *registry) {
	type getter = func(ctx *expr.Ctx, a []*vec.Vector, i int, n *datum.Numeric) (bool, error)
	get := map[types.Kind]getter{
		types.Time: func(_ *expr.Ctx, a []*vec.Vector, i int, n *datum.Numeric) (bool, error) {
			return true, datum.ExtractTime(a[0].Bytes(i), a[1].Int(i), n)
		},
		types.Interval: func(_ *expr.Ctx, a []*vec.Vector, i int, n *datum.Numeric) (bool, error) {
			return true, datum.ExtractInterval(a[0].Bytes(i), intervalArg(a[1], i), n)
		},
	}
	for _, k := range []types.Kind{types.Date, types.Timestamp, types.Timestamptz} {
		get[k] = func(ctx *expr.Ctx, a []*vec.Vector, i int, n *datum.Numeric) (bool, error) {
			return datum.ExtractDatetime(k, a[0].Bytes(i), a[1].Int(i), location(ctx), n)
		}
	}
	for _, k := range []types.Kind{types.Date, types.Time, types.Timestamp, types.Timestamptz, types.Interval} {
		g := get[k]
		exact := r.fn("extract", sig(tText, types.Of(k)), tNumeric, byRow(func(ctx *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
			var n datum.Numeric
			ok, err := g(ctx, a, i, &n)
			if err != nil {
				return err
			}
			if !ok {
				out.AppendNull()
				return nil
			}
			datum.AppendNumeric(out, &n)
			return nil
		}))
		h := g
		if k == types.Date { // date_part looks at a date as a timestamp
			h = func(ctx *expr.Ctx, a []*vec.Vector, i int, n *datum.Numeric) (bool, error) {
				us, err := datum.DateToTimestamp(a[1].Int(i))
				if err != nil {
					return false, err
				}
				return datum.ExtractDatetime(types.Timestamp, a[0].Bytes(i), us, nil, n)
			}
		}
		part := r.fn("date_part", sig(tText, types.Of(k)), tFloat8, byRow(func(ctx *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
			var n datum.Numeric
			ok, err := h(ctx, a, i, &n)
			if err != nil {
				return err
			}
			if !ok {
				out.AppendNull()
				return nil
			}
			out.AppendFloat(n.Float64())
			return nil
		}))
		if k == types.Timestamptz {
			stable(exact)
			stable(part)
		}
	}
}

// addZones registers timezone(zone, x), which AT TIME ZONE is.
func addZones(r *registry) {
	zone := func(get func(a *vec.Vector, i int) (*time.Location, error), convert func(int64, *time.Location) int64) evalFunc {
		return intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
			loc, err := get(a[0], i)
			if err != nil {
				return 0, err
			}
			return convert(a[1].Int(i), loc), nil
		})
	}
	named := func(v *vec.Vector, i int) (*time.Location, error) { return datum.LoadZone(string(v.Bytes(i))) }
	offset := func(v *vec.Vector, i int) (*time.Location, error) {
		iv := intervalArg(v, i)
		if iv.Months != 0 || iv.Days != 0 {
			return nil, errParam("interval time zone \"%s\" must not include months or days",
				datum.AppendInterval(nil, iv, datum.IntervalPostgres))
		}
		return time.FixedZone("", int(iv.Micros/1e6)), nil
	}
	r.fn("timezone", sig(tText, tTimestamptz), tTimestamp, zone(named, datum.ToLocal))
	r.fn("timezone", sig(tText, tTimestamp), tTimestamptz, zone(named, datum.FromLocal))
	r.fn("timezone", sig(tInterval, tTimestamptz), tTimestamp, zone(offset, datum.ToLocal))
	r.fn("timezone", sig(tInterval, tTimestamp), tTimestamptz, zone(offset, datum.FromLocal))
}

func addAge(r *registry) {
	r.fn("age", sig(tTimestamp, tTimestamp), tInterval, intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
		return datum.Age(a[0].Int(i), a[1].Int(i))
	}))
	local := func(both bool) evalFunc {
		return byRow(func(ctx *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
			loc := location(ctx)
			x, y := datum.ToLocal(sessionNow(ctx), loc), a[len(a)-1].Int(i)
			if both {
				x = datum.ToLocal(a[0].Int(i), loc)
			} else {
				x = datum.TimestampToDate(x) * 24 * 3600 * 1e6
			}
			if a[len(a)-1].Type.Kind == types.Timestamptz {
				y = datum.ToLocal(y, loc)
			}
			iv, err := datum.Age(x, y)
			if err != nil {
				return err
			}
			datum.AppendIntervalValue(out, iv)
			return nil
		})
	}
	stable(r.fn("age", sig(tTimestamptz, tTimestamptz), tInterval, local(true)))
	stable(r.fn("age", sig(tTimestamptz), tInterval, local(false)))
	stable(r.fn("age", sig(tTimestamp), tInterval, local(false)))
}

func addMakers(r *registry) {
	i4 := tInt4
	r.fn("make_date", sig(i4, i4, i4), tDate, intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		return datum.MakeDate(a[0].Int(i), a[1].Int(i), a[2].Int(i))
	}))
	r.fn("make_time", sig(i4, i4, tFloat8), tTime, intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		return datum.MakeTime(a[0].Int(i), a[1].Int(i), a[2].Float(i))
	}))
	wall := func(a []*vec.Vector, i int) (int64, error) {
		return datum.MakeTimestamp(a[0].Int(i), a[1].Int(i), a[2].Int(i), a[3].Int(i), a[4].Int(i), a[5].Float(i))
	}
	stamp := sig(i4, i4, i4, i4, i4, tFloat8)
	r.fn("make_timestamp", stamp, tTimestamp, intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) { return wall(a, i) }))
	stable(r.fn("make_timestamptz", stamp, tTimestamptz, intRow(func(ctx *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		us, err := wall(a, i)
		return datum.FromLocal(us, location(ctx)), err
	})))
	r.fn("make_timestamptz", append(stamp[:6:6], tText), tTimestamptz, intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		us, err := wall(a, i)
		if err != nil {
			return 0, err
		}
		loc, err := datum.LoadZone(string(a[6].Bytes(i)))
		if err != nil {
			return 0, err
		}
		return datum.FromLocal(us, loc), nil
	}))
	// make_interval(years, months, weeks, days, hours, mins, secs): all but the first ones may be left out.
	all := sig(i4, i4, i4, i4, i4, i4, tFloat8)
	for n := range len(all) + 1 {
		r.fn("make_interval", all[:n:n], tInterval, intervalRow(func(a []*vec.Vector, i int) (datum.Interval, error) {
			var v [6]int64
			secs := 0.0
			for j := range a {
				if j == 6 {
					secs = a[6].Float(i)
				} else {
					v[j] = a[j].Int(i)
				}
			}
			return datum.MakeInterval(v[0], v[1], v[2], v[3], v[4], v[5], secs)
		}))
	}
	r.fn("to_timestamp", sig(tFloat8), tTimestamptz, intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		return datum.FromEpoch(a[0].Float(i))
	}))
}
