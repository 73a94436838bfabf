package datum

import (
	"strconv"
	"strings"
	"time"

	"github.com/telemdb/telemdb/engine/sqlstate"
)

// parsedDate collects what the patterns of to_timestamp and to_date read.
type parsedDate struct {
	has                              map[dateKey]bool
	year, month, day, doy            int
	isoYear, isoWeek, isoDay, isoDOY int
	weekday                          int
	century, week, weekOfMonth       int
	julian                           int64
	hour, minute, second             int
	us                               int64
	secondsOfDay                     int
	pm, bc, hour12                   bool
	offset                           int
	loc                              *time.Location
}

// ParseTimestampChar is to_timestamp(text, format): an instant, in the session's zone unless the text has one.
func ParseTimestampChar(s, format string, loc *time.Location) (int64, error) {
	p, err := parseByFormat(s, format)
	if err != nil {
		return 0, err
	}
	days, err := p.date(s)
	if err != nil {
		return 0, err
	}
	tod, err := p.clock(s)
	if err != nil {
		return 0, err
	}
	midnight, err := DateToTimestamp(days)
	if err != nil {
		return 0, err
	}
	us := midnight + tod
	switch {
	case p.loc != nil:
		return FromLocal(us, p.loc), nil
	case p.has[kTZH] || p.has[kOF]:
		return us - int64(p.offset)*usSecond, nil
	}
	return FromLocal(us, loc), nil
}

// ParseDateChar is to_date(text, format).
func ParseDateChar(s, format string) (int64, error) {
	p, err := parseByFormat(s, format)
	if err != nil {
		return 0, err
	}
	days, err := p.date(s)
	if err != nil {
		return 0, err
	}
	return days, checkDate(days)
}

func errFormatValue(what, pattern string) error {
	return sqlstate.New(sqlstate.InvalidDatetime, "invalid value \"%s\" for \"%s\"", what, pattern)
}

func parseByFormat(s, format string) (*parsedDate, error) {
	p := &parsedDate{has: map[dateKey]bool{}}
	nodes := parseDateFormat(format)
	rest := s
	for i, n := range nodes {
		if n.key == kText {
			rest = skipFormatText(rest, n)
			continue
		}
		for len(rest) > 0 && isSpace(rest[0]) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			break // what is missing keeps its default
		}
		// A number is cut to its width if digits follow in the format too: YYYYMMDD.
		fixed := i+1 < len(nodes) && nodes[i+1].key != kText
		var err error
		if rest, err = p.read(rest, n, fixed); err != nil {
			return nil, err
		}
		p.has[n.key] = true
		if len(n.suffix) > 0 && len(rest) >= 2 {
			rest = rest[2:]
		}
	}
	return p, nil
}

// skipFormatText passes over separators: each character of the format that is no letter or digit skips one such
// character of the input; letters and quoted text skip as many characters.
func skipFormatText(s string, n dateNode) string {
	for i := 0; i < len(n.text) && len(s) > 0; i++ {
		c := n.text[i]
		if isSpace(c) {
			for len(s) > 0 && isSpace(s[0]) {
				s = s[1:]
			}
			continue
		}
		separator := !isDigit(c) && !isAlpha(c)
		if separator && !n.quoted {
			for len(s) > 0 && isSpace(s[0]) {
				s = s[1:]
			}
			if len(s) > 0 && !isDigit(s[0]) && !isAlpha(s[0]) && !(s[0] == '-' || s[0] == '+') || len(s) > 0 && s[0] == c {
				s = s[1:]
			}
			continue
		}
		s = s[1:]
	}
	return s
}

// readInt reads digits with an optional sign; width 0 means as many as there are.
func readInt(s string, n dateNode, width int, fixed bool) (v int, rest string, err error) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	start := i
	limit := len(s)
	if fixed && width > 0 {
		limit = min(limit, start+width)
	}
	for i < limit && isDigit(s[i]) {
		i++
	}
	if i == start {
		end := min(len(s), max(width, 1))
		return 0, s, errFormatValue(s[:end], n.text)
	}
	v, convErr := strconv.Atoi(s[:i])
	if convErr != nil || v > 1<<31-1 || v < -(1<<31) {
		return 0, s, sqlstate.New(sqlstate.DatetimeOverflow, "value for \"%s\" in source string is out of range", n.text)
	}
	return v, s[i:], nil
}

func (p *parsedDate) read(s string, n dateNode, fixed bool) (string, error) {
	into := func(dst *int, width int) (string, error) {
		v, rest, err := readInt(s, n, width, fixed && !n.fill)
		*dst = v
		return rest, err
	}
	switch n.key {
	case kHH24:
		return into(&p.hour, 2)
	case kHH12:
		p.hour12 = true
		rest, err := into(&p.hour, 2)
		if err == nil && (p.hour < 1 || p.hour > 12) {
			return s, sqlstate.New(sqlstate.InvalidDatetime, "hour \"%d\" is invalid for the 12-hour clock", p.hour).
				WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		return rest, err
	case kMI:
		return into(&p.minute, 2)
	case kSS:
		return into(&p.second, 2)
	case kSSSS:
		return into(&p.secondsOfDay, 5)
	case kMS, kUS, kFF:
		return p.readFraction(s, n, fixed)
	case kAM, kAMDots:
		return readWord(s, n, []string{"am", "pm", "a.m.", "p.m."}, func(i int) { p.pm = i%2 == 1 })
	case kAD, kADDots:
		return readWord(s, n, []string{"ad", "bc", "a.d.", "b.c."}, func(i int) { p.bc = i%2 == 1 })
	case kMonth:
		if rest, err := readWord(s, n, lowerAll(monthNames[:], 0), func(i int) { p.month = i + 1 }); err == nil {
			return rest, nil
		}
		return readWord(s, n, lowerAll(monthNames[:], 3), func(i int) { p.month = i + 1 })
	case kMon:
		return readWord(s, n, lowerAll(monthNames[:], 3), func(i int) { p.month = i + 1 })
	case kRM:
		return readWord(s, n, lowerAll(romans[:], 0), func(i int) { p.month = 12 - i })
	case kDay:
		return readWord(s, n, lowerAll(dayNames[:], 0), func(i int) { p.weekday = i })
	case kDy:
		return readWord(s, n, lowerAll(dayNames[:], 3), func(i int) { p.weekday = i })
	}
	return p.readCalendar(s, n, into)
}

func (p *parsedDate) readCalendar(s string, n dateNode, into func(*int, int) (string, error)) (string, error) {
	switch n.key {
	case kMM:
		return into(&p.month, 2)
	case kDD:
		return into(&p.day, 2)
	case kDDD:
		return into(&p.doy, 3)
	case kYear, kIYear:
		dst := &p.year
		if n.key == kIYear {
			dst = &p.isoYear
		}
		rest, err := into(dst, n.digits)
		if err == nil {
			*dst = adjustYear(*dst, len(s)-len(rest), n.digits)
		}
		return rest, err
	case kYComma:
		head, tail, ok := strings.Cut(s, ",")
		m, err := strconv.Atoi(head)
		if !ok || err != nil || len(tail) < 3 {
			return s, errFormatValue(s, n.text)
		}
		k, err := strconv.Atoi(tail[:3])
		if err != nil {
			return s, errFormatValue(s, n.text)
		}
		p.year = m*1000 + k
		p.has[kYear] = true
		return tail[3:], nil
	case kD:
		return into(&p.weekday, 1)
	case kID:
		return into(&p.isoDay, 1)
	case kIDDD:
		return into(&p.isoDOY, 3)
	case kIW:
		return into(&p.isoWeek, 2)
	case kWW:
		return into(&p.week, 2)
	case kW:
		return into(&p.weekOfMonth, 1)
	case kCC:
		return into(&p.century, 2)
	case kQ:
		var ignored int
		return into(&ignored, 1)
	case kJ:
		var j int
		rest, err := into(&j, 0)
		p.julian = int64(j)
		return rest, err
	case kTZH, kOF, kTZM, kTZ:
		return p.readZone(s, n)
	}
	return s, nil
}

// adjustYear completes years of fewer than four digits: 70 to 99 are in the last century, 0 to 69 in this.
func adjustYear(y, read, digits int) int {
	if digits == 4 || read > digits && read >= 4 || y < 0 {
		return y
	}
	switch {
	case y < 70:
		return y + 2000
	case y < 100:
		return y + 1900
	case y < 520:
		return y + 2000
	case y < 1000:
		return y + 1000
	}
	return y
}

func (p *parsedDate) readFraction(s string, n dateNode, fixed bool) (string, error) {
	width := map[dateKey]int{kMS: 3, kUS: 6}[n.key]
	if n.key == kFF {
		width = n.digits
	}
	_, rest, err := readInt(s, n, width, true)
	if err != nil {
		return s, err
	}
	text := s[:len(s)-len(rest)]
	v, _ := strconv.ParseInt(text, 10, 64)
	for i := len(text); i < 6; i++ {
		v *= 10
	}
	p.us = v
	return rest, nil
}

func (p *parsedDate) readZone(s string, n dateNode) (string, error) {
	switch n.key {
	case kTZM:
		v, rest, err := readInt(s, n, 2, true)
		if p.offset < 0 {
			v = -v
		}
		p.offset += v * 60
		return rest, err
	case kTZ:
		i := 0
		for i < len(s) && (isAlpha(s[i]) || s[i] == '/' || s[i] == '_') {
			i++
		}
		loc, err := LoadZone(s[:i])
		if err != nil {
			return s, err
		}
		p.loc = loc
		return s[i:], nil
	case kOF:
		off, rest, ok := parseOffset([]byte(s))
		if !ok {
			return s, errFormatValue(s, n.text)
		}
		p.offset = off
		return string(rest), nil
	}
	v, rest, err := readInt(s, n, 2, true)
	p.offset = v * 3600
	return rest, err
}

func lowerAll(names []string, cut int) []string {
	out := make([]string, len(names))
	for i, n := range names {
		if cut > 0 {
			n = n[:cut]
		}
		out[i] = strings.ToLower(n)
	}
	return out
}

// readWord reads one of the words in any case, the longest that fits.
func readWord(s string, n dateNode, words []string, set func(i int)) (string, error) {
	best := -1
	for i, w := range words {
		if len(s) >= len(w) && strings.EqualFold(s[:len(w)], w) && (best < 0 || len(w) > len(words[best])) {
			best = i
		}
	}
	if best < 0 {
		end := 0
		for end < len(s) && !isSpace(s[end]) {
			end++
		}
		return s, errFormatValue(s[:end], n.text)
	}
	set(best)
	return s[len(words[best]):], nil
}

func (p *parsedDate) clock(s string) (int64, error) {
	if p.has[kSSSS] {
		p.hour, p.minute, p.second = p.secondsOfDay/3600, p.secondsOfDay/60%60, p.secondsOfDay%60
	}
	h := p.hour
	if p.hour12 {
		h %= 12
		if p.pm {
			h += 12
		}
	}
	tod := int64(h)*usHour + int64(p.minute)*usMinute + int64(p.second)*usSecond + p.us
	if h < 0 || h > 24 || p.minute < 0 || p.minute > 59 || p.second < 0 || p.second > 60 || tod > usDay {
		return 0, errDateField([]byte(s))
	}
	return tod, nil
}

// date puts the day together from whichever fields were there.
func (p *parsedDate) date(s string) (int64, error) {
	fail := errDateField([]byte(s))
	if p.has[kJ] {
		return p.julian + dateMin, nil
	}
	if p.has[kIYear] {
		return p.isoDate(fail)
	}
	y := p.year
	if p.has[kCC] {
		if p.has[kYear] {
			y = p.year%100 + (p.century-1)*100
		} else {
			y = (p.century-1)*100 + 1
		}
	}
	if !p.has[kYear] && !p.has[kCC] {
		y = 0 // 1 BC, as PostgreSQL leaves it
	} else if p.bc {
		if y <= 0 {
			return 0, fail
		}
		y = 1 - y
	} else if y < 0 {
		y++
	}
	month, day := 1, 1
	if p.has[kMM] || p.has[kMonth] || p.has[kMon] || p.has[kRM] {
		month = p.month
	}
	switch {
	case p.has[kDDD]:
		if p.doy < 1 || p.doy > 366 {
			return 0, fail
		}
		return CivilToDays(y, 1, p.doy), nil
	case p.has[kWW]:
		return CivilToDays(y, 1, (p.week-1)*7+1), nil
	case p.has[kDD]:
		day = p.day
	case p.has[kW]:
		day = (p.weekOfMonth-1)*7 + 1
	}
	if month < 1 || month > 12 || day < 1 || day > DaysInMonth(y, month) {
		return 0, fail
	}
	return CivilToDays(y, month, day), nil
}

func (p *parsedDate) isoDate(fail error) (int64, error) {
	switch {
	case p.has[kIDDD]:
		return isoWeekStart(p.isoYear, 1) + int64(p.isoDOY) - 1, nil
	case p.has[kIW]:
		if p.isoWeek < 1 || p.isoWeek > 53 {
			return 0, fail
		}
		d := isoWeekStart(p.isoYear, p.isoWeek)
		switch {
		case p.has[kID]:
			d += int64(p.isoDay - 1)
		case p.has[kD]:
			d += int64((p.weekday + 5) % 7)
		}
		return d, nil
	}
	return isoWeekStart(p.isoYear, 1), nil
}
