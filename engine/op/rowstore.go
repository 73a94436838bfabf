package op

import (
	"slices"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// rowStore holds some columns of rows in the order in which they came, in chunks, so that nothing is ever copied to grow.
// Row r is row r & (chunkRows-1) of chunk r >> chunkBits.
type rowStore struct {
	ts     []types.Type
	chunks [][]vec.Vector // of chunkRows rows but for the last
	n      int
	full   int64 // bytes of the chunks but for the last
}

// rowRange is n rows that follow each other in a store, from row on. key is the stretch they are of.
type rowRange struct{ row, n, key uint32 }

// room returns the last chunk, and how many rows it still takes. n rows are to come.
func (s *rowStore) room(n int) ([]vec.Vector, int) {
	if s.n&(chunkRows-1) == 0 && len(s.chunks) == s.n>>chunkBits {
		if k := len(s.chunks); k > 0 {
			s.full += vectorsBytes(s.chunks[k-1])
		}
		c := make([]vec.Vector, len(s.ts))
		for i, t := range s.ts {
			c[i].Reset(t)
			if s.n == 0 && n < chunkRows/2 {
				continue // perhaps there are few
			}
			switch t.Phys() {
			case types.PhysInt64:
				c[i].I64 = make([]int64, 0, chunkRows)
			case types.PhysFloat64:
				c[i].F64 = make([]float64, 0, chunkRows)
			}
		}
		s.chunks = append(s.chunks, c)
	}
	return s.chunks[len(s.chunks)-1], chunkRows - s.n&(chunkRows-1)
}

// add appends rows of columns: those listed, or the first n if pos is nil.
func (s *rowStore) add(cols []*vec.Vector, pos []uint16, n int) {
	for from := 0; from < n; {
		c, room := s.room(n - from)
		k := min(room, n-from)
		for i, v := range cols {
			switch {
			case pos != nil:
				vec.AppendIndexed(&c[i], v, pos[from:from+k])
			case v.Form == vec.Flat && v.Valid == nil && c[i].Valid == nil && v.Type.Phys() == types.PhysInt64:
				c[i].I64 = append(c[i].I64, v.I64[from:from+k]...)
				c[i].N += k
			default:
				c[i].AppendRange(v, from, from+k)
			}
		}
		from += k
		s.n += k
	}
}

func vectorsBytes(vs []vec.Vector) int64 {
	n := int64(0)
	for i := range vs {
		n += vectorBytes(&vs[i])
	}
	return n
}

// size is what the store holds.
func (s *rowStore) size() int64 {
	if len(s.chunks) == 0 {
		return 0
	}
	return s.full + vectorsBytes(s.chunks[len(s.chunks)-1])
}

// column returns the chunks of a column.
func (s *rowStore) column(i int) []*vec.Vector {
	out := make([]*vec.Vector, len(s.chunks))
	for k := range s.chunks {
		out[k] = &s.chunks[k][i]
	}
	return out
}

// gatherRanges makes out, which is Reset, the n rows of ranges, of one column that is held in chunks.
func gatherRanges(out *vec.Vector, chunks []*vec.Vector, ranges []rowRange, n int) {
	nulls := slices.ContainsFunc(chunks, func(c *vec.Vector) bool { return c.Valid != nil })
	switch phys := out.Type.Phys(); {
	case nulls || phys == types.PhysBool:
		eachPiece(ranges, func(c, from, to int) { out.AppendRange(chunks[c], from, to) })
		return
	case phys == types.PhysInt64:
		out.I64 = gatherInts(slices.Grow(out.I64, n)[:n], chunks, ranges)
	case phys == types.PhysFloat64:
		out.F64 = slices.Grow(out.F64, n)
		eachPiece(ranges, func(c, from, to int) { out.F64 = appendFew(out.F64, chunks[c].F64[from:to]) })
	default:
		eachPiece(ranges, func(c, from, to int) { out.AppendRange(chunks[c], from, to) })
		return
	}
	out.N = n
}

// gatherInts is gatherRanges of integers, without a call for each range.
func gatherInts(dst []int64, chunks []*vec.Vector, ranges []rowRange) []int64 {
	at := 0
	for _, r := range ranges {
		c, from, n := r.row>>chunkBits, int(r.row&(chunkRows-1)), int(r.n)
		src := chunks[c].I64[from:]
		if n > len(src) || n > 16 {
			eachPiece([]rowRange{r}, func(c, from, to int) { at += copy(dst[at:], chunks[c].I64[from:to]) })
			continue
		}
		for i, x := range src[:n] {
			dst[at+i] = x
		}
		at += n
	}
	return dst
}

// appendFew appends src to dst, which has room: a few values without a call.
func appendFew[T int64 | float64](dst, src []T) []T {
	at := len(dst)
	dst = dst[:at+len(src)]
	if len(src) > 16 {
		copy(dst[at:], src)
		return dst
	}
	for i, x := range src {
		dst[at+i] = x
	}
	return dst
}

// eachPiece calls f for the rows [from, to) of chunk c that make up the ranges.
func eachPiece(ranges []rowRange, f func(c, from, to int)) {
	for _, r := range ranges {
		for left := int(r.n); left > 0; {
			c, at := int(r.row>>chunkBits), int(r.row&(chunkRows-1))
			k := min(left, chunkRows-at)
			f(c, at, at+k)
			r.row += uint32(k)
			left -= k
		}
	}
}
