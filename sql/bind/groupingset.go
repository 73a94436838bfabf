package bind

import (
	"fmt"
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// setsMax is PostgreSQL's bound on the sets that ROLLUP and CUBE make.
const setsMax = 4096

// groupBySets binds a GROUP BY with grouping sets: the sets of its items, each combined with each.
func (k *block) groupBySets() error {
	sets := [][]int{nil}
	for _, g := range k.q.GroupBy {
		more, err := k.setsOf(g)
		if err != nil {
			return err
		}
		if sets, err = k.combine(sets, more, g.Pos()); err != nil {
			return err
		}
	}
	k.groupSets = sets
	return nil
}

// setsOf returns the sets of one item, as places in k.groups.
func (k *block) setsOf(g ast.Expr) ([][]int, error) {
	s, ok := g.(*ast.GroupingSet)
	if !ok {
		i, err := k.groupItem(g)
		return [][]int{{i}}, err
	}
	if s.Kind == ast.Cube && len(s.Items) > 12 {
		return nil, sqlstate.New(sqlstate.TooManyColumns, "CUBE is limited to 12 elements").At(s.Pos())
	}
	items := make([][][]int, len(s.Items))
	for i, x := range s.Items {
		var err error
		if items[i], err = k.setsOf(x); err != nil {
			return nil, err
		}
	}
	var out [][]int
	switch s.Kind {
	case ast.SimpleSet:
		all := []int{}
		for _, x := range items {
			all = append(all, x[0]...)
		}
		return [][]int{all}, nil
	case ast.GroupingSets:
		for _, x := range items {
			out = append(out, x...)
		}
	case ast.Rollup:
		for n := len(items); n >= 0; n-- {
			set := []int{}
			for _, x := range items[:n] {
				set = append(set, x[0]...)
			}
			out = append(out, set)
		}
	case ast.Cube:
		for m := 1<<len(items) - 1; m >= 0; m-- {
			set := []int{}
			for i, x := range items {
				if m>>(len(items)-1-i)&1 != 0 {
					set = append(set, x[0]...)
				}
			}
			out = append(out, set)
		}
	}
	return out, nil
}

func (k *block) combine(a, b [][]int, pos int) ([][]int, error) {
	if len(a)*len(b) > setsMax {
		return nil, sqlstate.New(sqlstate.TooComplex, "too many grouping sets present (maximum %d)", setsMax).At(pos)
	}
	var out [][]int
	for _, x := range a {
		for _, y := range b {
			out = append(out, append(slices.Clone(x), y...))
		}
	}
	return out, nil
}

// groupingRef stands for GROUPING(…) until the query's Agg is made.
type groupingRef struct {
	args []expr.Expr
	pos  int
}

func (g *groupingRef) Type() types.Type { return int4 }

// TreeKey implements tree.Keyer.
func (g *groupingRef) TreeKey() string {
	s := "grouping"
	for _, a := range g.args {
		s += " " + tree.Key(a)
	}
	return s
}

func (en *env) grouping(e *ast.Grouping) (expr.Expr, error) {
	if len(e.Args) > 31 {
		return nil, sqlstate.New(sqlstate.TooManyColumns, "GROUPING must have fewer than 32 arguments").At(e.Pos())
	}
	if en.aggs == nil {
		return nil, sqlstate.New(sqlstate.Grouping, "grouping operations are not allowed in %s", en.clause).At(e.Pos())
	}
	r := &groupingRef{pos: e.Pos()}
	for _, a := range e.Args {
		x, err := en.expr(a)
		if err != nil {
			return nil, err
		}
		en.b.pos[x] = a.Pos()
		r.args = append(r.args, x)
	}
	return r, nil
}

// noGrouping is for a query that does not group: GROUPING has nothing to speak of there.
func (k *block) noGrouping() error {
	var err error
	for _, t := range k.targets {
		tree.Visit(t.e, 0, func(x expr.Expr, _ int) {
			if r, ok := x.(*groupingRef); ok && err == nil {
				err = k.b.errNotGrouped(r.args[0])
			}
		})
	}
	return err
}

func (b *binder) errNotGrouped(x expr.Expr) error {
	return sqlstate.New(sqlstate.Grouping, "arguments to GROUPING must be grouping expressions of the associated query level").At(b.pos[x])
}

// sets gives the Agg its grouping sets, in terms of its keys.
func (g *grouping) sets(k *block) {
	if k.groupSets == nil {
		return
	}
	g.node.Sets = [][]int{}
	for _, s := range k.groupSets {
		set := []int{}
		for _, i := range s {
			if at := g.keys[tree.Key(k.groups[i])]; !slices.Contains(set, at) {
				set = append(set, at)
			}
		}
		g.node.Sets = append(g.node.Sets, set)
	}
	g.node.Out = append(g.node.Out, plan.Col{Name: "grouping set", Type: int4})
}

// mask is what a GROUPING call gives: a bit for each argument, the last one's lowest, that is set where the argument is not
// grouped by.
func (g *grouping) mask(r *groupingRef) expr.Expr {
	var keys []int
	for _, a := range r.args {
		i, ok := g.keys[tree.Key(a)]
		if !ok {
			g.fail(g.k.b.errNotGrouped(a))
			return r
		}
		keys = append(keys, i)
	}
	if g.node.Sets == nil {
		return newConst(int4, func(v *vec.Vector) { v.AppendInt(0) })
	}
	masks := make([]int64, len(g.node.Sets))
	for s, set := range g.node.Sets {
		for _, key := range keys {
			masks[s] <<= 1
			if !slices.Contains(set, key) {
				masks[s]++
			}
		}
	}
	last := len(g.node.Out) - 1
	fn := &expr.Func{Name: fmt.Sprintf("grouping%v", masks), Args: []types.Type{int4}, Ret: int4,
		Eval: func(_ *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			out.SetFlat(int4, n)
			sel.All(func(i int) { out.I64[i] = masks[a[0].Int(i)] })
			return nil
		}}
	return &expr.Call{Fn: fn, Args: []expr.Expr{col(last, g.node.Out[last])}, T: int4}
}
