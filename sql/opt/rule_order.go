package opt

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/opt/tree"
)

// orderJoins orders chains of inner joins by size: the largest input is streamed, and the others are joined to it, the
// smallest that a key connects first, so that what is held in memory is small and a cross product the last resort.
func orderJoins(n plan.Node, env *Env) plan.Node {
	j, ok := n.(*plan.Join)
	if !ok || j.Kind != plan.Inner {
		return tree.Children(n, func(c plan.Node, _ bool) plan.Node { return orderJoins(c, env) })
	}
	ch := &chain{env: env}
	ch.flatten(j, 0)
	if len(ch.parts) <= chainMax {
		// A key whose operand looks at several inputs may find no join that it is a key of: then the order stays.
		if out := ch.build(j.Cols()); len(ch.keys) == 0 {
			return out
		}
	}
	return tree.Children(n, func(c plan.Node, _ bool) plan.Node { return orderJoins(c, env) })
}

// chainMax bounds the quadratic search for the next part.
const chainMax = 64

// chain is inner joins taken apart: inputs, and conditions over all their columns in the order of the text.
type chain struct {
	env   *Env
	parts []part
	conds []expr.Expr
	keys  []pair
}

type part struct {
	n     plan.Node
	first int // its first column in the order of the text
	width int
	rows  float64
}

// pair is an equality of two parts' expressions, over all columns.
type pair struct{ a, b expr.Expr }

func (c *chain) flatten(n plan.Node, first int) {
	j, ok := n.(*plan.Join)
	if !ok || j.Kind != plan.Inner {
		n = orderJoins(n, c.env)
		c.parts = append(c.parts, part{n: n, first: first, width: len(n.Cols()), rows: estimate(n, c.env)})
		return
	}
	lw := len(j.L.Cols())
	c.flatten(j.L, first)
	c.flatten(j.R, first+lw)
	for i := range j.LeftKeys {
		c.keys = append(c.keys, pair{tree.Shift(j.LeftKeys[i], first), tree.Shift(j.RightKeys[i], first+lw)})
	}
	for _, x := range tree.Conjuncts(j.Cond, nil) {
		c.conds = append(c.conds, tree.Shift(x, first))
	}
}

// build joins the parts in a good order and puts the columns back into the order of the text.
func (c *chain) build(cols []plan.Col) plan.Node {
	done := make([]bool, len(c.parts))
	at := map[int]int{} // column in text order -> column of what is built
	start := 0
	for i, p := range c.parts {
		if p.rows > c.parts[start].rows {
			start = i
		}
	}
	n := c.parts[start].n
	c.place(at, start, 0)
	done[start] = true
	n = c.filter(n, at)
	for range len(c.parts) - 1 {
		next := c.next(done, at)
		n = c.join(n, next, at)
		done[next] = true
		n = c.filter(n, at)
	}
	return reordered(n, cols, at)
}

func (c *chain) place(at map[int]int, part, base int) {
	p := c.parts[part]
	for i := range p.width {
		at[p.first+i] = base + i
	}
}

// next picks the smallest part that a key connects to what is there, else the smallest.
func (c *chain) next(done []bool, at map[int]int) int {
	best, bestLinked := -1, false
	for i, p := range c.parts {
		if done[i] {
			continue
		}
		linked := false
		for _, k := range c.keys {
			linked = linked || c.links(k, i, at)
		}
		if best < 0 || linked && !bestLinked || linked == bestLinked && p.rows < c.parts[best].rows {
			best, bestLinked = i, linked
		}
	}
	return best
}

// links reports whether key k has one operand over what is placed and the other over part i.
func (c *chain) links(k pair, i int, at map[int]int) bool {
	return placed(k.a, at) && c.within(k.b, i) || placed(k.b, at) && c.within(k.a, i)
}

func (c *chain) within(e expr.Expr, i int) bool {
	p, in := c.parts[i], true
	tree.Uses(e, func(col int) { in = in && col >= p.first && col < p.first+p.width })
	return in
}

func placed(e expr.Expr, at map[int]int) bool {
	all := true
	tree.Uses(e, func(col int) {
		if _, ok := at[col]; !ok {
			all = false
		}
	})
	return all
}

func (c *chain) join(n plan.Node, i int, at map[int]int) plan.Node {
	p := c.parts[i]
	j := &plan.Join{Kind: plan.Inner, L: n, R: p.n}
	var rest []pair
	for _, k := range c.keys {
		a, b := k.a, k.b
		if !placed(a, at) || !c.within(b, i) {
			a, b = b, a
		}
		if !placed(a, at) || !c.within(b, i) {
			rest = append(rest, k)
			continue
		}
		j.LeftKeys = append(j.LeftKeys, tree.MoveCols(a, func(x int) int { return at[x] }))
		j.RightKeys = append(j.RightKeys, tree.Shift(b, -p.first))
	}
	c.keys = rest
	c.place(at, i, len(n.Cols()))
	return j
}

// filter applies the conditions that can be decided by now.
func (c *chain) filter(n plan.Node, at map[int]int) plan.Node {
	var now, later []expr.Expr
	for _, x := range c.conds {
		if placed(x, at) {
			now = append(now, tree.MoveCols(x, func(i int) int { return at[i] }))
		} else {
			later = append(later, x)
		}
	}
	c.conds = later
	if len(now) == 0 {
		return n
	}
	if j, ok := n.(*plan.Join); ok && j.Kind == plan.Inner {
		k := *j
		k.Cond = tree.And(tree.Conjuncts(j.Cond, now))
		return &k
	}
	return filtered(n, now)
}

func reordered(n plan.Node, cols []plan.Col, at map[int]int) plan.Node {
	same := true
	p := &plan.Project{In: n, Out: cols}
	for i, c := range cols {
		same = same && at[i] == i
		p.Exprs = append(p.Exprs, &expr.Col{Idx: at[i], T: c.Type, Name: c.Name})
	}
	if same {
		return n
	}
	return p
}

// estimate guesses the number of rows a node gives.
func estimate(n plan.Node, env *Env) float64 {
	switch n := n.(type) {
	case *plan.Scan:
		rows := float64(env.Rows(n.Table))
		return rows * selectivity(n.Filter)
	case *plan.Virtual:
		return 1000 * selectivity(n.Filter)
	case *plan.Values:
		return float64(len(n.Rows))
	case *plan.Filter:
		return estimate(n.In, env) * selectivity(tree.Conjuncts(n.Cond, nil))
	case *plan.Agg:
		if len(n.Keys) == 0 {
			return 1
		}
		return estimate(n.In, env) / 10
	case *plan.Limit:
		rows := estimate(n.In, env)
		if c, ok := constInt(n.Count); ok {
			rows = min(rows, float64(c))
		}
		return rows
	case *plan.ProjectSet:
		return estimate(n.In, env) * 10
	case *plan.Join:
		l, r := estimate(n.L, env), estimate(n.R, env)
		switch {
		case n.Kind == plan.Semi || n.Kind == plan.Anti:
			return l / 2
		case len(n.LeftKeys) > 0:
			return max(l, r)
		}
		return l * r
	case *plan.SetOp:
		return estimate(n.L, env) + estimate(n.R, env)
	case *plan.CTEScan:
		return 1000
	case *plan.With:
		return estimate(n.In, env)
	}
	rows := 1.0
	for _, in := range n.Inputs() {
		rows *= estimate(in, env)
	}
	return rows
}

// selectivity guesses which part of the rows conjuncts keep.
func selectivity(conds []expr.Expr) float64 {
	s := 1.0
	for _, c := range conds {
		if call, ok := c.(*expr.Call); ok && call.Fn.Name == "=" {
			s *= 0.1
		} else {
			s *= 0.4
		}
	}
	return s
}

// Estimate is estimate for EXPLAIN.
func Estimate(n plan.Node, env *Env) float64 { return estimate(n, env) }
