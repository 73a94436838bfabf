package compact

import (
	"context"
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

// Sort orders rows of the given groups by a sort key. Rows of equal keys keep their order. When ctx ends it stops soon, with
// its error; the rows are in any order then.
func Sort(ctx context.Context, src []column.Group, rows []segment.RowRef, key []KeyCol) error {
	if len(key) == 0 || len(rows) < 2 {
		return nil
	}
	keys := make([]*Keys, len(src))
	for i, g := range src {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if keys[i], err = ReadKeys(g, key); err != nil {
			return err
		}
	}
	compare := func(a, b segment.RowRef) int {
		return keys[a.Group].Compare(int(a.Row), keys[b.Group], int(b.Row))
	}
	for from := 0; from < len(rows); from += sortedRun {
		if err := ctx.Err(); err != nil {
			return err
		}
		slices.SortStableFunc(rows[from:min(from+sortedRun, len(rows))], compare)
	}
	return mergeRuns(ctx, rows, sortedRun, compare)
}

// sortedRun is how many rows are sorted, or merged, between two looks at whether they are still wanted.
const sortedRun = 16 << 10

// mergeRuns makes one sorted run of runs of so many rows, the earlier of equal rows first.
func mergeRuns(ctx context.Context, rows []segment.RowRef, run int, compare func(a, b segment.RowRef) int) error {
	from, to := rows, []segment.RowRef(nil)
	if run < len(rows) {
		to = make([]segment.RowRef, len(rows))
	}
	for ; run < len(rows); run *= 2 {
		for start := 0; start < len(rows); start += 2 * run {
			middle, end := min(start+run, len(rows)), min(start+2*run, len(rows))
			if err := mergeTwo(ctx, to[start:end], from[start:middle], from[middle:end], compare); err != nil {
				return err
			}
		}
		from, to = to, from
	}
	if &from[0] != &rows[0] {
		copy(rows, from)
	}
	return nil
}

// mergeTwo merges a and b, which comes behind a, into to.
func mergeTwo(ctx context.Context, to, a, b []segment.RowRef, compare func(a, b segment.RowRef) int) error {
	for i := range to {
		if i%sortedRun == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if len(b) == 0 || len(a) > 0 && compare(a[0], b[0]) <= 0 {
			to[i], a = a[0], a[1:]
		} else {
			to[i], b = b[0], b[1:]
		}
	}
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
