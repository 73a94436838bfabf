package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/vec"
)

// valuesRows is a constant table.
type valuesRows struct {
	b   *builder
	n   *plan.Values
	at  int
	out vec.Batch
}

func (r *valuesRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	if r.at >= len(r.n.Rows) {
		return nil, nil
	}
	end := min(r.at+vec.BatchRows, len(r.n.Rows))
	r.out.N = end - r.at
	r.out.Cols = make([]*vec.Vector, len(r.n.Out))
	for c, col := range r.n.Out {
		v := &vec.Vector{}
		v.Reset(col.Type)
		r.out.Cols[c] = v
	}
	in := expr.OneRow()
	for _, row := range r.n.Rows[r.at:end] {
		for c, e := range row {
			x, err := expr.Compile(e).Eval(r.b.ctx, in, nil)
			if err != nil {
				return nil, err
			}
			if x.Type.Phys() != r.out.Cols[c].Type.Phys() {
				r.out.Cols[c].AppendNull() // an untyped NULL
				continue
			}
			r.out.Cols[c].AppendFrom(x, 0)
		}
	}
	r.at = end
	return &r.out, nil
}

func (r *valuesRows) Close() {}

// virtual begins a pipeline at a table whose rows are made when asked.
func (p *pipeline) virtual(n *plan.Virtual) error {
	used := p.usedCols(len(n.Out))
	for _, e := range n.Filter {
		markCols(e, used)
	}
	if len(n.Filter) > 0 {
		p.add(n, &filterStage{conds: n.Filter})
	} else {
		p.node = n
	}
	p.rows = &virtualRows{b: p.b, n: n, want: plan.VirtualScan{Filter: n.Filter, Used: used}}
	return nil
}

// usedCols tells which columns of the source the stages met so far look at: those of filters, up to the projection that
// hides the rest. Without a projection all are used.
func (p *pipeline) usedCols(n int) []bool {
	used := make([]bool, n)
	for i := len(p.nodes) - 1; i >= 0; i-- {
		switch n := p.nodes[i].(type) {
		case *plan.Filter:
			markCols(n.Cond, used)
			continue
		case *plan.Project:
			for _, e := range n.Exprs {
				markCols(e, used)
			}
			return used
		}
		break
	}
	for i := range used {
		used[i] = true
	}
	return used
}

func markCols(e expr.Expr, used []bool) {
	expr.Walk(e, func(x expr.Expr) bool {
		switch x := x.(type) {
		case *expr.Col:
			if x.Idx < len(used) {
				used[x.Idx] = true
			}
		case *expr.Subplan: // may look at any column from inside
			if x.Correlated {
				for i := range used {
					used[i] = true
				}
			}
		}
		return true
	})
}

// virtualRows asks the table at the first Next.
type virtualRows struct {
	b    *builder
	n    *plan.Virtual
	want plan.VirtualScan
	rows plan.Rows
}

func (r *virtualRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	if r.rows == nil {
		if r.rows, err = r.n.Rows(r.b.ctx, r.want); err != nil {
			return nil, err
		}
	}
	return r.rows.Next()
}

func (r *virtualRows) Close() {
	if r.rows != nil {
		r.rows.Close()
	}
}
