package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func moves() {
	widen()
	tops()
	for _, t := range []struct {
		name, typ string
		size      int
	}{{"I64", "int64", 8}, {"F64", "float64", 8}, {"U32", "uint32", 4}} {
		expandZ(t.name, t.typ, t.size)
	}
	maxZ()
	addZ32()
	hashZ()
}

func widen() {
	for _, size := range []int{1, 2} {
		name, typ := "widenU8Z", "uint8"
		if size == 2 {
			name = "widenU16Z"
		}
		kernel(name, "(dst *uint32, src *"+typ+", n int)", "widens codes.")
		dst, src, n := load("dst"), load("src"), load("n")
		blocks(n, 2, func(i int) {
			for v := range 4 {
				z := ZMM()
				if size == 1 {
					VPMOVZXBD(at(src, 64*i+16*v), z)
				} else {
					VPMOVZXWD(at(src, 128*i+32*v), z)
				}
				VMOVDQU64(z, at(dst, 256*i+64*v))
			}
		}, func(k int) {
			advance(dst, 256*k)
			advance(src, 64*size*k)
		})
		end()
	}
}

// tops folds to the eight bytes of a word, of which Go takes the greatest.
func tops() {
	for _, t := range []struct {
		name, typ string
		size      int
		op        func(...Op)
	}{{"topU8Z", "uint8", 1, VPMAXUB}, {"topU16Z", "uint8", 2, VPMAXUW}, {"topU32Z", "uint32", 4, VPMAXUD}} {
		kernel(t.name, "(src *"+t.typ+", n int) uint64", "returns a word, the greatest of whose elements is the greatest of all.")
		src, n := load("src"), load("n")
		top := vectors(2, zeroZ)
		blocks(n, 2, func(i int) {
			for v := range t.size {
				t.op(at(src, 64*t.size*i+64*v), top[(i+v)&1], top[(i+v)&1])
			}
		}, func(k int) { advance(src, 64*t.size*k) })
		t.op(top[1], top[0], top[0])
		Store(foldZ(top[0], t.op), ReturnIndex(0))
		end()
	}
}

// expandZ reads of memory only the values that the mask asks for.
func expandZ(name, typ string, size int) {
	kernel("expand"+name+"Z", "(dst, src *"+typ+", n int, presence *uint64) int",
		"moves the next values of src to the rows whose bit is set, zero to the others, and counts the values.")
	dst, start, n, presence := load("dst"), load("src"), load("n"), load("presence")
	src := GP64()
	MOVQ(start, src)
	blocks(n, 1, func(int) {
		for v := range size {
			k, c, z := K(), GP64(), ZMM()
			if size == 8 {
				MOVBQZX(at(presence, v), c)
				KMOVB(at(presence, v), k)
				VPEXPANDQ_Z(at(src, 0), k, z)
			} else {
				MOVWQZX(at(presence, 2*v), c)
				KMOVW(at(presence, 2*v), k)
				VPEXPANDD_Z(at(src, 0), k, z)
			}
			POPCNTL(c.As32(), c.As32())
			VMOVDQU64(z, at(dst, 64*v))
			LEAQ(Mem{Base: src, Index: c, Scale: uint8(size)}, src)
		}
	}, func(k int) {
		advance(dst, 64*size*k)
		advance(presence, 8*k)
	})
	SUBQ(start, src)
	SHRQ(Imm(uint64(size/4+1)), src)
	Store(src, ReturnIndex(0))
	end()
}

func maxZ() {
	kernel("maxU8Z", "(dst, src *uint8, n int)", "keeps the greater ones in dst.")
	dst, src, n := load("dst"), load("src"), load("n")
	blocks(n, 4, func(i int) {
		z := ZMM()
		VMOVDQU64(at(src, 64*i), z)
		VPMAXUB(at(dst, 64*i), z, z)
		VMOVDQU64(z, at(dst, 64*i))
	}, func(k int) {
		advance(dst, 64*k)
		advance(src, 64*k)
	})
	end()
}

func addZ32() {
	kernel("addU32U64Z", "(dst *uint64, src *uint32, n int)", "adds src to dst.")
	dst, src, n := load("dst"), load("src"), load("n")
	blocks(n, 1, func(int) {
		for v := range 8 {
			z := ZMM()
			VPMOVZXDQ(at(src, 32*v), z)
			VPADDQ(at(dst, 64*v), z, z)
			VMOVDQU64(z, at(dst, 64*v))
		}
	}, func(k int) {
		advance(dst, 512*k)
		advance(src, 256*k)
	})
	end()
}

func hashZ() {
	kernel("hashU64Z", "(xs *uint64, n int, out *uint64)", "hashes each value: see Hash.")
	xs, n, out := load("xs"), load("n"), load("out")
	constant := func(c uint64) reg.VecVirtual {
		r := GP64()
		MOVQ(U64(c), r)
		return broadcastZ(8, r)
	}
	golden, m1, m2 := constant(0x9e3779b97f4a7c15), constant(0xbf58476d1ce4e5b9), constant(0x94d049bb133111eb)
	blocks(n, 1, func(int) {
		for v := range 8 {
			x, t := ZMM(), ZMM()
			VPADDQ(at(xs, 64*v), golden, x)
			VPSRLQ(Imm(30), x, t)
			VPXORQ(t, x, x)
			VPMULLQ(m1, x, x)
			VPSRLQ(Imm(27), x, t)
			VPXORQ(t, x, x)
			VPMULLQ(m2, x, x)
			VPSRLQ(Imm(31), x, t)
			VPXORQ(t, x, x)
			VMOVDQU64(x, at(out, 64*v))
		}
	}, func(k int) {
		advance(xs, 512*k)
		advance(out, 512*k)
	})
	end()
}
