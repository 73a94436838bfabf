package segment

import (
	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
)

// Decide implements column.Decider.
func (c *chunkColumn) Decide(p *column.Pred) column.Verdict {
	s := c.segmentColumn.Stats()
	if p.Op != column.OpMatch {
		if v := p.Judge(&s); v != column.Some {
			return v
		}
	}
	if c.kind() == kindChunk {
		return column.Some
	}
	o, _, err := c.pinned()
	if err != nil {
		return column.Some
	}
	defer o.unpin()
	f, err := c.prepared(o.chunk, p)
	if err != nil {
		return column.Some
	}
	return f.Verdict()
}

// FilterRange implements column.RangeFilter.
func (c *chunkColumn) FilterRange(from, to int, p *column.Pred, sel vec.Bitmap) error {
	o, data, err := c.pinnedParts()
	if err != nil {
		return err
	}
	defer o.unpin()
	f, err := c.prepared(o.chunk, p)
	if err != nil {
		return c.located(err)
	}
	if f.Cheap() && (o.entry == nil || o.entry.partial == nil) {
		return c.located(f.FilterRange(data, from, to, sel))
	}
	return c.filterZones(o, data, f, from, to, p, sel)
}

// FilterBoth implements column.PairFilter.
func (c *chunkColumn) FilterBoth(from, to int, p *column.Pred, other column.Column, q *column.Pred, sel vec.Bitmap) (alive int, ok bool, err error) {
	b, ok := other.(*chunkColumn)
	if !ok || c.kind() == kindConst || b.kind() == kindConst {
		return 0, false, nil
	}
	o, f, data, err := c.pinnedFilter(p)
	if err != nil {
		return 0, false, err
	}
	defer o.unpin()
	r, g, more, err := b.pinnedFilter(q)
	if err != nil {
		return 0, false, err
	}
	defer r.unpin()
	alive, ok = codec.FilterBoth(f, data, g, more, from, to, sel)
	return alive, ok, nil
}

// pinnedFilter returns the opened chunk, p prepared for it, and its bytes.
func (c *chunkColumn) pinnedFilter(p *column.Pred) (*openChunk, *codec.Filter, []byte, error) {
	o, data, err := c.pinned()
	if err != nil {
		return nil, nil, nil, err
	}
	f, err := c.prepared(o.chunk, p)
	if err != nil {
		o.unpin()
		return nil, nil, nil, c.located(err)
	}
	return o, f, data, nil
}

// filterZones filters what the zone map of the blocks leaves undecided, as many blocks at once as lie together.
func (c *chunkColumn) filterZones(o *openChunk, data []byte, f *codec.Filter, from, to int, p *column.Pred, sel vec.Bitmap) error {
	z, err := c.g.r.dir.openZones(c.g.dir, int(c.i))
	if err != nil {
		return c.corrupt(0, err)
	}
	start := from
	for at := from; at < to; {
		end := min(at-at%vec.BlockRows+vec.BlockRows, to)
		v := column.Some
		part := sel[(at-from)/64 : (end-from+63)/64]
		if !anyBit(part) {
			v = column.All
		} else if st := z.Block(at / vec.BlockRows); p.Op != column.OpMatch {
			v = p.Judge(&st)
		} else if st.Present == 0 {
			v = column.None
		}
		if v != column.Some {
			if err := c.filterSpan(o, data, f, from, start, at, sel); err != nil {
				return err
			}
			start = end
		}
		if v == column.None {
			clearBits(part, end-at)
		}
		at = end
	}
	return c.filterSpan(o, data, f, from, start, to, sel)
}

// filterSpan filters rows [start, end) of a selection that begins with row from.
func (c *chunkColumn) filterSpan(o *openChunk, data []byte, f *codec.Filter, from, start, end int, sel vec.Bitmap) error {
	if start >= end {
		return nil
	}
	if o.entry != nil && o.entry.partial != nil {
		lo, hi := o.chunk.Extent(data, start, end)
		if err := c.fill(o.entry, lo, hi); err != nil {
			return err
		}
	}
	return c.located(f.FilterRange(data, start, end, sel[(start-from)/64:]))
}

func anyBit(words []uint64) bool {
	or := uint64(0)
	for _, w := range words {
		or |= w
	}
	return or != 0
}

// clearBits clears the first n bits.
func clearBits(b vec.Bitmap, n int) {
	clear(b[:n>>6])
	if r := uint(n) & 63; r != 0 {
		b[n>>6] &^= 1<<r - 1
	}
}

// Codes implements column.Coded.
func (c *chunkColumn) Codes(from, to int) (c8 []uint8, c16 []uint16, dict *vec.Vector, release func(), ok bool, err error) {
	if c.kind() == kindChunk {
		return nil, nil, nil, nil, false, nil
	}
	o, data, err := c.pinned()
	if err != nil {
		return nil, nil, nil, nil, false, err
	}
	c8, c16, back, ok, err := o.chunk.Codes(data, from, to)
	if err != nil || !ok {
		o.unpin()
		return nil, nil, nil, nil, false, c.located(err)
	}
	release = o.unpin
	if back != nil {
		release = func() {
			back()
			o.unpin()
		}
	}
	return c8, c16, o.chunk.Dict(), release, true, nil
}

// Runs implements column.RunLender.
func (c *chunkColumn) Runs(from, to int) (r column.Runs, release func(), ok bool, err error) {
	if c.kind() == kindChunk {
		return r, nil, false, nil
	}
	o, data, err := c.pinned()
	if err != nil {
		return r, nil, false, err
	}
	r, release, ok, err = o.chunk.Runs(data, from, to)
	o.unpin() // the runs are unpacked, not lent from the chunk
	return r, release, ok, c.located(err)
}

// SumRange implements column.Summer.
func (c *chunkColumn) SumRange(lo, hi int64) (s column.IntSum, ok bool, err error) {
	o, data, err := c.pinned()
	if err != nil {
		return s, false, err
	}
	defer o.unpin()
	s, ok, err = o.chunk.SumRange(data, lo, hi)
	return s, ok, c.located(err)
}

// Ints implements column.Lender.
func (c *chunkColumn) Ints(from, to int) (vals []int64, release func(), ok bool, err error) {
	o, data, err := c.pinned()
	if err != nil {
		return nil, nil, false, err
	}
	if vals, ok = o.chunk.Ints(data, from, to); !ok {
		o.unpin()
		return nil, nil, false, nil
	}
	return vals, o.unpin, true, nil
}

// Encoding implements column.Described.
func (c *chunkColumn) Encoding() (name string, bytes int64) {
	o, _, err := c.pinnedParts()
	if err != nil {
		return "unreadable", 0 // whoever reads it is told
	}
	defer o.unpin()
	if _, size, _ := c.place(); c.kind() != kindConst {
		bytes = int64(size)
	}
	return o.chunk.Encoding(), bytes
}

// Encoding implements column.Described. The bytes are those of pages that columns share.
func (c *restColumn) Encoding() (name string, bytes int64) { return "rest", 0 }
