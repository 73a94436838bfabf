package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind is a class of types whose values may be compared and computed with each other.
type kind int

const (
	integer kind = iota
	float
	numeric
	text
	boolean
	date
	stamp
	stampTZ
	kinds
)

// node is an expression: a format with a %s for each operand. As it is a tree, it can be shrunk.
type node struct {
	format string
	kids   []*node
	kind   kind
}

func (n *node) String() string {
	kids := make([]any, len(n.kids))
	for i, k := range n.kids {
		kids[i] = k
	}
	return fmt.Sprintf(n.format, kids...)
}

// simpler calls try with the tree as it is when one node has been replaced by a child of its kind, until try says that
// the change is to stay.
func (n *node) simpler(try func() bool) bool {
	for _, k := range n.kids {
		if k.kind != n.kind {
			continue
		}
		old := *n
		if *n = *k; try() {
			return true
		}
		*n = old
	}
	for _, k := range n.kids {
		if k.simpler(try) {
			return true
		}
	}
	return false
}

// scope is what expressions may refer to.
type scope struct {
	r      *rand.Rand
	w      *world
	cols   []column // qualified by alias
	nested int      // subqueries around
}

func (s *scope) one(of ...string) string { return of[s.r.IntN(len(of))] }
func (s *scope) chance(n int) bool       { return s.r.IntN(n) == 0 }

func leaf(k kind, format string, args ...any) *node {
	return &node{format: strings.ReplaceAll(fmt.Sprintf(format, args...), "%", "%%"), kind: k}
}

func op(k kind, format string, kids ...*node) *node {
	return &node{format: format, kids: kids, kind: k}
}

// column returns a column of the kind, or nil if the scope has none.
func (s *scope) column(k kind) *node {
	var fit []column
	for _, c := range s.cols {
		if c.kind == k {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return leaf(k, "%s", fit[s.r.IntN(len(fit))].name)
}

// constant returns a literal that is likely to be near values of the data.
func (s *scope) constant(k kind) *node {
	switch k {
	case integer:
		if s.chance(8) {
			return leaf(k, "%s", s.one("0", "32767", "2147483647", "9223372036854775807", "(-1)"))
		}
		return leaf(k, "%d", s.r.IntN([]int{4, 20, 1000}[s.r.IntN(3)]))
	case float:
		return leaf(k, "'%s'::float8", s.one("0", "1.5", "-2.25", "10", "100.125", "1e10", "NaN", "Infinity"))
	case numeric:
		return leaf(k, "%s", s.one("0.00", "1.50", "12.25", "(-3.10)", "99.99", "100.0"))
	case text:
		if s.chance(4) {
			return leaf(k, "'%s%d'", s.one("source ", "v"), s.r.IntN(20))
		}
		return leaf(k, "'%s'", strings.ReplaceAll(word(s.r), "'", "''"))
	case boolean:
		return leaf(k, "%s", s.one("true", "false"))
	case date:
		return leaf(k, "DATE '%s'", day(s.r))
	case stamp:
		return leaf(k, "TIMESTAMP '%s'", moment(s.r))
	}
	return leaf(k, "TIMESTAMPTZ '%s+00'", moment(s.r))
}

func (s *scope) leaf(k kind) *node {
	if c := s.column(k); c != nil && !s.chance(5) {
		return c
	}
	if s.chance(25) {
		return leaf(k, "NULL::%s", typeOf[k])
	}
	return s.constant(k)
}

var typeOf = map[kind]string{integer: "bigint", float: "float8", numeric: "numeric(12,2)", text: "text", boolean: "boolean",
	date: "date", stamp: "timestamp", stampTZ: "timestamptz"}

// value returns an expression of the kind that cannot fail: no overflow, no division by nought.
func (s *scope) value(k kind, depth int) *node {
	if depth <= 0 {
		return s.leaf(k)
	}
	sub := func(k kind) *node { return s.value(k, depth-1) }
	if s.chance(6) {
		return s.choice(k, depth)
	}
	switch k {
	case integer:
		return s.integer(depth)
	case float:
		switch s.r.IntN(6) {
		case 0:
			return op(k, "(%s + %s)", s.leaf(k), s.leaf(k))
		case 1:
			return op(k, "abs(%s)", sub(k))
		case 2:
			return op(k, "(%s)::float8", s.small())
		case 3:
			return op(k, "(%s / 4)::float8", s.small())
		case 4:
			return op(k, "floor(%s)", sub(k))
		}
	case numeric:
		switch s.r.IntN(6) {
		case 0:
			return op(k, "(%s + %s)", sub(k), sub(k))
		case 1:
			return op(k, "(%s - %s)", sub(k), s.leaf(k))
		case 2:
			return op(k, "(%s * %s)", s.leaf(k), s.leaf(k))
		case 3:
			return op(k, "round(%s, 1)", sub(k))
		case 4:
			return op(k, "(%s)::numeric(12,2)", s.small())
		}
	case text:
		return s.text(depth)
	case boolean:
		return s.condition(depth)
	case date:
		switch s.r.IntN(4) {
		case 0:
			return op(k, "(%s + ((%s %% 100))::int)", s.leaf(k), s.small())
		case 1:
			return op(k, "(%s)::date", sub(stamp))
		}
	case stamp:
		switch s.r.IntN(4) {
		case 0:
			return op(k, "date_trunc('"+s.one("day", "hour", "month", "year", "week", "quarter")+"', %s)", sub(k))
		case 1:
			return op(k, "(%s + INTERVAL '"+s.one("1 day", "90 minutes", "1 month")+"')", s.leaf(k))
		case 2:
			return op(k, "(%s)::timestamp", s.leaf(date))
		}
	case stampTZ:
		switch s.r.IntN(4) {
		case 0:
			return op(k, "date_trunc('"+s.one("day", "hour", "month")+"', %s)", sub(k))
		case 1:
			return op(k, "(%s AT TIME ZONE 'UTC')", s.leaf(stamp))
		}
	}
	return s.leaf(k)
}

// choice returns a conditional expression.
func (s *scope) choice(k kind, depth int) *node {
	sub := func(k kind) *node { return s.value(k, depth-1) }
	switch s.r.IntN(6) {
	case 0:
		return op(k, "coalesce(%s, %s)", s.leaf(k), sub(k))
	case 1:
		return op(k, "nullif(%s, %s)", sub(k), s.leaf(k))
	case 2:
		return op(k, "greatest(%s, %s)", sub(k), s.leaf(k))
	case 3:
		return op(k, "least(%s, %s)", sub(k), s.leaf(k))
	case 4:
		return op(k, "CASE WHEN %s THEN %s END", s.condition(depth-1), sub(k))
	}
	return op(k, "CASE WHEN %s THEN %s ELSE %s END", s.condition(depth-1), sub(k), s.leaf(k))
}

// small is an integer expression of at most a million or so.
func (s *scope) small() *node {
	if c := s.column(integer); c != nil && s.r.IntN(3) > 0 {
		return op(integer, "(%s %% 1000)", c)
	}
	return leaf(integer, "%d", 1+s.r.IntN(50))
}

func (s *scope) integer(depth int) *node {
	k := integer
	sub := func(k kind) *node { return s.value(k, depth-1) }
	switch s.r.IntN(11) {
	case 0:
		return op(k, "(%s + %s)", s.small(), s.small())
	case 1:
		return op(k, "(%s - %s)", s.small(), s.small())
	case 2:
		return op(k, "((%s)::bigint * %s)", s.small(), s.small())
	case 3:
		return op(k, "(%s / nullif(%s, 0))", s.small(), s.small())
	case 4:
		return op(k, "(%s %% nullif(%s, 0))", s.small(), s.small())
	case 5:
		return op(k, "length(%s)", sub(text))
	case 6:
		return op(k, "extract("+s.one("year", "month", "day", "dow", "hour", "doy")+" FROM %s)::int", sub(stamp))
	case 7:
		return op(k, "(%s - %s)", s.leaf(date), s.leaf(date))
	case 8:
		return op(k, "strpos(%s, %s)", s.leaf(text), s.constant(text))
	case 9:
		return op(k, "abs(%s)", s.small())
	}
	return s.leaf(k)
}

func (s *scope) text(depth int) *node {
	k := text
	sub := func(k kind) *node { return s.value(k, depth-1) }
	switch s.r.IntN(10) {
	case 0:
		return op(k, "upper(%s)", sub(k))
	case 1:
		return op(k, "lower(%s)", sub(k))
	case 2:
		return op(k, fmt.Sprintf("substr(%%s, %d, %d)", 1+s.r.IntN(3), s.r.IntN(4)), sub(k))
	case 3:
		return op(k, "(%s || %s)", s.leaf(k), sub(k))
	case 4:
		return op(k, "(%s)::text", sub([]kind{integer, boolean, date, stamp, numeric}[s.r.IntN(5)]))
	case 5:
		return op(k, "replace(%s, 'a', '')", sub(k))
	case 6:
		return op(k, fmt.Sprintf("left(%%s, %d)", s.r.IntN(5)-1), sub(k))
	case 7:
		return op(k, "concat(%s, %s)", s.leaf(k), sub(k))
	}
	return s.leaf(k)
}

// condition returns a predicate.
func (s *scope) condition(depth int) *node {
	b := boolean
	if depth > 0 && s.chance(3) {
		switch s.r.IntN(4) {
		case 0:
			return op(b, "(%s AND %s)", s.condition(depth-1), s.condition(depth-1))
		case 1, 2:
			return op(b, "(%s OR %s)", s.condition(depth-1), s.condition(depth-1))
		default:
			return op(b, "(NOT %s)", s.condition(depth-1))
		}
	}
	if s.nested == 0 && s.chance(12) {
		if n := s.subquery(); n != nil {
			return n
		}
	}
	k := kind(s.r.IntN(int(kinds)))
	a := s.column(k)
	if a == nil || s.chance(3) {
		a = s.value(k, depth-1)
	}
	switch s.r.IntN(10) {
	case 0:
		return op(b, "(%s IS "+s.one("", "NOT ", "NOT ")+"NULL)", a)
	case 1:
		in := []*node{a}
		for range 1 + s.r.IntN(5) {
			in = append(in, s.constant(k))
		}
		return op(b, "(%s "+s.one("", "NOT ")+"IN ("+strings.TrimSuffix(strings.Repeat("%s, ", len(in)-1), ", ")+"))", in...)
	case 2:
		lo, hi := s.constant(k), s.constant(k)
		if (k == date || k == stamp || k == stampTZ) && lo.String() > hi.String() {
			lo, hi = hi, lo
		}
		return op(b, "(%s "+s.one("", "NOT ")+"BETWEEN %s AND %s)", a, lo, hi)
	case 3:
		if c := s.column(text); c != nil {
			return op(b, "(%s "+s.one("", "NOT ")+s.one("LIKE", "ILIKE")+" "+s.one("'a%%'", "'source%%'", "'%%1%%'", "'%%a'", "'%%ta%%'", "'_e%%'", "'Beta'", "'%%'", "'%%x_1%%'")+")", c)
		}
	case 4:
		return op(b, "(%s IS "+s.one("", "NOT ")+"DISTINCT FROM %s)", a, s.value(k, depth-1))
	case 5:
		if c := s.column(boolean); c != nil {
			return op(b, "(%s"+s.one("", " IS TRUE", " IS NOT TRUE", " IS FALSE", " IS NOT FALSE", " IS UNKNOWN")+")", c)
		}
	case 6:
		if c := s.column(text); c != nil {
			return op(b, "(%s ~ "+s.one("'^a'", "'^s'", "'[1-3]$'", "'ta$'", "'[aeiou]{2}'", "'x[0-9]+'", "'^.e'")+")", c)
		}
	}
	return op(b, "(%s "+s.one("=", "<>", "<", "<=", ">", ">=")+" %s)", a, s.other(k, depth))
}

// other is what a value is compared with: mostly a constant, as then the predicate can go down into the scan.
func (s *scope) other(k kind, depth int) *node {
	if s.r.IntN(4) > 0 {
		return s.constant(k)
	}
	return s.value(k, depth-1)
}

// subquery returns a predicate with a subquery, correlated or not.
func (s *scope) subquery() *node {
	t := s.w.tables[1+s.r.IntN(len(s.w.tables)-1)]
	inner := &scope{r: s.r, w: s.w, cols: t.as("s"), nested: 1}
	k := []kind{integer, text, date}[s.r.IntN(3)]
	a, c := s.column(k), inner.column(k)
	if a == nil || c == nil {
		return nil
	}
	where := inner.condition(1)
	switch s.r.IntN(5) {
	case 0:
		return op(boolean, "(%s IN (SELECT %s FROM "+t.name+" s WHERE %s))", a, c, where)
	case 1:
		return op(boolean, "(%s NOT IN (SELECT %s FROM "+t.name+" s WHERE %s))", a, c, where)
	case 2:
		return op(boolean, "(EXISTS (SELECT 1 FROM "+t.name+" s WHERE %s = %s AND %s))", c, a, where)
	case 3:
		return op(boolean, "(NOT EXISTS (SELECT 1 FROM "+t.name+" s WHERE %s = %s AND %s))", c, a, where)
	}
	return op(boolean, "(%s "+s.one("<", ">=", "=")+" (SELECT "+s.one("min", "max")+"(%s) FROM "+t.name+" s WHERE %s))", a, c, where)
}
