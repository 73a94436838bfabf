package op

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// sortItem is one row while it is being sorted.
type sortItem struct {
	word   uint64
	row    uint32 // of the run
	morsel uint32 // decides between equal rows of different runs
}

// place orders rows of one run as they lie in the input.
func (it sortItem) place() uint64 { return uint64(it.morsel)<<32 | uint64(it.row) }

// The classes of rows by their first key.
const (
	nullsFirst = iota
	values
	nullsLast
	classes
)

// chunkRows is the number of rows of a chunk: the rows of a run are held in chunks, so that nothing is ever copied to
// grow.
const (
	chunkBits = 13
	chunkRows = 1 << chunkBits
)

// sortChunk is some rows.
type sortChunk struct {
	cols []vec.Vector
	keys []vec.Vector // only if some key is complex
}

// sortSpec is what the runs of one sort share.
type sortSpec struct {
	keys     []plan.SortKey
	forms    []keyForm
	types    []types.Type
	exact    bool // the words decide alone
	complex  bool // some key has no normalised form: keys are compared as values
	shuffled bool // morsels may come in any order
}

func newSortSpec(n *plan.Sort) *sortSpec {
	s := keySpec(n.Keys)
	for _, c := range n.Cols() {
		s.types = append(s.types, c.Type)
	}
	return s
}

// keySpec is the sortSpec of keys alone.
func keySpec(keys []plan.SortKey) *sortSpec {
	s := &sortSpec{keys: keys, exact: len(keys) <= 1}
	for _, k := range keys {
		f := keyFormOf(k.Expr.Type())
		s.forms = append(s.forms, f)
		s.exact = s.exact && f.exact()
		s.complex = s.complex || f == keyComplex
	}
	return s
}

// sortRun is rows that are to be sorted, and then sorted rows.
type sortRun struct {
	*sortSpec
	chunks []sortChunk
	n      int // rows
	items  [classes][]sortItem
	rest   []byte // of row i: rest[ends[i-1]:ends[i]]; nothing if exact or complex
	ends   []uint32
	bytes  int64  // of full chunks
	base   uint64 // rows that the run's worker has had before
}

func newSortRun(s *sortSpec) *sortRun { return &sortRun{sortSpec: s} }

// room returns the last chunk, and how many rows it still takes.
func (r *sortRun) room() (*sortChunk, int) {
	if r.n&(chunkRows-1) == 0 && len(r.chunks) == r.n>>chunkBits {
		if k := len(r.chunks); k > 0 {
			r.bytes += r.chunks[k-1].size()
		}
		c := sortChunk{cols: make([]vec.Vector, len(r.types))}
		for i, t := range r.types {
			c.cols[i].Reset(t)
		}
		if r.complex {
			c.keys = make([]vec.Vector, len(r.keys))
			for i, k := range r.keys {
				c.keys[i].Reset(k.Expr.Type())
			}
		}
		r.chunks = append(r.chunks, c)
	}
	return &r.chunks[len(r.chunks)-1], chunkRows - r.n&(chunkRows-1)
}

func (c *sortChunk) size() int64 {
	n := int64(0)
	for i := range c.cols {
		n += vectorBytes(&c.cols[i])
	}
	for i := range c.keys {
		n += vectorBytes(&c.keys[i])
	}
	return n
}

// size is what the run holds, with the room that sorting takes.
func (r *sortRun) size() int64 {
	n := r.bytes + int64(cap(r.rest)) + int64(cap(r.ends))*4
	if k := len(r.chunks); k > 0 {
		n += r.chunks[k-1].size()
	}
	for _, it := range r.items {
		n += int64(cap(it))*16 + int64(len(it))*16
	}
	return n
}

// add appends rows of a batch: their columns, keys, and the keys' words.
func (r *sortRun) add(cols, keys []*vec.Vector, rows []uint16, words []uint64, morsel uint32) {
	for k, i := range rows {
		it := sortItem{word: words[i], row: uint32(r.n + k), morsel: morsel}
		class := r.class(keys, int(i))
		if class != values {
			it.word = 0
		}
		r.items[class] = append(r.items[class], it)
		if !r.exact && !r.complex {
			r.rest = appendRest(r.rest, keys, r.forms, r.keys, int(i))
			r.ends = append(r.ends, uint32(len(r.rest)))
		}
	}
	for len(rows) > 0 {
		c, room := r.room()
		k := min(room, len(rows))
		for i := range c.cols {
			vec.AppendIndexed(&c.cols[i], cols[i], rows[:k])
		}
		for i := range c.keys {
			vec.AppendIndexed(&c.keys[i], keys[i], rows[:k])
		}
		rows = rows[k:]
		r.n += k
	}
}

func (s *sortSpec) class(keys []*vec.Vector, i int) int {
	switch {
	case len(keys) == 0 || !keys[0].Null(i):
		return values
	case s.keys[0].NullsFirst:
		return nullsFirst
	}
	return nullsLast
}

// restOf is what follows the word of a row.
func (r *sortRun) restOf(row uint32) []byte {
	if len(r.ends) == 0 {
		return nil
	}
	from := uint32(0)
	if row > 0 {
		from = r.ends[row-1]
	}
	return r.rest[from:r.ends[row]]
}

// compareRest orders two rows with equal words by what follows, 0 if they are equal in all keys.
func compareRest(a *sortRun, i uint32, b *sortRun, j uint32) int {
	switch {
	case a.exact:
		return 0
	case !a.complex:
		return bytes.Compare(a.restOf(i), b.restOf(j))
	}
	ca, cb := &a.chunks[i>>chunkBits], &b.chunks[j>>chunkBits]
	for k := range a.keys {
		if c := compareKey(&ca.keys[k], int(i&(chunkRows-1)), &cb.keys[k], int(j&(chunkRows-1)), &a.keys[k]); c != 0 {
			return c
		}
	}
	return 0
}

// compareItems orders rows of two runs for good. A morsel's rows are all in one worker's runs.
func compareItems(a *sortRun, x sortItem, b *sortRun, y sortItem) int {
	if x.word != y.word {
		return cmp.Compare(x.word, y.word)
	}
	if c := compareRest(a, x.row, b, y.row); c != 0 {
		return c
	}
	if x.morsel != y.morsel {
		return cmp.Compare(x.morsel, y.morsel)
	}
	return cmp.Compare(a.base+uint64(x.row), b.base+uint64(y.row))
}

// compareKey orders two values of one key.
func compareKey(v *vec.Vector, i int, w *vec.Vector, j int, k *plan.SortKey) int {
	in, jn := v.Null(i), w.Null(j)
	if in || jn {
		switch {
		case in && jn:
			return 0
		case in == k.NullsFirst:
			return -1
		}
		return 1
	}
	c := datum.Compare(v.Type, v, i, w, j)
	if k.Desc {
		return -c
	}
	return c
}

// sort orders the items. Equal ones stay in the order of the input.
func (r *sortRun) sort(ctx *expr.Ctx) error {
	var spare []sortItem
	for c := range r.items {
		items := r.items[c]
		if r.shuffled {
			slices.SortFunc(items, func(a, b sortItem) int { return cmp.Compare(a.place(), b.place()) })
		}
		if cap(spare) < len(items) {
			spare = make([]sortItem, len(items))
		}
		radixSort(items, spare[:len(items)])
		if err := expr.Canceled(ctx); err != nil {
			return err
		}
		if r.exact {
			continue
		}
		ties(items, func(t []sortItem) {
			if !r.complex {
				r.sortRest(t, spare, 0)
				return
			}
			slices.SortFunc(t, func(a, b sortItem) int {
				return cmp.Or(compareRest(r, a.row, r, b.row), cmp.Compare(a.place(), b.place()))
			})
		})
	}
	return nil
}

// ties calls f for each stretch of several items with equal words.
func ties(items []sortItem, f func([]sortItem)) {
	for from := 0; from < len(items); {
		to := from + 1
		for to < len(items) && items[to].word == items[from].word {
			to++
		}
		if to-from > 1 {
			f(items[from:to])
		}
		from = to
	}
}

// sortRest orders items that agree in all before byte at of their rests, eight bytes at a time. As no rest is the beginning
// of another, equal words of which one is padded are the ends of equal rests. The items' words are what they were before.
func (r *sortRun) sortRest(items, spare []sortItem, at int) {
	word, more := items[0].word, false
	for i := range items {
		b := r.restOf(items[i].row)
		items[i].word = bytesWord(b[min(at, len(b)):])
		more = more || len(b) > at+8
	}
	radixSort(items, spare[:len(items)])
	if more {
		ties(items, func(t []sortItem) { r.sortRest(t, spare, at+8) })
	}
	for i := range items {
		items[i].word = word
	}
}

// radixSort orders items, which come by place, by word, keeping the order of equal ones: byte by byte from the least, leaving out bytes in which
// all words agree. spare has the same length.
func radixSort(items, spare []sortItem) {
	if len(items) < 256 {
		slices.SortFunc(items, func(a, b sortItem) int {
			if a.word != b.word {
				return cmp.Compare(a.word, b.word)
			}
			return cmp.Compare(a.place(), b.place())
		})
		return
	}
	var counts [8][256]uint32
	sorted := true
	last := uint64(0)
	for i := range items {
		w := items[i].word
		sorted = sorted && w >= last
		last = w
		for b := range 8 {
			counts[b][byte(w>>(8*b))]++
		}
	}
	if sorted {
		return
	}
	from, to := items, spare
	for b := range 8 {
		c := &counts[b]
		shift := uint(8 * b)
		if int(c[byte(from[0].word>>shift)]) == len(items) {
			continue
		}
		at := uint32(0)
		for i := range c {
			c[i], at = at, at+c[i]
		}
		for i := range from {
			d := byte(from[i].word >> shift)
			to[c[d]] = from[i]
			c[d]++
		}
		from, to = to, from
	}
	if &from[0] != &items[0] {
		copy(items, from)
	}
}
