package spill

import (
	"encoding/binary"
	"unsafe"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A batch is its number of rows (u32), then each column: a byte of flags, the validity bitmap if there are NULLs, and
// the values: words for booleans, integers and floats; the end of each value (u32) and then all bytes for bytes. A
// constant column has one value. Words are in the machine's own order: a file never leaves the process.
const (
	hasNulls = 1 << iota
	isConst
)

// appendBatch appends a batch without Sel to dst.
func appendBatch(dst []byte, b *vec.Batch) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(b.N))
	for _, v := range b.Cols {
		dst = appendVector(dst, v, b.N)
	}
	return dst
}

func appendVector(dst []byte, v *vec.Vector, n int) []byte {
	flags := byte(0)
	if v.Form == vec.Const {
		flags, n = isConst, 1
	}
	if v.Valid != nil {
		flags |= hasNulls
	}
	dst = append(dst, flags)
	if v.Valid != nil {
		dst = append(dst, wordBytes(v.Valid[:vec.Words(n)])...)
	}
	if v.Form == vec.Dict {
		return appendCoded(dst, v, n)
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		dst = append(dst, wordBytes(v.Bits[:vec.Words(n)])...)
	case types.PhysInt64:
		dst = append(dst, wordBytes(v.I64[:n])...)
	case types.PhysFloat64:
		dst = append(dst, wordBytes(v.F64[:n])...)
	case types.PhysBytes:
		first := v.Off[0]
		for _, end := range v.Off[1 : n+1] {
			dst = binary.LittleEndian.AppendUint32(dst, end-first)
		}
		dst = append(dst, v.Data[first:v.Off[n]]...)
	}
	return dst
}

// appendCoded writes the values of a dictionary vector as a flat one's.
func appendCoded(dst []byte, v *vec.Vector, n int) []byte {
	switch v.Type.Phys() {
	case types.PhysBool:
		var flat vec.Vector
		flat.Reset(v.Type)
		flat.AppendRange(v, 0, n)
		dst = append(dst, wordBytes(flat.Bits)...)
	case types.PhysInt64:
		for i := range n {
			dst = binary.NativeEndian.AppendUint64(dst, uint64(codedWord(v, v.Dict.I64, i)))
		}
	case types.PhysFloat64:
		words := unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(v.Dict.F64))), len(v.Dict.F64))
		for i := range n {
			dst = binary.NativeEndian.AppendUint64(dst, uint64(codedWord(v, words, i)))
		}
	case types.PhysBytes:
		d, end := v.Dict, uint32(0)
		for i := range n {
			if !v.Null(i) {
				end += d.Off[v.Codes[i]+1] - d.Off[v.Codes[i]]
			}
			dst = binary.LittleEndian.AppendUint32(dst, end)
		}
		for i := range n {
			if !v.Null(i) {
				dst = append(dst, d.Data[d.Off[v.Codes[i]]:d.Off[v.Codes[i]+1]]...)
			}
		}
	}
	return dst
}

func codedWord(v *vec.Vector, dict []int64, i int) int64 {
	if v.Null(i) {
		return 0
	}
	return dict[v.Codes[i]]
}

// plainBytes returns the bytes of n values.
func plainBytes(v *vec.Vector, n int) int64 {
	switch {
	case v.Type.Phys() == types.PhysBool:
		return int64(n)
	case v.Type.Phys() != types.PhysBytes:
		return int64(n) * 8
	}
	texts := 0
	switch {
	case v.Form == vec.Flat:
		texts = int(v.Off[n] - v.Off[0])
	case v.Form == vec.Const && !v.Null(0):
		texts = n * len(v.Bytes(0))
	case v.Form == vec.Dict:
		for i := range n {
			if !v.Null(i) {
				texts += len(v.Bytes(i))
			}
		}
	}
	return int64(4*n + texts)
}

func wordBytes[T uint64 | int64 | float64](xs []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(xs))), len(xs)*8)
}

// batch reads the batch at the front of p into r.out and returns what follows; false if p is not one.
func (r *Reader) batch(p []byte) (rest []byte, ok bool) {
	if len(p) < 4 {
		return nil, false
	}
	n := int(binary.LittleEndian.Uint32(p))
	p = p[4:]
	r.out.N = n
	for i := range r.vecs {
		if p, ok = readVector(&r.vecs[i], r.f.types[i], n, p); !ok {
			return nil, false
		}
	}
	return p, true
}

func readVector(v *vec.Vector, t types.Type, n int, p []byte) (rest []byte, ok bool) {
	valid := v.Valid
	v.Reset(t)
	if len(p) == 0 {
		return nil, false
	}
	flags := p[0]
	p = p[1:]
	v.N = n
	if flags&isConst != 0 {
		v.Form, n = vec.Const, 1
	}
	if flags&hasNulls != 0 {
		if v.Valid, p, ok = words(valid, vec.Words(n), p); !ok {
			return nil, false
		}
	}
	switch t.Phys() {
	case types.PhysBool:
		v.Bits, p, ok = words(v.Bits, vec.Words(n), p)
	case types.PhysInt64:
		v.I64, p, ok = words(v.I64, n, p)
	case types.PhysFloat64:
		v.F64, p, ok = words(v.F64, n, p)
	case types.PhysBytes:
		p, ok = readBytes(v, n, p)
	}
	return p, ok
}

// words copies n words to dst.
func words[S ~[]T, T uint64 | int64 | float64](dst S, n int, p []byte) (S, []byte, bool) {
	if len(p) < n*8 {
		return nil, nil, false
	}
	if cap(dst) < n {
		dst = make(S, n)
	}
	dst = dst[:n]
	copy(wordBytes([]T(dst)), p)
	return dst, p[n*8:], true
}

func readBytes(v *vec.Vector, n int, p []byte) (rest []byte, ok bool) {
	if len(p) < n*4 {
		return nil, false
	}
	v.Off = append(v.Off, 0)
	last := uint32(0)
	for i := range n {
		end := binary.LittleEndian.Uint32(p[i*4:])
		if end < last {
			return nil, false
		}
		v.Off, last = append(v.Off, end), end
	}
	p = p[n*4:]
	if uint64(len(p)) < uint64(last) {
		return nil, false
	}
	v.Data = append(v.Data, p[:last]...)
	return p[last:], true
}
