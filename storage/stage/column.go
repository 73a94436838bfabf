package stage

import (
	"cmp"
	"sort"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// kind is how a column's values are kept.
type kind uint8

const (
	kindNone    kind = iota // no row has a value
	kindConst               // every row has the integer base
	kindU8                  // base + u8; booleans: u8
	kindU16                 // base + u16
	kindU32                 // base + u32
	kindI64                 // i64
	kindF64                 // f64
	kindCode8               // texts: table, u8
	kindCode16              // texts: table, u16
	kindUUID                // texts: uuid
	kindBytes16             // texts, or rather bytes: uuid as it is
	kindText                // off, data
)

// Column is the values of one column of a group; it is not changed. Beside what column.Column asks, which goes value by
// value, it gives wanted rows at once: a list of them holds source row << 16 | target row.
type Column struct {
	path  types.Path
	leaf  types.Leaf
	kind  kind
	n     int
	base  int64
	valid vec.Bitmap // nil: every row has a value
	u8    []uint8
	u16   []uint16
	u32   []uint32
	i64   []int64
	f64   []float64
	uuid  [][16]byte
	table *Table
	off   []uint32
	data  []byte
}

func (c *Column) size() int64 {
	return int64(len(c.u8) + 2*len(c.u16) + 4*len(c.u32) + 8*(len(c.i64)+len(c.f64)+len(c.valid)) + 16*len(c.uuid) + 4*len(c.off) + len(c.data) + 256)
}

// Path implements column.Column.
func (c *Column) Path() types.Path { return c.path }

// Leaf implements column.Column.
func (c *Column) Leaf() types.Leaf { return c.leaf }

// Stats knows counts only.
func (c *Column) Stats() column.Stats { return column.Stats{Rows: c.n, Present: c.present(0, c.n)} }

// BlockStats knows counts only.
func (c *Column) BlockStats(b int) column.Stats {
	from, to := b*vec.BlockRows, min((b+1)*vec.BlockRows, c.n)
	return column.Stats{Rows: to - from, Present: c.present(from, to)}
}

func (c *Column) present(from, to int) (n int) {
	if c.valid == nil {
		return to - from
	}
	for r := from; r < to; r++ {
		if c.valid.Get(r) {
			n++
		}
	}
	return n
}

func (c *Column) null(r int) bool { return c.valid != nil && !c.valid.Get(r) }

// Int returns the number, or the boolean as 0 or 1, of a row that has one.
func (c *Column) int(r int) int64 {
	switch c.kind {
	case kindConst:
		return c.base
	case kindU8:
		return c.base + int64(c.u8[r])
	case kindU16:
		return c.base + int64(c.u16[r])
	case kindU32:
		return c.base + int64(c.u32[r])
	}
	return c.i64[r]
}

// appendText appends the text of a row that has one.
func (c *Column) appendText(dst []byte, r int) []byte {
	switch c.kind {
	case kindCode8:
		return append(dst, c.table.Text(uint32(c.u8[r]))...)
	case kindCode16:
		return append(dst, c.table.Text(uint32(c.u16[r]))...)
	case kindUUID:
		return codec.AppendUUID(dst, &c.uuid[r])
	case kindBytes16:
		return append(dst, c.uuid[r][:]...)
	}
	return append(dst, c.data[c.off[r]:c.off[r+1]]...)
}

// width is what a row's value takes when decoded.
func (c *Column) width(r int) int {
	switch {
	case c.kind == kindNone || c.null(r):
		return 0
	case c.leaf.Phys() != types.PhysBytes:
		return 8
	}
	switch c.kind {
	case kindCode8:
		return 4 + len(c.table.Text(uint32(c.u8[r])))
	case kindCode16:
		return 4 + len(c.table.Text(uint32(c.u16[r])))
	case kindUUID:
		return 40
	case kindBytes16:
		return 20
	}
	return 4 + int(c.off[r+1]-c.off[r])
}

// Read implements column.Column.
func (c *Column) Read(from, to int, dst *vec.Vector) error {
	dst.Reset(c.leaf.Type())
	var text []byte
	for r := from; r < to; r++ {
		if c.null(r) {
			dst.AppendNull()
			continue
		}
		switch c.leaf.Phys() {
		case types.PhysInt64:
			dst.AppendInt(c.int(r))
		case types.PhysFloat64:
			dst.AppendFloat(c.f64[r])
		case types.PhysBool:
			dst.AppendBool(c.int(r) != 0)
		default:
			text = c.appendText(text[:0], r)
			dst.AppendBytes(text)
		}
	}
	return nil
}

// Filter implements column.Column.
func (c *Column) Filter(from, to int, p *column.Pred, sel vec.Bitmap) error {
	var v vec.Vector
	if err := c.Read(from, to, &v); err != nil {
		return err
	}
	return p.Apply(&v, sel)
}

// Find implements column.Group.
func (g *Group) Find(p types.Path, leaf types.Leaf) (column.Column, bool) {
	c := g.find(p, leaf)
	return c, c != nil
}

func (g *Group) find(p types.Path, leaf types.Leaf) *Column {
	i := sort.Search(len(g.cols), func(i int) bool { return compare(g.cols[i].path, g.cols[i].leaf, p, leaf) >= 0 })
	if i < len(g.cols) && g.cols[i].path == p && g.cols[i].leaf == leaf {
		return g.cols[i]
	}
	return nil
}

// Under implements column.Group.
func (g *Group) Under(p types.Path) []column.Column {
	var out []column.Column
	for _, c := range g.cols {
		if p == "" || c.path == p || c.path.Under(p) {
			out = append(out, c)
		}
	}
	return out
}

func compare(p types.Path, l types.Leaf, q types.Path, m types.Leaf) int {
	return cmp.Or(cmp.Compare(p, q), cmp.Compare(l, m))
}
