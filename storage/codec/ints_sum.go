package codec

import (
	"math"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/types"
)

// SumRange adds up the integers of all rows that lie in [lo, hi]: see column.Summer. ok is false if the encoding has no way
// to do it that is faster than decoding.
func (c *Chunk) SumRange(data []byte, lo, hi int64) (s column.IntSum, ok bool, err error) {
	switch {
	case c.leaf != types.LeafInt:
		return s, false, nil
	case c.enc == encConst:
		if v := c.dict.I64[0]; v >= lo && v <= hi {
			addTimes(&s, v, c.pres.present)
		}
		return s, true, nil
	case c.ints != nil:
		return s, true, c.ints.sumIn(data, lo, hi, &s)
	case (c.enc == encDict || c.enc == encDictRare) && c.code.width == 8:
		return s, true, c.sumCodes(data, lo, hi, &s)
	case (c.enc == encDict || c.enc == encDictRare) && c.code.width == runWidth:
		c.sumRuns(data, lo, hi, &s)
		return s, true, nil
	}
	return s, false, nil
}

// addTimes adds n values that are v. n is at most MaxRows.
func addTimes(s *column.IntSum, v int64, n int) {
	s.Hi += v >> 32 * int64(n)
	s.Lo += uint64(uint32(v)) * uint64(n)
	s.N += n
}

// addWhole adds n values whose sum is sum.
func addWhole(s *column.IntSum, sum uint64, n int) {
	s.Hi += int64(sum >> 32)
	s.Lo += uint64(uint32(sum))
	s.N += n
}

// sumCodes counts the codes, and multiplies.
func (c *Chunk) sumCodes(data []byte, lo, hi int64, s *column.IntSum) error {
	k := &c.code
	var counts [4][256]uint32
	simd.CountU8(data[k.at:k.at+k.n], &counts)
	for code := range 256 {
		n := counts[0][code] + counts[1][code] + counts[2][code] + counts[3][code]
		switch {
		case n == 0:
		case code >= k.limit:
			return corrupt("code %d in a dictionary of %d", code, k.limit)
		case c.dict.I64[code] >= lo && c.dict.I64[code] <= hi:
			addTimes(s, c.dict.I64[code], int(n))
		}
	}
	return nil
}

// sumRuns multiplies each run's value by its length.
func (c *Chunk) sumRuns(data []byte, lo, hi int64, s *column.IntSum) {
	w := getRunWindow()
	defer w.put()
	c.code.rle.window(data, 0, c.code.n, w)
	from := uint32(0)
	for i, end := range w.ends {
		if v := c.dict.I64[w.codes[i]]; v >= lo && v <= hi {
			addTimes(s, v, int(end-from))
		}
		from = end
	}
}

// sumIn adds those of all values that lie in [lo, hi].
func (s *ints) sumIn(data []byte, lo, hi int64, sum *column.IntSum) error {
	if lo > hi {
		return nil
	}
	switch s.kind {
	case intsConst:
		if s.base >= lo && s.base <= hi {
			addTimes(sum, s.base, s.n)
		}
		return nil
	case intsScaled:
		return s.sumScaled(data, lo, hi, sum)
	case intsPlain:
		sumPlain(words64(data[s.head:s.head+8*s.n]), lo, hi, sum)
		return nil
	case intsRuns:
		return s.eachRun(data, 0, s.n, func(v int64, from, to int) {
			if v >= lo && v <= hi {
				addTimes(sum, v, to-from)
			}
		})
	}
	for i := range blocksOf(s.n) {
		if s.kind == intsFOR {
			if b := s.forBlock(data, i); b.sum(data, lo, hi, sum) {
				continue
			}
		}
		if err := s.sumBlock(data, i, lo, hi, sum); err != nil {
			return err
		}
	}
	return nil
}

func sumPlain(vals []int64, lo, hi int64, sum *column.IntSum) {
	if lo == math.MinInt64 && hi == math.MaxInt64 {
		h, l := simd.SumI64(vals)
		sum.Hi, sum.Lo, sum.N = sum.Hi+h, sum.Lo+l, sum.N+len(vals)
		return
	}
	h, l, n := simd.SumRangeI64(vals, lo, hi)
	sum.Hi, sum.Lo, sum.N = sum.Hi+h, sum.Lo+l, sum.N+n
}

// sumBlock decodes the block.
func (s *ints) sumBlock(data []byte, i int, lo, hi int64, sum *column.IntSum) error {
	sc := getScratch()
	defer sc.put()
	n := min(blockValues, s.n-i*blockValues)
	if err := s.read(data, i*blockValues, i*blockValues+n, sc.a[:]); err != nil {
		return err
	}
	sumPlain(sc.a[:n], lo, hi, sum)
	return nil
}

// packedSumWidth is the widest packing of which the values of a block add up to less than 2^64.
const packedSumWidth = 54

// sum adds up in the packed domain; false if the block has to be decoded.
func (b *forBlock) sum(data []byte, lo, hi int64, s *column.IntSum) bool {
	if b.exc > b.n/exceptionsMany || b.width > packedSumWidth || b.base > math.MaxInt64-int64(1)<<packedSumWidth {
		return false
	}
	none, all := b.decide(lo, hi)
	if none {
		return true
	}
	relLo, relHi := uint64(0), uint64(math.MaxUint64)
	if !all {
		relLo, relHi = b.bounds(lo, hi)
	}
	top := uint64(1)<<b.width - 1
	sum, n := uint64(0), 0
	if relLo <= top {
		sum, n = simd.SumPackedRange(data[b.at:], 0, b.n, b.width, relLo, min(relHi, top))
	}
	ok := b.eachException(data, 0, b.n, func(_ int, low, full uint64) {
		if low >= relLo && low <= relHi {
			sum, n = sum-low, n-1
		}
		if full >= relLo && full <= relHi {
			addWhole(s, full, 0)
			n++
		}
	})
	if !ok {
		return false
	}
	addTimes(s, b.base, n)
	addWhole(s, sum, 0)
	return true
}

// Ints lends the values of rows [from, to) as they lie, if they are stored so and every row has one: see column.Lender.
func (c *Chunk) Ints(data []byte, from, to int) ([]int64, bool) {
	if c.leaf != types.LeafInt || c.ints == nil || c.ints.kind != intsPlain || c.pres.kind != presentAll || from < 0 || to > c.pres.rows || from > to {
		return nil, false
	}
	at := c.ints.head
	return words64(data[at+8*from : at+8*to]), true
}
