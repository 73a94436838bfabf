package session

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/bind"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// copyRowBytesMax bounds one row of COPY FROM: a line that long is an error, not memory.
const copyRowBytesMax = 256 << 20

// copyIn implements CopyIn for the text and csv formats. Bytes come cut anywhere; a row is read when its line is there.
type copyIn struct {
	s       *statementCtx
	c       *conn
	w       *writer
	o       *copyOptions
	cols    []int // for each field, its place among the table's visible columns
	names   []string
	visible []types.Column
	batch   *vec.Batch
	buf     []byte
	line    int64  // lines before the record that is read; a record whose quotes hold newlines is several, in binary each is one
	record  []byte // that is read: its text, nil in binary
	ended   bool   // \. or the binary end was seen
	begun   bool   // the binary header was read
	format  *datum.Format
	closed  bool
	err     error
	fields  []copyField
	chunks  *chunkPipe // nil: rows are read one by one (binary)
}

// copyField is one field of a row: its bytes, unescaped, or NULL.
type copyField struct {
	data   []byte
	null   bool
	quoted bool
}

func (c *conn) copy(s *statementCtx, st *ast.Copy, params []types.Type, args []*vec.Vector) (Result, error) {
	if st.File != "" || st.Program {
		return nil, sqlstate.New(sqlstate.InsufficientPrivilege, "COPY to or from a file or program of the server is not allowed").
			WithHint("Use COPY … FROM STDIN or TO STDOUT; psql's \\copy does it with a file of the client.")
	}
	o, err := parseCopyOptions(st.Options, st.From)
	if err != nil {
		return nil, err
	}
	if !st.From {
		return c.copyOut(s, st, o, params, args)
	}
	if err := c.needWrite("COPY FROM"); err != nil {
		return nil, err
	}
	k, err := c.catalog()
	if err != nil {
		return nil, err
	}
	t, err := c.writable(k, st.Table)
	if err != nil {
		return nil, err
	}
	in := &copyIn{s: s, c: c, w: c.newWriter(s, t), o: o, format: k.format}
	if err := in.chooseColumns(t, st.Cols); err != nil {
		return nil, err
	}
	if err := o.checkForced(in.names); err != nil {
		return nil, err
	}
	in.newBatch()
	if !o.binary {
		in.chunks = newChunkPipe(in)
	}
	return &staticResult{in: in, close: in.abandon}, nil
}

func (in *copyIn) chooseColumns(t *types.Table, names []string) error {
	at := map[string]int{}
	for i, c := range bind.VisibleColumns(t) {
		in.visible = append(in.visible, t.Columns[c])
		at[t.Columns[c].Name] = i
	}
	if names == nil {
		for i, c := range in.visible {
			in.cols, in.names = append(in.cols, i), append(in.names, c.Name)
		}
		return nil
	}
	seen := map[string]bool{}
	for _, n := range names {
		i, ok := at[n]
		if !ok {
			return sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", n, t.Name)
		}
		if seen[n] {
			return sqlstate.New(sqlstate.DuplicateColumn, "column \"%s\" specified more than once", n)
		}
		seen[n] = true
		in.cols, in.names = append(in.cols, i), append(in.names, n)
	}
	return nil
}

func (in *copyIn) newBatch() {
	in.batch = &vec.Batch{}
	for _, c := range in.visible {
		v := &vec.Vector{}
		v.Reset(c.Type)
		in.batch.Cols = append(in.batch.Cols, v)
	}
}

// emptyBatch makes the batch one without rows.
func (in *copyIn) emptyBatch() {
	in.batch.N = 0
	for _, v := range in.batch.Cols {
		v.Reset(v.Type)
	}
}

func (in *copyIn) Format() CopyFormat { return CopyFormat{Binary: in.o.binary, Columns: len(in.cols)} }
func (in *copyIn) tag() string        { return fmt.Sprintf("COPY %d", in.w.count) }

// Write takes bytes. After an error it takes nothing more and returns that error again.
func (in *copyIn) Write(p []byte) error {
	if in.err != nil {
		return in.err
	}
	if in.closed {
		return sqlstate.New(sqlstate.ProtocolViolation, "COPY has ended")
	}
	if in.s.Err() != nil {
		return in.stop(in.s.explain(in.s.Err()))
	}
	if in.chunks != nil {
		if err := in.chunks.write(p); err != nil {
			return in.stop(err)
		}
		return nil
	}
	in.buf = append(in.buf, p...)
	used, err := in.binaryIn(in.buf)
	if err != nil {
		return in.stop(err)
	}
	in.buf = append(in.buf[:0], in.buf[used:]...)
	if in.ended {
		in.buf = in.buf[:0]
	}
	if len(in.buf) > copyRowBytesMax {
		return in.stop(errRowTooLong())
	}
	return nil
}

func errRowTooLong() error {
	return sqlstate.New(sqlstate.ProgramLimit, "a row of COPY is longer than %d MB", copyRowBytesMax>>20)
}

// Done ends the data; the rows become visible with the transaction.
func (in *copyIn) Done() error {
	if in.err != nil {
		return in.err
	}
	if in.o.binary && !in.ended {
		return in.stop(in.bad("unexpected EOF in COPY data"))
	}
	if in.chunks != nil {
		if err := in.chunks.finish(); err != nil {
			return in.stop(err)
		}
	}
	if err := in.flush(); err != nil {
		return in.stop(err)
	}
	in.closed = true
	if err := in.w.finish(); err != nil {
		return in.stop(err)
	}
	in.s.end()
	return nil
}

// Fail is the client giving up.
func (in *copyIn) Fail(reason string) error {
	if in.err != nil {
		return in.err
	}
	return in.stop(sqlstate.New(sqlstate.QueryCanceled, "COPY from stdin failed: %s", reason))
}

// stop ends the statement with an error.
func (in *copyIn) stop(err error) error {
	in.err = in.s.explain(err)
	in.stopChunks()
	if !in.closed {
		in.closed = true
		in.w.abort(in.err)
	}
	in.s.end()
	in.c.fail()
	return in.err
}

// abandon is Close: without Done nothing was copied.
func (in *copyIn) abandon() {
	in.stopChunks()
	if !in.closed {
		in.closed = true
		in.w.abort(sqlstate.New(sqlstate.QueryCanceled, "COPY was not finished"))
		in.s.end()
	}
}

func (in *copyIn) stopChunks() {
	if in.chunks != nil {
		in.chunks.stop()
	}
}

func (in *copyIn) bad(format string, args ...any) error {
	e := sqlstate.New(sqlstate.BadCopyFormat, format, args...)
	e.Where = in.where()
	if in.record != nil && utf8.Valid(in.record) {
		e.Where += fmt.Sprintf(": \"%s\"", shorten(in.record))
	}
	return e
}

// where names the line in which the record ends that is read.
func (in *copyIn) where() string {
	return fmt.Sprintf("COPY %s, line %d", in.w.t.Name, in.line+1+int64(bytes.Count(in.record, newline)))
}

var newline = []byte("\n")

// row reads a record and counts its lines.
func (in *copyIn) row(line []byte) error {
	if string(line) == `\.` {
		in.ended = true
		return nil
	}
	in.record = line
	if err := in.split(line); err != nil {
		return err
	}
	defer func() { in.line += 1 + int64(bytes.Count(line, newline)) }()
	if in.line == 0 && in.o.header {
		return in.checkHeader()
	}
	if len(in.fields) < len(in.cols) {
		if len(in.fields) == 1 && len(line) == 0 && len(in.cols) == 0 {
			return nil
		}
		return in.bad("missing data for column \"%s\"", in.names[len(in.fields)])
	}
	if len(in.fields) > len(in.cols) && !(len(in.cols) == 0 && len(line) == 0) {
		return in.bad("extra data after last expected column")
	}
	return in.store()
}

func (in *copyIn) checkHeader() error {
	if !in.o.match {
		return nil
	}
	if len(in.fields) != len(in.names) {
		return in.bad("wrong number of fields in header line: got %d, expected %d", len(in.fields), len(in.names))
	}
	for i, f := range in.fields {
		if string(f.data) != in.names[i] {
			return in.bad("column name mismatch in header line field %d: got \"%s\", expected \"%s\"", i+1, f.data, in.names[i])
		}
	}
	return nil
}

// store parses the fields of one row into the batch.
func (in *copyIn) store() error {
	for i, c := range in.cols {
		v, f := in.batch.Cols[c], in.fields[i]
		if f.null {
			v.AppendNull()
			continue
		}
		if err := in.value(v, in.visible[c].Type, f.data); err != nil {
			e := *sqlstate.Wrap(sqlstate.InvalidText, err)
			e.Where = in.where() + ", column " + in.names[i]
			if utf8.Valid(f.data) { // else no client could show it
				e.Where += fmt.Sprintf(": \"%s\"", shorten(f.data))
			}
			return &e
		}
	}
	in.batch.N++
	for _, v := range in.batch.Cols { // columns COPY does not name are NULL
		if v.N < in.batch.N {
			v.AppendNull()
		}
	}
	if in.batch.N == vec.BatchRows {
		return in.flush()
	}
	return nil
}

func (in *copyIn) value(v *vec.Vector, t types.Type, data []byte) error {
	if in.o.binary {
		return in.binaryValue(v, t, data)
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return sqlstate.New("22021", "invalid byte sequence for encoding \"UTF8\": 0x00")
	}
	f := in.format
	if t.Mod == 0 {
		return datum.ParseText(t, data, f, v)
	}
	plain := &vec.Vector{}
	plain.Reset(types.Type{Kind: t.Kind, Elem: t.Elem})
	if err := datum.ParseText(t, data, f, plain); err != nil {
		return err
	}
	return datum.ApplyMod(t, plain, 0, false, v)
}

func shorten(b []byte) string {
	const shown = 100
	if len(b) > shown {
		return strings.ToValidUTF8(string(b[:shown]), "") + "..."
	}
	return string(b)
}

func (in *copyIn) flush() error {
	if in.batch.N == 0 {
		return nil
	}
	b := in.batch
	in.newBatch()
	null := in.w.firstNull(b)
	return in.nullAt(in.w.add(b), in.line+1-int64(b.N-max(null, 0)))
}

// nullAt says in err that the NULL which is not allowed is in a line; other errors stay as they are.
func (in *copyIn) nullAt(err error, line int64) error {
	if e, ok := err.(*sqlstate.Error); ok && e.Code == sqlstate.NotNullViolation {
		e.Where = fmt.Sprintf("COPY %s, line %d", in.w.t.Name, line)
	}
	return err
}

// split takes a line apart into fields.
func (in *copyIn) split(line []byte) error {
	in.fields = in.fields[:0]
	if in.o.csv {
		return in.splitCSV(line)
	}
	for {
		end := 0
		for end < len(line) && line[end] != in.o.delim {
			if line[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(line))
		raw := line[:end]
		if string(raw) == in.o.null {
			in.fields = append(in.fields, copyField{null: true})
		} else {
			in.fields = append(in.fields, copyField{data: unescapeText(raw)})
		}
		if end == len(line) {
			return nil
		}
		line = line[end+1:]
	}
}

// unescapeText undoes the escapes of the text format. It returns its argument if there are none.
func unescapeText(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			out = append(out, raw[i])
			continue
		}
		i++
		switch c := raw[i]; {
		case c == 'b':
			out = append(out, '\b')
		case c == 'f':
			out = append(out, '\f')
		case c == 'n':
			out = append(out, '\n')
		case c == 'r':
			out = append(out, '\r')
		case c == 't':
			out = append(out, '\t')
		case c == 'v':
			out = append(out, '\v')
		case c == 'x' && i+1 < len(raw) && isHex(raw[i+1]):
			n, v := 0, 0
			for ; n < 2 && i+1 < len(raw) && isHex(raw[i+1]); n++ {
				i++
				v = v<<4 | hexValue(raw[i])
			}
			out = append(out, byte(v))
		case c >= '0' && c <= '7':
			v := int(c - '0')
			for n := 1; n < 3 && i+1 < len(raw) && raw[i+1] >= '0' && raw[i+1] <= '7'; n++ {
				i++
				v = v<<3 | int(raw[i]-'0')
			}
			out = append(out, byte(v))
		default:
			out = append(out, c)
		}
	}
	return out
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexValue(c byte) int {
	switch {
	case c <= '9':
		return int(c - '0')
	case c >= 'a':
		return int(c-'a') + 10
	}
	return int(c-'A') + 10
}

func (in *copyIn) splitCSV(line []byte) error {
	i := 0
	for {
		var f copyField
		data := make([]byte, 0, 16)
		inQuotes := false
		for ; i < len(line); i++ {
			b := line[i]
			switch {
			case !inQuotes && b == in.o.delim:
				goto field
			case !inQuotes && b == in.o.quote:
				inQuotes, f.quoted = true, true
			case inQuotes && b == in.o.escape && i+1 < len(line) && (line[i+1] == in.o.quote || line[i+1] == in.o.escape):
				i++
				data = append(data, line[i])
			case inQuotes && b == in.o.quote:
				inQuotes = false
			default:
				data = append(data, b)
			}
		}
	field:
		if inQuotes {
			return in.bad("unterminated CSV quoted field")
		}
		in.addCSV(f, data)
		if i >= len(line) {
			return nil
		}
		i++ // the delimiter
		if i == len(line) {
			in.addCSV(copyField{}, nil)
			return nil
		}
	}
}

func (in *copyIn) addCSV(f copyField, data []byte) {
	f.data = data
	name := ""
	if n := len(in.fields); n < len(in.names) {
		name = in.names[n]
	}
	f.null = string(data) == in.o.null && (!f.quoted && !in.o.notNull[name] || f.quoted && in.o.forceNull[name])
	in.fields = append(in.fields, f)
}
