package bind

import (
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A row value is its text, which is all that is left of it when it is shown. Where the fields of one are asked for again,
// (t.c).field over a subquery that selects a function's rows, they are columns of their own, found by fieldName and
// hidden from everything else.

// fieldName is the name of the hidden column that holds a field of a row-valued column.
func fieldName(column, field string) string { return column + "\x00" + field }

var record = types.Of(types.Record)

// makeRecord is ROW(…): one argument per field.
var makeRecord = &expr.Func{Name: "row", Args: []types.Type{types.Of(types.Any)}, Variadic: true, Ret: record, Called: true,
	Eval: func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		f := formatOf(ctx)
		var buf, field []byte
		for i := range n {
			buf = append(buf[:0], '(')
			for k, a := range args {
				if k > 0 {
					buf = append(buf, ',')
				}
				if sel.Get(i) && !a.Null(i) {
					field = datum.AppendText(field[:0], a, i, f)
					buf = appendField(buf, field)
				}
			}
			out.AppendBytes(append(buf, ')'))
		}
		return nil
	}}

func formatOf(ctx *expr.Ctx) *datum.Format {
	if s, ok := ctx.Session.(interface{ Format() *datum.Format }); ok {
		return s.Format()
	}
	return datum.Default
}

// appendField quotes a field where record_out does.
func appendField(dst, field []byte) []byte {
	if len(field) > 0 && !strings.ContainsAny(string(field), "\"\\(), \t\n\r\v\f") {
		return append(dst, field...)
	}
	dst = append(dst, '"')
	for _, c := range field {
		if c == '"' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func (en *env) row(r *ast.Row) (expr.Expr, error) {
	args, err := en.list(r.Args)
	if err != nil {
		return nil, err
	}
	for i, a := range args {
		args[i] = en.b.known(a)
	}
	return &expr.Call{Fn: makeRecord, Args: args, T: record}, nil
}

// setRow is a set-returning function's whole row.
func (en *env) setRow(idx int) expr.Expr {
	out := &expr.Call{Fn: makeRecord, T: record}
	for i, c := range en.sets.calls[idx].Out {
		out.Args = append(out.Args, &setRef{idx: idx, col: i, t: c.Type})
	}
	return out
}

// fields lists the fields of a target that is a function's whole row, as hidden targets.
func (k *block) fields(t target) []target {
	c, ok := t.e.(*expr.Call)
	if !ok || c.Fn != makeRecord {
		return nil
	}
	var out []target
	for _, a := range c.Args {
		s, ok := a.(*setRef)
		if !ok {
			return nil
		}
		out = append(out, target{name: fieldName(t.name, k.sets.calls[s.idx].Out[s.col].Name), e: s, ast: t.ast})
	}
	return out
}
