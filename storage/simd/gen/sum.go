package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Sums are kept as two: that of x>>32, with sign, and that of x, modulo 2^64. The sum of the low halves is the second less
// the first shifted back, which saves an instruction per vector.
func sums() {
	sumZ()
	sumY()
	sumBitsZ()
	sumRangeZ()
	sumRangeY()
	minMaxZ()
	minMaxBitsZ()
}

func storeSums(high, all reg.GPVirtual) {
	Store(high, ReturnIndex(0))
	Store(all, ReturnIndex(1))
}

func vectors(n int, zero func() reg.VecVirtual) (v []reg.VecVirtual) {
	for range n {
		v = append(v, zero())
	}
	return v
}

// total adds vectors together and folds the sum.
func totalZ(v []reg.VecVirtual) reg.GPVirtual {
	for _, o := range v[1:] {
		VPADDQ(o, v[0], v[0])
	}
	return foldZ(v[0], VPADDQ)
}

func totalY(v []reg.VecVirtual) reg.GPVirtual {
	for _, o := range v[1:] {
		VPADDQ(o, v[0], v[0])
	}
	return foldY(v[0], VPADDQ)
}

func sumZ() {
	kernel("sumI64Z", "(xs *int64, n int) (high int64, all uint64)", "sums x>>32, and x modulo 2^64.")
	xs, n := load("xs"), load("n")
	high, all := vectors(4, zeroZ), vectors(4, zeroZ)
	blocks(n, 1, func(int) {
		for v := range 8 {
			h := ZMM()
			VPADDQ(at(xs, 64*v), all[v&3], all[v&3])
			VPSRAQ(Imm(32), at(xs, 64*v), h)
			VPADDQ(h, high[v&3], high[v&3])
		}
	}, func(k int) { advance(xs, 512*k) })
	storeSums(totalZ(high), totalZ(all))
	end()
}

// sumY shifts without sign, there being no other, what has its sign bit flipped: each high half is 2^31 too large.
func sumY() {
	kernel("sumI64Y", "(xs *int64, n int) (high int64, all uint64)", "sums x>>32 plus 2^31, and x modulo 2^64.")
	xs, n := load("xs"), load("n")
	sign := signY()
	high, all := vectors(4, zeroY), vectors(4, zeroY)
	blocks(n, 1, func(int) {
		for v := range 16 {
			h := YMM()
			VPADDQ(at(xs, 32*v), all[v&3], all[v&3])
			VPXOR(at(xs, 32*v), sign, h)
			VPSRLQ(Imm(32), h, h)
			VPADDQ(h, high[v&3], high[v&3])
		}
	}, func(k int) { advance(xs, 512*k) })
	storeSums(totalY(high), totalY(all))
	end()
}

func signY() reg.VecVirtual {
	r := zeroR()
	BTSQ(Imm(63), r)
	return broadcastY(8, r)
}

func sumBitsZ() {
	kernel("sumI64BitsZ", "(xs *int64, n int, sel *uint64) (high int64, all uint64)",
		"sums x>>32, and x modulo 2^64, of the values whose bit is set.")
	xs, n, sel := load("xs"), load("n"), load("sel")
	high, all := vectors(4, zeroZ), vectors(4, zeroZ)
	Label("word")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	CMPQ(at(sel, 0), Imm(0))
	JE(LabelRef("next"))
	for v := range 8 {
		h, k := ZMM(), K()
		KMOVB(at(sel, v), k)
		VPADDQ(at(xs, 64*v), all[v&3], k, all[v&3])
		VPSRAQ_Z(Imm(32), at(xs, 64*v), k, h)
		VPADDQ(h, high[v&3], high[v&3])
	}
	Label("next")
	advance(xs, 512)
	advance(sel, 8)
	SUBQ(Imm(64), n)
	JMP(LabelRef("word"))
	Label("done")
	storeSums(totalZ(high), totalZ(all))
	end()
}

const sumRangeSignature = "(xs *int64, n int, lo int64, span uint64) (all uint64, count int)"

func sumRangeZ() {
	kernel("sumRangeI64Z", sumRangeSignature, "sums, modulo 2^64, and counts the values of [lo, lo+span].")
	xs, n := load("xs"), load("n")
	neg, span := broadcastZ(8, negative("lo", 8)), broadcastZ(8, load("span"))
	one := GP64()
	MOVQ(U32(1), one)
	ones := broadcastZ(8, one)
	all, counts := vectors(4, zeroZ), vectors(4, zeroZ)
	blocks(n, 1, func(int) {
		for v := range 8 {
			x, d, k := ZMM(), ZMM(), K()
			VMOVDQU64(at(xs, 64*v), x)
			VPADDQ(x, neg, d)
			belowZ(8, span, d, nil, k)
			VPADDQ(x, all[v&3], k, all[v&3])
			VPADDQ(ones, counts[v&3], k, counts[v&3])
		}
	}, func(k int) { advance(xs, 512*k) })
	storeSums(totalZ(all), totalZ(counts))
	end()
}

func sumRangeY() {
	kernel("sumRangeI64Y", sumRangeSignature, "sums, modulo 2^64, and counts the values outside [lo, lo+span].")
	xs, n := load("xs"), load("n")
	neg, span := boundsY(8, "lo", "span")
	all, counts := vectors(4, zeroY), vectors(2, zeroY)
	blocks(n, 1, func(int) {
		for v := range 16 {
			x, d := YMM(), YMM()
			VMOVDQU(at(xs, 32*v), x)
			VPADDQ(x, neg, d)
			VPCMPGTQ(span, d, d) // all ones where outside
			VPSUBQ(d, counts[v&1], counts[v&1])
			VPANDN(x, d, d)
			VPADDQ(d, all[v&3], all[v&3])
		}
	}, func(k int) { advance(xs, 512*k) })
	storeSums(totalY(all), totalY(counts))
	end()
}

func minMaxZ() {
	kernel("minMaxI64Z", "(xs *int64, n int, least, most int64) (least2, most2 int64)", "goes on from least and most.")
	xs, n := load("xs"), load("n")
	least, most := bounds()
	blocks(n, 1, func(int) {
		for v := range 8 {
			x := ZMM()
			VMOVDQU64(at(xs, 64*v), x)
			VPMINSQ(x, least[v&3], least[v&3])
			VPMAXSQ(x, most[v&3], most[v&3])
		}
	}, func(k int) { advance(xs, 512*k) })
	storeBounds(least, most)
}

func bounds() (least, most []reg.VecVirtual) {
	l, m := load("least"), load("most")
	return vectors(4, func() reg.VecVirtual { return broadcastZ(8, l) }), vectors(4, func() reg.VecVirtual { return broadcastZ(8, m) })
}

func storeBounds(least, most []reg.VecVirtual) {
	for _, v := range least[1:] {
		VPMINSQ(v, least[0], least[0])
	}
	for _, v := range most[1:] {
		VPMAXSQ(v, most[0], most[0])
	}
	storeSums(foldZ(least[0], VPMINSQ), foldZ(most[0], VPMAXSQ))
	end()
}

func minMaxBitsZ() {
	kernel("minMaxI64BitsZ", "(xs *int64, n int, sel *uint64, least, most int64) (least2, most2 int64)",
		"goes on from least and most with the values whose bit is set.")
	xs, n, sel := load("xs"), load("n"), load("sel")
	least, most := bounds()
	Label("word")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	CMPQ(at(sel, 0), Imm(0))
	JE(LabelRef("next"))
	for v := range 8 {
		k := K()
		KMOVB(at(sel, v), k)
		VPMINSQ(at(xs, 64*v), least[v&3], k, least[v&3])
		VPMAXSQ(at(xs, 64*v), most[v&3], k, most[v&3])
	}
	Label("next")
	advance(xs, 512)
	advance(sel, 8)
	SUBQ(Imm(64), n)
	JMP(LabelRef("word"))
	Label("done")
	storeBounds(least, most)
}
