package session

import (
	"bytes"
	"fmt"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// copyOut implements CopyOut for the text and csv formats: one row at a time from a running query.
type copyOut struct {
	q      Result
	o      *copyOptions
	format *datum.Format
	batch  *vec.Batch
	at     int
	rows   int64
	header bool // still to be sent
	ended  bool // the binary end was sent
	line   []byte
	value  []byte
}

// copyOut runs COPY (query) TO STDOUT; a table is a query of its columns.
func (c *conn) copyOut(s *statementCtx, st *ast.Copy, o *copyOptions, params []types.Type, args []*vec.Vector) (Result, error) {
	q := st.Query
	if q == nil {
		ref := st.Table
		q = &ast.Select{From: []ast.TableExpr{&ref}, Targets: []ast.Target{{Expr: &ast.Name{P: ref.P, Star: true}}}}
		if st.Cols != nil {
			q.Targets = nil
			for _, n := range st.Cols {
				q.Targets = append(q.Targets, ast.Target{Expr: &ast.Name{P: ref.P, Parts: []string{n}}})
			}
		}
	}
	p := &prepared{c: c, stmt: q, declared: params}
	if err := p.bindQuery(q); err != nil {
		return nil, err
	}
	var names []string
	for _, col := range p.cols {
		names = append(names, col.Name)
	}
	if err := o.checkForced(names); err != nil {
		return nil, err
	}
	r, err := c.run(s, p.plan, p.cols, args)
	if err != nil {
		return nil, err
	}
	out := &copyOut{q: r, o: o, format: c.Format(), header: o.header || o.binary}
	return &staticResult{out: out, close: func() {
		// The query's result has no error left to give.
		_ = r.Close()
	}}, nil
}

func (o *copyOut) Format() CopyFormat {
	return CopyFormat{Binary: o.o.binary, Columns: len(o.q.Columns())}
}
func (o *copyOut) tag() string { return fmt.Sprintf("COPY %d", o.rows) }

// Next returns one row with its line end, valid until the next call.
func (o *copyOut) Next() ([]byte, error) {
	o.line = o.line[:0]
	if o.o.binary {
		return o.binaryOut()
	}
	if o.header {
		o.header = false
		for i, c := range o.q.Columns() {
			o.append(i, []byte(c.Name), c.Name)
		}
		return append(o.line, '\n'), nil
	}
	if more, err := o.more(); !more || err != nil {
		return nil, err
	}
	for i, c := range o.q.Columns() {
		v := o.batch.Cols[i]
		if v.Null(o.at) {
			o.separate(i)
			o.line = append(o.line, o.o.null...)
			continue
		}
		o.value = datum.AppendText(o.value[:0], v, o.at, o.format)
		o.append(i, o.value, c.Name)
	}
	o.at++
	o.rows++
	o.line = append(o.line, '\n')
	return o.line, nil
}

// more reports whether there is a row at hand, reading the next batch if needed.
func (o *copyOut) more() (bool, error) {
	for o.batch == nil || o.at == o.batch.N {
		b, err := o.q.Next()
		if b == nil || err != nil {
			return false, err
		}
		o.batch, o.at = b, 0
	}
	return true, nil
}

func (o *copyOut) separate(i int) {
	if i > 0 {
		o.line = append(o.line, o.o.delim)
	}
}

func (o *copyOut) append(i int, value []byte, column string) {
	o.separate(i)
	if o.o.csv {
		o.appendCSV(value, o.o.quoteAll || o.o.forceQuote[column])
		return
	}
	for _, b := range value {
		switch b {
		case '\b':
			o.line = append(o.line, `\b`...)
		case '\f':
			o.line = append(o.line, `\f`...)
		case '\n':
			o.line = append(o.line, `\n`...)
		case '\r':
			o.line = append(o.line, `\r`...)
		case '\t':
			o.line = append(o.line, `\t`...)
		case '\v':
			o.line = append(o.line, `\v`...)
		case '\\', o.o.delim:
			o.line = append(o.line, '\\', b)
		default:
			o.line = append(o.line, b)
		}
	}
}

func (o *copyOut) appendCSV(value []byte, force bool) {
	special := string([]byte{o.o.delim, o.o.quote, '\n', '\r'})
	if !force && string(value) != o.o.null && string(value) != `\.` && !bytes.ContainsAny(value, special) {
		o.line = append(o.line, value...)
		return
	}
	o.line = append(o.line, o.o.quote)
	for _, b := range value {
		if b == o.o.quote || b == o.o.escape {
			o.line = append(o.line, o.o.escape)
		}
		o.line = append(o.line, b)
	}
	o.line = append(o.line, o.o.quote)
}
