package op

import (
	"bytes"
	"math"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// sortEnd is the end of one worker's chain: it gathers rows in a run.
type sortEnd struct {
	r     *sortRows
	w     *worker
	exprs []*expr.Evaluator
	keys  []*vec.Vector
	run   *sortRun
	words []uint64
	pos   []uint16
	mem   account
	files []*spill.File // sorted runs

	// Of a top-N: limit rows are held, and only rows before the last of them can be among the first.
	limit     int
	full      bool
	boundItem sortItem
	boundAt   int // its class
	boundRest []byte
	scratch   []byte
}

func newSortEnd(r *sortRows, w *worker) *sortEnd {
	e := &sortEnd{r: r, w: w, run: newSortRun(r.spec), mem: w.x.account("sort", r.of)}
	e.mem.soft = w.x.spaceOf(r.of) != nil
	for _, k := range r.n.Keys {
		e.exprs = append(e.exprs, expr.Compile(k.Expr))
	}
	e.keys = make([]*vec.Vector, len(e.exprs))
	if r.n.Limit > 0 && r.n.Limit < 1<<24 {
		e.limit = int(r.n.Limit)
	}
	return e
}

func (e *sortEnd) endMorsel(int) error { return nil }

func (e *sortEnd) push(b *vec.Batch, sel vec.Bitmap) error {
	if cap(e.words) < b.N {
		e.words = make([]uint64, b.N)
	}
	words := e.words[:b.N]
	for i, x := range e.exprs {
		v, err := x.Eval(e.w.ctx, b, sel)
		if err != nil {
			return err
		}
		e.keys[i] = v
	}
	if len(e.keys) > 0 {
		e.r.spec.forms[0].words(e.keys[0], b.N, e.r.spec.keys[0].Desc, words)
	} else {
		clear(words)
	}
	e.pos = e.pos[:0]
	if e.limit > 0 {
		e.contenders(words, b.N, sel)
	} else if sel == nil {
		for i := range b.N {
			e.pos = append(e.pos, uint16(i))
		}
	} else {
		e.pos = sel.Positions(e.pos)
	}
	if len(e.pos) == 0 {
		return nil
	}
	e.run.add(b.Cols, e.keys, e.pos, words, uint32(e.w.morsel))
	if len(e.run.rest) > math.MaxUint32-1<<28 {
		return errWide("sort")
	}
	if e.limit > 0 && e.enough() {
		if err := e.truncate(); err != nil {
			return err
		}
	}
	return e.reserve()
}

// enough reports whether a top-N holds so many rows that looking for the last of the first ones is worth it. Those who are told
// how far rows may lie behind leave out the more the earlier they know: rows may be few and each dear to find.
func (e *sortEnd) enough() bool {
	switch told := e.r.top != nil && !e.r.b.x.env.Scan.TopFirst; {
	case told && !e.full:
		return e.run.n >= e.limit
	case told:
		return e.run.n >= 2*e.limit
	}
	return e.run.n > 2*e.limit+1024
}

// reserve accounts for what the run holds, and sends it to disk when that is too much.
func (e *sortEnd) reserve() error {
	size := e.run.size()
	x := e.w.x
	space := x.spaceOf(e.r.of)
	force := x.env.ForceSpill && e.run.n >= 1024
	if space == nil || !force && (size < x.mem.floor(x.workers) || !x.mem.tight(size-e.mem.held, 1, 3)) {
		return e.mem.to(size)
	}
	if err := e.spill(space); err != nil {
		return err
	}
	return e.mem.to(e.run.size())
}

// contenders lists the rows that the bounds of a top-N do not rule out.
func (e *sortEnd) contenders(words []uint64, n int, sel vec.Bitmap) {
	shared := e.r.bound.word.Load()
	if !e.full && shared == ^uint64(0) {
		eachRow(sel, n, func(i int) { e.pos = append(e.pos, uint16(i)) })
		return
	}
	plain := len(e.keys) == 0 || e.keys[0].Valid == nil
	bound := shared
	if e.full && e.boundAt == values {
		bound = min(bound, e.boundItem.word)
	}
	eachRow(sel, n, func(i int) {
		w := words[i]
		if plain && w > bound && e.boundAt != nullsLast {
			return
		}
		class := values
		if !plain {
			class = e.r.spec.class(e.keys, i)
		}
		switch {
		case class == values && w > shared, class == nullsLast && shared != ^uint64(0):
			return // N rows elsewhere are before it
		case !e.full || class < e.boundAt:
		case class > e.boundAt:
			return
		default:
			if class == values && w != e.boundItem.word {
				if w > e.boundItem.word {
					return
				}
				break
			}
			if !e.beforeBound(i) {
				return
			}
		}
		e.pos = append(e.pos, uint16(i))
	})
}

// beforeBound compares a row whose first key is that of the bound as far as the word tells. Of equal rows the earlier
// counts, and the bound is.
func (e *sortEnd) beforeBound(i int) bool {
	s := e.r.spec
	earlier := uint32(e.w.morsel) < e.boundItem.morsel // a scan may visit morsels in an order of its own
	switch {
	case s.complex:
		return true
	case s.exact:
		return earlier
	}
	e.scratch = appendRest(e.scratch[:0], e.keys, s.forms, s.keys, i)
	c := bytes.Compare(e.scratch, e.boundRest)
	return c < 0 || c == 0 && earlier
}

// truncate keeps the first limit rows of the run.
func (e *sortEnd) truncate() error {
	if err := e.run.sort(e.w.ctx); err != nil {
		return err
	}
	old := e.run
	e.run = newSortRun(e.r.spec)
	e.run.base = old.base
	// The rows are kept in the order of the input: that is what decides between equal ones.
	kept := vec.MakeBitmap(old.n)
	left := e.limit
	for c := range old.items {
		k := min(left, len(old.items[c]))
		for _, it := range old.items[c][:k] {
			kept.Set(int(it.row))
		}
		if k > 0 {
			e.boundItem, e.boundAt = old.items[c][k-1], c
		}
		left -= k
	}
	e.boundRest = append(e.boundRest[:0], old.restOf(e.boundItem.row)...)
	e.full = left == 0
	if e.full && e.boundAt == values && !e.r.spec.complex && len(e.keys) > 0 {
		e.r.bound.lower(e.boundItem.word)
	}
	if t := e.r.top; t != nil && e.full {
		at := e.boundItem.row
		t.Tighten(&old.chunks[at>>chunkBits].cols[e.r.topCol], int(at&(chunkRows-1)))
	}
	e.run.keep(old, kept)
	return nil
}

// keep adds the rows of o whose bit is set, in their order.
func (r *sortRun) keep(o *sortRun, kept vec.Bitmap) {
	at := make([]uint32, o.n) // where a row goes
	rows := make([]uint16, 0, chunkRows)
	n := 0
	for k := range o.chunks {
		rows = rows[:0]
		for i := range min(chunkRows, o.n-k<<chunkBits) {
			if row := k<<chunkBits + i; kept.Get(row) {
				at[row] = uint32(n)
				n++
				rows = append(rows, uint16(i))
				if len(o.ends) > 0 {
					r.rest = append(r.rest, o.restOf(uint32(row))...)
					r.ends = append(r.ends, uint32(len(r.rest)))
				}
			}
		}
		from := &o.chunks[k]
		for part := rows; len(part) > 0; {
			c, room := r.room()
			m := min(room, len(part))
			for i := range c.cols {
				vec.AppendIndexed(&c.cols[i], &from.cols[i], part[:m])
			}
			for i := range c.keys {
				vec.AppendIndexed(&c.keys[i], &from.keys[i], part[:m])
			}
			part = part[m:]
			r.n += m
		}
	}
	for c := range o.items {
		for _, it := range o.items[c] {
			if kept.Get(int(it.row)) {
				it.row = at[it.row]
				r.items[c] = append(r.items[c], it)
			}
		}
		sortByRow(r.items[c])
	}
}

// spill sorts the run, writes it to a file with each row's place in a column behind the others, and begins a new one.
func (e *sortEnd) spill(space *spill.Space) error {
	if err := e.run.sort(e.w.ctx); err != nil {
		return err
	}
	f, err := space.Create()
	if err != nil {
		return err
	}
	e.files = append(e.files, f)
	out := newRunReader(e.run)
	for {
		if err := expr.Canceled(e.w.ctx); err != nil {
			return err
		}
		b := out.next()
		if b == nil {
			break
		}
		if err := f.Write(b); err != nil {
			return err
		}
	}
	if err := f.Settle(); err != nil { // it waits until all runs are merged
		return err
	}
	base := e.run.base + uint64(e.run.n)
	e.run = newSortRun(e.r.spec)
	e.run.base = base
	return nil
}

// runReader gives the rows of a sorted run in order, each with its place: the morsel, then the number within the worker.
type runReader struct {
	r     *sortRun
	cols  [][]*vec.Vector
	class int
	at    int
	rows  []uint32
	out   vec.Batch
	vecs  []vec.Vector
}

var tPlace = types.Of(types.Int64)

func newRunReader(r *sortRun) *runReader {
	o := &runReader{r: r, cols: make([][]*vec.Vector, len(r.types)), vecs: make([]vec.Vector, len(r.types)+1)}
	for i := range r.types {
		for k := range r.chunks {
			o.cols[i] = append(o.cols[i], &r.chunks[k].cols[i])
		}
	}
	for i := range o.vecs {
		o.out.Cols = append(o.out.Cols, &o.vecs[i])
	}
	return o
}

func (o *runReader) next() *vec.Batch {
	for o.class < classes && o.at == len(o.r.items[o.class]) {
		o.class, o.at = o.class+1, 0
	}
	if o.class == classes {
		return nil
	}
	items := o.r.items[o.class]
	items = items[o.at:min(o.at+vec.BatchRows, len(items))]
	o.at += len(items)
	o.rows = o.rows[:0]
	place := &o.vecs[len(o.r.types)]
	place.Reset(tPlace)
	for _, it := range items {
		o.rows = append(o.rows, it.row)
		place.AppendInt(int64(it.morsel)<<32 | int64(uint32(o.r.base+uint64(it.row))))
	}
	for i, t := range o.r.types {
		o.vecs[i].Reset(t)
		gatherChunks(&o.vecs[i], o.cols[i], o.rows)
	}
	o.out.N = len(items)
	return &o.out
}
