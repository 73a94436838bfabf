package builtin

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"regexp/syntax"
	"unicode/utf8"
)

// wholePattern matches a simple pattern that is anchored at both ends, without an automaton: a row of literals and of
// repeated sets of characters, with groups around them and optional literals between, as patterns are that take an
// address or a version apart. Such a pattern has at most one match, all of the text, so that the longest and the first
// match are one. Where a group could begin or end in several places, the first in the order of a greedy search is taken,
// which is the one that Go's engine reports.
//
// A search gives up after some steps for each byte, and Go's engine, which is linear, answers instead.
type wholePattern struct {
	parts  []wholePart
	groups int
}

// wholePart is one step of a pattern.
type wholePart struct {
	kind wholeKind
	text []byte    // of wholeLiteral and wholeMaybe
	word uint64    // the same in one word
	mask uint64    // which of its bytes are the text's; 0: it is longer, or empty
	set  [4]uint64 // of wholeSet: which bytes it has; all bytes of characters beyond ASCII, or none
	any  bool      // of wholeSet: every byte
	but  int       // of wholeSet: every byte but this one; -1: it is not like that
	sure bool      // of wholeSet: what follows cannot begin with what the set has, so that a run ends in one place
	min  int       // of wholeSet: 0 or 1 times at least
	one  bool      // of wholeSet: once at most
	mark int       // of wholeMark: place among the bounds of groups
}

type wholeKind uint8

const (
	wholeLiteral wholeKind = iota
	wholeMaybe
	wholeSet
	wholeMark
)

const wholePartsMax = 32

// newWholePattern returns nil for a pattern that is not of that form. src is in Go's syntax.
func newWholePattern(src string) *wholePattern {
	re, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		return nil
	}
	groups := re.MaxCap()
	re = re.Simplify()
	if re.Op != syntax.OpConcat || len(re.Sub) < 2 || re.Sub[0].Op != syntax.OpBeginText || re.Sub[len(re.Sub)-1].Op != syntax.OpEndText {
		return nil
	}
	w := &wholePattern{groups: groups}
	for _, sub := range re.Sub[1 : len(re.Sub)-1] {
		if !w.add(sub) {
			return nil
		}
	}
	if len(w.parts) > wholePartsMax {
		return nil
	}
	for i := range w.parts {
		w.parts[i].pack()
		w.parts[i].sure = w.parts[i].kind == wholeSet && w.ends(i)
	}
	return w
}

// ends reports whether a run of the set of part i, wherever it is, can only be followed by the rest where it cannot go on:
// nothing that the rest may begin with is in the set.
func (w *wholePattern) ends(i int) bool {
	set := &w.parts[i]
	for _, p := range w.parts[i+1:] {
		switch p.kind {
		case wholeLiteral, wholeMaybe:
			if len(p.text) > 0 && set.has(p.text[0]) {
				return false
			}
			if p.kind == wholeLiteral && len(p.text) > 0 {
				return true
			}
		case wholeSet:
			for k, bits := range p.set {
				if bits&set.set[k] != 0 {
					return false
				}
			}
			if p.min > 0 {
				return true
			}
		}
	}
	return true
}

// add appends the steps of a part of the pattern; false if it has no such steps.
func (w *wholePattern) add(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return true
	case syntax.OpLiteral:
		text, ok := literalOf(re)
		w.parts = append(w.parts, wholePart{kind: wholeLiteral, text: text})
		return ok
	case syntax.OpCapture:
		w.parts = append(w.parts, wholePart{kind: wholeMark, mark: 2 * re.Cap})
		ok := w.add(re.Sub[0])
		w.parts = append(w.parts, wholePart{kind: wholeMark, mark: 2*re.Cap + 1})
		return ok
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !w.add(sub) {
				return false
			}
		}
		return true
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		return re.Flags&syntax.NonGreedy == 0 && w.repeat(re.Op, re.Sub[0])
	}
	p, ok := setOf(re)
	p.min, p.one = 1, true
	w.parts = append(w.parts, p)
	return ok
}

func (w *wholePattern) repeat(op syntax.Op, re *syntax.Regexp) bool {
	if text, ok := literalOf(re); ok && op == syntax.OpQuest {
		w.parts = append(w.parts, wholePart{kind: wholeMaybe, text: text})
		return true
	}
	p, ok := setOf(re)
	if op == syntax.OpPlus {
		p.min = 1
	}
	p.one = op == syntax.OpQuest
	w.parts = append(w.parts, p)
	return ok
}

// literalOf returns the text of a literal that is of one case.
func literalOf(re *syntax.Regexp) ([]byte, bool) {
	if re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != 0 {
		return nil, false
	}
	return []byte(string(re.Rune)), true
}

// setOf returns the step for one character of a set. A set that splits the characters beyond ASCII has none.
func setOf(re *syntax.Regexp) (p wholePart, ok bool) {
	p.kind = wholeSet
	var ranges []rune
	switch re.Op {
	case syntax.OpAnyChar:
		ranges = []rune{0, utf8.MaxRune}
	case syntax.OpAnyCharNotNL:
		ranges = []rune{0, '\n' - 1, '\n' + 1, utf8.MaxRune}
	case syntax.OpCharClass:
		ranges = re.Rune
	case syntax.OpLiteral:
		if len(re.Rune) != 1 || re.Rune[0] >= utf8.RuneSelf || re.Flags&syntax.FoldCase != 0 {
			return p, false
		}
		ranges = []rune{re.Rune[0], re.Rune[0]}
	default:
		return p, false
	}
	beyond := false
	for i := 0; i < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if hi >= utf8.RuneSelf {
			if lo > utf8.RuneSelf || hi != utf8.MaxRune {
				return p, false
			}
			beyond, hi = true, utf8.RuneSelf-1
		}
		for c := lo; c <= hi; c++ {
			p.set[c>>6] |= 1 << (c & 63)
		}
	}
	if beyond {
		p.set[2], p.set[3] = ^uint64(0), ^uint64(0)
	}
	p.any, p.but = p.set == [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}, -1
	if bits.OnesCount64(p.set[0])+bits.OnesCount64(p.set[1]) == 127 && p.set[2] == ^uint64(0) && p.set[3] == ^uint64(0) {
		for p.but = 0; p.has(byte(p.but)); {
			p.but++
		}
	}
	return p, true
}

// pack makes word and mask of a text that fits a word.
func (p *wholePart) pack() {
	if len(p.text) > 8 {
		return
	}
	for i, c := range p.text {
		p.word |= uint64(c) << (8 * i)
		p.mask |= 0xFF << (8 * i)
	}
}

// begins reports whether s begins with the part's text: by one comparison where both fit a word, as calls cost more than that.
func (p *wholePart) begins(s []byte) bool {
	if p.mask != 0 && len(s) >= 8 {
		return binary.LittleEndian.Uint64(s)&p.mask == p.word
	}
	return bytes.HasPrefix(s, p.text)
}

func (p *wholePart) has(c byte) bool { return p.set[c>>6]>>(c&63)&1 != 0 }

// wholeSearch is one search. Its bounds are as those of FindSubmatchIndex; they are reused.
type wholeSearch struct {
	w      *wholePattern
	s      []byte
	bounds []int
	steps  int
}

// find matches s. decided is false if the search gave up. The bounds are valid until the next call with them.
func (w *wholePattern) find(s []byte, bounds []int) (m []int, ok, decided bool) {
	bounds = bounds[:0]
	for range 2 * (w.groups + 1) {
		bounds = append(bounds, -1)
	}
	q := wholeSearch{w: w, s: s, bounds: bounds, steps: 64 + 8*len(s)}
	ok = q.from(0, 0)
	if q.steps < 0 {
		return bounds, false, false
	}
	bounds[0], bounds[1] = 0, len(s)
	return bounds, ok, true
}

// from matches the parts from one on, at a place.
func (q *wholeSearch) from(part, at int) bool {
	for ; part < len(q.w.parts); part++ {
		if q.steps--; q.steps < 0 {
			return false
		}
		p := &q.w.parts[part]
		switch p.kind {
		case wholeMark:
			q.bounds[p.mark] = at
		case wholeLiteral:
			if !p.begins(q.s[at:]) {
				return false
			}
			at += len(p.text)
		case wholeMaybe:
			if p.begins(q.s[at:]) && q.from(part+1, at+len(p.text)) {
				return true
			}
		case wholeSet:
			if !p.sure {
				return q.set(part, at)
			}
			end := q.run(p, at)
			if p.min > 0 && end == at {
				return false
			}
			at = end
		}
	}
	return at == len(q.s)
}

// set matches a repeated set, the longest run first, and all that follows.
func (q *wholeSearch) set(part, at int) bool {
	p := &q.w.parts[part]
	end := q.run(p, at)
	least := at
	if p.min > 0 {
		if end == at {
			return false
		}
		least = q.next(at)
	}
	for ; ; end-- {
		if utf8.RuneStart(q.at(end)) {
			if q.from(part+1, end) {
				return true
			}
		}
		if end <= least || q.steps < 0 {
			return false
		}
	}
}

// at is the byte at a place; behind the text, one that begins a character.
func (q *wholeSearch) at(i int) byte {
	if i < len(q.s) {
		return q.s[i]
	}
	return 0
}

// next is where the character behind the one at a place begins.
func (q *wholeSearch) next(at int) int {
	_, n := utf8.DecodeRune(q.s[at:])
	return at + n
}

// run is the end of the longest run of a set from a place on.
func (q *wholeSearch) run(p *wholePart, at int) int {
	switch {
	case p.one:
		if at < len(q.s) && p.has(q.s[at]) {
			return q.next(at)
		}
		return at
	case p.any:
		return len(q.s)
	case p.but >= 0:
		if n := bytes.IndexByte(q.s[at:], byte(p.but)); n >= 0 {
			return at + n
		}
		return len(q.s)
	}
	for at < len(q.s) && p.has(q.s[at]) {
		at++
	}
	return at
}
