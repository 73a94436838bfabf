package head

import (
	"cmp"
	"slices"
	"sort"
	"sync"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// Cut returns the first n rows as an immutable group, valid for as long as it is held.
func (g *Generation) Cut(n int) column.Group { return &group{g: g, n: n} }

type group struct {
	g *Generation
	n int
}

func (v *group) Rows() int { return v.n }

// Find implements column.Group.
func (v *group) Find(p types.Path, leaf types.Leaf) (column.Column, bool) {
	g := v.g
	g.mu.RLock()
	defer g.mu.RUnlock()
	id, ok := g.names[p]
	if !ok {
		return nil, false
	}
	for i := g.pages[id>>pageBits][id&(pageSize-1)]; i != 0; i = g.cols[i-1].next {
		if g.cols[i-1].leaf == leaf {
			c := v.cutLocked(&g.cols[i-1], p)
			return c, c != nil
		}
	}
	return nil, false
}

// cutLocked takes the part of c that lies in the first n rows, nil if there is none.
func (v *group) cutLocked(c *col, p types.Path) *cut {
	k := len(c.rows)
	if k == 0 || int(c.rows[0]) >= v.n {
		return nil
	}
	if int(c.rows[k-1]) >= v.n {
		k = sort.Search(k, func(i int) bool { return int(c.rows[i]) >= v.n })
	}
	out := &cut{path: p, leaf: c.leaf, n: v.n, rows: c.rows[:k:k]}
	switch c.leaf.Phys() {
	case types.PhysInt64:
		out.i64 = c.i64[:k:k]
	case types.PhysFloat64:
		out.f64 = c.f64[:k:k]
	case types.PhysBool:
		out.bools = c.bools[:k:k]
	default:
		out.off = c.off[: k+1 : k+1]
		out.data = c.data[:c.off[k]:c.off[k]]
	}
	return out
}

// Under implements column.Group.
func (v *group) Under(p types.Path) []column.Column {
	order := v.g.sorted()
	from := 0
	if p != "" {
		from = sort.Search(len(order), func(i int) bool { return order[i].path >= p })
	}
	v.g.mu.RLock()
	defer v.g.mu.RUnlock()
	var out []column.Column
	for _, e := range order[from:] {
		if p != "" && e.path != p && !e.path.Under(p) {
			break
		}
		if c := v.cutLocked(&v.g.cols[e.col], e.path); c != nil {
			out = append(out, c)
		}
	}
	return out
}

// sortedIndex is the columns of a generation in the order of their paths, as of a number of columns. Columns are only
// ever added, and soon none are, so it is made again rarely.
type sortedIndex struct {
	mu    sync.Mutex
	order []indexed
}

type indexed struct {
	path types.Path
	leaf types.Leaf
	col  int
}

// sorted returns the columns in order; the slice is not to be changed.
func (g *Generation) sorted() []indexed {
	g.index.mu.Lock()
	defer g.index.mu.Unlock()
	g.mu.RLock()
	have, all := len(g.index.order), len(g.cols)
	if have == all {
		g.mu.RUnlock()
		return g.index.order
	}
	added := make([]indexed, 0, all-have)
	for i := have; i < all; i++ {
		added = append(added, indexed{g.paths.Path(g.cols[i].path), g.cols[i].leaf, i})
	}
	g.mu.RUnlock()
	slices.SortFunc(added, compareIndexed)
	g.index.order = mergeIndexed(g.index.order, added)
	return g.index.order
}

func compareIndexed(a, b indexed) int {
	return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.leaf, b.leaf))
}

func mergeIndexed(a, b []indexed) []indexed {
	out := make([]indexed, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compareIndexed(a[0], b[0]) < 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
