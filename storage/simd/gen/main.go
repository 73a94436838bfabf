// Command gen writes the assembly of package simd. Run it with go generate in the package's folder.
//
// Kernels whose name ends in Z need AVX-512 (F, BW, DQ, VL, VBMI, VBMI2, VPOPCNTDQ), those in Y AVX2. They take
// pointers and counts that the Go side has checked; a count is a multiple of 64 and may be zero, unless a kernel says
// otherwise. None reads or writes outside of what these counts say, and every one leaves the upper halves of the vector registers clean.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	compares()
	lookups()
	sums()
	bitmaps()
	moves()
	texts()
	packs()
	repeats()
	divides()
	Generate()
}

// kernel begins a function.
func kernel(name, signature, doc string) {
	TEXT(name, NOSPLIT, "func"+signature)
	Pragma("noescape")
	Doc(name + " " + doc)
}

func end() {
	VZEROUPPER()
	RET()
}

func load(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

func at(base reg.Register, disp int) Mem { return Mem{Base: base, Disp: disp} }

// blocks emits a loop over blocks of 64 values: unroll of them a step while there are as many, then one by one. body emits
// the i-th block of a step, advance moves the pointers on by k blocks.
func blocks(n reg.GPVirtual, unroll int, body func(i int), advance func(k int)) {
	id := serial()
	wide, narrow, done := fmt.Sprintf("wide%d", id), fmt.Sprintf("narrow%d", id), fmt.Sprintf("done%d", id)
	if unroll > 1 {
		Label(wide)
		CMPQ(n, U32(uint32(64*unroll)))
		JL(LabelRef(narrow))
		for i := range unroll {
			body(i)
		}
		advance(unroll)
		SUBQ(U32(uint32(64*unroll)), n)
		JMP(LabelRef(wide))
	}
	Label(narrow)
	TESTQ(n, n)
	JZ(LabelRef(done))
	body(0)
	advance(1)
	SUBQ(Imm(64), n)
	JMP(LabelRef(narrow))
	Label(done)
}

var counter int

func serial() int {
	counter++
	return counter
}

func advance(r reg.GPVirtual, bytes int) { ADDQ(U32(uint32(bytes)), r) }

// emit emits an instruction that this version of avo has no function for; Go's assembler knows it.
func emit(op string, in, out []reg.Register, operands ...Op) {
	Instruction(&ir.Instruction{
		Opcode: op, Operands: operands,
		Inputs: ops(in), Outputs: ops(out),
	})
}

func ops(rs []reg.Register) (o []Op) {
	for _, r := range rs {
		o = append(o, r)
	}
	return o
}

// broadcastZ fills a vector with the low size bytes of r.
func broadcastZ(size int, r reg.GPVirtual) reg.VecVirtual {
	z := ZMM()
	switch size {
	case 1:
		VPBROADCASTB(r.As32(), z)
	case 2:
		VPBROADCASTW(r.As32(), z)
	case 4:
		VPBROADCASTD(r.As32(), z)
	default:
		VPBROADCASTQ(r, z)
	}
	return z
}

func broadcastY(size int, r reg.GPVirtual) reg.VecVirtual {
	x, y := XMM(), YMM()
	VMOVQ(r, x)
	switch size {
	case 1:
		VPBROADCASTB(x, y)
	case 2:
		VPBROADCASTW(x, y)
	case 4:
		VPBROADCASTD(x, y)
	default:
		VPBROADCASTQ(x, y)
	}
	return y
}

// zeroZ, zeroY return a vector of zeros.
func zeroZ() reg.VecVirtual {
	z := ZMM()
	VPXORQ(z, z, z)
	return z
}

func zeroY() reg.VecVirtual {
	y := YMM()
	VPXOR(y, y, y)
	return y
}

func zeroR() reg.GPVirtual {
	r := GP64()
	XORQ(r, r)
	return r
}

// foldZ folds a vector of 8 numbers into one by op, which works on vectors of any size, and returns it.
func foldZ(z reg.VecVirtual, op func(...Op)) reg.GPVirtual {
	y, x, r := YMM(), XMM(), GP64()
	VEXTRACTI64X4(Imm(1), z, y)
	op(z.AsY(), y, y)
	VEXTRACTI64X2(Imm(1), y, x)
	op(y.AsX(), x, x)
	t := XMM()
	VPSHUFD(Imm(0xee), x, t)
	op(x, t, t)
	VMOVQ(t, r)
	return r
}

func foldY(y reg.VecVirtual, op func(...Op)) reg.GPVirtual {
	x, r := XMM(), GP64()
	VEXTRACTI128(Imm(1), y, x)
	op(y.AsX(), x, x)
	t := XMM()
	VPSHUFD(Imm(0xee), x, t)
	op(x, t, t)
	VMOVQ(t, r)
	return r
}
