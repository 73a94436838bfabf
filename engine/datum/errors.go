package datum

import (
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
)

// errSyntax is 22P02: the text is no value of the type.
func errSyntax(k types.Kind, s []byte) error {
	return sqlstate.New(sqlstate.InvalidText, "invalid input syntax for type %s: \"%s\"", typeWord(k), s)
}

// errTextRange is 22003: the text is a number outside the type.
func errTextRange(k types.Kind, s []byte) error {
	if k == types.Float32 || k == types.Float64 {
		return sqlstate.New(sqlstate.NumericOutOfRange, "\"%s\" is out of range for type %s", s, typeWord(k))
	}
	return sqlstate.New(sqlstate.NumericOutOfRange, "value \"%s\" is out of range for type %s", s, typeWord(k))
}

// ErrRange is the overflow of a computation: "integer out of range".
func ErrRange(k types.Kind) error {
	return sqlstate.New(sqlstate.NumericOutOfRange, "%s out of range", rangeWord(k))
}

// ErrDivZero is 22012.
func ErrDivZero() error { return sqlstate.New(sqlstate.DivisionByZero, "division by zero") }

// typeWord is the name PostgreSQL's input functions use in messages, which leave out the time zone part.
func typeWord(k types.Kind) string {
	switch k {
	case types.Timestamp:
		return "timestamp"
	case types.Time:
		return "time"
	}
	return k.String()
}

func rangeWord(k types.Kind) string {
	switch k {
	case types.OID:
		return "OID"
	case types.Float32, types.Float64:
		return "value"
	}
	return typeWord(k)
}

func errDateSyntax(k types.Kind, s []byte) error {
	return sqlstate.New(sqlstate.InvalidDatetime, "invalid input syntax for type %s: \"%s\"", typeWord(k), s)
}

func errDateField(s []byte) error {
	return sqlstate.New(sqlstate.DatetimeOverflow, "date/time field value out of range: \"%s\"", s)
}

func errDateRange(k types.Kind, s []byte) error {
	return sqlstate.New(sqlstate.DatetimeOverflow, "%s out of range: \"%s\"", typeWord(k), s)
}

// ErrDateRange is the overflow of date arithmetic: "timestamp out of range".
func ErrDateRange(k types.Kind) error {
	return sqlstate.New(sqlstate.DatetimeOverflow, "%s out of range", dateRangeWord(k))
}

func dateRangeWord(k types.Kind) string {
	switch k {
	case types.Timestamptz:
		return "timestamp"
	}
	return typeWord(k)
}

func errZoneDisplacement(s []byte) error {
	return sqlstate.New("22009", "time zone displacement out of range: \"%s\"", s)
}
