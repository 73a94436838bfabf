package show

import (
	"strings"

	"github.com/telemdb/telemdb/engine/plan"
)

func (o *Node) window(n *plan.Window, in []string) {
	o.Kind = "WindowAgg"
	o.Names = append([]string(nil), in...)
	o.fact("Window", n.Name+" AS ("+windowText(n, in)+")")
	if n.Sorted {
		o.fact("Input", "sorted")
	}
	var calls []string
	for i := range n.Calls {
		s := callText(&n.Calls[i], n, in)
		calls = append(calls, s)
		o.Names = append(o.Names, s)
	}
	o.fact("Functions", strings.Join(calls, ", "))
}

func windowText(n *plan.Window, in []string) string {
	var parts []string
	if len(n.Partition) > 0 {
		parts = append(parts, "PARTITION BY "+list(n.Partition, in))
	}
	if len(n.Order) > 0 {
		parts = append(parts, "ORDER BY "+keys(n.Order, in))
	}
	return strings.Join(parts, " ")
}

func callText(c *plan.WindowCall, n *plan.Window, in []string) string {
	s := ""
	if c.Agg != nil {
		s = aggText(*c.Agg, in)
	} else {
		s = c.Fn.Name + "(" + list(c.Args, in) + ")"
	}
	s += " OVER " + n.Name
	if f := frameText(&c.Frame, in); f != "" {
		s += " " + f
	}
	return s
}

// frameText is the frame clause as PostgreSQL writes it; "" for the default.
func frameText(f *plan.Frame, in []string) string {
	if f.Mode == plan.FrameRange && f.Start.Kind == plan.UnboundedPreceding && f.End.Kind == plan.CurrentRow && f.Exclude == plan.ExcludeNone {
		return ""
	}
	s := [...]string{plan.FrameRange: "RANGE", plan.FrameRows: "ROWS", plan.FrameGroups: "GROUPS"}[f.Mode]
	s += " BETWEEN " + boundText(&f.Start, in) + " AND " + boundText(&f.End, in)
	return s + [...]string{plan.ExcludeNone: "", plan.ExcludeCurrent: " EXCLUDE CURRENT ROW", plan.ExcludeGroup: " EXCLUDE GROUP",
		plan.ExcludeTies: " EXCLUDE TIES"}[f.Exclude]
}

func boundText(b *plan.Bound, in []string) string {
	switch b.Kind {
	case plan.UnboundedPreceding:
		return "UNBOUNDED PRECEDING"
	case plan.Preceding:
		return Expr(b.Offset, in) + " PRECEDING"
	case plan.CurrentRow:
		return "CURRENT ROW"
	case plan.Following:
		return Expr(b.Offset, in) + " FOLLOWING"
	}
	return "UNBOUNDED FOLLOWING"
}
