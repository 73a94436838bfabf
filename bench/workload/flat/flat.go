// Package flat is the workload telemetry-flat: rows of the shape of main_summary, one for each subsession a browser
// reported, and the questions that were asked of them every day.
//
// What is realistic about the rows: a client keeps its channel, system, country and hardware, comes back on other days (or
// does not), and uses the browser more or less than others by orders of magnitude; dimensions are skewed; measures have
// heavy tails; NULLs are between none and 99 % of a column; builds follow each other and clients update late.
package flat

import (
	"io"

	"github.com/telemdb/telemdb/bench/workload"
)

const (
	// Scale is how many rows the table has unless another number is asked for.
	Scale = 64 << 20

	days     = 32
	firstDay = 20514 // 2026-03-02, a Monday, in days since 1970-01-01
	seed     = 20260302

	dayMicros = 86400_000_000
)

// Workload returns the tables and queries at a scale in rows; 0 is Scale.
func Workload(scale int64) *workload.Workload {
	if scale <= 0 {
		scale = Scale
	}
	return &workload.Workload{
		Name:    "flat",
		Title:   "telemetry-flat: subsessions of browsers, in the shape of main_summary",
		Scale:   scale,
		Tables:  []workload.Table{mainSummary(), countriesTable(), buildsTable()},
		Queries: queries(newGenerator(scale)),
	}
}

func mainSummary() workload.Table {
	return workload.Table{
		Name:    "main_summary",
		Columns: columns,
		SortKey: []string{"channel", "sample_id", "client_id", "submission_timestamp"},
		Rows:    func(scale int64) int64 { return scale },
		CSV:     writeRows,
	}
}

// chunk is about how many bytes are handed to a writer at a time.
const chunk = 256 << 10

func writeRows(w io.Writer, scale int64, shard, of int) error {
	g := newGenerator(scale)
	from, to := scale*int64(shard)/int64(of), scale*int64(shard+1)/int64(of)
	buf := make([]byte, 0, chunk+4096)
	for i := from; i < to; i++ {
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
