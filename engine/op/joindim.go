package op

import (
	"sync"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A dimension table joined by a stored column is two things to an aggregation over it: a condition on that column, and functions
// of it, which are what the dimension's columns say. So grouping by a column of the dimension is grouping by an expression of the
// stored column, which is computed once per distinct value, and row groups can be taken whole.

// dimensionMost is up to how many rows a gathered side is such a dimension.
const dimensionMost = 1 << 16

// overDimensions returns n as an aggregation of the scan's rows alone, if all that lies between is such joins and projections
// of columns; else n. The pipeline is prepared.
func (b *builder) overDimensions(n *plan.Agg, p *pipeline) *plan.Agg {
	if b.x.env.NoJoinUnique || b.x.env.NoJoinFilter || b.x.env.NoFused || p.scan == nil || p.bare() || !p.scan.Whole() || n.Sets != nil {
		return n
	}
	d := &dimensions{b: b, p: p, stages: map[*plan.Join]*joinStage{}}
	for _, s := range p.stages {
		switch s := s.(type) {
		case *projectStage:
		case *joinStage:
			if !s.absorbed && !s.dimension() {
				return n
			}
			d.stages[s.n] = s
		default:
			return n
		}
	}
	c := *n
	c.In, c.Keys, c.Aggs = p.node, nil, nil
	for _, k := range n.Keys {
		e := d.stored(n.In, k, true)
		if e == nil {
			return n
		}
		c.Keys = append(c.Keys, e)
	}
	for _, call := range n.Aggs {
		if call.Filter != nil || len(call.Order) > 0 || call.Distinct {
			return n
		}
		args := call.Args
		call.Args = nil
		for _, a := range args {
			e := d.stored(n.In, a, false)
			if e == nil {
				return n
			}
			call.Args = append(call.Args, e)
		}
		c.Aggs = append(c.Aggs, call)
	}
	if len(c.Keys) == 0 || !d.absorb() {
		return n
	}
	b.x.env.Analyze.standsFor(&c, n)
	return &c
}

// dimension reports whether the join is by one column to at most one row.
func (s *joinStage) dimension() bool {
	return s.unique && s.n.Kind == plan.Inner && len(s.n.LeftKeys) == 1 && s.build.n <= dimensionMost
}

// dimensions finds what columns above the joins are to the scan.
type dimensions struct {
	b      *builder
	p      *pipeline
	stages map[*plan.Join]*joinStage
}

// stored returns e, a column of n, as an expression of a column of the scan; nil if it is none, or one of a dimension where
// these will not do.
func (d *dimensions) stored(n plan.Node, e expr.Expr, computed bool) expr.Expr {
	c, ok := e.(*expr.Col)
	if !ok {
		return nil
	}
	switch n := n.(type) {
	case *plan.Scan:
		return c
	case *plan.Project:
		if x, ok := n.Exprs[c.Idx].(*expr.Col); ok && x.T == c.T {
			return d.stored(n.In, x, computed)
		}
	case *plan.Join:
		left := len(n.L.Cols())
		if c.Idx < left {
			return d.stored(n.L, c, computed)
		}
		s := d.stages[n]
		if !computed || s == nil || s.absorbed {
			return nil
		}
		if key := d.key(s); key != nil {
			of := &expr.Func{Name: "column of a dimension", Args: []types.Type{key.T}, Ret: c.T, Eval: s.columnOf(c.Idx - left)}
			return &expr.Call{Fn: of, T: c.T, Args: []expr.Expr{key}}
		}
	}
	return nil
}

// key returns the scan's column that a join is by; nil if it is none.
func (d *dimensions) key(s *joinStage) *expr.Col {
	e := d.stored(s.n.L, s.n.LeftKeys[0], false)
	if e == nil {
		return nil
	}
	return e.(*expr.Col)
}

// absorb leaves the joins' conditions to the scan; false if some is none that the scan takes.
func (d *dimensions) absorb() bool {
	var holds []expr.Expr
	for _, s := range d.stages {
		if s.absorbed {
			continue
		}
		key := d.key(s)
		if key == nil {
			return false
		}
		is := &expr.Func{Name: "is among the keys", Args: []types.Type{key.T}, Ret: types.Of(types.Bool), Eval: s.member(d.b, key.T)}
		holds = append(holds, &expr.Call{Fn: is, T: types.Of(types.Bool), Args: []expr.Expr{key}})
	}
	for _, e := range holds {
		if !d.p.scan.RequireThat(d.b.ctx, e) {
			return false
		}
	}
	for _, s := range d.p.stages {
		switch s := s.(type) {
		case *joinStage:
			s.absorbed = true
		case *projectStage:
			s.absorbed = true
		}
	}
	return true
}

// columnOf returns the function that gives column i of the gathered row that a key has; NULL where it has none. It may be called from
// several goroutines.
func (s *joinStage) columnOf(i int) func(*expr.Ctx, []*vec.Vector, vec.Bitmap, int, *vec.Vector) error {
	type finder struct {
		keys *keys.Finder
		ids  []uint32
		sel  vec.Bitmap
	}
	pool := sync.Pool{New: func() any { return &finder{keys: s.table.NewFinder()} }}
	from := &s.build.cols[i]
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.Reset(out.Type)
		f := pool.Get().(*finder)
		defer pool.Put(f)
		if cap(f.ids) < n {
			f.ids = make([]uint32, n)
		}
		f.sel = ownSelection(f.sel, sel, n)
		ids := f.ids[:max(n, 0)]
		single := n > 0 && f.keys.Find(args, f.sel, n, ids)
		for k := range n {
			id := keys.None
			if f.sel.Get(k) && !args[0].Null(k) {
				id = ids[k]
				if single {
					id = ids[0]
				}
			}
			if id == keys.None {
				out.AppendNull()
			} else {
				out.AppendFrom(from, int(s.rows[id]))
			}
		}
		return nil
	}
}
