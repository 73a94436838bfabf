package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func lookups() {
	var bits [64]byte
	for i := range bits {
		bits[i] = 1 << (i & 7)
	}
	bitOfCode := constants("bitOfCode", bits[:])
	for _, m := range []int{store, and, count} {
		lookupU8Z(m, bitOfCode)
		lookupU8Y(m, bitOfCode)
	}
	for _, m := range []int{store, and} {
		lookupU16Z(m)
		gatherZ("U16", "uint16", m)
	}
	gatherZ("U32", "uint32", store)
}

func lookupName(mode int, name string) string {
	return []string{"lookup", "andLookup", "countLookup"}[mode] + name
}

func lookupSignature(typ, table string, mode int) string {
	if mode == count {
		return "(codes *" + typ + ", n int, " + table + ") int"
	}
	return "(codes *" + typ + ", n int, " + table + ", out *uint64)"
}

// lookupU8Z takes the byte of the table by the upper five bits of each code and tests in it the bit of the lower three. The
// table is in the vector twice, because the shift leaves a neighbour's bit in bit 5 of the index.
func lookupU8Z(mode int, bitOfCode Mem) {
	kernel(lookupName(mode, "U8Z"), lookupSignature("uint8", "table *[4]uint64", mode), "looks codes up in 256 bits.")
	codes, n := load("codes"), load("n")
	table, bit := ZMM(), ZMM()
	VBROADCASTI64X4(at(load("table"), 0), table)
	VMOVDQU64(bitOfCode, bit)
	out, total := outOrTotal(mode)
	blocks(n, 4, func(i int) {
		c, high, b, k := ZMM(), ZMM(), ZMM(), K()
		VMOVDQU64(at(codes, 64*i), c)
		VPSRLW(Imm(3), c, high)
		VPERMB(table, high, high)
		VPERMB(bit, c, b)
		switch mode {
		case store:
			VPTESTMB(b, high, k)
			KMOVQ(k, at(out, 8*i))
		case and:
			mask := K()
			KMOVQ(at(out, 8*i), mask)
			VPTESTMB(b, high, mask, k)
			KMOVQ(k, at(out, 8*i))
		case count:
			r := GP64()
			VPTESTMB(b, high, k)
			KMOVQ(k, r)
			POPCNTQ(r, r)
			ADDQ(r, total)
		}
	}, func(k int) {
		advance(codes, 64*k)
		if mode != count {
			advance(out, 8*k)
		}
	})
	if mode == count {
		Store(total, ReturnIndex(0))
	}
	end()
}

func outOrTotal(mode int) (out, total reg.GPVirtual) {
	if mode == count {
		return nil, zeroR()
	}
	return load("out"), nil
}

// lookupU8Y has the table turned: byte i of low has a bit for each code whose lower four bits are i and whose upper four are
// below 8, which are the bit's number; high the same for the codes from 128 on.
func lookupU8Y(mode int, bitOfCode Mem) {
	kernel(lookupName(mode, "U8Y"), lookupSignature("uint8", "table *[32]uint8", mode), "looks codes up in 256 bits, turned.")
	codes, n, t := load("codes"), load("n"), load("table")
	low, high, bit, lowMask, nibble, flip := YMM(), YMM(), YMM(), YMM(), YMM(), YMM()
	VBROADCASTI128(at(t, 0), low)
	VBROADCASTI128(at(t, 16), high)
	VMOVDQU(bitOfCode, bit)
	lowMask = constY(0x8f)
	nibble = constY(0x0f)
	flip = constY(0x80)
	out, total := outOrTotal(mode)
	blocks(n, 1, func(int) {
		for v := range 2 {
			c, i, j, b, r := YMM(), YMM(), YMM(), YMM(), GP64()
			VMOVDQU(at(codes, 32*v), c)
			VPAND(lowMask, c, i)
			VPXOR(flip, i, j)
			VPSHUFB(i, low, i) // 0 where the index has its top bit
			VPSHUFB(j, high, j)
			VPOR(i, j, i)
			VPSRLW(Imm(4), c, b)
			VPAND(nibble, b, b)
			VPSHUFB(b, bit, b)
			VPAND(b, i, i)
			VPCMPEQB(b, i, i)
			VPMOVMSKB(i, r.As32())
			switch mode {
			case store:
				MOVL(r.As32(), at(out, 4*v))
			case and:
				ANDL(r.As32(), at(out, 4*v))
			case count:
				POPCNTL(r.As32(), r.As32())
				ADDQ(r, total)
			}
		}
	}, func(k int) {
		advance(codes, 64*k)
		if mode != count {
			advance(out, 8*k)
		}
	})
	if mode == count {
		Store(total, ReturnIndex(0))
	}
	end()
}

// constY fills a vector with a byte.
func constY(b uint8) reg.VecVirtual {
	r := GP64()
	MOVQ(U32(uint32(b)), r)
	return broadcastY(1, r)
}

// lookupU16Z looks codes below 1,024 up in a table of that many bits, which are two vectors; codes above pass nothing.
func lookupU16Z(mode int) {
	kernel(lookupName(mode, "U16SmallZ"), lookupSignature("uint16", "table *[16]uint64", mode), "looks codes up in 1,024 bits.")
	codes, n, t := load("codes"), load("n"), load("table")
	low, high := ZMM(), ZMM()
	VMOVDQU64(at(t, 0), low)
	VMOVDQU64(at(t, 64), high)
	r := GP64()
	MOVQ(U32(1023), r)
	limit := broadcastZ(2, r)
	MOVQ(U32(15), r)
	fifteen := broadcastZ(2, r)
	MOVQ(U32(1), r)
	one := broadcastZ(2, r)
	out, _ := outOrTotal(mode)
	blocks(n, 2, func(i int) {
		for v := range 2 {
			c, word, b, k, in := ZMM(), ZMM(), ZMM(), K(), K()
			bits := at(out, 8*i+4*v)
			VMOVDQU64(at(codes, 128*i+64*v), c)
			if mode == and {
				mask := K()
				KMOVD(bits, mask)
				VPCMPUW(Imm(2), limit, c, mask, in)
			} else {
				VPCMPUW(Imm(2), limit, c, in)
			}
			VPSRLW(Imm(4), c, word)
			VPERMI2W(high, low, word)
			VPANDQ(fifteen, c, b)
			VPSRLVW(b, word, word)
			VPTESTMW(one, word, in, k)
			KMOVD(k, bits)
		}
	}, func(k int) {
		advance(codes, 128*k)
		advance(out, 8*k)
	})
	end()
}

// gatherZ looks codes up in a table of any size by gathering 32 bits of it; codes beyond it pass nothing and read nothing.
func gatherZ(name, typ string, mode int) {
	kernel(lookupName(mode, name+"Z"), lookupSignature(typ, "table *uint64, limit uint32", mode),
		"looks codes up in a table; limit is its number of half words.")
	codes, n, t := load("codes"), load("n"), load("table")
	limit := broadcastZ(4, loadParam("limit", 4))
	r := GP64()
	MOVQ(U32(31), r)
	low := broadcastZ(4, r)
	MOVQ(U32(1), r)
	one := broadcastZ(4, r)
	out, _ := outOrTotal(mode)
	size := 4
	if name == "U16" {
		size = 2
	}
	blocks(n, 1, func(int) {
		for v := range 4 {
			c, at32, word, k, in, todo := ZMM(), ZMM(), ZMM(), K(), K(), K()
			bits := at(out, 2*v)
			if size == 2 {
				VPMOVZXWD(at(codes, 32*v), c)
			} else {
				VMOVDQU64(at(codes, 64*v), c)
			}
			VPSRLD(Imm(5), c, at32)
			if mode == and {
				mask := K()
				KMOVW(bits, mask)
				VPCMPUD(Imm(1), limit, at32, mask, in)
			} else {
				VPCMPUD(Imm(1), limit, at32, in)
			}
			KMOVW(in, todo)
			VPXORQ(word, word, word)
			VPGATHERDD(Mem{Base: t, Index: at32, Scale: 4}, todo, word)
			VPANDQ(low, c, c)
			VPSRLVD(c, word, word)
			VPTESTMD(one, word, in, k)
			KMOVW(k, bits)
		}
	}, func(k int) {
		advance(codes, 64*size*k)
		advance(out, 8*k)
	})
	end()
}
