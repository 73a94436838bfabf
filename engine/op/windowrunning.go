package op

import (
	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A frame from the partition's first row to the current one, which is the default, asks for running totals. Counts, and sums of
// integers that fit a word however many rows there are, are added up in one pass; then rows that are equal in the order take
// over the total of the last of them.

// running computes the call so; false where it cannot.
func (t *windowTask) running(c *windowCall, in *agg.Input, out *vec.Vector) (ok bool, err error) {
	f := &c.n.Frame
	if t.p.general || f.Start.Kind != plan.UnboundedPreceding || f.End.Kind != plan.CurrentRow || f.Exclude != plan.ExcludeNone {
		return false, nil
	}
	var xs []int64 // nil: rows are counted
	sel := in.Sel
	if len(in.Args) > 0 {
		v := in.Args[0]
		if len(in.Args) > 1 || v.Form != vec.Flat {
			return false, nil
		}
		if v.Valid != nil {
			sel = append(vec.Bitmap(nil), v.Valid[:vec.Words(t.n)]...)
			if in.Sel != nil {
				sel.And(in.Sel)
			}
		}
		xs = v.I64
	}
	switch name := c.n.Agg.Fn.Name; {
	case name == "count":
		xs = nil
	case name == "sum" && (in.Args[0].Type.Kind == types.Int16 || in.Args[0].Type.Kind == types.Int32) && out.Type.Kind == types.Int64:
	default:
		return false, nil
	}
	out.SetFlat(out.Type, t.n)
	for p := range len(t.starts) - 1 {
		if p&(1<<16-1) == 0 {
			if err := t.canceled(); err != nil {
				return true, err
			}
		}
		total(out, xs, sel, int(t.starts[p]), int(t.starts[p+1]))
	}
	if f.Mode != plan.FrameRows {
		t.equalOnes(out)
	}
	return true, nil
}

// total makes rows [from, to) of out the running totals of xs, of those rows whose bit is set. A sum of no rows is NULL.
func total(out *vec.Vector, xs []int64, sel vec.Bitmap, from, to int) {
	sum := int64(0)
	dst := out.I64[from:to]
	switch {
	case xs == nil && sel == nil:
		for i := range dst {
			dst[i] = int64(i + 1)
		}
		return
	case sel == nil:
		for i, x := range xs[from:to] {
			sum += x
			dst[i] = sum
		}
		return
	}
	any := xs == nil
	for i := range dst {
		if sel.Get(from + i) {
			any = true
			if xs == nil {
				sum++
			} else {
				sum += xs[from+i]
			}
		}
		dst[i] = sum
		if !any {
			if out.Valid == nil {
				out.Valid = vec.MakeBitmap(out.N)
				out.Valid.Fill(out.N)
			}
			out.Valid.Clear(from + i)
		}
	}
}

// equalOnes gives rows that are equal in the order the value of the last of them.
func (t *windowTask) equalOnes(out *vec.Vector) {
	first := t.edges(t.columns(t.p.order), t.starts)
	for i := t.n - 2; i >= 0; i-- {
		if first[(i+1)>>6]>>((i+1)&63)&1 != 0 {
			continue
		}
		out.I64[i] = out.I64[i+1]
		if out.Valid != nil {
			out.Valid.SetTo(i, out.Valid.Get(i+1))
		}
	}
}
