//go:build cgo

// Package parse is the one door to PostgreSQL's parser: text in, sql/ast out. It guards the C code against input it
// cannot survive and hands out nothing of the parser's own tree.
package parse

import (
	"errors"
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v5"
	"github.com/pganalyze/pg_query_go/v5/parser"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
)

// Statement is one statement of a query string.
type Statement struct {
	Stmt ast.Stmt
	// Text is the statement's own text, Offset where it begins in the query string, in characters. Positions inside Stmt
	// count from the beginning of the query string.
	Text   string
	Offset int
}

// Parse splits and parses a query string. It returns no statement for an empty one. Errors are *sqlstate.Error.
func Parse(query string) ([]Statement, error) {
	if err := checkLimits(query); err != nil {
		return nil, err
	}
	tree, err := pg.Parse(query)
	if err != nil {
		return nil, parserError(err)
	}
	pos := newPositions(query)
	out := make([]Statement, 0, len(tree.Stmts))
	for _, raw := range tree.Stmts {
		from, to := int(raw.StmtLocation), len(query)
		if raw.StmtLen > 0 {
			to = from + int(raw.StmtLen)
		}
		text := query[from:to]
		trimmed := strings.TrimLeft(text, " \t\r\n\f\v")
		from += len(text) - len(trimmed)
		c := &converter{pos: pos, query: query, from: from, to: to}
		s := c.statement(raw.Stmt)
		if c.err != nil {
			return nil, c.err
		}
		out = append(out, Statement{Stmt: s, Text: query[from:to], Offset: pos.at(int32(from)).Pos() - 1})
	}
	return out, nil
}

// One parses exactly one statement.
func One(query string) (ast.Stmt, error) {
	all, err := Parse(query)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, sqlstate.New(sqlstate.Syntax, "expected one statement, found %d", len(all))
	}
	return all[0].Stmt, nil
}

// Expr parses a single expression.
func Expr(text string) (ast.Expr, error) {
	s, err := One("SELECT " + text)
	if err != nil {
		return nil, err
	}
	if sel, ok := s.(*ast.Select); ok && len(sel.Targets) == 1 && sel.From == nil {
		return sel.Targets[0].Expr, nil
	}
	return nil, sqlstate.New(sqlstate.Syntax, "expected one expression")
}

// TypeName parses the name of a type, as in a cast.
func TypeName(text string) (ast.TypeName, error) {
	e, err := Expr("NULL::" + text)
	if err != nil {
		return ast.TypeName{}, err
	}
	if c, ok := e.(*ast.Cast); ok {
		return c.Type, nil
	}
	return ast.TypeName{}, sqlstate.New(sqlstate.Syntax, "invalid type name %q", text)
}

func parserError(err error) error {
	var pe *parser.Error
	if !errors.As(err, &pe) {
		return sqlstate.New(sqlstate.TooComplex, "the statement is too complex to parse: %v", err)
	}
	code := sqlstate.Syntax
	if strings.Contains(pe.Message, "memory exhausted") || strings.Contains(pe.Message, "stack depth") {
		code = sqlstate.TooComplex
	}
	if strings.HasPrefix(pe.Message, "frame ") {
		code = sqlstate.Windowing
	}
	if strings.Contains(pe.Message, "not implemented") || strings.Contains(pe.Message, "not supported") {
		code = sqlstate.FeatureNotSupported
	}
	return sqlstate.New(code, "%s", pe.Message).At(max(pe.Cursorpos, 0)) // it counts characters already
}

// positions turns byte offsets of a query string into characters, counted from 1.
type positions struct {
	// chars[i] is the number of characters before byte i*posStep; nil if all characters are single bytes.
	chars []int
	query string
}

const posStep = 256

func newPositions(query string) *positions {
	p := &positions{query: query}
	if isASCII(query) {
		return p
	}
	p.chars = make([]int, 0, len(query)/posStep+1)
	n := 0
	for i := range len(query) {
		if i%posStep == 0 {
			p.chars = append(p.chars, n)
		}
		if utf8.RuneStart(query[i]) {
			n++
		}
	}
	return p
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// at returns the position of a byte offset; a negative one is no position.
func (p *positions) at(off int32) ast.P {
	if off < 0 || int(off) > len(p.query) {
		return 0
	}
	if p.chars == nil || off == 0 {
		return ast.P(off + 1)
	}
	block := min(int(off)/posStep, len(p.chars)-1)
	n := p.chars[block]
	for i := block * posStep; i < int(off); i++ {
		if utf8.RuneStart(p.query[i]) {
			n++
		}
	}
	return ast.P(n + 1)
}
