package shred

import (
	"bytes"
	"math"
	"strconv"

	"github.com/telemdb/telemdb/storage/types"
)

// scanNumber returns the offset behind the number at p, and whether its text has a fraction or an exponent.
func scanNumber(b []byte, p int) (end int, fraction, exponent bool, err error) {
	start := p
	if p < len(b) && b[p] == '-' {
		p++
	}
	first := p
	for p < len(b) && isDigit(b[p]) {
		p++
	}
	if p == first {
		return 0, false, false, fail("unexpected token", start)
	}
	if b[first] == '0' && p > first+1 {
		return 0, false, false, fail("number with a leading zero", start)
	}
	if p < len(b) && b[p] == '.' {
		fraction = true
		p++
		from := p
		for p < len(b) && isDigit(b[p]) {
			p++
		}
		if p == from {
			return 0, false, false, fail("number without digits behind its point", start)
		}
	}
	if p < len(b) && b[p]|0x20 == 'e' {
		exponent = true
		p++
		if p < len(b) && (b[p] == '+' || b[p] == '-') {
			p++
		}
		from := p
		for p < len(b) && isDigit(b[p]) {
			p++
		}
		if p == from {
			return 0, false, false, fail("number without digits in its exponent", start)
		}
	}
	return p, fraction, exponent, nil
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// PostgreSQL's numeric holds at most this many digits before and behind the point; jsonb numbers are numeric.
const (
	numericWholeMax = 131072
	numericScaleMax = 16383
)

// appendNumber appends a number as jsonb prints it: no exponent, the scale kept, no negative zero. text is a valid JSON
// number; ok is false if numeric cannot hold it. grown is the number of zeros that were not in text.
func appendNumber(dst, text []byte) (out []byte, grown int, ok bool) {
	neg := text[0] == '-'
	if neg {
		text = text[1:]
	}
	mant, exp := text, 0
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		mant = text[:e]
		n, err := strconv.Atoi(string(bytes.TrimPrefix(text[e+1:], []byte("+"))))
		if err != nil || n > 1<<20 || n < -1<<20 {
			n = max(min(n, 1<<20), -1<<20)
		}
		exp = n
	}
	whole, frac, _ := bytes.Cut(mant, []byte("."))
	zero := len(bytes.Trim(mant, "0.")) == 0
	if neg && !zero {
		dst = append(dst, '-')
	}
	if exp == 0 {
		return append(dst, mant...), 0, len(whole) <= numericWholeMax && len(frac) <= numericScaleMax
	}
	scale := max(len(frac)-exp, 0)
	if zero {
		dst = append(dst, '0')
		if scale > 0 && scale <= numericScaleMax {
			dst = appendZeros(append(dst, '.'), scale)
		}
		return dst, scale, scale <= numericScaleMax
	}
	digits := append(append(make([]byte, 0, 64), whole...), frac...)
	point := len(whole) + exp // position of the point in digits
	lead := len(digits) - len(bytes.TrimLeft(digits, "0"))
	digits, point = digits[lead:], point-lead
	if point > numericWholeMax || scale > numericScaleMax {
		return dst, 0, false
	}
	from := len(dst)
	if point <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, digits[:min(point, len(digits))]...)
		dst = appendZeros(dst, point-len(digits))
	}
	if scale > 0 {
		dst = append(dst, '.')
		dst = appendZeros(dst, -point)
		dst = append(dst, digits[min(max(point, 0), len(digits)):]...)
	}
	return dst, len(dst) - from - len(digits), true
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}

// appendFloat appends f as a LeafFloat is printed in jsonb: its shortest digits, no exponent.
func appendFloat(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0') // numeric has no negative zero
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// num is a number classified: the typed leaf that holds its value (0 for none), and whether its text is needed too.
type num struct {
	leaf types.Leaf // LeafInt, LeafFloat, or 0
	i    int64
	f    float64
	text bool // the jsonb text differs from what the typed value prints, or there is no typed value
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// plainFraction classifies digits.digits of at most 15 significant digits, which every double in range holds so that
// its shortest form is the same digits again; ok is false where that rule does not decide.
func plainFraction(text []byte) (n num, ok bool) {
	if len(text) > 17 {
		return n, false
	}
	mant, digits, scale := uint64(0), 0, 0
	neg, seenPoint := false, false
	for _, c := range text {
		switch {
		case c == '-':
			neg = true
		case c == '.':
			seenPoint = true
		default:
			mant = mant*10 + uint64(c-'0')
			if mant != 0 {
				digits++
			}
			if seenPoint {
				scale++
			}
		}
	}
	if mant == 0 || digits > 15 || scale >= len(pow10) {
		return n, false
	}
	f := float64(mant) / pow10[scale]
	if neg {
		f = -f
	}
	return num{leaf: types.LeafFloat, f: f, text: text[len(text)-1] == '0'}, true
}

// classify decides how a number whose jsonb text is norm is stored.
func classify(norm []byte) num {
	point := bytes.IndexByte(norm, '.')
	if point < 0 {
		if i, err := strconv.ParseInt(string(norm), 10, 64); err == nil {
			return num{leaf: types.LeafInt, i: i}
		}
	}
	f, err := strconv.ParseFloat(string(norm), 64)
	if err != nil || math.IsInf(f, 0) {
		return num{text: true}
	}
	var buf [400]byte
	short := appendFloat(buf[:0], f)
	if bytes.Equal(short, norm) {
		return num{leaf: types.LeafFloat, f: f}
	}
	if point >= 0 {
		trimmed := bytes.TrimSuffix(bytes.TrimRight(norm, "0"), []byte("."))
		if bytes.Equal(short, trimmed) {
			return num{leaf: types.LeafFloat, f: f, text: true}
		}
	}
	return num{text: true}
}
