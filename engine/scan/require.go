package scan

import (
	"bytes"
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// requireMost is up to how many texts a column is asked for one by one.
const requireMost = 1000

// RequireOneOf leaves out rows whose value in column col of Read is NULL or surely none of vals, which are flat, without NULLs,
// in any order. It is for what a join knows when its hash table is built: integers and moments are asked for by
// range, which zone maps judge and which costs little where it does not help; texts by value, once per distinct one. ok is
// false, and nothing done, where the column or the scan takes neither. It is called before the first worker.
func (s *Scan) RequireOneOf(ctx *expr.Ctx, col int, vals *vec.Vector) (ok bool) {
	c := s.node.Read[col]
	if s.node.Limit > 0 || s.lookup != nil || len(c.Path) > 0 || c.AsText || c.Outline || c.Column == types.ColRow ||
		c.Type.Kind != s.table.Columns[s.table.Col(c.Column)].Type.Kind || !sameDomain(c.Type, vals.Type) {
		return false
	}
	switch {
	case vals.N == 0:
		s.never = true
	case c.Type.Phys() == types.PhysInt64:
		lo, hi := vals.I64[0], vals.I64[0]
		for _, x := range vals.I64[:vals.N] {
			lo, hi = min(lo, x), max(hi, x)
		}
		s.require(ctx, col, column.OpGe, lo)
		s.require(ctx, col, column.OpLe, hi)
	case domain(c.Type.Kind) == types.Text && vals.N <= requireMost:
		s.preds = append(s.preds, newPred(ctx, s, &expr.In{Arg: &expr.Col{Idx: col, T: c.Type, Name: c.Column}, List: sortedTexts(vals)}))
	default:
		return false
	}
	if s.detail != nil {
		s.Measure() // of these conjuncts too
	}
	return true
}

// RequireThat adds a conjunct: an immutable condition on one column of Read that NULL does not fulfil. It is decided once per distinct
// value where values are stored once. ok is false, and nothing done, where the scan takes none. It is called before the first
// worker.
func (s *Scan) RequireThat(ctx *expr.Ctx, holds expr.Expr) (ok bool) {
	if s.node.Limit > 0 || s.lookup != nil { // a lookup keeps what it found out of single groups
		return false
	}
	s.preds = append(s.preds, newPred(ctx, s, holds))
	if s.detail != nil {
		s.Measure()
	}
	return true
}

// ReadCol returns column i of Read as a filter may name it.
func (s *Scan) ReadCol(i int) *expr.Col {
	c := s.node.Read[i]
	return &expr.Col{Idx: i, T: c.Type, Name: c.Column}
}

// require adds a comparison of a column of integers with a constant.
func (s *Scan) require(ctx *expr.Ctx, col int, op column.Op, x int64) {
	c := s.node.Read[col]
	name := map[column.Op]string{column.OpGe: ">=", column.OpLe: "<="}[op]
	holds := &expr.Func{Name: name, Args: []types.Type{c.Type, c.Type}, Ret: types.Of(types.Bool),
		Eval: func(_ *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			out.SetFlat(types.Of(types.Bool), n)
			sel.All(func(i int) {
				v := a[0].Int(i)
				out.Bits.SetTo(i, op == column.OpGe && v >= x || op == column.OpLe && v <= x)
			})
			return nil
		}}
	bound := &vec.Vector{}
	bound.Reset(c.Type)
	bound.AppendInt(x)
	s.preds = append(s.preds, newPred(ctx, s, &expr.Call{Fn: holds, T: types.Of(types.Bool),
		Args: []expr.Expr{&expr.Col{Idx: col, T: c.Type, Name: c.Column}, &expr.Const{V: bound}}}))
}

// sortedTexts returns vals in ascending order, each once.
func sortedTexts(vals *vec.Vector) *vec.Vector {
	order := make([]uint32, vals.N)
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return bytes.Compare(vals.Bytes(int(a)), vals.Bytes(int(b))) })
	order = slices.CompactFunc(order, func(a, b uint32) bool { return bytes.Equal(vals.Bytes(int(a)), vals.Bytes(int(b))) })
	out := &vec.Vector{}
	out.Reset(vals.Type)
	vec.AppendIndexed(out, vals, order)
	return out
}
