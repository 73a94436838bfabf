package builtin

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// addComparisons registers = <> < <= > >= for every type that has an order.
func addComparisons(r *registry) {
	ints := []types.Type{tInt2, tInt4, tInt8}
	for _, a := range ints {
		for _, b := range ints {
			r.compare(a, b, evalCmpInt)
		}
	}
	for _, k := range []types.Kind{types.OID, types.Date, types.Time, types.Timestamp, types.Timestamptz, types.Xid} {
		r.compare(types.Of(k), types.Of(k), evalCmpInt)
	}
	for _, a := range []types.Type{tFloat4, tFloat8} {
		for _, b := range []types.Type{tFloat4, tFloat8} {
			r.compare(a, b, evalCmpFloat)
		}
	}
	r.compare(tBool, tBool, evalCmpBool)
	for _, k := range []types.Kind{types.Text, types.Name, types.Bytea, types.UUID, types.Char} {
		r.compare(types.Of(k), types.Of(k), evalCmpText)
	}
	r.compare(tName, tText, evalCmpText)
	r.compare(tText, tName, evalCmpText)
	for _, k := range []types.Kind{types.BPChar, types.Numeric, types.Interval, types.JSONB, types.Int2Vector, types.OIDVector} {
		r.compare(types.Of(k), types.Of(k), evalCmpBytes(types.Of(k)))
	}
	r.compare(tAnyArray, tAnyArray, evalCmpArray)
}

func (r *registry) compare(a, b types.Type, make func(cmpOp) evalFunc) {
	for op := opEQ; op <= opGE; op++ {
		if a.Kind == types.Xid && op > opNE {
			break // transaction numbers wrap: they have no order
		}
		r.op(cmpNames[op], sig(a, b), tBool, make(op))
	}
}

// setBits makes out n boolean rows, all false, and returns their words.
func setBits(out *vec.Vector, n int) vec.Bitmap {
	out.SetFlat(tBool, n)
	return out.Bits
}

func evalCmpInt(op cmpOp) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
		bits := setBits(out, n)
		a, ca, constA := ints(args[0], n)
		b, cb, constB := ints(args[1], n)
		switch {
		case constB && constA:
			cmpIntConst(op, spread(ca, n), cb, bits)
		case constB:
			cmpIntConst(op, a, cb, bits)
		case constA:
			cmpIntConst(op.flip(), b, ca, bits)
		default:
			cmpInts(op, a, b, bits)
		}
		return nil
	}
}

func evalCmpFloat(op cmpOp) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
		bits := setBits(out, n)
		a, ca, constA := floats(args[0], n)
		b, cb, constB := floats(args[1], n)
		switch {
		case constB && constA:
			cmpFloatConst(op, spread(ca, n), cb, bits)
		case constB:
			cmpFloatConst(op, a, cb, bits)
		case constA:
			cmpFloatConst(op.flip(), b, ca, bits)
		default:
			cmpFloats(op, a, b, bits)
		}
		return nil
	}
}

func evalCmpBool(op cmpOp) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
		bits := setBits(out, n)
		cmpBools(op, boolBits(args[0], n), boolBits(args[1], n), bits, n)
		return nil
	}
}

// boolBits returns a boolean argument as n bits.
func boolBits(v *vec.Vector, n int) vec.Bitmap {
	if v.Form == vec.Flat {
		return v.Bits
	}
	b := vec.MakeBitmap(n)
	if v.Form == vec.Const {
		if v.Bits.Get(0) {
			b.Fill(n)
		}
		return b
	}
	for i := range n {
		b.SetTo(i, !v.Null(i) && v.Bool(i))
	}
	return b
}

func evalCmpText(op cmpOp) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		bits := setBits(out, n)
		a, b := args[0], args[1]
		switch {
		case a.Form == vec.Flat && b.Form == vec.Const:
			cmpTextConst(op, a, n, b.Bytes(0), bits)
		case a.Form == vec.Const && b.Form == vec.Flat:
			cmpTextConst(op.flip(), b, n, a.Bytes(0), bits)
		case a.Form == vec.Flat && b.Form == vec.Flat:
			cmpTexts(op, a, b, n, bits)
		default:
			cmpRows(op, tText, a, b, sel, bits)
		}
		return nil
	}
}

// cmpRows compares the rows of sel one by one.
func cmpRows(op cmpOp, t types.Type, a, b *vec.Vector, sel, bits vec.Bitmap) {
	sel.All(func(i int) {
		if op.holds(datum.CompareBytes(t, a.Bytes(i), b.Bytes(i))) {
			bits.Set(i)
		}
	})
}

func evalCmpBytes(t types.Type) func(cmpOp) evalFunc {
	return func(op cmpOp) evalFunc {
		return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			cmpRows(op, t, args[0], args[1], sel, setBits(out, n))
			return nil
		}
	}
}

// evalCmpArray takes the element type from its arguments.
func evalCmpArray(op cmpOp) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		elem, _ := datum.ElemOf(args[0].Type)
		cmpRows(op, types.ArrayOf(elem), args[0], args[1], sel, setBits(out, n))
		return nil
	}
}
