package session

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// chunkParser reads chunks of whole records into batches. Records of the plain kind go from the text into columns without
// a step between: fields without quotes, or with quotes around them alone, of the formats that nearly all values have. All
// others, and all that are wrong, are read by the row reader, whose word is the last. It serves one goroutine.
type chunkParser struct {
	o     *copyOptions
	slow  *copyIn // reads single rows into its own batch
	plain bool    // see chunkPipe
	cols  []copyColumn
	at    []int    // by field: its column
	nulls []bool   // by field: what the NULL text stands for when it is not quoted
	force []bool   // by field: the NULL text in quotes is NULL too
	marks []uint32 // of a chunk: where its delimiters, quotes and newlines are
	rows  int
	out   []*vec.Batch
}

// chunkResult is what a chunk became.
type chunkResult struct {
	batches []*vec.Batch
	lines   int64  // of the records that were read
	bad     []byte // the record behind them, which is wrong; nil if there is none
	ended   bool   // the record behind them ends the data
}

// batchRowsMax is the most rows of a batch of COPY.
const batchRowsMax = 1 << 16

func newChunkParser(in *copyIn, plain bool) *chunkParser {
	slow := *in
	slow.line, slow.buf, slow.fields = 1, nil, nil
	slow.newBatch()
	p := &chunkParser{o: in.o, slow: &slow, plain: plain, at: in.cols}
	for _, c := range in.visible {
		p.cols = append(p.cols, newCopyColumn(c.Type, p.slow))
	}
	for _, name := range in.names {
		p.nulls = append(p.nulls, !in.o.csv || !in.o.notNull[name])
		p.force = append(p.force, in.o.csv && in.o.forceNull[name])
	}
	return p
}

// parse reads a chunk, which ends with a newline. What it returns shares no memory with data but bad.
func (p *chunkParser) parse(data []byte) (res chunkResult) {
	p.out = nil
	fast := p.plain && len(p.at) > 0 && bytes.IndexByte(data, 0) < 0
	if fast {
		p.mark(data)
	}
	slashes := !p.o.csv && bytes.IndexByte(data, '\\') >= 0
	from, k := 0, 0
	for from < len(data) {
		if fast {
			if next, to, ok := p.row(data, from, k, slashes); ok {
				from, k = next, to
				p.rowDone()
				continue
			}
		}
		end, next := p.o.recordEnd(data[from:])
		line := data[from : from+end]
		p.slow.emptyBatch()
		if err := p.slow.row(line); err != nil {
			res.bad = line
			break
		}
		if p.slow.ended {
			p.slow.ended, res.ended = false, true
			break
		}
		for i := range p.cols {
			p.cols[i].appendFrom(p.slow.batch.Cols[i])
		}
		p.rowDone()
		from += next
		for fast && k < len(p.marks) && int(p.marks[k]) < from {
			k++
		}
	}
	p.emit()
	res.batches, res.lines = p.out, int64(bytes.Count(data[:from], newline))
	return res
}

func (p *chunkParser) rowDone() {
	if p.rows++; p.rows == batchRowsMax {
		p.emit()
	}
}

// emit makes a batch of the rows so far.
func (p *chunkParser) emit() {
	if p.rows == 0 {
		return
	}
	b := &vec.Batch{N: p.rows}
	for i := range p.cols {
		b.Cols = append(b.Cols, p.cols[i].finish(p.rows))
	}
	p.out = append(p.out, b)
	p.rows = 0
}

// mark finds the bytes at which fields and records may end.
func (p *chunkParser) mark(data []byte) {
	marks := p.marks[:0]
	delim, newline, quote := uint64(p.o.delim)*eachLow, uint64('\n')*eachLow, uint64('\n')*eachLow
	if p.o.csv {
		quote = uint64(p.o.quote) * eachLow
	}
	i := 0
	for ; i+8 <= len(data); i += 8 {
		x := binary.LittleEndian.Uint64(data[i:])
		m := matches(x, delim) | matches(x, newline) | matches(x, quote)
		for ; m != 0; m &= m - 1 {
			marks = append(marks, uint32(i+bits.TrailingZeros64(m)>>3))
		}
	}
	for ; i < len(data); i++ {
		if b := data[i]; b == p.o.delim || b == '\n' || p.o.csv && b == p.o.quote {
			marks = append(marks, uint32(i))
		}
	}
	p.marks = marks
}

// row reads the record at from, whose first mark is k, and returns where the next one begins. ok is false, and nothing is
// kept, if it is not of the plain kind.
func (p *chunkParser) row(data []byte, from, k int, slashes bool) (next, mark int, ok bool) {
	last := len(p.at) - 1
	for j, c := range p.at {
		if k >= len(p.marks) {
			p.undo(j)
			return 0, 0, false
		}
		at := int(p.marks[k])
		k++
		start, end, quoted := from, at, false
		if p.o.csv && data[at] == p.o.quote {
			if at != from || p.o.escape != p.o.quote {
				p.undo(j)
				return 0, 0, false
			}
			if at, end, k, ok = p.closing(data, k); !ok {
				p.undo(j)
				return 0, 0, false
			}
			start, quoted = from+1, true
		}
		if (data[at] == '\n') != (j == last) {
			p.undo(j)
			return 0, 0, false
		}
		from = at + 1
		if j == last && !quoted && end > start && data[end-1] == '\r' {
			end--
		}
		field := data[start:end]
		isNull := string(field) == p.o.null && (!quoted && p.nulls[j] || quoted && p.force[j])
		switch {
		case isNull:
			p.cols[c].null()
		case slashes && bytes.IndexByte(field, '\\') >= 0, last == 0 && !quoted && string(field) == `\.`, !p.cols[c].append(field):
			p.undo(j)
			return 0, 0, false
		}
	}
	if len(p.at) < len(p.cols) {
		for i := range p.cols { // columns COPY does not name are NULL
			if p.cols[i].n == p.rows {
				p.cols[i].null()
			}
		}
	}
	return from, k, true
}

// closing finds the end of a field in quotes, of which k is the first mark behind the opening one: where the field's
// delimiter or newline is, where its text ends, and the mark behind it. ok is false if there is a quote in the text, or
// something behind the closing one.
func (p *chunkParser) closing(data []byte, k int) (at, end, mark int, ok bool) {
	for k < len(p.marks) && data[p.marks[k]] != p.o.quote {
		k++
	}
	if k+1 >= len(p.marks) {
		return 0, 0, 0, false
	}
	end, at = int(p.marks[k]), int(p.marks[k+1])
	ok = at == end+1 && data[at] != p.o.quote || at == end+2 && data[at] == '\n' && data[end+1] == '\r'
	return at, end, k + 2, ok
}

// undo takes the first fields of a row back.
func (p *chunkParser) undo(fields int) {
	for _, c := range p.at[:fields] {
		p.cols[c].cut(p.rows)
	}
}

// copyColumn is a column that is being filled with the fields of records.
type copyColumn struct {
	t      types.Type
	slow   *copyIn
	read   fieldReader
	n      int
	v      *vec.Vector
	nullAt []uint32 // the rows without a value, ascending
	room   int      // values the last batch had
	dict   textDict
	date   dateMemo
}

// fieldReader is the way a column's fields are read.
type fieldReader uint8

const (
	readAny fieldReader = iota // by the general parser
	readInt
	readFloat
	readBool
	readDate
	readTimestamp
	readText
)

func newCopyColumn(t types.Type, slow *copyIn) copyColumn {
	c := copyColumn{t: t, slow: slow}
	switch {
	case t.Mod != 0:
	case t.Kind == types.Int16, t.Kind == types.Int32, t.Kind == types.Int64:
		c.read = readInt
	case t.Kind == types.Float64:
		c.read = readFloat
	case t.Kind == types.Bool:
		c.read = readBool
	case t.Kind == types.Date:
		c.read = readDate
	case t.Kind == types.Timestamptz, t.Kind == types.Timestamp:
		c.read = readTimestamp
	case t.Kind == types.Text, t.Kind == types.Varchar:
		c.read = readText
	}
	c.begin()
	return c
}

func (c *copyColumn) begin() {
	c.n, c.nullAt = 0, c.nullAt[:0]
	c.v = &vec.Vector{}
	c.v.Reset(c.t)
	room := c.room + c.room/16
	switch c.t.Phys() {
	case types.PhysInt64:
		c.v.I64 = make([]int64, 0, room)
	case types.PhysFloat64:
		c.v.F64 = make([]float64, 0, room)
	}
	if c.read == readText {
		c.dict.begin(room)
	}
}

// append reads a field. It reports false, and adds nothing, if the row reader is to do it: it has the words for what is wrong.
func (c *copyColumn) append(s []byte) bool {
	switch c.read {
	case readInt:
		x, ok := plainInt(s, c.t.Kind)
		if !ok {
			return c.general(s)
		}
		c.v.I64 = append(c.v.I64, x)
	case readFloat:
		x, ok := plainFloat(s)
		if !ok {
			return c.general(s)
		}
		c.v.F64 = append(c.v.F64, x)
	case readText:
		if !c.dict.add(s) {
			return false
		}
	case readDate:
		days, ok := c.date.days(s)
		if !ok {
			return c.general(s)
		}
		c.v.I64 = append(c.v.I64, days)
	case readTimestamp:
		us, ok := c.date.instant(s, c.t.Kind == types.Timestamp)
		if !ok {
			return c.general(s)
		}
		c.v.I64 = append(c.v.I64, us)
	case readBool:
		x, ok := plainBool(s)
		if !ok {
			return c.general(s)
		}
		c.v.AppendBool(x)
	default:
		return c.general(s)
	}
	c.n++
	return true
}

// general reads a field with the parser of its type.
func (c *copyColumn) general(s []byte) bool {
	err := c.slow.value(c.v, c.t, s)
	c.n++
	if err != nil {
		c.cut(c.n - 1)
	}
	return err == nil
}

func (c *copyColumn) null() {
	c.nullAt = append(c.nullAt, uint32(c.n))
	switch {
	case c.read == readText:
		c.dict.addNull()
	case c.t.Phys() == types.PhysInt64:
		c.v.I64 = append(c.v.I64, 0)
	case c.t.Phys() == types.PhysFloat64:
		c.v.F64 = append(c.v.F64, 0)
	case c.t.Phys() == types.PhysBool:
		c.v.AppendBool(false)
	default:
		c.v.AppendBytes(nil)
	}
	c.n++
}

// appendFrom adds the one value of v.
func (c *copyColumn) appendFrom(v *vec.Vector) {
	switch {
	case v.Null(0):
		c.null()
		return
	case c.read == readText:
		c.dict.add(v.Bytes(0))
	default:
		c.v.AppendFrom(v, 0)
	}
	c.n++
}

// cut takes back what was added behind row n.
func (c *copyColumn) cut(n int) {
	if c.n <= n {
		return
	}
	c.n = n
	if k := len(c.nullAt); k > 0 && int(c.nullAt[k-1]) == n {
		c.nullAt = c.nullAt[:k-1]
	}
	switch {
	case c.read == readText:
		c.dict.cut(n)
		return
	case c.t.Phys() == types.PhysInt64:
		c.v.I64 = c.v.I64[:n]
	case c.t.Phys() == types.PhysFloat64:
		c.v.F64 = c.v.F64[:n]
	case c.t.Phys() == types.PhysBool:
		if len(c.v.Bits) > n>>6 {
			c.v.Bits.Clear(n)
		}
		c.v.Bits = c.v.Bits[:vec.Words(n)]
	case len(c.v.Off) > n+1: // else the field that is taken back was never there
		c.v.Off = c.v.Off[:n+1]
		c.v.Data = c.v.Data[:c.v.Off[n]]
	}
	c.v.N = n
}

// finish returns the rows, and begins again.
func (c *copyColumn) finish(n int) *vec.Vector {
	v := c.v
	if c.read == readText {
		c.dict.finish(v)
	}
	v.N = n
	if len(c.nullAt) > 0 {
		v.Valid = vec.MakeBitmap(n)
		v.Valid.Fill(n)
		for _, r := range c.nullAt {
			v.Valid.Clear(int(r))
		}
	}
	c.room = n
	c.begin()
	return v
}
