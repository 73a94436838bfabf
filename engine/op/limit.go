package op

import (
	"math"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/vec"
)

// limitRows passes count rows after skipping some.
type limitRows struct {
	in    plan.Rows
	skip  int64
	count int64
	out   vec.Batch
	sel   []uint16
}

func (b *builder) limit(n *plan.Limit) (plan.Rows, error) {
	count, err := b.bound(n.Count, math.MaxInt64, "LIMIT", "2201W")
	if err != nil {
		return nil, err
	}
	skip, err := b.bound(n.Offset, 0, "OFFSET", "2201X")
	if err != nil {
		return nil, err
	}
	in, err := b.build(n.In)
	if err != nil {
		return nil, err
	}
	return &limitRows{in: in, skip: skip, count: count}, nil
}

// bound evaluates a count; NULL and nil mean otherwise.
func (b *builder) bound(e expr.Expr, otherwise int64, what, code string) (int64, error) {
	if e == nil {
		return otherwise, nil
	}
	v, err := expr.Compile(e).Eval(b.ctx, expr.OneRow(), nil)
	if err != nil {
		return 0, err
	}
	if v.Null(0) {
		return otherwise, nil
	}
	x := v.Int(0)
	if x < 0 {
		return 0, sqlstate.New(code, "%s must not be negative", what)
	}
	return x, nil
}

func (r *limitRows) Next() (*vec.Batch, error) {
	for r.count > 0 {
		b, err := r.in.Next()
		if err != nil || b == nil {
			return nil, err
		}
		n := int64(b.Rows())
		if n <= r.skip {
			r.skip -= n
			continue
		}
		if r.skip == 0 && n <= r.count {
			r.count -= n
			return b, nil
		}
		return r.slice(b, n), nil
	}
	return nil, nil
}

// slice returns the part of b that lies within skip and count.
func (r *limitRows) slice(b *vec.Batch, n int64) *vec.Batch {
	from, to := r.skip, min(n, r.skip+min(r.count, n))
	r.skip, r.count = 0, r.count-(to-from)
	r.out = *b
	if b.Sel != nil {
		r.out.Sel = b.Sel[from:to]
		return &r.out
	}
	if len(b.Cols) == 0 {
		r.out.N = int(to - from)
		return &r.out
	}
	r.sel = r.sel[:0]
	for i := from; i < to; i++ {
		r.sel = append(r.sel, uint16(i))
	}
	r.out.Sel = r.sel
	return &r.out
}

func (r *limitRows) Close() { r.in.Close() }
