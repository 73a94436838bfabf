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
	block                int // the one whose streams are loaded, -1 at first
	k                    int // the histogram in it at whose pairs the reader stands
	winFrom              int // pairs from here on are in the window
	winSteps, winSamples []int64
	layouts              []int64   // by the source's layout: the output's
	moves                [][]int64 // by the source's layout: index of a bound in the output; nil: the same
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
	f.block, f.k, f.winFrom, f.winSteps, f.winSamples = -1, 0, 0, f.winSteps[:0], f.winSamples[:0]
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
		f := feeds[s]
		if i != f.block*blockValues+f.k || f.k == blockValues {
			if err := f.seek(i); err != nil {
				return false, err
			}
		}
		if err := f.give(w); err != nil {
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
	if uint64(l) >= uint64(len(f.layouts)) {
		return corrupt("histogram layout %d of %d", l, len(f.layouts))
	}
	bounds := len(f.h.bounds[l])
	if uint64(n) > uint64(bounds) || n > int64(f.h.pairs-f.pair) || sum < 0 && !f.h.beyond {
		return corrupt("histogram of %d pairs, sum %d", n, sum)
	}
	first := int64(0)
	if n > 0 {
		if f.pair < f.winFrom || f.pair+int(n) > f.winFrom+len(f.winSteps) {
			if err := f.loadWindow(int(n)); err != nil {
				return err
			}
		}
		from, to := f.pair-f.winFrom, len(w.steps)
		if cap(w.steps) < to+int(n) || cap(w.samples) < to+int(n) {
			w.steps, w.samples = slices.Grow(w.steps, int(n)), slices.Grow(w.samples, int(n))
		}
		w.steps, w.samples = w.steps[:to+int(n)], w.samples[:to+int(n)]
		var ok bool
		if first, ok = moveSteps(w.steps[to:], w.samples[to:], f.winSteps[from:], f.winSamples[from:], f.firsts[f.k], bounds, f.moves[l]); !ok {
			return corrupt("histogram of %d pairs from bucket %d among %d", n, f.firsts[f.k], bounds)
		}
		f.pair += int(n)
	}
	w.layout = append(w.layout, f.layouts[l])
	w.sums = append(w.sums, sum)
	w.counts = append(w.counts, n)
	w.firsts = append(w.firsts, first)
	f.k++
	return nil
}

// histWindow is how many pairs of a source are unpacked at a time: 64 KiB, of which a few sources fit a core's cache.
const histWindow = 4 * blockValues

// loadWindow unpacks pairs around the next n, whole blocks of them.
func (f *histFeed) loadWindow(n int) error {
	from := f.pair / blockValues * blockValues
	to := min(f.h.pairs, max(from+histWindow, (f.pair+n+blockValues-1)/blockValues*blockValues))
	f.winFrom, f.winSteps, f.winSamples = from, sized(f.winSteps, to-from), sized(f.winSamples, to-from)
	for at := from; at < to; at += blockValues {
		end := min(to, at+blockValues)
		if err := f.h.steps.read(f.data, at, end, f.winSteps[at-from:end-from]); err != nil {
			return err
		}
		if err := f.h.samples.read(f.data, at, end, f.winSamples[at-from:end-from]); err != nil {
			return err
		}
	}
	return nil
}

// moveSteps copies one histogram's pairs, as many as steps has room for and at least one, and checks them: counts are not
// negative, and the steps stay among so many bounds. move translates them to the bounds of the output; nil: they are the
// same. It returns where the first bound is there.
func moveSteps(steps, samples, srcSteps, srcSamples []int64, first int64, bounds int, move []int64) (out int64, ok bool) {
	n := len(steps)
	samples, srcSteps, srcSamples = samples[:n], srcSteps[:n], srcSamples[:n]
	if srcSteps[0] != 0 {
		return 0, false
	}
	bad, at := first, first-1
	if move == nil {
		wide := first
		for i, step := range srcSteps {
			count := srcSamples[i]
			wide |= step
			bad |= count
			at += step + 1
			steps[i], samples[i] = step, count
		}
		// There are at most 2^31 steps, so that those below 2^31 cannot come round.
		return first, bad >= 0 && uint64(wide) <= maxPairs && at < int64(bounds)
	}
	prev := int64(0)
	for i, step := range srcSteps {
		count := srcSamples[i]
		bad |= step | count
		at += step + 1
		if uint64(at) >= uint64(len(move)) {
			return 0, false
		}
		to := move[at]
		if i == 0 {
			out, prev = to, to-1
		}
		steps[i], samples[i] = to-prev-1, count
		prev = to
	}
	return out, bad >= 0
}

// write writes the chunk body of what has been collected.
func (w *histWriter) write(dst []byte, iw *intsWriter) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(w.layouts)))
	for i := range w.layouts {
		dst = w.layouts[i].append(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(w.steps)))
	for _, part := range [][]int64{w.layout, w.sums, w.counts, w.starts, w.firsts, w.steps, w.samples} {
		dst = iw.write(dst, part, iw.planPacked(part))
	}
	return dst
}
