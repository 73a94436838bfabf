package main

import (
	"encoding/binary"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// packs emits the unpacking of numbers that lie one behind the other. A vector's numbers are loaded by a mask of just their
// bytes, each lane gets the bytes of its number by a permutation that depends on the width, and a shift by what is left.
func packs() {
	wide := laneTable("lanes64", 8, 60)
	narrow := laneTable("lanes32", 4, 25)
	unpackAddZ(wide)
	unpack32Z(narrow)
	rangePackedZ(narrow)
	sumPackedZ(narrow)
	unpackAddY()
}

// laneTable writes, for each width, the byte that each byte of a vector takes and the bits each lane of size bytes shifts.
func laneTable(name string, size, widest int) Mem {
	var data []byte
	for w := 0; w <= widest; w++ {
		var perm, shift [64]byte
		for i := range 64 {
			lane, b := i/size, i%size
			first := lane * w
			perm[i] = byte(first>>3+b) & 63
			if b == 0 {
				shift[i] = byte(first & 7)
			}
		}
		data = append(append(data, perm[:]...), shift[:]...)
	}
	return constants(name, data)
}

// constants emits read-only data, a multiple of 8 bytes.
func constants(name string, data []byte) Mem {
	table := GLOBL(name, 8|16)
	for i := 0; i < len(data); i += 8 {
		DATA(i, U64(binary.LittleEndian.Uint64(data[i:])))
	}
	return table
}

type unpacker struct {
	perm, shift, mask reg.VecVirtual
	bytes             reg.OpmaskVirtual
	src, step         reg.GPVirtual // bytes that a vector's numbers take
	size              int
}

// newUnpacker loads what depends on the width.
func newUnpacker(table Mem, size int) *unpacker {
	u := &unpacker{src: load("src"), size: size, perm: ZMM(), shift: ZMM(), bytes: K(), step: GP64()}
	width := load("width")
	base, at128 := GP64(), GP64()
	LEAQ(table, base)
	MOVQ(width, at128)
	SHLQ(Imm(7), at128)
	ADDQ(at128, base)
	VMOVDQU64(at(base, 0), u.perm)
	VMOVDQU64(at(base, 64), u.shift)
	ones, m := GP64(), GP64()
	MOVQ(I32(-1), ones)
	BZHIQ(width, ones, m)
	if size == 8 {
		MOVQ(width, u.step) // 8 numbers
		u.mask = broadcastZ(8, m)
	} else {
		LEAQ(Mem{Base: width, Index: width, Scale: 1}, u.step) // 16 numbers
		u.mask = broadcastZ(4, m)
	}
	BZHIQ(u.step, ones, m)
	KMOVQ(m, u.bytes)
	return u
}

// next emits the next vector of numbers.
func (u *unpacker) next() reg.VecVirtual {
	z := ZMM()
	VMOVDQU8_Z(at(u.src, 0), u.bytes, z)
	ADDQ(u.step, u.src)
	VPERMB(z, u.perm, z)
	if u.size == 8 {
		VPSRLVQ(u.shift, z, z)
	} else {
		VPSRLVD(u.shift, z, z)
	}
	VPANDQ(u.mask, z, z)
	return z
}

func unpackAddZ(table Mem) {
	kernel("unpackAddZ", "(dst *int64, src *uint8, n int, width uint64, base int64)",
		"unpacks numbers of 1 to 58 or of 60 bits and adds base. src begins with a number.")
	u := newUnpacker(table, 8)
	dst, n := load("dst"), load("n")
	base := broadcastZ(8, load("base"))
	blocks(n, 1, func(int) {
		for v := range 8 {
			z := u.next()
			VPADDQ(base, z, z)
			VMOVDQU64(z, at(dst, 64*v))
		}
	}, func(k int) { advance(dst, 512*k) })
	end()
}

func unpack32Z(table Mem) {
	kernel("unpack32Z", "(dst *uint32, src *uint8, n int, width uint64)", "unpacks numbers of 1 to 25 bits. src begins with a number.")
	u := newUnpacker(table, 4)
	dst, n := load("dst"), load("n")
	blocks(n, 1, func(int) {
		for v := range 4 {
			VMOVDQU64(u.next(), at(dst, 64*v))
		}
	}, func(k int) { advance(dst, 256*k) })
	end()
}

func rangePackedZ(table Mem) {
	kernel("rangePackedZ", "(src *uint8, n int, width uint64, lo, span uint32, out *uint64)",
		"sets a bit for each number, of 1 to 25 bits, of [lo, lo+span].")
	u := newUnpacker(table, 4)
	n, out := load("n"), load("out")
	neg, span := broadcastZ(4, negative("lo", 4)), broadcastZ(4, loadParam("span", 4))
	blocks(n, 2, func(i int) {
		for v := range 4 {
			z, k := u.next(), K()
			VPADDD(neg, z, z)
			belowZ(4, span, z, nil, k)
			KMOVW(k, at(out, 8*i+2*v))
		}
	}, func(k int) { advance(out, 8*k) })
	end()
}

// sumPackedZ keeps four sums per lane, to each of which 1,024 numbers add 16: below 2^29. It moves them to sums of 64 bits
// that often.
func sumPackedZ(table Mem) {
	kernel("sumPackedZ", "(src *uint8, n int, width uint64, lo, span uint32) (sum uint64, count int)",
		"sums and counts the numbers, of 1 to 25 bits, of [lo, lo+span].")
	u := newUnpacker(table, 4)
	n := load("n")
	neg, span := broadcastZ(4, negative("lo", 4)), broadcastZ(4, loadParam("span", 4))
	one, low := GP64(), GP64()
	MOVQ(U32(1), one)
	ones := broadcastZ(4, one)
	MOVL(I32(-1), low.As32())
	lows := broadcastZ(8, low)
	sum, count := zeroZ(), zeroZ()
	Label("chunk")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	acc, counts := vectors(4, zeroZ), zeroZ()
	todo := GP64()
	MOVQ(U32(1024), todo)
	CMPQ(n, todo)
	CMOVQLT(n, todo)
	SUBQ(todo, n)
	blocks(todo, 1, func(int) {
		for v := range 4 {
			z, d, k := u.next(), ZMM(), K()
			VPADDD(neg, z, d)
			belowZ(4, span, d, nil, k)
			VPADDD(z, acc[v], k, acc[v])
			VPADDD(ones, counts, k, counts)
		}
	}, func(int) {})
	t := ZMM()
	for _, a := range []reg.VecVirtual{acc[0], acc[1], acc[2], acc[3]} {
		VPANDQ(lows, a, t)
		VPADDQ(t, sum, sum)
		VPSRLQ(Imm(32), a, t)
		VPADDQ(t, sum, sum)
	}
	VPANDQ(lows, counts, t)
	VPADDQ(t, count, count)
	VPSRLQ(Imm(32), counts, t)
	VPADDQ(t, count, count)
	JMP(LabelRef("chunk"))
	Label("done")
	storeSums(foldZ(sum, VPADDQ), foldZ(count, VPADDQ))
	end()
}

// unpackAddY unpacks 8 numbers from four loads of 16 bytes, two numbers each. The last load reaches up to 16 bytes behind
// the first byte of its numbers: the Go side leaves as many blocks as that needs to the twin.
func unpackAddY() {
	const stride = 64 + 64 + 32 // per width: 4 shuffles of 16 bytes, 8 shifts of 8, 4 offsets of 8
	var data []byte
	for w := 0; w <= 60; w++ {
		var entry [stride]byte
		for pair := range 4 {
			origin := 2 * pair * w >> 3
			for k := range 2 {
				first := (2*pair + k) * w
				for b := range 8 {
					entry[16*pair+8*k+b] = byte(first>>3-origin+b) & 15
				}
				entry[64+16*pair+8*k] = byte(first & 7)
			}
			entry[128+8*pair] = byte(origin)
		}
		data = append(data, entry[:]...)
	}
	table := constants("pairs64", data)
	kernel("unpackAddY", "(dst *int64, src *uint8, n int, width uint64, base int64)",
		"unpacks numbers of 1 to 58 or of 60 bits and adds base. src begins with a number; 16 bytes behind the last one's first can be read.")
	dst, src, n, width := load("dst"), load("src"), load("n"), load("width")
	entry, i, ones, m := GP64(), GP64(), GP64(), GP64()
	LEAQ(table, entry)
	IMUL3Q(U32(stride), width, i)
	ADDQ(i, entry)
	MOVQ(I32(-1), ones)
	BZHIQ(width, ones, m)
	mask := broadcastY(8, m)
	base := broadcastY(8, load("base"))
	var shuffle, shift [2]reg.VecVirtual
	var offset [4]reg.GPVirtual
	for h := range 2 {
		shuffle[h], shift[h] = YMM(), YMM()
		VMOVDQU(at(entry, 32*h), shuffle[h])
		VMOVDQU(at(entry, 64+32*h), shift[h])
	}
	for p := range 4 {
		offset[p] = GP64()
		MOVQ(at(entry, 128+8*p), offset[p])
	}
	blocks(n, 1, func(int) {
		for v := range 8 {
			for h := range 2 {
				y := YMM()
				VBROADCASTI128(Mem{Base: src, Index: offset[2*h], Scale: 1}, y)
				VINSERTI128(Imm(1), Mem{Base: src, Index: offset[2*h+1], Scale: 1}, y, y)
				VPSHUFB(shuffle[h], y, y)
				VPSRLVQ(shift[h], y, y)
				VPAND(mask, y, y)
				VPADDQ(base, y, y)
				VMOVDQU(y, at(dst, 64*v+32*h))
			}
			ADDQ(width, src)
		}
	}, func(k int) { advance(dst, 512*k) })
	end()
}
