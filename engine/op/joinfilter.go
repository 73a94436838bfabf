package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/vec"
)

// narrowMost is up to how many different keys of the gathered side the probe's scan is told about.
const narrowMost = 1 << 20

// narrow tells the scan at the beginning of the pipeline which keys have a partner, where rows without one go nowhere: a filter
// passed sideways, as in Ives and Taylor, "Sideways information passing for push-style query processing" (ICDE 2008).
func (s *joinStage) narrow(b *builder) {
	if b.x.env.NoJoinFilter || s.p == nil || s.p.scan == nil || s.n.Kind != plan.Inner && s.n.Kind != plan.Semi {
		return
	}
	if s.absorb(b); s.absorbed || s.table.Len() > narrowMost {
		return
	}
	_, _, probeKeys := s.sides()
	var vals []*vec.Vector
	for k, e := range probeKeys {
		c, ok := e.(*expr.Col)
		if !ok {
			continue
		}
		at, ok := scanColumn(s.n.L, c.Idx)
		if !ok {
			continue
		}
		if vals == nil {
			vals = s.distinctKeys()
		}
		s.p.scan.RequireOneOf(b.ctx, at, vals[k])
	}
}

// distinctKeys returns the keys of the gathered side. Of several, a value of one may come more than once.
func (s *joinStage) distinctKeys() []*vec.Vector {
	_, buildKeys, _ := s.sides()
	var out []*vec.Vector
	for _, e := range buildKeys {
		v := &vec.Vector{}
		v.Reset(e.Type())
		out = append(out, v)
	}
	s.table.Append(0, s.table.Len(), out)
	return out
}

// codedMost is up to how many gathered rows their texts are put out as a dictionary of which each pair has a code. What
// is computed once per distinct value is then computed on all gathered rows: no more of them than a batch has.
const codedMost = vec.BatchRows

// payload puts out the gathered rows' column i for the queued pairs. Texts of few gathered rows are not copied.
func (p *probe) payload(i int) {
	v, from := p.buildCols[i], &p.s.build.cols[i]
	v.Reset(from.Type)
	if p.s.build.n > codedMost || from.Valid != nil || from.Form != vec.Flat || len(from.Off) == 0 {
		vec.AppendIndexed(v, from, p.right)
		return
	}
	v.Form, v.Dict, v.N = vec.Dict, from, len(p.right)
	v.Codes = append(v.Codes, p.right...)
}
