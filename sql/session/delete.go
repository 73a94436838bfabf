package session

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/engine/op"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/bind"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A DELETE finds the places of its rows, keeps them with the transaction's changes, and takes effect at its end. The rows
// are those of the transaction's snapshot: what another one deletes meanwhile is deleted once, and no error.

// bindDelete binds DELETE.
func (c *conn) bindDelete(st *ast.Delete, params []types.Type) (*types.Table, *bind.DeleteQuery, error) {
	if st.Returning {
		return nil, nil, sqlstate.New(sqlstate.FeatureNotSupported, "DELETE … RETURNING is not supported").
			WithHint("SELECT the rows first, in the same transaction: both see the same moment.")
	}
	k, err := c.catalog()
	if err != nil {
		return nil, nil, err
	}
	r, err := deletable(k, st.Table, "delete from")
	if err != nil {
		return nil, nil, err
	}
	q, err := bind.Delete(k, st, r, params)
	if err != nil {
		return nil, nil, err
	}
	q.Plan = c.optimize(k, q.Plan)
	return r.Table, q, nil
}

// deletable finds a table whose rows SQL may delete.
func deletable(k *catalog, ref ast.TableRef, verb string) (*bind.Relation, error) {
	r, ok := k.Relation(ref.Schema, ref.Name)
	switch {
	case !ok:
		return nil, sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", refName(ref)).At(ref.Pos())
	case r.View != nil:
		return nil, sqlstate.New(sqlstate.WrongObjectType, "cannot %s view \"%s\"", verb, r.Name.Name).At(ref.Pos()).
			WithHint("Delete from the tables the view reads.")
	case r.Table == nil:
		return nil, sqlstate.New(sqlstate.WrongObjectType, "cannot %s \"%s\": it is not a stored table", verb, r.Name).At(ref.Pos())
	case r.Table.Kind == types.TableStates:
		return nil, sqlstate.New(sqlstate.InsufficientPrivilege, "cannot %s \"%s\": it follows the table it is computed from", verb, r.Name).At(ref.Pos())
	}
	return r, nil
}

func (c *conn) delete(s *statementCtx, st *ast.Delete, params []types.Type, args []*vec.Vector) (Result, error) {
	if err := c.needWrite("DELETE"); err != nil {
		return nil, err
	}
	t, q, err := c.bindDelete(st, params)
	if err != nil {
		return nil, err
	}
	dead, err := c.findRows(s, q.Plan, args, nil)
	if err != nil {
		return nil, err
	}
	n, err := c.bury(t, dead)
	return done(s, fmt.Sprintf("DELETE %d", n), err)
}

// findRows runs the query that finds the places of rows.
func (c *conn) findRows(s *statementCtx, n plan.Node, args []*vec.Vector, analysis *op.Analysis) (deadRows, error) {
	env, snap, err := c.env(s, args)
	if err != nil {
		return nil, err
	}
	env.Analyze = analysis
	snap.keep()
	defer snap.drop()
	rows, err := op.Run(env, n)
	if err != nil {
		return nil, err
	}
	dead := deadRows{}
	for {
		b, err := rows.Next()
		if err != nil || b == nil {
			rows.Close()
			c.warnSkipped(env.Skip)
			return dead, err
		}
		dead.addVector(b.Cols[0], b.N)
	}
}

// addVector takes the places of a column.
func (d deadRows) addVector(v *vec.Vector, n int) {
	if v.Form == vec.Flat {
		d.add(v.I64[:n])
		return
	}
	places := make([]int64, n)
	for i := range places {
		places[i] = v.Int(i)
	}
	d.add(places)
}

// bury adds deleted rows to the transaction's changes. It returns their number.
func (c *conn) bury(t *types.Table, dead deadRows) (int64, error) {
	n := dead.count()
	if n == 0 {
		return 0, nil
	}
	bytes := dead.bytes()
	if c.tx.bytes+bytes > txBytesMax {
		return 0, sqlstate.New(sqlstate.ProgramLimit, "the transaction changes too many rows: its list of them takes more than %d MB", txBytesMax>>20).
			WithHint("Delete in parts, by a range of the partition column, each in a transaction of its own.")
	}
	c.change(change{table: t, dead: dead}, bytes)
	return n, nil
}

// truncate deletes all rows of its tables. It reads none of them.
func (c *conn) truncate(st *ast.Truncate) (string, error) {
	if err := c.needWrite("TRUNCATE TABLE"); err != nil {
		return "", err
	}
	k, err := c.catalog()
	if err != nil {
		return "", err
	}
	var tables []*types.Table
	for _, ref := range st.Tables {
		ref.P = 0 // PostgreSQL gives no position here
		r, err := deletable(k, ref, "truncate")
		if err != nil {
			return "", err
		}
		tables = append(tables, r.Table)
	}
	for _, t := range tables {
		src, err := withChanges(k.snap.Source, c.tx.changes)(t)
		if err != nil {
			return "", err
		}
		dead := deadRows{}
		for i, m := range src.Morsels() {
			rows := roaring.New()
			rows.AddRange(0, uint64(m.Rows()))
			if gone := m.Deleted(); gone != nil {
				rows.AndNot(roaring.FromDense(gone, true))
			}
			if !rows.IsEmpty() {
				dead[i] = rows
			}
		}
		if _, err := c.bury(t, dead); err != nil {
			return "", err
		}
	}
	return "TRUNCATE TABLE", nil
}
