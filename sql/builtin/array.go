package builtin

import (
	"strconv"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func addArrays(r *registry) {
	addArrayShape(r)
	addArraySearch(r)
	addArrayJoin(r)
	addArraySets(r)
}

// elems is an array spread into a vector.
func elems(a *datum.Array) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(types.Of(a.Elem))
	for j := range a.N {
		a.AppendElem(v, j)
	}
	return v
}

// arrayInt registers a function of an array, perhaps with more arguments, to integer or NULL.
func (r *registry) arrayInt(name string, args []types.Type, f func(a *datum.Array, args []*vec.Vector, i int) (int64, bool)) {
	r.fn(name, args, tInt4, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		a, err := openArg(args[0], i)
		if err != nil {
			return err
		}
		n, ok := f(&a, args, i)
		if !ok {
			out.AppendNull()
			return nil
		}
		out.AppendInt(n)
		return nil
	}))
}

func addArrayShape(r *registry) {
	dim := func(get func(d datum.Dim) int64) func(*datum.Array, []*vec.Vector, int) (int64, bool) {
		return func(a *datum.Array, args []*vec.Vector, i int) (int64, bool) {
			d := args[1].Int(i) - 1
			if d < 0 || d >= int64(a.NDim) {
				return 0, false
			}
			return get(a.Dims[d]), true
		}
	}
	r.arrayInt("array_length", sig(tAnyArray, tInt4), dim(func(d datum.Dim) int64 { return int64(d.Len) }))
	r.arrayInt("array_lower", sig(tAnyArray, tInt4), dim(func(d datum.Dim) int64 { return int64(d.Lower) }))
	r.arrayInt("array_upper", sig(tAnyArray, tInt4), dim(func(d datum.Dim) int64 { return int64(d.Lower) + int64(d.Len) - 1 }))
	r.arrayInt("array_ndims", sig(tAnyArray), func(a *datum.Array, _ []*vec.Vector, _ int) (int64, bool) {
		return int64(a.NDim), a.NDim > 0
	})
	r.arrayInt("cardinality", sig(tAnyArray), func(a *datum.Array, _ []*vec.Vector, _ int) (int64, bool) {
		return int64(a.N), true
	})
	r.fn("array_dims", sig(tAnyArray), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		a, err := openArg(args[0], i)
		if err != nil {
			return err
		}
		if a.NDim == 0 {
			out.AppendNull()
			return nil
		}
		var b []byte
		for d := range a.NDim {
			b = append(b, '[')
			b = strconv.AppendInt(b, int64(a.Dims[d].Lower), 10)
			b = append(b, ':')
			b = strconv.AppendInt(b, int64(a.Dims[d].Lower)+int64(a.Dims[d].Len)-1, 10)
			b = append(b, ']')
		}
		out.AppendBytes(b)
		return nil
	}))
}

// sameElem reports whether element j equals row i of v; NULL equals NULL.
func sameElem(e *vec.Vector, j int, v *vec.Vector, i int) bool {
	if e.Null(j) || v.Null(i) {
		return e.Null(j) && v.Null(i)
	}
	return datum.Compare(e.Type, e, j, v, i) == 0
}

func errOneDim(what string) error {
	return sqlstate.New(sqlstate.FeatureNotSupported, "%s arrays is not supported", what)
}

func addArraySearch(r *registry) {
	position := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if args[0].Null(i) {
			out.AppendNull()
			return nil
		}
		a, err := openArg(args[0], i)
		if err != nil {
			return err
		}
		if a.NDim > 1 {
			return errOneDim("searching for elements in multidimensional")
		}
		from := 0
		if len(args) > 2 {
			if args[2].Null(i) {
				return sqlstate.New("22004", "initial position must not be null")
			}
			from = int(max(args[2].Int(i)-int64(a.Dims[0].Lower), 0))
		}
		e := elems(&a)
		for j := from; j < a.N; j++ {
			if sameElem(e, j, args[1], i) {
				out.AppendInt(int64(a.Dims[0].Lower) + int64(j))
				return nil
			}
		}
		out.AppendNull()
		return nil
	})
	called(r.fn("array_position", sig(tAnyArray, tAnyElement), tInt4, position))
	called(r.fn("array_position", sig(tAnyArray, tAnyElement, tInt4), tInt4, position))
	called(r.fn("array_positions", sig(tAnyArray, tAnyElement), types.ArrayOf(types.Int32), byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if args[0].Null(i) {
			out.AppendNull()
			return nil
		}
		a, err := openArg(args[0], i)
		if err != nil {
			return err
		}
		if a.NDim > 1 {
			return errOneDim("searching for elements in multidimensional")
		}
		var at vec.Vector
		at.Reset(tInt4)
		e := elems(&a)
		for j := range a.N {
			if sameElem(e, j, args[1], i) {
				at.AppendInt(int64(a.Dims[0].Lower) + int64(j))
			}
		}
		out.AppendBytes(datum.EncodeArray(nil, &at, 0, at.N))
		return nil
	})))
	called(r.fn("array_remove", sig(tAnyArray, tAnyElement), tAnyArray, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if args[0].Null(i) {
			out.AppendNull()
			return nil
		}
		a, err := openArg(args[0], i)
		if err != nil {
			return err
		}
		if a.NDim > 1 {
			return errOneDim("removing elements from multidimensional")
		}
		e, keep := elems(&a), &vec.Vector{}
		keep.Reset(e.Type)
		for j := range a.N {
			if !sameElem(e, j, args[1], i) {
				keep.AppendFrom(e, j)
			}
		}
		out.AppendBytes(datum.EncodeArrayLower(nil, keep, 0, keep.N, max(a.Dims[0].Lower, 1)))
		return nil
	})))
	called(r.fn("array_replace", sig(tAnyArray, tAnyElement, tAnyElement), tAnyArray, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if args[0].Null(i) {
			out.AppendNull()
			return nil
		}
		a, err := openArg(args[0], i)
		if err != nil {
			return err
		}
		e, res := elems(&a), &vec.Vector{}
		res.Reset(e.Type)
		for j := range a.N {
			if sameElem(e, j, args[1], i) {
				res.AppendFrom(args[2], i)
			} else {
				res.AppendFrom(e, j)
			}
		}
		out.AppendBytes(datum.EncodeArrayDims(nil, res, 0, a.Dims[:a.NDim]))
		return nil
	})))
}

// openOrEmpty opens an array argument; NULL is an empty array.
func openOrEmpty(v *vec.Vector, i int) (datum.Array, error) {
	if v.Null(i) {
		elem, _ := datum.ElemOf(v.Type)
		return datum.OpenArray(elem, nil)
	}
	return openArg(v, i)
}

func addArrayJoin(r *registry) {
	appendElem := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		return pushElem(args[0], args[1], i, false, out)
	})
	prependElem := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		return pushElem(args[1], args[0], i, true, out)
	})
	cat := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		return catArrays(args[0], args[1], i, out)
	})
	called(r.fn("array_append", sig(tAnyArray, tAnyElement), tAnyArray, appendElem))
	called(r.fn("array_prepend", sig(tAnyElement, tAnyArray), tAnyArray, prependElem))
	called(r.fn("array_cat", sig(tAnyArray, tAnyArray), tAnyArray, cat))
	// The operator has one overload for each element type, so that int[] || int and int[] || int[] are never confused.
	for _, t := range datum.Types {
		if t.ArrayOID == 0 || t.Pseudo {
			continue
		}
		arr, elem := types.ArrayOf(t.Kind), types.Of(t.Kind)
		called(r.op("||", sig(arr, elem), arr, appendElem))
		called(r.op("||", sig(elem, arr), arr, prependElem))
		called(r.op("||", sig(arr, arr), arr, cat))
	}
	r.fn("trim_array", sig(tAnyArray, tInt4), tAnyArray, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		a, err := openArg(args[0], i)
		if err != nil {
			return err
		}
		n := args[1].Int(i)
		if n < 0 || n > int64(a.N) {
			return sqlstate.New("2202E", "number of elements to trim must be between 0 and %d", a.N)
		}
		out.AppendBytes(datum.EncodeArray(nil, elems(&a), 0, a.N-int(n)))
		return nil
	}))
	fill := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		return fillArray(args, i, out)
	})
	called(r.fn("array_fill", sig(tAnyElement, types.ArrayOf(types.Int32)), tAnyArray, fill))
}

// pushElem adds one element at an end. The first subscript stays when appending.
func pushElem(arr, x *vec.Vector, i int, front bool, out *vec.Vector) error {
	a, err := openOrEmpty(arr, i)
	if err != nil {
		return err
	}
	if a.NDim > 1 {
		return sqlstate.New("22000", "argument must be empty or one-dimensional array")
	}
	v := &vec.Vector{}
	v.Reset(types.Of(a.Elem))
	if front {
		v.AppendFrom(x, i)
	}
	for j := range a.N {
		a.AppendElem(v, j)
	}
	if !front {
		v.AppendFrom(x, i)
	}
	lower := int32(1)
	if a.NDim == 1 {
		lower = a.Dims[0].Lower
	}
	out.AppendBytes(datum.EncodeArrayLower(nil, v, 0, v.N, lower))
	return nil
}

func errIncompatible() error {
	return sqlstate.New("2202E", "cannot concatenate incompatible arrays")
}

// catArrays joins along the first dimension; a NULL side is left out.
func catArrays(x, y *vec.Vector, i int, out *vec.Vector) error {
	switch {
	case x.Null(i):
		out.AppendFrom(y, i)
		return nil
	case y.Null(i):
		out.AppendFrom(x, i)
		return nil
	}
	a, err := openArg(x, i)
	if err != nil {
		return err
	}
	b, err := openArg(y, i)
	if err != nil {
		return err
	}
	switch {
	case a.N == 0:
		out.AppendBytes(y.Bytes(i))
		return nil
	case b.N == 0:
		out.AppendBytes(x.Bytes(i))
		return nil
	}
	dims, err := catDims(&a, &b)
	if err != nil {
		return err
	}
	v := elems(&a)
	for j := range b.N {
		b.AppendElem(v, j)
	}
	out.AppendBytes(datum.EncodeArrayDims(nil, v, 0, dims))
	return nil
}

// catDims works out the shape: equal numbers of dimensions add up in the first, one less makes one more element of it.
func catDims(a, b *datum.Array) ([]datum.Dim, error) {
	da, db := a.Dims[:a.NDim], b.Dims[:b.NDim]
	var dims []datum.Dim
	var inA, inB []datum.Dim
	switch {
	case len(da) == len(db):
		dims = append(dims, da...)
		dims[0].Len += db[0].Len
		inA, inB = da[1:], db[1:]
	case len(da) == len(db)+1:
		dims = append(dims, da...)
		dims[0].Len++
		inA, inB = da[1:], db
	case len(da)+1 == len(db):
		dims = append(dims, db...)
		dims[0].Len++
		inA, inB = da, db[1:]
	default:
		return nil, errIncompatible()
	}
	for d := range inA {
		if inA[d].Len != inB[d].Len {
			return nil, errIncompatible()
		}
	}
	return dims, nil
}

func fillArray(args []*vec.Vector, i int, out *vec.Vector) error {
	if args[1].Null(i) {
		return sqlstate.New("22004", "dimension array or low bound array cannot be null")
	}
	a, err := openArg(args[1], i)
	if err != nil {
		return err
	}
	if a.N > datum.MaxDims {
		return sqlstate.New(sqlstate.ProgramLimit, "number of array dimensions (%d) exceeds the maximum allowed (%d)", a.N, datum.MaxDims)
	}
	dims := make([]datum.Dim, a.N)
	n := int64(1)
	for j := range a.N {
		l := a.Int(j)
		if a.Null(j) || l < 0 {
			return sqlstate.New("22004", "dimension values cannot be null")
		}
		dims[j] = datum.Dim{Len: int32(l), Lower: 1}
		if n *= l; n > maxText/8 {
			return sqlstate.New(sqlstate.ProgramLimit, "array size exceeds the maximum allowed (%d)", maxText/8)
		}
	}
	v := &vec.Vector{}
	v.Reset(types.Of(args[0].Type.Kind))
	if a.N > 0 {
		for range n {
			v.AppendFrom(args[0], i)
		}
	}
	out.AppendBytes(datum.EncodeArrayDims(nil, v, 0, dims))
	return nil
}

// addArraySets registers @> <@ && on arrays as sets of elements: NULLs match nothing.
func addArraySets(r *registry) {
	pair := func(f func(x, y *vec.Vector) bool) evalFunc {
		return byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			a, err := openArg(args[0], i)
			if err != nil {
				return err
			}
			b, err := openArg(args[1], i)
			if err != nil {
				return err
			}
			out.AppendBool(f(elems(&a), elems(&b)))
			return nil
		})
	}
	contains := func(x, y *vec.Vector) bool {
		for j := range y.N {
			if y.Null(j) || !hasElem(x, y, j) {
				return false
			}
		}
		return true
	}
	overlaps := func(x, y *vec.Vector) bool {
		for j := range y.N {
			if !y.Null(j) && hasElem(x, y, j) {
				return true
			}
		}
		return false
	}
	two := sig(tAnyArray, tAnyArray)
	r.op("@>", two, tBool, pair(contains))
	r.op("<@", two, tBool, swap(pair(contains)))
	r.op("&&", two, tBool, pair(overlaps))
}

func hasElem(x, y *vec.Vector, j int) bool {
	for k := range x.N {
		if !x.Null(k) && datum.Compare(x.Type, x, k, y, j) == 0 {
			return true
		}
	}
	return false
}
