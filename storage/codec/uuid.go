package codec

import "encoding/hex"

// A text of the shape 8-4-4-4-12 in lower-case hexadecimal is stored as 16 bytes. Their byte order is that of the texts.
const (
	uuidText  = 36
	uuidBytes = 16
)

var hexPairs = func() (t [256][2]byte) {
	for i := range t {
		hex.Encode(t[i][:], []byte{byte(i)})
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
	for ; len(src) >= uuidBytes; src = src[uuidBytes:] {
		t := (*[uuidText]byte)(dst[at:])
		for i, pos := range uuidAt {
			p := hexPairs[src[i]]
			t[pos], t[pos+1] = p[0], p[1]
		}
		t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
		at += uuidText
	}
	return dst
}
