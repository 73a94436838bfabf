package column

import (
	"errors"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// ErrCorrupt is what errors of reading match (errors.Is) when bytes on disk are not what was written. The error itself
// names the file and the offset.
var ErrCorrupt = errors.New("corrupt")

// Source is one table at one moment: an immutable list of row groups, sealed and not yet sealed, in a fixed order
// (partition, then file, then position; the head last), so that one plan gives one answer to the last bit. It stays
// readable until whoever made it (the snapshot) is released.
type Source interface {
	Table() *types.Table
	Morsels() []Morsel
}

// Morsel is one row group of a Source: the unit of scheduling. Its methods may be called from several goroutines.
type Morsel interface {
	Rows() int
	// Origin names where the rows live, for EXPLAIN and errors: "segment 17 group 3", "head".
	Origin() string
	// Partition is the submission date (days since 1970-01-01) all rows share; ok is false if there is none.
	Partition() (days int64, ok bool)
	// Stats returns what the manifest knows of a top-level column (one whose path has no keys), without opening the
	// file; ok is false if it knows nothing. Every value of the column in this morsel lies within the bounds.
	Stats(column string) (s Stats, ok bool)
	// Deleted returns the rows that have been deleted at this moment: a bit for each of Rows, nil if there is none. They
	// are still in the group; whoever reads rows leaves them out. Statistics may still count them. Not to be changed.
	Deleted() vec.Bitmap
	// MayHold reports false only if no row has a value of the top-level column that passes p. It asks filters and sets of
	// distinct values, which costs at most one small read; true where there are none for the column.
	MayHold(column string, p *Pred) (bool, error)
	// Open reads the directory, if it is not cached, and returns the rows. The group stays valid until the source's
	// owner is released.
	Open() (Group, error)
}
