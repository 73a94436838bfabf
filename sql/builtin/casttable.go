package builtin

import (
	"strconv"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

type castKey struct{ from, to types.Kind }

// casts is pg_cast, without the casts through text that findCast makes.
var casts = castTable()

func castTable() map[castKey]cast {
	m := map[castKey]cast{}
	add := func(from, to types.Kind, c CastContext, eval evalFunc) {
		m[castKey{from, to}] = cast{context: c, eval: eval}
	}
	addNumberCasts(add)
	addOIDCasts(add)
	addTextCasts(add)
	addDateCasts(add, func(from, to types.Kind) {
		k := castKey{from, to}
		c := m[k]
		c.stable = true
		m[k] = c
	})
	addJSONCasts(add)
	return m
}

type adder = func(from, to types.Kind, c CastContext, eval evalFunc)

func addNumberCasts(add adder) {
	ints := []types.Kind{types.Int16, types.Int32, types.Int64}
	for i, a := range ints {
		for j, b := range ints {
			if i < j {
				add(a, b, Implicit, copyInts)
			} else if i > j {
				add(a, b, Assignment, narrowInts(b))
			}
		}
		add(a, types.Float32, Implicit, intsToFloats)
		add(a, types.Float64, Implicit, intsToFloats)
		add(a, types.Numeric, Implicit, intsToNumerics)
		add(types.Float32, a, Assignment, floatsToInts(a))
		add(types.Float64, a, Assignment, floatsToInts(a))
		add(types.Numeric, a, Assignment, numericsToInts(a))
	}
	add(types.Float32, types.Float64, Implicit, copyFloats)
	add(types.Float64, types.Float32, Assignment, float8ToFloat4)
	add(types.Float32, types.Numeric, Assignment, floatsToNumerics(true))
	add(types.Float64, types.Numeric, Assignment, floatsToNumerics(false))
	add(types.Numeric, types.Float32, Implicit, numericsToFloats(types.Float32))
	add(types.Numeric, types.Float64, Implicit, numericsToFloats(types.Float64))
	add(types.Bool, types.Int32, Explicit, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendInt(int64(b2u(args[0].Bool(i))))
		return nil
	}))
	add(types.Int32, types.Bool, Explicit, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBool(args[0].Int(i) != 0)
		return nil
	}))
}

func intsToNumerics(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
	out.Off = append(out.Off[:0], 0)
	for i := range n {
		out.Data = strconv.AppendInt(out.Data, args[0].Int(i), 10)
		out.Off = append(out.Off, uint32(len(out.Data)))
	}
	out.N = n
	return nil
}

func floatsToNumerics(single bool) evalFunc {
	return byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		var d datum.Numeric
		if single {
			d.SetFloat32(args[0].Float(i))
		} else {
			d.SetFloat64(args[0].Float(i))
		}
		datum.AppendNumeric(out, &d)
		return nil
	})
}

func numericsToInts(k types.Kind) evalFunc {
	return byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		x, err := toInt(args[0], i, k)
		if err != nil {
			return err
		}
		out.AppendInt(x)
		return nil
	})
}

func numericsToFloats(k types.Kind) evalFunc {
	return byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		x, err := datum.ParseFloat(args[0].Bytes(i), k)
		if err != nil {
			return err
		}
		out.AppendFloat(x)
		return nil
	})
}

func addOIDCasts(add adder) {
	regs := []types.Kind{types.Regclass, types.Regtype, types.Regproc, types.Regnamespace}
	for _, k := range append([]types.Kind{types.OID}, regs...) {
		add(types.Int16, k, Implicit, wrapOID)
		add(types.Int32, k, Implicit, wrapOID)
		add(types.Int64, k, Implicit, narrowInts(types.OID))
		add(k, types.Int64, Assignment, copyInts)
		add(k, types.Int32, Assignment, unwrapOID)
	}
	for _, k := range regs {
		add(types.OID, k, Implicit, copyInts)
		add(k, types.OID, Implicit, copyInts)
	}
	for _, k := range []types.Kind{types.Text, types.Varchar} {
		add(k, types.Regclass, Implicit, fromText(types.Of(types.Regclass)))
	}
}

func addTextCasts(add adder) {
	trim := byRowBytes(func(dst, s []byte) ([]byte, error) {
		for len(s) > 0 && s[len(s)-1] == ' ' {
			s = s[:len(s)-1]
		}
		return append(dst, s...), nil
	})
	name := byRowBytes(func(dst, s []byte) ([]byte, error) { return append(dst, datum.TruncateName(s)...), nil })
	char := byRowBytes(func(dst, s []byte) ([]byte, error) { return append(dst, s[:min(len(s), 1)]...), nil })
	add(types.Text, types.Varchar, Implicit, nil)
	add(types.Varchar, types.Text, Implicit, nil)
	add(types.Text, types.BPChar, Implicit, nil)
	add(types.Varchar, types.BPChar, Implicit, nil)
	add(types.BPChar, types.Text, Implicit, trim)
	add(types.BPChar, types.Varchar, Implicit, trim)
	add(types.Name, types.Text, Implicit, nil)
	add(types.Name, types.Varchar, Assignment, nil)
	add(types.Name, types.BPChar, Assignment, nil)
	add(types.Char, types.Text, Implicit, nil)
	add(types.Char, types.Varchar, Assignment, nil)
	add(types.Char, types.BPChar, Assignment, nil)
	for _, k := range []types.Kind{types.Text, types.Varchar, types.BPChar} {
		add(k, types.Name, Implicit, name)
		add(k, types.Char, Assignment, char)
	}
	add(types.PgNodeTree, types.Text, Implicit, nil)
	add(types.Char, types.Int32, Explicit, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		x := int64(0)
		if b := args[0].Bytes(i); len(b) > 0 {
			x = int64(int8(b[0]))
		}
		out.AppendInt(x)
		return nil
	}))
	add(types.Int32, types.Char, Explicit, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		x := args[0].Int(i)
		if x < -128 || x > 127 {
			return sqlstate.New(sqlstate.NumericOutOfRange, "\"char\" out of range")
		}
		if x == 0 {
			out.AppendBytes(nil)
		} else {
			out.AppendBytes([]byte{byte(x)})
		}
		return nil
	}))
}

func addDateCasts(add adder, dependsOnZone func(from, to types.Kind)) {
	at := func(k types.Kind, f func(ctx *expr.Ctx, x int64) (int64, error)) evalFunc {
		return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			out.SetFlat(types.Of(k), n)
			for i := range n {
				if !sel.Get(i) {
					continue
				}
				x, err := f(ctx, args[0].Int(i))
				if err != nil {
					return err
				}
				out.I64[i] = x
			}
			return nil
		}
	}
	d, tm, ts, tz, iv := types.Date, types.Time, types.Timestamp, types.Timestamptz, types.Interval
	add(d, ts, Implicit, at(ts, func(_ *expr.Ctx, x int64) (int64, error) { return datum.DateToTimestamp(x) }))
	add(d, tz, Implicit, at(tz, func(c *expr.Ctx, x int64) (int64, error) {
		us, err := datum.DateToTimestamp(x)
		return datum.FromLocal(us, c.Format().Location()), err
	}))
	add(ts, tz, Implicit, at(tz, func(c *expr.Ctx, x int64) (int64, error) { return datum.FromLocal(x, c.Format().Location()), nil }))
	add(tz, ts, Assignment, at(ts, func(c *expr.Ctx, x int64) (int64, error) { return datum.ToLocal(x, c.Format().Location()), nil }))
	add(ts, d, Assignment, at(d, func(_ *expr.Ctx, x int64) (int64, error) { return datum.TimestampToDate(x), nil }))
	add(tz, d, Assignment, at(d, func(c *expr.Ctx, x int64) (int64, error) {
		return datum.TimestampToDate(datum.ToLocal(x, c.Format().Location())), nil
	}))
	// An infinite timestamp has no time of day: the cast gives NULL.
	clock := func(local func(c *expr.Ctx, x int64) int64) evalFunc {
		return byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			x := args[0].Int(i)
			if x == datum.NegInfinity || x == datum.PosInfinity {
				out.AppendNull()
				return nil
			}
			_, tod := datum.SplitTimestamp(local(ctx, x))
			out.AppendInt(tod)
			return nil
		})
	}
	add(ts, tm, Assignment, clock(func(_ *expr.Ctx, x int64) int64 { return x }))
	add(tz, tm, Assignment, clock(func(c *expr.Ctx, x int64) int64 { return datum.ToLocal(x, c.Format().Location()) }))
	add(tm, iv, Implicit, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		datum.AppendIntervalValue(out, datum.Interval{Micros: args[0].Int(i)})
		return nil
	}))
	add(iv, tm, Assignment, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		_, tod := datum.SplitTimestamp(datum.GetInterval(args[0].Bytes(i)).Micros)
		out.AppendInt(tod)
		return nil
	}))
	for _, k := range []castKey{{d, tz}, {ts, tz}, {tz, ts}, {tz, d}, {tz, tm}} {
		dependsOnZone(k.from, k.to)
	}
}

func addJSONCasts(add adder) {
	add(types.JSON, types.JSONB, Assignment, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		return datum.ParseText(tJSONB, args[0].Bytes(i), nil, out)
	}))
	add(types.JSONB, types.JSON, Assignment, copyBytes)
	for _, k := range []types.Kind{types.Bool, types.Int16, types.Int32, types.Int64, types.Float32, types.Float64, types.Numeric, types.Histogram} {
		add(types.JSONB, k, Explicit, jsonbTo(types.Of(k)))
	}
	add(types.Histogram, types.JSONB, Assignment, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		var h sketch.Histogram
		if err := h.Decode(args[0].Bytes(i)); err != nil {
			return sqlstate.Wrap(sqlstate.DataCorrupted, err)
		}
		out.AppendBytes(h.AppendJSON(nil))
		return nil
	}))
}

// jsonbTo casts a jsonb value the way a cast around a member does.
func jsonbTo(to types.Type) evalFunc {
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		v, err := expr.NewCaster(tJSONB, to).Cast(ctx, args[0], sel)
		if err != nil {
			return err
		}
		for i := range n {
			out.AppendFrom(v, i)
		}
		return nil
	}
}

// jsonType is the word jsonb_typeof gives.
func jsonType(b []byte) string { return shred.JSONBTypeof(b) }
