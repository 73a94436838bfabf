package parse

import (
	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/telemdb/telemdb/sql/ast"
)

// groupingSet converts (), ROLLUP (…), CUBE (…) and GROUPING SETS (…).
func (c *converter) groupingSet(s *pg.GroupingSet) ast.Expr {
	out := &ast.GroupingSet{P: c.pos.at(s.Location)}
	switch s.Kind {
	case pg.GroupingSetKind_GROUPING_SET_ROLLUP:
		out.Kind = ast.Rollup
	case pg.GroupingSetKind_GROUPING_SET_CUBE:
		out.Kind = ast.Cube
	case pg.GroupingSetKind_GROUPING_SET_SETS:
		out.Kind = ast.GroupingSets
	}
	for _, n := range s.Content {
		row := n.GetRowExpr()
		if row == nil || row.RowFormat == pg.CoercionForm_COERCE_EXPLICIT_CALL {
			out.Items = append(out.Items, c.expr(n))
			continue
		}
		out.Items = append(out.Items, &ast.GroupingSet{P: c.pos.at(row.Location), Items: c.exprs(row.Args)}) // (a, b)
	}
	return out
}
