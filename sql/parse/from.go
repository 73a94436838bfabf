//go:build cgo

package parse

import (
	"fmt"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
)

// nodeName is the Go name of a node of the parser's tree, for messages.
func nodeName(n any) string {
	s := fmt.Sprintf("%T", n)
	return s[strings.LastIndexByte(s, '.')+1:]
}

func (c *converter) selectNode(n *pg.Node) *ast.Select {
	if s := n.GetSelectStmt(); s != nil {
		return c.query1(s)
	}
	c.refuse(0, "a data-modifying statement inside a query")
	return &ast.Select{}
}

func (c *converter) query1(s *pg.SelectStmt) *ast.Select {
	out := &ast.Select{With: c.with(s.WithClause), All: s.All, OrderBy: c.sortBy(s.SortClause), Offset: c.optional(s.LimitOffset)}
	c.limit(s, out)
	if len(s.LockingClause) > 0 {
		c.refuse(0, "SELECT FOR UPDATE or FOR SHARE")
	}
	switch s.Op {
	case pg.SetOperation_SETOP_UNION, pg.SetOperation_SETOP_INTERSECT, pg.SetOperation_SETOP_EXCEPT:
		out.SetOp = map[pg.SetOperation]ast.SetOp{pg.SetOperation_SETOP_UNION: ast.SetUnion,
			pg.SetOperation_SETOP_INTERSECT: ast.SetIntersect, pg.SetOperation_SETOP_EXCEPT: ast.SetExcept}[s.Op]
		out.L, out.R = c.query1(s.Larg), c.query1(s.Rarg)
		return out
	}
	for _, row := range s.ValuesLists {
		out.Values = append(out.Values, c.exprs(row.GetList().GetItems()))
	}
	for _, d := range s.DistinctClause {
		if d == nil || d.Node == nil { // plain DISTINCT is a list of one empty node
			out.Distinct = true
			continue
		}
		out.DistinctOn = append(out.DistinctOn, c.expr(d))
	}
	out.Targets = c.targets(s.TargetList)
	for _, f := range s.FromClause {
		out.From = append(out.From, c.tableExpr(f))
	}
	out.Where, out.Having = c.optional(s.WhereClause), c.optional(s.HavingClause)
	if s.GroupDistinct {
		c.refuse(0, "GROUP BY DISTINCT")
	}
	out.GroupBy = c.exprs(s.GroupClause)
	for _, w := range s.WindowClause {
		out.Windows = append(out.Windows, *c.window(w.GetWindowDef()))
	}
	if s.IntoClause != nil {
		ref := c.rangeVar(s.IntoClause.Rel)
		out.Into = &ref
	}
	return out
}

func (c *converter) limit(s *pg.SelectStmt, out *ast.Select) {
	if s.LimitOption == pg.LimitOption_LIMIT_OPTION_WITH_TIES {
		c.refuse(0, "FETCH FIRST … WITH TIES")
	}
	if a := s.LimitCount.GetAConst(); a != nil && a.Isnull { // LIMIT ALL
		return
	}
	out.Limit = c.optional(s.LimitCount)
}

func (c *converter) targets(ns []*pg.Node) []ast.Target {
	var out []ast.Target
	for _, n := range ns {
		t := n.GetResTarget()
		out = append(out, ast.Target{P: c.pos.at(t.GetLocation()), Expr: c.expr(t.GetVal()), Alias: t.GetName()})
	}
	return out
}

func (c *converter) with(w *pg.WithClause) *ast.With {
	if w == nil {
		return nil
	}
	out := &ast.With{Recursive: w.Recursive}
	for _, n := range w.Ctes {
		e := n.GetCommonTableExpr()
		pos := c.pos.at(e.Location)
		if e.SearchClause != nil || e.CycleClause != nil {
			c.refuse(pos, "SEARCH or CYCLE in WITH")
		}
		if e.Ctequery.GetSelectStmt() == nil {
			c.refuse(pos, "a data-modifying statement in WITH")
			continue
		}
		out.CTEs = append(out.CTEs, ast.CTE{P: pos, Name: e.Ctename, Cols: names(e.Aliascolnames), Query: c.selectNode(e.Ctequery),
			Materialized: e.Ctematerialized == pg.CTEMaterialize_CTEMaterializeAlways,
			Inline:       e.Ctematerialized == pg.CTEMaterialize_CTEMaterializeNever})
	}
	return out
}

func alias(a *pg.Alias) (string, []string) {
	if a == nil {
		return "", nil
	}
	return a.Aliasname, names(a.Colnames)
}

func (c *converter) rangeVar(r *pg.RangeVar) ast.TableRef {
	out := ast.TableRef{P: c.pos.at(r.GetLocation()), Schema: r.GetSchemaname(), Name: r.GetRelname()}
	out.Alias, out.Cols = alias(r.GetAlias())
	if db := r.GetCatalogname(); db != "" && db != ast.Database {
		c.fail(sqlstate.New(sqlstate.FeatureNotSupported, "cross-database references are not implemented: \"%s.%s.%s\"", db, out.Schema, out.Name).At(out.Pos()))
	}
	return out
}

func (c *converter) tableExpr(n *pg.Node) ast.TableExpr {
	switch n := n.Node.(type) {
	case *pg.Node_RangeVar:
		ref := c.rangeVar(n.RangeVar)
		return &ref
	case *pg.Node_RangeSubselect:
		s := n.RangeSubselect
		out := &ast.SubTable{Query: c.selectNode(s.Subquery), Lateral: s.Lateral}
		out.Alias, out.Cols = alias(s.Alias)
		return out
	case *pg.Node_RangeFunction:
		return c.rangeFunction(n.RangeFunction)
	case *pg.Node_JoinExpr:
		return c.join(n.JoinExpr)
	case *pg.Node_RangeTableSample:
		c.refuse(c.pos.at(n.RangeTableSample.Location), "TABLESAMPLE")
	case *pg.Node_RangeTableFunc:
		c.refuse(c.pos.at(n.RangeTableFunc.Location), "XMLTABLE")
	default:
		c.refuse(0, nodeName(n)+" in FROM")
	}
	return &ast.TableRef{}
}

func (c *converter) rangeFunction(f *pg.RangeFunction) ast.TableExpr {
	out := &ast.FuncTable{Lateral: f.Lateral, Ordinality: f.Ordinality}
	out.Alias, out.Cols = alias(f.Alias)
	for _, n := range f.Functions {
		items := n.GetList().GetItems()
		if len(items) == 0 {
			continue
		}
		e := c.expr(items[0])
		if out.P == 0 {
			out.P = ast.P(e.Pos())
		}
		out.Funcs = append(out.Funcs, e)
		var defs []ast.ColumnDef
		if len(items) > 1 {
			for _, d := range items[1].GetList().GetItems() {
				defs = append(defs, c.columnDef(d.GetColumnDef()))
			}
		}
		out.Defs = append(out.Defs, defs)
	}
	if len(f.Coldeflist) > 0 && len(out.Defs) > 0 {
		for _, d := range f.Coldeflist {
			out.Defs[0] = append(out.Defs[0], c.columnDef(d.GetColumnDef()))
		}
	}
	return out
}

func (c *converter) columnDef(d *pg.ColumnDef) ast.ColumnDef {
	return ast.ColumnDef{P: c.pos.at(d.GetLocation()), Name: d.GetColname(), Type: c.typeName(d.GetTypeName())}
}

func (c *converter) join(j *pg.JoinExpr) ast.TableExpr {
	out := &ast.Join{Natural: j.IsNatural, L: c.tableExpr(j.Larg), R: c.tableExpr(j.Rarg), Using: names(j.UsingClause),
		On: c.optional(j.Quals)}
	out.Alias, out.Cols = alias(j.Alias)
	if j.JoinUsingAlias != nil {
		c.refuse(0, "an alias of JOIN … USING")
	}
	switch j.Jointype {
	case pg.JoinType_JOIN_INNER:
		out.Kind = ast.JoinInner
	case pg.JoinType_JOIN_LEFT:
		out.Kind = ast.JoinLeft
	case pg.JoinType_JOIN_RIGHT:
		out.Kind = ast.JoinRight
	case pg.JoinType_JOIN_FULL:
		out.Kind = ast.JoinFull
	default:
		c.fail(sqlstate.New(sqlstate.FeatureNotSupported, "this kind of join is not supported"))
	}
	return out
}
