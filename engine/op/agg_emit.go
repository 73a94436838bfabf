package op

import (
	"slices"

	"github.com/telemdb/telemdb/storage/vec"
)

// groupRows gives out the groups of a table.
type groupRows struct {
	t       *groupTable
	perm    []uint32     // order of the groups; nil: as numbered
	results []vec.Vector // of all groups, if perm is not nil
	at      int
	out     vec.Batch
}

// newGroupRows gives the groups in the order in which they were first seen, or as they are numbered.
func newGroupRows(t *groupTable, bySeen bool) (*groupRows, error) {
	r := &groupRows{t: t}
	if !bySeen || len(t.n.Keys) == 0 || slices.IsSorted(t.first) {
		return r, nil
	}
	return r, r.order(sortBySeen(t.first))
}

// order makes perm the order of the groups.
func (r *groupRows) order(perm []uint32) error {
	r.perm = perm
	r.results = make([]vec.Vector, len(r.t.states))
	for i, s := range r.t.states {
		r.results[i].Reset(r.t.n.Aggs[i].T)
		if err := s.Result(0, len(perm), &r.results[i]); err != nil {
			return err
		}
	}
	return nil
}

// sortBySeen returns the groups by ascending first: a radix sort by bytes, from the last, that leaves out bytes in which
// all agree.
func sortBySeen(first []uint64) []uint32 {
	perm, next := make([]uint32, len(first)), make([]uint32, len(first))
	all, any := ^uint64(0), uint64(0)
	for i, x := range first {
		perm[i] = uint32(i)
		all &= x
		any |= x
	}
	for shift := 0; shift < 64; shift += 8 {
		if byte((all^any)>>shift) == 0 {
			continue
		}
		var at [256]int
		for _, x := range first {
			at[byte(x>>shift)]++
		}
		sum := 0
		for b, n := range at {
			at[b] = sum
			sum += n
		}
		for _, g := range perm {
			b := byte(first[g] >> shift)
			next[at[b]] = g
			at[b]++
		}
		perm, next = next, perm
	}
	return perm
}

// batch returns the next groups, nil at the end.
func (r *groupRows) batch() (*vec.Batch, error) {
	n, groups := r.t.n, r.t.groups()
	if r.at >= groups {
		return nil, nil
	}
	end := min(r.at+vec.BatchRows, groups)
	cols := make([]*vec.Vector, len(n.Out))
	k := len(n.Keys)
	for i := range cols {
		cols[i] = &vec.Vector{}
		if i < k {
			cols[i].Reset(n.Keys[i].Type())
		} else {
			cols[i].Reset(n.Aggs[i-k].T)
		}
	}
	if r.perm != nil {
		ids := slices.Clone(r.perm[r.at:end])
		for i := range r.results {
			vec.AppendIndexed(cols[k+i], &r.results[i], ids)
		}
		r.t.keys.AppendIDs(ids, cols[:k])
	} else {
		r.t.keys.Append(r.at, end, cols[:k])
		for i, s := range r.t.states {
			if err := s.Result(r.at, end, cols[k+i]); err != nil {
				return nil, err
			}
		}
	}
	r.out = vec.Batch{N: end - r.at, Cols: cols}
	r.at = end
	return &r.out, nil
}
