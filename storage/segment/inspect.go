package segment

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// Selection says which columns of a row group InspectSelected prints; the zero value is all of them, a line each.
type Selection struct {
	Head   int    // the first so many; 0: all
	Column string // only the column of this path, as people write it (a.b.c), and those below it, with their blocks
}

// Inspect prints what the file consists of: header, row groups, columns with their encodings and zone maps, directory,
// footer. It reads every chunk to name its encoding; a chunk that cannot be read is shown with its error.
func (r *Reader) Inspect(w io.Writer) error { return r.InspectSelected(w, Selection{}) }

// InspectSelected is Inspect for some columns: it reads and prints no others.
func (r *Reader) InspectSelected(w io.Writer, sel Selection) error {
	out := bufio.NewWriter(w)
	h := &r.head
	fmt.Fprintf(out, "segment %s, %d bytes\n", r.path, r.size)
	fmt.Fprintf(out, "[0, %d) header: version %d.%d, required features %#x, optional %#x, segment %d, table %d\n",
		headerBytes, h.major, h.minor, h.required, h.optional, h.id, h.table)
	for i := range r.groups {
		r.inspectGroup(out, &r.groups[i], sel)
	}
	f := &r.foot
	r.inspectIndex(out, sel)
	fmt.Fprintf(out, "[%d, %d) directory: %d columns, %d row groups, %d bytes decompressed, sorted by %s\n", f.dirOffset,
		f.dirOffset+uint64(f.dirStored), f.columns, f.groups, f.dirRaw, orNone(strings.Join(r.dir.sortKey, ", ")))
	fmt.Fprintf(out, "[%d, %d) footer: %d rows, %d bytes of values, LSN %d to %d", r.size-footerBytes-trailerBytes, r.size,
		f.rows, f.valueBytes, f.minLSN, f.maxLSN)
	if f.flags&footerHasPartition != 0 {
		fmt.Fprintf(out, ", partition %d", f.partition)
	}
	fmt.Fprintln(out)
	return out.Flush()
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func (r *Reader) inspectGroup(out io.Writer, g *group, sel Selection) {
	fmt.Fprintf(out, "[%d, %d) row group %d: %d rows, %d columns, %d pages, %d bytes of values\n", g.dir.base,
		g.dir.base+g.dir.size, g.index, g.dir.rows, g.dir.cols, g.dir.pages, g.dir.valueBytes)
	shown, hidden := 0, 0
	for _, col := range g.Under("") {
		switch {
		case !sel.has(col.Path()):
		case sel.Head > 0 && shown == sel.Head:
			hidden++
		default:
			shown++
			fmt.Fprintf(out, "  %s %s: %s\n", col.Path(), col.Leaf(), r.describe(g, col))
			if sel.Column != "" {
				inspectBlocks(out, col, g.Rows())
			}
		}
	}
	if hidden > 0 {
		fmt.Fprintf(out, "  and %d more columns\n", hidden)
	}
	if sel.Column != "" {
		return
	}
	for i := range g.dir.pages {
		off := g.dir.base + int64(r.dir.u32(g.dir.pageOff, i))
		fmt.Fprintf(out, "  [%d, %d) page %d: zstd of %d bytes, from row %d\n", off, off+int64(r.dir.u32(g.dir.pageLen, i)), i,
			r.dir.u32(g.dir.pageRaw, i), r.dir.u16(g.dir.pageRow, i))
	}
}

// inspectIndex prints the parts of the index area.
func (r *Reader) inspectIndex(out io.Writer, sel Selection) {
	end := int64(r.foot.dirOffset)
	if r.foot.indexBytes == 0 {
		return
	}
	fmt.Fprintf(out, "[%d, %d) index area: %d entries\n", end-int64(r.foot.indexBytes), end, len(r.index))
	for i := range r.index {
		e := &r.index[i]
		path, leaf := r.dir.path(e.column), r.dir.leaf(e.column)
		if !sel.has(path) || sel.Head > 0 && i >= sel.Head {
			continue
		}
		for g := range r.groups {
			if e.kind > indexFilter {
				if e.kind == indexPages && len(e.pages[g]) > 0 {
					fmt.Fprintf(out, "  %s %s: checksums of %d pages of row group %d\n", path, leaf, len(e.pages[g]), g)
				}
				continue
			}
			if e.kind == indexSet {
				n := 0
				if v := e.set.Values(leaf, g); v != nil {
					n = v.N
				}
				fmt.Fprintf(out, "  %s %s: set of values, row group %d has %d\n", path, leaf, g, n)
			} else if f := e.filters[g]; f.Bytes > 0 {
				fmt.Fprintf(out, "  [%d, %d) %s %s: filter of row group %d, %d blocks\n", f.Offset, f.Offset+int64(f.Bytes), path, leaf, g,
					f.Bytes/bloomBlockBytes)
			}
		}
	}
	fmt.Fprintf(out, "  [%d, %d) table\n", end-int64(r.foot.indexTable), end)
}

func (s Selection) has(p types.Path) bool {
	name := p.String()
	return s.Column == "" || name == s.Column || strings.HasPrefix(name, s.Column+".")
}

// inspectBlocks prints the zone map of each block of a column.
func inspectBlocks(out io.Writer, col column.Column, rows int) {
	for b := 0; b*vec.BlockRows < rows; b++ {
		s := col.BlockStats(b)
		fmt.Fprintf(out, "    block %d: %d of %d rows%s\n", b, s.Present, s.Rows, zoneText(s, col.Leaf()))
	}
}

func (r *Reader) describe(g *group, col column.Column) string {
	seg := segmentOf(col)
	a, b, n := seg.place()
	stats := fmt.Sprintf("%d of %d rows%s", seg.present(), g.dir.rows, zoneText(seg.Stats(), col.Leaf()))
	c, ok := col.(*chunkColumn)
	if !ok {
		return fmt.Sprintf("rest, page %d at %d, %d pages, %s", a, b, n, stats)
	}
	o, data, err := c.pinned()
	if err != nil {
		return fmt.Sprintf("%s, %v", stats, err)
	}
	defer o.unpin()
	if o.entry == nil {
		return "const in the directory, " + stats
	}
	at := g.dir.base + int64(a)
	return fmt.Sprintf("[%d, %d) %d bytes, %s, %s", at, at+int64(b), b, o.chunk.Describe(data), stats)
}

func zoneText(s column.Stats, leaf types.Leaf) string {
	nan := ""
	if s.HasNaN {
		nan = ", NaN"
	}
	if !s.Bounded {
		return nan
	}
	switch leaf {
	case types.LeafFloat:
		return fmt.Sprintf(", %g to %g%s", s.MinF, s.MaxF, nan)
	case types.LeafText:
		return fmt.Sprintf(", %q to %q", s.MinB, s.MaxB)
	}
	return fmt.Sprintf(", %d to %d", s.MinI, s.MaxI)
}

// IsFile reports whether the file begins as segments do. It verifies nothing else.
func IsFile(fs vfs.FS, path string) (bool, error) {
	f, err := fs.Open(path)
	if err != nil {
		return false, err
	}
	b := make([]byte, len(magic))
	_, err = f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return string(b) == magic, errors.Join(err, f.Close())
}
