package opt

import (
	"fmt"
	"slices"
	"sort"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/vec"
)

// prune keeps of every node only the columns somebody above uses, and asks scans for the nested members of jsonb columns
// instead of the columns where only members are used.
func prune(n plan.Node) plan.Node {
	out, m := pruneNode(n, fullNeed(len(n.Cols())))
	return m.restore(out, n.Cols())
}

// need is what is asked of a node: columns, and members of jsonb columns.
type need struct {
	cols   []bool
	leaves map[string]leafNeed
}

type leafNeed struct {
	col  int
	leaf *expr.Leaf
}

// mapping tells where the columns and members asked for are in what a node now puts out. A member that is missing is to
// be taken from its column, which is there then.
type mapping struct {
	cols   []int // -1: gone
	leaves map[string]int
}

func newNeed(n int) *need { return &need{cols: make([]bool, n), leaves: map[string]leafNeed{}} }

func fullNeed(n int) *need {
	d := newNeed(n)
	for i := range d.cols {
		d.cols[i] = true
	}
	return d
}

func leafKey(col int, l *expr.Leaf) string {
	return fmt.Sprintf("%d %q %v %v %v", col, l.Path, l.AsText, l.Outline, l.T)
}

// expr adds what an expression looks at.
func (d *need) expr(e expr.Expr) {
	tree.Expr(e, 0, func(x expr.Expr, depth int) (expr.Expr, bool) {
		switch x := x.(type) {
		case *expr.Leaf:
			if c, ok := x.Base.(*expr.Col); ok && depth == 0 {
				d.leaves[leafKey(c.Idx, x)] = leafNeed{c.Idx, x}
				return x, true
			}
		case *expr.Col:
			if depth == 0 {
				d.cols[x.Idx] = true
			}
		case *expr.Outer:
			if depth > 0 && x.Depth == depth {
				d.cols[x.Idx] = true
			}
		}
		return nil, false
	})
}

func (d *need) exprs(es []expr.Expr) {
	for _, e := range es {
		d.expr(e)
	}
}

// copy is d over n columns, those beyond d's not needed.
func (d *need) copy(n int) *need {
	c := newNeed(n)
	copy(c.cols, d.cols)
	for k, l := range d.leaves {
		if l.col < n {
			c.leaves[k] = l
		}
	}
	return c
}

// plain turns members into columns, for a node that cannot hand members through.
func (d *need) plain() *need {
	c := d.copy(len(d.cols))
	for _, l := range c.leaves {
		c.cols[l.col] = true
	}
	c.leaves = map[string]leafNeed{}
	return c
}

// order lists the members in an order that does not depend on the map's.
func (d *need) order() []string {
	out := make([]string, 0, len(d.leaves))
	for k := range d.leaves {
		out = append(out, k)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := d.leaves[out[i]], d.leaves[out[j]]
		if a.col != b.col {
			return a.col < b.col
		}
		return out[i] < out[j]
	})
	return out
}

func identity(n int) *mapping {
	m := &mapping{cols: make([]int, n), leaves: map[string]int{}}
	for i := range m.cols {
		m.cols[i] = i
	}
	return m
}

func newMapping(n int) *mapping {
	m := identity(n)
	for i := range m.cols {
		m.cols[i] = -1
	}
	return m
}

// expr rewrites an expression to the new columns.
func (m *mapping) expr(e expr.Expr) expr.Expr { return m.at(e, 0) }

// at is expr where e's own columns are those depth levels up.
func (m *mapping) at(e expr.Expr, depth int) expr.Expr {
	return tree.Expr(e, depth, func(x expr.Expr, d int) (expr.Expr, bool) {
		switch x := x.(type) {
		case *expr.Leaf:
			if c, ok := x.Base.(*expr.Col); ok && d == 0 {
				if i, ok := m.leaves[leafKey(c.Idx, x)]; ok {
					return &expr.Col{Idx: i, T: x.T, Name: leafName(c.Name, x)}, true
				}
			}
		case *expr.Col:
			if d == 0 && m.cols[x.Idx] != x.Idx {
				return &expr.Col{Idx: m.cols[x.Idx], T: x.T, Name: x.Name}, true
			}
		case *expr.Outer:
			if d > 0 && x.Depth == d && m.cols[x.Idx] != x.Idx {
				o := *x
				o.Idx = m.cols[x.Idx]
				return &o, true
			}
		}
		return nil, false
	})
}

func leafName(column string, l *expr.Leaf) string {
	for _, k := range l.Path {
		column += "." + k
	}
	return column
}

// lastName is what a member goes by: its key, or the column's name for an outline of the column itself.
func lastName(column string, l *expr.Leaf) string {
	if len(l.Path) == 0 {
		return column
	}
	return l.Path[len(l.Path)-1]
}

func (m *mapping) exprs(es []expr.Expr) []expr.Expr {
	if es == nil {
		return nil
	}
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = m.expr(e)
	}
	return out
}

func (m *mapping) keys(ks []plan.SortKey) []plan.SortKey {
	out := append([]plan.SortKey(nil), ks...)
	for i := range out {
		out[i].Expr = m.expr(ks[i].Expr)
	}
	return out
}

// restore puts all columns back in order.
func (m *mapping) restore(n plan.Node, cols []plan.Col) plan.Node {
	same := len(n.Cols()) == len(cols)
	for i := range cols {
		same = same && m.cols[i] == i
	}
	if same {
		return n
	}
	p := &plan.Project{In: n, Out: cols}
	for i, c := range cols {
		p.Exprs = append(p.Exprs, &expr.Col{Idx: m.cols[i], T: c.Type, Name: c.Name})
	}
	return p
}

func pruneNode(n plan.Node, d *need) (plan.Node, *mapping) {
	switch n := n.(type) {
	case *plan.Scan:
		return pruneScan(n, d)
	case *plan.Virtual:
		return pruneVirtual(n, d.plain())
	case *plan.Values:
		return pruneValues(n, d.plain())
	case *plan.Filter:
		in := d.copy(len(d.cols))
		in.expr(n.Cond)
		child, m := pruneNode(n.In, in)
		return &plan.Filter{In: child, Cond: m.expr(n.Cond)}, m
	case *plan.Project:
		return pruneProject(n, d)
	case *plan.ProjectSet:
		return pruneSets(n, d)
	case *plan.Agg:
		return pruneAgg(n, d.plain())
	case *plan.Window:
		return pruneWindow(n, d)
	case *plan.Sort:
		in := d.copy(len(d.cols))
		for _, k := range n.Keys {
			in.expr(k.Expr)
		}
		child, m := pruneNode(n.In, in)
		return &plan.Sort{In: child, Keys: m.keys(n.Keys), Limit: n.Limit}, m
	case *plan.Limit:
		child, m := pruneNode(n.In, d)
		return &plan.Limit{In: child, Count: n.Count, Offset: n.Offset}, m
	case *plan.Distinct:
		if n.On == nil {
			return &plan.Distinct{In: prune(n.In)}, identity(len(d.cols))
		}
		in := d.copy(len(d.cols))
		in.exprs(n.On)
		child, m := pruneNode(n.In, in)
		return &plan.Distinct{In: child, On: m.exprs(n.On)}, m
	case *plan.Join:
		return pruneJoin(n, d)
	case *plan.Apply:
		return pruneApply(n, d)
	case *plan.With:
		c := &plan.With{}
		for _, def := range n.Defs {
			def.Plan = prune(def.Plan)
			if def.Step != nil {
				def.Step = prune(def.Step)
			}
			c.Defs = append(c.Defs, def)
		}
		in, m := pruneNode(n.In, d)
		c.In = in
		return c, m
	}
	return tree.Children(n, func(c plan.Node, _ bool) plan.Node { return prune(c) }), identity(len(d.cols))
}

// pruneScan reads what is asked for and, behind that, what only the filter looks at.
func pruneScan(n *plan.Scan, d *need) (plan.Node, *mapping) {
	all := d.copy(len(n.Read))
	all.exprs(n.Filter)
	m := newMapping(len(n.Read))
	c := &plan.Scan{Table: n.Table, Alias: n.Alias, Limit: n.Limit}
	take := func(want *need) {
		for i, used := range want.cols {
			if used && m.cols[i] < 0 {
				m.cols[i] = len(c.Read)
				c.Read = append(c.Read, n.Read[i])
			}
		}
		for _, k := range want.order() {
			l := want.leaves[k]
			if _, there := m.leaves[k]; there {
				continue
			}
			from := n.Read[l.col]
			m.leaves[k] = len(c.Read)
			c.Read = append(c.Read, plan.ScanCol{Column: from.Column, Path: append(append([]string(nil), from.Path...), l.leaf.Path...),
				AsText: l.leaf.AsText, Type: l.leaf.T, Outline: l.leaf.Outline})
		}
	}
	take(d)
	c.Out = len(c.Read)
	take(all)
	c.Filter = m.exprs(n.Filter)
	return c, m
}

// pruneVirtual narrows a table that is made when asked: the maker is told what is used, and its batches are cut.
func pruneVirtual(n *plan.Virtual, d *need) (plan.Node, *mapping) {
	d.exprs(n.Filter)
	d = d.plain()
	m := newMapping(len(n.Out))
	c := &plan.Virtual{Name: n.Name}
	var kept []int
	for i, used := range d.cols {
		if used {
			m.cols[i] = len(kept)
			kept = append(kept, i)
			c.Out = append(c.Out, n.Out[i])
		}
	}
	c.Filter = m.exprs(n.Filter)
	rows := n.Rows
	used := d.cols
	c.Rows = func(ctx *expr.Ctx, want plan.VirtualScan) (plan.Rows, error) {
		full := plan.VirtualScan{Used: used}
		for _, f := range want.Filter {
			full.Filter = append(full.Filter, tree.MoveCols(f, func(i int) int { return kept[i] }))
		}
		r, err := rows(ctx, full)
		if err != nil {
			return nil, err
		}
		return &narrowRows{Rows: r, kept: kept}, nil
	}
	return c, m
}

// narrowRows keeps some columns of a stream.
type narrowRows struct {
	plan.Rows
	kept []int
	out  vec.Batch
}

func (r *narrowRows) Next() (*vec.Batch, error) {
	b, err := r.Rows.Next()
	if err != nil || b == nil {
		return nil, err
	}
	r.out = vec.Batch{N: b.N, Sel: b.Sel, Cols: r.out.Cols[:0]}
	for _, i := range r.kept {
		if i >= len(b.Cols) {
			return nil, sqlstate.New(sqlstate.Internal, "a system table gave %d columns, column %d is missing", len(b.Cols), i+1)
		}
		r.out.Cols = append(r.out.Cols, b.Cols[i])
	}
	return &r.out, nil
}

func pruneValues(n *plan.Values, d *need) (plan.Node, *mapping) {
	m := newMapping(len(n.Out))
	c := &plan.Values{}
	for i, used := range d.cols {
		if used {
			m.cols[i] = len(c.Out)
			c.Out = append(c.Out, n.Out[i])
		}
	}
	for _, row := range n.Rows {
		var kept []expr.Expr
		for i, used := range d.cols {
			if used {
				kept = append(kept, row[i])
			}
		}
		c.Rows = append(c.Rows, kept)
	}
	return c, m
}

// pruneProject hands members of columns that are only passed on further down.
func pruneProject(n *plan.Project, d *need) (plan.Node, *mapping) {
	d = d.copy(len(n.Exprs))
	type item struct {
		e   expr.Expr
		col plan.Col
	}
	var items []item
	m := newMapping(len(n.Exprs))
	leaves := map[string]int{}
	for _, k := range d.order() {
		l := d.leaves[k]
		switch n.Exprs[l.col].(type) {
		case *expr.Col, *expr.Leaf:
			e := joinLeaf(l.leaf, n.Exprs[l.col])
			leaves[k] = len(items)
			items = append(items, item{e, plan.Col{Name: lastName(n.Out[l.col].Name, l.leaf), Type: l.leaf.T}})
		default:
			d.cols[l.col] = true
		}
	}
	for i, used := range d.cols {
		if used {
			m.cols[i] = len(items)
			items = append(items, item{n.Exprs[i], n.Out[i]})
		}
	}
	m.leaves = leaves
	in := newNeed(len(n.In.Cols()))
	for _, it := range items {
		in.expr(it.e)
	}
	child, cm := pruneNode(n.In, in)
	c := &plan.Project{In: child}
	for _, it := range items {
		c.Exprs = append(c.Exprs, cm.expr(it.e))
		c.Out = append(c.Out, it.col)
	}
	return dropIdentity(merged(c)), m
}

// merged puts a projection into the one above it if it computes nothing.
func merged(p *plan.Project) *plan.Project {
	in, ok := p.In.(*plan.Project)
	if !ok {
		return p
	}
	for _, e := range in.Exprs {
		if _, plain := e.(*expr.Col); !plain {
			return p
		}
	}
	c := &plan.Project{In: in.In, Out: p.Out}
	for _, e := range p.Exprs {
		c.Exprs = append(c.Exprs, substitute(e, in.Exprs))
	}
	return c
}

// dropIdentity takes out a projection that changes nothing; the names of inner columns do not matter.
func dropIdentity(p *plan.Project) plan.Node {
	cols := p.In.Cols()
	if len(cols) != len(p.Exprs) {
		return p
	}
	for i, e := range p.Exprs {
		if c, ok := e.(*expr.Col); !ok || c.Idx != i || c.T != cols[i].Type {
			return p
		}
	}
	return p.In
}

func pruneSets(n *plan.ProjectSet, d *need) (plan.Node, *mapping) {
	width := len(n.In.Cols())
	in := d.copy(width)
	for _, s := range n.Sets {
		in.exprs(s.Args)
	}
	// Members of columns the sets make are taken from the columns.
	child, cm := pruneNode(n.In, in)
	c := *n
	c.In = child
	c.Sets = make([]plan.SetFunc, len(n.Sets))
	for i, s := range n.Sets {
		s.Args = cm.exprs(s.Args)
		c.Sets[i] = s
	}
	m := newMapping(len(d.cols))
	copy(m.cols, cm.cols)
	m.leaves = cm.leaves
	by := len(child.Cols()) - width
	for i := width; i < len(m.cols); i++ {
		m.cols[i] = i + by
	}
	return &c, m
}

func pruneAgg(n *plan.Agg, d *need) (plan.Node, *mapping) {
	m := newMapping(len(n.Out))
	c := &plan.Agg{Keys: n.Keys, Sets: n.Sets, Limit: n.Limit}
	in := newNeed(len(n.In.Cols()))
	for i, k := range n.Keys {
		m.cols[i] = i
		c.Out = append(c.Out, n.Out[i])
		in.expr(k)
	}
	for i, a := range n.Aggs {
		at := len(n.Keys) + i
		// A grouping of nothing still has one row, which needs a column to be made of.
		last := len(n.Keys) == 0 && len(c.Aggs) == 0 && i == len(n.Aggs)-1
		if !d.cols[at] && !last {
			continue
		}
		m.cols[at] = len(c.Out)
		c.Out = append(c.Out, n.Out[at])
		c.Aggs = append(c.Aggs, a)
		in.exprs(a.Args)
		if a.Filter != nil {
			in.expr(a.Filter)
		}
		for _, k := range a.Order {
			in.expr(k.Expr)
		}
	}
	if n.Sets != nil {
		m.cols[len(n.Out)-1] = len(c.Out)
		c.Out = append(c.Out, n.Out[len(n.Out)-1])
	}
	child, cm := pruneNode(n.In, in)
	c.In, c.Keys = child, cm.exprs(n.Keys)
	for i := range c.Aggs {
		a := &c.Aggs[i]
		a.Args, a.Order = cm.exprs(a.Args), cm.keys(a.Order)
		if a.Filter != nil {
			a.Filter = cm.expr(a.Filter)
		}
	}
	overScan(c)
	return c, m
}

// overScan puts a projection of a table's columns into the grouping above it, so that what the grouping computes is known to
// the one who reads the table. What is computed is used once, or it stays where it is.
func overScan(n *plan.Agg) {
	p, ok := n.In.(*plan.Project)
	if !ok {
		return
	}
	if _, ok := p.In.(*plan.Scan); !ok || slices.ContainsFunc(p.Exprs, staysBelow) {
		return
	}
	es := slices.Clone(n.Keys)
	for i := range n.Aggs {
		a := &n.Aggs[i]
		es = append(es, a.Args...)
		for _, k := range a.Order {
			es = append(es, k.Expr)
		}
		if a.Filter != nil {
			es = append(es, a.Filter)
		}
	}
	used := make([]int, len(p.Exprs))
	for _, e := range es {
		if hasSubplan(e) {
			return
		}
		expr.Walk(e, func(x expr.Expr) bool {
			if c, ok := x.(*expr.Col); ok {
				used[c.Idx]++
			}
			return true
		})
	}
	for i, e := range p.Exprs {
		if _, plain := e.(*expr.Col); !plain && used[i] > 1 {
			return
		}
	}
	n.In = p.In
	n.Keys = substituteAll(n.Keys, p.Exprs)
	for i := range n.Aggs {
		a := &n.Aggs[i]
		a.Args = substituteAll(a.Args, p.Exprs)
		a.Order = slices.Clone(a.Order)
		for k := range a.Order {
			a.Order[k].Expr = substitute(a.Order[k].Expr, p.Exprs)
		}
		if a.Filter != nil {
			a.Filter = substitute(a.Filter, p.Exprs)
		}
	}
}

func substituteAll(es, by []expr.Expr) []expr.Expr {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = substitute(e, by)
	}
	return out
}

// staysBelow reports whether an expression may not be computed elsewhere: it is not the same every time, or asks a query.
func staysBelow(e expr.Expr) bool {
	stays := hasSubplan(e)
	expr.Walk(e, func(x expr.Expr) bool {
		c, ok := x.(*expr.Call)
		stays = stays || ok && c.Fn.Volatile == expr.Volatile
		return !stays
	})
	return stays
}

func hasSubplan(e expr.Expr) bool {
	has := false
	expr.Walk(e, func(x expr.Expr) bool {
		_, sub := x.(*expr.Subplan)
		has = has || sub
		return !has
	})
	return has
}

// split parts a need over the columns of two inputs.
func (d *need) split(lw, rw int) (l, r *need) {
	l, r = d.copy(lw), newNeed(rw)
	for i := range rw {
		r.cols[i] = lw+i < len(d.cols) && d.cols[lw+i]
	}
	for _, x := range d.leaves {
		if x.col >= lw {
			r.leaves[leafKey(x.col-lw, x.leaf)] = leafNeed{x.col - lw, x.leaf}
		}
	}
	return l, r
}

// join is the mapping of two inputs' columns put behind each other.
func (m *mapping) join(r *mapping, lwOld, lwNew int) *mapping {
	out := &mapping{cols: append([]int(nil), m.cols...), leaves: map[string]int{}}
	for _, c := range r.cols {
		if c >= 0 {
			c += lwNew
		}
		out.cols = append(out.cols, c)
	}
	for k, i := range m.leaves {
		out.leaves[k] = i
	}
	for k, i := range r.leaves {
		var col int
		var rest string
		if _, err := fmt.Sscanf(k, "%d", &col); err == nil {
			rest = k[len(fmt.Sprint(col)):]
			out.leaves[fmt.Sprint(col+lwOld)+rest] = i + lwNew
		}
	}
	return out
}

func pruneJoin(n *plan.Join, d *need) (plan.Node, *mapping) {
	lw, rw := len(n.L.Cols()), len(n.R.Cols())
	both := d.copy(lw + rw)
	both.expr(n.Cond)
	l, r := both.split(lw, rw)
	l.exprs(n.LeftKeys)
	r.exprs(n.RightKeys)
	lc, lm := pruneNode(n.L, l)
	rc, rm := pruneNode(n.R, r)
	m := lm.join(rm, lw, len(lc.Cols()))
	c := &plan.Join{Kind: n.Kind, NotIn: n.NotIn, L: lc, R: rc, LeftKeys: lm.exprs(n.LeftKeys), RightKeys: rm.exprs(n.RightKeys)}
	if n.Cond != nil {
		c.Cond = m.expr(n.Cond)
	}
	if n.Kind == plan.Semi || n.Kind == plan.Anti {
		return c, lm
	}
	return c, m
}

func pruneApply(n *plan.Apply, d *need) (plan.Node, *mapping) {
	lw, rw := len(n.L.Cols()), len(n.R.Cols())
	both := d.copy(lw + rw)
	both.expr(n.Cond)
	l, r := both.split(lw, rw)
	rc, rm := pruneNode(n.R, r)
	tree.Plan(rc, 1, func(e expr.Expr, depth int) (expr.Expr, bool) { // what R sees of L's row
		if o, ok := e.(*expr.Outer); ok && o.Depth == depth {
			l.cols[o.Idx] = true
		}
		return nil, false
	})
	lc, lm := pruneNode(n.L, l)
	rc = tree.Plan(rc, 1, func(e expr.Expr, depth int) (expr.Expr, bool) {
		if o, ok := e.(*expr.Outer); ok && o.Depth == depth {
			c := *o
			c.Idx = lm.cols[o.Idx]
			return &c, true
		}
		return nil, false
	})
	m := lm.join(rm, lw, len(lc.Cols()))
	c := &plan.Apply{Kind: n.Kind, L: lc, R: rc}
	if n.Cond != nil {
		c.Cond = m.expr(n.Cond)
	}
	return c, m
}
