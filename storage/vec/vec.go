// Package vec holds the columnar values that move between storage, operators and the wire: typed vectors with validity,
// and batches of them. Buffers follow Arrow's layout (bitmaps least significant bit first, offsets plus data), so a
// batch leaves the engine without being rewritten row by row.
//
// Ownership: a vector handed to a function for reading may not be kept after the call returns unless its comment says
// so; whoever wants to keep values copies them (Vector.AppendFrom). Reset keeps the buffers for reuse.
package vec

import (
	"github.com/telemdb/telemdb/storage/types"
)

// BlockRows is the number of rows of a block of a column chunk: the unit of decoding and of zone maps.
const BlockRows = 1024

// BatchRows is the most rows of a batch between operators: whole blocks, a power of two. What a batch costs beside its rows is
// paid for more of them, and their columns still fit a core's cache of the second level.
const BatchRows = 4096

// Form tells how a vector's values are laid out.
type Form uint8

// The forms. A reader must handle all three, or call Flatten first.
const (
	Flat  Form = iota // value i is at index i
	Const             // one value (index 0) stands for all N rows; Valid, if not nil, has one bit
	Dict              // value i is Dict's value Codes[i]; Valid is per row; a code of an invalid row is 0
)

// Vector is a column of N values of one type. Which buffer holds them is told by Type.Phys(). A value whose validity bit
// is clear is NULL, and its slot in the value buffer is zero (empty for bytes).
type Vector struct {
	Type  types.Type
	Form  Form
	N     int
	Valid Bitmap // nil: no NULLs
	Bits  Bitmap
	I64   []int64
	F64   []float64
	Off   []uint32 // N+1 offsets into Data
	Data  []byte
	Codes []uint32
	Dict  *Vector // Flat; never has NULLs
}

// Reset makes v an empty flat vector of type t, keeping its buffers.
func (v *Vector) Reset(t types.Type) {
	v.Type, v.Form, v.N, v.Dict = t, Flat, 0, nil
	v.Valid = nil
	v.Bits = v.Bits[:0]
	v.I64, v.F64, v.Off, v.Data, v.Codes = v.I64[:0], v.F64[:0], v.Off[:0], v.Data[:0], v.Codes[:0]
}

// index returns the slot of the value buffers that holds row i.
func (v *Vector) index(i int) (*Vector, int) {
	switch v.Form {
	case Const:
		return v, 0
	case Dict:
		return v.Dict, int(v.Codes[i])
	}
	return v, i
}

// Null reports whether row i is NULL.
func (v *Vector) Null(i int) bool {
	if v.Valid == nil {
		return false
	}
	if v.Form == Const {
		i = 0
	}
	return !v.Valid.Get(i)
}

// HasNulls reports whether any row may be NULL.
func (v *Vector) HasNulls() bool { return v.Valid != nil }

// Bool returns row i of a boolean vector; false for NULL.
func (v *Vector) Bool(i int) bool { w, j := v.index(i); return w.Bits.Get(j) }

// Int returns row i of an integer-class vector; 0 for NULL.
func (v *Vector) Int(i int) int64 { w, j := v.index(i); return w.I64[j] }

// Float returns row i of a float-class vector; 0 for NULL.
func (v *Vector) Float(i int) float64 { w, j := v.index(i); return w.F64[j] }

// Bytes returns row i of a bytes-class vector, aliasing the vector's memory; empty for NULL.
func (v *Vector) Bytes(i int) []byte {
	w, j := v.index(i)
	return w.Data[w.Off[j]:w.Off[j+1]:w.Off[j+1]]
}

// grow makes room for one more row and returns its index; the row is valid.
func (v *Vector) grow() int {
	i := v.N
	v.N++
	if v.Valid != nil {
		if Words(v.N) > len(v.Valid) {
			v.Valid = append(v.Valid, 0)
		}
		v.Valid.Set(i)
	}
	return i
}

// AppendNull appends NULL to a flat vector.
func (v *Vector) AppendNull() {
	if v.Valid == nil {
		v.Valid = MakeBitmap(v.N + 1)
		v.Valid.Fill(v.N)
	}
	i := v.grow()
	v.Valid.Clear(i)
	switch v.Type.Phys() {
	case types.PhysBool:
		if Words(v.N) > len(v.Bits) {
			v.Bits = append(v.Bits, 0)
		}
	case types.PhysInt64:
		v.I64 = append(v.I64, 0)
	case types.PhysFloat64:
		v.F64 = append(v.F64, 0)
	case types.PhysBytes:
		v.closeBytes()
	}
}

// AppendBool appends to a flat boolean vector.
func (v *Vector) AppendBool(x bool) {
	i := v.grow()
	if Words(v.N) > len(v.Bits) {
		v.Bits = append(v.Bits, 0)
	}
	v.Bits.SetTo(i, x)
}

// AppendInt appends to a flat integer-class vector.
func (v *Vector) AppendInt(x int64) { v.grow(); v.I64 = append(v.I64, x) }

// AppendFloat appends to a flat float-class vector.
func (v *Vector) AppendFloat(x float64) { v.grow(); v.F64 = append(v.F64, x) }

// AppendBytes appends a copy of x to a flat bytes-class vector.
func (v *Vector) AppendBytes(x []byte) {
	v.grow()
	v.Data = append(v.Data, x...)
	v.closeBytes()
}

// AppendString is AppendBytes for a string.
func (v *Vector) AppendString(x string) {
	v.grow()
	v.Data = append(v.Data, x...)
	v.closeBytes()
}

func (v *Vector) closeBytes() {
	if len(v.Off) == 0 {
		v.Off = append(v.Off, 0)
	}
	v.Off = append(v.Off, uint32(len(v.Data)))
}

// AppendFrom appends a copy of row i of o, which has the same physical class.
func (v *Vector) AppendFrom(o *Vector, i int) {
	if o.Null(i) {
		v.AppendNull()
		return
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		v.AppendBool(o.Bool(i))
	case types.PhysInt64:
		v.AppendInt(o.Int(i))
	case types.PhysFloat64:
		v.AppendFloat(o.Float(i))
	default:
		v.AppendBytes(o.Bytes(i))
	}
}

// SetFlat makes v a flat vector of n zero rows of type t with room for results written by index (Bits, I64 or F64;
// bytes are appended instead, so for the bytes class only the offsets' first entry is set). All rows are valid.
func (v *Vector) SetFlat(t types.Type, n int) {
	v.Reset(t)
	switch t.Phys() {
	case types.PhysBool:
		v.Bits = v.Bits.Resize(n)
		v.N = n
	case types.PhysInt64:
		v.I64 = resize(v.I64, n)
		v.N = n
	case types.PhysFloat64:
		v.F64 = resize(v.F64, n)
		v.N = n
	case types.PhysBytes:
		v.Off = append(v.Off, 0)
	}
}

func resize[T int64 | float64 | uint32](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// SetConst makes v a constant vector of n rows holding row i of o.
func (v *Vector) SetConst(o *Vector, i, n int) {
	v.Reset(o.Type)
	v.AppendFrom(o, i)
	v.Form, v.N = Const, n
}

// SetConstNull makes v a constant vector of n NULLs of type t.
func (v *Vector) SetConstNull(t types.Type, n int) {
	v.Reset(t)
	v.AppendNull()
	v.Form, v.N = Const, n
}

// Flatten turns v into a flat vector in place.
func (v *Vector) Flatten() {
	if v.Form == Flat {
		return
	}
	var w Vector
	w.Reset(v.Type)
	for i := range v.N {
		w.AppendFrom(v, i)
	}
	*v = w
}

// Batch is N rows of columns. Sel, if not nil, lists the rows that are still alive, ascending; the vectors keep all N.
type Batch struct {
	N    int
	Cols []*Vector
	Sel  []uint16
}

// Rows returns the number of live rows.
func (b *Batch) Rows() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.N
}

// Compact drops the rows that are not selected, copying the columns flat, so that Sel is nil.
func (b *Batch) Compact() {
	if b.Sel == nil {
		return
	}
	for c, v := range b.Cols {
		if v.Form == Const {
			v.N = len(b.Sel)
			continue
		}
		w := &Vector{}
		w.Reset(v.Type)
		for _, i := range b.Sel {
			w.AppendFrom(v, int(i))
		}
		b.Cols[c] = w
	}
	b.N, b.Sel = len(b.Sel), nil
}

// Bytes returns about what the batch takes in memory.
func (b *Batch) Bytes() int64 {
	n := int64(0)
	for _, v := range b.Cols {
		n += v.bytes()
	}
	return n
}

func (v *Vector) bytes() int64 {
	n := int64(len(v.Data) + 4*len(v.Off) + 8*(len(v.I64)+len(v.F64)+len(v.Bits)+len(v.Valid)) + 4*len(v.Codes))
	if v.Dict != nil {
		n += v.Dict.bytes()
	}
	return n
}
