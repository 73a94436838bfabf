package column

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Mem is a Group held in memory as flat vectors, one value slot per row: what a roll-up builds its states in, and what
// tests feed to whoever reads groups. Add all columns before handing it out.
type Mem struct {
	rows int
	cols []*memColumn // ordered by path, then leaf
}

// NewMem returns a group of the given number of rows and no columns.
func NewMem(rows int) *Mem { return &Mem{rows: rows} }

// Add gives the group a column. v is flat, has one entry per row and is not changed afterwards; NULL is "no value".
func (m *Mem) Add(p types.Path, leaf types.Leaf, v *vec.Vector) {
	c := &memColumn{path: p, leaf: leaf, v: v}
	i := sort.Search(len(m.cols), func(i int) bool { return compareColumns(m.cols[i], p, leaf) >= 0 })
	m.cols = slices.Insert(m.cols, i, c)
}

func compareColumns(c *memColumn, p types.Path, leaf types.Leaf) int {
	return cmp.Or(cmp.Compare(c.path, p), cmp.Compare(c.leaf, leaf))
}

// Rows implements Group.
func (m *Mem) Rows() int { return m.rows }

// Find implements Group.
func (m *Mem) Find(p types.Path, leaf types.Leaf) (Column, bool) {
	i := sort.Search(len(m.cols), func(i int) bool { return compareColumns(m.cols[i], p, leaf) >= 0 })
	if i < len(m.cols) && compareColumns(m.cols[i], p, leaf) == 0 {
		return m.cols[i], true
	}
	return nil, false
}

// Under implements Group.
func (m *Mem) Under(p types.Path) []Column {
	var out []Column
	for _, c := range m.cols {
		if p == "" || c.path == p || c.path.Under(p) {
			out = append(out, c)
		}
	}
	return out
}

type memColumn struct {
	path types.Path
	leaf types.Leaf
	v    *vec.Vector
}

func (c *memColumn) Path() types.Path { return c.path }
func (c *memColumn) Leaf() types.Leaf { return c.leaf }
func (c *memColumn) Stats() Stats     { return StatsOf(c.v, c.leaf, 0, c.v.N) }

func (c *memColumn) BlockStats(b int) Stats {
	return StatsOf(c.v, c.leaf, b*vec.BlockRows, min((b+1)*vec.BlockRows, c.v.N))
}

func (c *memColumn) Read(from, to int, dst *vec.Vector) error {
	dst.Reset(c.leaf.Type())
	dst.AppendRange(c.v, from, to)
	return nil
}

func (c *memColumn) Filter(from, to int, p *Pred, sel vec.Bitmap) error {
	var v vec.Vector
	if err := c.Read(from, to, &v); err != nil {
		return err
	}
	return p.Apply(&v, sel)
}

// StatsOf computes the statistics of rows [from, to) of v.
func StatsOf(v *vec.Vector, leaf types.Leaf, from, to int) Stats {
	s := Stats{Rows: to - from}
	for i := from; i < to; i++ {
		if v.Null(i) {
			continue
		}
		first := !s.Bounded
		s.Present++
		switch leaf {
		case types.LeafBool, types.LeafInt:
			x := int64(0)
			if leaf == types.LeafInt {
				x = v.Int(i)
			} else if v.Bool(i) {
				x = 1
			}
			if first || x < s.MinI {
				s.MinI = x
			}
			if first || x > s.MaxI {
				s.MaxI = x
			}
			s.Bounded = true
		case types.LeafFloat:
			x := v.Float(i)
			if math.IsNaN(x) {
				s.HasNaN = true
				continue
			}
			if first || x < s.MinF {
				s.MinF = x
			}
			if first || x > s.MaxF {
				s.MaxF = x
			}
			s.Bounded = true
		case types.LeafText:
			x := v.Bytes(i)
			if first || bytes.Compare(x, s.MinB) < 0 {
				s.MinB = x
			}
			if first || bytes.Compare(x, s.MaxB) > 0 {
				s.MaxB = x
			}
			s.Bounded = true
		}
	}
	s.MinB, s.MaxB = slices.Clone(s.MinB), slices.Clone(s.MaxB)
	return s
}
