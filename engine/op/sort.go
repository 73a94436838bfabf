package op

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// sortRows orders its input. Every worker gathers the rows of its morsels, and for a top-N drops from time to time what
// cannot be among the first N; the rest is put together and sorted once. A row carries its place in the input, which
// decides between equal keys.
type sortRows struct {
	b    *builder
	n    *plan.Sort
	p    *pipeline
	run  *sortRun
	perm []uint32
	done bool
	at   int
	out  vec.Batch
	vecs []vec.Vector
}

func (r *sortRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	if !r.done {
		if err := r.compute(); err != nil {
			return nil, err
		}
		r.done = true
	}
	if r.at >= len(r.perm) {
		return nil, nil
	}
	end := min(r.at+vec.BatchRows, len(r.perm))
	cols := r.n.Cols()
	if r.vecs == nil {
		r.vecs = make([]vec.Vector, len(cols))
		for i := range r.vecs {
			r.out.Cols = append(r.out.Cols, &r.vecs[i])
		}
	}
	for i := range r.vecs {
		r.vecs[i].Reset(cols[i].Type)
		vec.AppendIndexed(&r.vecs[i], &r.run.cols[i], r.perm[r.at:end])
	}
	r.out.N = end - r.at
	r.at = end
	return &r.out, nil
}

func (r *sortRows) Close() {
	if r.p != nil {
		r.p.close()
	}
	if r.run != nil {
		r.run.mem.free()
	}
}

func (r *sortRows) compute() error {
	p, err := r.b.pipeline(r.n.In)
	if err != nil {
		return err
	}
	r.p = p
	var mu sync.Mutex
	var runs []*sortRun
	err = p.drive(func(w *worker) (terminal, error) {
		s := newSortRun(r.n, w)
		mu.Lock()
		runs = append(runs, s)
		mu.Unlock()
		return s, nil
	})
	if err != nil {
		return err
	}
	r.run = runs[0]
	for _, o := range runs[1:] {
		if err := r.run.append(o); err != nil {
			return err
		}
	}
	if err := expr.Canceled(r.b.ctx); err != nil {
		return err
	}
	r.perm = r.run.sorted()
	if limit := r.n.Limit; limit > 0 && int64(len(r.perm)) > limit {
		r.perm = r.perm[:limit]
	}
	return nil
}

// sortRun is rows that are to be sorted: their columns, their keys, and their place in the input.
type sortRun struct {
	n     *plan.Sort
	w     *worker
	exprs []*expr.Evaluator
	cols  []vec.Vector
	keys  []vec.Vector
	place []uint64 // morsel<<32 | row within it
	next  uint64   // rows of the current morsel pushed so far
	in    int      // the morsel next counts in
	mem   account
	limit int
	full  bool     // limit rows are held, and only rows up to bound can be among the first
	bound sortItem // the first key of the last of them
	item  func(v *vec.Vector, i int) uint64
	sel   vec.Bitmap
}

func newSortRun(n *plan.Sort, w *worker) *sortRun {
	s := &sortRun{n: n, w: w, in: -1, mem: account{m: w.x.mem, operator: "sort"}}
	for _, c := range n.Cols() {
		var v vec.Vector
		v.Reset(c.Type)
		s.cols = append(s.cols, v)
	}
	for _, k := range n.Keys {
		s.exprs = append(s.exprs, expr.Compile(k.Expr))
		var v vec.Vector
		v.Reset(k.Expr.Type())
		s.keys = append(s.keys, v)
	}
	if n.Limit > 0 && n.Limit < 1<<24 {
		s.limit = int(n.Limit)
		if len(s.keys) > 0 {
			s.item = prefixOf(s.keys[0].Type)
		}
	}
	return s
}

func (s *sortRun) endMorsel(int) error { return nil }

func (s *sortRun) push(b *vec.Batch, sel vec.Bitmap) error {
	if s.in != s.w.morsel {
		s.in, s.next = s.w.morsel, 0
	}
	start := s.next
	s.next += uint64(b.N)
	for i, e := range s.exprs {
		v, err := e.Eval(s.w.ctx, b, sel)
		if err != nil {
			return err
		}
		if i == 0 && s.full && s.item != nil {
			if sel = s.beforeBound(v, b.N, sel); sel.Count() == 0 {
				return nil
			}
		}
		s.keys[i].AppendSelected(v, sel)
	}
	for i, v := range b.Cols {
		s.cols[i].AppendSelected(v, sel)
	}
	eachRow(sel, b.N, func(i int) { s.place = append(s.place, uint64(s.in)<<32|(start+uint64(i))) })
	if s.limit > 0 && len(s.place) > 2*s.limit+4*vec.BatchRows {
		s.keep(s.sorted()[:s.limit])
		s.setBound()
	}
	return s.reserve()
}

// setBound remembers the first key of the last row held. The rows are in order.
func (s *sortRun) setBound() {
	if s.item == nil {
		return
	}
	s.full = true
	s.bound = s.itemOf(&s.keys[0], s.limit-1)
}

func (s *sortRun) itemOf(v *vec.Vector, i int) (it sortItem) {
	k := &s.n.Keys[0]
	if v.Null(i) {
		it.null = 1
		if k.NullsFirst {
			it.null = -1
		}
		return it
	}
	it.prefix = s.item(v, i)
	if k.Desc {
		it.prefix = ^it.prefix
	}
	return it
}

// beforeBound returns the rows of sel whose first key does not rule them out.
func (s *sortRun) beforeBound(v *vec.Vector, n int, sel vec.Bitmap) vec.Bitmap {
	s.sel = ownSelection(s.sel, sel, n)
	if v.Form != vec.Flat {
		var w vec.Vector
		w.Reset(s.keys[0].Type)
		w.AppendRange(v, 0, n)
		v = &w
	}
	s.sel.All(func(i int) {
		it := s.itemOf(v, i)
		if it.null > s.bound.null || (it.null == s.bound.null && it.prefix > s.bound.prefix) {
			s.sel.Clear(i)
		}
	})
	return s.sel
}

// reserve accounts for what the run holds, and bounds it: bytes are addressed by 32-bit offsets.
func (s *sortRun) reserve() error {
	n := int64(cap(s.place)) * 8
	for i := range s.cols {
		n += vectorBytes(&s.cols[i])
		if len(s.cols[i].Data) > maxData {
			return errWide("sort")
		}
	}
	for i := range s.keys {
		n += vectorBytes(&s.keys[i])
	}
	return s.mem.to(n)
}

// keep drops all rows but those listed.
func (s *sortRun) keep(rows []uint32) {
	only := func(v *vec.Vector) {
		var w vec.Vector
		w.Reset(v.Type)
		vec.AppendIndexed(&w, v, rows)
		*v = w
	}
	for i := range s.cols {
		only(&s.cols[i])
	}
	for i := range s.keys {
		only(&s.keys[i])
	}
	place := make([]uint64, 0, 3*len(rows)+4*vec.BatchRows)
	for _, r := range rows {
		place = append(place, s.place[r])
	}
	s.place = place
}

// append adds the rows of o, which is not used afterwards.
func (s *sortRun) append(o *sortRun) error {
	for i := range s.cols {
		s.cols[i].AppendRange(&o.cols[i], 0, o.cols[i].N)
		o.cols[i] = vec.Vector{}
	}
	for i := range s.keys {
		s.keys[i].AppendRange(&o.keys[i], 0, o.keys[i].N)
		o.keys[i] = vec.Vector{}
	}
	s.place = append(s.place, o.place...)
	o.mem.free()
	return s.reserve()
}

// sortItem is one row while it is being sorted: enough of its first key to decide most comparisons.
type sortItem struct {
	prefix uint64
	row    uint32
	null   int8 // -1 or 1: the first key is NULL and goes before or after all others
}

// sorted returns the rows' order.
func (s *sortRun) sorted() []uint32 {
	items := make([]sortItem, len(s.place))
	for i := range items {
		items[i].row = uint32(i)
	}
	from := 0 // first key the full comparison has to look at
	if len(s.keys) > 0 && prefixes(items, &s.keys[0], s.n.Keys[0]) {
		from = 1
	}
	slices.SortFunc(items, func(a, b sortItem) int {
		if a.null != b.null {
			return cmp.Compare(a.null, b.null)
		}
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		for k := from; k < len(s.keys); k++ {
			if c := compareKey(&s.keys[k], int(a.row), int(b.row), &s.n.Keys[k]); c != 0 {
				return c
			}
		}
		return cmp.Compare(s.place[a.row], s.place[b.row])
	})
	perm := make([]uint32, len(items))
	for i, it := range items {
		perm[i] = it.row
	}
	return perm
}

// prefixes fills the items' prefixes from the first key; exact tells that they decide it alone.
func prefixes(items []sortItem, v *vec.Vector, k plan.SortKey) (exact bool) {
	word := prefixOf(v.Type)
	for i := range items {
		it := &items[i]
		if v.Null(i) {
			it.null = 1
			if k.NullsFirst {
				it.null = -1
			}
			continue
		}
		if word == nil {
			continue
		}
		it.prefix = word(v, i)
		if k.Desc {
			it.prefix = ^it.prefix
		}
	}
	return word != nil && v.Type.Phys() != types.PhysBytes
}

// prefixOf returns a function that maps values to words in their order; nil if there is none.
func prefixOf(t types.Type) func(v *vec.Vector, i int) uint64 {
	switch t.Phys() {
	case types.PhysBool:
		return func(v *vec.Vector, i int) uint64 {
			if v.Bits.Get(i) {
				return 1
			}
			return 0
		}
	case types.PhysInt64:
		return func(v *vec.Vector, i int) uint64 { return uint64(v.I64[i]) ^ 1<<63 }
	case types.PhysFloat64:
		return func(v *vec.Vector, i int) uint64 {
			b := datum.FloatKey(v.F64[i])
			if b>>63 != 0 && !math.IsNaN(v.F64[i]) {
				return ^b
			}
			return b | 1<<63
		}
	}
	switch t.Kind {
	case types.Text, types.Varchar, types.Name, types.Bytea, types.UUID:
		return func(v *vec.Vector, i int) uint64 {
			var w [8]byte
			copy(w[:], v.Bytes(i))
			return binary.BigEndian.Uint64(w[:])
		}
	}
	return nil
}

// compareKey orders two rows by one key.
func compareKey(v *vec.Vector, i, j int, k *plan.SortKey) int {
	in, jn := v.Null(i), v.Null(j)
	if in || jn {
		switch {
		case in && jn:
			return 0
		case in == k.NullsFirst:
			return -1
		}
		return 1
	}
	var c int
	if t := v.Type; t.Kind == types.Text {
		c = bytes.Compare(v.Bytes(i), v.Bytes(j))
	} else {
		c = datum.Compare(t, v, i, v, j)
	}
	if k.Desc {
		return -c
	}
	return c
}
