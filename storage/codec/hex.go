package codec

import "encoding/binary"

// Texts that are all hexadecimal digests of one length are stored as bytes, whose order is that of the texts.

// hexLayout is where such values are.
type hexLayout struct {
	size  int // bytes of a value
	upper bool
	at    int
}

// hexMax is the longest digest in bytes; longer texts of hexadecimal digits are no digests.
const hexMax = 64

// parse reads: case u8 (0 lower, 1 upper), bytes of a value u8, the values.
func (l *hexLayout) parse(c *cursor, n int) error {
	flags := c.u8()
	l.size = int(c.u8())
	if flags > 1 || l.size < 1 || l.size > hexMax {
		return corrupt("digests of %d bytes, flags %d", l.size, flags)
	}
	l.upper = flags == 1
	l.at = c.skip(l.size * n)
	return nil // the cursor knows whether there is enough
}

// hexCase maps the digits of one case to their values, everything else to 0xff.
var hexCase = func() (t [2][256]byte) {
	for i := range t {
		for k := range t[i] {
			t[i][k] = 0xff
		}
		for k := range byte(16) {
			t[i]["0123456789abcdef0123456789ABCDEF"[16*i+int(k)]] = k
		}
	}
	return t
}()

// hexText maps a byte to its digits, by case.
var hexText = func() (t [2][256][2]byte) {
	for i := range t {
		const digits = "0123456789abcdef0123456789ABCDEF"
		for k := range t[i] {
			t[i][k] = [2]byte{digits[16*i+k>>4], digits[16*i+k&15]}
		}
	}
	return t
}()

// appendHex appends the bytes of a text of digits; ok is false if it is none.
func appendHex(dst, s []byte, upper bool) (out []byte, ok bool) {
	digits := &hexCase[boolInt(upper)]
	bad := byte(0)
	for ; len(s) >= 2; s = s[2:] {
		hi, lo := digits[s[0]], digits[s[1]]
		bad |= hi | lo
		dst = append(dst, hi<<4|lo&15)
	}
	return dst, bad < 16 && len(s) == 0
}

// read appends the texts of values [a, b), and their ends to off.
func (l *hexLayout) read(data []byte, a, b int, dst []byte, off []uint32) []byte {
	digits := &hexText[boolInt(l.upper)]
	for _, x := range data[l.at+a*l.size : l.at+b*l.size] {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(digits[x][0])|uint16(digits[x][1])<<8)
	}
	for i := 1; i <= b-a; i++ {
		off[i] = uint32(2 * i * l.size)
	}
	return dst
}

// planHex tells whether all values are digests of one length and case.
func (e *Encoder) planHex(vals func(i int) []byte, n int) (l hexLayout, ok bool) {
	first := vals(0)
	l.size = len(first) / 2
	if len(first)%2 != 0 || l.size < 1 || l.size > hexMax {
		return l, false
	}
	for _, upper := range []bool{false, true} {
		l.upper, ok = upper, true
		for i := 0; i < n && ok; i++ {
			v := vals(i)
			ok = len(v) == len(first)
			if ok {
				e.page, ok = appendHex(e.page[:0], v, upper)
			}
		}
		if ok {
			return l, true
		}
	}
	return l, false
}

func (l *hexLayout) append(dst []byte, vals func(i int) []byte, n int) []byte {
	dst = append(dst, byte(boolInt(l.upper)), byte(l.size))
	for i := range n {
		dst, _ = appendHex(dst, vals(i), l.upper)
	}
	return dst
}
