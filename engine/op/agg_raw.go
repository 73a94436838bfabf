package op

import (
	"math/bits"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A worker of an aggregation that may not hold more groups writes the rows that still come to disk, evaluated as far as
// the aggregation needs them and scattered over partitions by the hash of their keys. Rows, and not states, are what is
// spilled: so every aggregate can be, also those whose state has no bound, and the order of additions stays the same.

// rawLayout tells what a raw row holds: where it was (morsel<<32 | number), then the columns that are named by plan, an
// aggregation over raw rows that gives what the original one gives over its input.
type rawLayout struct {
	keys    []int       // column of each key
	sources []rawSource // of columns 1..
	plan    *plan.Agg   // the aggregation over raw rows; In is not set
}

// rawSource is what fills a column of raw rows.
type rawSource struct {
	e      expr.Expr
	filter int // 1 + the source that is the filter under which e is evaluated; 0: always
}

func newRawLayout(n *plan.Agg) *rawLayout {
	l := &rawLayout{plan: &plan.Agg{Out: n.Out}}
	for _, k := range n.Keys {
		c := l.column(k, 0)
		l.keys = append(l.keys, c)
		l.plan.Keys = append(l.plan.Keys, l.ref(c))
	}
	for i := range n.Aggs {
		call := n.Aggs[i]
		under := 0
		if call.Filter != nil {
			under = l.column(call.Filter, 0)
			call.Filter = l.ref(under)
		}
		args := make([]expr.Expr, len(call.Args))
		for k, e := range call.Args {
			args[k] = l.value(e, under)
		}
		order := make([]plan.SortKey, len(call.Order))
		for k, o := range call.Order {
			order[k] = o
			order[k].Expr = l.value(o.Expr, under)
		}
		call.Args, call.Order = args, order
		l.plan.Aggs = append(l.plan.Aggs, call)
	}
	return l
}

func (l *rawLayout) ref(c int) expr.Expr { return &expr.Col{Idx: c, T: l.sources[c-1].e.Type()} }

// value returns what stands for e over raw rows.
func (l *rawLayout) value(e expr.Expr, under int) expr.Expr {
	switch e.(type) {
	case *expr.Const, *expr.Param, *expr.Outer:
		return e // the same for every row
	}
	return l.ref(l.column(e, under))
}

// column returns the column that holds e, evaluated for the rows of a filter only if under is one. A plain column cannot
// fail, so it is there for all rows and only once.
func (l *rawLayout) column(e expr.Expr, under int) int {
	if c, ok := e.(*expr.Col); ok {
		under = 0
		for i, s := range l.sources {
			if o, ok := s.e.(*expr.Col); ok && o.Idx == c.Idx && o.T == c.T {
				return i + 1
			}
		}
	}
	l.sources = append(l.sources, rawSource{e: e, filter: under})
	return len(l.sources)
}

// rawWriter is one worker's partitions of raw rows.
type rawWriter struct {
	l      *rawLayout
	w      *worker
	files  []*spill.File // by partition; nil: no row yet
	shift  uint
	evals  []*expr.Evaluator
	hasher *keys.Hasher
	at     vec.Vector // where rows were
	cols   []*vec.Vector
	keys   []*vec.Vector
	own    []vec.Vector // of columns under a filter
	hashes []uint64
	pos    [][]uint16
	sel    vec.Bitmap
	mem    account
	seq    uint32
}

// rawBits is the number of hash bits that choose a partition of raw rows. A file holds up to 400 KB in memory.
const rawBits = 5

// newRawWriter returns a writer over input rows, which uses the hash bits below the first used ones.
func newRawWriter(l *rawLayout, w *worker, used uint) *rawWriter {
	r := &rawWriter{l: l, w: w, shift: 64 - used - rawBits, mem: w.x.account("aggregation", l.plan)}
	r.mem.soft = true
	r.files = make([]*spill.File, 1<<rawBits)
	r.pos = make([][]uint16, 1<<rawBits)
	for _, s := range l.sources {
		r.evals = append(r.evals, expr.Compile(s.e))
	}
	r.init(l)
	return r
}

func (r *rawWriter) init(l *rawLayout) {
	ts := make([]types.Type, len(l.keys))
	for i, c := range l.keys {
		ts[i] = l.sources[c-1].e.Type()
	}
	r.hasher = keys.NewHasher(ts)
	r.cols = make([]*vec.Vector, 1+len(l.sources))
	r.keys = make([]*vec.Vector, len(l.keys))
	r.own = make([]vec.Vector, len(l.sources))
}

// add writes input rows of the worker's morsel.
func (r *rawWriter) add(b *vec.Batch, sel vec.Bitmap) error {
	for i, e := range r.evals {
		under := sel
		if f := r.l.sources[i].filter; f > 0 {
			r.sel = trueRows(r.sel, r.cols[f], sel, b.N)
			under = r.sel
		}
		v, err := e.Eval(r.w.ctx, b, under)
		if err != nil {
			return err
		}
		if r.l.sources[i].filter > 0 {
			v = r.onlyOf(i, v, under, b.N)
		}
		r.cols[i+1] = v
	}
	r.at.Reset(types.Of(types.Int64))
	for range b.N {
		// Behind all groups that the worker's table saw in this morsel: see groupTable.grow.
		r.at.AppendInt(int64(r.w.morsel)<<32 | rawSeen | int64(r.seq&(rawSeen-1)))
		r.seq++
	}
	r.cols[0] = &r.at
	return r.scatter(sel, b.N)
}

// rawSeen is set in the low half of where a raw row was.
const rawSeen = 1 << 31

// trueRows returns the rows of sel for which v is true.
func trueRows(buf vec.Bitmap, v *vec.Vector, sel vec.Bitmap, n int) vec.Bitmap {
	buf = buf.Resize(n)
	eachRow(sel, n, func(i int) {
		if !v.Null(i) && v.Bool(i) {
			buf.Set(i)
		}
	})
	return buf
}

// onlyOf returns v with NULL in rows that are not in sel, which v was not computed for.
func (r *rawWriter) onlyOf(i int, v *vec.Vector, sel vec.Bitmap, n int) *vec.Vector {
	o := &r.own[i]
	o.Reset(r.l.sources[i].e.Type())
	for k := range n {
		if sel.Get(k) {
			o.AppendFrom(v, k)
		} else {
			o.AppendNull()
		}
	}
	return o
}

// addRaw writes rows that are raw already.
func (r *rawWriter) addRaw(b *vec.Batch, sel vec.Bitmap) error {
	copy(r.cols, b.Cols)
	return r.scatter(sel, b.N)
}

// scatter writes the rows in cols to their partitions.
func (r *rawWriter) scatter(sel vec.Bitmap, n int) error {
	if cap(r.hashes) < n {
		r.hashes = make([]uint64, n)
	}
	for i, c := range r.l.keys {
		r.keys[i] = r.cols[c]
	}
	hashes := r.hashes[:n]
	r.hasher.Hash(r.keys, sel, n, hashes)
	if r.w.x.env.HashEqual {
		clear(hashes)
	}
	for p := range r.pos {
		r.pos[p] = r.pos[p][:0]
	}
	if sel == nil {
		for i, h := range hashes {
			p := h >> r.shift & (1<<rawBits - 1)
			r.pos[p] = append(r.pos[p], uint16(i))
		}
	} else {
		for w, m := range sel {
			for ; m != 0; m &= m - 1 {
				i := w<<6 + bits.TrailingZeros64(m)
				p := hashes[i] >> r.shift & (1<<rawBits - 1)
				r.pos[p] = append(r.pos[p], uint16(i))
			}
		}
	}
	out, held := vec.Batch{N: n, Cols: r.cols}, int64(0)
	for p, f := range r.files {
		if len(r.pos[p]) > 0 {
			if f == nil {
				var err error
				if f, err = r.w.x.spaceOf(r.l.plan).Create(); err != nil {
					return err
				}
				r.files[p] = f
			}
			out.Sel = r.pos[p]
			if err := f.Write(&out); err != nil {
				return err
			}
		}
		if f != nil {
			held += f.Bytes()
		}
	}
	return r.mem.to(held)
}

// settle is called behind the last row: see settleFiles.
func (r *rawWriter) settle() error { return settleFiles(&r.mem, r.files) }

// settleFiles sends what files, nil among them, hold in memory to disk too if it is worth it, since they wait for their turn. mem is
// what they have taken.
func settleFiles(mem *account, files []*spill.File) error {
	if mem.held*settleShare < mem.m.bound() {
		return nil
	}
	for _, f := range files {
		if f == nil {
			continue
		}
		if err := f.Settle(); err != nil {
			return err
		}
	}
	return mem.to(0)
}

// settleShare is the part of the memory from which what waits for its turn is worth writing.
const settleShare = 64

// close removes what was written.
func (r *rawWriter) close() {
	for p := range r.files {
		r.drop(p)
	}
	r.mem.free()
}

// drop removes a partition. A file that cannot be removed is removed with its directory.
func (r *rawWriter) drop(p int) {
	if r.files[p] != nil {
		_ = r.files[p].Close()
		r.files[p] = nil
	}
}
