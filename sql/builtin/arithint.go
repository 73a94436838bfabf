package builtin

import (
	"math"
	"math/bits"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// addIntArith registers + - * / % on all pairs of integer types (the result is the wider one), negation, abs, bits.
func addIntArith(r *registry) {
	ints := []types.Type{tInt2, tInt4, tInt8}
	for i, a := range ints {
		for j, b := range ints {
			t := ints[max(i, j)]
			k := t.Kind
			r.op("+", sig(a, b), t, intLoop(k, addLoop))
			r.op("-", sig(a, b), t, intLoop(k, subLoop))
			r.op("*", sig(a, b), t, intLoop(k, mulLoop))
			r.op("/", sig(a, b), t, intDivide(k, false))
			if i == j {
				r.op("%", sig(a, b), t, intDivide(k, true))
				r.fn("mod", sig(a, b), t, intDivide(k, true))
				r.op("&", sig(a, b), t, bitwise(func(x, y int64) int64 { return x & y }))
				r.op("|", sig(a, b), t, bitwise(func(x, y int64) int64 { return x | y }))
				r.op("#", sig(a, b), t, bitwise(func(x, y int64) int64 { return x ^ y }))
			}
		}
		k, width := a.Kind, datum.Len(a)*8
		r.op("-", sig(a), a, intUnary(k, func(x int64) int64 { return -x }))
		r.op("+", sig(a), a, intUnary(k, func(x int64) int64 { return x }))
		r.op("~", sig(a), a, intUnary(k, func(x int64) int64 { return ^x }))
		r.op("@", sig(a), a, intUnary(k, absInt))
		r.fn("abs", sig(a), a, intUnary(k, absInt))
		r.op("<<", sig(a, tInt4), a, bitwise(func(x, s int64) int64 { return shift(x, s, width, true) }))
		r.op(">>", sig(a, tInt4), a, bitwise(func(x, s int64) int64 { return shift(x, s, width, false) }))
	}
	for _, t := range ints[1:] {
		r.fn("gcd", sig(t, t), t, intPair(t.Kind, gcd))
		r.fn("lcm", sig(t, t), t, intPair(t.Kind, lcm))
	}
}

// absInt leaves the least int64 as it is; intUnary sees that by its sign.
func absInt(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}

// shift moves within the type's width, the distance taken modulo it as the hardware does.
func shift(x, s int64, width int16, left bool) int64 {
	d := uint(s) & uint(width-1)
	if !left {
		return x >> d
	}
	x <<= d
	switch width {
	case 16:
		return int64(int16(x))
	case 32:
		return int64(int32(x))
	}
	return x
}

// intOp computes out[i] = a[i] op b[i] for all i and returns a word whose sign bit is set if any result overflowed 64
// bits.
type intOp func(a, b, out []int64) int64

func addLoop(a, b, out []int64) (overflow int64) {
	b, out = b[:len(a)], out[:len(a)]
	for i, x := range a {
		y := b[i]
		s := x + y
		overflow |= (x ^ s) & (y ^ s)
		out[i] = s
	}
	return overflow
}

func subLoop(a, b, out []int64) (overflow int64) {
	b, out = b[:len(a)], out[:len(a)]
	for i, x := range a {
		y := b[i]
		d := x - y
		overflow |= (x ^ y) & (x ^ d)
		out[i] = d
	}
	return overflow
}

func mulLoop(a, b, out []int64) (overflow int64) {
	b, out = b[:len(a)], out[:len(a)]
	for i, x := range a {
		y := b[i]
		hi, lo := bits.Mul64(uint64(x), uint64(y))
		// The signed high word is hi less y for negative x and less x for negative y; it must extend the low word's sign.
		h := int64(hi) - x>>63&y - y>>63&x
		if h != int64(lo)>>63 {
			overflow = -1
		}
		out[i] = int64(lo)
	}
	return overflow
}

// addConst, and the like, keep a constant in a register.
func addConst(a []int64, c int64, out []int64) (overflow int64) {
	out = out[:len(a)]
	for i, x := range a {
		s := x + c
		overflow |= (x ^ s) & (c ^ s)
		out[i] = s
	}
	return overflow
}

// intLoop applies op to the whole vectors and looks for overflows only if there was one anywhere: the rows outside sel
// are computed too, but cannot fail.
func intLoop(k types.Kind, op intOp) evalFunc {
	lo, hi := datum.IntRange(k)
	one := opOne(op)
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		t := out.Type
		out.SetFlat(t, n)
		a, ca, constA := ints(args[0], n)
		b, cb, constB := ints(args[1], n)
		var overflow int64
		switch {
		case constB && !constA && one != nil:
			overflow = one(a, cb, out.I64)
		default:
			if constA {
				a = spread(ca, n)
			}
			if constB {
				b = spread(cb, n)
			}
			overflow = op(a, b, out.I64)
		}
		if k != types.Int64 {
			overflow |= outside(out.I64, lo, hi)
		}
		if overflow < 0 {
			return checkOverflow(k, op, args, sel, out)
		}
		return nil
	}
}

// opOne picks the variant with a constant right side, if there is one.
func opOne(op intOp) func([]int64, int64, []int64) int64 {
	var probe [1]int64
	if op([]int64{2}, []int64{3}, probe[:]); probe[0] == 5 {
		return addConst
	}
	if probe[0] == -1 {
		return func(a []int64, c int64, out []int64) int64 {
			if c == math.MinInt64 {
				return subLoop(a, spread(c, len(a)), out)
			}
			return addConst(a, -c, out)
		}
	}
	return nil
}

// outside returns a negative number if any value is not within [lo, hi].
func outside(xs []int64, lo, hi int64) (acc int64) {
	for _, x := range xs {
		acc |= (x - lo) | (hi - x)
	}
	return acc
}

// checkOverflow finds out whether a row of sel overflowed.
func checkOverflow(k types.Kind, op intOp, args []*vec.Vector, sel vec.Bitmap, out *vec.Vector) error {
	lo, hi := datum.IntRange(k)
	var bad bool
	sel.All(func(i int) {
		var one [1]int64
		over := op([]int64{args[0].Int(i)}, []int64{args[1].Int(i)}, one[:])
		if over < 0 || one[0] < lo || one[0] > hi {
			bad = true
		}
	})
	if bad {
		return datum.ErrRange(k)
	}
	return nil
}

// intDivide is / or %, cut towards zero.
func intDivide(k types.Kind, mod bool) evalFunc {
	least, _ := datum.IntRange(k)
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(out.Type, n)
		a, ca, constA := ints(args[0], n)
		b, cb, constB := ints(args[1], n)
		if constA {
			a = spread(ca, n)
		}
		if constB && cb != 0 && cb != -1 {
			divideConst(a, cb, mod, out.I64)
			return nil
		}
		if constB {
			b = spread(cb, n)
		}
		for i, x := range a {
			switch y := b[i]; {
			case y == 0:
				if sel.Get(i) {
					return datum.ErrDivZero()
				}
			case y == -1: // the only quotient that can overflow, and one the hardware traps on
				if mod {
					continue
				}
				if x == least && sel.Get(i) {
					return datum.ErrRange(k)
				}
				out.I64[i] = -x
			case mod:
				out.I64[i] = x % y
			default:
				out.I64[i] = x / y
			}
		}
		return nil
	}
}

func divideConst(a []int64, c int64, mod bool, out []int64) {
	out = out[:len(a)]
	if mod {
		for i, x := range a {
			out[i] = x % c
		}
		return
	}
	for i, x := range a {
		out[i] = x / c
	}
}

// intUnary applies f; the least value of the type is where it may overflow.
func intUnary(k types.Kind, f func(int64) int64) evalFunc {
	lo, hi := datum.IntRange(k)
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(out.Type, n)
		a, c, isConst := ints(args[0], n)
		if isConst {
			a = spread(c, n)
		}
		for i, x := range a {
			y := f(x)
			if y < lo || y > hi || x == math.MinInt64 && y == x && f(-1) == 1 {
				if sel.Get(i) {
					return datum.ErrRange(k)
				}
				y = 0
			}
			out.I64[i] = y
		}
		return nil
	}
}

// bitwise applies an operation that cannot fail.
func bitwise(f func(x, y int64) int64) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(out.Type, n)
		a, b := args[0], args[1]
		for i := range n {
			out.I64[i] = f(a.Int(i), b.Int(i))
		}
		return nil
	}
}

// intPair applies an operation that may overflow.
func intPair(k types.Kind, f func(x, y int64) (int64, bool)) evalFunc {
	lo, hi := datum.IntRange(k)
	return byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		z, ok := f(args[0].Int(i), args[1].Int(i))
		if !ok || z < lo || z > hi {
			return datum.ErrRange(k)
		}
		out.AppendInt(z)
		return nil
	})
}

func gcd(x, y int64) (int64, bool) {
	for y != 0 {
		if y == -1 {
			return 1, true
		}
		x, y = y, x%y
	}
	if x < 0 {
		x = -x
	}
	return x, x >= 0
}

func lcm(x, y int64) (int64, bool) {
	if x == 0 || y == 0 {
		return 0, true
	}
	g, ok := gcd(x, y)
	if !ok {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(absInt(x/g)), uint64(absInt(y)))
	return int64(lo), hi == 0 && int64(lo) >= 0
}

func errParam(format string, args ...any) error {
	return sqlstate.New(sqlstate.InvalidParameter, format, args...)
}
