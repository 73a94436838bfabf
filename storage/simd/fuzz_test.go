package simd

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// numberBits is the same for all NaNs: which one an operation gives is the machine's affair.
func numberBits(f float64) uint64 {
	if f != f {
		return 1
	}
	return math.Float64bits(f)
}

// everything runs the kernels over what can be made of data and returns all they say, one behind the other.
func everything(data []byte, a, b uint64, first int, width uint) (said []uint64) {
	n8, n16, n32, n64 := len(data), len(data)/2, len(data)/4, len(data)/8
	u16, u32 := make([]uint16, n16), make([]uint32, n32)
	u64, i64, f64 := make([]uint64, n64), make([]int64, n64), make([]float64, n64)
	for i := range u16 {
		u16[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	for i := range u32 {
		u32[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	for i := range u64 {
		u64[i] = binary.LittleEndian.Uint64(data[8*i:])
		i64[i], f64[i] = int64(u64[i]), math.Float64frombits(u64[i])
	}
	out := make([]uint64, words(n8))
	say := func(vs ...uint64) { said = append(said, vs...) }
	bitsOf := func(n int) { say(out[:words(n)]...) }
	table := [4]uint64{a, b, ^a, a ^ b}

	RangeU8(data, uint8(a), uint8(b), out)
	bitsOf(n8)
	AndRangeU8(data, uint8(b), uint8(a), out)
	bitsOf(n8)
	LookupU8(data, &table, out)
	bitsOf(n8)
	AndLookupU8(data, (*[4]uint64)([]uint64{b, a, b, ^b}), out)
	bitsOf(n8)
	MatchAny3(data, byte(a), byte(b), byte(a>>8), out)
	bitsOf(n8)
	MatchPairs(data[:n8/2], byte(a), data[n8/2:], byte(b), out)
	bitsOf(n8 / 2)
	say(uint64(CountRangeU8(data, uint8(a), uint8(b))), uint64(CountLookupU8(data, &table)), uint64(TopU8(data)), uint64(TopU16(data[:2*n16])))
	say(uint64(CountAndRangeU8(data[:n8/2], uint8(a), uint8(b), data[n8/2:], uint8(b>>8), uint8(a>>8))))
	say(uint64(BothWithinU8(data[:n8/2], uint8(a), uint8(b), data[n8/2:], uint8(b>>8), uint8(a>>8), out)))
	bitsOf(n8 / 2)
	RangeU16(u16, uint16(a), uint16(b), out)
	bitsOf(n16)
	AndRangeU16(u16, uint16(b), uint16(a), out)
	bitsOf(n16)
	for _, t := range [][]uint64{table[:3], u64} {
		LookupU16(u16, t, out)
		bitsOf(n16)
		RangeU16(u16, 0, uint16(a), out)
		AndLookupU16(u16, t, out)
		bitsOf(n16)
		LookupU32(u32, t, out)
		bitsOf(n32)
	}
	say(uint64(CountRangeU16(u16, uint16(a), uint16(b))))
	RangeU32(u32, uint32(a), uint32(b), out)
	bitsOf(n32)
	RangeI64(i64, int64(a), int64(b), out)
	bitsOf(n64)
	AndRangeI64(i64, int64(b), int64(a), out)
	bitsOf(n64)
	for _, f := range []func([]float64, float64, []uint64){EqF64, LtF64, LeF64} {
		f(f64, math.Float64frombits(a), out)
		bitsOf(n64)
	}
	hi, lo := SumI64(i64)
	say(uint64(hi), lo)
	s := GroupSum{}
	var k int
	s.Hi, s.Lo, k = SumRangeI64(i64, int64(a), int64(b))
	t := total(s)
	say(t[0], t[1], uint64(k))
	sel := slices.Clone(u64[:min(n64, words(n64))])
	if n64 > 0 {
		if tail := n64 & 63; tail != 0 && len(sel) == words(n64) {
			sel[len(sel)-1] &= 1<<tail - 1
		}
		hi, lo = SumI64Bits(i64, sel)
		say(uint64(hi), lo)
		least, most := MinMaxI64(i64)
		say(uint64(least), uint64(most))
		least, most, ok := MinMaxI64Bits(i64, sel)
		say(uint64(least), uint64(most), bit(ok))
		rows := make([]int64, n64)
		say(uint64(ExpandI64(rows, i64, sel)))
		codes := make([]uint32, n64)
		say(uint64(ExpandU32(codes, u32, sel)))
		for i := range rows {
			say(uint64(rows[i]), uint64(codes[i]))
		}
	}
	quotients := make([]float64, n64/2)
	DivideI64(quotients, i64, math.Float64frombits(a))
	for _, q := range quotients {
		say(numberBits(q))
	}
	RatioI64(quotients, i64, i64[n64-len(quotients):])
	for _, q := range quotients {
		say(numberBits(q))
	}
	var ends []uint32
	for i, at := 0, 0; at < n8; i++ {
		at = min(n8, at+1+int(data[i]))
		ends = append(ends, uint32(at))
	}
	long := make([]uint32, len(ends))
	copy(long, u32)
	said8, said16, said32 := make([]uint8, n8), make([]uint16, n8), make([]uint32, n8)
	RepeatU8(said8, long, ends)
	RepeatU16(said16, long, ends)
	RepeatU32(said32, long, ends)
	for i := range said8 {
		say(uint64(said8[i]), uint64(said16[i]), uint64(said32[i]))
	}
	for _, f := range []func(dst, src []uint64){And, AndNot, Or} {
		dst := slices.Clone(u64[:n64/2])
		f(dst, u64[n64/2:])
		say(dst...)
	}
	say(uint64(Popcount(u64)), uint64(FilledBlocks(u64)), uint64(CountAnd(u64[:n64/2], u64[n64/2:])))
	some := u64[:min(n64, 1024)]
	pos := make([]uint16, 64*len(some))
	for _, p := range pos[:SelectU16(some, pos)] {
		say(uint64(p))
	}
	dst := make([]uint64, n64)
	DepositBits(dst, some, u64, 0)
	say(dst...)
	HashU64(u64, dst)
	say(dst...)
	if packed := n8 * 8; width > 0 && packed/int(width) > first {
		n := packed/int(width) - first
		vals := make([]int64, n)
		UnpackAdd(vals, data, first, width, int64(b))
		for _, v := range vals {
			say(uint64(v))
		}
		if width <= 32 {
			narrow := make([]uint32, n)
			Unpack32(narrow, data, first, width)
			for _, v := range narrow {
				say(uint64(v))
			}
		}
		out := make([]uint64, words(n))
		RangePacked(data, first, n, width, a>>(64-width), b>>(64-width), out)
		say(out...)
		sum, k := SumPackedRange(data, first, n, width, a>>(64-width), b>>(64-width))
		say(sum, uint64(k), SumPacked(data, first, n, width))
	}
	return said
}

// FuzzLevels holds every kernel at every level against its Go twin.
func FuzzLevels(f *testing.F) {
	for width := range uint8(65) {
		data := make([]byte, 700+int(width))
		for i := range data {
			data[i] = byte(Hash(uint64(width)<<32 | uint64(i)))
		}
		f.Add(data, Hash(uint64(width)), Hash(uint64(width)+99), width%9, width)
	}
	f.Fuzz(func(t *testing.T, data []byte, a, b uint64, first, width uint8) {
		defer Use(Use(Off))
		want := everything(data, a, b, int(first), uint(width)%65)
		for l := AVX2; l <= Best(); l++ {
			Use(l)
			got := everything(data, a, b, int(first), uint(width)%65)
			if !slices.Equal(got, want) {
				i := 0
				for i < min(len(got), len(want)) && got[i] == want[i] {
					i++
				}
				t.Fatalf("at %v, number %d of %d and %d that the kernels say differs", l, i, len(got), len(want))
			}
		}
	})
}
