package compact

import (
	"context"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
)

// Input is one segment of a merge: its row groups, in order, each sorted by the key, as all of them are together.
type Input struct {
	Groups int
	Open   func(i int) (column.Group, error)
	// RowBytes is what a row's values take, on average.
	RowBytes int64
}

// cursor stands at the next row of one input.
type cursor struct {
	in    Input
	next  int // group to open after this one
	group column.Group
	keys  *Keys
	row   int
	src   int // number of group among the sources of the output group being gathered, -1 if it is not yet one
}

// load opens the next group that has rows; ok is false at the end.
func (c *cursor) load(key []KeyCol) (ok bool, err error) {
	for c.next < c.in.Groups {
		if c.group, err = c.in.Open(c.next); err != nil {
			return false, err
		}
		c.next++
		if c.group.Rows() == 0 {
			continue
		}
		c.row, c.src = 0, -1
		c.keys, err = ReadKeys(c.group, key)
		return err == nil, err
	}
	return false, nil
}

// MergeRows writes the rows of all inputs to w in the order of the key; rows of equal keys in the order of the inputs.
// It holds the directory and the sort keys of one row group per input, and whatever w needs for one group of output.
func MergeRows(ctx context.Context, w Sink, inputs []Input, key []KeyCol) error {
	m := merger{ctx: ctx, w: w, key: key}
	for _, in := range inputs {
		c := &cursor{in: in}
		ok, err := c.load(key)
		if err != nil {
			return err
		}
		if ok {
			m.live = append(m.live, c)
		}
	}
	for len(m.live) > 0 {
		if err := m.step(); err != nil {
			return err
		}
	}
	return m.flush()
}

type merger struct {
	ctx   context.Context
	w     Sink
	key   []KeyCol
	live  []*cursor // in the order of the inputs
	src   []column.Group
	rows  []segment.RowRef
	bytes int64
}

// step takes the rows of the least cursor up to the second least one's.
func (m *merger) step() error {
	at, second := m.least()
	c := m.live[at]
	for {
		if err := m.take(c); err != nil {
			return err
		}
		if c.row++; c.row == c.keys.Len() {
			return m.advance(at)
		}
		if second >= 0 && !c.before(m.live[second], at < second) {
			return nil
		}
	}
}

// before reports whether c's row comes before o's; on a tie the earlier input's does.
func (c *cursor) before(o *cursor, earlier bool) bool {
	d := c.keys.Compare(c.row, o.keys, o.row)
	return d < 0 || d == 0 && earlier
}

// least returns the cursor with the first row, and the one that follows (-1 if there is none).
func (m *merger) least() (at, second int) {
	at, second = 0, -1
	for i := 1; i < len(m.live); i++ {
		switch {
		case m.live[i].before(m.live[at], false):
			at, second = i, at
		case second < 0 || m.live[i].before(m.live[second], i < second):
			second = i
		}
	}
	return at, second
}

func (m *merger) take(c *cursor) error {
	if len(m.rows) == GroupRows || len(m.rows) > 0 && m.bytes+c.in.RowBytes > GroupBytes {
		if err := m.flush(); err != nil {
			return err
		}
	}
	if c.src < 0 {
		c.src = len(m.src)
		m.src = append(m.src, c.group)
	}
	m.rows = append(m.rows, segment.RowRef{Group: uint32(c.src), Row: uint16(c.row)})
	m.bytes += c.in.RowBytes
	return nil
}

// advance moves a cursor to its next group, or drops it.
func (m *merger) advance(at int) error {
	ok, err := m.live[at].load(m.key)
	if err != nil {
		return err
	}
	if !ok {
		m.live = append(m.live[:at], m.live[at+1:]...)
	}
	return nil
}

func (m *merger) flush() error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	if len(m.rows) == 0 {
		return nil
	}
	if err := m.w.AddGroup(m.src, m.rows); err != nil {
		return err
	}
	m.src, m.rows, m.bytes = nil, m.rows[:0], 0
	for _, c := range m.live {
		c.src = -1
	}
	return nil
}
