package segment

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"sort"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Problem is one violation that Check found.
type Problem struct {
	File    string
	Offset  int64 // of the bytes concerned; 0 where there is no one place
	Section string
	Err     error
}

// String tells what is wrong and where in the file, which it does not name.
func (p Problem) String() string {
	what := p.Err.Error()
	var corrupt *CorruptError
	if errors.As(p.Err, &corrupt) {
		what = corrupt.what()
	}
	return fmt.Sprintf("offset %d, %s: %s", p.Offset, p.Section, what)
}

// checkCacheBytes holds the pages of the rest area while their columns are checked.
const checkCacheBytes = 32 << 20

// Check reads the whole file anew, past the cache, and reports every violation: checksums, that every byte belongs to
// exactly one part, that every value decodes, the counts, that the zone maps bound the values and the index area is exactly
// that of the values, the sort order. It goes
// on after a problem and returns when it has seen everything.
func (r *Reader) Check(report func(Problem)) {
	cache := NewCache(checkCacheBytes)
	defer cache.Close()
	c := &checker{report: report, r: &Reader{path: r.path, file: r.file, cache: cache, number: readerNumbers.Add(1), whole: true}}
	if err := c.r.open(&r.head.id); err != nil {
		c.problem("file", 0, err)
		return
	}
	for i := range c.r.groups {
		c.group(&c.r.groups[i])
	}
	c.sortOrder()
	c.totals()
}

type checker struct {
	r      *Reader
	report func(Problem)
	v      vec.Vector
	unread map[int]bool // pages of the group at work of whose parts not all could be read: what they hold is not known
}

func (c *checker) problem(section string, offset int64, err error) {
	p := Problem{File: c.r.path, Offset: offset, Section: section, Err: err}
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		p.Section, p.Offset = corrupt.Section, corrupt.Offset
	}
	c.report(p)
}

// extent is a range of bytes: of a group in the file, or of a decompressed page.
type extent struct {
	page     int // -1: the group
	from, to int64
	what     string
}

func (c *checker) group(g *group) {
	var used []extent
	c.unread = map[int]bool{}
	for i := range g.dir.pages {
		off, size := int64(c.r.dir.u32(g.dir.pageOff, i)), int64(c.r.dir.u32(g.dir.pageLen, i))
		used = append(used, extent{-1, off, off + size, fmt.Sprintf("page %d", i)})
	}
	pageBytes := make([]int64, g.dir.pages)
	for i := range g.dir.pages {
		pageBytes[i] = int64(c.r.dir.u32(g.dir.pageRaw, i))
	}
	for _, col := range g.Under("") {
		used = append(used, c.column(g, col)...)
	}
	c.tiling(g, used, pageBytes)
	c.absent(g)
}

// tiling checks that the parts cover the group's bytes, and those of its pages, without gap or overlap.
func (c *checker) tiling(g *group, used []extent, pageBytes []int64) {
	sort.Slice(used, func(i, k int) bool {
		a, b := used[i], used[k]
		return a.page < b.page || a.page == b.page && a.from < b.from
	})
	at := make([]int64, 1+len(pageBytes))
	section := fmt.Sprintf("row group %d", g.index)
	for _, e := range used {
		if e.from != at[e.page+1] && !c.unread[e.page] {
			c.problem(section, g.dir.base, fmt.Errorf("%s begins at %d, the part before it ends at %d (page %d)", e.what, e.from, at[e.page+1], e.page))
		}
		at[e.page+1] = e.to
	}
	for page, end := range at {
		want := g.dir.size
		if page > 0 {
			want = pageBytes[page-1]
		}
		if end != want && !c.unread[page-1] {
			c.problem(section, g.dir.base, fmt.Errorf("parts end at %d of %d bytes (page %d)", end, want, page-1))
		}
	}
}

func (c *checker) column(g *group, col column.Column) (used []extent) {
	section := fmt.Sprintf("row group %d, column %s (%s)", g.index, col.Path(), col.Leaf())
	switch t := col.(type) {
	case *chunkColumn:
		off, size, _ := t.place()
		if size > 0 {
			used = append(used, extent{-1, int64(off), int64(off) + int64(size), section})
			c.chunkPages(t, section)
		}
	case *restColumn:
		used = c.fragments(t, section)
	}
	c.values(g, col, section)
	return used
}

// fragments finds where in the pages the column lies.
func (c *checker) fragments(col *restColumn, section string) (used []extent) {
	first, at, pages := col.place()
	total := 0
	for k := int(first); k < int(first+pages); k++ {
		e, err := col.g.page(k, &col.segmentColumn)
		if err != nil {
			c.notRead(k, int(first+pages))
			return used // values reports it
		}
		rows := codec.NewRows(col.Leaf(), 0, min(col.g.dir.rows, vec.BlockRows), &c.v)
		n, size, err := rows.Add(e.data[min(int(at), len(e.data)):], col.g.dir.rows)
		e.unpin()
		if err != nil {
			c.notRead(k, int(first+pages))
			return used
		}
		used = append(used, extent{k, int64(at), int64(at) + int64(size), section})
		total += n
		at = 0
	}
	if total != col.present() {
		c.problem(section, 0, fmt.Errorf("%d values in its pages, the directory says %d", total, col.present()))
	}
	return used
}

// notRead notes that the parts of pages [from, to) are not all known.
func (c *checker) notRead(from, to int) {
	for k := from; k < to; k++ {
		c.unread[k] = true
	}
}

// values decodes every block and compares it with what the directory says.
func (c *checker) values(g *group, col column.Column, section string) {
	seg := segmentOf(col)
	zones, err := c.r.dir.openZones(g.dir, int(seg.i))
	if err != nil {
		c.problem(section, int64(c.r.foot.dirOffset), err)
		return
	}
	present := 0
	whole := col.Stats()
	index := c.indexCheck(col, g.dir.rows)
	for b := 0; b*vec.BlockRows < g.dir.rows; b++ {
		from, to := b*vec.BlockRows, min((b+1)*vec.BlockRows, g.dir.rows)
		if err := col.Read(from, to, &c.v); err != nil {
			c.problem(section, g.dir.base, err)
			return
		}
		index.add(&c.v)
		got := column.StatsOf(&c.v, col.Leaf(), 0, to-from)
		present += got.Present
		if want := zones.Block(b); got.Present != want.Present {
			c.problem(section, g.dir.base, fmt.Errorf("block %d has %d values, its zone map says %d", b, got.Present, want.Present))
		} else if what := outside(&got, &want); what != "" {
			c.problem(section, g.dir.base, fmt.Errorf("block %d: %s", b, what))
		}
		if what := outside(&got, &whole); what != "" {
			c.problem(section, g.dir.base, fmt.Errorf("block %d: against the column's bounds: %s", b, what))
		}
	}
	if present != seg.present() {
		c.problem(section, g.dir.base, fmt.Errorf("%d values, the directory says %d", present, seg.present()))
	}
	c.indexOf(g, index, section)
}

func segmentOf(col column.Column) *segmentColumn {
	if t, ok := col.(*restColumn); ok {
		return &t.segmentColumn
	}
	return &col.(*chunkColumn).segmentColumn
}

// outside says how values go beyond the bounds of a zone map; "" if they do not.
func outside(values, zone *column.Stats) string {
	switch {
	case values.HasNaN && !zone.HasNaN:
		return "a NaN, and none according to the zone map"
	case !values.Bounded || !zone.Bounded:
		return ""
	case values.MinI < zone.MinI || values.MaxI > zone.MaxI:
		return fmt.Sprintf("values %d to %d, zone map %d to %d", values.MinI, values.MaxI, zone.MinI, zone.MaxI)
	case values.MinF < zone.MinF || values.MaxF > zone.MaxF:
		return fmt.Sprintf("values %g to %g, zone map %g to %g", values.MinF, values.MaxF, zone.MinF, zone.MaxF)
	case bytes.Compare(values.MinB, zone.MinB) < 0 || bytes.Compare(values.MaxB, zone.MaxB) > 0:
		return fmt.Sprintf("values %q to %q, zone map %q to %q", values.MinB, values.MaxB, zone.MinB, zone.MaxB)
	}
	return ""
}

// totals compares the footer's sums with the row groups'.
func (c *checker) totals() {
	rows, values := uint64(0), uint64(0)
	for i := range c.r.dir.groups {
		rows += uint64(c.r.dir.groups[i].rows)
		values += uint64(c.r.dir.groups[i].valueBytes)
	}
	f := &c.r.foot
	lo, hi := c.r.dir.lsnRange()
	if rows != f.rows || values != f.valueBytes || lo != f.minLSN || hi != f.maxLSN {
		c.problem("footer", c.r.size-footerBytes-trailerBytes, fmt.Errorf("says %d rows, %d bytes of values, LSN %d to %d; the row groups have %d, %d, %d to %d",
			f.rows, f.valueBytes, f.minLSN, f.maxLSN, rows, values, lo, hi))
	}
}

// sortOrder checks that rows ascend by the sort key, NULLs last, within and across row groups.
func (c *checker) sortOrder() {
	var last []vec.Vector // the key of the last row, one-row vectors
	for i := range c.r.groups {
		g := &c.r.groups[i]
		cols := c.keyColumns(g)
		for from := 0; from < g.dir.rows; from += vec.BlockRows {
			keys := make([]vec.Vector, len(cols))
			to := min(from+vec.BlockRows, g.dir.rows)
			for k, col := range cols {
				if col == nil {
					keys[k].SetConstNull(types.Of(types.Text), to-from)
				} else if col.Read(from, to, &keys[k]) != nil {
					return // values has reported it
				}
			}
			if row := firstDescent(last, keys, to-from); row >= 0 {
				c.problem(fmt.Sprintf("row group %d", i), g.dir.base, fmt.Errorf("row %d sorts before the row in front of it by %v", from+row, c.r.dir.sortKey))
				return
			}
			last = make([]vec.Vector, len(cols))
			for k := range keys {
				last[k].Reset(keys[k].Type)
				last[k].AppendFrom(&keys[k], to-from-1)
			}
		}
	}
}

// keyColumns returns the columns of the sort key, nil for one without values.
func (c *checker) keyColumns(g *group) []column.Column {
	cols := make([]column.Column, len(c.r.dir.sortKey))
	for k, name := range c.r.dir.sortKey {
		for leaf := types.LeafBool; leaf <= types.LeafText; leaf++ {
			if col, ok := g.Find(types.Path(name), leaf); ok {
				cols[k] = col
			}
		}
	}
	return cols
}

// firstDescent returns the first row that sorts before its predecessor, last being that of row 0; -1 if none does.
func firstDescent(last, keys []vec.Vector, n int) int {
	if last != nil && compareKeys(last, 0, keys, 0) > 0 {
		return 0
	}
	for i := 1; i < n; i++ {
		if compareKeys(keys, i-1, keys, i) > 0 {
			return i
		}
	}
	return -1
}

func compareKeys(a []vec.Vector, i int, b []vec.Vector, k int) int {
	for c := range a {
		if s := compareValues(&a[c], i, &b[c], k); s != 0 {
			return s
		}
	}
	return 0
}

// compareValues orders two values of one column, NULL last.
func compareValues(a *vec.Vector, i int, b *vec.Vector, k int) int {
	an, bn := a.Null(i), b.Null(k)
	switch {
	case an && bn:
		return 0
	case an:
		return 1
	case bn:
		return -1
	}
	switch a.Type.Phys() {
	case types.PhysBool:
		return cmp.Compare(boolInt(a.Bool(i)), boolInt(b.Bool(k)))
	case types.PhysInt64:
		return cmp.Compare(a.Int(i), b.Int(k))
	case types.PhysFloat64:
		return column.CompareFloat(a.Float(i), b.Float(k))
	}
	return bytes.Compare(a.Bytes(i), b.Bytes(k))
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
