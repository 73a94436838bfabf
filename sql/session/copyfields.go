package session

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// The forms of values that nearly all fields have. What is not of them is left to the parsers of package datum, with which
// these agree.

// plainInt reads up to 18 digits behind a sign.
func plainInt(s []byte, k types.Kind) (int64, bool) {
	neg := len(s) > 0 && s[0] == '-'
	if neg {
		s = s[1:]
	}
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	x := int64(0)
	for _, c := range s {
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		x = x*10 + int64(d)
	}
	if neg {
		x = -x
	}
	if k != types.Int64 {
		if lo, hi := datum.IntRange(k); x < lo || x > hi {
			return 0, false
		}
	}
	return x, true
}

// exactPowers are the powers of ten that a float64 holds exactly.
var exactPowers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// plainFloat reads digits with at most one point. Where digits and power of ten are exact numbers, one division rounds
// once and so is right (Clinger 1990, fast path); else strconv does it.
func plainFloat(s []byte) (float64, bool) {
	i, neg := 0, false
	if len(s) > 0 && s[0] == '-' {
		i, neg = 1, true
	}
	digits, point := uint64(0), -1
	first := i
	for ; i < len(s); i++ {
		c := s[i]
		if d := c - '0'; d <= 9 {
			digits = digits*10 + uint64(d)
		} else if c == '.' && point < 0 {
			point = i
		} else {
			return 0, false
		}
	}
	n, fraction := len(s)-first, 0
	if point >= 0 {
		n--
		fraction = len(s) - 1 - point
	}
	if n == 0 {
		return 0, false
	}
	if n <= 19 && digits < 1<<53 && fraction < len(exactPowers) {
		x := float64(digits) / exactPowers[fraction]
		if neg {
			x = -x
		}
		return x, true
	}
	if len(s) > 300 {
		return 0, false // may be too small or too large
	}
	x, err := strconv.ParseFloat(unsafe.String(&s[0], len(s)), 64) // which keeps nothing of the string
	return x, err == nil && x != 0
}

func plainBool(s []byte) (value, ok bool) {
	switch string(s) {
	case "true", "t":
		return true, true
	case "false", "f":
		return false, true
	}
	return false, false
}

// dateMemo reads dates of the form YYYY-MM-DD, and knows the last one: those of neighbouring rows are often the same.
type dateMemo struct {
	text [10]byte
	last int64
	any  bool
}

func (m *dateMemo) days(s []byte) (int64, bool) {
	if len(s) != len(m.text) {
		return 0, false
	}
	if m.any && [10]byte(s) == m.text {
		return m.last, true
	}
	for i, c := range s {
		if i == 4 || i == 7 {
			if c != '-' {
				return 0, false
			}
		} else if c-'0' > 9 {
			return 0, false
		}
	}
	days, err := datum.ParseDate(s, nil)
	if err != nil {
		return 0, false
	}
	m.text, m.last, m.any = [10]byte(s), days, true
	return days, true
}

// instant reads YYYY-MM-DD hh:mm:ss[.ffffff]: local has no zone, else it is Z, +00 or +00:00.
func (m *dateMemo) instant(s []byte, local bool) (int64, bool) {
	if len(s) < 19 || s[10] != ' ' && s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	days, ok := m.days(s[:10])
	h, ok1 := twoDigits(s[11:13])
	min, ok2 := twoDigits(s[14:16])
	sec, ok3 := twoDigits(s[17:19])
	if !ok || !ok1 || !ok2 || !ok3 || h > 23 || min > 59 || sec > 59 {
		return 0, false
	}
	us := ((days*24+h)*60+min)*60 + sec
	us *= 1_000_000
	s = s[19:]
	if len(s) > 0 && s[0] == '.' {
		unit, i := int64(100_000), 1
		for ; i < len(s) && s[i]-'0' <= 9; i++ {
			us += int64(s[i]-'0') * unit
			unit /= 10
		}
		if i == 1 || i > 7 {
			return 0, false
		}
		s = s[i:]
	}
	if local {
		return us, len(s) == 0
	}
	switch string(s) {
	case "Z", "+00", "+00:00":
		return us, true
	}
	return 0, false
}

func twoDigits(s []byte) (int64, bool) {
	a, b := s[0]-'0', s[1]-'0'
	return int64(a)*10 + int64(b), a <= 9 && b <= 9
}

// textDict gathers texts: as codes of the different ones as long as those are few, else one behind the other.
type textDict struct {
	flat  bool
	skip  int      // batches that are not tried as codes
	codes []uint32 // of rows
	off   []uint32 // of the different texts, or of all rows
	data  []byte
	slots []uint32 // code + 1
	bytes int      // data of the last batch
}

const (
	dictSlots    = 1 << 14
	dictTextsMax = dictSlots / 2
	dictRowsMin  = 1 << 10 // rows from which the texts must be fewer than half of them
	dictSkip     = 15      // batches after one whose texts were many
)

func (d *textDict) begin(rows int) {
	d.flat = d.skip > 0
	if d.flat {
		d.skip--
		d.off = append(make([]uint32, 0, rows+1), 0)
		d.data = make([]byte, 0, d.bytes+d.bytes/16)
		return
	}
	if d.slots == nil {
		d.slots = make([]uint32, dictSlots)
	}
	clear(d.slots)
	d.codes = make([]uint32, 0, rows)
	d.off, d.data = append(make([]uint32, 0, 64), 0), nil
}

// add appends a text; it reports false for one that is not UTF-8.
func (d *textDict) add(s []byte) bool {
	if d.flat {
		if !validText(s) {
			return false
		}
		d.data = append(d.data, s...)
		d.off = append(d.off, uint32(len(d.data)))
		return true
	}
	for at := hashText(s) & (dictSlots - 1); ; at = (at + 1) & (dictSlots - 1) {
		k := d.slots[at]
		if k == 0 {
			if !validText(s) {
				return false
			}
			if n := len(d.off); n > dictTextsMax || len(d.codes) >= dictRowsMin && 2*n > len(d.codes) {
				d.unfold()
				return d.add(s)
			}
			d.data = append(d.data, s...)
			d.off = append(d.off, uint32(len(d.data)))
			k = uint32(len(d.off) - 1)
			d.slots[at] = k
			d.codes = append(d.codes, k-1)
			return true
		}
		if bytes.Equal(d.data[d.off[k-1]:d.off[k]], s) {
			d.codes = append(d.codes, k-1)
			return true
		}
	}
}

func validText(s []byte) bool {
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return utf8.Valid(s)
		}
	}
	return true
}

func (d *textDict) addNull() {
	if d.flat {
		d.off = append(d.off, uint32(len(d.data)))
		return
	}
	d.codes = append(d.codes, 0)
}

// unfold writes the texts one behind the other. What a NULL gets is any text.
func (d *textDict) unfold() {
	off, data := append(make([]uint32, 0, cap(d.codes)+1), 0), make([]byte, 0, d.bytes)
	for _, k := range d.codes {
		if int(k)+1 < len(d.off) {
			data = append(data, d.data[d.off[k]:d.off[k+1]]...)
		}
		off = append(off, uint32(len(data)))
	}
	d.off, d.data, d.flat, d.skip = off, data, true, dictSkip
}

func (d *textDict) cut(n int) {
	if d.flat {
		d.off = d.off[:n+1]
		d.data = d.data[:d.off[n]]
		return
	}
	d.codes = d.codes[:n]
}

// finish gives the rows to v.
func (d *textDict) finish(v *vec.Vector) {
	if !d.flat && (len(d.off) == 1 || 2*(len(d.off)-1) > len(d.codes)) {
		skip := d.skip
		d.unfold()
		d.skip = skip
	}
	if d.flat {
		v.Off, v.Data, d.bytes = d.off, d.data, len(d.data)
		return
	}
	texts := &vec.Vector{Type: v.Type, N: len(d.off) - 1, Off: d.off, Data: d.data}
	v.Form, v.Codes, v.Dict = vec.Dict, d.codes, texts
}

// hashText mixes the ends of a short text, and all of a long one.
func hashText(s []byte) int {
	const mix = 0x9e3779b97f4a7c15
	var x uint64
	switch n := len(s); {
	case n > 16:
		return int(xxh3.Hash(s) >> 32)
	case n >= 8:
		x = binary.LittleEndian.Uint64(s) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(s[n-8:])*mix, 29)
	case n >= 4:
		x = uint64(binary.LittleEndian.Uint32(s)) | uint64(binary.LittleEndian.Uint32(s[n-4:]))<<32
	case n > 0:
		x = uint64(s[0]) | uint64(s[n>>1])<<8 | uint64(s[n-1])<<16
	}
	return int((x ^ uint64(len(s))<<56) * mix >> 32)
}
