package storage

import (
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// What the store calls and others provide. The root package plugs them in.

// DecodeEnv is what the store offers a decoder.
type DecodeEnv struct {
	Paths *column.Interner
	// ColumnFor returns the column of table that holds a document's top-level member. The first call for a member
	// claims the column named want for it; ok is false where that name belongs to another member or to the server, or
	// the table has its cap of columns: the member then goes to additional_properties. Safe for concurrent use.
	ColumnFor func(table types.TableName, member, want string) (ok bool)
	// Admit tells why submissions can have no table of that name: it is a user's table or view, or there are too many
	// tables. nil for a table that is there or may be made. The decoder makes an error row of what is not admitted. Safe
	// for concurrent use; costs a map lookup.
	Admit func(table types.TableName) error
}

// Decoder turns log records into rows. It is deterministic: the same payload and LSN give rows that are equal in SQL.
type Decoder interface {
	// Route tells, from the envelope alone, into which table the record's row would go if it is valid. It costs well
	// under a microsecond and never fails: what has no table routes to telemdb.errors.
	Route(payload []byte) types.TableName
	// NewWorker returns a decoder for one goroutine; it owns scratch memory.
	NewWorker() DecodeWorker
}

// DocumentKeyer is what a Decoder has besides if a replay may turn rows into errors: it tells the deduplication key of a
// row that is there, so that a repeat of the document can be stored.
type DocumentKeyer interface {
	DocumentKey(table types.TableName, documentID string) []byte
}

// DecodeWorker decodes one record at a time.
type DecodeWorker interface {
	// Decode fills out, which has been Reset. It cannot fail: what is wrong with a document becomes an error row.
	Decode(payload []byte, lsn uint64, out *Decoded)
	// Duplicate fills row, which has been Reset, with the telemdb.duplicates row of a record whose key record first
	// holds.
	Duplicate(payload []byte, lsn, first uint64, row *column.RowBuf)
}

// Decoded is the outcome of one record. Row includes every column, _lsn and submission_date too.
type Decoded struct {
	Table     types.TableName // telemdb.errors if the document was refused
	Row       column.RowBuf
	Key       []byte // deduplication key; empty: never a duplicate
	Partition int64  // submission_date, days since 1970-01-01
}

// Reset empties d, keeping its memory.
func (d *Decoded) Reset() {
	d.Table = types.TableName{}
	d.Row.Reset()
	d.Key = d.Key[:0]
	d.Partition = 0
}

// Rollup is a continuous roll-up: a table of states kept equal to a question asked of the raw rows. Build, Merge and
// Subtract are pure functions. What rows have left in the states can be taken away again exactly, so that after a delete the
// states are those of the rows that are left.
type Rollup interface {
	// States is the table its states are stored in (types.TableStates).
	States() *types.Table
	// Source names the table it reads.
	Source() types.TableName
	// Reads lists the paths whose columns, and those below them, are all that Build looks at.
	Reads() []types.Path
	// Build aggregates the given rows of g into states: one row per key, sorted by States().SortKey. nil for no state.
	Build(g column.Group, rows []uint16) ([]column.Group, error)
	// Merge adds equal keys of groups of states, each sorted; the result is sorted.
	Merge(in []column.Group) ([]column.Group, error)
	// Subtract adds equal keys of plus and takes those of minus away. All groups are of states, each sorted; the result is
	// sorted, and has no key of which nothing is left: neither one whose rows are all in minus nor one that plus lacks.
	Subtract(plus, minus []column.Group) ([]column.Group, error)
}
