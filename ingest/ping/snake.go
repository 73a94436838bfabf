package ping

import "slices"

// Name returns the SQL name of a client's name: its snake case, with an underscore before a leading digit.
func Name(s string) string {
	s = SnakeCase(s)
	if s != "" && isDigit(s[0]) {
		return "_" + s
	}
	return s
}

// SnakeCase turns a client's name into lower-case words joined by underscores, [a-z0-9_] only. Names without any letter
// or digit give "".
//
// Words are found from the right (ingestion.md 16): the scanner works on the reversed text, where a word ends at every
// edge of letters and digits, and after an upper-case letter when what follows (digits skipped) is lower case, or is
// upper case and the letter before was lower case.
func SnakeCase(s string) string {
	if isSnake(s) {
		return s
	}
	rev := make([]byte, len(s))
	for i := range len(s) {
		c := s[len(s)-1-i]
		if !isWord(c) {
			c = ' '
		}
		rev[i] = c
	}
	out := make([]byte, 0, len(s)+8)
	ended := false // the word that out ends with is complete
	for i, c := range rev {
		ended = ended || i > 0 && breaksBefore(rev, i)
		if c == ' ' {
			continue
		}
		if ended && len(out) > 0 {
			out = append(out, '_')
		}
		ended = false
		out = append(out, lower(c))
	}
	slices.Reverse(out)
	return string(out)
}

// isSnake reports whether s is its own snake case already: lower-case words, each beginning with a letter. It spares
// the common case an allocation.
func isSnake(s string) bool {
	wordStart := true
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z':
			wordStart = false
		case c == '_' || isDigit(c):
			if wordStart {
				return false
			}
			wordStart = c == '_'
		default:
			return false
		}
	}
	return !wordStart
}

func breaksBefore(rev []byte, i int) bool {
	if isWord(rev[i-1]) != isWord(rev[i]) {
		return true
	}
	if !isUpper(rev[i-1]) {
		return false
	}
	q := byte(0)
	for _, c := range rev[i:] {
		if !isDigit(c) {
			q = c
			break
		}
	}
	return isLower(q) || isUpper(q) && i >= 2 && isLower(rev[i-2])
}

func isWord(c byte) bool  { return isLower(c) || isUpper(c) || isDigit(c) }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func lower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}
