package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// divides emits the conversion of integers to floats and their division, all of which round as the twins do.
func divides() {
	divideByZ()
	ratioZ("ratioI64Z", "(dst *float64, num, den *int64, n int)", "divides integers by integers.", func() {}, func(den Mem, z reg.VecVirtual) {
		d := ZMM()
		VCVTQQ2PD(den, d)
		VDIVPD(d, z, z)
	})
	one := reg.VecVirtual(nil)
	ratioZ("ratioSmallZ", "(dst *float64, num, den *int64, n int)", "divides integers by those of 1 to 40 bits.", func() {
		ones := GP64()
		MOVQ(I32(1), ones)
		one = broadcastZ(8, ones)
		VCVTQQ2PD(one, one)
	}, func(den Mem, z reg.VecVirtual) {
		d, inv, rest := ZMM(), ZMM(), ZMM()
		VCVTQQ2PD(den, d)
		VRCP14PD(d, inv)
		for range 2 { // 14 right bits become 28, and all but one or two
			VMOVAPD(one, rest)
			VFNMADD231PD(inv, d, rest)
			VFMADD231PD(rest, inv, inv)
		}
		corrected(z, d, inv)
	})
}

// corrected makes x the quotient of x and d of which inv is the inverse, nearly: the product is a unit or two off, and what
// is left times the inverse puts that right. See divide.go for why it is the quotient rounded once.
func corrected(x, d, inv reg.VecVirtual) {
	q := ZMM()
	VMULPD(inv, x, q)
	VFNMADD231PD(d, q, x)  // x -= d*q
	VFMADD213PD(q, inv, x) // x = inv*x + q
}

func divideByZ() {
	kernel("divideByZ", "(dst *float64, num *int64, n int, div, inverse float64)", "divides integers by an integer.")
	dst, num, n := load("dst"), load("num"), load("n")
	var by [2]reg.VecVirtual
	for i, name := range []string{"div", "inverse"} {
		x := XMM()
		Load(Param(name), x)
		by[i] = ZMM()
		VBROADCASTSD(x, by[i])
	}
	blocks(n, 1, func(int) {
		for v := range 8 {
			z := ZMM()
			VCVTQQ2PD(at(num, 64*v), z)
			corrected(z, by[0], by[1])
			VMOVDQU64(z, at(dst, 64*v))
		}
	}, func(k int) {
		advance(dst, 512*k)
		advance(num, 512*k)
	})
	end()
}

func ratioZ(name, signature, doc string, begin func(), by func(den Mem, z reg.VecVirtual)) {
	kernel(name, signature, doc)
	dst, num, den, n := load("dst"), load("num"), load("den"), load("n")
	begin()
	blocks(n, 1, func(int) {
		for v := range 8 {
			z := ZMM()
			VCVTQQ2PD(at(num, 64*v), z)
			by(at(den, 64*v), z)
			VMOVDQU64(z, at(dst, 64*v))
		}
	}, func(k int) {
		advance(dst, 512*k)
		advance(num, 512*k)
		advance(den, 512*k)
	})
	end()
}
