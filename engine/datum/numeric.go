package datum

import (
	"math"
	"math/big"
	"strconv"

	"github.com/cockroachdb/apd/v3"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
)

// Limits of PostgreSQL's numeric.
const (
	numericMaxIntDigits = 131072 // digits before the decimal point
	numericMaxScale     = 16383  // digits after it
	numericMinSigDigits = 16     // significant digits a division keeps at least
	numericMaxDisplay   = 1000   // scale limit of computed results
)

type numericForm uint8

const (
	finite numericForm = iota
	nan
	posInf
	negInf
)

// Numeric is a decimal number with a display scale: coef * 10^-scale, or NaN or an infinity. The zero value is 0.
// Operations write into their receiver, which may be one of the operands, and reuse its memory.
type Numeric struct {
	form  numericForm
	scale int32 // digits behind the point, shown even if zero; never negative
	coef  apd.BigInt
}

// NaN returns whether n is not a number.
func (n *Numeric) NaN() bool { return n.form == nan }

// Finite reports whether n is neither NaN nor an infinity.
func (n *Numeric) Finite() bool { return n.form == finite }

// Scale returns the number of digits behind the point.
func (n *Numeric) Scale() int32 { return n.scale }

// Sign returns -1, 0 or 1; 0 for NaN.
func (n *Numeric) Sign() int {
	switch n.form {
	case finite:
		return n.coef.Sign()
	case posInf:
		return 1
	case negInf:
		return -1
	}
	return 0
}

// Set makes n a copy of o.
func (n *Numeric) Set(o *Numeric) {
	if n == o {
		return
	}
	n.form, n.scale = o.form, o.scale
	n.coef.Set(&o.coef)
}

func (n *Numeric) setSpecial(f numericForm) {
	n.form, n.scale = f, 0
	n.coef.SetInt64(0)
}

// SetInt64 makes n the integer x.
func (n *Numeric) SetInt64(x int64) {
	n.form, n.scale = finite, 0
	n.coef.SetInt64(x)
}

// SetScaled makes n x * 10^-scale with that scale.
func (n *Numeric) SetScaled(x int64, scale int32) {
	n.form, n.scale = finite, scale
	n.coef.SetInt64(x)
}

// SetFloat64 makes n the decimal of at most 15 significant digits that the cast from double precision gives.
func (n *Numeric) SetFloat64(f float64) { n.setFloat(f, 15) }

// SetFloat32 is SetFloat64 for a real: 6 significant digits.
func (n *Numeric) SetFloat32(f float64) { n.setFloat(f, 6) }

func (n *Numeric) setFloat(f float64, digits int) {
	switch {
	case math.IsNaN(f):
		n.setSpecial(nan)
		return
	case math.IsInf(f, 1):
		n.setSpecial(posInf)
		return
	case math.IsInf(f, -1):
		n.setSpecial(negInf)
		return
	}
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], f, 'g', digits, 64)
	if n.Parse(s) != nil { // no float64 is beyond the limits of numeric
		n.setSpecial(nan)
		return
	}
	n.stripScale() // "%g" drops trailing zeros, AppendFloat with a precision does not
}

// stripScale takes trailing zeros behind the point away (trim_scale).
func (n *Numeric) stripScale() {
	if n.form != finite {
		return
	}
	if n.coef.Sign() == 0 {
		n.scale = 0
		return
	}
	var q, r apd.BigInt
	ten := apd.NewBigInt(10)
	for n.scale > 0 {
		q.QuoRem(&n.coef, ten, &r)
		if r.Sign() != 0 {
			return
		}
		n.coef.Set(&q)
		n.scale--
	}
}

// TrimScale is trim_scale(numeric); MinScale is min_scale.
func (n *Numeric) TrimScale() { n.stripScale() }

var errNumericOverflow = sqlstate.New(sqlstate.NumericOutOfRange, "value overflows numeric format")

// Parse reads PostgreSQL's text form: digits with a point and an exponent, NaN, Infinity, inf with a sign. Blanks around
// it are allowed.
func (n *Numeric) Parse(s []byte) error {
	orig := s
	s = trimSpace(s)
	neg := false
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if len(s) == 0 {
		return errSyntax(types.Numeric, orig)
	}
	if s[0] > '9' {
		return n.parseSpecial(s, neg, len(s) != len(trimSpace(orig)), orig)
	}
	// Fast path: up to 18 digits with a point.
	var mant uint64
	digits, scale, i := 0, -1, 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && scale < 0 {
			scale = 0
			continue
		}
		if c < '0' || c > '9' || digits == 18 {
			break
		}
		mant = mant*10 + uint64(c-'0')
		digits++
		if scale >= 0 {
			scale++
		}
	}
	if i == len(s) && digits > 0 {
		n.form, n.scale = finite, int32(max(scale, 0))
		if neg {
			n.coef.SetInt64(-int64(mant))
		} else {
			n.coef.SetInt64(int64(mant))
		}
		return nil
	}
	return n.parseSlow(s, neg, orig)
}

func (n *Numeric) parseSpecial(s []byte, neg, signed bool, orig []byte) error {
	switch {
	case equalFold(s, "nan") && !signed:
		n.setSpecial(nan)
	case equalFold(s, "infinity") || equalFold(s, "inf"):
		if neg {
			n.setSpecial(negInf)
		} else {
			n.setSpecial(posInf)
		}
	default:
		return errSyntax(types.Numeric, orig)
	}
	return nil
}

func (n *Numeric) parseSlow(s []byte, neg bool, orig []byte) error {
	digits := make([]byte, 0, len(s)+1)
	if neg {
		digits = append(digits, '-')
	}
	seen, point, i := 0, -1, 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && point < 0 {
			point = seen
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		digits = append(digits, c)
		seen++
	}
	if seen == 0 {
		return errSyntax(types.Numeric, orig)
	}
	scale := 0
	if point >= 0 {
		scale = seen - point
	}
	if i < len(s) {
		if s[i] != 'e' && s[i] != 'E' {
			return errSyntax(types.Numeric, orig)
		}
		e, err := strconv.Atoi(string(s[i+1:]))
		if err != nil || len(s[i+1:]) == 0 {
			if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange {
				return errNumericOverflow
			}
			return errSyntax(types.Numeric, orig)
		}
		if e > 2*numericMaxIntDigits || e < -2*numericMaxIntDigits {
			return errNumericOverflow
		}
		scale -= e
	}
	if scale > numericMaxScale || seen-scale > numericMaxIntDigits+seen {
		return errNumericOverflow
	}
	if _, ok := n.coef.SetString(string(digits), 10); !ok {
		return errSyntax(types.Numeric, orig)
	}
	n.form, n.scale = finite, int32(scale)
	if scale < 0 {
		n.scale = 0
		if n.coef.Sign() != 0 {
			n.coef.Mul(&n.coef, pow10(-scale))
		}
	}
	return n.checkRange()
}

// checkRange returns the overflow error for a number with too many digits before the point.
func (n *Numeric) checkRange() error {
	if n.form == finite && n.coef.BitLen() > 400000 && n.intDigits() > numericMaxIntDigits {
		return errNumericOverflow
	}
	return nil
}

// intDigits returns the digits before the point; 0 for |n| < 1.
func (n *Numeric) intDigits() int {
	return max(numDigits(&n.coef)-int(n.scale), 0)
}

// numDigits returns the number of decimal digits of |b|; 0 for 0.
func numDigits(b *apd.BigInt) int {
	if b.Sign() == 0 {
		return 0
	}
	return int(apd.NumDigits(b))
}

// AppendText appends PostgreSQL's output form.
func (n *Numeric) AppendText(dst []byte) []byte {
	switch n.form {
	case nan:
		return append(dst, "NaN"...)
	case posInf:
		return append(dst, "Infinity"...)
	case negInf:
		return append(dst, "-Infinity"...)
	}
	start := len(dst)
	if n.coef.IsInt64() {
		dst = strconv.AppendInt(dst, n.coef.Int64(), 10)
	} else {
		dst = n.coef.Append(dst, 10)
	}
	if n.scale == 0 {
		return dst
	}
	if dst[start] == '-' {
		start++
	}
	// 5 with scale 3 is 0.005: fill up to scale+1 digits, then make room for the point.
	for missing := int(n.scale) + 1 - (len(dst) - start); missing > 0; missing-- {
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '0'
	}
	dst = append(dst, 0)
	p := len(dst) - 1 - int(n.scale)
	copy(dst[p+1:], dst[p:])
	dst[p] = '.'
	return dst
}

func (n *Numeric) String() string { return string(n.AppendText(nil)) }

// Float64 returns the nearest double; ±Inf beyond its range.
func (n *Numeric) Float64() float64 {
	switch n.form {
	case nan:
		return math.NaN()
	case posInf:
		return math.Inf(1)
	case negInf:
		return math.Inf(-1)
	}
	if n.coef.IsInt64() {
		x := n.coef.Int64()
		if n.scale == 0 {
			return float64(x)
		}
		if n.scale <= 22 && x < 1<<53 && x > -1<<53 {
			return float64(x) / math.Pow10(int(n.scale)) // both exact: correctly rounded
		}
	}
	var buf [64]byte
	f, _ := strconv.ParseFloat(string(n.AppendText(buf[:0])), 64)
	return f
}

// Int64 rounds half away from zero; k is the integer kind asked for and named in the error.
func (n *Numeric) Int64(k types.Kind) (int64, error) {
	if n.form != finite {
		what := "infinity"
		if n.form == nan {
			what = "NaN"
		}
		return 0, sqlstate.New(sqlstate.FeatureNotSupported, "cannot convert %s to %s", what, k)
	}
	var r Numeric
	p := n
	if n.scale > 0 {
		r.Set(n)
		r.Round(0)
		p = &r
	}
	if !p.coef.IsInt64() {
		return 0, ErrRange(k)
	}
	x := p.coef.Int64()
	if lo, hi := IntRange(k); x < lo || x > hi {
		return 0, ErrRange(k)
	}
	return x, nil
}

// Cmp orders numerics: -Infinity, numbers, Infinity, NaN; NaN equals NaN.
func (n *Numeric) Cmp(o *Numeric) int {
	if n.form != finite || o.form != finite {
		return n.rank() - o.rank()
	}
	if n.scale == o.scale {
		return n.coef.Cmp(&o.coef)
	}
	if s, t := n.coef.Sign(), o.coef.Sign(); s != t {
		return s - t
	}
	var t apd.BigInt
	if n.scale < o.scale {
		t.Mul(&n.coef, pow10(int(o.scale-n.scale)))
		return t.Cmp(&o.coef)
	}
	t.Mul(&o.coef, pow10(int(n.scale-o.scale)))
	return n.coef.Cmp(&t)
}

func (n *Numeric) rank() int {
	switch n.form {
	case negInf:
		return -1
	case posInf:
		return 1
	case nan:
		return 2
	}
	return 0
}

// ApplyMod rounds n to numeric(precision, scale) and fails with 22003 if it does not fit.
func (n *Numeric) ApplyMod(mod int32) error {
	if mod < 0 || n.form == nan {
		return nil
	}
	precision, scale := NumericMod(mod)
	if n.form == finite {
		n.Round(int32(scale))
		if n.coef.Sign() == 0 || numDigits(&n.coef)-int(n.scale) <= precision-scale {
			return nil
		}
	}
	e := sqlstate.New(sqlstate.NumericOutOfRange, "numeric field overflow")
	if n.form != finite {
		return e.WithDetail("A field with precision %d, scale %d cannot hold an infinite value.", precision, scale)
	}
	pre := "1"
	if exp := precision - scale; exp != 0 {
		pre = "10^" + strconv.Itoa(exp)
	}
	return e.WithDetail("A field with precision %d, scale %d must round to an absolute value less than %s.", precision, scale, pre)
}

// IntRange returns the least and greatest value of an integer kind.
func IntRange(k types.Kind) (lo, hi int64) {
	switch k {
	case types.Int16:
		return math.MinInt16, math.MaxInt16
	case types.Int32:
		return math.MinInt32, math.MaxInt32
	case types.OID, types.Regclass, types.Regtype, types.Regproc, types.Regnamespace, types.Xid:
		return 0, math.MaxUint32
	}
	return math.MinInt64, math.MaxInt64
}

const pow10Cached = 64

var pow10Table = func() (t [pow10Cached]*apd.BigInt) {
	for i := range t {
		t[i] = new(apd.BigInt).Exp(apd.NewBigInt(10), apd.NewBigInt(int64(i)), nil)
	}
	return t
}()

// pow10 returns 10^e, which the caller must not change.
func pow10(e int) *apd.BigInt {
	if e < pow10Cached {
		return pow10Table[e]
	}
	return new(apd.BigInt).SetMathBigInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(e)), nil))
}
