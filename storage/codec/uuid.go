package codec

import (
	"encoding/binary"
	"encoding/hex"
)

// A text of the shape 8-4-4-4-12 in lower-case hexadecimal is stored as 16 bytes. Their byte order is that of the texts.
const (
	uuidText  = 36
	uuidBytes = 16
)

// hexPairs are the two digits of each byte, the first in the low half.
var hexPairs = func() (t [256]uint16) {
	for i := range t {
		d := hex.AppendEncode(nil, []byte{byte(i)})
		t[i] = uint16(d[0]) | uint16(d[1])<<8
	}
	return t
}()

// nibbles maps '0'-'9' and 'a'-'f' to their value, everything else to 0xff.
var nibbles = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range byte(16) {
		t["0123456789abcdef"[i]] = i
	}
	return t
}()

// uuidAt is where the two digits of each byte stand in the text.
var uuidAt = [uuidBytes]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

// parseUUID packs a text; ok is false if it has another shape.
func parseUUID(s []byte) (u [uuidBytes]byte, ok bool) {
	if len(s) != uuidText || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	bad := byte(0)
	for i, at := range uuidAt {
		hi, lo := nibbles[s[at]], nibbles[s[at+1]]
		bad |= hi | lo
		u[i] = hi<<4 | lo
	}
	return u, bad < 16
}

// readUUIDs appends the texts of packed ones.
func readUUIDs(dst, src []byte) []byte {
	n := len(src) / uuidBytes
	at := len(dst)
	dst = append(dst, make([]byte, n*uuidText)...)
	le := binary.LittleEndian
	for ; len(src) >= uuidBytes; src = src[uuidBytes:] {
		t, u := (*[uuidText]byte)(dst[at:]), (*[uuidBytes]byte)(src)
		le.PutUint16(t[0:], hexPairs[u[0]])
		le.PutUint16(t[2:], hexPairs[u[1]])
		le.PutUint16(t[4:], hexPairs[u[2]])
		le.PutUint16(t[6:], hexPairs[u[3]])
		t[8] = '-'
		le.PutUint16(t[9:], hexPairs[u[4]])
		le.PutUint16(t[11:], hexPairs[u[5]])
		t[13] = '-'
		le.PutUint16(t[14:], hexPairs[u[6]])
		le.PutUint16(t[16:], hexPairs[u[7]])
		t[18] = '-'
		le.PutUint16(t[19:], hexPairs[u[8]])
		le.PutUint16(t[21:], hexPairs[u[9]])
		t[23] = '-'
		le.PutUint16(t[24:], hexPairs[u[10]])
		le.PutUint16(t[26:], hexPairs[u[11]])
		le.PutUint16(t[28:], hexPairs[u[12]])
		le.PutUint16(t[30:], hexPairs[u[13]])
		le.PutUint16(t[32:], hexPairs[u[14]])
		le.PutUint16(t[34:], hexPairs[u[15]])
		at += uuidText
	}
	return dst
}

// ParseUUID packs a text of the shape 8-4-4-4-12 in lower-case hexadecimal; ok is false if it has another shape. The order
// of the packed ones is that of the texts.
func ParseUUID(s []byte) (u [16]byte, ok bool) { return parseUUID(s) }

// AppendUUID appends the text of a packed one.
func AppendUUID(dst []byte, u *[16]byte) []byte { return readUUIDs(dst, u[:]) }
