package shred

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Error is what is wrong with a JSON text.
type Error struct {
	Reason string
	Offset int // byte offset in the text
}

func (e *Error) Error() string { return e.Reason + " at byte " + strconv.Itoa(e.Offset) }

func fail(reason string, offset int) error { return &Error{reason, offset} }

// Limits bound what is accepted of one text (settings decode.max_json_depth, max_tokens, max_key_bytes).
type Limits struct {
	Depth    int // nested arrays and objects
	Tokens   int // keys and values
	KeyBytes int // one key, as written
}

// DocumentLimits are the defaults for what clients send.
var DocumentLimits = Limits{Depth: 64, Tokens: 1_000_000, KeyBytes: 16 << 10}

// castLimits hold for jsonb values inside SQL, whose size the statement's memory bounds already.
var castLimits = Limits{Depth: 1024, Tokens: 64 << 20, KeyBytes: 64 << 20}

func skipSpace(b []byte, p int) int {
	for p < len(b) && b[p] <= ' ' && (b[p] == ' ' || b[p] == '\n' || b[p] == '\t' || b[p] == '\r') {
		p++
	}
	return p
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// specials marks, in the lowest marked byte exactly, bytes that need care inside a string: quote, backslash, controls
// and everything above ASCII.
func specials(w uint64) uint64 {
	q := w ^ ones*'"'
	s := w ^ ones*'\\'
	return ((q-ones)&^q | (s-ones)&^s | (w-ones*0x20)&^w | w) & highs
}

// strFlags tell what scanString met.
type strFlags uint8

const (
	strEscape strFlags = 1 << iota // has backslashes, not yet checked
	strWide                        // has bytes above ASCII, already checked to be UTF-8
)

// scanString returns the offset of the closing quote of the string whose first byte is at p. Escapes are only stepped
// over; appendUnescaped checks them.
func scanString(b []byte, p int) (end int, flags strFlags, err error) {
	start := p
	for {
		if p+8 <= len(b) {
			m := specials(binary.LittleEndian.Uint64(b[p:]))
			if m == 0 {
				p += 8
				continue
			}
			p += bits.TrailingZeros64(m) >> 3
		} else if p >= len(b) {
			return 0, 0, fail("unterminated string", start-1)
		}
		switch c := b[p]; {
		case c == '"':
			if flags&strWide != 0 && !utf8.Valid(b[start:p]) {
				return 0, 0, fail("invalid UTF-8 in string", start+validPrefix(b[start:p]))
			}
			return p, flags, nil
		case c == '\\':
			flags |= strEscape
			p += 2
		case c < 0x20:
			return 0, 0, fail("control character in string", p)
		case c >= 0x80:
			flags |= strWide
			p++
		default:
			p++
		}
	}
}

func validPrefix(b []byte) int {
	n := 0
	for n < len(b) {
		r, w := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && w == 1 {
			break
		}
		n += w
	}
	return n
}

// appendUnescaped appends the value of the string body src (between the quotes); offset is where src begins in the
// text, for errors. Escapes of NUL and of lone surrogates have no value in UTF-8 text and are refused.
func appendUnescaped(dst, src []byte, offset int) ([]byte, error) {
	for i := 0; i < len(src); {
		c := src[i]
		if c != '\\' {
			j := i + 1
			for j < len(src) && src[j] != '\\' {
				j++
			}
			dst = append(dst, src[i:j]...)
			i = j
			continue
		}
		if i+1 >= len(src) {
			return dst, fail("unterminated escape", offset+i)
		}
		switch e := src[i+1]; e {
		case '"', '\\', '/':
			dst = append(dst, e)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, n, reason := unescapeRune(src[i:])
			if reason != "" {
				return dst, fail(reason, offset+i)
			}
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		default:
			return dst, fail("unknown escape", offset+i)
		}
		i += 2
	}
	return dst, nil
}

// unescapeRune reads a \uXXXX escape, or a pair of them, at the beginning of s.
func unescapeRune(s []byte) (r rune, n int, reason string) {
	hi, ok := hex4(s)
	switch {
	case !ok:
		return 0, 0, "invalid \\u escape"
	case hi == 0:
		return 0, 0, "\\u0000 in string"
	case hi < 0xD800 || hi > 0xDFFF:
		return hi, 6, ""
	case hi >= 0xDC00:
		return 0, 0, "lone surrogate in string"
	}
	lo, ok := hex4(s[6:])
	if !ok || lo < 0xDC00 || lo > 0xDFFF {
		return 0, 0, "lone surrogate in string"
	}
	return (hi-0xD800)<<10 + (lo - 0xDC00) + 0x10000, 12, ""
}

// hex4 reads \uXXXX.
func hex4(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	r := rune(0)
	for _, c := range s[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// AppendQuoted appends s as a JSON string with PostgreSQL's escapes: the short ones, \u00xx for other controls, and
// everything else as it is.
func AppendQuoted[S string | []byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			const digits = "0123456789abcdef"
			dst = append(dst, `\u00`...)
			dst = append(dst, digits[c>>4], digits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// scanLiteral returns the offset behind word, which must stand at p.
func scanLiteral(b []byte, p int, word string) (int, error) {
	if len(b)-p < len(word) || string(b[p:p+len(word)]) != word {
		return 0, fail("unexpected token", p)
	}
	return p + len(word), nil
}

// checkEnd refuses what follows a complete value.
func checkEnd(b []byte, p int) error {
	if p = skipSpace(b, p); p < len(b) {
		return fail("unexpected text behind the value", p)
	}
	return nil
}
