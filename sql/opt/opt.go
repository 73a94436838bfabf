// Package opt makes bound plans fast. Each rule is a file; all are rewrites of plain data that keep the result, names
// and order of the columns of the plan's root.
//
// The order matters: constants fold first, questions about what a jsonb value contains become questions about paths,
// subqueries become joins while they still have the shape the binder gave them, filters sink, joins are ordered by size,
// limits sink, and last every node keeps only the columns somebody uses, which is where paths into jsonb columns become
// columns of the scan. Then keys of groups that follow from others are taken out, and scans are told what else follows
// from their filters.
package opt

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
)

// Env is what the rules may ask.
type Env struct {
	// Ctx evaluates constants.
	Ctx *expr.Ctx
	// Rows is the number of rows a stored table has, or a guess.
	Rows func(t *types.Table) int64
	// Off names rules that are left out: for tests, which compare answers with and without them. nil is none.
	Off map[string]bool
}

// rules are in the order in which they are applied.
var rules = []struct {
	name  string
	apply func(plan.Node, *Env) plan.Node
}{
	{"fold", foldPlan},
	{"outline", func(n plan.Node, _ *Env) plan.Node { return outlines(n) }},
	{"unnest", func(n plan.Node, _ *Env) plan.Node { return unnest(n) }},
	{"sink", func(n plan.Node, _ *Env) plan.Node { return sink(n, nil) }},
	{"order", orderJoins},
	{"limit", func(n plan.Node, _ *Env) plan.Node { return sinkLimits(n) }},
	{"prune", func(n plan.Node, _ *Env) plan.Node { return prune(n) }},
	{"keys", func(n plan.Node, _ *Env) plan.Node { return dependentKeys(n) }},
	{"sample", func(n plan.Node, _ *Env) plan.Node { return samples(n) }},
}

// Rules returns the names that Env.Off may have. Each may be off alone: a plan runs without any of them, if slower.
func Rules() []string {
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = r.name
	}
	return out
}

// Optimize returns a faster plan with the same result.
func Optimize(n plan.Node, env *Env) plan.Node {
	for _, r := range rules {
		if !env.Off[r.name] {
			n = r.apply(n, env)
		}
	}
	return subplans(n, env)
}

// subplans optimises the subqueries in expressions. They come last: what encloses them has its final columns by now.
func subplans(n plan.Node, env *Env) plan.Node {
	var inExpr tree.Mapper
	inExpr = func(e expr.Expr, _ int) (expr.Expr, bool) {
		s, ok := e.(*expr.Subplan)
		if !ok {
			return nil, false
		}
		p, ok := s.Plan.(plan.Node)
		if !ok {
			return nil, false
		}
		c := *s
		c.Plan, c.Arg = Optimize(p, env), tree.Expr(s.Arg, 0, inExpr)
		return &c, true
	}
	own := tree.Own(n, 0, inExpr)
	return tree.Children(own, func(c plan.Node, _ bool) plan.Node { return subplans(c, env) })
}
