package session

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestSQL runs testdata/*.slt. Each block is a query string, run as a simple query; what follows is its answer: a header
// with types, rows, tags, notices, or an error with code and position. Files begin with an empty database.
//
//	sql [types] [plan]   types: print the column types; sort: print rows sorted
//	prepare              print the parameter and column types of a statement
//	copy name            the input up to a line of "--" is the COPY statement, the rest its data
func TestSQL(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if !strings.HasSuffix(path, ".slt") {
			t.Skip("not a test file")
		}
		db := newFakeDB()
		addPings(db)
		conns := map[string]Conn{}
		open := func(name string) Conn {
			if c, ok := conns[name]; ok {
				return c
			}
			c, err := New(Config{DB: db, Workers: 2, Now: func() int64 { return 1466000000_000000 }}, Options{User: "ann", Database: "telemdb", PID: 7})
			if err != nil {
				t.Fatal(err)
			}
			conns[name] = c
			return c
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			name := ""
			d.MaybeScanArgs(t, "conn", &name)
			c := open(name)
			switch d.Cmd {
			case "sql":
				return runScript(c, d.Input, d.HasArg("types"))
			case "prepare":
				return describe(c, d.Input)
			case "copy":
				return runCopy(c, d.Input)
			}
			t.Fatalf("unknown command %s", d.Cmd)
			return ""
		})
		for _, c := range conns {
			c.Close()
		}
		if n := db.pinned(); n != 0 {
			t.Errorf("%d snapshots were not released", n)
		}
	})
}

// runScript runs a query string as the wire does.
func runScript(c Conn, query string, withTypes bool) string {
	var out strings.Builder
	ctx := context.Background()
	fail := func(err error) string {
		for _, n := range c.Notices() {
			fmt.Fprintf(&out, "%s %s: %s\n", n.Severity, n.Code, n.Message)
		}
		out.WriteString(errorText(err))
		if err := c.EndBatch(ctx, true); err != nil {
			out.WriteString("end: " + errorText(err))
		}
		return out.String() + status(c)
	}
	all, err := c.Split(query)
	if err != nil {
		return fail(err)
	}
	for _, s := range all {
		p, err := c.Prepare(ctx, s, nil)
		if err != nil {
			return fail(err)
		}
		r, err := p.Execute(ctx, nil)
		if err != nil {
			return fail(err)
		}
		if err := printResult(&out, c, r, withTypes); err != nil {
			r.Close()
			return fail(err)
		}
		r.Close()
		for _, n := range c.Notices() {
			fmt.Fprintf(&out, "%s %s: %s\n", n.Severity, n.Code, n.Message)
		}
		out.WriteString(r.Tag() + "\n")
	}
	if err := c.EndBatch(ctx, false); err != nil {
		return fail(err)
	}
	return out.String() + status(c)
}

func status(c Conn) string {
	if s := c.TxStatus(); s != 'I' {
		return fmt.Sprintf("[%c]\n", s)
	}
	return ""
}

func errorText(err error) string {
	e := sqlstate.Wrap(sqlstate.Internal, err)
	s := "ERROR " + e.Code
	if e.Position > 0 {
		s += fmt.Sprintf(" at %d", e.Position)
	}
	s += ": " + e.Message + "\n"
	if e.Detail != "" {
		s += "DETAIL: " + e.Detail + "\n"
	}
	if e.Hint != "" {
		s += "HINT: " + e.Hint + "\n"
	}
	if e.Where != "" {
		s += "CONTEXT: " + e.Where + "\n"
	}
	return s
}

func printResult(out *strings.Builder, c Conn, r Result, withTypes bool) error {
	if o := r.CopyOut(); o != nil {
		for {
			line, err := o.Next()
			if err != nil || line == nil {
				return err
			}
			out.Write(line)
		}
	}
	if cols := r.Columns(); cols != nil {
		names := make([]string, len(cols))
		for i, col := range cols {
			names[i] = col.Name
			if withTypes {
				names[i] += ":" + datum.FormatType(col.Type)
			}
		}
		out.WriteString(strings.Join(names, " | ") + "\n")
	}
	for {
		b, err := r.Next()
		if err != nil || b == nil {
			return err
		}
		for i := range b.N {
			cells := make([]string, len(b.Cols))
			for k, v := range b.Cols {
				if v.Null(i) {
					cells[k] = "NULL"
					continue
				}
				w := *v
				w.Type = r.Columns()[k].Type
				if w.Dict != nil {
					dict := *w.Dict
					dict.Type = w.Type
					w.Dict = &dict
				}
				cells[k] = string(datum.AppendText(nil, &w, i, c.Format()))
			}
			out.WriteString(strings.Join(cells, " | ") + "\n")
		}
	}
}

// describe prints what Prepare finds out.
func describe(c Conn, query string) string {
	ctx := context.Background()
	defer func() { _ = c.EndBatch(ctx, false) }()
	all, err := c.Split(query)
	if err != nil {
		return errorText(err)
	}
	var out strings.Builder
	for _, s := range all {
		p, err := c.Prepare(ctx, s, nil)
		if err != nil {
			return errorText(err)
		}
		out.WriteString("params:")
		for _, t := range p.Params() {
			out.WriteString(" " + datum.FormatType(t))
		}
		out.WriteString("\ncolumns:")
		for _, col := range p.Columns() {
			fmt.Fprintf(&out, " %s:%s", col.Name, datum.FormatType(col.Type))
			if col.TableOID != 0 {
				fmt.Fprintf(&out, "(%d.%d)", col.TableOID, col.Attr)
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

func runCopy(c Conn, input string) string {
	ctx := context.Background()
	stmt, data, _ := strings.Cut(input, "\n--\n")
	data += "\n"
	end := func(err error) string {
		s := errorText(err)
		_ = c.EndBatch(ctx, true)
		return s + status(c)
	}
	all, err := c.Split(stmt)
	if err != nil {
		return end(err)
	}
	p, err := c.Prepare(ctx, all[0], nil)
	if err != nil {
		return end(err)
	}
	r, err := p.Execute(ctx, nil)
	if err != nil {
		return end(err)
	}
	defer r.Close()
	for i := 0; i < len(data); i += 7 { // cut anywhere
		if err := r.CopyIn().Write([]byte(data[i:min(i+7, len(data))])); err != nil {
			return end(err)
		}
	}
	if err := r.CopyIn().Done(); err != nil {
		return end(err)
	}
	if err := c.EndBatch(ctx, false); err != nil {
		return end(err)
	}
	return r.Tag() + "\n" + status(c)
}

// addPings makes telemetry.main: ten pings with a few members shredded, as the decoder leaves them.
func addPings(db *fakeDB) {
	t := &types.Table{Schema: "telemetry", Name: "main", Kind: types.TablePing, Columns: append(append([]types.Column(nil), types.PingColumns...),
		types.Column{Name: "payload", Type: types.Of(types.JSONB), Source: "payload"}), PartitionBy: "submission_date"}
	const n = 10
	g := column.NewMem(n)
	add := func(p types.Path, leaf types.Leaf, value func(v *vec.Vector, i int)) {
		v := &vec.Vector{}
		v.Reset(leaf.Type())
		for i := range n {
			value(v, i)
		}
		g.Add(p, leaf, v)
	}
	add("document_id", types.LeafText, func(v *vec.Vector, i int) { v.AppendString(fmt.Sprintf("doc-%d", i)) })
	add("client_id", types.LeafText, func(v *vec.Vector, i int) { v.AppendString(fmt.Sprintf("c%d", i%3)) })
	add("normalized_channel", types.LeafText, func(v *vec.Vector, i int) { v.AppendString([]string{"nightly", "beta", "release"}[i%3]) })
	add("sample_id", types.LeafInt, func(v *vec.Vector, i int) { v.AppendInt(int64(i * 10)) })
	add("submission_date", types.LeafInt, func(v *vec.Vector, i int) { v.AppendInt(16960 + int64(i/5)) })
	add("submission_timestamp", types.LeafInt, func(v *vec.Vector, i int) { v.AppendInt((16960 + int64(i/5)) * 86400_000000) })
	add(types.ColLSN, types.LeafInt, func(v *vec.Vector, i int) { v.AppendInt(int64(1000 + i)) })
	add(types.MakePath("payload", "simpleMeasurements", "uptime"), types.LeafInt, func(v *vec.Vector, i int) {
		if i == 4 {
			v.AppendNull()
			return
		}
		v.AppendInt(int64(i * i))
	})
	add(types.MakePath("payload", "info", "reason"), types.LeafText, func(v *vec.Vector, i int) {
		v.AppendString([]string{"shutdown", "daily"}[i%2])
	})
	db.add(t, g)
}
