//go:build cgo

package parse

import (
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
)

func (c *converter) statement(n *pg.Node) ast.Stmt {
	switch n := n.GetNode().(type) {
	case *pg.Node_SelectStmt:
		q := c.query1(n.SelectStmt)
		if q.Into != nil {
			into := *q.Into
			q.Into = nil
			return &ast.CreateTableAs{Name: into, Query: q}
		}
		return q
	case *pg.Node_InsertStmt:
		return c.insert(n.InsertStmt)
	case *pg.Node_CreateStmt:
		return c.createTable(n.CreateStmt)
	case *pg.Node_CreateTableAsStmt:
		return c.createTableAs(n.CreateTableAsStmt)
	case *pg.Node_ViewStmt:
		return c.createView(n.ViewStmt)
	case *pg.Node_CreateSchemaStmt:
		return c.createSchema(n.CreateSchemaStmt)
	case *pg.Node_DropStmt:
		return c.drop(n.DropStmt)
	case *pg.Node_CopyStmt:
		return c.copyStmt(n.CopyStmt)
	case *pg.Node_ExplainStmt:
		return &ast.Explain{Query: c.statement(n.ExplainStmt.Query), Options: c.options(n.ExplainStmt.Options)}
	case *pg.Node_VariableSetStmt:
		return c.setVar(n.VariableSetStmt)
	case *pg.Node_VariableShowStmt:
		return &ast.Show{Name: n.VariableShowStmt.Name}
	case *pg.Node_TransactionStmt:
		return c.tx(n.TransactionStmt)
	case *pg.Node_PrepareStmt:
		p := &ast.Prepare{Name: n.PrepareStmt.Name, Query: c.statement(n.PrepareStmt.Query)}
		for _, t := range n.PrepareStmt.Argtypes {
			p.Types = append(p.Types, c.typeName(t.GetTypeName()))
		}
		return p
	case *pg.Node_ExecuteStmt:
		return &ast.Execute{Name: n.ExecuteStmt.Name, Args: c.exprs(n.ExecuteStmt.Params)}
	case *pg.Node_DeallocateStmt:
		return &ast.Deallocate{Name: n.DeallocateStmt.Name}
	case *pg.Node_DeclareCursorStmt:
		return c.declare(n.DeclareCursorStmt)
	case *pg.Node_FetchStmt:
		return c.fetch(n.FetchStmt)
	case *pg.Node_ClosePortalStmt:
		return &ast.Close{Name: n.ClosePortalStmt.Portalname}
	case *pg.Node_DiscardStmt:
		return &ast.Discard{What: map[pg.DiscardMode]string{pg.DiscardMode_DISCARD_ALL: "ALL", pg.DiscardMode_DISCARD_PLANS: "PLANS",
			pg.DiscardMode_DISCARD_SEQUENCES: "SEQUENCES", pg.DiscardMode_DISCARD_TEMP: "TEMP"}[n.DiscardStmt.Target]}
	case *pg.Node_VacuumStmt:
		if n.VacuumStmt.IsVacuumcmd {
			return &ast.Ignored{Tag: "VACUUM"}
		}
		return &ast.Ignored{Tag: "ANALYZE"}
	case *pg.Node_ClusterStmt:
		return c.cluster(n.ClusterStmt)
	case *pg.Node_CheckPointStmt:
		return &ast.Ignored{Tag: "CHECKPOINT"}
	case *pg.Node_UpdateStmt:
		return &ast.Unsupported{What: "UPDATE", Hint: "DELETE the rows and INSERT their new values in one transaction: BEGIN … COMMIT."}
	case *pg.Node_DeleteStmt:
		return c.deleteStmt(n.DeleteStmt)
	case *pg.Node_TruncateStmt:
		return c.truncate(n.TruncateStmt)
	case *pg.Node_AlterTableStmt:
		return c.alterTable(n.AlterTableStmt)
	default:
		return &ast.Unsupported{What: statementName(nodeName(n))}
	}
}

// statementName makes SQL words of a node's name: Node_CreateFunctionStmt is CREATE FUNCTION.
func statementName(node string) string {
	s := strings.TrimSuffix(strings.TrimPrefix(node, "Node_"), "Stmt")
	var b strings.Builder
	for i, r := range s {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

func (c *converter) insert(s *pg.InsertStmt) ast.Stmt {
	out := &ast.Insert{Table: c.rangeVar(s.Relation), Returning: len(s.ReturningList) > 0, With: c.with(s.WithClause)}
	for _, n := range s.Cols {
		t := n.GetResTarget()
		out.Cols = append(out.Cols, ast.Target{P: c.pos.at(t.GetLocation()), Alias: t.GetName()})
		if len(t.GetIndirection()) > 0 {
			c.refuse(c.pos.at(t.GetLocation()), "INSERT into a part of a column")
		}
	}
	if s.OnConflictClause != nil {
		c.refuse(c.pos.at(s.OnConflictClause.Location), "INSERT … ON CONFLICT")
	}
	if s.SelectStmt != nil {
		out.Query = c.selectNode(s.SelectStmt)
	}
	return out
}

func (c *converter) createTable(s *pg.CreateStmt) ast.Stmt {
	out := &ast.CreateTable{Name: c.rangeVar(s.Relation), Options: c.options(s.Options), IfNotExists: s.IfNotExists,
		Temporary: s.Relation.GetRelpersistence() == "t"}
	if len(s.InhRelations) > 0 || s.Partbound != nil {
		c.refuse(out.Name.P, "INHERITS or PARTITION OF")
	}
	for _, n := range s.TableElts {
		switch n := n.Node.(type) {
		case *pg.Node_ColumnDef:
			out.Columns = append(out.Columns, c.newColumn(n.ColumnDef))
		case *pg.Node_Constraint:
			c.refuse(c.pos.at(n.Constraint.Location), "a table constraint")
		default:
			c.refuse(out.Name.P, "LIKE in CREATE TABLE")
		}
	}
	if p := s.Partspec; p != nil {
		out.PartitionPos = c.pos.at(p.Location).Pos()
		e := &pg.PartitionElem{}
		if len(p.PartParams) == 1 {
			e = p.PartParams[0].GetPartitionElem()
			out.PartitionPos = c.pos.at(e.GetLocation()).Pos()
		}
		if p.Strategy != pg.PartitionStrategy_PARTITION_STRATEGY_RANGE || e.GetName() == "" {
			c.refuse(ast.P(out.PartitionPos), "a partitioning other than by range of one column")
		}
		out.PartitionBy = e.GetName()
	}
	return out
}

func (c *converter) newColumn(d *pg.ColumnDef) ast.ColumnDef {
	out := c.columnDef(d)
	for _, n := range d.Constraints {
		k := n.GetConstraint()
		switch k.GetContype() {
		case pg.ConstrType_CONSTR_NOTNULL:
			out.NotNull = true
		case pg.ConstrType_CONSTR_NULL:
		case pg.ConstrType_CONSTR_DEFAULT:
			c.refuse(c.pos.at(k.GetLocation()), "a column default")
		case pg.ConstrType_CONSTR_PRIMARY:
			c.refuse(c.pos.at(k.GetLocation()), "PRIMARY KEY")
		case pg.ConstrType_CONSTR_UNIQUE:
			c.refuse(c.pos.at(k.GetLocation()), "UNIQUE")
		default:
			c.refuse(c.pos.at(k.GetLocation()), "a column constraint other than NOT NULL")
		}
	}
	return out
}

func (c *converter) createTableAs(s *pg.CreateTableAsStmt) ast.Stmt {
	if s.Objtype == pg.ObjectType_OBJECT_MATVIEW {
		return &ast.Unsupported{What: "CREATE MATERIALIZED VIEW"}
	}
	out := &ast.CreateTableAs{Name: c.rangeVar(s.Into.GetRel()), Options: c.options(s.Into.GetOptions()),
		IfNotExists: s.IfNotExists, NoData: s.Into.GetSkipData(), Temporary: s.Into.GetRel().GetRelpersistence() == "t"}
	out.Name.Cols = names(s.Into.GetColNames())
	if s.Query.GetSelectStmt() == nil {
		c.refuse(out.Name.P, "CREATE TABLE AS EXECUTE")
		return out
	}
	out.Query = c.selectNode(s.Query)
	return out
}

func (c *converter) createView(s *pg.ViewStmt) ast.Stmt {
	out := &ast.CreateView{Name: c.rangeVar(s.View), Cols: names(s.Aliases), Query: c.selectNode(s.Query), Replace: s.Replace}
	out.SQL = c.afterAS()
	if len(s.Options) > 0 || s.WithCheckOption > pg.ViewCheckOption_NO_CHECK_OPTION {
		c.refuse(out.Name.P, "an option of CREATE VIEW")
	}
	if s.View.GetRelpersistence() == "t" {
		c.refuse(out.Name.P, "CREATE TEMPORARY VIEW")
	}
	return out
}

// afterAS returns the statement's text behind its first AS that stands outside parentheses.
func (c *converter) afterAS() string {
	text := c.query[c.from:c.to]
	scan, err := pg.Scan(text)
	if err != nil {
		c.fail(parserError(err))
		return ""
	}
	depth := 0
	for _, t := range scan.Tokens {
		switch t.Token {
		case pg.Token_ASCII_40:
			depth++
		case pg.Token_ASCII_41:
			depth--
		case pg.Token_AS:
			if depth == 0 {
				return strings.TrimSpace(text[t.End:])
			}
		}
	}
	c.fail(sqlstate.New(sqlstate.Syntax, "CREATE VIEW without AS"))
	return ""
}

func (c *converter) createSchema(s *pg.CreateSchemaStmt) ast.Stmt {
	if len(s.SchemaElts) > 0 {
		c.refuse(0, "CREATE SCHEMA with elements")
	}
	name := s.Schemaname
	if name == "" {
		name = s.Authrole.GetRolename()
	}
	return &ast.CreateSchema{Name: name, IfNotExists: s.IfNotExists}
}

func (c *converter) drop(s *pg.DropStmt) ast.Stmt {
	out := &ast.Drop{IfExists: s.MissingOk, Cascade: s.Behavior == pg.DropBehavior_DROP_CASCADE}
	switch s.RemoveType {
	case pg.ObjectType_OBJECT_TABLE:
		out.Kind = ast.ObjectTable
	case pg.ObjectType_OBJECT_VIEW:
		out.Kind = ast.ObjectView
	case pg.ObjectType_OBJECT_SCHEMA:
		out.Kind = ast.ObjectSchema
	default:
		return &ast.Unsupported{What: "DROP " + strings.ReplaceAll(strings.TrimPrefix(s.RemoveType.String(), "OBJECT_"), "_", " ")}
	}
	for _, o := range s.Objects {
		if str := o.GetString_(); str != nil {
			out.Names = append(out.Names, ast.TableRef{Name: str.Sval})
			continue
		}
		schema, name := qualified(o.GetList().GetItems())
		out.Names = append(out.Names, ast.TableRef{Schema: schema, Name: name})
	}
	return out
}

func (c *converter) copyStmt(s *pg.CopyStmt) ast.Stmt {
	out := &ast.Copy{From: s.IsFrom, File: s.Filename, Program: s.IsProgram, Cols: names(s.Attlist), Options: c.options(s.Options)}
	if s.Relation != nil {
		out.Table = c.rangeVar(s.Relation)
	}
	if s.WhereClause != nil {
		c.refuse(0, "COPY … WHERE")
	}
	if s.Query != nil {
		out.Query = c.selectNode(s.Query)
	}
	return out
}

// options converts a list of name-value pairs.
func (c *converter) options(ns []*pg.Node) []ast.Option {
	var out []ast.Option
	for _, n := range ns {
		d := n.GetDefElem()
		o := ast.Option{P: c.pos.at(d.GetLocation()), Name: strings.ToLower(d.GetDefname())}
		if d.GetArg() != nil {
			o.Has = true
			o.Value, o.List = c.optionValue(d.Arg)
		}
		out = append(out, o)
	}
	return out
}

func (c *converter) optionValue(n *pg.Node) (string, []string) {
	switch n := n.Node.(type) {
	case *pg.Node_List:
		var list []string
		for _, it := range n.List.Items {
			v, _ := c.optionValue(it)
			list = append(list, v)
		}
		return "", list
	case *pg.Node_AStar:
		return "*", nil
	case *pg.Node_TypeName:
		_, name := qualified(n.TypeName.Names)
		return name, nil
	}
	return c.plainValue(n), nil
}

// plainValue is the text of a value node in options and SET.
func (c *converter) plainValue(n *pg.Node) string {
	switch v := n.Node.(type) {
	case *pg.Node_String_:
		return v.String_.Sval
	case *pg.Node_Integer:
		return strconv.Itoa(int(v.Integer.Ival))
	case *pg.Node_Float:
		return v.Float.Fval
	case *pg.Node_Boolean:
		if v.Boolean.Boolval {
			return "true"
		}
		return "false"
	case *pg.Node_AConst:
		l, _ := c.literal(v.AConst).(*ast.Lit)
		if l.Kind == ast.Bool {
			return map[string]string{"t": "true", "f": "false"}[l.Text]
		}
		return l.Text
	case *pg.Node_TypeCast: // SET TIME ZONE INTERVAL '…'
		return c.plainValue(v.TypeCast.Arg)
	}
	c.refuse(0, "a value of this form in an option")
	return ""
}

func (c *converter) setVar(s *pg.VariableSetStmt) ast.Stmt {
	out := &ast.SetVar{Name: s.Name, Local: s.IsLocal}
	switch s.Kind {
	case pg.VariableSetKind_VAR_SET_DEFAULT, pg.VariableSetKind_VAR_RESET:
		out.Default, out.Reset = true, s.Kind == pg.VariableSetKind_VAR_RESET
	case pg.VariableSetKind_VAR_RESET_ALL:
		out.All = true
	case pg.VariableSetKind_VAR_SET_CURRENT:
		out.FromCurr = true
	case pg.VariableSetKind_VAR_SET_MULTI:
		out.Multi = true
		out.Options = c.options(s.Args)
		return out
	}
	for _, a := range s.Args {
		out.Args = append(out.Args, c.plainValue(a))
	}
	return out
}

func (c *converter) tx(s *pg.TransactionStmt) ast.Stmt {
	out := &ast.Tx{Name: s.SavepointName, Options: c.options(s.Options), Chain: s.Chain}
	switch s.Kind {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN:
		out.Kind = ast.TxBegin
	case pg.TransactionStmtKind_TRANS_STMT_START:
		out.Kind = ast.TxStart
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		out.Kind = ast.TxCommit
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		out.Kind = ast.TxRollback
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		out.Kind = ast.TxSavepoint
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		out.Kind = ast.TxRelease
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		out.Kind = ast.TxRollbackTo
	default:
		return &ast.Unsupported{What: "a two-phase commit"}
	}
	return out
}

// The bits of DECLARE's options in the parser's tree.
const (
	cursorBinary   = 1
	cursorScroll   = 2
	cursorNoScroll = 4
	cursorHold     = 32
)

func (c *converter) declare(s *pg.DeclareCursorStmt) ast.Stmt {
	return &ast.Declare{Name: s.Portalname, Query: c.selectNode(s.Query), Binary: s.Options&cursorBinary != 0,
		Scroll: s.Options&cursorScroll != 0, NoScroll: s.Options&cursorNoScroll != 0, Hold: s.Options&cursorHold != 0}
}

func (c *converter) fetch(s *pg.FetchStmt) ast.Stmt {
	out := &ast.Fetch{Name: s.Portalname, Count: s.HowMany, Move: s.Ismove, All: s.HowMany == 1<<63-1}
	if s.Direction != pg.FetchDirection_FETCH_FORWARD || s.HowMany < 0 {
		out.Backward = true
	}
	return out
}
