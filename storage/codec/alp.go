package codec

import (
	"math"
	"math/bits"

	"github.com/telemdb/telemdb/storage/simd"
)

// Floats that people or clocks wrote are decimals: an integer over a power of ten. They are stored as that integer, and
// the few that are not the nearest double of such a quotient (NaN, infinities, -0, results of arithmetic) apart, whole.

// alpLayout is where the parts of such a chunk are; the integers are the chunk's integer stream.
type alpLayout struct {
	div  float64 // what the integers are divided by
	exc  int     // number of exceptions
	pos  int     // offset of their indexes, u16 ascending
	vals int     // offset of their values, 8 bytes each
}

// alpDigits is the largest power of ten: a double has no more digits behind the point that are its own.
const alpDigits = 18

var pow10 = func() (t [alpDigits + 1]float64) {
	t[0] = 1
	for i := 1; i < len(t); i++ {
		t[i] = t[i-1] * 10 // exact up to 10^22
	}
	return t
}()

// parse reads: digits behind the point u8, integers, number of exceptions uvarint, their indexes, their values.
func (l *alpLayout) parse(c *cursor, n int) (*ints, error) {
	digits := c.u8()
	if digits > alpDigits {
		return nil, corrupt("floats of %d digits", digits)
	}
	l.div = pow10[digits]
	s, err := parseInts(c, n)
	if err != nil {
		return nil, err
	}
	l.exc, l.pos, l.vals, err = parseFloatExceptions(c, n)
	return s, err
}

// read decodes values [a, b), of which vals are the integers.
func (l *alpLayout) read(data []byte, a, b int, vals []int64, dst []float64) {
	simd.DivideI64(dst, vals, l.div)
	readFloatExceptions(data, l.exc, l.pos, l.vals, a, b, dst)
}

// decimal returns v times div as an integer, and whether that gives back the same bits.
func decimal(v, div float64) (int64, bool) {
	x := v * div
	if !(x >= -1<<53 && x <= 1<<53) {
		return 0, false
	}
	i := int64(math.RoundToEven(x))
	return i, math.Float64bits(float64(i)/div) == math.Float64bits(v)
}

// digitsOf returns the least number of digits behind the point with which v is a decimal.
func digitsOf(v float64) (int, bool) {
	for d := range pow10 {
		if _, ok := decimal(v, pow10[d]); ok {
			return d, true
		}
	}
	return 0, false
}

// alpPlan picks the number of digits that makes a sample smallest, and estimates the bytes of a value. ok is false if
// most of the sample are no decimals.
func alpPlan(sample []float64) (digits int, perValue float64, ok bool) {
	var count [alpDigits + 1]int
	for _, v := range sample {
		if d, ok := digitsOf(v); ok {
			count[d]++
		}
	}
	for d, c := range count {
		if c*20 < len(sample) { // others are exceptions
			continue
		}
		if size := alpSize(sample, d); !ok || size < perValue {
			digits, perValue, ok = d, size, true
		}
	}
	return digits, perValue, ok
}

// alpSize estimates the bytes of a value of the sample with the given number of digits.
func alpSize(sample []float64, digits int) float64 {
	exc := 0
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for _, v := range sample {
		if i, ok := decimal(v, pow10[digits]); ok {
			lo, hi = min(lo, i), max(hi, i)
		} else {
			exc++
		}
	}
	width := 0
	if lo < hi {
		width = bits.Len64(uint64(hi) - uint64(lo))
	}
	return float64(width)/8 + 10*float64(exc)/float64(len(sample))
}

// appendALP writes the chunk's values. An exception's integer is that of the value before it.
func (e *Encoder) appendALP(dst []byte, vals []float64, digits int) []byte {
	e.nums, e.except = e.nums[:0], e.except[:0]
	div, last := pow10[digits], int64(0)
	for i, v := range vals {
		if n, ok := decimal(v, div); ok {
			last = n
		} else {
			e.except = append(e.except, uint16(i))
		}
		e.nums = append(e.nums, last)
	}
	lead := 0 // exceptions at the front take the first integer, so that they do not widen the block
	for lead < len(e.except) && int(e.except[lead]) == lead {
		lead++
	}
	if lead < len(e.nums) {
		fill(e.nums[:lead], e.nums[lead])
	}
	dst = append(dst, byte(digits))
	dst = e.ints.append(dst, e.nums)
	return appendFloatExceptions(dst, vals, e.except)
}
