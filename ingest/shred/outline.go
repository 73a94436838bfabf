package shred

import (
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Outline reads of a jsonb value only what it is: an object that would have to be put together from its members comes as
// {}, everything else as it is. Where members count, nobody reads them: which columns have a value tells. The
// zero value is ready for Open; it belongs to one goroutine.
type Outline struct {
	group column.Group
	root  types.Path
	keys  []string
	own   []column.Column // the values of the path itself
	below []column.Column // members at any depth, those most rows have first
	above bool            // some value above was kept whole and may hold it
	rem   vec.Bitmap
	tmp   vec.Bitmap
}

// Open prepares to read `root #> keys` of g. It reports whether any row may have a value.
func (o *Outline) Open(g column.Group, root types.Path, keys []string) bool {
	o.group, o.root, o.keys, o.above = g, root, keys, false
	o.own, o.below = o.own[:0], o.below[:0]
	path := types.MakePath(string(root), keys...)
	for _, c := range g.Under(path) {
		if c.Path() == path {
			o.own = append(o.own, c)
		} else {
			o.below = append(o.below, c)
		}
	}
	ByPresence(o.below)
	for i := range keys {
		p := types.MakePath(string(root), keys[:i]...)
		_, json := g.Find(p, types.LeafJSON)
		_, hist := g.Find(p, types.LeafHistogram)
		o.above = o.above || json || hist
	}
	return o.above || len(o.own)+len(o.below) > 0
}

// ByPresence brings the columns that most rows have to the front: where any value will do, they decide most rows. The first
// block stands for all.
func ByPresence(cols []column.Column) {
	present := make(map[column.Column]int, len(cols))
	for _, c := range cols {
		present[c] = c.BlockStats(0).Present
	}
	slices.SortStableFunc(cols, func(a, b column.Column) int { return present[b] - present[a] })
}

// Read makes dst the outlines of rows [from, to), a range that Column.Read takes. sel says which rows are wanted; what
// stands in the others is unspecified.
func (o *Outline) Read(from, to int, sel vec.Bitmap, dst *vec.Vector) error {
	a := assemblers.Get().(*assembler)
	defer assemblers.Put(a)
	a.begin(from, to, sel)
	own := treeNode{values: inBlock(o.own, from/vec.BlockRows)}
	if err := a.values(&own); err != nil {
		return err
	}
	if o.above {
		for _, c := range ancestors(o.group, o.root, o.keys, from/vec.BlockRows) {
			if err := a.below(c.column, c.keys); err != nil {
				return err
			}
		}
	}
	o.rem = append(o.rem[:0], a.sel...)
	o.rem.AndNot(a.set)
	a.rows = o.rem.Positions(a.rows[:0])
	if err := o.without(from, to); err != nil {
		return err
	}
	for _, r := range a.rows {
		if i := int(r); !o.rem.Get(i) {
			a.texts[i] = append(a.texts[i], "{}"...)
			a.set.Set(i)
		}
	}
	dst.SetFlat(types.Of(types.JSONB), to-from)
	a.emit(dst, 0)
	return nil
}

// without clears the bits of rem for rows that have a member.
func (o *Outline) without(from, to int) error {
	for _, c := range o.below {
		if o.rem.Count() == 0 {
			return nil
		}
		switch st := c.BlockStats(from / vec.BlockRows); st.Present {
		case 0:
			continue
		case st.Rows:
			clear(o.rem)
			return nil
		}
		o.tmp = append(o.tmp[:0], o.rem...)
		if err := c.Filter(from, to, column.Present(c.Leaf()), o.tmp); err != nil {
			return err
		}
		o.rem.AndNot(o.tmp)
	}
	return nil
}
