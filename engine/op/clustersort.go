package op

import (
	"math"
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// follow reports whether the rows of stretches of one partition, put one behind the other, are in the order of the window.
func (c *clusters) follow(of []rowRange) bool {
	for i := 1; i < len(of); i++ {
		if c.compareRows(of[i-1].row+of[i-1].n-1, of[i].row) > 0 {
			return false
		}
	}
	return true
}

func (c *clusters) compareRows(a, b uint32) int {
	for k := range c.p.order {
		chunks := c.rows[c.at[c.p.order[k]]]
		key := &c.p.keys[len(c.p.partition)+k]
		x, y, i, j := chunks[a>>chunkBits], chunks[b>>chunkBits], a&(chunkRows-1), b&(chunkRows-1)
		if x.Valid == nil && y.Valid == nil && x.Type.Phys() == types.PhysInt64 {
			switch {
			case x.I64[i] == y.I64[j]:
				continue
			case x.I64[i] < y.I64[j] != key.Desc:
				return -1
			}
			return 1
		}
		if r := compareKey(x, int(i), y, int(j), key); r != 0 {
			return r
		}
	}
	return 0
}

// groupSorter orders the rows of single partitions whose stretches do not follow one another. Its buffers serve one after the other.
type groupSorter struct {
	c            *clusters
	spec         *sortSpec
	rows         []rowRange // of the partition, one by one, as they came
	items, spare []sortItem
	keys         []vec.Vector
	ptrs         []*vec.Vector
	pos          []uint16
	words        []uint64
}

func newGroupSorter(c *clusters) *groupSorter {
	s := &groupSorter{c: c, spec: keySpec(c.p.keys[len(c.p.partition):])}
	s.keys = make([]vec.Vector, len(s.spec.keys))
	for i := range s.keys {
		s.ptrs = append(s.ptrs, &s.keys[i])
	}
	return s
}

// sort appends the rows of stretches of one partition, which come in the order of the input, in the order of the window.
func (s *groupSorter) sort(ctx *expr.Ctx, of, out []rowRange) ([]rowRange, error) {
	s.rows = s.rows[:0]
	for _, st := range of {
		for r := range st.n {
			s.rows = append(s.rows, rowRange{row: st.row + r, n: 1, key: st.key})
		}
	}
	if !s.spec.exact || s.nullable() {
		return s.sortAny(ctx, out)
	}
	n := len(s.rows)
	s.items, s.spare, s.words = sized(s.items, n), sized(s.spare, n), sized(s.words, n)
	s.load(0, n)
	s.spec.forms[0].words(s.ptrs[0], n, s.spec.keys[0].Desc, s.words)
	for i, w := range s.words {
		s.items[i] = sortItem{word: w, row: uint32(i)}
	}
	radixSort(s.items, s.spare)
	for _, it := range s.items {
		out = append(out, s.rows[it.row])
	}
	return out, nil
}

// nullable reports whether the first key may be NULL somewhere.
func (s *groupSorter) nullable() bool {
	return slices.ContainsFunc(s.c.rows[s.c.at[s.c.p.order[0]]], func(v *vec.Vector) bool { return v.Valid != nil })
}

// load makes keys those of rows [from, to).
func (s *groupSorter) load(from, to int) {
	for k := range s.keys {
		s.keys[k].Reset(s.spec.keys[k].Expr.Type())
		gatherRanges(&s.keys[k], s.c.rows[s.c.at[s.c.p.order[k]]], s.rows[from:to], to-from)
	}
}

// sortAny is sort for any keys.
func (s *groupSorter) sortAny(ctx *expr.Ctx, out []rowRange) ([]rowRange, error) {
	run := newSortRun(s.spec)
	for from := 0; from < len(s.rows); from += vec.BatchRows {
		to := min(from+vec.BatchRows, len(s.rows))
		s.load(from, to)
		s.pos = s.pos[:0]
		for k := range to - from {
			s.pos = append(s.pos, uint16(k))
		}
		s.words = sized(s.words, to-from)
		s.spec.forms[0].words(s.ptrs[0], to-from, s.spec.keys[0].Desc, s.words)
		run.add(nil, s.ptrs, s.pos, s.words, 0)
	}
	if len(run.rest) > math.MaxUint32-1<<28 {
		return nil, errWide("window")
	}
	if err := run.sort(ctx); err != nil {
		return nil, err
	}
	for _, items := range run.items {
		for _, it := range items {
			out = append(out, s.rows[it.row])
		}
	}
	return out, nil
}
