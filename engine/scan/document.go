package scan

import (
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
)

// colRest holds the members of a document that have no column of their own.
const colRest = "additional_properties"

// inColumns returns what to read with members of the whole document told as what they are stored as: a column, a member of
// one, or a member of what has no column. Nothing is stored under the document's own name.
func inColumns(t *types.Table, read []plan.ScanCol) []plan.ScanCol {
	out := append([]plan.ScanCol(nil), read...)
	for i := range out {
		c := &out[i]
		switch {
		case c.Column != types.ColDocument:
		case len(c.Path) == 0:
			c.Outline = false // only the whole will do: no column stands for it
		default:
			c.Column, c.Path = columnOf(t, c.Path)
		}
	}
	return out
}

func columnOf(t *types.Table, path []string) (string, []string) {
	for _, c := range t.Columns {
		if c.Source == path[0] {
			return c.Name, path[1:]
		}
	}
	return colRest, path
}
