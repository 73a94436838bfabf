package simd

import "math/bits"

// The kernels of this file compare each value and write one bit for each. A range is one unsigned compare: x is in
// [lo, hi] if x-lo <= hi-lo without sign. Where lo is above hi no value passes.

func words(n int) int { return (n + 63) >> 6 }

// EqU8 sets bit i of out where xs[i] == c and clears it elsewhere.
func EqU8(xs []uint8, c uint8, out []uint64) { RangeU8(xs, c, c, out) }

// RangeU8 sets bit i of out where lo <= xs[i] <= hi and clears it elsewhere.
func RangeU8(xs []uint8, lo, hi uint8, out []uint64) {
	out = out[:words(len(xs))]
	if lo > hi {
		clear(out)
		return
	}
	n := rangeU8(xs, lo, hi-lo, out)
	rangeGo(xs[n:], lo, hi-lo, out[n>>6:])
}

// AndEqU8 clears bit i of out where xs[i] != c.
func AndEqU8(xs []uint8, c uint8, out []uint64) { AndRangeU8(xs, c, c, out) }

// AndRangeU8 clears bit i of out unless lo <= xs[i] <= hi.
func AndRangeU8(xs []uint8, lo, hi uint8, out []uint64) {
	out = out[:words(len(xs))]
	if lo > hi {
		clear(out)
		return
	}
	n := andRangeU8(xs, lo, hi-lo, out)
	andRangeGo(xs[n:], lo, hi-lo, out[n>>6:])
}

// CountEqU8 returns the number of values that are c.
func CountEqU8(xs []uint8, c uint8) int { return CountRangeU8(xs, c, c) }

// CountRangeU8 returns the number of values in [lo, hi].
func CountRangeU8(xs []uint8, lo, hi uint8) int {
	if lo > hi {
		return 0
	}
	n, count := countRangeU8(xs, lo, hi-lo)
	return count + countRangeGo(xs[n:], lo, hi-lo)
}

// CountAndEqU8 returns the number of rows with a[i] == ca and b[i] == cb; b has at least as many rows as a.
func CountAndEqU8(a []uint8, ca uint8, b []uint8, cb uint8) int {
	return CountAndRangeU8(a, ca, ca, b, cb, cb)
}

// CountAndRangeU8 returns the number of rows with alo <= a[i] <= ahi and blo <= b[i] <= bhi; b has at least as many rows
// as a.
func CountAndRangeU8(a []uint8, alo, ahi uint8, b []uint8, blo, bhi uint8) int {
	b = b[:len(a)]
	if alo > ahi || blo > bhi {
		return 0
	}
	n, count := countAndRangeU8(a, alo, ahi-alo, b, blo, bhi-blo)
	b = b[n:]
	for i, x := range a[n:] {
		if x-alo <= ahi-alo && b[i]-blo <= bhi-blo {
			count++
		}
	}
	return count
}

// BothWithinU8 sets bit i of out where a[i]-alo is at most aspan and b[i]-blo at most bspan, modulo 256 and without sign, clears
// it elsewhere, and returns the number of those that are set. A complement is a range too: it begins behind the end of what it
// leaves out. b has at least as many rows as a.
func BothWithinU8(a []uint8, alo, aspan uint8, b []uint8, blo, bspan uint8, out []uint64) int {
	b, out = b[:len(a)], out[:words(len(a))]
	n, count := bothWithinU8(a, alo, aspan, b, blo, bspan, out)
	a, b, out = a[n:], b[n:], out[n>>6:]
	rangeGo(a, alo, aspan, out)
	andRangeGo(b, blo, bspan, out)
	for _, w := range out {
		count += bits.OnesCount64(w)
	}
	return count
}

// EqU16 is EqU8 for codes of two bytes.
func EqU16(xs []uint16, c uint16, out []uint64) { RangeU16(xs, c, c, out) }

// RangeU16 is RangeU8 for codes of two bytes.
func RangeU16(xs []uint16, lo, hi uint16, out []uint64) {
	out = out[:words(len(xs))]
	if lo > hi {
		clear(out)
		return
	}
	n := rangeU16(xs, lo, hi-lo, out)
	rangeGo(xs[n:], lo, hi-lo, out[n>>6:])
}

// AndEqU16 is AndEqU8 for codes of two bytes.
func AndEqU16(xs []uint16, c uint16, out []uint64) { AndRangeU16(xs, c, c, out) }

// AndRangeU16 is AndRangeU8 for codes of two bytes.
func AndRangeU16(xs []uint16, lo, hi uint16, out []uint64) {
	out = out[:words(len(xs))]
	if lo > hi {
		clear(out)
		return
	}
	n := andRangeU16(xs, lo, hi-lo, out)
	andRangeGo(xs[n:], lo, hi-lo, out[n>>6:])
}

// CountRangeU16 returns the number of values in [lo, hi].
func CountRangeU16(xs []uint16, lo, hi uint16) int {
	if lo > hi {
		return 0
	}
	n, count := countRangeU16(xs, lo, hi-lo)
	return count + countRangeGo(xs[n:], lo, hi-lo)
}

// EqU32 is EqU8 for codes of four bytes.
func EqU32(xs []uint32, c uint32, out []uint64) { RangeU32(xs, c, c, out) }

// RangeU32 is RangeU8 for codes of four bytes.
func RangeU32(xs []uint32, lo, hi uint32, out []uint64) {
	out = out[:words(len(xs))]
	if lo > hi {
		clear(out)
		return
	}
	n := rangeU32(xs, lo, hi-lo, out)
	rangeGo(xs[n:], lo, hi-lo, out[n>>6:])
}

// EqI64 sets bit i of out where xs[i] == c and clears it elsewhere.
func EqI64(xs []int64, c int64, out []uint64) { RangeI64(xs, c, c, out) }

// RangeI64 sets bit i of out where lo <= xs[i] <= hi and clears it elsewhere.
func RangeI64(xs []int64, lo, hi int64, out []uint64) {
	out = out[:words(len(xs))]
	if lo > hi {
		clear(out)
		return
	}
	n := rangeI64(xs, lo, hi-lo, out)
	rangeGo(xs[n:], lo, hi-lo, out[n>>6:])
}

// AndRangeI64 clears bit i of out unless lo <= xs[i] <= hi.
func AndRangeI64(xs []int64, lo, hi int64, out []uint64) {
	out = out[:words(len(xs))]
	if lo > hi {
		clear(out)
		return
	}
	n := andRangeI64(xs, lo, hi-lo, out)
	andRangeGo(xs[n:], lo, hi-lo, out[n>>6:])
}

// WithinI64 sets bit i of out where xs[i]-lo, modulo 2^64 and without sign, is at most span, and clears it elsewhere: a
// range of numbers whose sign means nothing, as the distances from a base.
func WithinI64(xs []int64, lo int64, span uint64, out []uint64) {
	out = out[:words(len(xs))]
	n := rangeI64(xs, lo, int64(span), out)
	rangeGo(xs[n:], lo, int64(span), out[n>>6:])
}

// inSpan returns 1 where x is in [lo, lo+span]: no borrow when its distance from lo is taken from span.
func inSpan[T uint8 | uint16 | uint32 | int64](x, lo, span T) uint64 {
	_, beyond := bits.Sub64(uint64(span), uint64(x-lo), 0)
	return beyond ^ 1
}

// range64 returns a bit for each of 64 values. The outcomes are shifted in from the top by constants, in four chains, so
// that none waits for the other.
func range64[T uint8 | uint16 | uint32 | int64](v *[64]T, lo, span T) uint64 {
	var a, b, c, d uint64
	for i := range 16 {
		_, x := bits.Sub64(uint64(span), uint64(v[i]-lo), 0)
		_, y := bits.Sub64(uint64(span), uint64(v[16+i]-lo), 0)
		_, z := bits.Sub64(uint64(span), uint64(v[32+i]-lo), 0)
		_, w := bits.Sub64(uint64(span), uint64(v[48+i]-lo), 0)
		a, b, c, d = a>>1|x<<15, b>>1|y<<15, c>>1|z<<15, d>>1|w<<15
	}
	return ^(a | b<<16 | c<<32 | d<<48)
}

func rangeTail[T uint8 | uint16 | uint32 | int64](xs []T, lo, span T) (word uint64) {
	for i, x := range xs {
		word |= inSpan(x, lo, span) << (uint(i) & 63)
	}
	return word
}

func rangeGo[T uint8 | uint16 | uint32 | int64](xs []T, lo, span T, out []uint64) {
	for len(xs) >= 64 {
		out[0] = range64((*[64]T)(xs), lo, span)
		xs, out = xs[64:], out[1:]
	}
	if len(xs) > 0 {
		out[0] = rangeTail(xs, lo, span)
	}
}

func andRangeGo[T uint8 | uint16 | uint32 | int64](xs []T, lo, span T, out []uint64) {
	for len(xs) >= 64 {
		if out[0] != 0 {
			out[0] &= range64((*[64]T)(xs), lo, span)
		}
		xs, out = xs[64:], out[1:]
	}
	if len(xs) > 0 {
		out[0] &= rangeTail(xs, lo, span)
	}
}

func countRangeGo[T uint8 | uint16 | uint32 | int64](xs []T, lo, span T) (n int) {
	for _, x := range xs {
		n += int(inSpan(x, lo, span))
	}
	return n
}

// EqF64 sets bit i of out where xs[i] == c as the machine compares: NaN equals nothing, -0 equals 0. In SQL's order,
// where NaN equals itself and is above every number, this and the two below give every comparison with a c that is not
// NaN, some by their complement.
func EqF64(xs []float64, c float64, out []uint64) {
	out = out[:words(len(xs))]
	n := eqF64(xs, c, out)
	eqF64Go(xs[n:], c, out[n>>6:])
}

// LtF64 is EqF64 for xs[i] < c.
func LtF64(xs []float64, c float64, out []uint64) {
	out = out[:words(len(xs))]
	n := ltF64(xs, c, out)
	ltF64Go(xs[n:], c, out[n>>6:])
}

// LeF64 is EqF64 for xs[i] <= c.
func LeF64(xs []float64, c float64, out []uint64) {
	out = out[:words(len(xs))]
	n := leF64(xs, c, out)
	leF64Go(xs[n:], c, out[n>>6:])
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func eqF64Go(xs []float64, c float64, out []uint64) {
	for i := range out {
		word := uint64(0)
		for j, x := range xs[i<<6 : min(i<<6+64, len(xs))] {
			word |= bit(x == c) << (uint(j) & 63)
		}
		out[i] = word
	}
}

func ltF64Go(xs []float64, c float64, out []uint64) {
	for i := range out {
		word := uint64(0)
		for j, x := range xs[i<<6 : min(i<<6+64, len(xs))] {
			word |= bit(x < c) << (uint(j) & 63)
		}
		out[i] = word
	}
}

func leF64Go(xs []float64, c float64, out []uint64) {
	for i := range out {
		word := uint64(0)
		for j, x := range xs[i<<6 : min(i<<6+64, len(xs))] {
			word |= bit(x <= c) << (uint(j) & 63)
		}
		out[i] = word
	}
}
