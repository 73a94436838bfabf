package segment

import (
	"fmt"
	"slices"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/stage"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// gatherer brings the values of one column of the new row group together from the groups they are in. Each source block
// is decoded once per column, and only if a row of it is wanted.
type gatherer struct {
	src     []column.Group
	rows    int
	refs    []RowRef   // the rows
	want    [][]uint32 // by source group: source row << 16 | row in the new group, ascending
	ordered bool       // the rows of each source are in its order

	valid vec.Bitmap
	bits  vec.Bitmap
	i64   []int64
	f64   []float64
	off   []uint64 // bytes class: where the row's value is in arena
	len   []uint32
	arena []byte
	dict  *vec.Vector // the dictionary that lies in arena at dictAt
	at    uint64
	block vec.Vector
	pos   []uint16
	out   codec.Values
}

// reset takes a new row group.
func (g *gatherer) reset(src []column.Group, rows []RowRef) error {
	g.src, g.rows, g.refs = src, len(rows), rows
	g.want = make([][]uint32, len(src))
	counts := make([]int, len(src))
	for i, r := range rows {
		if int(r.Group) >= len(src) || int(r.Row) >= src[r.Group].Rows() {
			return fmt.Errorf("segment: row %d of the new group is row %d of source %d, which does not exist", i, r.Row, r.Group)
		}
		counts[r.Group]++
	}
	all := make([]uint32, len(rows)) // of its own for each group: an Encoder knows lists by their places
	for i, n := range counts {
		g.want[i], all = all[:0:n], all[n:]
	}
	for i, r := range rows {
		g.want[r.Group] = append(g.want[r.Group], uint32(r.Row)<<16|uint32(i))
	}
	g.ordered = true
	if _, ok := src[0].(*stage.Group); ok { // whose columns give rows in any order
		g.ordered = false
		return nil
	}
	for _, w := range g.want {
		for i := 1; i < len(w) && g.ordered; i++ {
			g.ordered = w[i]>>16 > w[i-1]>>16
		}
		if !slices.IsSorted(w) {
			slices.Sort(w)
		}
	}
	return nil
}

// columnGroup is one column of the new group and the sources that have it.
type columnGroup struct {
	path types.Path
	leaf types.Leaf
	from []sourceColumn
}

type sourceColumn struct {
	group int
	col   column.Column
}

// columns calls f for every column that a wanted source has, in order of path and leaf kind.
func (g *gatherer) columns(f func(c *columnGroup) error) error {
	lists := make([][]column.Column, len(g.src))
	for i, s := range g.src {
		if len(g.want[i]) > 0 {
			lists[i] = s.Under("")
		}
	}
	var c columnGroup
	for {
		first := -1
		for i, l := range lists {
			if len(l) > 0 && (first < 0 || before(l[0], lists[first][0])) {
				first = i
			}
		}
		if first < 0 {
			return nil
		}
		c = columnGroup{path: lists[first][0].Path(), leaf: lists[first][0].Leaf(), from: c.from[:0]}
		for i, l := range lists {
			if len(l) > 0 && l[0].Leaf() == c.leaf && l[0].Path() == c.path {
				c.from = append(c.from, sourceColumn{i, l[0]})
				lists[i] = l[1:]
			}
		}
		if err := f(&c); err != nil {
			return err
		}
	}
}

func before(a, b column.Column) bool {
	pa, pb := a.Path(), b.Path()
	return pa < pb || pa == pb && a.Leaf() < b.Leaf()
}

// gather returns the column's values in the order of the new rows; they are valid until the next call.
func (g *gatherer) gather(c *columnGroup) (*codec.Values, error) {
	g.begin(c.leaf)
	for _, s := range c.from {
		if err := g.source(s); err != nil {
			return nil, fmt.Errorf("column %s (%s): %w", c.path, c.leaf, err)
		}
		if seg, ok := s.col.(*chunkColumn); ok {
			seg.forget()
		}
	}
	return g.pack(c.leaf), nil
}

func (g *gatherer) begin(leaf types.Leaf) {
	g.valid = g.valid.Resize(g.rows)
	g.dict, g.arena = nil, g.arena[:0]
	switch leaf.Phys() {
	case types.PhysBool:
		g.bits = g.bits.Resize(g.rows)
	case types.PhysInt64:
		g.i64 = slices.Grow(g.i64[:0], g.rows)[:g.rows]
	case types.PhysFloat64:
		g.f64 = slices.Grow(g.f64[:0], g.rows)[:g.rows]
	default:
		g.off = slices.Grow(g.off[:0], g.rows)[:g.rows]
		g.len = slices.Grow(g.len[:0], g.rows)[:g.rows]
	}
}

// source takes the wanted rows of one source, block by block.
func (g *gatherer) source(s sourceColumn) error {
	want := g.want[s.group]
	if c, ok := s.col.(*stage.Column); ok {
		g.staged(c, want)
		return nil
	}
	rows := g.src[s.group].Rows()
	for len(want) > 0 {
		b := int(want[0]>>16) / vec.BlockRows
		end := 0
		for end < len(want) && int(want[end]>>16)/vec.BlockRows == b {
			end++
		}
		from := b * vec.BlockRows
		if err := s.col.Read(from, min(from+vec.BlockRows, rows), &g.block); err != nil {
			return err
		}
		g.scatter(want[:end], from)
		want = want[end:]
	}
	return nil
}

// scatter moves the wanted rows of the decoded block to their places.
func (g *gatherer) scatter(want []uint32, from int) {
	v := &g.block
	if v.Form == vec.Const {
		if v.Null(0) {
			return
		}
		for _, w := range want {
			g.valid.Set(int(w & 0xffff))
		}
	} else if v.Valid == nil {
		for _, w := range want {
			g.valid.Set(int(w & 0xffff))
		}
	} else {
		g.scatterValid(want, from)
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		for _, w := range want {
			if v.Bool(int(w>>16) - from) {
				g.bits.Set(int(w & 0xffff))
			}
		}
	case types.PhysInt64:
		scatterNumbers(g.i64, values(v).I64, v, want, from)
	case types.PhysFloat64:
		scatterNumbers(g.f64, values(v).F64, v, want, from)
	default:
		g.scatterBytes(want, from)
	}
}

// values returns the vector that holds v's values.
func values(v *vec.Vector) *vec.Vector {
	if v.Form == vec.Dict {
		return v.Dict
	}
	return v
}

func (g *gatherer) scatterValid(want []uint32, from int) {
	valid := g.block.Valid
	for _, w := range want {
		if i := int(w>>16) - from; valid.Get(i) {
			g.valid.Set(int(w & 0xffff))
		}
	}
}

// scatterNumbers copies NULLs' zeros too; pack leaves them out.
func scatterNumbers[T int64 | float64](dst, vals []T, v *vec.Vector, want []uint32, from int) {
	switch v.Form {
	case vec.Const:
		for _, w := range want {
			dst[w&0xffff] = vals[0]
		}
	case vec.Dict:
		for _, w := range want {
			dst[w&0xffff] = vals[v.Codes[int(w>>16)-from]]
		}
	default:
		for _, w := range want {
			dst[w&0xffff] = vals[int(w>>16)-from]
		}
	}
}

// arenaMax bounds what is reserved on the strength of the first values.
const arenaMax = 128 << 20

// scatterBytes copies the block's data, or its dictionary's if that is not there yet, and notes where each row's value is.
// Of a block of which few rows are wanted it copies their values alone.
func (g *gatherer) scatterBytes(want []uint32, from int) {
	v := &g.block
	vals := values(v)
	if len(g.arena) == 0 && v.Form == vec.Flat { // room for all at once leaves no garbage behind
		g.arena = vec.Room(g.arena, min(len(vals.Data)/v.N*g.rows*9/8, arenaMax))
	}
	if v.Form == vec.Flat && 2*len(want) < v.N {
		for _, w := range want {
			i := int(w>>16) - from
			g.off[w&0xffff], g.len[w&0xffff] = uint64(len(g.arena)), vals.Off[i+1]-vals.Off[i]
			g.arena = append(g.arena, vals.Data[vals.Off[i]:vals.Off[i+1]]...)
		}
		return
	}
	base := uint64(len(g.arena))
	if v.Form == vec.Dict && v.Dict == g.dict {
		base = g.at
	} else {
		g.arena = append(g.arena, vals.Data...)
		g.dict, g.at = v.Dict, base
	}
	for _, w := range want {
		i := int(w>>16) - from
		switch v.Form {
		case vec.Const:
			i = 0
		case vec.Dict:
			i = int(v.Codes[i])
		}
		g.off[w&0xffff] = base + uint64(vals.Off[i])
		g.len[w&0xffff] = vals.Off[i+1] - vals.Off[i]
	}
}

// pack keeps the rows that have a value.
func (g *gatherer) pack(leaf types.Leaf) *codec.Values {
	o := &g.out
	o.Leaf, o.Rows = leaf, g.rows
	g.pos = g.valid.Positions(g.pos[:0])
	pos := g.pos
	o.Vec.Reset(leaf.Type())
	switch leaf.Phys() {
	case types.PhysBool:
		for _, r := range pos {
			o.Vec.AppendBool(g.bits.Get(int(r)))
		}
	case types.PhysInt64:
		o.Vec.I64 = packNumbers(o.Vec.I64, g.i64, pos)
	case types.PhysFloat64:
		o.Vec.F64 = packNumbers(o.Vec.F64, g.f64, pos)
	default:
		g.packBytes(pos)
	}
	o.Vec.N = len(pos)
	if o.Pos = pos; len(pos) == g.rows {
		o.Pos = nil
	}
	return o
}

func packNumbers[T int64 | float64](dst, vals []T, pos []uint16) []T {
	for _, r := range pos {
		dst = append(dst, vals[r])
	}
	return dst
}

func (g *gatherer) packBytes(pos []uint16) {
	v := &g.out.Vec
	total := 0
	for _, r := range pos {
		total += int(g.len[r])
	}
	v.Data = vec.Room(v.Data, total)
	v.Off = append(slices.Grow(v.Off[:0], len(pos)+1), 0)
	for _, r := range pos {
		v.Data = append(v.Data, g.arena[g.off[r]:g.off[r]+uint64(g.len[r])]...)
		v.Off = append(v.Off, uint32(len(v.Data)))
	}
}
