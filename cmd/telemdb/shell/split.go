package shell

import "strings"

// complete reports whether text ends a statement: its last token outside quotes, comments and parentheses is a semicolon.
func complete(text string) bool {
	s := scanner{text: text}
	for s.step() {
	}
	return s.quote == "" && s.depth <= 0 && s.ended
}

// blank reports whether text holds nothing but white space and comments.
func blank(text string) bool {
	s := scanner{text: text}
	for s.step() {
	}
	return !s.something && s.quote == ""
}

// scanner walks SQL text far enough to tell statements apart.
type scanner struct {
	text      string
	at        int
	quote     string // what closes the quote or comment we are in: "'", `"`, "$tag$", "*/"; "" outside
	escapes   bool   // in E'…': a backslash hides the next character
	comments  int    // nesting of /* */
	depth     int    // open parentheses
	ended     bool   // the last token was a semicolon
	something bool   // there was a token
}

// step consumes a piece; false at the end.
func (s *scanner) step() bool {
	rest := s.text[s.at:]
	if rest == "" {
		return false
	}
	if s.quote != "" {
		s.inQuote(rest)
		return true
	}
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "--"):
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			s.at += i
		} else {
			s.at = len(s.text)
		}
		return true
	case strings.HasPrefix(rest, "/*"):
		s.quote, s.comments = "*/", 1
		s.at += 2
		return true
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		s.at++
		return true
	case c == '\'':
		s.quote = "'"
		s.escapes = s.at > 0 && (s.text[s.at-1] == 'E' || s.text[s.at-1] == 'e')
	case c == '"':
		s.quote = `"`
	case c == '$':
		if tag := dollarTag(rest); tag != "" {
			s.quote = tag
			s.at += len(tag) - 1
		}
	case c == '(':
		s.depth++
	case c == ')':
		s.depth--
	}
	s.something = true
	s.ended = rest[0] == ';' && s.depth <= 0
	s.at++
	return true
}

func (s *scanner) inQuote(rest string) {
	switch {
	case s.quote == "*/" && strings.HasPrefix(rest, "/*"):
		s.comments++
		s.at += 2
	case s.quote == "*/" && strings.HasPrefix(rest, "*/"):
		s.comments--
		s.at += 2
		if s.comments == 0 {
			s.quote = ""
		}
	case s.escapes && rest[0] == '\\' && len(rest) > 1:
		s.at += 2
	case s.quote != "*/" && strings.HasPrefix(rest, s.quote):
		s.at += len(s.quote)
		s.quote, s.escapes = "", false
	default:
		s.at++
	}
}

// dollarTag returns the $tag$ that text begins with, or "".
func dollarTag(text string) string {
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '$':
			return text[:i+1]
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 1 && c >= '0' && c <= '9':
		default:
			return ""
		}
	}
	return ""
}
