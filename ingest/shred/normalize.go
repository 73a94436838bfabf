package shred

import "sync"

// AppendJSONB appends the jsonb output form of a JSON text, the one PostgreSQL prints: keys by length then bytes, the
// last of equal keys, ", " and ": ", numbers without exponents but with their scale. The error is an *Error; dst is then
// returned as it came.
func AppendJSONB(dst, jsonText []byte) ([]byte, error) {
	if len(jsonText) > textMax {
		return dst, fail("text is longer than 1 GiB", textMax)
	}
	z := normalizers.Get().(*normalizer)
	defer normalizers.Put(z)
	z.begin(castLimits)
	out, p, err := z.value(jsonText, skipSpace(jsonText, 0), dst)
	if err == nil {
		err = checkEnd(jsonText, p)
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}

// Valid reports what is wrong with a JSON text, by the rules by which documents are accepted: RFC 8259, UTF-8, no NUL,
// no lone surrogates. The error is an *Error.
func Valid(jsonText []byte) error {
	if len(jsonText) > textMax {
		return fail("text is longer than 1 GiB", textMax)
	}
	z := normalizers.Get().(*normalizer)
	defer normalizers.Put(z)
	z.begin(castLimits)
	out, p, err := z.value(jsonText, skipSpace(jsonText, 0), z.discard[:0])
	z.discard = keepSmall(out)
	if err != nil {
		return err
	}
	return checkEnd(jsonText, p)
}

var normalizers = sync.Pool{New: func() any { return new(normalizer) }}

// keepSmall returns b for reuse, unless it grew so much that keeping it would hoard memory.
func keepSmall(b []byte) []byte {
	if cap(b) > 1<<20 {
		return nil
	}
	return b[:0]
}

// textMax keeps offsets within 32 bits: the size of a text, and with room for its separators that of what it becomes.
const textMax = 1 << 30

// zerosMax bounds the zeros that exponents may add to one text, so that a few bytes cannot become gigabytes.
const zerosMax = 1 << 20

// normalizer rewrites JSON values into jsonb text in one pass. Members are written as they come; an object whose keys
// turn out not to be in order is rearranged when it closes.
type normalizer struct {
	limits  Limits
	tokens  int // left
	zeros   int // left
	stack   []openValue
	members []member // of all open objects, innermost last
	ordered []member // scratch of sortMembers
	keys    []byte   // unescaped keys
	tmp     []byte
	discard []byte
}

// openValue is an array or object being written.
type openValue struct {
	object bool
	sorted bool // keys strictly ascend so far
	start  int  // offset in dst behind the bracket
	first  int  // index of its first member
}

// begin readies z for one text.
func (z *normalizer) begin(l Limits) {
	z.limits, z.tokens, z.zeros = l, l.Tokens, zerosMax
	z.stack, z.members, z.keys = z.stack[:0], z.members[:0], z.keys[:0]
}

// value appends the value at p and returns the offset behind it. Depth is counted from the value itself.
func (z *normalizer) value(b []byte, p int, dst []byte) ([]byte, int, error) {
	base := len(z.stack)
	var err error
	for {
		if p < len(b) && isDigit(b[p]) {
			dst, p, err = z.whole(b, p, dst)
		} else {
			dst, p, err = z.scalarOrOpen(b, p, dst)
		}
		if err != nil {
			return dst, p, err
		}
		if p < 0 { // an array or object was opened and has members
			p = ^p
			continue
		}
		// A value is complete; close what closes behind it.
		for {
			if len(z.stack) == base {
				return dst, p, nil
			}
			if p < len(b) && b[p] <= ' ' {
				p = skipSpace(b, p)
			}
			if p >= len(b) {
				return dst, p, fail("unexpected end", p)
			}
			o := &z.stack[len(z.stack)-1]
			if o.object {
				z.members[len(z.members)-1].end = uint32(len(dst))
			}
			if b[p] == ',' {
				dst = append(dst, ", "...)
				if p++; p < len(b) && b[p] <= ' ' {
					p = skipSpace(b, p)
				}
				if o.object {
					if dst, p, err = z.key(b, p, dst, o); err != nil {
						return dst, p, err
					}
				}
				break
			}
			switch {
			case o.object && b[p] == '}':
				dst = z.closeObject(b, o, dst)
			case !o.object && b[p] == ']':
				dst = append(dst, ']')
			default:
				return dst, p, fail("expected a comma or the end of an array or object", p)
			}
			z.stack = z.stack[:len(z.stack)-1]
			p++
		}
	}
}

// scalarOrOpen appends the scalar or empty container at p, or opens the container there up to its first value. In the
// second case it returns the complement of the offset.
func (z *normalizer) scalarOrOpen(b []byte, p int, dst []byte) ([]byte, int, error) {
	if p >= len(b) {
		return dst, p, fail("unexpected end", p)
	}
	if z.tokens--; z.tokens < 0 {
		return dst, p, fail("too many keys and values", p)
	}
	var err error
	switch c := b[p]; c {
	case '{', '[':
		if len(z.stack) >= z.limits.Depth {
			return dst, p, fail("nested too deeply", p)
		}
		q := skipSpace(b, p+1)
		if q < len(b) && b[q] == c+2 { // '}' is '{'+2, ']' is '['+2
			return append(dst, c, c+2), q + 1, nil
		}
		dst = append(dst, c)
		z.stack = append(z.stack, openValue{object: c == '{', sorted: true, start: len(dst), first: len(z.members)})
		if c == '{' {
			if dst, q, err = z.key(b, q, dst, &z.stack[len(z.stack)-1]); err != nil {
				return dst, q, err
			}
		}
		return dst, ^q, nil
	case '"':
		end, flags, err := scanString(b, p+1)
		if err != nil {
			return dst, p, err
		}
		if flags&strEscape == 0 {
			return append(dst, b[p:end+1]...), end + 1, nil
		}
		if z.tmp, err = appendUnescaped(z.tmp[:0], b[p+1:end], p+1); err != nil {
			return dst, p, err
		}
		return AppendQuoted(dst, z.tmp), end + 1, nil
	case 't':
		p, err = scanLiteral(b, p, "true")
		return append(dst, "true"...), p, err
	case 'f':
		p, err = scanLiteral(b, p, "false")
		return append(dst, "false"...), p, err
	case 'n':
		p, err = scanLiteral(b, p, "null")
		return append(dst, "null"...), p, err
	}
	return z.number(b, p, dst)
}

// whole appends the number at p, which begins with a digit: nearly always a short whole number.
func (z *normalizer) whole(b []byte, p int, dst []byte) ([]byte, int, error) {
	if z.tokens--; z.tokens < 0 {
		return dst, p, fail("too many keys and values", p)
	}
	q := p + 1
	for q < len(b) && isDigit(b[q]) {
		q++
	}
	if q < len(b) && (b[q] == '.' || b[q]|0x20 == 'e') || b[p] == '0' && q > p+1 || q-p > numericScaleMax {
		return z.number(b, p, dst)
	}
	if q == p+1 {
		return append(dst, b[p]), q, nil
	}
	return append(dst, b[p:q]...), q, nil
}

func (z *normalizer) number(b []byte, p int, dst []byte) ([]byte, int, error) {
	end, _, exponent, err := scanNumber(b, p)
	if err != nil {
		return dst, p, err
	}
	if !exponent && b[p] != '-' && end-p < numericScaleMax {
		return append(dst, b[p:end]...), end, nil
	}
	dst, grown, ok := appendNumber(dst, b[p:end])
	if z.zeros -= max(grown, 0); !ok || z.zeros < 0 {
		return dst, p, fail("number out of range", p)
	}
	return dst, end, nil
}

// key appends `"key": ` of the member of o that begins at p, and returns the offset of its value.
func (z *normalizer) key(b []byte, p int, dst []byte, o *openValue) ([]byte, int, error) {
	if p >= len(b) || b[p] != '"' {
		return dst, p, fail("expected a key", p)
	}
	if z.tokens--; z.tokens < 0 {
		return dst, p, fail("too many keys and values", p)
	}
	end, flags, err := scanString(b, p+1)
	if err != nil {
		return dst, p, err
	}
	if end-p-1 > z.limits.KeyBytes {
		return dst, p, fail("key is too long", p)
	}
	m := member{at: int32(p + 1), len: uint32(end - p - 1), start: uint32(len(dst))}
	if flags&strEscape != 0 {
		n := len(z.keys)
		if z.keys, err = appendUnescaped(z.keys, b[p+1:end], p+1); err != nil {
			return dst, p, err
		}
		m.at, m.len = int32(^n), uint32(len(z.keys)-n)
		m.head = keyHead(z.keys, n, m.len)
		dst = append(AppendQuoted(dst, z.keys[n:]), ": "...)
	} else {
		m.head = keyHead(b, p+1, m.len)
		dst = append(append(dst, b[p:end+1]...), ": "...)
	}
	if len(z.members) > o.first && o.sorted {
		o.sorted = z.compare(b, &z.members[len(z.members)-1], &m) < 0
	}
	z.members = append(z.members, m)
	if p = end + 1; p < len(b) && b[p] <= ' ' {
		p = skipSpace(b, p)
	}
	if p >= len(b) || b[p] != ':' {
		return dst, p, fail("expected a colon behind the key", p)
	}
	if p++; p < len(b) && b[p] <= ' ' {
		p = skipSpace(b, p)
	}
	return dst, p, nil
}

// closeObject ends the innermost object, bringing its members into order.
func (z *normalizer) closeObject(b []byte, o *openValue, dst []byte) []byte {
	m := z.members[o.first:]
	z.members = z.members[:o.first]
	if o.sorted {
		return append(dst, '}')
	}
	m = z.sortMembers(b, m)
	z.tmp = append(z.tmp[:0], dst[o.start:]...)
	dst = dst[:o.start]
	base := uint32(o.start)
	for i := range m {
		if i+1 < len(m) && z.compare(b, &m[i], &m[i+1]) == 0 {
			continue // the last one wins
		}
		if len(dst) > o.start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, z.tmp[m[i].start-base:m[i].end-base]...)
	}
	return append(dst, '}')
}
