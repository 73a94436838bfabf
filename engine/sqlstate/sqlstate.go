// Package sqlstate is the error every user mistake becomes: a message with a SQLSTATE from birth, rendered but never
// classified by the wire layer.
package sqlstate

import (
	"errors"
	"fmt"
)

// The codes in use (PostgreSQL's appendix A). XX000 is for bugs only.
const (
	FeatureNotSupported    = "0A000"
	ProtocolViolation      = "08P01"
	CardinalityViolation   = "21000"
	StringTruncation       = "22001"
	NumericOutOfRange      = "22003"
	InvalidDatetime        = "22007"
	DatetimeOverflow       = "22008"
	DivisionByZero         = "22012"
	InvalidParameter       = "22023"
	InvalidText            = "22P02"
	InvalidBinary          = "22P03"
	BadCopyFormat          = "22P04"
	InvalidRegex           = "2201B"
	InvalidEscape          = "22025"
	NotNullViolation       = "23502"
	ActiveTransaction      = "25001"
	ReadOnlyTransaction    = "25006"
	NoActiveTransaction    = "25P01"
	FailedTransaction      = "25P02"
	SerializationFailure   = "40001"
	InvalidStatementName   = "26000"
	InvalidCursorName      = "34000"
	InvalidCatalog         = "3D000"
	InvalidSchema          = "3F000"
	Syntax                 = "42601"
	InsufficientPrivilege  = "42501"
	CannotCoerce           = "42846"
	Grouping               = "42803"
	Windowing              = "42P20"
	DatatypeMismatch       = "42804"
	UndefinedColumn        = "42703"
	AmbiguousColumn        = "42702"
	UndefinedFunction      = "42883"
	AmbiguousFunction      = "42725"
	UndefinedTable         = "42P01"
	UndefinedParameter     = "42P02"
	UndefinedObject        = "42704"
	DuplicateColumn        = "42701"
	DuplicateTable         = "42P07"
	DuplicateSchema        = "42P06"
	DuplicateAlias         = "42712"
	DuplicatePrepared      = "42P05"
	DuplicateCursor        = "42P03"
	InvalidColumnReference = "42P10"
	AmbiguousParameter     = "42P08"
	IndeterminateType      = "42P18"
	InvalidTableDefinition = "42P16"
	WrongObjectType        = "42809"
	DependentObjects       = "2BP01"
	DiskFull               = "53100"
	OutOfMemory            = "53200"
	TooManyConnections     = "53300"
	ProgramLimit           = "54000"
	TooComplex             = "54001"
	TooManyColumns         = "54011"
	ObjectNotInState       = "55000"
	QueryCanceled          = "57014"
	AdminShutdown          = "57P01"
	CannotConnectNow       = "57P03"
	IOError                = "58030"
	Internal               = "XX000"
	DataCorrupted          = "XX001"
)

// Error is an error for a SQL client.
type Error struct {
	Code     string
	Message  string
	Detail   string
	Hint     string
	Where    string
	Position int // characters into the statement text, from 1; 0 for none
	cause    error
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// New makes an error with a code.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap gives err a code, keeping its text, unless it carries one already.
func Wrap(code string, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: code, Message: err.Error(), cause: err}
}

// At returns e with the position set, if it has none yet.
func (e *Error) At(pos int) *Error {
	if e.Position == 0 {
		e.Position = pos
	}
	return e
}

// WithHint returns e with a hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithDetail returns e with a detail line.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// Code returns the SQLSTATE of err: its own, or Internal.
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
