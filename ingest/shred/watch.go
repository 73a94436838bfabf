package shred

import (
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// Watched returns the value of a path of Rules.Watch in the last document; ok is false if it had none, or null, an array
// or an object. The bytes of a text are in the row's arena.
func (s *Shredder) Watched(i int) (v column.RowValue, ok bool) {
	if at := s.watched[i]; at >= 0 {
		return s.row.Values[at], true
	}
	return s.watchedInside(s.watchKeys[i])
}

// watchedInside looks for a watched member inside of the LeafJSON values above it: a cap on paths may have made one
// value of an object on the way.
func (s *Shredder) watchedInside(keys []string) (v column.RowValue, ok bool) {
	m := s.table.doc.kids[keys[0]]
	if m == nil {
		return v, false
	}
	n := m.target
	if rest := s.table.rest; rest != nil {
		if object := s.jsonOf(rest.id); object != nil {
			if text, ok := JSONBGetPath(object, keys); ok {
				return s.scalar(text)
			}
		}
		if n == nil {
			n = rest.kids[keys[0]]
		}
	}
	for d := 1; n != nil && d < len(keys); d++ {
		if object := s.jsonOf(n.id); object != nil {
			if text, ok := JSONBGetPath(object, keys[d:]); ok {
				return s.scalar(text)
			}
		}
		n = n.kids[keys[d]]
	}
	return v, false
}

// jsonOf returns the LeafJSON value of a path in the row, or nil.
func (s *Shredder) jsonOf(id uint32) []byte {
	for _, v := range s.row.Values {
		if v.Path == id && v.Leaf == types.LeafJSON {
			return s.row.Data(v)
		}
	}
	return nil
}

// scalar returns a scalar of jsonb text as a value of the row.
func (s *Shredder) scalar(text []byte) (v column.RowValue, ok bool) {
	switch JSONBTypeof(text) {
	case "string":
		off := len(s.row.Arena)
		s.row.Arena, _ = AppendText(s.row.Arena, text)
		return column.RowValue{Leaf: types.LeafText, Num: uint64(off), Len: uint32(len(s.row.Arena) - off)}, true
	case "number":
		if leaf, i, _ := ParseNumber(text); leaf == types.LeafInt {
			return column.RowValue{Leaf: types.LeafInt, Num: uint64(i)}, true
		}
	}
	return v, false
}
