package bind

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
)

// from binds a FROM list: its items joined from left to right without a condition.
func (b *binder) from(items []ast.TableExpr, o outerEnv) (*relation, error) {
	var left *relation
	for _, it := range items {
		r, err := b.item(left, it, o)
		if err != nil {
			return nil, err
		}
		left = r
	}
	if left == nil {
		return &relation{node: oneRow()}, nil
	}
	return left, nil
}

// item binds one item and joins it to what stands left of it, if anything.
func (b *binder) item(left *relation, te ast.TableExpr, o outerEnv) (*relation, error) {
	switch te := te.(type) {
	case *ast.TableRef:
		r, err := b.tableRef(te, o)
		if err != nil {
			return nil, err
		}
		return cross(left, r)
	case *ast.SubTable:
		if te.Lateral && left != nil {
			return b.lateral(left, te, o, plan.Inner, nil)
		}
		r, err := b.subTable(te, o)
		if err != nil {
			return nil, err
		}
		return cross(left, r)
	case *ast.FuncTable:
		return b.funcTable(left, te, o, false)
	case *ast.Join:
		if left != nil && seesLeft(te) {
			return b.join(te, o, left)
		}
		r, err := b.join(te, o, nil)
		if err != nil {
			return nil, err
		}
		return cross(left, r)
	}
	return nil, sqlstate.New(sqlstate.FeatureNotSupported, "an item of kind %T in FROM is not supported", te)
}

// seesLeft reports whether a join holds something lateral on the spine where all of it can be joined to the items
// before it from left to right: A, (B JOIN LATERAL C) is (A, B) JOIN LATERAL C.
func seesLeft(j *ast.Join) bool {
	if j.Kind != ast.JoinInner && j.Kind != ast.JoinLeft || j.Alias != "" {
		return false
	}
	switch r := j.R.(type) {
	case *ast.SubTable:
		if r.Lateral {
			return true
		}
	case *ast.FuncTable:
		return true
	}
	l, ok := j.L.(*ast.Join)
	return ok && seesLeft(l)
}

// cross joins two relations without a condition.
func cross(l, r *relation) (*relation, error) {
	if l == nil {
		return r, nil
	}
	return combine(l, r, &plan.Join{Kind: plan.Inner, L: l.node, R: r.node})
}

// combine names the columns of a join of l and r: l's, then r's moved behind them.
func combine(l, r *relation, n plan.Node) (*relation, error) {
	for _, a := range l.rels {
		for _, c := range r.rels {
			if a.name == c.name && (a.schema == c.schema || a.schema == "" || c.schema == "") {
				return nil, sqlstate.New(sqlstate.DuplicateAlias, "table name \"%s\" specified more than once", a.name)
			}
		}
	}
	by := len(l.node.Cols())
	out := &relation{node: n, rels: append(append([]relName(nil), l.rels...), r.rels...)}
	out.cols = append(out.cols, l.cols...)
	for _, c := range r.cols {
		c.e = tree.Shift(c.e, by)
		out.cols = append(out.cols, c)
	}
	return out, nil
}

// named gives a relation its alias and column names.
func named(r *relation, schema, name, alias string, cols []string, pos int) (*relation, error) {
	rel := relName{schema: schema, name: name}
	if alias != "" {
		rel = relName{name: alias}
	}
	visible := 0
	for i := range r.cols {
		c := &r.cols[i]
		c.rel, c.schema, c.merged = rel.name, rel.schema, false
		if c.hidden {
			continue
		}
		if visible < len(cols) {
			c.name = cols[visible]
		}
		visible++
	}
	if len(cols) > visible {
		return nil, sqlstate.New(sqlstate.InvalidColumnReference, "table \"%s\" has %d columns available but %d columns specified", rel.name, visible, len(cols)).At(pos)
	}
	r.rels = []relName{rel}
	return r, nil
}

func (b *binder) tableRef(t *ast.TableRef, o outerEnv) (*relation, error) {
	if t.Schema == "" {
		if def := o.ctes.find(t.Name); def != nil {
			return named(def.scan(t.Alias), "", t.Name, t.Alias, t.Cols, t.Pos())
		}
	}
	rel, ok := b.cat.Relation(t.Schema, t.Name)
	if !ok {
		return nil, b.errNoRelation(t)
	}
	r, err := b.relation(rel, t)
	if err != nil {
		return nil, err
	}
	return named(r, rel.Name.Schema, rel.Name.Name, t.Alias, t.Cols, t.Pos())
}

func (b *binder) errNoRelation(t *ast.TableRef) error {
	name := t.Name
	if t.Schema != "" {
		name = t.Schema + "." + t.Name
	}
	e := sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", name)
	best, dist := types.TableName{}, len(t.Name)/3+1
	for _, n := range b.cat.RelationNames() {
		if t.Schema != "" && n.Schema != t.Schema {
			continue
		}
		if d := editDistance(t.Name, n.Name); d < dist {
			best, dist = n, d
		}
	}
	if best.Name != "" {
		e = e.WithHint("Perhaps you meant the table \"%s\".", best)
	}
	return e.At(t.Pos())
}

func (b *binder) relation(rel *Relation, t *ast.TableRef) (*relation, error) {
	switch {
	case rel.Table != nil:
		return scanRelation(rel, t.Alias), nil
	case rel.View != nil:
		return b.view(rel, t)
	}
	n := &plan.Virtual{Name: rel.Name.String(), Out: rel.Cols, Rows: rel.Rows}
	r := withTableOID(n, rel.OID)
	for i := range rel.Cols {
		r.cols[i].oid, r.cols[i].attr = rel.OID, int16(i+1)
	}
	return r, nil
}

// withTableOID adds the system column tableoid: a constant above the scan, so that an outer join can make it NULL. The
// optimiser takes it out where nobody asks.
func withTableOID(n plan.Node, oid uint32) *relation {
	p := &plan.Project{In: n}
	for i, c := range n.Cols() {
		p.Exprs = append(p.Exprs, col(i, c))
		p.Out = append(p.Out, c)
	}
	p.Exprs = append(p.Exprs, IntConst(types.Of(types.OID), int64(oid)))
	p.Out = append(p.Out, plan.Col{Name: "tableoid", Type: types.Of(types.OID)})
	r := newRelation(p)
	r.cols[len(r.cols)-1].hidden = true
	return r
}

// scanRelation reads all columns of a stored table; the optimiser takes out those nobody uses.
func scanRelation(rel *Relation, alias string) *relation {
	t := rel.Table
	n := &plan.Scan{Table: t, Out: len(t.Columns), Alias: alias}
	for _, c := range t.Columns {
		n.Read = append(n.Read, plan.ScanCol{Column: c.Name, Type: c.Type})
	}
	r := withTableOID(n, rel.OID)
	attr := int16(0)
	for i := range t.Columns {
		r.cols[i].hidden = t.Columns[i].Hidden
		if !t.Columns[i].Hidden {
			attr++
			r.cols[i].oid, r.cols[i].attr = rel.OID, attr
		}
	}
	return r
}

// view binds a view's query where its own names are looked up.
func (b *binder) view(rel *Relation, t *ast.TableRef) (*relation, error) {
	if b.views >= viewsMax {
		return nil, sqlstate.New(sqlstate.TooComplex, "views are nested more than %d deep at \"%s\"", viewsMax, rel.Name).At(t.Pos())
	}
	vb := newBinder(rel.Within, nil)
	vb.views, vb.nextCTE = b.views+1, b.nextCTE
	r, err := vb.query(rel.View, outerEnv{}, false)
	b.nextCTE = vb.nextCTE
	if err != nil {
		e := sqlstate.Wrap(sqlstate.Internal, err)
		c := *e
		c.Position, c.Where = t.Pos(), "view "+rel.Name.String()
		return nil, &c
	}
	out := newRelation(r.node)
	for i := range out.cols {
		if i < len(rel.Cols) {
			out.cols[i].name = rel.Cols[i].Name
		}
		out.cols[i].oid, out.cols[i].attr = rel.OID, int16(i+1)
	}
	return out, nil
}

func (b *binder) subTable(t *ast.SubTable, o outerEnv) (*relation, error) {
	o.fields = true
	r, err := b.query(t.Query, o, false)
	if err != nil {
		return nil, err
	}
	return namedSub(r, t)
}

func namedSub(r *relation, t *ast.SubTable) (*relation, error) {
	out := newRelation(r.node)
	for i := range out.cols {
		out.cols[i].oid, out.cols[i].attr, out.cols[i].hidden = r.cols[i].oid, r.cols[i].attr, r.cols[i].hidden
	}
	if t.Alias == "" {
		return out, nil
	}
	return named(out, "", "", t.Alias, t.Cols, t.Pos())
}

// lateral binds a subquery that may speak of the columns to its left.
func (b *binder) lateral(left *relation, t *ast.SubTable, o outerEnv, kind plan.JoinKind, on func(*relation) (expr.Expr, error)) (*relation, error) {
	o.scope = &scope{parent: o.scope, cols: left.cols, rels: left.rels}
	r, err := b.subTable(t, o)
	if err != nil {
		return nil, err
	}
	return b.apply(left, r, kind, on)
}

// apply runs r once per row of left.
func (b *binder) apply(left, r *relation, kind plan.JoinKind, on func(*relation) (expr.Expr, error)) (*relation, error) {
	n := &plan.Apply{Kind: kind, L: left.node, R: r.node}
	out, err := combine(left, r, n)
	if err != nil || on == nil {
		return out, err
	}
	n.Cond, err = on(out)
	return out, err
}

// funcTable binds functions in FROM. Their arguments may speak of the columns to the left; keepEmpty is for a LEFT JOIN
// of them.
func (b *binder) funcTable(left *relation, t *ast.FuncTable, o outerEnv, keepEmpty bool) (*relation, error) {
	in, sc := left, &scope{parent: o.scope}
	if left != nil {
		sc.cols, sc.rels = left.cols, left.rels
	}
	fs, err := b.tableFuncs(t, sc, o)
	if err != nil {
		return nil, err
	}
	if left == nil || !fs.usesCols() && !keepEmpty {
		in = &relation{node: oneRow()}
	}
	r, err := fs.over(in, t, keepEmpty)
	if err != nil || left == nil || in == left {
		return r, err
	}
	return cross(left, r)
}

// fromFuncs is the functions of one FROM item. scalar is set for a function that returns one value.
type fromFuncs struct {
	sets   []plan.SetFunc
	scalar expr.Expr
	name   string
}

func (f *fromFuncs) usesCols() bool {
	uses := false
	for _, s := range f.sets {
		for _, a := range s.Args {
			tree.Uses(a, func(int) { uses = true })
		}
	}
	if f.scalar != nil {
		tree.Uses(f.scalar, func(int) { uses = true })
	}
	return uses
}

func (b *binder) tableFuncs(t *ast.FuncTable, sc *scope, o outerEnv) (*fromFuncs, error) {
	out := &fromFuncs{}
	en := &env{b: b, sc: sc, ctes: o.ctes, clause: "functions in FROM"}
	for i, e := range t.Funcs {
		if len(t.Defs[i]) > 0 {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "a column definition list is not supported").At(e.Pos())
		}
		f, ok := e.(*ast.Func)
		if ok && len(f.Args) > 1 && f.Name == "unnest" {
			if err := en.unnestAll(f, out); err != nil {
				return nil, err
			}
			continue
		}
		if ok {
			c, args, err := en.fromFunc(f)
			if err != nil {
				return nil, err
			}
			if c != nil {
				call, err := b.setFunc(f, c, args)
				if err != nil {
					return nil, err
				}
				out.sets, out.name = append(out.sets, call), f.Name
				continue
			}
		}
		x, err := en.expr(e)
		if err != nil {
			return nil, err
		}
		if len(t.Funcs) > 1 {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "ROWS FROM takes set-returning functions only").At(e.Pos())
		}
		out.scalar, out.name = b.known(x), columnName(e)
	}
	return out, nil
}

// fromFunc resolves a function in FROM; c is nil if it is not a set-returning one.
func (en *env) fromFunc(f *ast.Func) (*candidate, []expr.Expr, error) {
	cands := en.b.candidates(f)
	sets := cands[:0:0]
	for _, c := range cands {
		if c.set != nil {
			sets = append(sets, c)
		}
	}
	if len(sets) == 0 {
		return nil, nil, nil
	}
	args, err := en.callArgs(f)
	if err != nil {
		return nil, nil, err
	}
	c, err := en.b.pick(f, sets, args)
	return c, args, err
}

// unnestAll makes unnest(a, b) one set per array.
func (en *env) unnestAll(f *ast.Func, out *fromFuncs) error {
	for _, a := range f.Args {
		one := *f
		one.Args = []ast.Expr{a}
		c, args, err := en.fromFunc(&one)
		if err != nil {
			return err
		}
		call, err := en.b.setFunc(&one, c, args)
		if err != nil {
			return err
		}
		out.sets, out.name = append(out.sets, call), f.Name
	}
	return nil
}

// over makes the plan of the functions over in's rows and names their columns.
func (f *fromFuncs) over(in *relation, t *ast.FuncTable, keepEmpty bool) (*relation, error) {
	by := len(in.node.Cols())
	var node plan.Node
	if f.scalar != nil {
		p := &plan.Project{In: in.node}
		for i, c := range in.node.Cols() {
			p.Exprs = append(p.Exprs, col(i, c))
			p.Out = append(p.Out, c)
		}
		p.Exprs = append(p.Exprs, f.scalar)
		p.Out = append(p.Out, plan.Col{Name: f.name, Type: f.scalar.Type()})
		if t.Ordinality {
			p.Exprs = append(p.Exprs, IntConst(int8, 1))
			p.Out = append(p.Out, plan.Col{Name: "ordinality", Type: int8})
		}
		node = p
	} else {
		node = &plan.ProjectSet{In: in.node, Sets: f.sets, Ordinality: t.Ordinality, KeepEmpty: keepEmpty}
	}
	r := &relation{}
	for i, c := range node.Cols()[by:] {
		r.cols = append(r.cols, column{name: c.Name, typ: c.Type, e: col(i, c)})
	}
	f.nameColumns(r, t)
	name := t.Alias
	if name == "" {
		name = f.name
	}
	if _, err := named(r, "", name, "", t.Cols, t.Pos()); err != nil {
		return nil, err
	}
	if len(r.cols) == 1 {
		r.rels[0].value = r.cols[0].name
	}
	return combine(in, r, node)
}

// nameColumns gives a function's single unnamed column the alias.
func (f *fromFuncs) nameColumns(r *relation, t *ast.FuncTable) {
	if t.Alias == "" || len(f.sets) > 1 || f.scalar == nil && len(f.sets[0].Out) != 1 {
		return
	}
	if f.scalar != nil || r.cols[0].name == f.name {
		r.cols[0].name = t.Alias
	}
}
