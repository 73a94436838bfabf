package rollups

import (
	"cmp"
	"math"
	"slices"

	"github.com/telemdb/telemdb/storage/sketch"
)

// Layouts of values that are numbers in the ping and distributions here (rollups.md 1.3).
var (
	countLayout  = sketch.Layout{Type: sketch.TypeExponential, Buckets: 100, Low: 1, High: 10000} // COUNT and SCALARS
	simpleLayout = sketch.Layout{Type: sketch.TypeExponential, Buckets: 50, Low: 1, High: 30000}  // SIMPLE_MEASURES
)

// cell is the state of one key: (metric, process, label, tuple, layout).
type cell struct {
	tuple    int32
	count    int64   // contributions
	sum      int64   // whole part, saturating
	fraction float64 // what fractional scalars leave over
	counts   []int64 // by index into the layout's bounds
}

// cells accumulates one label of one metric. Histograms of different layouts never mix.
type cells struct {
	layouts []*layoutCells
}

// layoutCells holds the cells of one layout, found by tuple. bounds begins with the layout's computed bounds in order;
// bounds that a client sent beside them are appended as they come, so that an index, once given, stays.
type layoutCells struct {
	layout   sketch.Layout
	bounds   []int64
	computed int
	byTuple  []int32 // tuple → index into cells plus 1
	cells    []cell
}

func (cs *cells) of(l sketch.Layout, tuples int) *layoutCells {
	for _, lc := range cs.layouts {
		if lc.layout == l {
			return lc
		}
	}
	lc := &layoutCells{layout: l, bounds: slices.Clone(l.Bounds()), byTuple: make([]int32, tuples)}
	lc.computed = len(lc.bounds)
	cs.layouts = append(cs.layouts, lc)
	return lc
}

func (lc *layoutCells) cell(tuple int32) *cell {
	if i := lc.byTuple[tuple]; i > 0 {
		return &lc.cells[i-1]
	}
	lc.cells = append(lc.cells, cell{tuple: tuple})
	lc.byTuple[tuple] = int32(len(lc.cells))
	return &lc.cells[len(lc.cells)-1]
}

// index returns the place of bound, trying next first: listed buckets come in ascending order and mostly are neighbours.
func (lc *layoutCells) index(bound int64, next int) int {
	if next < len(lc.bounds) && lc.bounds[next] == bound {
		return next
	}
	if i, ok := slices.BinarySearch(lc.bounds[:lc.computed], bound); ok {
		return i
	}
	for i := lc.computed; i < len(lc.bounds); i++ {
		if lc.bounds[i] == bound {
			return i
		}
	}
	lc.bounds = append(lc.bounds, bound)
	return len(lc.bounds) - 1
}

// addHistogram adds one accepted histogram as one contribution.
func (cs *cells) addHistogram(tuple int32, tuples int, h *sketch.Histogram) {
	lc := cs.of(h.Layout, tuples)
	c := lc.cell(tuple)
	c.count++
	c.sum = clampedAdd(c.sum, h.Sum)
	next := 0
	for _, b := range h.Buckets {
		i := lc.index(b.Bound, next)
		next = i + 1
		if b.Count == 0 {
			continue
		}
		if i >= len(c.counts) {
			c.counts = append(c.counts, make([]int64, i+1-len(c.counts))...)
		}
		c.counts[i] = clampedAdd(c.counts[i], b.Count)
	}
}

// addNumber adds one number as one sample of a distribution. Negative numbers and NaN are left out entirely.
func (cs *cells) addNumber(tuple int32, tuples int, l sketch.Layout, v float64) {
	if !(v >= 0) {
		return
	}
	whole, fraction := math.Modf(v)
	n := int64(math.MaxInt64)
	if whole < math.MaxInt64 {
		n = int64(whole)
	} else {
		fraction = 0
	}
	cs.addSample(tuple, tuples, l, n, fraction)
}

// addInt is addNumber for a whole number, exactly.
func (cs *cells) addInt(tuple int32, tuples int, l sketch.Layout, v int64) {
	if v >= 0 {
		cs.addSample(tuple, tuples, l, v, 0)
	}
}

func (cs *cells) addSample(tuple int32, tuples int, l sketch.Layout, whole int64, fraction float64) {
	lc := cs.of(l, tuples)
	c := lc.cell(tuple)
	i := sketch.BucketOf(lc.bounds[:lc.computed], whole)
	c.count++
	c.sum = clampedAdd(c.sum, whole)
	c.fraction += fraction
	if i >= len(c.counts) {
		c.counts = append(c.counts, make([]int64, i+1-len(c.counts))...)
	}
	c.counts[i]++
}

// clampedAdd adds non-negative numbers, saturating at the int64 limit as the reference does (rollups.md 1.6).
func clampedAdd(a, b int64) int64 {
	if s := a + b; s >= 0 {
		return s
	}
	return math.MaxInt64
}

// histogram returns the cell's buckets without the empty ones: the one form a state has, however it came about.
func (lc *layoutCells) histogram(c *cell, h *sketch.Histogram) {
	h.Layout, h.Sum, h.Buckets = lc.layout, c.sum, h.Buckets[:0]
	for i, n := range c.counts {
		if n != 0 {
			h.Buckets = append(h.Buckets, sketch.Bucket{Bound: lc.bounds[i], Count: n})
		}
	}
	if len(lc.bounds) > lc.computed {
		slices.SortFunc(h.Buckets, func(a, b sketch.Bucket) int { return cmp.Compare(a.Bound, b.Bound) })
	}
}

// sorted returns the cells in key order: tuple, then layout.
func (cs *cells) sorted() []cellRef {
	slices.SortFunc(cs.layouts, func(a, b *layoutCells) int { return cmp.Compare(a.layout.String(), b.layout.String()) })
	var out []cellRef
	for _, lc := range cs.layouts {
		for i := range lc.cells {
			out = append(out, cellRef{lc, &lc.cells[i]})
		}
	}
	slices.SortStableFunc(out, func(a, b cellRef) int { return cmp.Compare(a.cell.tuple, b.cell.tuple) })
	return out
}

type cellRef struct {
	lc   *layoutCells
	cell *cell
}
