package codec

import (
	"errors"
	"fmt"
	"math"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Limits of one chunk.
const (
	MaxRows       = 1 << 16
	MaxValueBytes = 1 << 28 // one value of the bytes class
	MaxChunkBytes = 1 << 31 // all values of the bytes class of one chunk
	blockValues   = vec.BlockRows
)

// ErrTooLarge is returned for values that no chunk can hold.
var ErrTooLarge = errors.New("column values exceed what one row group can hold (2 GiB, 256 MiB for one value); use smaller row groups")

// Values is one column of one row group on its way into a chunk.
type Values struct {
	Leaf types.Leaf
	Rows int
	Pos  []uint16   // rows that have a value, ascending; nil: every row has one
	Vec  vec.Vector // the values alone: flat, no NULLs, of the leaf's physical class
}

// Present returns the number of values.
func (v *Values) Present() int { return v.Vec.N }

// Bytes returns the decoded size: what counts against the bound of a row group.
func (v *Values) Bytes() int64 {
	switch v.Leaf.Phys() {
	case types.PhysBool:
		return int64(v.Vec.N)
	case types.PhysBytes:
		return int64(len(v.Vec.Data)) + 4*int64(v.Vec.N)
	}
	return 8 * int64(v.Vec.N)
}

// Check reports an input that breaks the contract or a limit.
func (v *Values) Check() error {
	n := v.Vec.N
	switch {
	case v.Rows < 1 || v.Rows > MaxRows || n < 1 || n > v.Rows:
		return fmt.Errorf("column chunk of %d values in %d rows: want 1 to rows values, and at most %d rows", n, v.Rows, MaxRows)
	case v.Pos == nil && n != v.Rows, v.Pos != nil && len(v.Pos) != n:
		return fmt.Errorf("column chunk: %d positions for %d values in %d rows", len(v.Pos), n, v.Rows)
	case v.Leaf < types.LeafBool || v.Leaf > types.LeafJSON:
		return fmt.Errorf("column chunk: unknown leaf kind %d", v.Leaf)
	}
	if v.Leaf.Phys() != types.PhysBytes {
		return nil
	}
	if len(v.Vec.Data) > min(MaxChunkBytes, math.MaxInt32) {
		return ErrTooLarge
	}
	for i := range n {
		if v.Vec.Off[i+1]-v.Vec.Off[i] > MaxValueBytes {
			return ErrTooLarge
		}
	}
	return nil
}
