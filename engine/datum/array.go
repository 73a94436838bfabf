package datum

import (
	"encoding/binary"
	"math"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Arrays in vectors. All integers are little endian:
//
//	dims    1   number of dimensions 0..6, plus 0x80 if any element is NULL; the empty array is the lone byte 0
//	per dimension: len uint32, lower bound int32
//	nulls   (n+7)/8   only with 0x80: bit i%8 of byte i/8 set means element i is NULL
//	values  bool: n bytes; integers and floats: 8 bytes each; bytes: n end offsets uint32, then the data
//
// n is the product of the lengths. Element i is found without reading the ones before it.

// MaxDims is the number of dimensions an array may have.
const MaxDims = 6

// Dim is one dimension: its length and the index of its first element.
type Dim struct{ Len, Lower int32 }

const hasNulls = 0x80

// Array is an opened array value. It aliases the bytes it was opened from.
type Array struct {
	Elem  types.Kind
	NDim  int
	Dims  [MaxDims]Dim
	N     int // elements over all dimensions
	nulls []byte
	vals  []byte
	data  []byte
}

var errArrayBytes = sqlstate.New(sqlstate.DataCorrupted, "array value is malformed")

// OpenArray checks the layout of b and gives access to its elements. It does not allocate.
func OpenArray(elem types.Kind, b []byte) (Array, error) {
	a := Array{Elem: elem}
	if len(b) == 0 || b[0] == 0 {
		if len(b) > 1 {
			return a, errArrayBytes
		}
		return a, nil
	}
	a.NDim = int(b[0] &^ hasNulls)
	if a.NDim > MaxDims || a.NDim == 0 || len(b) < 1+8*a.NDim {
		return a, errArrayBytes
	}
	flags := b[0]
	b = b[1:]
	n := uint64(1)
	for d := range a.NDim {
		l := binary.LittleEndian.Uint32(b)
		n *= uint64(l)
		if l == 0 || n > math.MaxInt32 {
			return a, errArrayBytes
		}
		a.Dims[d] = Dim{int32(l), int32(binary.LittleEndian.Uint32(b[4:]))}
		b = b[8:]
	}
	a.N = int(n)
	if flags&hasNulls != 0 {
		w := (a.N + 7) / 8
		if len(b) < w {
			return a, errArrayBytes
		}
		a.nulls, b = b[:w], b[w:]
	}
	width := 8
	switch elem.Phys() {
	case types.PhysBool:
		width = 1
	case types.PhysBytes:
		width = 4
	case types.PhysNone:
		return a, errArrayBytes
	}
	if len(b) < a.N*width {
		return a, errArrayBytes
	}
	a.vals, a.data = b[:a.N*width], b[a.N*width:]
	if width != 4 {
		if len(a.data) != 0 {
			return a, errArrayBytes
		}
		return a, nil
	}
	prev := uint32(0)
	for i := range a.N {
		end := binary.LittleEndian.Uint32(a.vals[4*i:])
		if end < prev {
			return a, errArrayBytes
		}
		prev = end
	}
	if int(prev) != len(a.data) {
		return a, errArrayBytes
	}
	return a, nil
}

// Null reports whether element i is NULL.
func (a *Array) Null(i int) bool { return a.nulls != nil && a.nulls[i>>3]>>(i&7)&1 != 0 }

// HasNulls reports whether any element may be NULL.
func (a *Array) HasNulls() bool { return a.nulls != nil }

// Int returns element i of an integer-class array.
func (a *Array) Int(i int) int64 { return int64(binary.LittleEndian.Uint64(a.vals[8*i:])) }

// Float returns element i of a float-class array.
func (a *Array) Float(i int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(a.vals[8*i:]))
}

// Bool returns element i of a boolean array.
func (a *Array) Bool(i int) bool { return a.vals[i] != 0 }

// Bytes returns element i of a bytes-class array.
func (a *Array) Bytes(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = binary.LittleEndian.Uint32(a.vals[4*(i-1):])
	}
	end := binary.LittleEndian.Uint32(a.vals[4*i:])
	return a.data[start:end:end]
}

// AppendElem appends element i to out.
func (a *Array) AppendElem(out *vec.Vector, i int) {
	if a.Null(i) {
		out.AppendNull()
		return
	}
	switch a.Elem.Phys() {
	case types.PhysBool:
		out.AppendBool(a.Bool(i))
	case types.PhysInt64:
		out.AppendInt(a.Int(i))
	case types.PhysFloat64:
		out.AppendFloat(a.Float(i))
	default:
		out.AppendBytes(a.Bytes(i))
	}
}

// Index returns the position of a subscript of a one-dimensional array; ok is false outside its bounds.
func (a *Array) Index(sub int64) (i int, ok bool) {
	if a.NDim != 1 {
		return 0, false
	}
	k := sub - int64(a.Dims[0].Lower)
	return int(k), k >= 0 && k < int64(a.Dims[0].Len)
}

// Index2 returns the position of a full set of subscripts.
func (a *Array) Index2(subs []int64) (i int, ok bool) {
	if len(subs) != a.NDim || a.NDim == 0 {
		return 0, false
	}
	for d, s := range subs {
		k := s - int64(a.Dims[d].Lower)
		if k < 0 || k >= int64(a.Dims[d].Len) {
			return 0, false
		}
		i = i*int(a.Dims[d].Len) + int(k)
	}
	return i, true
}

// DecodeArray appends all elements of b to out, whose type is the element type.
func DecodeArray(elem types.Kind, b []byte, out *vec.Vector) error {
	a, err := OpenArray(elem, b)
	if err != nil {
		return err
	}
	for i := range a.N {
		a.AppendElem(out, i)
	}
	return nil
}

// ArrayLen returns the number of elements over all dimensions; 0 for malformed bytes.
func ArrayLen(b []byte) int {
	if len(b) == 0 || b[0] == 0 {
		return 0
	}
	nd := int(b[0] &^ hasNulls)
	if nd > MaxDims || len(b) < 1+8*nd {
		return 0
	}
	n := uint64(1)
	for d := range nd {
		n *= uint64(binary.LittleEndian.Uint32(b[1+8*d:]))
		if n > math.MaxInt32 {
			return 0
		}
	}
	return int(n)
}

// ArrayElem appends the element with a subscript to out, or NULL if there is none.
func ArrayElem(elem types.Kind, b []byte, sub int64, out *vec.Vector) error {
	a, err := OpenArray(elem, b)
	if err != nil {
		return err
	}
	if i, ok := a.Index(sub); ok {
		a.AppendElem(out, i)
	} else {
		out.AppendNull()
	}
	return nil
}

// EncodeArray appends the one-dimensional array of rows from..to-1 of v, first subscript 1.
func EncodeArray(dst []byte, v *vec.Vector, from, to int) []byte {
	return EncodeArrayLower(dst, v, from, to, 1)
}

// EncodeArrayLower is EncodeArray with another first subscript.
func EncodeArrayLower(dst []byte, v *vec.Vector, from, to int, lower int32) []byte {
	if from >= to {
		return append(dst, 0)
	}
	return EncodeArrayDims(dst, v, from, []Dim{{int32(to - from), lower}})
}

// EncodeArrayDims appends an array of the given dimensions whose elements, in row-major order, begin at row from of v.
// Their number must be at least 1.
func EncodeArrayDims(dst []byte, v *vec.Vector, from int, dims []Dim) []byte {
	n := 1
	for _, d := range dims {
		n *= int(d.Len)
	}
	if n == 0 || len(dims) == 0 {
		return append(dst, 0)
	}
	head := len(dst)
	dst = append(dst, byte(len(dims)))
	for _, d := range dims {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(d.Len))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(d.Lower))
	}
	if v.HasNulls() {
		dst = appendNulls(dst, head, v, from, n)
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		for i := from; i < from+n; i++ {
			b := byte(0)
			if v.Bool(i) {
				b = 1
			}
			dst = append(dst, b)
		}
	case types.PhysInt64:
		for i := from; i < from+n; i++ {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Int(i)))
		}
	case types.PhysFloat64:
		for i := from; i < from+n; i++ {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float(i)))
		}
	default:
		end := 0
		for i := from; i < from+n; i++ {
			end += len(v.Bytes(i))
			dst = binary.LittleEndian.AppendUint32(dst, uint32(end))
		}
		for i := from; i < from+n; i++ {
			dst = append(dst, v.Bytes(i)...)
		}
	}
	return dst
}

// appendNulls writes the bitmap if any of the elements is NULL, and says so in the head byte.
func appendNulls(dst []byte, head int, v *vec.Vector, from, n int) []byte {
	start := len(dst)
	any := false
	for i := 0; i < n; i += 8 {
		b := byte(0)
		for j := i; j < min(i+8, n); j++ {
			if v.Null(from + j) {
				b |= 1 << (j & 7)
			}
		}
		any = any || b != 0
		dst = append(dst, b)
	}
	if !any {
		return dst[:start]
	}
	dst[head] |= hasNulls
	return dst
}
