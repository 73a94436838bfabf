package datum

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// jsonTokens walks jsonb text (the stored, normalised form) token by token without recursion.
type jsonTokens struct {
	s []byte
	p int
}

type jsonKind uint8

// In PostgreSQL's order of types.
const (
	jEnd jsonKind = iota
	jNull
	jString
	jNumber
	jBool
	jArray
	jObject
	jClose
)

type jsonToken struct {
	kind  jsonKind
	text  []byte // the token as written
	count int    // members of an array or object
}

// next returns the next token; separators are passed over. The count of a container is found by looking ahead.
func (t *jsonTokens) next() jsonToken {
	for t.p < len(t.s) {
		switch c := t.s[t.p]; c {
		case ' ', ',', ':':
			t.p++
			continue
		case '{', '[':
			k := jArray
			if c == '{' {
				k = jObject
			}
			t.p++
			return jsonToken{kind: k, count: countMembers(t.s, t.p)}
		case '}', ']':
			t.p++
			return jsonToken{kind: jClose}
		case '"':
			start := t.p
			t.p = skipJSONString(t.s, t.p)
			return jsonToken{kind: jString, text: t.s[start:t.p]}
		default:
			start := t.p
			for t.p < len(t.s) && !isJSONStop(t.s[t.p]) {
				t.p++
			}
			k := jNumber
			switch c {
			case 'n':
				k = jNull
			case 't', 'f':
				k = jBool
			}
			return jsonToken{kind: k, text: t.s[start:t.p]}
		}
	}
	return jsonToken{kind: jEnd}
}

func isJSONStop(c byte) bool {
	return c == ',' || c == ']' || c == '}' || c == ' ' || c == ':' || c == '[' || c == '{' || c == '"'
}

// skipJSONString returns the offset behind the string that begins at p.
func skipJSONString(s []byte, p int) int {
	for p++; p < len(s); p++ {
		switch s[p] {
		case '\\':
			p++
		case '"':
			return p + 1
		}
	}
	return len(s)
}

// countMembers counts the values of the container whose content begins at p.
func countMembers(s []byte, p int) int {
	depth, n, any := 0, 0, false
	for p < len(s) {
		switch s[p] {
		case '"':
			any = true
			p = skipJSONString(s, p)
			continue
		case '{', '[':
			any = true
			depth++
		case '}', ']':
			if depth == 0 {
				if any {
					n++
				}
				return n
			}
			depth--
		case ',':
			if depth == 0 {
				n++
			}
		case ' ':
		default:
			any = true
		}
		p++
	}
	return n
}

// CompareJSONB orders jsonb values as PostgreSQL does: Object > Array > Boolean > Number > String > Null, containers by
// their number of members first, and the oddity that an empty top-level array is below all scalars.
func CompareJSONB(x, y []byte) int {
	if bytes.Equal(x, y) {
		return 0
	}
	a, b := jsonTokens{s: x}, jsonTokens{s: y}
	for first := true; ; first = false {
		u, v := a.next(), b.next()
		if first {
			su, sv := u.kind < jArray, v.kind < jArray
			if su != sv && (u.kind == jArray || v.kind == jArray) {
				return compareScalarToArray(u, v)
			}
		}
		if u.kind != v.kind {
			return int(u.kind) - int(v.kind)
		}
		c := 0
		switch u.kind {
		case jEnd:
			return 0
		case jArray, jObject:
			c = u.count - v.count
		case jString:
			c = bytes.Compare(unquoteJSON(u.text), unquoteJSON(v.text))
		case jNumber:
			c = CompareNumericText(u.text, v.text)
		case jBool:
			c = int(u.text[0]) - int(v.text[0]) // f before t
		}
		if c != 0 {
			return c
		}
	}
}

// compareScalarToArray orders a top-level scalar, which PostgreSQL keeps as an array of one, and an array.
func compareScalarToArray(u, v jsonToken) int {
	if u.kind == jArray {
		return -compareScalarToArray(v, u)
	}
	if v.count == 0 {
		return 1
	}
	return -1
}

// unquoteJSON returns the content of a quoted string, unescaped.
func unquoteJSON(q []byte) []byte {
	if len(q) < 2 {
		return nil
	}
	q = q[1 : len(q)-1]
	if bytes.IndexByte(q, '\\') < 0 {
		return q
	}
	out := make([]byte, 0, len(q))
	for i := 0; i < len(q); i++ {
		if q[i] != '\\' || i+1 >= len(q) {
			out = append(out, q[i])
			continue
		}
		i++
		switch q[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			if i+4 < len(q) {
				r, err := strconv.ParseUint(string(q[i+1:i+5]), 16, 32)
				if err == nil {
					out = utf8.AppendRune(out, rune(r))
				}
				i += 4
			}
		default:
			out = append(out, q[i])
		}
	}
	return out
}

// appendJSONBKey appends the text with trailing zeros of fractions dropped: equal values become equal bytes.
func appendJSONBKey(dst, s []byte) []byte {
	for p := 0; p < len(s); {
		switch c := s[p]; {
		case c == '"':
			end := skipJSONString(s, p)
			dst = append(dst, s[p:end]...)
			p = end
		case isDigit(c):
			end := p
			for end < len(s) && !isJSONStop(s[end]) {
				end++
			}
			dst = appendTrimmedNumber(dst, s[p:end])
			p = end
		default:
			dst = append(dst, c)
			p++
		}
	}
	return dst
}

// appendTrimmedNumber appends a plain decimal without the zeros that end its fraction.
func appendTrimmedNumber(dst, n []byte) []byte {
	if bytes.IndexByte(n, '.') >= 0 {
		n = bytes.TrimRight(n, "0")
		n = bytes.TrimSuffix(n, []byte{'.'})
	}
	return append(dst, n...)
}
