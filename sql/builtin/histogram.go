package builtin

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// histRow is an Eval that opens the histogram of each row, reusing its buckets.
func histRow(f func(h *sketch.Histogram, args []*vec.Vector, i int, out *vec.Vector) error) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		var h sketch.Histogram
		for i := range n {
			if !sel.Get(i) {
				appendZero(out)
				continue
			}
			if err := h.Decode(args[0].Bytes(i)); err != nil {
				return sqlstate.Wrap(sqlstate.DataCorrupted, err)
			}
			if err := f(&h, args, i, out); err != nil {
				return err
			}
		}
		return nil
	}
}

// addHistograms registers the functions of the histogram type. Quantiles are bucket bounds, as the clients' libraries
// give them.
func addHistograms(r *registry) {
	r.fn("hist_count", sig(tHist), tInt8, histRow(func(h *sketch.Histogram, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendInt(h.Count())
		return nil
	}))
	r.fn("hist_sum", sig(tHist), tInt8, histRow(func(h *sketch.Histogram, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendInt(h.Sum)
		return nil
	}))
	r.fn("hist_mean", sig(tHist), tFloat8, histRow(func(h *sketch.Histogram, _ []*vec.Vector, _ int, out *vec.Vector) error {
		if m, ok := h.Mean(); ok {
			out.AppendFloat(m)
		} else {
			out.AppendNull()
		}
		return nil
	}))
	r.fn("hist_quantile", sig(tHist, tFloat8), tInt8, histRow(func(h *sketch.Histogram, args []*vec.Vector, i int, out *vec.Vector) error {
		q := args[1].Float(i)
		if !(q >= 0 && q <= 1) {
			return errParam("quantile %v is not between 0 and 1", q)
		}
		if b, ok := h.Quantile(q); ok {
			out.AppendInt(b)
		} else {
			out.AppendNull()
		}
		return nil
	}))
	r.fn("hist_layout", sig(tHist), tText, histRow(func(h *sketch.Histogram, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendString(h.Layout.String())
		return nil
	}))
	r.op("+", sig(tHist, tHist), tHist, histRow(func(h *sketch.Histogram, args []*vec.Vector, i int, out *vec.Vector) error {
		var o sketch.Histogram
		if err := o.Decode(args[1].Bytes(i)); err != nil {
			return sqlstate.Wrap(sqlstate.DataCorrupted, err)
		}
		if err := h.Merge(&o); err != nil {
			return sqlstate.Wrap(sqlstate.InvalidParameter, err)
		}
		out.AppendBytes(h.AppendTo(nil))
		return nil
	}))
	eq := evalCmpText(opEQ)
	r.op("=", sig(tHist, tHist), tBool, eq)
	r.op("<>", sig(tHist, tHist), tBool, evalCmpText(opNE))
	r.fn("histogram", sig(tText), tHist, fromText(types.Of(types.Histogram)))
}
