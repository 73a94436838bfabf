package simd

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSumsAgree(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r)
		xs := guard(r, n, func() int64 { return anyInt(r) })
		sel := bitmapOf(r, n)
		from, to := anyInt(r), anyInt(r)
		type sum struct {
			hi int64
			lo uint64
			n  int
		}
		of := func(f func(i int) bool) (s sum) {
			for i, x := range xs.s {
				if f(i) {
					s.hi += x >> 32
					s.lo += uint64(uint32(x))
					s.n++
				}
			}
			return s
		}
		all := of(func(int) bool { return true })
		some := of(func(i int) bool { return isSet(sel, i) })
		within := of(func(i int) bool { return from <= xs.s[i] && xs.s[i] <= to })
		levels(t, func(Level) {
			if hi, lo := SumI64(xs.s); hi != all.hi || lo != all.lo {
				t.Fatalf("SumI64 at %v, %d rows: %d %d, want %+v", Active(), n, hi, lo, all)
			}
			if hi, lo := SumI64Bits(xs.s, sel); hi != some.hi || lo != some.lo {
				t.Fatalf("SumI64Bits at %v, %d rows: %d %d, want %+v", Active(), n, hi, lo, some)
			}
			if hi, lo, k := SumRangeI64(xs.s, from, to); total(GroupSum{hi, lo, int64(k)}) != total(GroupSum{within.hi, within.lo, int64(within.n)}) {
				t.Fatalf("SumRangeI64 at %v, %d rows: %d %d %d, want %+v", Active(), n, hi, lo, k, within)
			}
		})
	}
}

func TestMinMaxAgrees(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r) + 1
		xs := guard(r, n, func() int64 { return anyInt(r) })
		sel := bitmapOf(r, n)
		var least, most, someLeast, someMost int64 = math.MaxInt64, math.MinInt64, math.MaxInt64, math.MinInt64
		some := false
		for i, x := range xs.s {
			least, most = min(least, x), max(most, x)
			if isSet(sel, i) {
				some, someLeast, someMost = true, min(someLeast, x), max(someMost, x)
			}
		}
		levels(t, func(Level) {
			if a, b := MinMaxI64(xs.s); a != least || b != most {
				t.Fatalf("MinMaxI64 at %v, %d rows: %d %d, want %d %d", Active(), n, a, b, least, most)
			}
			a, b, ok := MinMaxI64Bits(xs.s, sel)
			if ok != some || ok && (a != someLeast || b != someMost) {
				t.Fatalf("MinMaxI64Bits at %v, %d rows: %d %d %v, want %d %d %v", Active(), n, a, b, ok, someLeast, someMost, some)
			}
		})
	}
}

// pack writes the numbers one behind the other, bit by bit.
func pack(vals []uint64, width uint) []byte {
	out := make([]byte, PackedLen(len(vals), width))
	for i, v := range vals {
		for k := range width {
			at := uint(i)*width + k
			out[at>>3] |= byte(v>>k&1) << (at & 7)
		}
	}
	return out
}

func TestUnpackAgrees(t *testing.T) {
	r := seeded(t)
	for width := uint(0); width <= 64; width++ {
		for range 12 {
			checkPacked(t, r, width, length(r), r.IntN(130))
		}
	}
}

func checkPacked(t testing.TB, r *rand.Rand, width uint, n, first int) {
	vals := make([]uint64, first+n)
	for i := range vals {
		if width > 0 {
			vals[i] = r.Uint64() >> (64 - width)
		}
	}
	packed := pack(vals, width)
	src := guard(r, len(packed), func() byte { return byte(r.Uint32()) })
	copy(src.s, packed)
	base := anyInt(r)
	mine := vals[first:]
	lo, hi := r.Uint64()>>(64-max(width, 1)), r.Uint64()>>(r.Uint32()&63)
	if n > 0 && r.IntN(2) == 0 {
		lo, hi = min(mine[0], mine[n-1]), max(mine[0], mine[n-1])
	}
	var sum, all uint64
	count := 0
	for _, v := range mine {
		all += v
		if lo <= v && v <= hi {
			sum += v
			count++
		}
	}
	levels(t, func(Level) {
		dst := guard(r, n, func() int64 { return anyInt(r) })
		UnpackAdd(dst.s, src.s, first, width, base)
		for i, v := range mine {
			if dst.s[i] != base+int64(v) {
				t.Fatalf("UnpackAdd at %v, width %d, %d of [%d, +%d): %d, want %d", Active(), width, i, first, n, dst.s[i], base+int64(v))
			}
		}
		dst.check(t, "UnpackAdd")
		if width <= 32 {
			dst := guard(r, n, r.Uint32)
			Unpack32(dst.s, src.s, first, width)
			for i, v := range mine {
				if dst.s[i] != uint32(v) {
					t.Fatalf("Unpack32 at %v, width %d, %d of [%d, +%d): %d, want %d", Active(), width, i, first, n, dst.s[i], v)
				}
			}
			dst.check(t, "Unpack32")
		}
		out := guard(r, words(n), r.Uint64)
		RangePacked(src.s, first, n, width, lo, hi, out.s)
		wantBits(t, "RangePacked", n, out.s, func(i int) bool { return lo <= mine[i] && mine[i] <= hi })
		out.check(t, "RangePacked")
		if s, c := SumPackedRange(src.s, first, n, width, lo, hi); s != sum || c != count {
			t.Fatalf("SumPackedRange at %v, width %d, [%d, +%d): %d %d, want %d %d", Active(), width, first, n, s, c, sum, count)
		}
		if s := SumPacked(src.s, first, n, width); s != all {
			t.Fatalf("SumPacked at %v, width %d, [%d, +%d): %d, want %d", Active(), width, first, n, s, all)
		}
	})
}

func TestBitmapsAgree(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r) + r.IntN(2)*60000
		a, b := bitmapOf(r, n), bitmapOf(r, n)
		count, both := 0, 0
		for i := range n {
			if isSet(a, i) {
				count++
				if isSet(b, i) {
					both++
				}
			}
		}
		levels(t, func(Level) {
			out := guard(r, len(a), r.Uint64)
			copy(out.s, a)
			And(out.s, b)
			wantBits(t, "And", n, out.s, func(i int) bool { return isSet(a, i) && isSet(b, i) })
			copy(out.s, a)
			AndNot(out.s, b)
			wantBits(t, "AndNot", n, out.s, func(i int) bool { return isSet(a, i) && !isSet(b, i) })
			copy(out.s, a)
			Or(out.s, b)
			wantBits(t, "Or", n, out.s, func(i int) bool { return isSet(a, i) || isSet(b, i) })
			out.check(t, "bitmap")
			if Popcount(a) != count || CountAnd(a, b) != both {
				t.Fatalf("Popcount, CountAnd at %v, %d bits: %d %d, want %d %d", Active(), n, Popcount(a), CountAnd(a, b), count, both)
			}
			few := slices.Clone(a)
			filled := 0
			for at := 0; at < len(few); at += 16 {
				part := few[at:min(at+16, len(few))]
				if r.IntN(2) == 0 {
					clear(part)
					part[r.IntN(len(part))] = uint64(r.IntN(2)) << r.IntN(64)
				}
				if slices.ContainsFunc(part, func(w uint64) bool { return w != 0 }) {
					filled++
				}
			}
			if got := FilledBlocks(few); got != filled {
				t.Fatalf("FilledBlocks at %v, %d words: %d, want %d", Active(), len(few), got, filled)
			}
			pos := guard(r, 64*len(a), func() uint16 { return uint16(r.Uint32()) })
			k := SelectU16(a, pos.s)
			if k != count {
				t.Fatalf("SelectU16 at %v, %d bits: %d, want %d", Active(), n, k, count)
			}
			prev := -1
			for _, p := range pos.s[:k] {
				if int(p) <= prev || !isSet(a, int(p)) {
					t.Fatalf("SelectU16 at %v, %d bits: %d behind %d", Active(), n, p, prev)
				}
				prev = int(p)
			}
			pos.check(t, "SelectU16")
		})
	}
}

func TestDepositAndExpandAgree(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r)
		mask := bitmapOf(r, n)
		k := 0
		rank := make([]int, n)
		for i := range n {
			rank[i] = k
			if isSet(mask, i) {
				k++
			}
		}
		first := r.IntN(200)
		packed := guard(r, words(first+k), r.Uint64)
		ints := guard(r, k, func() int64 { return anyInt(r) })
		floats := guard(r, k, r.Float64)
		codes := guard(r, k, r.Uint32)
		levels(t, func(Level) {
			out := guard(r, len(mask), r.Uint64)
			want := func(i int) bool { return isSet(mask, i) && isSet(packed.s, first+rank[i]) }
			DepositBits(out.s, mask, packed.s, first)
			wantBits(t, "DepositBits", n, out.s, want)
			copy(out.s, mask)
			DepositBits(out.s, out.s, packed.s, first)
			wantBits(t, "DepositBits in place", n, out.s, want)
			out.check(t, "DepositBits")
			i64, f64, u32 := guard(r, n, func() int64 { return 1 }), guard(r, n, r.Float64), guard(r, n, r.Uint32)
			if ExpandI64(i64.s, ints.s, mask) != k || ExpandF64(f64.s, floats.s, mask) != k || ExpandU32(u32.s, codes.s, mask) != k {
				t.Fatalf("Expand at %v: not %d values", Active(), k)
			}
			for i := range n {
				var a int64
				var b float64
				var c uint32
				if isSet(mask, i) {
					a, b, c = ints.s[rank[i]], floats.s[rank[i]], codes.s[rank[i]]
				}
				if i64.s[i] != a || f64.s[i] != b || u32.s[i] != c {
					t.Fatalf("Expand at %v, row %d of %d: %d %v %d, want %d %v %d", Active(), i, n, i64.s[i], f64.s[i], u32.s[i], a, b, c)
				}
			}
			i64.check(t, "ExpandI64")
			f64.check(t, "ExpandF64")
			u32.check(t, "ExpandU32")
		})
	}
}

func TestMovesAgree(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r)
		limit := 1 + r.IntN(256)
		c8 := guard(r, n, func() uint8 { return uint8(r.IntN(limit)) })
		bytes16 := guard(r, 2*n, func() byte { return byte(r.Uint32()) })
		other := guard(r, n, func() uint8 { return uint8(r.Uint32()) })
		u32 := guard(r, n, r.Uint32)
		u64 := guard(r, n, r.Uint64)
		var top8 uint8
		var top16 uint16
		for i, c := range c8.s {
			top8 = max(top8, c)
			top16 = max(top16, uint16(bytes16.s[2*i])|uint16(bytes16.s[2*i+1])<<8)
		}
		dict := make([]int64, 256)
		for i := range dict {
			dict[i] = anyInt(r)
		}
		dict = dict[:limit+r.IntN(257-limit)]
		levels(t, func(Level) {
			wide := guard(r, n, r.Uint32)
			if top := WidenU8(wide.s, c8.s); top != uint32(top8) || TopU8(c8.s) != top8 {
				t.Fatalf("WidenU8 at %v, %d: top %d, want %d", Active(), n, top, top8)
			}
			vals := guard(r, n, func() int64 { return 0 })
			FillByCodes8(vals.s, dict, c8.s)
			again := guard(r, n, func() int64 { return 0 })
			FillByCodes32(again.s, dict, wide.s)
			for i, c := range c8.s {
				if wide.s[i] != uint32(c) || vals.s[i] != dict[c] || again.s[i] != dict[c] {
					t.Fatalf("WidenU8, FillByCodes at %v, %d of %d: %d %d %d", Active(), i, n, wide.s[i], vals.s[i], again.s[i])
				}
			}
			vals.check(t, "FillByCodes8")
			again.check(t, "FillByCodes32")
			if top := WidenU16(wide.s, bytes16.s); top != uint32(top16) || TopU16(bytes16.s) != top16 {
				t.Fatalf("WidenU16 at %v, %d: top %d, want %d", Active(), n, top, top16)
			}
			for i, v := range wide.s {
				if v != uint32(bytes16.s[2*i])|uint32(bytes16.s[2*i+1])<<8 {
					t.Fatalf("WidenU16 at %v, %d of %d: %d", Active(), i, n, v)
				}
			}
			wide.check(t, "Widen")
			if top := TopU32(wide.s); top != uint32(top16) {
				t.Fatalf("TopU32 at %v, %d: %d, want %d", Active(), n, top, top16)
			}
			regs := guard(r, n, func() uint8 { return uint8(r.Uint32()) })
			MaxU8(regs.s, other.s)
			for i, v := range regs.s {
				if v != max(regs.before[regs.at+i], other.s[i]) {
					t.Fatalf("MaxU8 at %v, %d of %d: %d", Active(), i, n, v)
				}
			}
			regs.check(t, "MaxU8")
			sums := guard(r, n, r.Uint64)
			AddU32U64(sums.s, u32.s)
			hashes := guard(r, n, r.Uint64)
			HashU64(u64.s, hashes.s)
			for i := range n {
				if sums.s[i] != sums.before[sums.at+i]+uint64(u32.s[i]) {
					t.Fatalf("AddU32U64 at %v, %d of %d", Active(), i, n)
				}
				if hashes.s[i] != Hash(u64.s[i]) {
					t.Fatalf("HashU64 at %v, %d of %d: %#x, want %#x", Active(), i, n, hashes.s[i], Hash(u64.s[i]))
				}
			}
			sums.check(t, "AddU32U64")
			hashes.check(t, "HashU64")
		})
	}
}

func TestTakeReadsThePositions(t *testing.T) {
	r := seeded(t)
	src := make([]int64, 5000)
	for i := range src {
		src[i] = anyInt(r)
	}
	for range 50 {
		n := length(r)
		pos := make([]uint16, n)
		for i := range pos {
			pos[i] = uint16(r.IntN(len(src)))
		}
		levels(t, func(Level) {
			dst := guard(r, n, func() int64 { return 0 })
			TakeI64(dst.s, src, pos)
			for i, p := range pos {
				if dst.s[i] != src[p] {
					t.Fatalf("TakeI64 at %v, %d of %d", Active(), i, n)
				}
			}
			dst.check(t, "TakeI64")
		})
	}
}

// total is the value of a GroupSum as 128 bits.
func total(s GroupSum) [3]uint64 {
	lo := uint64(s.Hi)<<32 + s.Lo
	hi := uint64(s.Hi >> 32)
	if lo < s.Lo {
		hi++
	}
	return [3]uint64{hi, lo, uint64(s.N)}
}

func TestGroupsAgree(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r)
		if r.IntN(30) == 0 {
			n += 70000
		}
		groups := []int{1, 2, 4, 5, 240, 256}[r.IntN(6)]
		shift := r.Uint32() & 63 // one magnitude, so that each way of summing is met
		xs := guard(r, n, func() int64 { return int64(r.Uint64()) >> shift })
		c8 := guard(r, n, func() uint8 { return uint8(r.IntN(groups)) })
		c16 := make([]uint16, n)
		wide := make([]GroupSum, 300*groups)
		sel := bitmapOf(r, n)
		all, some := make([]GroupSum, groups), make([]GroupSum, groups)
		for i, c := range c8.s {
			c16[i] = uint16(c) * 256
			all[c].add(xs.s[i])
			if isSet(sel, i) {
				some[c].add(xs.s[i])
			}
		}
		same := func(what string, got, want GroupSum) {
			if total(got) != total(want) {
				t.Fatalf("%s at %v, %d rows, %d groups: %+v, want %+v", what, Active(), n, groups, got, want)
			}
		}
		levels(t, func(Level) {
			a, b := make([]GroupSum, groups), make([]GroupSum, groups)
			SumByU8(c8.s, xs.s, a)
			SumByU8Bits(c8.s, xs.s, sel, b)
			for c := range groups {
				same("SumByU8", a[c], all[c])
				same("SumByU8Bits", b[c], some[c])
			}
			clear(wide)
			SumByU16(c16, xs.s, wide)
			for c := range groups {
				same("SumByU16", wide[256*c], all[c])
			}
			clear(wide)
			SumByU16Bits(c16, xs.s, sel, wide)
			var t1, t2 [4][256]uint32
			CountU8(c8.s, &t1)
			CountU8Bits(c8.s, sel, &t2)
			n1, n2 := make([]uint32, 256*groups), make([]uint32, 256*groups)
			CountU16(c16, n1)
			CountU16Bits(c16, sel, n2)
			for c := range groups {
				same("SumByU16Bits", wide[256*c], some[c])
				if got := t1[0][c] + t1[1][c] + t1[2][c] + t1[3][c]; int64(got) != all[c].N || int64(n1[256*c]) != all[c].N {
					t.Fatalf("CountU8 at %v: %d, want %d", Active(), got, all[c].N)
				}
				if got := t2[0][c] + t2[1][c] + t2[2][c] + t2[3][c]; int64(got) != some[c].N || int64(n2[256*c]) != some[c].N {
					t.Fatalf("CountU8Bits at %v: %d, want %d", Active(), got, some[c].N)
				}
			}
		})
	}
}

func TestTextSearchesAgree(t *testing.T) {
	r := seeded(t)
	for range rounds {
		n := length(r)
		src := guard(r, n, func() byte { return "ab,\n\"cd"[r.IntN(7)] })
		rows := 1 + r.IntN(200)
		off := make([]uint32, rows+1)
		for i := range off {
			off[i] = uint32(r.IntN(n + 1))
		}
		sortU32(off)
		needle := make([]byte, 1+r.IntN(4))
		for i := range needle {
			needle[i] = "ab"[r.IntN(2)]
		}
		levels(t, func(Level) {
			out := guard(r, words(n), r.Uint64)
			MatchAny3(src.s, ',', '\n', '"', out.s)
			wantBits(t, "MatchAny3", n, out.s, func(i int) bool { return bytes.IndexByte([]byte(",\n\""), src.s[i]) >= 0 })
			gap := min(n, 3)
			a, b := src.s[:n-gap], src.s[gap:]
			MatchPairs(a, 'a', b, 'b', out.s)
			wantBits(t, "MatchPairs", n-gap, out.s, func(i int) bool { return a[i] == 'a' && b[i] == 'b' })
			out.check(t, "match")
			hits := guard(r, words(rows), r.Uint64)
			ContainsRows(src.s, off, needle, hits.s)
			wantBits(t, "ContainsRows", rows, hits.s, func(i int) bool { return bytes.Contains(src.s[off[i]:off[i+1]], needle) })
			hits.check(t, "ContainsRows")
		})
	}
}

func sortU32(v []uint32) {
	for i := range v {
		for j := i; j > 0 && v[j] < v[j-1]; j-- {
			v[j], v[j-1] = v[j-1], v[j]
		}
	}
}

func TestLevelsAreNamed(t *testing.T) {
	before := Active()
	defer Use(before)
	for _, l := range []Level{Off, AVX2, AVX512} {
		if got, err := ParseLevel(l.String()); err != nil || got != l {
			t.Errorf("ParseLevel(%q) = %v, %v", l, got, err)
		}
		Use(l)
		if want := min(l, Best()); Active() != want {
			t.Errorf("Use(%v) made it %v", l, Active())
		}
	}
	if _, err := ParseLevel("sse"); err == nil {
		t.Error("there is no level sse")
	}
}
