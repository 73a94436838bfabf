package bind

import (
	"strings"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
)

// column is a named expression over the operator at hand.
type column struct {
	rel, schema string // the table's alias, and its schema if the alias is its own name
	name        string
	typ         types.Type
	e           expr.Expr
	hidden      bool // not in *
	merged      bool // one side of a USING: found by its qualified name only, not in a bare *
	oid         uint32
	attr        int16
}

// scope is the columns a query level can name, and the levels around it. One hop to the parent is one level of
// expr.Outer at run time.
type scope struct {
	parent *scope
	cols   []column
	rels   []relName
}

// relName is a table in scope. value names the only column of a function, which the table's name alone means too.
type relName struct{ schema, name, value string }

// relation is a bound table or query: a plan and its columns in order.
type relation struct {
	node plan.Node
	cols []column
	rels []relName
}

// outerEnv is what a query sees of its surroundings.
type outerEnv struct {
	scope *scope
	ctes  *cteEnv
	// fields asks for the fields of row-valued columns, as hidden columns behind the others.
	fields bool
}

// col makes the reference to column i of n.
func col(i int, c plan.Col) *expr.Col { return &expr.Col{Idx: i, T: c.Type, Name: c.Name} }

// find looks a name up in this level only. n is the number of matches.
func (s *scope) find(parts []string) (found *column, n int) {
	name := parts[len(parts)-1]
	for i := range s.cols {
		c := &s.cols[i]
		if c.name != name {
			continue
		}
		switch len(parts) {
		case 1:
			if c.merged {
				continue
			}
		case 2:
			if c.rel != parts[0] {
				continue
			}
		default:
			if c.rel != parts[len(parts)-2] || c.schema != parts[len(parts)-3] {
				continue
			}
		}
		found = c
		n++
	}
	return found, n
}

func (s *scope) hasRel(parts []string) bool {
	for _, r := range s.rels {
		if r.name == parts[len(parts)-1] && (len(parts) == 1 || r.schema == parts[len(parts)-2]) {
			return true
		}
	}
	return false
}

// resolve finds a column by name, here or in a level around. It returns nil if there is none.
func (b *binder) resolve(sc *scope, parts []string, pos int) (expr.Expr, *column, error) {
	depth := 0
	for s := sc; s != nil; s = s.parent {
		c, n := s.find(parts)
		if n > 1 {
			return nil, nil, sqlstate.New(sqlstate.AmbiguousColumn, "column reference \"%s\" is ambiguous", parts[len(parts)-1]).At(pos)
		}
		if n == 1 {
			e := outerize(c.e, depth)
			if depth == 0 {
				e = b.at(e, pos)
			}
			return e, c, nil
		}
		if len(parts) > 1 && s.hasRel(parts[:len(parts)-1]) {
			break // the nearest table of that name hides the ones further out
		}
		depth++
	}
	return nil, nil, nil
}

// at notes where e stands. Columns are copied, so that each reference has a position of its own.
func (b *binder) at(e expr.Expr, pos int) expr.Expr {
	if c, ok := e.(*expr.Col); ok {
		d := *c
		e = &d
	}
	b.pos[e] = pos
	return e
}

// outerize turns an expression over columns of a level into one seen from depth levels below.
func outerize(e expr.Expr, depth int) expr.Expr {
	if depth == 0 {
		return e
	}
	return tree.Expr(e, 0, func(x expr.Expr, d int) (expr.Expr, bool) {
		switch x := x.(type) {
		case *expr.Col:
			if d == 0 {
				return &expr.Outer{Depth: depth, Idx: x.Idx, T: x.T, Name: x.Name}, true
			}
		case *expr.Outer:
			if x.Depth > d {
				c := *x
				c.Depth += depth
				return &c, true
			}
		}
		return nil, false
	})
}

// errNoColumn is 42703 or 42P01 with PostgreSQL's words and, where one is near, a hint.
func (b *binder) errNoColumn(sc *scope, n *ast.Name) error {
	name := n.Parts[len(n.Parts)-1]
	if len(n.Parts) > 1 {
		rel := n.Parts[:len(n.Parts)-1]
		for s := sc; s != nil; s = s.parent {
			if s.hasRel(rel) {
				return s.hint(sqlstate.New(sqlstate.UndefinedColumn, "column %s does not exist", strings.Join(n.Parts, ".")), name).At(n.Pos())
			}
		}
		return sqlstate.New(sqlstate.UndefinedTable, "missing FROM-clause entry for table \"%s\"", rel[len(rel)-1]).At(n.Pos())
	}
	e := sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" does not exist", name)
	for s := sc; s != nil && e.Hint == ""; s = s.parent {
		e = s.hint(e, name)
	}
	return e.At(n.Pos())
}

func (s *scope) hint(e *sqlstate.Error, name string) *sqlstate.Error {
	best, dist := "", len(name)/2+1
	for _, c := range s.cols {
		if c.merged {
			continue
		}
		if d := editDistance(name, c.name); d < dist && d <= 3 {
			dist = d
			best = c.name
			if c.rel != "" {
				best = c.rel + "." + c.name
			}
		}
	}
	if best == "" {
		return e
	}
	return e.WithHint("Perhaps you meant to reference the column \"%s\".", best)
}

// editDistance is Levenshtein's, for hints.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			prev, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, prev+cost)
		}
	}
	return row[len(b)]
}

// expandStar returns the columns * or t.* stands for.
func (b *binder) expandStar(sc *scope, n *ast.Name) ([]column, error) {
	if len(n.Parts) == 0 {
		if len(sc.rels) == 0 && len(sc.cols) == 0 {
			return nil, sqlstate.New(sqlstate.Syntax, "SELECT * with no tables specified is not valid").At(n.Pos())
		}
		var out []column
		for _, c := range sc.cols {
			if !c.hidden && !c.merged {
				out = append(out, c)
			}
		}
		return out, nil
	}
	depth := 0
	for s := sc; s != nil; s = s.parent {
		if s.hasRel(n.Parts) {
			return s.relCols(n.Parts, depth), nil
		}
		depth++
	}
	return nil, sqlstate.New(sqlstate.UndefinedTable, "missing FROM-clause entry for table \"%s\"", n.Parts[len(n.Parts)-1]).At(n.Pos())
}

func (s *scope) relCols(parts []string, depth int) []column {
	var out []column
	for _, c := range s.cols {
		if c.rel == parts[len(parts)-1] && !c.hidden {
			c.e = outerize(c.e, depth)
			out = append(out, c)
		}
	}
	return out
}

// value returns the name of the only column of the function a table name stands for, or "".
func (s *scope) value(parts []string) string {
	for _, r := range s.rels {
		if len(parts) == 1 && r.name == parts[0] && r.value != "" {
			return r.value
		}
	}
	return ""
}
