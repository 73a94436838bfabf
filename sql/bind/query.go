package bind

import (
	"fmt"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/sql/opt/tree"
)

// query binds any query. keepUnknown leaves untyped literals of the select list untyped, for a caller that knows what
// they are to become; it only holds where the plan's top is the Project of the select list.
func (b *binder) query(q *ast.Select, o outerEnv, keepUnknown bool) (*relation, error) {
	w, err := b.with(q.With, &o)
	if err != nil {
		return nil, err
	}
	var r *relation
	switch {
	case q.SetOp != ast.SetNone:
		o.fields = false
		r, err = b.setOp(q, o)
	case q.Values != nil:
		r, err = b.valuesQuery(q, o)
	default:
		r, err = b.block(q, o, keepUnknown && isPlain(q))
	}
	if err != nil {
		return nil, err
	}
	if r.node, err = b.limit(q, r.node); err != nil {
		return nil, err
	}
	r.node = w.around(r.node)
	return r, nil
}

func isPlain(q *ast.Select) bool {
	return q.With == nil && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil && !q.Distinct && q.DistinctOn == nil
}

// target is one column of a select list; those behind the visible ones are only sorted by.
type target struct {
	name string
	e    expr.Expr
	col  *column // of a plain column reference
	ast  ast.Expr
}

// block is one SELECT while it is bound.
type block struct {
	b       *binder
	q       *ast.Select
	sc      *scope
	ctes    *cteEnv
	aggs    aggSet
	sets    setSet
	wins    winSet
	targets []target
	visible int
	kept    int // the visible ones, and fields of row values that are hidden
	groups  []expr.Expr
	// groupSets lists groups by number for each grouping set; nil: all groups are one set.
	groupSets [][]int
	having    expr.Expr
	sort      []sortItem
	on        []int // targets of DISTINCT ON
	node      plan.Node

	fieldsToo bool
}

// sortItem is an ORDER BY item, by target.
type sortItem struct {
	target           int
	desc, nullsFirst bool
}

func (b *binder) block(q *ast.Select, o outerEnv, keepUnknown bool) (*relation, error) {
	fields := o.fields && !q.Distinct
	o.fields = false
	from, err := b.from(q.From, o)
	if err != nil {
		return nil, err
	}
	k := &block{b: b, q: q, sc: &scope{parent: o.scope, cols: from.cols, rels: from.rels}, ctes: o.ctes, node: from.node}
	k.fieldsToo = fields
	k.wins.k = k
	steps := []func() error{k.where, func() error { return k.selectList(keepUnknown) }, k.groupBy, k.havingClause, k.orderBy,
		k.distinctOn, k.windowClause, k.aggregate, k.windows, k.projectSets}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return k.finish()
}

func (k *block) env(clause string) *env {
	return &env{b: k.b, sc: k.sc, ctes: k.ctes, clause: clause}
}

func (k *block) where() error {
	if k.q.Where == nil {
		return nil
	}
	cond, err := k.env("WHERE").cond(k.q.Where)
	if err != nil {
		return err
	}
	k.node = &plan.Filter{In: k.node, Cond: cond}
	return nil
}

// full is the environment of the select list and ORDER BY.
func (k *block) full(clause string) *env {
	en := k.env(clause)
	en.aggs, en.sets, en.wins = &k.aggs, &k.sets, &k.wins
	return en
}

func (k *block) selectList(keepUnknown bool) error {
	en := k.full("SELECT")
	for _, t := range k.q.Targets {
		if n, ok := t.Expr.(*ast.Name); ok && n.Star {
			cols, err := k.b.expandStar(k.sc, n)
			if err != nil {
				return err
			}
			for i := range cols {
				c := &cols[i]
				k.targets = append(k.targets, target{name: c.name, e: k.b.at(c.e, n.Pos()), col: c, ast: n})
			}
			continue
		}
		if f, ok := t.Expr.(*ast.Field); ok && f.Star {
			return sqlstate.New(sqlstate.FeatureNotSupported, "expanding a row value with .* is not supported").At(t.Pos())
		}
		tg, err := k.target(en, t, keepUnknown)
		if err != nil {
			return err
		}
		k.targets = append(k.targets, tg)
	}
	k.visible = len(k.targets)
	if k.fieldsToo {
		for _, t := range k.targets[:k.visible] {
			k.targets = append(k.targets, k.fields(t)...)
		}
	}
	k.kept = len(k.targets)
	if k.visible > columnsMax {
		return sqlstate.New(sqlstate.TooManyColumns, "target lists can have at most %d entries", columnsMax)
	}
	return nil
}

const columnsMax = 1664

func (k *block) target(en *env, t ast.Target, keepUnknown bool) (target, error) {
	x, err := en.expr(t.Expr)
	if err != nil {
		return target{}, err
	}
	if !keepUnknown {
		x = k.b.known(x)
	}
	out := target{name: t.Alias, e: x, ast: t.Expr}
	if n, ok := t.Expr.(*ast.Name); ok {
		if c, hits := k.sc.find(n.Parts); hits == 1 {
			out.col = c
		}
	}
	if out.name == "" {
		out.name = columnName(t.Expr)
	}
	return out, nil
}

// projectSets puts the set-returning functions of the select list below the projection.
func (k *block) projectSets() error {
	if len(k.sets.calls) == 0 {
		return nil
	}
	width := len(k.node.Cols())
	first := make([]int, len(k.sets.calls))
	for i, s := range k.sets.calls {
		first[i] = width
		width += len(s.Out)
	}
	k.node = &plan.ProjectSet{In: k.node, Sets: k.sets.calls}
	made := func(e expr.Expr, _ int) (expr.Expr, bool) {
		if s, ok := e.(*setRef); ok {
			return &expr.Col{Idx: first[s.idx] + s.col, T: s.t, Name: k.sets.calls[s.idx].Out[s.col].Name}, true
		}
		return nil, false
	}
	for i := range k.targets {
		k.targets[i].e = tree.Expr(k.targets[i].e, 0, made)
	}
	for i := range k.groups {
		k.groups[i] = tree.Expr(k.groups[i], 0, made)
	}
	k.sets = setSet{}
	return nil
}

// finish projects, makes distinct, sorts, and drops what was only sorted by.
func (k *block) finish() (*relation, error) {
	p := &plan.Project{In: k.node}
	for _, t := range k.targets {
		p.Exprs = append(p.Exprs, t.e)
		p.Out = append(p.Out, plan.Col{Name: t.name, Type: t.e.Type()})
	}
	var node plan.Node = p
	if k.q.Distinct {
		node = &plan.Distinct{In: node}
	}
	if len(k.sort) > 0 {
		s := &plan.Sort{In: node}
		for _, it := range k.sort {
			s.Keys = append(s.Keys, plan.SortKey{Expr: col(it.target, p.Out[it.target]), Desc: it.desc, NullsFirst: it.nullsFirst})
		}
		node = s
	}
	if len(k.on) > 0 {
		d := &plan.Distinct{In: node}
		for _, i := range k.on {
			d.On = append(d.On, col(i, p.Out[i]))
		}
		node = d
	}
	if len(k.targets) > k.kept {
		cut := &plan.Project{In: node, Out: p.Out[:k.kept]}
		for i := range k.kept {
			cut.Exprs = append(cut.Exprs, col(i, p.Out[i]))
		}
		node = cut
	}
	r := newRelation(node)
	for i := range r.cols {
		r.cols[i].hidden = i >= k.visible
		if c := k.targets[i].col; c != nil {
			r.cols[i].oid, r.cols[i].attr = c.oid, c.attr
		}
	}
	return r, nil
}

// newRelation names a plan's own columns.
func newRelation(n plan.Node) *relation {
	r := &relation{node: n}
	for i, c := range n.Cols() {
		r.cols = append(r.cols, column{name: c.Name, typ: c.Type, e: col(i, c)})
	}
	return r
}

// projected is r with one expression over it for each of its columns.
func projected(r *relation, es ...expr.Expr) *relation {
	same := true
	p := &plan.Project{In: r.node}
	for i, e := range es {
		c, ok := e.(*expr.Col)
		same = same && ok && c.Idx == i && c.T == r.cols[i].typ
		p.Exprs = append(p.Exprs, e)
		p.Out = append(p.Out, plan.Col{Name: r.cols[i].name, Type: e.Type()})
	}
	if same && len(es) == len(r.node.Cols()) {
		return r
	}
	return newRelation(p)
}

// limit binds LIMIT and OFFSET.
func (b *binder) limit(q *ast.Select, n plan.Node) (plan.Node, error) {
	count, err := b.limitExpr(q.Limit, "LIMIT")
	if err != nil {
		return nil, err
	}
	offset, err := b.limitExpr(q.Offset, "OFFSET")
	if err != nil || count == nil && offset == nil {
		return n, err
	}
	return &plan.Limit{In: n, Count: count, Offset: offset}, nil
}

func (b *binder) limitExpr(e ast.Expr, clause string) (expr.Expr, error) {
	if e == nil {
		return nil, nil
	}
	if n, ok := e.(*ast.Name); ok {
		return nil, sqlstate.New(sqlstate.InvalidColumnReference, "argument of %s must not contain variables", clause).At(n.Pos())
	}
	en := &env{b: b, sc: &scope{}, clause: clause}
	x, err := en.expr(e)
	if err != nil {
		return nil, err
	}
	x, err = b.must(x, int8, builtin.Assignment, e.Pos(), func() error {
		return sqlstate.New(sqlstate.DatatypeMismatch, "argument of %s must be type bigint, not type %s", clause, typeName(x.Type()))
	})
	if err != nil {
		return nil, err
	}
	if k, ok := x.(*expr.Const); ok && !k.V.Null(0) && k.V.Int(0) < 0 {
		code := "2201W"
		if clause == "OFFSET" {
			code = "2201X"
		}
		return nil, sqlstate.New(code, "%s must not be negative", clause).At(e.Pos())
	}
	return x, nil
}

// valuesQuery binds VALUES as a query of its own.
func (b *binder) valuesQuery(q *ast.Select, o outerEnv) (*relation, error) {
	width := len(q.Values[0])
	rows := make([][]expr.Expr, len(q.Values))
	en := &env{b: b, sc: &scope{parent: o.scope}, ctes: o.ctes, clause: "VALUES"}
	for i, row := range q.Values {
		if len(row) != width {
			return nil, sqlstate.New(sqlstate.Syntax, "VALUES lists must all be the same length").At(row[0].Pos())
		}
		es, err := en.list(row)
		if err != nil {
			return nil, err
		}
		rows[i] = es
	}
	n := &plan.Values{Rows: rows}
	for c := range width {
		colExprs := make([]expr.Expr, len(rows))
		for i := range rows {
			colExprs[i] = rows[i][c]
		}
		t, err := b.unify(colExprs, "VALUES", q.Values[0][c].Pos())
		if err != nil {
			return nil, err
		}
		for i := range rows {
			rows[i][c] = colExprs[i]
		}
		n.Out = append(n.Out, plan.Col{Name: fmt.Sprintf("column%d", c+1), Type: t})
	}
	r := newRelation(n)
	return b.sortOutput(q, r)
}

// oneRow is the input of a SELECT without FROM.
func oneRow() plan.Node { return &plan.Values{Rows: [][]expr.Expr{{}}} }
