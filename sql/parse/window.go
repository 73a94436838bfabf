//go:build cgo

package parse

import (
	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/telemdb/telemdb/sql/ast"
)

// The parser's bits of a frame clause (FRAMEOPTION_… of PostgreSQL's parsenodes.h).
const (
	frameGiven     = 0x1
	frameRows      = 0x4
	frameGroups    = 0x8
	startUnbounded = 0x20
	endUnbounded   = 0x100 // FOLLOWING
	startCurrent   = 0x200
	endCurrent     = 0x400
	startPreceding = 0x800
	endPreceding   = 0x1000
	startFollowing = 0x2000
	excludeCurrent = 0x8000
	excludeGroup   = 0x10000
	excludeTies    = 0x20000
)

// over converts an OVER clause; nil if there is none.
func (c *converter) over(w *pg.WindowDef) *ast.Window {
	if w == nil {
		return nil
	}
	out := c.window(w)
	if w.Name != "" { // OVER name
		out.Name, out.Ref, out.Alone = "", w.Name, true
	}
	return out
}

func (c *converter) window(w *pg.WindowDef) *ast.Window {
	out := &ast.Window{P: c.pos.at(w.Location), Name: w.Name, Ref: w.Refname,
		Partition: c.exprs(w.PartitionClause), Order: c.sortBy(w.OrderClause)}
	if w.FrameOptions&frameGiven != 0 {
		out.Frame = c.frame(w)
	}
	return out
}

func (c *converter) frame(w *pg.WindowDef) *ast.Frame {
	is := func(bit int32) bool { return w.FrameOptions&bit != 0 }
	f := &ast.Frame{}
	switch {
	case is(frameRows):
		f.Mode = ast.FrameRows
	case is(frameGroups):
		f.Mode = ast.FrameGroups
	}
	f.Start.Kind = ast.Following
	switch {
	case is(startUnbounded):
		f.Start.Kind = ast.UnboundedPreceding
	case is(startCurrent):
		f.Start.Kind = ast.CurrentRow
	case is(startPreceding):
		f.Start.Kind = ast.Preceding
	}
	f.End.Kind = ast.Following
	switch {
	case is(endUnbounded):
		f.End.Kind = ast.UnboundedFollowing
	case is(endCurrent):
		f.End.Kind = ast.CurrentRow
	case is(endPreceding):
		f.End.Kind = ast.Preceding
	}
	f.Start.Offset, f.End.Offset = c.optional(w.StartOffset), c.optional(w.EndOffset)
	switch {
	case is(excludeCurrent):
		f.Exclude = ast.ExcludeCurrent
	case is(excludeGroup):
		f.Exclude = ast.ExcludeGroup
	case is(excludeTies):
		f.Exclude = ast.ExcludeTies
	}
	return f
}
