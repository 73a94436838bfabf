package agg

import (
	"cmp"
	"math"
	"slices"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// rowStore keeps the rows an aggregate has been given: its arguments, then its ORDER BY values, and their groups.
type rowStore struct {
	call        *plan.AggCall
	cols        []vec.Vector
	groups      []uint32
	n           int // groups
	skip        int // a column whose NULLs are left out; -1: none
	buf         vec.Bitmap
	*groupIndex // made when asked for a result
	asker
}

// groupIndex lists rows by group: those of group g are rows[starts[g]:starts[g+1]], in order of arrival.
type groupIndex struct {
	starts []uint32
	rows   []uint32
}

// newGroupIndex takes the group of each row; there are n groups.
func newGroupIndex(groups []uint32, n int) *groupIndex {
	x := &groupIndex{starts: make([]uint32, n+1), rows: make([]uint32, len(groups))}
	for _, g := range groups {
		x.starts[g+1]++
	}
	for g := range n {
		x.starts[g+1] += x.starts[g]
	}
	at := slices.Clone(x.starts)
	for r, g := range groups {
		x.rows[at[g]] = uint32(r)
		at[g]++
	}
	return x
}

// of returns the rows of a group in order of arrival.
func (x *groupIndex) of(g int) []uint32 { return x.rows[x.starts[g]:x.starts[g+1]] }

func newRowStore(call *plan.AggCall, skip int) rowStore {
	s := rowStore{call: call, skip: skip}
	for _, e := range call.Args {
		s.addCol(e.Type())
	}
	for _, k := range call.Order {
		s.addCol(k.Expr.Type())
	}
	return s
}

func (s *rowStore) addCol(t types.Type) {
	var v vec.Vector
	v.Reset(t)
	s.cols = append(s.cols, v)
}

func (s *rowStore) Grow(n int) { s.n = max(s.n, n) }

func (s *rowStore) col(in *Input, k int) *vec.Vector {
	if k < len(in.Args) {
		return in.Args[k]
	}
	return in.Order[k-len(in.Args)]
}

func (s *rowStore) Add(in *Input) error {
	sel := in.Sel
	if s.skip >= 0 {
		sel = in.present(s.col(in, s.skip), &s.buf)
	}
	for k := range s.cols {
		s.cols[k].AppendSelected(s.col(in, k), sel)
		if len(s.cols[k].Data) > math.MaxUint32-1<<30 {
			return sqlstate.New(sqlstate.ProgramLimit, "the values collected by %s exceed 3 GiB", s.call.Fn.Name)
		}
	}
	each(sel, in.N, func(i int) { s.groups = append(s.groups, in.group(i)) })
	s.groupIndex = nil
	return nil
}

func (s *rowStore) merge(o *rowStore, from, to []uint32) {
	s.groupIndex = nil
	if from == nil {
		for k := range s.cols {
			s.cols[k].AppendRange(&o.cols[k], 0, o.cols[k].N)
		}
		for _, g := range o.groups {
			s.groups = append(s.groups, to[g])
		}
		return
	}
	o.seal()
	for k, g := range from {
		rows := o.of(int(g))
		for c := range s.cols {
			vec.AppendIndexed(&s.cols[c], &o.cols[c], rows)
		}
		for range rows {
			s.groups = append(s.groups, to[k])
		}
	}
}

func (s *rowStore) seal() { s.index() }

func (s *rowStore) Bytes() int64 {
	n := int64(cap(s.groups)) * 4
	for i := range s.cols {
		v := &s.cols[i]
		n += int64(cap(v.I64))*8 + int64(cap(v.F64))*8 + int64(cap(v.Off))*4 + int64(cap(v.Data)) + int64(cap(v.Bits))*8
	}
	return n
}

// index groups the rows.
func (s *rowStore) index() {
	if s.groupIndex == nil {
		s.groupIndex = newGroupIndex(s.groups, s.n)
	}
}

// sort orders rows by the call's ORDER BY, equal ones by arrival.
func (s *rowStore) sort(rows []uint32) error {
	first := len(s.call.Args)
	if len(s.call.Order) == 1 {
		if sorted, err := s.sortNumbers(rows, &s.cols[first]); sorted {
			return err
		}
	}
	return sortBy(&s.asker, rows, func(a, b uint32) int {
		for k := range s.call.Order {
			o := &s.call.Order[k]
			if c := compareRows(&s.cols[first+k], a, b, o.Desc, o.NullsFirst); c != 0 {
				return c
			}
		}
		return cmp.Compare(a, b)
	})
}

// sortNumbers is sort by one ascending column of numbers without NULLs, the input of most quantiles.
func (s *rowStore) sortNumbers(rows []uint32, v *vec.Vector) (sorted bool, err error) {
	if v.Valid != nil || s.call.Order[0].Desc {
		return false, nil
	}
	switch v.Type.Phys() {
	case types.PhysInt64:
		err = sortBy(&s.asker, rows, func(a, b uint32) int {
			return cmp.Or(cmp.Compare(v.I64[a], v.I64[b]), cmp.Compare(a, b))
		})
	case types.PhysFloat64:
		err = sortBy(&s.asker, rows, func(a, b uint32) int {
			return cmp.Or(datum.CompareFloat(v.F64[a], v.F64[b]), cmp.Compare(a, b))
		})
	default:
		return false, nil
	}
	return true, err
}

func compareRows(v *vec.Vector, a, b uint32, desc, nullsFirst bool) int {
	an, bn := v.Null(int(a)), v.Null(int(b))
	switch {
	case an && bn:
		return 0
	case an || bn:
		if an == nullsFirst {
			return -1
		}
		return 1
	}
	c := datum.Compare(v.Type, v, int(a), v, int(b))
	if desc {
		return -c
	}
	return c
}

// finisher appends the result of one group with the given rows, which are at least one.
type finisher func(s *rowStore, rows []uint32, out *vec.Vector) error

// collectState keeps all values and finishes each group from them.
type collectState struct {
	rowStore
	finish finisher
}

// collecting makes an aggregate from what chooses its finisher; skip is the column whose NULLs do not count.
func collecting(choose func(call *plan.AggCall, ts []types.Type) (f finisher, skip int)) func(*plan.AggCall, []types.Type) State {
	return func(call *plan.AggCall, ts []types.Type) State {
		f, skip := choose(call, ts)
		if f == nil {
			return nil
		}
		return &collectState{rowStore: newRowStore(call, skip), finish: f}
	}
}

func (s *collectState) Merge(o State, from, to []uint32) error {
	s.merge(&o.(*collectState).rowStore, from, to)
	return nil
}

func (s *collectState) Result(from, to int, out *vec.Vector) error {
	s.index()
	for g := from; g < to; g++ {
		rows := s.of(g)
		if len(rows) == 0 {
			out.AppendNull()
			continue
		}
		if err := s.finish(&s.rowStore, rows, out); err != nil {
			return err
		}
		if err := s.after(len(rows)); err != nil {
			return err
		}
	}
	return nil
}

// orderedState is an aggregate with ORDER BY inside: the rows are kept, and given to the aggregate in that order.
type orderedState struct {
	rowStore
	inner State
	fed   bool
}

func (s *orderedState) asks(ask func() error) {
	s.asker.asks(ask)
	Asking(s.inner, ask)
}

func newOrdered(call *plan.AggCall) (State, error) {
	inner, err := newPlain(withoutOrder(call))
	if err != nil {
		return nil, err
	}
	return &orderedState{rowStore: newRowStore(call, -1), inner: inner}, nil
}

func withoutOrder(call *plan.AggCall) *plan.AggCall {
	c := *call
	if !c.Fn.OrderedSet {
		c.Order = nil
	}
	c.Distinct = false
	return &c
}

func (s *orderedState) Merge(o State, from, to []uint32) error {
	s.merge(&o.(*orderedState).rowStore, from, to)
	return nil
}

func (s *orderedState) Result(from, to int, out *vec.Vector) error {
	if !s.fed {
		s.fed = true
		s.index()
		for g := range s.n {
			if err := s.sort(s.of(g)); err != nil {
				return err
			}
		}
		if err := feed(&s.asker, s.inner, s.cols, len(s.call.Args), s.groups, s.n, s.rows); err != nil {
			return err
		}
	}
	return s.inner.Result(from, to, out)
}

// feed gives rows to a state, a batch at a time, in the order listed. The first args columns are arguments, the others
// ORDER BY values.
func feed(a *asker, to State, cols []vec.Vector, args int, groups []uint32, n int, rows []uint32) error {
	to.Grow(n)
	var in Input
	for k := range cols {
		v := &vec.Vector{}
		if k < args {
			in.Args = append(in.Args, v)
		} else {
			in.Order = append(in.Order, v)
		}
	}
	for from := 0; from < len(rows); from += vec.BatchRows {
		part := rows[from:min(from+vec.BatchRows, len(rows))]
		in.N, in.Groups = len(part), in.Groups[:0]
		for k := range cols {
			v := (append(in.Args[:args:args], in.Order...))[k]
			v.Reset(cols[k].Type)
			vec.AppendIndexed(v, &cols[k], part)
		}
		for _, r := range part {
			in.Groups = append(in.Groups, groups[r])
		}
		if err := to.Add(&in); err != nil {
			return err
		}
		if err := a.after(len(part)); err != nil {
			return err
		}
	}
	return nil
}
