package op

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/storage/vec"
)

// A worker of an aggregation whose groups have become many, and hardly fewer than what they are made of, numbers them no more:
// what a row group comes to by its keys (see fused) is scattered over partitions by the hash of the key, in chunks of
// memory that queries take in turns. Each partition is put together later by one worker, in a table that fits its cache.
// (The thresholds are those of Kuiper et al.: Robust External Hash Aggregation in the Solid State Age, 2024.)

const (
	partialBits  = 8
	partialParts = 1 << partialBits
	chunkWords   = 1 << 11
)

// partialChunk is words of rows. They come from a pool: fresh memory costs more than what is written to it.
type partialChunk [chunkWords]uint64

var partialChunks = sync.Pool{New: func() any { return new(partialChunk) }}

// partialRows is what one worker has scattered.
type partialRows struct {
	l      *partialLayout
	w      *worker
	per    int // rows of a chunk
	parts  [partialParts]partialPart
	morsel int32
	chunks int64        // held
	freed  atomic.Int64 // bytes of chunks given back one partition at a time
	rows   int64
	buf    []uint64 // rows that are put together
	pos    []uint16
	runs   []*partialRun
	texts  textArena
	codes  []textCodes // by key
	mem    account
}

// partialPart is the rows of a partition, in pieces of a morsel each.
type partialPart struct {
	cur    *partialChunk
	at     int // words used of cur
	morsel int32
	chunks []*partialChunk // the last is cur
	pieces []partialPiece
}

// partialPiece is rows from a number on, up to the next piece.
type partialPiece struct {
	morsel int32
	from   int32
}

func newPartialRows(l *partialLayout, w *worker) *partialRows {
	r := &partialRows{l: l, w: w, per: chunkWords / l.width, mem: w.x.account("aggregation", l.n)}
	r.mem.soft = w.x.spill != nil
	r.texts.set = uint64(l.sets.Add(1))
	r.codes = make([]textCodes, len(l.keys))
	for p := range r.parts {
		r.parts[p].at, r.parts[p].morsel = chunkWords, -1
	}
	return r
}

// len returns the number of rows.
func (p *partialPart) len(l *partialLayout, per int) int {
	if len(p.chunks) == 0 {
		return 0
	}
	return (len(p.chunks)-1)*per + p.at/l.width
}

// begin tells of which morsel the rows are that come.
func (r *partialRows) begin(morsel int) {
	if r.morsel == int32(morsel) {
		return
	}
	r.morsel = int32(morsel)
	for i := range r.codes {
		r.codes[i].dict = nil // another row group's dictionary may lie where this one lay
	}
}

// scatter adds rows.
func (r *partialRows) scatter(rows []uint64) {
	w := r.l.width
	r.rows += int64(len(rows) / w)
	most := r.per * w
	for ; len(rows) >= w; rows = rows[w:] {
		p := &r.parts[r.l.hash(rows)>>(64-partialBits)]
		if p.at >= most || p.morsel != r.morsel {
			r.turn(p)
		}
		out := p.cur[p.at : p.at+w]
		for i := range out { // copy calls a function, which is longer than a row
			out[i] = rows[i]
		}
		p.at += w
	}
}

// turn makes room in a partition, and begins a piece if it is another morsel's turn.
func (r *partialRows) turn(p *partialPart) {
	if p.morsel != r.morsel {
		p.morsel = r.morsel
		p.pieces = append(p.pieces, partialPiece{r.morsel, int32(p.len(r.l, r.per))})
	}
	if p.at < r.per*r.l.width {
		return
	}
	p.cur = partialChunks.Get().(*partialChunk)
	p.chunks = append(p.chunks, p.cur)
	p.at = 0
	r.chunks++
}

// scatterLeast is the least memory of a query that aggregations scatter in: all partitions of all workers begin with a chunk.
const scatterLeast = 24 << 20

// scatters reports whether aggregations may scatter their groups.
func (x *exec) scatters() bool {
	if x.env.ForceSpill && x.env.ManyGroups == 0 {
		return false // raw rows go to disk
	}
	b := x.mem.bound()
	return b <= 0 || b >= scatterLeast
}

// reserve accounts for the memory, and goes on on disk if it is used up.
func (r *partialRows) reserve() error {
	n := r.chunks*chunkWords*8 + int64(cap(r.buf))*8 + r.texts.bytes
	for i := range r.codes {
		n += int64(cap(r.codes[i].words)) * 8
	}
	if err := r.mem.to(n); err != nil {
		return err
	}
	x := r.w.x
	if x.spill == nil || r.rows == 0 || !(x.env.ForceSpill || x.mem.above(3, 4)) {
		return nil
	}
	return r.spill()
}

// free gives the chunks of partition p back.
func (r *partialRows) free(p int) {
	for _, c := range r.parts[p].chunks {
		partialChunks.Put(c)
	}
	r.parts[p] = partialPart{at: chunkWords, morsel: -1}
}

// forget is free of a partition that was put together. Several goroutines may do it, each with others.
func (r *partialRows) forget(p int) {
	n := int64(len(r.parts[p].chunks)) * chunkWords * 8
	r.free(p)
	r.freed.Add(n)
	r.mem.st.holds(-n)
	_ = r.mem.m.add(r.mem.operator, -n) // giving back never fails
	if r.mem.soft {
		r.mem.m.addSoft(-n)
	}
}

func (r *partialRows) close() {
	for p := range r.parts {
		r.free(p)
	}
	for _, run := range r.runs {
		_ = run.file.Close() // the space counts what stays on disk
	}
	r.runs = nil
	r.texts.empty()
	freed := r.freed.Swap(0)
	r.mem.held -= freed
	if r.mem.soft {
		r.mem.counted -= freed
	}
	r.mem.free()
}

// eachChunk calls f with rows [from, to) of a partition, chunk by chunk.
func (r *partialRows) eachChunk(p, from, to int, f func(rows []uint64) error) error {
	w := r.l.width
	for from < to {
		n := min(to-from, r.per-from%r.per)
		at := from % r.per * w
		if err := f(r.parts[p].chunks[from/r.per][at : at+n*w]); err != nil {
			return err
		}
		from += n
	}
	return nil
}

// table scatters the groups of t, whose states are then empty. order lists them, those of a morsel together; nil: as they
// are numbered.
func (r *partialRows) table(t *groupTable, order []uint32) error {
	const step = 512
	vecs := make([]*vec.Vector, len(t.n.Keys))
	for i := range vecs {
		vecs[i] = &vec.Vector{}
	}
	pack := newPartialPacker(r.l, step)
	ids := make([]uint32, 0, step)
	for from := 0; from < t.keys.Len(); from += len(ids) {
		ids = ids[:0]
		morsel := uint64(0)
		for g := from; g < t.keys.Len() && len(ids) < step; g++ {
			id := uint32(g)
			if order != nil {
				id = order[g]
			}
			if m := t.first[id] >> 32; len(ids) == 0 {
				morsel = m
			} else if m != morsel {
				break
			}
			ids = append(ids, id)
		}
		for i, v := range vecs {
			v.Reset(r.l.keys[i].t)
		}
		r.begin(int(morsel))
		n := len(ids)
		rows := pack.states(t, ids)
		if order == nil {
			t.keys.Append(from, from+n, vecs)
		} else {
			t.keys.AppendIDs(append([]uint32(nil), ids...), vecs)
		}
		r.packKeys(vecs, n, rows)
		r.scatter(rows)
	}
	return r.reserve()
}

// partialPacker turns groups of a table into rows.
type partialPacker struct {
	l    *partialLayout
	part agg.Partial
	rows []uint64
}

func newPartialPacker(l *partialLayout, n int) *partialPacker {
	return &partialPacker{l: l, rows: make([]uint64, n*l.width), part: agg.Partial{N: make([]int64, n), Exact: make([]kernel.IntSum, n),
		Min: make([]int64, n), Max: make([]int64, n)}}
}

// states returns rows for the groups listed, without their keys.
func (p *partialPacker) states(t *groupTable, ids []uint32) []uint64 {
	rows := p.rows[:len(ids)*p.l.width]
	clear(rows)
	for i, slot := range p.l.calls {
		s := t.states[i].(agg.Portable)
		if ids[len(ids)-1]-ids[0] == uint32(len(ids)-1) && slices.IsSorted(ids) {
			p.part.N = p.part.N[:len(ids)]
			s.Partials(int(ids[0]), &p.part)
			p.put(slot, s.Needs(), rows)
			continue
		}
		p.part.N = p.part.N[:1]
		for k, id := range ids {
			s.Partials(int(id), &p.part)
			p.put(slot, s.Needs(), rows[k*p.l.width:(k+1)*p.l.width])
		}
	}
	return rows
}

// put writes what part holds.
func (p *partialPacker) put(slot int, needs agg.Needs, rows []uint64) {
	w := p.l.width
	if slot < 0 {
		for i, n := range p.part.N {
			rows[i*w] = uint64(n)
		}
		return
	}
	s := &p.l.slots[slot]
	for i, n := range p.part.N {
		row := rows[i*w : (i+1)*w]
		row[s.n] = max(row[s.n], uint64(n)) // the least and the greatest value only know that there is one
		if needs&agg.NeedSum != 0 {
			row[s.sum], row[s.sum+1] = uint64(p.part.Exact[i].Hi), p.part.Exact[i].Lo
		}
		if needs&agg.NeedMin != 0 {
			row[s.least] = uint64(p.part.Min[i])
		}
		if needs&agg.NeedMax != 0 {
			row[s.most] = uint64(p.part.Max[i])
		}
	}
}
