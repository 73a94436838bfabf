package op

import (
	"math"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/vec"
)

// maxData is how many bytes one column of gathered rows may hold: offsets have 32 bits, and a batch more has to fit.
const maxData = math.MaxUint32 - 1<<30

func errWide(operator string) error {
	return sqlstate.New(sqlstate.ProgramLimit, "the %s holds more than %d bytes in one column", operator, int64(maxData)).
		WithHint("Select fewer or shorter columns, or filter the input.")
}

// relation is rows gathered in memory, one flat vector per column.
type relation struct {
	cols []vec.Vector
	n    int
	mem  account
}

// newRelation returns an empty one. The memory is the owner's.
func (b *builder) newRelation(cols []plan.Col, operator string, owner plan.Node) *relation {
	r := &relation{cols: make([]vec.Vector, len(cols)), mem: b.x.account(operator, owner)}
	for i, c := range cols {
		r.cols[i].Reset(c.Type)
	}
	return r
}

func (r *relation) append(b *vec.Batch) error {
	held := int64(0)
	for i, v := range b.Cols {
		if b.Sel == nil {
			r.cols[i].AppendRange(v, 0, b.N)
		} else {
			vec.AppendIndexed(&r.cols[i], v, b.Sel)
		}
		if len(r.cols[i].Data) > maxData {
			return errWide(r.mem.operator)
		}
		held += vectorBytes(&r.cols[i])
	}
	r.n += b.Rows()
	return r.mem.to(held)
}

// slice makes out the rows [from, to).
func (r *relation) slice(from, to int, out *vec.Batch) {
	if out.Cols == nil {
		for range r.cols {
			out.Cols = append(out.Cols, &vec.Vector{})
		}
	}
	for i := range r.cols {
		out.Cols[i].Reset(r.cols[i].Type)
		out.Cols[i].AppendRange(&r.cols[i], from, to)
	}
	out.N = to - from
}
