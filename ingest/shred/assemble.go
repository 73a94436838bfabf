package shred

import (
	"slices"
	"sync"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Assemble makes dst, of type jsonb, the value at root of rows [from, to) of g in jsonb's output form; a row with nothing
// at or under root is NULL. The range is one that Column.Read takes. sel, one bit per row of the range, says which rows
// are wanted (nil: all); the others come out NULL.
//
// Every column at and under root is read in the order in which its values stand in the text, and appended to the texts of
// some dozens of rows and more (see parts). So the work is columnar, and what is held is the texts and one column at a
// time.
func Assemble(g column.Group, root types.Path, from, to int, sel vec.Bitmap, dst *vec.Vector) error {
	t := newTree()
	t.add(inBlock(g.Under(root), from/vec.BlockRows), root, t.root)
	return parts(from, to, sel, types.Of(types.JSONB), dst, func(a *assembler) error { return a.walk(t.root) })
}

// partBytes is how much text is put together at a time: so much that reading a column costs little beside appending it,
// and so little that the texts, which grow in turns, stay in the cache.
const partBytes = 4 << 20

// parts makes dst the texts of rows [from, to), of which sel are wanted (nil: all), some rows at a time. assemble is called
// for each part that has a wanted row.
func parts(from, to int, sel vec.Bitmap, t types.Type, dst *vec.Vector, assemble func(a *assembler) error) error {
	a := assemblers.Get().(*assembler)
	defer assemblers.Put(a)
	dst.SetFlat(t, to-from)
	wanted, left := 0, to-from
	if sel != nil {
		left = sel[:vec.Words(to-from)].Count()
	}
	for at, n := from, 64; at < to; at += n { // steps of whole words of sel
		if wanted > 0 {
			n = max(partBytes*wanted/(len(dst.Data)+1), 64) &^ 63
		}
		n = min(n, to-at)
		var part vec.Bitmap
		if sel != nil {
			part = sel[(at-from)>>6:]
		}
		a.begin(at, at+n, part)
		rows := a.sel.Count()
		if rows > 0 {
			if err := assemble(a); err != nil {
				return err
			}
		}
		wanted, left = wanted+rows, left-rows
		a.emit(dst, float64(left)/float64(max(rows, 1)))
	}
	return nil
}

var assemblers = sync.Pool{New: func() any { return new(assembler) }}

// tree is the columns of a value as its members nest, members in jsonb's order.
type tree struct {
	root *treeNode
}

type treeNode struct {
	key    []byte // `"key": ` as it is written
	name   string
	values []column.Column // the values of the member itself
	kids   []*treeNode
	sorted bool
	byName map[string]*treeNode
}

func newTree() *tree { return &tree{root: &treeNode{}} }

func (n *treeNode) child(name string) *treeNode {
	if c := n.byName[name]; c != nil {
		return c
	}
	if n.byName == nil {
		n.byName = map[string]*treeNode{}
	}
	n.sorted = false
	c := &treeNode{name: name, key: append(AppendQuoted(nil, name), ": "...)}
	n.byName[name] = c
	n.kids = append(n.kids, c)
	return c
}

// add hangs the columns, all at or under root, below at.
func (t *tree) add(cols []column.Column, root types.Path, at *treeNode) {
	prefix := len(root)
	for _, c := range cols {
		n := at
		if rest := string(c.Path())[prefix:]; rest != "" {
			for _, key := range splitKeys(rest[1:]) {
				n = n.child(key)
			}
		}
		n.values = append(n.values, c)
	}
}

func splitKeys(s string) []string {
	var keys []string
	for i := 0; i < len(s); i++ {
		if s[i] == 0 {
			keys = append(keys, s[:i])
			s, i = s[i+1:], -1
		}
	}
	return append(keys, s)
}

// sort brings the members of n into jsonb's order.
func (n *treeNode) sort() {
	if n.sorted {
		return
	}
	n.sorted = true
	slices.SortFunc(n.kids, func(a, b *treeNode) int {
		if len(a.name) != len(b.name) {
			return len(a.name) - len(b.name)
		}
		if a.name < b.name {
			return -1
		}
		return 1
	})
}

// assembler writes the texts of a range of rows, walking the tree once.
type assembler struct {
	from, to int
	rows     []uint16 // wanted rows, relative to from; scratch
	sel      vec.Bitmap
	texts    [][]byte   // one per row
	set      vec.Bitmap // rows that have a value; the others are NULL
	mixed    []int      // rows whose root has some members in one piece and others as paths: to be put in order
	asText   bool       // the root's own value is written as ->> gives it
	// open is, per row, how many of the members on the way to the current one have their brace written.
	open []int
	way  []*treeNode
	done vec.Bitmap // rows that have a value at the current node already
	v    vec.Vector
	hist sketch.Histogram
}

func (a *assembler) begin(from, to int, sel vec.Bitmap) {
	n := to - from
	a.from, a.to, a.asText, a.mixed = from, to, false, a.mixed[:0]
	a.set = a.set.Resize(n)
	a.sel = a.sel.Resize(n)
	if sel == nil {
		a.sel.Fill(n)
	} else {
		copy(a.sel, sel[:vec.Words(n)])
		if tail := uint(n) & 63; tail != 0 {
			a.sel[n>>6] &= 1<<tail - 1
		}
	}
	for len(a.texts) < n {
		a.texts = append(a.texts, nil)
	}
	for i := range n {
		a.texts[i] = keepSmall(a.texts[i])
	}
	a.open = append(a.open[:0], make([]int, n)...)
	a.way = a.way[:0]
}

// walk writes n and what is below it.
func (a *assembler) walk(n *treeNode) error {
	if err := a.values(n); err != nil {
		return err
	}
	if len(n.kids) == 0 {
		return nil
	}
	n.sort()
	a.way = append(a.way, n)
	depth := len(a.way)
	for _, k := range n.kids {
		if err := a.walk(k); err != nil {
			return err
		}
	}
	for i, open := range a.open {
		if open >= depth {
			a.texts[i] = append(a.texts[i], '}')
			a.open[i] = depth - 1
		}
	}
	a.way = a.way[:depth-1]
	if depth > 1 {
		return nil
	}
	return a.sortMixed()
}

func (a *assembler) sortMixed() (err error) {
	for _, i := range a.mixed {
		if a.texts[i], err = AppendJSONB(nil, a.texts[i]); err != nil {
			return err
		}
	}
	a.mixed = a.mixed[:0]
	return nil
}

// values writes the values of n itself. Where a number has a typed value and a text, the text is written.
func (a *assembler) values(n *treeNode) error {
	if len(n.values) == 0 {
		return nil
	}
	a.done = a.done.Resize(a.to - a.from)
	for i := len(n.values) - 1; i >= 0; i-- { // LeafJSON is the last of the kinds, and wins
		c := n.values[i]
		if err := c.Read(a.from, a.to, &a.v); err != nil {
			return err
		}
		if err := a.column(n, c.Leaf()); err != nil {
			return err
		}
	}
	return nil
}

// column writes a.v, values of n of the given kind, to the rows that want them.
func (a *assembler) column(n *treeNode, leaf types.Leaf) (err error) {
	a.rows = present(&a.v, a.sel, a.rows[:0])
	for _, r := range a.rows {
		i := int(r)
		if a.done.Get(i) {
			continue
		}
		a.done.Set(i)
		if a.asText && len(a.way) == 0 {
			if err := a.plain(i, leaf); err != nil {
				return err
			}
			continue
		}
		a.set.Set(i)
		text := a.member(i, n)
		if text, err = a.value(text, i, leaf); err != nil {
			return err
		}
		a.texts[i] = text
	}
	return nil
}

// value appends row i of a.v, of the given kind, as jsonb.
func (a *assembler) value(text []byte, i int, leaf types.Leaf) ([]byte, error) {
	v := &a.v
	switch leaf {
	case types.LeafBool:
		return appendBool(text, v.Bool(i)), nil
	case types.LeafInt:
		return appendInt(text, v.Int(i)), nil
	case types.LeafFloat:
		return appendFloat(text, v.Float(i)), nil
	case types.LeafText:
		return AppendQuoted(text, v.Bytes(i)), nil
	case types.LeafHistogram:
		if err := a.hist.Decode(v.Bytes(i)); err != nil {
			return text, err
		}
		return a.hist.AppendJSON(text), nil
	}
	return append(text, v.Bytes(i)...), nil
}

// plain makes row i's text what ->> gives for row i of a.v.
func (a *assembler) plain(i int, leaf types.Leaf) (err error) {
	switch leaf {
	case types.LeafText:
		a.texts[i] = append(a.texts[i], a.v.Bytes(i)...)
		a.set.Set(i)
	case types.LeafJSON:
		a.setText(i, a.v.Bytes(i))
	default:
		a.texts[i], err = a.value(a.texts[i], i, leaf)
		a.set.Set(i)
	}
	return err
}

// setText makes row i's value that of a jsonb text, in the form that is asked for.
func (a *assembler) setText(i int, jsonb []byte) {
	ok := true
	if a.asText {
		a.texts[i], ok = AppendText(a.texts[i][:0], jsonb)
	} else {
		a.texts[i] = append(a.texts[i][:0], jsonb...)
	}
	a.set.SetTo(i, ok)
}

// member opens, in row i, the objects on the way to n that are not open yet, and writes n's key.
func (a *assembler) member(i int, n *treeNode) []byte {
	text := a.texts[i]
	if len(a.way) == 0 {
		return text // the root itself has no key
	}
	if a.open[i] == 0 && len(text) > 0 { // the root's own object: the column of members without one of their own has both
		text = text[:len(text)-1]
		a.open[i] = 1
		a.mixed = append(a.mixed, i)
	}
	for a.open[i] < len(a.way) {
		if k := a.open[i]; k > 0 {
			text = appendKey(text, a.way[k].key)
		}
		text = append(text, '{')
		a.open[i]++
	}
	return appendKey(text, n.key)
}

func appendKey(text, key []byte) []byte {
	if text[len(text)-1] != '{' {
		text = append(text, ", "...)
	}
	return append(text, key...)
}

// emit appends the texts to dst. left is how many times as much as these texts is still to come, or so.
func (a *assembler) emit(dst *vec.Vector, left float64) {
	n, size := a.to-a.from, 0
	for _, text := range a.texts[:n] {
		size += len(text)
	}
	if cap(dst.Data)-len(dst.Data) < size {
		dst.Data = slices.Grow(dst.Data, size+int(float64(size)*left*1.06))
	}
	for i, text := range a.texts[:n] {
		if a.set.Get(i) {
			dst.AppendBytes(text)
		} else {
			dst.AppendNull()
		}
	}
}

// present appends the rows of v that have a value and are in sel.
func present(v *vec.Vector, sel vec.Bitmap, rows []uint16) []uint16 {
	switch {
	case v.Valid == nil:
		return sel.Positions(rows)
	case v.Form == vec.Const:
		if !v.Valid.Get(0) {
			return rows
		}
		return sel.Positions(rows)
	}
	for i, w := range v.Valid[:vec.Words(v.N)] {
		w &= sel[i]
		rows = appendBits(rows, i<<6, w)
	}
	return rows
}
