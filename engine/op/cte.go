package op

import (
	"sync"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/vec"
)

// cte is one WITH item in scope. It is computed when it is first read, once.
type cte struct {
	def     plan.CTE
	b       *builder // the scope of its plan
	once    sync.Once
	batches []*vec.Batch
	err     error
	working []*vec.Batch // recursive: the rows of the last round
}

// with builds In in a scope that has the definitions.
func (b *builder) with(n *plan.With) (plan.Rows, error) {
	scope := b
	for _, d := range n.Defs {
		c := &cte{def: d}
		ctes := make(map[int]*cte, len(scope.ctes)+1)
		for id, o := range scope.ctes {
			ctes[id] = o
		}
		ctes[d.ID] = c
		scope = newBuilder(b.x, b.ctx, ctes)
		c.b = scope
	}
	return scope.build(n.In)
}

func (b *builder) cteScan(n *plan.CTEScan) (plan.Rows, error) {
	c := b.ctes[n.ID]
	if c == nil {
		return nil, sqlstate.New(sqlstate.Internal, "WITH item %q is not in scope", n.Name)
	}
	return &cteRows{c: c, working: n.Working}, nil
}

// cteRows reads the rows of a WITH item. The batches are shared and not changed.
type cteRows struct {
	c       *cte
	working bool
	at      int
}

func (r *cteRows) Next() (*vec.Batch, error) {
	batches := r.c.working
	if !r.working {
		r.c.once.Do(r.c.compute)
		if r.c.err != nil {
			return nil, r.c.err
		}
		batches = r.c.batches
	}
	if r.at >= len(batches) {
		return nil, nil
	}
	r.at++
	return batches[r.at-1], nil
}

func (r *cteRows) Close() {}

func (c *cte) compute() {
	if c.def.Step == nil {
		c.batches, c.err = c.b.collect(c.def.Plan)
		return
	}
	c.err = c.recurse()
}

// recurse computes a recursive item: the step sees the new rows of the round before, until there are none.
func (c *cte) recurse() error {
	cols := c.def.Plan.Cols()
	var seen *seenKeys
	if !c.def.All {
		seen = newSeenKeys(c.b.x, "recursive query", colTypes(cols))
	}
	round := c.def.Plan
	for {
		if err := expr.Canceled(c.b.ctx); err != nil {
			return err
		}
		rows, err := c.b.collect(round)
		if err != nil {
			return err
		}
		if rows, err = unseen(rows, cols, seen); err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		c.batches = append(c.batches, rows...)
		c.working = rows
		round = c.def.Step
	}
}

// unseen returns the rows, under the types of cols, that are new; all of them if seen is nil.
func unseen(rows []*vec.Batch, cols []plan.Col, seen *seenKeys) ([]*vec.Batch, error) {
	var out []*vec.Batch
	for _, b := range rows {
		b = relabel(b, cols, &vec.Batch{}, new([]vec.Vector))
		if seen != nil {
			pos, err := seen.fresh(b.Cols, nil, b.N)
			if err != nil {
				return nil, err
			}
			b = copyBatch(&vec.Batch{N: b.N, Cols: b.Cols, Sel: append([]uint16{}, pos...)})
		}
		if b.N > 0 {
			out = append(out, b)
		}
	}
	return out, nil
}
