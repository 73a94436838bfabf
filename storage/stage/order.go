package stage

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/telemdb/telemdb/storage/types"
)

// Row names a row of a list of groups.
type Row struct {
	Group uint32
	Row   uint16
}

// Order puts rows of the groups in the order of a sort key: integers and floats in theirs, text by bytes, NULL behind
// everything; rows of equal keys stay as they are. ok is false, and nothing is changed, where the columns are kept in forms
// that have no common short key: then the rows are to be compared. When ctx ends it stops soon, with its error; then nothing is
// changed either.
//
// A row's key is packed into words of 64 bits, each column in as many bits as its values need here. Rows are sorted by the
// first word with a radix sort, and those few that share it by the others. Each of so many workers packs a stretch of the
// rows, and then sorts those of a range of first words.
func Order(ctx context.Context, groups []*Group, rows []Row, key []Col, workers int) (ok bool, err error) {
	parts := make([]keyPart, 0, len(key))
	width := 0
	for _, k := range key {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		p, ok := planPart(groups, rows, k)
		if !ok {
			return false, nil
		}
		if p.bits > 0 {
			p.at = width
			width += p.bits
			parts = append(parts, p)
		}
	}
	if width == 0 || len(rows) < 2 {
		return true, nil
	}
	words := (width + 63) / 64
	keys := make([]uint64, words*len(rows))
	workers = max(1, min(workers, len(rows)/rowsOfWorker))
	each(workers, func(w int) {
		from, to := len(rows)*w/workers, len(rows)*(w+1)/workers
		for ; from < to && ctx.Err() == nil; from += looked {
			end := min(from+looked, to)
			for i := range parts {
				parts[i].put(rows[from:end], keys[from*words:end*words], words)
			}
		}
	})
	err = sortRows(ctx, rows, keys, words, workers)
	return err == nil, err
}

// looked is how many rows are worked on between two looks at whether they are still wanted.
const looked = 1 << 18

// rowsOfWorker is how many rows are worth a goroutine.
const rowsOfWorker = 32 << 10

// each calls f for 0 <= w < workers, at the same time, and waits for all.
func each(workers int, f func(w int)) {
	var group sync.WaitGroup
	for w := 1; w < workers; w++ {
		group.Go(func() { f(w) })
	}
	f(0)
	group.Wait()
}

// keyPart is one column of a key.
type keyPart struct {
	cols  []*Column // by group; nil where the group has no value
	leaf  types.Leaf
	uuid  bool // or 16 bytes as they are
	least int64
	nulls bool // a bit in front says that there is no value
	bits  int  // all in all
	at    int  // of the first bit in the key
}

func planPart(groups []*Group, rows []Row, k Col) (p keyPart, ok bool) {
	p = keyPart{cols: make([]*Column, len(groups)), leaf: k.Leaf}
	var table *Table
	wanted := make([]bool, len(groups))
	for _, r := range rows {
		wanted[r.Group] = true
	}
	coded, other := false, false
	form := kindNone // of values of 128 bits
	for i, g := range groups {
		if !wanted[i] {
			continue
		}
		c := g.find(k.Path, k.Leaf)
		p.cols[i] = c
		switch {
		case c == nil:
			p.nulls = true
			continue
		case c.valid != nil:
			p.nulls = true
		}
		switch {
		case c.kind == kindUUID || c.kind == kindBytes16:
			if p.uuid && form != c.kind {
				return p, false
			}
			p.uuid, form = true, c.kind
		case c.table != nil:
			if coded && c.table != table {
				return p, false
			}
			coded, table = true, c.table
		case c.kind == kindText || c.kind == kindF64:
			return p, false
		default:
			other = true
		}
	}
	switch {
	case p.uuid && (coded || other):
		return p, false
	case p.uuid:
		p.bits = 128
	case coded:
		p.bits = bits.Len(uint(table.Len() - 1))
	case other:
		p.bits = p.span(rows)
	}
	if p.nulls {
		p.bits++
	}
	return p, true
}

// span finds the least integer and returns the bits that the distances from it take.
func (p *keyPart) span(rows []Row) int {
	lo, hi, any := int64(0), int64(0), false
	for _, r := range rows {
		c := p.cols[r.Group]
		if c == nil || c.null(int(r.Row)) {
			continue
		}
		x := c.int(int(r.Row))
		if !any {
			lo, hi, any = x, x, true
		}
		lo, hi = min(lo, x), max(hi, x)
	}
	p.least = lo
	return bits.Len64(uint64(hi) - uint64(lo))
}

// put writes the part of every row's key.
func (p *keyPart) put(rows []Row, keys []uint64, words int) {
	for i, r := range rows {
		key := keys[i*words : (i+1)*words]
		c := p.cols[r.Group]
		at, width := p.at, p.bits
		if p.nulls {
			if c == nil || c.null(int(r.Row)) {
				putBits(key, at, 1, 1)
				continue
			}
			at, width = at+1, width-1
		}
		switch {
		case p.uuid:
			u := &c.uuid[r.Row]
			putBits(key, at, 64, binary.BigEndian.Uint64(u[:]))
			putBits(key, at+64, 64, binary.BigEndian.Uint64(u[8:]))
		case c.table != nil:
			code := uint32(0)
			if c.kind == kindCode8 {
				code = uint32(c.u8[r.Row])
			} else {
				code = uint32(c.u16[r.Row])
			}
			putBits(key, at, width, uint64(c.table.rank[code]))
		default:
			putBits(key, at, width, uint64(c.int(int(r.Row)))-uint64(p.least))
		}
	}
}

// putBits puts a number of so many bits at a place that counts from the highest bit of the first word.
func putBits(key []uint64, at, width int, x uint64) {
	if width == 0 {
		return
	}
	w, left := at/64, 64-at%64
	if width <= left {
		key[w] |= x << (left - width)
		return
	}
	key[w] |= x >> (width - left)
	key[w+1] |= x << (64 - (width - left))
}

// entry is a row on its way through the radix sort: the first word of its key, and its place.
type entry struct {
	key uint64
	row uint32
}

// sortRows leaves the rows as they are if ctx ends before they are sorted.
func sortRows(ctx context.Context, rows []Row, keys []uint64, words, workers int) error {
	cuts := cutsOf(keys, words, workers)
	parts := make([][]entry, len(cuts)+1)
	each(len(parts), func(w int) { parts[w] = sortPart(ctx, keys, words, cuts, w) })
	if err := ctx.Err(); err != nil {
		return err
	}
	sorted := make([]Row, len(rows))
	each(len(parts), func(w int) {
		at := 0
		for _, p := range parts[:w] {
			at += len(p)
		}
		for i, e := range parts[w] {
			sorted[at+i] = rows[e.row]
		}
	})
	copy(rows, sorted)
	return nil
}

// cutsOf returns ascending first words that cut the keys into about so many equal parts, or fewer: a part is what is below
// the next one.
func cutsOf(keys []uint64, words, parts int) (cuts []uint64) {
	if parts == 1 {
		return nil
	}
	const sampled = 1 << 10
	n := len(keys) / words
	sample := make([]uint64, sampled)
	for i := range sample {
		sample[i] = keys[n*i/sampled*words]
	}
	slices.Sort(sample)
	for p := 1; p < parts; p++ {
		cuts = append(cuts, sample[sampled*p/parts])
	}
	return slices.Compact(cuts)
}

// sortPart sorts the rows of one part. What it returns is of no use once ctx has ended.
func sortPart(ctx context.Context, keys []uint64, words int, cuts []uint64, part int) []entry {
	low, high := uint64(0), uint64(math.MaxUint64) // both included
	if part > 0 {
		low = cuts[part-1]
	}
	if part < len(cuts) {
		if cuts[part] == 0 {
			return nil
		}
		high = cuts[part] - 1
	}
	list := make([]entry, 0, len(keys)/words/(len(cuts)+1)*9/8+1)
	for i := 0; i < len(keys); i += words {
		if k := keys[i]; k >= low && k <= high {
			list = append(list, entry{k, uint32(i / words)})
		}
	}
	if len(list) < 2 {
		return list
	}
	list = radix(ctx, list, make([]entry, len(list)))
	seen := 0
	for from := 0; words > 1 && from < len(list); {
		if from-seen > looked {
			if seen = from; ctx.Err() != nil {
				return nil
			}
		}
		to := from + 1
		for to < len(list) && list[to].key == list[from].key {
			to++
		}
		if to-from > 1 {
			slices.SortStableFunc(list[from:to], func(a, b entry) int {
				return slices.CompareFunc(keys[int(a.row)*words+1:(int(a.row)+1)*words], keys[int(b.row)*words+1:(int(b.row)+1)*words], cmp.Compare[uint64])
			})
		}
		from = to
	}
	return list
}

// radix sorts by bytes, the lowest first; bytes that are the same in all keys are passed over. It returns one of its
// arguments.
func radix(ctx context.Context, list, spare []entry) []entry {
	var counts [8][256]uint32
	for i := range list {
		k := list[i].key
		for b := range counts {
			counts[b][byte(k>>(8*b))]++
		}
	}
	for b := range counts {
		if ctx.Err() != nil {
			return list
		}
		c := &counts[b]
		if c[byte(list[0].key>>(8*b))] == uint32(len(list)) {
			continue
		}
		sum := uint32(0)
		for i, n := range c {
			c[i] = sum
			sum += n
		}
		for _, e := range list {
			d := byte(e.key >> (8 * b))
			spare[c[d]] = e
			c[d]++
		}
		list, spare = spare, list
	}
	return list
}
