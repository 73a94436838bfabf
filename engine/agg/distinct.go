package agg

import (
	"cmp"

	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// distinctState is an aggregate with DISTINCT: a table of the distinct (group, arguments), which are given to the
// aggregate at the end, in the call's order and then in that of the values, so that the result does not depend on the
// order of the rows.
type distinctState struct {
	call   *plan.AggCall
	table  *keys.Table
	mapper *keys.Mapper
	types  []types.Type // group, arguments, ORDER BY values
	plain  bool         // all rows so far belong to group 0, and the table has no group column
	n      int
	inner  State
	fed    bool
	asker
	group vec.Vector
	vecs  []*vec.Vector
	ids   []uint32
	index *groupIndex // made by seal
}

func newDistinct(call *plan.AggCall) (State, error) {
	inner, err := newPlain(withoutOrder(call))
	if err != nil {
		return nil, err
	}
	if countsIntegers(call.Fn.Name, argTypes(call)) && len(call.Order) == 0 {
		return &intDistinctCount{}, nil
	}
	return newDistinctRows(call, inner), nil
}

// newDistinctRows returns the state for any call; inner is what the distinct rows are given to.
func newDistinctRows(call *plan.AggCall, inner State) *distinctState {
	s := &distinctState{call: call, inner: inner, types: []types.Type{types.Of(types.Int64)}}
	for _, e := range call.Args {
		s.types = append(s.types, e.Type())
	}
	for _, k := range call.Order {
		s.types = append(s.types, k.Expr.Type())
	}
	s.vecs = make([]*vec.Vector, len(s.types))
	s.plain = true
	s.table = keys.New(s.types[1:])
	s.mapper = s.table.NewMapper()
	return s
}

// needGroups gives the table its group column.
func (s *distinctState) needGroups() error {
	if !s.plain {
		return nil
	}
	old := s.table
	s.plain = false
	s.table = keys.New(s.types)
	s.mapper = s.table.NewMapper()
	for from := 0; from < old.Len(); from += vec.BatchRows {
		end := min(from+vec.BatchRows, old.Len())
		copy(s.vecs, s.rowsOf(old, true, from, end))
		if err := s.add(nil, end-from); err != nil {
			return err
		}
	}
	return nil
}

func (s *distinctState) Grow(n int) { s.n = max(s.n, n) }

func (s *distinctState) Add(in *Input) error {
	if in.Groups != nil || in.One != 0 {
		if err := s.needGroups(); err != nil {
			return err
		}
	}
	s.group.Reset(s.types[0])
	if in.Groups == nil {
		s.group.AppendInt(int64(in.One))
		s.group.Form, s.group.N = vec.Const, in.N
	} else {
		for _, g := range in.Groups[:in.N] {
			s.group.AppendInt(int64(g))
		}
	}
	s.vecs[0] = &s.group
	copy(s.vecs[1:], in.Args)
	copy(s.vecs[1+len(in.Args):], in.Order)
	return s.add(in.Sel, in.N)
}

func (s *distinctState) add(sel vec.Bitmap, n int) error {
	if count(sel, n) == 0 {
		return nil
	}
	if cap(s.ids) < n {
		s.ids = make([]uint32, n)
	}
	vecs := s.vecs
	if s.plain {
		vecs = vecs[1:]
	}
	_, err := s.mapper.Map(vecs, sel, n, s.ids[:n])
	return err
}

func (s *distinctState) Merge(o State, from, to []uint32) error {
	p := o.(*distinctState)
	if from != nil {
		return s.mergeGroups(p, from, to)
	}
	if !p.plain || (len(to) > 0 && to[0] != 0) {
		if err := s.needGroups(); err != nil {
			return err
		}
	}
	for from := 0; from < p.table.Len(); from += vec.BatchRows {
		end := min(from+vec.BatchRows, p.table.Len())
		out := p.rows(from, end)
		for i, g := range out[0].I64 {
			out[0].I64[i] = int64(to[g])
		}
		copy(s.vecs, out)
		if err := s.add(nil, end-from); err != nil {
			return err
		}
	}
	return nil
}

// mergeGroups is Merge of some groups.
func (s *distinctState) mergeGroups(p *distinctState, from, to []uint32) error {
	if err := s.needGroups(); err != nil {
		return err
	}
	p.seal()
	var ids []uint32
	var groups []int64
	flush := func() error {
		out := p.emptyRows()
		if p.plain {
			p.table.AppendIDs(ids, out[1:])
		} else {
			p.table.AppendIDs(ids, out)
		}
		out[0].Reset(s.types[0])
		for _, g := range groups {
			out[0].AppendInt(g)
		}
		n := len(ids)
		ids, groups = ids[:0], groups[:0]
		copy(s.vecs, out)
		return s.add(nil, n)
	}
	for k, g := range from {
		for _, id := range p.index.of(int(g)) {
			ids, groups = append(ids, id), append(groups, int64(to[k]))
			if len(ids) == vec.BatchRows {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// seal lists the distinct rows of each group.
func (s *distinctState) seal() {
	if s.index != nil {
		return
	}
	groups := make([]uint32, s.table.Len())
	for from := 0; from < len(groups); from += vec.BatchRows {
		for i, g := range s.rows(from, min(from+vec.BatchRows, len(groups)))[0].I64 {
			groups[from+i] = uint32(g)
		}
	}
	s.index = newGroupIndex(groups, s.n)
}

// rows returns distinct rows as vectors: group, arguments, ORDER BY values.
func (s *distinctState) rows(from, to int) []*vec.Vector {
	return s.rowsOf(s.table, s.plain, from, to)
}

func (s *distinctState) rowsOf(t *keys.Table, plain bool, from, to int) []*vec.Vector {
	out := s.emptyRows()
	if !plain {
		t.Append(from, to, out)
		return out
	}
	t.Append(from, to, out[1:])
	out[0].SetFlat(s.types[0], to-from)
	return out
}

func (s *distinctState) emptyRows() []*vec.Vector {
	out := make([]*vec.Vector, len(s.types))
	for i, t := range s.types {
		out[i] = &vec.Vector{}
		out[i].Reset(t)
	}
	return out
}

func (s *distinctState) Result(from, to int, out *vec.Vector) error {
	if !s.fed {
		s.fed = true
		if err := s.feed(); err != nil {
			return err
		}
	}
	return s.inner.Result(from, to, out)
}

func (s *distinctState) asks(ask func() error) {
	s.asker.asks(ask)
	Asking(s.inner, ask)
}

func (s *distinctState) feed() error {
	n := s.table.Len()
	all := s.rows(0, n)
	groups := make([]uint32, n)
	rows := make([]uint32, n)
	for i, g := range all[0].I64 {
		groups[i], rows[i] = uint32(g), uint32(i)
	}
	cols := make([]vec.Vector, len(all)-1)
	for i, v := range all[1:] {
		cols[i] = *v
	}
	args := len(s.call.Args)
	if s.call.Fn.OrderedSet || !Ordered(withoutOrder(s.call)) {
		// Either it sorts for itself, or the order is all the same to it.
		return feed(&s.asker, s.inner, cols, args, groups, s.n, rows)
	}
	err := sortBy(&s.asker, rows, func(a, b uint32) int {
		for k := range s.call.Order {
			o := &s.call.Order[k]
			if c := compareRows(&cols[args+k], a, b, o.Desc, o.NullsFirst); c != 0 {
				return c
			}
		}
		for k := range args {
			if c := compareRows(&cols[k], a, b, false, false); c != 0 {
				return c
			}
		}
		return cmp.Compare(a, b)
	})
	if err != nil {
		return err
	}
	return feed(&s.asker, s.inner, cols[:args], args, groups, s.n, rows)
}

func (s *distinctState) Bytes() int64 { return s.table.Bytes() }
