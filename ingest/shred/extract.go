package shred

import (
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Extract makes dst what SQL's `root #> keys` gives for rows [from, to) of g, of type jsonb; with asText what
// `root #>> keys` gives, of type text. The range is one that Column.Read takes. sel says which rows are wanted (nil:
// all); what stands in the others is unspecified.
//
// A value is found at its own path, put together from the paths below it, or taken out of a LeafJSON or LeafHistogram
// value of a path above: an array, a keyed map, or an object that was stored as one value. Only columns that have a
// value in the block are read.
func Extract(g column.Group, root types.Path, keys []string, from, to int, sel vec.Bitmap, asText bool, dst *vec.Vector) error {
	block := from / vec.BlockRows
	path := types.MakePath(string(root), keys...)
	at := inBlock(g.Under(path), block)
	above := ancestors(g, root, keys, block)
	if len(above) == 0 {
		switch {
		case len(at) == 0:
			dst.SetConstNull(extractType(asText), to-from)
			return nil
		case asText && len(at) == 1 && at[0].Leaf() == types.LeafText && at[0].Path() == path:
			if err := at[0].Read(from, to, dst); err != nil {
				return err
			}
			dst.Type = types.Of(types.Text)
			return nil
		}
	}
	t := newTree()
	t.add(at, path, t.root)
	return parts(from, to, sel, extractType(asText), dst, func(a *assembler) error {
		a.asText = asText
		if err := a.walk(t.root); err != nil {
			return err
		}
		for _, c := range above {
			if err := a.below(c.column, c.keys); err != nil {
				return err
			}
		}
		return nil
	})
}

func extractType(asText bool) types.Type {
	if asText {
		return types.Of(types.Text)
	}
	return types.Of(types.JSONB)
}

// inBlock returns the columns that have a value in the block.
func inBlock(cols []column.Column, block int) []column.Column {
	var out []column.Column
	for _, c := range cols {
		if c.BlockStats(block).Present > 0 {
			out = append(out, c)
		}
	}
	return out
}

// ancestor is a column of whole values above the wanted path, and the keys that lead there from it.
type ancestor struct {
	column column.Column
	keys   []string
}

func ancestors(g column.Group, root types.Path, keys []string, block int) []ancestor {
	var out []ancestor
	for i := range keys {
		p := types.MakePath(string(root), keys[:i]...)
		for _, leaf := range [...]types.Leaf{types.LeafHistogram, types.LeafJSON} {
			if c, ok := g.Find(p, leaf); ok && c.BlockStats(block).Present > 0 {
				out = append(out, ancestor{c, keys[i:]})
			}
		}
	}
	return out
}

// below writes, for each wanted row, what keys lead to inside the value of c.
func (a *assembler) below(c column.Column, keys []string) error {
	if err := c.Read(a.from, a.to, &a.v); err != nil {
		return err
	}
	a.rows = present(&a.v, a.sel, a.rows[:0])
	var buf []byte
	for _, r := range a.rows {
		i := int(r)
		value := a.v.Bytes(i)
		if c.Leaf() == types.LeafHistogram {
			if err := a.hist.Decode(value); err != nil {
				return err
			}
			buf = a.hist.AppendJSON(buf[:0])
			value = buf
		}
		if v, ok := JSONBGetPath(value, keys); ok {
			a.setText(i, v)
		}
	}
	return nil
}

// DocumentValue makes dst, of type jsonb, the whole documents of rows [from, to) of g: each column of cols with a Source
// stands under that name, and the members of rest (the column of members without one of their own, additional_properties)
// stand beside them. Rows that are not wanted are NULL; a wanted row with none of the columns is {}.
func DocumentValue(g column.Group, cols []types.Column, rest string, from, to int, sel vec.Bitmap, dst *vec.Vector) error {
	block := from / vec.BlockRows
	t := newTree()
	for _, c := range cols {
		if c.Source != "" {
			root := types.Path(c.Name)
			if under := inBlock(g.Under(root), block); len(under) > 0 {
				t.add(under, root, t.root.child(c.Source))
			}
		}
	}
	if rest != "" {
		t.add(inBlock(g.Under(types.Path(rest)), block), types.Path(rest), t.root)
	}
	whole := t.root.values // rest itself: members that were kept as one value
	t.root.values = nil
	return parts(from, to, sel, types.Of(types.JSONB), dst, func(a *assembler) error { return a.document(t.root, whole) })
}

func (a *assembler) document(root *treeNode, whole []column.Column) error {
	if err := a.walk(root); err != nil {
		return err
	}
	for i, text := range a.texts[:a.to-a.from] {
		if len(text) == 0 && a.sel.Get(i) {
			a.texts[i] = append(text, "{}"...)
			a.set.Set(i)
		}
	}
	for _, c := range whole {
		if err := a.addMembers(c); err != nil {
			return err
		}
	}
	return nil
}

// addMembers adds, for each wanted row, the members of the object that c holds.
func (a *assembler) addMembers(c column.Column) error {
	if err := c.Read(a.from, a.to, &a.v); err != nil {
		return err
	}
	a.rows = present(&a.v, a.sel, a.rows[:0])
	for _, r := range a.rows {
		i := int(r)
		more := a.v.Bytes(i)
		if len(more) <= 2 || more[0] != '{' {
			continue
		}
		both := a.texts[i]
		if len(both) > 2 {
			both = append(append(both[:len(both)-1], ", "...), more[1:]...)
		} else {
			both = append(both[:0], more...)
		}
		sorted, err := AppendJSONB(nil, both)
		if err != nil {
			return err
		}
		a.texts[i] = sorted
	}
	return nil
}
