package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// distinctRows keeps the first row of every key.
type distinctRows struct {
	in   plan.Rows
	ctx  *expr.Ctx
	on   []*expr.Evaluator // nil: all columns
	seen *seenKeys
	vecs []*vec.Vector
	out  vec.Batch
	buf  vec.Bitmap
}

// seenKeys tells the first row of every key from the others.
type seenKeys struct {
	table  *keys.Table
	mapper *keys.Mapper
	ids    []uint32
	known  int
	mem    account
	pos    []uint16
}

func newSeenKeys(x *exec, operator string, n plan.Node, ts []types.Type) *seenKeys {
	t := newKeys(x, ts)
	return &seenKeys{table: t, mapper: t.NewMapper(), mem: x.account(operator, n)}
}

// fresh returns the rows of sel whose key has not occurred before. The answer is valid until the next call.
func (s *seenKeys) fresh(cols []*vec.Vector, sel vec.Bitmap, n int) ([]uint16, error) {
	if cap(s.ids) < n {
		s.ids = make([]uint32, n)
	}
	ids := s.ids[:max(n, 1)]
	single, err := s.mapper.Map(cols, sel, n, ids)
	if err != nil {
		return nil, err
	}
	s.pos = s.pos[:0]
	eachRow(sel, n, func(i int) {
		id := ids[i]
		if single {
			id = ids[0]
		}
		if int(id) >= s.known {
			s.known = int(id) + 1
			s.pos = append(s.pos, uint16(i))
		}
	})
	return s.pos, s.mem.to(s.table.Bytes())
}

func (b *builder) distinct(n *plan.Distinct) (plan.Rows, error) {
	in, err := b.build(n.In)
	if err != nil {
		return nil, err
	}
	r := &distinctRows{in: in, ctx: b.ctx}
	var ts []types.Type
	if n.On == nil {
		ts = colTypes(n.Cols())
	} else {
		r.on = expr.CompileAll(n.On)
		for _, e := range n.On {
			ts = append(ts, e.Type())
		}
	}
	r.vecs = make([]*vec.Vector, len(ts))
	r.seen = newSeenKeys(b.x, "duplicate removal", n, ts)
	return r, nil
}

func colTypes(cols []plan.Col) []types.Type {
	ts := make([]types.Type, len(cols))
	for i, c := range cols {
		ts[i] = c.Type
	}
	return ts
}

func (r *distinctRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	for {
		in, err := r.in.Next()
		if err != nil || in == nil {
			return nil, err
		}
		sel := selection(in, &r.buf)
		keyCols := in.Cols
		if r.on != nil {
			keyCols = r.vecs
			for i, e := range r.on {
				if r.vecs[i], err = e.Eval(r.ctx, in, sel); err != nil {
					return nil, err
				}
			}
		}
		pos, err := r.seen.fresh(keyCols, sel, in.N)
		if err != nil {
			return nil, err
		}
		if len(pos) > 0 {
			r.out = vec.Batch{N: in.N, Cols: in.Cols, Sel: pos}
			return &r.out, nil
		}
	}
}

func (r *distinctRows) Close() {
	r.in.Close()
	r.seen.mem.free()
}
