package datum

import (
	"math"
	"strconv"
	"time"

	"github.com/telemdb/telemdb/storage/types"
)

// Which parts of a date have been seen.
const (
	seenYear = 1 << iota
	seenMonth
	seenDay
	seenDOY
	seenTime
	seenZone
	seenYMD = seenYear | seenMonth | seenDay
)

// dateParse is one text being read as a date, time or timestamp.
type dateParse struct {
	f       *Format
	text    []byte
	kind    types.Kind
	seen    int
	year    int
	month   int
	day     int
	tod     int64 // microseconds
	offset  int   // seconds east, if seenZone and loc is nil
	loc     *time.Location
	bc      bool
	is2     bool // a year of two digits
	half    int  // 12 am/pm: -1 none, 0 am, 12 pm
	textMon bool
	special wordKind
	isSpec  bool
	inf     int
}

// ParseDate reads a date: days since 1970.
func ParseDate(s []byte, f *Format) (int64, error) {
	if d, ok := isoDate(trimSpace(s)); ok {
		return d, nil
	}
	p := dateParse{f: f, text: s, kind: types.Date, half: -1}
	if err := p.parse(); err != nil {
		return 0, err
	}
	if p.isSpec {
		us := p.specialInstant()
		if isInf(us) {
			return us, nil
		}
		d, _ := SplitTimestamp(us)
		return d, nil
	}
	if p.seen&seenYMD != seenYMD {
		return 0, errDateSyntax(types.Date, s)
	}
	d := CivilToDays(p.year, p.month, p.day)
	if !ValidDate(d) {
		return 0, errDateRange(types.Date, s)
	}
	return d, nil
}

// ParseTimestamp reads a timestamp without time zone; a zone in the text is ignored.
func ParseTimestamp(s []byte, f *Format) (int64, error) {
	if us, _, ok := isoTimestamp(trimSpace(s)); ok {
		return us, nil
	}
	p := dateParse{f: f, text: s, kind: types.Timestamp, half: -1}
	if err := p.parse(); err != nil {
		return 0, err
	}
	if p.isSpec {
		if p.special == wEpoch {
			return 0, nil
		}
		return p.specialInstant(), nil
	}
	return p.timestamp()
}

// ParseTimestamptz reads an instant; without a zone in the text it is in the session's.
func ParseTimestamptz(s []byte, f *Format) (int64, error) {
	if us, zone, ok := isoTimestamp(trimSpace(s)); ok {
		if len(zone) > 0 {
			off, rest, ok := parseOffset(zone)
			if zone[0] == 'Z' || zone[0] == 'z' {
				off, rest, ok = 0, nil, len(zone) == 1
			}
			if ok && len(rest) == 0 && off < 16*3600 && off > -16*3600 {
				return us - int64(off)*usSecond, nil
			}
		} else {
			return FromLocal(us, f.zone()), nil
		}
	}
	p := dateParse{f: f, text: s, kind: types.Timestamptz, half: -1}
	if err := p.parse(); err != nil {
		return 0, err
	}
	if p.isSpec {
		us := p.specialInstant()
		if p.special == wEpoch || isInf(us) {
			return us, nil
		}
		return FromLocal(us, f.zone()), nil
	}
	us, err := p.timestamp()
	if err != nil {
		return 0, err
	}
	switch {
	case p.loc != nil:
		us = FromLocal(us, p.loc)
	case p.seen&seenZone != 0:
		us -= int64(p.offset) * usSecond
	default:
		us = FromLocal(us, f.zone())
	}
	if !ValidTimestamp(us) {
		return 0, errDateRange(types.Timestamp, s)
	}
	return us, nil
}

// ParseTime reads a time of day; a date in the text is dropped.
func ParseTime(s []byte, f *Format) (int64, error) {
	p := dateParse{f: f, text: s, kind: types.Time, half: -1}
	if err := p.parse(); err != nil {
		return 0, err
	}
	if p.isSpec {
		switch p.special {
		case wNow:
			_, tod := SplitTimestamp(p.specialInstant())
			return tod, nil
		case wAllBalls:
			return 0, nil
		}
		return 0, errDateSyntax(types.Time, s)
	}
	if p.seen&seenTime == 0 {
		return 0, errDateSyntax(types.Time, s)
	}
	return p.tod, nil
}

// specialInstant gives the wall clock (or infinity) that a word means.
func (p *dateParse) specialInstant() int64 {
	if p.special == wInfinity {
		if p.inf < 0 {
			return NegInfinity
		}
		return PosInfinity
	}
	var now int64
	if p.f != nil {
		now = ToLocal(p.f.Now, p.f.zone())
	}
	midnight := floorDiv64(now, usDay) * usDay
	switch p.special {
	case wNow:
		return now
	case wTomorrow:
		midnight += usDay
	case wYesterday:
		midnight -= usDay
	case wEpoch:
		return 0
	}
	return midnight + p.tod
}

func (p *dateParse) timestamp() (int64, error) {
	if p.seen&seenYMD != seenYMD {
		return 0, errDateSyntax(p.kind, p.text)
	}
	d := CivilToDays(p.year, p.month, p.day)
	if d < dateMin || d > math.MaxInt64/usDay-1 || !ValidTimestamp(d*usDay+p.tod) {
		return 0, errDateRange(types.Timestamp, p.text)
	}
	return d*usDay + p.tod, nil
}

// isoDate reads exactly YYYY-MM-DD.
func isoDate(s []byte) (int64, bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	y, ok1 := digits(s[:4])
	m, ok2 := digits(s[5:7])
	d, ok3 := digits(s[8:])
	if !ok1 || !ok2 || !ok3 || y == 0 || m < 1 || m > 12 || d < 1 || d > DaysInMonth(y, m) {
		return 0, false
	}
	return CivilToDays(y, m, d), true
}

// isoTimestamp reads YYYY-MM-DD[ T]hh:mm[:ss[.fraction]] and returns what follows.
func isoTimestamp(s []byte) (us int64, rest []byte, ok bool) {
	if len(s) < 16 || s[10] != ' ' && s[10] != 'T' || s[13] != ':' {
		return 0, nil, false
	}
	days, ok := isoDate(s[:10])
	h, ok1 := digits(s[11:13])
	m, ok2 := digits(s[14:16])
	if !ok || !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, nil, false
	}
	us = days*usDay + int64(h)*usHour + int64(m)*usMinute
	s = s[16:]
	if len(s) > 0 && s[0] == ':' {
		if len(s) < 3 {
			return 0, nil, false
		}
		sec, ok := digits(s[1:3])
		if !ok || sec > 59 {
			return 0, nil, false
		}
		us += int64(sec) * usSecond
		s = s[3:]
		if len(s) > 0 && s[0] == '.' {
			unit, i := int64(usSecond/10), 1
			for ; i < len(s) && isDigit(s[i]); i++ {
				us += int64(s[i]-'0') * unit
				unit /= 10
			}
			if i > 7 {
				return 0, nil, false // rounding is for the general way
			}
			s = s[i:]
		}
	}
	if len(s) > 0 && s[0] != 'Z' && s[0] != 'z' && s[0] != '+' && s[0] != '-' {
		return 0, nil, false
	}
	return us, s, true
}

// digits reads a short all-digit number.
func digits(s []byte) (int, bool) {
	n := 0
	for _, c := range s {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(s) > 0 && len(s) < 10
}

func (p *dateParse) bad() error { return errDateSyntax(p.kind, p.text) }

func (p *dateParse) parse() error {
	fields, ok := splitDateFields(p.text)
	if !ok || len(fields) == 0 {
		return p.bad()
	}
	julian := false
	for i := range fields {
		fl := &fields[i]
		if julian {
			julian = false
			if err := p.julian(fl.text); err != nil {
				return err
			}
			continue
		}
		var err error
		switch fl.kind {
		case fDate:
			err = p.dateField(fl.text)
		case fTime:
			err = p.timeField(fl.text)
		case fZone:
			err = p.zoneField(fl.text)
		case fNumber:
			err = p.numberField(fl.text, i > 0 && fields[i-1].kind == fString && string(fields[i-1].text) == "t")
		default:
			julian, err = p.word(fl.text, i+1 < len(fields) && fields[i+1].kind == fNumber)
		}
		if err != nil {
			return err
		}
	}
	if julian {
		return p.bad()
	}
	return p.finish()
}

func (p *dateParse) finish() error {
	if p.isSpec {
		if p.seen&seenYMD != 0 {
			return p.bad()
		}
		return nil
	}
	if p.seen&(seenYear|seenMonth|seenDay) != 0 || p.kind != types.Time {
		if err := p.checkYMD(); err != nil {
			return err
		}
	}
	if p.half >= 0 {
		h := p.tod / usHour
		if p.seen&seenTime == 0 || h > 12 {
			return errDateField(p.text)
		}
		if h == 12 {
			p.tod -= 12 * usHour
		}
		p.tod += int64(p.half) * usHour
	}
	return nil
}

// checkYMD applies the era and checks that the day exists.
func (p *dateParse) checkYMD() error {
	if p.seen&seenYear != 0 {
		switch {
		case p.bc:
			if p.year <= 0 {
				return errDateField(p.text)
			}
			p.year = 1 - p.year
		case p.is2:
			if p.year < 70 {
				p.year += 2000
			} else if p.year < 100 {
				p.year += 1900
			}
		case p.year <= 0:
			return errDateField(p.text)
		}
	}
	if p.seen&seenDOY != 0 {
		if p.day < 1 || p.day > 366 {
			return errDateField(p.text)
		}
		p.year, p.month, p.day = DaysToCivil(CivilToDays(p.year, 1, p.day))
		p.seen |= seenYMD
	}
	if p.seen&seenMonth != 0 && (p.month < 1 || p.month > 12) || p.seen&seenDay != 0 && (p.day < 1 || p.day > 31) {
		return errDateField(p.text)
	}
	if p.seen&seenYMD == seenYMD && p.day > DaysInMonth(p.year, p.month) {
		return errDateField(p.text)
	}
	return nil
}

func (p *dateParse) julian(s []byte) error {
	v, err := strconv.ParseFloat(string(s), 64)
	if err != nil || v < 0 {
		return p.bad()
	}
	if v > dateMax {
		return errDateField(p.text)
	}
	day := math.Floor(v)
	p.year, p.month, p.day = DaysToCivil(int64(day) + dateMin)
	p.seen |= seenYMD
	if frac := v - day; frac > 0 {
		p.tod = int64(math.Round(frac * float64(usDay)))
		p.seen |= seenTime
	}
	if p.year <= 0 {
		p.year, p.bc = 1-p.year, true
	}
	return nil
}

// dateField is a field with separators: a date, or, once the date is complete, a zone or a time run together.
func (p *dateParse) dateField(s []byte) error {
	if p.seen&seenYMD == seenYMD || p.seen&seenTime != 0 && !isDigit(s[0]) {
		if isDigit(s[0]) { // hhmmss-zz
			for i, c := range s {
				if c == '-' || c == '+' {
					if err := p.runTogether(s[:i]); err != nil {
						return err
					}
					return p.zoneField(s[i:])
				}
			}
			return p.bad()
		}
		return p.zoneName(s)
	}
	start := 0
	for start < len(s) {
		for start < len(s) && !isDigit(s[start]) && !isAlpha(s[start]) {
			start++
		}
		if start == len(s) {
			break
		}
		end := start
		if isDigit(s[start]) {
			for end < len(s) && isDigit(s[end]) {
				end++
			}
			if err := p.number(s[start:end]); err != nil {
				return err
			}
		} else {
			for end < len(s) && isAlpha(s[end]) {
				end++
			}
			w, ok := dateWords[string(s[start:end])]
			if !ok || w.kind != wMonth {
				if p.seen == 0 {
					if err := p.zoneName(s); err == nil {
						return nil
					}
				}
				return p.bad()
			}
			if err := p.monthName(w.value); err != nil {
				return err
			}
		}
		start = end
	}
	return nil
}

func (p *dateParse) monthName(m int) error {
	if p.seen&seenMonth != 0 {
		if p.seen&seenDay != 0 || p.textMon {
			return p.bad()
		}
		p.day, p.seen = p.month, p.seen|seenDay // 8 jan: the number before was the day
	}
	p.month, p.textMon = m, true
	p.seen |= seenMonth
	return nil
}

// number places one number of a date by its size and by what is there already (DecodeNumber).
func (p *dateParse) number(s []byte) error {
	v, err := strconv.Atoi(string(s))
	if err != nil {
		return errDateField(p.text)
	}
	if len(s) == 3 && p.seen&(seenYear|seenMonth|seenDay) == seenYear && v >= 1 && v <= 366 {
		p.day, p.seen = v, p.seen|seenDOY
		return nil
	}
	setYear := func() error {
		p.year, p.is2 = v, len(s) <= 2
		p.seen |= seenYear
		return nil
	}
	setMonth := func() error { p.month = v; p.seen |= seenMonth; return nil }
	setDay := func() error { p.day = v; p.seen |= seenDay; return nil }
	order := OrderMDY
	if p.f != nil {
		order = p.f.DateOrder
	}
	switch p.seen & seenYMD {
	case 0:
		if len(s) >= 3 || order == OrderYMD {
			return setYear()
		}
		if order == OrderDMY {
			return setDay()
		}
		return setMonth()
	case seenYear:
		return setMonth()
	case seenMonth:
		if p.textMon {
			if len(s) >= 3 {
				return setYear()
			}
			return setDay()
		}
		return setDay()
	case seenYear | seenMonth:
		if p.textMon && len(s) >= 3 && p.is2 {
			p.day, p.is2 = p.year, false // 99-jan-1999: the first number was the day
			p.year = v
			p.seen |= seenDay
			return nil
		}
		return setDay()
	case seenDay:
		return setMonth()
	case seenMonth | seenDay:
		return setYear()
	}
	return p.bad()
}

// timeField reads hh:mm[:ss[.fraction]].
func (p *dateParse) timeField(s []byte) error {
	if p.seen&seenTime != 0 {
		return p.bad()
	}
	tod, ok, inRange := parseClock(s)
	if !ok {
		return p.bad()
	}
	if !inRange {
		return errDateField(p.text)
	}
	p.tod, p.seen = tod, p.seen|seenTime
	return nil
}

// parseClock reads a time of day; 24:00:00 and a second 60 are allowed.
func parseClock(s []byte) (tod int64, ok, inRange bool) {
	var part [3]int
	n := 0
	for {
		i := 0
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		v, good := digits(s[:i])
		if !good {
			return 0, false, false
		}
		part[n] = v
		n++
		s = s[i:]
		if len(s) == 0 || s[0] != ':' || n == 3 {
			break
		}
		s = s[1:]
	}
	frac := int64(0)
	if len(s) > 0 && s[0] == '.' && n >= 2 {
		f, good := parseFraction(s)
		if !good {
			return 0, false, false
		}
		if n == 2 { // mm:ss.fff
			part[0], part[1], part[2] = 0, part[0], part[1]
		}
		frac = int64(math.RoundToEven(f * usSecond))
		s = nil
	}
	if len(s) > 0 || n < 2 {
		return 0, false, false
	}
	tod = int64(part[0])*usHour + int64(part[1])*usMinute + int64(part[2])*usSecond + frac
	return tod, true, part[0] <= 24 && part[1] < 60 && part[2] <= 60 && tod <= usDay
}

// parseFraction reads ".digits", or a lone point, as a number below one.
func parseFraction(s []byte) (float64, bool) {
	if len(s) == 1 {
		return 0, true
	}
	for _, c := range s[1:] {
		if !isDigit(c) {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(s), 64)
	return f, err == nil
}

func (p *dateParse) zoneField(s []byte) error {
	if p.seen&seenTime == 0 && p.seen&seenYMD != seenYMD && p.kind != types.Time {
		// A sign before a number with no time: a date such as 1999-Jan-08 was cut here.
		if p.seen&seenYMD != 0 {
			return p.number(s[1:])
		}
		return p.bad()
	}
	off, rest, ok := parseOffset(s)
	if !ok || len(rest) > 0 {
		return p.bad()
	}
	if off >= 16*3600 || off <= -16*3600 {
		return errZoneDisplacement(p.text)
	}
	if p.loc != nil && p.seen&seenZone != 0 { // "UTC+3": the sign counts west
		off = -off
		p.loc = nil
	}
	p.offset, p.seen = off, p.seen|seenZone
	return nil
}

func (p *dateParse) zoneName(s []byte) error {
	loc, err := LoadZone(string(s))
	if err != nil {
		return err
	}
	p.loc, p.seen = loc, p.seen|seenZone
	return nil
}

// numberField is a plain number, perhaps with a point.
func (p *dateParse) numberField(s []byte, afterT bool) error {
	point := -1
	for i, c := range s {
		if c == '.' {
			point = i
			break
		}
	}
	switch {
	case afterT || p.kind == types.Time && (len(s) == 4 || point == 4 || point == 6 || point < 0 && len(s) == 6):
		return p.runTogether(s)
	case point >= 0 && p.seen&seenYMD == 0 && len(s)-point-1 > 0 && point <= 4 && point >= 3:
		if err := p.number(s[:point]); err != nil {
			return err
		}
		return p.number(s[point+1:]) // 1999.008
	case point < 0 && len(s) >= 6 && (p.seen&seenYMD != seenYMD || p.seen&seenTime == 0):
		return p.runTogether(s)
	case point >= 6:
		return p.runTogether(s)
	case point >= 0:
		return p.bad()
	}
	return p.number(s)
}

// runTogether reads YYYYMMDD, YYMMDD, hhmmss[.fraction], hhmm by what is missing yet.
func (p *dateParse) runTogether(s []byte) error {
	whole, frac := s, []byte(nil)
	for i, c := range s {
		if c == '.' {
			whole, frac = s[:i], s[i:]
			break
		}
	}
	if p.seen&seenYMD != seenYMD && len(frac) == 0 && len(whole) >= 6 && p.kind != types.Time {
		if p.seen&seenYMD != 0 {
			return p.bad()
		}
		n := len(whole)
		y, ok1 := digits(whole[:n-4])
		m, ok2 := digits(whole[n-4 : n-2])
		d, ok3 := digits(whole[n-2:])
		if !ok1 || !ok2 || !ok3 {
			return p.bad()
		}
		p.year, p.month, p.day, p.is2 = y, m, d, n-4 == 2
		p.seen |= seenYMD
		return nil
	}
	if p.seen&seenTime != 0 {
		return p.bad()
	}
	v, ok := digits(whole)
	if !ok {
		return p.bad()
	}
	var h, m, sec int
	switch len(whole) {
	case 6:
		h, m, sec = v/10000, v/100%100, v%100
	case 4:
		h, m = v/100, v%100
	case 2:
		h = v
	default:
		return p.bad()
	}
	us := int64(0)
	if len(frac) > 0 {
		f, ok := parseFraction(frac)
		if !ok {
			return p.bad()
		}
		us = int64(math.RoundToEven(f * usSecond))
	}
	p.tod = int64(h)*usHour + int64(m)*usMinute + int64(sec)*usSecond + us
	if h > 24 || m > 59 || sec > 60 || p.tod > usDay {
		return errDateField(p.text)
	}
	p.seen |= seenTime
	return nil
}

// word decodes letters. julian tells that the next number is a Julian day.
func (p *dateParse) word(s []byte, numberNext bool) (julian bool, err error) {
	w, ok := dateWords[string(s)]
	if !ok {
		if m, ok := zoneAbbrevs[string(s)]; ok {
			p.loc, p.offset, p.seen = time.FixedZone("", m*60), m*60, p.seen|seenZone
			return false, nil
		}
		if len(s) > 1 && s[0] == 'j' {
			if _, good := digits(s[1:]); good {
				return false, p.julian(s[1:])
			}
		}
		if loc, ok := loadByName(string(s)); ok {
			p.loc, p.seen = loc, p.seen|seenZone
			return false, nil
		}
		return false, p.bad()
	}
	switch w.kind {
	case wMonth:
		return false, p.monthName(w.value)
	case wWeekday, wIgnore:
	case wAMPM:
		p.half = w.value
	case wEra:
		p.bc = w.value == 1
	case wISOTime:
		if p.seen&seenYMD != seenYMD && p.kind != types.Time {
			return false, p.bad()
		}
	case wPrefix:
		if !numberNext {
			return false, p.bad()
		}
		return true, nil
	case wDST:
		p.offset += 3600
	case wAllBalls:
		if p.kind == types.Date {
			return false, p.bad()
		}
		p.tod, p.seen, p.offset = 0, p.seen|seenTime|seenZone, 0
	case wInfinity:
		if p.kind == types.Time {
			return false, p.bad()
		}
		p.isSpec, p.special, p.inf = true, wInfinity, w.value
	default:
		p.isSpec, p.special = true, w.kind
	}
	return false, nil
}
