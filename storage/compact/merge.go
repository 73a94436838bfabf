package compact

import (
	"context"
	"encoding/binary"
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
	// Places, if it is not nil, is where the map of the input's rows is made: it is empty, and has room for all of them.
	Places []uint32

	first int // row of the first group with which the input begins: see Between
	last  int // row of the last group before which it ends; 0: it has all of that
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
	end   int // the input's rows of the group end before this one
	done  bool
	lead  uint64 // the key's bytes from merger.skip on, as far as they fit: see align
	ties  int    // rows of others that lead did not tell from this one's
	src   int    // number of group among the sources of the output group being gathered, -1 if it is not yet one
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
		if c.row, c.end, c.src = 0, c.group.Rows(), -1; c.next == 0 {
			c.row = c.in.first
		}
		if c.next++; c.next == c.in.Groups && c.in.last > 0 {
			c.end = c.in.last
		}
		if c.row >= c.end {
			continue
		}
		c.keys, err = ReadKeys(c.group, key)
		return err == nil, err
	}
	return false, nil
}

// rowBefore reports whether a row of c's comes before the one that o stands at; on a tie the earlier input's does.
func (c *cursor) rowBefore(row int, o *cursor) bool {
	d := c.keys.Compare(row, o.keys, o.row)
	return d < 0 || d == 0 && c.at < o.at
}

// before tells whether c's row is taken before o's; an input that is used up comes last.
func (c *cursor) before(o *cursor) bool {
	if c.done || o.done {
		return !c.done
	}
	if c.lead != o.lead {
		return c.lead < o.lead
	}
	c.ties++
	return c.rowBefore(c.row, o)
}

// runBefore returns the end of the rows of c, from the one it stands at, that come before o's. It looks near first:
// runs are short where inputs interleave, and whole groups where they do not.
func (c *cursor) runBefore(o *cursor) int {
	n := c.end
	from, step := c.row, 1 // the row at from comes before o's
	for from+step < n && c.rowBefore(from+step, o) {
		from, step = from+step, step*2
	}
	to := min(from+step, n)
	return from + 1 + sort.Search(to-from-1, func(i int) bool { return !c.rowBefore(from+1+i, o) })
}

// MergeRows writes the rows of all inputs to w in the order of the key; rows of equal keys in the order of the inputs.
// It holds the directory and the sort keys of one row group per input, whatever w needs for one group of output, and
// the map it returns: four bytes for every row.
func MergeRows(ctx context.Context, w Sink, inputs []Input, key []KeyCol, limits Limits) (RowMap, error) {
	m := merger{ctx: ctx, w: w, key: key, places: make(RowMap, len(inputs)), most: limits.GroupBytes}
	if len(inputs) == 0 {
		return m.places, nil
	}
	if m.most <= 0 {
		m.most = GroupBytes
	}
	if m.mostRows = limits.GroupRows; m.mostRows <= 0 {
		m.mostRows = GroupRows
	}
	for i, in := range inputs {
		c := &cursor{in: in, at: i}
		if err := m.load(c); err != nil {
			return nil, err
		}
		m.inputs, m.places[i] = append(m.inputs, c), in.Places
	}
	m.align()
	m.buildTree()
	for !m.inputs[m.tree[0]].done {
		if err := m.step(); err != nil {
			return nil, err
		}
	}
	return m.places, m.flush()
}

type merger struct {
	ctx      context.Context
	w        Sink
	key      []KeyCol
	inputs   []*cursor
	tree     []int // see buildTree
	streak   int   // rows in turn that came from the input at the top
	skip     int   // the first bytes of the keys that cursors stand at are the same: see align
	src      []column.Group
	rows     []segment.RowRef
	bytes    int64
	most     int64 // bytes of a group
	mostRows int
	places   RowMap
	taken    int64 // rows of the output so far
}

var errTooManyRows = errors.New("a merge of more than 4,294,967,294 rows")

// buildTree plays the first rows of all inputs against each other. tree[0] is the input whose row comes first. tree[i] is
// the loser of the match at inner node i of a tournament of which node len(inputs)+j is input j: the parent of a node is
// its number halved. So after a row is taken, only the matches of its input are played again.
func (m *merger) buildTree() {
	n := len(m.inputs)
	m.tree = make([]int, max(n, 1))
	winner := make([]int, 2*n)
	for j := range n {
		winner[n+j] = j
	}
	for i := n - 1; i >= 1; i-- {
		a, b := winner[2*i], winner[2*i+1]
		if m.inputs[b].before(m.inputs[a]) {
			a, b = b, a
		}
		winner[i], m.tree[i] = a, b
	}
	if n > 1 {
		m.tree[0] = winner[1]
	}
}

// replay plays the matches of an input whose row has changed.
func (m *merger) replay(j int) {
	for i := (len(m.inputs) + j) / 2; i >= 1; i /= 2 {
		if m.inputs[m.tree[i]].before(m.inputs[j]) {
			m.tree[i], j = j, m.tree[i]
		}
	}
	m.tree[0] = j
}

// second returns the input whose row follows when the one at the top is used up: the first of those that lost to it. nil
// if there is no other.
func (m *merger) second() *cursor {
	var best *cursor
	for i := (len(m.inputs) + m.tree[0]) / 2; i >= 1; i /= 2 {
		if c := m.inputs[m.tree[i]]; best == nil || c.before(best) {
			best = c
		}
	}
	return best
}

// streakLong is how many rows in turn come from one input before the end of its run is searched for.
const streakLong = 3

// step takes the row that comes first, or, once an input has given some in turn, all of its rows before the others'.
func (m *merger) step() error {
	top := m.tree[0]
	c := m.inputs[top]
	from, to := c.row, c.row+1
	if m.streak >= streakLong {
		m.streak = 0
		if o := m.second(); o != nil && !o.done {
			to = c.runBefore(o)
		} else {
			to = c.end
		}
	}
	for c.row < to {
		if err := m.take(c); err != nil {
			return err
		}
		c.row++
	}
	if c.row == c.end {
		if err := m.load(c); err != nil {
			return err
		}
		m.align()
	} else {
		m.moved(c, from)
	}
	if m.replay(top); m.tree[0] == top {
		m.streak++
	} else {
		m.streak = 0
	}
	return nil
}

// tiesMost is how often leads may be equal before it is tried to begin them later.
const tiesMost = 32

// moved finds the lead of a cursor's new row, in the group of the one it has stood at.
func (m *merger) moved(c *cursor, from int) {
	key := c.keys.At(c.row)
	if len(key) < m.skip || string(key[:m.skip]) != string(c.keys.At(from)[:m.skip]) || c.ties > tiesMost {
		m.align()
		return
	}
	c.lead = leadOf(key[m.skip:])
}

// align finds how many bytes all keys that cursors stand at begin with, and the leads behind them. Keys of one merge have
// long beginnings in common, where they are sorted by columns of few values first; so one comparison of integers nearly
// always tells the order.
func (m *merger) align() {
	var first []byte
	m.skip = 0
	for _, c := range m.inputs {
		if c.done {
			continue
		}
		key := c.keys.At(c.row)
		if first == nil {
			first, m.skip = key, len(key)
		}
		m.skip = common(first[:m.skip], key)
	}
	for _, c := range m.inputs {
		if c.ties = 0; !c.done {
			c.lead = leadOf(c.keys.At(c.row)[m.skip:])
		}
	}
}

// common returns how many bytes a and b begin with.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// leadOf returns the first eight bytes in the order of bytes, with zeros behind a key's end.
func leadOf(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	lead := uint64(0)
	for i, b := range key {
		lead |= uint64(b) << (56 - 8*i)
	}
	return lead
}

// load moves a cursor to its next group.
func (m *merger) load(c *cursor) error {
	ok, err := c.load(m.key)
	c.done = !ok
	return err
}

// take appends the cursor's row to the output, unless it is dead, and notes where it went.
func (m *merger) take(c *cursor) error {
	if c.dead != nil && c.dead.Get(c.row) {
		m.places[c.at] = append(m.places[c.at], NoRow)
		return nil
	}
	if len(m.rows) == m.mostRows || len(m.rows) > 0 && m.bytes+c.in.RowBytes > m.most {
		if err := m.flush(); err != nil {
			return err
		}
	}
	if c.src < 0 {
		c.src = len(m.src)
		m.src = append(m.src, c.group)
	}
	if m.taken == NoRow { // never in practice: the bytes of the inputs are bounded
		return errTooManyRows
	}
	m.rows = append(m.rows, segment.RowRef{Group: uint32(c.src), Row: uint16(c.row)})
	m.bytes += c.in.RowBytes
	m.places[c.at] = append(m.places[c.at], uint32(m.taken))
	m.taken++
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
	for _, c := range m.inputs {
		c.src = -1
	}
	return nil
}
