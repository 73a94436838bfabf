package datum

import (
	"bytes"
	"math"
	"strconv"
)

type intervalUnit uint8

const (
	iNone intervalUnit = iota
	iMicrosecond
	iMillisecond
	iSecond
	iMinute
	iHour
	iDay
	iWeek
	iMonth
	iYear
	iDecade
	iCentury
	iMillennium
	iAgo
	iQuarter
)

var intervalUnits = map[string]intervalUnit{
	"us": iMicrosecond, "usec": iMicrosecond, "usecs": iMicrosecond, "useconds": iMicrosecond, "usecond": iMicrosecond,
	"microsecon": iMicrosecond, "microsecond": iMicrosecond, "microseconds": iMicrosecond,
	"ms": iMillisecond, "msec": iMillisecond, "msecs": iMillisecond, "msecond": iMillisecond, "mseconds": iMillisecond,
	"millisecon": iMillisecond, "millisecond": iMillisecond, "milliseconds": iMillisecond,
	"s": iSecond, "sec": iSecond, "secs": iSecond, "second": iSecond, "seconds": iSecond,
	"m": iMinute, "min": iMinute, "mins": iMinute, "minute": iMinute, "minutes": iMinute,
	"h": iHour, "hr": iHour, "hrs": iHour, "hour": iHour, "hours": iHour,
	"d": iDay, "day": iDay, "days": iDay, "w": iWeek, "week": iWeek, "weeks": iWeek,
	"mon": iMonth, "mons": iMonth, "month": iMonth, "months": iMonth, "qtr": iQuarter, "quarter": iQuarter,
	"y": iYear, "yr": iYear, "yrs": iYear, "year": iYear, "years": iYear,
	"dec": iDecade, "decs": iDecade, "decade": iDecade, "decades": iDecade,
	"c": iCentury, "cent": iCentury, "century": iCentury, "centuries": iCentury,
	"mil": iMillennium, "mils": iMillennium, "millennia": iMillennium, "millennium": iMillennium,
	"ago": iAgo, "@": iNone,
}

// intervalSum adds up the parts of an interval; any overflow sticks.
type intervalSum struct {
	months, days, us int64
	overflow         bool
}

func (a *intervalSum) addMicros(v int64, frac float64, unit int64) {
	p, ok := mulInt64(v, unit)
	a.us, a.overflow = addSticky(a.us, p, !ok || a.overflow)
	a.addFracMicros(frac, unit)
}

func (a *intervalSum) addFracMicros(frac float64, unit int64) {
	if frac != 0 {
		a.us, a.overflow = addSticky(a.us, int64(math.RoundToEven(frac*float64(unit))), a.overflow)
	}
}

func (a *intervalSum) addDays(v int64, frac float64, unit int64) {
	p, ok := mulInt64(v, unit)
	a.days, a.overflow = addSticky(a.days, p, !ok || a.overflow)
	if frac != 0 {
		frac *= float64(unit)
		whole := math.Trunc(frac)
		a.days, a.overflow = addSticky(a.days, int64(whole), a.overflow)
		a.addFracMicros(frac-whole, usDay)
	}
}

func (a *intervalSum) addMonths(v int64, frac float64, unit int64) {
	p, ok := mulInt64(v, unit)
	a.months, a.overflow = addSticky(a.months, p, !ok || a.overflow)
	if frac == 0 {
		return
	}
	if unit == 1 {
		a.addDays(0, frac, 30)
		return
	}
	a.months, a.overflow = addSticky(a.months, int64(math.RoundToEven(frac*float64(unit))), a.overflow)
}

func addSticky(a, b int64, overflow bool) (int64, bool) {
	s, ok := addInt64(a, b)
	return s, overflow || !ok && b != 0
}

func (a *intervalSum) add(u intervalUnit, v int64, frac float64) bool {
	switch u {
	case iMicrosecond:
		a.addMicros(v, frac, 1)
	case iMillisecond:
		a.addMicros(v, frac, usMilli)
	case iSecond:
		a.addMicros(v, frac, usSecond)
	case iMinute:
		a.addMicros(v, frac, usMinute)
	case iHour:
		a.addMicros(v, frac, usHour)
	case iDay:
		a.addDays(v, frac, 1)
	case iWeek:
		a.addDays(v, frac, 7)
	case iMonth:
		a.addMonths(v, frac, 1)
	case iYear:
		a.addMonths(v, frac, 12)
	case iDecade:
		a.addMonths(v, frac, 120)
	case iCentury:
		a.addMonths(v, frac, 1200)
	case iMillennium:
		a.addMonths(v, frac, 12000)
	default:
		return false
	}
	return true
}

func (a *intervalSum) interval() (Interval, bool) {
	if a.overflow || a.months != int64(int32(a.months)) || a.days != int64(int32(a.days)) {
		return Interval{}, false
	}
	return Interval{int32(a.months), int32(a.days), a.us}, true
}

// ParseInterval reads the verbose, the SQL standard and the ISO 8601 forms. mod is the type's modifier (-1 for none):
// it tells what a number without a unit means.
func ParseInterval(s []byte, f *Format, mod int32) (Interval, error) {
	if t := trimSpace(s); len(t) > 1 && t[0] == 'P' {
		return parseIntervalISO(s, t[1:])
	}
	fields, ok := splitDateFields(s)
	if !ok || len(fields) == 0 {
		return Interval{}, errIntervalSyntax(s)
	}
	p := intervalParse{fields: fields, mod: mod}
	if f != nil && f.IntervalStyle == IntervalSQLStandard && len(fields[0].text) > 0 && fields[0].text[0] == '-' {
		p.allNegative = true
		for _, fl := range fields[1:] {
			if fl.text[0] == '-' || fl.text[0] == '+' {
				p.allNegative = false
			}
		}
	}
	// Units follow their numbers, so the fields are read from the last to the first.
	for i := len(fields) - 1; i >= 0; i-- {
		ok, inRange := p.field(i)
		if !ok {
			return Interval{}, errIntervalSyntax(s)
		}
		if !inRange {
			return Interval{}, errIntervalField(s)
		}
	}
	if p.parts == 0 || p.pending {
		return Interval{}, errIntervalSyntax(s)
	}
	if p.ago {
		p.sum.months, p.sum.days, p.sum.us = -p.sum.months, -p.sum.days, -p.sum.us
	}
	iv, ok := p.sum.interval()
	if !ok {
		if years := p.sum.months / 12; !p.sum.overflow && years == int64(int32(years)) && p.sum.days == int64(int32(p.sum.days)) {
			return Interval{}, errInterval()
		}
		return Interval{}, errIntervalField(s)
	}
	return iv, nil
}

type intervalParse struct {
	fields      []dateField
	mod         int32
	sum         intervalSum
	unit        intervalUnit
	pending     bool // a unit waits for its number
	seen        int  // bit per unit that has had its number
	parts       int
	ago         bool
	allNegative bool
}

func (p *intervalParse) field(i int) (ok, inRange bool) {
	fl := p.fields[i]
	switch fl.kind {
	case fTime:
		return p.clock(fl.text, false)
	case fZone:
		if bytes.IndexByte(fl.text, ':') >= 0 {
			return p.clock(fl.text[1:], fl.text[0] == '-')
		}
		return p.number(fl.text)
	case fNumber, fDate:
		return p.number(fl.text)
	}
	u, known := intervalUnits[string(fl.text)]
	if !known {
		return false, true
	}
	switch {
	case u == iNone || u == iQuarter:
		return u == iNone, true
	case u == iAgo:
		p.ago = true
	default:
		p.unit, p.pending = u, true
	}
	return true, true
}

// clock is hours, minutes and seconds; the number before it, without a unit, counts days.
func (p *intervalParse) clock(s []byte, neg bool) (ok, inRange bool) {
	us, ok, inRange := parseIntervalClock(s, p.mod)
	if !ok || !inRange {
		return ok, inRange
	}
	const clockBits = 1<<iHour | 1<<iMinute | 1<<iSecond
	if p.seen&clockBits != 0 || p.pending {
		return false, true
	}
	p.seen |= clockBits
	if neg || p.allNegative && us > 0 {
		us = -us
	}
	p.sum.us, p.sum.overflow = addSticky(p.sum.us, us, p.sum.overflow)
	p.parts++
	p.unit, p.pending = iDay, false
	return true, true
}

// parseIntervalClock reads h:mm[:ss[.fraction]] with any number of hours, or mm:ss.fraction.
func parseIntervalClock(s []byte, mod int32) (us int64, ok, inRange bool) {
	parts := bytes.Split(s, []byte{':'})
	if len(parts) > 3 || len(parts) < 2 {
		return 0, false, true
	}
	last := parts[len(parts)-1]
	frac := 0.0
	if dot := bytes.IndexByte(last, '.'); dot >= 0 {
		f, good := parseFraction(last[dot:])
		if !good {
			return 0, false, true
		}
		frac = f
		parts[len(parts)-1] = last[:dot]
	}
	var v [3]int64
	for i, q := range parts {
		if len(q) == 0 && i > 0 && i == len(parts)-1 {
			continue // "10:"
		}
		for _, c := range q {
			if !isDigit(c) {
				return 0, false, true
			}
		}
		n, err := strconv.ParseInt(string(q), 10, 64)
		if err != nil {
			return 0, len(q) > 0, false
		}
		v[i] = n
	}
	minuteSecond := len(parts) == 2 && (frac != 0 || mod >= 0 && mod>>16&intervalFullRange == fieldMinute|fieldSecond)
	if minuteSecond {
		v[0], v[1], v[2] = 0, v[0], v[1]
	}
	if v[1] > 59 || v[2] > 60 {
		return 0, true, false
	}
	h, good := mulInt64(v[0], usHour)
	us, good2 := addInt64(h, v[1]*usMinute+v[2]*usSecond+int64(math.RoundToEven(frac*usSecond)))
	return us, true, good && (good2 || us == h)
}

// number is a value: with the unit read before it, or one decided by the modifier, or years-months.
func (p *intervalParse) number(s []byte) (ok, inRange bool) {
	neg := s[0] == '-'
	n := 0
	if s[0] == '-' || s[0] == '+' {
		n = 1
	}
	start := n
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	v := int64(0)
	if n > start {
		var err error
		if v, err = strconv.ParseInt(string(s[start:n]), 10, 64); err != nil {
			return true, false
		}
	}
	frac, unit := 0.0, p.unit
	switch rest := s[n:]; {
	case len(rest) == 0:
	case rest[0] == '-':
		m, good := digits(rest[1:])
		if !good {
			return false, true
		}
		if m >= 12 {
			return true, false
		}
		w, good := mulInt64(v, 12)
		if !good {
			return true, false
		}
		v, unit = w+int64(m), iMonth
	case rest[0] == '.':
		f, good := parseFraction(rest)
		if !good || n == start && len(rest) == 1 {
			return false, true
		}
		frac = f
	default:
		return false, true
	}
	if unit == iNone {
		unit = rightmostUnit(p.mod)
	}
	if neg || p.allNegative {
		v, frac = -v, -frac
	}
	bit := 1 << unit
	if p.seen&bit != 0 {
		return false, true
	}
	p.seen |= bit
	if !p.sum.add(unit, v, frac) {
		return false, true
	}
	p.parts++
	p.unit, p.pending = iNone, false
	if unit == iMonth && len(s) > n && s[n] == '-' {
		p.seen |= 1 << iYear
	}
	return true, true
}

// rightmostUnit is what a number without a unit counts.
func rightmostUnit(mod int32) intervalUnit {
	if mod < 0 {
		return iSecond
	}
	switch r := mod >> 16 & intervalFullRange; {
	case r == intervalFullRange:
	case r&fieldSecond != 0:
	case r&fieldMinute != 0:
		return iMinute
	case r&fieldHour != 0:
		return iHour
	case r&fieldDay != 0:
		return iDay
	case r&fieldMonth != 0:
		return iMonth
	case r&fieldYear != 0:
		return iYear
	}
	return iSecond
}

// parseIntervalISO reads the designator form behind the P.
func parseIntervalISO(whole, s []byte) (Interval, error) {
	var sum intervalSum
	inTime, parts := false, 0
	for len(s) > 0 {
		if s[0] == 'T' {
			inTime = true
			s = s[1:]
			continue
		}
		n := 0
		if s[0] == '-' || s[0] == '+' {
			n = 1
		}
		for n < len(s) && (isDigit(s[n]) || s[n] == '.') {
			n++
		}
		num := s[:n]
		if n == len(s) {
			return Interval{}, errIntervalSyntax(whole)
		}
		v, frac, ok, inRange := splitNumber(num)
		if !ok {
			return Interval{}, errIntervalSyntax(whole)
		}
		if !inRange {
			return Interval{}, errIntervalField(whole)
		}
		u := iNone
		switch c := s[n]; {
		case inTime && c == 'H':
			u = iHour
		case inTime && c == 'M':
			u = iMinute
		case inTime && c == 'S':
			u = iSecond
		case !inTime && c == 'Y':
			u = iYear
		case !inTime && c == 'M':
			u = iMonth
		case !inTime && c == 'W':
			u = iWeek
		case !inTime && c == 'D':
			u = iDay
		}
		if !sum.add(u, v, frac) {
			return Interval{}, errIntervalSyntax(whole)
		}
		parts++
		s = s[n+1:]
	}
	if parts == 0 {
		return Interval{}, errIntervalSyntax(whole)
	}
	iv, ok := sum.interval()
	if !ok {
		return Interval{}, errIntervalField(whole)
	}
	return iv, nil
}

// splitNumber cuts a decimal into its integer and its fraction, both with the sign.
func splitNumber(s []byte) (v int64, frac float64, ok, inRange bool) {
	neg := len(s) > 0 && s[0] == '-'
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	whole, f, dotted := bytes.Cut(s, []byte{'.'})
	if len(whole) == 0 && len(f) == 0 {
		return 0, 0, false, true
	}
	if len(whole) > 0 {
		var err error
		if v, err = strconv.ParseInt(string(whole), 10, 64); err != nil {
			return 0, 0, true, false
		}
	}
	if dotted && len(f) > 0 {
		g, good := parseFraction(append([]byte{'.'}, f...))
		if !good {
			return 0, 0, false, true
		}
		frac = g
	}
	if neg {
		v, frac = -v, -frac
	}
	return v, frac, true, true
}
