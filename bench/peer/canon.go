package peer

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Canonical returns the text of a Go value of a result in the form that Kind describes, nil for NULL. kind is what the
// engine's type says.
func Canonical(v any, kind Kind) (*string, error) {
	var text string
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		text = "0"
		if v {
			text = "1"
		}
	case int8, int16, int32, int64, int, uint8, uint16, uint32, uint64, uint:
		text = fmt.Sprint(v)
	case *big.Int:
		text = v.String()
	case float32:
		text = floatText(float64(v), 32)
	case float64:
		text = floatText(v, 64)
	case time.Time:
		text = timeText(v)
	case string:
		text = v
		if kind == Float || kind == Int {
			text = trimZeros(v)
		}
	case []byte:
		text = string(v)
	default:
		return nil, fmt.Errorf("a result of Go type %T (%v) has no canonical form", v, v)
	}
	return &text, nil
}

func floatText(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, bits), "+") + "inity"
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}

func timeText(t time.Time) string {
	t = t.UTC()
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04:05.999999")
}

// trimZeros takes the zeros from the end of a decimal number's fraction: 1.500 is 1.5.
func trimZeros(s string) string {
	if !strings.Contains(s, ".") || strings.ContainsAny(s, "eE") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
