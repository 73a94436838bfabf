package codec

import (
	"cmp"
	"slices"

	"github.com/telemdb/telemdb/storage/vec"
)

// trainer finds the symbols that shorten a sample most, as FSST does: in a few rounds it codes the sample with the table
// it has, counts symbols and pairs of neighbours, and takes the best of both into the next table.
type trainer struct {
	matcher matcher
	coded   vec.Vector
	one     [512]uint32 // uses of code, or of byte 256+b for itself
	pairs   []uint16    // uses of one behind the other
	touched []uint32    // pairs that are not 0
	gains   map[symbol]uint32
	found   []candidate
	sample  [][]byte
}

type candidate struct {
	sym  symbol
	gain uint32
}

// Sizes of the sample, and rounds.
const (
	sampleRuns     = 8
	sampleValues   = 128
	sampleRunBytes = 4 << 10
	fsstRounds     = 5
)

// sampleRows calls f for 8 runs of 128 neighbouring values, or for all if there are not more.
func sampleRows(n int, f func(from, to int)) {
	if n <= sampleRuns*sampleValues {
		f(0, n)
		return
	}
	for i := range sampleRuns {
		from := (n - sampleValues) * i / (sampleRuns - 1)
		f(from, from+sampleValues)
	}
}

// take gathers the sample of v and returns its size.
func (t *trainer) take(v *vec.Vector) (size int) {
	t.sample = t.sample[:0]
	return t.takeMore(v)
}

// takeMore adds a sample of v to what there is.
func (t *trainer) takeMore(v *vec.Vector) (size int) {
	limit := sampleRunBytes
	if v.N <= sampleRuns*sampleValues {
		limit *= sampleRuns
	}
	sampleRows(v.N, func(from, to int) {
		left := limit
		for i := from; i < to && left > 0; i++ {
			b := v.Bytes(i)
			b = b[:min(len(b), left)]
			left -= len(b)
			size += len(b)
			t.sample = append(t.sample, b)
		}
	})
	return size
}

// train makes the table for the sample and returns the size of its codes.
func (t *trainer) train() (size int) {
	if t.pairs == nil {
		t.pairs, t.gains = make([]uint16, 512*512), map[symbol]uint32{}
	}
	t.matcher.set(nil)
	for range fsstRounds {
		t.count()
		t.matcher.set(t.best())
	}
	var room [64]byte
	for _, s := range t.sample {
		for len(s) > 0 {
			n := min(len(s), len(room)/2)
			size += len(t.matcher.encode(room[:0], s[:n]))
			s = s[n:]
		}
	}
	return size
}

// count codes the sample and counts.
func (t *trainer) count() {
	clear(t.one[:])
	for _, p := range t.touched {
		t.pairs[p] = 0
	}
	t.touched = t.touched[:0]
	for _, s := range t.sample {
		prev := -1
		for len(s) > 0 {
			code, n := t.matcher.find(s)
			cur := int(code)
			if n == 0 {
				cur, n = 256+int(s[0]), 1
			}
			t.one[cur]++
			if prev >= 0 {
				t.pair(prev, cur)
			}
			prev, s = cur, s[n:]
		}
	}
}

func (t *trainer) pair(a, b int) {
	p := uint32(a<<9 | b)
	if t.pairs[p] == 0 {
		t.touched = append(t.touched, p)
	}
	if t.pairs[p] < 1<<16-1 {
		t.pairs[p]++
	}
}

func (t *trainer) symbolOf(code int) symbol {
	if code >= 256 {
		return symbol{uint64(code - 256), 1}
	}
	return t.matcher.syms[code]
}

// best returns the symbols that save most: a use saves the symbol's length.
func (t *trainer) best() []symbol {
	clear(t.gains)
	for code, n := range t.one {
		if n == 0 {
			continue
		}
		s := t.symbolOf(code)
		gain := n * uint32(s.len)
		if s.len == 1 {
			gain *= 8 // a byte without a symbol costs two: keep those that are frequent
		}
		t.gains[s] += gain
	}
	for _, p := range t.touched {
		n := uint32(t.pairs[p])
		a := t.symbolOf(int(p >> 9))
		if n < 2 || a.len == fsstLongest {
			continue
		}
		s := a.join(t.symbolOf(int(p & 511)))
		t.gains[s] += n * uint32(s.len)
	}
	t.found = t.found[:0]
	for s, gain := range t.gains {
		t.found = append(t.found, candidate{s, gain})
	}
	slices.SortFunc(t.found, func(a, b candidate) int {
		switch {
		case a.gain != b.gain:
			return cmp.Compare(int64(b.gain), int64(a.gain))
		case a.sym.len != b.sym.len:
			return int(b.sym.len) - int(a.sym.len)
		}
		return cmp.Compare(int64(a.sym.val), int64(b.sym.val))
	})
	syms := make([]symbol, 0, fsstSymbols)
	for _, c := range t.found[:min(len(t.found), fsstSymbols)] {
		syms = append(syms, c.sym)
	}
	return syms
}
