package simd

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// The benchmarks report values per second (G/s) for each level, over what fits the first-level cache and over what fits no
// cache. The fill of the sources is random where the result depends on it.

const (
	cached = 16 << 10 // bytes
	memory = 64 << 20 // bytes
)

// atLevels runs f at each level on slices of n values of size bytes.
func atLevels[T any](b *testing.B, make func(n int) T, size int, f func(src T)) {
	for _, bytes := range []int{cached, memory} {
		n := bytes / size
		var src T
		made := false
		for l := Off; l <= Best(); l++ {
			b.Run(fmt.Sprintf("%v/%dKiB", l, bytes>>10), func(b *testing.B) {
				if !made {
					src, made = make(n), true
				}
				defer Use(Use(l))
				b.SetBytes(int64(n * size))
				rate(b, n, func() { f(src) })
			})
		}
	}
}

// filled returns n random values, by a generator that is fast enough for the large sizes.
func filled[T uint8 | uint16 | uint32 | uint64 | int64](n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = T(Hash(uint64(i)))
	}
	return out
}

func thousand(n int) []int64 {
	out := filled[int64](n)
	for i := range out {
		out[i] = int64(uint64(out[i]) % 1000)
	}
	return out
}

type withBits[T any] struct {
	xs  []T
	out []uint64
}

func bits8(n int) withBits[uint8] { return withBits[uint8]{filled[uint8](n), make([]uint64, words(n))} }
func bits16(n int) withBits[uint16] {
	return withBits[uint16]{filled[uint16](n), make([]uint64, words(n))}
}
func bits64(n int) withBits[int64] { return withBits[int64]{thousand(n), make([]uint64, words(n))} }

var sink int

// cpuTime is the time this process has run. Rates are told per second of it: a neighbour then costs the cache, not the result.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rate runs f and reports billions of values per second, n a call.
func rate(b *testing.B, n int, f func()) {
	start := cpuTime(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(n)*float64(b.N)/float64(cpuTime(b)-start), "G/s")
}

func BenchmarkEqU8(b *testing.B) {
	atLevels(b, bits8, 1, func(s withBits[uint8]) { EqU8(s.xs, 3, s.out) })
}

func BenchmarkCountAndEqU8(b *testing.B) {
	atLevels(b, bits8, 1, func(s withBits[uint8]) {
		h := len(s.xs) / 2
		sink += CountAndEqU8(s.xs[:h], 3, s.xs[h:], 3)
	})
}

func BenchmarkLookupU8(b *testing.B) {
	table := [4]uint64{1, 2, 3, 4}
	atLevels(b, bits8, 1, func(s withBits[uint8]) { LookupU8(s.xs, &table, s.out) })
}

func BenchmarkRangeU16(b *testing.B) {
	atLevels(b, bits16, 2, func(s withBits[uint16]) { RangeU16(s.xs, 3, 1000, s.out) })
}

func BenchmarkLookupU16(b *testing.B) {
	for _, size := range []int{16, 1024} {
		table := filled[uint64](size)
		b.Run(fmt.Sprint(64*size), func(b *testing.B) {
			atLevels(b, bits16, 2, func(s withBits[uint16]) { LookupU16(s.xs, table, s.out) })
		})
	}
}

func BenchmarkRangeI64(b *testing.B) {
	atLevels(b, bits64, 8, func(s withBits[int64]) { RangeI64(s.xs, 250, 749, s.out) })
}

func BenchmarkSumI64(b *testing.B) {
	atLevels(b, thousand, 8, func(xs []int64) { hi, _ := SumI64(xs); sink += int(hi) })
}

func BenchmarkSumRangeI64(b *testing.B) {
	atLevels(b, thousand, 8, func(xs []int64) { _, _, n := SumRangeI64(xs, 250, 749); sink += n })
}

func BenchmarkSumI64Bits(b *testing.B) {
	atLevels(b, func(n int) withBits[int64] { return withBits[int64]{thousand(n), filled[uint64](words(n))} }, 8,
		func(s withBits[int64]) { hi, _ := SumI64Bits(s.xs, s.out); sink += int(hi) })
}

func BenchmarkMinMaxI64(b *testing.B) {
	atLevels(b, thousand, 8, func(xs []int64) { l, _ := MinMaxI64(xs); sink += int(l) })
}

// eachPacked unpacks blocks of 1,024 numbers; MB/s are of the packed bytes.
func eachPacked(b *testing.B, widths []uint, f func(src []byte, width uint)) {
	src := filled[uint8](8 << 10)
	for _, w := range widths {
		for l := Off; l <= Best(); l++ {
			b.Run(fmt.Sprintf("%dbit/%v", w, l), func(b *testing.B) {
				defer Use(Use(l))
				b.SetBytes(int64(PackedLen(1024, w)))
				rate(b, 1024, func() { f(src, w) })
			})
		}
	}
}

func BenchmarkUnpackAdd(b *testing.B) {
	dst := make([]int64, 1024)
	eachPacked(b, []uint{1, 8, 10, 17, 31, 40}, func(src []byte, w uint) { UnpackAdd(dst, src, 0, w, 5) })
}

func BenchmarkUnpack32(b *testing.B) {
	dst := make([]uint32, 1024)
	eachPacked(b, []uint{1, 10, 25, 31}, func(src []byte, w uint) { Unpack32(dst, src, 0, w) })
}

func BenchmarkRangePacked(b *testing.B) {
	out := make([]uint64, 16)
	eachPacked(b, []uint{4, 10, 20, 40}, func(src []byte, w uint) { RangePacked(src, 0, 1024, w, 250, 749, out) })
}

func BenchmarkSumPackedRange(b *testing.B) {
	eachPacked(b, []uint{4, 10, 20, 40}, func(src []byte, w uint) {
		s, _ := SumPackedRange(src, 0, 1024, w, 250, 749)
		sink += int(s)
	})
}

func BenchmarkPopcount(b *testing.B) {
	atLevels(b, filled[uint64], 8, func(xs []uint64) { sink += Popcount(xs) })
}

func BenchmarkSelectU16(b *testing.B) {
	out := make([]uint16, 1<<16)
	for _, every := range []uint64{100, 10, 2} {
		bitmap := make([]uint64, 1024)
		for i := range 1 << 16 {
			if Hash(uint64(i))%every == 0 {
				bitmap[i>>6] |= 1 << (i & 63)
			}
		}
		for l := Off; l <= Best(); l++ {
			b.Run(fmt.Sprintf("1in%d/%v", every, l), func(b *testing.B) {
				defer Use(Use(l))
				rate(b, 65536, func() { sink += SelectU16(bitmap, out) })
			})
		}
	}
}

func BenchmarkExpandI64(b *testing.B) {
	const n = 1024
	src, dst, presence := filled[int64](n), make([]int64, n), filled[uint64](n/64)
	for l := Off; l <= Best(); l++ {
		b.Run(l.String(), func(b *testing.B) {
			defer Use(Use(l))
			rate(b, n, func() { sink += ExpandI64(dst, src, presence) })
		})
	}
}

func BenchmarkDepositBits(b *testing.B) {
	const n = 1024
	packed, dst, mask := filled[uint64](n/64), make([]uint64, n/64), filled[uint64](n/64)
	for l := Off; l <= Best(); l++ {
		b.Run(l.String(), func(b *testing.B) {
			defer Use(Use(l))
			rate(b, n, func() { DepositBits(dst, mask, packed, 0) })
		})
	}
}

func BenchmarkHashU64(b *testing.B) {
	xs := filled[uint64](1024)
	eachPacked(b, []uint{64}, func([]byte, uint) { HashU64(xs, xs) })
}

func BenchmarkWidenU8(b *testing.B) {
	dst := make([]uint32, 1024)
	eachPacked(b, []uint{8}, func(src []byte, _ uint) { sink += int(WidenU8(dst, src)) })
}

func BenchmarkMatchAny3(b *testing.B) {
	atLevels(b, bits8, 1, func(s withBits[uint8]) { MatchAny3(s.xs, ',', '\n', '"', s.out) })
}

func BenchmarkCountU8(b *testing.B) {
	xs := filled[uint8](1 << 16)
	var t [4][256]uint32
	rate(b, len(xs), func() { CountU8(xs, &t) })
}

// BenchmarkSumByU8 is beside the loop over dense arrays that domain/engine.md measures: four tables of counts and sums.
func BenchmarkSumByU8(b *testing.B) {
	codes, xs := filled[uint8](1<<16), thousand(1<<16)
	for i := range codes {
		codes[i] %= 240
	}
	b.Run("dense", func(b *testing.B) {
		var sums [4][256]int64
		var counts [4][256]uint32
		rate(b, len(codes), func() {
			for i := 0; i+4 <= len(codes); i += 4 {
				c, x := (*[4]uint8)(codes[i:]), (*[4]int64)(xs[i:])
				for t := range 4 {
					sums[t][c[t]] += x[t]
					counts[t][c[t]]++
				}
			}
		})
	})
	sums := make([]GroupSum, 256)
	b.Run("kernel", func(b *testing.B) {
		rate(b, len(codes), func() { SumByU8(codes, xs, sums) })
	})
	large := append([]int64{}, xs...)
	for i := range large {
		large[i] <<= 30
	}
	b.Run("kernel/large", func(b *testing.B) {
		rate(b, len(codes), func() { SumByU8(codes, large, sums) })
	})
	sel := filled[uint64](1024)
	b.Run("kernel/half", func(b *testing.B) {
		rate(b, len(codes), func() { SumByU8Bits(codes, xs, sel, sums) })
	})
	few := make([]uint8, len(codes))
	for i := range few {
		few[i] = codes[i] & 3
	}
	b.Run("kernel/4groups", func(b *testing.B) {
		rate(b, len(codes), func() { SumByU8(few, xs, sums) })
	})
	wide := make([]uint16, len(codes))
	for i := range wide {
		wide[i] = uint16(Hash(uint64(i)) % 1000)
	}
	many := make([]GroupSum, 1000)
	b.Run("kernel/u16", func(b *testing.B) {
		rate(b, len(codes), func() { SumByU16(wide, xs, many) })
	})
}
