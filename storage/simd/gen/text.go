package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

func texts() {
	const any3 = "(src *uint8, n int, a, b, c uint8, out *uint64)"
	kernel("matchAny3Z", any3, "sets a bit for each byte that is a, b or c.")
	src, n := load("src"), load("n")
	var want []reg.VecVirtual
	for _, p := range []string{"a", "b", "c"} {
		want = append(want, broadcastZ(1, loadParam(p, 1)))
	}
	out := load("out")
	blocks(n, 2, func(i int) {
		x, k, l, m := ZMM(), K(), K(), K()
		VMOVDQU64(at(src, 64*i), x)
		VPCMPEQB(want[0], x, k)
		VPCMPEQB(want[1], x, l)
		VPCMPEQB(want[2], x, m)
		KORQ(k, l, l)
		KORQ(l, m, m)
		KMOVQ(m, at(out, 8*i))
	}, func(k int) {
		advance(src, 64*k)
		advance(out, 8*k)
	})
	end()

	kernel("matchAny3Y", any3, "sets a bit for each byte that is a, b or c.")
	src, n = load("src"), load("n")
	want = want[:0]
	for _, p := range []string{"a", "b", "c"} {
		want = append(want, broadcastY(1, loadParam(p, 1)))
	}
	out = load("out")
	blocks(n, 1, func(int) {
		for v := range 2 {
			x, y, z, r := YMM(), YMM(), YMM(), GP64()
			VMOVDQU(at(src, 32*v), x)
			VPCMPEQB(want[0], x, y)
			VPCMPEQB(want[1], x, z)
			VPCMPEQB(want[2], x, x)
			VPOR(y, z, z)
			VPOR(z, x, x)
			VPMOVMSKB(x, r.As32())
			MOVL(r.As32(), at(out, 4*v))
		}
	}, func(k int) {
		advance(src, 64*k)
		advance(out, 8*k)
	})
	end()

	const pairs = "(a *uint8, n int, x uint8, b *uint8, y uint8, out *uint64)"
	kernel("matchPairsZ", pairs, "sets a bit for each row with x in a and y in b.")
	a, n2, b := load("a"), load("n"), load("b")
	x, y := broadcastZ(1, loadParam("x", 1)), broadcastZ(1, loadParam("y", 1))
	out = load("out")
	blocks(n2, 4, func(i int) {
		k, l := K(), K()
		VPCMPEQB(at(a, 64*i), x, k)
		VPCMPEQB(at(b, 64*i), y, k, l)
		KMOVQ(l, at(out, 8*i))
	}, func(k int) {
		advance(a, 64*k)
		advance(b, 64*k)
		advance(out, 8*k)
	})
	end()

	kernel("matchPairsY", pairs, "sets a bit for each row with x in a and y in b.")
	a, n2, b = load("a"), load("n"), load("b")
	x, y = broadcastY(1, loadParam("x", 1)), broadcastY(1, loadParam("y", 1))
	out = load("out")
	blocks(n2, 1, func(int) {
		for v := range 2 {
			s, t, r := YMM(), YMM(), GP64()
			VPCMPEQB(at(a, 32*v), x, s)
			VPCMPEQB(at(b, 32*v), y, t)
			VPAND(s, t, t)
			VPMOVMSKB(t, r.As32())
			MOVL(r.As32(), at(out, 4*v))
		}
	}, func(k int) {
		advance(a, 64*k)
		advance(b, 64*k)
		advance(out, 8*k)
	})
	end()
}
