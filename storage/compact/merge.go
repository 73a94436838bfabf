package compact

import (
	"context"
	"errors"
	"sort"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/vec"
)

// Input is one segment of a merge: its row groups, in order, each sorted by the key, as all of them are together.
type Input struct {
	Groups int
	Open   func(i int) (column.Group, error)
	// RowBytes is what a row's values take, on average.
	RowBytes int64
	// Dead tells the rows of a group that were deleted and are left out; nil, or a nil bitmap: none.
	Dead func(group int) vec.Bitmap
}

// cursor stands at the next row of one input.
type cursor struct {
	in    Input
	at    int // number of the input
	next  int // group to open after this one
	group column.Group
	keys  *Keys
	dead  vec.Bitmap
	row   int
	src   int // number of group among the sources of the output group being gathered, -1 if it is not yet one
}

// load opens the next group that has rows; ok is false at the end.
func (c *cursor) load(key []KeyCol) (ok bool, err error) {
	for c.next < c.in.Groups {
		if c.group, err = c.in.Open(c.next); err != nil {
			return false, err
		}
		if c.dead = nil; c.in.Dead != nil {
			c.dead = c.in.Dead(c.next)
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

// before reports whether c's row comes before o's; on a tie the earlier input's does.
func (c *cursor) before(o *cursor, earlier bool) bool {
	return c.rowBefore(c.row, o, earlier)
}

func (c *cursor) rowBefore(row int, o *cursor, earlier bool) bool {
	d := c.keys.Compare(row, o.keys, o.row)
	return d < 0 || d == 0 && earlier
}

// runBefore returns the end of the rows of c, from the one it stands at, that come before o's. It looks near first:
// runs are short where inputs interleave, and whole groups where they do not.
func (c *cursor) runBefore(o *cursor, earlier bool) int {
	n := c.keys.Len()
	from, step := c.row, 1 // the row at from comes before o's
	for from+step < n && c.rowBefore(from+step, o, earlier) {
		from, step = from+step, step*2
	}
	to := min(from+step, n)
	return from + 1 + sort.Search(to-from-1, func(i int) bool { return !c.rowBefore(from+1+i, o, earlier) })
}

// MergeRows writes the rows of all inputs to w in the order of the key; rows of equal keys in the order of the inputs.
// It holds the directory and the sort keys of one row group per input, whatever w needs for one group of output, and
// the map it returns: four bytes for every row.
func MergeRows(ctx context.Context, w Sink, inputs []Input, key []KeyCol, limits Limits) (RowMap, error) {
	m := merger{ctx: ctx, w: w, key: key, places: make(RowMap, len(inputs)), most: limits.GroupBytes}
	if m.most <= 0 {
		m.most = GroupBytes
	}
	for i, in := range inputs {
		c := &cursor{in: in, at: i}
		ok, err := c.load(key)
		if err != nil {
			return nil, err
		}
		if ok {
			m.live = append(m.live, c)
		}
	}
	for len(m.live) > 0 {
		if err := m.step(); err != nil {
			return nil, err
		}
	}
	return m.places, m.flush()
}

type merger struct {
	ctx    context.Context
	w      Sink
	key    []KeyCol
	live   []*cursor // in the order of the inputs
	src    []column.Group
	rows   []segment.RowRef
	bytes  int64
	most   int64 // bytes of a group
	places RowMap
	taken  int64 // rows of the output so far
}

var errTooManyRows = errors.New("a merge of more than 4,294,967,294 rows")

// step takes the rows of the least cursor up to the second least one's.
func (m *merger) step() error {
	at, second := m.least()
	c := m.live[at]
	to := c.keys.Len()
	if second >= 0 {
		to = c.runBefore(m.live[second], at < second)
	}
	for c.row < to {
		if err := m.take(c); err != nil {
			return err
		}
		c.row++
	}
	if c.row == c.keys.Len() {
		return m.advance(at)
	}
	return nil
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

// take appends the cursor's row to the output, unless it is dead, and notes where it went.
func (m *merger) take(c *cursor) error {
	if c.dead != nil && c.dead.Get(c.row) {
		m.places[c.at] = append(m.places[c.at], NoRow)
		return nil
	}
	if len(m.rows) == GroupRows || len(m.rows) > 0 && m.bytes+c.in.RowBytes > m.most {
		if err := m.flush(); err != nil {
			return err
		}
	}
	if c.src < 0 {
		c.src = len(m.src)
		m.src = append(m.src, c.group)
	}
	if m.taken == NoRow {
		return errTooManyRows
	}
	m.rows = append(m.rows, segment.RowRef{Group: uint32(c.src), Row: uint16(c.row)})
	m.bytes += c.in.RowBytes
	m.places[c.at] = append(m.places[c.at], uint32(m.taken))
	m.taken++
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
