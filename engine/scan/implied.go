package scan

import (
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// In a ping table a client's rows have one sample: the decoder, which alone writes there, gives a row a client_id and the
// sample_id ping.SampleID makes of it, or neither. Rows are sorted by sample before client, so a condition on the client
// becomes one on the sample too, which zone maps and the manifest decide. The two columns' names are the decoder's.
const (
	clientID = "client_id"
	sampleID = "sample_id"
)

// addImplied adds to equalities of client_id the condition on sample_id that follows from them.
func (s *Scan) addImplied(ctx *expr.Ctx) {
	at := s.table.Col(sampleID)
	if s.table.Kind != types.TablePing || at < 0 || s.table.Columns[at].Type.Kind != types.Int64 {
		return
	}
	for _, p := range slices.Clone(s.preds) {
		samples, ok := p.samples(s.node.Read)
		if !ok {
			continue
		}
		col := s.readColumn(plan.ScanCol{Column: sampleID, Type: s.table.Columns[at].Type})
		s.preds = append(s.preds, newPred(ctx, s, &expr.In{Arg: &expr.Col{Idx: col, T: s.table.Columns[at].Type, Name: sampleID},
			List: samples}))
	}
}

// samples returns the samples, sorted, of the clients that a conjunct allows; false if it is no equality of client_id.
func (p *pred) samples(read []plan.ScanCol) (*vec.Vector, bool) {
	if p.form != compare || p.never || p.p.Leaf != types.LeafText || read[p.col].Column != clientID || len(read[p.col].Path) > 0 {
		return nil, false
	}
	var ids []int64
	switch p.p.Op {
	case column.OpEq:
		ids = append(ids, ping.SampleID(string(p.p.B)))
	case column.OpIn:
		for i := range p.p.List.N {
			ids = append(ids, ping.SampleID(string(p.p.List.Bytes(i))))
		}
	default:
		return nil, false
	}
	slices.Sort(ids)
	out := &vec.Vector{}
	out.Reset(types.Of(types.Int64))
	for _, id := range slices.Compact(ids) {
		out.AppendInt(id)
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
