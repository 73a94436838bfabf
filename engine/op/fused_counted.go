package op

import (
	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// counting is an aggregate by the order of values, which may count the values of a column of the row group instead of keeping
// them: see agg.Counted.
type counting struct {
	on       bool
	col      int
	lo, hi   int64
	div      float64
	decimals column.Decimals
	vec      vec.Vector
	vals     []int64
	sel      vec.Bitmap
	in       agg.Input
}

// valueOf returns the column whose values a call puts in order, and whether they are integers as floats; -1 if it is no column.
func valueOf(f *fused, i int) (col int, widened bool) {
	call := &f.n.Aggs[i]
	if call.Filter != nil || call.Distinct {
		return -1, false
	}
	e := expr.Expr(nil)
	switch {
	case len(call.Order) == 1:
		e = call.Order[0].Expr
	case len(call.Args) == 1 && len(call.Order) == 0:
		e = call.Args[0]
	}
	if call, ok := e.(*expr.Call); ok && len(call.Args) == 1 && call.T.Kind == types.Float64 && (call.Fn.Name == "float8" || call.Fn.Name == "double precision") && isInt(call.Args[0].Type()) {
		e, widened = call.Args[0], true
	}
	if c, ok := e.(*expr.Col); ok {
		return c.Idx, widened
	}
	return -1, false
}

// beginCounting sees for which calls the row group's values can be counted.
func (x *fusedWorker) beginCounting() {
	for i := range x.f.calls {
		if x.f.calls[i].measure >= 0 {
			continue
		}
		if x.counting == nil {
			x.counting = make([]counting, len(x.f.calls))
		}
		x.counting[i].begin(x, i)
	}
}

func (c *counting) begin(x *fusedWorker, i int) {
	c.on, c.decimals, c.div = false, nil, 0
	s, ok := x.table.states[i].(agg.Counted)
	widened := false
	if c.col, widened = valueOf(x.f, i); !ok || c.col < 0 {
		return
	}
	col, _ := x.scan.Column(c.col)
	if col == nil {
		return
	}
	st := col.Stats()
	c.lo, c.hi = st.MinI, st.MaxI
	switch d, isDec := col.(column.Decimals); {
	case col.Leaf() == types.LeafInt && st.Bounded && widened:
		c.div = 1
	case col.Leaf() == types.LeafInt && st.Bounded:
	case col.Leaf() == types.LeafFloat && isDec && !widened:
		of, ok := d.Decimals()
		if !ok {
			return
		}
		c.lo, c.hi, c.div, c.decimals = of.Least, of.Most, of.Div, d
	default:
		return
	}
	c.on = s.Counts(c.lo, c.hi, c.div, x.table.groups())
}

// count counts the values of a block's rows; false if the rows have to be added.
func (x *fusedWorker) count(i, n int, rows *rowSet) (bool, error) {
	c, s := &x.counting[i], x.table.states[i].(agg.Counted)
	var v *vec.Vector
	var err error
	if c.decimals != nil {
		v, err = &c.vec, x.scan.LoadDecimals(c.decimals, &c.vec)
	} else {
		v, err = x.scan.Load(c.col)
	}
	if err != nil {
		return false, err
	}
	sel := rows.sel
	if v.Valid != nil {
		if v.Form == vec.Const && v.Null(0) {
			return true, nil
		}
		if v.Form != vec.Const {
			if c.sel = append(c.sel[:0], v.Valid[:vec.Words(n)]...); sel != nil {
				c.sel.And(sel)
			}
			sel = c.sel
		}
	}
	in := &c.in
	in.N, in.Sel, in.Groups, in.One = n, sel, x.wide[:n], 0
	if x.index.n == 1 {
		in.Groups, in.One = nil, x.wide[0]
	}
	call := &x.table.calls[i]
	in.Args = in.Args[:0]
	if len(call.order) > 0 {
		for _, e := range call.args {
			a, err := e.Eval(x.w.ctx, x.scan.Batch(), rows.sel)
			if err != nil {
				return false, err
			}
			in.Args = append(in.Args, a)
		}
	}
	return s.AddCounted(in, plainInts(v, n, &c.vals), c.lo, c.hi, c.div), nil
}

// plainInts returns v's values as a slice with one entry per row; those of NULLs are any.
func plainInts(v *vec.Vector, n int, buf *[]int64) []int64 {
	if v.Form == vec.Flat {
		return v.I64[:n]
	}
	*buf = sized(*buf, n)
	out := *buf
	if v.Form == vec.Const {
		for i := range out {
			out[i] = v.I64[0]
		}
		return out
	}
	for i, c := range v.Codes[:n] {
		out[i] = v.Dict.I64[c]
	}
	return out
}
