package builtin

import (
	"regexp/syntax"

	"github.com/telemdb/telemdb/engine/expr"
)

// A text of megabytes may have millions of matches: they are found some at a time, and the statement is asked for between. In
// texts of regexLong each is searched by itself, and the search asks too.
const (
	regexPiece = 1000     // matches
	regexShort = 64 << 10 // bytes; in shorter texts all are found at once
)

// looksBack reports whether the pattern has a condition on what stands before a place, so that the rest of a text has other
// matches than the text has there.
func looksBack(src string) bool {
	re, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		return true
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return true
	}
	const back = syntax.EmptyBeginLine | syntax.EmptyBeginText | syntax.EmptyWordBoundary | syntax.EmptyNoWordBoundary
	for _, i := range prog.Inst {
		if i.Op == syntax.InstEmptyWidth && syntax.EmptyOp(i.Arg)&back != 0 {
			return true
		}
	}
	return false
}

// each gives the bounds of the matches in s and of their groups to f, at most so many (times < 0: all). A pattern that looks
// back is not interrupted before all its matches are found.
func (p *pattern) each(ctx *expr.Ctx, s []byte, times int, f func(m []int) error) error {
	switch {
	case times == 1:
		m, err := p.search(ctx, s)
		if m == nil || err != nil {
			return err
		}
		return f(m)
	case len(s) >= regexLong && !p.back && times < 0:
		return p.eachLong(ctx, s, f)
	case times >= 0 || len(s) < regexShort || p.back:
		for k, m := range p.FindAllSubmatchIndex(s, times) {
			if k%regexPiece == regexPiece-1 {
				if err := canceled(ctx); err != nil {
					return err
				}
			}
			if err := f(m); err != nil {
				return err
			}
		}
		return nil
	}
	for from := 0; ; {
		if err := canceled(ctx); err != nil {
			return err
		}
		ms, end := p.FindAllSubmatchIndex(s[from:], regexPiece), from
		for k, m := range ms {
			for i, at := range m {
				if at >= 0 {
					m[i] = at + from
				}
			}
			if k == 0 && from > 0 && m[0] == m[1] && m[0] == from {
				continue // an empty match that touches the match before is none
			}
			if err := f(m); err != nil {
				return err
			}
			end = m[1]
		}
		if len(ms) < regexPiece {
			return nil
		}
		from = end
	}
}
