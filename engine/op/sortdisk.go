package op

import (
	"cmp"
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/vec"
)

// sortMerge merges sorted runs, on disk and in memory, as their rows are asked for. The keys of rows read back are computed
// anew.
type sortMerge struct {
	r    *sortRows
	in   []*mergeInput
	heap []int
	left int64 // rows that are still wanted; -1: all
	out  vec.Batch
	vecs []vec.Vector
}

// mergeInput is one sorted run.
type mergeInput struct {
	next  func() (*vec.Batch, error)
	exprs []*expr.Evaluator
	batch *vec.Batch
	at    int
	keys  []*vec.Vector
	words []uint64
	rest  []byte
	ends  []uint32
	place []int64
}

func sortByRow(items []sortItem) {
	slices.SortFunc(items, func(a, b sortItem) int { return cmp.Compare(a.row, b.row) })
}

func newSortMerge(r *sortRows) (*sortMerge, error) {
	m := &sortMerge{r: r, left: -1}
	if r.n.Limit > 0 {
		m.left = r.n.Limit
	}
	for _, e := range r.ends {
		for _, f := range e.files {
			rd, err := f.Reader()
			if err != nil {
				return nil, err
			}
			m.in = append(m.in, &mergeInput{next: rd.Next})
		}
		if e.run.n > 0 {
			rr := newRunReader(e.run)
			m.in = append(m.in, &mergeInput{next: func() (*vec.Batch, error) { return rr.next(), nil }})
		}
	}
	for i, in := range m.in {
		for _, k := range r.n.Keys {
			in.exprs = append(in.exprs, expr.Compile(k.Expr))
		}
		in.keys = make([]*vec.Vector, len(in.exprs))
		if err := m.load(in); err != nil {
			return nil, err
		}
		if in.batch != nil {
			m.heap = append(m.heap, i)
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		siftDown(m.heap, i, m.less)
	}
	m.vecs = make([]vec.Vector, len(r.spec.types))
	for i := range m.vecs {
		m.out.Cols = append(m.out.Cols, &m.vecs[i])
	}
	return m, nil
}

// load reads the input's next batch and computes its keys.
func (m *sortMerge) load(in *mergeInput) error {
	b, err := in.next()
	in.batch, in.at = b, 0
	if err != nil || b == nil {
		return err
	}
	s := m.r.spec
	for k, e := range in.exprs {
		if in.keys[k], err = e.Eval(m.r.b.ctx, b, nil); err != nil {
			return err
		}
	}
	in.words = append(in.words[:0], make([]uint64, b.N)...)
	if len(in.keys) > 0 {
		s.forms[0].words(in.keys[0], b.N, s.keys[0].Desc, in.words)
	}
	in.rest, in.ends = in.rest[:0], in.ends[:0]
	for i := 0; i < b.N && !s.exact && !s.complex; i++ {
		in.rest = appendRest(in.rest, in.keys, s.forms, s.keys, i)
		in.ends = append(in.ends, uint32(len(in.rest)))
	}
	in.place = b.Cols[len(s.types)].I64
	return nil
}

func (m *sortMerge) less(a, b int) bool { return m.compare(m.in[a], m.in[b]) < 0 }

// compare orders the next rows of two inputs.
func (m *sortMerge) compare(x, y *mergeInput) int {
	s := m.r.spec
	if len(s.keys) > 0 {
		cx, cy := s.class(x.keys, x.at), s.class(y.keys, y.at)
		if cx != cy {
			return cmp.Compare(cx, cy)
		}
		if cx == values && x.words[x.at] != y.words[y.at] {
			return cmp.Compare(x.words[x.at], y.words[y.at])
		}
		switch {
		case s.complex:
			for k := range s.keys {
				if c := compareKey(x.keys[k], x.at, y.keys[k], y.at, &s.keys[k]); c != 0 {
					return c
				}
			}
		case !s.exact:
			if c := slices.Compare(x.restAt(), y.restAt()); c != 0 {
				return c
			}
		}
	}
	return cmp.Compare(x.place[x.at], y.place[y.at])
}

func (in *mergeInput) restAt() []byte {
	from := uint32(0)
	if in.at > 0 {
		from = in.ends[in.at-1]
	}
	return in.rest[from:in.ends[in.at]]
}

func (m *sortMerge) next() (*vec.Batch, error) {
	if err := expr.Canceled(m.r.b.ctx); err != nil {
		return nil, err
	}
	for i, t := range m.r.spec.types {
		m.vecs[i].Reset(t)
	}
	n := 0
	for n < vec.BatchRows && len(m.heap) > 0 && m.left != 0 {
		in := m.in[m.heap[0]]
		for i := range m.vecs {
			m.vecs[i].AppendFrom(in.batch.Cols[i], in.at)
		}
		n++
		m.left = max(m.left-1, -1)
		if in.at++; in.at == in.batch.N {
			if err := m.load(in); err != nil {
				return nil, err
			}
			if in.batch == nil {
				m.heap[0] = m.heap[len(m.heap)-1]
				m.heap = m.heap[:len(m.heap)-1]
			}
		}
		siftDown(m.heap, 0, m.less)
	}
	if n == 0 {
		return nil, nil
	}
	m.out.N = n
	return &m.out, nil
}
