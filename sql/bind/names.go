package bind

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
)

const noName = "?column?"

// columnName is the name of a result column that was given none.
func columnName(e ast.Expr) string {
	if n, _ := figureName(e); n != "" {
		return n
	}
	return noName
}

// figureName follows PostgreSQL: strength 2 is a good name, 1 a type's or CASE, which a better one in an argument beats.
func figureName(e ast.Expr) (string, int) {
	switch e := e.(type) {
	case *ast.Name:
		if len(e.Parts) > 0 {
			return e.Parts[len(e.Parts)-1], 2
		}
	case *ast.Func:
		return e.Name, 2
	case *ast.Value:
		return e.Name, 2
	case *ast.Cast:
		if n, s := figureName(e.Arg); s > 1 {
			return n, s
		}
		if len(e.Type.Names) > 0 {
			return castName(e.Type), 1
		}
	case *ast.Collate:
		return figureName(e.Arg)
	case *ast.Index:
		return figureName(e.Arg)
	case *ast.Field:
		return e.Name, 2
	case *ast.Case:
		if e.Else != nil {
			if n, s := figureName(e.Else); s > 1 {
				return n, s
			}
		}
		return "case", 1
	case *ast.Coalesce:
		return "coalesce", 2
	case *ast.Grouping:
		return "grouping", 2
	case *ast.MinMax:
		if e.Least {
			return "least", 2
		}
		return "greatest", 2
	case *ast.NullIf:
		return "nullif", 2
	case *ast.Array:
		return "array", 2
	case *ast.Row:
		return "row", 2
	case *ast.Sub:
		return subName(e)
	}
	return "", 0
}

func castName(n ast.TypeName) string {
	name := n.Names[len(n.Names)-1]
	if t, ok := datum.TypeByName(name); ok && t.Kind != types.Array {
		return datum.TypeName(t)
	}
	return name
}

func subName(e *ast.Sub) (string, int) {
	switch e.Kind {
	case ast.SubExists:
		return "exists", 2
	case ast.SubArray:
		return "array", 2
	case ast.SubScalar:
		q := e.Query
		for q.SetOp != ast.SetNone {
			q = q.L
		}
		if len(q.Targets) == 1 {
			if q.Targets[0].Alias != "" {
				return q.Targets[0].Alias, 2
			}
			return figureName(q.Targets[0].Expr)
		}
		if len(q.Values) > 0 {
			return "column1", 2
		}
	}
	return "", 0
}
