package scan

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/column"
)

// Promising counts the rows of morsels that the manifest does not rule out, at least up to most: when it is reached the others
// are not looked at. It is called when the filter is complete, and reads nothing.
func (s *Scan) Promising(ctx *expr.Ctx, most int) (rows int) {
	if s.never {
		return 0
	}
	w := s.NewWorker(ctx)
	for _, m := range s.morsels {
		if rows >= most {
			break
		}
		if n := column.Live(m); n > 0 && (s.without.Pruning || !w.pruned(m)) {
			rows += n
		}
	}
	return rows
}
