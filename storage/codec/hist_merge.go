package codec

import (
	"encoding/binary"
	"slices"
)

// histMerger moves histograms from chunks to a chunk without putting them together in between.
type histMerger struct {
	feeds []*histFeed
	union []int64
}

// histFeed stands at a histogram of one source.
type histFeed struct {
	histReader
	block   int       // the one whose streams are loaded, -1 at first
	k       int       // the histogram in it at whose pairs the reader stands
	layouts []int64   // by the source's layout: the output's
	moves   [][]int64 // by the source's layout: index of a bound in the output; nil: the same
}

// mergeHist writes the chunk body of the histograms that mergePresence has listed.
func (e *Encoder) mergeHist(dst []byte, src []Source) (out []byte, size int64, ok bool, err error) {
	w := &e.hist
	w.begin()
	m := &e.merge.hist
	for i, s := range src {
		if i == len(m.feeds) {
			m.feeds = append(m.feeds, &histFeed{})
		}
		m.feeds[i].begin(s, w)
	}
	feeds := m.feeds[:len(src)]
	defer func() {
		for _, f := range feeds {
			f.h, f.data = nil, nil
		}
	}()
	if 2*len(w.layouts) > e.merge.values.Vec.N+1 {
		return dst, 0, false, nil
	}
	m.uniteBounds(w, feeds)
	if ok, err := w.takeAll(feeds, e.merge.from, e.merge.lists); !ok || err != nil {
		return dst, 0, false, err
	}
	size = int64(len(w.counts))*histHeadBytes + int64(len(w.steps))*histPairBytes
	return w.write(dst, &e.ints), size, true, nil
}

// What a histogram and a pair of one take when decoded, about.
const (
	histHeadBytes = 4 + 12
	histPairBytes = 3
)

// begin starts to read a source and makes its layouts known to the output.
func (f *histFeed) begin(s Source, w *histWriter) {
	f.h, f.data = s.Chunk.hist, s.Data
	f.loaded, f.have, f.block, f.k = 0, 0, -1, 0
	f.layouts, f.moves = f.layouts[:0], f.moves[:0]
	for _, l := range f.h.layouts {
		f.layouts = append(f.layouts, int64(w.layoutOf(l)))
		f.moves = append(f.moves, nil)
	}
}

// uniteBounds gives every layout of the output the bounds that its sources have, and tells the sources where they are.
func (m *histMerger) uniteBounds(w *histWriter, feeds []*histFeed) {
	for _, f := range feeds {
		for i, to := range f.layouts {
			b := &w.layouts[to]
			b.bounds, m.union = m.unite(b.bounds, f.h.bounds[i]), b.bounds[:0]
		}
	}
	for _, f := range feeds {
		for i, to := range f.layouts {
			if all := w.layouts[to].bounds; !slices.Equal(all, f.h.bounds[i]) {
				f.moves[i] = placesIn(all, f.h.bounds[i])
			}
		}
	}
}

// unite merges two ascending lists; a is given back where it has all of b.
func (m *histMerger) unite(a, b []int64) []int64 {
	out := m.union[:0]
	for len(a) > 0 && len(b) > 0 {
		x := min(a[0], b[0])
		if a[0] == x {
			a = a[1:]
		}
		if b[0] == x {
			b = b[1:]
		}
		out = append(out, x)
	}
	return append(append(out, a...), b...)
}

// placesIn returns where the elements of an ascending list are in one that has them all.
func placesIn(all, list []int64) []int64 {
	out := make([]int64, len(list))
	at := 0
	for i, x := range list {
		for all[at] != x {
			at++
		}
		out[i] = int64(at)
	}
	return out
}

// takeAll takes the listed histograms in the order of the output's rows. ok is false if there are too many pairs.
func (w *histWriter) takeAll(feeds []*histFeed, from []uint16, lists [][]uint32) (ok bool, err error) {
	next := make([]int, len(feeds))
	for _, s := range from {
		if s == 0 {
			continue
		}
		s--
		i := int(lists[s][next[s]] >> 16)
		next[s]++
		if len(w.counts)%blockValues == 0 {
			w.starts = append(w.starts, int64(len(w.steps)))
		}
		if err := feeds[s].seek(i); err != nil {
			return false, err
		}
		if err := feeds[s].give(w); err != nil {
			return false, err
		}
		if len(w.steps) > maxPairs {
			return false, nil
		}
	}
	return true, nil
}

// seek goes on to histogram i, which is not before the one it stands at.
func (f *histFeed) seek(i int) error {
	if b := i / blockValues; b != f.block {
		if err := f.open(b*blockValues, min(f.h.n, (b+1)*blockValues)); err != nil {
			return err
		}
		f.block, f.k = b, 0
	}
	for ; f.k < i%blockValues; f.k++ {
		n := f.counts[f.k]
		if n < 0 || n > int64(f.h.pairs-f.pair) {
			return corrupt("histogram of %d pairs", n)
		}
		f.pair += int(n)
	}
	return nil
}

// give appends the histogram to the output and goes on to the next one.
func (f *histFeed) give(w *histWriter) error {
	l, n, sum := f.layout[f.k], f.counts[f.k], f.sums[f.k]
	if l < 0 || l >= int64(len(f.layouts)) {
		return corrupt("histogram layout %d of %d", l, len(f.layouts))
	}
	bounds := f.h.bounds[l]
	if n < 0 || n > int64(len(bounds)) || n > int64(f.h.pairs-f.pair) || sum < 0 && !f.h.beyond {
		return corrupt("histogram of %d pairs, sum %d", n, sum)
	}
	at := len(w.steps)
	for left := int(n); left > 0; {
		if err := f.loadPairs(); err != nil {
			return err
		}
		k := f.pair - f.loaded
		m := min(left, f.have-k)
		w.steps = append(w.steps, f.steps[k:k+m]...)
		w.samples = append(w.samples, f.sample[k:k+m]...)
		f.pair += m
		left -= m
	}
	first, err := moveSteps(w.steps[at:], w.samples[at:], f.firsts[f.k], len(bounds), f.moves[l])
	if err != nil {
		return err
	}
	w.layout = append(w.layout, f.layouts[l])
	w.sums = append(w.sums, sum)
	w.counts = append(w.counts, n)
	w.firsts = append(w.firsts, first)
	f.k++
	return nil
}

// moveSteps checks one histogram's steps among so many bounds, and translates them to the bounds of the output.
func moveSteps(steps, samples []int64, first int64, bounds int, move []int64) (int64, error) {
	if len(steps) == 0 {
		return 0, nil
	}
	bad, at := first|steps[0], first
	for i, c := range samples {
		bad |= c | steps[i]
		at += steps[i] + 1
	}
	if at--; bad < 0 || at-steps[0] >= int64(bounds) || at < 0 || steps[0] != 0 {
		return 0, corrupt("histogram of %d pairs from bucket %d to %d of %d", len(steps), first, at, bounds)
	}
	if move == nil {
		return first, nil
	}
	from := first
	out := move[from]
	prev := out
	for i := 1; i < len(steps); i++ {
		from += steps[i] + 1
		if from >= int64(len(move)) { // sums that overflowed above
			return 0, corrupt("bucket %d of %d", from, len(move))
		}
		to := move[from]
		steps[i] = to - prev - 1
		prev = to
	}
	return out, nil
}

// write writes the chunk body of what has been collected.
func (w *histWriter) write(dst []byte, iw *intsWriter) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(w.layouts)))
	for i := range w.layouts {
		dst = w.layouts[i].append(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(w.steps)))
	for _, part := range [][]int64{w.layout, w.sums, w.counts, w.starts, w.firsts, w.steps, w.samples} {
		dst = iw.write(dst, part, iw.plan(part, allowFOR))
	}
	return dst
}
