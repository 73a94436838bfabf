package datum

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
)

// Interval is a span: months, days and time are kept apart because their lengths vary.
type Interval struct {
	Months int32
	Days   int32
	Micros int64
}

const intervalSize = 16

// GetInterval reads the 16 bytes of a vector value; anything shorter is the zero interval.
func GetInterval(b []byte) Interval {
	if len(b) < intervalSize {
		return Interval{}
	}
	return Interval{
		Micros: int64(binary.LittleEndian.Uint64(b)),
		Days:   int32(binary.LittleEndian.Uint32(b[8:])),
		Months: int32(binary.LittleEndian.Uint32(b[12:])),
	}
}

// Append appends the 16 bytes that vectors of type interval hold.
func (iv Interval) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(iv.Micros))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(iv.Days))
	return binary.LittleEndian.AppendUint32(dst, uint32(iv.Months))
}

// Span returns the interval's length with 30-day months and 24-hour days as whole days and the rest: what order and
// equality go by.
func (iv Interval) Span() (days, micros int64) {
	extra := floorDiv64(iv.Micros, usDay)
	return int64(iv.Months)*30 + int64(iv.Days) + extra, iv.Micros - extra*usDay
}

// Cmp compares the lengths: 1 month equals 30 days.
func (iv Interval) Cmp(o Interval) int {
	d1, u1 := iv.Span()
	d2, u2 := o.Span()
	switch {
	case d1 != d2:
		return cmpInt(d1, d2)
	default:
		return cmpInt(u1, u2)
	}
}

func errInterval() error {
	return sqlstate.New(sqlstate.DatetimeOverflow, "interval out of range")
}

// Add returns iv + o, 22008 on overflow.
func (iv Interval) Add(o Interval) (Interval, error) {
	m, d := int64(iv.Months)+int64(o.Months), int64(iv.Days)+int64(o.Days)
	us, ok := addInt64(iv.Micros, o.Micros)
	if !ok {
		return Interval{}, errInterval()
	}
	return makeInterval(m, d, us)
}

// Neg returns -iv.
func (iv Interval) Neg() (Interval, error) {
	if iv.Micros == math.MinInt64 {
		return Interval{}, errInterval()
	}
	return makeInterval(-int64(iv.Months), -int64(iv.Days), -iv.Micros)
}

// Sub returns iv - o.
func (iv Interval) Sub(o Interval) (Interval, error) {
	n, err := o.Neg()
	if err != nil {
		return Interval{}, err
	}
	return iv.Add(n)
}

func makeInterval(m, d, us int64) (Interval, error) {
	if m != int64(int32(m)) || d != int64(int32(d)) {
		return Interval{}, errInterval()
	}
	return Interval{int32(m), int32(d), us}, nil
}

// Mul returns iv * f. Fractions of months go into days, fractions of days into time.
func (iv Interval) Mul(f float64) (Interval, error) {
	return iv.scale(func(x float64) float64 { return x * f })
}

// Div returns iv / f.
func (iv Interval) Div(f float64) (Interval, error) {
	if f == 0 {
		return Interval{}, ErrDivZero()
	}
	return iv.scale(func(x float64) float64 { return x / f })
}

func (iv Interval) scale(by func(float64) float64) (Interval, error) {
	months, days := by(float64(iv.Months)), by(float64(iv.Days))
	if math.IsNaN(months) || math.Abs(months) > math.MaxInt32 || math.IsNaN(days) || math.Abs(days) > math.MaxInt32 {
		return Interval{}, errInterval()
	}
	m, d := math.Trunc(months), math.Trunc(days)
	monthDays := tsRound((months - m) * 30)
	sec := tsRound((days - d + monthDays - math.Trunc(monthDays)) * 86400)
	if math.Abs(sec) >= 86400 {
		d += math.Trunc(sec / 86400)
		sec -= math.Trunc(sec/86400) * 86400
	}
	d += math.Trunc(monthDays)
	us := math.RoundToEven(by(float64(iv.Micros)) + sec*usSecond)
	if !(math.Abs(us) < math.MaxInt64) {
		return Interval{}, errInterval()
	}
	return makeInterval(int64(m), int64(d), int64(us))
}

// tsRound rounds to a microsecond of a second-like unit, as TSROUND does.
func tsRound(x float64) float64 { return math.RoundToEven(x*1e6) / 1e6 }

// JustifyHours turns each 24 hours into a day; JustifyDays each 30 days into a month.
func (iv Interval) JustifyHours() (Interval, error) {
	whole := iv.Micros / usDay
	us := iv.Micros - whole*usDay
	d := int64(iv.Days) + whole
	if d > 0 && us < 0 {
		us += usDay
		d--
	} else if d < 0 && us > 0 {
		us -= usDay
		d++
	}
	return makeInterval(int64(iv.Months), d, us)
}

// JustifyDays turns each 30 days into a month.
func (iv Interval) JustifyDays() (Interval, error) {
	whole := int64(iv.Days / 30)
	d, m := int64(iv.Days)-whole*30, int64(iv.Months)+whole
	if m > 0 && d < 0 {
		d += 30
		m--
	} else if m < 0 && d > 0 {
		d -= 30
		m++
	}
	return makeInterval(m, d, iv.Micros)
}

// Justify does both and makes all signs equal.
func (iv Interval) Justify() (Interval, error) {
	m, d, us := int64(iv.Months), int64(iv.Days), iv.Micros
	// Days first, so that time does not overflow them.
	if d > 0 && us > 0 || d < 0 && us < 0 {
		w := d / 30
		d -= w * 30
		m += w
	}
	w := us / usDay
	us -= w * usDay
	d += w
	w = d / 30
	d -= w * 30
	m += w
	if m > 0 && (d < 0 || d == 0 && us < 0) {
		d += 30
		m--
	} else if m < 0 && (d > 0 || d == 0 && us > 0) {
		d -= 30
		m++
	}
	if d > 0 && us < 0 {
		us += usDay
		d--
	} else if d < 0 && us > 0 {
		us -= usDay
		d++
	}
	return makeInterval(m, d, us)
}

// Epoch returns the seconds with 365.25-day years and 30-day months, in microseconds; ok is false if they overflow.
func (iv Interval) Epoch() (us float64) {
	y, m := iv.Months/12, iv.Months%12
	secs := float64(y)*365.25*86400 + float64(m)*30*86400 + float64(iv.Days)*86400
	return secs*usSecond + float64(iv.Micros)
}

func cmpInt[T int64 | int32 | int | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// addInt64 reports whether a + b fits.
func addInt64(a, b int64) (int64, bool) {
	s := a + b
	return s, (s > a) == (b > 0)
}

func mulInt64(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	p := a * b
	return p, p/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
}

// AppendInterval appends the text form in the format's style.
func AppendInterval(dst []byte, iv Interval, st IntervalStyle) []byte {
	switch st {
	case IntervalISO8601:
		return appendIntervalISO(dst, iv)
	case IntervalSQLStandard:
		return appendIntervalSQL(dst, iv)
	case IntervalVerbose:
		return appendIntervalVerbose(dst, iv)
	}
	start := len(dst)
	neg := false // the part before was negative: a positive one then needs its sign
	part := func(v int32, unit string) {
		if v == 0 {
			return
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		if neg && v > 0 {
			dst = append(dst, '+')
		}
		dst = strconv.AppendInt(dst, int64(v), 10)
		dst = append(dst, unit...)
		if v != 1 {
			dst = append(dst, 's')
		}
		neg = v < 0
	}
	part(iv.Months/12, " year")
	part(iv.Months%12, " mon")
	part(iv.Days, " day")
	if iv.Micros != 0 || len(dst) == start {
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		if iv.Micros < 0 {
			dst = append(dst, '-')
		} else if neg {
			dst = append(dst, '+')
		}
		dst = appendHours(dst, iv.Micros)
	}
	return dst
}

// clockParts splits |us| into hours (any number), minutes, seconds and microseconds.
func clockParts(us int64) (h, m, s, frac uint64) {
	u := uint64(us)
	if us < 0 {
		u = -u
	}
	return u / usHour, u / usMinute % 60, u / usSecond % 60, u % usSecond
}

// appendHours appends |us| as hh:mm:ss with hours that may exceed two digits.
func appendHours(dst []byte, us int64) []byte {
	h, m, s, frac := clockParts(us)
	if h < 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendUint(dst, h, 10)
	dst = append2(append(dst, ':'), int(m))
	dst = append2(append(dst, ':'), int(s))
	return appendFraction(dst, int64(frac))
}

func appendIntervalISO(dst []byte, iv Interval) []byte {
	if iv == (Interval{}) {
		return append(dst, "PT0S"...)
	}
	part := func(v int64, unit byte) {
		if v != 0 {
			dst = append(strconv.AppendInt(dst, v, 10), unit)
		}
	}
	dst = append(dst, 'P')
	part(int64(iv.Months/12), 'Y')
	part(int64(iv.Months%12), 'M')
	part(int64(iv.Days), 'D')
	if iv.Micros == 0 {
		return dst
	}
	dst = append(dst, 'T')
	h, m, s, frac := clockParts(iv.Micros)
	sign := int64(1)
	if iv.Micros < 0 {
		sign = -1
	}
	part(sign*int64(h), 'H')
	part(sign*int64(m), 'M')
	if s != 0 || frac != 0 {
		if sign < 0 {
			dst = append(dst, '-')
		}
		dst = strconv.AppendUint(dst, s, 10)
		dst = append(appendFraction(dst, int64(frac)), 'S')
	}
	return dst
}

func appendIntervalSQL(dst []byte, iv Interval) []byte {
	y, m := iv.Months/12, iv.Months%12
	hasNeg := iv.Months < 0 || iv.Days < 0 || iv.Micros < 0
	hasPos := iv.Months > 0 || iv.Days > 0 || iv.Micros > 0
	hasYM, hasDay, hasTime := iv.Months != 0, iv.Days != 0, iv.Micros != 0
	if !hasNeg && !hasPos {
		return append(dst, '0')
	}
	abs := func(v int32) int64 { return max(int64(v), -int64(v)) }
	if hasNeg && hasPos || hasYM && (hasDay || hasTime) { // not expressible in the standard: every part signed
		sign := func(neg bool) {
			if neg {
				dst = append(dst, '-')
			} else {
				dst = append(dst, '+')
			}
		}
		sign(iv.Months < 0)
		dst = strconv.AppendInt(dst, abs(y), 10)
		dst = append(dst, '-')
		dst = strconv.AppendInt(dst, abs(m), 10)
		dst = append(dst, ' ')
		sign(iv.Days < 0)
		dst = strconv.AppendInt(dst, abs(iv.Days), 10)
		dst = append(dst, ' ')
		sign(iv.Micros < 0)
		return appendSQLClock(dst, iv.Micros)
	}
	if hasNeg {
		dst = append(dst, '-')
	}
	switch {
	case hasYM:
		dst = strconv.AppendInt(dst, abs(y), 10)
		dst = append(dst, '-')
		return strconv.AppendInt(dst, abs(m), 10)
	case hasDay:
		dst = strconv.AppendInt(dst, abs(iv.Days), 10)
		dst = append(dst, ' ')
	}
	return appendSQLClock(dst, iv.Micros)
}

func appendSQLClock(dst []byte, us int64) []byte {
	h, m, s, frac := clockParts(us)
	dst = strconv.AppendUint(dst, h, 10)
	dst = append2(append(dst, ':'), int(m))
	dst = append2(append(dst, ':'), int(s))
	return appendFraction(dst, int64(frac))
}

func appendIntervalVerbose(dst []byte, iv Interval) []byte {
	dst = append(dst, '@')
	zero, before := true, false
	part := func(v int64, unit string) {
		if v == 0 {
			return
		}
		if zero {
			before = v < 0
			if v < 0 {
				v = -v
			}
		} else if before {
			v = -v
		}
		zero = false
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, v, 10)
		dst = append(dst, unit...)
		if v != 1 {
			dst = append(dst, 's')
		}
	}
	part(int64(iv.Months/12), " year")
	part(int64(iv.Months%12), " mon")
	part(int64(iv.Days), " day")
	h, m, s, frac := clockParts(iv.Micros)
	sign := int64(1)
	if iv.Micros < 0 {
		sign = -1
	}
	part(sign*int64(h), " hour")
	part(sign*int64(m), " min")
	if s != 0 || frac != 0 {
		dst = append(dst, ' ')
		if zero {
			before = sign < 0
		} else if (sign < 0) != before {
			dst = append(dst, '-')
		}
		dst = strconv.AppendUint(dst, s, 10)
		dst = appendFraction(dst, int64(frac))
		dst = append(dst, " sec"...)
		if s != 1 || frac != 0 {
			dst = append(dst, 's')
		}
		zero = false
	}
	if zero {
		dst = append(dst, " 0"...)
	}
	if before {
		dst = append(dst, " ago"...)
	}
	return dst
}

// ApplyIntervalMod restricts an interval to the fields and the precision of its type.
func ApplyIntervalMod(iv Interval, mod int32) Interval {
	if mod < 0 {
		return iv
	}
	const all = fieldYear | fieldMonth | fieldDay | fieldHour | fieldMinute | fieldSecond
	switch rng := mod >> 16 & intervalFullRange & all; {
	case mod>>16&intervalFullRange == intervalFullRange:
	case rng == fieldYear:
		iv = Interval{Months: iv.Months / 12 * 12}
	case rng&(fieldDay|fieldHour|fieldMinute|fieldSecond) == 0:
		iv = Interval{Months: iv.Months}
	case rng == fieldDay:
		iv.Micros = 0
	case rng&(fieldMinute|fieldSecond) == 0:
		iv.Micros = iv.Micros / usHour * usHour
	case rng&fieldSecond == 0:
		iv.Micros = iv.Micros / usMinute * usMinute
	}
	if p := mod & 0xffff; p != intervalFullPrecision {
		iv.Micros = roundMicros(iv.Micros, p)
	}
	return iv
}

func errIntervalField(s []byte) error {
	return sqlstate.New("22015", "interval field value out of range: \"%s\"", s)
}

func errIntervalSyntax(s []byte) error { return errDateSyntax(types.Interval, s) }

// roundFloat rounds half to even, as C's rint.
func roundFloat(x float64) float64 { return math.RoundToEven(x) }
