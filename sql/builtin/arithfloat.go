package builtin

import (
	"math"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func errOverflow() error {
	return sqlstate.New(sqlstate.NumericOutOfRange, "value out of range: overflow")
}

func errUnderflow() error {
	return sqlstate.New(sqlstate.NumericOutOfRange, "value out of range: underflow")
}

// addFloatArith registers + - * / on real and double precision, mixed pairs giving double precision.
func addFloatArith(r *registry) {
	fs := []types.Type{tFloat4, tFloat8}
	for i, a := range fs {
		for j, b := range fs {
			t := fs[max(i, j)]
			for _, op := range []byte{'+', '-', '*', '/'} {
				r.op(string(op), sig(a, b), t, floatArith(op, t.Kind == types.Float32))
			}
		}
		r.op("-", sig(a), a, byFloat(func(x float64) (float64, error) { return -x, nil }))
		r.op("+", sig(a), a, byFloat(func(x float64) (float64, error) { return x, nil }))
		r.op("@", sig(a), a, byFloat(func(x float64) (float64, error) { return math.Abs(x), nil }))
		r.fn("abs", sig(a), a, byFloat(func(x float64) (float64, error) { return math.Abs(x), nil }))
	}
}

// floatArith computes all rows with a leaf loop. A result that is an infinity or zero, or a divisor that is zero, sends
// the batch through a second look at the rows of sel.
func floatArith(op byte, single bool) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(out.Type, n)
		a, ca, constA := floats(args[0], n)
		b, cb, constB := floats(args[1], n)
		if constA {
			a = spread(ca, n)
		}
		switch {
		case constB:
			floatConstLoop(op, a, cb, out.F64)
		default:
			floatLoop(op, a, b, out.F64)
		}
		if single {
			for i, x := range out.F64 {
				out.F64[i] = float64(float32(x))
			}
		}
		if suspicious(op, out.F64) {
			return checkFloats(op, args, sel, out)
		}
		return nil
	}
}

func floatLoop(op byte, a, b, out []float64) {
	b, out = b[:len(a)], out[:len(a)]
	switch op {
	case '+':
		for i, x := range a {
			out[i] = x + b[i]
		}
	case '-':
		for i, x := range a {
			out[i] = x - b[i]
		}
	case '*':
		for i, x := range a {
			out[i] = x * b[i]
		}
	case '/':
		for i, x := range a {
			out[i] = x / b[i]
		}
	}
}

func floatConstLoop(op byte, a []float64, c float64, out []float64) {
	out = out[:len(a)]
	switch op {
	case '+':
		for i, x := range a {
			out[i] = x + c
		}
	case '-':
		for i, x := range a {
			out[i] = x - c
		}
	case '*':
		for i, x := range a {
			out[i] = x * c
		}
	case '/':
		for i, x := range a {
			out[i] = x / c
		}
	}
}

// suspicious reports whether any result may be an error: not finite, or for products and quotients zero.
func suspicious(op byte, xs []float64) bool {
	acc, zero := 0.0, false
	for _, x := range xs {
		acc += x - x // 0 for a finite x, NaN otherwise
		zero = zero || x == 0
	}
	return acc != 0 || (op == '*' || op == '/') && zero
}

// checkFloats raises overflow, underflow and division by zero for the rows of sel, as PostgreSQL does.
func checkFloats(op byte, args []*vec.Vector, sel vec.Bitmap, out *vec.Vector) error {
	var err error
	sel.All(func(i int) {
		if err != nil {
			return
		}
		x, y, z := args[0].Float(i), args[1].Float(i), out.F64[i]
		switch {
		case op == '/' && y == 0 && x == x:
			err = datum.ErrDivZero()
		case math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0):
			err = errOverflow()
		case z == 0 && op == '*' && x != 0 && y != 0, z == 0 && op == '/' && x != 0 && !math.IsInf(y, 0):
			err = errUnderflow()
		}
	})
	return err
}
