package op

import (
	"errors"
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A top-N whose first key is a stored column tells the scan below how far rows may lie behind, as soon as it has N of them; the
// scan reads the row groups that promise the first rows first, so rows no longer come in the order of the input, and the
// sort compares their morsels where all keys are equal.

// tellScan ties the bound of a top-N to the scan that the pipeline begins with, if its first key is a column of that.
func (r *sortRows) tellScan() {
	if r.b.x.env.NoTopPush || r.n.Limit <= 0 || r.n.Limit >= 1<<24 || len(r.n.Keys) == 0 || r.p.scan == nil {
		return
	}
	k := &r.n.Keys[0]
	c, ok := k.Expr.(*expr.Col)
	if !ok {
		return
	}
	at, ok := scanColumn(r.n.In, c.Idx)
	if !ok {
		return
	}
	if r.top, ok = r.p.scan.TopBy(at, k.Desc, k.NullsFirst); ok {
		r.topCol, r.spec.shuffled = c.Idx, true
	}
}

// scanColumn returns which column of the scan's Read column i of n is: through filters, plain projections and the probe sides of
// joins, none of which changes it or makes rows that the scan has not.
func scanColumn(n plan.Node, i int) (int, bool) {
	switch n := n.(type) {
	case *plan.Scan:
		return i, true
	case *lateScan:
		return n.cols[min(i, len(n.cols)-1)], i < len(n.cols)
	case *plan.Filter:
		return scanColumn(n.In, i)
	case *plan.Project:
		if c, ok := n.Exprs[i].(*expr.Col); ok {
			return scanColumn(n.In, c.Idx)
		}
	case *plan.Join:
		if n.Kind == plan.Inner || n.Kind == plan.Left || n.Kind == plan.Semi || n.Kind == plan.Anti {
			if i < len(n.L.Cols()) {
				return scanColumn(n.L, i)
			}
		}
	}
	return 0, false
}

// lateMost is up to which limit the other columns of a top-N are read afterwards: each row may be in a block of its own.
const lateMost = 1024

// lateTop is a top-N that reads the keys and places of rows first, and then the columns of the rows that are the ones.
type lateTop struct {
	b     *builder
	n     *plan.Sort
	scan  *plan.Scan
	from  []int // per column: which of the scan's it is
	in    *sortRows
	over  []plan.Node // projections between sort and scan
	late  *lateScan
	plain *sortRows // what is done instead; nil: nothing
	mem   account
	ended bool
}

// lateScan is a scan that emits some columns, and each row's place.
type lateScan struct {
	n    *plan.Scan
	cols []int
	src  column.Source
}

// Cols and Inputs make it a plan node.
func (l *lateScan) Cols() []plan.Col {
	all, out := l.n.Cols(), []plan.Col(nil)
	for _, c := range l.cols {
		out = append(out, all[c])
	}
	return append(out, plan.Col{Name: types.ColRow, Type: types.Of(types.Int64)})
}

func (l *lateScan) Inputs() []plan.Node { return nil }

// newLateTop returns nil where a sort is no such top-N, or would gain nothing.
func (b *builder) newLateTop(n *plan.Sort) *lateTop {
	env := b.x.env
	if env.NoTopPush || env.Skip != nil || n.Limit <= 0 || n.Limit > lateMost || len(n.Keys) == 0 {
		return nil
	}
	r := &lateTop{b: b, n: n, mem: b.x.account("sort", n)}
	for i := range n.In.Cols() {
		r.from = append(r.from, i)
	}
	for in := n.In; r.scan == nil; {
		switch p := in.(type) {
		case *plan.Scan:
			r.scan = p
		case *plan.Project:
			for i, c := range r.from {
				x, ok := p.Exprs[c].(*expr.Col)
				if !ok {
					return nil
				}
				r.from[i] = x.Idx
			}
			r.over = append(r.over, p)
			in = p.In
		default:
			return nil
		}
	}
	return r.narrow()
}

// narrow makes the sort of keys and places.
func (r *lateTop) narrow() *lateTop {
	r.late = &lateScan{n: r.scan}
	sort := &plan.Sort{In: r.late, Limit: r.n.Limit}
	for _, k := range r.n.Keys {
		c, ok := k.Expr.(*expr.Col)
		if !ok || r.scan.Read[r.from[c.Idx]].Outline {
			return nil
		}
		at := slices.Index(r.late.cols, r.from[c.Idx])
		if at < 0 {
			at = len(r.late.cols)
			r.late.cols = append(r.late.cols, r.from[c.Idx])
		}
		sort.Keys = append(sort.Keys, plan.SortKey{Expr: &expr.Col{Idx: at, T: c.T, Name: c.Name}, Desc: k.Desc, NullsFirst: k.NullsFirst})
	}
	if !r.pays() {
		return nil
	}
	r.in = &sortRows{b: r.b, n: sort, of: r.n, mem: r.b.x.account("sort", r.n)}
	return r
}

// pays reports whether the columns that can wait are worth it: one that is long, or several.
func (r *lateTop) pays() bool {
	n := 0
	for i, c := range r.scan.Read[:r.scan.Out] {
		if slices.Contains(r.late.cols, i) || c.Column == types.ColRow {
			continue
		}
		n++
		if c.Type.Phys() == types.PhysBytes {
			return true
		}
	}
	return n > 2
}

// errByIndex is why rows are not read late: an index finds them, and they are few.
var errByIndex = errors.New("rows are found by index")

func (r *lateTop) Next() (_ *vec.Batch, err error) {
	defer guard(&err)
	if r.plain != nil {
		return r.plain.Next()
	}
	if r.ended {
		return nil, nil
	}
	r.ended = true
	var rows []int64
	for {
		b, err := r.in.Next()
		if errors.Is(err, errByIndex) {
			r.plain = &sortRows{b: r.b, n: r.n, of: r.n, mem: r.b.x.account("sort", r.n)}
			return r.plain.Next()
		}
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		rows = append(rows, b.Cols[len(r.late.cols)].I64[:b.N]...)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	got, err := scan.FetchRows(r.b.ctx, r.late.src, r.scan.Read[:r.scan.Out], rows)
	if err != nil {
		return nil, err
	}
	if err := r.mem.to(batchBytes(got)); err != nil {
		return nil, err
	}
	out := &vec.Batch{N: got.N}
	types := r.n.Cols()
	for i, c := range r.from {
		v := *got.Cols[c]
		v.Type = types[i].Type
		out.Cols = append(out.Cols, &v)
	}
	if a := r.b.x.env.Analyze; a != nil {
		for _, p := range r.over {
			a.node(p).rows.Add(int64(out.N))
			a.node(p).batches.Add(1)
		}
	}
	return out, nil
}

func (r *lateTop) Close() {
	r.in.Close()
	if r.plain != nil {
		r.plain.Close()
	}
	r.mem.free()
}
