package datum

import (
	"time"

	"github.com/telemdb/telemdb/storage/types"
)

// IntervalStyle is the setting intervalstyle.
type IntervalStyle uint8

// The interval styles.
const (
	IntervalPostgres IntervalStyle = iota
	IntervalISO8601
	IntervalSQLStandard
	IntervalVerbose
)

// DateOrder is how an ambiguous date such as 1/2/2016 is read: the second half of the setting datestyle.
type DateOrder uint8

// The date orders.
const (
	OrderMDY DateOrder = iota
	OrderDMY
	OrderYMD
)

// Format is what a session says about text forms. The zero value is PostgreSQL's default in UTC. Dates are always
// written in ISO style.
type Format struct {
	Zone          *time.Location // nil: UTC
	ByteaEscape   bool           // bytea_output = escape
	FloatRounded  bool           // extra_float_digits <= 0: FloatDigits significant digits instead of the shortest exact form
	FloatDigits   int            // 15 + extra_float_digits for double precision, 9 less for real
	IntervalStyle IntervalStyle
	DateOrder     DateOrder
	Now           int64 // microseconds since 1970: what 'now' and 'today' mean
	// Reg prints an object id for the reg* kinds, and RegID is its inverse; nil, or ok false, leaves the number.
	Reg   func(k types.Kind, oid uint32) (string, bool)
	RegID func(k types.Kind, name string) (uint32, error)
}

// Default is the format of a fresh session in UTC.
var Default = &Format{}

func (f *Format) zone() *time.Location {
	if f == nil || f.Zone == nil {
		return time.UTC
	}
	return f.Zone
}

// SetExtraFloatDigits applies the setting extra_float_digits, -15..3.
func (f *Format) SetExtraFloatDigits(n int) {
	f.FloatRounded, f.FloatDigits = n <= 0, 15+n
}

// ParseIntervalStyle reads the setting; ok is false for an unknown word.
func ParseIntervalStyle(s string) (st IntervalStyle, ok bool) {
	switch s {
	case "postgres":
		return IntervalPostgres, true
	case "iso_8601":
		return IntervalISO8601, true
	case "sql_standard":
		return IntervalSQLStandard, true
	case "postgres_verbose":
		return IntervalVerbose, true
	}
	return 0, false
}
