package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/vec"
)

// applyRows runs its right side once for every row of its left side.
type applyRows struct {
	b    *builder
	n    *plan.Apply
	l    plan.Rows
	cond *expr.Evaluator
	refs []int // columns of L that R looks at

	left  *vec.Batch // the current batch of L
	rows  []int      // its live rows
	at    int        // the current one
	right plan.Rows  // of the current row; nil before it is run
	part  *exec      // right's
	met   bool
	out   vec.Batch
	sel   vec.Bitmap
	pos   []uint16
}

func (b *builder) apply(n *plan.Apply) (plan.Rows, error) {
	l, err := b.build(n.L)
	if err != nil {
		return nil, err
	}
	r := &applyRows{b: b, n: n, l: l, refs: plan.OuterRefs(n.R)}
	if n.Cond != nil {
		r.cond = expr.Compile(n.Cond)
	}
	return r, nil
}

func (r *applyRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	for {
		if r.left == nil || r.at >= len(r.rows) {
			more, err := r.advance()
			if err != nil || !more {
				return nil, err
			}
		}
		if r.right == nil {
			if err := r.run(); err != nil {
				return nil, err
			}
		}
		in, err := r.right.Next()
		if err != nil {
			return nil, err
		}
		if in == nil {
			lone := !r.met && r.n.Kind == plan.Left
			if lone {
				r.pad()
			}
			r.end()
			r.at++
			if lone {
				return &r.out, nil
			}
			continue
		}
		ok, err := r.pair(in)
		if err != nil {
			return nil, err
		}
		if ok {
			return &r.out, nil
		}
	}
}

// advance takes the next batch of L.
func (r *applyRows) advance() (bool, error) {
	for {
		in, err := r.l.Next()
		if err != nil || in == nil {
			return false, err
		}
		r.left, r.rows, r.at = in, r.rows[:0], 0
		eachRow(selection(in, &r.sel), in.N, func(i int) { r.rows = append(r.rows, i) })
		if len(r.rows) > 0 {
			return true, nil
		}
	}
}

// run starts R for the current row.
func (r *applyRows) run() error {
	if err := expr.Canceled(r.b.ctx); err != nil {
		return err
	}
	row := make([]*vec.Vector, len(r.left.Cols))
	for _, c := range r.refs {
		row[c] = &vec.Vector{}
		row[c].SetConst(r.left.Cols[c], r.rows[r.at], 1)
	}
	ctx := *r.b.ctx
	ctx.Outer = append([][]*vec.Vector{row}, r.b.ctx.Outer...)
	r.part = r.b.x.part()
	rows, err := newBuilder(r.part, &ctx, r.b.ctes).build(r.n.R)
	r.right, r.met = rows, false
	return err
}

// pair makes out the current row beside every live row of in, if Cond holds for some.
func (r *applyRows) pair(in *vec.Batch) (bool, error) {
	r.out = vec.Batch{N: in.N, Sel: in.Sel}
	for _, v := range r.left.Cols {
		c := &vec.Vector{}
		c.SetConst(v, r.rows[r.at], in.N)
		r.out.Cols = append(r.out.Cols, c)
	}
	r.out.Cols = append(r.out.Cols, in.Cols...)
	if r.cond != nil {
		sel := ownSelection(nil, selection(in, &r.sel), in.N)
		if err := r.cond.Filter(r.b.ctx, &r.out, sel); err != nil {
			return false, err
		}
		r.pos = sel.Positions(r.pos[:0])
		r.out.Sel = r.pos
	}
	if r.out.Rows() == 0 {
		return false, nil
	}
	r.met = true
	return true, nil
}

// pad makes out the current row beside NULLs.
func (r *applyRows) pad() {
	r.out = vec.Batch{N: 1}
	for _, v := range r.left.Cols {
		c := &vec.Vector{}
		c.SetConst(v, r.rows[r.at], 1)
		r.out.Cols = append(r.out.Cols, c)
	}
	for _, col := range r.n.R.Cols() {
		c := &vec.Vector{}
		c.SetConstNull(col.Type, 1)
		r.out.Cols = append(r.out.Cols, c)
	}
}

// end closes the right side of the current row.
func (r *applyRows) end() {
	if r.right != nil {
		r.right.Close()
		r.right = nil
		r.part.mem.release()
	}
}

func (r *applyRows) Close() {
	r.end()
	r.l.Close()
}
