// Package peer lets the bench harness measure every engine in the same way: each runs in a process of its own, which reads
// a request as one line of JSON from its standard input and answers with one line on its standard output. What is timed is
// timed inside that process, from the text of a statement to its last row in the process's own memory.
//
// Serve is the engine's side for engines that have a Go interface (telemdb beside it, DuckDB and PostgreSQL in
// bench/peers); ClickHouse's is bench/peers/clickhouse/peer.py. Process is the harness's side.
package peer

// Op is what a request asks for.
type Op string

// The requests, in the order they usually come.
const (
	Open   Op = "open"   // Dir, Threads, Memory: open or make the database. Answer: Version, Formats
	Exec   Op = "exec"   // SQL: run a statement without rows
	Load   Op = "load"   // Table, Columns, File: append a CSV file to a table
	Seal   Op = "seal"   // what was loaded is in the engine's final form and synced to disk
	Settle Op = "settle" // wait until background work is done, bring tables to their best shape
	Query  Op = "query"  // SQL, Format, Repeat, Verify: run a query and fetch all its rows
	Trim   Op = "trim"   // give free memory back to the system, so that RSS is what is in use
	Size   Op = "size"   // Tables: bytes of their data
	Stop   Op = "stop"   // close the database and end the process
)

// Request is one line to a peer.
type Request struct {
	Op          Op       `json:"op"`
	Dir         string   `json:"dir,omitempty"`
	Threads     int      `json:"threads,omitempty"`
	Memory      int64    `json:"memory,omitempty"`       // bytes the engine may use
	QueryMemory int64    `json:"query_memory,omitempty"` // bytes one query may use, where an engine has such a bound; 0: its default
	SQL         string   `json:"sql,omitempty"`
	Table       string   `json:"table,omitempty"`
	Columns     []Column `json:"columns,omitempty"` // of the CSV file, with the engine's types
	File        string   `json:"file,omitempty"`
	Tables      []string `json:"tables,omitempty"`
	Format      string   `json:"format,omitempty"` // one of Response.Formats; "": the first
	Repeat      int      `json:"repeat,omitempty"` // how often the query is run; 0 is once
	Verify      bool     `json:"verify,omitempty"` // send the rows
}

// Column is a column of a file or of a result.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"` // the engine's name of the type
	Kind Kind   `json:"kind,omitempty"`
}

// Kind is how values of a result column are compared.
type Kind string

// The kinds. A boolean is an Int, 0 or 1: not every engine has booleans.
const (
	Int   Kind = "int"   // decimal digits, any length
	Float Kind = "float" // shortest text that reads back as the same float64, or a decimal number; NaN, Infinity, -Infinity
	Text  Kind = "text"
	Time  Kind = "time" // 2006-01-02, or 2006-01-02 15:04:05.999999 in UTC; midnight without the time of day
)

// Response is a peer's answer, one line.
type Response struct {
	Error   string   `json:"error,omitempty"`
	Version string   `json:"version,omitempty"`
	Formats []string `json:"formats,omitempty"` // ways to fetch rows; the harness takes the fastest of each query

	Nanos  []int64 `json:"nanos,omitempty"`  // of each repetition; of exec, load, seal and settle one
	CPU    int64   `json:"cpu,omitempty"`    // nanoseconds of CPU of the engine's processes during all repetitions
	Wall   int64   `json:"wall,omitempty"`   // nanoseconds during which CPU was counted
	Rows   int64   `json:"rows,omitempty"`   // of one repetition; -1 if the format does not tell
	Bytes  int64   `json:"bytes,omitempty"`  // size: of the tables' data on disk
	RSS    int64   `json:"rss,omitempty"`    // resident bytes before the request
	Peak   int64   `json:"peak,omitempty"`   // most resident bytes during it
	Memory int64   `json:"memory,omitempty"` // most bytes the engine itself accounted to the query; 0: it does not say

	Columns []Column    `json:"columns,omitempty"` // verify only
	Data    [][]*string `json:"data,omitempty"`    // verify only: rows of values in canonical form, nil is NULL
}
