package show

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
)

// Node is what EXPLAIN tells of a plan node.
type Node struct {
	Plan     plan.Node
	Kind     string   // "Seq Scan", "Hash Join"
	On       string   // "main m": what it reads
	Facts    []Fact   // in order
	Children []*Node  // inputs, then subplans
	Role     string   // "SubPlan", "CTE x"; "" for an input
	Names    []string // of the output columns
	qualify  bool
}

// Fact is one line below a node.
type Fact struct{ Name, Value string }

// Describe makes the tree EXPLAIN prints. Columns carry their table's name where there are several tables.
func Describe(n plan.Node) *Node { return describe(n, leaves(n) > 1) }

func leaves(n plan.Node) int {
	in := n.Inputs()
	if len(in) == 0 {
		return 1
	}
	sum := 0
	for _, c := range in {
		sum += leaves(c)
	}
	return sum
}

func describe(n plan.Node, qualify bool) *Node {
	out := &Node{Plan: n, qualify: qualify}
	for _, c := range n.Inputs() {
		out.Children = append(out.Children, describe(c, qualify))
	}
	var in []string
	for _, c := range out.Children {
		in = append(in, c.Names...)
	}
	out.node(n, in)
	if out.Names == nil {
		for _, c := range n.Cols() {
			out.Names = append(out.Names, c.Name)
		}
	}
	out.subplans(n)
	return out
}

func (o *Node) fact(name, value string) {
	if value != "" {
		o.Facts = append(o.Facts, Fact{name, value})
	}
}

func (o *Node) node(n plan.Node, in []string) {
	switch n := n.(type) {
	case *plan.Scan:
		o.scan(n)
	case *plan.Virtual:
		o.Kind, o.On = "System Scan", n.Name
		var names []string
		for _, c := range n.Out {
			names = append(names, c.Name)
		}
		o.fact("Filter", conj(n.Filter, names))
	case *plan.Values:
		o.Kind = "Values"
		if len(n.Out) == 0 {
			o.Kind = "Result"
		}
	case *plan.Filter:
		o.Kind, o.Names = "Filter", in
		o.fact("Filter", Expr(n.Cond, in))
	case *plan.Project:
		o.Kind = "Project"
		o.fact("Output", list(n.Exprs, in))
		for i, c := range n.Out {
			o.Names = append(o.Names, cmp.Or(c.Name, Expr(n.Exprs[i], in)))
		}
	case *plan.ProjectSet:
		o.Kind = "ProjectSet"
		for _, s := range n.Sets {
			o.fact("Function", s.Fn.Name+"("+list(s.Args, in)+")")
		}
	case *plan.Agg:
		o.agg(n, in)
	case *plan.Window:
		o.window(n, in)
	case *plan.Sort:
		o.Kind, o.Names = "Sort", in
		if n.Limit > 0 {
			o.Kind = "Top-N Sort"
			o.fact("Rows Kept", fmt.Sprint(n.Limit))
		}
		o.fact("Sort Key", keys(n.Keys, in))
	case *plan.Limit:
		o.Kind, o.Names = "Limit", in
		o.fact("Count", Expr(n.Count, nil))
		o.fact("Offset", Expr(n.Offset, nil))
	case *plan.Distinct:
		o.Kind, o.Names = "Unique", in
		o.fact("On", list(n.On, in))
	case *plan.Join:
		o.join(n, in)
	case *plan.Apply:
		o.Kind, o.Names = "Nested Loop "+joinWord(n.Kind)+"Apply", in
		o.fact("Join Filter", Expr(n.Cond, in))
	case *plan.SetOp:
		o.Kind = [...]string{plan.Union: "Union", plan.Intersect: "Intersect", plan.Except: "Except"}[n.Op]
		if n.All {
			o.Kind += " All"
		}
	case *plan.With:
		o.with(n)
	case *plan.CTEScan:
		o.Kind, o.On = "CTE Scan", n.Name
		if n.Working {
			o.Kind = "WorkTable Scan"
		}
		if n.Alias != "" && n.Alias != n.Name {
			o.On += " " + n.Alias
		}
		for _, c := range n.Out {
			name := c.Name
			if o.qualify {
				name = cmp.Or(n.Alias, n.Name) + "." + name
			}
			o.Names = append(o.Names, name)
		}
	default:
		o.Kind = strings.TrimPrefix(fmt.Sprintf("%T", n), "*plan.")
	}
}

func (o *Node) scan(n *plan.Scan) {
	o.Kind, o.On = "Seq Scan", n.Table.FullName().String()
	if n.Alias != "" && n.Alias != n.Table.Name {
		o.On += " " + n.Alias
	}
	names := make([]string, len(n.Read))
	for i, c := range n.Read {
		names[i] = c.Column
		if o.qualify {
			names[i] = cmp.Or(n.Alias, n.Table.Name) + "." + c.Column
		}
		if len(c.Path) == 0 {
			continue
		}
		names[i] = "(" + names[i] + pathText(c.Path, c.AsText) + ")"
		if k := c.Type.Kind; k != types.Text && c.AsText || k != types.JSONB && !c.AsText {
			names[i] += "::" + datum.FormatType(c.Type)
		}
	}
	o.Names = names[:n.Out]
	o.fact("Columns", strings.Join(names, ", "))
	o.fact("Filter", conj(n.Filter, names))
	if n.Limit > 0 {
		o.fact("Rows Wanted", fmt.Sprint(n.Limit))
	}
}

func (o *Node) agg(n *plan.Agg, in []string) {
	o.Kind = "Aggregate"
	if len(n.Keys) > 0 {
		o.Kind = "HashAggregate"
		o.fact("Group Key", list(n.Keys, in))
	}
	if n.Sets != nil {
		o.fact("Grouping Sets", setList(n, in))
	}
	for _, k := range n.Keys {
		o.Names = append(o.Names, Expr(k, in))
	}
	var calls []string
	for _, a := range n.Aggs {
		calls = append(calls, aggText(a, in))
	}
	o.Names = append(o.Names, calls...)
	o.fact("Aggregates", strings.Join(calls, ", "))
	if n.Sets != nil {
		o.Names = append(o.Names, "grouping set")
	}
	if n.Limit > 0 {
		o.fact("Groups Wanted", fmt.Sprint(n.Limit))
	}
}

func setList(n *plan.Agg, in []string) string {
	var sets []string
	for _, s := range n.Sets {
		var of []string
		for _, k := range s {
			of = append(of, Expr(n.Keys[k], in))
		}
		sets = append(sets, "("+strings.Join(of, ", ")+")")
	}
	return strings.Join(sets, ", ")
}

func aggText(a plan.AggCall, in []string) string {
	args := list(a.Args, in)
	if len(a.Args) == 0 && len(a.Order) == 0 {
		args = "*"
	}
	if a.Distinct {
		args = "DISTINCT " + args
	}
	switch {
	case a.Fn.OrderedSet:
		args += ") WITHIN GROUP (ORDER BY " + keys(a.Order, in)
	case len(a.Order) > 0:
		args += " ORDER BY " + keys(a.Order, in)
	}
	s := a.Fn.Name + "(" + args + ")"
	if a.Filter != nil {
		s += " FILTER (WHERE " + Expr(a.Filter, in) + ")"
	}
	return s
}

func joinWord(k plan.JoinKind) string {
	return [...]string{plan.Inner: "", plan.Left: "Left ", plan.Right: "Right ", plan.Full: "Full ", plan.Semi: "Semi ", plan.Anti: "Anti "}[k]
}

func (o *Node) join(n *plan.Join, in []string) {
	o.Kind = "Hash " + joinWord(n.Kind) + "Join"
	if len(n.LeftKeys) == 0 {
		o.Kind = "Nested Loop " + joinWord(n.Kind) + "Join"
	}
	lw := len(n.L.Cols())
	var conds []string
	for i := range n.LeftKeys {
		conds = append(conds, "("+Expr(n.LeftKeys[i], in[:lw])+" = "+Expr(n.RightKeys[i], in[lw:])+")")
	}
	o.fact("Hash Cond", strings.Join(conds, " AND "))
	o.fact("Join Filter", Expr(n.Cond, in))
	if n.NotIn {
		o.fact("Null Keys", "match all")
	}
	o.Names = in
	if n.Kind == plan.Semi || n.Kind == plan.Anti {
		o.Names = in[:lw]
	}
}

// with names the definitions, which come before the query itself.
func (o *Node) with(n *plan.With) {
	o.Kind = "With"
	at := 0
	for _, d := range n.Defs {
		o.Children[at].Role = "CTE " + d.Name
		at++
		if d.Step != nil {
			o.Children[at].Role = "Recursive CTE " + d.Name
			at++
		}
	}
	o.Names = o.Children[at].Names
}

// subplans adds the queries in the node's own expressions.
func (o *Node) subplans(n plan.Node) {
	tree.Own(n, 0, func(e expr.Expr, _ int) (expr.Expr, bool) {
		s, ok := e.(*expr.Subplan)
		if !ok {
			return nil, false
		}
		if p, ok := s.Plan.(plan.Node); ok {
			c := Describe(p)
			c.Role = "SubPlan"
			if !s.Correlated {
				c.Role = "InitPlan"
			}
			o.Children = append(o.Children, c)
		}
		return e, true
	})
}

func list(es []expr.Expr, in []string) string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = Expr(e, in)
	}
	return strings.Join(out, ", ")
}

func conj(es []expr.Expr, in []string) string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = Expr(e, in)
	}
	return strings.Join(out, " AND ")
}

func keys(ks []plan.SortKey, in []string) string {
	out := make([]string, len(ks))
	for i, k := range ks {
		out[i] = Expr(k.Expr, in)
		if k.Desc {
			out[i] += " DESC"
		}
		if k.NullsFirst != k.Desc {
			out[i] += map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[k.NullsFirst]
		}
	}
	return strings.Join(out, ", ")
}
