package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A block of these loops is 64 words.
func bitmaps() {
	combineZ("andZ", "clears the bits of dst that src has not.", VPANDQ)
	combineZ("andNotZ", "clears the bits of dst that src has.", VPANDNQ)
	combineZ("orZ", "sets the bits of dst that src has.", VPORQ)
	popcountZ()
	filledZ()
	selectZ()
	deposit()
}

func combineZ(name, doc string, op func(...Op)) {
	kernel(name, "(dst, src *uint64, n int)", doc)
	dst, src, n := load("dst"), load("src"), load("n")
	blocks(n, 1, func(int) {
		for v := range 8 {
			z := ZMM()
			VMOVDQU64(at(src, 64*v), z)
			op(at(dst, 64*v), z, z)
			VMOVDQU64(z, at(dst, 64*v))
		}
	}, func(k int) {
		advance(dst, 512*k)
		advance(src, 512*k)
	})
	end()
}

func popcountZ() {
	for _, two := range []bool{false, true} {
		var a, b reg.GPVirtual
		if two {
			kernel("countAndZ", "(a, b *uint64, n int) int", "counts the bits set in both.")
			a, b = load("a"), load("b")
		} else {
			kernel("popcountZ", "(a *uint64, n int) int", "counts the bits set.")
			a = load("a")
		}
		n := load("n")
		counts := vectors(4, zeroZ)
		blocks(n, 1, func(int) {
			for v := range 8 {
				z := ZMM()
				if two {
					VMOVDQU64(at(a, 64*v), z)
					VPANDQ(at(b, 64*v), z, z)
					VPOPCNTQ(z, z)
				} else {
					VPOPCNTQ(at(a, 64*v), z)
				}
				VPADDQ(z, counts[v&3], counts[v&3])
			}
		}, func(k int) {
			advance(a, 512*k)
			if two {
				advance(b, 512*k)
			}
		})
		Store(totalZ(counts), ReturnIndex(0))
		end()
	}
}

// filledZ takes 16 words at a time.
func filledZ() {
	kernel("filledBlocksZ", "(a *uint64, n int) int", "counts the runs of 16 words that have a bit set.")
	a, n := load("a"), load("n")
	total := zeroR()
	blocks(n, 1, func(int) {
		for v := range 4 {
			z, k, r := ZMM(), K(), GP64()
			VMOVDQU64(at(a, 128*v), z)
			VPORQ(at(a, 128*v+64), z, z)
			VPTESTMQ(z, z, k)
			XORQ(r, r)
			KORTESTB(k, k)
			SETNE(r.As8())
			ADDQ(r, total)
		}
	}, func(k int) { advance(a, 512*k) })
	Store(total, ReturnIndex(0))
	end()
}

// selectZ compresses the row numbers of each half word. A store writes 32 numbers whatever their count: the room for 64 per
// word holds them.
func selectZ() {
	var numbers [64]byte
	for i := range 32 {
		numbers[2*i] = byte(i)
	}
	first := constants("firstRows", numbers[:])
	kernel("selectU16Z", "(bitmap *uint64, n int, out *uint16) int",
		"writes the indexes of the bits set in n words, any number, and counts them.")
	bitmap, n, start := load("bitmap"), load("n"), load("out")
	out := GP64()
	MOVQ(start, out)
	rows := ZMM()
	VMOVDQU64(first, rows)
	r := GP64()
	MOVQ(U32(32), r)
	step := broadcastZ(2, r)
	Label("word")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	for half := range 2 {
		k, c, z := K(), GP64(), ZMM()
		KMOVD(at(bitmap, 4*half), k)
		MOVL(at(bitmap, 4*half), c.As32())
		POPCNTL(c.As32(), c.As32())
		emit("VPCOMPRESSW.Z", []reg.Register{rows, k}, []reg.Register{z}, rows, k, z)
		VMOVDQU64(z, at(out, 0))
		LEAQ(Mem{Base: out, Index: c, Scale: 2}, out)
		VPADDW(step, rows, rows)
	}
	advance(bitmap, 8)
	DECQ(n)
	JMP(LabelRef("word"))
	Label("done")
	SUBQ(start, out)
	SHRQ(Imm(1), out)
	Store(out, ReturnIndex(0))
	end()
}

// deposit takes the next bits of packed, shifted down from the two words they lie in, and lets PDEP spread them. Where there
// is no second word the first one is taken for it: what comes of it is not used.
func deposit() {
	kernel("depositX", "(dst, mask *uint64, n int, packed *uint64, first, last int)",
		"spreads the bits from first on over the set bits of n words of mask; last is the index of packed's last word.")
	dst, mask, n, packed, last := load("dst"), load("mask"), load("n"), load("packed"), load("last")
	bit := load("first")
	Label("word")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	m, i, j, low, high, c := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	MOVQ(at(mask, 0), m)
	MOVQ(bit, i)
	SHRQ(Imm(6), i)
	LEAQ(Mem{Base: i, Disp: 1}, j)
	CMPQ(i, last)
	CMOVQGT(last, i)
	CMPQ(j, last)
	CMOVQGT(last, j)
	MOVQ(Mem{Base: packed, Index: i, Scale: 8}, low)
	MOVQ(Mem{Base: packed, Index: j, Scale: 8}, high)
	MOVQ(bit, reg.RCX)
	SHRQ(reg.CL, high, low)
	PDEPQ(m, low, low)
	MOVQ(low, at(dst, 0))
	POPCNTQ(m, c)
	ADDQ(c, bit)
	advance(mask, 8)
	advance(dst, 8)
	DECQ(n)
	JMP(LabelRef("word"))
	Label("done")
	RET()
}
