package bind

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
)

// cteEnv is the WITH items in sight, the nearest first.
type cteEnv struct {
	def  *cteDef
	next *cteEnv
}

// cteDef is one WITH item.
type cteDef struct {
	id      int
	name    string
	cols    []plan.Col
	refs    int
	working bool // inside its own recursive term
	keep    bool // MATERIALIZED, or recursive
	inline  bool // NOT MATERIALIZED
}

func (e *cteEnv) find(name string) *cteDef {
	for ; e != nil; e = e.next {
		if e.def.name == name {
			return e.def
		}
	}
	return nil
}

func (d *cteDef) scan(alias string) *relation {
	d.refs++
	return newRelation(&plan.CTEScan{ID: d.id, Name: d.name, Alias: alias, Out: d.cols, Working: d.working})
}

// withClause is a bound WITH.
type withClause struct {
	plans []plan.CTE
	defs  []*cteDef
}

// with binds a WITH clause and puts its items in sight.
func (b *binder) with(w *ast.With, o *outerEnv) (*withClause, error) {
	out := &withClause{}
	if w == nil {
		return out, nil
	}
	fields := o.fields
	o.fields = false
	defer func() { o.fields = fields }()
	for _, c := range w.CTEs {
		for _, d := range out.defs {
			if d.name == c.Name {
				return nil, sqlstate.New(sqlstate.DuplicateAlias, "WITH query name \"%s\" specified more than once", c.Name).At(c.Pos())
			}
		}
		d := &cteDef{id: b.nextCTE, name: c.Name, keep: c.Materialized, inline: c.Inline}
		b.nextCTE++
		p, err := b.cte(c, d, *o, w.Recursive)
		if err != nil {
			return nil, err
		}
		out.plans, out.defs = append(out.plans, p), append(out.defs, d)
		o.ctes = &cteEnv{def: d, next: o.ctes}
	}
	return out, nil
}

func (b *binder) cte(c ast.CTE, d *cteDef, o outerEnv, recursive bool) (plan.CTE, error) {
	p := plan.CTE{ID: d.id, Name: d.name}
	if recursive && c.Query.SetOp == ast.SetUnion {
		r, err := b.recursiveCTE(c, d, o)
		if err != nil {
			return p, err
		}
		if r != nil {
			return *r, nil
		}
	}
	r, err := b.query(c.Query, o, false)
	if err != nil {
		return p, err
	}
	if d.cols, err = cteCols(r.node.Cols(), c); err != nil {
		return p, err
	}
	p.Plan = r.node
	return p, nil
}

func cteCols(cols []plan.Col, c ast.CTE) ([]plan.Col, error) {
	if len(c.Cols) > len(cols) {
		return nil, sqlstate.New(sqlstate.InvalidColumnReference, "WITH query \"%s\" has %d columns available but %d columns specified",
			c.Name, len(cols), len(c.Cols)).At(c.Pos())
	}
	out := append([]plan.Col(nil), cols...)
	for i, n := range c.Cols {
		out[i].Name = n
	}
	return out, nil
}

// recursiveCTE binds the two terms of a recursive item; nil if it does not refer to itself.
func (b *binder) recursiveCTE(c ast.CTE, d *cteDef, o outerEnv) (*plan.CTE, error) {
	q := c.Query
	if q.With != nil {
		w, err := b.with(q.With, &o)
		if err != nil {
			return nil, err
		}
		if len(w.plans) > 0 {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "WITH inside a recursive query is not supported").At(c.Pos())
		}
	}
	l, err := b.query(q.L, o, false)
	if err != nil {
		return nil, err
	}
	if d.cols, err = cteCols(l.node.Cols(), c); err != nil {
		return nil, err
	}
	for i := range d.cols {
		d.cols[i].Type.Mod = 0
	}
	d.working = true
	o.ctes = &cteEnv{def: d, next: o.ctes}
	r, err := b.query(q.R, o, true)
	d.working = false
	if err != nil {
		return nil, err
	}
	if d.refs == 0 {
		return nil, nil
	}
	if len(q.OrderBy) > 0 || q.Limit != nil || q.Offset != nil {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "ORDER BY, LIMIT or OFFSET in a recursive query is not implemented").At(c.Pos())
	}
	d.refs, d.keep = 0, true
	step, err := b.recursiveStep(c, d, r)
	if err != nil {
		return nil, err
	}
	return &plan.CTE{ID: d.id, Name: d.name, Plan: l.node, Step: step, All: q.All}, nil
}

func (b *binder) recursiveStep(c ast.CTE, d *cteDef, r *relation) (plan.Node, error) {
	if len(r.cols) != len(d.cols) {
		return nil, sqlstate.New(sqlstate.Syntax, "each UNION query must have the same number of columns").At(firstPos(c.Query.R))
	}
	ts := make([]types.Type, len(d.cols))
	for i, dc := range d.cols {
		t, err := commonType([]types.Type{dc.Type, r.cols[i].typ}, "UNION", firstPos(c.Query.R))
		if err != nil {
			return nil, err
		}
		if !sameType(t, dc.Type) {
			return nil, sqlstate.New(sqlstate.DatatypeMismatch, "recursive query \"%s\" column %d has type %s in non-recursive term but type %s overall",
				c.Name, i+1, typeName(dc.Type), typeName(t)).WithHint("Cast the output of the non-recursive term to the correct type.").At(firstPos(c.Query.L))
		}
		ts[i] = dc.Type
	}
	out, err := b.retype(r, ts, "UNION", firstPos(c.Query.R))
	if err != nil {
		return nil, err
	}
	return out.node, nil
}

// around puts the WITH around the query that uses it. An item that is used once takes the place of its use; one that
// is not used is dropped.
func (w *withClause) around(n plan.Node) plan.Node {
	out := &plan.With{}
	for i, d := range w.defs {
		p := w.plans[i]
		if d.refs == 0 {
			continue
		}
		if (d.refs == 1 || d.inline) && !d.keep && !tree.Free(p.Plan) && !volatilePlan(p.Plan) {
			for j := i + 1; j < len(w.plans); j++ {
				w.plans[j].Plan = inlineCTE(w.plans[j].Plan, p)
				w.plans[j].Step = inlineCTE(w.plans[j].Step, p)
			}
			n = inlineCTE(n, p)
			continue
		}
		out.Defs = append(out.Defs, p)
	}
	if len(out.Defs) == 0 {
		return n
	}
	out.In = n
	return out
}

func inlineCTE(n plan.Node, def plan.CTE) plan.Node {
	if n == nil {
		return nil
	}
	return tree.Replace(n, func(c plan.Node) (plan.Node, bool) {
		if s, ok := c.(*plan.CTEScan); ok && s.ID == def.ID {
			return def.Plan, true
		}
		return nil, false
	})
}

func volatilePlan(n plan.Node) bool {
	v := false
	tree.Plan(n, 0, func(e expr.Expr, _ int) (expr.Expr, bool) {
		if c, ok := e.(*expr.Call); ok && c.Fn.Volatile == expr.Volatile {
			v = true
		}
		return nil, false
	})
	return v
}
