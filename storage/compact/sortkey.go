// Package compact turns rows into the files that stay: it orders the rows of a seal, cuts them into row groups bounded
// in rows and bytes, merges segments row group by row group, adds up the states of roll-ups, and decides what to merge
// next. It is steps over what it is given; when they run, and how their outcome is published, is the store's business.
package compact

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// KeyCol is one column of a sort key.
type KeyCol struct {
	Path types.Path
	Leaf types.Leaf
}

// KeyOf returns the columns of a table's sort key. A name without a plain column (jsonb has none) is left out.
func KeyOf(t *types.Table) []KeyCol {
	var out []KeyCol
	for _, name := range t.SortKey {
		i := t.Col(name)
		if i < 0 || t.Columns[i].Type.Kind == types.JSONB {
			continue
		}
		out = append(out, KeyCol{types.MakePath(name), types.LeafOf(t.Columns[i].Type)})
	}
	return out
}

// Keys are the sort keys of the rows of a group, encoded so that comparing bytes compares rows: integers and floats in
// their order, text by bytes, NULL behind everything.
type Keys struct {
	data []byte
	off  []uint32
}

// At returns the key of a row.
func (k *Keys) At(row int) []byte { return k.data[k.off[row]:k.off[row+1]] }

// Len returns the number of rows.
func (k *Keys) Len() int { return len(k.off) - 1 }

// Compare orders two rows of possibly different groups.
func (k *Keys) Compare(row int, o *Keys, other int) int { return bytes.Compare(k.At(row), o.At(other)) }

// ReadKeys reads the sort keys of all rows of g.
func ReadKeys(g column.Group, key []KeyCol) (*Keys, error) {
	k := &Keys{off: make([]uint32, 1, g.Rows()+1)}
	cols := make([]column.Column, len(key))
	for i, kc := range key {
		if c, ok := g.Find(kc.Path, kc.Leaf); ok {
			cols[i] = c
		}
	}
	block := make([]vec.Vector, len(key))
	for from := 0; from < g.Rows(); from += vec.BatchRows {
		to := min(from+vec.BatchRows, g.Rows())
		for i, c := range cols {
			if c == nil {
				block[i].SetConstNull(key[i].Leaf.Type(), to-from)
			} else if err := c.Read(from, to, &block[i]); err != nil {
				return nil, err
			}
		}
		for r := range to - from {
			for i := range block {
				k.data = appendKey(k.data, &block[i], r)
			}
			k.off = append(k.off, uint32(len(k.data)))
		}
	}
	return k, nil
}

const (
	keyValue = 0x01
	keyNull  = 0xff
)

func appendKey(dst []byte, v *vec.Vector, r int) []byte {
	if v.Null(r) {
		return append(dst, keyNull)
	}
	dst = append(dst, keyValue)
	switch v.Type.Phys() {
	case types.PhysBool:
		if v.Bool(r) {
			return append(dst, 1)
		}
		return append(dst, 0)
	case types.PhysInt64:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int(r))^1<<63)
	case types.PhysFloat64:
		return binary.BigEndian.AppendUint64(dst, orderedFloat(v.Float(r)))
	}
	return appendText(dst, v.Bytes(r))
}

// orderedFloat maps floats to integers of the same order; -0 equals 0 and every NaN is above all.
func orderedFloat(f float64) uint64 {
	if f == 0 {
		f = 0
	}
	if math.IsNaN(f) {
		return math.MaxUint64
	}
	b := math.Float64bits(f)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// appendText ends a text so that no text is a prefix of another one's encoding: NUL becomes NUL 0xff, the end NUL 0x01.
func appendText(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, 0)
		if i < 0 {
			return append(append(dst, s...), 0, 1)
		}
		dst = append(append(dst, s[:i]...), 0, 0xff)
		s = s[i+1:]
	}
}
