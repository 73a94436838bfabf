package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What a compare kernel does with the outcome.
const (
	store = iota
	and
	count
)

var elements = []struct {
	name, typ string
	size      int
}{{"U8", "uint8", 1}, {"U16", "uint16", 2}, {"U32", "uint32", 4}, {"I64", "int64", 8}}

func compares() {
	for _, e := range elements {
		modes := []int{store, and, count}
		if e.size == 4 {
			modes = modes[:1]
		} else if e.size == 8 {
			modes = modes[:2]
		}
		for _, m := range modes {
			rangeZ(e.name, e.typ, e.size, m)
			rangeY(e.name, e.typ, e.size, m)
		}
	}
	countAndZ()
	countAndY()
	bothZ()
	bothY()
	floats()
}

// loadParam loads a parameter of size bytes; what is above them in the register is not used.
func loadParam(name string, size int) reg.GPVirtual {
	r := GP64()
	switch size {
	case 1:
		Load(Param(name), r.As8())
	case 2:
		Load(Param(name), r.As16())
	case 4:
		Load(Param(name), r.As32())
	default:
		Load(Param(name), r)
	}
	return r
}

// negative loads the parameter lo and negates it, so that adding it takes lo away.
func negative(name string, size int) reg.GPVirtual {
	lo := loadParam(name, size)
	neg := zeroR()
	SUBQ(lo, neg)
	return neg
}

// addZ emits dst = memory + c.
func addZ(size int, m Mem, c, dst reg.VecVirtual) {
	switch size {
	case 1:
		VPADDB(m, c, dst)
	case 2:
		VPADDW(m, c, dst)
	case 4:
		VPADDD(m, c, dst)
	default:
		VPADDQ(m, c, dst)
	}
}

// belowZ emits k = x <= span without sign, under the mask where there is one.
func belowZ(size int, span, x reg.VecVirtual, mask, k reg.OpmaskVirtual) {
	args := []Op{Imm(2), span, x}
	if mask != nil {
		args = append(args, mask)
	}
	args = append(args, k)
	switch size {
	case 1:
		VPCMPUB(args...)
	case 2:
		VPCMPUW(args...)
	case 4:
		VPCMPUD(args...)
	default:
		VPCMPUQ(args...)
	}
}

// moveK emits a move of the mask of a vector of elements of size bytes.
func moveK(size int, from, to Op) {
	switch size {
	case 1:
		KMOVQ(from, to)
	case 2:
		KMOVD(from, to)
	case 4:
		KMOVW(from, to)
	default:
		KMOVB(from, to)
	}
}

func rangeName(name string, mode int, level string) string {
	return []string{"range", "andRange", "countRange"}[mode] + name + level
}

func rangeSignature(typ string, mode int) (sig, doc string) {
	switch mode {
	case store:
		return fmt.Sprintf("(xs *%s, n int, lo, span %s, out *uint64)", typ, typ), "sets a bit for each value of [lo, lo+span]."
	case and:
		return fmt.Sprintf("(xs *%s, n int, lo, span %s, out *uint64)", typ, typ), "clears the bit of each value outside [lo, lo+span]."
	}
	return fmt.Sprintf("(xs *%s, n int, lo, span %s) int", typ, typ), "counts the values of [lo, lo+span]."
}

func rangeZ(name, typ string, size, mode int) {
	sig, doc := rangeSignature(typ, mode)
	kernel(rangeName(name, mode, "Z"), sig, doc)
	xs, n := load("xs"), load("n")
	neg := broadcastZ(size, negative("lo", size))
	span := broadcastZ(size, loadParam("span", size))
	var out, total reg.GPVirtual
	if mode == count {
		total = zeroR()
	} else {
		out = load("out")
	}
	unroll := 4
	if size > 1 {
		unroll = 2
	}
	blocks(n, unroll, func(i int) {
		for v := range size { // vectors of a block
			bits := at(out, 8*i+8/size*v)
			x, k := ZMM(), K()
			addZ(size, at(xs, 64*(size*i+v)), neg, x)
			switch mode {
			case store:
				belowZ(size, span, x, nil, k)
				moveK(size, k, bits)
			case and:
				mask := K()
				moveK(size, bits, mask)
				belowZ(size, span, x, mask, k)
				moveK(size, k, bits)
			case count:
				belowZ(size, span, x, nil, k)
				r := GP64()
				if size == 1 {
					KMOVQ(k, r)
				} else {
					KMOVD(k, r.As32())
				}
				POPCNTQ(r, r)
				ADDQ(r, total)
			}
		}
	}, func(k int) {
		advance(xs, 64*size*k)
		if mode != count {
			advance(out, 8*k)
		}
	})
	if mode == count {
		Store(total, ReturnIndex(0))
	}
	end()
}

// withinY emits the bits of 32 values of one or two bytes, or 8 of four or eight, from memory, into r.
func withinY(size int, xs reg.GPVirtual, disp int, neg, span reg.VecVirtual, r reg.GPVirtual) {
	one := func(d int) reg.VecVirtual {
		x, t := YMM(), YMM()
		switch size {
		case 1:
			VPADDB(at(xs, d), neg, x)
			VPMINUB(span, x, t)
			VPCMPEQB(x, t, t)
		case 2:
			VPADDW(at(xs, d), neg, x)
			VPMINUW(span, x, t)
			VPCMPEQW(x, t, t)
		case 4:
			VPADDD(at(xs, d), neg, x)
			VPMINUD(span, x, t)
			VPCMPEQD(x, t, t)
		default: // neg and span have their signs flipped: greater than span with sign
			VPADDQ(at(xs, d), neg, x)
			VPCMPGTQ(span, x, t)
		}
		return t
	}
	switch size {
	case 1:
		VPMOVMSKB(one(disp), r.As32())
	case 2:
		a, b := one(disp), one(disp+32)
		p := YMM()
		VPACKSSWB(b, a, p)
		VPERMQ(Imm(0xd8), p, p)
		VPMOVMSKB(p, r.As32())
	case 4:
		VMOVMSKPS(one(disp), r.As32())
	default:
		high := GP64()
		VMOVMSKPD(one(disp), r.As32())
		VMOVMSKPD(one(disp+32), high.As32())
		SHLL(Imm(4), high.As32())
		ORL(high.As32(), r.As32())
		XORL(U32(0xff), r.As32())
	}
}

// boundsY loads lo, negated, and span.
func boundsY(size int, lo, span string) (neg, top reg.VecVirtual) {
	a, b := negative(lo, size), loadParam(span, size)
	if size == 8 {
		BTCQ(Imm(63), a)
		BTCQ(Imm(63), b)
	}
	return broadcastY(size, a), broadcastY(size, b)
}

func rangeY(name, typ string, size, mode int) {
	sig, doc := rangeSignature(typ, mode)
	kernel(rangeName(name, mode, "Y"), sig, doc)
	xs, n := load("xs"), load("n")
	neg, span := boundsY(size, "lo", "span")
	var out, total reg.GPVirtual
	if mode == count {
		total = zeroR()
	} else {
		out = load("out")
	}
	step := 32 // values at a time
	if size > 2 {
		step = 8
	}
	blocks(n, 1, func(int) {
		for v := range 64 / step {
			r := GP64()
			withinY(size, xs, v*step*size, neg, span, r)
			bits := at(out, v*step/8)
			switch {
			case mode == count:
				POPCNTL(r.As32(), r.As32())
				ADDQ(r, total)
			case mode == store && step == 32:
				MOVL(r.As32(), bits)
			case mode == store:
				MOVB(r.As8(), bits)
			case step == 32:
				ANDL(r.As32(), bits)
			default:
				ANDB(r.As8(), bits)
			}
		}
	}, func(k int) {
		advance(xs, 64*size*k)
		if mode != count {
			advance(out, 8*k)
		}
	})
	if mode == count {
		Store(total, ReturnIndex(0))
	}
	end()
}

const countAndSignature = "(a *uint8, n int, alo, aspan uint8, b *uint8, blo, bspan uint8) int"

func countAndZ() {
	kernel("countAndRangeU8Z", countAndSignature, "counts the rows of which both values are in their ranges.")
	a, b, n := load("a"), load("b"), load("n")
	anegative, aspan := broadcastZ(1, negative("alo", 1)), broadcastZ(1, loadParam("aspan", 1))
	bnegative, bspan := broadcastZ(1, negative("blo", 1)), broadcastZ(1, loadParam("bspan", 1))
	total := zeroR()
	blocks(n, 4, func(i int) {
		x, y, k, both, r := ZMM(), ZMM(), K(), K(), GP64()
		VPADDB(at(a, 64*i), anegative, x)
		VPADDB(at(b, 64*i), bnegative, y)
		belowZ(1, aspan, x, nil, k)
		belowZ(1, bspan, y, k, both)
		KMOVQ(both, r)
		POPCNTQ(r, r)
		ADDQ(r, total)
	}, func(k int) {
		advance(a, 64*k)
		advance(b, 64*k)
	})
	Store(total, ReturnIndex(0))
	end()
}

func countAndY() {
	kernel("countAndRangeU8Y", countAndSignature, "counts the rows of which both values are in their ranges.")
	a, b, n := load("a"), load("b"), load("n")
	anegative, aspan := boundsY(1, "alo", "aspan")
	bnegative, bspan := boundsY(1, "blo", "bspan")
	total := zeroR()
	blocks(n, 1, func(int) {
		for v := range 2 {
			r, s := GP64(), GP64()
			withinY(1, a, 32*v, anegative, aspan, r)
			withinY(1, b, 32*v, bnegative, bspan, s)
			ANDL(s.As32(), r.As32())
			POPCNTL(r.As32(), r.As32())
			ADDQ(r, total)
		}
	}, func(k int) {
		advance(a, 64*k)
		advance(b, 64*k)
	})
	Store(total, ReturnIndex(0))
	end()
}

const bothSignature = "(a *uint8, n int, alo, aspan uint8, b *uint8, blo, bspan uint8, out *uint64) int"

// bothZ reads both columns at once: two streams keep more of the memory busy than one, and neither waits for the bits of the other.
func bothZ() {
	kernel("bothRangeU8Z", bothSignature, "sets a bit for each row of which both values are in their ranges, and counts them.")
	a, b, n, out := load("a"), load("b"), load("n"), load("out")
	anegative, aspan := broadcastZ(1, negative("alo", 1)), broadcastZ(1, loadParam("aspan", 1))
	bnegative, bspan := broadcastZ(1, negative("blo", 1)), broadcastZ(1, loadParam("bspan", 1))
	total := zeroR()
	blocks(n, 4, func(i int) {
		x, y, k, both, r := ZMM(), ZMM(), K(), K(), GP64()
		VPADDB(at(a, 64*i), anegative, x)
		VPADDB(at(b, 64*i), bnegative, y)
		belowZ(1, aspan, x, nil, k)
		belowZ(1, bspan, y, k, both)
		KMOVQ(both, r)
		MOVQ(r, at(out, 8*i))
		POPCNTQ(r, r)
		ADDQ(r, total)
	}, func(k int) {
		advance(a, 64*k)
		advance(b, 64*k)
		advance(out, 8*k)
	})
	Store(total, ReturnIndex(0))
	end()
}

func bothY() {
	kernel("bothRangeU8Y", bothSignature, "sets a bit for each row of which both values are in their ranges, and counts them.")
	a, b, n, out := load("a"), load("b"), load("n"), load("out")
	anegative, aspan := boundsY(1, "alo", "aspan")
	bnegative, bspan := boundsY(1, "blo", "bspan")
	total := zeroR()
	blocks(n, 1, func(int) {
		for v := range 2 {
			r, s := GP64(), GP64()
			withinY(1, a, 32*v, anegative, aspan, r)
			withinY(1, b, 32*v, bnegative, bspan, s)
			ANDL(s.As32(), r.As32())
			MOVL(r.As32(), at(out, 4*v))
			POPCNTL(r.As32(), r.As32())
			ADDQ(r, total)
		}
	}, func(k int) {
		advance(a, 64*k)
		advance(b, 64*k)
		advance(out, 8*k)
	})
	Store(total, ReturnIndex(0))
	end()
}

// floats emits the compares of float64: the predicates that no NaN fulfils and that do not signal one.
func floats() {
	for _, p := range []struct {
		name string
		code uint8
		doc  string
	}{{"eq", 0, "=="}, {"lt", 17, "<"}, {"le", 18, "<="}} {
		kernel(p.name+"F64Z", "(xs *float64, n int, c float64, out *uint64)", "sets a bit for each value "+p.doc+" c.")
		xs, n, out := load("xs"), load("n"), load("out")
		c := broadcastZ(8, floatBits("c"))
		blocks(n, 2, func(i int) {
			for v := range 8 {
				x, k := ZMM(), K()
				VMOVUPD(at(xs, 64*(8*i+v)), x)
				VCMPPD(Imm(uint64(p.code)), c, x, k)
				KMOVB(k, at(out, 8*i+v))
			}
		}, func(k int) {
			advance(xs, 512*k)
			advance(out, 8*k)
		})
		end()

		kernel(p.name+"F64Y", "(xs *float64, n int, c float64, out *uint64)", "sets a bit for each value "+p.doc+" c.")
		xs, n, out = load("xs"), load("n"), load("out")
		c = broadcastY(8, floatBits("c"))
		blocks(n, 1, func(int) {
			for v := range 8 {
				x, y, r, s := YMM(), YMM(), GP64(), GP64()
				VMOVUPD(at(xs, 64*v), x)
				VMOVUPD(at(xs, 64*v+32), y)
				VCMPPD(Imm(uint64(p.code)), c, x, x)
				VCMPPD(Imm(uint64(p.code)), c, y, y)
				VMOVMSKPD(x, r.As32())
				VMOVMSKPD(y, s.As32())
				SHLL(Imm(4), s.As32())
				ORL(s.As32(), r.As32())
				MOVB(r.As8(), at(out, v))
			}
		}, func(k int) {
			advance(xs, 512*k)
			advance(out, 8*k)
		})
		end()
	}
}

// floatBits loads the bits of a parameter of type float64.
func floatBits(name string) reg.GPVirtual {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	r := GP64()
	MOVQ(p.Addr, r)
	return r
}
