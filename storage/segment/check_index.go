package segment

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// indexCheck gathers the values of one column of one row group and compares them with what the index area says: it must
// say exactly what the writer would have said.
type indexCheck struct {
	e      *indexColumn
	leaf   types.Leaf
	hashes hashSet
	seen   vec.Vector // for sets: the distinct values, ascending
	many   bool       // more than a set holds
}

// indexCheck returns nil for a column without an entry.
func (c *checker) indexCheck(col column.Column, rows int) *indexCheck {
	e := indexFor(c.r.index, int(segmentOf(col).id))
	if e == nil {
		return nil
	}
	x := &indexCheck{e: e, leaf: col.Leaf()}
	x.hashes.reset(rows)
	x.seen.Reset(x.leaf.Type())
	return x
}

// add takes the values of a block.
func (x *indexCheck) add(v *vec.Vector) {
	if x == nil {
		return
	}
	var one vec.Vector
	for i := range v.N {
		switch {
		case v.Null(i):
		case x.e.kind == indexFilter && x.leaf == types.LeafInt:
			x.hashes.add(hashInt(v.Int(i)))
		case x.e.kind == indexFilter:
			x.hashes.add(hashBytes(v.Bytes(i)))
		case !x.many:
			one.Reset(x.leaf.Type())
			one.AppendFrom(v, i)
			if at, ok := find(&x.seen, &one, 0); !ok {
				insert(&x.seen, at, &one, 0)
				x.many = x.seen.N > setValuesMax
			}
		}
	}
}

// indexOf compares the values of row group g, all added, with the entry.
func (c *checker) indexOf(g *group, x *indexCheck, section string) {
	if x == nil {
		return
	}
	if x.e.kind == indexSet {
		if has := x.e.set.Values(x.leaf, g.index); has == nil || x.many || !sameValues(has, &x.seen) {
			c.problem("index table, "+section, int64(c.r.foot.dirOffset)-int64(c.r.foot.indexTable), errors.New("the set of values is not that of the rows"))
		}
		return
	}
	f := &x.e.filters[g.index]
	switch {
	case f.None:
		c.problem("index table, "+section, int64(c.r.foot.dirOffset)-int64(c.r.foot.indexTable), errors.New("the rows have values, the index says they have none"))
		return
	case f.Bytes == 0:
		return
	}
	e, first, err := c.r.filters(string(c.r.dir.path(x.e.column)), x.leaf, x.e.filters)
	if err != nil {
		c.problem("filter, "+section, f.Offset, err)
		return
	}
	defer e.unpin()
	if at := f.Offset - first; !bytes.Equal(e.data[at:at+int64(f.Bytes)], x.hashes.bloom()) {
		c.problem("filter, "+section, f.Offset, errors.New("the filter is not that of the rows' values"))
	}
}

// chunkPages compares the checksums of a chunk's pages with the chunk, which is read, and verified, as a whole.
func (c *checker) chunkPages(col *chunkColumn, section string) {
	crcs := col.pageEntry()
	if crcs == nil {
		return
	}
	at := int64(c.r.foot.dirOffset) - int64(c.r.foot.indexTable)
	_, size, _ := col.place()
	l := layoutOf(int(size), col.present())
	o, data, err := col.pinned()
	if err != nil {
		return // values reports it
	}
	defer o.unpin()
	if len(crcs) != l.pages() {
		c.problem("index table, "+section, at, fmt.Errorf("%d checksums of pages, the chunk has %d", len(crcs), l.pages()))
		return
	}
	for k, crc := range crcs {
		if got := checksum(data[l.start(k):l.start(k+1)]); got != crc {
			c.problem("index table, "+section, at, fmt.Errorf("checksum %08x of page %d, which has %08x", crc, k, got))
		}
	}
}

func sameValues(a, b *vec.Vector) bool {
	if a.N != b.N {
		return false
	}
	for i := range a.N {
		if at, ok := find(a, b, i); !ok || at != i {
			return false
		}
	}
	return true
}

// absent checks that the index claims no values of columns that a row group does not have.
func (c *checker) absent(g *group) {
	for i := range c.r.index {
		e := &c.r.index[i]
		if e.kind > indexFilter {
			continue
		}
		if k := c.r.dir.indexIn(g.dir, e.column); k < g.dir.cols && int(c.r.dir.u32(g.dir.ids, k)) == e.column {
			continue
		}
		if e.kind == indexSet && e.set.Values(c.r.dir.leaf(e.column), g.index) == nil || e.kind == indexFilter && e.filters[g.index].None {
			continue
		}
		c.problem("index table", int64(c.r.foot.dirOffset)-int64(c.r.foot.indexTable),
			fmt.Errorf("row group %d has no value of column %s, the index says it has", g.index, c.r.dir.path(e.column)))
	}
}
