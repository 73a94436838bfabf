package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// distinctRows keeps the first row of every key. It gives rows out as they come. When it may not hold more keys, the rows of
// keys it has not seen go to disk, by partition of the hash, and are done one partition after the other at the end of the input.
type distinctRows struct {
	in    plan.Rows
	b     *builder
	what  string // the operator, for messages
	node  plan.Node
	width int               // columns of the result
	on    []*expr.Evaluator // nil: all columns
	ts    []types.Type      // of the keys
	seen  *seenKeys
	vecs  []*vec.Vector
	all   []*vec.Vector // columns, and keys behind them
	out   vec.Batch
	buf   vec.Bitmap

	byOn  bool // the input is sorted by the keys: only the last one has to be known
	fixed bool // the order of the rows matters to whoever reads them: nothing may go to disk

	behind bool // the input has the keys behind its columns: it is a partition
	used   uint // hash bits that are the same in all keys
	depth  int
	over   *rowParts     // rows of keys not seen; nil: none
	at     int           // the partition that is being done
	part   *distinctRows // nil: the next one has to be begun
	ended  bool          // the input
}

// seenKeys tells the first row of every key from the others.
type seenKeys struct {
	table  *keys.Table
	mapper *keys.Mapper
	finder *keys.Finder
	ids    []uint32
	known  int
	mem    account
	pos    []uint16
	rest   vec.Bitmap
}

func newSeenKeys(x *exec, operator string, n plan.Node, ts []types.Type) *seenKeys {
	t := newKeys(x, ts)
	return &seenKeys{table: t, mapper: t.NewMapper(), finder: t.NewFinder(), mem: x.account(operator, n)}
}

func (s *seenKeys) room(n int) []uint32 {
	if cap(s.ids) < n {
		s.ids = make([]uint32, n)
	}
	return s.ids[:max(n, 1)]
}

// fresh returns the rows of sel whose key has not occurred before. The answer is valid until the next call.
func (s *seenKeys) fresh(cols []*vec.Vector, sel vec.Bitmap, n int) ([]uint16, error) {
	ids := s.room(n)
	single, err := s.mapper.Map(cols, sel, n, ids)
	if err != nil {
		return nil, err
	}
	s.pos = s.pos[:0]
	eachRow(sel, n, func(i int) {
		id := ids[i]
		if single {
			id = ids[0]
		}
		if int(id) >= s.known {
			s.known = int(id) + 1
			s.pos = append(s.pos, uint16(i))
		}
	})
	return s.pos, s.mem.to(s.table.Bytes())
}

// unknown returns the rows of sel whose key has not occurred before, and adds none.
func (s *seenKeys) unknown(cols []*vec.Vector, sel vec.Bitmap, n int) vec.Bitmap {
	ids := s.room(n)
	single := s.finder.Find(cols, sel, n, ids)
	s.rest = s.rest.Resize(n)
	eachRow(sel, n, func(i int) {
		if (single && ids[0] == keys.None) || (!single && ids[i] == keys.None) {
			s.rest.Set(i)
		}
	})
	return s.rest
}

func (b *builder) distinct(n *plan.Distinct) (plan.Rows, error) {
	in, err := b.build(n.In)
	if err != nil {
		return nil, err
	}
	r := b.newDistinct(in, "duplicate removal", n, n.Cols())
	if n.On == nil {
		return r, nil
	}
	r.on, r.ts = expr.CompileAll(n.On), exprTypes(n.On)
	r.vecs = make([]*vec.Vector, len(r.ts))
	if s, ok := n.In.(*plan.Sort); ok {
		r.byOn, r.fixed = sortedBy(s.Keys, n.On), true
	}
	r.begin()
	return r, nil
}

// newDistinct removes duplicates of whole rows.
func (b *builder) newDistinct(in plan.Rows, what string, n plan.Node, cols []plan.Col) *distinctRows {
	r := &distinctRows{in: in, b: b, what: what, node: n, width: len(cols), ts: colTypes(cols)}
	r.begin()
	return r
}

// begin opens the table of keys.
func (r *distinctRows) begin() {
	r.seen = newSeenKeys(r.b.x, r.what, r.node, r.ts)
	r.seen.mem.soft = r.spills()
}

// spills reports whether rows may go to disk.
func (r *distinctRows) spills() bool { return r.b.x.spill != nil && !r.fixed && r.depth < maxDepth }

// sortedBy reports whether rows sorted by ks have those of equal values of on together.
func sortedBy(ks []plan.SortKey, on []expr.Expr) bool {
	if len(ks) < len(on) {
		return false
	}
	is := map[int]bool{}
	for _, e := range on {
		c, ok := e.(*expr.Col)
		if !ok {
			return false
		}
		is[c.Idx] = true
	}
	for _, k := range ks[:len(is)] {
		c, ok := k.Expr.(*expr.Col)
		if !ok || !is[c.Idx] {
			return false
		}
		delete(is, c.Idx)
	}
	return len(is) == 0
}

func colTypes(cols []plan.Col) []types.Type {
	ts := make([]types.Type, len(cols))
	for i, c := range cols {
		ts[i] = c.Type
	}
	return ts
}

func (r *distinctRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	for !r.ended {
		if err := expr.Canceled(r.b.ctx); err != nil {
			return nil, err
		}
		in, err := r.in.Next()
		if err != nil {
			return nil, err
		}
		if in == nil {
			r.ended = true
			break
		}
		pos, err := r.keep(in)
		if err != nil {
			return nil, err
		}
		if len(pos) > 0 {
			r.out = vec.Batch{N: in.N, Cols: in.Cols[:r.width], Sel: pos}
			return &r.out, nil
		}
	}
	return r.fromDisk()
}

// keep returns the rows to be given out. Since the memory was used up there are none.
func (r *distinctRows) keep(in *vec.Batch) ([]uint16, error) {
	sel := selection(in, &r.buf)
	keyCols, err := r.keysOf(in, sel)
	if err != nil {
		return nil, err
	}
	if r.over == nil && r.spills() && r.b.x.keysTight(r.seen.known, r.seen.mem.held, r.depth) {
		r.over = newRowParts(r.b.x, r.what, r.node, r.ts, r.used)
	}
	if r.over != nil {
		r.all = append(r.all[:0], in.Cols...)
		if r.on != nil {
			r.all = append(r.all, keyCols...)
		}
		return nil, r.over.add(r.all, keyCols, r.seen.unknown(keyCols, sel, in.N), in.N)
	}
	if r.byOn && r.seen.known > vec.BatchRows {
		if err := r.onlyLast(); err != nil {
			return nil, err
		}
	}
	return r.seen.fresh(keyCols, sel, in.N)
}

func (r *distinctRows) keysOf(in *vec.Batch, sel vec.Bitmap) ([]*vec.Vector, error) {
	if r.behind {
		return in.Cols[len(in.Cols)-len(r.ts):], nil
	}
	if r.on == nil {
		return in.Cols, nil
	}
	var err error
	for i, e := range r.on {
		if r.vecs[i], err = e.Eval(r.b.ctx, in, sel); err != nil {
			return nil, err
		}
	}
	return r.vecs, nil
}

// onlyLast forgets all keys but the last: the input is sorted by them.
func (r *distinctRows) onlyLast() error {
	last := make([]*vec.Vector, len(r.ts))
	for i, t := range r.ts {
		last[i] = &vec.Vector{}
		last[i].Reset(t)
	}
	r.seen.table.Append(r.seen.known-1, r.seen.known, last)
	r.seen.mem.free()
	r.begin()
	_, err := r.seen.fresh(last, nil, 1)
	return err
}

// fromDisk gives out what was put there.
func (r *distinctRows) fromDisk() (*vec.Batch, error) {
	if r.over == nil {
		return nil, nil
	}
	r.seen.mem.free() // none of its keys is on disk
	r.seen.table = nil
	for ; r.at < len(r.over.files) || r.part != nil; r.at++ {
		if r.part == nil {
			in, err := r.over.take(r.at, r.b.ctx)
			if err != nil {
				return nil, err
			}
			if in == nil {
				continue
			}
			r.part = &distinctRows{in: in, b: r.b, what: r.what, node: r.node, width: r.width, ts: r.ts,
				behind: true, used: r.used + rawBits, depth: r.depth + 1}
			r.part.begin()
		}
		b, err := r.part.Next()
		if b != nil || err != nil {
			return b, err
		}
		r.part.Close()
		r.part = nil
	}
	return nil, nil
}

func (r *distinctRows) Close() {
	r.in.Close()
	r.seen.mem.free()
	if r.part != nil {
		r.part.Close()
	}
	if r.over != nil {
		r.over.close()
	}
}
