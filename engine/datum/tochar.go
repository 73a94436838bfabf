package datum

import (
	"strconv"
	"strings"
	"time"
)

// Formats of to_char, to_timestamp and to_date: a list of patterns and of text between them.

// dateKey is one pattern. Those that differ only in case print in that case.
type dateKey uint8

const (
	kText dateKey = iota
	kAD
	kADDots
	kAM
	kAMDots
	kCC
	kDay
	kDDD
	kDD
	kDy
	kD
	kFF
	kHH24
	kHH12
	kIDDD
	kID
	kIW
	kIYear
	kJ
	kMI
	kMM
	kMonth
	kMon
	kMS
	kOF
	kQ
	kRM
	kSSSS
	kSS
	kTZH
	kTZM
	kTZ
	kUS
	kWW
	kW
	kYComma
	kYear
)

type dateNode struct {
	key    dateKey
	text   string // of kText; the pattern as written otherwise
	digits int    // of years and fractions
	upper  bool   // letters: MONTH
	title  bool   // Month
	fill   bool   // FM was there: no padding
	suffix string // TH or th
	quoted bool   // text from quotes: taken as it is when parsing
}

// datePatterns in the order in which they are tried: longer ones first.
var datePatterns = []struct {
	word   string
	key    dateKey
	digits int
}{
	{"a.d.", kADDots, 0}, {"a.m.", kAMDots, 0}, {"b.c.", kADDots, 0}, {"p.m.", kAMDots, 0},
	{"ad", kAD, 0}, {"am", kAM, 0}, {"bc", kAD, 0}, {"pm", kAM, 0}, {"cc", kCC, 0},
	{"day", kDay, 0}, {"ddd", kDDD, 0}, {"dd", kDD, 0}, {"dy", kDy, 0}, {"d", kD, 0},
	{"ff1", kFF, 1}, {"ff2", kFF, 2}, {"ff3", kFF, 3}, {"ff4", kFF, 4}, {"ff5", kFF, 5}, {"ff6", kFF, 6},
	{"hh24", kHH24, 0}, {"hh12", kHH12, 0}, {"hh", kHH12, 0},
	{"iddd", kIDDD, 0}, {"id", kID, 0}, {"iw", kIW, 0}, {"iyyy", kIYear, 4}, {"iyy", kIYear, 3}, {"iy", kIYear, 2}, {"i", kIYear, 1},
	{"j", kJ, 0}, {"mi", kMI, 0}, {"mm", kMM, 0}, {"month", kMonth, 0}, {"mon", kMon, 0}, {"ms", kMS, 0}, {"of", kOF, 0},
	{"q", kQ, 0}, {"rm", kRM, 0}, {"sssss", kSSSS, 0}, {"ssss", kSSSS, 0}, {"ss", kSS, 0},
	{"tzh", kTZH, 0}, {"tzm", kTZM, 0}, {"tz", kTZ, 0}, {"us", kUS, 0}, {"ww", kWW, 0}, {"w", kW, 0},
	{"y,yyy", kYComma, 0}, {"yyyy", kYear, 4}, {"yyy", kYear, 3}, {"yy", kYear, 2}, {"y", kYear, 1},
}

// parseDateFormat cuts a format into nodes.
func parseDateFormat(f string) []dateNode {
	var nodes []dateNode
	text := func(s string, quoted bool) {
		if n := len(nodes); n > 0 && nodes[n-1].key == kText && nodes[n-1].quoted == quoted {
			nodes[n-1].text += s
			return
		}
		nodes = append(nodes, dateNode{key: kText, text: s, quoted: quoted})
	}
	fill := false
	for len(f) > 0 {
		switch {
		case f[0] == '"':
			f = quotedFormat(f[1:], func(s string) { text(s, true) })
			continue
		case f[0] == '\\' && len(f) > 1:
			text(f[1:2], false)
			f = f[2:]
			continue
		case len(f) >= 2 && strings.EqualFold(f[:2], "fm"):
			fill = true
			f = f[2:]
			continue
		case len(f) >= 2 && (strings.EqualFold(f[:2], "fx") || strings.EqualFold(f[:2], "tm")):
			f = f[2:]
			continue
		}
		n, ok := matchDatePattern(f)
		if !ok {
			text(f[:1], false)
			f = f[1:]
			continue
		}
		f = f[len(n.text):]
		n.fill, fill = fill, false
		if len(f) >= 2 && strings.EqualFold(f[:2], "th") {
			n.suffix = f[:2]
			f = f[2:]
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func quotedFormat(f string, text func(string)) string {
	for i := 0; i < len(f); i++ {
		switch f[i] {
		case '"':
			return f[i+1:]
		case '\\':
			if i+1 < len(f) {
				i++
			}
		}
		text(f[i : i+1])
	}
	return ""
}

func matchDatePattern(f string) (dateNode, bool) {
	for _, p := range datePatterns {
		if len(f) < len(p.word) || !strings.EqualFold(f[:len(p.word)], p.word) {
			continue
		}
		w := f[:len(p.word)]
		n := dateNode{key: p.key, text: w, digits: p.digits}
		n.upper = w[0] >= 'A' && w[0] <= 'Z'
		n.title = n.upper && len(w) > 1 && w[1] >= 'a' && w[1] <= 'z'
		return n, true
	}
	return dateNode{}, false
}

var (
	monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	dayNames   = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	romans     = [...]string{"XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I"}
)

// dateParts is what the patterns print.
type dateParts struct {
	year, month, day int // year 0 is 1 BC
	tod              int64
	days             int64
	offset           int
	zone             string
	interval         bool // fields of an interval: no calendar
	hours            int64
}

// AppendTimestampChar is to_char(timestamp, format). loc is nil for a timestamp without zone.
func AppendTimestampChar(dst []byte, us int64, loc *time.Location, format string) []byte {
	p := dateParts{}
	if loc != nil {
		p.offset, p.zone = zoneOffset(us, loc)
		us += int64(p.offset) * usSecond
	}
	p.days, p.tod = SplitTimestamp(us)
	p.year, p.month, p.day = DaysToCivil(p.days)
	p.hours = p.tod / usHour
	return p.append(dst, format)
}

// AppendIntervalChar is to_char(interval, format).
func AppendIntervalChar(dst []byte, iv Interval, format string) []byte {
	p := dateParts{interval: true, year: int(iv.Months / 12), month: int(iv.Months % 12), day: int(iv.Days), tod: iv.Micros}
	p.hours = iv.Micros / usHour
	return p.append(dst, format)
}

func (p *dateParts) append(dst []byte, format string) []byte {
	for _, n := range parseDateFormat(format) {
		dst = p.node(dst, n)
	}
	return dst
}

// num appends a number with leading zeros up to width, unless FM was there, and its ordinal suffix.
func (n dateNode) num(dst []byte, v int64, width int) []byte {
	start := len(dst)
	if v < 0 {
		dst = append(dst, '-')
		v = -v
	}
	s := strconv.FormatInt(v, 10)
	if !n.fill {
		for range width - len(s) {
			dst = append(dst, '0')
		}
	}
	dst = append(dst, s...)
	if n.suffix != "" {
		dst = append(dst, ordinal(string(dst[start:]), n.suffix)...)
	}
	return dst
}

// ordinal is st, nd, rd or th in the suffix's case.
func ordinal(num, suffix string) string {
	s := "th"
	last := num[len(num)-1]
	if len(num) < 2 || num[len(num)-2] != '1' {
		switch last {
		case '1':
			s = "st"
		case '2':
			s = "nd"
		case '3':
			s = "rd"
		}
	}
	if suffix[0] == 'T' {
		return strings.ToUpper(s)
	}
	return s
}

// word appends a name in the pattern's case, padded to width with blanks unless FM was there.
func (n dateNode) word(dst []byte, s string, width int) []byte {
	switch {
	case n.title:
	case n.upper:
		s = strings.ToUpper(s)
	default:
		s = strings.ToLower(s)
	}
	dst = append(dst, s...)
	if !n.fill {
		for range width - len(s) {
			dst = append(dst, ' ')
		}
	}
	return dst
}

func (p *dateParts) node(dst []byte, n dateNode) []byte {
	switch n.key {
	case kText:
		return append(dst, n.text...)
	case kAM, kAMDots:
		pm := p.hours%24 >= 12
		return append(dst, meridian(n, pm)...)
	case kHH12:
		h := p.hours % 12
		if h == 0 && !p.interval || h == 0 {
			h = 12
		}
		return n.num(dst, h, 2)
	case kHH24:
		return n.num(dst, p.hours, 2)
	case kMI:
		return n.num(dst, p.tod/usMinute%60, 2)
	case kSS:
		return n.num(dst, p.tod/usSecond%60, 2)
	case kMS:
		return n.num(dst, p.tod%usSecond/1000, 3)
	case kUS:
		return n.num(dst, p.tod%usSecond, 6)
	case kFF:
		v := p.tod % usSecond
		for range 6 - n.digits {
			v /= 10
		}
		return n.num(dst, v, n.digits)
	case kSSSS:
		return n.num(dst, p.tod/usSecond, 0)
	case kTZ:
		z := p.zone
		if !n.upper {
			z = strings.ToLower(z)
		}
		return append(dst, z...)
	case kTZH, kOF, kTZM:
		return p.offsetNode(dst, n)
	}
	return p.dayNode(dst, n)
}

func (p *dateParts) offsetNode(dst []byte, n dateNode) []byte {
	off := p.offset
	if n.key == kTZM {
		return n.num(dst, int64(max(off, -off)/60%60), 2)
	}
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	dst = append2(append(dst, sign), off/3600)
	if n.key == kOF && off/60%60 != 0 {
		dst = append2(append(dst, ':'), off/60%60)
	}
	return dst
}

func meridian(n dateNode, pm bool) string {
	s := "am"
	if pm {
		s = "pm"
	}
	if n.key == kAMDots {
		s = s[:1] + ".m."
	}
	if n.upper {
		s = strings.ToUpper(s)
	}
	return s
}

func (p *dateParts) dayNode(dst []byte, n dateNode) []byte {
	year := int64(p.year)
	if !p.interval && p.year <= 0 {
		year = 1 - int64(p.year) // the era tells BC
	}
	switch n.key {
	case kAD, kADDots:
		if p.interval {
			return dst
		}
		return append(dst, eraWord(n, p.year <= 0)...)
	case kMonth, kMon, kRM:
		return p.monthNode(dst, n)
	case kMM:
		return n.num(dst, int64(p.month), 2)
	case kDD:
		return n.num(dst, int64(p.day), 2)
	case kYear:
		return n.num(dst, cutYear(year, n.digits), n.digits)
	case kYComma:
		dst = strconv.AppendInt(dst, year/1000, 10)
		dst = append(dst, ',')
		return dateNode{suffix: n.suffix}.num(dst, year%1000, 3)
	case kQ:
		if p.month == 0 {
			return dst
		}
		return n.num(dst, int64((p.month-1)/3+1), 0)
	case kCC:
		c := eraOf(int64(p.year), 100)
		if p.interval {
			c = int64(p.year / 100)
		}
		return n.num(dst, c, 2)
	}
	if p.interval {
		return dst
	}
	switch n.key {
	case kDay:
		return n.word(dst, dayNames[Weekday(p.days)], 9)
	case kDy:
		return n.word(dst, dayNames[Weekday(p.days)][:3], 3)
	case kDDD:
		return n.num(dst, extractDay(uDOY, p.days), 3)
	case kD:
		return n.num(dst, int64(Weekday(p.days))+1, 0)
	case kID:
		return n.num(dst, extractDay(uISODOW, p.days), 0)
	case kIDDD:
		y, _ := ISOWeek(p.days)
		return n.num(dst, p.days-isoWeekStart(y, 1)+1, 3)
	case kIW:
		_, w := ISOWeek(p.days)
		return n.num(dst, int64(w), 2)
	case kIYear:
		y, _ := ISOWeek(p.days)
		if y <= 0 {
			y = 1 - y
		}
		return n.num(dst, cutYear(int64(y), n.digits), n.digits)
	case kWW:
		return n.num(dst, (extractDay(uDOY, p.days)-1)/7+1, 2)
	case kW:
		return n.num(dst, int64((p.day-1)/7+1), 0)
	case kJ:
		return n.num(dst, p.days-dateMin, 0)
	}
	return dst
}

// cutYear keeps the last digits of a year; YYYY keeps all.
func cutYear(y int64, digits int) int64 {
	switch digits {
	case 1:
		return y % 10
	case 2:
		return y % 100
	case 3:
		return y % 1000
	}
	return y
}

func (p *dateParts) monthNode(dst []byte, n dateNode) []byte {
	if p.month < 1 || p.month > 12 {
		return dst
	}
	switch n.key {
	case kMonth:
		return n.word(dst, monthNames[p.month-1], 9)
	case kMon:
		return n.word(dst, monthNames[p.month-1][:3], 3)
	}
	r := romans[12-p.month]
	if !n.upper {
		r = strings.ToLower(r)
	}
	dst = append(dst, r...)
	if !n.fill {
		for range 4 - len(r) {
			dst = append(dst, ' ')
		}
	}
	return dst
}

func eraWord(n dateNode, bc bool) string {
	s := "ad"
	if bc {
		s = "bc"
	}
	if n.key == kADDots {
		s = s[:1] + "." + s[1:] + "."
	}
	if n.upper {
		s = strings.ToUpper(s)
	}
	return s
}
