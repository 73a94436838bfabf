package builtin

import (
	"math"
	"math/rand/v2"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func addMath(r *registry) {
	addRounding(r)
	addPowers(r)
	addTrigonometry(r)
	addBuckets(r)
	volatile(r.fn("random", nil, tFloat8, func(_ *expr.Ctx, _ []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(tFloat8, n)
		for i := range out.F64 {
			out.F64[i] = rand.Float64()
		}
		return nil
	}))
	r.fn("pi", nil, tFloat8, func(_ *expr.Ctx, _ []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
		out.AppendFloat(math.Pi)
		out.Form, out.N = vec.Const, n
		return nil
	})
}

func addRounding(r *registry) {
	f := func(name string, f func(float64) float64) {
		r.fn(name, sig(tFloat8), tFloat8, byFloat(func(x float64) (float64, error) { return f(x), nil }))
	}
	f("ceil", math.Ceil)
	f("floor", math.Floor)
	f("round", math.RoundToEven)
	f("trunc", math.Trunc)
	f("sign", func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x * 0 // keeps NaN, and the zero's sign away
	})
	d := func(name string, f func(z *datum.Numeric)) {
		r.fn(name, sig(tNumeric), tNumeric, numericUnary(func(z, x *datum.Numeric) error { z.Set(x); f(z); return nil }))
	}
	d("ceil", (*datum.Numeric).Ceil)
	d("floor", (*datum.Numeric).Floor)
	d("round", func(z *datum.Numeric) { z.Round(0) })
	d("trunc", func(z *datum.Numeric) { z.Trunc(0) })
	d("sign", func(z *datum.Numeric) {
		if !z.NaN() {
			z.SetInt64(int64(z.Sign()))
		}
	})
	d("trim_scale", (*datum.Numeric).TrimScale)
	r.alias("ceiling", "ceil")
	scaled := func(name string, f func(z *datum.Numeric, scale int32)) {
		r.fn(name, sig(tNumeric, tInt4), tNumeric, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			z, err := numericArg(args[0], i)
			if err != nil {
				return err
			}
			f(&z, int32(args[1].Int(i)))
			datum.AppendNumeric(out, &z)
			return nil
		}))
	}
	scaled("round", (*datum.Numeric).Round)
	scaled("trunc", (*datum.Numeric).Trunc)
	scale := func(name string, trim bool) {
		r.fn(name, sig(tNumeric), tInt4, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			z, err := numericArg(args[0], i)
			if err != nil {
				return err
			}
			if !z.Finite() {
				out.AppendNull()
				return nil
			}
			if trim {
				z.TrimScale()
			}
			out.AppendInt(int64(z.Scale()))
			return nil
		}))
	}
	scale("scale", false)
	scale("min_scale", true)
}

func addPowers(r *registry) {
	checked := func(name string, f func(float64) (float64, error)) {
		r.fn(name, sig(tFloat8), tFloat8, byFloat(f))
	}
	checked("sqrt", floatSqrt)
	checked("cbrt", func(x float64) (float64, error) { return math.Cbrt(x), nil })
	checked("exp", func(x float64) (float64, error) {
		y := math.Exp(x)
		if math.IsInf(y, 1) && !math.IsInf(x, 1) {
			return 0, errOverflow()
		}
		if y == 0 && !math.IsInf(x, -1) {
			return 0, errUnderflow()
		}
		return y, nil
	})
	checked("ln", floatLog(math.Log))
	checked("log", floatLog(math.Log10))
	checked("log10", floatLog(math.Log10))
	r.op("|/", sig(tFloat8), tFloat8, byFloat(floatSqrt))
	r.op("||/", sig(tFloat8), tFloat8, byFloat(func(x float64) (float64, error) { return math.Cbrt(x), nil }))

	power := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		y, err := floatPower(args[0].Float(i), args[1].Float(i))
		if err != nil {
			return err
		}
		out.AppendFloat(y)
		return nil
	})
	r.op("^", sig(tFloat8, tFloat8), tFloat8, power)
	r.fn("power", sig(tFloat8, tFloat8), tFloat8, power)
	exact := numericPair((*datum.Numeric).Power)
	r.op("^", sig(tNumeric, tNumeric), tNumeric, exact)
	r.fn("power", sig(tNumeric, tNumeric), tNumeric, exact)
	r.alias("pow", "power")
	r.fn("sqrt", sig(tNumeric), tNumeric, numericUnary((*datum.Numeric).Sqrt))
	r.fn("exp", sig(tNumeric), tNumeric, numericUnary((*datum.Numeric).Exp))
	r.fn("ln", sig(tNumeric), tNumeric, numericUnary((*datum.Numeric).Ln))
	log10 := numericUnary(func(z, x *datum.Numeric) error {
		var ten datum.Numeric
		ten.SetInt64(10)
		return z.Log(&ten, x)
	})
	r.fn("log", sig(tNumeric), tNumeric, log10)
	r.fn("log10", sig(tNumeric), tNumeric, log10)
	r.fn("log", sig(tNumeric, tNumeric), tNumeric, numericPair((*datum.Numeric).Log))
	factorial := byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		n := args[0].Int(i)
		if n < 0 {
			return sqlstate.New(sqlstate.NumericOutOfRange, "factorial of a negative number is undefined")
		}
		if n > 32177 {
			return sqlstate.New(sqlstate.NumericOutOfRange, "value overflows numeric format")
		}
		var z, k datum.Numeric
		z.SetInt64(1)
		for j := int64(2); j <= n; j++ {
			k.SetInt64(j)
			if err := z.Mul(&z, &k); err != nil {
				return err
			}
			if j%256 == 0 {
				if err := canceled(ctx); err != nil {
					return err
				}
			}
		}
		datum.AppendNumeric(out, &z)
		return nil
	})
	r.fn("factorial", sig(tInt8), tNumeric, factorial)
}

func floatSqrt(x float64) (float64, error) {
	if x < 0 {
		return 0, datum.ErrNegativeRoot()
	}
	return math.Sqrt(x), nil
}

func floatLog(f func(float64) float64) func(float64) (float64, error) {
	return func(x float64) (float64, error) {
		if x == 0 {
			return 0, datum.ErrLogZero()
		}
		if x < 0 {
			return 0, datum.ErrLogNegative()
		}
		return f(x), nil
	}
}

func floatPower(x, y float64) (float64, error) {
	switch {
	case x == 0 && y < 0:
		return 0, datum.ErrPowerZero()
	case x < 0 && y != math.Floor(y) && !math.IsInf(x, 0) && !math.IsInf(y, 0):
		return 0, datum.ErrPowerComplex()
	}
	z := math.Pow(x, y)
	if math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return 0, errOverflow()
	}
	if z == 0 && x != 0 && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return 0, errUnderflow()
	}
	return z, nil
}

func addTrigonometry(r *registry) {
	bounded := func(name string, f func(float64) float64, ok func(float64) bool) {
		r.fn(name, sig(tFloat8), tFloat8, byFloat(func(x float64) (float64, error) {
			if !ok(x) {
				return 0, sqlstate.New(sqlstate.NumericOutOfRange, "input is out of range")
			}
			return f(x), nil
		}))
	}
	finite := func(x float64) bool { return !math.IsInf(x, 0) }
	unit := func(x float64) bool { return !(x < -1 || x > 1) }
	any := func(float64) bool { return true }
	bounded("sin", math.Sin, finite)
	bounded("cos", math.Cos, finite)
	bounded("tan", math.Tan, finite)
	bounded("cot", func(x float64) float64 { return 1 / math.Tan(x) }, finite)
	bounded("asin", math.Asin, unit)
	bounded("acos", math.Acos, unit)
	bounded("atan", math.Atan, any)
	bounded("sinh", math.Sinh, any)
	bounded("cosh", math.Cosh, any)
	bounded("tanh", math.Tanh, any)
	bounded("degrees", func(x float64) float64 { return x / (math.Pi / 180) }, any)
	bounded("radians", func(x float64) float64 { return x * (math.Pi / 180) }, any)
	r.fn("atan2", sig(tFloat8, tFloat8), tFloat8, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendFloat(math.Atan2(args[0].Float(i), args[1].Float(i)))
		return nil
	}))
}

func addBuckets(r *registry) {
	r.fn("width_bucket", sig(tFloat8, tFloat8, tFloat8, tInt4), tInt4, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		b, err := floatBucket(args[0].Float(i), args[1].Float(i), args[2].Float(i), args[3].Int(i))
		if err != nil {
			return err
		}
		out.AppendInt(b)
		return nil
	}))
	r.fn("width_bucket", sig(tNumeric, tNumeric, tNumeric, tInt4), tInt4, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		var v [3]datum.Numeric
		for j := range v {
			n, err := numericArg(args[j], i)
			if err != nil {
				return err
			}
			v[j] = n
		}
		b, err := datum.WidthBucket(&v[0], &v[1], &v[2], args[3].Int(i))
		if err != nil {
			return err
		}
		out.AppendInt(b)
		return nil
	}))
	r.fn("width_bucket", sig(tAnyElement, tAnyArray), tInt4, byRow(arrayBucket))
}

func errBucket(text string) error { return sqlstate.New("2201G", "%s", text) }

func floatBucket(x, lo, hi float64, count int64) (int64, error) {
	switch {
	case count <= 0:
		return 0, errBucket("count must be greater than zero")
	case x != x || lo != lo || hi != hi:
		return 0, errBucket("operand, lower bound, and upper bound cannot be NaN")
	case math.IsInf(lo, 0) || math.IsInf(hi, 0):
		return 0, errBucket("lower and upper bounds must be finite")
	case lo == hi:
		return 0, errBucket("lower bound cannot equal upper bound")
	}
	if lo > hi {
		x, lo, hi = -x, -lo, -hi
	}
	switch {
	case x < lo:
		return 0, nil
	case x >= hi:
		if count >= math.MaxInt32 {
			return 0, datum.ErrRange(types.Int32)
		}
		return count + 1, nil
	}
	b := int64(float64(count)*((x-lo)/(hi-lo))) + 1
	return min(b, count), nil
}

// arrayBucket finds the last threshold that is not above the operand.
func arrayBucket(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
	a, err := openArg(args[1], i)
	if err != nil {
		return err
	}
	if a.NDim > 1 {
		return sqlstate.New("2202E", "thresholds must be one-dimensional array")
	}
	if a.HasNulls() {
		return sqlstate.New("22004", "thresholds array must not contain NULLs")
	}
	var t vec.Vector
	t.Reset(types.Of(a.Elem))
	for j := range a.N {
		a.AppendElem(&t, j)
	}
	lo, hi := 0, a.N
	for lo < hi {
		m := (lo + hi) / 2
		if datum.Compare(t.Type, args[0], i, &t, m) < 0 {
			hi = m
		} else {
			lo = m + 1
		}
	}
	out.AppendInt(int64(lo))
	return nil
}
