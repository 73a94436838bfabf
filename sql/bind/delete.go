package bind

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
)

// DeleteQuery is a bound DELETE: Plan gives one column, the places (types.ColRow) of the rows to delete, some perhaps more
// than once.
type DeleteQuery struct {
	Plan   plan.Node
	Params []types.Type
}

// Delete binds DELETE FROM rel, a stored table. The items of USING do not see its columns, as in PostgreSQL: only WHERE
// sees both.
func Delete(cat Catalog, del *ast.Delete, rel *Relation, params []types.Type) (*DeleteQuery, error) {
	b := newBinder(cat, params)
	o := outerEnv{}
	w, err := b.with(del.With, &o)
	if err != nil {
		return nil, err
	}
	target, place, err := deleteTarget(rel, &del.Table)
	if err != nil {
		return nil, err
	}
	from := target
	if len(del.Using) > 0 {
		using, err := b.from(del.Using, o)
		if err != nil {
			return nil, err
		}
		if from, err = cross(target, using); err != nil {
			return nil, err
		}
	}
	k := &block{b: b, q: &ast.Select{Where: del.Where}, sc: &scope{cols: from.cols, rels: from.rels}, ctes: o.ctes, node: from.node}
	if err := k.where(); err != nil {
		return nil, err
	}
	out := plan.Col{Name: types.ColRow, Type: int8}
	q := &DeleteQuery{Plan: w.around(&plan.Project{In: k.node, Out: []plan.Col{out}, Exprs: []expr.Expr{col(place, out)}})}
	q.Params, err = b.finishParams()
	return q, err
}

// deleteTarget reads a table with the places of its rows, in a column that has no name. place is its index.
func deleteTarget(rel *Relation, ref *ast.TableRef) (r *relation, place int, err error) {
	t := rel.Table
	n := &plan.Scan{Table: t, Out: len(t.Columns) + 1, Alias: ref.Alias}
	for _, c := range t.Columns {
		n.Read = append(n.Read, plan.ScanCol{Column: c.Name, Type: c.Type})
	}
	place = len(t.Columns)
	n.Read = append(n.Read, plan.ScanCol{Column: types.ColRow, Type: int8})
	r = withTableOID(n, rel.OID)
	for i := range t.Columns {
		r.cols[i].hidden = t.Columns[i].Hidden
	}
	r.cols[place].hidden, r.cols[place].name = true, ""
	r, err = named(r, rel.Name.Schema, rel.Name.Name, ref.Alias, ref.Cols, ref.Pos())
	return r, place, err
}
