package datum

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
)

// Errors of roots, logarithms and powers.

// ErrNegativeRoot is 2201F.
func ErrNegativeRoot() error {
	return sqlstate.New("2201F", "cannot take square root of a negative number")
}

// ErrLogZero is 2201E for zero.
func ErrLogZero() error { return sqlstate.New("2201E", "cannot take logarithm of zero") }

// ErrLogNegative is 2201E for a negative number.
func ErrLogNegative() error {
	return sqlstate.New("2201E", "cannot take logarithm of a negative number")
}

// ErrPowerZero is 2201F for 0 ^ -1.
func ErrPowerZero() error {
	return sqlstate.New("2201F", "zero raised to a negative power is undefined")
}

// ErrPowerComplex is 2201F for (-1) ^ 0.5.
func ErrPowerComplex() error {
	return sqlstate.New("2201F", "a negative number raised to a non-integer power yields a complex result")
}

// Sqrt sets n to the square root of a.
func (n *Numeric) Sqrt(a *Numeric) error {
	switch {
	case a.form == nan || a.form == posInf:
		n.Set(a)
		return nil
	case a.Sign() < 0:
		return ErrNegativeRoot()
	}
	w, _ := leadingDigit(a)
	scale := clampScale(numericMinSigDigits-((w+1)*2-1), a.scale)
	// The root of coef * 10^-s at one more digit than asked for, then rounded.
	var x, root apd.BigInt
	x.Mul(&a.coef, pow10(max(2*int(scale+1)-int(a.scale), 0)))
	if extra := int(a.scale) - 2*int(scale+1); extra > 0 {
		x.Quo(&x, pow10(extra))
	}
	root.Sqrt(&x)
	n.form, n.scale = finite, scale+1
	n.coef.Set(&root)
	n.Round(scale)
	return nil
}

// clampScale is the scale of a computed result: enough for the significant digits, not less than the inputs' scales.
func clampScale(want int, scales ...int32) int32 {
	s := int32(max(want, 0))
	for _, x := range scales {
		s = max(s, x)
	}
	return min(s, numericMaxDisplay)
}

func (n *Numeric) toAPD(d *apd.Decimal) {
	d.Form, d.Exponent = apd.Finite, -n.scale
	d.Negative = n.coef.Sign() < 0
	d.Coeff.Abs(&n.coef)
}

// fromAPD rounds d to the scale.
func (n *Numeric) fromAPD(d *apd.Decimal, scale int32) error {
	n.coef.Set(&d.Coeff)
	if d.Negative {
		n.coef.Neg(&n.coef)
	}
	n.form, n.scale = finite, 0
	if d.Exponent > 0 {
		if d.Exponent > numericMaxIntDigits {
			return errNumericOverflow
		}
		n.coef.Mul(&n.coef, pow10(int(d.Exponent)))
	} else {
		n.scale = -d.Exponent
	}
	n.reScale(scale, true)
	return n.checkRange()
}

// context computes with guard digits beyond what the result shows.
func context(digits int) *apd.Context {
	c := apd.BaseContext.WithPrecision(uint32(max(digits, 1) + 12))
	c.MaxExponent, c.MinExponent = apd.MaxExponent, apd.MinExponent
	c.Traps = 0
	c.Rounding = apd.RoundHalfUp
	return c
}

// Exp sets n = e ^ a.
func (n *Numeric) Exp(a *Numeric) error {
	switch a.form {
	case nan, posInf:
		n.Set(a)
		return nil
	case negInf:
		n.SetInt64(0)
		return nil
	}
	val := a.Float64() * math.Log10E
	val = min(max(val, -2000), 2000*3)
	if a.Float64()*math.Log10E > numericMaxIntDigits {
		return errNumericOverflow
	}
	scale := clampScale(numericMinSigDigits-int(val), a.scale)
	if val <= -2000 {
		n.SetScaled(0, scale)
		return nil
	}
	var x, y apd.Decimal
	a.toAPD(&x)
	if _, err := context(int(val)+int(scale)).Exp(&y, &x); err != nil {
		return errNumericOverflow
	}
	return n.fromAPD(&y, scale)
}

// lnWeight estimates the decimal weight of ln(a), a > 0.
func lnWeight(a *Numeric) int {
	// Near 1 the logarithm is about a - 1, whose weight is that of its first base-10000 digit.
	var x Numeric
	x.SetInt64(1)
	if x.Sub(a, &x) == nil && x.coef.Sign() == 0 {
		return 0
	}
	if f := x.Float64(); f >= -0.1 && f <= 0.1 {
		w, d := leadingDigit(&x)
		return w*4 + int(math.Log10(float64(d)))
	}
	return int(math.Log10(math.Abs(a.approxLn())))
}

// approxLn is ln(a) in floating point, also beyond the range of float64 and close to 1.
func (a *Numeric) approxLn() float64 {
	var one, d Numeric
	one.SetInt64(1)
	if d.Sub(a, &one) == nil {
		if x := d.Float64(); math.Abs(x) < 0.1 {
			return math.Log1p(x)
		}
	}
	nd := numDigits(&a.coef)
	cut := max(nd-17, 0)
	var q apd.BigInt
	q.Quo(&a.coef, pow10(cut))
	return math.Log(float64(q.Int64())) + float64(cut-int(a.scale))*math.Ln10
}

// Ln sets n to the natural logarithm.
func (n *Numeric) Ln(a *Numeric) error {
	if done, err := n.logSpecial(a); done {
		return err
	}
	w := lnWeight(a)
	scale := clampScale(numericMinSigDigits-w, a.scale)
	var x, y apd.Decimal
	a.toAPD(&x)
	if _, err := context(w+int(scale)).Ln(&y, &x); err != nil {
		return sqlstate.New(sqlstate.NumericOutOfRange, "value overflows numeric format")
	}
	return n.fromAPD(&y, scale)
}

func (n *Numeric) logSpecial(a *Numeric) (done bool, err error) {
	switch {
	case a.form == nan:
		n.Set(a)
		return true, nil
	case a.Sign() < 0:
		return true, ErrLogNegative()
	case a.form == posInf:
		n.Set(a)
		return true, nil
	case a.Sign() == 0:
		return true, ErrLogZero()
	}
	return false, nil
}

// Log sets n to the logarithm of a in base b.
func (n *Numeric) Log(b, a *Numeric) error {
	if b.form == nan || a.form == nan {
		n.setSpecial(nan)
		return nil
	}
	for _, x := range []*Numeric{b, a} {
		if x.Sign() < 0 {
			return ErrLogNegative()
		}
		if x.Sign() == 0 {
			return ErrLogZero()
		}
	}
	if b.form == posInf {
		if a.form == posInf {
			n.setSpecial(nan)
		} else {
			n.SetInt64(0)
		}
		return nil
	}
	if a.form == posInf {
		n.setSpecial(posInf)
		return nil
	}
	lb, la := b.approxLn(), a.approxLn()
	w := 0
	if lb != 0 && la != 0 {
		// The weight of the quotient, from the weights of both logarithms.
		w = lnWeight(a) - lnWeight(b)
	}
	scale := clampScale(numericMinSigDigits-w, b.scale, a.scale)
	digits := int(scale) + max(w, 0) + 8 + max(-lnWeight(b), 0)
	c := context(digits)
	var x, y, lx, ly, q apd.Decimal
	a.toAPD(&x)
	b.toAPD(&y)
	if _, err := c.Ln(&lx, &x); err != nil {
		return errNumericOverflow
	}
	if _, err := c.Ln(&ly, &y); err != nil {
		return errNumericOverflow
	}
	if ly.IsZero() {
		return ErrDivZero()
	}
	if _, err := c.Quo(&q, &lx, &ly); err != nil {
		return errNumericOverflow
	}
	return n.fromAPD(&q, scale)
}

// Power sets n = a ^ b.
func (n *Numeric) Power(a, b *Numeric) error {
	if a.form != finite || b.form != finite {
		return n.powerSpecial(a, b)
	}
	integer := b.isInteger()
	switch {
	case a.Sign() == 0 && b.Sign() < 0:
		return ErrPowerZero()
	case a.Sign() < 0 && !integer:
		return ErrPowerComplex()
	}
	if integer {
		if e, err := b.Int64(types.Int64); err == nil && e >= math.MinInt32 && e <= math.MaxInt32 {
			return n.powerInt(a, e)
		}
	}
	if a.Sign() == 0 {
		n.SetScaled(0, numericMinSigDigits)
		return nil
	}
	return n.powerLn(a, b)
}

func (n *Numeric) isInteger() bool {
	var t Numeric
	t.Set(n)
	t.TrimScale()
	return t.scale == 0
}

// powerInt raises to an integer, exactly, then rounds to PostgreSQL's scale.
func (n *Numeric) powerInt(a *Numeric, e int64) error {
	f := 0.0
	if a.Sign() != 0 {
		var abs Numeric
		abs.Abs(a)
		f = float64(e) * abs.log10Approx()
	}
	if f > 131072*4/4+4 {
		return errNumericOverflow
	}
	if f+1 < -numericMaxDisplay {
		n.SetScaled(0, numericMaxDisplay)
		return nil
	}
	scale := clampScale(numericMinSigDigits, a.scale)
	if e == 0 {
		n.SetInt64(1)
		n.Round(scale)
		return nil
	}
	digits := int(math.Abs(f)) + int(scale) + 20
	var x, y, k apd.Decimal
	a.toAPD(&x)
	k.SetInt64(e)
	if exact := numDigits(&a.coef) * int(min(max(e, -e), 1<<20)); e > 0 && exact < digits {
		digits = exact
	}
	if _, err := context(digits).Pow(&y, &x, &k); err != nil || y.Form != apd.Finite {
		return errNumericOverflow
	}
	return n.fromAPD(&y, scale)
}

// log10Approx is log10(n) for n > 0.
func (n *Numeric) log10Approx() float64 { return n.approxLn() / math.Ln10 }

// powerLn computes a ^ b = exp(b ln a), a > 0.
func (n *Numeric) powerLn(a, b *Numeric) error {
	val := b.Float64() * a.approxLn()
	if math.Abs(val) > 2000*3.01*100 {
		if val > 0 {
			return errNumericOverflow
		}
		n.SetScaled(0, numericMaxDisplay)
		return nil
	}
	weight := val * math.Log10E
	scale := clampScale(numericMinSigDigits-int(weight), a.scale, b.scale)
	digits := int(math.Abs(weight)) + int(scale) + 20
	var x, y, z apd.Decimal
	a.toAPD(&x)
	b.toAPD(&y)
	if _, err := context(digits).Pow(&z, &x, &y); err != nil || z.Form != apd.Finite {
		return errNumericOverflow
	}
	return n.fromAPD(&z, scale)
}

func (n *Numeric) powerSpecial(a, b *Numeric) error {
	one := func(x *Numeric) bool {
		var t Numeric
		t.SetInt64(1)
		return x.form == finite && x.Cmp(&t) == 0
	}
	switch {
	case one(a) || b.form == finite && b.Sign() == 0:
		n.SetInt64(1)
		return nil
	case a.form == nan || b.form == nan:
		n.setSpecial(nan)
		return nil
	}
	// What is left has an infinity; floating point follows the same rules.
	if b.form != finite && a.Sign() == 0 && b.Sign() < 0 {
		return ErrPowerZero()
	}
	if a.Sign() < 0 && b.form == finite && !b.isInteger() {
		return ErrPowerComplex()
	}
	n.SetFloat64(math.Pow(a.Float64(), b.Float64()))
	return nil
}
