package op

import "github.com/telemdb/telemdb/engine/plan"

// Groups that several workers make have to be put together: where there are many of them that takes as long as making them from
// a row group or two. A worker that has hardly any rows to itself costs more than it brings. And where few rows have many groups,
// a table of them has only begun to pay when the rows are at an end: they are scattered sooner.

// soonRows is the most rows of an aggregation that scatters its groups sooner: two row groups.
const soonRows = 1 << 17

// fewRows limits the workers of an aggregation that reads a table, and the groups that they number, by the rows of the row groups
// that are not ruled out. It returns the number of groups from which they are put together by partition, which depends on the rows
// alone: so does their order.
func (r *aggRows) fewRows(p *pipeline) (many int) {
	x := r.b.x
	each, many, most := x.env.WorkerRows, x.manyGroups(), 0
	if len(r.n.Keys) == 0 || p.scan == nil || !onePerRow(r.n.In) {
		return many
	}
	if each > 0 && x.workers > 1 {
		most = each*(x.workers-1) + 1
	}
	soon := x.env.SoonGroups > 0 && x.env.SoonGroups < many
	look := most
	if soon {
		look = max(most, soonRows+1)
	}
	if look == 0 {
		return many
	}
	rows := p.scan.Promising(r.b.ctx, look)
	if rows < most {
		p.most = max(1, (rows+each-1)/each)
	}
	if soon && rows <= soonRows {
		many = x.env.SoonGroups
	}
	return many
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
