package shred

import (
	"bytes"
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
)

// The members of a histogram object. It must have the first five and no others; with some of the rest it is a histogram
// of an old client, which has no binary form and is kept as jsonb.
const (
	histBucketCount = iota
	histType
	histSum
	histRange
	histValues
	histLogSum
	histSumSquaresHi
	histSumSquaresLo
	histLogSumSquares
	histMembers

	histRequired = histValues + 1
)

var histKeys = [histMembers]string{`"bucket_count"`, `"histogram_type"`, `"sum"`, `"range"`, `"values"`,
	`"log_sum"`, `"sum_squares_hi"`, `"sum_squares_lo"`, `"log_sum_squares"`}

// mayBeHistogram reports whether the object whose first key is at p begins as a histogram does.
func mayBeHistogram(b []byte, p int) bool {
	if p+5 >= len(b) || b[p] != '"' {
		return false
	}
	switch b[p+1] {
	case 'b', 'h', 's', 'r', 'v', 'l':
	default:
		return false
	}
	for _, k := range histKeys {
		if len(b)-p >= len(k) && string(b[p:p+len(k)]) == k {
			return true
		}
	}
	return false
}

// histogram reads the object whose first key is at p as a histogram, if that form prints back the same jsonb: exactly
// the five members, all numbers canonical, none repeated. With the members of old clients it adds the jsonb text, which
// is quicker made from the histogram than from the general text. In all other cases it adds nothing, and the object is
// read again as any other: the attempt gives up at the first byte that does not fit, so that costs at most a second look.
func (s *Shredder) histogram(b []byte, p int, id uint32) (end int, ok bool) {
	seen := 0
	for i := range histMembers {
		k := s.histKey(b, p, i)
		if k < 0 || seen&(1<<k) != 0 {
			return 0, false
		}
		seen |= 1 << k
		p = skipSpace(b, p+len(histKeys[k]))
		if p >= len(b) || b[p] != ':' {
			return 0, false
		}
		if p, ok = s.histMember(b, skipSpace(b, p+1), k); !ok {
			return 0, false
		}
		if p = skipSpace(b, p); p >= len(b) {
			return 0, false
		}
		if b[p] == '}' {
			break
		}
		if b[p] != ',' {
			return 0, false
		}
		p = skipSpace(b, p+1)
	}
	const required = 1<<histRequired - 1
	if p >= len(b) || b[p] != '}' || seen&required != required {
		return 0, false
	}
	// As many as the general way counts: the members, the two ends of the range, the buckets.
	if s.tokens -= 2*bits.OnesCount(uint(seen)) + 2 + 2*len(s.hist.Buckets); s.tokens < 0 {
		return 0, false // the general way reports it
	}
	row := s.row
	off, leaf := len(row.Arena), types.LeafHistogram
	if seen == required {
		row.Arena = s.hist.AppendTo(row.Arena)
	} else {
		leaf = types.LeafJSON
		row.Arena = s.appendOldHistogram(row.Arena, b, seen)
	}
	row.Values = append(row.Values, column.RowValue{Path: id, Leaf: leaf, Num: uint64(off), Len: uint32(len(row.Arena) - off)})
	return p + 1, true
}

// histMember reads the value of member k at p.
func (s *Shredder) histMember(b []byte, p, k int) (end int, ok bool) {
	h := &s.hist
	var x int64
	switch k {
	case histBucketCount:
		x, end, ok = scanCount(b, p)
		h.Layout.Buckets = int32(x)
		return end, ok && x <= math.MaxInt32
	case histType:
		x, end, ok = scanCount(b, p)
		h.Layout.Type = int32(x)
		return end, ok && x <= math.MaxInt32
	case histSum:
		h.Sum, end, ok = scanCount(b, p)
		return end, ok
	case histRange:
		return s.histRange(b, p)
	case histValues:
		return s.histValues(b, p)
	}
	if p >= len(b) || b[p] != '-' && !isDigit(b[p]) {
		return 0, false
	}
	end, _, exponent, err := scanNumber(b, p)
	if err != nil || exponent || b[p] == '-' || end-p > 64 {
		return 0, false // jsonb may print it otherwise
	}
	s.histOld[k-histRequired] = [2]int{p, end}
	return end, true
}

// appendOldHistogram appends s.hist and the members of old clients as jsonb text.
func (s *Shredder) appendOldHistogram(dst, b []byte, seen int) []byte {
	add := func(dst []byte, k int) []byte {
		if seen&(1<<k) == 0 {
			return dst
		}
		at := s.histOld[k-histRequired]
		dst = append(append(append(dst, ", "...), histKeys[k]...), ": "...)
		return append(dst, b[at[0]:at[1]]...)
	}
	s.scratch = s.hist.AppendJSON(s.scratch[:0])
	cut := bytes.LastIndex(s.scratch, []byte(`, "bucket_count": `))
	dst = add(append(dst, s.scratch[:cut]...), histLogSum)
	dst = append(dst, s.scratch[cut:len(s.scratch)-1]...)
	for k := histSumSquaresHi; k < histMembers; k++ {
		dst = add(dst, k)
	}
	return append(dst, '}')
}

// histKey returns which member's key is at p, expecting the one that was the i-th last time; -1 for none.
func (s *Shredder) histKey(b []byte, p, i int) int {
	for j := i; j < histMembers; j++ {
		k := s.order[j]
		if lit := histKeys[k]; len(b)-p >= len(lit) && string(b[p:p+len(lit)]) == lit {
			s.order[i], s.order[j] = k, s.order[i]
			return int(k)
		}
	}
	return -1
}

// scanCount reads a canonical whole number of at most math.MaxInt64.
func scanCount(b []byte, p int) (x int64, end int, ok bool) {
	from := p
	v := uint64(0)
	for p < len(b) {
		d := b[p] - '0'
		if d > 9 {
			break
		}
		v = v*10 + uint64(d)
		p++
	}
	n := p - from
	if n == 0 || n > 19 || n > 1 && b[from] == '0' || v > math.MaxInt64 {
		return 0, 0, false
	}
	return int64(v), p, true
}

func (s *Shredder) histRange(b []byte, p int) (int, bool) {
	if p >= len(b) || b[p] != '[' {
		return 0, false
	}
	low, p, ok := scanSigned(b, skipSpace(b, p+1))
	if !ok {
		return 0, false
	}
	if p = skipSpace(b, p); p >= len(b) || b[p] != ',' {
		return 0, false
	}
	high, p, ok := scanSigned(b, skipSpace(b, p+1))
	if !ok {
		return 0, false
	}
	if p = skipSpace(b, p); p >= len(b) || b[p] != ']' {
		return 0, false
	}
	s.hist.Layout.Low, s.hist.Layout.High = low, high
	return p + 1, true
}

func scanSigned(b []byte, p int) (x int64, end int, ok bool) {
	if p < len(b) && b[p] == '-' {
		x, end, ok = scanCount(b, p+1)
		return -x, end, ok && x != 0
	}
	return scanCount(b, p)
}

// histValues reads the object of bound and count pairs at p.
func (s *Shredder) histValues(b []byte, p int) (int, bool) {
	if p >= len(b) || b[p] != '{' {
		return 0, false
	}
	buckets := s.hist.Buckets[:0]
	sorted, prev := true, int64(-1)
	if p = skipSpace(b, p+1); p < len(b) && b[p] == '}' {
		s.hist.Buckets = buckets
		return p + 1, true
	}
	for {
		if p >= len(b) || b[p] != '"' {
			return 0, false
		}
		bound, q, ok := scanCount(b, p+1)
		if !ok || q+1 >= len(b) || b[q] != '"' {
			return 0, false
		}
		if q++; b[q] != ':' {
			if q = skipSpace(b, q); q >= len(b) || b[q] != ':' {
				return 0, false
			}
		}
		if q++; q < len(b) && b[q] <= ' ' {
			q = skipSpace(b, q)
		}
		count, q, ok := scanCount(b, q)
		if !ok || len(buckets) == bucketsMax {
			return 0, false
		}
		sorted = sorted && bound > prev
		prev = bound
		buckets = append(buckets, sketch.Bucket{Bound: bound, Count: count})
		if q < len(b) && b[q] <= ' ' {
			q = skipSpace(b, q)
		}
		if q >= len(b) {
			return 0, false
		}
		p = q + 1
		if b[q] == '}' {
			break
		}
		if b[q] != ',' {
			return 0, false
		}
		if p < len(b) && b[p] <= ' ' {
			p = skipSpace(b, p)
		}
	}
	s.hist.Buckets = buckets
	return p, sorted || s.sortBuckets()
}

// sortBuckets orders s.hist.Buckets by bound; false if one is repeated. JSON texts often list them in the order of their
// decimal text, in which those of one length are in order already: merging by length leaves little to sort.
func (s *Shredder) sortBuckets() bool {
	b := s.hist.Buckets
	if len(b) > insertionMax {
		b = s.bucketsByLength(b)
	}
	for i := 1; i < len(b); i++ {
		if b[i].Bound > b[i-1].Bound {
			continue
		}
		x, j := b[i], i
		if i > insertionMax && j > insertionMax && b[j-insertionMax].Bound > x.Bound {
			slices.SortFunc(b, func(x, y sketch.Bucket) int { return cmp.Compare(x.Bound, y.Bound) })
			break
		}
		for j > 0 && b[j-1].Bound > x.Bound {
			b[j] = b[j-1]
			j--
		}
		b[j] = x
	}
	for i := 1; i < len(b); i++ {
		if b[i].Bound == b[i-1].Bound {
			return false
		}
	}
	return true
}

// bucketsByLength brings buckets into the order of the number of digits of their bounds, keeping the order of equals.
func (s *Shredder) bucketsByLength(b []sketch.Bucket) []sketch.Bucket {
	var from [digitsMax + 2]int
	for i := range b {
		from[digitsOf(b[i].Bound)+1]++
	}
	for i := 1; i < len(from); i++ {
		from[i] += from[i-1]
	}
	s.buckets = slices.Grow(s.buckets[:0], len(b))[:len(b)]
	for i := range b {
		d := digitsOf(b[i].Bound)
		s.buckets[from[d]] = b[i]
		from[d]++
	}
	s.buckets, s.hist.Buckets = b, s.buckets
	return s.hist.Buckets
}

const digitsMax = 19

var powersOf10 = func() (p [digitsMax + 1]int64) {
	p[0] = 1
	for i := 1; i < digitsMax; i++ {
		p[i] = p[i-1] * 10
	}
	p[digitsMax] = math.MaxInt64
	return p
}()

// digitsOf returns the number of decimal digits of a non-negative number.
func digitsOf(x int64) int {
	d := (bits.Len64(uint64(x)|1) * 1233) >> 12 // log10(2) as a fraction: the number of digits, or one less
	if x >= powersOf10[d] {
		d++
	}
	return max(d, 1)
}
