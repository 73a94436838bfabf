package storage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// The payload of a kindRows record: the rows of one short INSERT. FORMAT.md draws it.
//
//	table u32 | paths uvarint, each: length uvarint, bytes | rows: count of values uvarint, each: value
//	value: path number uvarint | leaf u8 | bool: u8; int, float: u64; else: length uvarint, bytes
//
// Paths come first although they are known last, so rows are gathered apart and joined at the end.

var errRowRecord = errors.New("malformed rows record")

// rowEncoder gathers rows.
type rowEncoder struct {
	table    uint32
	interner *column.Interner
	numbers  map[uint32]uint64 // path id -> number in the record
	paths    []byte
	rows     []byte
	count    int
}

func newRowEncoder(table uint32, in *column.Interner) *rowEncoder {
	return &rowEncoder{table: table, interner: in, numbers: map[uint32]uint64{}}
}

func (e *rowEncoder) add(row *column.RowBuf) {
	e.count++
	e.rows = binary.AppendUvarint(e.rows, uint64(len(row.Values)))
	for _, v := range row.Values {
		e.rows = binary.AppendUvarint(e.rows, e.number(v.Path))
		e.rows = append(e.rows, byte(v.Leaf))
		switch v.Leaf.Phys() {
		case types.PhysBool:
			e.rows = append(e.rows, byte(v.Num))
		case types.PhysInt64, types.PhysFloat64:
			e.rows = binary.LittleEndian.AppendUint64(e.rows, v.Num)
		default:
			e.rows = binary.AppendUvarint(e.rows, uint64(v.Len))
			e.rows = append(e.rows, row.Data(v)...)
		}
	}
}

func (e *rowEncoder) number(path uint32) uint64 {
	n, ok := e.numbers[path]
	if !ok {
		n = uint64(len(e.numbers))
		e.numbers[path] = n
		p := e.interner.Path(path)
		e.paths = binary.AppendUvarint(e.paths, uint64(len(p)))
		e.paths = append(e.paths, p...)
	}
	return n
}

func (e *rowEncoder) bytes() int { return len(e.paths) + len(e.rows) }

// parts returns the payload in pieces.
func (e *rowEncoder) parts() [][]byte {
	h := binary.LittleEndian.AppendUint32(nil, e.table)
	return [][]byte{binary.AppendUvarint(h, uint64(len(e.numbers))), e.paths, e.rows}
}

// rowDecoder reads a record's rows.
type rowDecoder struct {
	table uint32
	paths []uint32
	rest  []byte
}

// openRows reads the head of a payload.
func openRows(payload []byte, in *column.Interner) (*rowDecoder, error) {
	if len(payload) < 4 {
		return nil, errRowRecord
	}
	d := &rowDecoder{table: binary.LittleEndian.Uint32(payload), rest: payload[4:]}
	n, ok := d.uvarint()
	if !ok || n > uint64(len(d.rest)) {
		return nil, fmt.Errorf("%w: %d paths", errRowRecord, n)
	}
	for range n {
		p, ok := d.bytes()
		if !ok {
			return nil, fmt.Errorf("%w: a path is cut", errRowRecord)
		}
		d.paths = append(d.paths, in.Intern(types.Path(p)))
	}
	return d, nil
}

// next adds the values of the next row to an empty row; more is false at the end.
func (d *rowDecoder) next(row *column.RowBuf) (more bool, err error) {
	if len(d.rest) == 0 {
		return false, nil
	}
	n, ok := d.uvarint()
	if !ok || n > uint64(len(d.rest)) {
		return false, fmt.Errorf("%w: %d values", errRowRecord, n)
	}
	for range n {
		if !d.value(row) {
			return false, fmt.Errorf("%w: a value is cut", errRowRecord)
		}
	}
	return true, nil
}

func (d *rowDecoder) value(row *column.RowBuf) bool {
	p, ok := d.uvarint()
	if !ok || p >= uint64(len(d.paths)) || len(d.rest) < 2 {
		return false
	}
	leaf := types.Leaf(d.rest[0])
	d.rest = d.rest[1:]
	if leaf < types.LeafBool || leaf > types.LeafJSON {
		return false
	}
	switch leaf.Phys() {
	case types.PhysBool:
		row.Bool(d.paths[p], d.rest[0] != 0)
		d.rest = d.rest[1:]
	case types.PhysInt64, types.PhysFloat64:
		if len(d.rest) < 8 {
			return false
		}
		row.Values = append(row.Values, column.RowValue{Path: d.paths[p], Leaf: leaf, Num: binary.LittleEndian.Uint64(d.rest)})
		d.rest = d.rest[8:]
	default:
		b, ok := d.bytes()
		if !ok {
			return false
		}
		row.Bytes(d.paths[p], leaf, b)
	}
	return true
}

func (d *rowDecoder) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		return 0, false
	}
	d.rest = d.rest[n:]
	return v, true
}

func (d *rowDecoder) bytes() ([]byte, bool) {
	n, ok := d.uvarint()
	if !ok || n > uint64(len(d.rest)) {
		return nil, false
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b, true
}
