package builtin

import (
	"strings"
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

// fieldOf returns the unit a field argument names, looked up once for a constant.
func fieldOf(v *vec.Vector) func(i int) (datum.DateUnit, []byte) {
	if v.Form == vec.Const {
		name := v.Bytes(0)
		u := datum.FindDateUnit(name)
		return func(int) (datum.DateUnit, []byte) { return u, name }
	}
	return func(i int) (datum.DateUnit, []byte) {
		name := v.Bytes(i)
		return datum.FindDateUnit(name), name
	}
}

func addTrunc(r *registry) {
	trunc := func(cut func(ctx *expr.Ctx, a []*vec.Vector) func(u datum.DateUnit, name []byte, us int64, i int) (int64, error)) evalFunc {
		return func(ctx *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			field, f := fieldOf(a[0]), cut(ctx, a)
			return intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
				u, name := field(i)
				return f(u, name, a[1].Int(i), i)
			})(ctx, a, sel, n, out)
		}
	}
	type cutter = func(u datum.DateUnit, name []byte, us int64, i int) (int64, error)
	r.fn("date_trunc", sig(tText, tTimestamp), tTimestamp, trunc(func(*expr.Ctx, []*vec.Vector) cutter {
		return func(u datum.DateUnit, name []byte, us int64, _ int) (int64, error) {
			return datum.TruncTimestamp(u, name, us, types.Timestamp)
		}
	}))
	stable(r.fn("date_trunc", sig(tText, tTimestamptz), tTimestamptz, trunc(func(ctx *expr.Ctx, _ []*vec.Vector) cutter {
		loc := location(ctx)
		return func(u datum.DateUnit, name []byte, us int64, _ int) (int64, error) {
			return datum.TruncTimestamptz(u, name, us, loc)
		}
	})))
	r.fn("date_trunc", sig(tText, tTimestamptz, tText), tTimestamptz, trunc(func(_ *expr.Ctx, a []*vec.Vector) cutter {
		return func(u datum.DateUnit, name []byte, us int64, i int) (int64, error) {
			loc, err := datum.LoadZone(string(a[2].Bytes(i)))
			if err != nil {
				return 0, err
			}
			return datum.TruncTimestamptz(u, name, us, loc)
		}
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

// extractor gets a field of row i as an exact number; ok is false for NULL.
type extractor = func(u datum.DateUnit, name []byte, v *vec.Vector, i int, loc *time.Location, n *datum.Numeric) (ok bool, err error)

func extractorOf(k types.Kind) extractor {
	switch k {
	case types.Time:
		return func(_ datum.DateUnit, name []byte, v *vec.Vector, i int, _ *time.Location, n *datum.Numeric) (bool, error) {
			return true, datum.ExtractTime(name, v.Int(i), n)
		}
	case types.Interval:
		return func(_ datum.DateUnit, name []byte, v *vec.Vector, i int, _ *time.Location, n *datum.Numeric) (bool, error) {
			return true, datum.ExtractInterval(name, intervalArg(v, i), n)
		}
	}
	return func(u datum.DateUnit, name []byte, v *vec.Vector, i int, loc *time.Location, n *datum.Numeric) (bool, error) {
		return datum.ExtractDatetime(k, u, name, v.Int(i), loc, n)
	}
}

// extractDateAsTimestamp is how date_part looks at a date.
func extractDateAsTimestamp(u datum.DateUnit, name []byte, v *vec.Vector, i int, _ *time.Location, n *datum.Numeric) (bool, error) {
	us, err := datum.DateToTimestamp(v.Int(i))
	if err != nil {
		return false, err
	}
	return datum.ExtractDatetime(types.Timestamp, u, name, us, nil, n)
}

// addExtract registers extract (numeric) and date_part (double precision).
func addExtract(r *registry) {
	eval := func(get extractor, put func(out *vec.Vector, n *datum.Numeric)) evalFunc {
		return func(ctx *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			field, loc := fieldOf(a[0]), location(ctx)
			var num datum.Numeric
			return byRow(func(_ *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
				u, name := field(i)
				ok, err := get(u, name, a[1], i, loc, &num)
				if err != nil {
					return err
				}
				if ok {
					put(out, &num)
				} else {
					out.AppendNull()
				}
				return nil
			})(ctx, a, sel, n, out)
		}
	}
	for _, k := range []types.Kind{types.Date, types.Time, types.Timestamp, types.Timestamptz, types.Interval} {
		get := extractorOf(k)
		exact := r.fn("extract", sig(tText, types.Of(k)), tNumeric, eval(get, datum.AppendNumeric))
		if k == types.Date {
			get = extractDateAsTimestamp
		}
		part := r.fn("date_part", sig(tText, types.Of(k)), tFloat8, eval(get, func(out *vec.Vector, n *datum.Numeric) {
			out.AppendFloat(n.Float64())
		}))
		if k == types.Timestamptz {
			stable(exact)
			stable(part)
		}
		exact.Whole = wholeExtract(k, exact)
		if k != types.Date { // of which it looks at the timestamp, which there may be none of
			part.Whole = wholeExtract(k, part)
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
	named := func(v *vec.Vector, i int) (*time.Location, error) {
		name := string(v.Bytes(i))
		if name != "" && strings.Contains("+-0123456789", name[:1]) {
			name = "<>" + name // a bare offset counts west here, as POSIX has it, though SET TIME ZONE takes it as ISO does
		}
		return datum.LoadZone(name)
	}
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
