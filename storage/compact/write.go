package compact

import (
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
)

// Limits of a row group, and so of what a merge holds in memory.
const (
	GroupRows  = 1 << 16
	GroupBytes = 128 << 20
)

// Sink takes row groups; *segment.Writer is one.
type Sink interface {
	AddGroup(src []column.Group, rows []segment.RowRef) error
}

// Sort orders rows of the given groups by a sort key. Rows of equal keys keep their order.
func Sort(src []column.Group, rows []segment.RowRef, key []KeyCol) error {
	if len(key) == 0 || len(rows) < 2 {
		return nil
	}
	keys := make([]*Keys, len(src))
	for i, g := range src {
		var err error
		if keys[i], err = ReadKeys(g, key); err != nil {
			return err
		}
	}
	slices.SortStableFunc(rows, func(a, b segment.RowRef) int {
		return keys[a.Group].Compare(int(a.Row), keys[b.Group], int(b.Row))
	})
	return nil
}

// Write cuts rows into row groups and gives them to w in order. size returns the bytes of a row's values.
func Write(w Sink, src []column.Group, rows []segment.RowRef, size func(segment.RowRef) int64) error {
	from, bytes := 0, int64(0)
	for i, r := range rows {
		n := size(r)
		if i > from && (i-from == GroupRows || bytes+n > GroupBytes) {
			if err := w.AddGroup(src, rows[from:i]); err != nil {
				return err
			}
			from, bytes = i, 0
		}
		bytes += n
	}
	if from == len(rows) {
		return nil
	}
	return w.AddGroup(src, rows[from:])
}
