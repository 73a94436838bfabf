package scan

import (
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
)

// EmitsRows makes the scan emit the columns cols of Read, in that order, and behind them types.ColRow, instead of the first Out
// columns: for whoever has to know which rows are the ones before the others' columns are read, by FetchRows. It is called
// before the first worker. ok is false where the scan finds its rows by index and reads few anyway; then nothing has changed.
func (s *Scan) EmitsRows(cols []int) (ok bool) {
	if s.lookup != nil {
		return false
	}
	s.out = append(append([]int(nil), cols...), s.readColumn(plan.ScanCol{Column: types.ColRow, Type: types.Of(types.Int64)}))
	return true
}
