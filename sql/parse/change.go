//go:build cgo

package parse

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/telemdb/telemdb/sql/ast"
)

func (c *converter) deleteStmt(s *pg.DeleteStmt) ast.Stmt {
	out := &ast.Delete{Table: c.rangeVar(s.Relation), Returning: len(s.ReturningList) > 0, With: c.with(s.WithClause)}
	for _, u := range s.UsingClause {
		out.Using = append(out.Using, c.tableExpr(u))
	}
	if s.WhereClause.GetCurrentOfExpr() != nil {
		c.refuse(out.Table.P, "DELETE … WHERE CURRENT OF")
		return out
	}
	out.Where = c.optional(s.WhereClause)
	return out
}

// truncate ignores RESTART IDENTITY and CASCADE: there are no sequences and no foreign keys.
func (c *converter) truncate(s *pg.TruncateStmt) ast.Stmt {
	out := &ast.Truncate{}
	for _, r := range s.Relations {
		out.Tables = append(out.Tables, c.rangeVar(r.GetRangeVar()))
	}
	return out
}

func (c *converter) cluster(s *pg.ClusterStmt) ast.Stmt {
	if s.Indexname != "" {
		return &ast.Unsupported{What: "CLUSTER … USING an index", Hint: "There are no indexes: CLUSTER orders a table by its sort key."}
	}
	out := &ast.Cluster{}
	if s.Relation != nil {
		t := c.rangeVar(s.Relation)
		out.Table = &t
	}
	for _, o := range c.options(s.Params) {
		if o.Name != "verbose" {
			c.refuse(o.P, "CLUSTER ("+o.Name+")")
		}
		out.Verbose = !o.Has || !isFalse(o.Value)
	}
	return out
}

// isFalse tells the words for an option that is off.
func isFalse(v string) bool {
	switch strings.ToLower(v) {
	case "false", "off", "0":
		return true
	}
	return false
}

func (c *converter) alterTable(s *pg.AlterTableStmt) ast.Stmt {
	if s.Objtype != pg.ObjectType_OBJECT_TABLE {
		return &ast.Unsupported{What: "ALTER " + strings.ReplaceAll(strings.TrimPrefix(s.Objtype.String(), "OBJECT_"), "_", " ")}
	}
	out := &ast.AlterTable{Table: c.rangeVar(s.Relation), IfExists: s.MissingOk}
	for _, n := range s.Cmds {
		cmd := n.GetAlterTableCmd()
		switch cmd.GetSubtype() {
		case pg.AlterTableType_AT_SetRelOptions:
			out.Set = append(out.Set, c.options(cmd.Def.GetList().GetItems())...)
		case pg.AlterTableType_AT_ResetRelOptions:
			out.Reset = append(out.Reset, c.options(cmd.Def.GetList().GetItems())...)
		default:
			return &ast.Unsupported{What: "ALTER TABLE other than SET (…) and RESET (…)",
				Hint: "Make a table of the new form with CREATE TABLE … AS, and drop the old one."}
		}
	}
	return out
}
