package builtin

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// wholeExtract is expr.Func.Whole of f, which is extract or date_part for a kind: by the fields that are whole numbers.
func wholeExtract(k types.Kind, f *expr.Func) func(args []expr.Expr) (whole, back *expr.Func) {
	whole := &expr.Func{Name: f.Name, Args: f.Args, Ret: tInt8, Volatile: f.Volatile, Eval: evalWhole(k)}
	back := &expr.Func{Name: "numeric", Args: sig(tInt8), Ret: f.Ret, Eval: byRow(func(_ *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
		var n datum.Numeric
		n.SetInt64(a[0].Int(i))
		datum.AppendNumeric(out, &n)
		return nil
	})}
	if f.Ret == tFloat8 {
		back.Name, back.Eval = "float8", byRow(func(_ *expr.Ctx, a []*vec.Vector, i int, out *vec.Vector) error {
			out.AppendFloat(float64(a[0].Int(i)))
			return nil
		})
	}
	return func(args []expr.Expr) (*expr.Func, *expr.Func) {
		field, ok := args[0].(*expr.Const)
		if !ok || field.V.Null(0) || !datum.WholeUnit(k, datum.FindDateUnit(field.V.Bytes(0))) {
			return nil, nil
		}
		return whole, back
	}
}

// evalWhole is a whole field of moments; the field is the same in all rows.
func evalWhole(k types.Kind) evalFunc {
	return func(ctx *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		unit, loc, when := datum.FindDateUnit(a[0].Bytes(0)), location(ctx), a[1]
		out.SetFlat(out.Type, n)
		sel.All(func(i int) {
			x, ok := datum.ExtractWhole(k, unit, when.Int(i), loc)
			if ok {
				out.I64[i] = x
				return
			}
			if out.Valid == nil {
				out.Valid = vec.MakeBitmap(n)
				out.Valid.Fill(n)
			}
			out.Valid.Clear(i)
		})
		return nil
	}
}
