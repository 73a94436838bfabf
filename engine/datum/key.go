package datum

import (
	"encoding/binary"
	"math"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// AppendKey appends bytes that are equal exactly if the values are equal in SQL (1.0 and 1.00, -0 and 0, NaN and NaN,
// 1 month and 30 days): for hashing and grouping, not for order. The value is not NULL. The form is self-delimiting, so keys
// of several columns can be joined, and the same for all integer kinds and for all kinds of text.
func AppendKey(dst []byte, v *vec.Vector, i int) []byte {
	switch v.Type.Phys() {
	case types.PhysBool:
		if v.Bool(i) {
			return append(dst, 1)
		}
		return append(dst, 0)
	case types.PhysInt64:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.Int(i)))
	case types.PhysFloat64:
		return binary.LittleEndian.AppendUint64(dst, FloatKey(v.Float(i)))
	}
	return appendBytesKey(dst, v.Type, v.Bytes(i))
}

// FloatKey returns bits that are equal for equal floats: -0 becomes 0, every NaN the same.
func FloatKey(x float64) uint64 {
	switch {
	case x == 0:
		return 0
	case x != x:
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(x)
}

func appendBytesKey(dst []byte, t types.Type, b []byte) []byte {
	switch t.Kind {
	case types.BPChar:
		b = trimBlanks(b)
	case types.Interval:
		days, us := GetInterval(b).Span()
		dst = binary.LittleEndian.AppendUint64(dst, uint64(days))
		return binary.LittleEndian.AppendUint64(dst, uint64(us))
	case types.Numeric:
		return appendSized(dst, func(dst []byte) []byte { return appendTrimmedNumber(dst, b) })
	case types.JSONB:
		return appendSized(dst, func(dst []byte) []byte { return appendJSONBKey(dst, b) })
	case types.Array, types.Int2Vector, types.OIDVector:
		elem, _ := ElemOf(t)
		return appendArrayKey(dst, elem, b)
	}
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// appendSized puts a 4-byte length before what f appends.
func appendSized(dst []byte, f func([]byte) []byte) []byte {
	at := len(dst)
	dst = f(append(dst, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// appendArrayKey writes the shape, then each element with a byte that tells NULL.
func appendArrayKey(dst []byte, elem types.Kind, b []byte) []byte {
	a, err := OpenArray(elem, b)
	if err != nil {
		dst = append(dst, 0xff)
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		return append(dst, b...)
	}
	dst = append(dst, byte(a.NDim))
	for d := range a.NDim {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(a.Dims[d].Len))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(a.Dims[d].Lower))
	}
	for i := range a.N {
		if a.Null(i) {
			dst = append(dst, 0)
			continue
		}
		dst = append(dst, 1)
		switch elem.Phys() {
		case types.PhysBool:
			if a.Bool(i) {
				dst = append(dst, 1)
			} else {
				dst = append(dst, 0)
			}
		case types.PhysInt64:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(a.Int(i)))
		case types.PhysFloat64:
			dst = binary.LittleEndian.AppendUint64(dst, FloatKey(a.Float(i)))
		default:
			dst = appendBytesKey(dst, types.Of(elem), a.Bytes(i))
		}
	}
	return dst
}
