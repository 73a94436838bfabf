package bind

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
)

// InsertQuery is a bound INSERT: Plan gives the table's own columns, in order, without hidden ones.
type InsertQuery struct {
	Table  *types.Table
	Plan   plan.Node
	Params []types.Type
}

// Insert binds INSERT into t.
func Insert(cat Catalog, ins *ast.Insert, t *types.Table, params []types.Type) (*InsertQuery, error) {
	b := newBinder(cat, params)
	at, err := targetColumns(ins, t)
	if err != nil {
		return nil, err
	}
	q := ins.Query
	if q == nil { // DEFAULT VALUES
		q = &ast.Select{Values: [][]ast.Expr{{}}}
		at = nil
	}
	if ins.With != nil {
		c := *q
		if q.With != nil {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "WITH both before INSERT and in its query is not supported")
		}
		c.With = ins.With
		q = &c
	}
	out := &InsertQuery{Table: t}
	if isBareValues(q) {
		out.Plan, err = b.insertValues(ins, q, t, at)
	} else {
		out.Plan, err = b.insertSelect(ins, q, t, at)
	}
	if err != nil {
		return nil, err
	}
	out.Params, err = b.finishParams()
	return out, err
}

func isBareValues(q *ast.Select) bool {
	return q.Values != nil && q.With == nil && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil
}

// VisibleColumns lists the indexes of the columns INSERT and COPY fill.
func VisibleColumns(t *types.Table) []int {
	var out []int
	for i, c := range t.Columns {
		if !c.Hidden {
			out = append(out, i)
		}
	}
	return out
}

// targetColumns returns, for each expression, the table column it goes to.
func targetColumns(ins *ast.Insert, t *types.Table) ([]int, error) {
	if ins.Cols == nil {
		return VisibleColumns(t), nil
	}
	var out []int
	seen := map[int]bool{}
	for _, c := range ins.Cols {
		i := t.Col(c.Alias)
		if i < 0 || t.Columns[i].Hidden {
			return nil, sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", c.Alias, t.Name).At(c.Pos())
		}
		if seen[i] {
			return nil, sqlstate.New(sqlstate.DuplicateColumn, "column \"%s\" specified more than once", c.Alias).At(c.Pos())
		}
		seen[i] = true
		out = append(out, i)
	}
	return out, nil
}

func checkWidth(n, columns int, explicit bool, pos int) error {
	if n > columns {
		return sqlstate.New(sqlstate.Syntax, "INSERT has more expressions than target columns").At(pos)
	}
	if n < columns && explicit {
		return sqlstate.New(sqlstate.Syntax, "INSERT has more target columns than expressions").At(pos)
	}
	return nil
}

func (b *binder) insertValues(ins *ast.Insert, q *ast.Select, t *types.Table, at []int) (plan.Node, error) {
	visible := VisibleColumns(t)
	n := &plan.Values{}
	for _, c := range visible {
		n.Out = append(n.Out, plan.Col{Name: t.Columns[c].Name, Type: t.Columns[c].Type})
	}
	en := &env{b: b, sc: &scope{}, clause: "VALUES"}
	for _, row := range q.Values {
		pos := 0
		if len(row) > 0 {
			pos = row[len(row)-1].Pos()
		}
		if len(row) < len(ins.Cols) {
			pos = ins.Cols[len(row)].Pos()
		}
		if err := checkWidth(len(row), len(at), ins.Cols != nil, pos); err != nil {
			return nil, err
		}
		vals := map[int]expr.Expr{}
		for i, e := range row {
			if _, isDefault := e.(*ast.Default); isDefault {
				continue
			}
			x, err := en.expr(e)
			if err != nil {
				return nil, err
			}
			if vals[at[i]], err = b.store(x, t.Columns[at[i]], e.Pos()); err != nil {
				return nil, err
			}
		}
		n.Rows = append(n.Rows, spreadRow(t, visible, vals))
	}
	return n, nil
}

// spreadRow puts values in the table's order, NULL where there is none.
func spreadRow(t *types.Table, visible []int, vals map[int]expr.Expr) []expr.Expr {
	row := make([]expr.Expr, len(visible))
	for i, c := range visible {
		if row[i] = vals[c]; row[i] == nil {
			row[i] = nullConst(t.Columns[c].Type)
		}
	}
	return row
}

// store coerces a value to its column.
func (b *binder) store(x expr.Expr, c types.Column, pos int) (expr.Expr, error) {
	return b.assign(x, c.Type, pos, func() error {
		return sqlstate.New(sqlstate.DatatypeMismatch, "column \"%s\" is of type %s but expression is of type %s", c.Name, typeName(c.Type), typeName(x.Type())).
			WithHint("You will need to rewrite or cast the expression.")
	})
}

func (b *binder) insertSelect(ins *ast.Insert, q *ast.Select, t *types.Table, at []int) (plan.Node, error) {
	r, err := b.query(q, outerEnv{}, true)
	if err != nil {
		return nil, err
	}
	pos := firstPos(q)
	if len(r.cols) < len(ins.Cols) {
		pos = ins.Cols[len(r.cols)].Pos()
	}
	if err := checkWidth(len(r.cols), len(at), ins.Cols != nil, pos); err != nil {
		return nil, err
	}
	p, _ := r.node.(*plan.Project)
	vals := map[int]expr.Expr{}
	for i, c := range r.cols {
		dst := t.Columns[at[i]]
		if c.typ.Kind == types.Unknown && p != nil {
			x, err := b.store(p.Exprs[i], dst, firstPos(q))
			if err != nil {
				return nil, err
			}
			p.Exprs[i], p.Out[i].Type = x, x.Type()
			vals[at[i]] = col(i, p.Out[i])
			continue
		}
		if vals[at[i]], err = b.store(c.e, dst, firstPos(q)); err != nil {
			return nil, err
		}
	}
	visible := VisibleColumns(t)
	out := &plan.Project{In: r.node, Exprs: spreadRow(t, visible, vals)}
	for _, c := range visible {
		out.Out = append(out.Out, plan.Col{Name: t.Columns[c].Name, Type: t.Columns[c].Type})
	}
	return out, nil
}
