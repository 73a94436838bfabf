package agg

import (
	"math/bits"

	"github.com/telemdb/telemdb/storage/vec"
)

// groupedWords is a list of words, each of a group, in order of arrival.
type groupedWords struct {
	words  []int64
	groups []uint32 // nil: all are of group one
	one    uint32
	starts []int // those of group g are words[starts[g]:starts[g+1]]; nil: they are not in the order of the groups
}

// add appends the words of the selected rows.
func (x *groupedWords) add(words []int64, sel vec.Bitmap, in *Input) {
	n := count(sel, in.N)
	if n == 0 {
		return
	}
	x.prepare(in.Groups == nil, in.One, n)
	x.words = pick(x.words, words[:in.N], sel)
	switch {
	case x.groups == nil:
	case in.Groups == nil:
		x.groups = repeat(x.groups, in.One, n)
	default:
		x.groups = pick(x.groups, in.Groups[:in.N], sel)
	}
}

// prepare makes room for n words, which are of one group or of any.
func (x *groupedWords) prepare(same bool, one uint32, n int) {
	x.starts = nil
	if len(x.words) == 0 && same && x.groups == nil {
		x.one = one
	}
	x.words = room(x.words, n)
	if x.groups == nil && !(same && one == x.one) {
		x.groups = repeat(room(make([]uint32, 0, len(x.words)), n), x.one, len(x.words))
	}
	if x.groups != nil {
		x.groups = room(x.groups, n)
	}
}

// room returns s with room for n more, doubling it if need be.
func room[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	t := make([]T, len(s), max(len(s)+n, 2*cap(s)))
	copy(t, s)
	return t
}

// pick appends the selected of src, for which there is room.
func pick[T any](dst, src []T, sel vec.Bitmap) []T {
	if sel == nil {
		return append(dst, src...)
	}
	for w, m := range sel {
		base := w << 6
		if m == ^uint64(0) {
			dst = append(dst, src[base:base+64]...)
			continue
		}
		for ; m != 0; m &= m - 1 {
			dst = append(dst, src[base+bits.TrailingZeros64(m)])
		}
	}
	return dst
}

func repeat(dst []uint32, g uint32, n int) []uint32 {
	for range n {
		dst = append(dst, g)
	}
	return dst
}

// merge appends the words of o, which has n groups, with other groups. If it takes all of them, o is not used afterwards.
func (x *groupedWords) merge(o *groupedWords, n int, from, to []uint32) {
	if from == nil {
		if len(o.words) == 0 {
			return
		}
		if o.groups == nil && len(x.words) == 0 && x.groups == nil {
			x.words, x.one = o.words, to[o.one]
			o.words = nil
			return
		}
		if o.groups == nil {
			x.addRun(o.words, to[o.one])
			return
		}
		x.prepare(false, 0, len(o.words))
		x.words = append(x.words, o.words...)
		for _, g := range o.groups {
			x.groups = append(x.groups, to[g])
		}
		return
	}
	o.index(n)
	for k, g := range from {
		x.addRun(o.of(int(g)), to[k])
	}
}

// addRun appends words of one group.
func (x *groupedWords) addRun(words []int64, g uint32) {
	if len(words) == 0 {
		return
	}
	x.prepare(true, g, len(words))
	x.words = append(x.words, words...)
	if x.groups != nil {
		x.groups = repeat(x.groups, g, len(words))
	}
}

// index puts the words in the order of the groups, of which there are n; those of a group stay in theirs.
func (x *groupedWords) index(n int) {
	if x.groups == nil {
		return
	}
	if len(x.starts) == n+1 {
		return
	}
	starts := make([]int, n+1)
	for _, g := range x.groups {
		starts[g+1]++
	}
	for g := range n {
		starts[g+1] += starts[g]
	}
	at := append([]int(nil), starts[:n]...)
	words := make([]int64, len(x.words))
	for i, g := range x.groups {
		words[at[g]] = x.words[i]
		at[g]++
	}
	x.groups = x.groups[:0]
	for g := range n {
		x.groups = repeat(x.groups, uint32(g), starts[g+1]-starts[g])
	}
	x.words, x.starts = words, starts
}

// of returns the words of a group in order of arrival. index has been called.
func (x *groupedWords) of(g int) []int64 {
	if x.groups != nil {
		return x.words[x.starts[g]:x.starts[g+1]]
	}
	if uint32(g) == x.one {
		return x.words
	}
	return nil
}

// batches calls f with all words and their groups (nil: group one), a batch at a time.
func (x *groupedWords) batches(f func(words []int64, groups []uint32) error) error {
	for from := 0; from < len(x.words); from += vec.BatchRows {
		to := min(from+vec.BatchRows, len(x.words))
		var groups []uint32
		if x.groups != nil {
			groups = x.groups[from:to]
		}
		if err := f(x.words[from:to], groups); err != nil {
			return err
		}
	}
	return nil
}

func (x *groupedWords) bytes() int64 {
	return int64(cap(x.words))*8 + int64(cap(x.groups))*4 + int64(cap(x.starts))*8
}
