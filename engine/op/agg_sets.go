package op

import (
	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// aggregate returns the rows of an aggregation, which may be run as another one.
func (b *builder) aggregate(n *plan.Agg) (plan.Rows, error) {
	if n.Sets != nil {
		return b.groupingSets(n)
	}
	n, err := b.firstGroups(n)
	if err != nil {
		return nil, err
	}
	if two := twoLevels(n); two != nil {
		b.x.env.Analyze.standsFor(two, n)
		b.x.env.Analyze.standsFor(two.In, n)
		n = two
	}
	return &aggRows{b: b, n: n}, nil
}

// twoLevels turns aggregates that are all over the DISTINCT values of one argument into aggregates over groups by the keys
// and that argument: their sets are then groups like others, in partitions and on disk if need be. nil: that is not so.
func twoLevels(n *plan.Agg) *plan.Agg {
	var arg expr.Expr
	for i := range n.Aggs {
		c := &n.Aggs[i]
		if !c.Distinct || len(c.Args) != 1 || len(c.Order) > 0 || c.Filter != nil || agg.Ordered(c) {
			return nil
		}
		if arg != nil && !sameColumn(arg, c.Args[0]) {
			return nil
		}
		arg = c.Args[0]
	}
	if arg == nil {
		return nil
	}
	inner := &plan.Agg{In: n.In, Keys: append(append([]expr.Expr(nil), n.Keys...), arg)}
	outer := &plan.Agg{In: inner, Out: n.Out}
	for i, k := range inner.Keys {
		inner.Out = append(inner.Out, plan.Col{Type: k.Type()})
		if i < len(n.Keys) {
			outer.Keys = append(outer.Keys, &expr.Col{Idx: i, T: k.Type()})
		}
	}
	for _, c := range n.Aggs {
		c.Distinct = false
		c.Args = []expr.Expr{&expr.Col{Idx: len(n.Keys), T: arg.Type()}}
		if agg.Ordered(&c) {
			return nil // the order of the groups below is not that of the values
		}
		outer.Aggs = append(outer.Aggs, c)
	}
	return outer
}

func sameColumn(a, b expr.Expr) bool {
	x, ok := a.(*expr.Col)
	y, same := b.(*expr.Col)
	return ok && same && x.Idx == y.Idx && x.T == y.T
}

// groupingSets runs an aggregation with Sets.
func (b *builder) groupingSets(n *plan.Agg) (plan.Rows, error) {
	if one := b.finestFirst(n); one != nil {
		b.x.env.Analyze.standsFor(one, n)
		return &rolledRows{b: b, n: n, finest: &aggRows{b: b, n: one}}, nil
	}
	return b.eachSet(n), nil
}

// eachSet runs an aggregation with Sets so that every row is there once for each set, with NULL for the keys that are not in
// it and the set's number as one key more.
func (b *builder) eachSet(n *plan.Agg) plan.Rows {
	in := &setsInput{In: n.In, n: n}
	first := len(n.In.Cols())
	one := &plan.Agg{In: in, Aggs: n.Aggs}
	for i := range len(n.Keys) + 1 {
		t := types.Of(types.Int32)
		if i < len(n.Keys) {
			t = n.Keys[i].Type()
		}
		one.Keys = append(one.Keys, &expr.Col{Idx: first + i, T: t})
		one.Out = append(one.Out, plan.Col{Type: t})
	}
	one.Out = append(one.Out, n.Out[len(n.Keys):len(n.Keys)+len(n.Aggs)]...)
	b.x.env.Analyze.standsFor(one, n)
	return &setsRows{b: b, n: n, in: &aggRows{b: b, n: one}}
}

// setsRows puts the columns of the result in their order, and gives the row of each set without keys if there were no rows.
type setsRows struct {
	b    *builder
	n    *plan.Agg
	in   plan.Rows
	some bool
	done bool
	out  vec.Batch
}

func (r *setsRows) Next() (*vec.Batch, error) {
	if r.done {
		return nil, nil
	}
	b, err := r.in.Next()
	if err != nil {
		return nil, err
	}
	k := len(r.n.Keys)
	if b != nil {
		r.some = true
		r.out = vec.Batch{N: b.N, Sel: b.Sel, Cols: append(append([]*vec.Vector(nil), b.Cols[:k]...), b.Cols[k+1:]...)}
		r.out.Cols = append(r.out.Cols, b.Cols[k])
		return &r.out, nil
	}
	r.done = true
	if r.some {
		return nil, nil
	}
	return r.empty()
}

// empty returns the results over no rows, once for each set without keys.
func (r *setsRows) empty() (*vec.Batch, error) {
	t, err := newGroupTable(&plan.Agg{Aggs: r.n.Aggs}, &worker{x: r.b.x, ctx: r.b.ctx})
	if err != nil {
		return nil, err
	}
	t.grow(1, 0)
	r.out = vec.Batch{}
	for _, c := range r.n.Out {
		v := &vec.Vector{}
		v.Reset(c.Type)
		r.out.Cols = append(r.out.Cols, v)
	}
	k := len(r.n.Keys)
	for i, set := range r.n.Sets {
		if len(set) > 0 {
			continue
		}
		for _, v := range r.out.Cols[:k] {
			v.AppendNull()
		}
		for a, s := range t.states {
			if err := s.Result(0, 1, r.out.Cols[k+a]); err != nil {
				return nil, err
			}
		}
		r.out.Cols[len(r.out.Cols)-1].AppendInt(int64(i))
		r.out.N++
	}
	if r.out.N == 0 {
		return nil, nil
	}
	return &r.out, nil
}

func (r *setsRows) Close() { r.in.Close() }

// setsInput is the input of an aggregation by sets: In's columns, the keys, and the number of the set.
type setsInput struct {
	In plan.Node
	n  *plan.Agg
}

// Cols and Inputs make it a plan node.
func (s *setsInput) Cols() []plan.Col {
	out := append([]plan.Col(nil), s.In.Cols()...)
	for _, k := range s.n.Keys {
		out = append(out, plan.Col{Type: k.Type()})
	}
	return append(out, plan.Col{Type: types.Of(types.Int32)})
}

func (s *setsInput) Inputs() []plan.Node { return []plan.Node{s.In} }

// setsStage pushes every batch once for each set.
type setsStage struct{ n *setsInput }

func (s *setsStage) prepare(*builder) error { return nil }

func (s *setsStage) newSink(w *worker, next sink) (sink, error) {
	k := &setsSink{w: w, next: next, sets: s.n.n.Sets, keys: expr.CompileAll(s.n.n.Keys)}
	k.vals = make([]*vec.Vector, len(k.keys))
	k.nulls = make([]vec.Vector, len(k.keys))
	k.types = exprTypes(s.n.n.Keys)
	return k, nil
}

type setsSink struct {
	w     *worker
	next  sink
	sets  [][]int
	keys  []*expr.Evaluator
	types []types.Type
	vals  []*vec.Vector
	nulls []vec.Vector
	set   vec.Vector
	out   vec.Batch
}

func (s *setsSink) push(b *vec.Batch, sel vec.Bitmap) error {
	for i, e := range s.keys {
		v, err := e.Eval(s.w.ctx, b, sel)
		if err != nil {
			return err
		}
		s.vals[i] = v
		s.nulls[i].SetConstNull(s.types[i], b.N)
	}
	s.out.N = b.N
	for i, set := range s.sets {
		s.out.Cols = append(s.out.Cols[:0], b.Cols...)
		first := len(b.Cols)
		for k := range s.keys {
			s.out.Cols = append(s.out.Cols, &s.nulls[k])
		}
		for _, k := range set {
			s.out.Cols[first+k] = s.vals[k]
		}
		s.set.Reset(types.Of(types.Int32))
		s.set.AppendInt(int64(i))
		s.set.Form, s.set.N = vec.Const, b.N
		s.out.Cols = append(s.out.Cols, &s.set)
		if err := s.next.push(&s.out, sel); err != nil {
			return err
		}
	}
	return nil
}
