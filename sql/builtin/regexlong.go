package builtin

import (
	"bytes"
	"io"
	"regexp"
	"sync"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/expr"
)

// One search of Go's engine takes 30 ns a byte and more and cannot be interrupted, but it takes a text rune by rune if it is asked
// to: long texts are read through what ends them where the statement is no longer wanted.

// regexLong is from how many bytes on a text is searched in that way: shorter ones take no longer than a statement may.
const regexLong = 1 << 20

// textReader gives the runes of s from at on. err is why it ended before the text did.
type textReader struct {
	ctx  *expr.Ctx
	s    []byte
	at   int
	look int
	err  error
}

func (r *textReader) ReadRune() (rune, int, error) {
	if r.at >= r.look {
		if r.err = canceled(r.ctx); r.err != nil {
			return 0, 0, io.EOF
		}
		r.look = r.at + lookEvery
	}
	if r.at >= len(r.s) {
		return 0, 0, io.EOF
	}
	c, n := rune(r.s[r.at]), 1
	if c >= utf8.RuneSelf {
		c, n = utf8.DecodeRune(r.s[r.at:])
	}
	r.at += n
	return c, n, nil
}

// longPattern is what the search in long texts needs of a pattern.
type longPattern struct {
	once     sync.Once
	prefix   []byte         // every match begins with it; empty: with anything
	literal  bool           // the prefix is all
	anchored *regexp.Regexp // the pattern at the beginning of a text
}

// begin takes the pattern apart. A pattern that looks back may match at other places in what follows its prefix.
func (p *pattern) begin() *longPattern {
	p.long.once.Do(func() {
		prefix, literal := p.LiteralPrefix()
		if p.back || prefix == "" {
			return
		}
		re, err := regexp.Compile(`\A(?:` + p.String() + `)`)
		if err != nil {
			return
		}
		if p.longest {
			re.Longest()
		}
		p.long.prefix, p.long.literal, p.long.anchored = []byte(prefix), literal, re
	})
	return &p.long
}

// found is a way to search what r gives; nil is no match.
type found func(re *regexp.Regexp, r io.RuneReader) []int

func bounds(re *regexp.Regexp, r io.RuneReader) []int { return re.FindReaderSubmatchIndex(r) }

// anyMatch tells only whether there is a match.
func anyMatch(re *regexp.Regexp, r io.RuneReader) []int {
	if re.MatchReader(r) {
		return []int{}
	}
	return nil
}

// search finds the first match in s: the bounds of it and its groups, nil for none.
func (p *pattern) search(ctx *expr.Ctx, s []byte) ([]int, error) {
	if p.whole != nil {
		if m, ok, decided := p.whole.find(s, nil); decided {
			if !ok {
				return nil, nil
			}
			return m, nil
		}
	}
	if len(s) < regexLong {
		return p.FindSubmatchIndex(s), nil
	}
	return p.searchLong(ctx, s, bounds)
}

// matches tells whether s has a match.
func (p *pattern) matches(ctx *expr.Ctx, s []byte) (bool, error) {
	if p.whole != nil {
		var room [16]int
		if _, ok, decided := p.whole.find(s, room[:0]); decided {
			return ok, nil
		}
	}
	if len(s) < regexLong {
		return p.Match(s), nil
	}
	m, err := p.searchLong(ctx, s, anyMatch)
	return m != nil, err
}

// searchLong goes from one place that has the pattern's prefix to the next, as long as little more than the text is read for that.
func (p *pattern) searchLong(ctx *expr.Ctx, s []byte, find found) ([]int, error) {
	l := p.begin()
	at, read := 0, 0
	for len(l.prefix) > 0 {
		next := bytes.Index(s[at:], l.prefix)
		if next < 0 {
			return nil, canceled(ctx)
		}
		at += next
		if l.literal {
			return p.FindSubmatchIndex(s), nil
		}
		if read > 2*at+regexShort {
			break
		}
		r := textReader{ctx: ctx, s: s, at: at}
		m := find(l.anchored, &r)
		if m != nil || r.err != nil {
			return shifted(m, at), r.err
		}
		read += r.at - at
		at++
	}
	r := textReader{ctx: ctx, s: s, at: at}
	m := find(p.Regexp, &r)
	return shifted(m, at), r.err
}

// shifted makes bounds in s[by:] those in s.
func shifted(m []int, by int) []int {
	for i, at := range m {
		if at >= 0 {
			m[i] = at + by
		}
	}
	return m
}

// eachLong is each for long texts and patterns that do not look back: one search after the other.
func (p *pattern) eachLong(ctx *expr.Ctx, s []byte, f func(m []int) error) error {
	for from, end := 0, -1; from <= len(s); {
		m, err := p.searchLong(ctx, s[from:], bounds)
		if m == nil || err != nil {
			return err
		}
		m = shifted(m, from)
		touches := m[0] == m[1] && m[0] == end // an empty match that touches the match before is none
		if end = m[1]; end > from {
			from = end
		} else {
			_, n := utf8.DecodeRune(s[from:])
			from += max(n, 1)
		}
		if touches {
			continue
		}
		if err := f(m); err != nil {
			return err
		}
	}
	return nil
}
