package op

import (
	"slices"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/vec"
)

// restCap is how many rows go to the sort in one batch.
const restCap = vec.BatchRows

// toSort hands the rows held to a sort, and those to come. Columns that nobody needs are NULL there.
func (e *clusterEnd) toSort() error {
	s := e.c.beginSort()
	e.sort = newSortEnd(s, e.w)
	e.c.mu.Lock()
	s.ends = append(s.ends, e.sort)
	e.c.mu.Unlock()
	morsel := e.w.morsel
	defer func() { e.w.morsel = morsel }()
	if err := e.replay(); err != nil {
		return err
	}
	e.run, e.first, e.rows = newSortRun(e.c.spec), nil, rowStore{}
	e.mem.free()
	return nil
}

// replay pushes the rows held to the sort, in the order in which they came.
func (e *clusterEnd) replay() error {
	morsels := make([]uint32, len(e.first))
	for _, items := range e.run.items {
		for _, it := range items {
			morsels[it.row] = it.morsel
		}
	}
	c := e.c
	b := vec.Batch{Cols: make([]*vec.Vector, len(c.p.ts))}
	for i := range b.Cols {
		b.Cols[i] = &vec.Vector{}
	}
	stretches := make([]uint32, 0, restCap)
	for s := 0; s < len(e.first); {
		from, n := int(e.first[s]), 0
		stretches = stretches[:0]
		e.w.morsel = int(morsels[s])
		for s < len(e.first) && int(morsels[s]) == e.w.morsel && n < restCap {
			to := e.rows.n
			if s+1 < len(e.first) {
				to = int(e.first[s+1])
			}
			k := min(to-from-n, restCap-n)
			for range k {
				stretches = append(stretches, uint32(s))
			}
			if n += k; from+n < to {
				e.first[s] = uint32(from + n) // the rest comes with the next batch
				break
			}
			s++
		}
		e.rebuild(&b, from, n, stretches)
		if err := e.sort.push(&b, nil); err != nil {
			return err
		}
	}
	return nil
}

// rebuild makes b n rows of the store, of which those stretches are.
func (e *clusterEnd) rebuild(b *vec.Batch, from, n int, stretches []uint32) {
	c := e.c
	for i, t := range c.p.ts {
		v := b.Cols[i]
		key := slices.Index(c.p.partition, i)
		switch {
		case c.at[i] >= 0:
			v.Reset(t)
			gatherRanges(v, e.rows.column(c.at[i]), []rowRange{{row: uint32(from), n: uint32(n)}}, n)
		case key >= 0:
			v.Reset(t)
			chunks := make([]*vec.Vector, len(e.run.chunks))
			for k := range chunks {
				chunks[k] = &e.run.chunks[k].cols[key]
			}
			gatherChunks(v, chunks, stretches)
		default:
			v.SetConstNull(t, n)
		}
	}
	b.N = n
}

// beginSort returns the sort that all workers hand their rows to.
func (c *clusters) beginSort() *sortRows {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sorted == nil {
		n := &plan.Sort{In: c.p.in, Keys: c.p.keys}
		c.b.x.env.Analyze.standsFor(n, c.of)
		c.sorted = &sortRows{b: c.b, n: n, of: n, mem: c.b.x.account("sort", n)}
		c.sorted.begin()
	}
	return c.sorted
}

// finishSort hands over what workers still hold, and ends the sort.
func (c *clusters) finishSort() error {
	for _, e := range c.ends {
		if e.sort == nil {
			if err := e.toSort(); err != nil {
				return err
			}
		}
	}
	return c.sorted.finish()
}
