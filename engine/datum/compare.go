package datum

import (
	"bytes"
	"math"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Compare returns the SQL order of row i of a and row j of b, values of type t that are not NULL: negative, 0 or
// positive. Text is ordered by bytes (the C collation), NaN is above all numbers and equals itself, intervals by their
// length, arrays by elements.
func Compare(t types.Type, a *vec.Vector, i int, b *vec.Vector, j int) int {
	switch t.Phys() {
	case types.PhysBool:
		x, y := a.Bool(i), b.Bool(j)
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	case types.PhysInt64:
		return cmpInt(a.Int(i), b.Int(j))
	case types.PhysFloat64:
		return CompareFloat(a.Float(i), b.Float(j))
	}
	return CompareBytes(t, a.Bytes(i), b.Bytes(j))
}

// CompareFloat orders floats with NaN above everything and -0 equal to 0.
func CompareFloat(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case x == y:
		return 0
	}
	nx, ny := math.IsNaN(x), math.IsNaN(y)
	switch {
	case nx == ny:
		return 0
	case nx:
		return 1
	}
	return -1
}

// CompareBytes is Compare for types of the bytes class.
func CompareBytes(t types.Type, x, y []byte) int {
	switch t.Kind {
	case types.Numeric:
		return CompareNumericText(x, y)
	case types.BPChar:
		return bytes.Compare(trimBlanks(x), trimBlanks(y))
	case types.Interval:
		return GetInterval(x).Cmp(GetInterval(y))
	case types.JSONB:
		return CompareJSONB(x, y)
	case types.Array, types.Int2Vector, types.OIDVector:
		elem, _ := ElemOf(t)
		return compareArrays(elem, x, y)
	}
	return bytes.Compare(x, y)
}

func trimBlanks(s []byte) []byte { return bytes.TrimRight(s, " ") }

// CompareNumericText compares two numerics in their stored text form.
func CompareNumericText(x, y []byte) int {
	if c, ok := compareDigits(x, y); ok {
		return c
	}
	var a, b Numeric
	ex, ey := a.Parse(x), b.Parse(y)
	if ex != nil || ey != nil {
		return bytes.Compare(x, y)
	}
	return a.Cmp(&b)
}

// compareDigits compares plain decimals as text: sign, digits before the point, then digit by digit. ok is false for
// NaN and the infinities.
func compareDigits(x, y []byte) (c int, ok bool) {
	nx, ny := len(x) > 0 && x[0] == '-', len(y) > 0 && y[0] == '-'
	if nx {
		x = x[1:]
	}
	if ny {
		y = y[1:]
	}
	if len(x) == 0 || len(y) == 0 || !isDigit(x[0]) || !isDigit(y[0]) {
		return 0, false
	}
	if nx != ny {
		// The stored form has no -0, so a sign means below zero.
		if nx {
			return -1, true
		}
		return 1, true
	}
	c = compareMagnitude(x, y)
	if nx {
		c = -c
	}
	return c, true
}

func compareMagnitude(x, y []byte) int {
	px, py := bytes.IndexByte(x, '.'), bytes.IndexByte(y, '.')
	if px < 0 {
		px = len(x)
	}
	if py < 0 {
		py = len(y)
	}
	if px != py { // the stored form has no leading zeros
		return px - py
	}
	if c := bytes.Compare(x[:px], y[:py]); c != 0 {
		return c
	}
	fx, fy := bytes.TrimRight(x[min(px+1, len(x)):], "0"), bytes.TrimRight(y[min(py+1, len(y)):], "0")
	return bytes.Compare(fx, fy)
}

// compareArrays orders by elements, a NULL element above any other; then by length, dimensions and bounds.
func compareArrays(elem types.Kind, x, y []byte) int {
	a, ex := OpenArray(elem, x)
	b, ey := OpenArray(elem, y)
	if ex != nil || ey != nil {
		return bytes.Compare(x, y)
	}
	n := min(a.N, b.N)
	for i := range n {
		na, nb := a.Null(i), b.Null(i)
		switch {
		case na && nb:
			continue
		case na:
			return 1
		case nb:
			return -1
		}
		if c := compareElems(&a, i, &b, i); c != 0 {
			return c
		}
	}
	if a.N != b.N {
		return a.N - b.N
	}
	if a.NDim != b.NDim {
		return a.NDim - b.NDim
	}
	for d := range a.NDim {
		if a.Dims[d].Len != b.Dims[d].Len {
			return cmpInt(a.Dims[d].Len, b.Dims[d].Len)
		}
	}
	for d := range a.NDim {
		if a.Dims[d].Lower != b.Dims[d].Lower {
			return cmpInt(a.Dims[d].Lower, b.Dims[d].Lower)
		}
	}
	return 0
}

// compareElems compares two elements that are not NULL.
func compareElems(a *Array, i int, b *Array, j int) int {
	switch a.Elem.Phys() {
	case types.PhysBool:
		x, y := a.Bool(i), b.Bool(j)
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	case types.PhysInt64:
		return cmpInt(a.Int(i), b.Int(j))
	case types.PhysFloat64:
		return CompareFloat(a.Float(i), b.Float(j))
	}
	return CompareBytes(types.Of(a.Elem), a.Bytes(i), b.Bytes(j))
}

// CompareElems compares two elements of arrays of the same element kind; neither is NULL.
func CompareElems(a *Array, i int, b *Array, j int) int { return compareElems(a, i, b, j) }

// Comparable reports whether values of t have an order and an equality.
func Comparable(t types.Type) bool {
	switch t.Kind {
	case types.Invalid, types.JSON, types.Void, types.PgNodeTree, types.AclItem, types.AnyElement, types.AnyArray,
		types.Any, types.Record:
		return false
	case types.Array:
		return Comparable(types.Of(t.Elem))
	}
	return true
}
