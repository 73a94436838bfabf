package codec

import (
	"encoding/binary"

	"github.com/telemdb/telemdb/storage/simd"
)

// bitset is the outcome of a predicate over packed values: one bit per value of a range of at most blockValues.
type bitset []uint64

// setRange sets bits [lo, hi).
func (b bitset) setRange(lo, hi int) {
	for lo < hi {
		w, from := lo>>6, uint(lo)&63
		n := min(64-int(from), hi-lo)
		b[w] |= (^uint64(0) >> (64 - uint(n))) << from
		lo += n
	}
}

// orShifted ors the first n bits of o into b, beginning at bit at. Bits of o from n on are zero.
func (b bitset) orShifted(o bitset, at, n int) {
	shift := uint(at) & 63
	for i := range (n + 63) >> 6 {
		w := at>>6 + i
		b[w] |= o[i] << shift
		if shift != 0 && o[i]>>(64-shift) != 0 {
			b[w+1] |= o[i] >> (64 - shift)
		}
	}
}

// invert flips the first n bits.
func (b bitset) invert(n int) {
	for i := range n >> 6 {
		b[i] = ^b[i]
	}
	if tail := uint(n) & 63; tail != 0 {
		b[n>>6] = ^b[n>>6] & (1<<tail - 1)
	}
}

// inRange sets the bit of each value of [lo, hi] (as distances from lo, so one unsigned compare) and clears the others.
func inRange(vals []int64, lo, hi int64, out bitset) {
	simd.WithinI64(vals, lo, uint64(hi)-uint64(lo), out)
}

// filterRange sets the bits of those values among [a, b) that lie in [lo, hi]; out is zero before. b-a <= blockValues.
func (s *ints) filterRange(data []byte, a, b int, lo, hi int64, out bitset) error {
	if lo > hi {
		return nil
	}
	switch s.kind {
	case intsConst:
		if s.base >= lo && s.base <= hi {
			out.setRange(0, b-a)
		}
		return nil
	case intsFOR:
		return s.filterFOR(data, a, b, lo, hi, out)
	case intsRuns:
		return s.filterRuns(data, a, b, lo, hi, out)
	case intsScaled:
		lo, hi = s.within(lo, hi)
		return s.scale.of.filterRange(data, a, b, lo, hi, out)
	}
	sc := getScratch()
	defer sc.put()
	if err := s.read(data, a, b, sc.a[:]); err != nil {
		return err
	}
	inRange(sc.a[:b-a], lo, hi, out)
	return nil
}

// filterFOR compares in the packed domain: the bounds are moved down by the block's base, and the block is decided
// whole where its base and width allow.
func (s *ints) filterFOR(data []byte, a, b int, lo, hi int64, out bitset) error {
	start := a
	for a < b {
		i := a / blockValues
		first := i * blockValues
		end := min(b, first+blockValues)
		blk := s.forBlock(data, i)
		none, all := blk.decide(lo, hi)
		switch {
		case none:
		case all:
			out.setRange(a-start, end-start)
		default:
			if err := blk.filter(data, a-first, end-first, lo, hi, out, a-start); err != nil {
				return err
			}
		}
		a = end
	}
	return nil
}

// decide tells whether no value, or every value of the block is in [lo, hi]. Exceptions have no known upper bound.
func (b *forBlock) decide(lo, hi int64) (none, all bool) {
	if hi < b.base {
		return true, false
	}
	if b.exc > 0 || b.width >= 63 {
		return false, false
	}
	top := b.base + int64(uint64(1)<<b.width-1)
	if top < b.base { // beyond the largest int64
		return false, false
	}
	return lo > top, lo <= b.base && hi >= top
}

// bounds are lo and hi as distances from the block's base, which is at most hi.
func (b *forBlock) bounds(lo, hi int64) (relLo, relHi uint64) {
	if lo > b.base {
		relLo = uint64(lo) - uint64(b.base)
	}
	return relLo, uint64(hi) - uint64(b.base)
}

// rangePacked sets the bits of those packed values among [from, to) that lie in [relLo, relHi].
func (b *forBlock) rangePacked(data []byte, from, to int, relLo, relHi uint64, out bitset) {
	if b.width > 0 {
		simd.RangePacked(data[b.at:], from, to-from, b.width, relLo, relHi, out)
	} else if relLo == 0 {
		out.setRange(0, to-from)
	}
}

// exceptionsMany is the part of a block's values (one in so many) up to which its exceptions are looked at one by one.
const exceptionsMany = 16

// eachException calls f for the exceptions among [from, to): where they are, what is packed there, and what they are. It
// calls it for none, and ok is false, if they are not in order: reading the block tells what is wrong, or adds up those of
// one place.
func (b *forBlock) eachException(data []byte, from, to int, f func(i int, low, full uint64)) (ok bool) {
	pos := data[b.at+packedLen(b.n, b.width):]
	high := pos[2*b.exc:]
	last := -1
	for k := range b.exc {
		i := int(binary.LittleEndian.Uint16(pos[2*k:]))
		if i <= last || i >= b.n {
			return false
		}
		last = i
	}
	var low [1]int64
	for k := range b.exc {
		i := int(binary.LittleEndian.Uint16(pos[2*k:]))
		if i < from || i >= to {
			continue
		}
		unpack(low[:], data[b.at:], i, b.width, 0)
		f(i, uint64(low[0]), uint64(low[0])+loadBytes(high[k*b.excBytes:], b.excBytes)<<b.width)
	}
	return true
}

func (b *forBlock) filter(data []byte, from, to int, lo, hi int64, out bitset, at int) error {
	relLo, relHi := b.bounds(lo, hi)
	if b.exc <= b.n/exceptionsMany && at&63 == 0 {
		own := out[at>>6 : at>>6+(to-from+63)>>6]
		b.rangePacked(data, from, to, relLo, relHi, own)
		ok := b.eachException(data, from, to, func(i int, _, full uint64) {
			if i -= from; full >= relLo && full <= relHi {
				own[i>>6] |= 1 << uint(i&63)
			} else {
				own[i>>6] &^= 1 << uint(i&63)
			}
		})
		if ok {
			return nil
		}
		clear(own)
	}
	sc := getScratch()
	defer sc.put()
	vals := sc.a[:to-from]
	if err := b.read(data, from, to, 0, vals); err != nil {
		return err
	}
	if at == 0 {
		inRange(vals, int64(relLo), int64(relHi), out)
		return nil
	}
	inRange(vals, int64(relLo), int64(relHi), sc.bits[:])
	out.orShifted(sc.bits[:], at, to-from)
	return nil
}

func (s *ints) filterRuns(data []byte, a, b int, lo, hi int64, out bitset) error {
	return s.eachRun(data, a, b, func(v int64, from, to int) {
		if v >= lo && v <= hi {
			out.setRange(from-a, to-a)
		}
	})
}
