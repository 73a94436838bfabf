package op

import (
	"bytes"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/vec"
)

// arrange orders the stretches, and cuts them into partitions and parts. The order, and so the cuts, are those of the rows: it
// does not matter which worker had which.
func (c *clusters) arrange() error {
	var runs []*sortRun
	var ends []*clusterEnd
	places, stretches := uint64(0), int64(0)
	for _, e := range c.ends {
		if e.rows.n > 0 {
			runs, ends = append(runs, e.run), append(ends, e)
			places += uint64(max(len(e.rows.chunks), len(e.run.chunks))) << chunkBits
			stretches += int64(e.run.n)
		}
	}
	if places > 1<<32 {
		return errWide("window")
	}
	if err := c.mem.to(stretches * (4 + 12 + 4)); err != nil {
		return err
	}
	if err := sortRuns(c.b.ctx, runs); err != nil {
		return err
	}
	order, err := mergeRuns(runs, c.b.x.workers, 0)
	if err != nil {
		return err
	}
	if err := c.place(ends, order); err != nil {
		return err
	}
	return c.cut()
}

// place finds the rows of the ordered stretches.
func (c *clusters) place(ends []*clusterEnd, order []uint32) error {
	c.keys, c.rows = make([][]*vec.Vector, len(c.p.partition)), make([][]*vec.Vector, len(c.store))
	keyBase, rowBase := make([]uint32, len(ends)+1), make([]uint32, len(ends)+1)
	for w, e := range ends {
		for i := range c.keys {
			for k := range e.run.chunks {
				c.keys[i] = append(c.keys[i], &e.run.chunks[k].cols[i])
			}
		}
		for i := range c.rows {
			c.rows[i] = append(c.rows[i], e.rows.column(i)...)
		}
		keyBase[w+1] = keyBase[w] + uint32(len(e.run.chunks))<<chunkBits
		rowBase[w+1] = rowBase[w] + uint32(len(e.rows.chunks))<<chunkBits
		e.first = append(e.first, uint32(e.rows.n))
	}
	c.stretches = make([]rowRange, len(order))
	for i, key := range order {
		if err := c.now(i); err != nil {
			return err
		}
		w := len(ends) - 1
		for key < keyBase[w] {
			w--
		}
		s := key - keyBase[w]
		first := ends[w].first[s]
		c.stretches[i] = rowRange{row: rowBase[w] + first, n: ends[w].first[s+1] - first, key: key}
	}
	return nil
}

// now asks at every so many steps whether to go on.
func (c *clusters) now(step int) error {
	if step&(1<<16-1) != 0 {
		return nil
	}
	return expr.Canceled(c.b.ctx)
}

// cut finds where partitions and parts begin.
func (c *clusters) cut() error {
	rows := 0
	for i := range c.stretches {
		if err := c.now(i); err != nil {
			return err
		}
		if i == 0 || !c.samePartition(c.stretches[i-1].key, c.stretches[i].key) {
			if len(c.parts) == 0 || rows >= partRows {
				c.parts = append(c.parts, uint32(len(c.groups)))
				rows = 0
			}
			c.groups = append(c.groups, uint32(i))
		}
		rows += int(c.stretches[i].n)
	}
	c.parts = append(c.parts, uint32(len(c.groups)))
	c.groups = append(c.groups, uint32(len(c.stretches)))
	return nil
}

// samePartition compares the keys of two stretches.
func (c *clusters) samePartition(a, b uint32) bool {
	for i, chunks := range c.keys {
		x, y := chunks[a>>chunkBits], chunks[b>>chunkBits]
		k, l := int(a&(chunkRows-1)), int(b&(chunkRows-1))
		if x.Valid == nil && y.Valid == nil && c.spec.forms[i] == keyBytes {
			if !bytes.Equal(x.Data[x.Off[k]:x.Off[k+1]], y.Data[y.Off[l]:y.Off[l+1]]) {
				return false
			}
			continue
		}
		if !sameValue(x, k, y, l) {
			return false
		}
	}
	return true
}
