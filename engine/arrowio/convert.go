package arrowio

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Record copies a batch into an Arrow record, which keeps nothing of it.
func Record(schema *arrow.Schema, ts []types.Type, b *vec.Batch) (arrow.Record, error) {
	cols := make([]arrow.Array, len(ts))
	for i, t := range ts {
		data, err := column(t, b.Cols[i], b)
		if err != nil {
			return nil, err
		}
		cols[i] = array.MakeFromData(data)
	}
	return array.NewRecord(schema, cols, int64(b.Rows())), nil
}

// column converts the live rows of one column.
func column(t types.Type, v *vec.Vector, b *vec.Batch) (arrow.ArrayData, error) {
	var flat vec.Vector
	flat.Reset(t)
	switch {
	case b.Sel != nil:
		vec.AppendIndexed(&flat, v, b.Sel)
	case v.Type.Phys() != t.Phys():
		for range b.N {
			flat.AppendNull()
		}
	default:
		flat.AppendRange(v, 0, b.N)
	}
	return data(t, &flat)
}

// data converts a flat vector that nobody else uses.
func data(t types.Type, v *vec.Vector) (arrow.ArrayData, error) {
	dt := DataType(t)
	valid, nulls := validity(v)
	switch {
	case t.Kind == types.Array:
		return list(t, dt, v, valid, nulls)
	case t.Kind == types.UUID:
		return array.NewData(dt, v.N, []*memory.Buffer{valid, fixed16(v)}, nil, nulls, 0), nil
	}
	switch t.Phys() {
	case types.PhysBool:
		return array.NewData(dt, v.N, []*memory.Buffer{valid, words(v.Bits)}, nil, nulls, 0), nil
	case types.PhysInt64:
		return array.NewData(dt, v.N, []*memory.Buffer{valid, narrowed(dt, v.I64)}, nil, nulls, 0), nil
	case types.PhysFloat64:
		return array.NewData(dt, v.N, []*memory.Buffer{valid, floats(dt, v.F64)}, nil, nulls, 0), nil
	}
	if printed(t.Kind) {
		v = texts(v)
	}
	if len(v.Data) > math.MaxInt32 {
		return nil, sqlstate.New(sqlstate.ProgramLimit, "a batch of one column exceeds 2 GiB")
	}
	off := v.Off
	if len(off) == 0 {
		off = []uint32{0}
	}
	raw := make([]byte, 0, 4*len(off))
	for _, o := range off {
		raw = binary.LittleEndian.AppendUint32(raw, o)
	}
	return array.NewData(dt, v.N, []*memory.Buffer{valid, memory.NewBufferBytes(raw), memory.NewBufferBytes(v.Data)}, nil, nulls, 0), nil
}

// printed reports whether values of the kind go out in their text form rather than as the bytes they are held as.
func printed(k types.Kind) bool {
	switch k {
	case types.Text, types.Varchar, types.BPChar, types.Name, types.Bytea, types.JSON, types.JSONB, types.Numeric:
		return false
	}
	return true
}

func texts(v *vec.Vector) *vec.Vector {
	out := &vec.Vector{}
	out.Reset(types.Of(types.Text))
	var buf []byte
	for i := range v.N {
		if v.Null(i) {
			out.AppendNull()
			continue
		}
		buf = datum.AppendText(buf[:0], v, i, nil)
		out.AppendBytes(buf)
	}
	return out
}

func validity(v *vec.Vector) (*memory.Buffer, int) {
	if v.Valid == nil {
		return nil, 0
	}
	return words(v.Valid), v.N - v.Valid.Count()
}

// words writes a bitmap as bytes: both sides count from the least significant bit.
func words(b vec.Bitmap) *memory.Buffer {
	raw := make([]byte, 0, 8*len(b))
	for _, w := range b {
		raw = binary.LittleEndian.AppendUint64(raw, w)
	}
	return memory.NewBufferBytes(raw)
}

// narrowed writes integers in the width of dt. Infinite dates become the least and greatest 32-bit date.
func narrowed(dt arrow.DataType, xs []int64) *memory.Buffer {
	width := dt.(arrow.FixedWidthDataType).BitWidth()
	raw := make([]byte, 0, len(xs)*width/8)
	for _, x := range xs {
		switch width {
		case 16:
			raw = binary.LittleEndian.AppendUint16(raw, uint16(x))
		case 32:
			if dt.ID() == arrow.DATE32 {
				x = min(max(x, math.MinInt32), math.MaxInt32)
			}
			raw = binary.LittleEndian.AppendUint32(raw, uint32(x))
		default:
			raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
		}
	}
	return memory.NewBufferBytes(raw)
}

func floats(dt arrow.DataType, xs []float64) *memory.Buffer {
	raw := make([]byte, 0, len(xs)*8)
	for _, x := range xs {
		if dt.ID() == arrow.FLOAT32 {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(x)))
		} else {
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(x))
		}
	}
	return memory.NewBufferBytes(raw)
}

func fixed16(v *vec.Vector) *memory.Buffer {
	raw := make([]byte, 16*v.N)
	for i := range v.N {
		copy(raw[16*i:16*i+16], v.Bytes(i))
	}
	return memory.NewBufferBytes(raw)
}

// list converts one-dimensional arrays.
func list(t types.Type, dt arrow.DataType, v *vec.Vector, valid *memory.Buffer, nulls int) (arrow.ArrayData, error) {
	elem := types.Of(t.Elem)
	var vals vec.Vector
	vals.Reset(elem)
	raw := binary.LittleEndian.AppendUint32(make([]byte, 0, 4*(v.N+1)), 0)
	for i := range v.N {
		if !v.Null(i) {
			a, err := datum.OpenArray(t.Elem, v.Bytes(i))
			if err != nil {
				return nil, err
			}
			if a.NDim > 1 {
				return nil, sqlstate.New(sqlstate.FeatureNotSupported, "arrays of %d dimensions cannot be given as Arrow", a.NDim).
					WithHint("Cast the column to text.")
			}
			if err := datum.DecodeArray(t.Elem, v.Bytes(i), &vals); err != nil {
				return nil, err
			}
		}
		raw = binary.LittleEndian.AppendUint32(raw, uint32(vals.N))
	}
	child, err := data(elem, &vals)
	if err != nil {
		return nil, err
	}
	return array.NewData(dt, v.N, []*memory.Buffer{valid, memory.NewBufferBytes(raw)}, []arrow.ArrayData{child}, nulls, 0), nil
}
