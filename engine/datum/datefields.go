package datum

// The lexer of PostgreSQL's date and time input: text is cut into fields by its looks alone, and decoded afterwards.

type fieldKind uint8

const (
	fNumber  fieldKind = iota // digits, perhaps with one point
	fDate                     // digits or letters with - / . between
	fTime                     // digits with colons
	fZone                     // a sign before digits
	fString                   // letters
	fSpecial                  // a sign before letters
)

type dateField struct {
	kind fieldKind
	text []byte // letters in lower case
}

const maxDateFields = 25

// splitDateFields cuts s into fields; ok is false for characters that occur in no date.
func splitDateFields(s []byte) (fields []dateField, ok bool) {
	s = lowerASCII(make([]byte, 0, len(s)), s)
	i := 0
	digits := func() {
		for i < len(s) && isDigit(s[i]) {
			i++
		}
	}
	for i < len(s) {
		c := s[i]
		if isSpace(c) {
			i++
			continue
		}
		start := i
		var k fieldKind
		switch {
		case isDigit(c):
			digits()
			k = fNumber
			if i < len(s) {
				switch d := s[i]; d {
				case ':':
					k = fTime
					for i < len(s) && (isDigit(s[i]) || s[i] == ':' || s[i] == '.') {
						i++
					}
				case '-', '/', '.':
					k = lexDate(s, &i, d)
				}
			}
		case c == '.':
			i++
			digits()
			k = fNumber
		case isAlpha(c):
			k = lexWord(s, &i)
		case c == '+' || c == '-':
			sign := c
			i++
			for i < len(s) && isSpace(s[i]) {
				i++
			}
			body := i
			switch {
			case i < len(s) && isDigit(s[i]):
				k = fZone
				for i < len(s) && (isDigit(s[i]) || s[i] == ':' || s[i] == '.' || s[i] == '-') {
					i++
				}
			case i < len(s) && isAlpha(s[i]):
				k = fSpecial
				for i < len(s) && isAlpha(s[i]) {
					i++
				}
			default:
				return nil, false
			}
			fields = append(fields, dateField{k, append([]byte{sign}, s[body:i]...)})
			if len(fields) > maxDateFields {
				return nil, false
			}
			continue
		case c > ' ' && c < 0x7f:
			i++ // punctuation separates
			continue
		default:
			return nil, false
		}
		fields = append(fields, dateField{k, s[start:i]})
		if len(fields) > maxDateFields {
			return nil, false
		}
	}
	return fields, true
}

// lexDate reads the rest of digits followed by the delimiter d.
func lexDate(s []byte, i *int, d byte) fieldKind {
	*i++
	if *i < len(s) && isDigit(s[*i]) {
		k := fDate
		if d == '.' {
			k = fNumber
		}
		for *i < len(s) && isDigit(s[*i]) {
			*i++
		}
		if *i < len(s) && s[*i] == d {
			k = fDate
			*i++
			for *i < len(s) && (isDigit(s[*i]) || s[*i] == d) {
				*i++
			}
		}
		return k
	}
	for *i < len(s) && (isDigit(s[*i]) || isAlpha(s[*i]) || s[*i] == d) {
		*i++
	}
	if d == '.' && *i > 0 && s[*i-1] == '.' {
		return fNumber // "1." as in intervals
	}
	return fDate
}

// lexWord reads letters, and what makes them a date (8-jan-1999 from its month) or a zone (europe/berlin, utc+3).
func lexWord(s []byte, i *int) fieldKind {
	start := *i
	for *i < len(s) && isAlpha(s[*i]) {
		*i++
	}
	if *i >= len(s) {
		return fString
	}
	c := s[*i]
	more := c == '-' || c == '/' || c == '.'
	if !more && (c == '+' || c == '_' || isDigit(c)) {
		_, known := dateWords[string(s[start:*i])]
		more = !known || c == '+' && zoneWord(s[start:*i])
	}
	if !more {
		return fString
	}
	for *i < len(s) {
		c := s[*i]
		if !isAlpha(c) && !isDigit(c) && c != '+' && c != '-' && c != '/' && c != '_' && c != '.' && c != ':' {
			break
		}
		*i++
	}
	return fDate
}

func zoneWord(s []byte) bool {
	_, ok := zoneAbbrevs[string(s)]
	return ok
}

type wordKind uint8

const (
	wMonth wordKind = iota
	wWeekday
	wAMPM   // value 12 for pm
	wEra    // value 1 for BC
	wIgnore // at, on
	wISOTime
	wPrefix // j, jd: the next number is a Julian day
	wNow
	wToday
	wTomorrow
	wYesterday
	wEpoch
	wInfinity
	wAllBalls
	wDST
)

type dateWord struct {
	kind  wordKind
	value int
}

var dateWords = map[string]dateWord{
	"jan": {wMonth, 1}, "january": {wMonth, 1}, "feb": {wMonth, 2}, "february": {wMonth, 2}, "mar": {wMonth, 3},
	"march": {wMonth, 3}, "apr": {wMonth, 4}, "april": {wMonth, 4}, "may": {wMonth, 5}, "jun": {wMonth, 6},
	"june": {wMonth, 6}, "jul": {wMonth, 7}, "july": {wMonth, 7}, "aug": {wMonth, 8}, "august": {wMonth, 8},
	"sep": {wMonth, 9}, "sept": {wMonth, 9}, "september": {wMonth, 9}, "oct": {wMonth, 10}, "october": {wMonth, 10},
	"nov": {wMonth, 11}, "november": {wMonth, 11}, "dec": {wMonth, 12}, "december": {wMonth, 12},
	"sun": {wWeekday, 0}, "sunday": {wWeekday, 0}, "mon": {wWeekday, 1}, "monday": {wWeekday, 1}, "tue": {wWeekday, 2},
	"tues": {wWeekday, 2}, "tuesday": {wWeekday, 2}, "wed": {wWeekday, 3}, "weds": {wWeekday, 3},
	"wednesday": {wWeekday, 3}, "thu": {wWeekday, 4}, "thur": {wWeekday, 4}, "thurs": {wWeekday, 4},
	"thursday": {wWeekday, 4}, "fri": {wWeekday, 5}, "friday": {wWeekday, 5}, "sat": {wWeekday, 6},
	"saturday": {wWeekday, 6},
	"am":       {wAMPM, 0}, "pm": {wAMPM, 12}, "ad": {wEra, 0}, "bc": {wEra, 1}, "at": {wIgnore, 0}, "on": {wIgnore, 0},
	"t": {wISOTime, 0}, "j": {wPrefix, 0}, "jd": {wPrefix, 0}, "julian": {wPrefix, 0}, "dst": {wDST, 0},
	"now": {wNow, 0}, "today": {wToday, 0}, "tomorrow": {wTomorrow, 0}, "yesterday": {wYesterday, 0},
	"epoch": {wEpoch, 0}, "infinity": {wInfinity, 1}, "+infinity": {wInfinity, 1}, "-infinity": {wInfinity, -1},
	"allballs": {wAllBalls, 0},
}
