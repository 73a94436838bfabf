package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// pairMaker joins pairs of partitions for one worker.
type pairMaker struct {
	d    *joinDisk
	w    *worker
	next pushTo
	keys []*vec.Vector
	sel  vec.Bitmap
	view vec.Batch
}

// pushTo makes a function a sink.
type pushTo func(*vec.Batch, vec.Bitmap) error

func (f pushTo) push(b *vec.Batch, sel vec.Bitmap) error { return f(b, sel) }

func (d *joinDisk) newMaker(w *worker) partMaker { return &pairMaker{d: d, w: w} }

func (m *pairMaker) close() {}

func (m *pairMaker) part(i int, push func(*vec.Batch, vec.Bitmap) error) error {
	if i >= len(m.d.parts) {
		return nil
	}
	m.next = push
	return m.pair(&m.d.parts[i], rawBits, false)
}

// pair joins a pair of partitions whose keys agree in the first used bits of their hashes, and removes it. lump tells that most of
// their rows are of one hash, so that to divide them again is no use.
func (m *pairMaker) pair(p *joinPart, used uint, lump bool) error {
	defer p.close()
	kind := m.d.s.n.Kind
	rows := p[0].rows()
	switch {
	case rows == 0 && (kind == plan.Inner || kind == plan.Semi):
		return nil
	case p[1].files == nil && kind != plan.Full:
		return nil
	case m.fits(p, used, lump):
		return m.whole(p)
	case lump || len(m.d.types) == 0 || used >= maxDepth*rawBits:
		return m.chunks(p)
	}
	parts, err := m.divide(p, used)
	defer func() {
		for i := range parts {
			parts[i].close()
		}
	}()
	if err != nil {
		return err
	}
	for i := range parts {
		if err := m.pair(&parts[i], used+rawBits, parts[i][0].rows()*4 > rows*3); err != nil {
			return err
		}
	}
	return nil
}

// share is how many bytes of gathered rows and their table a worker holds at a time.
func (m *pairMaker) share() int64 {
	const most = 1 << 30 // which no column's offsets outgrow
	bound := m.w.x.mem.bound()
	if m.w.x.env.ForceSpill {
		return forcedRows
	}
	if bound <= 0 {
		return most
	}
	return min(max(bound/(2*pairsAtOnce), 128<<10), most)
}

// fits reports whether the gathered side of a pair may be in memory, by what is on disk alone: so the answer is always the same.
func (m *pairMaker) fits(p *joinPart, used uint, lump bool) bool {
	rows := p[0].rows()
	if m.w.x.env.ForceSpill {
		return rows < forcedRows || used >= 2*rawBits && !lump
	}
	return needed(p[0].plain(), rows) <= m.share()
}

// needed is about the memory of rows of so many bytes with a table of their keys and a list by key.
func needed(plain, rows int64) int64 { return 2*plain + 64*rows }

// divide scatters a pair over pairs by the next bits of the hashes.
func (m *pairMaker) divide(p *joinPart, used uint) ([]joinPart, error) {
	parts := make([]joinPart, 1<<rawBits)
	kind := m.d.s.n.Kind
	for side, l := range []*joinLayout{&m.d.build, &m.d.probe} {
		out := newRowParts(m.w.x, "hash join", m.d.s.n, m.d.types, used)
		if side == 1 && (kind == plan.Inner || kind == plan.Semi) {
			out.skip = make([]bool, len(parts))
			for i := range parts {
				out.skip[i] = parts[i][0].files == nil
			}
		}
		err := m.each(&p[side], func(b *vec.Batch) error {
			m.keys = l.keysOf(b.Cols, m.keys)
			return out.add(b.Cols, m.keys, nil, b.N)
		})
		p[side].close()
		if err == nil {
			err = out.settle()
		}
		for i, f := range out.files {
			if f != nil {
				parts[i][side].files = []joinFile{{File: f}}
				out.files[i] = nil
			}
		}
		out.close()
		if err != nil {
			return parts, err
		}
	}
	return parts, nil
}

// each calls f for all rows of a partition of a side.
func (m *pairMaker) each(r *joinRows, f func(b *vec.Batch) error) error {
	in, err := r.reader(m.w.ctx)
	if err != nil {
		return err
	}
	for {
		b, err := in.next()
		if err != nil || b == nil {
			return err
		}
		if err := f(b); err != nil {
			return err
		}
	}
}

// evenRows is how many rows a batch of even has.
const evenRows = 1024

// even is each with batches that do not depend on how the rows came: where rows without a partner follow those of their batch that have
// one, the order of the result must not. They have evenRows rows, or as many as have pairBytes of text.
func (m *pairMaker) even(r *joinRows, f func(b *vec.Batch) error) error {
	var out vec.Batch
	var vecs []vec.Vector
	text := 0
	err := m.each(r, func(b *vec.Batch) error {
		if vecs == nil {
			sliceBatch(b, 0, 0, &out, &vecs)
		}
		for from := 0; from < b.N; {
			to := min(b.N, from+evenRows-out.N)
			if more := flatText(b); text+more < pairBytes {
				for _, v := range b.Cols {
					text += rangeText(v, from, to)
				}
			} else {
				to = from
				for ; to < b.N && out.N+to-from < evenRows && text < pairBytes; to++ {
					text += rowBytes(b.Cols, to)
				}
			}
			for i, v := range b.Cols {
				out.Cols[i].AppendRange(v, from, to)
			}
			out.N += to - from
			from = to
			if out.N < evenRows && text < pairBytes {
				continue
			}
			if err := f(&out); err != nil {
				return err
			}
			sliceBatch(b, 0, 0, &out, &vecs)
			text = 0
		}
		return nil
	})
	if err != nil || out.N == 0 {
		return err
	}
	return f(&out)
}

// rangeText returns the bytes of text of rows [from, to) of a flat vector.
func rangeText(v *vec.Vector, from, to int) int {
	if v.Type.Phys() != types.PhysBytes || from == to {
		return 0
	}
	return int(v.Off[to] - v.Off[from])
}

// whole joins a pair whose gathered side fits in memory.
func (m *pairMaker) whole(p *joinPart) error {
	in, err := p[0].reader(m.w.ctx)
	if err != nil {
		return err
	}
	s, _, err := m.load(in, 0)
	defer s.close()
	if err != nil {
		return err
	}
	s.unique = s.oneEach(m.w.x)
	return m.probe(s, &p[1], nil)
}

// chunks joins a pair whose gathered side does not fit in memory and cannot be divided: some of its rows at a time, with all of the
// other side.
func (m *pairMaker) chunks(p *joinPart) error {
	in, err := p[0].reader(m.w.ctx)
	if err != nil {
		return err
	}
	met := &earlier{mem: m.w.x.account("hash join", m.d.s.n)}
	met.mem.soft = true
	defer met.mem.free()
	for !met.last {
		var s *joinStage
		if s, met.last, err = m.load(in, m.share()); err == nil {
			met.at = 0
			err = m.probe(s, &p[1], met)
		}
		s.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// load gathers rows of a partition in memory: all, or as many as need limit bytes if limit is not 0. last tells that none are left. The
// stage is to be closed, also after an error.
func (m *pairMaker) load(in *joinReader, limit int64) (s *joinStage, last bool, err error) {
	d, x := m.d, m.w.x
	s = &joinStage{n: d.s.n, swapped: d.s.swapped, notIn: d.s.notIn, table: newKeys(x, d.types), mem: x.account("hash join", d.s.n)}
	s.build = d.b.newRelation(d.build.cols, "hash join", d.s.n)
	s.mem.soft, s.build.mem.soft = true, true
	mapper := s.table.NewMapper()
	var ids []uint32
	for need := int64(0); limit == 0 || need < limit; {
		b, taken, err := in.peek()
		if err != nil {
			return s, false, err
		}
		if b == nil {
			break
		}
		n := b.N - taken
		if limit > 0 {
			n = 0
			for ; taken+n < b.N && need < limit; n++ {
				need += m.rowNeeds(b, taken+n)
			}
		}
		b = in.take(n)
		from := len(ids)
		ids = append(ids, make([]uint32, n)...)
		if err := m.number(mapper, b, ids[from:]); err != nil {
			return s, false, err
		}
		if err := s.build.append(&vec.Batch{N: n, Cols: b.Cols[:len(d.build.cols)]}); err != nil {
			return s, false, err
		}
		_ = s.mem.to(s.table.Bytes() + 8*int64(len(ids))) // it is soft
	}
	s.index(x, ids)
	s.unique = false
	b, _, err := in.peek()
	return s, b == nil, err
}

// forcedRows is the rows of a chunk where tests force joins to disk.
const forcedRows = 64

// rowNeeds is about the memory that row i needs, as share counts it: rows where tests force joins to disk, so that the order in which rows
// come does not depend on which columns are read.
func (m *pairMaker) rowNeeds(b *vec.Batch, i int) int64 {
	if m.w.x.env.ForceSpill {
		return 1
	}
	return needed(8*int64(len(b.Cols))+int64(rowBytes(b.Cols, i)), 1)
}

// number writes the key ids of gathered rows, keys.None where a key is NULL.
func (m *pairMaker) number(mapper *keys.Mapper, b *vec.Batch, ids []uint32) error {
	if len(m.d.types) == 0 {
		return nil // all are under the one empty key
	}
	m.keys = m.d.build.keysOf(b.Cols, m.keys)
	m.sel = ownSelection(m.sel, nil, b.N)
	for _, v := range m.keys {
		dropNulls(m.sel, v)
	}
	single, err := mapper.Map(m.keys, m.sel, b.N, ids)
	if err != nil {
		return err
	}
	id := ids[0]
	for i := range ids {
		switch {
		case !m.sel.Get(i):
			ids[i] = keys.None
		case single:
			ids[i] = id
		}
	}
	return nil
}

// probe joins the gathered rows of s with all rows of the other side's partition. met is nil if the former are all there are.
func (m *pairMaker) probe(s *joinStage, rows *joinRows, met *earlier) error {
	p := s.newProbe(m.w, m.next)
	if s.n.Cond != nil {
		p.cond = expr.Compile(s.n.Cond)
	}
	p.earlier = met
	each := m.each
	if k := s.n.Kind; k == plan.Left || k == plan.Right || k == plan.Full {
		each = m.even
	}
	err := each(rows, func(b *vec.Batch) error {
		p.vecs = m.d.probe.keysOf(b.Cols, p.vecs)
		p.alive = ownSelection(p.alive, nil, b.N)
		for _, v := range p.vecs {
			dropNulls(p.alive, v)
		}
		met.hide(p, b.N)
		m.view = vec.Batch{N: b.N, Cols: b.Cols[:len(m.d.probe.cols)]}
		return p.join(&m.view, nil, p.alive)
	})
	if err != nil || s.n.Kind != plan.Full {
		return err
	}
	for b, at := s.lonely(0); b != nil; b, at = s.lonely(at) {
		if err := expr.Canceled(m.w.ctx); err != nil {
			return err
		}
		if err := m.next(b, nil); err != nil {
			return err
		}
	}
	return nil
}

// earlier is which rows of a partition have met a gathered row, where these come in several chunks.
type earlier struct {
	met  []vec.Bitmap // by batch, which are the same for every chunk
	at   int          // the batch after the one being joined
	last bool         // the chunk is the last one
	mem  account
}

// hide keeps a semi or anti join from looking at rows that have met one. e may be nil.
func (e *earlier) hide(p *probe, n int) {
	if e == nil {
		return
	}
	if e.at == len(e.met) {
		e.met = append(e.met, vec.MakeBitmap(n))
		_ = e.mem.to(e.mem.held + int64(vec.Words(n))*8 + 24) // it is soft
	}
	if k := p.s.n.Kind; k == plan.Semi || k == plan.Anti {
		p.alive.AndNot(e.met[e.at])
	}
	e.at++
}

// enough notes which rows of a batch have met one, and reports whether something can be put out: a semi join puts out the rows that
// are the first time, the others, at the last chunk, those that never have.
func (e *earlier) enough(p *probe) bool {
	met := e.met[e.at-1]
	met.Or(p.met)
	if p.s.n.Kind == plan.Semi {
		return true
	}
	copy(p.met, met)
	return e.last
}
