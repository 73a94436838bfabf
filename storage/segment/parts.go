package segment

import "github.com/telemdb/telemdb/storage/types"

// Part is a share of a segment's bytes: where a file's size comes from.
type Part struct {
	Path     types.Path // empty: what belongs to no column (index area, directory, header and footer)
	Leaf     types.Leaf
	Encoding string // of the values; "rest" in a page of the rest area, "none" for constants, else "index", "directory" or "frame"
	Bytes    int64  // of the values, or of the whole part
	Presence int64  // of what says which rows have a value
}

// Parts calls f for every column of every row group and for what is in no row group. The sum of all bytes is the file's
// size. Columns in the rest area get their share of each page by their length before compression. It reads every chunk.
func (r *Reader) Parts(f func(p Part)) error {
	for i := range r.groups {
		if err := r.groups[i].parts(f); err != nil {
			return err
		}
	}
	f(Part{Encoding: "index", Bytes: int64(r.foot.indexBytes)})
	f(Part{Encoding: "directory", Bytes: int64(r.foot.dirStored)})
	f(Part{Encoding: "frame", Bytes: headerBytes + footerBytes + trailerBytes})
	return nil
}

func (g *group) parts(f func(p Part)) error {
	var rest []*restColumn
	for _, col := range g.Under("") {
		c, ok := col.(*chunkColumn)
		if !ok {
			rest = append(rest, col.(*restColumn))
			continue
		}
		p := Part{Path: c.Path(), Leaf: c.Leaf(), Encoding: "none"}
		if c.kind() != kindConst {
			o, _, err := c.pinned()
			if err != nil {
				return err
			}
			_, size, _ := c.place()
			p.Encoding, p.Presence = o.chunk.Encoding(), int64(o.chunk.PresenceBytes())
			p.Bytes = int64(size) - p.Presence
			o.unpin()
		}
		f(p)
	}
	g.restParts(rest, f)
	return nil
}

// restParts shares the pages out. A column goes from its place to that of the next one.
func (g *group) restParts(rest []*restColumn, f func(p Part)) {
	d := g.r.dir
	left := make([]int64, g.dir.pages) // stored bytes of each page nobody has got yet
	for i := range left {
		left[i] = int64(d.u32(g.dir.pageLen, i))
	}
	for k, c := range rest {
		page, at, n := c.place()
		p := Part{Path: c.Path(), Leaf: c.Leaf(), Encoding: "rest"}
		for i := page; i < page+n; i++ {
			raw, from := int64(d.u32(g.dir.pageRaw, int(i))), int64(0)
			to := raw
			if i == page {
				from = int64(at)
			}
			last := true
			if k+1 < len(rest) {
				if next, nextAt, _ := rest[k+1].place(); next == i {
					to, last = int64(nextAt), false
				}
			}
			share := left[i]
			if !last {
				share = int64(d.u32(g.dir.pageLen, int(i))) * (to - from) / raw
			}
			left[i] -= share
			p.Bytes += share
		}
		f(p)
	}
}
