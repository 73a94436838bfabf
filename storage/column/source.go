package column

import "github.com/telemdb/telemdb/storage/types"

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
	// Open reads the directory, if it is not cached, and returns the rows. The group stays valid until the source's
	// owner is released.
	Open() (Group, error)
}
