package codec

import (
	"encoding/binary"
	"math"

	"github.com/telemdb/telemdb/storage/column"
)

// Texts that are all ISO 8601 times of one shape, such as 2026-03-02T09:41:07.250Z or 2026-03-02T10:00:00.0+01:00, are
// stored as the moment and, where there is one, the zone's offset in minutes.

// timeShape says how the text of a time looks. Every text of the shape has the same length, and is the only one that
// stands for its moment and offset.
type timeShape struct {
	sep    byte // 'T' or ' '
	digits int  // of the fraction, 0 (and no point) to 9
	zone   byte // zoneNone, zoneZ or zoneOffset
}

const (
	zoneNone   = 0 // nothing follows
	zoneZ      = 1
	zoneOffset = 2 // +hh:mm or -hh:mm; +00:00 rather than -00:00
)

// timeLayout is an opened chunk of times.
type timeLayout struct {
	shape   timeShape
	base    int64 // the least moment, in units of the last digit of the fraction, since 1970 UTC
	step    int64 // moments are base + step * their number
	moments *ints
	offsets *ints // minutes; nil: the shape has none
}

// parse reads: separator u8, digits u8, zone u8, base varint, step uvarint, the moments' numbers, and with zone 2 the
// offsets.
func (l *timeLayout) parse(c *cursor, n int) (err error) {
	l.shape = timeShape{sep: c.u8(), digits: int(c.u8()), zone: c.u8()}
	l.base = c.varint()
	step := c.uvarint()
	if l.shape.sep != 'T' && l.shape.sep != ' ' || l.shape.digits > 9 || l.shape.zone > zoneOffset || step == 0 || step > math.MaxInt64 {
		return corrupt("times of shape %v in steps of %d", l.shape, step)
	}
	l.step = int64(step)
	if l.moments, err = parseInts(c, n); err == nil && l.shape.zone == zoneOffset {
		l.offsets, err = parseInts(c, n)
	}
	return err
}

// shapeOf returns the shape a text may have, judged by its length and punctuation alone.
func shapeOf(s []byte) (timeShape, bool) {
	if len(s) < len("2006-01-02T15:04:05") || len(s) > len("2006-01-02T15:04:05.123456789+01:00") {
		return timeShape{}, false
	}
	t := timeShape{sep: s[10]}
	rest := s[19:]
	if len(rest) > 0 && rest[0] == '.' {
		for t.digits+1 < len(rest) && rest[t.digits+1]-'0' < 10 {
			t.digits++
		}
		rest = rest[t.digits+1:]
		if t.digits == 0 || t.digits > 9 {
			return t, false
		}
	}
	switch {
	case len(rest) == 0:
	case len(rest) == 1 && rest[0] == 'Z':
		t.zone = zoneZ
	case len(rest) == 6:
		t.zone = zoneOffset
	default:
		return t, false
	}
	return t, t.sep == 'T' || t.sep == ' '
}

// size returns the length of the texts.
func (t timeShape) size() int {
	n := 19
	if t.digits > 0 {
		n += 1 + t.digits
	}
	switch t.zone {
	case zoneZ:
		n++
	case zoneOffset:
		n += 6
	}
	return n
}

var intPow10 = [10]int64{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000}

// number reads decimal digits; bad collects what is none.
func number(s []byte, bad *byte) int {
	n := 0
	for _, c := range s {
		d := c - '0'
		if d > 9 {
			*bad = 1
		}
		n = 10*n + int(d)
	}
	return n
}

// parse returns the moment and the offset of a text; ok is false unless append gives the same text for them.
func (t timeShape) parse(s []byte) (moment, offset int64, ok bool) {
	if len(s) != t.size() {
		return 0, 0, false
	}
	bad := (s[4] ^ '-') | (s[7] ^ '-') | (s[10] ^ t.sep) | (s[13] ^ ':') | (s[16] ^ ':')
	year, month, day := number(s[:4], &bad), number(s[5:7], &bad), number(s[8:10], &bad)
	hour, minute, second := number(s[11:13], &bad), number(s[14:16], &bad), number(s[17:19], &bad)
	fraction, rest := 0, s[19:]
	if t.digits > 0 {
		bad |= rest[0] ^ '.'
		fraction, rest = number(rest[1:1+t.digits], &bad), rest[1+t.digits:]
	}
	switch t.zone {
	case zoneZ:
		bad |= rest[0] ^ 'Z'
	case zoneOffset:
		h, m := number(rest[1:3], &bad), number(rest[4:6], &bad)
		bad |= rest[3] ^ ':'
		offset = int64(60*h + m)
		if rest[0] == '-' {
			offset = -offset
		}
		if h > 23 || m > 59 || rest[0] != '+' && rest[0] != '-' || rest[0] == '-' && offset == 0 {
			bad = 1
		}
	}
	if bad != 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, 0, false
	}
	unit := intPow10[t.digits]
	seconds := daysFromCivil(year, month, day)*86400 + int64(3600*hour+60*minute+second) - 60*offset
	if limit := maxMoment / unit; seconds >= limit || seconds <= -limit { // nanoseconds reach from 1824 to 2116
		return 0, 0, false
	}
	return seconds*unit + int64(fraction), offset, true
}

// maxMoment bounds moments to both sides, so that the distance of two fits.
const maxMoment = 1 << 62

func daysIn(year, month int) int {
	if month == 2 && (year%4 == 0 && year%100 != 0 || year%400 == 0) {
		return 29
	}
	return [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}

// daysFromCivil counts days since 1970-01-01 in the Gregorian calendar, for years 0 to 9999.
func daysFromCivil(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	y += 400 // so that nothing is below zero
	return int64(365*y+y/4-y/100+y/400+(153*(m-3)+2)/5+d-1) - 719468 - 146097
}

// civilFromDays is the inverse, for days of years 0 to 9999.
func civilFromDays(days int64) (y, m, d int) {
	z := int(days) + 719468 + 146097
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	y, m, d = yoe+(era-1)*400, mp+3, doy-(153*mp+2)/5+1
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}

// The days of 0000-01-01 and 9999-12-31: four digits hold no other years.
var firstDay, lastDay = daysFromCivil(0, 1, 1), daysFromCivil(9999, 12, 31)

func twoDigits(dst []byte, n int) []byte { return append(dst, '0'+byte(n/10), '0'+byte(n%10)) }

// append appends the text; ok is false for a moment or an offset that no text stands for.
func (t timeShape) append(dst []byte, moment, offset int64) (out []byte, ok bool) {
	if offset <= -24*60 || offset >= 24*60 {
		return dst, false
	}
	unit := intPow10[t.digits]
	seconds, fraction := moment/unit, moment%unit
	if fraction < 0 {
		seconds, fraction = seconds-1, fraction+unit
	}
	seconds += 60 * offset
	days, clock := seconds/86400, int(seconds%86400)
	if clock < 0 {
		days, clock = days-1, clock+86400
	}
	if days < firstDay || days > lastDay {
		return dst, false
	}
	y, m, d := civilFromDays(days)
	dst = append(twoDigits(twoDigits(dst, y/100), y%100), '-')
	dst = append(twoDigits(dst, m), '-')
	dst = append(twoDigits(dst, d), t.sep)
	dst = append(twoDigits(dst, clock/3600), ':')
	dst = append(twoDigits(dst, clock/60%60), ':')
	dst = twoDigits(dst, clock%60)
	if t.digits > 0 {
		dst = append(dst, '.')
		for u := unit / 10; u > 0; u /= 10 {
			dst = append(dst, '0'+byte(fraction/u%10))
		}
	}
	switch t.zone {
	case zoneZ:
		dst = append(dst, 'Z')
	case zoneOffset:
		sign := byte('+')
		if offset < 0 {
			sign, offset = '-', -offset
		}
		dst = append(twoDigits(append(dst, sign), int(offset/60)), ':')
		dst = twoDigits(dst, int(offset%60))
	}
	return dst, true
}

// read appends the texts of values [a, b), and their ends to off.
func (l *timeLayout) read(data []byte, a, b int, dst []byte, off []uint32) ([]byte, error) {
	sc := getScratch()
	defer sc.put()
	if err := l.moments.read(data, a, b, sc.a[:]); err != nil {
		return dst, err
	}
	if l.offsets == nil {
		clear(sc.b[:b-a])
	} else if err := l.offsets.read(data, a, b, sc.b[:]); err != nil {
		return dst, err
	}
	for i := range b - a {
		var ok bool
		if dst, ok = l.shape.append(dst, l.base+sc.a[i]*l.step, sc.b[i]); !ok {
			return dst, corrupt("moment %d, offset %d", sc.a[i], sc.b[i])
		}
		off[i+1] = uint32(len(dst))
	}
	return dst, nil
}

// filterEqual sets the bits of the values [a, b) that are moment and offset.
func (l *timeLayout) filterEqual(data []byte, a, b int, moment, offset int64, out bitset) error {
	if uint64(moment-l.base)%uint64(l.step) != 0 || moment < l.base {
		return nil
	}
	k := (moment - l.base) / l.step
	if err := l.moments.filterRange(data, a, b, k, k, out); err != nil || l.offsets == nil {
		return err
	}
	var room [blockValues / 64]uint64
	same := bitset(room[:len(out)])
	if err := l.offsets.filterRange(data, a, b, offset, offset, same); err != nil {
		return err
	}
	for i := range out {
		out[i] &= same[i]
	}
	return nil
}

// timeWriter holds what planTimes found.
type timeWriter struct {
	shape      timeShape
	base, step int64
	moments    []int64 // their numbers
	offsets    []int64
}

// planTimes tells whether all values are times of one shape, and takes them apart.
func (w *timeWriter) plan(vals func(i int) []byte, n int) bool {
	shape, ok := shapeOf(vals(0))
	if !ok {
		return false
	}
	w.shape, w.moments, w.offsets = shape, w.moments[:0], w.offsets[:0]
	w.base = math.MaxInt64
	for i := range n {
		m, off, ok := shape.parse(vals(i))
		if !ok {
			return false
		}
		w.base = min(w.base, m)
		w.moments, w.offsets = append(w.moments, m), append(w.offsets, off)
	}
	step := int64(0)
	for _, m := range w.moments {
		step = gcd(step, m-w.base)
	}
	w.step = max(step, 1)
	for i, m := range w.moments {
		w.moments[i] = (m - w.base) / w.step
	}
	return true
}

func gcd[T int64 | uint64](a, b T) T {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (w *timeWriter) append(dst []byte, iw *intsWriter) []byte {
	dst = append(dst, w.shape.sep, byte(w.shape.digits), w.shape.zone)
	dst = binary.AppendVarint(dst, w.base)
	dst = binary.AppendUvarint(dst, uint64(w.step))
	dst = iw.append(dst, w.moments)
	if w.shape.zone == zoneOffset {
		dst = iw.append(dst, w.offsets)
	}
	return dst
}

// timeFilter is a comparison with a text, prepared: moment and offset of the text if it is of the shape.
type timeFilter struct {
	moment, offset int64
	ok             bool
}

func (l *timeLayout) prepare(p *column.Pred) (f timeFilter) {
	f.moment, f.offset, f.ok = l.shape.parse(p.B)
	return f
}
