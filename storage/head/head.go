// Package head holds the rows that are not sealed yet, as columns that can be asked while they grow.
//
// A Generation is an append-only set of at most 65,536 rows and about 128 MiB of values. It has one appender and any
// number of readers. A column is the ascending positions of the rows that have a value, and the values; neither is
// changed once written, so a reader only has to take the slices' headers under the lock and cut them at the row count
// its snapshot saw: what the appender adds later lies behind the cut. A column that nobody asks for costs a reader
// nothing.
//
// Rows are found by path id (column.Interner) when they are appended and by path when they are read.
package head

import (
	"math"
	"sync"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// Limits of a generation: a row number fits 16 bits, and a seal holds one row group in memory at a time.
const (
	RowsMax  = 1 << 16
	BytesMax = 128 << 20
)

// NoPartition is the partition of rows without one.
const NoPartition = math.MinInt64

// Generation is a growing set of rows. Append may be called from one goroutine at a time, everything else from any.
type Generation struct {
	paths *column.Interner

	mu    sync.RWMutex // held for writing while a row is appended, for reading while slice headers are taken
	cols  []col
	pages map[uint32]*page // path id >> pageBits
	names map[types.Path]uint32

	parts []int64  // partition of each row
	sizes []uint32 // bytes of each row's values
	bytes int64
	one   bool // all rows are of one partition

	index sortedIndex
	hints map[colKey]hint // the appender's; nil if nothing is known
}

// colKey names a column.
type colKey struct {
	path uint32
	leaf types.Leaf
}

// hint is how large a column is likely to become.
type hint struct{ rows, data int }

const (
	pageBits = 8
	pageSize = 1 << pageBits
)

// page maps path ids to 1 + the index of their first column.
type page [pageSize]uint32

// col is one path and leaf kind. Which value slice is used is told by the leaf.
type col struct {
	path uint32
	leaf types.Leaf
	next uint32 // 1 + the index of the next column of the same path

	rows  []uint16
	i64   []int64
	f64   []float64
	bools []bool // not bits: setting a bit would change a word that readers share
	off   []uint32
	data  []byte
}

// NewGeneration returns an empty generation whose rows' paths are ids of in.
func NewGeneration(in *column.Interner) *Generation {
	return &Generation{paths: in, pages: map[uint32]*page{}, names: map[types.Path]uint32{}, one: true}
}

// Next returns an empty generation that goes on where g, which is full, ends. Its columns are given room at once for as
// much as they have in g, and not step by step: growing them costs several copies of every byte.
func (g *Generation) Next() *Generation {
	next := NewGeneration(g.paths)
	g.mu.RLock()
	defer g.mu.RUnlock()
	next.hints = make(map[colKey]hint, len(g.cols))
	for i := range g.cols {
		if c := &g.cols[i]; len(c.rows) >= hintRowsMin {
			next.hints[colKey{c.path, c.leaf}] = hint{roomFor(len(c.rows)), roomFor(len(c.data))}
		}
	}
	return next
}

// hintRowsMin is from how many values on a column is worth a hint: rare ones come at random.
const hintRowsMin = 16

// roomFor leaves a little slack, so that a column that has slightly more than the last time is not copied for it.
func roomFor(n int) int { return n + n/16 }

// Rows returns the number of rows appended so far.
func (g *Generation) Rows() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.parts)
}

// Bytes returns the size of the values appended so far, in memory.
func (g *Generation) Bytes() int64 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.bytes
}

// Fits reports whether a row of about size bytes may be appended. A row that is larger than a generation fits an empty
// one.
func (g *Generation) Fits(size int64) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.parts) == 0 || len(g.parts) < RowsMax && g.bytes+size <= BytesMax
}

// SizeOf estimates what a row will add to a generation's bytes.
func SizeOf(row *column.RowBuf) int64 {
	return int64(len(row.Values))*valueBytes + int64(len(row.Arena))
}

// valueBytes is what a value costs beside its arena bytes: a position and a number, or a position and an offset, and the
// slack of growing slices.
const valueBytes = 14

// Append adds a row of a partition (days since 1970-01-01, or NoPartition). The row's memory may be reused afterwards.
// A path with two values of one leaf kind keeps the last.
func (g *Generation) Append(row *column.RowBuf, partition int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := uint16(len(g.parts))
	if len(g.parts) > 0 && g.parts[0] != partition {
		g.one = false
	}
	size := SizeOf(row)
	g.parts = append(g.parts, partition)
	g.sizes = append(g.sizes, uint32(min(size, math.MaxUint32)))
	g.bytes += size
	for i := range row.Values {
		v := &row.Values[i]
		c := g.colLocked(v.Path, v.Leaf)
		if n := len(c.rows); n > 0 && c.rows[n-1] == r {
			c.dropLast()
		}
		c.rows = append(c.rows, r)
		switch v.Leaf {
		case types.LeafInt:
			c.i64 = append(c.i64, int64(v.Num))
		case types.LeafFloat:
			c.f64 = append(c.f64, math.Float64frombits(v.Num))
		case types.LeafBool:
			c.bools = append(c.bools, v.Num != 0)
		default:
			c.data = append(c.data, row.Data(*v)...)
			c.off = append(c.off, uint32(len(c.data)))
		}
	}
}

// dropLast forgets the value of the row that is being appended: no reader sees it yet.
func (c *col) dropLast() {
	n := len(c.rows) - 1
	c.rows = c.rows[:n]
	switch c.leaf {
	case types.LeafInt:
		c.i64 = c.i64[:n]
	case types.LeafFloat:
		c.f64 = c.f64[:n]
	case types.LeafBool:
		c.bools = c.bools[:n]
	default:
		c.off = c.off[:n+1]
		c.data = c.data[:c.off[n]]
	}
}

// colLocked finds or makes a column.
func (g *Generation) colLocked(path uint32, leaf types.Leaf) *col {
	p := g.pages[path>>pageBits]
	if p == nil {
		p = &page{}
		g.pages[path>>pageBits] = p
	}
	slot := &p[path&(pageSize-1)]
	if *slot == 0 {
		g.names[g.paths.Path(path)] = path
	}
	for i := *slot; i != 0; i = g.cols[i-1].next {
		if g.cols[i-1].leaf == leaf {
			return &g.cols[i-1]
		}
	}
	c := col{path: path, leaf: leaf, next: *slot}
	c.reserve(g.hints[colKey{path, leaf}])
	if leaf.Phys() == types.PhysBytes {
		c.off = append(c.off, 0)
	}
	g.cols = append(g.cols, c)
	*slot = uint32(len(g.cols))
	return &g.cols[len(g.cols)-1]
}

// reserve makes room for what a column is likely to hold.
func (c *col) reserve(h hint) {
	if h.rows == 0 {
		return
	}
	c.rows = make([]uint16, 0, h.rows)
	switch c.leaf.Phys() {
	case types.PhysInt64:
		c.i64 = make([]int64, 0, h.rows)
	case types.PhysFloat64:
		c.f64 = make([]float64, 0, h.rows)
	case types.PhysBool:
		c.bools = make([]bool, 0, h.rows)
	default:
		c.off = make([]uint32, 0, h.rows+1)
		c.data = make([]byte, 0, h.data)
	}
}

// Partition returns the partition all rows share; ok is false if they do not, or have none.
func (g *Generation) Partition() (days int64, ok bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if len(g.parts) == 0 || !g.one || g.parts[0] == NoPartition {
		return 0, false
	}
	return g.parts[0], true
}

// Places returns the partition and the size in bytes of each of the first n rows. The slices are not to be changed.
func (g *Generation) Places(n int) (partitions []int64, sizes []uint32) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.parts[:n:n], g.sizes[:n:n]
}
