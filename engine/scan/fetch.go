package scan

import (
	"cmp"
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
)

// FetchRows reads columns of some rows of a source, by their types.ColRow: row k of the batch is rows[k]. It is for few rows
// out of many, of which somebody knows by then that they are the ones: what a top-N reads beside its keys. Each block with a
// wanted row is read once. Rows may come in any order, and more than once.
func FetchRows(ctx *expr.Ctx, src column.Source, cols []plan.ScanCol, rows []int64) (*vec.Batch, error) {
	s, err := New(ctx, src, &plan.Scan{Table: src.Table(), Read: cols, Out: len(cols)})
	if err != nil {
		return nil, err
	}
	order := make([]int, len(rows)) // indexes of rows, by place
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(rows[a], rows[b]) })
	f := &fetcher{w: s.NewWorker(ctx), rows: rows, order: order}
	f.got = &vec.Batch{}
	for _, c := range cols {
		v := &vec.Vector{}
		v.Reset(c.Type)
		f.got.Cols = append(f.got.Cols, v)
	}
	for len(f.order) > 0 {
		if err := f.morsel(); err != nil {
			return nil, err
		}
	}
	return f.arrange(order), nil
}

// fetcher reads the rows in the order of their places.
type fetcher struct {
	w     *Worker
	rows  []int64
	order []int // what is left of it
	got   *vec.Batch
}

// morsel reads the wanted rows of the row group that the next one is in.
func (f *fetcher) morsel() error {
	i := int(f.rows[f.order[0]] >> 16)
	if i < 0 || i >= len(f.w.s.morsels) {
		return sqlstate.New(sqlstate.Internal, "row %d is in no row group of %d", f.rows[f.order[0]], len(f.w.s.morsels))
	}
	n := 0
	for n < len(f.order) && int(f.rows[f.order[n]]>>16) == i {
		n++
	}
	wanted := f.order[:n]
	f.order = f.order[n:]
	w := f.w
	w.base = int64(i) << 16
	m := w.s.morsels[i]
	if _, err := w.open(m); err != nil {
		return w.unreadable(err, 0, true)
	}
	w.passed = w.passed.Resize(m.Rows())
	for _, k := range wanted {
		row := int(f.rows[k] & 0xffff)
		if row >= m.Rows() {
			return sqlstate.New(sqlstate.Internal, "row %d of a row group of %d", row, m.Rows())
		}
		w.passed.Set(row)
	}
	for c := range w.cols {
		w.cols[c].fetch(m.Rows())
	}
	for at := 0; at < m.Rows() && len(wanted) > 0; at = w.to {
		if w.enterBatch(at, min(at-at%vec.BlockRows+vec.BlockRows, m.Rows())) == 0 {
			continue
		}
		if err := expr.Canceled(w.ctx); err != nil {
			return err
		}
		w.narrow(w.sel)
		w.batch.N, w.out.N = w.to-w.from, w.to-w.from
		if err := w.loadAll(); err != nil {
			return w.unreadable(err, 0, true)
		}
		for len(wanted) > 0 {
			row := int(f.rows[wanted[0]] & 0xffff)
			if row >= w.to {
				break
			}
			for c, v := range f.got.Cols {
				v.AppendFrom(&w.vecs[c], row-w.from)
			}
			f.got.N++
			wanted = wanted[1:]
		}
	}
	return nil
}

// arrange brings what was read into the order of rows: order[k] is the index of the k-th row that was read.
func (f *fetcher) arrange(order []int) *vec.Batch {
	if slices.IsSorted(order) {
		return f.got
	}
	from := make([]uint32, len(order))
	for k, i := range order {
		from[i] = uint32(k)
	}
	out := &vec.Batch{N: f.got.N}
	for _, v := range f.got.Cols {
		o := &vec.Vector{}
		o.Reset(v.Type)
		vec.AppendIndexed(o, v, from)
		out.Cols = append(out.Cols, o)
	}
	return out
}
