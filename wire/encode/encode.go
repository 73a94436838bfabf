// Package encode turns batches into the bytes of DataRow messages.
//
// The way from columns to rows is the one place of the product where values are handled row by row: the protocol wants
// them so. What is decided once per column (format, type, where values lie) is decided in load; what is left per value is
// one switch over a small number and an append.
package encode

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// op is the way a column's values are written.
type op uint8

const (
	textAny op = iota // datum.AppendText
	textBool
	textInt
	textFloat64
	bytesRaw // the bytes as they are: strings in either format, jsonb as text, uuid in binary
	binAny   // datum.AppendBinary
	binBool
	bin16
	bin32
	bin64
	binFloat64
	binTimestamp
	binJSONB
)

// opOf chooses the way for a type and a format code, 0 for text and 1 for binary.
func opOf(t types.Type, format int16) op {
	switch t.Kind {
	case types.Text, types.Varchar, types.BPChar, types.Name, types.Unknown, types.JSON, types.PgNodeTree, types.AclItem:
		return bytesRaw
	}
	if format == 0 {
		return textOp(t)
	}
	switch t.Kind {
	case types.Bool:
		return binBool
	case types.Int16:
		return bin16
	case types.Int32, types.OID, types.Xid, types.Regclass, types.Regtype, types.Regproc, types.Regnamespace:
		return bin32
	case types.Int64, types.Time:
		return bin64
	case types.Float64:
		return binFloat64
	case types.Timestamp, types.Timestamptz:
		return binTimestamp
	case types.JSONB:
		return binJSONB
	case types.UUID, types.Bytea:
		return bytesRaw
	}
	return binAny
}

func textOp(t types.Type) op {
	switch t.Kind {
	case types.Bool:
		return textBool
	case types.Int16, types.Int32, types.Int64, types.OID, types.Xid:
		return textInt
	case types.Float64:
		return textFloat64
	case types.JSONB, types.Numeric, types.Char, types.Record:
		return bytesRaw
	}
	return textAny
}

// column is a result column, and where its values of the batch at hand lie.
type column struct {
	op    op
	v     *vec.Vector // as the batch has it
	src   *vec.Vector // whose buffers hold the values: v, or its dictionary
	valid vec.Bitmap
	codes []uint32 // into src; nil: by row
	mask  int      // 0 for a constant, else all ones: row & mask is the index
}

// Rows writes the rows of one result. It is not safe for concurrent use.
type Rows struct {
	cols   []column
	format *datum.Format
}

// NewRows returns a writer for columns of these types. formats holds a format code for each, 0 for text or 1 for binary;
// nil is text for all. f is how the session writes text.
func NewRows(t []types.Type, formats []int16, f *datum.Format) *Rows {
	r := &Rows{cols: make([]column, len(t)), format: f}
	for i := range t {
		format := int16(0)
		if formats != nil {
			format = formats[i]
		}
		r.cols[i].op = opOf(t[i], format)
	}
	return r
}

// Append appends a DataRow message for each of the rows [from, to) of b, which has no Sel, until dst holds limit bytes
// or more. It returns the first row it did not append; at least one is appended. On error dst ends with the last whole
// message.
func (r *Rows) Append(dst []byte, b *vec.Batch, from, to, limit int) (_ []byte, next int, err error) {
	r.load(b)
	for row := from; row < to; row++ {
		start := len(dst)
		n := len(r.cols)
		dst = append(dst, 'D', 0, 0, 0, 0, byte(n>>8), byte(n))
		for i := range r.cols {
			if dst, err = r.cell(dst, &r.cols[i], row); err != nil {
				return dst[:start], row, err
			}
		}
		binary.BigEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-1))
		if len(dst) >= limit {
			return dst, row + 1, nil
		}
	}
	return dst, to, nil
}

// load finds where the values of b lie.
func (r *Rows) load(b *vec.Batch) {
	for i := range r.cols {
		c, v := &r.cols[i], b.Cols[i]
		c.v, c.src, c.valid, c.codes, c.mask = v, v, v.Valid, nil, -1
		switch v.Form {
		case vec.Const:
			c.mask = 0
		case vec.Dict:
			c.src, c.codes = v.Dict, v.Codes
		}
	}
}

// cell appends a value with its length; NULL is the length -1.
func (r *Rows) cell(dst []byte, c *column, row int) ([]byte, error) {
	i := row & c.mask
	if c.valid != nil && !c.valid.Get(i) {
		return append(dst, 0xff, 0xff, 0xff, 0xff), nil
	}
	if c.codes != nil {
		i = int(c.codes[i])
	}
	s := c.src
	switch c.op {
	case bytesRaw:
		from, to := s.Off[i], s.Off[i+1]
		dst = binary.BigEndian.AppendUint32(dst, to-from)
		return append(dst, s.Data[from:to]...), nil
	case textInt:
		at := len(dst)
		dst = strconv.AppendInt(append(dst, 0, 0, 0, 0), s.I64[i], 10)
		return closeCell(dst, at), nil
	case textFloat64:
		at := len(dst)
		dst = datum.AppendFloat(append(dst, 0, 0, 0, 0), s.F64[i], types.Float64, r.format)
		return closeCell(dst, at), nil
	case textBool:
		if s.Bits.Get(i) {
			return append(dst, 0, 0, 0, 1, 't'), nil
		}
		return append(dst, 0, 0, 0, 1, 'f'), nil
	case textAny:
		at := len(dst)
		dst = datum.AppendText(append(dst, 0, 0, 0, 0), s, i, r.format)
		return closeCell(dst, at), nil
	case binBool:
		if s.Bits.Get(i) {
			return append(dst, 0, 0, 0, 1, 1), nil
		}
		return append(dst, 0, 0, 0, 1, 0), nil
	case bin16:
		return binary.BigEndian.AppendUint16(append(dst, 0, 0, 0, 2), uint16(s.I64[i])), nil
	case bin32:
		return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), uint32(s.I64[i])), nil
	case bin64:
		return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), uint64(s.I64[i])), nil
	case binFloat64:
		return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), math.Float64bits(s.F64[i])), nil
	case binTimestamp:
		return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), uint64(toPostgres(s.I64[i]))), nil
	case binJSONB:
		from, to := s.Off[i], s.Off[i+1]
		dst = binary.BigEndian.AppendUint32(dst, to-from+1)
		return append(append(dst, 1), s.Data[from:to]...), nil
	}
	at := len(dst)
	dst, err := datum.AppendBinary(append(dst, 0, 0, 0, 0), s, i)
	return closeCell(dst, at), err
}

// closeCell writes the length of the value that begins behind the four bytes at dst[at:].
func closeCell(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// pgEpoch is 2000-01-01 in microseconds since 1970: where timestamps on the wire count from.
const pgEpoch = 946_684_800_000_000

func toPostgres(us int64) int64 {
	if us == math.MaxInt64 || us == math.MinInt64 { // the infinities
		return us
	}
	return us - pgEpoch
}
