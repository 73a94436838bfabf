// Package hits is a workload of the kind of ClickBench: one wide table of page views, as a web analytics service keeps
// them, and the 43 questions that analytical databases are compared by.
//
// The schema has the columns and types of the public table, under names of our own spelling; the rows are synthetic. Their
// cardinalities and skew are those that are publicly known of 100 M rows of it, in proportion: users are 17 % of the rows,
// addresses 18 %, referrers 20 %, titles 9 %; 87 % of the search phrases are empty, and 45 % of the others are of their
// own; 6,500 counters of which the first have 10 % and 5 % of the rows and number 62 has 0.75 %; 9,000 regions; 0.6 %
// advertised, 6 % mobile. The statements are written anew; what they ask is what the public ones ask. Where those name a
// value (an address, a user, a hash, a number of rows), ours name one that these rows have.
package hits

import (
	"io"

	"github.com/telemdb/telemdb/bench/workload"
)

const (
	// Scale is how many rows the table has unless another number is asked for. The public one has tenfold.
	Scale = 10_000_000
	// publicRows is how many the public table has about: thresholds and offsets of the questions are in proportion.
	publicRows = 100_000_000

	days      = 31
	firstDay  = 15887 // 2013-07-01 in days since 1970-01-01
	seed      = 20130701
	dayMicros = 86400_000_000
)

// Workload returns the table and queries at a scale in rows; 0 is Scale.
func Workload(scale int64) *workload.Workload {
	if scale <= 0 {
		scale = Scale
	}
	return &workload.Workload{
		Name:  "hits",
		Title: "hits: page views, with the schema, skew and 43 questions of ClickBench",
		Scale: scale,
		Tables: []workload.Table{{
			Name:    "hits",
			Columns: columns,
			SortKey: []string{"counter_id", "event_date", "user_id", "event_time", "watch_id"},
			Rows:    func(scale int64) int64 { return scale },
			CSV:     writeRows,
		}},
		Queries: queries(newGenerator(scale)),
	}
}

// chunk is about how many bytes are handed to a writer at a time.
const chunk = 256 << 10

func writeRows(w io.Writer, scale int64, shard, of int) error {
	g := newGenerator(scale)
	buf := make([]byte, 0, chunk+16384)
	for i := scale * int64(shard) / int64(of); i < scale*int64(shard+1)/int64(of); i++ {
		buf = g.appendRow(buf, i)
		if len(buf) >= chunk {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := w.Write(buf)
	return err
}
