package datum

import (
	"math"
	"time"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
)

// Location returns the session's zone, UTC if none is set.
func (f *Format) Location() *time.Location { return f.zone() }

// DateToTimestamp returns midnight of a day.
func DateToTimestamp(days int64) (int64, error) {
	if isInf(days) {
		return days, nil
	}
	if days > math.MaxInt64/usDay-1 || days < dateMin {
		return 0, sqlstate.New(sqlstate.DatetimeOverflow, "date out of range for timestamp")
	}
	return days * usDay, nil
}

// TimestampToDate cuts the time of day off.
func TimestampToDate(us int64) int64 {
	if isInf(us) {
		return us
	}
	d, _ := SplitTimestamp(us)
	return d
}

// AddDays returns date + n days.
func AddDays(date, n int64) (int64, error) {
	if isInf(date) {
		return date, nil
	}
	d, ok := addInt64(date, n)
	if !ok && n != 0 || !ValidDate(d) || isInf(d) {
		return 0, ErrDateRange(types.Date)
	}
	return d, nil
}

// SubDates returns a - b in days.
func SubDates(a, b int64) (int64, error) {
	if isInf(a) || isInf(b) {
		return 0, sqlstate.New(sqlstate.DatetimeOverflow, "cannot subtract infinite dates")
	}
	return a - b, nil
}

// AddInterval returns ts + iv on the wall clock: months first, the day cut to the month's end, then days, then time.
func AddInterval(ts int64, iv Interval) (int64, error) {
	if isInf(ts) {
		return ts, nil
	}
	t, ok := addMonthsDays(ts, iv.Months, iv.Days)
	if !ok {
		return 0, ErrDateRange(types.Timestamp)
	}
	return addMicros(t, iv.Micros)
}

func addMicros(t, us int64) (int64, error) {
	r, ok := addInt64(t, us)
	if !ok && us != 0 || !ValidTimestamp(r) || isInf(r) {
		return 0, ErrDateRange(types.Timestamp)
	}
	return r, nil
}

func addMonthsDays(ts int64, months, days int32) (int64, bool) {
	d, tod := SplitTimestamp(ts)
	if months != 0 {
		y, m, day := DaysToCivil(d)
		total := int64(y)*12 + int64(m) - 1 + int64(months)
		y, m = int(floorDiv64(total, 12)), int(total-floorDiv64(total, 12)*12)+1
		d = CivilToDays(y, m, min(day, DaysInMonth(y, m)))
	}
	d += int64(days)
	if d < dateMin || d > math.MaxInt64/usDay-1 {
		return 0, false
	}
	return d*usDay + tod, true
}

// AddIntervalTZ returns an instant + iv: months and days go by the wall clock of the zone, time by the clock that never
// changes.
func AddIntervalTZ(ts int64, iv Interval, loc *time.Location) (int64, error) {
	if isInf(ts) {
		return ts, nil
	}
	if iv.Months != 0 || iv.Days != 0 {
		local, ok := addMonthsDays(ToLocal(ts, loc), iv.Months, iv.Days)
		if !ok {
			return 0, ErrDateRange(types.Timestamp)
		}
		ts = FromLocal(local, loc)
	}
	return addMicros(ts, iv.Micros)
}

// SubTimestamps returns a - b in days and time.
func SubTimestamps(a, b int64) (Interval, error) {
	if isInf(a) || isInf(b) {
		return Interval{}, sqlstate.New(sqlstate.DatetimeOverflow, "cannot subtract infinite timestamps")
	}
	us := a - b
	if (a >= 0) != (b >= 0) && (us >= 0) != (a >= 0) {
		return Interval{}, errInterval()
	}
	return Interval{Micros: us}.JustifyHours()
}

// Age returns a - b in years, months, days and time, as people count: both are wall clocks.
func Age(a, b int64) (Interval, error) {
	if isInf(a) || isInf(b) {
		return Interval{}, sqlstate.New(sqlstate.DatetimeOverflow, "cannot subtract infinite timestamps")
	}
	neg := a < b
	if neg {
		a, b = b, a
	}
	d1, t1 := SplitTimestamp(a)
	d2, t2 := SplitTimestamp(b)
	y1, m1, day1 := DaysToCivil(d1)
	y2, m2, day2 := DaysToCivil(d2)
	us := t1 - t2
	days, months := int64(day1-day2), int64(y1-y2)*12+int64(m1-m2)
	if us < 0 {
		us += usDay
		days--
	}
	for days < 0 {
		days += int64(DaysInMonth(y2, m2)) // the earlier date's month is borrowed from
		months--
	}
	if neg {
		us, days, months = -us, -days, -months
	}
	return makeInterval(months, days, us)
}

// AddTime returns a time of day + iv, modulo 24 hours.
func AddTime(tod int64, iv Interval) int64 {
	_, r := SplitTimestamp(tod + iv.Micros%usDay)
	return r
}
