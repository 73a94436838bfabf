package compact

import (
	"bytes"
	"context"
	"errors"
	"sort"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/vec"
)

// MergeStates adds up the states of all inputs and writes them to w. Each input is sorted by the whole key of the
// states and has no key twice; add is the roll-up's Merge. It goes through the inputs in step: each round takes what
// lies below the least of the inputs' last loaded keys, so that it holds about one row group of each.
func MergeStates(ctx context.Context, w Sink, inputs []Input, key []KeyCol, add func([]column.Group) ([]column.Group, error)) error {
	m := &stateMerger{w: w}
	for i, in := range inputs {
		if in.Dead != nil {
			return errDeadStates
		}
		c := &cursor{in: in, at: i}
		ok, err := c.load(key)
		if err != nil {
			return err
		}
		if ok {
			m.live = append(m.live, c)
		}
	}
	for len(m.live) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		part, err := m.round(key)
		if err != nil {
			return err
		}
		if len(part) > 1 { // one input's keys are sums already
			if part, err = add(part); err != nil {
				return err
			}
		}
		if err := m.put(part); err != nil {
			return err
		}
	}
	return m.flush()
}

var errDeadStates = errors.New("internal error: states are corrected by other states, none of them is dead")

type stateMerger struct {
	w    Sink
	live []*cursor
	src  []column.Group // results waiting to fill a row group
	rows []segment.RowRef
}

// round takes from every cursor the rows whose key is at most the bound and loads what is used up.
func (m *stateMerger) round(key []KeyCol) ([]column.Group, error) {
	bound := m.bound()
	var part []column.Group
	live := m.live[:0]
	for _, c := range m.live {
		n := c.keys.Len()
		to := n
		if bound != nil {
			to = c.row + sort.Search(n-c.row, func(i int) bool { return bytes.Compare(c.keys.At(c.row+i), bound) > 0 })
		}
		if to > c.row {
			g, err := rowsOf(c.group, c.row, to)
			if err != nil {
				return nil, err
			}
			part = append(part, g)
		}
		c.row = to
		if to == n {
			ok, err := c.load(key)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
		}
		live = append(live, c)
	}
	m.live = live
	return part, nil
}

// bound is the least last key of the groups behind which more groups come, nil if there is none. It is a copy of
// nothing: it lives as long as the keys it is taken from.
func (m *stateMerger) bound() []byte {
	var bound []byte
	for _, c := range m.live {
		last := c.keys.At(c.keys.Len() - 1)
		if c.next < c.in.Groups && (bound == nil || bytes.Compare(last, bound) < 0) {
			bound = last
		}
	}
	return bound
}

// rowsOf returns rows [from, to) of g as a group.
func rowsOf(g column.Group, from, to int) (column.Group, error) {
	if from == 0 && to == g.Rows() {
		return g, nil
	}
	out := column.NewMem(to - from)
	var block vec.Vector
	for _, c := range g.Under("") {
		v := &vec.Vector{}
		v.Reset(c.Leaf().Type())
		for at := from; at < to; {
			end := min(to, (at/vec.BlockRows+1)*vec.BlockRows)
			if err := c.Read(at, end, &block); err != nil {
				return nil, err
			}
			v.AppendRange(&block, 0, end-at)
			at = end
		}
		out.Add(c.Path(), c.Leaf(), v)
	}
	return out, nil
}

// put gathers results until they fill a row group: rounds are smaller than groups.
func (m *stateMerger) put(groups []column.Group) error {
	for _, g := range groups {
		if len(m.rows)+g.Rows() > GroupRows {
			if err := m.flush(); err != nil {
				return err
			}
		}
		for r := range g.Rows() {
			m.rows = append(m.rows, segment.RowRef{Group: uint32(len(m.src)), Row: uint16(r)})
		}
		m.src = append(m.src, g)
	}
	return nil
}

func (m *stateMerger) flush() error {
	if len(m.rows) == 0 {
		return nil
	}
	if err := m.w.AddGroup(m.src, m.rows); err != nil {
		return err
	}
	m.src, m.rows = nil, m.rows[:0]
	return nil
}
