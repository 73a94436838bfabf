package op

import (
	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// aggregate computes an aggregate over every row's frame: once per partition where the frame is the partition, else by
// agg.Sliding, else by states that grow with the frame, and made anew where a frame loses rows.
func (t *windowTask) aggregate(c *windowCall, out *vec.Vector) error {
	in := t.aggInput(c)
	if t.wholePartition(&c.n.Frame) {
		return t.wholeAggregate(c, &in, out)
	}
	if ok, err := t.running(c, &in, out); ok || err != nil {
		return err
	}
	fr := t.frames(c)
	if s := agg.NewSliding(c.n.Agg); s != nil {
		return t.slide(c, s, &in, fr, out)
	}
	for p := range len(t.starts) - 1 {
		if err := t.grow(c, &in, fr, int(t.starts[p]), int(t.starts[p+1]), out); err != nil {
			return err
		}
	}
	return nil
}

// wholeAggregate groups by partition.
func (t *windowTask) wholeAggregate(c *windowCall, in *agg.Input, out *vec.Vector) error {
	s, err := agg.New(c.n.Agg)
	if err != nil {
		return err
	}
	agg.Asking(s, t.canceled)
	parts := len(t.starts) - 1
	s.Grow(parts)
	part := make([]uint32, t.n)
	for p := range parts {
		for i := t.starts[p]; i < t.starts[p+1]; i++ {
			part[i] = uint32(p)
		}
	}
	// In pieces that start at whole words of the bitmaps.
	const piece = 4096
	one := *in
	one.Args = make([]*vec.Vector, len(in.Args))
	for from := 0; from < t.n; from += piece {
		to := min(from+piece, t.n)
		for k, v := range in.Args {
			one.Args[k] = &vec.Vector{}
			view(one.Args[k], v, from, to)
		}
		if in.Sel != nil {
			one.Sel = bitsOf(in.Sel, from, to)
		}
		one.N, one.Groups = to-from, part[from:to]
		if err := s.Add(&one); err != nil {
			return err
		}
		if err := expr.Canceled(t.ctx); err != nil {
			return err
		}
	}
	var results vec.Vector
	results.Reset(c.n.T)
	if err := s.Result(0, parts, &results); err != nil {
		return err
	}
	return t.spread(out, &results, part)
}

// spread appends the values of v listed in rows.
func (t *windowTask) spread(out, v *vec.Vector, rows []uint32) error {
	for len(rows) > 0 {
		part := rows[:min(len(rows), vec.BatchRows)]
		rows = rows[len(part):]
		more := 0
		if v.Type.Phys() == types.PhysBytes {
			for _, r := range part {
				more += int(v.Off[r+1] - v.Off[r])
			}
		}
		if err := t.room(len(out.Data) + more); err != nil {
			return err
		}
		vec.AppendIndexed(out, v, part)
	}
	return nil
}

// windowLook is the number of rows after which a task is asked whether it is still wanted.
const windowLook = 1 << 14

func (t *windowTask) canceled() error { return expr.Canceled(t.ctx) }

// room is called while a result grows to so many bytes of texts: it ends a task that is not wanted any more, or that they
// are too many for.
func (t *windowTask) room(bytes int) error {
	if err := t.canceled(); err != nil {
		return err
	}
	if bytes > maxData {
		return errWide("window function's result")
	}
	if int64(bytes) < t.mem.held+1<<16 {
		return nil
	}
	return t.mem.to(int64(bytes))
}

func (t *windowTask) slide(c *windowCall, s agg.Sliding, in *agg.Input, fr frames, out *vec.Vector) error {
	var buf [3]span
	agg.Asking(s, t.canceled)
	plain := c.n.Frame.Exclude == plan.ExcludeNone
	for p := range len(t.starts) - 1 {
		from, to := int(t.starts[p]), int(t.starts[p+1])
		s.Load(in, from, to)
		for i := from; i < to; i++ {
			if (i-from)%windowLook == 0 {
				if err := t.canceled(); err != nil {
					return err
				}
			}
			if plain {
				s.Frame(i, int(fr.start[i]), int(fr.end[i]))
				continue
			}
			for _, x := range t.spans(c, fr, i, buf[:]) {
				s.Frame(i, x.from, x.to)
			}
		}
		if err := expr.Canceled(t.ctx); err != nil {
			return err
		}
	}
	return s.Result(t.n, out)
}

// grow computes a partition with the states of the general interface: rows are added while the frame's start stays.
func (t *windowTask) grow(c *windowCall, in *agg.Input, fr frames, from, to int, out *vec.Vector) error {
	var s agg.State
	var err error
	var buf [3]span
	var last span // what s has been given, if nothing is excluded
	for i := from; i < to; i++ {
		if err := t.room(len(out.Data)); err != nil {
			return err
		}
		spans := t.spans(c, fr, i, buf[:])
		now := span{int(fr.start[i]), int(fr.end[i])}
		plain := c.n.Frame.Exclude == plan.ExcludeNone
		switch {
		case s != nil && plain && now == last:
			out.AppendFrom(out, out.N-1) // the same frame as the row before
			continue
		case s != nil && plain && now.from == last.from && now.to > last.to:
			err = addSpan(s, in, span{last.to, now.to})
		default:
			if s, err = agg.New(c.n.Agg); err != nil {
				return err
			}
			s.Grow(1)
			for _, x := range spans {
				if err = addSpan(s, in, x); err != nil {
					return err
				}
			}
		}
		if err != nil {
			return err
		}
		last = now
		if err := s.Result(0, 1, out); err != nil {
			return err
		}
	}
	return nil
}

// addSpan adds some of the rows to group 0.
func addSpan(s agg.State, in *agg.Input, x span) error {
	one := agg.Input{N: x.to - x.from, Args: make([]*vec.Vector, len(in.Args))}
	vs := make([]vec.Vector, len(in.Args))
	for k, v := range in.Args {
		view(&vs[k], v, x.from, x.to)
		one.Args[k] = &vs[k]
	}
	if in.Sel != nil {
		one.Sel = bitsOf(in.Sel, x.from, x.to)
	}
	return s.Add(&one)
}
