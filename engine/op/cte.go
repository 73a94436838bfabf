package op

import (
	"sync"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/vec"
)

// cte is one WITH item in scope. It is computed when it is first read, once; a recursive one round by round, as far as
// somebody reads: under a LIMIT it need not have an end.
type cte struct {
	def     plan.CTE
	b       *builder // the scope of its plan
	mu      sync.Mutex
	batches []*vec.Batch
	done    bool // batches are all there are, or err is why not
	err     error
	round   plan.Node    // recursive: what gives the next rows; nil before the first
	seen    *seenKeys    // recursive, UNION: the rows so far
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
	if !r.working {
		b, err := r.c.batch(r.at)
		r.at++
		return b, err
	}
	if r.at >= len(r.c.working) {
		return nil, nil
	}
	r.at++
	return r.c.working[r.at-1], nil
}

func (r *cteRows) Close() {}

// batch returns the item's i-th batch, nil behind the last.
func (c *cte) batch(i int) (*vec.Batch, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i >= len(c.batches) && !c.done {
		if c.err = c.more(); c.err != nil {
			c.done = true
		}
	}
	if i >= len(c.batches) {
		return nil, c.err
	}
	return c.batches[i], nil
}

func (c *cte) more() error {
	if c.def.Step == nil {
		c.done = true
		var err error
		c.batches, err = c.b.collect(c.def.Plan)
		return err
	}
	return c.recurse()
}

// recurse computes the next round of a recursive item: the step sees the new rows of the round before, until there are
// none.
func (c *cte) recurse() error {
	if err := expr.Canceled(c.b.ctx); err != nil {
		return err
	}
	cols := c.def.Plan.Cols()
	if c.round == nil {
		c.round = c.def.Plan
		if !c.def.All {
			c.seen = newSeenKeys(c.b.x, "recursive query", nil, colTypes(cols))
		}
	}
	rows, err := c.b.collect(c.round)
	if err != nil {
		return err
	}
	if rows, err = unseen(rows, cols, c.seen); err != nil {
		return err
	}
	c.done = len(rows) == 0
	c.batches = append(c.batches, rows...)
	c.working, c.round = rows, c.def.Step
	return nil
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
