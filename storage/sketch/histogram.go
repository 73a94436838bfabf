// Package sketch holds the mergeable aggregate states that the engine, the roll-ups and the segment merge share, so that
// there is one merge of each. It starts with the histogram, telemdb's own value type.
package sketch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Type codes of a histogram as pings send them ("histogram_type").
const (
	TypeExponential = 0
	TypeLinear      = 1 // enumerated ones too
	TypeBoolean     = 2
	TypeFlag        = 3
	TypeCount       = 4
	TypeCategorical = 5
)

// Bounds on what is accepted as a histogram (reliability.md 4.1, decode.max_buckets_per_histogram).
const maxBuckets = 4096

// Layout says which buckets a histogram has. Histograms of different layouts are never merged silently.
type Layout struct {
	Type    int32 // histogram_type
	Buckets int32 // bucket_count
	Low     int64 // range[0]
	High    int64 // range[1]
}

func (l Layout) String() string {
	return fmt.Sprintf("%d;%d;%d,%d", l.Buckets, l.Type, l.Low, l.High)
}

// Bucket is one listed bucket: its lower bound and its count, which may be zero (clients list the empty neighbours of
// the filled range, and a histogram gives back what it was given).
type Bucket struct{ Bound, Count int64 }

// Histogram is a histogram value. Buckets are in ascending order of Bound, without repeats; counts and sum are >= 0.
type Histogram struct {
	Layout  Layout
	Sum     int64
	Buckets []Bucket
}

// Errors of Decode and Merge.
var (
	ErrCorrupt = errors.New("histogram bytes are malformed")
	ErrLayout  = errors.New("histograms of different bucket layouts cannot be merged; group by hist_layout(h)")
	ErrRange   = errors.New("histogram count or sum is out of range")
)

// encodingV1 opens every encoded histogram.
const encodingV1 = 1

// AppendTo appends the binary form, the one that vectors of type histogram hold (FORMAT.md): version, then varints
// type, bucket count, low, high, sum, number of pairs, and for each pair the bound's distance from the one before and
// the count.
func (h *Histogram) AppendTo(dst []byte) []byte {
	dst = append(dst, encodingV1)
	dst = binary.AppendVarint(dst, int64(h.Layout.Type))
	dst = binary.AppendVarint(dst, int64(h.Layout.Buckets))
	dst = binary.AppendVarint(dst, h.Layout.Low)
	dst = binary.AppendVarint(dst, h.Layout.High)
	dst = binary.AppendUvarint(dst, uint64(h.Sum))
	dst = binary.AppendUvarint(dst, uint64(len(h.Buckets)))
	prev := int64(0)
	for _, b := range h.Buckets {
		dst = binary.AppendUvarint(dst, uint64(b.Bound-prev))
		dst = binary.AppendUvarint(dst, uint64(b.Count))
		prev = b.Bound
	}
	return dst
}

// Decode reads the binary form into h, reusing h.Buckets. It accepts exactly what AppendTo writes.
func (h *Histogram) Decode(src []byte) error {
	if len(src) == 0 || src[0] != encodingV1 {
		return ErrCorrupt
	}
	d := decoder{src: src[1:]}
	typ, n := d.varint(), d.varint()
	h.Layout.Low, h.Layout.High = d.varint(), d.varint()
	sum, pairs := d.uvarint(), d.uvarint()
	if d.bad || typ < math.MinInt32 || typ > math.MaxInt32 || n < 0 || n > math.MaxInt32 ||
		sum > math.MaxInt64 || pairs > uint64(len(d.src)) {
		return ErrCorrupt
	}
	h.Layout.Type, h.Layout.Buckets, h.Sum = int32(typ), int32(n), int64(sum)
	h.Buckets = h.Buckets[:0]
	rest, at, prev := d.src, 0, uint64(0)
	for i := range pairs {
		var step, count uint64
		if at+1 < len(rest) && rest[at]|rest[at+1] < 0x80 { // most steps and counts are small
			step, count = uint64(rest[at]), uint64(rest[at+1])
			at += 2
		} else {
			d.src = rest[at:]
			step, count = d.uvarint(), d.uvarint()
			at = len(rest) - len(d.src)
		}
		if d.bad || count > math.MaxInt64 || step > math.MaxInt64-prev || (i > 0 && step == 0) {
			return ErrCorrupt
		}
		prev += step
		h.Buckets = append(h.Buckets, Bucket{int64(prev), int64(count)})
	}
	if at != len(rest) {
		return ErrCorrupt
	}
	return nil
}

type decoder struct {
	src []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.src)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.src = d.src[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.src)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.src = d.src[n:]
	return v
}

// Count returns the number of samples: the sum of the bucket counts, saturating at the largest int64.
func (h *Histogram) Count() int64 {
	n := int64(0)
	for _, b := range h.Buckets {
		n = addClamped(n, b.Count)
	}
	return n
}

// Mean returns sum / samples; ok is false for an empty histogram.
func (h *Histogram) Mean() (mean float64, ok bool) {
	n := h.Count()
	if n == 0 {
		return 0, false
	}
	return float64(h.Sum) / float64(n), true
}

// Quantile returns the smallest listed bound whose cumulative share of the samples is at least q (0..1), as the
// reference SQL library does; ok is false for an empty histogram.
func (h *Histogram) Quantile(q float64) (bound int64, ok bool) {
	n := h.Count()
	if n == 0 || math.IsNaN(q) {
		return 0, false
	}
	cum := int64(0)
	for _, b := range h.Buckets {
		cum = addClamped(cum, b.Count)
		if b.Count > 0 && float64(cum)/float64(n) >= q {
			return b.Bound, true
		}
	}
	for i := len(h.Buckets) - 1; ; i-- {
		if h.Buckets[i].Count > 0 {
			return h.Buckets[i].Bound, true
		}
	}
}

// Merge adds o to h bucket by bucket. The operation is associative and commutative; counts and sums saturate at the
// largest int64. Histograms of different layouts give ErrLayout and leave h as it was.
func (h *Histogram) Merge(o *Histogram) error {
	if h.Layout != o.Layout {
		return ErrLayout
	}
	h.Sum = addClamped(h.Sum, o.Sum)
	rest := h.addKnown(o.Buckets)
	if len(rest) == 0 {
		return nil
	}
	merged := make([]Bucket, 0, len(h.Buckets)+len(rest))
	a, b := h.Buckets, rest
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Bound < b[0].Bound:
			merged, a = append(merged, a[0]), a[1:]
		case a[0].Bound > b[0].Bound:
			merged, b = append(merged, b[0]), b[1:]
		default:
			merged = append(merged, Bucket{a[0].Bound, addClamped(a[0].Count, b[0].Count)})
			a, b = a[1:], b[1:]
		}
	}
	h.Buckets = append(append(merged, a...), b...)
	return nil
}

// Subtract takes o, which is a part of h, away from it. Buckets that are left with nothing are removed; what o has beyond h
// counts for nothing. A count or sum that is saturated stays so. Histograms of different layouts give ErrLayout and leave
// h as it was.
func (h *Histogram) Subtract(o *Histogram) error {
	if h.Layout != o.Layout {
		return ErrLayout
	}
	h.Sum = subClamped(h.Sum, o.Sum)
	left, b := h.Buckets[:0], o.Buckets
	for _, x := range h.Buckets {
		for len(b) > 0 && b[0].Bound < x.Bound {
			b = b[1:]
		}
		if len(b) > 0 && b[0].Bound == x.Bound {
			x.Count = subClamped(x.Count, b[0].Count)
		}
		if x.Count > 0 {
			left = append(left, x)
		}
	}
	h.Buckets = left
	return nil
}

// subClamped subtracts non-negative numbers, down to nothing.
func subClamped(a, b int64) int64 {
	if a == math.MaxInt64 {
		return a
	}
	return max(0, a-b)
}

// addKnown adds the leading buckets of b whose bounds h has, in place, and returns the others: none, after a few merges,
// so that merging allocates nothing.
func (h *Histogram) addKnown(b []Bucket) []Bucket {
	i := 0
	for k := range b {
		for i < len(h.Buckets) && h.Buckets[i].Bound < b[k].Bound {
			i++
		}
		if i == len(h.Buckets) || h.Buckets[i].Bound != b[k].Bound {
			return b[k:]
		}
		h.Buckets[i].Count = addClamped(h.Buckets[i].Count, b[k].Count)
	}
	return nil
}

// addClamped adds two non-negative numbers, saturating.
func addClamped(a, b int64) int64 {
	if s := a + b; s >= 0 {
		return s
	}
	return math.MaxInt64
}

// Clone returns a copy that shares nothing with h.
func (h *Histogram) Clone() *Histogram {
	c := *h
	c.Buckets = slices.Clone(h.Buckets)
	return &c
}
