package op

import (
	"errors"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestAnErrorIsToldHoweverLateItIsAskedFor: the reader sees a morsel's end and the end of all workers at a time, and must not
// take the second for the first.
func TestAnErrorIsToldHoweverLateItIsAskedFor(t *testing.T) {
	table := newTable(types.Column{Name: "x", Type: tInt})
	src := newSource(table, []row{{int64(1)}, {int64(2)}}, 1)
	bad := errors.New("this row is bad")
	fails := &expr.Func{Name: "fails", Args: []types.Type{tInt}, Ret: tInt,
		Eval: func(_ *expr.Ctx, a []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
			out.SetFlat(tInt, n)
			if a[0].Int(0) == 2 {
				return bad
			}
			return nil
		}}
	for range 50 {
		n := &plan.Project{In: scanOf(table), Exprs: []expr.Expr{&expr.Call{Fn: fails, Args: []expr.Expr{col(0, tInt)}, T: tInt}},
			Out: []plan.Col{{Name: "x", Type: tInt}}}
		r, err := Run(&Env{Ctx: &expr.Ctx{}, Workers: 2, Source: func(*types.Table) (column.Source, error) { return src, nil }}, n)
		if err != nil {
			t.Fatal(err)
		}
		s := r.(*result).rows.(*stream)
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		<-s.done // all workers have ended before anybody asks
		for b := (*vec.Batch)(nil); err == nil; {
			if b, err = r.Next(); b == nil && err == nil {
				t.Fatal("the rows ended, and nobody was told of the error")
			}
		}
		r.Close()
		if !errors.Is(err, bad) {
			t.Fatal(err)
		}
	}
}
