package op

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A semi or anti join without a further condition asks only which keys there are: its other side is gathered as a set of keys,
// by all workers, and no row of it is kept.

// keysOnly reports whether the join is such a one.
func (s *joinStage) keysOnly(b *builder) bool {
	return (!b.x.env.NoJoinKeys || s.n.NotIn) && (s.n.Kind == plan.Semi || s.n.Kind == plan.Anti) && s.n.Cond == nil && len(s.n.LeftKeys) > 0
}

// notIn is what NOT IN has to know of the rows it is asked about, beside their keys. Workers tell it.
type notIn struct{ some, null atomic.Bool }

// look takes note of the rows sel of n, of which alive have a key that is not NULL.
func (i *notIn) look(sel, alive vec.Bitmap, n int) {
	if sel != nil {
		n = sel.Count()
	}
	if n > 0 && !i.some.Load() {
		i.some.Store(true)
	}
	if alive.Count() < n && !i.null.Load() {
		i.null.Store(true)
	}
}

// keep takes those rows out of lone, which have no partner, of which NOT IN is not true. alive are those whose key is not NULL.
func (i *notIn) keep(lone, alive vec.Bitmap) {
	switch {
	case i.null.Load():
		clear(lone)
	case i.some.Load():
		lone.And(alive)
	}
}

// gatherKeys fills the table. The gathered side has no rows then.
func (s *joinStage) gatherKeys(b *builder) error {
	node, buildKeys, _ := s.sides()
	p, err := b.pipeline(node)
	if err != nil {
		return err
	}
	defer p.close()
	var mu sync.Mutex
	var ends []*partnersEnd
	d := s.newDisk(b, true)
	defer func() {
		for _, e := range ends {
			e.mem.free()
		}
	}()
	err = p.drive(func(w *worker) (terminal, error) {
		e := &partnersEnd{w: w, d: d, exprs: expr.CompileAll(buildKeys), mem: w.x.account("hash join", s.n)}
		e.mem.soft = w.x.spill != nil
		e.begin()
		e.vecs = make([]*vec.Vector, len(buildKeys))
		mu.Lock()
		ends = append(ends, e)
		mu.Unlock()
		return e, nil
	})
	if len(d.sides[0]) > 0 {
		s.disk = d // also to be closed if this ends with an error
	}
	if err != nil {
		return err
	}
	return s.together(b, d, ends)
}

// together puts the keys of all workers into one table, or all of them on disk if some are, or they do not fit.
func (s *joinStage) together(b *builder, d *joinDisk, ends []*partnersEnd) error {
	if b.x.env.ForceSpill && b.x.spill != nil {
		s.disk = d
	}
	first := ends[0]
	for _, e := range ends[1:] {
		if e.table.Len() > first.table.Len() {
			first = e
		}
	}
	for _, e := range ends {
		if e == first || e.table.Len() == 0 {
			continue
		}
		if s.disk == nil && e.mem.soft && b.x.mem.tight(e.table.Bytes(), 3, 4) {
			s.disk = d
		}
		if s.disk != nil {
			break
		}
		if _, err := first.mapper.Merge(e.table); err != nil {
			return err
		}
		if err := first.mem.to(first.table.Bytes()); err != nil {
			return err
		}
	}
	if s.disk != nil {
		for _, e := range ends {
			if err := e.toDisk(); err != nil {
				return err
			}
		}
		return nil
	}
	s.table, s.build = first.table, &relation{}
	return expr.Canceled(b.ctx)
}

// partnersEnd is the end of one worker's chain: its keys. When it may not hold more it writes them to disk and begins anew.
type partnersEnd struct {
	w      *worker
	d      *joinDisk
	out    *joinWriter // nil: all are in the table
	table  *keys.Table
	mapper *keys.Mapper
	exprs  []*expr.Evaluator
	vecs   []*vec.Vector
	ids    []uint32
	sel    vec.Bitmap
	mem    account
}

func (e *partnersEnd) begin() {
	e.table = newKeys(e.w.x, e.d.types)
	e.mapper = e.table.NewMapper()
}

// tight reports whether the worker should hold no more keys.
func (e *partnersEnd) tight() bool {
	if !e.mem.soft {
		return false
	}
	if e.w.x.env.ForceSpill {
		return e.table.Len() > 0
	}
	return e.mem.held > 1<<20 && e.w.x.mem.above(1, 2)
}

// toDisk writes the keys of the table and empties it.
func (e *partnersEnd) toDisk() error {
	if e.out == nil {
		e.out = e.d.newWriter(0, &e.d.build)
	}
	for from := 0; from < e.table.Len(); from += spillRows {
		if err := expr.Canceled(e.w.ctx); err != nil {
			return err
		}
		to := min(from+spillRows, e.table.Len())
		cols := make([]*vec.Vector, len(e.d.types))
		for i, t := range e.d.types {
			cols[i] = &vec.Vector{}
			cols[i].Reset(t)
		}
		e.table.Append(from, to, cols)
		if err := e.out.write(cols, to-from, nil); err != nil {
			return err
		}
	}
	e.begin()
	return e.mem.to(e.table.Bytes())
}

func (e *partnersEnd) endMorsel(int) error { return nil }

func (e *partnersEnd) push(b *vec.Batch, sel vec.Bitmap) error {
	if e.tight() {
		if err := e.toDisk(); err != nil {
			return err
		}
	}
	alive, err := evalKeys(e.w.ctx, e.exprs, b, sel, e.vecs, &e.sel)
	if err != nil {
		return err
	}
	if i := e.d.s.notIn; i != nil {
		i.look(sel, alive, b.N)
	}
	if cap(e.ids) < b.N {
		e.ids = make([]uint32, b.N)
	}
	if _, err := e.mapper.Map(e.vecs, alive, b.N, e.ids[:max(b.N, 1)]); err != nil {
		return err
	}
	return e.mem.to(e.table.Bytes())
}

// idSet is a set of values of sixteen bytes: words in open addressing, before them one bit for each hash, which tells most
// that are not in the set without a look at the words.
type idSet struct {
	bits  []uint64
	slots [][2]uint64
	seed  [2]uint64 // of the hash, so that nobody can send identifiers that all have one
	shift uint      // of the hash, for slots
	zero  bool      // whether the value of zeros, which marks free slots, is in the set
}

// newIDSet returns the set of the n values in data.
func newIDSet(data []byte, n int) *idSet {
	size := max(bits.Len(uint(n))+1, 6)
	s := &idSet{slots: make([][2]uint64, 1<<size), shift: uint(64 - size), bits: make([]uint64, 1<<(size-3)), seed: [2]uint64{rand.Uint64(), rand.Uint64()}}
	for ; len(data) >= 16; data = data[16:] {
		a, b := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])
		h := s.hash(a, b)
		bit := h >> (s.shift - 3)
		s.bits[bit>>6] |= 1 << (bit & 63)
		if a|b == 0 {
			s.zero = true
			continue
		}
		i := h >> s.shift
		for s.slots[i] != [2]uint64{} && s.slots[i] != [2]uint64{a, b} {
			i = (i + 1) & uint64(len(s.slots)-1)
		}
		s.slots[i] = [2]uint64{a, b}
	}
	return s
}

func (s *idSet) hash(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^s.seed[0], b^s.seed[1])
	return (hi ^ lo ^ bits.RotateLeft64(a, 29)) * 0x9e3779b97f4a7c15
}

// holds reports whether the set holds a value whose hash's bit is set.
func (s *idSet) holds(a, b, h uint64) bool {
	if a|b == 0 {
		return s.zero
	}
	for i := h >> s.shift; ; i = (i + 1) & uint64(len(s.slots)-1) {
		switch s.slots[i] {
		case [2]uint64{a, b}:
			return true
		case [2]uint64{}:
			return false
		}
	}
}

// ids returns the keys as a set, where they are identifiers; else nil.
func (s *joinStage) ids(b *builder, t types.Type) *idSet {
	if t.Kind != types.UUID || b.x.env.NoJoinKeys {
		return nil
	}
	vals := s.distinctKeys()[0]
	if vals.Valid != nil || len(vals.Data) != 16*vals.N {
		return nil
	}
	return newIDSet(vals.Data, vals.N)
}

// among sets the bits of those values of v that are in the set; false if v has not the form for it.
func (s *idSet) among(v *vec.Vector, alive vec.Bitmap, out vec.Bitmap) bool {
	if v.Form != vec.Flat || v.N == 0 || v.Off[v.N]-v.Off[0] != uint32(16*v.N) {
		return false
	}
	if v.Valid != nil { // their slots are empty: others are longer
		return false
	}
	data := v.Data[v.Off[0]:v.Off[v.N]]
	var hashes [64]uint64
	for w, m := range alive {
		// First the bits, without a branch: they are as random as the hashes. Most values are decided by them.
		maybe := uint64(0)
		for left := m; left != 0; left &= left - 1 {
			bit := bits.TrailingZeros64(left)
			id := data[(w<<6+bit)*16:][:16]
			h := s.hash(binary.LittleEndian.Uint64(id), binary.LittleEndian.Uint64(id[8:]))
			hashes[bit] = h
			h >>= s.shift - 3
			maybe |= s.bits[h>>6] >> (h & 63) & 1 << bit
		}
		in := uint64(0)
		for ; maybe != 0; maybe &= maybe - 1 {
			bit := bits.TrailingZeros64(maybe)
			id := data[(w<<6+bit)*16:][:16]
			if s.holds(binary.LittleEndian.Uint64(id), binary.LittleEndian.Uint64(id[8:]), hashes[bit]) {
				in |= 1 << bit
			}
		}
		out[w] |= in
	}
	return true
}
