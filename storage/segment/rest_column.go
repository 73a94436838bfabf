package segment

import (
	"fmt"
	"sort"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
)

// restColumn is a column whose few or large values lie in the pages of the rest area.
type restColumn struct{ segmentColumn }

// Read implements column.Column: it reads the pages that can hold rows of the range and no others.
func (c *restColumn) Read(from, to int, dst *vec.Vector) error {
	first, at, pages := c.place()
	rows := codec.NewRows(c.Leaf(), from, to, dst)
	k := c.pageBefore(int(first), int(pages), from)
	for ; k < int(first+pages); k++ {
		if k > int(first) {
			at = 0
			if int(c.g.r.dir.u16(c.g.dir.pageRow, k)) >= to {
				break
			}
		}
		if err := c.addPage(k, at, &rows); err != nil {
			return err
		}
	}
	rows.Finish()
	return nil
}

// pageBefore returns the last page of the column that begins at or before a row; the first page if none does. Only pages
// behind the first begin with this column.
func (c *restColumn) pageBefore(first, pages, row int) int {
	d, g := c.g.r.dir, c.g.dir
	n := sort.Search(pages-1, func(i int) bool { return int(d.u16(g.pageRow, first+1+i)) > row })
	return first + n
}

func (c *restColumn) addPage(k int, at uint32, rows *codec.Rows) error {
	e, err := c.g.page(k, &c.segmentColumn)
	if err != nil {
		return err
	}
	defer e.unpin()
	if int(at) >= len(e.data) {
		at = uint32(len(e.data))
	}
	if _, _, err := rows.Add(e.data[at:], c.g.dir.rows); err != nil {
		return c.corrupt(c.g.r.dir.u32(c.g.dir.pageOff, k), err)
	}
	return nil
}

// page returns page k of the group, decompressed and pinned. The errors name the column that wants it. Columns that are
// neighbours share pages, so a page that found no room in the cache is kept by the group until the next such one.
func (g *group) page(k int, column *segmentColumn) (*cacheEntry, error) {
	d := g.r.dir
	off, size := d.u32(g.dir.pageOff, k), d.u32(g.dir.pageLen, k)
	raw, crc := d.u32(g.dir.pageRaw, k), d.u32(g.dir.pageCRC, k)
	key := cacheKey{g.r.number, g.dir.base + int64(off)}
	if e := g.uncached.Load(); e != nil && e.key == key {
		return e, nil
	}
	if uint64(raw) > min((uint64(size)+16)<<15, codec.MaxValueBytes+2*restPageBytes) { // more than its bytes can give: do not reserve room for it
		return nil, column.corrupt(off, errPageSize)
	}
	e, err := g.r.cache.get(key, int(raw), func(e *cacheEntry) error { return column.inflatePage(e.data, off, size, crc) })
	if err == nil && e.arena == nil {
		g.uncached.Store(e)
	}
	return e, err
}

func (c *segmentColumn) inflatePage(dst []byte, off, size, crc uint32) error {
	stored := make([]byte, size)
	if err := c.readVerified(stored, off, crc); err != nil {
		return err
	}
	got, err := codec.Inflate(dst, stored, len(dst))
	if err != nil {
		return c.corrupt(off, err)
	}
	if len(got) > 0 && &got[0] != &dst[0] {
		copy(dst, got)
	}
	return nil
}

// Filter implements column.Column: the values are few, so they are decoded and compared.
func (c *restColumn) Filter(from, to int, p *column.Pred, sel vec.Bitmap) error {
	if p.Leaf.Phys() != c.Leaf().Phys() {
		return fmt.Errorf("segment: predicate on %s values for a column of %s values", p.Leaf, c.Leaf())
	}
	var v vec.Vector
	if err := c.Read(from, to, &v); err != nil {
		return err
	}
	return p.Apply(&v, sel)
}
