package opt

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/opt/tree"
)

// sinkWindow moves conditions that look at columns of the partition key alone below the window: they keep or drop whole
// partitions.
func sinkWindow(n *plan.Window, conds []expr.Expr) plan.Node {
	keys := map[int]bool{}
	for _, e := range n.Partition {
		if c, ok := e.(*expr.Col); ok {
			keys[c.Idx] = true
		}
	}
	var below, above []expr.Expr
	for _, c := range conds {
		whole := true
		tree.Uses(c, func(i int) { whole = whole && keys[i] })
		if whole && !tree.Volatile(c) {
			below = append(below, c)
		} else {
			above = append(above, c)
		}
	}
	c := *n
	c.In = sink(n.In, below)
	return filtered(&c, above)
}

// pruneWindow drops calls nobody looks at, and the node if none is left.
func pruneWindow(n *plan.Window, d *need) (plan.Node, *mapping) {
	width := len(n.In.Cols())
	c := &plan.Window{Name: n.Name, Partition: n.Partition, Order: n.Order, Sorted: n.Sorted}
	kept := make([]int, len(n.Calls))
	for i, call := range n.Calls {
		kept[i] = -1
		used := d.cols[width+i]
		for _, l := range d.leaves {
			used = used || l.col == width+i
		}
		if used {
			kept[i] = len(c.Calls)
			c.Calls, c.Out = append(c.Calls, call), append(c.Out, n.Out[i])
		}
	}
	in := d.copy(width)
	if len(c.Calls) > 0 {
		in.exprs(c.Exprs())
	}
	child, cm := pruneNode(n.In, in)
	m := newMapping(len(d.cols))
	copy(m.cols, cm.cols)
	m.leaves = cm.leaves
	for i, k := range kept {
		if k >= 0 {
			m.cols[width+i] = len(child.Cols()) + k
		}
	}
	if len(c.Calls) == 0 {
		return child, m
	}
	return c.MapExprs(child, cm.expr), m
}
