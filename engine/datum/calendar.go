package datum

import (
	"math"
	"strconv"
	"time"

	"github.com/telemdb/telemdb/storage/types"
)

// Micros in larger units.
const (
	usMilli  = 1000
	usSecond = 1000 * usMilli
	usMinute = 60 * usSecond
	usHour   = 60 * usMinute
	usDay    = 24 * usHour
)

// DateEpochPG is PostgreSQL's epoch, 2000-01-01, in days since 1970.
const DateEpochPG = 10957

// Infinite dates and timestamps.
const (
	NegInfinity = math.MinInt64
	PosInfinity = math.MaxInt64
)

// Ranges: dates as in PostgreSQL; timestamps from 4713 BC to the last day whose microseconds since 1970 fit 64 bits.
const (
	dateMin = -2440588               // 4714-11-24 BC, Julian day 0
	dateMax = 2145042905             // 5874897-12-31
	tsMin   = dateMin * int64(usDay) // inclusive
	tsMax   = math.MaxInt64 / usDay * int64(usDay)
)

// ValidDate reports whether days is a date PostgreSQL can hold, infinities included.
func ValidDate(days int64) bool {
	return days >= dateMin && days <= dateMax || isInf(days)
}

// ValidTimestamp reports whether us is a timestamp, infinities included.
func ValidTimestamp(us int64) bool { return us >= tsMin && us < tsMax || isInf(us) }

func isInf(x int64) bool { return x == NegInfinity || x == PosInfinity }

// CivilToDays returns the days since 1970-01-01 of a proleptic Gregorian date; year 0 is 1 BC. Months and days outside
// their ranges carry over.
func CivilToDays(year, month, day int) int64 {
	m := int64(month) - 1
	y := int64(year) + floorDiv64(m, 12)
	m = m - floorDiv64(m, 12)*12 + 1
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv64(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + int64(day) - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

// DaysToCivil is the inverse of CivilToDays.
func DaysToCivil(days int64) (year, month, day int) {
	z := days + 719468
	era := floorDiv64(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d := doy - (153*mp+2)/5 + 1
	m := mp + 3
	y := yoe + era*400
	if m > 12 {
		m -= 12
		y++
	}
	return int(y), int(m), int(d)
}

func floorDiv64(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// SplitTimestamp returns the day and the microseconds since its midnight.
func SplitTimestamp(us int64) (days, tod int64) {
	days = floorDiv64(us, usDay)
	return days, us - days*usDay
}

// DaysInMonth returns the length of a month.
func DaysInMonth(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// Weekday returns 0 for Sunday.
func Weekday(days int64) int { return int(((days+4)%7 + 7) % 7) }

// ISOWeek returns the ISO year and week of a day.
func ISOWeek(days int64) (year, week int) {
	// The week's Thursday decides its year.
	thursday := days - int64((Weekday(days)+6)%7) + 3
	year, _, _ = DaysToCivil(thursday)
	return year, int(thursday-CivilToDays(year, 1, 1))/7 + 1
}

// isoWeekStart returns the Monday of the ISO week.
func isoWeekStart(year, week int) int64 {
	jan4 := CivilToDays(year, 1, 4)
	return jan4 - int64((Weekday(jan4)+6)%7) + int64(week-1)*7
}

// zoneOffset returns the seconds east of UTC, and the zone's abbreviation, at an instant.
func zoneOffset(us int64, loc *time.Location) (offset int, abbrev string) {
	if loc == time.UTC {
		return 0, "UTC"
	}
	abbrev, offset = time.Unix(floorDiv64(us, usSecond), 0).In(loc).Zone()
	return offset, abbrev
}

// ToLocal turns an instant into the wall clock of a zone.
func ToLocal(us int64, loc *time.Location) int64 {
	if loc == time.UTC || isInf(us) {
		return us
	}
	o, _ := zoneOffset(us, loc)
	return us + int64(o)*usSecond
}

// FromLocal turns the wall clock of a zone into an instant. A time skipped by a clock change is read with the offset
// before it, a repeated one with the offset after it, as PostgreSQL does.
func FromLocal(local int64, loc *time.Location) int64 {
	if loc == time.UTC || isInf(local) {
		return local
	}
	before, _ := zoneOffset(local-usDay, loc)
	after, _ := zoneOffset(local+usDay, loc)
	t1, t2 := local-int64(before)*usSecond, local-int64(after)*usSecond
	if before == after {
		// Two changes within two days do not occur; a lone offset is the offset.
		return t1
	}
	o1, _ := zoneOffset(t1, loc)
	o2, _ := zoneOffset(t2, loc)
	switch ok1, ok2 := o1 == before, o2 == after; {
	case ok2:
		return t2
	case ok1:
		return t1
	}
	return t1
}

// AppendDate appends a date in ISO style.
func AppendDate(dst []byte, days int64) []byte {
	switch days {
	case PosInfinity:
		return append(dst, "infinity"...)
	case NegInfinity:
		return append(dst, "-infinity"...)
	}
	y, m, d := DaysToCivil(days)
	bc := y <= 0
	dst = appendYMD(dst, y, m, d)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendYMD(dst []byte, y, m, d int) []byte {
	if y <= 0 {
		y = 1 - y
	}
	if y < 1000 {
		dst = append(dst, "000"[:4-len(strconv.Itoa(y))]...)
	}
	dst = strconv.AppendInt(dst, int64(y), 10)
	dst = append(dst, '-')
	dst = append2(dst, m)
	dst = append(dst, '-')
	return append2(dst, d)
}

func append2(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// AppendTime appends hh:mm:ss with as many decimals as needed. us is below or equal to 24 hours.
func AppendTime(dst []byte, us int64) []byte {
	s := us / usSecond
	dst = append2(dst, int(s/3600))
	dst = append(dst, ':')
	dst = append2(dst, int(s/60%60))
	dst = append(dst, ':')
	dst = append2(dst, int(s%60))
	return appendFraction(dst, us%usSecond)
}

// appendFraction appends "." and up to six digits of a part of a second, without trailing zeros.
func appendFraction(dst []byte, us int64) []byte {
	if us == 0 {
		return dst
	}
	var b [7]byte
	b[0] = '.'
	for i := 6; i > 0; i-- {
		b[i] = byte('0' + us%10)
		us /= 10
	}
	n := 7
	for b[n-1] == '0' {
		n--
	}
	return append(dst, b[:n]...)
}

// AppendTimestamp appends a timestamp in ISO style.
func AppendTimestamp(dst []byte, us int64) []byte {
	if isInf(us) {
		return AppendDate(dst, us)
	}
	days, tod := SplitTimestamp(us)
	y, m, d := DaysToCivil(days)
	dst = appendYMD(dst, y, m, d)
	dst = append(dst, ' ')
	dst = AppendTime(dst, tod)
	if y <= 0 {
		dst = append(dst, " BC"...)
	}
	return dst
}

// AppendTimestamptz appends an instant in the zone, with its offset.
func AppendTimestamptz(dst []byte, us int64, loc *time.Location) []byte {
	if isInf(us) {
		return AppendDate(dst, us)
	}
	off, _ := zoneOffset(us, loc)
	days, tod := SplitTimestamp(us + int64(off)*usSecond)
	y, m, d := DaysToCivil(days)
	dst = appendYMD(dst, y, m, d)
	dst = append(dst, ' ')
	dst = AppendTime(dst, tod)
	dst = appendOffset(dst, off)
	if y <= 0 {
		dst = append(dst, " BC"...)
	}
	return dst
}

// appendOffset appends +hh, +hh:mm or +hh:mm:ss.
func appendOffset(dst []byte, off int) []byte {
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	dst = append2(append(dst, sign), off/3600)
	if off%3600 != 0 {
		dst = append2(append(dst, ':'), off/60%60)
	}
	if off%60 != 0 {
		dst = append2(append(dst, ':'), off%60)
	}
	return dst
}

// roundMicros rounds to p decimals of a second, half away from zero; p < 0 or >= 6 leaves us alone.
func roundMicros(us int64, p int32) int64 {
	if p < 0 || p >= 6 || isInf(us) {
		return us
	}
	unit := int64(1)
	for range 6 - p {
		unit *= 10
	}
	half := unit / 2
	if us < 0 {
		return -((-us + half) / unit * unit)
	}
	return (us + half) / unit * unit
}

// checkDate returns the overflow error of date arithmetic unless days is valid.
func checkDate(days int64) error {
	if !ValidDate(days) {
		return ErrDateRange(types.Date)
	}
	return nil
}
