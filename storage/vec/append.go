package vec

import "github.com/telemdb/telemdb/storage/types"

// AppendIndexed appends copies of the rows of o that idx lists, in that order. v is flat, o of the same physical class
// in any form. It is AppendFrom for many rows at once: the form and the class are looked at once, not per row.
func AppendIndexed[I uint16 | uint32](v, o *Vector, idx []I) {
	n := len(idx)
	if n == 0 {
		return
	}
	if o.Form == Const {
		appendConst(v, o, n)
		return
	}
	nulls := o.Valid != nil
	if nulls {
		v.needValid()
	}
	at := v.extend(n)
	if nulls {
		for k, i := range idx {
			if !o.Valid.Get(int(i)) {
				v.Valid.Clear(at + k)
			}
		}
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		for k, i := range idx {
			if (!nulls || o.Valid.Get(int(i))) && o.Bool(int(i)) {
				v.Bits.Set(at + k)
			}
		}
	case types.PhysInt64:
		if o.Form == Dict {
			moveCoded(v.I64[at:], o.Dict.I64, o.Codes, idx, o.Valid)
		} else {
			move(v.I64[at:], o.I64, idx)
		}
	case types.PhysFloat64:
		if o.Form == Dict {
			moveCoded(v.F64[at:], o.Dict.F64, o.Codes, idx, o.Valid)
		} else {
			move(v.F64[at:], o.F64, idx)
		}
	case types.PhysBytes:
		appendBytesIndexed(v, o, idx)
	}
}

// AppendSelected appends the rows of o whose bit is set in sel; a nil sel means all of them.
func (v *Vector) AppendSelected(o *Vector, sel Bitmap) {
	if sel == nil {
		v.AppendRange(o, 0, o.N)
		return
	}
	var buf [256]uint16
	pos := buf[:0]
	for w, word := range sel {
		if len(pos) > len(buf)-64 {
			AppendIndexed(v, o, pos)
			pos = buf[:0]
		}
		if word == ^uint64(0) && o.Form == Flat {
			AppendIndexed(v, o, pos)
			pos = buf[:0]
			v.AppendRange(o, w<<6, w<<6+64)
			continue
		}
		pos = Bitmap(sel[w:w+1]).positionsFrom(w<<6, pos)
	}
	AppendIndexed(v, o, pos)
}

func (b Bitmap) positionsFrom(base int, dst []uint16) []uint16 {
	n := len(dst)
	dst = b.Positions(dst)
	for i := n; i < len(dst); i++ {
		dst[i] += uint16(base)
	}
	return dst
}

// AppendRange appends rows [from, to) of o.
func (v *Vector) AppendRange(o *Vector, from, to int) {
	n := to - from
	if n <= 0 {
		return
	}
	if o.Form == Const {
		appendConst(v, o, n)
		return
	}
	if o.Form == Dict {
		var buf [256]uint32
		for from < to {
			k := min(to-from, len(buf))
			for j := range k {
				buf[j] = uint32(from + j)
			}
			AppendIndexed(v, o, buf[:k])
			from += k
		}
		return
	}
	nulls := o.Valid != nil
	if nulls {
		v.needValid()
	}
	at := v.extend(n)
	if nulls {
		for k := range n {
			if !o.Valid.Get(from + k) {
				v.Valid.Clear(at + k)
			}
		}
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		for k := range n {
			if o.Bits.Get(from + k) {
				v.Bits.Set(at + k)
			}
		}
	case types.PhysInt64:
		copy(v.I64[at:], o.I64[from:to])
	case types.PhysFloat64:
		copy(v.F64[at:], o.F64[from:to])
	case types.PhysBytes:
		lo, hi := o.Off[from], o.Off[to]
		base := uint32(len(v.Data)) - lo
		for k := range n {
			v.Off = append(v.Off, o.Off[from+k+1]+base)
		}
		v.Data = append(v.Data, o.Data[lo:hi]...)
	}
}

// needValid gives v a validity bitmap.
func (v *Vector) needValid() {
	if v.Valid == nil {
		v.Valid = MakeBitmap(v.N + 1)
		v.Valid.Fill(v.N)
	}
}

// extend adds n valid zero rows (bytes: the caller appends offsets and data) and returns the first one's index.
func (v *Vector) extend(n int) int {
	at := v.N
	v.N += n
	if v.Valid != nil {
		v.Valid = extendBits(v.Valid, v.N)
		setRange(v.Valid, at, v.N)
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		v.Bits = extendBits(v.Bits, v.N)
	case types.PhysInt64:
		v.I64 = extendSlice(v.I64, n)
	case types.PhysFloat64:
		v.F64 = extendSlice(v.F64, n)
	case types.PhysBytes:
		if len(v.Off) == 0 {
			v.Off = append(v.Off, 0)
		}
	}
	return at
}

func extendBits(b Bitmap, n int) Bitmap {
	for len(b) < Words(n) {
		b = append(b, 0)
	}
	return b
}

func setRange(b Bitmap, from, to int) {
	for from < to && from&63 != 0 {
		b.Set(from)
		from++
	}
	for ; from+64 <= to; from += 64 {
		b[from>>6] = ^uint64(0)
	}
	for ; from < to; from++ {
		b.Set(from)
	}
}

func extendSlice[T int64 | float64](s []T, n int) []T {
	l := len(s)
	if cap(s) >= l+n {
		s = s[:l+n]
		clear(s[l:])
		return s
	}
	return append(s, make([]T, n)...)
}

func move[T int64 | float64, I uint16 | uint32](dst, src []T, idx []I) {
	dst = dst[:len(idx)]
	for k, i := range idx {
		dst[k] = src[i]
	}
}

func moveCoded[T int64 | float64, I uint16 | uint32](dst, dict []T, codes []uint32, idx []I, valid Bitmap) {
	dst = dst[:len(idx)]
	for k, i := range idx {
		if valid == nil || valid.Get(int(i)) {
			dst[k] = dict[codes[i]]
		}
	}
}

func appendBytesIndexed[I uint16 | uint32](v, o *Vector, idx []I) {
	src, codes := o, []uint32(nil)
	if o.Form == Dict {
		src, codes = o.Dict, o.Codes
	}
	for _, i := range idx {
		if o.Valid == nil || o.Valid.Get(int(i)) {
			j := uint32(i)
			if codes != nil {
				j = codes[i]
			}
			v.Data = append(v.Data, src.Data[src.Off[j]:src.Off[j+1]]...)
		}
		v.Off = append(v.Off, uint32(len(v.Data)))
	}
}

func appendConst(v, o *Vector, n int) {
	null := o.Null(0)
	if null {
		v.needValid()
	}
	at := v.extend(n)
	if null {
		for k := range n {
			v.Valid.Clear(at + k)
		}
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		if !null && o.Bits.Get(0) {
			setRange(v.Bits, at, v.N)
		}
	case types.PhysInt64:
		if !null {
			fill(v.I64[at:], o.I64[0])
		}
	case types.PhysFloat64:
		if !null {
			fill(v.F64[at:], o.F64[0])
		}
	case types.PhysBytes:
		for range n {
			if !null {
				v.Data = append(v.Data, o.Data[o.Off[0]:o.Off[1]]...)
			}
			v.Off = append(v.Off, uint32(len(v.Data)))
		}
	}
}

func fill[T int64 | float64](s []T, x T) {
	for i := range s {
		s[i] = x
	}
}

// Room returns s with room for n more elements, and no more if it had not enough: for buffers of megabytes, where half as much
// again is too much to hold, and to get there by halves is to copy several times as much.
func Room[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(make([]T, 0, len(s)+n), s...)
}
