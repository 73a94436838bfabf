package compact

import (
	"bytes"
	"fmt"
	"math"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// floatTolerance is how far sums of floats may be apart, relative to the larger one: they depend on the order of
// addition.
const floatTolerance = 1e-9

// Copy returns rows of src as a group in memory.
func Copy(src []column.Group, rows []segment.RowRef) (*column.Mem, error) {
	type id struct {
		path types.Path
		leaf types.Leaf
	}
	out := column.NewMem(len(rows))
	done := map[id]bool{}
	for _, g := range src {
		for _, c := range g.Under("") {
			k := id{c.Path(), c.Leaf()}
			if done[k] {
				continue
			}
			done[k] = true
			v, err := copyColumn(src, rows, k.path, k.leaf)
			if err != nil {
				return nil, err
			}
			out.Add(k.path, k.leaf, v)
		}
	}
	return out, nil
}

func copyColumn(src []column.Group, rows []segment.RowRef, p types.Path, leaf types.Leaf) (*vec.Vector, error) {
	cols := make([]*vec.Vector, len(src))
	for i, g := range src {
		v, err := readColumn(g, p, leaf)
		if err != nil {
			return nil, err
		}
		cols[i] = v
	}
	out := &vec.Vector{}
	out.Reset(leaf.Type())
	for _, r := range rows {
		out.AppendFrom(cols[r.Group], int(r.Row))
	}
	return out, nil
}

// readColumn reads a whole column.
func readColumn(g column.Group, p types.Path, leaf types.Leaf) (*vec.Vector, error) {
	out := &vec.Vector{}
	c, ok := g.Find(p, leaf)
	if !ok {
		out.SetConstNull(leaf.Type(), g.Rows())
		return out, nil
	}
	out.Reset(leaf.Type())
	var block vec.Vector
	for from := 0; from < g.Rows(); from += vec.BlockRows {
		to := min(from+vec.BlockRows, g.Rows())
		if err := c.Read(from, to, &block); err != nil {
			return nil, err
		}
		out.AppendRange(&block, 0, to-from)
	}
	return out, nil
}

// Diff compares two lists of row groups of t as sequences of rows and tells the first difference, "" if there is none.
// Floats may differ by rounding.
func Diff(t *types.Table, a, b []column.Group) (string, error) {
	x, err := newRows(t, a)
	if err != nil {
		return "", err
	}
	y, err := newRows(t, b)
	if err != nil {
		return "", err
	}
	if x.n != y.n {
		return fmt.Sprintf("%d rows against %d", x.n, y.n), nil
	}
	for c, col := range t.Columns {
		for r := range x.n {
			if u, v := x.cols[c], y.cols[c]; !sameValue(u, v, r) {
				return fmt.Sprintf("row %d, column %s: %s against %s", r, col.Name, show(u, r), show(v, r)), nil
			}
		}
	}
	return "", nil
}

// rows is a list of groups as whole columns.
type rows struct {
	n    int
	cols []*vec.Vector
}

func newRows(t *types.Table, groups []column.Group) (*rows, error) {
	out := &rows{cols: make([]*vec.Vector, len(t.Columns))}
	for i, c := range t.Columns {
		leaf := types.LeafOf(c.Type)
		v := &vec.Vector{}
		v.Reset(leaf.Type())
		for _, g := range groups {
			part, err := readColumn(g, types.MakePath(c.Name), leaf)
			if err != nil {
				return nil, err
			}
			v.AppendRange(part, 0, part.N)
		}
		out.cols[i] = v
	}
	for _, g := range groups {
		out.n += g.Rows()
	}
	return out, nil
}

func sameValue(a, b *vec.Vector, r int) bool {
	if a.Null(r) || b.Null(r) {
		return a.Null(r) == b.Null(r)
	}
	switch a.Type.Phys() {
	case types.PhysBool:
		return a.Bool(r) == b.Bool(r)
	case types.PhysInt64:
		return a.Int(r) == b.Int(r)
	case types.PhysFloat64:
		x, y := a.Float(r), b.Float(r)
		return column.CompareFloat(x, y) == 0 || math.Abs(x-y) <= floatTolerance*max(math.Abs(x), math.Abs(y))
	}
	return bytes.Equal(a.Bytes(r), b.Bytes(r))
}

func show(v *vec.Vector, r int) string {
	if v.Null(r) {
		return "NULL"
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		return fmt.Sprint(v.Bool(r))
	case types.PhysInt64:
		return fmt.Sprint(v.Int(r))
	case types.PhysFloat64:
		return fmt.Sprint(v.Float(r))
	}
	return fmt.Sprintf("%q", v.Bytes(r))
}
