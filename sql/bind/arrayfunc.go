package bind

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// What has syntax of its own instead of a name: ARRAY[…], a[i] and a[i:j].

// makeArray is ARRAY[…]: one argument per element.
var makeArray = &expr.Func{Name: "array", Args: []types.Type{types.Of(types.AnyElement)}, Variadic: true,
	Ret: types.Of(types.AnyArray), Called: true,
	Eval: func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		row := &vec.Vector{}
		var buf []byte
		for i := range n {
			if !sel.Get(i) {
				out.AppendNull()
				continue
			}
			row.Reset(types.Of(ctx.RetType.Elem))
			for _, a := range args {
				row.AppendFrom(a, i)
			}
			buf = datum.EncodeArray(buf[:0], row, 0, row.N)
			out.AppendBytes(buf)
		}
		return nil
	}}

var arrayIndex = &expr.Func{Name: "[]", Args: []types.Type{types.Of(types.AnyArray), types.Of(types.Int32)},
	Ret: types.Of(types.AnyElement),
	Eval: func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		elem, _ := datum.ElemOf(args[0].Type)
		for i := range n {
			if !sel.Get(i) {
				out.AppendNull()
				continue
			}
			if err := datum.ArrayElem(elem, args[0].Bytes(i), args[1].Int(i), out); err != nil {
				return err
			}
		}
		return nil
	}}

// arraySlice is a[lo:hi]; a bound that was left out is a constant NULL. The result counts from 1.
var arraySlice = &expr.Func{Name: "[:]", Args: []types.Type{types.Of(types.AnyArray), types.Of(types.Int32), types.Of(types.Int32)},
	Ret: types.Of(types.AnyArray), Called: true,
	Eval: func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		elem, _ := datum.ElemOf(args[0].Type)
		elems := &vec.Vector{}
		var buf []byte
		for i := range n {
			if !sel.Get(i) || args[0].Null(i) {
				out.AppendNull()
				continue
			}
			elems.Reset(types.Of(elem))
			a, err := datum.OpenArray(elem, args[0].Bytes(i))
			if err == nil {
				err = datum.DecodeArray(elem, args[0].Bytes(i), elems)
			}
			if err != nil {
				return err
			}
			from, to := sliceRange(a, args[1], args[2], i)
			buf = datum.EncodeArray(buf[:0], elems, from, to)
			out.AppendBytes(buf)
		}
		return nil
	}}

// sliceRange turns the bounds of a slice into element positions [from, to).
func sliceRange(a datum.Array, lo, hi *vec.Vector, i int) (from, to int) {
	if a.NDim != 1 {
		return 0, 0
	}
	lower := int64(a.Dims[0].Lower)
	f, t := int64(0), int64(a.N)
	if !lo.Null(i) {
		f = max(lo.Int(i)-lower, 0)
	}
	if !hi.Null(i) {
		t = min(hi.Int(i)-lower+1, int64(a.N))
	}
	if f >= t {
		return 0, 0
	}
	return int(f), int(t)
}
