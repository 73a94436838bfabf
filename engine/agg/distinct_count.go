package agg

import (
	"math/rand/v2"

	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// intDistinctCount is count(DISTINCT x) of the integer class: a set of (group, value), and how many of each group are in it.
type intDistinctCount struct {
	counts []int64
	set    pairSet
	buf    vec.Bitmap
	flat   []int64
	dense  dense[int64]
	sealed *groupedWords // the set by group; nil: something was added since
}

// countsIntegers reports whether a DISTINCT call is one that intDistinctCount answers.
func countsIntegers(name string, ts []types.Type) bool {
	return name == "count" && len(ts) == 1 && ts[0].Phys() == types.PhysInt64
}

func (s *intDistinctCount) Grow(n int) { s.counts = grown(s.counts, n) }

func (s *intDistinctCount) Add(in *Input) error {
	v := in.Args[0]
	sel := in.present(v, &s.buf)
	if count(sel, in.N) == 0 {
		return nil
	}
	s.sealed = nil
	if in.Groups == nil && v.Form == vec.Const {
		s.set.add(v.I64[:1], nil, in.One, s.counts)
		return nil
	}
	xs, groups := s.dense.rows(ints(v, in.N, &s.flat), in, sel)
	s.set.add(xs, groups, in.One, s.counts)
	return nil
}

func (s *intDistinctCount) Merge(o State, from, to []uint32) error {
	p := o.(*intDistinctCount)
	s.sealed = nil
	if from != nil {
		p.seal()
		for k, g := range from {
			s.set.add(p.sealed.of(int(g)), nil, to[k], s.counts)
		}
		return nil
	}
	return p.set.batches(func(words []int64, groups []uint32) error {
		for i, g := range groups {
			groups[i] = to[g]
		}
		s.set.add(words, groups, 0, s.counts)
		return nil
	})
}

func (s *intDistinctCount) seal() {
	if s.sealed != nil {
		return
	}
	x := &groupedWords{words: make([]int64, 0, s.set.n), groups: make([]uint32, 0, s.set.n)}
	for _, p := range s.set.slots {
		if p.mark != 0 {
			x.words, x.groups = append(x.words, p.word), append(x.groups, uint32(p.mark-1))
		}
	}
	x.index(len(s.counts))
	s.sealed = x
}

func (s *intDistinctCount) Result(from, to int, out *vec.Vector) error {
	for _, x := range s.counts[from:to] {
		out.AppendInt(x)
	}
	return nil
}

func (s *intDistinctCount) Bytes() int64 {
	n := int64(cap(s.counts))*8 + int64(cap(s.set.slots))*16
	if s.sealed != nil {
		n += s.sealed.bytes()
	}
	return n
}

// pairSet is a set of pairs of a group and a word, with open addressing.
type pairSet struct {
	slots []pair // a power of two of them, or none
	n     int
	seed  uint64
	keys  []uint64
}

// pair is a slot. Its mark is the group plus 1, or 0 if it is free.
type pair struct {
	word int64
	mark uint64
}

// groupStep tells the groups apart in what is hashed; it is odd, so that no two of them are the same.
const groupStep = 0x9e3779b97f4a7c15

// key is what is hashed of a pair. It depends on a seed, so that nobody can choose values which collide.
func (s *pairSet) key(w int64, g uint32) uint64 { return uint64(w)*s.seed + uint64(g)*groupStep }

// add adds the words with their groups (nil: all are of group one) and counts, by group, those that were not there.
func (s *pairSet) add(words []int64, groups []uint32, one uint32, counts []int64) {
	for len(words) > vec.BatchRows {
		k := vec.BatchRows
		if groups == nil {
			s.add(words[:k], nil, one, counts)
		} else {
			s.add(words[:k], groups[:k], one, counts)
			groups = groups[k:]
		}
		words = words[k:]
	}
	s.reserve(len(words))
	s.keys = grown(s.keys[:0], len(words))
	keys := s.keys
	if groups == nil {
		for i, w := range words {
			keys[i] = s.key(w, one)
		}
		simd.HashU64(keys, keys)
		for i, w := range words {
			counts[one] += s.insert(keys[i], pair{w, uint64(one) + 1})
		}
		return
	}
	for i, w := range words {
		keys[i] = s.key(w, groups[i])
	}
	simd.HashU64(keys, keys)
	for i, w := range words {
		g := groups[i]
		counts[g] += s.insert(keys[i], pair{w, uint64(g) + 1})
	}
}

// insert adds a pair and returns 1, or 0 if it was there.
func (s *pairSet) insert(hash uint64, p pair) int64 {
	mask := uint64(len(s.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		q := &s.slots[at&uint64(len(s.slots)-1)]
		if *q == p {
			return 0
		}
		if q.mark == 0 {
			*q = p
			s.n++
			return 1
		}
	}
}

// reserve makes room for n more, at most half of the slots being taken. While they are few they become four times as many.
func (s *pairSet) reserve(n int) {
	if 2*(s.n+n) <= len(s.slots) {
		return
	}
	if s.seed == 0 {
		s.seed = rand.Uint64() | 1
	}
	// The room is for what is there and a batch of new ones: most rows repeat what is there.
	size := max(64, len(s.slots))
	for 2*(s.n+n) > size {
		size *= 2
	}
	if size < 1<<16 && len(s.slots) > 0 {
		size *= 2
	}
	old := s.slots
	s.slots, s.n = make([]pair, size), 0
	for _, p := range old {
		if p.mark != 0 {
			s.insert(simd.Hash(s.key(p.word, uint32(p.mark-1))), p)
		}
	}
}

// batches calls f with all pairs, a batch at a time. f may change what it is given.
func (s *pairSet) batches(f func(words []int64, groups []uint32) error) error {
	var words []int64
	var groups []uint32
	for _, p := range s.slots {
		if p.mark != 0 {
			words, groups = append(words, p.word), append(groups, uint32(p.mark-1))
		}
		if len(words) == vec.BatchRows {
			if err := f(words, groups); err != nil {
				return err
			}
			words, groups = words[:0], groups[:0]
		}
	}
	if len(words) == 0 {
		return nil
	}
	return f(words, groups)
}
