package segment

import (
	"fmt"
	"slices"
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
	off, raw := d.u32(g.dir.pageOff, k), d.u32(g.dir.pageRaw, k)
	key := cacheKey{g.r.number, g.dir.base + int64(off)}
	if e := g.uncached.Load(); e != nil && e.key == key {
		return e, nil
	}
	if err := g.checkPageSize(k, column); err != nil {
		return nil, err
	}
	e, err := g.r.cache.get(key, int(raw), func(e *cacheEntry) error {
		_, err := column.inflatePage(e.data, nil, k)
		return err
	})
	if err == nil && e.arena == nil {
		g.uncached.Store(e)
	}
	return e, err
}

// checkPageSize refuses a page that claims more than its bytes can give: no room is reserved for it.
func (g *group) checkPageSize(k int, column *segmentColumn) error {
	d := g.r.dir
	off, size, raw := d.u32(g.dir.pageOff, k), d.u32(g.dir.pageLen, k), d.u32(g.dir.pageRaw, k)
	if uint64(raw) > min((uint64(size)+16)<<15, codec.MaxValueBytes+2*restPageBytes) {
		return column.corrupt(off, errPageSize)
	}
	return nil
}

// readPage is page past the cache: for a merge, which reads a page once. dst and stored are room for it, and for what the
// file has, and are returned, larger where they have to be.
func (g *group) readPage(k int, column *segmentColumn, dst, stored []byte) (data, room []byte, err error) {
	if err := g.checkPageSize(k, column); err != nil {
		return dst, stored, err
	}
	raw := int(g.r.dir.u32(g.dir.pageRaw, k))
	dst = slices.Grow(dst[:0], raw)[:raw]
	stored, err = column.inflatePage(dst, stored, k)
	return dst, stored, err
}

// inflatePage reads page k of the column's group and decompresses it into dst, which is as long as that gives. stored is
// room for the bytes of the file.
func (c *segmentColumn) inflatePage(dst, stored []byte, k int) ([]byte, error) {
	d, g := c.g.r.dir, c.g.dir
	off, size, crc := d.u32(g.pageOff, k), d.u32(g.pageLen, k), d.u32(g.pageCRC, k)
	stored = slices.Grow(stored[:0], int(size))[:size]
	if err := c.readVerified(stored, off, crc); err != nil {
		return stored, err
	}
	got, err := codec.Inflate(dst, stored, len(dst))
	if err != nil {
		return stored, c.corrupt(off, err)
	}
	if len(got) > 0 && &got[0] != &dst[0] {
		copy(dst, got)
	}
	return stored, nil
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
