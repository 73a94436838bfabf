package op

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sched"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// The second phase of an aggregation with many groups: what the workers made is cut into partitions by the hash of the
// keys, and each partition is put together by one worker from the groups of all tables and the raw rows on disk that
// belong to it. Workers share nothing they write to, and a partition's groups are given out and forgotten before the next
// one's. (Radix partitioning by Kuiper, Boncz, Mühleisen: Robust External Hash Aggregation in the Solid State Age, 2024.)

// manyGroups is the number of groups from which they are put together by partition. Below it the groups come out in the
// order in which they were first seen; from it on in that order within each partition. (Where rows went to disk, partitions
// may be divided further, which depends on the memory that was free: their order is not the same every time.)
const manyGroups = 1 << 15

func (x *exec) manyGroups() int {
	if x.env.ManyGroups > 0 {
		return x.env.ManyGroups
	}
	return manyGroups
}

const (
	partitionBits = 6 // hash bits that choose one of the partitions, while no row is on disk
	maxDepth      = 4 // of partitions of partitions: 25 bits
)

// partitions puts groups together, partition by partition.
type partitions struct {
	b       *builder
	n       *plan.Agg     // of what is in the tables
	l       *rawLayout    // of the raw rows; nil: there are none
	tables  []*splitTable // in the order in which they are merged
	writers []*rawWriter
	ordered bool // rows and tables are merged by morsel
	bits    uint
	used    uint // hash bits that are the same in all keys here
	depth   int

	quit   chan struct{}
	tokens chan struct{} // one for each partition that may be in the making or waiting
	ready  []chan partition
	next   atomic.Int64
	wg     sync.WaitGroup
	at     int
	local  *worker // nested partitions are made by whoever asks
	gate   partitionGate
}

// partition is one that is complete: a table, or partitions of it if it was too large.
type partition struct {
	out  *groupRows
	more *partitions
	err  error
}

// splitTable lists the groups of a table by partition.
type splitTable struct {
	t      *groupTable
	morsel int // all rows of the table come before the next morsel's
	order  []uint32
	starts []int
}

// of returns the groups of partition p, in the order in which they were seen.
func (s *splitTable) of(p int) []uint32 { return s.order[s.starts[p]:s.starts[p+1]] }

// splitGroups sorts the groups of t by the given hash bits.
func splitGroups(t *groupTable, used, bits uint) *splitTable {
	for _, s := range t.states {
		agg.Seal(s)
	}
	n := t.keys.Len()
	parts := make([]uint8, n)
	s := &splitTable{t: t, order: make([]uint32, n), starts: make([]int, 1<<bits+1)}
	t.eachHash(func(from int, hashes []uint64) {
		for i, h := range hashes {
			p := h >> (64 - used - bits) & (1<<bits - 1)
			parts[from+i] = uint8(p)
			s.starts[p+1]++
		}
	})
	for p := range 1 << bits {
		s.starts[p+1] += s.starts[p]
	}
	at := slices.Clone(s.starts)
	for g, p := range parts {
		s.order[at[p]] = uint32(g)
		at[p]++
	}
	return s
}

// eachHash gives the hashes of all groups to f, some at a time.
func (t *groupTable) eachHash(f func(from int, hashes []uint64)) {
	ts := exprTypes(t.n.Keys)
	hasher := keys.NewHasher(ts)
	vecs := make([]*vec.Vector, len(ts))
	for i := range vecs {
		vecs[i] = &vec.Vector{}
	}
	hashes := make([]uint64, vec.BatchRows)
	for from, n := 0, t.keys.Len(); from < n; from += vec.BatchRows {
		end := min(from+vec.BatchRows, n)
		if known := t.keys.Hashes(from, end); known != nil {
			f(from, known)
			continue
		}
		for i, v := range vecs {
			v.Reset(ts[i])
		}
		t.keys.Append(from, end, vecs)
		hasher.Hash(vecs, nil, end-from, hashes)
		if t.w.x.env.HashEqual {
			clear(hashes)
		}
		f(from, hashes[:end-from])
	}
}

func exprTypes(es []expr.Expr) []types.Type {
	ts := make([]types.Type, len(es))
	for i, e := range es {
		ts[i] = e.Type()
	}
	return ts
}

// byPartition returns the groups as a second phase would give them out.
func (t *groupTable) byPartition() []uint32 {
	seen := sortBySeen(t.first)
	rank := make([]uint32, len(seen))
	for i, g := range seen {
		rank[g] = uint32(i)
	}
	s := splitGroups(t, 0, partitionBits)
	for p := range 1 << partitionBits {
		slices.SortFunc(s.of(p), func(a, b uint32) int { return int(rank[a]) - int(rank[b]) })
	}
	return s.order
}

// start begins to make partitions on so many workers.
func (x *partitions) start(ctx context.Context, workers int) {
	count := 1 << x.bits
	x.quit, x.tokens = make(chan struct{}), make(chan struct{}, 2*workers)
	x.gate.init(x.l != nil)
	x.ready = make([]chan partition, count)
	for p := range x.ready {
		x.ready[p] = make(chan partition, 1)
	}
	for range workers {
		x.wg.Add(1)
		go func() {
			defer x.wg.Done()
			w := x.newWorker(ctx)
			defer w.slot.Release()
			for x.work(w) {
			}
		}()
	}
}

func (x *partitions) newWorker(ctx context.Context) *worker {
	own := *x.b.ctx
	slot := x.b.x.slot(ctx)
	own.Context = sched.Within(ctx)
	return &worker{x: x.b.x, ctx: &own, slot: slot, morsel: math.MaxInt32}
}

// work makes one partition; false if there is none left.
func (x *partitions) work(w *worker) bool {
	select {
	case x.tokens <- struct{}{}:
	case <-x.quit:
		return false
	}
	if !x.gate.enter(w.x.mem, x.quit) {
		return false
	}
	p := int(x.next.Add(1) - 1)
	if p >= len(x.ready) {
		return false
	}
	err := w.turn()
	var done partition
	if err == nil {
		done, err = x.make(p, w)
	}
	x.gate.made(done)
	done.err = err
	x.ready[p] <- done
	w.slot.Release() // others may have the core while this one waits for room
	return err == nil
}

// make puts partition p together.
func (x *partitions) make(p int, w *worker) (done partition, err error) {
	defer guard(&err)
	m := &partitionMaker{x: x, p: p, w: w}
	if m.t, err = newGroupTable(x.plan(), w); err != nil {
		return done, err
	}
	if x.ordered && x.l != nil {
		err = m.byMorsel()
	} else {
		err = m.all()
	}
	if err == nil && m.split != nil {
		return partition{more: m.split}, nil
	}
	if err == nil {
		done.out, err = newGroupRows(m.t, true)
	}
	if err != nil {
		m.t.mem.free()
		if m.rest != nil {
			m.rest.close()
		}
	}
	for _, r := range x.writers {
		r.drop(p)
	}
	return done, err
}

func (x *partitions) plan() *plan.Agg {
	if x.l != nil {
		return x.l.plan
	}
	return x.n
}

// batch returns the next groups, nil after the last partition.
func (x *partitions) batch() (*vec.Batch, error) {
	for ; x.at < 1<<x.bits; x.at++ {
		done, err := x.current()
		if err != nil {
			return nil, err
		}
		var b *vec.Batch
		if done.more != nil {
			b, err = done.more.batch()
		} else {
			b, err = done.out.batch()
		}
		if b != nil || err != nil {
			return b, err
		}
		done.close()
		x.ready[x.at] = nil
		if x.local == nil {
			x.gate.leave()
			<-x.tokens
		}
	}
	return nil, nil
}

// current returns the partition that is given out, waiting for it.
func (x *partitions) current() (partition, error) {
	if x.local != nil && x.ready == nil {
		x.ready = make([]chan partition, 1<<x.bits)
	}
	if x.local != nil && x.ready[x.at] == nil {
		done, err := x.make(x.at, x.local)
		if err != nil {
			return done, err
		}
		x.ready[x.at] = make(chan partition, 1)
		x.ready[x.at] <- done
	}
	done := <-x.ready[x.at]
	x.ready[x.at] <- done // until it is given out
	return done, done.err
}

func (d partition) close() {
	if d.out != nil {
		d.out.t.mem.free()
	}
	if d.more != nil {
		d.more.close()
	}
}

// close ends the workers and gives back all that is held.
func (x *partitions) close() {
	if x.quit != nil {
		close(x.quit)
		x.wg.Wait()
	}
	for _, c := range x.ready {
		if c == nil {
			continue
		}
		select {
		case d := <-c:
			d.close()
		default:
		}
	}
	for _, r := range x.writers {
		r.close()
	}
	for _, s := range x.tables {
		s.t.mem.free()
	}
}

// partitionMaker makes one partition.
type partitionMaker struct {
	x     *partitions
	p     int
	w     *worker
	t     *groupTable
	rest  *rawWriter // rows that go to partitions of the partition
	split *partitions
	sel   vec.Bitmap
}

// all merges the tables and then adds the raw rows.
func (m *partitionMaker) all() error {
	most := 0
	for _, s := range m.x.tables {
		most = max(most, len(s.of(m.p)))
	}
	m.t.keys.Reserve(most)
	for _, s := range m.x.tables {
		if err := m.t.mergeSome(s.t, s.of(m.p)); err != nil {
			return err
		}
	}
	for _, r := range m.x.writers {
		f := r.files[m.p]
		if f == nil {
			continue
		}
		in, err := f.Reader()
		if err != nil {
			return err
		}
		for {
			if err := expr.Canceled(m.w.ctx); err != nil {
				return err
			}
			b, err := in.Next()
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
			if err := m.add(b); err != nil {
				return err
			}
		}
		r.drop(m.p)
	}
	return m.finish()
}

// add adds raw rows, or writes them for a partition of this one if the memory is used up.
func (m *partitionMaker) add(b *vec.Batch) error {
	if m.rest == nil && m.tooLarge() {
		m.begin()
	}
	if m.rest != nil {
		return m.rest.addRaw(b, nil)
	}
	m.t.mem.soft = m.mayGrow()
	return m.t.addRaw(b, nil)
}

// tooLarge reports whether no groups should be added to the table.
func (m *partitionMaker) tooLarge() bool {
	if !m.divisible() {
		return false
	}
	if m.w.x.env.ForceSpill {
		return m.x.depth < 2 && m.t.seen >= 64
	}
	return m.w.x.mem.above(3, 4) && m.t.mem.held > max(1<<20, m.w.x.mem.floor(m.x.b.x.workers))
}

// divisible reports whether there may be partitions of this partition: one group cannot be divided.
func (m *partitionMaker) divisible() bool { return m.x.depth < maxDepth && m.t.seen >= 2 }

// mayGrow reports whether the table's next batch is no reason to fail, however much others hold: it can be divided when it gets
// too large, or is not what the memory went to.
func (m *partitionMaker) mayGrow() bool {
	return m.divisible() || m.t.mem.held <= max(1<<20, m.w.x.mem.bound()/8)
}

// begin sends all further rows to partitions of this partition.
func (m *partitionMaker) begin() {
	m.rest = newRawWriter(m.x.l, m.w, m.x.used+m.x.bits)
}

// finish hands over to the partitions of this one, if there are any.
func (m *partitionMaker) finish() error {
	if m.rest == nil {
		return nil
	}
	if err := m.rest.settle(); err != nil {
		return err
	}
	x := m.x
	m.split = &partitions{b: x.b, n: x.l.plan, l: x.l, writers: []*rawWriter{m.rest}, ordered: x.ordered,
		bits: rawBits, used: x.used + x.bits, depth: x.depth + 1, local: x.newWorker(x.b.ctx.Context)}
	m.split.tables = []*splitTable{splitGroups(m.t, m.split.used, rawBits)}
	m.split.tables[0].morsel = -1
	return nil
}

// byMorsel merges tables and the groups of raw rows in the order of their morsels, so that every sum is added up as it
// would be without the disk.
func (m *partitionMaker) byMorsel() error {
	var in []*morselReader
	for _, r := range m.x.writers {
		if f := r.files[m.p]; f != nil {
			rd, err := f.Reader()
			if err != nil {
				return err
			}
			q := &morselReader{in: rd}
			if err := q.fill(); err != nil {
				return err
			}
			in = append(in, q)
		}
	}
	tables := m.x.tables
	for {
		if err := expr.Canceled(m.w.ctx); err != nil {
			return err
		}
		var least *morselReader
		for _, q := range in {
			if q.b != nil && (least == nil || q.morsel() < least.morsel()) {
				least = q
			}
		}
		if len(tables) > 0 && (least == nil || tables[0].morsel <= least.morsel()) {
			if err := m.t.mergeSome(tables[0].t, tables[0].of(m.p)); err != nil {
				return err
			}
			tables = tables[1:]
			continue
		}
		if least == nil {
			return m.finish()
		}
		if err := m.morsel(least, len(tables) == 0); err != nil {
			return err
		}
	}
}

// morsel adds the rows of the morsel that q is at. last tells that no table is to be merged any more.
func (m *partitionMaker) morsel(q *morselReader, last bool) error {
	if last && m.rest == nil && m.tooLarge() {
		m.begin()
	}
	var t *groupTable
	if m.rest == nil {
		var err error
		if t, err = newGroupTable(m.x.l.plan, m.w); err != nil {
			return err
		}
	}
	for i := q.morsel(); q.b != nil && q.morsel() == i; {
		end := q.end()
		m.sel = m.sel.Resize(q.b.N)
		for k := q.at; k < end; k++ {
			m.sel.Set(k)
		}
		var err error
		if m.rest != nil {
			err = m.rest.addRaw(q.b, m.sel)
		} else {
			err = t.addRaw(q.b, m.sel)
		}
		if err != nil {
			return err
		}
		if q.at = end; q.at == q.b.N {
			if err := q.fill(); err != nil {
				return err
			}
		}
	}
	if t == nil {
		return nil
	}
	m.t.mem.soft = m.mayGrow()
	return m.t.merge(t)
}

// morselReader reads raw rows morsel by morsel.
type morselReader struct {
	in *spill.Reader
	b  *vec.Batch // nil: at the end
	at int
}

func (q *morselReader) fill() (err error) {
	q.at = 0
	q.b, err = q.in.Next()
	return err
}

func (q *morselReader) morsel() int { return int(q.b.Cols[0].Int(q.at) >> 32) }

// end returns the end of the rows of the current morsel in the batch.
func (q *morselReader) end() int {
	i := q.at + 1
	for i < q.b.N && q.b.Cols[0].Int(i)>>32 == q.b.Cols[0].Int(q.at)>>32 {
		i++
	}
	return i
}

// addRaw adds raw rows; t is made for the plan over them.
func (t *groupTable) addRaw(b *vec.Batch, sel vec.Bitmap) error {
	if err := t.add(b, sel); err != nil {
		return err
	}
	at := b.Cols[0]
	eachRow(sel, b.N, func(i int) {
		id := t.ids[0]
		if !t.single {
			id = t.ids[i]
		}
		t.first[id] = min(t.first[id], uint64(at.Int(i)))
	})
	return nil
}

// mergeSome is merge of the groups listed. Several goroutines may do it with groups of one o at a time.
func (t *groupTable) mergeSome(o *groupTable, groups []uint32) error {
	ts := exprTypes(t.n.Keys)
	vecs := make([]*vec.Vector, len(ts))
	for i := range vecs {
		vecs[i] = &vec.Vector{}
	}
	to := make([]uint32, vec.BatchRows)
	for len(groups) > 0 {
		if err := expr.Canceled(t.w.ctx); err != nil {
			return err
		}
		part := groups[:min(len(groups), vec.BatchRows)]
		groups = groups[len(part):]
		to := to[:len(part)]
		if err := t.mapper.MergeIDs(o.keys, part, vecs, to); err != nil {
			return err
		}
		t.grow(t.keys.Len(), math.MaxInt32)
		for k, g := range part {
			t.first[to[k]] = min(t.first[to[k]], o.first[g])
		}
		for i, s := range t.states {
			if err := s.Merge(o.states[i], part, to); err != nil {
				return err
			}
		}
	}
	return t.reserve()
}
