package scan

import (
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// addImplied adds to equalities of a column the condition that follows from them for the column that is a function of it:
// the rows may be sorted by that one, so that zone maps and the manifest decide it.
func (s *Scan) addImplied(ctx *expr.Ctx) {
	if s.node.Implied == nil {
		return
	}
	to := s.node.Implied.To
	at := s.table.Col(to)
	if at < 0 || s.table.Columns[at].Type.Kind != types.Int64 {
		return
	}
	for _, p := range slices.Clone(s.preds) {
		values, ok := p.implied(s.node)
		if !ok {
			continue
		}
		t := s.table.Columns[at].Type
		col := s.readColumn(plan.ScanCol{Column: to, Type: t})
		s.preds = append(s.preds, newPred(ctx, s, &expr.In{Arg: &expr.Col{Idx: col, T: t, Name: to}, List: values}))
	}
}

// implied returns the values, sorted, that follow from a conjunct; false if it is no equality of the column they follow
// from.
func (p *pred) implied(n *plan.Scan) (*vec.Vector, bool) {
	if p.form != compare || p.never || p.p.Leaf != types.LeafText || n.Read[p.col].Column != n.Implied.From || len(n.Read[p.col].Path) > 0 {
		return nil, false
	}
	var values []int64
	switch p.p.Op {
	case column.OpEq:
		values = append(values, n.Implied.Of(p.p.B))
	case column.OpIn:
		for i := range p.p.List.N {
			values = append(values, n.Implied.Of(p.p.List.Bytes(i)))
		}
	default:
		return nil, false
	}
	slices.Sort(values)
	out := &vec.Vector{}
	out.Reset(types.Of(types.Int64))
	for _, v := range slices.Compact(values) {
		out.AppendInt(v)
	}
	return out, true
}

// readColumn returns the index of a column among those read, adding it behind them if need be. The scan's node is its own
// copy.
func (s *Scan) readColumn(c plan.ScanCol) int {
	for i, r := range s.node.Read {
		if r.Column == c.Column && len(r.Path) == 0 && r.Type == c.Type && !r.AsText && !r.Outline {
			return i
		}
	}
	s.node.Read = append(s.node.Read, c)
	return len(s.node.Read) - 1
}
