package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// repeats emits the writing of runs: a vector of the code is stored where the run begins, and again until it ends; the next
// run overwrites what is too much. A kernel stops before the first run that might be written beyond the end.
func repeats() {
	for _, t := range []struct {
		name, typ string
		size      int
	}{{"U8", "uint8", 1}, {"U16", "uint16", 2}, {"U32", "uint32", 4}} {
		repeatRuns(t.name+"Z", t.typ, t.size, 64)
		repeatRuns(t.name+"Y", t.typ, t.size, 32)
	}
}

func repeatRuns(name, typ string, size, wide int) {
	kernel("repeat"+name, "(dst *"+typ+", codes, ends *uint32, n int, last uint32) int",
		"writes runs up to the first that ends behind last, of n, and returns how many. A run that ends at last leaves room for a vector at its last value.")
	id := serial()
	next, store, done := fmt.Sprintf("next%d", id), fmt.Sprintf("store%d", id), fmt.Sprintf("done%d", id)
	dst, codes, ends, n, last := load("dst"), load("codes"), load("ends"), load("n"), loadParam("last", 4)
	i, from, stop := GP64(), GP64(), GP64()
	XORQ(i, i)
	XORQ(from, from)
	var v reg.VecVirtual
	if wide == 64 {
		v = ZMM()
	} else {
		v = YMM()
	}
	Label(next)
	CMPQ(i, n)
	JGE(LabelRef(done))
	MOVL(Mem{Base: ends, Index: i, Scale: 4}, stop.As32())
	CMPL(stop.As32(), last.As32())
	JHI(LabelRef(done))
	code := Mem{Base: codes, Index: i, Scale: 4}
	switch size {
	case 1:
		VPBROADCASTB(code, v)
	case 2:
		VPBROADCASTW(code, v)
	default:
		VPBROADCASTD(code, v)
	}
	Label(store)
	to := Mem{Base: dst, Index: from, Scale: uint8(size)}
	if wide == 64 {
		VMOVDQU64(v, to)
	} else {
		VMOVDQU(v, to)
	}
	ADDQ(Imm(uint64(wide/size)), from)
	CMPQ(from, stop)
	JLT(LabelRef(store))
	MOVQ(stop, from)
	INCQ(i)
	JMP(LabelRef(next))
	Label(done)
	Store(i, ReturnIndex(0))
	end()
}
