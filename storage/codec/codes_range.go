package codec

import (
	"sync"

	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/vec"
)

// codesWide sets the bits of those codes [a, b) that pass. out is zero.
func (f *Filter) codesWide(data []byte, a, b int, out bitset) error {
	k := &f.c.code
	switch k.width {
	case runWidth:
		k.rle.filter(f, data, a, b, out)
		return nil
	case 0:
		return k.filterRuns(data, a, b, f.table(), out)
	case 1, 2, 4:
		f.narrowCodes(data[k.at+a*int(k.width)/8:k.at+packedLen(b, k.width)], b-a, out)
		return nil
	case 8:
		f.codes8(data[k.at+a:k.at+b], out)
		return nil
	}
	f.codes16(words16(data[k.at+2*a:k.at+2*b]), out)
	return nil
}

// codesBlock is codesWide for values of one block or two, which begin anywhere.
func (f *Filter) codesBlock(data []byte, a, b int, out bitset) error {
	k := &f.c.code
	switch k.width {
	case runWidth:
		k.rle.filter(f, data, a, b, out)
		return nil
	case 8:
		f.codes8(data[k.at+a:k.at+b], out)
		return nil
	case 16:
		f.codes16(words16(data[k.at+2*a:k.at+2*b]), out)
		return nil
	}
	return k.filter(data, a, b, f.table(), out)
}

// codes8 tests codes of a byte each. A code that the dictionary does not have does not pass, or passes where a neighbour of
// the last code would: whoever reads it is told.
func (f *Filter) codes8(src []uint8, out bitset) {
	if f.oneRange {
		simd.RangeU8(src, uint8(f.first), uint8(f.last), out)
		if f.outside {
			out.invert(len(src))
		}
		return
	}
	simd.LookupU8(src, (*[4]uint64)(f.bitTable()), out)
}

// andCodes8 is codes8 for the rows still selected.
func (f *Filter) andCodes8(src []uint8, sel vec.Bitmap) {
	if f.oneRange && !f.outside {
		simd.AndRangeU8(src, uint8(f.first), uint8(f.last), sel)
		return
	}
	simd.AndLookupU8(src, (*[4]uint64)(f.bitTable()), sel)
}

// codes16 tests codes of two bytes each.
func (f *Filter) codes16(src []uint16, out bitset) {
	if f.oneRange {
		simd.RangeU16(src, uint16(f.first), uint16(f.last), out)
		if f.outside {
			out.invert(len(src))
		}
		return
	}
	simd.LookupU16(src, f.bitTable(), out)
}

// narrowCodes tests n codes of 1, 2 or 4 bits each: a table has the outcomes of a whole byte.
func (f *Filter) narrowCodes(src []byte, n int, out bitset) {
	w, pass := f.c.code.width, f.table()
	per := 8 / w
	var table [256]uint8
	for x := range table {
		for i := range per {
			table[x] |= pass[uint8(x)>>(i*w)&(1<<w-1)] << i
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
		return nil, words16(data[k.at+2*a : k.at+2*b]), nil, true, nil
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
	if k.width == runWidth || k.width != 0 && k.limit == 1<<k.width {
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
	if k.width == runWidth {
		w := getRunWindow()
		defer w.put()
		k.rle.window(data, a, b, w)
		simd.RepeatU8(dst, w.codes, w.ends)
		return nil
	}
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
	if k.width == runWidth {
		w := getRunWindow()
		defer w.put()
		k.rle.window(data, a, b, w)
		simd.RepeatU16(dst, w.codes, w.ends)
		return nil
	}
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
