package op

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Where any groups will do (GROUP BY with LIMIT and no order), the first ones of the table are as good as any: their keys are
// read off its first rows, and the aggregation reads on only for rows whose keys are among them. The scan judges that column
// by column, so that it may let through rows of some other groups; those groups are whole too, as a condition on keys keeps or
// drops groups, not rows.

// The first rows are prefixRows of prefixMorsels row groups at most: where so few rows do not have the groups that are asked
// for, all rows are read as ever.
const (
	prefixRows    = 16 << 10
	prefixMorsels = 2
	wantedMost    = 1000 // groups that are asked for at most
)

// firstGroups returns what n is to be run as if any n.Limit groups will do.
func (b *builder) firstGroups(n *plan.Agg) (*plan.Agg, error) {
	s, ok := n.In.(*plan.Scan)
	if !ok || n.Limit == 0 || n.Limit > wantedMost || len(n.Keys) == 0 || s.Limit > 0 || !repeatable(n, s) {
		return n, nil
	}
	found, err := b.firstKeys(n, s)
	if err != nil || found == nil {
		return n, err
	}
	scan := *s
	scan.Filter = slices.Clip(s.Filter)
	for i, k := range n.Keys {
		if judgeable(k) {
			scan.Filter = append(scan.Filter, among(k, found[i]))
		}
	}
	c := *n
	c.In, c.Limit = &scan, 0
	b.x.env.Analyze.standsFor(&c, n)
	b.x.env.Analyze.standsFor(&scan, s)
	return &c, nil
}

// repeatable reports whether the rows and keys are the same when they are read again, and some key can be asked for.
func repeatable(n *plan.Agg, s *plan.Scan) bool {
	for _, e := range append(slices.Clip(s.Filter), n.Keys...) {
		if !pure(e) {
			return false
		}
	}
	return slices.ContainsFunc(n.Keys, judgeable)
}

// judgeable reports whether rows can be asked for by the values of a key: it differs from row to row, has many values, and
// those that are equal are the same bits.
func judgeable(k expr.Expr) bool {
	t := k.Type()
	return !expr.Static(k) && len(columnsRead(k)) > 0 && !keys.Canonical(t) && (t.Phys() == types.PhysInt64 || t.Phys() == types.PhysBytes)
}

// firstKeys returns the keys of the first groups of the scan, n.Limit of them; nil if its first rows have fewer.
func (b *builder) firstKeys(n *plan.Agg, s *plan.Scan) ([]*vec.Vector, error) {
	first := *s
	first.Limit = prefixRows
	p, err := b.pipeline(&first)
	if err != nil {
		return nil, err
	}
	defer p.close()
	morsels := min(prefixMorsels, p.morsels())
	b.x.env.Progress.scanBegins(morsels - p.morsels()) // the others are not meant to be done
	end := &keysEnd{most: int(n.Limit), table: newKeys(b.x, exprTypes(n.Keys)), exprs: expr.CompileAll(n.Keys), vecs: make([]*vec.Vector, len(n.Keys))}
	end.mapper = end.table.NewMapper()
	c, err := p.newChain(b.ctx.Context, func(w *worker) (terminal, error) {
		end.w = w
		return end, nil
	})
	if err != nil {
		return nil, err
	}
	defer c.close()
	for i := 0; i < morsels && !p.scan.Done() && end.table.Len() < end.most; i++ {
		if err := c.run(i); err != nil {
			return nil, err
		}
	}
	if end.table.Len() < end.most {
		return nil, nil
	}
	out := make([]*vec.Vector, len(n.Keys))
	for i, k := range n.Keys {
		out[i] = &vec.Vector{}
		out[i].Reset(k.Type())
	}
	end.table.Append(0, end.most, out)
	return out, nil
}

// keysEnd is the end of a pipeline that numbers keys until it has enough of them.
type keysEnd struct {
	most   int
	table  *keys.Table
	mapper *keys.Mapper
	exprs  []*expr.Evaluator
	vecs   []*vec.Vector
	ids    []uint32
	w      *worker
}

func (e *keysEnd) endMorsel(int) error { return nil }

func (e *keysEnd) push(b *vec.Batch, sel vec.Bitmap) error {
	if e.table.Len() >= e.most {
		return nil
	}
	for i, k := range e.exprs {
		v, err := k.Eval(e.w.ctx, b, sel)
		if err != nil {
			return err
		}
		e.vecs[i] = v
	}
	e.ids = sized(e.ids, max(b.N, 1))
	_, err := e.mapper.Map(e.vecs, sel, b.N, e.ids)
	return err
}

// among is the condition that e is one of the values, of which one may be NULL.
func among(e expr.Expr, values *vec.Vector) expr.Expr {
	var order []uint32
	null := false
	for i := range values.N {
		if values.Null(i) {
			null = true
		} else {
			order = append(order, uint32(i))
		}
	}
	if len(order) == 0 {
		return &expr.IsNull{Arg: e}
	}
	compare := func(a, b uint32) int {
		if values.Type.Phys() == types.PhysInt64 {
			return cmp.Compare(values.Int(int(a)), values.Int(int(b)))
		}
		return bytes.Compare(values.Bytes(int(a)), values.Bytes(int(b)))
	}
	slices.SortFunc(order, compare)
	order = slices.CompactFunc(order, func(a, b uint32) bool { return compare(a, b) == 0 })
	list := &vec.Vector{}
	list.Reset(e.Type())
	vec.AppendIndexed(list, values, order)
	in := &expr.In{Arg: e, List: list}
	if !null {
		return in
	}
	return &expr.Logic{Or: true, Args: []expr.Expr{in, &expr.IsNull{Arg: e}}}
}
