package builtin

import (
	"math"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// addDateFormat registers to_char, to_timestamp, to_date and to_number.
func addDateFormat(r *registry) {
	r.fn("to_char", sig(tTimestamp, tText), tText, byRow(func(_ *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
		if isInfinite(a[0].Int(i)) || len(a[1].Bytes(i)) == 0 {
			out.AppendNull()
			return nil
		}
		out.AppendBytes(datum.AppendTimestampChar(nil, a[0].Int(i), nil, string(a[1].Bytes(i))))
		return nil
	}))
	stable(r.fn("to_char", sig(tTimestamptz, tText), tText, byRow(func(ctx *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
		if isInfinite(a[0].Int(i)) || len(a[1].Bytes(i)) == 0 {
			out.AppendNull()
			return nil
		}
		out.AppendBytes(datum.AppendTimestampChar(nil, a[0].Int(i), location(ctx), string(a[1].Bytes(i))))
		return nil
	})))
	r.fn("to_char", sig(tInterval, tText), tText, byRow(func(_ *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
		if len(a[1].Bytes(i)) == 0 {
			out.AppendNull()
			return nil
		}
		out.AppendBytes(datum.AppendIntervalChar(nil, intervalArg(a[0], i), string(a[1].Bytes(i))))
		return nil
	}))
	for _, t := range []types.Type{tInt4, tInt8, tNumeric, tFloat4, tFloat8} {
		r.fn("to_char", sig(t, tText), tText, byRow(func(_ *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
			n, err := asNumeric(a[0], i)
			if err != nil {
				return err
			}
			b, err := datum.AppendNumericChar(nil, &n, string(a[1].Bytes(i)))
			out.AppendBytes(b)
			return err
		}))
	}
	stable(r.fn("to_timestamp", sig(tText, tText), tTimestamptz, intRow(func(ctx *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		return datum.ParseTimestampChar(string(a[0].Bytes(i)), string(a[1].Bytes(i)), location(ctx))
	})))
	r.fn("to_date", sig(tText, tText), tDate, intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		return datum.ParseDateChar(string(a[0].Bytes(i)), string(a[1].Bytes(i)))
	}))
	r.fn("to_number", sig(tText, tText), tNumeric, byRow(func(_ *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
		var n datum.Numeric
		if err := datum.ParseNumericChar(string(a[0].Bytes(i)), string(a[1].Bytes(i)), &n); err != nil {
			return err
		}
		datum.AppendNumeric(out, &n)
		return nil
	}))
}

func isInfinite(x int64) bool { return x == datum.PosInfinity || x == datum.NegInfinity }

// asNumeric reads a number of any type.
func asNumeric(v *vec.Vector, i int) (n datum.Numeric, err error) {
	switch v.Type.Phys() {
	case types.PhysInt64:
		n.SetInt64(v.Int(i))
	case types.PhysFloat64:
		if f := v.Float(i); v.Type.Kind == types.Float32 && !math.IsInf(f, 0) {
			n.SetFloat32(f)
		} else {
			n.SetFloat64(f)
		}
	default:
		if v.Type.Kind != types.Numeric {
			return n, sqlstate.New(sqlstate.DatatypeMismatch, "type %s is not a number", v.Type)
		}
		return numericArg(v, i)
	}
	return n, nil
}
