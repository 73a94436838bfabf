package session

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/op"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/bind"
	"github.com/telemdb/telemdb/sql/opt"
	"github.com/telemdb/telemdb/sql/opt/show"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// explainOptions is what the parentheses of EXPLAIN ask for.
type explainOptions struct {
	analyze, verbose, buffers, costs, timing, summary, json bool
}

func parseExplain(os []ast.Option) (explainOptions, error) {
	o := explainOptions{costs: true, timing: true}
	summary := false
	var needs *ast.Option // tells nothing without ANALYZE
	for _, opt := range os {
		b := true
		if opt.Has && opt.Name != "format" {
			v, ok := datum.ParseBool([]byte(opt.Value))
			if !ok {
				return o, sqlstate.New(sqlstate.Syntax, "%s requires a Boolean value", opt.Name).At(opt.Pos())
			}
			b = v
		}
		switch opt.Name {
		case "analyze":
			o.analyze = b
		case "verbose":
			o.verbose = b
		case "costs":
			o.costs = b
		case "timing":
			if o.timing = b; b {
				needs = &opt
			}
		case "summary":
			o.summary, summary = b, true
		case "buffers":
			o.buffers = b
		case "wal":
			if b {
				needs = &opt
			}
		case "settings", "generic_plan":
		case "format":
			switch strings.ToLower(opt.Value) {
			case "text":
			case "json":
				o.json = true
			case "xml", "yaml":
				return o, sqlstate.New(sqlstate.FeatureNotSupported, "EXPLAIN format %s is not supported", strings.ToUpper(opt.Value)).At(opt.Pos())
			default:
				return o, sqlstate.New(sqlstate.InvalidParameter, "unrecognized value for EXPLAIN option \"format\": \"%s\"", opt.Value).At(opt.Pos())
			}
		default:
			return o, sqlstate.New(sqlstate.Syntax, "unrecognized EXPLAIN option \"%s\"", opt.Name).At(opt.Pos())
		}
	}
	if needs != nil && !o.analyze {
		return o, sqlstate.New(sqlstate.InvalidParameter, "EXPLAIN option %s requires ANALYZE", strings.ToUpper(needs.Name)).At(needs.Pos())
	}
	if !summary {
		o.summary = o.analyze
	}
	return o, nil
}

func explainColumns(st *ast.Explain) []Column {
	t := types.Of(types.Text)
	if o, err := parseExplain(st.Options); err == nil && o.json {
		t = types.Of(types.JSON)
	}
	return []Column{{Name: "QUERY PLAN", Type: t}}
}

// explained is a plan to be shown, and what was measured of it.
type explained struct {
	o        explainOptions
	root     *show.Node
	env      *opt.Env
	analysis *op.Analysis
	planning time.Duration
	running  time.Duration
	extra    fields // facts of the root, as JSON
}

func (c *conn) explain(s *statementCtx, st *ast.Explain, params []types.Type, args []*vec.Vector) (Result, error) {
	o, err := parseExplain(st.Options)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	k, err := c.catalog()
	if err != nil {
		return nil, err
	}
	x := &explained{o: o, env: c.optEnv(k)}
	if del, ok := st.Query.(*ast.Delete); ok {
		if err := c.explainDelete(s, x, del, params, args); err != nil {
			return nil, err
		}
		return x.result(s, explainColumns(st))
	}
	n, err := c.explainedPlan(k, st, o, params)
	if err != nil {
		return nil, err
	}
	x.root, x.planning = show.Describe(n), time.Since(began)
	if o.analyze {
		if err := x.run(c, s, n, args); err != nil {
			return nil, err
		}
	}
	return x.result(s, explainColumns(st))
}

// result prints what is known.
func (x *explained) result(s *statementCtx, cols []Column) (Result, error) {
	if x.o.json {
		text, err := indented([]any{x.document()})
		if err != nil {
			return nil, sqlstate.Wrap(sqlstate.Internal, err)
		}
		return textRows(s, cols, "EXPLAIN", [][]string{{text}}), nil
	}
	var rows [][]string
	for _, l := range x.text() {
		rows = append(rows, []string{l})
	}
	return textRows(s, cols, "EXPLAIN", rows), nil
}

// explainedPlan binds what EXPLAIN is asked about. Only queries are run by ANALYZE.
func (c *conn) explainedPlan(k *catalog, st *ast.Explain, o explainOptions, params []types.Type) (plan.Node, error) {
	switch q := st.Query.(type) {
	case *ast.Select:
		b, err := bind.Select(k, q, params)
		if err != nil {
			return nil, err
		}
		return c.optimize(k, b.Plan), nil
	case *ast.Insert:
		if o.analyze {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "EXPLAIN ANALYZE of INSERT is not supported: it would write")
		}
		_, t, err := c.insertTarget(q)
		if err != nil {
			return nil, err
		}
		b, err := bind.Insert(k, q, t, params)
		if err != nil {
			return nil, err
		}
		return c.optimize(k, b.Plan), nil
	case *ast.CreateTableAs:
		if o.analyze {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "EXPLAIN ANALYZE of CREATE TABLE AS is not supported: it would write")
		}
		return c.explainedPlan(k, &ast.Explain{Query: q.Query}, o, params)
	case *ast.Declare:
		return c.explainedPlan(k, &ast.Explain{Query: q.Query}, o, params)
	case *ast.Execute:
		p, err := c.lookup(q.Name)
		if err != nil {
			return nil, err
		}
		return c.explainedPlan(k, &ast.Explain{Query: p.stmt}, o, p.params)
	case *ast.Unsupported:
		return nil, errUnsupported(q)
	}
	return nil, sqlstate.New(sqlstate.FeatureNotSupported, "EXPLAIN of this statement is not supported")
}

func (x *explained) run(c *conn, s *statementCtx, n plan.Node, args []*vec.Vector) error {
	env, snap, err := c.env(s, args)
	if err != nil {
		return err
	}
	snap.keep()
	defer snap.drop()
	x.analysis = &op.Analysis{}
	env.Analyze = x.analysis
	began := time.Now()
	rows, err := op.Run(env, n)
	if err != nil {
		return err
	}
	for {
		b, err := rows.Next()
		if err != nil {
			rows.Close()
			return err
		}
		if b == nil {
			break
		}
	}
	rows.Close()
	c.warnSkipped(env.Skip)
	x.running = time.Since(began)
	return nil
}

func (x *explained) text() []string {
	var out []string
	x.lines(x.root, 0, "", &out)
	if x.o.summary {
		out = append(out, fmt.Sprintf("Planning Time: %.3f ms", ms(x.planning)))
		if x.o.analyze {
			out = append(out, fmt.Sprintf("Execution Time: %.3f ms", ms(x.running)))
		}
	}
	return out
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// lines prints a node: its own line, its facts, its children two deeper.
func (x *explained) lines(n *show.Node, indent int, arrow string, out *[]string) {
	pad := strings.Repeat(" ", indent)
	label := n.Kind
	if n.On != "" {
		label += " on " + n.On
	}
	*out = append(*out, pad+arrow+label+x.numbers(n))
	deeper := strings.Repeat(" ", indent+len(arrow)+2)
	for _, f := range n.Facts {
		*out = append(*out, deeper+f.Name+": "+f.Value)
	}
	for _, f := range x.measured(n).lines {
		*out = append(*out, deeper+f.Name+": "+f.Value)
	}
	for _, c := range n.Children {
		at := indent + len(arrow) + 2
		if arrow == "" {
			at = indent + 2
		}
		if c.Role != "" {
			*out = append(*out, strings.Repeat(" ", at)+c.Role)
			at += 2
		}
		x.lines(c, at, "->  ", out)
	}
}

func (x *explained) numbers(n *show.Node) string {
	s := ""
	if x.o.costs {
		rows := x.rows(n)
		s = fmt.Sprintf("  (cost=0.00..%.2f rows=%d width=%d)", x.cost(n), rows, width(n.Plan))
	}
	if x.analysis == nil {
		return s
	}
	st := x.analysis.Node(n.Plan)
	if st == nil {
		return s + " (never executed)"
	}
	if x.o.timing {
		return s + fmt.Sprintf(" (actual time=%.3f..%.3f rows=%d loops=1)", ms(st.First()), ms(x.wall(n)), st.Rows())
	}
	return s + fmt.Sprintf(" (actual rows=%d loops=1)", st.Rows())
}

func (x *explained) rows(n *show.Node) int64 { return max(int64(opt.Estimate(n.Plan, x.env)), 1) }

// cost adds up the rows every node below hands on: a number to compare plans by, not a time.
func (x *explained) cost(n *show.Node) float64 {
	cost := float64(x.rows(n)) * 0.01
	for _, c := range n.Children {
		cost += x.cost(c)
	}
	return cost
}

func width(n plan.Node) int {
	w := 0
	for _, c := range n.Cols() {
		if l := datum.Len(c.Type); l > 0 {
			w += int(l)
		} else {
			w += 32
		}
	}
	return w
}

// document is the JSON form, with PostgreSQL's names.
func (x *explained) document() *fields {
	d := &fields{}
	d.set("Plan", x.node(x.root, &x.extra))
	if x.o.summary {
		d.set("Planning Time", ms(x.planning))
		if x.o.analyze {
			d.set("Execution Time", ms(x.running))
		}
	}
	return d
}

func (x *explained) node(n *show.Node, extra *fields) *fields {
	d := &fields{}
	d.set("Node Type", n.Kind)
	if n.Role != "" {
		d.set("Parent Relationship", n.Role)
	}
	if n.On != "" {
		d.set("Relation Name", n.On)
	}
	if x.o.costs {
		d.set("Startup Cost", 0.0)
		d.set("Total Cost", math.Round(x.cost(n)*100)/100)
		d.set("Plan Rows", x.rows(n))
		d.set("Plan Width", width(n.Plan))
	}
	m := x.measured(n)
	d.join(&m.actual)
	for _, f := range n.Facts {
		d.set(f.Name, f.Value)
	}
	d.join(&m.fields)
	d.join(extra)
	var children []any
	for _, c := range n.Children {
		children = append(children, x.node(c, &fields{}))
	}
	if children != nil {
		d.set("Plans", children)
	}
	return d
}
