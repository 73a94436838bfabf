package codec

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Coded is a column of texts of one row group that are known by their places in a table, so that none of them need be
// looked at to find out which are the same.
type Coded struct {
	Rows  int
	Pos   []uint16 // as in Values
	Codes []uint16 // of each value: its place in the table
	Text  func(code uint32) []byte
	Rank  []uint32 // by code: its place in the order of the texts
	Order []uint32 // the codes in the order of their texts
}

// EncodeCoded appends zone map and chunk of a column of codes. ok is false if a dictionary is not the right form for
// these values: then nothing is appended.
func (e *Encoder) EncodeCoded(zones, chunk []byte, c *Coded, o Options) (zonesOut, chunkOut []byte, m Merged, ok bool, err error) {
	g := &e.merge.codes
	v := &e.merge.values
	v.Leaf, v.Rows, v.Pos, v.Vec.N = types.LeafText, c.Rows, c.Pos, len(c.Codes)
	m.Present = len(c.Codes)
	plain := g.uniteTable(c)
	if m.Distinct = &g.dict; g.dict.N > 1 && 2*g.dict.N > m.Present {
		return zones, chunk, m, false, nil
	}
	at := len(chunk)
	chunk, kind, err := e.appendPresence(append(chunk, 0), v)
	if err != nil {
		return zones, chunk[:at], m, false, err
	}
	if g.dict.N == 1 {
		text := g.dict.Bytes(0)
		m.Bytes = int64(m.Present) * int64(4+len(text))
		var value *vec.Vector
		if len(text) <= boundBytes {
			value, m.Constant = &g.dict, c.Pos == nil
		}
		zones = e.zones.appendSame(zones, v, value, text)
		if m.Constant {
			return zones, chunk[:at], m, true, nil
		}
		chunk = appendConst(chunk, &g.dict)
		chunk[at] = kind<<6 | encConst
		return zones, chunk, m, true, nil
	}
	body := len(chunk)
	m.Bytes = g.bounds(e, v)
	enc := uint8(encDict)
	chunk = e.appendMergedDict(chunk, v.Leaf)
	chunk = e.appendMergedCodes(chunk, g.dict.N, o)
	if size := len(chunk) - body; !worthIt(size, plain) {
		return zones, chunk[:at], m, false, nil
	} else if e.mayList(size) {
		if with, some := appendRareOf(e, chunk, g.codes, g.total, size); some {
			enc, chunk = encDictRare, with
		}
	}
	chunk[at] = kind<<6 | enc
	return e.zones.appendOfCodes(zones, v, g), chunk, m, true, nil
}

// uniteTable makes the dictionary of the texts that occur and translates the codes. It returns the size of the plain form,
// about.
func (m *codeMerger) uniteTable(c *Coded) (plain int) {
	m.uses = sized(m.uses, len(c.Rank))
	clear(m.uses)
	for _, k := range c.Codes {
		m.uses[k]++
	}
	m.table = sized(m.table, len(c.Rank))
	m.dict.Reset(types.LeafText.Type())
	m.total = m.total[:0]
	for _, k := range c.Order {
		if m.uses[k] == 0 {
			continue
		}
		text := c.Text(k)
		m.table[k] = uint16(m.dict.N)
		m.dict.AppendBytes(text)
		m.total = append(m.total, m.uses[k])
		plain += int(m.uses[k]) * len(text)
	}
	m.codes = sized(m.codes, len(c.Codes))
	for i, k := range c.Codes {
		m.codes[i] = m.table[k]
	}
	return plain + len(c.Codes)/4
}

// appendSame appends the zone map of values that are all the same text. value is set if it is to be kept whole.
func (w *zoneWriter) appendSame(dst []byte, v *Values, value *vec.Vector, text []byte) []byte {
	w.zones = w.zones[:0]
	w.count(v)
	for _, n := range w.counts {
		z := zone{}
		if n > 0 {
			z = zone{any: true, minB: text, maxB: text}
		}
		w.zones = append(w.zones, z)
	}
	return w.append(dst, v, value)
}

// EncodeUUIDs appends zone map and chunk of a column of packed UUIDs, of rows that have one. ok is false if another form
// may be the right one: then nothing is appended.
func (e *Encoder) EncodeUUIDs(zones, chunk []byte, rows int, pos []uint16, vals [][16]byte) (zonesOut, chunkOut []byte, m Merged, ok bool, err error) {
	v := &e.merge.values
	v.Leaf, v.Rows, v.Pos, v.Vec.N = types.LeafText, rows, pos, len(vals)
	m.Present, m.Bytes = len(vals), (4+uuidText)*int64(len(vals))
	at := len(chunk)
	chunk, kind, err := e.appendPresence(append(chunk, 0), v)
	if err != nil {
		return zones, chunk[:at], m, false, err
	}
	body := len(chunk)
	chunk = slices.Grow(chunk, uuidBytes*len(vals))
	for i := range vals {
		chunk = append(chunk, vals[i][:]...)
	}
	repeats := e.zones.scanUUIDs(v, chunk[body:], &e.merge.uuids.texts)
	if len(vals) < 2 || 2*repeats >= len(vals) || e.seen.uuids(vals, len(vals)/2) {
		return zones, chunk[:at], m, false, nil
	}
	chunk[at] = kind<<6 | encUUID
	return e.zones.append(zones, v, nil), chunk, m, true, nil
}

// uuids tells ids apart; of those given out at random the last bytes are the most different ones.
func (d *distinct) uuids(vals [][16]byte, limit int) bool {
	d.reset(len(vals), limit)
	mask := len(d.slots) - 1
	for i := range vals {
		lo := binary.LittleEndian.Uint64(vals[i][8:]) ^ binary.LittleEndian.Uint64(vals[i][:])
		slot := int(lo * 0x9e3779b97f4a7c15 >> d.shift)
		for d.slots[slot] != 0 && !bytes.Equal(vals[d.firsts[d.slots[slot]-1]][:], vals[i][:]) {
			slot = (slot + 1) & mask
		}
		d.ids[i] = d.add(slot, i)
		if d.n > limit {
			return false
		}
	}
	return true
}
