package rollups

import (
	"bytes"
	"container/heap"
	"encoding/binary"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// merge adds equal keys of sorted groups in plus, and subtracts those of sorted groups in minus.
func merge(plus, minus []column.Group) ([]column.Group, error) {
	m, err := newMerger(plus, minus, nil)
	if err != nil {
		return nil, err
	}
	left := 0
	for _, g := range plus {
		left += g.Rows()
	}
	var out []column.Group
	for {
		rows := newStateVectors()
		rows.reserve(min(left, groupRows))
		for rows[0].N < groupRows && m.next(rows) {
		}
		if m.err != nil {
			return nil, m.err
		}
		if rows[0].N == 0 {
			return out, nil
		}
		g := column.NewMem(rows[0].N)
		for c := range stateColumns {
			g.Add(types.Path(stateColumns[c].Name), types.LeafOf(stateColumns[c].Type), rows[c])
		}
		out = append(out, g)
		left -= g.Rows()
	}
}

// stateVectors are rows of the state table, a vector a column.
type stateVectors [stateCols]*vec.Vector

func newStateVectors() *stateVectors {
	rows := &stateVectors{}
	for c := range rows {
		rows[c] = &vec.Vector{}
		rows[c].Reset(stateLeafType(c))
	}
	return rows
}

// dropKey takes back the key of the last row, which has no state yet. Keys are never NULL.
func (rows *stateVectors) dropKey() {
	for _, v := range rows[:keyCols] {
		v.N--
		switch v.Type.Phys() {
		case types.PhysInt64:
			v.I64 = v.I64[:v.N]
		default:
			v.Off = v.Off[:v.N+1]
			v.Data = v.Data[:v.Off[v.N]]
		}
	}
}

// reserve makes room for n states of the usual size.
func (rows *stateVectors) reserve(n int) {
	for c, v := range rows {
		switch v.Type.Phys() {
		case types.PhysInt64:
			v.I64 = make([]int64, 0, n)
		case types.PhysFloat64:
			v.F64 = make([]float64, 0, n)
		default:
			v.Off = make([]uint32, 0, n+1)
			v.Data = make([]byte, 0, n*usualBytes[c])
		}
	}
}

// usualBytes are about what the texts of a state take.
var usualBytes = [stateCols]int{colMetric: 32, colProcess: 8, colLabel: 8, colChannel: 8, colVersion: 4, colBuildID: 8,
	colApplication: 8, colArchitecture: 8, colOS: 12, colOSVersion: 8, colLayout: 16, colHistogram: 40}

// cursor walks the states of one group, a block at a time.
type cursor struct {
	cols  [stateCols]column.Column
	block [stateCols]vec.Vector
	rows  int
	from  int // first row of the block
	at    int // row within the block
	sel   vec.Bitmap
	key   []byte
	ord   int  // position in the input: ties go to the earlier group, so that float sums add in a fixed order
	minus bool // its states are subtracted; such come last
}

// newCursor returns nil for a group without the columns of a state table, which has no rows.
func newCursor(g column.Group, ord int, preds []statePred) (*cursor, error) {
	c := &cursor{rows: g.Rows(), ord: ord}
	for i := range c.cols {
		col, ok := g.Find(types.Path(stateColumns[i].Name), types.LeafOf(stateColumns[i].Type))
		if !ok {
			return nil, nil
		}
		c.cols[i] = col
	}
	for _, p := range preds {
		if p.excludes(c.cols[p.col].Stats()) {
			return nil, nil
		}
	}
	c.from = -vec.BlockRows
	ok, err := c.nextBlock(preds)
	if !ok {
		return nil, err
	}
	return c, err
}

// nextBlock reads the next block that has a row for which all preds hold and stands before its first such row.
func (c *cursor) nextBlock(preds []statePred) (bool, error) {
	for {
		c.from += vec.BlockRows
		if c.from >= c.rows {
			return false, nil
		}
		n := min(vec.BlockRows, c.rows-c.from)
		c.sel = c.sel.Resize(n)
		c.sel.Fill(n)
		for _, p := range preds {
			if err := c.cols[p.col].Filter(c.from, c.from+n, &p.pred, c.sel); err != nil {
				return false, err
			}
		}
		if c.sel.Count() == 0 {
			continue
		}
		for i := range c.cols {
			if err := c.cols[i].Read(c.from, c.from+n, &c.block[i]); err != nil {
				return false, err
			}
		}
		c.at = -1
		return c.advance(preds)
	}
}

// advance moves to the next selected row; false at the end of the group.
func (c *cursor) advance(preds []statePred) (bool, error) {
	n := min(vec.BlockRows, c.rows-c.from)
	for c.at++; c.at < n; c.at++ {
		if c.sel.Get(c.at) {
			c.key = c.appendKey(c.key[:0])
			return true, nil
		}
	}
	return c.nextBlock(preds)
}

// appendKey appends the row's key in a form whose byte order is the sort order. Texts hold no NUL.
func (c *cursor) appendKey(dst []byte) []byte {
	for i := range keyCols {
		if i == colDate {
			dst = binary.BigEndian.AppendUint64(dst, uint64(c.block[i].Int(c.at))^(1<<63))
			continue
		}
		dst = append(dst, c.block[i].Bytes(c.at)...)
		dst = append(dst, 0)
	}
	return dst
}

// merger yields the union of sorted groups with equal keys added, or subtracted. A key of which nothing is left is left
// out.
type merger struct {
	err   error
	heap  cursorHeap
	preds []statePred
	key   []byte
	sum   sketch.Histogram
	one   sketch.Histogram
	buf   []byte
}

func newMerger(plus, minus []column.Group, preds []statePred) (*merger, error) {
	m := &merger{preds: preds}
	for i, g := range append(plus[:len(plus):len(plus)], minus...) {
		c, err := newCursor(g, i, preds)
		if err != nil {
			return nil, err
		}
		if c != nil {
			c.minus = i >= len(plus)
			m.heap = append(m.heap, c)
		}
	}
	heap.Init(&m.heap)
	return m, nil
}

// next appends the next key's state to rows; false at the end or on an error.
func (m *merger) next(rows *stateVectors) bool {
	for len(m.heap) > 0 && m.err == nil {
		if ok := m.take(rows); ok || m.err != nil {
			return ok
		}
	}
	return false
}

// take appends the least key's state; false if nothing is left of it, or on an error.
func (m *merger) take(rows *stateVectors) bool {
	c := m.heap[0]
	if c.minus { // of nothing
		m.step(c)
		return false
	}
	for i := range keyCols {
		rows[i].AppendFrom(&c.block[i], c.at)
	}
	count, fraction := c.block[colCount].Int(c.at), c.block[colFraction].Float(c.at)
	m.buf = append(m.buf[:0], c.block[colHistogram].Bytes(c.at)...)
	m.key = append(m.key[:0], c.key...)
	if !m.step(c) {
		return false
	}
	if len(m.heap) > 0 && bytes.Equal(m.heap[0].key, m.key) {
		if !m.addEqual(&count, &fraction) {
			return false
		}
	}
	if count <= 0 {
		rows.dropKey()
		return false
	}
	rows[colCount].AppendInt(count)
	rows[colFraction].AppendFloat(fraction)
	rows[colHistogram].AppendBytes(m.buf)
	return true
}

// addEqual adds the states at the top that have m.key to count, fraction, and the histogram in m.buf, and then subtracts
// those that are to be subtracted, which come last.
func (m *merger) addEqual(count *int64, fraction *float64) bool {
	if m.err = m.sum.Decode(m.buf); m.err != nil {
		return false
	}
	for len(m.heap) > 0 && bytes.Equal(m.heap[0].key, m.key) {
		c := m.heap[0]
		n, f := c.block[colCount].Int(c.at), c.block[colFraction].Float(c.at)
		if m.err = m.one.Decode(c.block[colHistogram].Bytes(c.at)); m.err != nil {
			return false
		}
		if c.minus {
			*count, *fraction = *count-n, *fraction-f
			m.err = m.sum.Subtract(&m.one)
		} else {
			*count, *fraction = clampedAdd(*count, n), *fraction+f
			m.err = m.sum.Merge(&m.one)
		}
		if m.err != nil {
			return false
		}
		if !m.step(c) {
			return false
		}
	}
	m.buf = m.sum.AppendTo(m.buf[:0])
	return true
}

// step moves the top cursor on; false on an error.
func (m *merger) step(c *cursor) bool {
	ok, err := c.advance(m.preds)
	switch {
	case err != nil:
		m.err = err
		return false
	case ok:
		heap.Fix(&m.heap, 0)
	default:
		heap.Pop(&m.heap)
	}
	return true
}

type cursorHeap []*cursor

func (h cursorHeap) Len() int { return len(h) }
func (h cursorHeap) Less(i, j int) bool {
	if c := bytes.Compare(h[i].key, h[j].key); c != 0 {
		return c < 0
	}
	return h[i].ord < h[j].ord
}
func (h cursorHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is part of heap.Interface; a merge only removes.
func (h *cursorHeap) Push(x any) { *h = append(*h, x.(*cursor)) }

// Pop implements heap.Interface.
func (h *cursorHeap) Pop() any {
	c := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return c
}
