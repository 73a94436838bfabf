package builtin

import (
	"math"
	"slices"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// CastContext says where a conversion is asked for. A cast allowed in one context is allowed in all later ones.
type CastContext uint8

// The contexts, as pg_cast.castcontext i, a, e.
const (
	Implicit   CastContext = iota // anywhere in an expression
	Assignment                    // storing into a column
	Explicit                      // CAST or ::
)

// cast is one way between two kinds.
type cast struct {
	context CastContext
	eval    evalFunc // nil: the value stays as it is and only its type changes
	stable  bool     // depends on the session (time zone)
}

// FindCast returns the function that turns a value of type from into to in the context; ok is false if there is none.
// fn is nil if the value can stay as it is, the type's name aside. A modifier of to (varchar(3), numeric(5,2)) is part
// of the function. Literals of unknown type are not cast but parsed.
func FindCast(from, to types.Type, ctx CastContext) (fn *expr.Func, ok bool) {
	c, ok := findCast(from, to, ctx)
	if !ok {
		return nil, false
	}
	if to.Mod != 0 && (to.Mod != from.Mod || from.Kind != to.Kind) && hasMods(to) {
		return castFunc(from, to, modCast(c, from, to, ctx == Explicit), c.stable), true
	}
	if c.eval == nil {
		return nil, true
	}
	return castFunc(from, to, c.eval, c.stable), true
}

func castFunc(from, to types.Type, eval evalFunc, isStable bool) *expr.Func {
	f := &expr.Func{Name: datum.TypeName(to), Args: sig(from), Ret: to, Eval: eval}
	if isStable {
		f.Volatile = expr.Stable
	} else if to.Mod == 0 && monotoneCast(from.Kind, to.Kind) {
		f.Monotone = 1
	}
	return f
}

func hasMods(t types.Type) bool {
	switch t.Kind {
	case types.Varchar, types.BPChar, types.Numeric, types.Time, types.Timestamp, types.Timestamptz, types.Interval:
		return true
	case types.Array:
		return hasMods(types.Of(t.Elem))
	}
	return false
}

// modCast converts, then applies the modifier.
func modCast(c cast, from, to types.Type, explicit bool) evalFunc {
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		ctx.TakePieces() // of two steps, none stops by itself
		v := args[0]
		if c.eval != nil {
			v = &vec.Vector{}
			v.Reset(types.Type{Kind: to.Kind, Elem: to.Elem})
			if err := c.eval(ctx, args, sel, n, v); err != nil {
				return err
			}
		}
		for i := range n {
			if !sel.Get(i) {
				appendZero(out)
				continue
			}
			if err := datum.ApplyMod(to, v, i, explicit, out); err != nil {
				return err
			}
		}
		return nil
	}
}

func findCast(from, to types.Type, ctx CastContext) (cast, bool) {
	if from.Kind == to.Kind && from.Elem == to.Elem {
		return cast{}, true
	}
	if c, ok := casts[castKey{from.Kind, to.Kind}]; ok && c.context <= ctx {
		return c, true
	}
	if c, ok := arrayCast(from, to, ctx); ok {
		return c, true
	}
	// Through the text forms: to a string by assignment, from one only when asked.
	switch {
	case isString(to.Kind) && ctx >= Assignment && canPrint(from):
		return cast{context: Assignment, eval: toText(to), stable: textDependsOnSession(from)}, true
	case isString(from.Kind) && ctx >= Explicit && canParse(to):
		return cast{context: Explicit, eval: fromText(to), stable: textDependsOnSession(to)}, true
	}
	return cast{}, false
}

func isString(k types.Kind) bool {
	switch k {
	case types.Text, types.Varchar, types.BPChar, types.Name:
		return true
	}
	return false
}

func canPrint(t types.Type) bool {
	switch t.Kind {
	case types.Invalid, types.Any, types.AnyElement, types.AnyArray, types.Unknown:
		return false
	}
	return true
}

func canParse(t types.Type) bool {
	switch t.Kind {
	case types.Record, types.Void, types.PgNodeTree:
		return false
	}
	return canPrint(t)
}

func textDependsOnSession(t types.Type) bool {
	k := t.Kind
	if k == types.Array {
		k = t.Elem
	}
	switch k {
	case types.Date, types.Time, types.Timestamp, types.Timestamptz, types.Interval, types.Float32, types.Float64,
		types.Bytea, types.Regclass, types.Regtype, types.Regproc, types.Regnamespace, types.Record:
		return true
	}
	return false
}

// toText prints values; boolean casts to the whole word, unlike its output form.
func toText(to types.Type) evalFunc {
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		f := ctx.Format()
		v := args[0]
		out.Off = append(out.Off[:0], 0)
		if v.Form == vec.Flat && v.Type.Phys() == types.PhysBytes {
			out.Data = slices.Grow(out.Data, len(v.Data)) // documents: growing in steps would copy them over and over
		}
		for i := range n {
			if sel.Get(i) {
				start := len(out.Data)
				out.Data = appendCastText(out.Data, v, i, f)
				if to.Kind == types.Name {
					out.Data = out.Data[:start+len(datum.TruncateName(out.Data[start:]))]
				}
			}
			out.Off = append(out.Off, uint32(len(out.Data)))
		}
		out.N = n
		return nil
	}
}

func appendCastText(dst []byte, v *vec.Vector, i int, f *datum.Format) []byte {
	switch {
	case v.Type.Kind != types.Bool:
		return datum.AppendText(dst, v, i, f)
	case v.Bool(i):
		return append(dst, "true"...)
	}
	return append(dst, "false"...)
}

func fromText(to types.Type) evalFunc {
	return byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		return datum.ParseText(to, args[0].Bytes(i), ctx.Format(), out)
	})
}

// arrayCast casts element by element, and reads int2vector and oidvector as arrays.
func arrayCast(from, to types.Type, ctx CastContext) (cast, bool) {
	elem, ok := datum.ElemOf(from)
	if !ok || to.Kind != types.Array {
		return cast{}, false
	}
	if elem == to.Elem {
		return cast{eval: copyBytes}, true
	}
	c, ok := findCast(types.Of(elem), types.Of(to.Elem), ctx)
	if !ok {
		return cast{}, false
	}
	if c.eval == nil {
		return cast{context: c.context, eval: copyBytes}, true
	}
	c.eval = castElems(c.eval, elem, to.Elem)
	return c, true
}

func castElems(eval evalFunc, from, to types.Kind) evalFunc {
	return byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		a, err := datum.OpenArray(from, args[0].Bytes(i))
		if err != nil {
			return err
		}
		var in, res vec.Vector
		in.Reset(types.Of(from))
		sel := vec.MakeBitmap(a.N)
		for j := range a.N {
			a.AppendElem(&in, j)
			sel.SetTo(j, !a.Null(j))
		}
		res.Reset(types.Of(to))
		if a.N > 0 {
			if err := eval(ctx, []*vec.Vector{&in}, sel, a.N, &res); err != nil {
				return err
			}
			res.Flatten()
			res.Valid = mergeValid(res.Valid, sel, a.HasNulls())
		}
		out.AppendBytes(datum.EncodeArrayDims(nil, &res, 0, a.Dims[:a.NDim]))
		return nil
	})
}

func mergeValid(valid, sel vec.Bitmap, nulls bool) vec.Bitmap {
	if !nulls {
		return valid
	}
	if valid == nil {
		return sel
	}
	valid.And(sel)
	return valid
}

// copyInts, copyFloats and copyBytes change nothing but the type.

func copyInts(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
	out.SetFlat(out.Type, n)
	if xs, c, isConst := ints(args[0], n); isConst {
		copy(out.I64, spread(c, n))
	} else {
		copy(out.I64, xs)
	}
	return nil
}

func copyFloats(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
	out.SetFlat(out.Type, n)
	if xs, c, isConst := floats(args[0], n); isConst {
		copy(out.F64, spread(c, n))
	} else {
		copy(out.F64, xs)
	}
	return nil
}

var copyBytes = byRowBytes(func(dst, s []byte) ([]byte, error) { return append(dst, s...), nil })

// narrowInts copies and checks the range.
func narrowInts(k types.Kind) evalFunc {
	lo, hi := datum.IntRange(k)
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		if err := copyInts(ctx, args, sel, n, out); err != nil {
			return err
		}
		if outside(out.I64, lo, hi) >= 0 {
			return nil
		}
		for i, x := range out.I64 {
			if (x < lo || x > hi) && sel.Get(i) {
				return datum.ErrRange(k)
			}
		}
		return nil
	}
}

// wrapOID takes the low 32 bits of a signed integer.
func wrapOID(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
	out.SetFlat(out.Type, n)
	for i := range n {
		out.I64[i] = int64(uint32(args[0].Int(i)))
	}
	return nil
}

// unwrapOID reads 32 bits as a signed integer.
func unwrapOID(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
	out.SetFlat(out.Type, n)
	for i := range n {
		out.I64[i] = int64(int32(args[0].Int(i)))
	}
	return nil
}

func intsToFloats(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
	single := out.Type.Kind == types.Float32
	out.SetFlat(out.Type, n)
	xs, c, isConst := ints(args[0], n)
	if isConst {
		xs = spread(c, n)
	}
	for i, x := range xs {
		out.F64[i] = float64(x)
	}
	if single {
		for i, x := range xs {
			out.F64[i] = float64(float32(x))
		}
	}
	return nil
}

// floatsToInts rounds half to even.
func floatsToInts(k types.Kind) evalFunc {
	lo, hi := datum.IntRange(k)
	// The limits as floats: 2^63 itself is not an int64, so the upper one is exclusive.
	flo, fhi := float64(lo), float64(hi)
	if k == types.Int64 {
		fhi = math.MaxInt64
	}
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(out.Type, n)
		xs, c, isConst := floats(args[0], n)
		if isConst {
			xs = spread(c, n)
		}
		for i, x := range xs {
			r := math.RoundToEven(x)
			if r >= flo && (r < fhi || r == fhi && k != types.Int64) {
				out.I64[i] = int64(r)
			} else if sel.Get(i) {
				return datum.ErrRange(k)
			}
		}
		return nil
	}
}

func float8ToFloat4(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
	out.SetFlat(out.Type, n)
	for i := range n {
		x := args[0].Float(i)
		y := float64(float32(x))
		if sel.Get(i) {
			if math.IsInf(y, 0) && !math.IsInf(x, 0) {
				return errOverflow()
			}
			if y == 0 && x != 0 {
				return errUnderflow()
			}
		}
		out.F64[i] = y
	}
	return nil
}
