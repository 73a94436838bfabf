package op

import (
	"sync"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A semi join whose key is a stored column is a condition on that column: the scan decides it, once per distinct value where a
// dictionary has them, before it decodes any other column. Nothing is left for the join to do, and what aggregates above it may
// take row groups whole.

// absorb hands the join to the scan, if it is such a one.
func (s *joinStage) absorb(b *builder) {
	_, _, probeKeys := s.sides()
	if s.n.Kind != plan.Semi || s.n.Cond != nil || len(probeKeys) != 1 || s.table.Len() == 0 {
		return
	}
	c, ok := probeKeys[0].(*expr.Col)
	if !ok {
		return
	}
	at, ok := scanColumn(s.n.L, c.Idx)
	if !ok {
		return
	}
	col := s.p.scan.ReadCol(at)
	if col.T.Phys() != c.T.Phys() {
		return
	}
	holds := &expr.Func{Name: "is among the keys", Args: []types.Type{c.T}, Ret: types.Of(types.Bool), Eval: s.member(b, c.T)}
	s.absorbed = s.p.scan.RequireThat(b.ctx, &expr.Call{Fn: holds, T: types.Of(types.Bool), Args: []expr.Expr{col}})
}

// member returns the function that tells of a value whether it is a key of the gathered side. It may be called from several
// goroutines.
func (s *joinStage) member(b *builder, t types.Type) func(*expr.Ctx, []*vec.Vector, vec.Bitmap, int, *vec.Vector) error {
	type finder struct {
		keys  *keys.Finder
		alive vec.Bitmap
		ids   []uint32
		view  vec.Vector
	}
	set := s.ids(b, t)
	pool := sync.Pool{New: func() any { return &finder{keys: s.table.NewFinder()} }}
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(types.Of(types.Bool), n)
		if n == 0 {
			return nil
		}
		f := pool.Get().(*finder)
		defer pool.Put(f)
		f.view = *args[0]
		f.view.Type = t
		f.alive = ownSelection(f.alive, sel, n)
		switch v := &f.view; {
		case v.Valid == nil:
		case v.Form == vec.Const:
			if v.Null(0) {
				return nil
			}
		default:
			f.alive.And(v.Valid)
		}
		if set != nil && set.among(&f.view, f.alive, out.Bits) {
			return nil
		}
		if cap(f.ids) < n {
			f.ids = make([]uint32, n)
		}
		ids := f.ids[:n]
		one := [1]*vec.Vector{&f.view}
		single := f.keys.Find(one[:], f.alive, n, ids)
		f.alive.All(func(i int) {
			if id := ids[i]; !single && id != keys.None || single && ids[0] != keys.None {
				out.Bits.Set(i)
			}
		})
		return nil
	}
}
