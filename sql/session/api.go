// Package session is a SQL session: settings, transactions, prepared statements, and the way from a statement's text to
// a stream of batches. This file is what its users see (the wire protocol, the embedded API, HTTP); database.go is what
// it asks of the database below.
package session

import (
	"context"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Column describes a result column.
type Column struct {
	Name     string
	Type     types.Type
	TableOID uint32 // of a plain column reference; 0 otherwise
	Attr     int16
}

// Conn is one session. Its methods are called from one goroutine at a time, but for Cancel. All errors are
// *sqlstate.Error; a position counts characters from the beginning of the query string that Split was given, whatever
// statement of it fails.
type Conn interface {
	// Split parses a query string, which may hold several statements (or none). A syntax error in any of them is an
	// error of the whole, with the position in characters.
	Split(query string) ([]Statement, error)
	// Prepare binds one statement. params are the declared types by oid, 0 for unknown; more may be inferred.
	Prepare(ctx context.Context, s Statement, params []uint32) (Prepared, error)
	// Named statements; protocol and SQL PREPARE share them. Store fails with 42P05 if the name is taken.
	Store(name string, p Prepared) error
	Lookup(name string) (Prepared, error) // 26000
	Drop(name string)
	// TxStatus is the byte of ReadyForQuery: 'I', 'T' or 'E'.
	TxStatus() byte
	// EndBatch ends the implicit transaction of a simple query or of the statements before a Sync: commits it, or
	// drops it if failed. It does nothing inside BEGIN … COMMIT. fail marks an explicit transaction as failed.
	EndBatch(ctx context.Context, failed bool) error
	// Reported returns the settings to announce by ParameterStatus that changed since the last call; the first call
	// returns them all.
	Reported() []Setting
	// Notices returns and forgets the notices of the last statement.
	Notices() []Notice
	// Format is how the session's settings write and read values as text, with the names of reg* values. It changes with
	// SET, so it is asked for before each result; the value is not changed after it was handed out.
	Format() *datum.Format
	// Cancel makes the running statement fail with 57014, now or at its next look; nothing happens if none runs. A
	// result that is open and not at its end is running. reason is the error's message: "canceling statement due to
	// user request". Safe from any goroutine.
	Cancel(reason string)
	Close()
}

// Setting is a run-time parameter and its value.
type Setting struct{ Name, Value string }

// Notice is a message below an error.
type Notice struct{ Severity, Code, Message, Hint string }

// Statement is one parsed statement.
type Statement interface {
	Text() string
	// Offset is where the statement begins in the query string, in characters.
	Offset() int
	Empty() bool
}

// Prepared is a bound statement. It survives DDL: executing it binds again, and a changed result shape is error 0A000
// "cached plan must not change result type".
type Prepared interface {
	Params() []types.Type
	// Columns is nil for a statement that returns no rows.
	Columns() []Column
	// Execute starts the statement. args are one-row vectors of the Params types. The Result is to be closed.
	Execute(ctx context.Context, args []*vec.Vector) (Result, error)
}

// Result is a running statement.
type Result interface {
	Columns() []Column
	// Next returns the next rows, nil at the end. The batch is valid until the next call, and has no Sel.
	Next() (*vec.Batch, error)
	// Tag is the command tag, known after the end: "SELECT 3", "INSERT 0 1", "CREATE TABLE". For results read in parts
	// the caller counts rows itself.
	Tag() string
	// CopyIn is not nil for COPY … FROM STDIN: the caller feeds it and then asks for Tag.
	CopyIn() CopyIn
	// CopyOut is not nil for COPY … TO STDOUT: the caller drains it instead of Next.
	CopyOut() CopyOut
	Close() error
}

// CopyIn takes the raw bytes of a COPY FROM STDIN, cut anywhere.
type CopyIn interface {
	Format() CopyFormat
	Write(p []byte) error
	Done() error              // the rows become visible with the statement's transaction
	Fail(reason string) error // error 57014
}

// CopyOut gives the raw bytes of a COPY TO STDOUT, one row at a time; nil at the end.
type CopyOut interface {
	Format() CopyFormat
	Next() ([]byte, error)
}

// CopyFormat is what CopyInResponse and CopyOutResponse tell.
type CopyFormat struct {
	Binary  bool
	Columns int
}

// Options opens a session.
type Options struct {
	User, Database string
	PID            int32
	Remote         string
	End            func()            // ends the client's connection; nil: there is none. Called from any goroutine
	Settings       map[string]string // from the start-up packet or the DSN; an unknown one is FATAL 42704
}
