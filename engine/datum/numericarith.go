package datum

import (
	"github.com/cockroachdb/apd/v3"

	"github.com/telemdb/telemdb/engine/sqlstate"
)

// align returns the coefficients of a and b at the larger of the two scales; ta and tb are room for a scaled one.
func align(a, b *Numeric, ta, tb *apd.BigInt) (x, y *apd.BigInt, scale int32) {
	switch {
	case a.scale == b.scale:
		return &a.coef, &b.coef, a.scale
	case a.scale < b.scale:
		ta.Mul(&a.coef, pow10(int(b.scale-a.scale)))
		return ta, &b.coef, b.scale
	}
	tb.Mul(&b.coef, pow10(int(a.scale-b.scale)))
	return &a.coef, tb, a.scale
}

// Add sets n = a + b.
func (n *Numeric) Add(a, b *Numeric) error {
	if a.form != finite || b.form != finite {
		n.setSpecial(addForms(a.form, b.form))
		return nil
	}
	var ta, tb apd.BigInt
	x, y, scale := align(a, b, &ta, &tb)
	n.coef.Add(x, y)
	n.form, n.scale = finite, scale
	return n.checkRange()
}

// Sub sets n = a - b.
func (n *Numeric) Sub(a, b *Numeric) error {
	if a.form != finite || b.form != finite {
		n.setSpecial(addForms(a.form, negForm(b.form)))
		return nil
	}
	var ta, tb apd.BigInt
	x, y, scale := align(a, b, &ta, &tb)
	n.coef.Sub(x, y)
	n.form, n.scale = finite, scale
	return n.checkRange()
}

func addForms(a, b numericForm) numericForm {
	switch {
	case a == nan || b == nan:
		return nan
	case a == finite:
		return b
	case b == finite || a == b:
		return a
	}
	return nan
}

func negForm(f numericForm) numericForm {
	switch f {
	case posInf:
		return negInf
	case negInf:
		return posInf
	}
	return f
}

// Neg sets n = -a.
func (n *Numeric) Neg(a *Numeric) {
	n.Set(a)
	n.form = negForm(n.form)
	n.coef.Neg(&n.coef)
}

// Abs sets n = |a|.
func (n *Numeric) Abs(a *Numeric) {
	n.Set(a)
	if n.form == negInf {
		n.form = posInf
	}
	n.coef.Abs(&n.coef)
}

// signForm is the infinity of sign s, NaN for 0.
func signForm(s int) numericForm {
	switch {
	case s > 0:
		return posInf
	case s < 0:
		return negInf
	}
	return nan
}

// Mul sets n = a * b, exact; the scales add up.
func (n *Numeric) Mul(a, b *Numeric) error {
	if a.form != finite || b.form != finite {
		f := nan
		if a.form != nan && b.form != nan {
			f = signForm(a.Sign() * b.Sign())
		}
		n.setSpecial(f)
		return nil
	}
	scale := a.scale + b.scale
	n.coef.Mul(&a.coef, &b.coef)
	n.form, n.scale = finite, scale
	if n.scale > numericMaxScale {
		n.Round(numericMaxScale)
	}
	return n.checkRange()
}

// Div sets n = a / b with PostgreSQL's scale: at least 16 significant digits and both inputs' scales.
func (n *Numeric) Div(a, b *Numeric) error {
	if done, err := n.divSpecial(a, b); done {
		return err
	}
	return n.divScale(a, b, divScale(a, b))
}

func (n *Numeric) divSpecial(a, b *Numeric) (done bool, err error) {
	switch {
	case a.form == nan || b.form == nan:
		n.setSpecial(nan)
	case a.form != finite && b.form != finite:
		n.setSpecial(nan)
	case a.form != finite:
		if b.Sign() == 0 {
			return true, ErrDivZero()
		}
		n.setSpecial(signForm(a.Sign() * b.Sign()))
	case b.form != finite:
		n.SetInt64(0)
	case b.coef.Sign() == 0:
		return true, ErrDivZero()
	default:
		return false, nil
	}
	return true, nil
}

// divScale sets n = a / b rounded half away from zero to the scale. b is not zero.
func (n *Numeric) divScale(a, b *Numeric, scale int32) error {
	// a/b at scale s: (ac * 10^(s - as + bs)) / bc.
	var num, den, rem apd.BigInt
	num.Set(&a.coef)
	den.Set(&b.coef)
	if e := int(scale - a.scale + b.scale); e >= 0 {
		num.Mul(&num, pow10(e))
	} else {
		den.Mul(&den, pow10(-e))
	}
	n.coef.QuoRem(&num, &den, &rem)
	roundHalfAway(&n.coef, &rem, &den, num.Sign()*den.Sign())
	n.form, n.scale = finite, scale
	return n.checkRange()
}

// roundHalfAway adjusts the truncated quotient q for the remainder r of a division by den; sign is that of the result.
func roundHalfAway(q, r, den *apd.BigInt, sign int) {
	if r.Sign() == 0 {
		return
	}
	r.Abs(r)
	r.Add(r, r)
	if r.CmpAbs(den) >= 0 {
		q.Add(q, apd.NewBigInt(int64(sign)))
	}
}

// divScale is select_div_scale: it estimates the quotient's weight in base-10000 digits.
func divScale(a, b *Numeric) int32 {
	wa, fa := leadingDigit(a)
	wb, fb := leadingDigit(b)
	q := wa - wb
	if fa <= fb {
		q--
	}
	scale := max(int32(numericMinSigDigits-4*q), a.scale, b.scale, 0)
	return min(scale, numericMaxDisplay)
}

// leadingDigit returns the weight of the first non-zero base-10000 digit and its value; 0, 0 for zero.
func leadingDigit(n *Numeric) (weight, digit int) {
	nd := numDigits(&n.coef)
	if nd == 0 {
		return 0, 0
	}
	e := nd - 1 - int(n.scale)
	weight = floorDiv(e, 4)
	take := e - 4*weight + 1
	var q apd.BigInt
	q.Abs(&n.coef)
	if nd > take {
		q.Quo(&q, pow10(nd-take))
	} else {
		q.Mul(&q, pow10(take-nd))
	}
	return weight, int(q.Int64())
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// Mod sets n = a % b: the sign is a's.
func (n *Numeric) Mod(a, b *Numeric) error {
	switch {
	case a.form == nan || b.form == nan:
		n.setSpecial(nan)
		return nil
	case a.form != finite:
		if b.Sign() == 0 {
			return ErrDivZero()
		}
		n.setSpecial(nan)
		return nil
	case b.form != finite:
		n.Set(a)
		return nil
	case b.coef.Sign() == 0:
		return ErrDivZero()
	}
	var ta, tb apd.BigInt
	x, y, scale := align(a, b, &ta, &tb)
	n.coef.Rem(x, y)
	n.form, n.scale = finite, scale
	return nil
}

// DivTrunc sets n = div(a, b): the quotient cut to an integer.
func (n *Numeric) DivTrunc(a, b *Numeric) error {
	if done, err := n.divSpecial(a, b); done {
		return err
	}
	var ta, tb apd.BigInt
	x, y, _ := align(a, b, &ta, &tb)
	n.coef.Quo(x, y)
	n.form, n.scale = finite, 0
	return nil
}

// Round rounds half away from zero to scale digits behind the point; a negative scale rounds before the point.
func (n *Numeric) Round(scale int32) { n.reScale(scale, true) }

// Trunc cuts to scale digits behind the point.
func (n *Numeric) Trunc(scale int32) { n.reScale(scale, false) }

func (n *Numeric) reScale(scale int32, round bool) {
	if n.form != finite {
		return
	}
	scale = max(scale, -numericMaxIntDigits)
	scale = min(scale, numericMaxScale)
	switch {
	case scale == n.scale:
	case scale > n.scale:
		n.coef.Mul(&n.coef, pow10(int(scale-n.scale)))
	default:
		var rem apd.BigInt
		sign := n.coef.Sign()
		den := pow10(int(n.scale - scale))
		n.coef.QuoRem(&n.coef, den, &rem)
		if round {
			roundHalfAway(&n.coef, &rem, den, sign)
		}
	}
	n.scale = scale
	if scale < 0 {
		n.coef.Mul(&n.coef, pow10(int(-scale)))
		n.scale = 0
	}
}

// Floor rounds down to an integer.
func (n *Numeric) Floor() { n.toInteger(-1) }

// Ceil rounds up to an integer.
func (n *Numeric) Ceil() { n.toInteger(1) }

func (n *Numeric) toInteger(dir int) {
	if n.form != finite || n.scale == 0 {
		return
	}
	var rem apd.BigInt
	n.coef.QuoRem(&n.coef, pow10(int(n.scale)), &rem)
	if rem.Sign() == dir {
		n.coef.Add(&n.coef, apd.NewBigInt(int64(dir)))
	}
	n.scale = 0
}

// WidthBucket is width_bucket(op, low, high, count).
func WidthBucket(op, low, high *Numeric, count int64) (int64, error) {
	if count <= 0 {
		return 0, sqlstate.New("2201G", "count must be greater than zero")
	}
	if op.form == nan || low.form == nan || high.form == nan {
		return 0, sqlstate.New("2201G", "operand, lower bound, and upper bound cannot be NaN")
	}
	if low.form != finite || high.form != finite {
		return 0, sqlstate.New("2201G", "lower and upper bounds must be finite")
	}
	c := low.Cmp(high)
	if c == 0 {
		return 0, sqlstate.New("2201G", "lower bound cannot equal upper bound")
	}
	if c < 0 && op.Cmp(low) < 0 || c > 0 && op.Cmp(low) > 0 {
		return 0, nil
	}
	if c < 0 && op.Cmp(high) >= 0 || c > 0 && op.Cmp(high) <= 0 {
		return count + 1, nil
	}
	var d, w, k Numeric
	if err := d.Sub(op, low); err != nil {
		return 0, err
	}
	if err := w.Sub(high, low); err != nil {
		return 0, err
	}
	k.SetInt64(count)
	if err := d.Mul(&d, &k); err != nil {
		return 0, err
	}
	if err := d.DivTrunc(&d, &w); err != nil {
		return 0, err
	}
	return d.coef.Int64() + 1, nil
}
