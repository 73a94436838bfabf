package builtin

import (
	"fmt"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// BenchmarkShortTexts is what expressions over texts cost that are far from being evaluated in pieces.
func BenchmarkShortTexts(b *testing.B) {
	call := func(name string, args ...expr.Expr) expr.Expr {
		for _, f := range slices.Concat(Scalars(name), Operators(name)) {
			same := len(f.Args) == len(args)
			for i := range f.Args {
				same = same && f.Args[i] == args[i].Type()
			}
			if same {
				return &expr.Call{Fn: f, Args: args, T: f.Ret}
			}
		}
		b.Fatalf("no %s", name)
		return nil
	}
	x, y := benchVectors(tText, vec.BatchRows)
	in := &vec.Batch{N: vec.BatchRows, Cols: []*vec.Vector{x, y}}
	s, u := &expr.Col{Idx: 0, T: tText}, &expr.Col{Idx: 1, T: tText}
	for i, e := range []expr.Expr{
		call("length", s), call("upper", s), call("length", call("upper", s)), call("||", s, u), call("<", call("||", s, u), s),
		call("~", s, constText("e [0-4]")), call("md5", s), call("<", s, u),
	} {
		b.Run(fmt.Sprintf("%d %s", i, e.(*expr.Call).Fn.Name), func(b *testing.B) {
			ev, ctx := expr.Compile(e), &expr.Ctx{}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ev.Eval(ctx, in, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/vec.BatchRows, "ns/row")
		})
	}
}

func constText(s string) *expr.Const {
	v := &vec.Vector{}
	v.Reset(types.Of(types.Text))
	v.AppendString(s)
	return &expr.Const{V: v}
}
