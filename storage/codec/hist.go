package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/vec"
)

// histLayout is an opened chunk of histograms: six integer streams over a table of the layouts that occur and, for each,
// the bounds that occur.
type histLayout struct {
	n       int
	beyond  bool // encHistBeyond: sums are stored as what they have beyond their buckets' least
	pairs   int
	layouts []sketch.Layout
	bounds  [][]int64
	layout  *ints // per histogram: index into layouts
	sums    *ints // per histogram; with beyond, less the sum of bound times count over its pairs, modulo 2^64
	counts  *ints // per histogram: listed pairs
	starts  *ints // per block of histograms: pairs before it
	firsts  *ints // per histogram: index of the first listed bound; 0 if none is listed
	steps   *ints // per pair: index minus that of the pair before it, minus 1; 0 for the first of a histogram
	samples *ints // per pair: the bucket's count
}

// maxPairs bounds what a chunk may claim; a histogram lists at most some thousand pairs.
const maxPairs = math.MaxInt32

func parseHist(c *cursor, n int, beyond bool) (*histLayout, error) {
	h := &histLayout{n: n, beyond: beyond}
	size := c.count(n)
	for range size {
		if err := h.parseLayout(c); err != nil {
			return nil, err
		}
	}
	h.pairs = c.count(maxPairs)
	if c.bad || size == 0 {
		return nil, corrupt("histogram layouts cut short")
	}
	for _, s := range []struct {
		to **ints
		n  int
	}{{&h.layout, n}, {&h.sums, n}, {&h.counts, n}, {&h.starts, blocksOf(n)}, {&h.firsts, n}, {&h.steps, h.pairs}, {&h.samples, h.pairs}} {
		var err error
		if *s.to, err = parseInts(c, s.n); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// parseLayout reads: type, buckets, low, high varint, number of bounds uvarint, and the bounds as distances uvarint.
func (h *histLayout) parseLayout(c *cursor) error {
	typ, buckets := c.varint(), c.varint()
	l := sketch.Layout{Type: int32(typ), Buckets: int32(buckets), Low: c.varint(), High: c.varint()}
	if c.bad || int64(l.Type) != typ || int64(l.Buckets) != buckets {
		return corrupt("histogram layout")
	}
	bounds := make([]int64, c.count(c.left()))
	prev := int64(0)
	for i := range bounds {
		d := c.uvarint()
		if d > uint64(math.MaxInt64-prev) || (i > 0 && d == 0) {
			return corrupt("bounds of histogram layout %v", l)
		}
		prev += int64(d)
		bounds[i] = prev
	}
	h.layouts = append(h.layouts, l)
	h.bounds = append(h.bounds, bounds)
	return nil
}

// read appends histograms [a, b) in their binary form to dst.
func (h *histLayout) read(data []byte, a, b int, dst *vec.Vector) error {
	r := histReaders.Get().(*histReader)
	defer r.put()
	r.h, r.data = h, data
	if err := r.open(a, b); err != nil {
		return err
	}
	dst.Data = dst.Data[:0]
	for i := range b - a {
		if err := r.next(i); err != nil {
			return err
		}
		dst.Data = r.value.AppendTo(dst.Data)
		if len(dst.Data) > MaxChunkBytes {
			return corrupt("histograms of more than %d bytes", MaxChunkBytes)
		}
		dst.Off[i+1] = uint32(len(dst.Data))
	}
	return nil
}

// histReader walks over histograms of one block; pairs are unpacked blockValues at a time.
type histReader struct {
	h      *histLayout
	data   []byte
	layout [blockValues]int64
	sums   [blockValues]int64
	counts [blockValues]int64
	firsts [blockValues]int64
	pair   int // next pair to take
	loaded int // pairs [loaded, loaded+len) are in steps and samples
	have   int
	steps  [blockValues]int64
	sample [blockValues]int64
	value  sketch.Histogram
}

var histReaders = sync.Pool{New: func() any { return new(histReader) }}

// put gives r back, without references to the chunk.
func (r *histReader) put() {
	r.h, r.data, r.loaded, r.have = nil, nil, 0, 0
	histReaders.Put(r)
}

func (r *histReader) open(a, b int) error {
	h := r.h
	for _, s := range []struct {
		from *ints
		to   []int64
	}{{h.layout, r.layout[:]}, {h.sums, r.sums[:]}, {h.counts, r.counts[:]}, {h.firsts, r.firsts[:]}} {
		if err := s.from.read(r.data, a, b, s.to); err != nil {
			return err
		}
	}
	block := a / blockValues
	var start [1]int64
	if err := h.starts.read(r.data, block, block+1, start[:]); err != nil {
		return err
	}
	skip, err := h.counts.sumRange(r.data, block*blockValues, a)
	if err != nil {
		return err
	}
	if start[0] < 0 || start[0] > int64(h.pairs) || skip > uint64(h.pairs)-uint64(start[0]) {
		return corrupt("histogram pairs begin at %d+%d of %d", start[0], skip, h.pairs)
	}
	r.pair = int(start[0]) + int(skip)
	return nil
}

// next decodes histogram i of the range into r.value.
func (r *histReader) next(i int) error {
	l := r.layout[i]
	if l < 0 || l >= int64(len(r.h.layouts)) {
		return corrupt("histogram layout %d of %d", l, len(r.h.layouts))
	}
	n := r.counts[i]
	bounds := r.h.bounds[l]
	if n < 0 || n > int64(len(bounds)) || n > int64(r.h.pairs-r.pair) {
		return corrupt("histogram of %d pairs", n)
	}
	r.value.Layout = r.h.layouts[l]
	r.value.Buckets = r.value.Buckets[:0]
	at, least := uint64(r.firsts[i]), int64(0)
	for k := range n {
		step, count, err := r.take()
		if err != nil {
			return err
		}
		if k > 0 {
			at += step + 1
		}
		if at >= uint64(len(bounds)) || step >= uint64(len(bounds)) || count < 0 {
			return corrupt("bucket %d of %d, count %d", at, len(bounds), count)
		}
		r.value.Buckets = append(r.value.Buckets, sketch.Bucket{Bound: bounds[at], Count: count})
		least += bounds[at] * count
	}
	r.value.Sum = r.sums[i]
	if r.h.beyond {
		r.value.Sum += least
	}
	if r.value.Sum < 0 {
		return corrupt("histogram with sum %d", r.value.Sum)
	}
	return nil
}

// take returns the next pair; the caller has checked that there is one.
func (r *histReader) take() (step uint64, count int64, err error) {
	if err := r.loadPairs(); err != nil {
		return 0, 0, err
	}
	k := r.pair - r.loaded
	r.pair++
	return uint64(r.steps[k]), r.sample[k], nil
}

// loadPairs unpacks pairs from the next one on, unless it is there already.
func (r *histReader) loadPairs() error {
	if r.pair >= r.loaded && r.pair < r.loaded+r.have {
		return nil
	}
	end := min(r.h.pairs, (r.pair/blockValues+1)*blockValues)
	if err := r.h.steps.read(r.data, r.pair, end, r.steps[:]); err != nil {
		return err
	}
	if err := r.h.samples.read(r.data, r.pair, end, r.sample[:]); err != nil {
		return err
	}
	r.loaded, r.have = r.pair, end-r.pair
	return nil
}

// histWriter takes histograms apart. Its memory is reused.
type histWriter struct {
	layouts []histBounds
	index   map[sketch.Layout]int
	last    int // the layout found last
	// What the streams will hold; sums as encHistBeyond has them. steps has the bounds themselves until all are known.
	layout, sums, counts, starts, firsts, steps, samples []int64
	value                                                sketch.Histogram
	check                                                []byte
}

// histBounds is a layout and those of its bounds that occur, ascending.
type histBounds struct {
	layout sketch.Layout
	bounds []int64
}

// append writes the chunk body of encHistBeyond; ok is false if a value is no histogram in its canonical form, or the layouts
// do not repeat, so that taking them apart gains nothing.
func (w *histWriter) append(dst []byte, v *vec.Vector, iw *intsWriter) (out []byte, ok bool) {
	if !w.collect(v) || 2*len(w.layouts) > v.N+1 {
		return dst, false
	}
	w.indexBounds()
	return w.write(dst, iw), true
}

// collect takes every value apart, finds the layouts and their bounds, and checks that every value prints back.
func (w *histWriter) collect(v *vec.Vector) bool {
	w.begin()
	for i := range v.N {
		raw := v.Bytes(i)
		h := &w.value
		if h.Decode(raw) != nil || len(w.steps) > maxPairs-len(h.Buckets) {
			return false
		}
		if w.check = h.AppendTo(w.check[:0]); !bytes.Equal(w.check, raw) {
			return false
		}
		if i%blockValues == 0 {
			w.starts = append(w.starts, int64(len(w.steps)))
		}
		at := w.layoutOf(h.Layout)
		w.layouts[at].add(h.Buckets)
		w.layout = append(w.layout, int64(at))
		w.counts = append(w.counts, int64(len(h.Buckets)))
		least := int64(0)
		for _, b := range h.Buckets {
			w.steps = append(w.steps, b.Bound)
			w.samples = append(w.samples, b.Count)
			least += b.Bound * b.Count
		}
		w.sums = append(w.sums, h.Sum-least)
	}
	return true
}

// begin forgets the last chunk.
func (w *histWriter) begin() {
	w.layouts = w.layouts[:0]
	if w.index == nil {
		w.index = make(map[sketch.Layout]int)
	}
	clear(w.index)
	w.last = 0
	for _, part := range []*[]int64{&w.layout, &w.sums, &w.counts, &w.starts, &w.firsts, &w.steps, &w.samples} {
		*part = (*part)[:0]
	}
}

// indexBounds replaces the bounds in steps by their distances in the layout's list, and fills firsts.
func (w *histWriter) indexBounds() {
	rest := w.steps
	for i, n := range w.counts {
		b := &w.layouts[w.layout[i]]
		first, prev := 0, -1
		for k, bound := range rest[:n] {
			at, _ := b.find(bound, prev+1)
			if k == 0 {
				first, prev = at, at-1
			}
			rest[k] = int64(at - prev - 1)
			prev = at
		}
		w.firsts = append(w.firsts, int64(first))
		rest = rest[n:]
	}
}

// layoutOf returns the index of a layout, adding it if it is new. A column has one layout, nearly always.
func (w *histWriter) layoutOf(l sketch.Layout) int {
	if len(w.layouts) > 0 && w.layouts[w.last].layout == l {
		return w.last
	}
	at, known := w.index[l]
	if !known {
		at = len(w.layouts)
		w.index[l] = at
		w.layouts = append(w.layouts, histBounds{layout: l})
	}
	w.last = at
	return at
}

// find returns the index of a bound, or where it belongs. Listed buckets are mostly neighbours, so the one behind the
// last is tried before the search.
func (b *histBounds) find(bound int64, guess int) (at int, ok bool) {
	if guess < len(b.bounds) && b.bounds[guess] == bound {
		return guess, true
	}
	return slices.BinarySearch(b.bounds, bound)
}

func (b *histBounds) add(buckets []sketch.Bucket) {
	guess := 0
	for _, k := range buckets {
		at, ok := b.find(k.Bound, guess)
		if !ok {
			b.bounds = slices.Insert(b.bounds, at, k.Bound)
		}
		guess = at + 1
	}
}

func (b *histBounds) append(dst []byte) []byte {
	dst = binary.AppendVarint(dst, int64(b.layout.Type))
	dst = binary.AppendVarint(dst, int64(b.layout.Buckets))
	dst = binary.AppendVarint(dst, b.layout.Low)
	dst = binary.AppendVarint(dst, b.layout.High)
	dst = binary.AppendUvarint(dst, uint64(len(b.bounds)))
	prev := int64(0)
	for _, x := range b.bounds {
		dst = binary.AppendUvarint(dst, uint64(x-prev))
		prev = x
	}
	return dst
}
