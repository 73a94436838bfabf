package op

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/vec"
)

// partialGroups is the second phase of an aggregation whose groups were scattered: a partition is put together by one worker, in
// the order of the morsels, given out and forgotten. The pipeline above begins with it: its workers take partitions as
// they take morsels of a table.
type partialGroups struct {
	l     *partialLayout
	sets  []*partialRows
	turns *diskTurns   // nil: nothing is on disk
	texts []*textArena // by number of the set
}

func newPartialGroups(l *partialLayout, sets []*partialRows) *partialGroups {
	g := &partialGroups{l: l, sets: sets, texts: make([]*textArena, l.sets.Load()+1)}
	copy(g.texts, l.below)
	for _, s := range sets {
		g.texts[s.texts.set] = &s.texts
		if len(s.runs) > 0 && g.turns == nil {
			g.turns = &diskTurns{}
			g.turns.moved.L = &g.turns.mu
		}
	}
	return g
}

func (g *partialGroups) close() {
	for _, s := range g.sets {
		s.close()
	}
}

// partialMaker is one worker's part.
type partialMaker struct {
	g       *partialGroups
	w       *worker
	read    []bool // columns that are read; nil: all may be
	nulls   []bool // columns of which only is asked whether they are NULL; nil: none
	slots   []uint64
	entries []uint64 // by group: the words of a row up to the end of the keys
	n       int      // groups
	states  []agg.State
	ids     []uint32
	partial agg.Partial
	pieces  []placedPiece
	disk    []uint64
	texts   []*textArena // the group's; the first holds what is on disk
	touched byte         // makes the compiler keep what only fills the cache
	out     vec.Batch
	mem     account
	top     *partialTop // nil: all groups are given out
	end     *sortEnd    // the top-N's, of the same worker
	key     vec.Vector
	words   []uint64
	first   []int
	kept    []uint64
	stop    func() bool // lets turns not fail with the context; nil: there are none
}

// placedPiece is a piece of a partition in one worker's rows.
type placedPiece struct {
	set      *partialRows
	morsel   int32
	from, to int
}

func newPartialMaker(g *partialGroups, w *worker, read []bool, top *partialTop) *partialMaker {
	m := &partialMaker{g: g, w: w, read: read, top: top, mem: w.x.account("aggregation", g.l.n)}
	m.texts = slices.Clone(g.texts)
	m.texts[0] = &textArena{}
	for range len(g.l.keys) + len(g.l.calls) {
		m.out.Cols = append(m.out.Cols, &vec.Vector{})
	}
	if t := g.turns; t != nil {
		m.stop = context.AfterFunc(w.ctx.Context, t.fail)
	}
	return m
}

func (m *partialMaker) close() {
	if m.stop != nil {
		m.stop()
	}
	m.texts[0].empty()
	m.mem.free()
}

// part puts partition p together and pushes its groups.
func (m *partialMaker) part(p int, push func(b *vec.Batch, sel vec.Bitmap) error) error {
	if err := m.make(p); err != nil {
		return err
	}
	return m.emit(push)
}

// make puts partition p together. Its rows are forgotten.
func (m *partialMaker) make(p int) error {
	if err := m.begin(p); err != nil {
		if m.g.turns != nil {
			m.g.turns.fail()
		}
		return err
	}
	m.find(p)
	for _, q := range m.pieces {
		if err := expr.Canceled(m.w.ctx); err != nil {
			return err
		}
		if err := q.set.eachChunk(p, q.from, q.to, m.add); err != nil {
			return err
		}
	}
	if err := m.add(m.disk); err != nil {
		return err
	}
	if err := m.reserve(); err != nil {
		return err
	}
	for _, s := range m.g.sets {
		s.forget(p)
	}
	return nil
}

// begin makes the table empty and reads what is on disk.
func (m *partialMaker) begin(p int) error {
	m.n, m.entries, m.disk = 0, m.entries[:0], m.disk[:0]
	clear(m.slots)
	if m.slots == nil {
		m.slots = make([]uint64, sizeFor(1024))
	}
	m.texts[0].empty()
	if err := m.beginStates(); err != nil {
		return err
	}
	if m.g.turns == nil {
		return nil
	}
	done, err := m.g.turns.read(p, func() (err error) {
		for _, s := range m.g.sets {
			for _, run := range s.runs {
				if m.disk, err = run.read(p, m.g.l, m.disk, m.texts[0]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if !done && err == nil {
		err = errOtherFailed
		if canceled := expr.Canceled(m.w.ctx); canceled != nil {
			err = canceled
		}
	}
	return err
}

// beginStates makes the states empty. They keep the room of the partition before, whose groups have been given out.
func (m *partialMaker) beginStates() error {
	for _, s := range m.states {
		s.(agg.Portable).Reset()
	}
	for i := len(m.states); i < len(m.g.l.calls); i++ {
		s, err := agg.New(&m.g.l.n.Aggs[i])
		if err != nil {
			return err
		}
		m.states = append(m.states, s)
	}
	return nil
}

// errOtherFailed is the error of a worker that waits for another one, whose own is reported.
var errOtherFailed = errors.New("another worker of the aggregation failed")

// find lists the pieces of partition p in the order of their morsels.
func (m *partialMaker) find(p int) {
	m.pieces = m.pieces[:0]
	for _, s := range m.g.sets {
		part := &s.parts[p]
		for i, q := range part.pieces {
			to := part.len(s.l, s.per)
			if i+1 < len(part.pieces) {
				to = int(part.pieces[i+1].from)
			}
			m.pieces = append(m.pieces, placedPiece{s, q.morsel, int(q.from), to})
		}
	}
	slices.SortStableFunc(m.pieces, func(a, b placedPiece) int { return int(a.morsel) - int(b.morsel) })
}

// add adds rows to their groups.
func (m *partialMaker) add(rows []uint64) error {
	step, w := 4096, m.g.l.width
	if m.g.l.hashed < m.g.l.head {
		step = touchRows
	}
	for len(rows) > 0 {
		n := min(step, len(rows)/w)
		m.group(rows[:n*w])
		m.accumulate(rows[:n*w], n)
		rows = rows[n*w:]
	}
	return nil
}

// group finds the groups of rows, and counts their rows.
func (m *partialMaker) group(rows []uint64) {
	l := m.g.l
	w, head, hashed := l.width, l.head, l.hashed
	n := len(rows) / w
	if 2*(m.n+n) > len(m.slots) {
		m.resize(m.n + n)
	}
	if cap(m.entries) < (m.n+n)*head {
		m.entries = slices.Grow(m.entries, max(n*head, len(m.entries)))
	}
	m.ids = sized(m.ids, n)
	if hashed < head {
		m.touch(rows)
	}
	slots, mask := m.slots, uint64(len(m.slots)-1)
	entries, next := m.entries, m.n
	for i := range m.ids {
		row := rows[i*w : i*w+head]
		h := l.hash(row)
		salt, p := h&^math.MaxUint32, h
		for {
			e := slots[p&mask]
			if e == 0 {
				at := len(entries)
				entries = entries[:at+head] // there is room
				for k, x := range row {
					entries[at+k] = x
				}
				next++
				slots[p&mask] = salt | uint64(next)
				m.ids[i] = uint32(next - 1)
				break
			}
			if e^salt <= math.MaxUint32 {
				g := int(uint32(e) - 1)
				if old := entries[g*head : (g+1)*head]; sameKey(old[:hashed], row) && (hashed == head || m.sameTexts(old, row)) {
					old[0] += row[0] & headRows
					m.ids[i] = uint32(g)
					break
				}
			}
			p++
		}
	}
	m.entries, m.n = entries, next
}

// sameKey compares rows up to the end of a.
func sameKey(a, b []uint64) bool {
	d := (a[0] ^ b[0]) >> headNulls
	b = b[:len(a)]
	for i := 1; i < len(a); i++ {
		d |= a[i] ^ b[i]
	}
	return d == 0
}

// resize makes room for n groups.
func (m *partialMaker) resize(n int) {
	size := max(sizeFor(n), 4*len(m.slots))
	m.slots = make([]uint64, size)
	mask, head := uint64(size-1), m.g.l.head
	for g := range m.n {
		h := m.g.l.hash(m.entries[g*head : (g+1)*head])
		p := h
		for m.slots[p&mask] != 0 {
			p++
		}
		m.slots[p&mask] = h&^math.MaxUint32 | uint64(g+1)
	}
}

// accumulate adds the rows to the states of their groups. That of a count of rows is what the heads say.
func (m *partialMaker) accumulate(rows []uint64, n int) {
	l, p := m.g.l, &m.partial
	for i, slot := range l.calls {
		if slot < 0 {
			continue
		}
		st := m.states[i].(agg.Portable)
		st.Grow(m.n)
		s, needs := &l.slots[slot], st.Needs()
		p.Groups, p.N, p.Exact = m.ids, sized(p.N, n), p.Exact[:0]
		everyWord(p.N, rows[s.n:], l.width)
		if needs&agg.NeedSum != 0 {
			for k, at := 0, s.sum; k < n; k++ {
				p.Exact = append(p.Exact, kernel.IntSum{Hi: int64(rows[at]), Lo: rows[at+1], N: p.N[k]})
				at += l.width
			}
		}
		if needs&agg.NeedMin != 0 {
			p.Min = sized(p.Min, n)
			everyWord(p.Min, rows[s.least:], l.width)
		}
		if needs&agg.NeedMax != 0 {
			p.Max = sized(p.Max, n)
			everyWord(p.Max, rows[s.most:], l.width)
		}
		st.AddPartial(p)
	}
}

// everyWord gathers every width-th word.
func everyWord(out []int64, words []uint64, width int) {
	for i := range out {
		out[i] = int64(words[i*width])
	}
}

func (m *partialMaker) reserve() error {
	n := int64(cap(m.slots)+cap(m.entries)+cap(m.disk))*8 + m.texts[0].bytes
	for _, s := range m.states {
		n += s.Bytes()
	}
	return m.mem.to(n)
}

// emit pushes the groups.
func (m *partialMaker) emit(push func(b *vec.Batch, sel vec.Bitmap) error) error {
	for from := 0; from < m.n; from += vec.BatchRows {
		to := min(from+vec.BatchRows, m.n)
		all, err := m.contenders(from, to)
		switch {
		case err != nil:
			return err
		case !all && len(m.first) == 0:
			continue
		case all || 2*len(m.first) > to-from:
			err = m.batch(from, to)
		default:
			err = m.someBatch()
		}
		if err != nil {
			return err
		}
		if err := push(&m.out, nil); err != nil {
			return err
		}
	}
	return nil
}

// batch makes out the groups [from, to).
func (m *partialMaker) batch(from, to int) error {
	for c, v := range m.out.Cols {
		if m.read != nil && !m.read[c] {
			v.SetConstNull(m.g.l.typeOf(c), to-from)
			continue
		}
		if m.nulls != nil && m.nulls[c] && c < len(m.g.l.keys) && m.present(c, from, to, v) {
			continue
		}
		if err := m.column(c, from, to, v); err != nil {
			return err
		}
	}
	m.out.N = to - from
	return nil
}

// present makes v any values of key c for the groups [from, to); false if it is no text, or some are NULL.
func (m *partialMaker) present(c, from, to int, v *vec.Vector) bool {
	l := m.g.l
	if l.keys[c].text == 0 {
		return false
	}
	nulls := uint64(0)
	for g := from; g < to; g++ {
		nulls |= m.entries[g*l.head]
	}
	if nulls>>(headNulls+c)&1 != 0 {
		return false
	}
	m.key.Reset(l.keys[c].t)
	m.key.AppendBytes(nil)
	v.SetConst(&m.key, 0, to-from)
	return true
}

// begin implements parted.
func (r *aggRows) begin() (parts int, err error) {
	if err := r.prepare(); err != nil || r.some == nil {
		return 0, err
	}
	return partialParts, nil
}

// newMaker implements parted.
func (r *aggRows) newMaker(w *worker) partMaker {
	m := newPartialMaker(r.some, w, r.used, r.top)
	m.nulls = r.nulls
	return m
}

// partialResult is the rows of scattered groups for whoever does not take partitions.
func (r *aggRows) partialResult() plan.Rows {
	p := &pipeline{b: r.b, source: r}
	return r.b.rowsOf(p, r.n.Out)
}
