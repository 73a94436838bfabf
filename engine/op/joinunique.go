package op

import (
	"math/bits"

	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Where every key of the gathered side has one row, as in a dimension table, a row of the pipeline has one partner at most.
// Its columns then need not move: the batch goes on as it is, with the partners' columns beside it and fewer rows selected.

// uniqueMost is up to how many gathered rows the partners' columns are put out as dictionaries, of any type: a code is the
// gathered row. What is computed once per distinct value is then computed on all gathered rows: no more of them than a batch has.
const uniqueMost = vec.BatchRows

// longUnique is up to how many bytes a batch of partners that are copied may become; where it could be more, the join puts out
// pairs, fewer at a time.
const longUnique = 256 << 20

// oneEach reports whether the join can put its rows out in place.
func (s *joinStage) oneEach(x *exec) bool {
	return !x.env.NoJoinUnique && (s.n.Kind == plan.Inner || s.n.Kind == plan.Left || s.n.Kind == plan.Right) && s.n.Cond == nil &&
		s.table.Len() > 0 && len(s.rows) == s.table.Len() && (s.build.n <= uniqueMost || s.longest*vec.BatchRows <= longUnique)
}

// partners is what a worker's probe keeps to put rows out in place.
type partners struct {
	rows []uint32 // per row of the batch: the gathered row; 0 without one
	cols []partnerCol
}

// partnerCol is what is kept for one gathered column.
type partnerCol struct {
	dict  vec.Vector // the column as a dictionary: without validity
	valid vec.Bitmap
}

// inPlace puts out the batch with the partners of its rows, whose ids are known for those alive.
func (p *probe) inPlace(b *vec.Batch, sel vec.Bitmap, ids []uint32, alive vec.Bitmap) error {
	u := &p.partners
	if cap(u.rows) < b.N {
		u.rows = make([]uint32, b.N)
	}
	u.rows = u.rows[:b.N]
	p.meet(u.rows, ids, alive)
	outer := p.s.n.Kind != plan.Inner
	met := p.met.Count()
	if met == 0 && !outer {
		return nil
	}
	for i := range p.buildCols {
		p.beside(i, b.N, outer && met < b.N)
	}
	at := 0
	if p.s.swapped {
		at = len(p.buildCols)
	}
	copy(p.out.Cols[at:], b.Cols)
	p.out.N = b.N
	switch {
	case outer:
		return p.next.push(&p.out, sel)
	case met == b.N:
		return p.next.push(&p.out, nil)
	}
	return p.next.push(&p.out, p.met)
}

// meet finds the gathered row of each row alive; met has the bits of those that have one.
func (p *probe) meet(rows, ids []uint32, alive vec.Bitmap) {
	clear(rows)
	list := p.s.rows
	for w, m := range alive {
		met := uint64(0)
		for ; m != 0; m &= m - 1 {
			bit := bits.TrailingZeros64(m)
			if id := ids[w<<6+bit]; id != keys.None {
				met |= 1 << bit
				rows[w<<6+bit] = list[id]
			}
		}
		p.met[w] = met
	}
}

// beside makes buildCols[i] the partners' values of the gathered column i; lone tells that rows without a partner go on.
func (p *probe) beside(i, n int, lone bool) {
	v, from, u := p.buildCols[i], &p.s.build.cols[i], &p.partners
	v.Reset(from.Type)
	if u.cols == nil {
		u.cols = make([]partnerCol, len(p.buildCols))
	}
	c := &u.cols[i]
	if lone || from.Valid != nil {
		c.valid = append(c.valid[:0], p.met...)
		if from.Valid != nil {
			p.met.All(func(k int) { c.valid.SetTo(k, from.Valid.Get(int(u.rows[k]))) })
		}
		v.Valid = c.valid
	}
	if p.s.build.n > uniqueMost || from.Type.Phys() == types.PhysBool {
		p.spread(v, from, n)
		return
	}
	if c.dict.N == 0 {
		c.dict = *from
		c.dict.Valid = nil
	}
	v.Form, v.Dict, v.N, v.Codes = vec.Dict, &c.dict, n, append(v.Codes[:0], u.rows...)
	if from.Valid != nil {
		for k := range v.Codes {
			if !v.Valid.Get(k) {
				v.Codes[k] = 0
			}
		}
	}
}

// spread makes v the flat values of the gathered rows; those without a partner are zero. v's validity is set.
func (p *probe) spread(v, from *vec.Vector, n int) {
	rows, valid := p.partners.rows, v.Valid
	v.SetFlat(from.Type, n)
	switch from.Type.Phys() {
	case types.PhysBool:
		p.met.All(func(k int) { v.Bits.SetTo(k, from.Bits.Get(int(rows[k]))) })
	case types.PhysInt64:
		p.met.All(func(k int) { v.I64[k] = from.I64[rows[k]] })
	case types.PhysFloat64:
		p.met.All(func(k int) { v.F64[k] = from.F64[rows[k]] })
	case types.PhysBytes:
		for k, r := range rows {
			if p.met.Get(k) {
				v.Data = append(v.Data, from.Data[from.Off[r]:from.Off[r+1]]...)
			}
			v.Off = append(v.Off, uint32(len(v.Data)))
		}
		v.N = n
	}
	v.Valid = valid
}
