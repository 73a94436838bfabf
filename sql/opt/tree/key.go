package tree

import (
	"fmt"
	"strings"

	"github.com/telemdb/telemdb/engine/expr"
)

// Key returns a text that is equal for two expressions only if they compute the same. Volatile calls and subplans are
// equal to themselves alone.
func Key(e expr.Expr) string {
	var b strings.Builder
	key(&b, e)
	return b.String()
}

// Keyer lets expressions from outside engine/expr (the binder's placeholders) take part in Key.
type Keyer interface{ TreeKey() string }

func key(b *strings.Builder, e expr.Expr) {
	switch e := e.(type) {
	case nil:
		b.WriteString("nil")
	case *expr.Col:
		fmt.Fprintf(b, "#%d", e.Idx)
	case *expr.Const:
		keyConst(b, e)
	case *expr.Param:
		fmt.Fprintf(b, "$%d", e.Idx)
	case *expr.Outer:
		fmt.Fprintf(b, "^%d.%d", e.Depth, e.Idx)
	case *expr.Call:
		fmt.Fprintf(b, "%s@%p:%v", e.Fn.Name, e.Fn, e.T)
		if e.Fn.Volatile == expr.Volatile {
			fmt.Fprintf(b, "!%p", e)
		}
		keyArgs(b, e.Args)
	case *expr.Logic:
		fmt.Fprintf(b, "logic%v", e.Or)
		keyArgs(b, e.Args)
	case *expr.Not:
		b.WriteString("not")
		keyArgs(b, []expr.Expr{e.Arg})
	case *expr.IsNull:
		fmt.Fprintf(b, "null%v", e.Negate)
		keyArgs(b, []expr.Expr{e.Arg})
	case *expr.Case:
		b.WriteString("case")
		keyArgs(b, expr.Args(e))
	case *expr.Coalesce:
		b.WriteString("coalesce")
		keyArgs(b, e.Args)
	case *expr.In:
		fmt.Fprintf(b, "in%v%v", e.Negate, e.HasNull)
		key(b, &expr.Const{V: e.List})
		keyArgs(b, []expr.Expr{e.Arg})
	case *expr.Leaf:
		fmt.Fprintf(b, "leaf%v%v%v%q", e.AsText, e.Outline, e.T, e.Path)
		keyArgs(b, []expr.Expr{e.Base})
	case Keyer:
		b.WriteString(e.TreeKey())
	default:
		fmt.Fprintf(b, "%T%p", e, e)
	}
}

func keyConst(b *strings.Builder, e *expr.Const) {
	v := e.V
	fmt.Fprintf(b, "const%v", v.Type)
	for i := range v.N {
		switch {
		case v.Null(i):
			b.WriteString(",null")
		case len(v.I64) > 0:
			fmt.Fprintf(b, ",%d", v.Int(i))
		case len(v.F64) > 0:
			fmt.Fprintf(b, ",%b", v.Float(i))
		case len(v.Off) > 0:
			fmt.Fprintf(b, ",%q", v.Bytes(i))
		default:
			fmt.Fprintf(b, ",%v", v.Bool(i))
		}
	}
}

func keyArgs(b *strings.Builder, es []expr.Expr) {
	b.WriteByte('(')
	for i, e := range es {
		if i > 0 {
			b.WriteByte(',')
		}
		key(b, e)
	}
	b.WriteByte(')')
}
