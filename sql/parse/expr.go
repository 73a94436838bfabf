//go:build cgo

package parse

import (
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
)

// converter turns the parser's tree into ours. The first error sticks; what is returned after one is not used.
type converter struct {
	pos      *positions
	query    string
	from, to int // the statement's bytes
	err      error
}

// refuse records that something the grammar knows is not supported.
func (c *converter) refuse(pos ast.P, what string) {
	c.fail(sqlstate.New(sqlstate.FeatureNotSupported, "%s is not supported", what).At(pos.Pos()))
}

func (c *converter) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *converter) exprs(ns []*pg.Node) []ast.Expr {
	if len(ns) == 0 {
		return nil
	}
	out := make([]ast.Expr, len(ns))
	for i, n := range ns {
		out[i] = c.expr(n)
	}
	return out
}

// optional converts an expression that may be missing.
func (c *converter) optional(n *pg.Node) ast.Expr {
	if n == nil || n.Node == nil {
		return nil
	}
	return c.expr(n)
}

func (c *converter) expr(n *pg.Node) ast.Expr {
	if n == nil {
		c.fail(sqlstate.New(sqlstate.Syntax, "an expression is missing"))
		return &ast.Lit{}
	}
	switch n := n.Node.(type) {
	case *pg.Node_AConst:
		return c.literal(n.AConst)
	case *pg.Node_ColumnRef:
		return c.columnRef(n.ColumnRef)
	case *pg.Node_ParamRef:
		return &ast.Param{P: c.pos.at(n.ParamRef.Location), N: int(n.ParamRef.Number)}
	case *pg.Node_AExpr:
		return c.aExpr(n.AExpr)
	case *pg.Node_BoolExpr:
		return c.boolExpr(n.BoolExpr)
	case *pg.Node_NullTest:
		t := n.NullTest
		return &ast.IsNull{P: c.pos.at(t.Location), Arg: c.expr(t.Arg), Negate: t.Nulltesttype == pg.NullTestType_IS_NOT_NULL}
	case *pg.Node_BooleanTest:
		return c.boolTest(n.BooleanTest)
	case *pg.Node_FuncCall:
		return c.funcCall(n.FuncCall)
	case *pg.Node_SqlvalueFunction:
		return c.sqlValue(n.SqlvalueFunction)
	case *pg.Node_TypeCast:
		t := n.TypeCast
		return &ast.Cast{P: c.pos.at(t.Location), Arg: c.expr(t.Arg), Type: c.typeName(t.TypeName)}
	case *pg.Node_CaseExpr:
		return c.caseExpr(n.CaseExpr)
	case *pg.Node_CoalesceExpr:
		return &ast.Coalesce{P: c.pos.at(n.CoalesceExpr.Location), Args: c.exprs(n.CoalesceExpr.Args)}
	case *pg.Node_MinMaxExpr:
		m := n.MinMaxExpr
		return &ast.MinMax{P: c.pos.at(m.Location), Least: m.Op == pg.MinMaxOp_IS_LEAST, Args: c.exprs(m.Args)}
	case *pg.Node_SubLink:
		return c.subLink(n.SubLink)
	case *pg.Node_AArrayExpr:
		return &ast.Array{P: c.pos.at(n.AArrayExpr.Location), Elems: c.exprs(n.AArrayExpr.Elements)}
	case *pg.Node_RowExpr:
		return &ast.Row{P: c.pos.at(n.RowExpr.Location), Args: c.exprs(n.RowExpr.Args)}
	case *pg.Node_AIndirection:
		return c.indirection(n.AIndirection)
	case *pg.Node_CollateClause:
		cc := n.CollateClause
		return &ast.Collate{P: c.pos.at(cc.Location), Arg: c.expr(cc.Arg), Name: names(cc.Collname)}
	case *pg.Node_SetToDefault:
		return &ast.Default{P: c.pos.at(n.SetToDefault.Location)}
	case *pg.Node_NamedArgExpr:
		c.refuse(c.pos.at(n.NamedArgExpr.Location), "a named argument here")
	case *pg.Node_GroupingFunc:
		return &ast.Grouping{P: c.pos.at(n.GroupingFunc.Location), Args: c.exprs(n.GroupingFunc.Args)}
	case *pg.Node_GroupingSet:
		return c.groupingSet(n.GroupingSet)
	case *pg.Node_XmlExpr:
		c.refuse(c.pos.at(n.XmlExpr.Location), "XML")
	case *pg.Node_XmlSerialize:
		c.refuse(c.pos.at(n.XmlSerialize.Location), "XML")
	case *pg.Node_JsonObjectConstructor:
		c.refuse(c.pos.at(n.JsonObjectConstructor.Location), "JSON_OBJECT()")
	case *pg.Node_JsonArrayConstructor:
		c.refuse(c.pos.at(n.JsonArrayConstructor.Location), "JSON_ARRAY()")
	case *pg.Node_JsonArrayQueryConstructor:
		c.refuse(c.pos.at(n.JsonArrayQueryConstructor.Location), "JSON_ARRAY()")
	case *pg.Node_JsonObjectAgg:
		c.refuse(0, "JSON_OBJECTAGG()")
	case *pg.Node_JsonArrayAgg:
		c.refuse(0, "JSON_ARRAYAGG()")
	case *pg.Node_JsonIsPredicate:
		c.refuse(c.pos.at(n.JsonIsPredicate.Location), "IS JSON")
	case *pg.Node_CurrentOfExpr:
		c.refuse(0, "WHERE CURRENT OF")
	case *pg.Node_List:
		return &ast.Row{Args: c.exprs(n.List.Items)}
	default:
		c.refuse(0, strings.TrimPrefix(nodeName(n), "Node_"))
	}
	return &ast.Lit{}
}

func (c *converter) literal(a *pg.A_Const) ast.Expr {
	l := &ast.Lit{P: c.pos.at(a.Location)}
	if a.Isnull {
		return l
	}
	switch v := a.Val.(type) {
	case *pg.A_Const_Ival:
		l.Kind, l.Text = ast.Int, strconv.Itoa(int(v.Ival.GetIval()))
	case *pg.A_Const_Fval:
		l.Kind, l.Text = ast.Number, v.Fval.GetFval()
	case *pg.A_Const_Boolval:
		l.Kind, l.Text = ast.Bool, "f"
		if v.Boolval.GetBoolval() {
			l.Text = "t"
		}
	case *pg.A_Const_Sval:
		l.Kind, l.Text = ast.String, v.Sval.GetSval()
	case *pg.A_Const_Bsval:
		l.Kind, l.Text = ast.Bits, v.Bsval.GetBsval()
	}
	return l
}

func (c *converter) columnRef(r *pg.ColumnRef) ast.Expr {
	out := &ast.Name{P: c.pos.at(r.Location)}
	for _, f := range r.Fields {
		if f.GetAStar() != nil {
			out.Star = true
			continue
		}
		out.Parts = append(out.Parts, f.GetString_().GetSval())
	}
	return out
}

// names returns the strings of a list of names.
func names(ns []*pg.Node) []string {
	var out []string
	for _, n := range ns {
		out = append(out, n.GetString_().GetSval())
	}
	return out
}

// qualified splits a list of names into schema and name.
func qualified(ns []*pg.Node) (schema, name string) {
	parts := names(ns)
	if len(parts) == 0 {
		return "", ""
	}
	return strings.Join(parts[:len(parts)-1], "."), parts[len(parts)-1]
}

func (c *converter) aExpr(e *pg.A_Expr) ast.Expr {
	pos := c.pos.at(e.Location)
	schema, name := qualified(e.Name)
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		return &ast.Quantified{P: pos, Schema: schema, Op: name, L: c.expr(e.Lexpr), Array: c.expr(e.Rexpr),
			All: e.Kind == pg.A_Expr_Kind_AEXPR_OP_ALL}
	case pg.A_Expr_Kind_AEXPR_DISTINCT, pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return &ast.IsDistinct{P: pos, L: c.expr(e.Lexpr), R: c.expr(e.Rexpr),
			Negate: e.Kind == pg.A_Expr_Kind_AEXPR_NOT_DISTINCT}
	case pg.A_Expr_Kind_AEXPR_NULLIF:
		return &ast.NullIf{P: pos, L: c.expr(e.Lexpr), R: c.expr(e.Rexpr)}
	case pg.A_Expr_Kind_AEXPR_IN:
		return &ast.In{P: pos, Arg: c.expr(e.Lexpr), List: c.exprs(e.Rexpr.GetList().GetItems()), Negate: name == "<>"}
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN, pg.A_Expr_Kind_AEXPR_BETWEEN_SYM,
		pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		return c.between(e)
	}
	// Plain operators; LIKE, ILIKE and SIMILAR TO come as operators too, with the escape as a function of the pattern.
	return &ast.Op{P: pos, Schema: schema, Name: name, L: c.optional(e.Lexpr), R: c.expr(e.Rexpr)}
}

func (c *converter) between(e *pg.A_Expr) ast.Expr {
	out := &ast.Between{P: c.pos.at(e.Location), Arg: c.expr(e.Lexpr)}
	bounds := c.exprs(e.Rexpr.GetList().GetItems())
	if len(bounds) != 2 {
		c.fail(sqlstate.New(sqlstate.Syntax, "BETWEEN needs two bounds").At(out.Pos()))
		return out
	}
	out.Lo, out.Hi = bounds[0], bounds[1]
	out.Negate = e.Kind == pg.A_Expr_Kind_AEXPR_NOT_BETWEEN || e.Kind == pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM
	out.Symmetric = e.Kind == pg.A_Expr_Kind_AEXPR_BETWEEN_SYM || e.Kind == pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM
	return out
}

func (c *converter) boolExpr(e *pg.BoolExpr) ast.Expr {
	pos := c.pos.at(e.Location)
	if e.Boolop == pg.BoolExprType_NOT_EXPR {
		return &ast.Not{P: pos, Arg: c.expr(e.Args[0])}
	}
	return &ast.Logic{P: pos, Or: e.Boolop == pg.BoolExprType_OR_EXPR, Args: c.exprs(e.Args)}
}

func (c *converter) boolTest(t *pg.BooleanTest) ast.Expr {
	out := &ast.IsBool{P: c.pos.at(t.Location), Arg: c.expr(t.Arg)}
	switch t.Booltesttype {
	case pg.BoolTestType_IS_TRUE, pg.BoolTestType_IS_NOT_TRUE:
		out.Want = "true"
	case pg.BoolTestType_IS_FALSE, pg.BoolTestType_IS_NOT_FALSE:
		out.Want = "false"
	default:
		out.Want = "unknown"
	}
	switch t.Booltesttype {
	case pg.BoolTestType_IS_NOT_TRUE, pg.BoolTestType_IS_NOT_FALSE, pg.BoolTestType_IS_NOT_UNKNOWN:
		out.Negate = true
	}
	return out
}

func (c *converter) funcCall(f *pg.FuncCall) ast.Expr {
	out := &ast.Func{P: c.pos.at(f.Location), Star: f.AggStar, Distinct: f.AggDistinct, Variadic: f.FuncVariadic,
		Within: f.AggWithinGroup, Order: c.sortBy(f.AggOrder), Filter: c.optional(f.AggFilter), Over: c.over(f.Over)}
	out.Schema, out.Name = qualified(f.Funcname)
	for _, a := range f.Args {
		name := ""
		if na := a.GetNamedArgExpr(); na != nil {
			name, a = na.Name, na.Arg
			if out.ArgNames == nil {
				out.ArgNames = make([]string, len(out.Args))
			}
		}
		out.Args = append(out.Args, c.expr(a))
		if out.ArgNames != nil {
			out.ArgNames = append(out.ArgNames, name)
		}
	}
	return out
}

var sqlValueNames = map[pg.SQLValueFunctionOp]string{
	pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE: "current_date", pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME: "current_time",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:      "current_time",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP:   "current_timestamp",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N: "current_timestamp",
	pg.SQLValueFunctionOp_SVFOP_LOCALTIME:           "localtime", pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N: "localtime",
	pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP:   "localtimestamp",
	pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N: "localtimestamp",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_ROLE:     "current_role", pg.SQLValueFunctionOp_SVFOP_CURRENT_USER: "current_user",
	pg.SQLValueFunctionOp_SVFOP_USER: "user", pg.SQLValueFunctionOp_SVFOP_SESSION_USER: "session_user",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG: "current_catalog",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA:  "current_schema",
}

func (c *converter) sqlValue(v *pg.SQLValueFunction) ast.Expr {
	out := &ast.Value{P: c.pos.at(v.Location), Name: sqlValueNames[v.Op], Prec: -1}
	switch v.Op {
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N,
		pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N, pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:
		out.Prec = int(v.Typmod)
	}
	return out
}

func (c *converter) typeName(t *pg.TypeName) ast.TypeName {
	if t == nil {
		return ast.TypeName{}
	}
	out := ast.TypeName{P: c.pos.at(t.Location), Names: names(t.Names), Array: len(t.ArrayBounds) > 0, Setof: t.Setof}
	if t.PctType {
		c.refuse(out.P, "%TYPE")
	}
	out.Mods = c.exprs(t.Typmods)
	return out
}

func (c *converter) caseExpr(e *pg.CaseExpr) ast.Expr {
	out := &ast.Case{P: c.pos.at(e.Location), Arg: c.optional(e.Arg), Else: c.optional(e.Defresult)}
	for _, n := range e.Args {
		w := n.GetCaseWhen()
		out.Whens = append(out.Whens, ast.When{Cond: c.expr(w.GetExpr()), Then: c.expr(w.GetResult()), P: c.pos.at(w.GetLocation())})
	}
	return out
}

func (c *converter) subLink(s *pg.SubLink) ast.Expr {
	out := &ast.Sub{P: c.pos.at(s.Location), Test: c.optional(s.Testexpr), Query: c.selectNode(s.Subselect)}
	switch s.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		out.Kind = ast.SubExists
	case pg.SubLinkType_ANY_SUBLINK:
		out.Kind = ast.SubAny
	case pg.SubLinkType_ALL_SUBLINK:
		out.Kind = ast.SubAll
	case pg.SubLinkType_ARRAY_SUBLINK:
		out.Kind = ast.SubArray
	case pg.SubLinkType_EXPR_SUBLINK:
		out.Kind = ast.SubScalar
	default:
		c.refuse(out.P, "a comparison of a row with a subquery")
	}
	if out.Kind == ast.SubAny || out.Kind == ast.SubAll {
		out.Schema, out.Op = qualified(s.OperName)
		if out.Op == "" {
			out.Op = "="
		}
	}
	return out
}

func (c *converter) indirection(a *pg.A_Indirection) ast.Expr {
	out := c.expr(a.Arg)
	for _, n := range a.Indirection {
		switch n := n.Node.(type) {
		case *pg.Node_String_:
			out = &ast.Field{P: ast.P(out.Pos()), Arg: out, Name: n.String_.Sval}
		case *pg.Node_AStar:
			out = &ast.Field{P: ast.P(out.Pos()), Arg: out, Star: true}
		case *pg.Node_AIndices:
			ix := n.AIndices
			e := &ast.Index{P: ast.P(out.Pos()), Arg: out, Slice: ix.IsSlice, Lo: c.optional(ix.Lidx), Hi: c.optional(ix.Uidx)}
			if !ix.IsSlice {
				e.Lo, e.Hi = e.Hi, nil
			}
			out = e
		}
	}
	return out
}

func (c *converter) sortBy(ns []*pg.Node) []ast.SortBy {
	var out []ast.SortBy
	for _, n := range ns {
		s := n.GetSortBy()
		e := c.expr(s.GetNode())
		item := ast.SortBy{P: ast.P(e.Pos()), Expr: e, Desc: s.GetSortbyDir() == pg.SortByDir_SORTBY_DESC}
		if s.GetSortbyDir() == pg.SortByDir_SORTBY_USING {
			_, op := qualified(s.UseOp)
			switch op {
			case "<":
			case ">":
				item.Desc = true
			default:
				c.refuse(item.P, "ORDER BY USING "+op)
			}
		}
		switch s.GetSortbyNulls() {
		case pg.SortByNulls_SORTBY_NULLS_FIRST:
			item.NullsFirst = true
		case pg.SortByNulls_SORTBY_NULLS_LAST:
		default:
			item.NullsFirst = item.Desc
		}
		out = append(out, item)
	}
	return out
}
