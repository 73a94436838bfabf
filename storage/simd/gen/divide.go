package main

import . "github.com/mmcloughlin/avo/build"

// divides emits the conversion of integers to floats and their division, both of which round as the twins do.
func divides() {
	kernel("divideI64Z", "(dst *float64, num *int64, n int, div float64)", "divides integers by a float.")
	dst, num, n := load("dst"), load("num"), load("n")
	x, div := XMM(), ZMM()
	Load(Param("div"), x)
	VBROADCASTSD(x, div)
	blocks(n, 1, func(int) {
		for v := range 8 {
			z := ZMM()
			VCVTQQ2PD(at(num, 64*v), z)
			VDIVPD(div, z, z)
			VMOVDQU64(z, at(dst, 64*v))
		}
	}, func(k int) {
		advance(dst, 512*k)
		advance(num, 512*k)
	})
	end()

	kernel("ratioI64Z", "(dst *float64, num, den *int64, n int)", "divides integers by integers.")
	dst, num, n = load("dst"), load("num"), load("n")
	den := load("den")
	blocks(n, 1, func(int) {
		for v := range 8 {
			a, b := ZMM(), ZMM()
			VCVTQQ2PD(at(num, 64*v), a)
			VCVTQQ2PD(at(den, 64*v), b)
			VDIVPD(b, a, a)
			VMOVDQU64(a, at(dst, 64*v))
		}
	}, func(k int) {
		advance(dst, 512*k)
		advance(num, 512*k)
		advance(den, 512*k)
	})
	end()
}
