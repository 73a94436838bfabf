package segment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/types"
)

// mergeColumn makes a column of the new group of the encoded chunks of its sources, if there is a way to do so that is
// shorter than to decode them.
func (w *Writer) mergeColumn(g *groupBuild, c *columnGroup) (done bool, err error) {
	if slices.Contains(w.o.Lookups, string(c.path)) {
		return false, nil // a filter is made of the values
	}
	if w.o.Plain && (c.leaf == types.LeafInt || c.leaf == types.LeafFloat) {
		return false, nil // the sources may be encoded
	}
	src, release, err := w.sources(c)
	if len(src) == 0 || err != nil {
		return false, err
	}
	defer release()
	topLevel := !strings.Contains(string(c.path), "\x00")
	keep := func(present int) bool { return !isRestCount(present, g.rows, c.leaf == types.LeafJSON, topLevel) }
	b := columnBuild{zoneOff: uint32(len(g.zones))}
	zones, chunk, m, ok, err := w.enc.Merge(g.zones, w.chunk[:0], c.leaf, g.rows, src, codec.Options{AlignCodes: topLevel}, keep)
	w.chunk = chunk[:0]
	if !ok || err != nil {
		return false, w.located(c, err)
	}
	g.zones = zones
	b.id, b.present = w.dir.id(c.path, c.leaf), m.Present
	if b.kind = kindChunk; m.Distinct != nil {
		b.kind = kindDict
	}
	if m.Constant {
		b.kind = kindConst
	} else if err := w.writeChunk(g, &b, chunk); err != nil {
		return false, w.located(c, err)
	}
	if topLevel {
		if b.kind == kindChunk {
			w.index.chunk(len(w.dir.groups), b.id, chunk, m.Present)
		}
		w.index.add(len(w.dir.groups), b.id, c.path, c.leaf, nil, m.Distinct)
	}
	g.valueBytes += m.Bytes
	g.cols = append(g.cols, b)
	return true, nil
}

func (w *Writer) located(c *columnGroup, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("column %s (%s): %w", c.path, c.leaf, err)
}

// sources opens the chunks that a column comes from; there are none if one of its sources has no chunk that can be
// merged. They stay in memory until release.
func (w *Writer) sources(c *columnGroup) (src []codec.Source, release func(), err error) {
	src = w.src[:0]
	var pinned []*openChunk
	release = func() {
		for i, o := range pinned {
			o.unpin()
			c.from[i].col.(*chunkColumn).forget()
		}
		clear(w.src)
	}
	for _, s := range c.from {
		col, ok := s.col.(*chunkColumn)
		if !ok {
			release()
			return nil, nil, nil
		}
		o, data, err := col.pinned()
		if err != nil {
			release()
			return nil, nil, w.located(c, err)
		}
		pinned = append(pinned, o)
		if !codec.CanMerge(o.chunk) {
			for _, o := range pinned {
				o.unpin()
			}
			return nil, nil, nil // the chunks stay open: they are read next
		}
		src = append(src, codec.Source{Chunk: o.chunk, Data: data, Want: w.g.want[s.group]})
	}
	w.src = src
	return src, release, nil
}
