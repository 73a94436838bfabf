package segment

import (
	"slices"
	"strings"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/stage"
	"github.com/telemdb/telemdb/storage/types"
)

// staged takes the wanted rows of a column of a long insert, at once.
func (g *gatherer) staged(c *stage.Column, want []uint32) {
	c.Valid(want, g.valid)
	switch c.Leaf().Phys() {
	case types.PhysBool:
		c.Bits(want, g.bits)
	case types.PhysInt64:
		c.Ints(want, g.i64)
	case types.PhysFloat64:
		c.Floats(want, g.f64)
	default:
		g.dict = nil
		g.arena = c.Texts(want, g.arena, g.off, g.len)
	}
}

// stagedTexts is the memory for columns of texts that come from a long insert.
type stagedTexts struct {
	codes []uint16
	uuids [][16]byte
}

// stagedColumn makes a column of texts of the codes, or the packed UUIDs, that a long insert keeps. It is not done if some
// source keeps them otherwise, or the values had better be looked at.
func (w *Writer) stagedColumn(g *groupBuild, c *columnGroup) (done bool, err error) {
	if c.leaf != types.LeafText || strings.Contains(string(c.path), "\x00") || slices.Contains(w.o.Lookups, string(c.path)) {
		return false, nil
	}
	table, uuids, ok := stagedForm(c)
	if !ok {
		return false, nil
	}
	b := columnBuild{zoneOff: uint32(len(g.zones))}
	pos := w.stagedPresence(c)
	if pos != nil && len(pos) == 0 {
		return true, nil
	}
	var m codec.Merged
	if uuids {
		vals := w.stagedUUIDs(c, pos)
		g.zones, w.chunk, m, ok, err = w.enc.EncodeUUIDs(g.zones, w.chunk[:0], g.rows, pos, vals)
	} else {
		coded := codec.Coded{Rows: g.rows, Pos: pos, Codes: w.stagedCodes(c, pos), Text: table.Text, Rank: table.Rank(), Order: table.Order()}
		g.zones, w.chunk, m, ok, err = w.enc.EncodeCoded(g.zones, w.chunk[:0], &coded, codec.Options{AlignCodes: true})
	}
	if !ok || err != nil {
		return false, w.located(c, err)
	}
	b.id, b.present = w.dir.id(c.path, c.leaf), m.Present
	switch {
	case m.Constant:
		b.kind = kindConst
	case codec.HasDict(w.chunk[0]):
		b.kind = kindDict
		err = w.writeChunk(g, &b, w.chunk)
	default:
		b.kind = kindChunk
		err = w.writeChunk(g, &b, w.chunk)
		w.index.chunk(len(w.dir.groups), b.id, w.chunk, m.Present)
	}
	if err != nil {
		return false, w.located(c, err)
	}
	w.index.add(len(w.dir.groups), b.id, c.path, c.leaf, nil, m.Distinct)
	g.valueBytes += m.Bytes
	g.cols = append(g.cols, b)
	return true, nil
}

// stagedForm tells whether all sources of a column keep codes of one table, or all UUIDs.
func stagedForm(c *columnGroup) (table *stage.Table, uuids, ok bool) {
	for i, s := range c.from {
		col, ok := s.col.(*stage.Column)
		switch {
		case !ok:
			return nil, false, false
		case i == 0:
			table, uuids = col.Table(), col.IsUUID()
		case col.Table() != table || col.IsUUID() != uuids:
			return nil, false, false
		}
	}
	return table, uuids, table != nil || uuids
}

// stagedPresence returns the rows that have a value, nil for all.
func (w *Writer) stagedPresence(c *columnGroup) []uint16 {
	g := &w.g
	g.valid = g.valid.Resize(g.rows)
	for _, s := range c.from {
		s.col.(*stage.Column).Valid(g.want[s.group], g.valid)
	}
	if g.valid.Count() == g.rows {
		return nil
	}
	g.pos = g.valid.Positions(g.pos[:0])
	return g.pos
}

func (w *Writer) stagedCodes(c *columnGroup, pos []uint16) []uint16 {
	t := &w.staged
	t.codes = slices.Grow(t.codes[:0], w.g.rows)[:w.g.rows]
	for _, s := range c.from {
		s.col.(*stage.Column).Codes(w.g.want[s.group], t.codes)
	}
	return packed(t.codes, pos)
}

func (w *Writer) stagedUUIDs(c *columnGroup, pos []uint16) [][16]byte {
	t := &w.staged
	t.uuids = slices.Grow(t.uuids[:0], w.g.rows)[:w.g.rows]
	for _, s := range c.from {
		s.col.(*stage.Column).UUIDs(w.g.want[s.group], t.uuids)
	}
	return packed(t.uuids, pos)
}

// packed moves the values of the rows that have one to the front.
func packed[T any](vals []T, pos []uint16) []T {
	if pos == nil {
		return vals
	}
	for i, r := range pos { // r is never less than i
		vals[i] = vals[r]
	}
	return vals[:len(pos)]
}
