package codec

import (
	"math/bits"
	"sync"

	"github.com/telemdb/telemdb/storage/column"
)

// runRoom is memory for runs that are lent.
type runRoom struct {
	ends  []uint32
	codes []uint16
}

var runRooms = sync.Pool{New: func() any { return new(runRoom) }}

// Runs lends the runs of rows [from, to): see column.RunLender. ok is false if the codes are not stored so, or the rows
// without a value do not come in runs themselves.
func (c *Chunk) Runs(data []byte, from, to int) (r column.Runs, release func(), ok bool, err error) {
	k := &c.code
	if c.dict == nil || c.enc != encConst && k.width != runWidth || c.pres.kind != presentAll && c.pres.kind != presentRuns {
		return r, nil, false, nil
	}
	if err := c.checkSpan(from, to); err != nil {
		return r, nil, false, err
	}
	a, b := c.pres.before(data, from), c.pres.before(data, to)
	w := getRunWindow()
	defer w.put()
	switch {
	case a == b:
		w.grow(0)
	case c.enc == encConst:
		w.grow(1)
		w.ends[0], w.codes[0] = uint32(b-a), 0
	default:
		k.rle.window(data, a, b, w)
	}
	room := runRooms.Get().(*runRoom)
	if b-a == to-from {
		room.take(w)
	} else {
		room.takeSome(w, &c.pres, from, to)
	}
	r = column.Runs{Ends: room.ends, Codes: room.codes, Dict: c.dict}
	return r, func() { runRooms.Put(room) }, true, nil
}

// take copies the runs of rows that all have a value.
func (r *runRoom) take(w *runWindow) {
	r.ends = append(r.ends[:0], w.ends...)
	r.codes = sized(r.codes, len(w.codes))
	codes := r.codes[:len(w.codes)]
	for i, c := range w.codes {
		codes[i] = uint16(c)
	}
}

// takeSome puts runs without a value between those of w, where rows [from, to) have none.
func (r *runRoom) takeSome(w *runWindow, p *presence, from, to int) {
	r.ends, r.codes = r.ends[:0], r.codes[:0]
	k, value := 0, uint32(0) // the run of the next value, and that value
	for at := from; at < to; {
		present := p.words[at>>6]>>(uint(at)&63)&1 != 0
		end := p.stretch(at, to, present)
		if !present {
			r.ends, r.codes = append(r.ends, uint32(end-from)), append(r.codes, column.NoCode)
			at = end
			continue
		}
		for at < end {
			n := min(w.ends[k]-value, uint32(end-at))
			at, value = at+int(n), value+n
			r.ends, r.codes = append(r.ends, uint32(at-from)), append(r.codes, uint16(w.codes[k]))
			if value == w.ends[k] {
				k++
			}
		}
	}
}

// stretch returns the end of the rows from at on, up to limit, that have a value, or have none, as row at does.
func (p *presence) stretch(at, limit int, present bool) int {
	flip := uint64(0)
	if present {
		flip = ^uint64(0)
	}
	for i := at >> 6; i<<6 < limit; i++ {
		word := p.words[i] ^ flip
		if i == at>>6 {
			word &= ^uint64(0) << (uint(at) & 63)
		}
		if word != 0 {
			return min(limit, i<<6+bits.TrailingZeros64(word))
		}
	}
	return limit
}
