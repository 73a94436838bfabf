package opt

import (
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/opt/tree"
)

// sinkLimits tells a sort, a scan or an aggregation how many rows are asked of it. The Limit itself stays where it is.
func sinkLimits(n plan.Node) plan.Node {
	n = tree.Children(n, func(c plan.Node, _ bool) plan.Node { return sinkLimits(c) })
	l, ok := n.(*plan.Limit)
	if !ok || l.Count == nil {
		return n
	}
	rows, ok := constInt(l.Count)
	if !ok {
		return n
	}
	if l.Offset != nil {
		skip, ok := constInt(l.Offset)
		if !ok || skip < 0 || rows > 1<<62-skip {
			return n
		}
		rows += skip
	}
	if rows <= 0 {
		return n
	}
	return &plan.Limit{In: limited(l.In, rows), Count: l.Count, Offset: l.Offset}
}

// limited hands a number of rows down as far as any rows will do.
func limited(n plan.Node, rows int64) plan.Node {
	switch n := n.(type) {
	case *plan.Project:
		return &plan.Project{In: limited(n.In, rows), Out: n.Out, Exprs: n.Exprs}
	case *plan.Sort:
		return &plan.Sort{In: n.In, Keys: n.Keys, Limit: rows}
	case *plan.Scan:
		c := *n
		c.Limit = rows
		return &c
	case *plan.Agg:
		if len(n.Keys) > 0 && n.Sets == nil {
			c := *n
			c.Limit = rows
			return &c
		}
	case *plan.SetOp:
		if n.Op == plan.Union && n.All {
			c := *n
			c.L, c.R = limited(n.L, rows), limited(n.R, rows)
			return &c
		}
	}
	return n
}
