package segment

import (
	"errors"
	"fmt"
	"strings"

	"github.com/telemdb/telemdb/storage/column"
)

// CorruptError reports bytes of a segment that are not what its writer wrote. It fails the statement that touched them;
// the rest of the segment stays readable.
type CorruptError struct {
	File     string
	Offset   int64
	Section  string // "header", "footer", "directory", "row group 3, column payload.info.uptime (int)"
	Group    int    // row group of Column
	Column   string // path, if the bytes are those of one column
	Expected string
	Found    string
	Err      error // cause, if there is one
}

func (e *CorruptError) Error() string {
	s := fmt.Sprintf("segment %s is corrupt at offset %d, %s", e.File, e.Offset, e.Section)
	if what := e.what(); what != "" {
		s += ": " + what
	}
	return s
}

// what tells the difference without the place.
func (e *CorruptError) what() string {
	var parts []string
	if e.Expected != "" || e.Found != "" {
		parts = append(parts, fmt.Sprintf("expected %s, found %s", e.Expected, e.Found))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

func (e *CorruptError) Unwrap() error { return e.Err }

// Is makes a CorruptError match column.ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == column.ErrCorrupt }

var errPageSize = errors.New("page is too short for its decompressed size")

var errFragmentOrder = errors.New("fragment begins before the end of the one before it")
