package datum

import (
	"fmt"

	"github.com/telemdb/telemdb/storage/types"
)

// TypMod returns PostgreSQL's type modifier as it travels on the wire: -1 for none.
func TypMod(t types.Type) int32 { return t.Mod - 1 }

// WithTypMod returns t with PostgreSQL's type modifier, -1 for none.
func WithTypMod(t types.Type, mod int32) types.Type {
	t.Mod = 0
	if mod >= 0 {
		t.Mod = mod + 1
	}
	return t
}

// FormatType prints a type with its modifier, as format_type does: "character varying(32)", "numeric(12,3)",
// "timestamp(3) with time zone".
func FormatType(t types.Type) string {
	if t.Kind == types.Array {
		return FormatType(types.Type{Kind: t.Elem, Mod: t.Mod}) + "[]"
	}
	m := TypMod(t)
	if m < 0 {
		if t.Kind == types.BPChar {
			return "character"
		}
		return t.Kind.String()
	}
	switch t.Kind {
	case types.Varchar, types.BPChar:
		return fmt.Sprintf("%s(%d)", t.Kind, m-4)
	case types.Numeric:
		p, s := NumericMod(m)
		return fmt.Sprintf("numeric(%d,%d)", p, s)
	case types.Time:
		return fmt.Sprintf("time(%d) without time zone", m)
	case types.Timestamp:
		return fmt.Sprintf("timestamp(%d) without time zone", m)
	case types.Timestamptz:
		return fmt.Sprintf("timestamp(%d) with time zone", m)
	case types.Interval:
		return formatIntervalType(m)
	}
	return t.Kind.String()
}

// MakeNumericMod packs numeric(precision, scale).
func MakeNumericMod(precision, scale int) int32 { return int32(precision<<16|scale&0x7ff) + 4 }

// NumericMod unpacks a numeric's modifier. The scale is 11 bits with a sign, as since PostgreSQL 15.
func NumericMod(mod int32) (precision, scale int) {
	m := mod - 4
	return int(m>>16) & 0xffff, int((m&0x7ff)^1024) - 1024
}

// Interval field bits of a modifier's upper half, by PostgreSQL's numbering of datetime fields.
const (
	fieldMonth, fieldYear, fieldDay          = 1 << 1, 1 << 2, 1 << 3
	fieldHour, fieldMinute, fieldSecond      = 1 << 10, 1 << 11, 1 << 12
	intervalFullRange, intervalFullPrecision = 0x7fff, 0xffff
)

var intervalFieldNames = map[int32]string{
	fieldYear: " year", fieldMonth: " month", fieldDay: " day", fieldHour: " hour", fieldMinute: " minute",
	fieldSecond: " second", fieldYear | fieldMonth: " year to month", fieldDay | fieldHour: " day to hour",
	fieldDay | fieldHour | fieldMinute: " day to minute", fieldDay | fieldHour | fieldMinute | fieldSecond: " day to second",
	fieldHour | fieldMinute: " hour to minute", fieldHour | fieldMinute | fieldSecond: " hour to second",
	fieldMinute | fieldSecond: " minute to second",
}

func formatIntervalType(m int32) string {
	s := "interval" + intervalFieldNames[m>>16&intervalFullRange]
	if p := m & 0xffff; p != intervalFullPrecision {
		s += fmt.Sprintf("(%d)", p)
	}
	return s
}
