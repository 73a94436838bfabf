package builtin

import (
	"bytes"

	"github.com/telemdb/telemdb/storage/vec"
)

// cmpOp is a comparison operator.
type cmpOp uint8

const (
	opEQ cmpOp = iota
	opNE
	opLT
	opLE
	opGT
	opGE
)

var cmpNames = [...]string{"=", "<>", "<", "<=", ">", ">="}

// flip is the operator with its operands exchanged.
func (o cmpOp) flip() cmpOp {
	switch o {
	case opLT:
		return opGT
	case opLE:
		return opGE
	case opGT:
		return opLT
	case opGE:
		return opLE
	}
	return o
}

// holds turns a three-way result into the operator's answer.
func (o cmpOp) holds(c int) bool {
	switch o {
	case opEQ:
		return c == 0
	case opNE:
		return c != 0
	case opLT:
		return c < 0
	case opLE:
		return c <= 0
	case opGT:
		return c > 0
	}
	return c >= 0
}

// b2u is a branch-free bool to bit.
func b2u(b bool) uint64 {
	var x uint64
	if b {
		x = 1
	}
	return x
}

// The loops write whole words: 64 comparisons per word, tails included, so that bits above n stay zero.

func cmpIntConst(op cmpOp, a []int64, c int64, out vec.Bitmap) {
	switch op {
	case opEQ:
		for w := range out {
			var m uint64
			for j, x := range a[w<<6 : min(w<<6+64, len(a))] {
				m |= b2u(x == c) << (uint(j) & 63)
			}
			out[w] = m
		}
	case opNE:
		for w := range out {
			var m uint64
			for j, x := range a[w<<6 : min(w<<6+64, len(a))] {
				m |= b2u(x != c) << (uint(j) & 63)
			}
			out[w] = m
		}
	case opLT:
		for w := range out {
			var m uint64
			for j, x := range a[w<<6 : min(w<<6+64, len(a))] {
				m |= b2u(x < c) << (uint(j) & 63)
			}
			out[w] = m
		}
	case opLE:
		for w := range out {
			var m uint64
			for j, x := range a[w<<6 : min(w<<6+64, len(a))] {
				m |= b2u(x <= c) << (uint(j) & 63)
			}
			out[w] = m
		}
	case opGT:
		for w := range out {
			var m uint64
			for j, x := range a[w<<6 : min(w<<6+64, len(a))] {
				m |= b2u(x > c) << (uint(j) & 63)
			}
			out[w] = m
		}
	case opGE:
		for w := range out {
			var m uint64
			for j, x := range a[w<<6 : min(w<<6+64, len(a))] {
				m |= b2u(x >= c) << (uint(j) & 63)
			}
			out[w] = m
		}
	}
}

func cmpInts(op cmpOp, a, b []int64, out vec.Bitmap) {
	switch op {
	case opGT, opGE:
		a, b, op = b, a, op.flip()
	}
	for w := range out {
		var m uint64
		lo, hi := w<<6, min(w<<6+64, len(a))
		x, y := a[lo:hi], b[lo:hi]
		y = y[:len(x)]
		switch op {
		case opEQ:
			for j := range x {
				m |= b2u(x[j] == y[j]) << (uint(j) & 63)
			}
		case opNE:
			for j := range x {
				m |= b2u(x[j] != y[j]) << (uint(j) & 63)
			}
		case opLT:
			for j := range x {
				m |= b2u(x[j] < y[j]) << (uint(j) & 63)
			}
		case opLE:
			for j := range x {
				m |= b2u(x[j] <= y[j]) << (uint(j) & 63)
			}
		}
		out[w] = m
	}
}

// Floats: NaN equals NaN and is above all numbers. With NaN as an operand of <, only "number < NaN" holds.

func cmpFloatConst(op cmpOp, a []float64, c float64, out vec.Bitmap) {
	if c != c {
		cmpFloatNaN(op, a, out)
		return
	}
	// c is a number here, so a NaN in a is above it.
	for w := range out {
		var m uint64
		x := a[w<<6 : min(w<<6+64, len(a))]
		switch op {
		case opEQ:
			for j := range x {
				m |= b2u(x[j] == c) << (uint(j) & 63)
			}
		case opNE:
			for j := range x {
				m |= b2u(x[j] != c) << (uint(j) & 63)
			}
		case opLT:
			for j := range x {
				m |= b2u(x[j] < c) << (uint(j) & 63)
			}
		case opLE:
			for j := range x {
				m |= b2u(x[j] <= c) << (uint(j) & 63)
			}
		case opGT:
			for j := range x {
				m |= (b2u(x[j] <= c) ^ 1) << (uint(j) & 63)
			}
		case opGE:
			for j := range x {
				m |= (b2u(x[j] < c) ^ 1) << (uint(j) & 63)
			}
		}
		out[w] = m
	}
}

// cmpFloatNaN compares with the constant NaN.
func cmpFloatNaN(op cmpOp, a []float64, out vec.Bitmap) {
	clear(out)
	for i, x := range a {
		nan := x != x
		var v bool
		switch op {
		case opEQ, opGE:
			v = nan
		case opNE, opLT:
			v = !nan
		case opLE:
			v = true
		}
		out.SetTo(i, v)
	}
}

func cmpFloats(op cmpOp, a, b []float64, out vec.Bitmap) {
	switch op {
	case opGT, opGE:
		a, b, op = b, a, op.flip()
	}
	for w := range out {
		var m uint64
		lo, hi := w<<6, min(w<<6+64, len(a))
		x, y := a[lo:hi], b[lo:hi]
		y = y[:len(x)]
		switch op {
		case opEQ, opNE:
			for j := range x {
				p, q := x[j], y[j]
				m |= (b2u(p == q) | b2u(p != p)&b2u(q != q)) << (uint(j) & 63)
			}
			if op == opNE {
				m = ^m & (^uint64(0) >> (64 - uint(hi-lo)))
			}
		case opLT: // p < q, or q is NaN and p is not
			for j := range x {
				p, q := x[j], y[j]
				m |= (b2u(p < q) | b2u(q != q)&b2u(p == p)) << (uint(j) & 63)
			}
		case opLE: // p <= q, or q is NaN
			for j := range x {
				p, q := x[j], y[j]
				m |= (b2u(p <= q) | b2u(q != q)) << (uint(j) & 63)
			}
		}
		out[w] = m
	}
}

// cmpTextConst compares a flat bytes vector with a constant, by bytes.
func cmpTextConst(op cmpOp, v *vec.Vector, n int, c []byte, out vec.Bitmap) {
	off, data := v.Off[:n+1], v.Data
	if op == opEQ || op == opNE {
		want := uint32(len(c))
		for i := range n {
			lo, hi := off[i], off[i+1]
			eq := hi-lo == want && string(data[lo:hi]) == string(c)
			if eq == (op == opEQ) {
				out.Set(i)
			}
		}
		return
	}
	for i := range n {
		if op.holds(bytes.Compare(data[off[i]:off[i+1]], c)) {
			out.Set(i)
		}
	}
}

// cmpTexts compares two flat bytes vectors, by bytes.
func cmpTexts(op cmpOp, a, b *vec.Vector, n int, out vec.Bitmap) {
	if op == opEQ || op == opNE {
		for i := range n {
			x, y := a.Data[a.Off[i]:a.Off[i+1]], b.Data[b.Off[i]:b.Off[i+1]]
			if (string(x) == string(y)) == (op == opEQ) {
				out.Set(i)
			}
		}
		return
	}
	for i := range n {
		if op.holds(bytes.Compare(a.Data[a.Off[i]:a.Off[i+1]], b.Data[b.Off[i]:b.Off[i+1]])) {
			out.Set(i)
		}
	}
}

func cmpBools(op cmpOp, a, b, out vec.Bitmap, n int) {
	for w := range out {
		x, y := a[w], b[w]
		switch op {
		case opEQ:
			out[w] = ^(x ^ y)
		case opNE:
			out[w] = x ^ y
		case opLT:
			out[w] = ^x & y
		case opLE:
			out[w] = ^x | y
		case opGT:
			out[w] = x &^ y
		case opGE:
			out[w] = x | ^y
		}
	}
	if r := uint(n) & 63; r != 0 {
		out[len(out)-1] &= 1<<r - 1
	}
}
