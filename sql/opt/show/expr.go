// Package show prints plans and expressions for EXPLAIN.
package show

import (
	"fmt"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Expr prints an expression in SQL. in is the columns it counts.
func Expr(e expr.Expr, in []string) string {
	p := printer{in: in}
	p.expr(e)
	return p.b.String()
}

type printer struct {
	b  strings.Builder
	in []string
}

func (p *printer) list(es []expr.Expr) {
	for i, e := range es {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.expr(e)
	}
}

func (p *printer) expr(e expr.Expr) {
	switch e := e.(type) {
	case nil:
	case *expr.Col:
		p.b.WriteString(p.column(e))
	case *expr.Const:
		p.b.WriteString(Value(e.V, 0))
	case *expr.Param:
		fmt.Fprintf(&p.b, "$%d", e.Idx+1)
	case *expr.Outer:
		p.b.WriteString("outer." + e.Name)
	case *expr.Call:
		p.call(e)
	case *expr.Logic:
		p.logic(e)
	case *expr.Not:
		p.b.WriteString("(NOT ")
		p.expr(e.Arg)
		p.b.WriteByte(')')
	case *expr.IsNull:
		p.b.WriteByte('(')
		p.expr(e.Arg)
		if e.Negate {
			p.b.WriteString(" IS NOT NULL)")
		} else {
			p.b.WriteString(" IS NULL)")
		}
	case *expr.Case:
		p.b.WriteString("CASE")
		for _, w := range e.Whens {
			p.b.WriteString(" WHEN ")
			p.expr(w.Cond)
			p.b.WriteString(" THEN ")
			p.expr(w.Then)
		}
		p.b.WriteString(" ELSE ")
		p.expr(e.Else)
		p.b.WriteString(" END")
	case *expr.Coalesce:
		if len(e.Args) == 1 { // a change of type alone
			p.expr(e.Args[0])
			p.b.WriteString("::" + datum.FormatType(e.T))
			return
		}
		p.b.WriteString("COALESCE(")
		p.list(e.Args)
		p.b.WriteByte(')')
	case *expr.In:
		p.in1(e)
	case *expr.Leaf:
		p.leaf(e)
	case *expr.Subplan:
		p.subplan(e)
	default:
		fmt.Fprintf(&p.b, "%T", e)
	}
}

func (p *printer) column(c *expr.Col) string {
	if c.Idx < len(p.in) && p.in[c.Idx] != "" {
		return p.in[c.Idx]
	}
	if c.Name != "" {
		return c.Name
	}
	return fmt.Sprintf("#%d", c.Idx+1)
}

func isOperator(name string) bool {
	return name != "" && strings.IndexByte("+-*/<>=~!@#%^&|?", name[0]) >= 0
}

func (p *printer) call(e *expr.Call) {
	name := e.Fn.Name
	if name == "[]" && len(e.Args) == 2 {
		p.expr(e.Args[0])
		p.b.WriteByte('[')
		p.expr(e.Args[1])
		p.b.WriteByte(']')
		return
	}
	if isOperator(name) && len(e.Args) <= 2 {
		p.b.WriteByte('(')
		if len(e.Args) == 2 {
			p.expr(e.Args[0])
			p.b.WriteByte(' ')
		}
		p.b.WriteString(name + " ")
		p.expr(e.Args[len(e.Args)-1])
		p.b.WriteByte(')')
		return
	}
	if len(e.Args) == 1 && name == datum.TypeName(e.T) {
		p.b.WriteByte('(')
		p.expr(e.Args[0])
		p.b.WriteString(")::" + datum.FormatType(e.T))
		return
	}
	p.b.WriteString(name + "(")
	p.list(e.Args)
	p.b.WriteByte(')')
}

func (p *printer) logic(e *expr.Logic) {
	word := " AND "
	if e.Or {
		word = " OR "
	}
	p.b.WriteByte('(')
	for i, a := range e.Args {
		if i > 0 {
			p.b.WriteString(word)
		}
		p.expr(a)
	}
	p.b.WriteByte(')')
}

// listShown bounds how many items of an IN list are printed.
const listShown = 20

func (p *printer) in1(e *expr.In) {
	p.b.WriteByte('(')
	p.expr(e.Arg)
	if e.Negate {
		p.b.WriteString(" NOT")
	}
	p.b.WriteString(" IN (")
	for i := range min(e.List.N, listShown) {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.b.WriteString(Value(e.List, i))
	}
	if e.List.N > listShown {
		fmt.Fprintf(&p.b, ", … %d more", e.List.N-listShown)
	}
	if e.HasNull {
		p.b.WriteString(", NULL")
	}
	p.b.WriteString("))")
}

func (p *printer) leaf(e *expr.Leaf) {
	plain := types.JSONB
	if e.AsText {
		plain = types.Text
	}
	if e.T.Kind != plain {
		p.b.WriteByte('(')
	}
	p.expr(e.Base)
	p.b.WriteString(pathText(e.Path, e.AsText))
	if e.T.Kind != plain {
		p.b.WriteString(")::" + datum.FormatType(e.T))
	}
}

func pathText(path []string, asText bool) string {
	var b strings.Builder
	for i, k := range path {
		op := " -> "
		if asText && i == len(path)-1 {
			op = " ->> "
		}
		b.WriteString(op + quote(k))
	}
	return b.String()
}

func (p *printer) subplan(e *expr.Subplan) {
	word := "SubPlan"
	if !e.Correlated {
		word = "InitPlan"
	}
	switch e.Kind {
	case expr.SubExists:
		word = "EXISTS(" + word + ")"
	case expr.SubArray:
		word = "ARRAY(" + word + ")"
	case expr.SubIn:
		p.b.WriteByte('(')
		p.expr(e.Arg)
		if e.Negate {
			p.b.WriteString(" NOT")
		}
		p.b.WriteString(" IN (" + word + "))")
		return
	default:
		word = "(" + word + ")"
	}
	if e.Negate {
		word = "NOT " + word
	}
	p.b.WriteString(word)
}

// Value prints a constant as a literal.
func Value(v *vec.Vector, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	s := string(datum.AppendText(nil, v, i, nil))
	switch v.Type.Kind {
	case types.Int16, types.Int32, types.Int64, types.Float64, types.Float32, types.Numeric, types.OID:
		return s
	case types.Bool:
		return map[string]string{"t": "true", "f": "false"}[s]
	}
	return quote(s) + "::" + datum.FormatType(types.Type{Kind: v.Type.Kind, Elem: v.Type.Elem})
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
