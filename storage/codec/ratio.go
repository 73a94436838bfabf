package codec

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sort"

	"github.com/telemdb/telemdb/storage/simd"
)

// Means of integers over a small number of samples are ratios: 17 bits of a sum and 5 of a count say what takes a double all
// of its 64. They are stored in lowest terms as two integer streams, and the few values that are no such ratio apart, whole.

// ratioLayout is where the parts of such a chunk are beside the numerators, which are the chunk's integer stream.
type ratioLayout struct {
	den  *ints // denominators
	exc  int   // number of exceptions
	pos  int   // offset of their indexes, u16 ascending
	vals int   // offset of their values, 8 bytes each
}

// Limits of ratios. Doubles have 53 bits; beyond half of them many a number is by chance the nearest to some ratio.
const (
	ratioDen  = 255
	ratioBits = 26 // of numerator and denominator together
)

// parse reads: numerators, denominators, number of exceptions uvarint, their indexes, their values.
func (l *ratioLayout) parse(c *cursor, n int) (num *ints, err error) {
	if num, err = parseInts(c, n); err != nil {
		return nil, err
	}
	if l.den, err = parseInts(c, n); err != nil {
		return nil, err
	}
	l.exc, l.pos, l.vals, err = parseFloatExceptions(c, n)
	return num, err
}

// read decodes values [a, b), of which num are the numerators; den is room for as many denominators.
func (l *ratioLayout) read(data []byte, a, b int, num, den []int64, dst []float64) error {
	if err := l.den.read(data, a, b, den); err != nil {
		return err
	}
	simd.RatioI64(dst, num, den)
	readFloatExceptions(data, l.exc, l.pos, l.vals, a, b, dst)
	return nil
}

// parseFloatExceptions reads: number uvarint, indexes u16 ascending, values of 8 bytes.
func parseFloatExceptions(c *cursor, n int) (exc, pos, vals int, err error) {
	exc = c.count(n)
	pos = c.skip(2 * exc)
	vals = c.skip(8 * exc)
	if c.bad {
		return 0, 0, 0, corrupt("float exceptions cut short")
	}
	prev := -1
	for i := range exc {
		at := loadU16(c.data[pos:], i)
		if at <= prev || at >= n {
			return 0, 0, 0, corrupt("float exception at %d behind %d of %d values", at, prev, n)
		}
		prev = at
	}
	return exc, pos, vals, nil
}

// readFloatExceptions puts the exceptions among values [a, b) to their places in dst.
func readFloatExceptions(data []byte, exc, pos, vals, a, b int, dst []float64) {
	for k := sort.Search(exc, func(k int) bool { return loadU16(data[pos:], k) >= a }); k < exc; k++ {
		at := loadU16(data[pos:], k)
		if at >= b {
			return
		}
		dst[at-a] = math.Float64frombits(binary.LittleEndian.Uint64(data[vals+8*k:]))
	}
}

// appendFloatExceptions writes the values whose indexes are in except.
func appendFloatExceptions(dst []byte, vals []float64, except []uint16) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(except)))
	for _, at := range except {
		dst = binary.LittleEndian.AppendUint16(dst, at)
	}
	for _, at := range except {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(vals[at]))
	}
	return dst
}

// ratioOf returns the ratio in lowest terms that v is the nearest double of, if there is one of few bits. The denominators
// tried are those of v's continued fraction, of which each is the best of its size.
func ratioOf(v float64) (num, den int64, ok bool) {
	x := math.Abs(v)
	if !(x < 1<<ratioBits) {
		return 0, 0, false
	}
	whole := float64(int64(x))
	rest := x - whole
	n0, d0, n1, d1 := 1.0, 0.0, whole, 1.0
	for rest > 1.0/(2*ratioDen) { // less is what rounding left: the next denominator would be too large
		f := 1 / rest
		whole = float64(int64(f))
		rest = f - whole
		n0, n1 = n1, whole*n1+n0
		d0, d1 = d1, whole*d1+d0
		if d1 > ratioDen {
			return 0, 0, false
		}
	}
	num, den = int64(math.Copysign(n1, v)), int64(d1)
	if bits.Len64(uint64(n1))+bits.Len64(uint64(d1)) > ratioBits || math.Float64bits(float64(num)/float64(den)) != math.Float64bits(v) {
		return 0, 0, false
	}
	return num, den, true
}

// planRatio estimates from a sample the bytes of a value. ok is false if more than one in ten is no ratio.
func planRatio(sample []float64) (perValue float64, ok bool) {
	var top, bottom, most int64
	exc := 0
	least := int64(math.MaxInt64)
	for i, v := range sample {
		if num, den, ok := ratioOf(v); ok {
			top, bottom, least, most = max(top, num), max(bottom, den), min(least, num), max(most, num)
		} else if exc++; exc > 8+i/10 {
			return 0, false
		}
	}
	if len(sample) == 0 || 10*exc > len(sample) {
		return 0, false
	}
	width := bits.Len64(uint64(most)-uint64(least)) + bits.Len64(uint64(bottom))
	return float64(width)/8 + 10*float64(exc)/float64(len(sample)), true
}

// appendRatio writes the chunk's values. An exception's ratio is that of the value before it.
func (e *Encoder) appendRatio(dst []byte, vals []float64) []byte {
	e.nums, e.dens, e.except = e.nums[:0], e.dens[:0], e.except[:0]
	lastNum, lastDen := int64(0), int64(1)
	for i, v := range vals {
		if num, den, ok := ratioOf(v); ok {
			lastNum, lastDen = num, den
		} else {
			e.except = append(e.except, uint16(i))
		}
		e.nums, e.dens = append(e.nums, lastNum), append(e.dens, lastDen)
	}
	dst = e.ints.append(dst, e.nums)
	dst = e.ints.append(dst, e.dens)
	return appendFloatExceptions(dst, vals, e.except)
}
