package codec

import (
	"encoding/binary"
	"sync"
	"unsafe"

)

// codesWide sets the bits of those codes [a, b) that pass. out is zero.
func (f *Filter) codesWide(data []byte, a, b int, out bitset) error {
	k := &f.c.code
	switch k.width {
	case 0:
		return k.filterRuns(data, a, b, f.pass, out)
	case 1, 2, 4:
		f.narrowCodes(data[k.at+a*int(k.width)/8:k.at+packedLen(b, k.width)], b-a, out)
		return nil
	case 8:
		f.codes8(data[k.at+a:k.at+b], out)
		return nil
	}
	if b16, ok := words16(data[k.at+2*a : k.at+2*b]); ok {
		return f.codes16(b16, out)
	}
	for at := a; at < b; at += blockValues {
		end := min(at+blockValues, b)
		if err := k.filter(data, at, end, f.pass, out[(at-a)/64:(end-a+63)/64]); err != nil {
			return err
		}
	}
	return nil
}

// codes8 tests codes of a byte each.
func (f *Filter) codes8(src []uint8, out bitset) { look8(src, (*[256]uint8)(f.pass), out) }

// codes16 tests codes of two bytes each.
func (f *Filter) codes16(src []uint16, out bitset) error {
	limit, pass := f.c.code.limit, f.pass
	for i := 0; len(src) > 0; i++ {
		n := min(64, len(src))
		word := uint64(0)
		for _, c := range src[:n] {
			if int(c) >= limit {
				return corrupt("code %d in a dictionary of %d", c, limit)
			}
			word = word>>1 | uint64(pass[c])<<63
		}
		out[i] = word >> uint(64-n)
		src = src[n:]
	}
	return nil
}

// narrowCodes tests n codes of 1, 2 or 4 bits each: a table has the outcomes of a whole byte.
func (f *Filter) narrowCodes(src []byte, n int, out bitset) {
	w := f.c.code.width
	per := 8 / w
	var table [256]uint8
	for x := range table {
		for i := range per {
			table[x] |= f.pass[uint8(x)>>(i*w)&(1<<w-1)] << i
		}
	}
	for i, x := range src {
		at := uint(i) * per
		out[at>>6] |= uint64(table[x]) << (at & 63)
	}
	if t := uint(n) & 63; t != 0 {
		out[n>>6] &= 1<<t - 1
	}
}

// words16 returns the numbers that bytes are, without a copy: on machines whose order of bytes is the file's, and where
// they lie at an even address.
func words16(b []byte) ([]uint16, bool) {
	if len(b) == 0 || !littleEndian || uintptr(unsafe.Pointer(&b[0]))&1 != 0 {
		return nil, false
	}
	return unsafe.Slice((*uint16)(unsafe.Pointer(&b[0])), len(b)/2), true
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// codeRoom is memory for codes that are not stored as they are lent.
type codeRoom struct {
	c8  [MaxRows]uint8
	c16 []uint16
}

var codeRooms = sync.Pool{New: func() any { return new(codeRoom) }}

func (r *codeRoom) wide() []uint16 {
	if r.c16 == nil {
		r.c16 = make([]uint16, MaxRows)
	}
	return r.c16
}

// noCodes are the codes of a constant.
var noCodes [MaxRows]uint8

// Codes lends the codes of rows [from, to): see column.Coded. release, if it is not nil, gives back what was borrowed for
// them; ok is false if the chunk has no dictionary or a row of the range no value.
func (c *Chunk) Codes(data []byte, from, to int) (c8 []uint8, c16 []uint16, release func(), ok bool, err error) {
	if c.dict == nil {
		return nil, nil, nil, false, nil
	}
	if err := c.checkSpan(from, to); err != nil {
		return nil, nil, nil, false, err
	}
	a, b := c.pres.before(data, from), c.pres.before(data, to)
	if b-a != to-from {
		return nil, nil, nil, false, nil
	}
	if c.enc == encConst {
		return noCodes[:to-from], nil, nil, true, nil
	}
	k := &c.code
	if !c.codesChecked.Load() {
		if err := k.check(data); err != nil {
			return nil, nil, nil, false, err
		}
		c.codesChecked.Store(true)
	}
	switch k.width {
	case 8:
		return data[k.at+a : k.at+b], nil, nil, true, nil
	case 16:
		if c16, ok := words16(data[k.at+2*a : k.at+2*b]); ok {
			return nil, c16, nil, true, nil
		}
	}
	room := codeRooms.Get().(*codeRoom)
	release = func() { codeRooms.Put(room) }
	if k.limit <= 256 {
		c8 = room.c8[:b-a]
		err = k.copy8(data, a, b, c8)
	} else {
		c16 = room.wide()[:b-a]
		err = k.copy16(data, a, b, c16)
	}
	if err != nil {
		release()
		return nil, nil, nil, false, err
	}
	return c8, c16, release, true, nil
}

// check reports a code that the dictionary does not have.
func (k *codes) check(data []byte) error {
	if k.width != 0 && k.limit == 1<<k.width {
		return nil
	}
	sc := getScratch()
	defer sc.put()
	for at := 0; at < k.n; at += blockValues {
		if err := k.read(data, at, min(at+blockValues, k.n), sc.codes[:]); err != nil {
			return err
		}
	}
	return nil
}

// copy8 writes codes [a, b) of a dictionary of at most 256 values.
func (k *codes) copy8(data []byte, a, b int, dst []uint8) error {
	if k.width == 0 && k.runs.kind == intsRuns {
		return runsTo(k.runs, data, a, b, dst)
	}
	sc := getScratch()
	defer sc.put()
	for at := a; at < b; at += blockValues {
		end := min(at+blockValues, b)
		if err := k.read(data, at, end, sc.codes[:]); err != nil {
			return err
		}
		for i, c := range sc.codes[:end-at] {
			dst[at-a+i] = uint8(c)
		}
	}
	return nil
}

func (k *codes) copy16(data []byte, a, b int, dst []uint16) error {
	if k.width == 0 && k.runs.kind == intsRuns {
		return runsTo(k.runs, data, a, b, dst)
	}
	sc := getScratch()
	defer sc.put()
	for at := a; at < b; at += blockValues {
		end := min(at+blockValues, b)
		if err := k.read(data, at, end, sc.codes[:]); err != nil {
			return err
		}
		for i, c := range sc.codes[:end-at] {
			dst[at-a+i] = uint16(c)
		}
	}
	return nil
}

// runsTo writes values [a, b) of runs, which have been checked to fit.
func runsTo[T uint8 | uint16](s *ints, data []byte, a, b int, dst []T) error {
	return s.eachRun(data, a, b, func(v int64, from, to int) {
		d := dst[from-a : to-a]
		for i := range d {
			d[i] = T(v)
		}
	})
}

// eachRun calls f for the runs of values [a, b).
func (s *ints) eachRun(data []byte, a, b int, f func(v int64, from, to int)) error {
	first, last := s.runOf(data, a), s.runOf(data, b-1)
	sc := getScratch()
	defer sc.put()
	at := a
	for r := first; r <= last; r += blockValues {
		end := min(r+blockValues, last+1)
		if err := s.vals.read(data, r, end, sc.a[:]); err != nil {
			return err
		}
		for i := r; i < end; i++ {
			stop := min(s.runLast(data, i)+1, b)
			f(sc.a[i-r], at, stop)
			at = stop
		}
	}
	return nil
}

