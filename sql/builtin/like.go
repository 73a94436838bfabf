package builtin

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// LIKE and ILIKE: % is any text, _ any character, \ takes the special meaning away.

func addLike(r *registry) {
	for _, t := range []types.Type{tText, tName} {
		r.op("~~", sig(t, tText), tBool, evalLike(false, false))
		r.op("!~~", sig(t, tText), tBool, evalLike(false, true))
		r.op("~~*", sig(t, tText), tBool, evalLike(true, false))
		r.op("!~~*", sig(t, tText), tBool, evalLike(true, true))
	}
	r.fn("like", sig(tText, tText), tBool, evalLike(false, false))
	r.fn("notlike", sig(tText, tText), tBool, evalLike(false, true))
	// LIKE … ESCAPE c arrives as a pattern rewritten to the escape character \.
	r.fn("like_escape", sig(tText, tText), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		p, err := likeEscape(args[0].Bytes(i), args[1].Bytes(i))
		out.AppendBytes(p)
		return err
	}))
}

// evalLike matches row by row; a constant pattern is compiled once.
func evalLike(fold, negate bool) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		bits := setBits(out, n)
		s, p := args[0], args[1]
		var m likeMatcher
		var err error
		constant := p.Form == vec.Const
		if constant {
			if m, err = compileLike(p.Bytes(0), fold); err != nil {
				return err
			}
		}
		for i := range n {
			if !sel.Get(i) {
				continue
			}
			if !constant {
				if m, err = compileLike(p.Bytes(i), fold); err != nil {
					return err
				}
			}
			if m.match(s.Bytes(i)) != negate {
				bits.Set(i)
			}
		}
		return nil
	}
}

// likeMatcher is a compiled pattern. The common shapes (equal, prefix, suffix, inner part) need no general match.
type likeMatcher struct {
	kind  likeKind
	lit   []byte
	parts [][]byte // general: what stands between the %, with escapes kept
	fold  bool
	buf   *[]byte
}

type likeKind uint8

const (
	likeEqual likeKind = iota
	likePrefix
	likeSuffix
	likeContains
	likeGeneral
)

func compileLike(p []byte, fold bool) (likeMatcher, error) {
	m := likeMatcher{fold: fold}
	if fold {
		p = mapCase(nil, p, 'A', 'Z', unicode.ToLower)
		m.buf = new([]byte)
	}
	if n := len(p); trailingBackslashes(p)%2 == 1 && n > 0 {
		return m, sqlstate.New(sqlstate.InvalidEscape, "LIKE pattern must not end with escape character")
	}
	if bytes.IndexByte(p, '_') < 0 && bytes.IndexByte(p, '\\') < 0 {
		inner := bytes.Trim(p, "%")
		if bytes.IndexByte(inner, '%') < 0 {
			m.lit = inner
			lead, trail := len(p) > 0 && p[0] == '%', len(p) > 0 && p[len(p)-1] == '%'
			switch {
			case lead && trail:
				m.kind = likeContains
			case lead:
				m.kind = likeSuffix
			case trail:
				m.kind = likePrefix
			}
			return m, nil
		}
	}
	m.kind, m.parts = likeGeneral, splitLike(p)
	return m, nil
}

func trailingBackslashes(p []byte) int {
	n := 0
	for n < len(p) && p[len(p)-1-n] == '\\' {
		n++
	}
	return n
}

// splitLike cuts a pattern at its unescaped %.
func splitLike(p []byte) (parts [][]byte) {
	start := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '%':
			parts = append(parts, p[start:i])
			start = i + 1
		}
	}
	return append(parts, p[start:])
}

func (m *likeMatcher) match(s []byte) bool {
	if m.fold {
		*m.buf = mapCase((*m.buf)[:0], s, 'A', 'Z', unicode.ToLower)
		s = *m.buf
	}
	switch m.kind {
	case likeEqual:
		return bytes.Equal(s, m.lit)
	case likePrefix:
		return bytes.HasPrefix(s, m.lit)
	case likeSuffix:
		return bytes.HasSuffix(s, m.lit)
	case likeContains:
		return bytes.Contains(s, m.lit)
	}
	return m.general(s)
}

// general matches the first part at the start, the last at the end, and those between at the earliest place each: which
// finds a match whenever there is one.
func (m *likeMatcher) general(s []byte) bool {
	rest, ok := matchPart(m.parts[0], s)
	if !ok {
		return false
	}
	if len(m.parts) == 1 {
		return len(rest) == 0
	}
	for _, p := range m.parts[1 : len(m.parts)-1] {
		if rest, ok = findPart(p, rest); !ok {
			return false
		}
	}
	return endsWithPart(m.parts[len(m.parts)-1], rest)
}

// matchPart matches a part without % at the start of s.
func matchPart(p, s []byte) (rest []byte, ok bool) {
	for i := 0; i < len(p); i++ {
		switch c := p[i]; c {
		case '_':
			if len(s) == 0 {
				return nil, false
			}
			_, n := utf8.DecodeRune(s)
			s = s[n:]
			continue
		case '\\':
			i++
		}
		if len(s) == 0 || i >= len(p) || s[0] != p[i] {
			return nil, false
		}
		s = s[1:]
	}
	return s, true
}

func findPart(p, s []byte) (rest []byte, ok bool) {
	for {
		if rest, ok = matchPart(p, s); ok {
			return rest, true
		}
		if len(s) == 0 {
			return nil, false
		}
		_, n := utf8.DecodeRune(s)
		s = s[n:]
	}
}

func endsWithPart(p, s []byte) bool {
	// The part's length in characters is fixed, so only one place can match.
	chars := 0
	for i := 0; i < len(p); {
		if p[i] == '\\' && i+1 < len(p) {
			i++
		}
		_, n := utf8.DecodeRune(p[i:])
		i += n
		chars++
	}
	at := len(s)
	for ; chars > 0; chars-- {
		if at == 0 {
			return false
		}
		_, n := utf8.DecodeLastRune(s[:at])
		at -= n
	}
	rest, ok := matchPart(p, s[at:])
	return ok && len(rest) == 0
}

// likeEscape rewrites a pattern with another escape character (or none) to one with \.
func likeEscape(p, esc []byte) ([]byte, error) {
	if utf8.RuneCount(esc) > 1 {
		return nil, sqlstate.New(sqlstate.InvalidEscape, "invalid escape string").WithHint("Escape string must be empty or one character.")
	}
	if string(esc) == `\` {
		return p, nil
	}
	var out []byte
	for len(p) > 0 {
		_, n := utf8.DecodeRune(p)
		c := p[:n]
		p = p[n:]
		switch {
		case len(esc) > 0 && bytes.Equal(c, esc):
			out = append(out, '\\')
			if len(p) == 0 {
				return out, nil // a trailing escape: the match reports it
			}
			_, n := utf8.DecodeRune(p)
			out = append(out, p[:n]...)
			p = p[n:]
		case c[0] == '\\':
			out = append(out, '\\', '\\')
		default:
			out = append(out, c...)
		}
	}
	return out, nil
}
