package bind

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/opt/tree"
)

// groupBy binds GROUP BY: ordinals, input columns, output names, expressions, in this order.
func (k *block) groupBy() error {
	for _, g := range k.q.GroupBy {
		if _, ok := g.(*ast.GroupingSet); ok {
			return k.groupBySets()
		}
	}
	for _, g := range k.q.GroupBy {
		if _, err := k.groupItem(g); err != nil {
			return err
		}
	}
	return nil
}

// groupItem binds one expression of GROUP BY and returns its place in k.groups.
func (k *block) groupItem(g ast.Expr) (int, error) {
	x, err := k.groupExpr(g)
	if err != nil {
		return 0, err
	}
	if hasWinRef(x) {
		return 0, sqlstate.New(sqlstate.Windowing, "window functions are not allowed in GROUP BY").At(g.Pos())
	}
	if hasAggRef(x) {
		return 0, sqlstate.New(sqlstate.Grouping, "aggregate functions are not allowed in GROUP BY").At(g.Pos())
	}
	k.groups = append(k.groups, k.b.known(x))
	return len(k.groups) - 1, nil
}

func (k *block) groupExpr(g ast.Expr) (expr.Expr, error) {
	switch g := g.(type) {
	case *ast.Lit:
		i, err := k.ordinal(g, "GROUP BY")
		if err != nil {
			return nil, err
		}
		return k.targets[i].e, nil
	case *ast.Name:
		if len(g.Parts) == 1 && !g.Star {
			if _, n := k.sc.find(g.Parts); n == 0 {
				i, err := k.byName(g, "GROUP BY")
				if err != nil {
					return nil, err
				}
				if i >= 0 {
					return k.targets[i].e, nil
				}
			}
		}
	}
	en := k.env("GROUP BY")
	en.sets = &k.sets
	n := len(k.sets.calls)
	x, err := en.expr(g)
	if s, ok := x.(*setRef); ok && s.idx >= n {
		s.idx = k.sets.first(s.idx) // the call of the select list, if there is an equal one
		k.sets.calls = k.sets.calls[:max(n, s.idx+1)]
	}
	return x, err
}

// setsFirst puts set-returning functions below the Agg if rows are grouped by what they give.
func (k *block) setsFirst() error {
	grouped := map[int]bool{}
	for _, x := range k.groups {
		tree.Visit(x, 0, func(e expr.Expr, _ int) {
			if s, ok := e.(*setRef); ok {
				grouped[s.idx] = true
			}
		})
	}
	switch len(grouped) {
	case 0:
		return nil
	case len(k.sets.calls):
		return k.projectSets()
	}
	return sqlstate.New(sqlstate.FeatureNotSupported, "grouping by one set-returning function beside another is not supported").At(k.q.GroupBy[0].Pos())
}

// ordinal reads a select list position.
func (k *block) ordinal(l *ast.Lit, clause string) (int, error) {
	if l.Kind != ast.Int {
		return 0, sqlstate.New(sqlstate.Syntax, "non-integer constant in %s", clause).At(l.Pos())
	}
	n := 0
	for _, c := range l.Text {
		n = min(n*10+int(c-'0'), columnsMax+1)
	}
	if n < 1 || n > k.visible {
		return 0, sqlstate.New(sqlstate.InvalidColumnReference, "%s position %s is not in select list", clause, l.Text).At(l.Pos())
	}
	return n - 1, nil
}

// byName finds the output column a name means, or -1.
func (k *block) byName(n *ast.Name, clause string) (int, error) {
	at := -1
	for i := range k.visible {
		if k.targets[i].name != n.Parts[0] {
			continue
		}
		if at >= 0 && tree.Key(k.targets[at].e) != tree.Key(k.targets[i].e) {
			return 0, sqlstate.New(sqlstate.AmbiguousColumn, "%s \"%s\" is ambiguous", clause, n.Parts[0]).At(n.Pos())
		}
		if at < 0 {
			at = i
		}
	}
	return at, nil
}

func hasAggRef(e expr.Expr) bool {
	has := false
	tree.Visit(e, 0, func(x expr.Expr, _ int) {
		if _, ok := x.(*aggRef); ok {
			has = true
		}
	})
	return has
}

func (k *block) havingClause() error {
	if k.q.Having == nil {
		return nil
	}
	en := k.env("HAVING")
	en.aggs = &k.aggs
	x, err := en.cond(k.q.Having)
	k.having = x
	return err
}

// aggregate makes the Agg, if there is one, and has everything above speak of its output.
func (k *block) aggregate() error {
	if len(k.aggs.calls) == 0 && len(k.groups) == 0 && k.having == nil && k.groupSets == nil {
		return k.noGrouping()
	}
	if err := k.setsFirst(); err != nil {
		return err
	}
	g := k.newGrouping()
	if err := g.directArgs(); err != nil {
		return err
	}
	for i := range k.targets {
		k.targets[i].e = g.overTarget(k.targets[i].e)
	}
	for i := range k.sets.calls {
		for j, a := range k.sets.calls[i].Args {
			k.sets.calls[i].Args[j] = g.over(a)
		}
	}
	k.having = g.over(k.having)
	k.wins.overGroups(g.over)
	if g.err != nil {
		return g.err
	}
	k.node = g.node
	if k.having != nil {
		k.node = &plan.Filter{In: k.node, Cond: k.having}
	}
	return nil
}

// grouping rewrites expressions over an Agg's input to its output.
type grouping struct {
	k    *block
	node *plan.Agg
	keys map[string]int
	cols map[int]int // input columns that are keys
	err  error
}

func (k *block) newGrouping() *grouping {
	g := &grouping{k: k, node: &plan.Agg{In: k.node}, keys: map[string]int{}, cols: map[int]int{}}
	for _, x := range k.groups {
		key := tree.Key(x)
		if _, dup := g.keys[key]; dup {
			continue
		}
		i := len(g.node.Keys)
		g.keys[key] = i
		name := ""
		if c, ok := x.(*expr.Col); ok {
			g.cols[c.Idx] = i
			name = c.Name
		}
		g.node.Keys = append(g.node.Keys, x)
		g.node.Out = append(g.node.Out, plan.Col{Name: name, Type: x.Type()})
	}
	g.node.Aggs = k.aggs.calls
	for _, a := range k.aggs.calls {
		g.node.Out = append(g.node.Out, plan.Col{Name: a.Fn.Name, Type: a.T})
	}
	g.sets(k)
	return g
}

// directArgs refuses direct arguments of ordered-set aggregates that may differ within a group: there is one percentile of a group.
func (g *grouping) directArgs() error {
	for _, call := range g.node.Aggs {
		if !call.Fn.OrderedSet {
			continue
		}
		for _, arg := range call.Args {
			g.over(arg)
		}
		if e, ok := g.err.(*sqlstate.Error); ok {
			return e.WithDetail("Direct arguments of an ordered-set aggregate must use only grouped columns.")
		}
	}
	return nil
}

func (g *grouping) over(e expr.Expr) expr.Expr {
	if e == nil {
		return nil
	}
	return tree.Expr(e, 0, g.mapOne)
}

// overTarget is over for a whole item of the select list: a constant there is a key if it is one of the grouping sets',
// and then NULL in the sets without it, which a constant within an expression is not.
func (g *grouping) overTarget(e expr.Expr) expr.Expr {
	if _, ok := e.(*expr.Const); ok && g.k.groupSets != nil {
		if i, ok := g.keys[tree.Key(e)]; ok {
			return col(i, g.node.Out[i])
		}
	}
	return g.over(e)
}

func (g *grouping) mapOne(e expr.Expr, depth int) (expr.Expr, bool) {
	if depth > 0 {
		o, ok := e.(*expr.Outer)
		if !ok || o.Depth != depth {
			return nil, false
		}
		if i, ok := g.cols[o.Idx]; ok {
			return &expr.Outer{Depth: o.Depth, Idx: i, T: o.T, Name: o.Name}, true
		}
		g.fail(sqlstate.New(sqlstate.Grouping, "subquery uses ungrouped column \"%s\" from outer query", g.name(o.Idx, o.Name)))
		return e, true
	}
	switch x := e.(type) {
	case *aggRef:
		i := len(g.node.Keys) + x.idx
		return col(i, g.node.Out[i]), true
	case *groupingRef:
		return g.mask(x), true
	case *setRef, *winRef:
		return e, true
	case *expr.Const:
		return e, true
	}
	if i, ok := g.keys[tree.Key(e)]; ok {
		return col(i, g.node.Out[i]), true
	}
	if c, ok := e.(*expr.Col); ok {
		g.fail(sqlstate.New(sqlstate.Grouping,
			"column \"%s\" must appear in the GROUP BY clause or be used in an aggregate function", g.name(c.Idx, c.Name)).At(g.k.b.pos[e]))
		return e, true
	}
	return nil, false
}

func (g *grouping) name(idx int, plain string) string {
	for _, c := range g.k.sc.cols {
		if r, ok := c.e.(*expr.Col); ok && r.Idx == idx && c.rel != "" {
			return c.rel + "." + c.name
		}
	}
	return plain
}

func (g *grouping) fail(err error) {
	if g.err == nil {
		g.err = err
	}
}
