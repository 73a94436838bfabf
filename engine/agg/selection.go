package agg

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/telemdb/telemdb/storage/simd"
)

// selection finds the words at given positions of their order without sorting them all: words are counted by the highest bits
// in which they differ, those in the parts with wanted positions are selected from in the same way. Each level divides the
// range by the number of parts, so that the worst case is few passes. The words themselves stay as they are.
type selection struct {
	ranks []ranked // the wanted positions
	order []uint32 // their indices, by position
	parts []uint32
	heap  []int64 // words of the parts selected from
	zeros []int64 // of floats: the zeros in order of arrival, if there are negative ones
}

type ranked struct {
	at    int
	value int64
}

const (
	sortBelow = 192 // fewer words are sorted
	partBits  = 15
	manyRanks = 128 // more wanted positions: all is sorted
)

func (x *selection) reset() { x.ranks = x.ranks[:0] }

// want asks for the word at a position and returns the number by which value gives it.
func (x *selection) want(at int) int {
	x.ranks = append(x.ranks, ranked{at: at})
	return len(x.ranks) - 1
}

func (x *selection) value(k int) int64 { return x.ranks[k].value }

// find finds all that is wanted.
func (x *selection) find(s *rankedState, words []int64) {
	if len(x.ranks) == 0 {
		return
	}
	if s.desc {
		x.mirror(len(words))
	}
	x.order = x.order[:0]
	for k := range x.ranks {
		x.order = append(x.order, uint32(k))
	}
	slices.SortFunc(x.order, func(a, b uint32) int { return cmp.Compare(x.ranks[a].at, x.ranks[b].at) })
	x.heap = x.heap[:0]
	if len(x.ranks) > manyRanks {
		x.bySorting(x.sorted(words), x.order, 0)
	} else {
		x.among(words, x.order, 0)
	}
	if s.float {
		x.signZeros(words, s.desc)
	}
}

func (x *selection) mirror(n int) {
	for k := range x.ranks {
		x.ranks[k].at = n - 1 - x.ranks[k].at
	}
}

// signZeros gives zeros the sign that they have if equal values keep the order in which they came. The positions are those
// of the ascending order.
func (x *selection) signZeros(words []int64, desc bool) {
	some := false
	for k := range x.ranks {
		some = some || x.ranks[k].value == negativeZero || x.ranks[k].value == positiveZero
	}
	if !some {
		return
	}
	less := 0
	x.zeros = x.zeros[:0]
	for _, w := range words {
		switch {
		case w < negativeZero:
			less++
		case w <= positiveZero:
			x.zeros = append(x.zeros, w)
		}
	}
	if desc {
		slices.Reverse(x.zeros)
	}
	for k := range x.ranks {
		if r := &x.ranks[k]; r.value == negativeZero || r.value == positiveZero {
			r.value = x.zeros[r.at-less]
		}
	}
}

// among sets the values of the wanted ones listed in order, whose positions among words are their at less before.
func (x *selection) among(words []int64, order []uint32, before int) {
	if len(words) <= sortBelow {
		n := len(x.heap)
		x.heap = append(x.heap, words...)
		slices.Sort(x.heap[n:])
		x.bySorting(x.heap[n:], order, before)
		x.heap = x.heap[:n]
		return
	}
	least, most := simd.MinMaxI64(words)
	span := uint64(most) - uint64(least)
	shift := max(bits.Len64(span)-min(partBits, bits.Len(uint(len(words)))), 0)
	x.parts = grown(x.parts[:0], int(span>>shift)+1)
	parts := x.parts
	clear(parts)
	for _, w := range words {
		parts[(uint64(w)-uint64(least))>>shift&(1<<partBits-1)]++
	}
	if shift == 0 {
		x.exactly(parts, least, order, before)
		return
	}
	x.divide(words, parts, least, shift, order, before)
}

// exactly is among for parts of one value each.
func (x *selection) exactly(parts []uint32, least int64, order []uint32, before int) {
	end, p := before+int(parts[0]), 0
	for _, k := range order {
		r := &x.ranks[k]
		for r.at >= end {
			p++
			end += int(parts[p])
		}
		r.value = least + int64(p)
	}
}

// wantedPart is a part with wanted positions: a range of order, the words before it, and where its words lie in the heap.
type wantedPart struct {
	from, to int
	before   int
	at, end  int
}

func (x *selection) divide(words []int64, parts []uint32, least int64, shift int, order []uint32, before int) {
	start := len(x.heap)
	var wanted []wantedPart
	p, first, room := 0, before, 0
	for k := 0; k < len(order); {
		at := x.ranks[order[k]].at
		for at >= first+int(parts[p]) {
			first += int(parts[p])
			parts[p] = 0
			p++
		}
		n := int(parts[p])
		w := wantedPart{from: k, before: first, at: start + room}
		w.end = w.at
		for k < len(order) && x.ranks[order[k]].at < first+n {
			k++
		}
		w.to = k
		wanted = append(wanted, w)
		room += n
		first += n
		parts[p] = uint32(len(wanted)) // from now on the number of the wanted part
		p++
	}
	clear(parts[p:])
	x.heap = grown(x.heap, start+room)
	heap := x.heap
	for _, w := range words {
		if q := parts[(uint64(w)-uint64(least))>>shift&(1<<partBits-1)]; q != 0 {
			part := &wanted[q-1]
			heap[part.end] = w
			part.end++
		}
	}
	for _, w := range wanted {
		x.among(heap[w.at:w.end], order[w.from:w.to], w.before)
	}
	x.heap = x.heap[:start]
}

// bySorting is among for sorted words.
func (x *selection) bySorting(sorted []int64, order []uint32, before int) {
	for _, k := range order {
		x.ranks[k].value = sorted[x.ranks[k].at-before]
	}
}

// sorted returns a sorted copy of words, which is used up by the next call.
func (x *selection) sorted(words []int64) []int64 {
	x.heap = append(x.heap[:0], words...)
	slices.Sort(x.heap)
	return x.heap
}

func (x *selection) bytes() int64 {
	return int64(cap(x.heap))*8 + int64(cap(x.parts))*4 + int64(cap(x.zeros))*8 + int64(cap(x.ranks))*16
}
