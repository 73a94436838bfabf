package op

import (
	"slices"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Grouping sets of which one has all keys, as those of ROLLUP and CUBE do, need not look at the rows once for each set: the
// groups of the others are put together from the groups by all keys. That is for aggregates whose states can be added to many
// others, and as long as the groups are not many; else each row goes to every set.

// finestFirst returns the aggregation by all keys that the sets can be made from; nil if they cannot.
func (b *builder) finestFirst(n *plan.Agg) *plan.Agg {
	full := func(set []int) bool {
		have := map[int]bool{}
		for _, k := range set {
			have[k] = true
		}
		return len(have) == len(n.Keys)
	}
	if b.x.env.NoFused || len(n.Keys) == 0 || !slices.ContainsFunc(n.Sets, full) {
		return nil
	}
	for i := range n.Aggs {
		s, err := agg.New(&n.Aggs[i])
		if err != nil || !agg.Additive(s) {
			return nil
		}
	}
	one := &plan.Agg{In: n.In, Keys: n.Keys, Aggs: n.Aggs}
	for _, k := range n.Keys {
		one.Out = append(one.Out, plan.Col{Type: k.Type()})
	}
	one.Out = append(one.Out, n.Out[len(n.Keys):len(n.Keys)+len(n.Aggs)]...)
	return one
}

// rolledRows gives out the groups of all sets.
type rolledRows struct {
	b      *builder
	n      *plan.Agg // with Sets
	finest *aggRows
	rows   plan.Rows // what gives the rows instead, if there are too many groups
	tables []*groupTable
	at     int // set that is given out
	of     *groupRows
	out    vec.Batch
}

func (r *rolledRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	if r.rows == nil && !r.finest.done {
		if err := r.begin(); err != nil {
			return nil, err
		}
	}
	if r.rows != nil {
		return r.rows.Next()
	}
	for r.at < len(r.n.Sets) {
		if r.of == nil {
			if r.of, err = r.groupsOf(r.at); err != nil {
				return nil, err
			}
		}
		b, err := r.of.batch()
		if err != nil {
			return nil, err
		}
		if b != nil {
			r.shape(b)
			return &r.out, nil
		}
		r.of = nil
		r.at++
	}
	return nil, nil
}

// begin makes the finest groups, and sees whether the others can be made of them.
func (r *rolledRows) begin() error {
	f := r.finest
	if err := f.compute(); err != nil {
		return err
	}
	f.done = true
	if f.out != nil && f.out.t.groups()*len(r.n.Sets) <= r.b.x.manyGroups() && f.out.t.keys.Len() > 0 {
		return nil
	}
	r.finest.Close()
	r.finest = nil
	r.rows = r.b.eachSet(r.n)
	return nil
}

// groupsOf makes the groups of set i.
func (r *rolledRows) groupsOf(i int) (*groupRows, error) {
	keys := slices.Compact(slices.Sorted(slices.Values(r.n.Sets[i])))
	from := r.finest.out.t
	if len(keys) == len(r.n.Keys) {
		of := *r.finest.out // its states are read, and not changed
		of.at = 0
		return &of, nil
	}
	n := &plan.Agg{Aggs: r.n.Aggs}
	for _, k := range keys {
		n.Keys = append(n.Keys, r.n.Keys[k])
		n.Out = append(n.Out, plan.Col{Type: r.n.Keys[k].Type()})
	}
	n.Out = append(n.Out, r.n.Out[len(r.n.Keys):len(r.n.Keys)+len(r.n.Aggs)]...)
	t, err := newGroupTable(n, &worker{x: r.b.x, ctx: r.b.ctx})
	if err != nil {
		return nil, err
	}
	r.tables = append(r.tables, t)
	if err := t.addGroups(from, r.finest.out.perm, keys); err != nil {
		return nil, err
	}
	return newGroupRows(t, false)
}

// addGroups adds the groups of a finer table, in the order of perm (nil: as numbered), of whose keys t has some.
func (t *groupTable) addGroups(o *groupTable, perm []uint32, some []int) error {
	vecs, mine := make([]*vec.Vector, len(o.n.Keys)), make([]*vec.Vector, len(some))
	for i, k := range o.n.Keys {
		vecs[i] = &vec.Vector{Type: k.Type()}
	}
	for i, k := range some {
		mine[i] = vecs[k]
	}
	from, to := make([]uint32, 0, vec.BatchRows), make([]uint32, vec.BatchRows)
	for at, n := 0, o.keys.Len(); at < n; at += vec.BatchRows {
		from = from[:0]
		for g := at; g < min(at+vec.BatchRows, n); g++ {
			if perm == nil {
				from = append(from, uint32(g))
			} else {
				from = append(from, perm[g])
			}
		}
		to := to[:len(from)]
		clear(to)
		if len(some) > 0 {
			for i, v := range vecs {
				v.Reset(o.n.Keys[i].Type())
			}
			o.keys.AppendIDs(slices.Clone(from), vecs) // which it makes other ids of
			single, err := t.mapper.Map(mine, nil, len(from), to)
			if err != nil {
				return err
			}
			if single {
				spreadID(to)
			}
			t.grow(t.keys.Len(), 0)
		} else {
			t.grow(1, 0)
		}
		for i, s := range t.states {
			if err := s.Merge(o.states[i], from, to); err != nil {
				return err
			}
		}
	}
	return t.reserve()
}

// shape makes out the groups of a batch as rows of the result.
func (r *rolledRows) shape(b *vec.Batch) {
	set := slices.Compact(slices.Sorted(slices.Values(r.n.Sets[r.at])))
	r.out = vec.Batch{N: b.N, Sel: b.Sel}
	at := 0
	for k, e := range r.n.Keys {
		if slices.Contains(set, k) {
			r.out.Cols = append(r.out.Cols, b.Cols[at])
			at++
			continue
		}
		v := &vec.Vector{}
		v.SetConstNull(e.Type(), b.N)
		r.out.Cols = append(r.out.Cols, v)
	}
	r.out.Cols = append(r.out.Cols, b.Cols[at:]...)
	v := &vec.Vector{}
	v.Reset(types.Of(types.Int32))
	v.AppendInt(int64(r.at))
	v.Form, v.N = vec.Const, b.N
	r.out.Cols = append(r.out.Cols, v)
}

func (r *rolledRows) Close() {
	if r.rows != nil {
		r.rows.Close()
	}
	if r.finest != nil {
		r.finest.Close()
	}
	for _, t := range r.tables {
		t.mem.free()
	}
}
