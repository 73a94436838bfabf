package op

import (
	"cmp"
	"math"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// wholePartition reports whether every row's frame is its whole partition.
func (t *windowTask) wholePartition(f *plan.Frame) bool {
	if f.Exclude != plan.ExcludeNone || f.Start.Kind != plan.UnboundedPreceding {
		return false
	}
	return f.End.Kind == plan.UnboundedFollowing || f.End.Kind == plan.CurrentRow && f.Mode != plan.FrameRows && len(t.p.order) == 0
}

// frames are the bounds of the rows' frames before exclusion: [start[i], end[i]), start <= end.
type frames struct{ start, end []int32 }

// frames computes the bounds of all rows for a call's frame. Bounds of an ordered partition only ever move forward.
func (t *windowTask) frames(c *windowCall) frames {
	f := &c.n.Frame
	fr := frames{make([]int32, t.n), make([]int32, t.n)}
	for p := range len(t.starts) - 1 {
		from, to := int(t.starts[p]), int(t.starts[p+1])
		switch f.Mode {
		case plan.FrameRows:
			t.rowFrames(c, from, to, fr)
		case plan.FrameGroups:
			t.groupFrames(c, from, to, fr)
		default:
			t.rangeFrames(c, from, to, fr)
		}
	}
	for i, s := range fr.start {
		fr.end[i] = max(fr.end[i], s)
	}
	return fr
}

// within adds an offset to a position in [from, to] and stays there.
func within(at int, offset int64, from, to int) int {
	switch {
	case offset > int64(to-at):
		return to
	case offset < int64(from-at):
		return from
	}
	return at + int(offset)
}

func (t *windowTask) rowFrames(c *windowCall, from, to int, fr frames) {
	f := &c.n.Frame
	for i := from; i < to; i++ {
		s, e := from, to
		switch f.Start.Kind {
		case plan.Preceding:
			s = within(i, -c.start, from, to)
		case plan.CurrentRow:
			s = i
		case plan.Following:
			s = within(i, c.start, from, to)
		}
		switch f.End.Kind {
		case plan.Preceding:
			e = within(i+1, -c.end, from, to)
		case plan.CurrentRow:
			e = i + 1
		case plan.Following:
			e = within(i+1, c.end, from, to)
		}
		fr.start[i], fr.end[i] = int32(s), int32(e)
	}
}

func (t *windowTask) groupFrames(c *windowCall, from, to int, fr frames) {
	p := t.peerGroups()
	first, last := int(p.group[from]), int(p.group[to-1])+1
	f := &c.n.Frame
	for i := from; i < to; i++ {
		g := int(p.group[i])
		s, e := first, last
		switch f.Start.Kind {
		case plan.Preceding:
			s = within(g, -c.start, first, last)
		case plan.CurrentRow:
			s = g
		case plan.Following:
			s = within(g, c.start, first, last)
		}
		switch f.End.Kind {
		case plan.Preceding:
			e = within(g+1, -c.end, first, last)
		case plan.CurrentRow:
			e = g + 1
		case plan.Following:
			e = within(g+1, c.end, first, last)
		}
		fr.start[i], fr.end[i] = p.starts[s], p.starts[e]
	}
}

func (t *windowTask) rangeFrames(c *windowCall, from, to int, fr frames) {
	f := &c.n.Frame
	var p *windowPeers
	if f.Start.Kind != plan.UnboundedPreceding || f.End.Kind != plan.UnboundedFollowing {
		p = t.peerGroups()
	}
	for i := from; i < to; i++ {
		s, e := from, to
		if f.Start.Kind == plan.CurrentRow {
			s = p.start(i)
		}
		if f.End.Kind == plan.CurrentRow {
			e = p.end(i)
		}
		fr.start[i], fr.end[i] = int32(s), int32(e)
	}
	if c.rangeKey < 0 {
		return
	}
	key := &t.cols[c.rangeKey]
	lo, hi := from, to // the rows that have a value: NULLs are at one end
	for lo < hi && key.Null(lo) {
		lo++
	}
	for hi > lo && key.Null(hi-1) {
		hi--
	}
	for i := from; i < to; i++ {
		if i >= lo && i < hi {
			continue
		}
		if f.Start.Offset != nil { // a NULL is near to NULLs only
			fr.start[i] = int32(p.start(i))
		}
		if f.End.Offset != nil {
			fr.end[i] = int32(p.end(i))
		}
	}
	if f.Start.Offset != nil {
		at := lo
		near := t.rangeTest(c, 0)
		for i := lo; i < hi; i++ {
			for at < hi && near(at, i) < 0 {
				at++
			}
			fr.start[i] = int32(at)
		}
	}
	if f.End.Offset != nil {
		at := lo
		near := t.rangeTest(c, 1)
		for i := lo; i < hi; i++ {
			for at < hi && near(at, i) <= 0 {
				at++
			}
			fr.end[i] = int32(at)
		}
	}
}

// rangeTest returns a function that compares the key of row j with the limit of row i's frame, in the order of the rows.
func (t *windowTask) rangeTest(c *windowCall, side int) func(j, i int) int {
	key := &t.cols[c.rangeKey]
	b, ints, floats := &c.n.Frame.Start, c.start, c.startF
	if side == 1 {
		b, ints, floats = &c.n.Frame.End, c.end, c.endF
	}
	sign, down := 1, b.Kind == plan.Preceding
	if t.p.desc {
		sign, down = -1, !down
	}
	switch key.Type.Phys() {
	case types.PhysInt64:
		if c.limits[side] < 0 {
			return func(j, i int) int { return sign * compareToSum(key.I64[j], key.I64[i], ints, down) }
		}
	case types.PhysFloat64:
		if down {
			floats = -floats
		}
		return func(j, i int) int {
			x := key.F64[i]
			limit := x + floats
			if math.IsNaN(limit) && !math.IsNaN(x) { // an infinity less itself: all are within
				limit = math.Inf(map[bool]int{true: -1, false: 1}[(side == 0) != t.p.desc])
			}
			return sign * datum.CompareFloat(key.F64[j], limit)
		}
	}
	limit := &t.cols[c.limits[side]]
	return func(j, i int) int { return sign * datum.Compare(key.Type, key, j, limit, i) }
}

// compareToSum compares a with x ± offset, which may be beyond all integers. offset is not negative.
func compareToSum(a, x, offset int64, down bool) int {
	if down {
		if x-offset > x {
			return 1
		}
		return cmp.Compare(a, x-offset)
	}
	if x+offset < x {
		return -1
	}
	return cmp.Compare(a, x+offset)
}

// span is the rows [from, to).
type span struct{ from, to int }

// spans returns what is left of row i's frame after exclusion, at most three spans, in buf.
func (t *windowTask) spans(c *windowCall, fr frames, i int, buf []span) []span {
	s, e := int(fr.start[i]), int(fr.end[i])
	buf = buf[:0]
	add := func(from, to int) {
		if from, to = max(from, s), min(to, e); from < to {
			buf = append(buf, span{from, to})
		}
	}
	switch c.n.Frame.Exclude {
	case plan.ExcludeCurrent:
		add(s, i)
		add(i+1, e)
	case plan.ExcludeGroup:
		p := t.peerGroups()
		add(s, p.start(i))
		add(p.end(i), e)
	case plan.ExcludeTies:
		p := t.peerGroups()
		add(s, p.start(i))
		add(i, i+1)
		add(p.end(i), e)
	default:
		add(s, e)
	}
	return buf
}

// view makes dst the rows [from, to) of v, which is flat, sharing its memory.
func view(dst, v *vec.Vector, from, to int) {
	*dst = vec.Vector{Type: v.Type, N: to - from}
	switch v.Type.Phys() {
	case types.PhysBool:
		dst.Bits = bitsOf(v.Bits, from, to)
	case types.PhysInt64:
		dst.I64 = v.I64[from:to]
	case types.PhysFloat64:
		dst.F64 = v.F64[from:to]
	case types.PhysBytes:
		dst.Off, dst.Data = v.Off[from:to+1], v.Data
	}
	if v.Valid != nil {
		dst.Valid = bitsOf(v.Valid, from, to)
	}
}

// bitsOf copies bits [from, to).
func bitsOf(b vec.Bitmap, from, to int) vec.Bitmap {
	out := vec.MakeBitmap(to - from)
	shift := uint(from) & 63
	for w := range out {
		out[w] = b[from>>6+w] >> shift
		if shift > 0 && from>>6+w+1 < len(b) {
			out[w] |= b[from>>6+w+1] << (64 - shift)
		}
	}
	if r := uint(to-from) & 63; r != 0 {
		out[len(out)-1] &= 1<<r - 1
	}
	return out
}
