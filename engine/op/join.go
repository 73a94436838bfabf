package op

import (
	"slices"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/vec"
)

// joinStage probes a hash table with the rows of the pipeline. The other input is gathered before the pipeline starts;
// its rows are listed by key, those of one key next to each other. Without keys all rows are under the one empty key:
// a nested loop. A right join is a left join with the sides exchanged.
type joinStage struct {
	n        *plan.Join
	p        *pipeline // whose rows it probes with; nil: it does not matter
	swapped  bool      // the pipeline is R, the gathered side is L
	build    *relation
	table    *keys.Table
	starts   []uint32 // per key id: where its rows start in rows; one more than ids
	rows     []uint32
	longest  int             // bytes of text of a gathered row, at most
	unique   bool            // rows are put out in place: see oneEach
	absorbed bool            // the scan does what the join is for
	matched  []atomic.Uint64 // Full: rows of the gathered side that have met one
	notIn    *notIn          // what is known of the gathered side; nil: the join is not such a one
	disk     *joinDisk       // the gathered side does not fit in memory: see joinDisk; nil: it does
	mem      account
}

// newJoinStage returns the stage and the input whose rows run through it.
func newJoinStage(n *plan.Join) (s *joinStage, probe plan.Node) {
	s = &joinStage{n: n, swapped: n.Kind == plan.Right}
	if s.swapped {
		return s, n.R
	}
	return s, n.L
}

func (s *joinStage) sides() (build plan.Node, buildKeys, probeKeys []expr.Expr) {
	if s.swapped {
		return s.n.L, s.n.LeftKeys, s.n.RightKeys
	}
	return s.n.R, s.n.RightKeys, s.n.LeftKeys
}

func (s *joinStage) prepare(b *builder) error {
	s.mem = b.x.account("hash join", s.n)
	s.mem.soft = b.x.spill != nil
	if s.n.NotIn {
		s.notIn = &notIn{}
	}
	if s.keysOnly(b) {
		if err := s.gatherKeys(b); err != nil || s.disk != nil {
			return err
		}
		s.narrow(b)
		return s.mem.to(s.table.Bytes())
	}
	if err := s.gatherRows(b); err != nil || s.disk != nil {
		return err
	}
	ids, err := s.number(b)
	if err != nil || s.disk != nil {
		return err
	}
	s.index(b.x, ids)
	s.narrow(b)
	return s.mem.to(s.table.Bytes() + int64(len(s.starts)+len(s.rows))*4)
}

// index lists the gathered rows by their key ids.
func (s *joinStage) index(x *exec, ids []uint32) {
	if s.n.Kind == plan.Full {
		s.matched = make([]atomic.Uint64, vec.Words(s.build.n))
	}
	s.list(ids)
	s.longest = longestRow(s.build.cols)
	s.unique = s.oneEach(x)
}

// close gives back what the join holds. No worker probes any more.
func (s *joinStage) close() {
	if s.disk != nil {
		s.disk.Close()
	}
	if s.mem.m != nil { // it has been prepared
		s.mem.free()
	}
	if s.build != nil && s.build.mem.m != nil {
		s.build.mem.free()
	}
}

// number returns the key id of every gathered row, keys.None for rows with a NULL key. If the keys do not fit in memory beside
// the rows, all go to disk.
func (s *joinStage) number(b *builder) ([]uint32, error) {
	_, buildKeys, _ := s.sides()
	s.table = newKeys(b.x, exprTypes(buildKeys))
	ids := make([]uint32, s.build.n)
	if len(buildKeys) == 0 {
		return ids, nil
	}
	evs := expr.CompileAll(buildKeys)
	m := s.table.NewMapper()
	var part vec.Batch
	var sel vec.Bitmap
	vecs := make([]*vec.Vector, len(evs))
	for from := 0; from < s.build.n; from += vec.BatchRows {
		if err := expr.Canceled(b.ctx); err != nil {
			return nil, err
		}
		to := min(from+vec.BatchRows, s.build.n)
		s.build.slice(from, to, &part)
		own := ids[from:to]
		alive, err := evalKeys(b.ctx, evs, &part, nil, vecs, &sel)
		if err != nil {
			return nil, err
		}
		single, err := m.Map(vecs, alive, part.N, own)
		if err != nil {
			return nil, err
		}
		id := own[0]
		for i := range own {
			switch {
			case !alive.Get(i):
				own[i] = keys.None
			case single:
				own[i] = id
			}
		}
		if err := s.mem.to(s.table.Bytes()); err != nil {
			return nil, err
		}
		if s.mem.soft && s.mem.held > 1<<20 && b.x.mem.above(3, 4) {
			s.table = nil
			s.mem.free()
			return nil, s.toDisk(b)
		}
	}
	return ids, nil
}

// evalKeys evaluates join keys; alive is sel without the rows in which a key is NULL, in buf's memory.
func evalKeys(ctx *expr.Ctx, evs []*expr.Evaluator, b *vec.Batch, sel vec.Bitmap, out []*vec.Vector, buf *vec.Bitmap) (alive vec.Bitmap, err error) {
	alive = ownSelection(*buf, sel, b.N)
	*buf = alive
	for i, e := range evs {
		v, err := e.Eval(ctx, b, sel)
		if err != nil {
			return nil, err
		}
		out[i] = v
		dropNulls(alive, v)
	}
	return alive, nil
}

// dropNulls takes the rows in which v is NULL out of alive.
func dropNulls(alive vec.Bitmap, v *vec.Vector) {
	switch {
	case v.Valid == nil:
	case v.Form == vec.Const:
		if v.Null(0) {
			clear(alive)
		}
	default:
		alive.And(v.Valid)
	}
}

// list groups the gathered rows by key, in their own order within a key.
func (s *joinStage) list(ids []uint32) {
	s.starts = make([]uint32, s.table.Len()+1)
	n := 0
	for _, id := range ids {
		if id != keys.None {
			s.starts[id+1]++
			n++
		}
	}
	for i := 1; i < len(s.starts); i++ {
		s.starts[i] += s.starts[i-1]
	}
	s.rows = make([]uint32, n)
	at := append([]uint32(nil), s.starts...)
	for row, id := range ids {
		if id != keys.None {
			s.rows[at[id]] = uint32(row)
			at[id]++
		}
	}
}

func (s *joinStage) newSink(w *worker, next sink) (sink, error) {
	if s.absorbed {
		return next, nil
	}
	_, _, probeKeys := s.sides()
	p := s.newProbe(w, next)
	p.keys = expr.CompileAll(probeKeys)
	return p, nil
}

// newProbe returns a probe without keys.
func (s *joinStage) newProbe(w *worker, next sink) *probe {
	_, _, probeKeys := s.sides()
	p := &probe{s: s, w: w, next: next, finder: s.table.NewFinder()}
	p.vecs, p.long.limit = make([]*vec.Vector, len(probeKeys)), w.x.pairBytes()
	if s.n.Cond != nil {
		p.cond = expr.Compile(s.n.Cond)
	}
	probeNode := s.n.L
	if s.swapped {
		probeNode = s.n.R
	}
	for _, c := range probeNode.Cols() {
		v := &vec.Vector{}
		v.Reset(c.Type)
		p.probeCols = append(p.probeCols, v)
	}
	for i := range s.build.cols {
		v := &vec.Vector{}
		v.Reset(s.build.cols[i].Type)
		p.buildCols = append(p.buildCols, v)
	}
	p.out.Cols = append(append([]*vec.Vector(nil), p.probeCols...), p.buildCols...)
	if s.swapped {
		p.out.Cols = append(append([]*vec.Vector(nil), p.buildCols...), p.probeCols...)
	}
	return p
}

// probe is one worker's part of a join.
type probe struct {
	s         *joinStage
	w         *worker
	next      sink
	keys      []*expr.Evaluator
	cond      *expr.Evaluator
	finder    *keys.Finder
	vecs      []*vec.Vector
	ids       []uint32
	alive     vec.Bitmap
	met       vec.Bitmap // rows of the batch that have a partner
	left      []uint16   // pairs waiting to be put out: row of the batch
	right     []uint32   // and gathered row
	long      pairLengths
	probeCols []*vec.Vector
	buildCols []*vec.Vector
	out       vec.Batch
	sel       vec.Bitmap
	partners  partners
	earlier   *earlier // the gathered rows are some of all; nil: they are all
}

func (p *probe) push(b *vec.Batch, sel vec.Bitmap) error {
	alive, err := evalKeys(p.w.ctx, p.keys, b, sel, p.vecs, &p.alive)
	if err != nil {
		return err
	}
	return p.join(b, sel, alive)
}

// join puts out what becomes of the rows sel of b. p.vecs are their keys, alive those without a NULL among these.
func (p *probe) join(b *vec.Batch, sel, alive vec.Bitmap) error {
	if cap(p.ids) < b.N {
		p.ids = make([]uint32, b.N)
	}
	ids := p.ids[:max(b.N, 1)]
	if p.finder.Find(p.vecs, alive, b.N, ids) {
		id := ids[0]
		for i := range ids {
			ids[i] = id
		}
	}
	p.met = p.met.Resize(b.N)
	if p.s.unique {
		return p.inPlace(b, sel, ids, alive)
	}
	kind := p.s.n.Kind
	if (kind == plan.Semi || kind == plan.Anti) && p.cond == nil {
		alive.All(func(i int) {
			if ids[i] != keys.None {
				p.met.Set(i)
			}
		})
		return p.finish(b, sel)
	}
	p.long.look(p, b)
	var failed error
	alive.All(func(i int) {
		if failed == nil && ids[i] != keys.None {
			failed = p.pairs(b, i, p.s.rows[p.s.starts[ids[i]]:p.s.starts[ids[i]+1]])
		}
	})
	if failed != nil {
		return failed
	}
	if err := p.flush(b); err != nil {
		return err
	}
	return p.finish(b, sel)
}

// pairs queues row i of b with each of the gathered rows.
func (p *probe) pairs(b *vec.Batch, i int, rows []uint32) error {
	for len(rows) > 0 {
		n := min(len(rows), vec.BatchRows-len(p.left))
		if p.long.count {
			n = p.long.fit(p, b, i, rows[:n])
		}
		for range n {
			p.left = append(p.left, uint16(i))
		}
		p.right = append(p.right, rows[:n]...)
		rows = rows[n:]
		if len(p.left) == vec.BatchRows || p.long.full() {
			if err := p.flush(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush checks the queued pairs and puts out those that hold.
func (p *probe) flush(b *vec.Batch) error {
	if len(p.left) == 0 {
		return nil
	}
	if err := expr.Canceled(p.w.ctx); err != nil {
		return err
	}
	for i, v := range p.probeCols {
		v.Reset(b.Cols[i].Type)
		vec.AppendIndexed(v, b.Cols[i], p.left)
	}
	for i := range p.buildCols {
		p.payload(i)
	}
	n := len(p.left)
	p.out.N = n
	sel := ownSelection(p.sel, nil, n)
	p.sel = sel
	if p.cond != nil {
		if err := p.cond.Filter(p.w.ctx, &p.out, sel); err != nil {
			return err
		}
	}
	sel.All(func(k int) {
		p.met.Set(int(p.left[k]))
		if p.s.matched != nil {
			p.s.matched[p.right[k]>>6].Or(1 << (p.right[k] & 63))
		}
	})
	p.left, p.right, p.long.bytes = p.left[:0], p.right[:0], 0
	if k := p.s.n.Kind; k == plan.Semi || k == plan.Anti {
		return nil
	}
	switch sel.Count() {
	case 0:
		return nil
	case n:
		return p.next.push(&p.out, nil)
	}
	return p.next.push(&p.out, sel)
}

// finish puts out what depends on whether a row has a partner at all.
func (p *probe) finish(b *vec.Batch, sel vec.Bitmap) error {
	if p.earlier != nil && !p.earlier.enough(p) {
		return nil
	}
	switch p.s.n.Kind {
	case plan.Inner:
		return nil
	case plan.Semi:
		if p.met.Count() == 0 {
			return nil
		}
		return p.next.push(b, p.met)
	}
	lone := ownSelection(p.sel, sel, b.N)
	p.sel = lone
	lone.AndNot(p.met)
	if p.s.notIn != nil {
		p.s.notIn.keep(lone, p.alive)
	}
	n := lone.Count()
	if n == 0 {
		return nil
	}
	if p.s.n.Kind == plan.Anti {
		return p.next.push(b, lone)
	}
	for i, v := range p.probeCols {
		v.Reset(b.Cols[i].Type)
		v.AppendSelected(b.Cols[i], lone)
	}
	for i, v := range p.buildCols {
		v.SetConstNull(p.s.build.cols[i].Type, n)
	}
	p.out.N = n
	return p.next.push(&p.out, nil)
}

// fullJoin is a left join whose gathered rows without a partner follow at the end.
func (b *builder) fullJoin(n *plan.Join) (plan.Rows, error) {
	p := &pipeline{b: b}
	s, probe := newJoinStage(n)
	if err := p.descend(probe); err != nil {
		return nil, err
	}
	slices.Reverse(p.stages)
	slices.Reverse(p.nodes)
	p.add(n, s)
	return &fullJoinRows{s: s, in: b.rowsOf(p, n.Cols())}, nil
}

type fullJoinRows struct {
	s    *joinStage
	in   plan.Rows
	tail bool
	at   int
}

func (r *fullJoinRows) Next() (*vec.Batch, error) {
	if !r.tail {
		b, err := r.in.Next()
		if err != nil || b != nil {
			return b, err
		}
		r.tail = true
	}
	if r.s.disk != nil {
		return nil, nil // it has put them out, by partition
	}
	var out *vec.Batch
	out, r.at = r.s.lonely(r.at)
	return out, nil
}

// lonely returns a batch of the gathered rows of a full join, from row at on, that have met no row, and the row to go on with; nil at
// the end.
func (s *joinStage) lonely(at int) (*vec.Batch, int) {
	var rows []uint32
	bytes := 0
	for ; at < s.build.n && len(rows) < vec.BatchRows && bytes < pairBytes; at++ {
		if s.matched[at>>6].Load()>>(at&63)&1 == 0 {
			rows = append(rows, uint32(at))
			for i := range s.build.cols {
				bytes += textLength(&s.build.cols[i], at)
			}
		}
	}
	if len(rows) == 0 {
		return nil, at
	}
	out, left := &vec.Batch{N: len(rows)}, len(s.n.L.Cols())
	for i, c := range s.n.Cols() {
		v := &vec.Vector{}
		if i < left {
			v.SetConstNull(c.Type, len(rows))
		} else {
			v.Reset(c.Type)
			vec.AppendIndexed(v, &s.build.cols[i-left], rows)
		}
		out.Cols = append(out.Cols, v)
	}
	return out, at
}

func (r *fullJoinRows) Close() { r.in.Close() }
