// Package compact turns rows into the files that stay: it orders the rows of a seal, cuts them into row groups bounded
// in rows and bytes, merges segments row group by row group, adds up the states of roll-ups, and decides what to merge
// next. It is steps over what it is given; when they run, and how their outcome is published, is the store's business.
package compact

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

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
func ReadKeys(g column.Group, key []KeyCol) (*Keys, error) { return readKeys(g, key, 0, g.Rows()) }

// readKeys reads the sort keys of the rows [first, last), of which the first is the first of a block if there are several.
func readKeys(g column.Group, key []KeyCol, first, last int) (*Keys, error) {
	k := &Keys{off: make([]uint32, 1, last-first+1)}
	cols := make([]keyColumn, len(key))
	for i, kc := range key {
		if c, ok := g.Find(kc.Path, kc.Leaf); ok {
			cols[i].col = c
		}
	}
	var at [vec.BlockRows]uint32
	for from := first; from < last; from += vec.BlockRows {
		to := min(from+vec.BlockRows, last)
		rows := at[:to-from]
		clear(rows)
		for i := range cols {
			if err := cols[i].read(from, to, key[i].Leaf); err != nil {
				return nil, err
			}
			cols[i].addLengths(rows)
		}
		if from == first {
			k.data = make([]byte, 0, estimate(rows, last-first))
		}
		end := uint32(len(k.data))
		for r, n := range rows {
			rows[r] = end
			end += n
			k.off = append(k.off, end)
		}
		k.data = slices.Grow(k.data, int(end)-len(k.data))[:end]
		for i := range cols {
			cols[i].put(k.data, rows)
		}
	}
	return k, nil
}

// estimate is what the keys of all rows take if they are about as long as the first ones.
func estimate(lengths []uint32, rows int) int {
	sum := 0
	for _, n := range lengths {
		sum += int(n)
	}
	return sum/len(lengths)*rows*9/8 + sum
}

// keyColumn encodes the values of one column of a key, a block at a time.
type keyColumn struct {
	col   column.Column // nil: all NULL
	block vec.Vector
	dict  *vec.Vector // whose texts are encoded
	texts []byte
	ends  []uint32
	plain bool // the block is of flat texts without NULLs and zero bytes
}

const (
	keyValue = 0x01
	keyNull  = 0xff
)

// read decodes a block, and encodes its dictionary if that is new.
func (c *keyColumn) read(from, to int, leaf types.Leaf) error {
	if c.col == nil {
		c.block.SetConstNull(leaf.Type(), to-from)
		return nil
	}
	if err := c.col.Read(from, to, &c.block); err != nil {
		return err
	}
	v := &c.block
	c.plain = v.Form == vec.Flat && v.Valid == nil && v.Type.Phys() == types.PhysBytes &&
		bytes.IndexByte(v.Data[v.Off[0]:v.Off[v.N]], 0) < 0
	if v.Form == vec.Dict && v.Type.Phys() == types.PhysBytes && v.Dict != c.dict {
		c.dict, c.texts, c.ends = v.Dict, c.texts[:0], c.ends[:0]
		for i := range v.Dict.N {
			c.texts = appendText(append(c.texts, keyValue), v.Dict.Bytes(i))
			c.ends = append(c.ends, uint32(len(c.texts)))
		}
	}
	return nil
}

// text returns the encoded form of the dictionary's value of a row.
func (c *keyColumn) text(r int) []byte {
	code := c.block.Codes[r]
	from := uint32(0)
	if code > 0 {
		from = c.ends[code-1]
	}
	return c.texts[from:c.ends[code]]
}

// addLengths adds the lengths of the rows' values.
func (c *keyColumn) addLengths(rows []uint32) {
	v := &c.block
	if c.plain {
		for r := range rows {
			rows[r] += 3 + v.Off[r+1] - v.Off[r]
		}
		return
	}
	size := uint32(9)
	switch v.Type.Phys() {
	case types.PhysBool:
		size = 2
	case types.PhysBytes:
		for r := range rows {
			switch {
			case v.Null(r):
				rows[r]++
			case v.Form == vec.Dict:
				rows[r] += uint32(len(c.text(r)))
			default:
				text := v.Bytes(r)
				rows[r] += uint32(3 + len(text) + bytes.Count(text, zeroByte))
			}
		}
		return
	}
	for r := range rows {
		if v.Null(r) {
			rows[r]++
		} else {
			rows[r] += size
		}
	}
}

var zeroByte = []byte{0}

// put writes the rows' values to their places in data, and moves the places behind them.
func (c *keyColumn) put(data []byte, rows []uint32) {
	v := &c.block
	if c.plain {
		for r, at := range rows {
			data[at] = keyValue
			end := at + 1 + uint32(copy(data[at+1:], v.Data[v.Off[r]:v.Off[r+1]]))
			data[end], data[end+1] = 0, 1
			rows[r] = end + 2
		}
		return
	}
	phys := v.Type.Phys()
	for r, at := range rows {
		if v.Null(r) {
			data[at] = keyNull
			rows[r]++
			continue
		}
		switch phys {
		case types.PhysInt64:
			data[at] = keyValue
			binary.BigEndian.PutUint64(data[at+1:], uint64(v.Int(r))^1<<63)
			rows[r] += 9
		case types.PhysFloat64:
			data[at] = keyValue
			binary.BigEndian.PutUint64(data[at+1:], orderedFloat(v.Float(r)))
			rows[r] += 9
		case types.PhysBool:
			data[at], data[at+1] = keyValue, 0
			if v.Bool(r) {
				data[at+1] = 1
			}
			rows[r] += 2
		default:
			if v.Form == vec.Dict {
				rows[r] += uint32(copy(data[at:], c.text(r)))
				continue
			}
			data[at] = keyValue
			end := appendText(data[at+1:at+1], v.Bytes(r))
			rows[r] += 1 + uint32(len(end))
		}
	}
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
