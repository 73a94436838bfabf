//go:build cgo

package parse

import (
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/telemdb/telemdb/engine/sqlstate"
)

// The parser and the code that packs its tree recurse on the C stack, which nobody can recover from when it overflows.
// The scanner does not recurse, so it goes first and bounds how deep the tree can be.
const (
	queryBytesMax = 1 << 20
	depthMax      = 1000 // nested operators, casts, parentheses, CASEs
	joinsMax      = 500  // joins and set operations of a statement, each a level of its own
)

// checkLimits refuses what the parser could not survive. A string too short to hold a tree of forbidden depth is not
// scanned.
func checkLimits(query string) error {
	if len(query) > queryBytesMax {
		return sqlstate.New(sqlstate.ProgramLimit, "the statement is %d bytes long, the limit is %d", len(query), queryBytesMax)
	}
	if i := strings.IndexByte(query, 0); i >= 0 {
		return sqlstate.New(sqlstate.Syntax, "the statement contains a NUL byte").At(utf8.RuneCountInString(query[:i]) + 1)
	}
	if !utf8.ValidString(query) {
		return sqlstate.New("22021", "invalid byte sequence for encoding \"UTF8\"")
	}
	if len(query) < joinsMax {
		return nil
	}
	scan, err := pg.Scan(query)
	if err != nil {
		return parserError(err)
	}
	var d depthMeter
	for _, t := range scan.Tokens {
		if d.see(t.Token) {
			pos := newPositions(query).at(t.Start).Pos()
			return sqlstate.New(sqlstate.TooComplex, "the statement is too complex: more than %d levels of operators, "+
				"casts and parentheses, or more than %d joins and set operations", depthMax, joinsMax).At(pos)
		}
	}
	return nil
}

// depthMeter bounds the depth of the tree from above: for every open bracket the number of operators since the last
// separator at that level, all added up.
type depthMeter struct {
	open  []int // chain lengths of the enclosing levels
	chain int   // of the innermost level
	total int   // sum over all levels, brackets included
	joins int
}

// see takes the next token and reports whether the limits are passed.
func (d *depthMeter) see(t pg.Token) bool {
	switch t {
	case pg.Token_ASCII_40, pg.Token_CASE: // (
		d.push()
	case pg.Token_ASCII_91: // [ nests, and a chain of subscripts does too
		d.grow()
		d.push()
	case pg.Token_ASCII_41, pg.Token_ASCII_93, pg.Token_END_P:
		d.pop()
	case pg.Token_ASCII_59: // ;
		*d = depthMeter{open: d.open[:0]}
	case pg.Token_ASCII_44, pg.Token_AND, pg.Token_OR, pg.Token_WHEN, pg.Token_THEN, pg.Token_ELSE, pg.Token_SELECT,
		pg.Token_FROM, pg.Token_WHERE, pg.Token_GROUP_P, pg.Token_HAVING, pg.Token_ORDER, pg.Token_LIMIT, pg.Token_OFFSET,
		pg.Token_VALUES:
		d.total -= d.chain
		d.chain = 0
	case pg.Token_JOIN, pg.Token_UNION, pg.Token_EXCEPT, pg.Token_INTERSECT:
		d.joins++
	case pg.Token_ASCII_37, pg.Token_ASCII_42, pg.Token_ASCII_43, pg.Token_ASCII_45, pg.Token_ASCII_47, pg.Token_ASCII_60,
		pg.Token_ASCII_61, pg.Token_ASCII_62, pg.Token_ASCII_63, pg.Token_ASCII_94, pg.Token_Op, pg.Token_TYPECAST,
		pg.Token_LESS_EQUALS, pg.Token_GREATER_EQUALS, pg.Token_NOT_EQUALS, pg.Token_NOT, pg.Token_NOT_LA, pg.Token_IS,
		pg.Token_ISNULL, pg.Token_NOTNULL, pg.Token_AT, pg.Token_COLLATE, pg.Token_LIKE, pg.Token_ILIKE, pg.Token_SIMILAR,
		pg.Token_BETWEEN, pg.Token_IN_P, pg.Token_OPERATOR, pg.Token_EXPLAIN, pg.Token_PREPARE:
		d.grow()
	}
	return d.total > depthMax || d.joins > joinsMax
}

func (d *depthMeter) grow() { d.chain++; d.total++ }

func (d *depthMeter) push() {
	d.open = append(d.open, d.chain)
	d.chain = 0
	d.total++
}

func (d *depthMeter) pop() {
	if len(d.open) == 0 {
		return
	}
	d.total -= d.chain + 1
	d.chain = d.open[len(d.open)-1]
	d.open = d.open[:len(d.open)-1]
}
