package column

import (
	"math"

	"github.com/telemdb/telemdb/storage/types"
)

// RowBuf is one decoded row on its way from the decoder to a head: its values in any order, in two flat slices that are
// reused for the next row. The paths are ids of an Interner.
type RowBuf struct {
	Values []RowValue
	Arena  []byte
}

// RowValue is one value of a RowBuf.
type RowValue struct {
	Path uint32
	Leaf types.Leaf
	Num  uint64 // LeafBool: 0 or 1; LeafInt: the int64's bits; LeafFloat: the float64's bits; else the offset in Arena
	Len  uint32 // length in Arena
}

// Reset empties the row, keeping its memory.
func (r *RowBuf) Reset() { r.Values, r.Arena = r.Values[:0], r.Arena[:0] }

// Bool adds a LeafBool value.
func (r *RowBuf) Bool(path uint32, v bool) {
	n := uint64(0)
	if v {
		n = 1
	}
	r.Values = append(r.Values, RowValue{Path: path, Leaf: types.LeafBool, Num: n})
}

// Int adds a LeafInt value.
func (r *RowBuf) Int(path uint32, v int64) {
	r.Values = append(r.Values, RowValue{Path: path, Leaf: types.LeafInt, Num: uint64(v)})
}

// Float adds a LeafFloat value.
func (r *RowBuf) Float(path uint32, v float64) {
	r.Values = append(r.Values, RowValue{Path: path, Leaf: types.LeafFloat, Num: math.Float64bits(v)})
}

// Bytes adds a copy of v under one of the byte leaf kinds.
func (r *RowBuf) Bytes(path uint32, leaf types.Leaf, v []byte) {
	off := len(r.Arena)
	r.Arena = append(r.Arena, v...)
	r.Values = append(r.Values, RowValue{Path: path, Leaf: leaf, Num: uint64(off), Len: uint32(len(v))})
}

// Text adds a LeafText value.
func (r *RowBuf) Text(path uint32, v string) {
	off := len(r.Arena)
	r.Arena = append(r.Arena, v...)
	r.Values = append(r.Values, RowValue{Path: path, Leaf: types.LeafText, Num: uint64(off), Len: uint32(len(v))})
}

// Data returns the bytes of a byte-class value.
func (r *RowBuf) Data(v RowValue) []byte { return r.Arena[v.Num : v.Num+uint64(v.Len)] }
