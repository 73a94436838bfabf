package rollups

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/storage/sketch"
)

// Layouts of values that are numbers in the ping and distributions here (rollups.md 1.3), and their places in layouts.
var (
	countLayout  = sketch.Layout{Type: sketch.TypeExponential, Buckets: 100, Low: 1, High: 10000} // COUNT and SCALARS
	simpleLayout = sketch.Layout{Type: sketch.TypeExponential, Buckets: 50, Low: 1, High: 30000}  // SIMPLE_MEASURES

	sampleBounds = [...][]int64{countLayoutID: countLayout.Bounds(), simpleLayoutID: simpleLayout.Bounds()}
)

const (
	countLayoutID  = 0
	simpleLayoutID = 1
)

func layoutIDOf(k probeKind) int32 {
	if k == probeSimple {
		return simpleLayoutID
	}
	return countLayoutID
}

// layouts numbers the layouts of one Build.
type layouts struct {
	ids  map[sketch.Layout]int32
	list []sketch.Layout
	text []string
	last int32
}

func (ls *layouts) of(l sketch.Layout) int32 {
	if len(ls.list) > 0 && ls.list[ls.last] == l {
		return ls.last
	}
	id, ok := ls.ids[l]
	if !ok {
		if ls.ids == nil {
			ls.ids = map[sketch.Layout]int32{}
		}
		id = int32(len(ls.list))
		ls.ids[l] = id
		ls.list, ls.text = append(ls.list, l), append(ls.text, l.String())
	}
	ls.last = id
	return id
}

// contribution is what one place of one ping adds to the state of (label, tuple, layout).
type contribution struct {
	label    string
	tuple    int32
	layout   int32
	from, to int32 // its buckets: ascending, none empty
	sum      int64
	fraction float64 // what a fractional number leaves over
}

// contributions are those of one (metric, process).
type contributions struct {
	list     []contribution
	buckets  []sketch.Bucket
	unsorted bool
}

func (cs *contributions) reset() {
	cs.list, cs.buckets, cs.unsorted = cs.list[:0], cs.buckets[:0], false
}

// mark and rollBack take back what was added in between.
func (cs *contributions) mark() (list, buckets int) { return len(cs.list), len(cs.buckets) }

func (cs *contributions) rollBack(list, buckets int) {
	cs.list, cs.buckets = cs.list[:list], cs.buckets[:buckets]
}

// add appends a contribution whose buckets are those behind from.
func (cs *contributions) add(label string, tuple, layout int32, from int, sum int64, fraction float64) {
	if n := len(cs.list); n > 0 && !cs.unsorted {
		last := &cs.list[n-1]
		cs.unsorted = last.tuple > tuple || last.layout != layout || last.label != label
	}
	cs.list = append(cs.list, contribution{label, tuple, layout, int32(from), int32(len(cs.buckets)), sum, fraction})
}

func (cs *contributions) addHistogram(label string, tuple, layout int32, h *sketch.Histogram) {
	from := len(cs.buckets)
	for _, b := range h.Buckets {
		if b.Count != 0 {
			cs.buckets = append(cs.buckets, b)
		}
	}
	cs.add(label, tuple, layout, from, h.Sum, 0)
}

func (cs *contributions) addSample(label string, tuple, layout int32, whole int64, fraction float64) {
	bounds := sampleBounds[layout]
	from := len(cs.buckets)
	cs.buckets = append(cs.buckets, sketch.Bucket{Bound: bounds[sketch.BucketOf(bounds, whole)], Count: 1})
	cs.add(label, tuple, layout, from, whole, fraction)
}

// sort brings the contributions into the order of their keys. Those of equal keys come in any order: adding them up is
// exact.
func (cs *contributions) sort(ls *layouts) {
	if !cs.unsorted {
		return
	}
	slices.SortFunc(cs.list, func(a, b contribution) int {
		if a.label != b.label {
			return strings.Compare(a.label, b.label)
		}
		if c := cmp.Compare(a.tuple, b.tuple); c != 0 || a.layout == b.layout {
			return c
		}
		return cmp.Compare(ls.text[a.layout], ls.text[b.layout])
	})
}

func (c *contribution) sameKey(o *contribution) bool {
	return c.tuple == o.tuple && c.layout == o.layout && c.label == o.label
}

// fractionUnit is the resolution of fractions. Being a power of two it makes their sums exact, so that they do not depend
// on the order in which states are merged.
const fractionUnit = 1.0 / (1 << 30)

// split returns the whole part of v, which is >= 0 and an int64, and the rest.
func split(v float64) (whole int64, fraction float64) {
	w, f := math.Modf(v)
	return int64(w), math.RoundToEven(f/fractionUnit) * fractionUnit
}

// clampedAdd adds non-negative numbers, saturating at the int64 limit as the reference does (rollups.md 1.6).
func clampedAdd(a, b int64) int64 {
	if s := a + b; s >= 0 {
		return s
	}
	return math.MaxInt64
}

// addBuckets appends the sum of two ascending lists of buckets to dst.
func addBuckets(dst, a, b []sketch.Bucket) []sketch.Bucket {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Bound < b[0].Bound:
			dst, a = append(dst, a[0]), a[1:]
		case a[0].Bound > b[0].Bound:
			dst, b = append(dst, b[0]), b[1:]
		default:
			dst = append(dst, sketch.Bucket{Bound: a[0].Bound, Count: clampedAdd(a[0].Count, b[0].Count)})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(dst, a...), b...)
}
