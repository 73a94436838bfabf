package builtin

import (
	"sync"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// addNumericArith registers the exact arithmetic.
func addNumericArith(r *registry) {
	n2 := sig(tNumeric, tNumeric)
	r.op("+", n2, tNumeric, numericPair((*datum.Numeric).Add))
	r.op("-", n2, tNumeric, numericPair((*datum.Numeric).Sub))
	r.op("*", n2, tNumeric, numericPair((*datum.Numeric).Mul))
	r.op("/", n2, tNumeric, numericPair((*datum.Numeric).Div))
	r.op("%", n2, tNumeric, numericPair((*datum.Numeric).Mod))
	r.fn("mod", n2, tNumeric, numericPair((*datum.Numeric).Mod))
	r.fn("div", n2, tNumeric, numericPair((*datum.Numeric).DivTrunc))

	neg := numericUnary(func(z, x *datum.Numeric) error { z.Neg(x); return nil })
	abs := numericUnary(func(z, x *datum.Numeric) error { z.Abs(x); return nil })
	r.op("-", sig(tNumeric), tNumeric, neg)
	r.op("+", sig(tNumeric), tNumeric, numericUnary(func(z, x *datum.Numeric) error { z.Set(x); return nil }))
	r.op("@", sig(tNumeric), tNumeric, abs)
	r.fn("abs", sig(tNumeric), tNumeric, abs)
}

// numerics are the operands of one running Eval: pooled, because big coefficients keep their memory.
type numerics struct{ x, y, z datum.Numeric }

var numericPool = sync.Pool{New: func() any { return new(numerics) }}

// numericPair is an operator on two numerics. A constant operand is parsed once.
func numericPair(f func(z, x, y *datum.Numeric) error) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		p := numericPool.Get().(*numerics)
		defer numericPool.Put(p)
		constX, constY := args[0].Form == vec.Const, args[1].Form == vec.Const
		first := true
		for i := range n {
			if !sel.Get(i) {
				out.AppendBytes(nil)
				continue
			}
			if first || !constX {
				if err := p.x.Parse(args[0].Bytes(i)); err != nil {
					return err
				}
			}
			if first || !constY {
				if err := p.y.Parse(args[1].Bytes(i)); err != nil {
					return err
				}
			}
			first = false
			if err := f(&p.z, &p.x, &p.y); err != nil {
				return err
			}
			datum.AppendNumeric(out, &p.z)
		}
		return nil
	}
}

func numericUnary(f func(z, x *datum.Numeric) error) evalFunc {
	return byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		p := numericPool.Get().(*numerics)
		defer numericPool.Put(p)
		if err := p.x.Parse(args[0].Bytes(i)); err != nil {
			return err
		}
		if err := f(&p.z, &p.x); err != nil {
			return err
		}
		datum.AppendNumeric(out, &p.z)
		return nil
	})
}

// numericArg reads row i of a numeric argument.
func numericArg(v *vec.Vector, i int) (datum.Numeric, error) {
	var n datum.Numeric
	err := n.Parse(v.Bytes(i))
	return n, err
}

// toInt rounds row i of a numeric argument to an integer kind.
func toInt(v *vec.Vector, i int, k types.Kind) (int64, error) {
	n, err := numericArg(v, i)
	if err != nil {
		return 0, err
	}
	return n.Int64(k)
}
