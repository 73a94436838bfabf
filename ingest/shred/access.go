package shred

import (
	"bytes"
	"iter"
	"strconv"

	"github.com/telemdb/telemdb/storage/types"
)

// The functions below read jsonb text in its output form, as AppendJSONB and Assemble write it: valid, keys unique and
// in order, ", " and ": ". Results alias their argument. On other text they give no answer or a wrong one, but they
// neither panic nor read outside of it.

// skipString returns the offset behind the string whose opening quote is at p.
func skipString(b []byte, p int) int {
	for p++; p < len(b); {
		i := bytes.IndexByte(b[p:], '"')
		if i < 0 {
			return len(b)
		}
		q := p + i
		n := 0
		for q-n > p && b[q-n-1] == '\\' {
			n++
		}
		p = q + 1
		if n&1 == 0 {
			return p
		}
	}
	return len(b)
}

// skipValue returns the offset behind the value at p.
func skipValue(b []byte, p int) int {
	depth := 0
	for p < len(b) {
		switch b[p] {
		case '"':
			p = skipString(b, p)
		case '{', '[':
			depth++
			p++
			continue
		case '}', ']':
			depth--
			p++
		case ',', ':', ' ':
			p++
			continue
		default:
			for p < len(b) && b[p] != ',' && b[p] != '}' && b[p] != ']' {
				p++
			}
		}
		if depth <= 0 {
			return p
		}
	}
	return len(b)
}

// JSONBEach yields the members of an object, keys unescaped, in jsonb's order. It yields nothing for other values. A
// key is valid until the next step.
func JSONBEach(jsonb []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		if len(jsonb) == 0 || jsonb[0] != '{' {
			return
		}
		var scratch []byte
		for p := 1; p < len(jsonb) && jsonb[p] == '"'; {
			end := skipString(jsonb, p)
			key := jsonb[p+1 : max(end-1, p+1)]
			if bytes.IndexByte(key, '\\') >= 0 {
				scratch, _ = appendUnescaped(scratch[:0], key, 0)
				key = scratch
			}
			from := min(end+2, len(jsonb))
			to := skipValue(jsonb, from)
			if !yield(key, jsonb[from:to:to]) {
				return
			}
			p = to + 2
		}
	}
}

// JSONBElements yields the elements of an array; nothing for other values.
func JSONBElements(jsonb []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		if len(jsonb) < 2 || jsonb[0] != '[' {
			return
		}
		for p := 1; p < len(jsonb) && jsonb[p] != ']'; {
			to := skipValue(jsonb, p)
			if !yield(jsonb[p:to:to]) {
				return
			}
			p = to + 2
		}
	}
}

// JSONBGet returns the member key of an object (jsonb -> text); ok is false if there is none.
func JSONBGet[K string | []byte](jsonb []byte, key K) (value []byte, ok bool) {
	for k, v := range JSONBEach(jsonb) {
		if string(k) == string(key) {
			return v, true
		}
		if len(k) > len(key) {
			break // keys are ordered by length
		}
	}
	return nil, false
}

// JSONBIndex returns element i of an array (jsonb -> int); a negative i counts from the end.
func JSONBIndex(jsonb []byte, i int) (value []byte, ok bool) {
	if i < 0 {
		n, isArray := JSONBLen(jsonb)
		if !isArray || -i > n {
			return nil, false
		}
		i += n
	}
	for v := range JSONBElements(jsonb) {
		if i == 0 {
			return v, true
		}
		i--
	}
	return nil, false
}

// JSONBLen returns the number of elements of an array; ok is false for other values.
func JSONBLen(jsonb []byte) (n int, ok bool) {
	if len(jsonb) == 0 || jsonb[0] != '[' {
		return 0, false
	}
	for range JSONBElements(jsonb) {
		n++
	}
	return n, true
}

// JSONBGetPath returns the value at a path (jsonb #> text[]): keys of objects, and indexes of arrays in decimal. An
// empty path is the value itself.
func JSONBGetPath(jsonb []byte, path []string) (value []byte, ok bool) {
	for _, key := range path {
		if len(jsonb) > 0 && jsonb[0] == '[' {
			i, err := strconv.ParseInt(key, 10, 32)
			if err != nil {
				return nil, false
			}
			jsonb, ok = JSONBIndex(jsonb, int(i))
		} else {
			jsonb, ok = JSONBGet(jsonb, key)
		}
		if !ok {
			return nil, false
		}
	}
	return jsonb, true
}

// AppendText appends the text of a value (->>, #>>): strings without quotes and escapes, others as they are written. ok
// is false for null, which is SQL NULL.
func AppendText(dst, jsonb []byte) (out []byte, ok bool) {
	switch {
	case len(jsonb) >= 2 && jsonb[0] == '"':
		body := jsonb[1 : len(jsonb)-1]
		if bytes.IndexByte(body, '\\') < 0 {
			return append(dst, body...), true
		}
		out, _ = appendUnescaped(dst, body, 0)
		return out, true
	case string(jsonb) == "null":
		return dst, false
	}
	return append(dst, jsonb...), true
}

// JSONBTypeof returns what jsonb_typeof does.
func JSONBTypeof(jsonb []byte) string {
	if len(jsonb) == 0 {
		return ""
	}
	switch jsonb[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// JSONBExists reports whether key is a member of an object, a string element of an array, or the string itself (jsonb ?
// text).
func JSONBExists[K string | []byte](jsonb []byte, key K) bool {
	if len(jsonb) == 0 {
		return false
	}
	switch jsonb[0] {
	case '{':
		_, ok := JSONBGet(jsonb, key)
		return ok
	case '[':
		for v := range JSONBElements(jsonb) {
			if isString(v, string(key)) {
				return true
			}
		}
		return false
	}
	return isString(jsonb, string(key))
}

// isString reports whether v is the JSON string of s.
func isString(v []byte, s string) bool {
	if len(v) < 2 || v[0] != '"' {
		return false
	}
	body := v[1 : len(v)-1]
	if bytes.IndexByte(body, '\\') < 0 {
		return string(body) == s
	}
	un, _ := appendUnescaped(nil, body, 0)
	return string(un) == s
}

// ParseNumber returns a jsonb number as the typed leaf that holds its value: LeafInt or LeafFloat, or 0 for a number
// that neither does (and for what is no number).
func ParseNumber(jsonb []byte) (leaf types.Leaf, i int64, f float64) {
	if len(jsonb) == 0 || jsonb[0] != '-' && !isDigit(jsonb[0]) {
		return 0, 0, 0
	}
	n := classify(jsonb)
	return n.leaf, n.i, n.f
}
