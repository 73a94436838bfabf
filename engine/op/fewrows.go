package op

import "github.com/telemdb/telemdb/engine/plan"

// Groups that several workers make have to be put together: where there are many of them that takes as long as making them from
// a row group or two. A worker that has hardly any rows to itself costs more than it brings.

// fewRows limits the workers of an aggregation that reads a table, by the rows of the row groups that are not ruled out.
func (r *aggRows) fewRows(p *pipeline) {
	x := r.b.x
	each := x.env.WorkerRows
	if each <= 0 || x.workers < 2 || len(r.n.Keys) == 0 || p.scan == nil || !onePerRow(r.n.In) {
		return
	}
	most := each*(x.workers-1) + 1
	if rows := p.scan.Promising(r.b.ctx, most); rows < most {
		p.most = max(1, (rows+each-1)/each)
	}
}

// onePerRow reports whether n has a row at most for each of the scan that it begins with.
func onePerRow(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Scan:
		return true
	case *plan.Filter:
		return onePerRow(n.In)
	case *plan.Project:
		return onePerRow(n.In)
	}
	return false
}
