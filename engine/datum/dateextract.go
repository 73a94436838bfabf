package datum

import (
	"time"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
)

// DateUnit is a field that extract and date_trunc know; the zero value is none.
type DateUnit uint8

const (
	uNone DateUnit = iota
	uMicroseconds
	uMilliseconds
	uSecond
	uMinute
	uHour
	uDay
	uWeek
	uMonth
	uQuarter
	uYear
	uDecade
	uCentury
	uMillennium
	uEpoch
	uDOW
	uISODOW
	uDOY
	uISOYear
	uJulian
	uTimezone
	uTimezoneHour
	uTimezoneMinute
)

var dateUnits = map[string]DateUnit{
	"epoch": uEpoch, "dow": uDOW, "isodow": uISODOW, "doy": uDOY, "isoyear": uISOYear, "julian": uJulian, "j": uJulian,
	"jd": uJulian, "timezone": uTimezone, "timezone_h": uTimezoneHour, "timezone_hour": uTimezoneHour,
	"timezone_m": uTimezoneMinute, "timezone_minute": uTimezoneMinute,
}

// FindDateUnit looks a field name up, in any case. An unknown one gives the zero value, and its error comes from the
// function it is used in.
func FindDateUnit(name []byte) DateUnit {
	var buf [32]byte
	if len(name) > len(buf) {
		return uNone
	}
	lower := lowerASCII(buf[:0], name)
	if u, ok := dateUnits[string(lower)]; ok {
		return u
	}
	switch intervalUnits[string(lower)] {
	case iMicrosecond:
		return uMicroseconds
	case iMillisecond:
		return uMilliseconds
	case iSecond:
		return uSecond
	case iMinute:
		return uMinute
	case iHour:
		return uHour
	case iDay:
		return uDay
	case iWeek:
		return uWeek
	case iMonth:
		return uMonth
	case iQuarter:
		return uQuarter
	case iYear:
		return uYear
	case iDecade:
		return uDecade
	case iCentury:
		return uCentury
	case iMillennium:
		return uMillennium
	}
	return uNone
}

func errUnit(u DateUnit, name []byte, k types.Kind) error {
	if u == uNone {
		return sqlstate.New(sqlstate.InvalidParameter, "unit \"%s\" not recognized for type %s", lowerASCII(nil, name), k)
	}
	return sqlstate.New(sqlstate.FeatureNotSupported, "unit \"%s\" not supported for type %s", lowerASCII(nil, name), k)
}

// monotonic fields are infinite for an infinite date; the others are NULL.
func (u DateUnit) monotonic() bool {
	switch u {
	case uYear, uDecade, uCentury, uMillennium, uJulian, uISOYear, uEpoch:
		return true
	}
	return false
}

// ExtractDatetime is extract(field from x) for a date, timestamp or timestamptz: the exact number, or ok false for NULL.
// u is the field's unit, loc the zone in which a timestamptz is looked at.
func ExtractDatetime(k types.Kind, u DateUnit, field []byte, x int64, loc *time.Location, n *Numeric) (ok bool, err error) {
	if u == uNone || k == types.Date && (u <= uHour || u >= uTimezone) || k == types.Timestamp && u >= uTimezone {
		return false, errUnit(u, field, k)
	}
	if isInf(x) {
		if !u.monotonic() {
			return false, nil
		}
		n.setSpecial(posInf)
		if x < 0 {
			n.setSpecial(negInf)
		}
		return true, nil
	}
	offset := 0
	var days, tod int64
	switch k {
	case types.Date:
		days = x
	case types.Timestamptz:
		offset, _ = zoneOffset(x, loc)
		days, tod = SplitTimestamp(x + int64(offset)*usSecond)
	default:
		days, tod = SplitTimestamp(x)
	}
	switch u {
	case uEpoch:
		if k == types.Date {
			n.SetInt64(days * 86400)
		} else {
			n.SetScaled(x, 6)
		}
		return true, nil
	case uJulian:
		return true, extractJulian(k, days, tod, n)
	case uTimezone:
		n.SetInt64(int64(offset))
		return true, nil
	case uTimezoneHour:
		n.SetInt64(int64(offset / 3600))
		return true, nil
	case uTimezoneMinute:
		n.SetInt64(int64(offset / 60 % 60))
		return true, nil
	}
	if u <= uHour {
		extractClock(u, tod, n)
		return true, nil
	}
	n.SetInt64(extractDay(u, days))
	return true, nil
}

// WholeUnit reports whether extract(u from x) is a whole number for every finite x of the kind, and NULL for the others.
func WholeUnit(k types.Kind, u DateUnit) bool {
	switch u {
	case uMinute, uHour:
		return k == types.Timestamp || k == types.Timestamptz
	case uDay, uWeek, uMonth, uQuarter, uDOW, uISODOW, uDOY:
		return k == types.Timestamp || k == types.Timestamptz || k == types.Date
	}
	return false
}

// ExtractWhole is ExtractDatetime for what WholeUnit reports.
func ExtractWhole(k types.Kind, u DateUnit, x int64, loc *time.Location) (value int64, ok bool) {
	if isInf(x) {
		return 0, false
	}
	if k == types.Date {
		return extractDay(u, x), true
	}
	if k == types.Timestamptz {
		offset, _ := zoneOffset(x, loc)
		x += int64(offset) * usSecond
	}
	days, tod := SplitTimestamp(x)
	switch u {
	case uMinute:
		return tod / usMinute % 60, true
	case uHour:
		return tod / usHour, true
	}
	return extractDay(u, days), true
}

func extractJulian(k types.Kind, days, tod int64, n *Numeric) error {
	n.SetInt64(days - dateMin)
	if k == types.Date {
		return nil
	}
	var num, den Numeric
	num.SetInt64(tod)
	den.SetInt64(usDay)
	if err := num.Div(&num, &den); err != nil {
		return err
	}
	return n.Add(n, &num)
}

// extractClock gives a field of a time of day.
func extractClock(u DateUnit, tod int64, n *Numeric) {
	switch u {
	case uMicroseconds:
		n.SetInt64(tod % usMinute)
	case uMilliseconds:
		n.SetScaled(tod%usMinute, 3)
	case uSecond:
		n.SetScaled(tod%usMinute, 6)
	case uMinute:
		n.SetInt64(tod / usMinute % 60)
	default:
		n.SetInt64(tod / usHour)
	}
}

// extractDay gives a field of a calendar day.
func extractDay(u DateUnit, days int64) int64 {
	y, m, d := DaysToCivil(days)
	switch u {
	case uDay:
		return int64(d)
	case uMonth:
		return int64(m)
	case uQuarter:
		return int64(m-1)/3 + 1
	case uWeek:
		_, w := ISOWeek(days)
		return int64(w)
	case uYear:
		return shownYear(y)
	case uISOYear:
		iy, _ := ISOWeek(days)
		return shownYear(iy)
	case uDecade:
		return floorDiv64(int64(y), 10)
	case uCentury:
		return eraOf(int64(y), 100)
	case uMillennium:
		return eraOf(int64(y), 1000)
	case uDOW:
		return int64(Weekday(days))
	case uISODOW:
		return int64((Weekday(days)+6)%7) + 1
	}
	return days - CivilToDays(y, 1, 1) + 1
}

// shownYear leaves out the year 0: 1 BC is -1.
func shownYear(y int) int64 {
	if y <= 0 {
		y--
	}
	return int64(y)
}

// eraOf numbers centuries and millennia: the years 2001 to 2100 are the 21st century.
func eraOf(y, size int64) int64 {
	if y > 0 {
		return (y + size - 1) / size
	}
	return -((size - y) / size)
}

// ExtractTime is extract(field from x) for a time of day.
func ExtractTime(field []byte, tod int64, n *Numeric) error {
	switch u := FindDateUnit(field); {
	case u == uEpoch:
		n.SetScaled(tod, 6)
	case u == uNone || u > uHour:
		return errUnit(u, field, types.Time)
	default:
		extractClock(u, tod, n)
	}
	return nil
}

// ExtractInterval is extract(field from x) for an interval.
func ExtractInterval(field []byte, iv Interval, n *Numeric) error {
	switch u := FindDateUnit(field); u {
	case uMicroseconds, uMilliseconds, uSecond, uMinute, uHour:
		extractClock(u, iv.Micros, n)
	case uDay:
		n.SetInt64(int64(iv.Days))
	case uMonth:
		n.SetInt64(int64(iv.Months % 12))
	case uQuarter:
		n.SetInt64(int64(iv.Months%12/3) + 1)
	case uYear:
		n.SetInt64(int64(iv.Months / 12))
	case uDecade:
		n.SetInt64(int64(iv.Months / 120))
	case uCentury:
		n.SetInt64(int64(iv.Months / 1200))
	case uMillennium:
		n.SetInt64(int64(iv.Months / 12000))
	case uEpoch:
		return intervalEpoch(iv, n)
	default:
		return errUnit(u, field, types.Interval)
	}
	return nil
}

// intervalEpoch counts years of 365.25 days and months of 30, exactly.
func intervalEpoch(iv Interval, n *Numeric) error {
	secs := int64(iv.Months/12)*31557600 + int64(iv.Months%12)*30*86400 + int64(iv.Days)*86400
	var us Numeric
	us.SetScaled(iv.Micros, 6)
	n.SetInt64(secs)
	return n.Add(n, &us)
}

// TruncTimestamp is date_trunc for a wall clock; u is the field's unit.
func TruncTimestamp(u DateUnit, field []byte, us int64, k types.Kind) (int64, error) {
	if u == uNone || u > uMillennium {
		if u < uTimezone {
			u = uNone // dow, epoch and the like are no units one could cut to
		}
		return 0, errUnit(u, field, k)
	}
	if isInf(us) {
		return us, nil
	}
	days, tod := SplitTimestamp(us)
	switch u {
	case uMicroseconds:
		return us, nil
	case uMilliseconds:
		return days*usDay + tod/usMilli*usMilli, nil
	case uSecond:
		return days*usDay + tod/usSecond*usSecond, nil
	case uMinute:
		return days*usDay + tod/usMinute*usMinute, nil
	case uHour:
		return days*usDay + tod/usHour*usHour, nil
	}
	d := truncDay(u, days)
	if d < dateMin {
		return 0, ErrDateRange(types.Timestamp)
	}
	return d * usDay, nil
}

func truncDay(u DateUnit, days int64) int64 {
	y, m, _ := DaysToCivil(days)
	switch u {
	case uDay:
		return days
	case uWeek:
		return days - int64((Weekday(days)+6)%7)
	case uMonth:
		return CivilToDays(y, m, 1)
	case uQuarter:
		return CivilToDays(y, (m-1)/3*3+1, 1)
	case uDecade:
		y = int(floorDiv64(int64(y), 10) * 10)
	case uCentury:
		y = int(floorDiv64(int64(y)-1, 100)*100 + 1)
	case uMillennium:
		y = int(floorDiv64(int64(y)-1, 1000)*1000 + 1)
	}
	return CivilToDays(y, 1, 1)
}

// TruncTimestamptz is date_trunc in a zone.
func TruncTimestamptz(u DateUnit, field []byte, us int64, loc *time.Location) (int64, error) {
	local := ToLocal(us, loc)
	t, err := TruncTimestamp(u, field, local, types.Timestamptz)
	if err != nil || isInf(us) {
		return t, err
	}
	if u <= uHour {
		// Below a day the offset stays as it is, even in the hour that a clock change repeats.
		return us - (local - t), nil
	}
	return FromLocal(t, loc), nil
}

// TruncInterval is date_trunc for an interval.
func TruncInterval(field []byte, iv Interval) (Interval, error) {
	cut := func(x, unit int64) int64 { return x / unit * unit }
	switch u := FindDateUnit(field); u {
	case uMicroseconds:
	case uMilliseconds:
		iv.Micros = cut(iv.Micros, usMilli)
	case uSecond:
		iv.Micros = cut(iv.Micros, usSecond)
	case uMinute:
		iv.Micros = cut(iv.Micros, usMinute)
	case uHour:
		iv.Micros = cut(iv.Micros, usHour)
	case uDay:
		iv.Micros = 0
	case uMonth, uQuarter, uYear, uDecade, uCentury, uMillennium:
		months := map[DateUnit]int64{uMonth: 1, uQuarter: 3, uYear: 12, uDecade: 120, uCentury: 1200, uMillennium: 12000}[u]
		iv = Interval{Months: int32(cut(int64(iv.Months), months))}
	default:
		e := errUnit(u, field, types.Interval)
		if u == uWeek {
			return iv, e.(*sqlstate.Error).WithDetail("Months usually have fractional weeks.")
		}
		return iv, e
	}
	return iv, nil
}

// BinTimestamp is date_bin: the start of the stride's bucket that holds ts, buckets counted from origin.
func BinTimestamp(stride Interval, ts, origin int64) (int64, error) {
	if isInf(ts) {
		return ts, nil
	}
	if isInf(origin) {
		return 0, sqlstate.New(sqlstate.DatetimeOverflow, "origin out of range")
	}
	if stride.Months != 0 {
		return 0, sqlstate.New(sqlstate.FeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	}
	days, ok := mulInt64(int64(stride.Days), usDay)
	width, ok2 := addInt64(days, stride.Micros)
	if !ok || !ok2 && stride.Micros != 0 {
		return 0, errInterval()
	}
	if width <= 0 {
		return 0, sqlstate.New(sqlstate.DatetimeOverflow, "stride must be greater than zero")
	}
	diff := ts - origin
	bin := origin + floorDiv64(diff, width)*width
	if !ValidTimestamp(bin) || isInf(bin) {
		return 0, ErrDateRange(types.Timestamp)
	}
	return bin, nil
}

// MakeDate is make_date; a negative year is BC.
func MakeDate(y, m, d int64) (int64, error) {
	fail := sqlstate.New(sqlstate.DatetimeOverflow, "date field value out of range: %d-%02d-%02d", y, m, d)
	if y == 0 || y < -4800 || y > 5874897 || m < 1 || m > 12 || d < 1 {
		return 0, fail
	}
	if y < 0 {
		y++
	}
	if d > int64(DaysInMonth(int(y), int(m))) {
		return 0, fail
	}
	days := CivilToDays(int(y), int(m), int(d))
	return days, checkDate(days)
}

// MakeTime is make_time.
func MakeTime(h, m int64, sec float64) (int64, error) {
	us := int64(0)
	if sec >= 0 && sec <= 60 {
		us = int64(roundFloat(sec * usSecond))
	}
	if h < 0 || h > 24 || m < 0 || m > 59 || !(sec >= 0 && sec <= 60) || h*usHour+m*usMinute+us > usDay {
		return 0, sqlstate.New(sqlstate.DatetimeOverflow, "time field value out of range: %d:%02d:%02g", h, m, sec)
	}
	return h*usHour + m*usMinute + us, nil
}

// MakeTimestamp is make_timestamp.
func MakeTimestamp(y, mo, d, h, m int64, sec float64) (int64, error) {
	days, err := MakeDate(y, mo, d)
	if err != nil {
		return 0, err
	}
	tod, err := MakeTime(h, m, sec)
	if err != nil {
		return 0, err
	}
	midnight, err := DateToTimestamp(days)
	if err != nil {
		return 0, err
	}
	return addMicros(midnight, tod)
}

// MakeInterval is make_interval.
func MakeInterval(years, months, weeks, days, hours, mins int64, secs float64) (Interval, error) {
	if !(secs > -1e12 && secs < 1e12) {
		return Interval{}, errInterval()
	}
	us := hours*usHour + mins*usMinute + int64(roundFloat(secs*usSecond))
	return makeInterval(years*12+months, weeks*7+days, us)
}

// FromEpoch is to_timestamp(double precision).
func FromEpoch(sec float64) (int64, error) {
	switch {
	case sec != sec:
		return 0, sqlstate.New(sqlstate.DatetimeOverflow, "timestamp cannot be NaN")
	case sec > 1e300 && sec*2 == sec:
		return PosInfinity, nil
	case sec < -1e300 && sec*2 == sec:
		return NegInfinity, nil
	}
	if sec < -2.2e11 || sec > 9.3e12 {
		return 0, sqlstate.New(sqlstate.DatetimeOverflow, "timestamp out of range: \"%g\"", sec)
	}
	us := roundFloat(sec * usSecond)
	if us >= float64(tsMax) || us < float64(tsMin) {
		return 0, sqlstate.New(sqlstate.DatetimeOverflow, "timestamp out of range: \"%g\"", sec)
	}
	return int64(us), nil
}
