package builtin

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"sync"

	"github.com/telemdb/telemdb/engine/sqlstate"
)

// PostgreSQL's advanced regular expressions on Go's engine: linear time, whatever the pattern. The syntax is translated;
// back references and look-around have no translation and are refused. A pattern without non-greedy quantifiers finds
// the longest match, as POSIX has it.

// regexFlags are the letters of a flags argument that change the compilation.
type regexFlags struct {
	fold     bool // i
	newline  bool // n, m: . and ^ $ know lines
	partial  bool // p: . knows lines
	inverse  bool // w: ^ $ know lines
	expanded bool // x
	literal  bool // q
	global   bool // g
}

func parseRegexFlags(s string) (f regexFlags, err error) {
	for _, c := range s {
		switch c {
		case 'i':
			f.fold = true
		case 'c':
			f.fold = false
		case 'n', 'm':
			f.newline = true
		case 'p':
			f.partial = true
		case 'w':
			f.inverse = true
		case 's':
			f.newline, f.partial, f.inverse = false, false, false
		case 'x':
			f.expanded = true
		case 't', 'e', 'b':
			f.expanded = false
		case 'q':
			f.literal = true
		case 'g':
			f.global = true
		default:
			return f, errParam("invalid regular expression option: \"%c\"", c)
		}
	}
	return f, nil
}

// regexCache keeps compiled patterns of all sessions: the same few come with every batch.
var regexCache = struct {
	sync.RWMutex
	m map[regexKey]*pattern
}{m: map[regexKey]*pattern{}}

// pattern is a compiled pattern. whole is nil if it has no faster way to be matched.
type pattern struct {
	*regexp.Regexp
	whole   *wholePattern
	back    bool // see looksBack
	longest bool // of the matches at a place the longest is taken
	long    longPattern
}

type regexKey struct {
	pattern string
	flags   regexFlags
}

const regexCacheMax = 512

func compileRegex(text []byte, f regexFlags) (*pattern, error) {
	f.global = false
	regexCache.RLock()
	re, ok := regexCache.m[regexKey{string(text), f}]
	regexCache.RUnlock()
	if ok {
		return re, nil
	}
	re, err := buildRegex(string(text), f)
	if err != nil {
		return nil, err
	}
	regexCache.Lock()
	if len(regexCache.m) >= regexCacheMax {
		clear(regexCache.m)
	}
	regexCache.m[regexKey{string(text), f}] = re
	regexCache.Unlock()
	return re, nil
}

func errRegex(what string) error {
	return sqlstate.New(sqlstate.InvalidRegex, "invalid regular expression: %s", what)
}

func buildRegex(p string, f regexFlags) (*pattern, error) {
	if strings.HasPrefix(p, "***=") {
		f.literal, p = true, p[4:]
	} else {
		p = strings.TrimPrefix(p, "***:")
	}
	if f.literal {
		p = regexp.QuoteMeta(p)
		if f.fold {
			p = "(?i)" + p
		}
		re, err := regexp.Compile(p)
		return &pattern{Regexp: re}, err
	}
	p, f = embeddedOptions(p, f)
	t := regexTranslation{in: p, expanded: f.expanded}
	if err := t.run(); err != nil {
		return nil, err
	}
	opts := ""
	if f.fold {
		opts += "i"
	}
	if !f.newline && !f.partial {
		opts += "s"
	}
	if f.newline || f.inverse {
		opts += "m"
	}
	src := t.out.String()
	if opts != "" {
		src = "(?" + opts + ")" + src
	}
	re, err := regexp.Compile(src)
	if err != nil {
		return nil, errRegex(regexProblem(err))
	}
	out := &pattern{Regexp: re, back: looksBack(src)}
	if !t.lazy {
		re.Longest()
		out.longest = true
		out.whole = newWholePattern(src)
	}
	return out, nil
}

// regexProblem gives PostgreSQL's words for what Go's parser found.
func regexProblem(err error) string {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	switch e.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
		return "parentheses () not balanced"
	case syntax.ErrMissingBracket:
		return "brackets [] not balanced"
	case syntax.ErrMissingRepeatArgument, syntax.ErrInvalidRepeatOp:
		return "quantifier operand invalid"
	case syntax.ErrInvalidRepeatSize:
		return "invalid repetition count(s)"
	case syntax.ErrInvalidCharRange:
		return "invalid character range"
	case syntax.ErrLarge:
		return "regular expression is too complex"
	}
	return e.Code.String() + ": " + e.Expr
}

// embeddedOptions reads (?letters) at the start.
func embeddedOptions(p string, f regexFlags) (string, regexFlags) {
	if !strings.HasPrefix(p, "(?") {
		return p, f
	}
	end := strings.IndexByte(p, ')')
	if end < 3 || strings.Trim(p[2:end], "abcdefghijklmnopqrstuvwxyz") != "" {
		return p, f
	}
	g, err := parseRegexFlags(p[2:end])
	if err != nil || g.global {
		return p, f
	}
	g.fold = g.fold || f.fold && !strings.ContainsRune(p[2:end], 'c')
	g.newline, g.partial, g.inverse, g.expanded = g.newline || f.newline, g.partial || f.partial, g.inverse || f.inverse, g.expanded || f.expanded
	return p[end+1:], g
}

type regexTranslation struct {
	in       string
	i        int
	out      strings.Builder
	expanded bool
	lazy     bool
}

func (t *regexTranslation) run() error {
	quantified := false // the thing before was a quantifier: a ? makes it non-greedy
	for t.i < len(t.in) {
		c := t.in[t.i]
		wasQuantified := quantified
		quantified = false
		switch {
		case c == '\\':
			if err := t.escape(); err != nil {
				return err
			}
		case c == '[':
			if err := t.bracket(); err != nil {
				return err
			}
		case c == '(':
			if err := t.group(); err != nil {
				return err
			}
		case t.expanded && (c == ' ' || c >= '\t' && c <= '\r'):
			t.i++
			quantified = wasQuantified
		case t.expanded && c == '#':
			for t.i < len(t.in) && t.in[t.i] != '\n' {
				t.i++
			}
		case c == '*' || c == '+' || c == '?':
			if wasQuantified && c == '?' {
				t.lazy = true
			}
			quantified = !wasQuantified
			t.copy(1)
		case c == '{':
			end := strings.IndexByte(t.in[t.i:], '}')
			if end > 1 && isBound(t.in[t.i+1:t.i+end]) {
				quantified = true
				t.copy(end + 1)
			} else {
				t.out.WriteString(`\{`)
				t.i++
			}
		default:
			t.copy(1)
		}
	}
	return nil
}

func (t *regexTranslation) copy(n int) {
	t.out.WriteString(t.in[t.i : t.i+n])
	t.i += n
}

func isBound(s string) bool {
	return s != "" && s[0] >= '0' && s[0] <= '9' && strings.Trim(s, "0123456789,") == ""
}

func (t *regexTranslation) group() error {
	rest := t.in[t.i:]
	switch {
	case strings.HasPrefix(rest, "(?:"):
		t.copy(3)
	case strings.HasPrefix(rest, "(?="), strings.HasPrefix(rest, "(?!"), strings.HasPrefix(rest, "(?<"):
		return sqlstate.New(sqlstate.FeatureNotSupported, "look-ahead and look-behind in regular expressions are not supported")
	case strings.HasPrefix(rest, "(?#"):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return errRegex("parentheses () not balanced")
		}
		t.i += end + 1
	case strings.HasPrefix(rest, "(?"):
		return errRegex("quantifier operand invalid")
	default:
		t.copy(1)
	}
	return nil
}

// escape translates one backslash sequence outside brackets.
func (t *regexTranslation) escape() error {
	if t.i+1 >= len(t.in) {
		return errRegex(`invalid escape \ sequence`)
	}
	c := t.in[t.i+1]
	switch c {
	case 'm', 'M', 'y':
		t.out.WriteString(`\b`)
	case 'Y':
		t.out.WriteString(`\B`)
	case 'Z':
		t.out.WriteString(`\z`)
	case 'A', 'd', 'D', 'w', 'W', 's', 'S':
		t.out.WriteByte('\\')
		t.out.WriteByte(c)
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return sqlstate.New(sqlstate.FeatureNotSupported, "back references in regular expressions are not supported")
	default:
		return t.charEscape()
	}
	t.i += 2
	return nil
}

// charEscape translates a sequence that stands for one character, in brackets too.
func (t *regexTranslation) charEscape() error {
	c := t.in[t.i+1]
	t.i += 2
	simple := map[byte]string{'a': `\x07`, 'b': `\x08`, 'B': `\\`, 'e': `\x1b`, 'f': `\f`, 'n': `\n`, 'r': `\r`, 't': `\t`, 'v': `\v`, '0': `\x00`}
	if s, ok := simple[c]; ok {
		t.out.WriteString(s)
		return nil
	}
	switch {
	case c == 'u' || c == 'U' || c == 'x':
		width := map[byte]int{'u': 4, 'U': 8, 'x': 2}[c]
		n := 0
		for n < width && t.i+n < len(t.in) && strings.IndexByte("0123456789abcdefABCDEF", t.in[t.i+n]) >= 0 {
			n++
		}
		if n == 0 || c != 'x' && n < width {
			return errRegex(`invalid escape \ sequence`)
		}
		v, err := strconv.ParseUint(t.in[t.i:t.i+n], 16, 32)
		if err != nil || v > 0x10ffff {
			return errRegex(`invalid escape \ sequence`)
		}
		t.i += n
		t.out.WriteString(`\x{` + strconv.FormatUint(v, 16) + `}`)
	case c == 'c':
		if t.i >= len(t.in) {
			return errRegex(`invalid escape \ sequence`)
		}
		t.out.WriteString(`\x{` + strconv.FormatUint(uint64(t.in[t.i]&31), 16) + `}`)
		t.i++
	case c|0x20 >= 'a' && c|0x20 <= 'z':
		return errRegex(`invalid escape \ sequence`)
	case c < 0x80:
		t.out.WriteString(regexp.QuoteMeta(string(rune(c))))
	default:
		t.out.WriteByte(c)
	}
	return nil
}

// bracket copies a bracket expression. [[:<:]] and [[:>:]] are word boundaries.
func (t *regexTranslation) bracket() error {
	rest := t.in[t.i:]
	if strings.HasPrefix(rest, "[[:<:]]") || strings.HasPrefix(rest, "[[:>:]]") {
		t.out.WriteString(`\b`)
		t.i += 7
		return nil
	}
	t.copy(1)
	if t.i < len(t.in) && t.in[t.i] == '^' {
		t.copy(1)
	}
	for first := true; t.i < len(t.in); first = false {
		c := t.in[t.i]
		rest := t.in[t.i:]
		switch {
		case c == ']' && !first:
			t.copy(1)
			return nil
		case c == ']':
			t.out.WriteString(`\]`)
			t.i++
		case strings.HasPrefix(rest, "[:"):
			end := strings.Index(rest, ":]")
			if end < 0 {
				return errRegex("brackets [] not balanced")
			}
			t.copy(end + 2)
		case strings.HasPrefix(rest, "[.") || strings.HasPrefix(rest, "[="):
			end := strings.Index(rest[2:], rest[1:2]+"]")
			if end < 0 {
				return errRegex("invalid collating element")
			}
			t.out.WriteString(regexp.QuoteMeta(rest[2 : 2+end]))
			t.i += end + 4
		case c == '[':
			t.out.WriteString(`\[`)
			t.i++
		case c == '\\':
			if t.i+1 < len(t.in) && strings.IndexByte("dwsDWS", t.in[t.i+1]) >= 0 {
				t.copy(2)
				continue
			}
			if t.i+1 >= len(t.in) {
				return errRegex(`invalid escape \ sequence`)
			}
			if err := t.charEscape(); err != nil {
				return err
			}
		default:
			t.copy(1)
		}
	}
	return errRegex("brackets [] not balanced")
}

// similarToRegex turns a SIMILAR TO pattern into a regular expression.
func similarToRegex(p, esc []byte) ([]byte, error) {
	out := []byte("^(?:")
	e, hasEsc := byte('\\'), true
	switch {
	case len(esc) == 1:
		e = esc[0]
	case len(esc) == 0:
		hasEsc = false
	default:
		return nil, sqlstate.New(sqlstate.InvalidEscape, "invalid escape string").WithHint("Escape string must be empty or one character.")
	}
	inBracket := false
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case hasEsc && c == e:
			i++
			if i < len(p) {
				out = append(out, regexp.QuoteMeta(string(p[i]))...)
			}
		case inBracket:
			if c == '\\' {
				out = append(out, '\\')
			}
			out = append(out, c)
			inBracket = c != ']'
		case c == '[':
			out = append(out, c)
			inBracket = true
		case c == '%':
			out = append(out, ".*"...)
		case c == '_':
			out = append(out, '.')
		case c == '(':
			out = append(out, "(?:"...)
		case c == '\\' || c == '.' || c == '^' || c == '$':
			out = append(out, '\\', c)
		default:
			out = append(out, c)
		}
	}
	return append(out, ")$"...), nil
}
