package datum

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"

	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// AppendText appends PostgreSQL's text form of row i of v, which is not NULL. f may be nil for Default.
func AppendText(dst []byte, v *vec.Vector, i int, f *Format) []byte {
	switch k := v.Type.Kind; k {
	case types.Bool:
		if v.Bool(i) {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case types.Int16, types.Int32, types.Int64, types.Xid, types.OID:
		return strconv.AppendInt(dst, v.Int(i), 10)
	case types.Regclass, types.Regtype, types.Regproc, types.Regnamespace:
		return appendReg(dst, k, v.Int(i), f)
	case types.Float32, types.Float64:
		return AppendFloat(dst, v.Float(i), k, f)
	case types.Date:
		return AppendDate(dst, v.Int(i))
	case types.Time:
		return AppendTime(dst, v.Int(i))
	case types.Timestamp:
		return AppendTimestamp(dst, v.Int(i))
	case types.Timestamptz:
		return AppendTimestamptz(dst, v.Int(i), f.zone())
	default:
		return appendBytesText(dst, v.Type, v.Bytes(i), f)
	}
}

func appendBytesText(dst []byte, t types.Type, b []byte, f *Format) []byte {
	switch t.Kind {
	case types.Bytea:
		return appendBytea(dst, b, f != nil && f.ByteaEscape)
	case types.Interval:
		st := IntervalPostgres
		if f != nil {
			st = f.IntervalStyle
		}
		return AppendInterval(dst, GetInterval(b), st)
	case types.UUID:
		return appendUUID(dst, b)
	case types.Array:
		return appendArrayText(dst, t.Elem, b, f)
	case types.Int2Vector, types.OIDVector:
		return appendVector(dst, t, b)
	case types.Histogram:
		var h sketch.Histogram
		if h.Decode(b) != nil {
			return dst
		}
		return h.AppendText(dst)
	case types.HLL:
		return appendBytea(dst, b, false)
	}
	return append(dst, b...)
}

// appendReg prints an object id by name; 0 is "-".
func appendReg(dst []byte, k types.Kind, oid int64, f *Format) []byte {
	if oid == 0 {
		return append(dst, '-')
	}
	if k == types.Regtype {
		if t, ok := TypeOfOID(uint32(oid)); ok {
			return append(dst, FormatType(t)...)
		}
	}
	if f != nil && f.Reg != nil {
		if name, ok := f.Reg(k, uint32(oid)); ok {
			return append(dst, name...)
		}
	}
	return strconv.AppendInt(dst, oid, 10)
}

// AppendFloat appends a real or double precision: the shortest text that reads back the same, with an exponent from
// 1e15 (real: 1e6) up and below 1e-4.
func AppendFloat(dst []byte, x float64, k types.Kind, f *Format) []byte {
	bits, limit := 64, 15
	if k == types.Float32 {
		bits, limit = 32, 6
	}
	switch {
	case math.IsNaN(x):
		return append(dst, "NaN"...)
	case math.IsInf(x, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(x, -1):
		return append(dst, "-Infinity"...)
	case x == 0:
		if math.Signbit(x) {
			dst = append(dst, '-')
		}
		return append(dst, '0')
	}
	if f != nil && f.FloatRounded {
		return appendFloatDigits(dst, x, bits, f.FloatDigits)
	}
	var buf [32]byte
	e := strconv.AppendFloat(buf[:0], x, 'e', -1, bits)
	if onBoundary(e, x, bits) {
		e = strconv.AppendFloat(buf[:0], x, 'e', mantissaDigits(e), bits)
	}
	return appendFloatForm(dst, e, limit)
}

// mantissaDigits counts the digits of d.ddde±xx.
func mantissaDigits(e []byte) int {
	n := bytes.IndexByte(e, 'e')
	if e[0] == '-' {
		n--
	}
	if n > 1 {
		n-- // the point
	}
	return n
}

// onBoundary reports whether the shortest text e of x lies exactly between x and a neighbour. It reads back as x by the
// rule of even mantissas, which PostgreSQL does not rely on: it writes one digit more. That happens only among numbers
// that are whole multiples of 2.
func onBoundary(e []byte, x float64, bits int) bool {
	x = math.Abs(x)
	least, ulpBits := float64(1<<54), 52
	if bits == 32 {
		least, ulpBits = 1<<25, 23
	}
	if x < least || x > 1e40 {
		return false
	}
	at := bytes.IndexByte(e, 'e')
	exp, _ := strconv.Atoi(string(e[at+1:]))
	digits := make([]byte, 0, 24)
	for _, c := range e[:at] {
		if isDigit(c) {
			digits = append(digits, c)
		}
	}
	shift := exp - (len(digits) - 1)
	if shift < 0 {
		return false
	}
	text, ok := new(big.Int).SetString(string(digits), 10)
	if !ok {
		return false
	}
	text.Mul(text, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil))
	exact, _ := new(big.Float).SetFloat64(x).Int(nil)
	_, exp2 := math.Frexp(x)
	half := new(big.Int).Lsh(big.NewInt(1), uint(exp2-1-ulpBits-1))
	return text.Sub(text, exact).CmpAbs(half) == 0
}

// appendFloatDigits is printf's %.*g.
func appendFloatDigits(dst []byte, x float64, bits, digits int) []byte {
	if bits == 32 {
		digits -= 9
	}
	digits = max(digits, 1)
	var buf [40]byte
	e := strconv.AppendFloat(buf[:0], x, 'e', digits-1, bits)
	// %g drops trailing zeros of the mantissa.
	for p := 0; p < len(e); p++ {
		if e[p] != 'e' {
			continue
		}
		q := p
		for q > 0 && e[q-1] == '0' && digits > 1 {
			q--
		}
		if q > 0 && e[q-1] == '.' {
			q--
		}
		e = append(e[:q], e[p:]...)
		break
	}
	return appendFloatForm(dst, e, digits)
}

// appendFloatForm writes d.ddde±xx in positional form if its exponent is from -4 to below limit.
func appendFloatForm(dst, e []byte, limit int) []byte {
	p := len(e) - 1
	for e[p] != 'e' {
		p--
	}
	exp, _ := strconv.Atoi(string(e[p+1:]))
	if exp < -4 || exp >= limit {
		return append(dst, e...)
	}
	if e[0] == '-' {
		dst = append(dst, '-')
		e, p = e[1:], p-1
	}
	var mant [32]byte
	digits := append(mant[:0], e[0])
	if p > 1 {
		digits = append(digits, e[2:p]...)
	}
	switch {
	case exp < 0:
		dst = append(dst, "0."...)
		for range -exp - 1 {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	case exp+1 >= len(digits):
		dst = append(dst, digits...)
		for range exp + 1 - len(digits) {
			dst = append(dst, '0')
		}
		return dst
	}
	dst = append(dst, digits[:exp+1]...)
	dst = append(dst, '.')
	return append(dst, digits[exp+1:]...)
}

func appendBytea(dst, b []byte, escape bool) []byte {
	if !escape {
		dst = append(dst, '\\', 'x')
		return hex.AppendEncode(dst, b)
	}
	for _, c := range b {
		switch {
		case c == '\\':
			dst = append(dst, '\\', '\\')
		case c < 0x20 || c > 0x7e:
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func appendUUID(dst, b []byte) []byte {
	if len(b) != 16 {
		return dst
	}
	dst = hex.AppendEncode(dst, b[:4])
	for _, p := range [][2]int{{4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		dst = append(dst, '-')
		dst = hex.AppendEncode(dst, b[p[0]:p[1]])
	}
	return dst
}

// appendVector prints int2vector and oidvector: numbers between blanks, no braces.
func appendVector(dst []byte, t types.Type, b []byte) []byte {
	elem, _ := ElemOf(t)
	a, err := OpenArray(elem, b)
	if err != nil {
		return dst
	}
	for i := range a.N {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = strconv.AppendInt(dst, a.Int(i), 10)
	}
	return dst
}
